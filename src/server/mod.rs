//! The database servers of a store: one port, two kinds (embedded now; sqlserver has its place in the tree).

pub mod embedded;
pub mod epoch;
pub mod port;
pub mod sqlserver;

pub use port::DatabaseServer;
