//! BACKUP, and what it leaves in msdb.

use super::{BackupName, DatabaseName, ServerPath, ServerTime, Statement, in_turn};
use crate::error::{Failure, Result};
use crate::text;

/// Leave to compress: given only where the edition can. Express answers COMPRESSION with error 1844.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression(());

impl Compression {
    /// `engine_edition` and `edition_id` as SERVERPROPERTY gives them: Enterprise, Developer and Evaluation are edition 3; among those
    /// of edition 2 only Standard compresses (Web shares the number, so the id decides).
    pub fn of(engine_edition: i64, edition_id: i64) -> Option<Compression> {
        (engine_edition == 3 || matches!(edition_id, -1_534_726_760 | -1_785_266_663)).then_some(Compression(()))
    }
}

/// The files that a backup is written to or read from: one, or up to 64 stripes, all of them needed to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices(Vec<ServerPath>);

impl Devices {
    /// One file.
    pub fn one(path: ServerPath) -> Self {
        Devices(vec![path])
    }

    /// Stripes, in their order.
    pub fn stripes(paths: Vec<ServerPath>) -> Result<Self> {
        if (1..=64).contains(&paths.len()) {
            return Ok(Devices(paths));
        }
        let count = paths.len();
        Err(Failure::invalid("sql_stripes", text!("un respaldo en {count} archivos", "a backup in {count} files"))
            .hint(text!("de 1 a 64", "from 1 to 64")))
    }

    /// Their paths.
    pub fn paths(&self) -> &[ServerPath] {
        &self.0
    }

    /// `DISK=N'…', DISK=N'…'`
    pub(super) fn list(&self) -> String {
        let each: Vec<String> = self.0.iter().map(|path| format!("DISK={}", path.literal())).collect();
        each.join(", ")
    }
}

/// How the database is closed with its last backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Online and sound: everybody is put out in the same batch.
    Planned,
    /// The database is damaged, its log can be read (NO_TRUNCATE).
    Damaged,
    /// Damaged, and NO_TRUNCATE was refused.
    DamagedContinue,
}

/// Kind of a backup, with what may be said about it. A combination that the server refuses or ignores (COPY_ONLY with DIFFERENTIAL) does
/// not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupKind {
    /// The whole database.
    Full {
        /// Does not become the base of differentials: safety copies, and seeds beside another backup product.
        copy_only: bool,
    },
    /// What changed since the base.
    Differential,
    /// The log since the last log backup.
    Log,
    /// The tail of the log; the database is left RESTORING, that is fenced.
    Tail(Fence),
    /// A last differential, then OFFLINE as the fence: SIMPLE has no tail. Everybody is put out in the same batch.
    FinalDifferential,
    /// A last full backup, then OFFLINE, in one batch: a fail-back in whole.
    FinalFull,
}

/// A backup to be taken. FORMAT always: one set in a file, so that FILE=1 is the set. CHECKSUM always.
#[derive(Clone, Debug)]
pub struct Backup<'a> {
    /// Of which database.
    pub database: &'a DatabaseName,
    /// What is backed up.
    pub kind: BackupKind,
    /// Where to, on that server.
    pub to: &'a Devices,
    /// The name of the set: tells ours from those of others.
    pub name: &'a BackupName,
    /// Leave to compress.
    pub compression: Option<Compression>,
}

impl Backup<'_> {
    /// The batch.
    pub fn statement(&self) -> Statement {
        let database = self.database.identifier();
        let out = format!("ALTER DATABASE {database} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;");
        let offline = format!("ALTER DATABASE {database} SET OFFLINE WITH ROLLBACK IMMEDIATE;");
        let whole = |options| self.words("DATABASE", options);
        let log = |options| self.words("LOG", options);
        let (name, text) = match self.kind {
            BackupKind::Full { copy_only: false } => ("backup_full", whole("")),
            BackupKind::Full { copy_only: true } => ("backup_copy", whole("COPY_ONLY, ")),
            BackupKind::Differential => ("backup_differential", whole("DIFFERENTIAL, ")),
            BackupKind::Log => ("backup_log", log("")),
            BackupKind::Tail(Fence::Planned) => ("backup_tail", in_turn(&[out, log("NORECOVERY, ")])),
            BackupKind::Tail(Fence::Damaged) => ("backup_tail_damaged", log("NO_TRUNCATE, NORECOVERY, ")),
            BackupKind::Tail(Fence::DamagedContinue) => ("backup_tail_continue", log("CONTINUE_AFTER_ERROR, NORECOVERY, ")),
            BackupKind::FinalDifferential => ("backup_final_differential", in_turn(&[out, whole("DIFFERENTIAL, "), offline])),
            BackupKind::FinalFull => ("backup_final_full", in_turn(&[out, whole(""), offline])),
        };
        Statement::new(name, text).long()
    }

    fn words(&self, what: &str, options: &str) -> String {
        let (database, to, name) = (self.database.identifier(), self.to.list(), self.name.literal());
        let stats = if what == "LOG" { 10 } else { 5 };
        let compression = if self.compression.is_some() { ", COMPRESSION" } else { "" };
        format!("BACKUP {what} {database} TO {to} WITH {options}FORMAT, CHECKSUM, STATS={stats}, NAME={name}{compression};")
    }
}

/// Forgets the history of backups and restores that is older than `oldest`: msdb grows with every backup.
pub fn clean_history(oldest: &ServerTime) -> Statement {
    Statement::new("clean_history", format!("EXEC msdb.dbo.sp_delete_backuphistory @oldest_date={};", oldest.literal())).long()
}
