//! Steps: each kind applied twice, undone twice, and failing at every point of promote and restore in turn.

mod cases;
mod failing;
mod picture;
mod twice;
