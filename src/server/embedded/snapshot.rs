//! A consistent view of all pages while tills write, without copying the database first.
//!
//! A connection begins to read between two looks at the wal-index that say the same: then its view is just what they say. Its read
//! mark pins every frame committed so far, and no checkpoint writes later frames into the file, so what the index said (frames,
//! how far it is checkpointed) stays true while the reader lives. Where everything is checkpointed the reader may hold mark 0:
//! then the file alone is complete and frozen, and the WAL, which a later writer may restart, is not read at all.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Failure, Result, Retry};
use crate::model::DatabaseState;
use crate::text;
use crate::world::read_exact_at;

use super::connection::{self, Guarded, PlainFile, sql_failure};
use super::header;
use super::pages::lock_page;

/// Bytes of the WAL's header, and of each frame's.
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// How long a busy database is tried for a moment between two commits.
const PIN_WITHIN: Duration = Duration::from_secs(10);

/// A view of a database: its pages, and the connection that pins them.
pub struct Snapshot {
    // Dropped after the plain handles, which connection.rs parks until then.
    pages: Pages,
    reader: Option<Guarded>,
}

/// The pages of a view; threads share it.
pub struct Pages {
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages, from 1.
    pub page_count: u32,
    path: std::path::PathBuf,
    /// Page → offset of its content in the WAL, where the WAL has a newer one than the file.
    frames: HashMap<u32, u64>,
    wal: Option<PlainFile>,
    length: u64,
    file: PlainFile,
}

/// What the wal-index says.
struct Index {
    head: [u8; 48],
    frames: u32,
    checkpointed: u32,
    salts: [u8; 8],
}

impl Snapshot {
    /// Of a database in any state that has content.
    pub fn of(path: &Path) -> Result<Snapshot> {
        match header::state_of(path)? {
            DatabaseState::Open => Snapshot::live(path),
            DatabaseState::Standby | DatabaseState::Fenced => Snapshot::frozen(path),
            DatabaseState::Missing | DatabaseState::Unknown => {
                let shown = path.display();
                Err(Failure::failed("no_database", text!("{shown} no es una base de datos", "{shown} is no database")))
            }
        }
    }

    /// Of a file that no program can open: it does not change.
    pub fn frozen(path: &Path) -> Result<Snapshot> {
        let file = connection::plain(path, false)?;
        let length = file.file().metadata().map_err(|e| Failure::io(text!("no se pudo leer", "could not read"), path, &e))?.len();
        let size = header::read(path)?.as_ref().and_then(|h| header::page_size(h)).filter(|size| length % u64::from(*size) == 0);
        let Some(page_size) = size else {
            let shown = path.display();
            return Err(Failure::failed(
                "copy_damaged",
                text!("{shown} está truncado o no es una base", "{shown} is truncated or no database"),
            ));
        };
        let page_count = u32::try_from(length / u64::from(page_size)).unwrap_or(u32::MAX);
        let pages = Pages { page_size, page_count, path: path.to_owned(), frames: HashMap::new(), wal: None, length, file };
        Ok(Snapshot { pages, reader: None })
    }

    fn live(path: &Path) -> Result<Snapshot> {
        let sql = |e: rusqlite::Error| sql_failure(path, &e);
        let io = |e: std::io::Error| Failure::io(text!("no se pudo leer", "could not read"), path, &e);
        let file = connection::plain(path, false)?;
        let reader = connection::open(path, false)?;
        let touch = || reader.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get::<_, i64>(0)).map_err(sql);
        touch()?; // opens the WAL and its index, recovers them where a power cut left them
        let mode: String = reader.query_row("PRAGMA journal_mode", [], |r| r.get(0)).map_err(sql)?;
        let index = if mode == "wal" { Some(pin(&reader, path, &touch)?) } else { None };
        if index.is_none() {
            // Rollback mode: the reader's shared lock alone keeps every writer out of the file.
            reader.execute_batch("BEGIN").map_err(sql)?;
            touch()?;
        }
        let number = |sql: &str| reader.query_row(sql, [], |r| r.get::<_, u32>(0));
        let (page_size, page_count) = (number("PRAGMA page_size").map_err(sql)?, number("PRAGMA page_count").map_err(sql)?);
        let (mut frames, mut wal) = (HashMap::new(), None);
        if let Some(index) = index.filter(|index| index.checkpointed < index.frames) {
            let open = connection::plain_beside(&header::beside(path)[0], path, false)?;
            frames = read_frames(&open, &index, page_size).map_err(io)?;
            wal = Some(open);
        }
        let length = file.file().metadata().map_err(io)?.len();
        let pages = Pages { page_size, page_count, path: path.to_owned(), frames, wal, length, file };
        Ok(Snapshot { pages, reader: Some(reader) })
    }

    /// The connection that pins the view, to query in the same snapshot; none where the file is frozen.
    pub fn reader(&self) -> Option<&Guarded> {
        self.reader.as_ref()
    }
}

