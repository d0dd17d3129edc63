//! The programs of a shop whose servers are SQLite files.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, params};

use super::{StandIn, Stop, acknowledge, variable};
use crate::world::{self, Label, World};

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        // A fenced, renamed or vanished database looks like this to a program that has it open.
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::SystemIoFailure) => {
                Stop::NotServing
            }
            // The last: a process that hangs with the database in its hands, for longer than SQLite waits.
            Some(
                rusqlite::ErrorCode::DatabaseBusy
                | rusqlite::ErrorCode::ReadOnly
                | rusqlite::ErrorCode::FileLockingProtocolFailed,
            ) => Stop::NotServing,
            _ => Stop::Broken(error.to_string()),
        }
    }
}

/// SvrPdv: holds the lock until it is asked to close.
pub fn serve(instance: &Path, stop: &AtomicBool, world: &dyn World) -> Result<(), Stop> {
    let broken = |e: std::io::Error| Stop::Broken(e.to_string());
    let began = Instant::now();
    let _lock = loop {
        // The launch that starts us drops the lock just before; somebody who looks may hold it for a moment.
        match world.try_lock(&instance.join("server.lock")).map_err(broken)? {
            Some(lock) => break lock,
            None if began.elapsed() > Duration::from_secs(10) => return Err(Stop::Broken("server.lock is held".to_owned())),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let me = world.me().map_err(broken)?;
    let body = serde_json::to_vec(&me).unwrap_or_default();
    world.write_file(Label::ServiceInfo, &instance.join("server.info"), &body).map_err(broken)?;
    while !stop.load(Ordering::SeqCst) && instance.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// PosPdv: sells until it is asked to close or the server is gone.
pub fn sell(instance: &Path, arguments: &StandIn, stop: &AtomicBool, world: &dyn World) -> Result<(), Stop> {
    let database = instance.join(format!("{}.db", variable("RELEVO_DATABASE")?));
    let (till, side) = (variable("RELEVO_MACHINE")?, variable("RELEVO_SERVER")?);
    let epoch: i64 = variable("RELEVO_EPOCH")?.parse().map_err(|_| Stop::Broken("RELEVO_EPOCH is not a number".to_owned()))?;
    if !database.exists() {
        return Err(Stop::NotServing);
    }
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&database, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA synchronous=FULL")?;
    let mut sold = 0;
    let closed = || stop.load(Ordering::SeqCst) || arguments.is_closed();
    while !closed() && arguments.tickets.is_none_or(|most| sold < most) {
        let (folio, epoch) = ticket(&mut connection, instance, &till, &side, epoch, world)?;
        acknowledge(arguments, folio, &till, epoch, &side)?;
        sold += 1;
        std::thread::sleep(Duration::from_millis(arguments.pause));
    }
    Ok(())
}

/// One ticket in one transaction: the server must be alive, the holder and not older than what this till knows.
fn ticket(
    connection: &mut Connection,
    instance: &Path,
    till: &str,
    side: &str,
    known: i64,
    world: &dyn World,
) -> Result<(i64, i64), Stop> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let record: Option<(i64, String, bool)> = tx
        .query_row("SELECT epoch, holder, awaiting_start FROM relevo_epoch ORDER BY epoch DESC LIMIT 1", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })
        .map(Some)
        .or_else(|e| match e {
            rusqlite::Error::QueryReturnedNoRows => Ok(None),
            // Before the first mirror there is no such table: epoch 1, main.
            rusqlite::Error::SqliteFailure(_, Some(ref why)) if why.contains("no such table") => Ok(None),
            other => Err(other),
        })?;
    let (epoch, holder, awaiting) = record.unwrap_or((1, "main".to_owned(), false));
    let served = world::is_locked(&instance.join("server.lock")).unwrap_or(false);
    if !served || awaiting || epoch < known || holder != side {
        return Err(Stop::NotServing);
    }
    tx.execute_batch("CREATE TABLE IF NOT EXISTS relevo_folio(next INTEGER)")?;
    let next: i64 = tx.query_row(
        "SELECT max(coalesce((SELECT max(next) FROM relevo_folio), 1), coalesce((SELECT max(Folio) FROM Ventas), 0) + 1)",
        [],
        |r| r.get(0),
    )?;
    let total = (next * 37 % 50_000) as f64 / 100.0;
    let at = world.now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    tx.execute(
        "INSERT INTO Ventas(Folio, Caja, Fecha, Total, Epoca) VALUES(?1, ?2, ?3, ?4, ?5)",
        params![next, till, at, total, epoch],
    )?;
    if tx.execute("UPDATE relevo_folio SET next=?1", [next + 1])? == 0 {
        tx.execute("INSERT INTO relevo_folio(next) VALUES(?1)", [next + 1])?;
    }
    tx.commit()?;
    Ok((next, epoch))
}
