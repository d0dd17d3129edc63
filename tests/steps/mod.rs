//! Steps: each kind applied twice, undone twice, and failing at every point of promote and restore in turn.

mod cases;
pub mod failing;
pub mod picture;
mod twice;
