//! The one module that opens a database file, by SQLite or plainly, and owns the rule between the two:
//!
//! SQLite's locks are POSIX locks, and a process loses *all* its locks on a file as soon as it closes *any* handle of it. A plain
//! handle that is closed while a connection of this process is open would silently unlock the database, and another process
//! then corrupts it. So a plain handle of a database file (or of its -shm) is parked until the last connection has closed.

use std::collections::HashMap;
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Failure, Result, Retry};
use crate::text;
use crate::world;

/// How long a connection waits for another's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Open connections of this process, and the plain handles that wait for them, by database path.
static OPEN: Mutex<Option<HashMap<PathBuf, Entry>>> = Mutex::new(None);

#[derive(Default)]
struct Entry {
    connections: usize,
    parked: Vec<File>,
}

/// A connection that is counted.
pub struct Guarded {
    connection: Option<Connection>,
    _count: Count,
}

/// One open connection in the count; dropped after the connection itself.
struct Count(PathBuf);

/// Opens an existing database; never creates one.
pub fn open(path: &Path, write: bool) -> Result<Guarded> {
    // Counted before it is opened: a plain handle that closes meanwhile must wait already.
    let count = Count::new(path);
    let access = if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|e| sql_failure(path, &e))?;
    connection
        .busy_timeout(BUSY)
        .and_then(|()| connection.execute_batch("PRAGMA synchronous=FULL"))
        .map_err(|e| sql_failure(path, &e))?;
    Ok(Guarded { connection: Some(connection), _count: count })
}

/// A plain handle of a database file, or of a file beside it, that is closed only when no connection of this process is open.
pub struct PlainFile {
    file: Option<File>,
    key: PathBuf,
}

/// Opens `path` plainly; `database` is the database it is or belongs to.
pub fn plain_beside(path: &Path, database: &Path, write: bool) -> Result<PlainFile> {
    let file = world::open_shared(path, write).map_err(|e| Failure::io(text!("no se pudo abrir", "could not open"), path, &e))?;
    Ok(PlainFile { file: Some(file), key: key(database) })
}

/// Opens a database file plainly.
pub fn plain(path: &Path, write: bool) -> Result<PlainFile> {
    plain_beside(path, path, write)
}

impl PlainFile {
    /// The handle.
    pub fn file(&self) -> &File {
        match &self.file {
            Some(file) => file,
            None => unreachable!("a PlainFile loses its handle only when it is dropped"),
        }
    }
}

impl Drop for PlainFile {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        entries(|map| {
            if let Some(entry) = map.get_mut(&self.key).filter(|entry| entry.connections > 0) {
                entry.parked.push(file);
            }
        });
    }
}

impl Count {
    fn new(path: &Path) -> Self {
        let key = key(path);
        entries(|map| map.entry(key.clone()).or_default().connections += 1);
        Count(key)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        entries(|map| {
            if let Some(entry) = map.get_mut(&self.0) {
                entry.connections -= 1;
                if entry.connections == 0 {
                    map.remove(&self.0); // and with it the parked handles close
                }
            }
        });
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.connection.take()); // before its count: see the module's rule
    }
}

impl Deref for Guarded {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("a Guarded loses its connection only when it is dropped"),
        }
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Connection {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("a Guarded loses its connection only when it is dropped"),
        }
    }
}

/// The same file has one key, however it is written.
fn key(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

fn entries<T>(with: impl FnOnce(&mut HashMap<PathBuf, Entry>) -> T) -> T {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    with(open.get_or_insert_with(HashMap::new))
}

/// An error of SQLite about this database.
pub fn sql_failure(path: &Path, error: &rusqlite::Error) -> Failure {
    let shown = path.display();
    let failure = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            Failure::failed("database_busy", text!("otro programa tiene ocupada {shown}", "another program keeps {shown} busy"))
                .retry(Retry::Temporary)
        }
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => Failure::failed(
            "database_damaged",
            text!("{shown} está dañada o no es una base", "{shown} is damaged or no database"),
        )
        .hint(text!("no la borre: consérvela y llame a soporte", "do not delete it: keep it and call support")),
        _ => {
            Failure::failed("sql", text!("la base {shown} respondió con un error", "the database {shown} answered with an error"))
        }
    };
    failure.cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(path: &Path) -> usize {
        entries(|map| map.get(&key(path)).map_or(0, |e| e.parked.len()))
    }

    #[test]
    fn a_plain_handle_waits_for_the_last_connection() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(x)").unwrap();
        let (one, two) = (open(&path, true).unwrap(), open(&path, false).unwrap());
        drop(plain(&path, false).unwrap());
        assert_eq!(parked(&path), 1);
        drop(one);
        assert_eq!(parked(&path), 1);
        drop(two);
        assert_eq!(parked(&path), 0);
        drop(plain(&path, false).unwrap());
        assert_eq!(parked(&path), 0, "nothing waits where nobody is connected");
    }
}
