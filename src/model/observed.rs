//! What looks, scans and copies tell: plain data between servers, plans and steps.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{CopyKind, DatabaseState, EpochRecord, Intent, Lsn, Position};
use crate::text::Text;

/// What one look at a server shows. Looking changes nothing and never fails because the server is away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Its instance, as relevo.toml names it.
    pub instance: String,
    /// The instance can be reached.
    pub reachable: bool,
    /// State of its database.
    pub state: DatabaseState,
    /// Its SvrPdv is alive, or a launch is just starting it.
    pub serving: bool,
    /// The epoch record: the one in the database or the file beside it, whichever is higher. `None`: unknown (unreachable)
    /// or nothing was ever recorded and there is no database.
    pub record: Option<EpochRecord>,
    /// A role change in progress. Kept with the backup; always `None` for main.
    pub intent: Option<Intent>,
    /// The last mirrored position: of the standby what was applied, of an open database what was last copied.
    pub position: Option<Position>,
    /// The copy being applied to the standby when its writer died; it has to be applied again.
    pub applying: Option<String>,
    /// A file beside the database that cannot be believed: which, and what that means.
    #[serde(default)]
    pub trouble: Option<Text>,
}

impl Look {
    /// The instance is reachable and holds a database that programs can open.
    pub fn answers(&self) -> bool {
        self.reachable && self.state == DatabaseState::Open
    }
}

/// Versions that decide whether a database could come back from where it is taken to. `None`: unknown, or it does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Major version of the server.
    pub own: Option<u32>,
    /// Major version of the server that made the copies in its standby.
    pub of_copies: Option<u32>,
}

/// What a server can make next, given the newest copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An increment that goes on from that copy.
    Increment,
    /// A differential of the full copy at the beginning of its chain.
    Differential,
    /// A full copy only.
    Full,
}

/// How a database is closed for every program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fencing {
    /// Set aside as a whole.
    #[default]
    Aside,
    /// What it has last goes on to the other server, which takes over exactly where this one stopped (SQL Server: the log's tail).
    Handover,
}

/// Where a database stands in SQL Server's log and whether the other server's log can be applied to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogState {
    /// Major version of the server (13 = 2016).
    pub major: u32,
    /// Its log is kept: FULL or BULK_LOGGED recovery.
    pub logged: bool,
    /// Identity that all copies of a database share.
    pub family: Option<Uuid>,
    /// It waits for a log from here on (RESTORING).
    pub redo: Option<Lsn>,
    /// The recovery fork that it is on, or waits on.
    pub fork: Option<Uuid>,
    /// Where its own fork began: it was recovered there.
    pub fork_point: Option<Lsn>,
    /// The next log backup begins here.
    pub log_from: Option<Lsn>,
}

/// What came of giving one server the logins of the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginsTaken {
    /// Names of those that were created.
    pub created: Vec<String>,
    /// Names of those that have a new password.
    pub changed: Vec<String>,
    /// Which could not be given, and why.
    pub notes: Vec<Text>,
}

/// Somebody who has the store open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Name of the machine or program.
    pub name: String,
    /// Its process number, where known.
    pub pid: Option<u32>,
}

/// Size of the change that a scan found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Full or increment, as asked.
    pub kind: CopyKind,
    /// Pages that the copy will carry.
    pub pages: u64,
    /// Bytes of the raw artefact.
    pub bytes: u64,
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    /// What the copy carries.
    pub change: Change,
    /// Where it starts; `None` for a full copy.
    pub from: Option<Position>,
    /// Where it ends.
    pub to: Position,
    /// Highest folio in the database, read in the same snapshot.
    pub last_folio: Option<i64>,
}

/// A copy to apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyToApply {
    /// Its name on the target, for standby.json and messages.
    pub name: String,
    /// Full or increment.
    pub kind: CopyKind,
    /// Where the standby must be; `None` for a full copy.
    pub from: Option<Position>,
    /// Where the standby must be afterwards.
    pub to: Position,
    /// Bytes of the raw artefact.
    pub bytes: u64,
}

/// What an unplanned promote does to the folio sequence in the transaction of the epoch record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolioRule {
    /// Highest folio known from the tills' own files.
    pub known: Option<i64>,
    /// Added to the highest applied folio.
    pub gap: i64,
}
