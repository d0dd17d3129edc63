//! One invocation: the opened store, the person, Ctrl-C, and how a verb runs through its script.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::output::Output;
use crate::error::{Exit, Failure, Result};
use crate::facts;
use crate::journal::event::Ending;
use crate::journal::recover;
use crate::model::RunId;
use crate::operator::Operator;
use crate::progress::Watch;
use crate::script::{self, Bundle, dispatch};
use crate::steps::run::Run;
use crate::steps::standby;
use crate::store::Store;
use crate::text;
use crate::world::World;

/// What every verb works with.
pub struct Session {
    /// `--store`.
    pub dir: PathBuf,
    /// How it speaks.
    pub output: Output,
    /// The operating system.
    pub world: Arc<dyn World>,
    /// Set by Ctrl-C.
    pub stop: Arc<AtomicBool>,
    /// `--pin-fd`.
    pub pin_fd: Option<i32>,
}

/// How a verb that runs a script came out.
pub struct Ran {
    /// The run, if it left a trace.
    pub id: Option<RunId>,
    /// What it returned.
    pub outcome: Result<Value>,
}

impl Session {
    /// Opens the store directory.
    pub fn store(&self) -> Result<Arc<Store>> {
        let operator = Operator::new(self.output.lang, self.output.json);
        if let Some(fd) = self.pin_fd {
            operator.read_pin(fd)?;
        }
        Ok(Arc::new(Store::open(&self.dir, self.world.clone(), operator)?))
    }

    /// Reports of progress, on standard error.
    pub fn watch(&self) -> Watch {
        self.output.watch(self.stop.clone())
    }

    /// The store's scripts, as they lie on disk now.
    pub fn bundle(&self, dir: &Path) -> Result<Bundle> {
        Bundle::load(&dir.join("scripts"))
    }

    /// Runs `ENTRY.rhai` as a new run of `verb`.
    pub fn run(&self, store: &Arc<Store>, verb: &str, entry: &str, args: Value) -> Ran {
        match self.begin(store, verb, args.clone()) {
            Ok((run, bundle)) => self.finish(run, &bundle, entry, args),
            Err(failure) => Ran { id: None, outcome: Err(failure) },
        }
    }

    /// Begins a run of a verb: closes what an earlier process left of its kind.
    pub fn begin(&self, store: &Arc<Store>, verb: &str, args: Value) -> Result<(Arc<Run>, Bundle)> {
        let bundle = self.bundle(&store.dir)?;
        if let Some(kept) = store.journal()?.set_aside() {
            let kept = kept.display();
            self.watch().note(text!(
                "el diario estaba dañado: se conserva como {kept} y empieza uno nuevo",
                "the journal was damaged: it is kept as {kept} and a new one begins"
            ));
        }
        abandon(store, &self.watch(), verb)?;
        refuse_beside_open_role_change(store, verb)?;
        standby::catch_up_with_age(store);
        if verb == "mirror" {
            store.journal()?.prune_daily();
        }
        store.journal()?.keep_bundle(bundle.hash, &bundle.to_json().to_string())?;
        let run = Run::begin(store.clone(), self.watch(), verb, args, Some(bundle.hash))?;
        Ok((Arc::new(run), bundle))
    }

    /// Runs the script of a run that has begun (or was taken up), and records how it ended.
    pub fn finish(&self, run: Arc<Run>, bundle: &Bundle, entry: &str, args: Value) -> Ran {
        let outcome = self.script(&run, bundle, entry, args);
        let outcome = close(&run, outcome);
        Ran { id: run.is_recorded().then_some(run.id), outcome }
    }

    fn script(&self, run: &Arc<Run>, bundle: &Bundle, entry: &str, args: Value) -> Result<Value> {
        script::run(bundle, entry, args, dispatch::host(run.clone()), self.stop.clone())
    }

    /// Shows what `ENTRY.rhai` would do: reads act, the first effect stops it.
    pub fn plan(&self, store: &Arc<Store>, verb: &str, entry: &str, args: Value) -> Result<Value> {
        let bundle = self.bundle(&store.dir)?;
        let run = Arc::new(Run::plan(store.clone(), Watch::silent(), verb, args.clone())?);
        match self.script(&run, &bundle, entry, args) {
            Err(failure) if failure.kind == "plan_stop" => {
                let plan: Value = failure.causes.first().and_then(|c| serde_json::from_str(c).ok()).unwrap_or(Value::Null);
                self.show_plan(&plan);
                Ok(json!({ "plan": plan, "changed": false }))
            }
            Err(failure) => Err(failure),
            Ok(_) => {
                self.output.say(&text!("no hay nada que cambiar", "there is nothing to change"));
                Ok(json!({ "plan": null, "changed": false }))
            }
        }
    }

