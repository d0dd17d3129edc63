//! Pure decisions: observed facts in, a plan or a refusal out. Nothing here reads a clock, a file or a server.

pub mod chain;
pub mod launch;
pub mod matrix;
pub mod mirror;
pub mod promote;
pub mod restore;
pub mod retention;
pub mod route;
pub mod saga;
pub mod step;
pub mod version;
