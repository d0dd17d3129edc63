//! Decisions about copies and routes, from what was observed. Pure: no server, no clock. LSN, recovery fork, family and differential
//! base decide; names and dates never do.

mod replace;

pub use crate::model::Lsn;
pub use replace::{MayReplace, NoReplace, Over, ReplaceToken, Standing, may_replace};
