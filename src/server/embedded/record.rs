//! The epoch record, in the database (the authority) and in the file beside it, and the intent of a role change.
//!
//! It looks before it writes, and never replaces a higher epoch by a lower one, in the database or beside it.

use std::io;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Tickets;
use crate::error::{Exit, Failure, Result};
use crate::model::kept;
use crate::model::{DatabaseId, Epoch, EpochRecord, FolioRule, Intent, RunId, Side};
use crate::server::embedded::sql;
use crate::server::epoch::{self, Step, higher, started};
use crate::server::labelled;
use crate::text;
use crate::world::{Label, World, read_if_there};

const EPOCH_FILE: &str = "relevo.epoch";
const INTENT_FILE: &str = "relevo.intent";

/// A file beside the database that cannot be believed.
const DAMAGED_FILE: &str = "record_file";

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS relevo_store(id INTEGER PRIMARY KEY CHECK(id=1), database TEXT NOT NULL, store TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS relevo_epoch(epoch INTEGER PRIMARY KEY, holder TEXT NOT NULL, run TEXT, at TEXT NOT NULL,
        awaiting_start INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS relevo_folio(next INTEGER NOT NULL);";

/// The record in the file beside the database; `None` when there is no file.
pub fn read_file(dir: &Path) -> Result<Option<EpochRecord>> {
    read_json(&dir.join(EPOCH_FILE))
}

/// Fails where the file beside a database repeats the record of another database: somebody copied it from elsewhere.
pub fn same_database(dir: &Path, file: Option<&EpochRecord>, own: Option<DatabaseId>) -> Result<()> {
    match (file.and_then(|f| f.database), own) {
        (Some(theirs), Some(own)) if theirs != own => {
            Err(damaged_file(&dir.join(EPOCH_FILE)).cause(format!("it is of database {theirs}, not of {own}")))
        }
        _ => Ok(()),
    }
}

/// Replaces the file beside the database. Fails with `higher_epoch` where it already names a higher one.
pub fn publish(world: &dyn World, dir: &Path, record: &EpochRecord) -> Result<()> {
    match read_file(dir)? {
        Some(there) if there == *record || started(&there, record) => Ok(()),
        Some(there) if there.epoch > record.epoch => Err(higher(&there)),
        _ => write_json(world, Label::EpochFile, &dir.join(EPOCH_FILE), record),
    }
}

/// The role change in progress, if any.
pub fn read_intent(dir: &Path) -> Result<Option<Intent>> {
    read_json(&dir.join(INTENT_FILE))
}

/// Writes or removes the intent of a role change.
pub fn set_intent(world: &dyn World, dir: &Path, intent: Option<&Intent>) -> Result<()> {
    let path = dir.join(INTENT_FILE);
    match intent {
        Some(intent) => match read_intent(dir) {
            Ok(Some(there)) if there == *intent => Ok(()),
            // A role change that is taken up again announces itself again, whatever its announcement has become.
            Err(failure) if failure.kind != DAMAGED_FILE => Err(failure),
            _ => write_json(world, Label::IntentWrite, &path, intent),
        },
        // A missing file is removed again: the removal that was seen may not be durable yet.
        None => world
            .remove_file(Label::IntentRemove, &path)
            .map_err(|error| Failure::io(text!("no se pudo borrar", "could not remove"), &path, &error)),
    }
}

/// Gives the database its identity and relevo's tables, once. Fails with `other_store` where it belongs to another store.
pub fn identify(conn: &Connection, world: &dyn World, store: &str) -> Result<DatabaseId> {
    if let Some(id) = identity_in(conn, store)? {
        return Ok(id);
    }
    labelled(world, Label::DatabaseIdentify, || {
        let transaction = begin(conn)?;
        if let Some(id) = identity_in(conn, store)? {
            return Ok(id); // somebody was faster
        }
        let id = DatabaseId(uuid::Uuid::now_v7());
        transaction.execute_batch(TABLES).map_err(sql::failed)?;
        transaction
            .execute("INSERT INTO relevo_store(id, database, store) VALUES (1, ?1, ?2)", params![id.to_string(), store])
            .map_err(sql::failed)?;
        transaction
            .execute("INSERT INTO relevo_folio(next) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM relevo_folio)", [])
            .map_err(sql::failed)?;
        transaction.commit().map_err(sql::failed)?;
        Ok(id)
    })
}

/// The database's identity; `None` before it was given one.
pub fn database_id(conn: &Connection) -> Result<Option<DatabaseId>> {
    Ok(identity(conn)?.map(|(id, _)| id))
}

/// The record in the database; `None` where nothing was ever recorded.
pub fn read(conn: &Connection) -> Result<Option<EpochRecord>> {
    if !sql::has_table(conn, "relevo_epoch")? {
        return Ok(None);
    }
    let row = conn
        .query_row("SELECT epoch, holder, run, awaiting_start FROM relevo_epoch ORDER BY epoch DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?, row.get::<_, bool>(3)?))
        })
        .optional()
        .map_err(sql::failed)?;
    let Some((epoch, holder, run, awaiting_start)) = row else { return Ok(None) };
    let epoch = Epoch(u64::try_from(epoch).map_err(|e| unreadable(&e))?);
    let holder = match holder.as_str() {
        "main" => Side::Main,
        "backup" => Side::Backup,
        other => return Err(unreadable(&other)),
    };
    let run = run.map(|run| run.parse::<RunId>()).transpose().map_err(|e| unreadable(&e))?;
    Ok(Some(EpochRecord { database: database_id(conn)?, epoch, holder, run, awaiting_start }))
}

fn step_to(conn: &Connection, record: &EpochRecord) -> Result<Step> {
    epoch::step_to(database_id(conn)?, read(conn)?.as_ref(), record)
}

/// Commits the record and, when it begins a new epoch, the folio rule in the same transaction. `at` is the time, for people.
/// Fails with `higher_epoch` where a higher one is recorded, `epoch_taken` where another run recorded this one, and
/// `other_database` where the record is of another database.
pub fn commit(
    conn: &Connection,
    world: &dyn World,
    record: &EpochRecord,
    folio: Option<FolioRule>,
    tickets: &Tickets,
    at: &str,
) -> Result<()> {
    if step_to(conn, record)? == Step::Nothing {
        return Ok(());
    }
    labelled(world, Label::DatabaseRecord, || {
        let transaction = begin(conn)?;
        transaction.execute_batch(TABLES).map_err(sql::failed)?;
        let number = i64::try_from(record.epoch.0).map_err(|e| unreadable(&e))?;
        match step_to(conn, record)? {
            Step::Nothing => return Ok(()),
            Step::Started => transaction
                .execute("UPDATE relevo_epoch SET awaiting_start = ?2 WHERE epoch = ?1", params![number, record.awaiting_start])
                .map_err(sql::failed)?,
            Step::Begins => {
                if let Some(rule) = folio {
                    move_folio(&transaction, rule, tickets)?;
                }
                let run = record.run.map(|run| run.to_string());
                transaction
                    .execute(
                        "INSERT INTO relevo_epoch(epoch, holder, run, at, awaiting_start) VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![number, record.holder.to_string(), run, at, record.awaiting_start],
                    )
                    .map_err(sql::failed)?
            }
        };
        transaction.commit().map_err(sql::failed)
    })
}

/// Moves the sequence past everything that the old holder may have issued.
fn move_folio(transaction: &Transaction<'_>, rule: FolioRule, tickets: &Tickets) -> Result<()> {
    let next: Option<i64> =
        transaction.query_row("SELECT max(next) FROM relevo_folio", [], |row| row.get(0)).map_err(sql::failed)?;
    // An earlier move may stand above every ticket; the old holder issued from there, so the gap counts from there too.
    let applied = sql::last_folio(transaction, tickets)?.unwrap_or(0).max(next.unwrap_or(1).saturating_sub(1));
    let used = applied.saturating_add(rule.gap.max(0)).max(rule.known.unwrap_or(0));
    transaction.execute("DELETE FROM relevo_folio", []).map_err(sql::failed)?;
    transaction.execute("INSERT INTO relevo_folio(next) VALUES (?1)", [used.saturating_add(1)]).map_err(sql::failed)?;
    Ok(())
}

fn begin(conn: &Connection) -> Result<Transaction<'_>> {
    Transaction::new_unchecked(conn, TransactionBehavior::Immediate).map_err(sql::failed)
}

