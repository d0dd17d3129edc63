//! The effects of a change of holder that are more than one call of a server.

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result};
use crate::model::{DatabaseState, EpochRecord, Look, RunId, Side};
use crate::steps::Context;
use crate::store::Store;
use crate::text;

/// Fails when main serves; unplanned, also when its database answers (then a planned promote would lose nothing).
pub fn ask_main(cx: &Context, planned: bool) -> Result<Value> {
    // Not what was remembered of it: the last moment to learn that it is back.
    cx.store.main.ask_anew();
    let main = cx.store.main.look()?;
    if main.serving {
        return Err(Failure::refused(
            "main_serves",
            text!("el servidor principal está atendiendo", "the main server is serving"),
        )
        .hint(text!("no se releva mientras atiende; vea: relevo status", "no promote while it serves; see: relevo status")));
    }
    if !planned && main.answers() {
        return Err(Failure::refused(
            "main_is_back",
            text!("el servidor principal volvió a responder", "the main server answers again"),
        )
        .hint(text!(
            "repita: relevo promote tomará lo último que tiene y no se pierde nada",
            "repeat: relevo promote will take its tail and lose nothing"
        )));
    }
    Ok(json!({ "reachable": main.reachable, "state": main.state }))
}

/// A role change is announced whose run this machine cannot go on with: its journal was lost, or the run is damaged and a person
/// closed it. Promote and restore run on this machine only, so nobody else goes on with it either.
pub fn is_abandoned(store: &Store, backup: &Look, own: RunId) -> Result<bool> {
    let Some(intent) = backup.intent.as_ref().filter(|intent| intent.run != own) else { return Ok(false) };
    match store.journal()?.load(intent.run) {
        Ok((log, ..)) => Ok(log.ended.is_some()),
        Err(failure) if failure.kind == "no_such_run" => Ok(true),
        Err(failure) if failure.kind == "journal_damaged" => {
            Ok(!store.journal()?.heads(true, usize::MAX)?.iter().any(|head| head.id == intent.run))
        }
        Err(failure) => Err(failure),
    }
}

/// Repeats the record beside a server's database; where the server is away its own launch will meet the higher epoch.
pub fn publish(cx: &Context, side: Side, record: &EpochRecord) -> Result<Value> {
    let server = cx.store.server(side);
    if !server.look()?.reachable {
        return Ok(json!({ "published": false }));
    }
    server.publish(record)?;
    Ok(json!({ "published": true }))
}

/// Lifts a fence unless a higher epoch has made it final.
pub fn lift_fence(cx: &Context, side: Side) -> Result<()> {
    let server = cx.store.server(side);
    let look = server.look()?;
    // Main's own launch lifts what stays there; of the backup nobody else would.
    if side == Side::Backup && !look.reachable {
        let instance = &look.instance;
        return Err(Failure::failed(
            "backup_unreachable",
            text!("no se alcanza el servidor de respaldo ({instance})", "the backup server cannot be reached ({instance})"),
        )
        .hint(text!("inicie su servicio", "start its service")));
    }
    if look.state != DatabaseState::Fenced {
        return Ok(());
    }
    if let Some(record) = &look.record
        && record.holder != side
    {
        let epoch = record.epoch;
        return Err(Failure::new(
            Exit::OtherHolder,
            "superseded",
            text!(
                "otro servidor tiene la época {epoch}: no se vuelve a abrir esta base",
                "another server holds epoch {epoch}: this database is not opened again"
            ),
        ));
    }
    server.unfence()
}

/// Nobody operates: main does not serve, nobody announces a session anywhere, and the backup's database is closed for everybody.
pub fn prove_nobody(cx: &Context) -> Result<Value> {
    let (main, backup) = (cx.store.main.look()?, cx.store.backup.look()?);
    let mut who: Vec<String> = Vec::new();
    for server in [&cx.store.main, &cx.store.backup] {
        who.extend(server.sessions()?.into_iter().map(|s| s.name));
    }
    if main.serving || backup.serving {
        who.push("SvrPdv".to_owned());
    }
    if !who.is_empty() {
        let names = who.join(", ");
        return Err(Failure::refused("tills_operating", text!("hay quien opera: {names}", "somebody operates: {names}"))
            .hint(text!("cierre PosPdv en esas cajas y repita", "close PosPdv on those tills and repeat")));
    }
    if backup.state != DatabaseState::Fenced {
        let state = backup.state;
        return Err(Failure::failed(
            "not_detached",
            text!("la BDPdv del respaldo no está separada (@)", "the backup's database is not detached (@)").fill(&state.text()),
        ));
    }
    Ok(Value::Null)
}
