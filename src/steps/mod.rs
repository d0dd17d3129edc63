//! Effects: what each [`Step`] does and how it is taken back. Every `apply` looks first and then acts, every `undo` too, since
//! both may run again after a crash. Policy is not decided here: plans did that; but role, epoch and licence are checked
//! again where a script can call a step by itself.

pub mod files;
pub mod history;
pub mod locks;
pub mod logins;
pub mod mirror;
pub mod post;
pub mod programs;
pub mod promote;
pub mod restore;
pub mod role;
pub mod run;
pub mod seats;
pub mod setup;
pub mod signals;
pub mod spool;
pub mod standby;
pub mod survey;
pub mod tail;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::error::Result;
use crate::model::{Fencing, RunId, Side};
use crate::plan::step::Step;
use crate::progress::Watch;
use crate::store::Store;

/// What a step works with.
pub struct Context<'a> {
    /// The store.
    pub store: &'a Store,
    /// Progress and the wish to stop.
    pub watch: &'a Watch,
    /// The run it belongs to.
    pub run: RunId,
    /// Its path in the run; names what it keeps for undo.
    pub path: &'a str,
}

impl Context<'_> {
    /// Where a step keeps what its undo needs, until its run is pruned.
    pub(super) fn kept(&self, what: &str) -> PathBuf {
        let step = self.path.replace('/', "-");
        self.store.state.join("undo").join(self.run.to_string()).join(format!("{step}.{what}"))
    }
}

/// Performs a step, as often as asked.
pub fn apply(cx: &Context, step: &Step) -> Result<Value> {
    let store = cx.store;
    match step {
        Step::WriteIntent { intent } => done(store.backup.set_intent(Some(intent))),
        Step::RemoveIntent => done(store.backup.set_intent(None)),
        Step::AskMain { planned } => role::ask_main(cx, *planned),
        Step::Fence { side, how, .. } => done(store.server(*side).fence(*how)),
        Step::TakeTail => mirror::take_tail(cx),
        Step::ApplyCopies { to } => standby::apply_copies(cx, to.as_ref()),
        Step::VerifyStandby => standby::verify(cx),
        Step::Recover => done(store.backup.recover()),
        Step::Record { side, record, folio } => {
            let folio = folio.map(|rule| promote::now_known(store, rule)).transpose()?;
            done(store.server(*side).record(record, folio))
        }
        Step::Publish { side, record } => role::publish(cx, *side, record),
        Step::Remember { record } => done(store.remember(record)),
        Step::SaveTail { .. } => tail::save(cx, store.main.as_ref(), store.backup.as_ref()),
        Step::Receive => Ok(json!({ "root": store.main.receive(store.backup.as_ref(), cx.watch)? })),
        Step::ProveNobody => role::prove_nobody(cx),
        Step::Place { keep } => done(store.main.place(keep)),
        Step::Open { side } => done(store.server(*side).unfence()),
        Step::StartProgram { program } => programs::start(cx, *program),
        Step::StopProgram { program } => programs::stop(cx, *program),
        Step::Mirror { full, apply, target } => mirror::mirror(cx, *full, *apply, target.as_deref()),
        Step::FetchSignals => signals::fetch(cx),
        Step::SyncMarker => signals::sync_marker(cx),
        Step::MarkTerminal => signals::mark_terminal(cx),
        Step::WriteSignals { main, backup, valid_until } => signals::write(cx, main, backup, valid_until.as_deref()),
        Step::Identify => setup::identify(cx),
        Step::RemoveShortcut => setup::remove_shortcut(cx),
        Step::ReleaseSeats => seats::release(cx),
        Step::Execute { sql, params } => seats::execute(cx, sql, params),
        Step::CopyFile { from, to } => files::copy(cx, from, to),
        Step::WriteFile { path, text } => files::write(cx, path, text),
        Step::RemoveFile { path } => files::remove(cx, path),
        Step::Notify { text } => {
            cx.watch.note(text.clone());
            Ok(Value::Null)
        }
    }
}

/// What a step would find and do, for `--plan`; refusals come out as they would.
pub fn preview(store: &Store, step: &Step) -> Result<Vec<crate::text::Text>> {
    match step {
        Step::Mirror { full, target, .. } => mirror::preview(store, *full, target.as_deref()),
        _ => Ok(Vec::new()),
    }
}

/// Takes a step back, as far as it was done. Only called for steps whose [`Step::undo`] says *restores*.
pub fn undo(cx: &Context, step: &Step) -> Result<()> {
    let store = cx.store;
    match step {
        Step::WriteIntent { intent } => match store.backup.look()?.intent {
            Some(found) if found.run != intent.run => Ok(()),
            _ => store.backup.set_intent(None),
        },
        Step::Fence { side, .. } => role::lift_fence(cx, *side),
        Step::Receive => store.main.discard_received(),
        Step::Place { keep } => store.main.unplace(keep, store.backup.as_ref()),
        Step::Open { side } => store.server(*side).fence(Fencing::Aside),
        Step::StopProgram { program } => programs::undo_stop(cx, *program),
        Step::StartProgram { program } => programs::undo_start(cx, *program),
        Step::CopyFile { to: path, .. } | Step::WriteFile { path, .. } | Step::RemoveFile { path } => files::put_back(cx, path),
        _ => Ok(()),
    }
}

fn done(outcome: Result<()>) -> Result<Value> {
    outcome.map(|()| Value::Null)
}

/// The side whose server stands on this machine; a till has none.
pub(crate) fn own_side(store: &Store) -> Option<Side> {
    match store.config.machine.role {
        crate::model::Role::Main => Some(Side::Main),
        crate::model::Role::Backup => Some(Side::Backup),
        crate::model::Role::Till => None,
    }
}
