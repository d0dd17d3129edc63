//! `relevo resume`: goes on with an interrupted role change: the script of that very run again from the top; what is recorded
//! is returned without acting, then it goes live.

use clap::Args;
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Exit, Failure, Result};
use crate::journal::recover::RESUMABLE;
use crate::model::{Role, RunId, Side};
use crate::plan::step::Step;
use crate::script::Bundle;
use crate::steps::locks;
use crate::steps::run::Run;
use crate::store::Store;
use crate::text;
use crate::text::Text;
use std::sync::Arc;

/// There is no run to go on with.
const NOTHING: &str = "nothing_to_resume";

/// Arguments of `relevo resume`.
#[derive(Args)]
pub struct Resume {
    /// Which run; without it the one that is open
    id: Option<RunId>,
    /// Show what is left to do, change nothing
    #[arg(long)]
    plan: bool,
}

/// Takes it up.
pub fn main(session: &Session, arguments: &Resume) -> u8 {
    let (id, outcome) = match session.store().and_then(|store| Ok((open_run(&store, arguments.id)?, store))) {
        Err(failure) if failure.kind == NOTHING && arguments.id.is_none() && !arguments.plan => {
            (None, session.store().and_then(|store| settle(session, &store, failure)))
        }
        Err(failure) => (arguments.id, Err(failure)),
        Ok((id, store)) if arguments.plan => (Some(id), plan(session, &store, id)),
        Ok((id, store)) => (Some(id), resume(session, &store, id)),
    };
    session.output.finish("resume", id.map(|id| id.to_string()), outcome)
}

/// The run to take up.
pub fn open_run(store: &Store, id: Option<RunId>) -> Result<RunId> {
    if let Some(id) = id {
        return Ok(id);
    }
    let open = store.journal()?.heads(true, usize::MAX)?;
    if let Some(head) = open.into_iter().find(|head| RESUMABLE.contains(&head.verb.as_str())) {
        return Ok(head.id);
    }
    // The list of runs is an index, and may be damaged where the run itself is not: its announcement names it.
    let announced = store.backup.look()?.intent.map(|intent| intent.run);
    announced.filter(|run| store.journal().and_then(|j| j.load(*run)).is_ok_and(|(log, ..)| log.ended.is_none())).ok_or_else(
        || {
            Failure::failed(NOTHING, text!("no hay corrida que continuar", "there is no run to go on with"))
                .hint(text!("vea las corridas con: relevo runs", "list the runs with: relevo runs"))
        },
    )
}

/// A role change whose run is lost may have come to its end: its record is written and only the announcement is left. Otherwise the
/// verb itself takes it over.
fn settle(session: &Session, store: &Arc<Store>, nothing: Failure) -> Result<Value> {
    let Some(intent) = store.backup.look()?.intent.filter(|_| store.config.machine.role == Role::Backup) else {
        return Err(nothing);
    };
    let record = store.highest_record()?;
    if record.epoch < intent.epoch {
        let verb = if intent.to == Side::Main { "restore" } else { "promote" };
        return Err(nothing.hint(text!(
            "se anunció un cambio de papel cuya corrida se perdió; lo retoma: relevo {verb}",
            "a role change is announced whose run is lost; it is taken over by: relevo {verb}"
        )));
    }
    let _locks = locks::for_role_change(store, "resume", &session.watch())?;
    let run = Run::begin(store.clone(), session.watch(), "resume", Value::Null, None)?;
    let steps =
        [Step::Publish { side: record.holder.other(), record: record.clone() }, Step::RemoveIntent, Step::Remember { record }];
    let outcome = steps.into_iter().try_fold(Value::Null, |_, step| run.step(step));
    super::session::close(&run, outcome)
}

fn resume(session: &Session, store: &Arc<Store>, id: RunId) -> Result<Value> {
    let run = Arc::new(Run::reopen(store.clone(), session.watch(), id)?);
    let log = run.log()?;
    if log.ended.is_some() {
        return Err(Failure::refused("run_ended", text!("la corrida {id} ya terminó", "run {id} has ended")));
    }
    if !RESUMABLE.contains(&log.verb.as_str()) {
        let verb = &log.verb;
        return Err(Failure::refused(
            "not_resumable",
            text!("{verb} no se continúa: se repite", "{verb} is not resumed: it is run again"),
        )
        .hint(text!("use: relevo {verb}", "use: relevo {verb}")));
    }
    if super::undo::is_being_undone(&log) {
        let _locks = locks::for_role_change(store, "resume", &session.watch())?;
        super::undo::go_back(&run, &log)?;
        session.output.say(&text!(
            "La corrida {id} quedó deshecha: todo está como antes de ella.",
            "Run {id} is taken back: everything is as it was before it."
        ));
        return Ok(json!({ "undone": true }));
    }
    let bundle = pinned(store, &log.bundle)?;
    let entry = log.verb.clone();
    let outcome = session.finish(run, &bundle, &entry, log.args).outcome;
    if let Ok(result) = &outcome {
        super::primitive::say(session, &entry, result);
    }
    outcome
}

fn plan(session: &Session, store: &Store, id: RunId) -> Result<Value> {
    let (log, ..) = store.journal()?.load(id)?;
    let lang = session.output.lang;
    let mut left = Vec::new();
    for (path, step) in log.steps.iter().filter(|(_, s)| s.plan.is_some()) {
        let saga: crate::plan::saga::Saga = serde_json::from_value(step.plan.clone().unwrap_or_default()).map_err(|e| {
            Failure::new(Exit::Stuck, "plan_unreadable", text!("el plan no se puede leer", "the plan cannot be read")).cause(e)
        })?;
        for (index, child) in saga.steps.iter().enumerate() {
            let done = log.steps.get(&format!("{path}/{}", index + 1)).is_some_and(|s| s.state.name() == "succeeded");
            if !done {
                session.output.line(format!("{:>2}. {}", index + 1, child.describe().get(lang)));
                left.push(child.clone());
            }
        }
    }
    Ok(serde_json::json!({ "plan": left, "changed": false }))
}

/// The scripts that a run began with.
pub fn pinned(store: &Store, hash: &Option<crate::model::Hash>) -> Result<Bundle> {
    let missing = || {
        Failure::new(
            Exit::Stuck,
            "bundle_missing",
            text!("faltan los scripts de esa corrida", "the scripts of that run are missing"),
        )
        .hint(cancel())
    };
    let files = store.journal()?.bundle(hash.ok_or_else(missing)?)?.ok_or_else(missing)?;
    Bundle::from_json(&serde_json::from_str(&files).map_err(|e| missing().cause(e))?)
        .map_err(|failure| failure.ending(Exit::Stuck).hint(cancel()))
}

fn cancel() -> Text {
    text!(
        "deshágala con relevo undo ID; si ya no se puede, ciérrela con relevo runs cancel ID y repita el verbo: retoma lo anunciado",
        "take it back with relevo undo ID; where that is too late close it with relevo runs cancel ID and repeat the verb: it takes over"
    )
}
