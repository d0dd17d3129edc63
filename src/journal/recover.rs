//! Pure: which runs a process that starts should resume, close or leave to a person.

use serde::{Deserialize, Serialize};

use crate::journal::log::Log;
use crate::text;
use crate::text::Text;

/// State of a run that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenState {
    /// Its owner is alive.
    Running,
    /// Its owner is gone; `resume` takes it up, or the next run of its kind closes it.
    Interrupted,
    /// A step after the point of no return does not succeed.
    Stuck,
}

impl OpenState {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            OpenState::Running => text!("en marcha", "running"),
            OpenState::Interrupted => text!("interrumpida", "interrupted"),
            OpenState::Stuck => text!("atorada", "stuck"),
        }
    }
}

/// Verbs whose interrupted runs `resume` takes up. The others are simply run again and the old run is closed as abandoned.
pub const RESUMABLE: [&str; 3] = ["promote", "restore", "undo"];

/// State of an open run; `owned` = its lock is held.
pub fn open_state(log: &Log, owned: bool) -> OpenState {
    if owned {
        OpenState::Running
    } else if log.stuck.is_some() {
        OpenState::Stuck
    } else {
        OpenState::Interrupted
    }
}

/// Is this run to be closed as abandoned by a new run of `verb`?
pub fn abandons(log: &Log, owned: bool, verb: &str) -> bool {
    !owned && log.ended.is_none() && log.verb == verb && !RESUMABLE.contains(&verb)
}
