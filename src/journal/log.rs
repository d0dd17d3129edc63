//! The state of one run, folded from its events. Live recording and replay use the same fold, so a log is checked by the code
//! that writes it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Failure;
use crate::journal::event::{Ending, Event, Illegal, StepState, next_state};
use crate::model::{Hash, RunId};

/// One step as recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// Order of its first event in the run.
    pub order: usize,
    /// Name of the step.
    pub name: String,
    /// Its canonical arguments.
    pub args: Value,
    /// The frozen plan of a composite.
    pub plan: Option<Value>,
    /// Its state.
    pub state: StepState,
    /// Why it failed; kept when it is undone, since that is why its composite unwinds.
    pub failure: Option<Failure>,
}

/// A run's state.
#[derive(Clone, Debug)]
pub struct Log {
    /// The run.
    pub id: RunId,
    /// Its verb.
    pub verb: String,
    /// Arguments of the verb.
    pub args: Value,
    /// Hash of its scripts.
    pub bundle: Option<Hash>,
    /// When it began, for people.
    pub since: String,
    /// Steps by path ("7", "7/1").
    pub steps: BTreeMap<String, StepRecord>,
    /// The last *stuck* that no later event overtook.
    pub stuck: Option<Failure>,
    /// How it ended.
    pub ended: Option<(Ending, Option<Value>, Option<Failure>)>,
    count: usize,
}

impl Log {
    /// A run before its first event.
    pub fn new(id: RunId) -> Self {
        let (verb, since) = (String::new(), String::new());
        Log { id, verb, args: Value::Null, bundle: None, since, steps: BTreeMap::new(), stuck: None, ended: None, count: 0 }
    }

    /// Takes in the next event, or says why it cannot be the next.
    pub fn push(&mut self, event: &Event) -> Result<(), Illegal> {
        let illegal = |state: &str| Illegal {
            event: event.name(),
            path: event.path().unwrap_or("run").to_owned(),
            state: state.to_owned(),
        };
        // An ended run may still be taken back, step by step; nothing else may happen to it.
        let takes_back = matches!(
            event,
            Event::UndoStarted { .. }
                | Event::UndoFinished { .. }
                | Event::UndoFailed { .. }
                | Event::Stuck { .. }
                | Event::Ended { how: Ending::Undone, .. }
        );
        if self.ended.as_ref().is_some_and(|(how, ..)| !takes_back || *how == Ending::Undone) {
            return Err(illegal("ended"));
        }
        if (self.count == 0) != matches!(event, Event::Begun { .. }) {
            return Err(illegal(if self.count == 0 { "not begun" } else { "begun" }));
        }
        match event {
            Event::Begun { verb, args, bundle, at } => {
                (self.verb, self.args, self.bundle, self.since) = (verb.clone(), args.clone(), *bundle, at.clone());
            }
            Event::Resumed { .. } => self.stuck = None,
            Event::Stuck { failure } => self.stuck = Some(failure.clone()),
            Event::Ended { how, value, failure, .. } => self.ended = Some((*how, value.clone(), failure.clone())),
            _ => self.push_step(event)?,
        }
        self.count += 1;
        Ok(())
    }

    fn push_step(&mut self, event: &Event) -> Result<(), Illegal> {
        let Some(path) = event.path() else { return Ok(()) };
        let state = next_state(self.steps.get(path).map(|s| &s.state), event)?;
        if let Event::Started { name, args, .. } | Event::Read { name, args, .. } = event {
            let plan = if let Event::Started { plan, .. } = event { plan.clone() } else { None };
            let step = StepRecord { order: self.count, name: name.clone(), args: args.clone(), plan, state, failure: None };
            self.steps.insert(path.to_owned(), step);
        } else if let Some(step) = self.steps.get_mut(path) {
            if let StepState::Failed(failure) = &state {
                step.failure = Some(failure.clone());
            }
            step.state = state;
        }
        Ok(())
    }

    /// The children of a composite, in the order in which they began.
    pub fn children(&self, path: &str) -> Vec<(&String, &StepRecord)> {
        let prefix = format!("{path}/");
        let mut children: Vec<_> = self.steps.iter().filter(|(p, _)| p.starts_with(&prefix)).collect();
        children.sort_by_key(|(_, step)| step.order);
        children
    }
}
