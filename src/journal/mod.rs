//! Durable runs: what happened in a run is recorded before and after every effect, so that a later process can take it up.
//! Docs: docs/journal.md. Order of reading: event (vocabulary), log (a run's state), replay (what a script's call finds), store.

mod days;
pub mod event;
pub mod log;
mod quarantine;
pub mod recover;
pub mod replay;
pub mod store;

pub use event::{Ending, Event, RunHead, StepState};
pub use log::{Log, StepRecord};
pub use replay::Found;
pub use store::Journal;
