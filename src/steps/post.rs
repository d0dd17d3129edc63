//! An old main that meets a higher epoch: closed for everybody, its tail saved, refused. Used by its own launch and by restore.

use serde_json::json;

use crate::error::{Exit, Failure, Result};
use crate::model::{DatabaseState, EpochRecord, Fencing, Program, Role, Side};
use crate::plan::launch::database_behind;
use crate::plan::step::Step;
use crate::steps::programs;
use crate::steps::run::Run;
use crate::text;

/// A main that meets a higher epoch while it mirrors ends its service as its own launch would.
pub fn refuse_where_superseded(run: &Run) -> Result<()> {
    let store = &run.store;
    if run.is_planning() || store.config.machine.role != Role::Main {
        return Ok(());
    }
    match crate::plan::launch::superseded(&store.main.look()?, &store.backup.look()?, store.remembered()?.as_ref()) {
        Some((higher, true)) => Err(superseded(run, &higher, true)?),
        _ => Ok(()),
    }
}

/// Fences the own main database, saves its tail where a target can be reached, and returns the refusal (exit 11).
pub fn superseded(run: &Run, higher: &EpochRecord, fence: bool) -> Result<Failure> {
    let epoch = higher.epoch;
    let mut refusal = Failure::new(
        Exit::OtherHolder,
        "superseded",
        text!(
            "el servidor de respaldo está en servicio (época {epoch}): este servidor no debe atender",
            "the backup server holds the post (epoch {epoch}): this server must not serve"
        ),
    )
    .hint(text!(
        "use las cajas con el servidor de respaldo; para volver: relevo restore en la caja/servidor",
        "use the tills with the backup server; to come back: relevo restore on the caja/servidor"
    ));
    if let Some(failure) = database_behind(higher, &run.store.backup.look()?) {
        return Ok(failure);
    }
    if !fence {
        refusal.message = text!(
            "hay un relevo en marcha (época {epoch}): este servidor no debe atender todavía",
            "a role change is in progress (epoch {epoch}): this server must not serve yet"
        );
        return Ok(refusal);
    }
    // Even where it cannot be closed now, and the other server is out of sight tomorrow: this epoch is over here.
    if run.store.remembered()?.is_none_or(|known| known.epoch < epoch) {
        run.step(Step::Remember { record: higher.clone() })?;
    }
    let state = run.store.main.look()?.state;
    if programs::alive(&run.store, Program::Svrpdv)?.is_some() {
        // It was started while the higher epoch was out of sight.
        run.step(Step::StopProgram { program: Program::Svrpdv })?;
    }
    if state == DatabaseState::Open
        && let Err(failure) = run.step(Step::Fence { side: Side::Main, undo: false, how: Fencing::Aside })
    {
        if Run::stays_open(&failure) {
            return Err(failure);
        }
        refusal.message.es.push_str(&format!("; su BDPdv sigue abierta: {}", failure.message.es));
        refusal.message.en.push_str(&format!("; its database is still open: {}", failure.message.en));
        return Ok(refusal.hint(text!(
            "cierre PosPdv en esos equipos y repita: relevo launch --program svrpdv",
            "close PosPdv on those machines, then repeat: relevo launch --program svrpdv"
        )));
    }
    if matches!(state, DatabaseState::Open | DatabaseState::Fenced) {
        match run.step(Step::SaveTail { run: run.id }) {
            Ok(saved) => {
                let orphans = saved.get("orphans").cloned().unwrap_or(json!(null));
                refusal.message.es.push_str(&format!("; sus ventas huérfanas quedaron guardadas ({orphans})"));
                refusal.message.en.push_str(&format!("; its orphan sales are saved ({orphans})"));
            }
            Err(failure) if Run::stays_open(&failure) => return Err(failure),
            Err(failure) => {
                refusal.message.es.push_str(&format!("; lo que sólo él tiene aún NO está guardado: {}", failure.message.es));
                refusal.message.en.push_str(&format!("; what only it has is NOT yet saved: {}", failure.message.en));
            }
        }
    }
    Ok(refusal)
}