fn identity(conn: &Connection) -> Result<Option<(DatabaseId, String)>> {
    if !sql::has_table(conn, "relevo_store")? {
        return Ok(None);
    }
    let row = conn
        .query_row("SELECT database, store FROM relevo_store WHERE id = 1", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .optional()
        .map_err(sql::failed)?;
    row.map(|(id, store)| Ok((DatabaseId(id.parse().map_err(|e: uuid::Error| unreadable(&e))?), store))).transpose()
}

fn identity_in(conn: &Connection, store: &str) -> Result<Option<DatabaseId>> {
    match identity(conn)? {
        Some((id, owner)) if owner == store => Ok(Some(id)),
        Some((_, owner)) => Err(Failure::invalid(
            "other_store",
            text!(
                "la base es de la sucursal «{owner}», no de «{store}»",
                "the database is of store \"{owner}\", not of \"{store}\""
            ),
        )
        .hint(text!("corrija [store] id o la instancia en relevo.toml", "correct [store] id or the instance in relevo.toml"))),
        None => Ok(None),
    }
}

fn unreadable(what: &dyn std::fmt::Display) -> Failure {
    Failure::failed(
        "record_unreadable",
        text!("el registro de época en la base no se entiende", "the epoch record in the database cannot be understood"),
    )
    .cause(what)
    .hint(text!("una persona debe revisar la tabla relevo_epoch", "a person has to look at the table relevo_epoch"))
}

fn read_json<T: Serialize + DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let read = read_if_there(path).map_err(|e| Failure::io(text!("no se pudo leer", "could not read"), path, &e))?;
    let Some(bytes) = read else { return Ok(None) };
    kept::decode(&bytes).map(Some).map_err(|error| damaged_file(path).cause(error))
}

