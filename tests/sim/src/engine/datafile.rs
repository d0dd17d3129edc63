//! The data file of a database is a SQLite file: the user's tables, and beside them `sim_boot` (what the database knows about itself, with
//! the LSN up to which the log is done here), `sim_tables`, `sim_properties`, `sim_principals` and `sim_members`. What is committed is in
//! the log file first (`logfile`); what is in the log and not here is redone at the next start.
//!
//! A rollback journal, not a WAL: the data file is whole whenever nobody commits, so that a copy of it is a copy.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, backup::Backup, params, types::Value as Stored};
use serde::{Deserialize, Serialize};

use super::{
    lsn::Lsn,
    state::{Base, Boot, Recovery, UserAccess},
};

const SCHEMA: &str = "
CREATE TABLE sim_boot (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);
CREATE TABLE sim_tables (id INTEGER PRIMARY KEY AUTOINCREMENT, schema_name TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE, created INTEGER NOT NULL, columns TEXT NOT NULL, UNIQUE (schema_name, name));
CREATE TABLE sim_properties (name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, value TEXT);
CREATE TABLE sim_principals (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE, type TEXT NOT NULL, sid BLOB, authentication INTEGER NOT NULL, created INTEGER NOT NULL);
CREATE TABLE sim_members (role TEXT NOT NULL COLLATE NOCASE, member TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (role, member));
INSERT INTO sqlite_sequence VALUES ('sim_tables', 245575913);
";

/// A parameter of a logged statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Param {
    /// NULL
    Null,
    /// INTEGER
    Whole(i64),
    /// REAL, as bits: JSON would round it.
    Real(u64),
    /// TEXT
    Text(String),
    /// BLOB, in hexadecimal digits.
    Blob(String),
}

impl From<&Stored> for Param {
    fn from(stored: &Stored) -> Param {
        match stored {
            Stored::Null => Param::Null,
            Stored::Integer(whole) => Param::Whole(*whole),
            Stored::Real(real) => Param::Real(real.to_bits()),
            Stored::Text(text) => Param::Text(text.clone()),
            Stored::Blob(bytes) => Param::Blob(hex(bytes)),
        }
    }
}

impl From<&Param> for Stored {
    fn from(param: &Param) -> Stored {
        match param {
            Param::Null => Stored::Null,
            Param::Whole(whole) => Stored::Integer(*whole),
            Param::Real(bits) => Stored::Real(f64::from_bits(*bits)),
            Param::Text(text) => Stored::Text(text.clone()),
            Param::Blob(digits) => Stored::Blob(unhex(digits).unwrap_or_default()),
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Hexadecimal digits as bytes.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

/// A log record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// What a transaction did: SQLite statements with their parameters, that name the file by `alias`.
    Change {
        /// The schema under which the file was attached.
        alias: String,
        /// The statements.
        statements: Vec<(String, Vec<Param>)>,
    },
    /// A full backup became the base of differentials.
    Base(Base),
    /// Options of the database changed, to these.
    Options(Options),
    /// A checkpoint: nothing happened.
    Checkpoint,
}

/// The options that travel in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // Named as the fields of Boot.
pub struct Options {
    pub recovery: Recovery,
    pub access: UserAccess,
    pub read_only: bool,
    pub switches: std::collections::BTreeSet<String>,
    pub broker: bool,
    pub page_verify: String,
    pub owner: Vec<u8>,
    pub compatibility: u8,
    pub data_kb: i64,
    pub log_kb: i64,
}

impl Options {
    /// Those of a database.
    pub fn of(boot: &Boot) -> Options {
        Options {
            recovery: boot.recovery,
            access: boot.access,
            read_only: boot.read_only,
            switches: boot.switches.clone(),
            broker: boot.broker,
            page_verify: boot.page_verify.clone(),
            owner: boot.owner.clone(),
            compatibility: boot.compatibility,
            data_kb: boot.data_kb,
            log_kb: boot.log_kb,
        }
    }

    /// Sets them in a database.
    pub fn set(self, boot: &mut Boot) {
        boot.recovery = self.recovery;
        boot.access = self.access;
        boot.read_only = self.read_only;
        boot.switches = self.switches;
        boot.broker = self.broker;
        boot.page_verify = self.page_verify;
        boot.owner = self.owner;
        boot.compatibility = self.compatibility;
        boot.data_kb = self.data_kb;
        boot.log_kb = self.log_kb;
    }
}

/// A record with its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// Where it begins.
    pub lsn: Lsn,
    /// Where the next one begins.
    pub next: Lsn,
    /// When it was written.
    pub time: i64,
    /// The record, as JSON.
    pub record: String,
}

/// Opens a data file that exists.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let to = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    tune(&to)?;
    Ok(to)
}

fn tune(to: &Connection) -> rusqlite::Result<()> {
    crate::sql::register(to)?;
    to.execute_batch("PRAGMA synchronous=OFF; PRAGMA busy_timeout=30000; PRAGMA cache_spill=OFF; PRAGMA foreign_keys=ON")
}

