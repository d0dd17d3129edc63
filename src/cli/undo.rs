//! `relevo undo ID`: takes back what an interrupted run did, latest first, and says beforehand what it will not take back.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Failure, Result};
use crate::journal::event::{Ending, StepState};
use crate::journal::log::Log;
use crate::journal::recover;
use crate::model::RunId;
use crate::plan::step::{Step, Undo as Declared};
use crate::steps::locks;
use crate::steps::run::{Run, UNDONE, beyond_the_point};
use crate::text;

/// Arguments of `relevo undo`.
#[derive(Args)]
pub struct Undo {
    /// Which run
    id: RunId,
    /// Show what it would take back, change nothing
    #[arg(long)]
    plan: bool,
}

/// Takes it back.
pub fn main(session: &Session, arguments: &Undo) -> u8 {
    let outcome = undo(session, arguments);
    session.output.finish("undo", Some(arguments.id.to_string()), outcome)
}

fn undo(session: &Session, arguments: &Undo) -> Result<Value> {
    let store = session.store()?;
    let lang = session.output.lang;
    let (log, ..) = store.journal()?.load(arguments.id)?;
    let (mut back, mut not) = (Vec::new(), Vec::new());
    for (_, step) in leaves(&log) {
        let text = step.describe();
        match step.undo() {
            Declared::Restores => back.push(text),
            Declared::None => not.push(text),
        }
    }
    for (title, texts) in [(text!("Se deshace:", "Taken back:"), &back), (text!("No se deshace:", "Not taken back:"), &not)] {
        if !texts.is_empty() {
            session.output.say(&title);
        }
        for text in texts {
            session.output.line(format!("  - {}", text.get(lang)));
        }
    }
    if arguments.plan {
        return Ok(json!({ "plan": { "back": back, "not": not }, "changed": false }));
    }
    let role_change = recover::RESUMABLE.contains(&log.verb.as_str());
    let _locks = if role_change { Some(locks::for_role_change(&store, "undo", &session.watch())?) } else { None };
    let run = Arc::new(Run::reopen(store, session.watch(), arguments.id)?);
    let log = run.log()?;
    if matches!(&log.ended, Some((Ending::Undone | Ending::Abandoned, ..))) {
        let id = arguments.id;
        return Err(Failure::refused("run_ended", text!("la corrida {id} ya se cerró", "run {id} is closed already")));
    }
    go_back(&run, &log)?;
    Ok(json!({ "back": back.len(), "not": not.len() }))
}

/// Undoes a run: an open composite first, then the leaves of the script, latest first; ends it as *undone*.
pub fn go_back(run: &Run, log: &Log) -> Result<()> {
    let outcome = undo_all(run, log);
    match &outcome {
        Ok(()) => run.end(Ending::Undone, &Ok(Value::Null))?,
        Err(_) => run.flush()?,
    }
    outcome
}

fn undo_all(run: &Run, log: &Log) -> Result<()> {
    let mut steps: Vec<_> = log.steps.iter().filter(|(path, _)| !path.contains('/')).collect();
    steps.sort_by_key(|(_, step)| std::cmp::Reverse(step.order));
    // Nothing is touched when a role change in this run is final.
    for (_, step) in steps.iter().filter(|(_, s)| s.plan.is_some()) {
        if matches!(step.state, StepState::Succeeded(_)) {
            return Err(beyond_the_point(&step.name));
        }
    }
    for (path, record) in steps {
        if record.plan.is_some() {
            if matches!(record.state, StepState::Started) {
                run.undo_saga(path)?;
            }
        } else if let Ok(step) = serde_json::from_value::<Step>(record.args.clone())
            && step.undo() == Declared::Restores
            && !matches!(record.state, StepState::Read(_))
        {
            run.undo_one(path, &step)?;
        }
    }
    Ok(())
}

/// Was an undo of this run interrupted? A composite that unwinds because a step of it failed is none: its script hears of that.
pub fn is_being_undone(log: &Log) -> bool {
    let touched = |state: &StepState| matches!(state, StepState::UndoStarted | StepState::Undone | StepState::UndoFailed(_));
    log.steps.iter().filter(|(path, _)| !path.contains('/')).any(|(path, step)| match &step.state {
        StepState::Started if step.plan.is_some() => {
            let children = log.children(path);
            children.iter().any(|(_, child)| touched(&child.state)) && children.iter().all(|(_, child)| child.failure.is_none())
        }
        StepState::Failed(failure) => step.plan.is_some() && failure.kind == UNDONE,
        state => touched(state),
    })
}

fn leaves(log: &Log) -> Vec<(&String, Step)> {
    let mut steps: Vec<_> =
        log.steps.iter().filter(|(_, s)| s.plan.is_none() && !matches!(s.state, StepState::Read(_))).collect();
    steps.sort_by_key(|(_, step)| std::cmp::Reverse(step.order));
    steps.into_iter().filter_map(|(path, s)| Some((path, serde_json::from_value(s.args.clone()).ok()?))).collect()
}
