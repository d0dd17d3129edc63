//! Every verb through the real binary.

mod adversary;
mod bad_input;
mod launch;
mod mirror;
mod promote;
mod restore;
mod scripts;
mod seen;
mod status;
mod undo;
mod verbs;