impl std::ops::Deref for Snapshot {
    type Target = Pages;
    fn deref(&self) -> &Pages {
        &self.pages
    }
}

impl Pages {
    /// Bytes of the whole database.
    pub fn bytes(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.page_count)
    }

    /// Reads `count` pages from `first` (from 1) into `buffer`, page 1 normalised, the lock page as zeros.
    pub fn read_pages(&self, first: u32, count: u32, buffer: &mut Vec<u8>) -> Result<()> {
        let size = self.page_size as usize;
        buffer.clear();
        buffer.resize(size * count as usize, 0);
        let lock = lock_page(self.page_size);
        let failed = |e: std::io::Error| {
            let shown = self.path.display();
            Failure::io(text!("no se pudo leer", "could not read"), &self.path, &e)
                .cause(format!("{shown}: page {first} + {count}"))
                .retry(Retry::Permanent)
        };
        // Around the lock page, since on Windows a read that touches locked bytes fails.
        let mut from = first;
        while from < first + count {
            if from == lock {
                from += 1;
                continue;
            }
            let to = if from < lock && lock < first + count { lock } else { first + count };
            self.read_run(from, to, &mut buffer[(from - first) as usize * size..(to - first) as usize * size]).map_err(failed)?;
            from = to;
        }
        for page in (first..first + count).filter(|p| *p != lock) {
            if let (Some(offset), Some(wal)) = (self.frames.get(&page), &self.wal) {
                let at = (page - first) as usize * size;
                read_exact_at(wal.file(), &mut buffer[at..at + size], *offset).map_err(failed)?;
            }
        }
        if first == 1 {
            header::normalise(buffer);
        }
        Ok(())
    }

    /// Pages that are only in the WAL may lie beyond the end of the file.
    fn read_run(&self, from: u32, to: u32, buffer: &mut [u8]) -> std::io::Result<()> {
        let size = u64::from(self.page_size);
        let start = u64::from(from - 1) * size;
        let end = (u64::from(to - 1) * size).min(self.length);
        if start >= end {
            return Ok(());
        }
        let length = usize::try_from(end - start).unwrap_or(usize::MAX);
        read_exact_at(self.file.file(), &mut buffer[..length], start)
    }
}

/// Begins to read and finds out which view that is: where the index says the same before and after, the reader has just that.
/// Nobody waits for us: a till that sells without a pause would starve whoever asks for the write lock.
fn pin(reader: &Guarded, path: &Path, touch: &dyn Fn() -> Result<i64>) -> Result<Index> {
    let sql = |e: rusqlite::Error| sql_failure(path, &e);
    let shm = &header::beside(path)[1];
    let until = Instant::now() + PIN_WITHIN;
    loop {
        let before = read_index(shm, path)?;
        reader.execute_batch("BEGIN").map_err(sql)?;
        touch()?;
        let after = read_index(shm, path)?;
        match (before, after) {
            (Some(before), Some(after)) if before.head == after.head => return Ok(after),
            _ if Instant::now() > until => {
                let shown = path.display();
                return Err(Failure::failed(
                    "database_busy",
                    text!("{shown} cambia sin pausa", "{shown} changes without a pause"),
                )
                .retry(Retry::Temporary));
            }
            _ => reader.execute_batch("ROLLBACK").map_err(sql)?,
        }
    }
}

/// The wal-index header (SQLite file format, "WAL-Index format"): two equal copies of 48 bytes, then the checkpoint info.
fn read_index(shm: &Path, database: &Path) -> Result<Option<Index>> {
    let file = connection::plain_beside(shm, database, false)?;
    let mut bytes = [0; 100];
    read_exact_at(file.file(), &mut bytes, 0).map_err(|e| Failure::io(text!("no se pudo leer", "could not read"), shm, &e))?;
    let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if bytes[..48] != bytes[48..96] {
        return Ok(None); // a writer is just changing it
    }
    if word(0) != 3_007_000 {
        let shown = shm.display();
        return Err(Failure::failed(
            "wal_index_unknown",
            text!("{shown} no tiene el formato esperado", "{shown} has not the format that was expected"),
        ));
    }
    let mut head = [0; 48];
    head.copy_from_slice(&bytes[..48]);
    let mut salts = [0; 8];
    salts.copy_from_slice(&bytes[32..40]);
    Ok(Some(Index { head, frames: word(16), checkpointed: word(96), salts }))
}

