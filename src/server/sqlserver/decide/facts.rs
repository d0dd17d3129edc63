//! What decisions are made from.

pub use crate::model::Lsn;
