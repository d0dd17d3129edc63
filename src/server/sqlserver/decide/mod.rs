//! Decisions about copies, from what was observed. Pure: no server, no clock. LSN, recovery fork, family and differential base decide;
//! names and dates never do. (By which way a restore goes back to main is decided in the plans, from [`State::log_state`].)

mod facts;
#[cfg(test)]
#[path = "facts_tests.rs"]
pub(super) mod tests;
mod follow;
mod next;
mod replace;
mod seed;
mod sets;

pub use crate::model::Lsn;
pub use facts::{Access, Condition, State};
pub use follow::{Follower, Reject, Reseed, Verdict, advanced, differential, log};
pub use next::{CopyFacts, End, Interference, NextCopy, Why, interference, next_copy};
pub use replace::{MayReplace, NoReplace, Over, ReplaceToken, Standing, may_replace};
pub use seed::{Follows, Need, Seed, seed_needed};
pub use sets::{Header, Restored, SetKind, Taken, redo};
