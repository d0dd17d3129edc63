//! Backup sets: the header in a file, and what msdb remembers of backups and restores.

use uuid::Uuid;

use super::facts::{State, unknown};
use crate::error::{Failure, Result};
use crate::model::Lsn;
use crate::server::sqlserver::rows::Row;

/// Kind of a backup set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// The whole database.
    Full,
    /// Log.
    Log,
    /// Differential.
    Differential,
    /// Of files or filegroups: never ours.
    Partial,
}

/// The header of a backup set (RESTORE HEADERONLY), read by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Kind.
    pub kind: SetKind,
    /// Its place in the file; ours are alone, at 1.
    pub position: i64,
    /// Name that it was given.
    pub name: Option<String>,
    /// The database it is of.
    pub database: String,
    /// Internal version of the database.
    pub version: i64,
    /// Major version of the server that made it.
    pub major: u32,
    /// Begins here.
    pub first: Lsn,
    /// The LSN after its end.
    pub last: Lsn,
    /// Where redo begins, of full backups and differentials.
    pub checkpoint: Lsn,
    /// Identity that all copies of the database share.
    pub family: Uuid,
    /// Fork at its beginning.
    pub first_fork: Uuid,
    /// Fork at its end.
    pub fork: Uuid,
    /// Where the fork changed, if inside.
    pub fork_point: Option<Lsn>,
    /// Base of a differential.
    pub base: Option<Uuid>,
    /// LSN of that base.
    pub base_lsn: Option<Lsn>,
    /// Identity of the set.
    pub set: Option<Uuid>,
    /// Size of the backup, uncompressed.
    pub bytes: u64,
    /// Recovery model at that time.
    pub model: Option<String>,
    /// First of a log chain.
    pub begins_chain: bool,
    /// Taken with COPY_ONLY: no base.
    pub copy_only: bool,
    /// Taken by a snapshot (VSS).
    pub snapshot: bool,
    /// The database was damaged.
    pub damaged: bool,
    /// The database was in single-user mode.
    pub single_user: bool,
    /// It carries checksums.
    pub checksums: bool,
    /// A tail taken without the data files.
    pub incomplete: bool,
    /// A tail: it left the database RESTORING.
    pub tail: bool,
}

impl Header {
    /// From a row of `statements::header`.
    pub fn of_row(row: &Row) -> Result<Header> {
        let must_guid = |column: &str| row.must_guid(column);
        let fork = must_guid("RecoveryForkID")?;
        Ok(Header {
            kind: match row.must_int("BackupType")? {
                1 => SetKind::Full,
                2 => SetKind::Log,
                5 => SetKind::Differential,
                4 | 6 | 7 | 8 => SetKind::Partial,
                other => return Err(unknown("BackupType", &other.to_string())),
            },
            position: row.must_int("Position")?,
            name: row.words("BackupName")?,
            database: row.must_words("DatabaseName")?,
            version: row.must_int("DatabaseVersion")?,
            major: u32::try_from(row.must_int("SoftwareVersionMajor")?).unwrap_or(u32::MAX),
            first: row.must_lsn("FirstLSN")?,
            last: row.must_lsn("LastLSN")?,
            checkpoint: row.must_lsn("CheckpointLSN")?,
            family: must_guid("FamilyGUID")?,
            first_fork: row.guid("FirstRecoveryForkID")?.unwrap_or(fork),
            fork,
            fork_point: row.lsn("ForkPointLSN")?,
            base: row.guid("DifferentialBaseGUID")?,
            base_lsn: row.lsn("DifferentialBaseLSN")?,
            set: row.guid("BackupSetGUID")?,
            bytes: row.int("BackupSize")?.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            model: row.words("RecoveryModel")?,
            begins_chain: row.yes("BeginsLogChain")?,
            copy_only: row.yes("IsCopyOnly")?,
            snapshot: row.yes("IsSnapshot")?,
            damaged: row.yes("IsDamaged")?,
            single_user: row.yes("IsSingleUser")?,
            checksums: row.yes("HasBackupChecksums")?,
            incomplete: row.yes("HasIncompleteMetaData")?,
            tail: row.yes("IsForceOffline")?,
        })
    }

    /// Does this log backup go on from `at`?
    pub fn covers(&self, at: Lsn) -> bool {
        self.kind == SetKind::Log && self.first <= at && at < self.last
    }
}

/// A backup that msdb knows (`statements::backups_since`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number in msdb.
    pub id: i64,
    /// Identity of the set.
    pub set: Option<Uuid>,
    /// Kind; `None` of files and filegroups.
    pub kind: Option<SetKind>,
    /// COPY_ONLY: no base.
    pub copy_only: bool,
    /// By a snapshot (VSS): Windows Server Backup, Veeam, a hypervisor.
    pub snapshot: bool,
    /// Begins here.
    pub first: Option<Lsn>,
    /// The LSN after its end.
    pub last: Option<Lsn>,
    /// Who took it.
    pub user: String,
    /// Name of the set; ours begin with "relevo".
    pub name: String,
    /// Where it was written to.
    pub device: String,
    /// When, as that server's clock says.
    pub finished: Option<String>,
}

impl Taken {
    /// From a row of `statements::backups_since`.
    pub fn of_row(row: &Row) -> Result<Taken> {
        let words = |column: &str| Ok::<_, Failure>(row.words(column)?.unwrap_or_default());
        Ok(Taken {
            id: row.must_int("backup_set_id")?,
            set: row.guid("set_guid")?,
            kind: set_kind(&words("type")?),
            copy_only: row.yes("copy_only")?,
            snapshot: row.yes("snapshot")?,
            first: row.lsn("first_lsn")?,
            last: row.lsn("last_lsn")?,
            user: words("user_name")?,
            name: words("set_name")?,
            device: words("device")?,
            finished: row.words("finished")?,
        })
    }

    /// It was relevo.
    pub fn ours(&self) -> bool {
        self.name.starts_with("relevo")
    }

    /// It became the base of the next differentials.
    pub fn moves_base(&self) -> bool {
        self.kind == Some(SetKind::Full) && !self.copy_only
    }
}

/// The letters of msdb.
fn set_kind(letter: &str) -> Option<SetKind> {
    match letter.trim() {
        "D" => Some(SetKind::Full),
        "I" => Some(SetKind::Differential),
        "L" => Some(SetKind::Log),
        _ => None,
    }
}

/// A restore that msdb knows (`statements::restores`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Kind of what was restored; `None`: something else, or the end of a standby.
    pub kind: Option<SetKind>,
    /// The LSN after its end.
    pub last: Option<Lsn>,
    /// Fork at its end.
    pub fork: Option<Uuid>,
    /// The database was opened by it.
    pub recovery: bool,
}

impl Restored {
    /// From a row of `statements::restores`.
    pub fn of_row(row: &Row) -> Result<Restored> {
        Ok(Restored {
            kind: set_kind(&row.words("restore_type")?.unwrap_or_default()),
            last: row.lsn("last_lsn")?,
            fork: row.guid("last_fork_guid")?,
            recovery: row.yes("recovery")?,
        })
    }
}

/// What a follower waits for: LSN and fork. The server says it of a RESTORING database; of a readable one it may not, then the newest
/// thing restored (`restores` is newest first) tells it.
pub fn redo(state: &State, restores: &[Restored]) -> Option<(Lsn, Option<Uuid>)> {
    if !state.follows() {
        return None;
    }
    state.redo.map(|at| (at, state.redo_fork)).or_else(|| {
        let newest = restores.iter().find(|restored| restored.kind.is_some())?;
        newest.last.filter(|_| !newest.recovery).map(|at| (at, newest.fork))
    })
}