fn damaged_file(path: &Path) -> Failure {
    let shown = path.display();
    Failure::new(
        Exit::Stuck,
        DAMAGED_FILE,
        text!("{shown} está dañado o es de otra base", "{shown} is damaged or belongs to another database"),
    )
    .hint(text!(
        "una persona debe revisarlo; no lo borre sin más: vea relevo status en los otros equipos y llame a soporte",
        "a person has to look at it; do not just delete it: see relevo status on the other machines and call support"
    ))
}

fn write_json<T: Serialize>(world: &dyn World, label: Label, path: &Path, value: &T) -> Result<()> {
    let failed = |error: io::Error| Failure::io(text!("no se pudo escribir", "could not write"), path, &error);
    world.write_file(label, path, &kept::encode(value)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Os;

    fn run() -> Option<RunId> {
        Some(RunId::new())
    }

    fn backup(epoch: u64, run: Option<RunId>) -> EpochRecord {
        EpochRecord { database: None, epoch: Epoch(epoch), holder: Side::Backup, run, awaiting_start: false }
    }

    fn next(conn: &Connection) -> Vec<i64> {
        let mut statement = conn.prepare("SELECT next FROM relevo_folio").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn put(conn: &Connection, record: &EpochRecord, folio: Option<FolioRule>) -> Result<()> {
        commit(conn, &Os, record, folio, &Tickets::default(), "2026-01-02T03:04:05-06:00")
    }

    #[test]
    fn identity_is_given_once_and_to_one_store() {
        let conn = Connection::open_in_memory().unwrap();
        assert_eq!(database_id(&conn).unwrap(), None);
        assert_eq!(read(&conn).unwrap(), None);
        let id = identify(&conn, &Os, "t1").unwrap();
        assert_eq!(identify(&conn, &Os, "t1").unwrap(), id);
        assert_eq!(database_id(&conn).unwrap(), Some(id));
        assert_eq!(identify(&conn, &Os, "t2").unwrap_err().kind, "other_store");
        assert_eq!(read(&conn).unwrap(), None);
        assert_eq!(next(&conn), [1]);
        let other = EpochRecord::first(Some(DatabaseId(uuid::Uuid::now_v7())));
        assert_eq!(put(&conn, &other, None).unwrap_err().kind, "other_database");
    }

    #[test]
    fn a_record_is_repeatable_and_never_goes_back() {
        let conn = Connection::open_in_memory().unwrap();
        let id = identify(&conn, &Os, "t1").unwrap();
        let mut record = EpochRecord { database: Some(id), awaiting_start: true, ..backup(2, run()) };
        put(&conn, &record, None).unwrap();
        put(&conn, &record, None).unwrap();
        assert_eq!(read(&conn).unwrap().unwrap(), record);
        record.awaiting_start = false;
        put(&conn, &record, None).unwrap();
        assert_eq!(read(&conn).unwrap().unwrap(), record);
        assert_eq!(put(&conn, &backup(2, run()), None).unwrap_err().kind, "epoch_taken");
        assert_eq!(put(&conn, &backup(1, run()), None).unwrap_err().kind, "higher_epoch");
        assert_eq!(read(&conn).unwrap().unwrap(), record);
        assert!(conn.is_autocommit());
    }

    #[test]
    fn the_folio_moves_past_everything_issued() {
        for (last, before, known, gap, expected) in [
            (Some(100), 101, None, 1000, 1101),
            (Some(100), 101, Some(1500), 1000, 1501),
            (Some(100), 101, Some(90), 0, 101),
            (None, 1, None, 10, 11),
            (Some(100), 5000, None, 10, 5010), // moved before, nothing sold since that was copied
        ] {
            let conn = Connection::open_in_memory().unwrap();
            identify(&conn, &Os, "t1").unwrap();
            if let Some(last) = last {
                conn.execute_batch("CREATE TABLE Ventas(Folio INTEGER PRIMARY KEY, Caja TEXT)").unwrap();
                conn.execute("INSERT INTO Ventas VALUES (?1, 'C1')", [last]).unwrap();
            }
            conn.execute("UPDATE relevo_folio SET next = ?1", [before]).unwrap();
            let (record, rule) = (backup(2, run()), Some(FolioRule { known, gap }));
            put(&conn, &record, rule).unwrap();
            put(&conn, &record, rule).unwrap(); // a repetition does not move it again
            assert_eq!(next(&conn), [expected], "{last:?} {before} {known:?} {gap}");
        }
    }

    #[test]
    fn the_file_never_goes_back_either() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_file(dir.path()).unwrap(), None);
        let record = backup(3, run());
        publish(&Os, dir.path(), &record).unwrap();
        assert_eq!(publish(&Os, dir.path(), &backup(2, run())).unwrap_err().exit, Exit::OtherHolder);
        assert_eq!(read_file(dir.path()).unwrap().unwrap(), record);
        std::fs::write(dir.path().join(EPOCH_FILE), b"{").unwrap();
        assert_eq!(publish(&Os, dir.path(), &record).unwrap_err().kind, "record_file");
    }

    #[test]
    fn an_intent_comes_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let intent = Intent { run: RunId::new(), to: Side::Backup, epoch: Epoch(2) };
        set_intent(&Os, dir.path(), Some(&intent)).unwrap();
        assert_eq!(read_intent(dir.path()).unwrap(), Some(intent));
        set_intent(&Os, dir.path(), None).unwrap();
        set_intent(&Os, dir.path(), None).unwrap();
        assert_eq!(read_intent(dir.path()).unwrap(), None);
    }
}
