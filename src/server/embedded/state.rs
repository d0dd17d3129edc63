//! Fence, detach, attach, recover: the changes of a database's state. Proof that nobody has it open is SQLite's own exclusivity:
//! leaving WAL mode succeeds only for the last one who is connected.

use std::path::Path;
use std::time::Duration;

use crate::error::{Failure, Result};
use crate::model::{DatabaseState, Session};
use crate::text;
use crate::world::{Label, World};

use super::connection::{self, Guarded, sql_failure};
use super::header::{self, FENCED, OPEN};

/// How long exclusivity is tried: somebody who only looks is gone at once.
const ALONE_WITHIN: Duration = Duration::from_millis(1500);

/// Closes an open database for every program. Looks first.
pub fn fence(world: &dyn World, path: &Path, sessions: &[Session]) -> Result<()> {
    match header::state_of(path)? {
        // A fence that was cut short after the bytes leaves what SQLite had beside it.
        DatabaseState::Fenced => return header::remove_beside(world, path),
        DatabaseState::Open => {}
        state => return Err(not_possible(path, state)),
    }
    let file = connection::plain(path, true)?; // opened before the connection, closed after it
    let connection = alone(path, sessions)?;
    // SQLite has removed its log, not durably. Were it there again beside the fence, SQLite would read an open database from it.
    let [wal, _] = header::beside(path);
    world
        .remove_file(Label::DatabaseBytes, &wal)
        .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &wal, &e))?;
    header::write_state(world, &file, path, FENCED)?;
    drop(connection);
    header::remove_beside(world, path)
}

/// Proves that nobody has an open database open, and leaves it as it was.
pub fn prove_alone(path: &Path, sessions: &[Session]) -> Result<()> {
    if header::state_of(path)? != DatabaseState::Open {
        return Ok(());
    }
    let connection = alone(path, sessions)?;
    back_to_wal(&connection).map_err(|e| sql_failure(path, &e))
}

/// Opens a fenced database, or ends a detach that was cut short. Looks first.
pub fn unfence(world: &dyn World, path: &Path) -> Result<()> {
    match header::state_of(path)? {
        DatabaseState::Fenced => header::write_state(world, &connection::plain(path, true)?, path, OPEN),
        DatabaseState::Open if header::is_rollback(path)? => {
            let connection = connection::open(path, true)?;
            // Somebody may be at work in rollback mode; that is safe, and the next unfence will find the mode again.
            connection
                .pragma_update(None, "journal_mode", "WAL")
                .or_else(|e| if is_busy(&e) { Ok(()) } else { Err(sql_failure(path, &e)) })
        }
        DatabaseState::Open => Ok(()),
        state => Err(not_possible(path, state)),
    }
}

/// Standby to open. Looks first.
pub fn recover(world: &dyn World, path: &Path) -> Result<()> {
    match header::state_of(path)? {
        DatabaseState::Standby => header::write_state(world, &connection::plain(path, true)?, path, OPEN),
        DatabaseState::Open => Ok(()),
        state => Err(not_possible(path, state)),
    }
}

/// The only connection there is, in rollback mode, holding the exclusive lock until it is dropped.
fn alone(path: &Path, sessions: &[Session]) -> Result<Guarded> {
    let connection = connection::open(path, true)?;
    let sql = |e: rusqlite::Error| if is_busy(&e) { in_use(path, sessions) } else { sql_failure(path, &e) };
    connection.busy_timeout(ALONE_WITHIN).map_err(sql)?;
    // Recovers a hot WAL first, as any reader would.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get::<_, i64>(0)).map_err(sql)?;
    if header::is_rollback(path)? {
        // Through WAL mode and back, so that SQLite's change counter moves: an idle connection in rollback mode would otherwise
        // trust its old page 1 and write it back over the state bytes, lifting the fence.
        let mode = connection.query_row("PRAGMA journal_mode=WAL", [], |r| r.get::<_, String>(0)).map_err(sql)?;
        if mode != "wal" {
            return Err(in_use(path, sessions));
        }
    }
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(sql)?;
    let mode = connection.query_row("PRAGMA journal_mode=DELETE", [], |r| r.get::<_, String>(0)).map_err(sql)?;
    if mode != "delete" {
        return Err(in_use(path, sessions));
    }
    if let Err(error) = connection.execute_batch("BEGIN EXCLUSIVE; COMMIT") {
        let _ = back_to_wal(&connection); // the refusal is what matters; rollback mode is safe and unfence finds it
        return Err(sql(error));
    }
    Ok(connection)
}

