//! One run of a script: every call is found in the journal or acted and recorded. No durable `Started`, no effect; the
//! outcome of a step shares its commit with the next `Started`; reads wait for the next effect. Docs: docs/journal.md.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use crate::error::{Exit, Failure, Result};
use crate::journal::event::{Ending, Event, StepState};
use crate::journal::log::Log;
use crate::journal::replay::{self, Found};
use crate::model::{DatabaseState, Hash, RunId, Side};
use crate::plan::saga::Saga;
use crate::plan::step::{Step, Undo};
use crate::progress::Watch;
use crate::steps::{self, Context};
use crate::store::Store;
use crate::text;
use crate::text::Text;
use crate::world::Lock;

/// Kinds of failure that are never a step's outcome: the run stops and stays open.
const NOT_AN_OUTCOME: [&str; 4] = ["journal", "journal_mismatch", "interrupted", "plan_stop"];

/// A run that this process owns.
pub struct Run {
    /// The store it works on.
    pub store: Arc<Store>,
    /// Progress and the wish to stop.
    pub watch: Watch,
    /// Its id.
    pub id: RunId,
    inner: Mutex<Inner>,
    /// `--plan`: reads act, the first effect is shown and stops the run; nothing is recorded.
    planning: bool,
    _lock: Option<Lock>,
}

struct Inner {
    log: Log,
    recorded: usize,
    chain: Hash,
    pending: Vec<Event>,
    calls: u64,
}

impl Run {
    /// Begins a run: recorded durably with the first effect, or when it ends.
    pub fn begin(store: Arc<Store>, watch: Watch, verb: &str, args: Value, bundle: Option<Hash>) -> Result<Run> {
        let id = RunId::new();
        let lock = store.journal()?.own(id)?;
        let run = Run { store, watch, id, inner: Mutex::new(Inner::new(Log::new(id))), planning: false, _lock: lock };
        let at = run.store.now();
        run.inner()?.note(Event::Begun { verb: verb.to_owned(), args, bundle, at })?;
        Ok(run)
    }

    /// A run that only shows what it would do.
    pub fn plan(store: Arc<Store>, watch: Watch, verb: &str, args: Value) -> Result<Run> {
        let id = RunId::new();
        let run = Run { store, watch, id, inner: Mutex::new(Inner::new(Log::new(id))), planning: true, _lock: None };
        run.inner()?.note(Event::Begun { verb: verb.to_owned(), args, bundle: None, at: String::new() })?;
        Ok(run)
    }

    /// Takes up a run whose owner is gone.
    pub fn reopen(store: Arc<Store>, watch: Watch, id: RunId) -> Result<Run> {
        let lock = store.journal()?.own(id)?.ok_or_else(|| {
            Failure::new(
                Exit::Interrupted,
                "run_is_running",
                text!("la corrida {id} sigue en marcha", "run {id} is still running"),
            )
            .hint(text!("espere a que termine", "wait until it ends"))
        })?;
        let (log, recorded, chain) = store.journal()?.load(id)?;
        let inner = Inner { log, recorded, chain, pending: Vec::new(), calls: 0 };
        let run = Run { store, watch, id, inner: Mutex::new(inner), planning: false, _lock: Some(lock) };
        let at = run.store.now();
        if run.inner()?.log.ended.is_none() {
            run.inner()?.note(Event::Resumed { at })?;
        }
        Ok(run)
    }

    /// A copy of the run's state.
    pub fn log(&self) -> Result<Log> {
        Ok(self.inner()?.log.clone())
    }

    /// Is this only a plan?
    pub fn is_planning(&self) -> bool {
        self.planning
    }

    /// A read: acts once, and gives the same answer on replay.
    pub fn read(&self, name: &str, args: Value, act: impl FnOnce() -> Result<Value>) -> Result<Value> {
        let path = self.inner()?.next_path();
        if let Found::Outcome(outcome) = self.find(&path, name, &args)? {
            return outcome;
        }
        let outcome = act();
        self.note_read(path, name, args, &outcome)?;
        outcome
    }

    /// An effect called by a script.
    pub fn step(&self, step: Step) -> Result<Value> {
        let (name, args) = described(&step)?;
        let path = self.inner()?.next_path();
        let found = self.find(&path, &name, &args)?;
        match found {
            Found::Outcome(outcome) => return outcome,
            Found::Uncertain(_) => {}
            Found::Nothing => {
                if self.planning {
                    let detail = steps::preview(&self.store, &step)?;
                    return Err(plan_stop(&serde_json::json!({ "step": step, "text": step.describe(), "detail": detail })));
                }
                self.watch.check()?;
                self.started(&path, &name, args, None)?;
            }
        }
        let outcome = steps::apply(&self.context(&path), &step);
        self.outcome(&path, outcome)
    }

