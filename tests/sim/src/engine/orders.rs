//! Faults on order: `sim-orders.json` in the instance's directory, read anew before every statement and at the points named here. Tests
//! write it while the instance runs (a file that cannot be read for the moment leaves the orders as they were); without it, nothing fails.
//!
//! ```json
//! { "capacity": 100000000000, "free": 5000000000,
//!   "system_errors": [{ "prefix": "/srv/share/", "code": 53 }],
//!   "write_errors": [{ "prefix": "/srv/backup/", "code": 112 }],
//!   "denied": ["VIEW SERVER STATE"],
//!   "backup_ms": 20, "restore_ms": 20, "rollback_ms": 500,
//!   "language": "Español", "system_language": "Español",
//!   "snapshots": ["BDPdv"],
//!   "thief": { "database": "BDPdv", "times": 1 },
//!   "abort": [{ "when": "before", "text": "BACKUP LOG", "nth": 2 }, { "when": "percent", "text": "RESTORE", "percent": 50 }],
//!   "damaged": [{ "database": "BDPdv", "page": 77 }],
//!   "enterprise": [{ "database": "BDPdv", "feature": "Compression" }] }
//! ```
//!
//! - `capacity`, `free`: bytes of the volume. A backup that needs more than `free` fails with system error 112, a restore with 3257;
//!   with `free` 0 nothing can be written to a table (9002).
//! - `system_errors`: what opening a path that begins so answers, in the words of the system: 2, 3, 5, 32, 53… `write_errors`: what
//!   writing to it answers once it is open.
//! - `denied`: permissions that nobody has, whatever his roles.
//! - `backup_ms`, `restore_ms`: time for every percent. `rollback_ms`: time that a killed session takes to roll back.
//! - `language`: that of new sessions, whatever their login says. `system_language`: that of the system's own errors.
//! - `snapshots`: databases that another product (a volume snapshot) backs up in full before the next statement, once for every change of
//!   this file: it becomes the base of differentials, and there is no file that RESTORE could read.
//! - `thief`: somebody else (program "competidor") connects as soon as the only place of a SINGLE_USER database is free.
//! - `abort`: the process ends at once, as in a power cut: before or after the nth statement (from 1) whose text contains the words,
//!   whatever the case, or while a BACKUP or RESTORE is at that percent.
//! - `damaged`: pages that cannot be read: BACKUP WITH CHECKSUM fails with 3043, CHECKDB with 824.
//! - `enterprise`: features that are found in `sys.dm_db_persisted_sku_features`.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

/// The file.
pub const FILE: &str = "sim-orders.json";

/// What is ordered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // Said above.
pub struct Orders {
    pub capacity: Option<u64>,
    pub free: Option<u64>,
    pub system_errors: Vec<SystemError>,
    pub write_errors: Vec<SystemError>,
    pub denied: Vec<String>,
    pub backup_ms: u64,
    pub restore_ms: u64,
    pub rollback_ms: u64,
    pub language: Option<String>,
    pub system_language: Option<String>,
    pub snapshots: Vec<String>,
    pub thief: Option<Thief>,
    pub abort: Vec<Abort>,
    pub damaged: Vec<Damaged>,
    pub enterprise: Vec<Enterprise>,
}

/// An error of the system for some paths.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct SystemError {
    pub prefix: String,
    pub code: u32,
}

/// Who takes the SINGLE_USER place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Thief {
    pub database: String,
    #[serde(default = "always")]
    pub times: u32,
}

fn always() -> u32 {
    u32::MAX
}

/// When the process ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Abort {
    pub when: When,
    pub text: String,
    #[serde(default = "first")]
    pub nth: u32,
    #[serde(default)]
    pub percent: u32,
}

fn first() -> u32 {
    1
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum When {
    Before,
    After,
    Percent,
}

/// A page that cannot be read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Damaged {
    pub database: String,
    pub page: u32,
}

/// A feature that only Enterprise has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Enterprise {
    pub database: String,
    pub feature: String,
}

impl Orders {
    /// What opening that path answers.
    pub fn system_error(&self, path: &Path) -> Option<u32> {
        code(&self.system_errors, path)
    }

    /// What writing to it answers.
    pub fn write_error(&self, path: &Path) -> Option<u32> {
        code(&self.write_errors, path)
    }

    /// The first damaged page of a database.
    pub fn damaged(&self, database: &str) -> Option<u32> {
        self.damaged.iter().find(|damaged| super::state::same(&damaged.database, database)).map(|damaged| damaged.page)
    }
}

fn code(errors: &[SystemError], path: &Path) -> Option<u32> {
    let path = path.to_string_lossy().replace('\\', "/").to_lowercase();
    errors.iter().find(|error| path.starts_with(&error.prefix.replace('\\', "/").to_lowercase())).map(|error| error.code)
}

/// The orders as last read, and how often each abort's words were seen.
#[derive(Debug, Default)]
pub struct Standing {
    text: String,
    orders: Orders,
    seen: BTreeMap<usize, u32>,
    /// Places that the thief took.
    pub stolen: u32,
    /// Snapshots that are still to be made.
    pub snapshots: Vec<String>,
}

impl Standing {
    /// Reads them anew.
    pub fn read(&mut self, dir: &Path) -> &Orders {
        let text = std::fs::read_to_string(dir.join(FILE)).unwrap_or_default();
        if text != self.text {
            let read = if text.is_empty() { Ok(Orders::default()) } else { serde_json::from_str(&text) };
            if let Ok(orders) = read {
                self.snapshots.clone_from(&orders.snapshots);
                self.orders = orders;
                self.text = text;
                self.seen.clear();
                self.stolen = 0;
            }
        }
        &self.orders
    }

    /// Does the process end now?
    pub fn aborts(&mut self, dir: &Path, when: When, text: &str, percent: u32) -> bool {
        self.read(dir);
        let text = text.to_lowercase();
        let mut ends = false;
        for (at, abort) in self.orders.abort.iter().enumerate() {
            if abort.when != when || !text.contains(&abort.text.to_lowercase()) {
                continue;
            }
            if when == When::Percent {
                ends |= percent >= abort.percent;
            } else {
                let seen = self.seen.entry(at).or_default();
                *seen += 1;
                ends |= *seen == abort.nth;
            }
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_anew_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut standing = Standing::default();
        assert!(!standing.aborts(dir.path(), When::Before, "BACKUP LOG [x]", 0));
        std::fs::write(dir.path().join(FILE), r#"{"abort":[{"when":"before","text":"backup log","nth":2}],"free":7}"#).unwrap();
        assert_eq!(standing.read(dir.path()).free, Some(7));
        assert!(!standing.aborts(dir.path(), When::Before, "BACKUP LOG [x]", 0));
        assert!(!standing.aborts(dir.path(), When::After, "BACKUP LOG [x]", 0));
        assert!(standing.aborts(dir.path(), When::Before, "backup  BACKUP LOG [x]", 0));
        std::fs::write(dir.path().join(FILE), "{ half").unwrap();
        assert_eq!(standing.read(dir.path()).free, Some(7));
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        assert_eq!(standing.read(dir.path()).free, None);
    }

    #[test]
    fn a_path_is_matched_by_how_it_begins() {
        let orders: Orders = serde_json::from_str(r#"{"system_errors":[{"prefix":"C:\\X\\","code":5}]}"#).unwrap();
        assert_eq!(orders.system_error(Path::new("c:/x/y.bak")), Some(5));
        assert_eq!(orders.system_error(Path::new("c:/y.bak")), None);
    }
}
