//! The durable part of an instance's own knowledge: `master.mdf`, documents by kind and key. Every change is on disk before the
//! statement that made it answers.
//!
//! SQLite does not wait for the platter here (`synchronous = OFF`): what the simulator promises is that a killed process loses nothing,
//! and what a killed process wrote, the system keeps.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

/// The file of the instance.
#[derive(Debug)]
pub struct Store(Connection);

impl Store {
    /// Opens or creates it, for this process alone: a second instance in the directory would spoil both. One that was killed a moment ago
    /// is waited for.
    pub fn open(path: &Path) -> rusqlite::Result<Store> {
        let to = Connection::open(path)?;
        to.execute_batch(
            "PRAGMA busy_timeout=10000; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF;
             BEGIN EXCLUSIVE;
             CREATE TABLE IF NOT EXISTS document (kind TEXT, key TEXT, json TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
             COMMIT",
        )?;
        Ok(Store(to))
    }

    /// Writes one.
    pub fn put<T: Serialize>(&self, kind: &str, key: &str, value: &T) -> rusqlite::Result<()> {
        let json = serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        self.0.prepare_cached("INSERT OR REPLACE INTO document VALUES (?1, ?2, ?3)")?.execute(params![kind, key, json]).map(drop)
    }

    /// Takes one away.
    pub fn remove(&self, kind: &str, key: &str) -> rusqlite::Result<()> {
        self.0.execute("DELETE FROM document WHERE kind = ?1 AND key = ?2", params![kind, key]).map(drop)
    }

    /// One.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, key: &str) -> rusqlite::Result<Option<T>> {
        let json: Option<String> = self
            .0
            .query_row("SELECT json FROM document WHERE kind = ?1 AND key = ?2", params![kind, key], |row| row.get(0))
            .optional()?;
        json.map(|json| read(&json)).transpose()
    }

    /// All of a kind, by key.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> rusqlite::Result<Vec<T>> {
        let mut query = self.0.prepare("SELECT json FROM document WHERE kind = ?1 ORDER BY key")?;
        let rows = query.query_map([kind], |row| row.get::<_, String>(0))?;
        rows.map(|json| read(&json?)).collect()
    }
}

fn read<T: DeserializeOwned>(json: &str) -> rusqlite::Result<T> {
    serde_json::from_str(json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}