    /// A composite called by a script: `make` decides the plan, which is frozen when it starts.
    pub fn saga(&self, name: &str, args: Value, make: impl FnOnce() -> Result<Saga>) -> Result<Value> {
        let path = self.inner()?.next_path();
        let (saga, resumed) = match self.find(&path, name, &args)? {
            Found::Outcome(outcome) => return outcome,
            Found::Uncertain(plan) => (self.frozen(&path, plan)?, true),
            Found::Nothing => match make() {
                Err(failure) => {
                    let refused = Err(failure);
                    if !self.planning {
                        self.note_read(path, name, args, &refused)?;
                    }
                    return refused;
                }
                Ok(saga) => {
                    let plan = serde_json::to_value(&saga).map_err(unserialisable)?;
                    if self.planning {
                        return Err(plan_stop(&plan));
                    }
                    for reason in &saga.because {
                        self.watch.note(reason.clone());
                    }
                    self.started(&path, name, args, Some(plan))?;
                    (saga, false)
                }
            },
        };
        if self.unwinding(&path)?.is_some() {
            let failure = self.unwind(&path, &saga)?;
            return self.outcome(&path, Err(failure));
        }
        self.forward(&path, &saga, resumed)
    }

    fn forward(&self, path: &str, saga: &Saga, resumed: bool) -> Result<Value> {
        if resumed && let Err(failure) = self.caught_up(path, saga).and_then(|()| self.announced_again(path, saga)) {
            return self.fall(path, saga, self.child(path, saga.point)?.is_some(), failure);
        }
        if resumed && let Some(failure) = self.asked_again(path, saga)? {
            return self.fall(path, saga, self.child(path, saga.point)?.is_some(), failure);
        }
        for (index, step) in saga.steps.iter().enumerate() {
            let child = child_path(path, index);
            match self.child(path, index)? {
                Some(StepState::Succeeded(_)) => {
                    // Main's own launch may have closed it again meanwhile, if it could not see the announcement.
                    if resumed
                        && matches!(step, Step::Open { .. })
                        && !self.has_succeeded(path, saga.point)?
                        && let Err(failure) = steps::apply(&self.context(&child), step)
                    {
                        return self.fall(path, saga, self.child(path, saga.point)?.is_some(), failure);
                    }
                    continue;
                }
                Some(_) => {}
                None => {
                    self.watch.check()?;
                    let (name, args) = described(step)?;
                    self.started(&child, &name, args, None)?;
                }
            }
            self.watch.note(step.describe());
            match steps::apply(&self.context(&child), step) {
                Ok(value) => self.inner()?.note(Event::Succeeded { path: child, value })?,
                Err(failure) if is_no_outcome(&failure) => return Err(failure),
                Err(failure) if index >= saga.point => return self.fall(path, saga, true, failure),
                Err(failure) => {
                    self.inner()?.note(Event::Failed { path: child, failure: failure.clone() })?;
                    return self.fall(path, saga, false, failure);
                }
            }
        }
        let mut result = saga.result.clone();
        if let (Value::Object(result), Some(extra)) = (&mut result, self.extra(path, saga)?) {
            result.extend(extra);
        }
        self.outcome(path, Ok(result))
    }

    /// The world may be further than the journal, whose last commits a damaged disk can lose. What this very run has recorded as its
    /// epoch, or opened, is done, with all that comes before it: doing that again would fence and copy what is in service by now.
    fn caught_up(&self, path: &str, saga: &Saga) -> Result<()> {
        let Some(upto) = self.done_in_the_world(path, saga)? else { return Ok(()) };
        for (index, step) in saga.steps.iter().enumerate().take(upto + 1) {
            let child = child_path(path, index);
            match self.child(path, index)? {
                None => {
                    let (name, args) = described(step)?;
                    self.inner()?.note(Event::Started { path: child.clone(), name, args, plan: None })?;
                }
                Some(StepState::Started) => {}
                Some(_) => continue,
            }
            // The last of them looks for itself, and does what may be left of it.
            if index < upto {
                self.inner()?.note(Event::Succeeded { path: child, value: Value::Null })?;
            }
        }
        self.flush()
    }

    /// The last step of which the databases themselves say that it is done.
    fn done_in_the_world(&self, path: &str, saga: &Saga) -> Result<Option<usize>> {
        // A spoiled announcement keeps the backup from being looked at: this run is the one that may make it good.
        self.seen_in_the_world(saga).or_else(|_| self.announced_again(path, saga).and_then(|()| self.seen_in_the_world(saga)))
    }

