//! The journal's file: SQLite, WAL, synchronous=FULL. Rows of a run are chained by hash, since SQLite does not notice a
//! flipped bit: a broken chain stops the run instead of repeating it from a false past. Never on a network share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Exit, Failure, Result, Retry};
use crate::journal::days::Days;
use crate::journal::event::{Event, RunHead};
use crate::journal::log::Log;
use crate::journal::quarantine;
use crate::model::{Hash, RunId, kept};
use crate::text;
use crate::world::{Label, Lock, Moment, World, cpu_count};

/// How long another process may keep the journal busy.
const BUSY: Duration = Duration::from_secs(10);

/// The runs of one store directory.
pub struct Journal {
    connection: Mutex<Connection>,
    locks: PathBuf,
    undo: PathBuf,
    path: PathBuf,
    kept: Mutex<Option<PathBuf>>,
    world: Arc<dyn World>,
}

/// Number, body and chain of an event.
type Row = (i64, String, Vec<u8>);

/// Rows that are not worth a thread of their own.
const FEW: usize = 2_000;

impl Journal {
    /// Opens (and creates) the journal below `state`. One that is no database any more is set aside.
    pub fn open(state: &Path, world: Arc<dyn World>) -> Result<Journal> {
        let path = state.join("journal.db");
        let locks = state.join("runs");
        std::fs::create_dir_all(&locks).map_err(|e| Failure::io(text!("no se pudo crear", "could not create"), &locks, &e))?;
        let (connection, kept) = match connect(&path) {
            Err(error) if quarantine::is_damage(&path, &error) => {
                let still = || connect(&path).is_err_and(|e| quarantine::is_damage(&path, &e));
                let kept = quarantine::set_aside(world.as_ref(), &path, &locks, None, still)?;
                (connect(&path).map_err(|e| broken(&path, &e))?, kept)
            }
            outcome => (outcome.map_err(|e| broken(&path, &e))?, None),
        };
        Ok(Journal { connection: Mutex::new(connection), locks, undo: state.join("undo"), path, kept: Mutex::new(kept), world })
    }

    /// Where a damaged journal is kept that this process has set aside; told once.
    pub fn set_aside(&self) -> Option<PathBuf> {
        self.kept.lock().ok()?.take()
    }

    /// Appends events of a run in one durable commit; `from` is the number of events it already has.
    pub fn append(&self, run: RunId, from: usize, chain: Hash, events: &[Event]) -> Result<Hash> {
        if events.is_empty() {
            return Ok(chain);
        }
        self.reach(Moment::Before)?;
        let mut connection = self.connection()?;
        let chain = match self.append_in(&mut connection, run, from, chain, events) {
            // A run that is not recorded yet loses nothing by beginning in a new journal.
            Err(error) if from == 0 && quarantine::is_damage(&self.path, &error) => {
                let kept = quarantine::set_aside(self.world.as_ref(), &self.path, &self.locks, Some(run), || true)?;
                *connection = connect(&self.path).map_err(|e| broken(&self.path, &e))?;
                if let Ok(mut told) = self.kept.lock() {
                    *told = kept;
                }
                self.append_in(&mut connection, run, from, chain, events)
            }
            outcome => outcome,
        }
        .map_err(|e| broken(&self.path, &e))?;
        drop(connection);
        self.reach(Moment::After)?;
        Ok(chain)
    }

    fn append_in(
        &self,
        connection: &mut Connection,
        run: RunId,
        from: usize,
        mut chain: Hash,
        events: &[Event],
    ) -> rusqlite::Result<Hash> {
        let unwritable = |e: Box<dyn std::error::Error + Send + Sync>| rusqlite::Error::ToSqlConversionFailure(e);
        let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for (offset, event) in events.iter().enumerate() {
            if let Event::Begun { verb, at, .. } = event {
                tx.execute("INSERT INTO run(id, verb, since) VALUES(?1, ?2, ?3)", params![run.to_string(), verb, at])?;
            }
            if let Event::Ended { .. } = event {
                tx.execute("UPDATE run SET ended=1 WHERE id=?1", [run.to_string()])?;
            }
            let body = serde_json::to_string(event).map_err(|e| unwritable(e.into()))?;
            chain = link(chain, &body);
            let seq = i64::try_from(from + offset).map_err(|e| unwritable(e.into()))?;
            tx.execute(
                "INSERT INTO event(run, seq, body, chain) VALUES(?1, ?2, ?3, ?4)",
                params![run.to_string(), seq, body, chain.0],
            )?;
        }
        tx.commit()?;
        Ok(chain)
    }

