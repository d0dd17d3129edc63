//! Restore: the five steps of the procedure (docs/procedure.md, row 12) in order. The caller has the role-change locks and asked both servers.

use crate::error::Failure;
use crate::model::{DatabaseState, EpochRecord, Intent, Program, Role, RunId, Side};
use crate::model::{Fencing, LogState, Look, Session};
use crate::plan::route::{Route, route};
use crate::plan::saga::{Saga, refuse_open_intent};
use crate::plan::step::Step;
use crate::text;

/// What a restore is decided from.
#[derive(Clone, Debug)]
pub struct RestoreFacts {
    /// The run that will do it.
    pub run: RunId,
    /// This machine.
    pub role: Role,
    /// The old main server.
    pub main: Look,
    /// The server that holds the post.
    pub backup: Look,
    /// Who uses the backup server (its own SvrPdv not counted).
    pub operating: Vec<Session>,
    /// Who uses the old main server.
    pub operating_main: Vec<Session>,
    /// Where the old main stands in the log, where its engine has one.
    pub main_log: Option<LogState>,
    /// Where the backup stands.
    pub backup_log: Option<LogState>,
    /// Name of main's database file, to keep it under another.
    pub database: String,
    /// A role change is announced and nobody can go on with it: its run is not in the journal (any more).
    pub abandoned: bool,
}

/// Decides a restore, or says why not. A refusal changes nothing.
pub fn restore(facts: &RestoreFacts) -> Result<Saga, Failure> {
    if facts.role != Role::Backup {
        return Err(Failure::refused(
            "not_the_backup",
            text!("restaurar se hace en la caja/servidor", "restore runs on the caja/servidor"),
        ));
    }
    let record = match &facts.backup.record {
        Some(record) if record.holder == Side::Backup => record,
        _ => {
            return Err(Failure::refused(
                "backup_does_not_hold",
                text!(
                    "el servidor de respaldo no está en servicio: no hay nada que restaurar",
                    "the backup server does not hold the post: there is nothing to restore"
                ),
            )
            .hint(text!("vea el estado con: relevo status", "see the state with: relevo status")));
        }
    };
    if !facts.abandoned {
        refuse_open_intent(&facts.backup, Some(facts.run))?;
    }
    if !facts.main.reachable {
        let instance = &facts.main.instance;
        return Err(Failure::refused(
            "main_unreachable",
            text!("no se alcanza el servidor principal ({instance})", "the main server cannot be reached ({instance})"),
        )
        .hint(text!(
            "enciéndalo y revise la red; SvrPdv debe seguir cerrado ahí",
            "switch it on and check the network; SvrPdv must stay closed there"
        )));
    }
    if facts.main.state == DatabaseState::Unknown {
        return Err(Failure::refused(
            "main_database_unreadable",
            text!(
                "la BDPdv del servidor principal no se puede leer: no se sabe si guarda ventas",
                "the main server's database cannot be read: it may hold sales"
            ),
        )
        .hint(text!(
            "mueva el archivo a otro lugar para conservarlo y repita; el reporte señalará el hueco",
            "move the file elsewhere to keep it, then repeat; the report will name the gap"
        )));
    }
    let names: Vec<&str> = facts.operating.iter().chain(&facts.operating_main).map(|s| s.name.as_str()).collect();
    if facts.main.serving || !names.is_empty() {
        let who = if names.is_empty() { "SvrPdv (principal)".to_owned() } else { names.join(", ") };
        return Err(Failure::refused("tills_operating", text!("hay quien opera: {who}", "somebody operates: {who}"))
            .hint(text!("cierre PosPdv en esas cajas y repita", "close PosPdv on those tills and repeat")));
    }

    let next = record.epoch.next();
    let intent = Intent { run: facts.run, to: Side::Main, epoch: next };
    let new =
        EpochRecord { database: record.database, epoch: next, holder: Side::Main, run: Some(facts.run), awaiting_start: true };
    let had = facts.main.state != DatabaseState::Missing;
    let route = route(facts.main_log.as_ref(), facts.backup_log.as_ref())?;
    // Without an old database nothing is kept; an empty name says so to the step, which then can tell that it is done.
    // An abandoned restore may have kept the old database under that name and put another in its place.
    let again = if facts.abandoned { format!("-{}", &facts.run.to_string()[24..]) } else { String::new() };
    let keep = if had && route != Route::Log { format!("{}.antes-de-e{}{again}", facts.database, next.0) } else { String::new() };
    let mut because = vec![text!(
        "el respaldo tiene la época {}; nadie opera; el principal responde",
        "the backup holds epoch {}; nobody operates; main can be reached",
        record.epoch
    )];
    because.extend(route.text());
    let mut steps = vec![
        Step::WriteIntent { intent },
        Step::StopProgram { program: Program::Svrpdv },
        Step::Fence { side: Side::Backup, undo: true, how: route.fencing() },
    ];
    if route == Route::Log {
        because.push(text!(
            "el principal no guarda nada que el respaldo no tenga: se cerró con su último registro",
            "main holds nothing that the backup has not: it was closed with the tail of its log"
        ));
    } else if had {
        // Its epoch is over whatever becomes of this restore: the fence stays.
        steps.push(Step::Fence { side: Side::Main, undo: false, how: Fencing::Aside });
        steps.push(Step::SaveTail { run: facts.run });
    } else {
        because.push(text!(
            "el principal no tiene BDPdv: el reporte de huérfanas señala el hueco, no los tickets",
            "main has no database: the orphan report names the gap instead of the tickets"
        ));
        steps.push(Step::SaveTail { run: facts.run });
    }
    steps.extend([Step::Receive, Step::ProveNobody, Step::Place { keep: keep.clone() }, Step::Open { side: Side::Main }]);
    let point = steps.len();
    steps.extend([
        Step::Record { side: Side::Main, record: new.clone(), folio: None },
        Step::Publish { side: Side::Backup, record: new.clone() },
        Step::RemoveIntent,
        Step::Remember { record: new },
    ]);
    let kept = (had && route != Route::Log).then_some(keep);
    let mut result = serde_json::json!({ "epoch": next, "kept": kept, "awaiting_start": true });
    if route == Route::Log {
        result["orphans"] = 0.into();
    }
    Ok(Saga { name: "restore".to_owned(), because, steps, point, result })
}
