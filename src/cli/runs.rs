//! `relevo runs`: durable runs; what happened in them.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Exit, Failure, Result};
use crate::journal::event::{Ending, Event, RunHead, StepState};
use crate::journal::log::Log;
use crate::journal::recover::{OpenState, RESUMABLE, open_state};
use crate::model::RunId;
use crate::progress::Watch;
use crate::steps::run::Run;
use crate::store::Store;
use crate::text;
use crate::text::Lang;

/// Arguments of `relevo runs`.
#[derive(Args)]
pub struct Runs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Everything that happened in a run
    Show {
        /// Its id
        id: RunId,
    },
    /// Close an interrupted run that is not a role change
    Cancel {
        /// Its id
        id: RunId,
        /// Show whether it can be closed, change nothing
        #[arg(long)]
        plan: bool,
    },
}

/// How many runs are listed.
const LISTED: usize = 50;

/// Lists, shows or cancels.
pub fn main(session: &Session, arguments: &Runs) -> u8 {
    let (id, outcome) = match &arguments.what {
        None => (None, list(session)),
        Some(What::Show { id }) if session.output.json => match events(session, *id) {
            Ok(events) => return session.output.finish_whole("runs", Some(id.to_string()), &events),
            Err(failure) => (Some(id), Err(failure)),
        },
        Some(What::Show { id }) => (Some(id), show(session, *id)),
        Some(What::Cancel { id, plan }) => (Some(id), cancel(session, *id, *plan)),
    };
    session.output.finish("runs", id.map(RunId::to_string), outcome)
}

/// State of a run, as lists show it.
pub fn state(store: &Store, head: &RunHead) -> Result<String> {
    let log = match store.journal()?.load(head.id) {
        Ok((log, ..)) => log,
        Err(failure) if failure.kind == "journal_damaged" => return Ok("damaged".to_owned()),
        Err(failure) => return Err(failure),
    };
    if let Some((how, ..)) = &log.ended {
        return Ok(ending_name(*how).to_owned());
    }
    Ok(match open_state(&log, store.journal()?.is_owned(head.id)) {
        OpenState::Running => "running",
        OpenState::Interrupted => "interrupted",
        OpenState::Stuck => "stuck",
    }
    .to_owned())
}

fn list(session: &Session) -> Result<Value> {
    let store = session.store()?;
    let mut rows = Vec::new();
    for head in store.journal()?.heads(false, LISTED)? {
        let state = state(&store, &head)?;
        session.output.line(format!("{}  {:<8} {:<12} {}", head.id, head.verb, state, head.since));
        rows.push(json!({ "id": head.id, "verb": head.verb, "state": state, "since": head.since }));
    }
    if rows.is_empty() {
        session.output.say(&text!("no hay corridas", "there are no runs"));
    }
    Ok(json!({ "runs": rows }))
}

/// Ten thousand steps are printed as they stand.
#[derive(Serialize)]
struct Events {
    events: Vec<Event>,
}

fn events(session: &Session, id: RunId) -> Result<Events> {
    Ok(Events { events: session.store()?.journal()?.events(id)? })
}

fn show(session: &Session, id: RunId) -> Result<Value> {
    let store = session.store()?;
    let (log, ..) = store.journal()?.load(id)?;
    let lang = session.output.lang;
    session.output.line(format!("{id}  {}  {}", log.verb, log.since));
    let mut steps: Vec<_> = log.steps.iter().collect();
    steps.sort_by_key(|(_, step)| step.order);
    for (path, step) in steps {
        let indent = "  ".repeat(path.matches('/').count() + 1);
        session.output.line(format!("{indent}{path:<6} {:<16} {}", step.name, shown(&step.state, lang)));
    }
    match (&log.stuck, &log.ended) {
        (Some(failure), _) => session.output.line(failure.render(lang).trim_end()),
        (None, Some((how, _, failure))) => {
            session.output.line(format!("  = {}", ending_name(*how)));
            if let Some(failure) = failure {
                session.output.line(failure.render(lang).trim_end());
            }
        }
        (None, None) => {}
    }
    Ok(Value::Null)
}

fn shown(state: &StepState, lang: Lang) -> String {
    match state {
        StepState::Read(Ok(value)) | StepState::Succeeded(value) => format!("{}  {}", state.name(), short(value)),
        StepState::Read(Err(failure)) | StepState::Failed(failure) | StepState::UndoFailed(failure) => {
            format!("{}  {}", state.name(), failure.message.get(lang))
        }
        _ => state.name().to_owned(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn ending_name(how: Ending) -> &'static str {
    match how {
        Ending::Done => "done",
        Ending::Failed => "failed",
        Ending::Abandoned => "abandoned",
        Ending::Undone => "undone",
    }
}

/// A person decides: what the run did is no longer known, so it is neither finished nor taken back.
fn close_damaged(session: &Session, store: &Store, id: RunId, plan: bool, failure: Failure) -> Result<Value> {
    session.output.say(&failure.message);
    if plan {
        return Ok(json!({ "changed": false }));
    }
    if store.journal()?.is_owned(id) {
        return Err(failure);
    }
    store.journal()?.close_damaged(id)?;
    session.output.say(&text!(
        "corrida cerrada; sus renglones se conservan; relevo promote o relevo restore retoma lo que quedó a medias",
        "run closed; its rows are kept; relevo promote or relevo restore takes over what it left unfinished"
    ));
    Ok(json!({ "state": "damaged" }))
}

fn cancel(session: &Session, id: RunId, plan: bool) -> Result<Value> {
    let store = session.store()?;
    let (log, ..): (Log, _, _) = match store.journal()?.load(id) {
        Err(failure) if failure.kind == "journal_damaged" => {
            return close_damaged(session, &store, id, plan, failure);
        }
        loaded => loaded?,
    };
    if log.ended.is_some() {
        return Err(Failure::refused("run_ended", text!("la corrida {id} ya terminó", "run {id} has ended")));
    }
    // One whose scripts are lost can never be finished: the verb itself takes over what it announced.
    if RESUMABLE.contains(&log.verb.as_str()) && super::resume::pinned(&store, &log.bundle).is_ok() {
        return Err(Failure::refused(
            "is_a_role_change",
            text!("un cambio de papel no se abandona", "a role change is not abandoned"),
        )
        .hint(text!(
            "termínelo con relevo resume, o deshágalo con relevo undo {id}",
            "finish it with relevo resume, or take it back with relevo undo {id}"
        )));
    }
    if plan {
        session.output.say(&text!(
            "se cerraría; sus pasos no se deshacen (eso es relevo undo)",
            "it would be closed; its steps are not taken back (that is relevo undo)"
        ));
        return Ok(json!({ "changed": false }));
    }
    let run = Run::reopen(store, Watch::silent(), id)?;
    let failure = Failure::new(Exit::Interrupted, "cancelled", text!("la canceló una persona", "a person cancelled it"));
    run.end(Ending::Abandoned, &Err(failure))?;
    session.output.say(&text!("corrida cerrada", "run closed"));
    Ok(json!({ "state": "abandoned" }))
}