    fn show_plan(&self, plan: &Value) {
        let lang = self.output.lang;
        if let Ok(saga) = serde_json::from_value::<crate::plan::saga::Saga>(plan.clone()) {
            self.output.line(saga.render(lang).trim_end());
        } else if let Ok(text) = serde_json::from_value::<crate::text::Text>(plan["text"].clone()) {
            self.output.line(format!("1. {}", text.get(lang)));
            for line in plan["detail"].as_array().into_iter().flatten() {
                if let Ok(text) = serde_json::from_value::<crate::text::Text>(line.clone()) {
                    self.output.line(format!("   - {}", text.get(lang)));
                }
            }
        }
        self.output.say(&text!(
            "no se cambió nada; lo que el script haga después de este efecto no se puede saber antes",
            "nothing was changed; what the script does after this effect cannot be known before it"
        ));
    }
}

/// Records how a run ended; a run that is interrupted or stuck stays open.
pub fn close(run: &Run, outcome: Result<Value>) -> Result<Value> {
    if outcome.is_err() {
        // The refusal may only say that a server does not answer: the file that keeps it from answering has a name.
        for server in [&run.store.main, &run.store.backup] {
            if let Some(trouble) = facts::seen(server.as_ref()).trouble {
                run.watch.note(trouble);
            }
        }
    }
    // Only role changes are taken up again; the others are simply run again and leave nothing open.
    let resumable = recover::RESUMABLE.contains(&run.log()?.verb.as_str());
    match &outcome {
        Err(failure) if Run::stays_open(failure) && (resumable || failure.kind == "journal") => {
            if run.is_recorded() {
                run.flush()?;
            }
        }
        Err(_) => run.end(Ending::Failed, &outcome)?,
        Ok(_) => run.end(Ending::Done, &outcome)?,
    }
    outcome
}

/// Closes the interrupted runs of a verb that is simply run again.
fn abandon(store: &Arc<Store>, watch: &Watch, verb: &str) -> Result<()> {
    for head in store.journal()?.heads(true, usize::MAX)? {
        if head.verb != verb || recover::RESUMABLE.contains(&verb) {
            continue;
        }
        let Some(lock) = store.journal()?.own(head.id)? else { continue };
        drop(lock);
        let run = match Run::reopen(store.clone(), watch.clone(), head.id) {
            // Nothing of such a run is taken up again; its damage must not keep the next one from working.
            Err(failure) if failure.kind == "journal_damaged" => {
                watch.note(failure.message);
                store.journal()?.close_damaged(head.id)?;
                continue;
            }
            run => run?,
        };
        let failure =
            Failure::new(Exit::Interrupted, "abandoned", text!("la siguiente corrida la cerró", "the next run closed it"));
        run.end(Ending::Abandoned, &Err(failure))?;
    }
    Ok(())
}

/// A role change that was interrupted is finished or taken back before another one begins.
fn refuse_beside_open_role_change(store: &Store, verb: &str) -> Result<()> {
    if !recover::RESUMABLE.contains(&verb) {
        return Ok(());
    }
    match store.journal()?.heads(true, usize::MAX)?.into_iter().find(|h| recover::RESUMABLE.contains(&h.verb.as_str())) {
        None => Ok(()),
        Some(head) => {
            let (id, what) = (head.id, head.verb);
            if store.journal()?.is_owned(id) {
                return Err(Failure::new(
                    Exit::Interrupted,
                    "run_is_running",
                    text!("la corrida {id} ({what}) está en marcha", "run {id} ({what}) is at work"),
                )
                .hint(text!("espere a que termine; vea: relevo runs", "wait until it ends; see: relevo runs")));
            }
            Err(Failure::new(
                Exit::Interrupted,
                "role_change_open",
                text!("la corrida {id} ({what}) quedó a medias", "run {id} ({what}) is unfinished"),
            )
            .hint(text!(
                "termínela con relevo resume, o deshágala con relevo undo {id}",
                "finish it with relevo resume, or take it back with relevo undo {id}"
            )))
        }
    }
}