fn back_to_wal(connection: &Guarded) -> rusqlite::Result<()> {
    connection.pragma_update(None, "locking_mode", "NORMAL")?;
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    // The mode of locking changes with the next read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

fn in_use(path: &Path, sessions: &[Session]) -> Failure {
    let names: Vec<&str> = sessions.iter().map(|s| s.name.as_str()).collect();
    let (shown, names) = (path.display(), names.join(", "));
    let message = if names.is_empty() {
        text!("alguien tiene abierta {shown}", "somebody has {shown} open")
    } else {
        text!("tienen abierta {shown}: {names}", "{shown} is open in: {names}")
    };
    Failure::refused("tills_operating", message)
        .hint(text!("cierre PosPdv y SvrPdv en esos equipos y repita", "close PosPdv and SvrPdv on those machines and repeat"))
}

fn not_possible(path: &Path, state: DatabaseState) -> Failure {
    let shown = path.display();
    Failure::failed("wrong_state", text!("{shown} está en estado @", "{shown} is in state @").fill(&state.text()))
        .hint(text!("vea: relevo status", "see: relevo status"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn database(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("BDPdv.db");
        let c = Connection::open(&path).unwrap();
        c.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1)").unwrap();
        path
    }

    fn count(path: &Path) -> rusqlite::Result<i64> {
        Connection::open(path)?.query_row("SELECT count(*) FROM t", [], |r| r.get(0))
    }

    #[test]
    fn a_fence_stops_stock_sqlite_and_is_lifted_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, world) = (database(dir.path()), crate::world::real());
        fence(world.as_ref(), &path, &[]).unwrap();
        fence(world.as_ref(), &path, &[]).unwrap();
        assert_eq!(header::state_of(&path).unwrap(), DatabaseState::Fenced);
        assert!(count(&path).is_err());
        assert!(Connection::open(&path).unwrap().execute("INSERT INTO t VALUES(2)", []).is_err());
        unfence(world.as_ref(), &path).unwrap();
        unfence(world.as_ref(), &path).unwrap();
        assert_eq!(count(&path).unwrap(), 1);
    }

    #[test]
    fn a_fence_is_refused_while_somebody_has_it_open() {
        let dir = tempfile::tempdir().unwrap();
        let (path, world) = (database(dir.path()), crate::world::real());
        let till = Connection::open(&path).unwrap();
        till.query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0)).unwrap();
        let who = [Session { name: "CAJA2".into(), pid: None }];
        let failure = fence(world.as_ref(), &path, &who).unwrap_err();
        assert_eq!(failure.kind, "tills_operating");
        assert!(failure.message.es.contains("CAJA2"));
        till.execute("INSERT INTO t VALUES(2)", []).unwrap();
        assert_eq!(prove_alone(&path, &[]).unwrap_err().kind, "tills_operating");
        drop(till);
        prove_alone(&path, &[]).unwrap();
        assert!(!header::is_rollback(&path).unwrap());
        fence(world.as_ref(), &path, &[]).unwrap();
    }

    /// A detach that was cut short leaves rollback mode; a till that is connected but idle must not lift the fence afterwards.
    #[test]
    fn an_idle_connection_in_rollback_mode_does_not_lift_the_fence() {
        let dir = tempfile::tempdir().unwrap();
        let (path, world) = (database(dir.path()), crate::world::real());
        let till = Connection::open(&path).unwrap();
        till.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).unwrap();
        till.execute("INSERT INTO t VALUES(2)", []).unwrap();
        assert!(header::is_rollback(&path).unwrap());
        if fence(world.as_ref(), &path, &[]).is_ok() {
            assert!(till.execute("INSERT INTO t VALUES(3)", []).is_err());
            assert_eq!(header::state_of(&path).unwrap(), DatabaseState::Fenced);
        }
    }

    #[test]
    fn a_hot_wal_is_recovered_before_the_fence() {
        let dir = tempfile::tempdir().unwrap();
        let (path, world) = (database(dir.path()), crate::world::real());
        let c = Connection::open(&path).unwrap();
        c.execute_batch("PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES(2)").unwrap();
        // What a power cut leaves: the file and its WAL, no process.
        let cut = dir.path().join("cut");
        std::fs::create_dir(&cut).unwrap();
        std::fs::copy(&path, cut.join("BDPdv.db")).unwrap();
        std::fs::copy(&header::beside(&path)[0], cut.join("BDPdv.db-wal")).unwrap();
        let path = cut.join("BDPdv.db");
        fence(world.as_ref(), &path, &[]).unwrap();
        assert!(header::beside(&path).iter().all(|p| !p.exists()));
        unfence(world.as_ref(), &path).unwrap();
        assert_eq!(count(&path).unwrap(), 2);
    }
}