    fn seen_in_the_world(&self, saga: &Saga) -> Result<Option<usize>> {
        for (index, step) in saga.steps.iter().enumerate().rev() {
            let done = match step {
                Step::Record { side, record, .. } => {
                    let found = self.store.server(*side).look()?.record;
                    found.is_some_and(|r| (r.epoch, r.holder, r.run) == (record.epoch, record.holder, record.run))
                }
                Step::Recover => self.store.backup.look()?.state == DatabaseState::Open,
                _ => false,
            };
            if done {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// The announcement of a role change that goes on, should it have been lost or spoiled while nobody was at work.
    fn announced_again(&self, path: &str, saga: &Saga) -> Result<()> {
        for (index, step) in saga.steps.iter().enumerate() {
            let begun = self.child(path, index)?;
            match step {
                Step::RemoveIntent | Step::Record { .. } if begun.is_some() => return Ok(()),
                Step::WriteIntent { .. } if !matches!(begun, Some(StepState::Started | StepState::Succeeded(_))) => return Ok(()),
                _ => {}
            }
        }
        let announce = saga.steps.iter().find(|step| matches!(step, Step::WriteIntent { .. }));
        announce.map_or(Ok(()), |step| steps::apply(&self.context(path), step).map(drop))
    }

    /// What was true before the crash may not be true now. Before the point of no return every check is made again; beyond it
    /// only whether main serves against us. Once the removal of the announcement has begun, or main's own database says that the
    /// post is given back to it, main may serve by right.
    fn asked_again(&self, path: &str, saga: &Saga) -> Result<Option<Failure>> {
        let over = saga.steps.iter().position(|s| *s == Step::RemoveIntent);
        if let Some(index) = over
            && self.child(path, index)?.is_some()
        {
            return Ok(None);
        }
        if self.child(path, saga.point)?.is_some() {
            if let Some(Step::Record { side: Side::Main, record, .. }) = saga.steps.get(saga.point)
                && self
                    .store
                    .main
                    .look()?
                    .record
                    .is_some_and(|r| (r.epoch, r.holder, r.run) == (record.epoch, record.holder, record.run))
            {
                return Ok(None);
            }
            return Ok(steps::apply(&self.context(path), &Step::AskMain { planned: true }).err());
        }
        for (index, step) in saga.steps.iter().enumerate().filter(|(_, s)| s.is_check()) {
            if matches!(self.child(path, index)?, Some(StepState::Succeeded(_)))
                && let Err(failure) = steps::apply(&self.context(&child_path(path, index)), step)
            {
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    /// Result keys that only the steps know (SaveTail's count of orphans).
    fn extra(&self, path: &str, saga: &Saga) -> Result<Option<serde_json::Map<String, Value>>> {
        let Some(index) = saga.steps.iter().position(|s| matches!(s, Step::SaveTail { .. })) else { return Ok(None) };
        match self.child(path, index)? {
            Some(StepState::Succeeded(Value::Object(value))) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// A child failed: back before the point of no return, stuck beyond it.
    fn fall(&self, path: &str, saga: &Saga, beyond: bool, failure: Failure) -> Result<Value> {
        if !beyond {
            self.watch.note(failure.message.clone());
            self.unwind_all(path, saga)?;
            return self.outcome(path, Err(failure));
        }
        self.inner()?.note(Event::Stuck { failure: failure.clone() })?;
        self.flush()?;
        Err(stuck(self.id, failure))
    }

    /// Undoes what a composite did so far, latest first; returns the failure that began it.
    fn unwind(&self, path: &str, saga: &Saga) -> Result<Failure> {
        let cause = self.unwinding(path)?.unwrap_or_else(undone_on_request);
        self.unwind_all(path, saga)?;
        Ok(cause)
    }

    fn unwind_all(&self, path: &str, saga: &Saga) -> Result<()> {
        for (index, step) in saga.steps.iter().enumerate().rev() {
            if step.undo() == Undo::Restores {
                self.undo_one(&child_path(path, index), step)?;
            }
        }
        Ok(())
    }

    /// Undoes one step that has begun, unless that is done. A failing undo leaves the run stuck.
    pub fn undo_one(&self, path: &str, step: &Step) -> Result<()> {
        let state = self.inner()?.log.steps.get(path).map(|s| s.state.clone());
        match state {
            None | Some(StepState::Undone | StepState::Read(_)) => return Ok(()),
            Some(StepState::UndoStarted) => {}
            Some(_) => {
                self.inner()?.note(Event::UndoStarted { path: path.to_owned() })?;
                self.flush()?;
            }
        }
        match steps::undo(&self.context(path), step) {
            Ok(()) => self.inner()?.note(Event::UndoFinished { path: path.to_owned() }),
            Err(failure) if is_no_outcome(&failure) => Err(failure),
            Err(failure) => {
                self.inner()?.note(Event::UndoFailed { path: path.to_owned(), failure: failure.clone() })?;
                self.inner()?.note(Event::Stuck { failure: failure.clone() })?;
                self.flush()?;
                Err(stuck_undoing(self.id, failure))
            }
        }
    }

    /// Undoes an open composite on a person's request. `Err` when it is beyond its point of no return.
    pub fn undo_saga(&self, path: &str) -> Result<()> {
        let plan = self.inner()?.log.steps.get(path).and_then(|s| s.plan.clone());
        let saga = self.frozen(path, plan)?;
        if self.child(path, saga.point)?.is_some() || self.done_in_the_world(path, &saga)?.is_some_and(|upto| upto >= saga.point)
        {
            return Err(beyond_the_point(&saga.name));
        }
        self.announced_again(path, &saga)?;
        let failure = self.unwind(path, &saga)?;
        self.inner()?.note(Event::Failed { path: path.to_owned(), failure })?;
        self.flush()
    }

    /// Records the end of the run.
    pub fn end(&self, how: Ending, outcome: &Result<Value>) -> Result<()> {
        if self.planning {
            return Ok(());
        }
        let (value, failure) = match outcome {
            Ok(value) => (Some(value.clone()), None),
            Err(failure) => (None, Some(failure.clone())),
        };
        let at = self.store.now();
        self.inner()?.note(Event::Ended { how, value, failure, at })?;
        self.flush()
    }

    /// Does this failure leave the run open (interrupted or stuck)?
    pub fn stays_open(failure: &Failure) -> bool {
        matches!(failure.exit, Exit::Interrupted | Exit::Stuck) || is_no_outcome(failure)
    }

    /// Writes what is pending, so that a run that stays open can be found.
    pub fn flush(&self) -> Result<()> {
        if self.planning {
            return Ok(());
        }
        let mut inner = self.inner()?;
        let inner = &mut *inner;
        inner.chain = self.store.journal()?.append(self.id, inner.recorded, inner.chain, &inner.pending)?;
        inner.recorded += inner.pending.len();
        inner.pending.clear();
        Ok(())
    }

    /// Has anything of this run been recorded? A run that never came to an effect leaves no trace when it is interrupted.
    pub fn is_recorded(&self) -> bool {
        self.inner().is_ok_and(|inner| inner.recorded > 0)
    }

    /// Looked up by itself: the state must not stay locked while a step acts.
    fn find(&self, path: &str, name: &str, args: &Value) -> Result<Found> {
        replay::find(&self.inner()?.log, path, name, args)
    }

    fn started(&self, path: &str, name: &str, args: Value, plan: Option<Value>) -> Result<()> {
        self.inner()?.note(Event::Started { path: path.to_owned(), name: name.to_owned(), args, plan })?;
        self.flush()
    }

    fn outcome(&self, path: &str, outcome: Result<Value>) -> Result<Value> {
        let event = match &outcome {
            Ok(value) => Event::Succeeded { path: path.to_owned(), value: value.clone() },
            Err(failure) if is_no_outcome(failure) || failure.exit == Exit::Stuck => return outcome,
            Err(failure) => Event::Failed { path: path.to_owned(), failure: failure.clone() },
        };
        self.inner()?.note(event)?;
        outcome
    }

    fn note_read(&self, path: String, name: &str, args: Value, outcome: &Result<Value>) -> Result<()> {
        let (value, failure) = match outcome {
            Ok(value) => (Some(value.clone()), None),
            Err(failure) if is_no_outcome(failure) => return Ok(()),
            Err(failure) => (None, Some(failure.clone())),
        };
        self.inner()?.note(Event::Read { path, name: name.to_owned(), args, value, failure })
    }

    fn frozen(&self, path: &str, plan: Option<Value>) -> Result<Saga> {
        serde_json::from_value(plan.unwrap_or(Value::Null)).map_err(|e| {
            Failure::new(
                Exit::Stuck,
                "plan_unreadable",
                text!("el plan del paso {path} no se puede leer", "the plan of step {path} cannot be read"),
            )
            .cause(e)
        })
    }

    fn has_succeeded(&self, path: &str, index: usize) -> Result<bool> {
        Ok(matches!(self.child(path, index)?, Some(StepState::Succeeded(_))))
    }

    fn child(&self, path: &str, index: usize) -> Result<Option<StepState>> {
        Ok(self.inner()?.log.steps.get(&child_path(path, index)).map(|s| s.state.clone()))
    }

    /// The failure because of which a composite is being undone, if it is.
    fn unwinding(&self, path: &str) -> Result<Option<Failure>> {
        let inner = self.inner()?;
        let children = inner.log.children(path);
        let failed = children.iter().find_map(|(_, s)| s.failure.clone());
        let undoing = children
            .iter()
            .any(|(_, s)| matches!(s.state, StepState::UndoStarted | StepState::Undone | StepState::UndoFailed(_)));
        Ok(failed.or_else(|| undoing.then(undone_on_request)))
    }

    fn context<'a>(&'a self, path: &'a str) -> Context<'a> {
        Context { store: &self.store, watch: &self.watch, run: self.id, path }
    }

    fn inner(&self) -> Result<MutexGuard<'_, Inner>> {
        self.inner
            .lock()
            .map_err(|_| Failure::failed("journal", text!("la corrida quedó inconsistente", "the run became inconsistent")))
    }
}

impl Inner {
    fn new(log: Log) -> Self {
        Inner { log, recorded: 0, chain: Hash([0; 32]), pending: Vec::new(), calls: 0 }
    }

    fn next_path(&mut self) -> String {
        self.calls += 1;
        self.calls.to_string()
    }

    fn note(&mut self, event: Event) -> Result<()> {
        self.log.push(&event).map_err(|e| {
            Failure::new(
                Exit::Stuck,
                "journal_illegal",
                text!("la corrida quedó en un estado imposible", "the run came to an impossible state"),
            )
            .cause(e)
        })?;
        self.pending.push(event);
        Ok(())
    }
}

fn child_path(path: &str, index: usize) -> String {
    format!("{path}/{}", index + 1)
}

/// Name and canonical arguments of a step.
fn described(step: &Step) -> Result<(String, Value)> {
    let value = serde_json::to_value(step).map_err(unserialisable)?;
    let name = value.get("step").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((name, value))
}

fn unserialisable(error: serde_json::Error) -> Failure {
    Failure::failed("unserialisable", text!("no se pudo anotar el paso", "the step could not be recorded")).cause(error)
}

fn is_no_outcome(failure: &Failure) -> bool {
    NOT_AN_OUTCOME.contains(&failure.kind.as_str())
}

/// The kind of what a composite fails with when a person took it back.
pub const UNDONE: &str = "undone";

fn undone_on_request() -> Failure {
    Failure::failed(UNDONE, text!("se deshizo a petición", "it was undone on request"))
}

/// Not a failure: how `--plan` stops a script at its first effect. The plan travels as the only cause.
fn plan_stop(plan: &Value) -> Failure {
    Failure::new(Exit::Ok, "plan_stop", text!("plan", "plan")).cause(plan)
}

fn stuck(run: RunId, failure: Failure) -> Failure {
    needs_a_person(
        failure,
        text!(
            "la corrida {run} pasó el punto sin retorno; corrija la causa y use: relevo resume",
            "run {run} is beyond the point of no return; remove the cause, then: relevo resume"
        ),
    )
}

fn stuck_undoing(run: RunId, failure: Failure) -> Failure {
    needs_a_person(
        failure,
        text!(
            "la corrida {run} se estaba deshaciendo; corrija la causa y use: relevo resume",
            "run {run} was being taken back; remove the cause, then: relevo resume"
        ),
    )
}

/// The failure's own hint says how to remove the cause: it stays, before what to do then.
fn needs_a_person(failure: Failure, then: Text) -> Failure {
    let hint = match &failure.hint {
        Some(own) => Text { es: format!("{}. {}", own.es, then.es), en: format!("{}. {}", own.en, then.en) },
        None => then,
    };
    let mut stuck = failure.ending(Exit::Stuck).hint(hint);
    stuck.message.es = format!("atorado, necesita a una persona: {}", stuck.message.es);
    stuck.message.en = format!("stuck, needs a person: {}", stuck.message.en);
    stuck
}

/// `undo` of a role change that cannot go back.
pub fn beyond_the_point(name: &str) -> Failure {
    let other = if name == "promote" { "restore" } else { "promote" };
    Failure::refused(
        "beyond_the_point",
        text!("{name} ya pasó el punto sin retorno y no se deshace", "{name} is beyond its point of no return and is not undone"),
    )
    .hint(text!(
        "siga adelante con relevo resume, o vuelva con: relevo {other}",
        "go on with relevo resume, or go back with: relevo {other}"
    ))
}