/// Page → offset of its last committed content in the WAL.
fn read_frames(wal: &PlainFile, index: &Index, page_size: u32) -> std::io::Result<HashMap<u32, u64>> {
    let stale = || std::io::Error::other("the WAL does not belong to its index");
    let mut head = [0; WAL_HEADER as usize];
    read_exact_at(wal.file(), &mut head, 0)?;
    if head[16..24] != index.salts {
        return Err(stale());
    }
    let mut frames = HashMap::new();
    for frame in 0..u64::from(index.frames) {
        let at = WAL_HEADER + frame * (FRAME_HEADER + u64::from(page_size));
        let mut head = [0; FRAME_HEADER as usize];
        read_exact_at(wal.file(), &mut head, at)?;
        if head[8..16] != index.salts {
            return Err(stale());
        }
        frames.insert(u32::from_be_bytes([head[0], head[1], head[2], head[3]]), at + FRAME_HEADER);
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn database(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("BDPdv.db");
        let c = Connection::open(&path).unwrap();
        c.execute_batch("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)")
            .unwrap();
        path
    }

    fn insert(c: &Connection, n: usize) {
        for _ in 0..n {
            c.execute("INSERT INTO t(body) VALUES(randomblob(900))", []).unwrap();
        }
    }

    /// What the snapshot gives, opened by stock SQLite.
    fn materialise(snapshot: &Snapshot, to: &Path) -> i64 {
        let mut bytes = Vec::new();
        snapshot.read_pages(1, snapshot.page_count, &mut bytes).unwrap();
        std::fs::write(to, bytes).unwrap();
        let c = Connection::open(to).unwrap();
        let ok: String = c.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
        assert_eq!(ok, "ok");
        c.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap()
    }

    #[test]
    fn frames_of_the_wal_are_seen_and_later_commits_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path());
        let c = Connection::open(&path).unwrap();
        insert(&c, 50);
        let snapshot = Snapshot::of(&path).unwrap();
        insert(&c, 30);
        c.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
        insert(&c, 10);
        assert_eq!(materialise(&snapshot, &dir.path().join("a.db")), 50);
    }

    #[test]
    fn a_fully_checkpointed_wal_that_is_restarted_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path());
        let c = Connection::open(&path).unwrap();
        insert(&c, 40);
        c.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let snapshot = Snapshot::of(&path).unwrap();
        insert(&c, 200); // restarts the WAL under a reader of mark 0
        let _ = c.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
        insert(&c, 200);
        assert_eq!(materialise(&snapshot, &dir.path().join("a.db")), 40);
    }

    #[test]
    fn the_last_connection_closed_and_there_is_no_wal() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path());
        insert(&Connection::open(&path).unwrap(), 7);
        assert!(!header::beside(&path)[0].exists());
        assert_eq!(materialise(&Snapshot::of(&path).unwrap(), &dir.path().join("a.db")), 7);
    }

    #[test]
    fn rollback_mode_after_a_detach_that_did_not_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path());
        let c = Connection::open(&path).unwrap();
        insert(&c, 9);
        c.execute_batch("PRAGMA journal_mode=DELETE").unwrap();
        drop(c);
        assert!(header::is_rollback(&path).unwrap());
        assert_eq!(materialise(&Snapshot::of(&path).unwrap(), &dir.path().join("a.db")), 9);
    }

    /// A till that never lets go of the write lock for long does not keep the mirror out.
    #[test]
    fn beside_a_transaction_that_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path());
        let c = Connection::open(&path).unwrap();
        insert(&c, 5);
        c.execute_batch("BEGIN IMMEDIATE; INSERT INTO t(body) VALUES(randomblob(9))").unwrap();
        assert_eq!(materialise(&Snapshot::of(&path).unwrap(), &dir.path().join("a.db")), 5);
    }

    /// Tills of four threads commit all the time; every snapshot is whole and never goes back.
    #[test]
    fn while_tills_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path());
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let c = Connection::open(&path).unwrap();
                    c.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                    c.execute_batch("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=50").unwrap();
                    while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                        insert(&c, 1);
                    }
                });
            }
            let mut last = 0;
            for n in 0..25 {
                let count = materialise(&Snapshot::of(&path).unwrap(), &dir.path().join(format!("{n}.db")));
                assert!(count >= last, "{count} after {last}");
                last = count;
            }
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        });
    }
}
