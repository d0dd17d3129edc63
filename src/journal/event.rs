//! What can happen in a run, and the one place that says what may follow what. Docs: docs/journal.md.
#![allow(missing_docs, reason = "a variant's own line covers its fields")]

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Failure;
use crate::model::{Hash, RunId};

/// One durable event of a run. Past tense: it has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began: which verb with which arguments, on which scripts.
    Begun { verb: String, args: Value, bundle: Option<Hash>, at: String },
    /// A read acted and returned this; it is returned again on replay.
    Read { path: String, name: String, args: Value, value: Option<Value>, failure: Option<Failure> },
    /// An effect may have begun. `plan` is the frozen plan of a composite.
    Started { path: String, name: String, args: Value, plan: Option<Value> },
    /// It returned this.
    Succeeded { path: String, value: Value },
    /// It failed; the script saw this failure.
    Failed { path: String, failure: Failure },
    /// Its undo may have begun.
    UndoStarted { path: String },
    /// It is undone.
    UndoFinished { path: String },
    /// Its undo failed; a person has to look.
    UndoFailed { path: String, failure: Failure },
    /// A later process took the run up.
    Resumed { at: String },
    /// After the point of no return a step does not succeed; `resume` tries again.
    Stuck { failure: Failure },
    /// The run is over.
    Ended { how: Ending, value: Option<Value>, failure: Option<Failure>, at: String },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It did what it was for.
    Done,
    /// It failed and its effects are as the failure says.
    Failed,
    /// The next run of its kind closed it.
    Abandoned,
    /// A person undid it.
    Undone,
}

/// State of one step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// A read with its outcome.
    Read(Result<Value, Failure>),
    /// Begun, outcome unknown.
    Started,
    /// Done.
    Succeeded(Value),
    /// Failed.
    Failed(Failure),
    /// Its undo began, outcome unknown.
    UndoStarted,
    /// Undone.
    Undone,
    /// Its undo failed.
    UndoFailed(Failure),
}

/// An event that may not follow what is recorded: the journal is damaged, or relevo has a bug.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("event {event} may not follow {state} at step {path}")]
pub struct Illegal {
    /// The event's name.
    pub event: &'static str,
    /// The step.
    pub path: String,
    /// The state it was in.
    pub state: String,
}

/// The state of a step after an event; both live recording and replay go through here.
pub fn next_state(current: Option<&StepState>, event: &Event) -> Result<StepState, Illegal> {
    use StepState as S;
    let next = match (current, event) {
        (None, Event::Read { value, failure, .. }) => match (value, failure) {
            (_, Some(failure)) => S::Read(Err(failure.clone())),
            (value, None) => S::Read(Ok(value.clone().unwrap_or(Value::Null))),
        },
        (None, Event::Started { .. }) => S::Started,
        (Some(S::Started), Event::Succeeded { value, .. }) => S::Succeeded(value.clone()),
        (Some(S::Started), Event::Failed { failure, .. }) => S::Failed(failure.clone()),
        // A step with unknown outcome is undone as well: undo looks first. A failed one may have left half of its effect.
        (Some(S::Started | S::Succeeded(_) | S::Failed(_) | S::UndoFailed(_)), Event::UndoStarted { .. }) => S::UndoStarted,
        (Some(S::UndoStarted), Event::UndoFinished { .. }) => S::Undone,
        (Some(S::UndoStarted), Event::UndoFailed { failure, .. }) => S::UndoFailed(failure.clone()),
        _ => {
            return Err(Illegal {
                event: event.name(),
                path: event.path().unwrap_or_default().to_owned(),
                state: current.map_or("nothing".to_owned(), |s| s.name().to_owned()),
            });
        }
    };
    Ok(next)
}

impl StepState {
    /// Stable name.
    pub fn name(&self) -> &'static str {
        match self {
            StepState::Read(_) => "read",
            StepState::Started => "started",
            StepState::Succeeded(_) => "succeeded",
            StepState::Failed(_) => "failed",
            StepState::UndoStarted => "undo_started",
            StepState::Undone => "undone",
            StepState::UndoFailed(_) => "undo_failed",
        }
    }
}

impl Event {
    /// The step it belongs to; `None` for events of the whole run.
    pub fn path(&self) -> Option<&str> {
        match self {
            Event::Read { path, .. }
            | Event::Started { path, .. }
            | Event::Succeeded { path, .. }
            | Event::Failed { path, .. }
            | Event::UndoStarted { path }
            | Event::UndoFinished { path }
            | Event::UndoFailed { path, .. } => Some(path),
            Event::Begun { .. } | Event::Resumed { .. } | Event::Stuck { .. } | Event::Ended { .. } => None,
        }
    }

    /// Stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Begun { .. } => "begun",
            Event::Read { .. } => "read",
            Event::Started { .. } => "started",
            Event::Succeeded { .. } => "succeeded",
            Event::Failed { .. } => "failed",
            Event::UndoStarted { .. } => "undo_started",
            Event::UndoFinished { .. } => "undo_finished",
            Event::UndoFailed { .. } => "undo_failed",
            Event::Resumed { .. } => "resumed",
            Event::Stuck { .. } => "stuck",
            Event::Ended { .. } => "ended",
        }
    }
}

/// Header of a run, for lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    /// Its id.
    pub id: RunId,
    /// Its verb.
    pub verb: String,
    /// When it began (RFC 3339), for people.
    pub since: String,
    /// It has ended.
    pub ended: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn failure() -> Failure {
        Failure::failed("x", text!("x", "x"))
    }

    fn states() -> Vec<Option<StepState>> {
        use StepState as S;
        vec![
            None,
            Some(S::Read(Ok(Value::Null))),
            Some(S::Started),
            Some(S::Succeeded(Value::Null)),
            Some(S::Failed(failure())),
            Some(S::UndoStarted),
            Some(S::Undone),
            Some(S::UndoFailed(failure())),
        ]
    }

    fn events() -> Vec<Event> {
        let path = || "1".to_owned();
        vec![
            Event::Read { path: path(), name: "r".into(), args: Value::Null, value: None, failure: None },
            Event::Started { path: path(), name: "s".into(), args: Value::Null, plan: None },
            Event::Succeeded { path: path(), value: Value::Null },
            Event::Failed { path: path(), failure: failure() },
            Event::UndoStarted { path: path() },
            Event::UndoFinished { path: path() },
            Event::UndoFailed { path: path(), failure: failure() },
        ]
    }

    /// The whole table: rows are states, columns events; `.` is illegal.
    #[test]
    fn every_transition() {
        let letter = |s: &StepState| match s {
            StepState::Read(_) => 'r',
            StepState::Started => 's',
            StepState::Succeeded(_) => 'o',
            StepState::Failed(_) => 'f',
            StepState::UndoStarted => 'u',
            StepState::Undone => 'd',
            StepState::UndoFailed(_) => 'x',
        };
        let table: Vec<String> = states()
            .iter()
            .map(|state| events().iter().map(|event| next_state(state.as_ref(), event).map_or('.', |s| letter(&s))).collect())
            .collect();
        //                 Read, Started, Succeeded, Failed, UndoStarted, UndoFinished, UndoFailed
        assert_eq!(table, ["rs.....", ".......", "..ofu..", "....u..", "....u..", ".....dx", ".......", "....u.."]);
    }
}