    /// The state of a run, its events verified, their number, and the end of their chain. Errors: `no_such_run`, `journal_damaged`.
    pub fn load(&self, run: RunId) -> Result<(Log, usize, Hash)> {
        let (mut log, mut count) = (Log::new(run), 0);
        let chain = self.read(run, &mut |event| {
            log.push(&event).map_err(|e| quarantined(run, count, &e.to_string()))?;
            count += 1;
            Ok(())
        })?;
        Ok((log, count, chain))
    }

    /// The events of a run, their chain verified. Errors: as [`Journal::load`].
    pub fn events(&self, run: RunId) -> Result<Vec<Event>> {
        let (mut log, mut events) = (Log::new(run), Vec::new());
        self.read(run, &mut |event| {
            log.push(&event).map_err(|e| quarantined(run, events.len(), &e.to_string()))?;
            events.push(event);
            Ok(())
        })?;
        Ok(events)
    }

    fn read(&self, run: RunId, each: &mut dyn FnMut(Event) -> Result<()>) -> Result<Hash> {
        let connection = self.connection()?;
        let read = || -> rusqlite::Result<(Vec<Row>, bool)> {
            let mut query = connection.prepare("SELECT seq, body, chain FROM event WHERE run=?1 ORDER BY seq")?;
            let rows = query.query_map([run.to_string()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            let rows = rows.collect::<Result<_, _>>()?;
            let listed =
                connection.query_row("SELECT count(*) FROM run WHERE id=?1", [run.to_string()], |r| r.get::<_, i64>(0))?;
            Ok((rows, listed > 0))
        };
        // What cannot be read of a run is that run's damage; the others may be whole.
        let is_this_runs = |e: &rusqlite::Error| quarantine::is_damage(&self.path, e) || e.sqlite_error_code().is_none();
        let (rows, listed) = match read() {
            Err(error) if is_this_runs(&error) => return Err(quarantined(run, 0, &error.to_string())),
            outcome => outcome.map_err(|e| broken(&self.path, &e))?,
        };
        drop(connection);
        if rows.is_empty() && listed {
            return Err(quarantined(run, 0, "its events are gone"));
        }
        if rows.is_empty() {
            return Err(Failure::failed("no_such_run", text!("no existe la corrida {run}", "there is no run {run}"))
                .hint(text!("vea las corridas con: relevo runs", "list the runs with: relevo runs")));
        }
        let damaged = |index: usize, cause: &str| quarantined(run, index, cause);
        let mut chain = Hash([0; 32]);
        // Reading JSON is most of the work: on all cores, while the chain, which cannot be divided, is followed here.
        let per_thread = rows.len().div_ceil(cpu_count()).max(FEW);
        let (read, broken) = std::thread::scope(|scope| {
            let parts: Vec<_> = rows.chunks(per_thread).map(|rows| scope.spawn(|| parse(rows))).collect();
            let broken = rows.iter().enumerate().position(|(index, (seq, body, stored))| {
                chain = link(chain, body);
                *seq != index as i64 || stored[..] != chain.0
            });
            (parts.into_iter().map(|part| part.join().unwrap_or_default()).collect::<Vec<_>>(), broken)
        });
        let mut count = 0;
        for (index, event) in read.into_iter().flatten().enumerate() {
            if broken == Some(index) {
                return Err(damaged(index, "chain"));
            }
            each(event.map_err(|e| damaged(index, &e.to_string()))?)?;
            count += 1;
        }
        if count != rows.len() {
            return Err(damaged(count, "it cannot be read"));
        }
        Ok(chain)
    }

    /// Headers of runs, newest first. What a run was comes from its first event; the table of runs is only an index, and a row of
    /// it that makes no sense hides no other.
    pub fn heads(&self, only_open: bool, limit: usize) -> Result<Vec<RunHead>> {
        let connection = self.connection()?;
        let failed = |e: rusqlite::Error| broken(&self.path, &e);
        let mut query = connection
            .prepare(
                "SELECT id, verb, since, ended, (SELECT body FROM event WHERE run=id AND seq=0) FROM run
                 WHERE ended=0 OR ?1=0 ORDER BY id DESC LIMIT ?2",
            )
            .map_err(failed)?;
        let rows = query
            .query_map(params![only_open, i64::try_from(limit).unwrap_or(i64::MAX)], |r| {
                let words = |at| r.get::<_, String>(at).unwrap_or_default();
                Ok((words(0), words(1), words(2), r.get(3).unwrap_or(false), words(4)))
            })
            .map_err(failed)?;
        let mut heads = Vec::new();
        for row in rows {
            let (id, mut verb, mut since, ended, begun) = row.map_err(failed)?;
            let Ok(id) = id.parse() else { continue };
            if let Ok(Event::Begun { verb: its, at, .. }) = serde_json::from_str(&begun) {
                (verb, since) = (its, at);
            }
            heads.push(RunHead { id, verb, since, ended });
        }
        Ok(heads)
    }

    /// Closes a run whose events are damaged. They stay as they are, for who wants to look.
    pub fn close_damaged(&self, run: RunId) -> Result<()> {
        let connection = self.connection()?;
        connection.execute("UPDATE run SET ended=1 WHERE id=?1", [run.to_string()]).map_err(|e| broken(&self.path, &e))?;
        Ok(())
    }

    /// Keeps the scripts of a run, by content.
    pub fn keep_bundle(&self, hash: Hash, files: &str) -> Result<()> {
        let connection = self.connection()?;
        connection
            .execute("INSERT OR IGNORE INTO bundle(hash, files) VALUES(?1, ?2)", params![hash.to_string(), files])
            .map_err(|e| broken(&self.path, &e))?;
        Ok(())
    }

    /// The scripts of a run.
    pub fn bundle(&self, hash: Hash) -> Result<Option<String>> {
        let connection = self.connection()?;
        connection
            .query_row("SELECT files FROM bundle WHERE hash=?1", [hash.to_string()], |r| r.get(0))
            .optional()
            .map_err(|e| broken(&self.path, &e))
    }

    /// Is the run's owner alive? Only looks: whoever takes the run up at this moment is not disturbed.
    pub fn is_owned(&self, run: RunId) -> bool {
        crate::world::is_locked(&self.locks.join(format!("{run}.lock"))).unwrap_or(true)
    }

    /// Takes a run's lock; `None` while its owner is alive.
    pub fn own(&self, run: RunId) -> Result<Option<Lock>> {
        let path = self.locks.join(format!("{run}.lock"));
        self.world.try_lock(&path).map_err(|e| Failure::io(text!("no se pudo bloquear", "could not lock"), &path, &e))
    }

    /// Drops ended runs up to this one, role changes excepted, and bundles that no run uses.
    fn prune(&self, upto: i64) -> Result<()> {
        const OLD: &str = "SELECT id FROM run WHERE ended=1 AND verb NOT IN ('promote','restore','undo') AND rowid <= ?1";
        let failed = |e: rusqlite::Error| broken(&self.path, &e);
        let gone: Vec<String> = {
            let connection = self.connection()?;
            let mut query = connection.prepare(OLD).map_err(failed)?;
            let rows = query.query_map([upto], |r| r.get(0)).map_err(failed)?;
            let gone = rows.collect::<Result<_, _>>().map_err(failed)?;
            let tx = connection.unchecked_transaction().map_err(failed)?;
            tx.execute(&format!("DELETE FROM event WHERE run IN ({OLD})"), [upto]).map_err(failed)?;
            tx.execute(&format!("DELETE FROM run WHERE id IN ({OLD})"), [upto]).map_err(failed)?;
            tx.execute_batch(
                "DELETE FROM bundle WHERE hash NOT IN (SELECT json_extract(body, '$.bundle') FROM event WHERE seq=0 AND json_extract(body, '$.bundle') IS NOT NULL)",
            )
            .map_err(failed)?;
            tx.commit().map_err(failed)?;
            gone
        };
        let Some(last) = gone.into_iter().max() else { return Ok(()) };
        let connection = self.connection()?;
        let known = |id: &str| {
            connection.query_row("SELECT 1 FROM run WHERE id=?1", [id], |_| Ok(())).optional().map_or(true, |row| row.is_some())
        };
        for entry in std::fs::read_dir(&self.locks).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Also those of runs that never came to an effect. Untidiness is no failure.
            if let Some(id) = name.strip_suffix(".lock")
                && id <= last.as_str()
                && !known(id)
                && !crate::world::is_locked(&entry.path()).unwrap_or(true)
            {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        for entry in std::fs::read_dir(&self.undo).into_iter().flatten().flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            if id <= last && !known(&id) {
                let _ = std::fs::remove_dir_all(entry.path()); // what its steps kept for undo; the next pruning finds it again
            }
        }
        Ok(())
    }

    /// Drops what is old, at most once a day. What it cannot do today it does tomorrow.
    pub fn prune_daily(&self) {
        let path = self.locks.join("pruned");
        let mut days: Days = std::fs::read(&path).ok().and_then(|body| kept::decode(&body).ok()).unwrap_or_default();
        let newest = || -> Result<i64> {
            let connection = self.connection()?;
            connection.query_row("SELECT coalesce(max(rowid), 0) FROM run", [], |r| r.get(0)).map_err(|e| broken(&self.path, &e))
        };
        let pruned = newest().and_then(|newest| {
            let Some(old) = days.work(&self.world.now().date().to_string(), newest) else { return Ok(()) };
            if let Some(upto) = old {
                self.prune(upto)?;
            }
            self.world
                .write_file(Label::StateWrite, &path, &kept::encode(&days))
                .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
        });
        if let Err(error) = pruned {
            tracing::warn!(?error, "pruning");
        }
    }

    fn connection(&self) -> Result<std::sync::MutexGuard<'_, Connection>> {
        self.connection.lock().map_err(|_| no_journal(&self.path, "poisoned"))
    }

    fn reach(&self, moment: Moment) -> Result<()> {
        self.world.reach(Label::JournalCommit, moment).map_err(|e| no_journal(&self.path, &e.to_string()))
    }
}

/// Opens the file, in the form that relevo writes it.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    to_wal(&connection)?;
    connection.execute_batch(
        "PRAGMA synchronous=FULL;
         CREATE TABLE IF NOT EXISTS run(id TEXT PRIMARY KEY, verb TEXT NOT NULL, since TEXT NOT NULL, ended INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE IF NOT EXISTS event(run TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, chain BLOB NOT NULL,
           PRIMARY KEY(run, seq)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS bundle(hash TEXT PRIMARY KEY, files TEXT NOT NULL);",
    )?;
    Ok(connection)
}

/// SQLite does not wait for others while it changes the mode of a new file: two first verbs at once meet here.
fn to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let until = std::time::Instant::now() + BUSY;
    loop {
        match connection.execute_batch("PRAGMA journal_mode=WAL") {
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && std::time::Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

fn parse(rows: &[Row]) -> Vec<serde_json::Result<Event>> {
    rows.iter().map(|(_, body, _)| serde_json::from_str(body)).collect()
}

/// Each row's hash covers the row and all before it.
fn link(chain: Hash, body: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&chain.0).update(body.as_bytes());
    Hash(*hasher.finalize().as_bytes())
}

/// Without a journal there is no effect: the run stops here.
fn broken(path: &Path, error: &rusqlite::Error) -> Failure {
    if quarantine::is_damage(path, error) {
        return quarantine::damaged(path, &error.to_string());
    }
    let failure = no_journal(path, &error.to_string());
    match error.sqlite_error_code() {
        // Not the disk: another process of this machine stopped in the middle of a commit.
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            failure.ending(Exit::Interrupted).retry(Retry::Temporary).hint(text!(
                "otro proceso de relevo no responde en este equipo: espere a que termine o ciérrelo, y repita",
                "another process of relevo hangs on this machine: wait until it ends or close it, then repeat"
            ))
        }
        _ => failure,
    }
}

fn no_journal(path: &Path, cause: &str) -> Failure {
    let shown = path.display();
    Failure::failed(
        "journal",
        text!("no se pudo escribir o leer el diario {shown}", "could not write or read the journal {shown}"),
    )
    .cause(cause)
    .hint(text!(
        "revise el espacio en disco y los permisos; nada se hizo sin quedar anotado",
        "check disk space and rights; nothing was done without being recorded"
    ))
}

fn quarantined(run: RunId, index: usize, cause: &str) -> Failure {
    Failure::new(
        Exit::Stuck,
        "journal_damaged",
        text!(
            "el diario de la corrida {run} está dañado en el evento {index}",
            "the journal of run {run} is damaged at event {index}"
        ),
    )
    .cause(cause)
    .hint(text!(
        "no se continúa desde un pasado falso: vea relevo status, decida con soporte y ciérrela con relevo runs cancel {run}; después relevo promote o relevo restore parte de lo que hay",
        "it is not continued from a false past: see relevo status, decide with support and close it with relevo runs cancel {run}; then relevo promote or relevo restore goes on from what is there"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by the random shop: a verb that hung in the middle of a commit made the others speak of a full disk.
    #[test]
    fn a_journal_that_another_process_keeps_is_no_full_disk() {
        let of = |code| broken(Path::new("journal.db"), &rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        let (busy, full) = (of(rusqlite::ffi::SQLITE_BUSY), of(rusqlite::ffi::SQLITE_FULL));
        assert_eq!((busy.exit, busy.kind.as_str(), busy.retry), (Exit::Interrupted, "journal", Retry::Temporary));
        assert_eq!((full.exit, full.kind.as_str()), (Exit::Failed, "journal"));
        assert_ne!(busy.hint, full.hint);
    }

    #[test]
    fn many_first_verbs_at_once() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let open = || Journal::open(dir.path(), crate::world::real()).map(drop);
            let results: Vec<_> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
                all.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(results.iter().all(Result::is_ok), "{results:?}");
        }
    }
}
