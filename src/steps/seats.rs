//! Releasing concurrency: stale sessions of dead terminals and licence seats on BDPdv, on the holder only, keeping a copy of
//! the rows removed. And the store's own statements.

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result};
use crate::model::Side;
use crate::server::DatabaseServer;
use crate::steps::{Context, own_side};
use crate::store::Store;
use crate::text;
use crate::world::Label;

/// The holder's server, if it stands on this machine; scripts touch no other.
pub fn holder(store: &Store) -> Result<&dyn DatabaseServer> {
    let record = store.highest_record()?;
    match own_side(store) {
        Some(side) if side == record.holder => Ok(store.server(side)),
        _ => {
            let holder = match record.holder {
                Side::Main => "principal/main",
                Side::Backup => "respaldo/backup",
            };
            Err(Failure::new(Exit::OtherHolder, "not_the_holder", text!("está en servicio: {holder}", "in service: {holder}")))
        }
    }
}

/// Frees the seats with the store's statement; the removed rows are kept below state/seats.
pub fn release(cx: &Context) -> Result<Value> {
    let server = holder(cx.store)?;
    let operating = server.sessions()?.len(); // listing drops the announcements of dead terminals
    let Some(statement) = &cx.store.config.seats.release else {
        return Ok(json!({ "rows": 0, "operating": operating }));
    };
    let world = cx.store.world.as_ref();
    let path = cx.store.state.join("seats").join(format!("{}-{}.jsonl", cx.run, cx.path.replace('/', "-")));
    // The rows are on our disk before the transaction that removes them commits.
    let mut keep = |rows: &[Value]| {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        world
            .append_file(Label::StateWrite, &path, lines.as_bytes())
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
    };
    let rows = crate::world::effect(world, Label::SeatsRelease, || server.release_seats(statement, &mut keep))?;
    Ok(json!({ "rows": rows, "operating": operating }))
}

/// `server::execute`
pub fn execute(cx: &Context, sql: &str, params: &[Value]) -> Result<Value> {
    let server = holder(cx.store)?;
    let rows = crate::world::effect(cx.store.world.as_ref(), Label::ServerExecute, || server.execute(sql, params))?;
    Ok(json!({ "rows": rows }))
}