/// Makes the data file of a new, empty database.
pub fn create(path: &Path, boot: &Boot) -> rusqlite::Result<()> {
    let to = Connection::open(path)?;
    tune(&to)?;
    to.execute_batch("BEGIN")?;
    to.execute_batch(SCHEMA)?;
    for (id, name, kind) in [
        (0, "public", "R"),
        (1, "dbo", "S"),
        (2, "guest", "S"),
        (3, "INFORMATION_SCHEMA", "S"),
        (4, "sys", "S"),
        (16384, "db_owner", "R"),
        (16389, "db_backupoperator", "R"),
        (16390, "db_datareader", "R"),
        (16391, "db_datawriter", "R"),
    ] {
        let sid = if id == 1 { Some(boot.owner.clone()) } else { None };
        let authentication = i32::from(id == 1);
        to.execute(
            "INSERT INTO sim_principals VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, name, kind, sid, authentication, boot.created],
        )?;
    }
    to.execute("INSERT INTO sim_boot VALUES (1, ?1)", [json(boot)?])?;
    to.execute_batch("COMMIT")
}

fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn parsed<T: serde::de::DeserializeOwned>(json: &str) -> rusqlite::Result<T> {
    serde_json::from_str(json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}

/// What the database knows about itself. An error: this is no data file.
pub fn read_boot(from: &Connection) -> rusqlite::Result<Boot> {
    let text: String = from.query_row("SELECT json FROM sim_boot", [], |row| row.get(0))?;
    parsed(&text)
}

/// Writes it.
pub fn write_boot(to: &Connection, alias: &str, boot: &Boot) -> rusqlite::Result<()> {
    to.prepare_cached(&format!("UPDATE \"{alias}\".sim_boot SET json = ?1"))?.execute([json(boot)?]).map(drop)
}

/// Writes it into the file of a database that nobody writes to.
pub fn stamp(path: &Path, boot: &Boot) -> rusqlite::Result<()> {
    write_boot(&open(path)?, "main", boot)
}

/// Gives a record the next place in the log, which moves on. It counts when it is in the log file.
pub fn place(boot: &mut Boot, record: &Record) -> Placed {
    let record = serde_json::to_string(record).unwrap_or_default();
    let lsn = boot.head;
    boot.head = lsn.after(record.len());
    Placed { lsn, next: boot.head, time: super::state::now(), record }
}

/// Copies a data file as it is at this moment, page by page: VACUUM would give rows new places.
pub fn copy(from: &Connection, to: &Path) -> rusqlite::Result<Connection> {
    let mut target = Connection::open(to)?;
    target.execute_batch("PRAGMA synchronous=OFF")?;
    Backup::new(from, &mut target)?.run_to_completion(4096, std::time::Duration::from_millis(1), None)?;
    tune(&target)?;
    Ok(target)
}

/// Redoes records from the database's head on, up to `end` or to a time; what the database is then. All of it or nothing, but where a
/// database was written to under two names in its session.
pub fn redo(path: &Path, boot: &Boot, records: &[Placed], end: Lsn, until: Option<i64>) -> rusqlite::Result<Boot> {
    let mut after = boot.clone();
    let to = Connection::open_in_memory()?;
    tune(&to)?;
    let mut alias = alias(boot);
    attach(&to, path, &alias)?;
    to.execute_batch("BEGIN IMMEDIATE")?;
    let mut end = end;
    for placed in records.iter().filter(|placed| placed.lsn >= boot.head) {
        if until.is_some_and(|until| placed.time > until) {
            end = placed.lsn;
            break;
        }
        let record: Record = parsed(&placed.record)?;
        match record {
            Record::Change { alias: named, statements } => {
                if named != alias {
                    // Written while the file had another name in its session: commit what is done, and call it so here too.
                    after.head = placed.lsn;
                    write_boot(&to, &alias, &after)?;
                    to.execute_batch(&format!("COMMIT; DETACH \"{alias}\""))?;
                    attach(&to, path, &named)?;
                    to.execute_batch("BEGIN IMMEDIATE")?;
                    alias = named;
                }
                for (sql, values) in &statements {
                    run(&to, sql, values)?;
                }
                after.changed = placed.next;
            }
            Record::Base(base) => after.base = Some(base),
            Record::Options(options) => options.set(&mut after),
            Record::Checkpoint => after.checkpoint = placed.lsn,
        }
        after.head = placed.next;
    }
    after.head = if until.is_some() { end } else { after.head.max(end) };
    write_boot(&to, &alias, &after)?;
    to.execute_batch("COMMIT")?;
    Ok(after)
}

fn run(to: &Connection, sql: &str, values: &[Param]) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached(sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values.iter().map(Stored::from)))?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// The schema under which sessions attach a database: the same for all copies of a family, since it stands in the log.
pub fn alias(boot: &Boot) -> String {
    format!("u{}", &boot.family_guid.simple().to_string()[..8])
}

/// Attaches a data file.
pub fn attach(to: &Connection, path: &Path, alias: &str) -> rusqlite::Result<()> {
    to.execute(&format!("ATTACH ?1 AS \"{alias}\""), [path.to_string_lossy()])?;
    // Within a transaction the level stays: slower, not wrong.
    if to.is_autocommit() { to.execute_batch(&format!("PRAGMA \"{alias}\".synchronous=OFF")) } else { Ok(()) }
}
