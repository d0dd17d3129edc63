//! RESTORE: what a backup file says, and bringing a database forward.

use super::{Column, DatabaseName, Devices, LogicalName, ServerPath, Statement};
use crate::server::sqlserver::decide::ReplaceToken;

/// Where a file of the backup goes. One for every row of the file list, since the two servers keep their files elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The file, by its name in the database.
    pub logical: LogicalName,
    /// Its place on this server.
    pub to: ServerPath,
}

/// What is restored.
#[derive(Clone, Debug)]
pub enum RestoreKind {
    /// A full backup. REPLACE only with a token that `decide` gave for this very database.
    Full {
        /// Leave to write over what is there.
        replace: Option<ReplaceToken>,
    },
    /// A differential.
    Differential,
    /// A log backup.
    Log,
}

/// How the database is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// RESTORING: it takes the next backup, nobody can open it.
    NoRecovery,
    /// Open. It begins a new recovery fork.
    Recovery,
    /// Readable, and still takes the next backup; this undo file must not be lost.
    Standby(ServerPath),
}

impl Recovery {
    fn words(&self) -> String {
        match self {
            Recovery::NoRecovery => "NORECOVERY".to_owned(),
            Recovery::Recovery => "RECOVERY".to_owned(),
            Recovery::Standby(undo) => format!("STANDBY={}", undo.literal()),
        }
    }
}

/// A restore. FILE=1 always, as every file of ours holds one set.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    /// Which database.
    pub database: &'a DatabaseName,
    /// What.
    pub kind: RestoreKind,
    /// From where, on this server.
    pub from: &'a Devices,
    /// Where its files go. A log backup needs it for files that were added to the database.
    pub moves: &'a [Move],
    /// How it is left.
    pub recovery: Recovery,
    /// The one before was interrupted (4319): go on.
    pub restart: bool,
    /// Compare the checksum of the backup; false only where the set has none (3187).
    pub checksum: bool,
}

impl Restore<'_> {
    /// The batch. A token for another database adds nothing: the server then refuses by itself.
    pub fn statement(&self) -> Statement {
        let (name, what, replace) = match &self.kind {
            RestoreKind::Full { replace } => ("restore_full", "DATABASE", replace.as_ref()),
            RestoreKind::Differential => ("restore_differential", "DATABASE", None),
            RestoreKind::Log => ("restore_log", "LOG", None),
        };
        let mut options = vec!["FILE=1".to_owned(), self.recovery.words()];
        if self.checksum {
            options.push("CHECKSUM".to_owned());
        }
        options.push("STATS=5".to_owned());
        if replace.is_some_and(|token| token.is_for(self.database)) {
            options.push("REPLACE".to_owned());
        }
        if self.restart {
            options.push("RESTART".to_owned());
        }
        options.extend(self.moves.iter().map(|file| format!("MOVE {} TO {}", file.logical.literal(), file.to.literal())));
        let (database, from) = (self.database.identifier(), self.from.list());
        Statement::new(name, format!("RESTORE {what} {database} FROM {from} WITH {};", options.join(", "))).long()
    }
}

/// Opens a database that follows, without a backup: the point of no return of a promote.
pub fn recover(database: &DatabaseName) -> Statement {
    Statement::new("recover", format!("RESTORE DATABASE {} WITH RECOVERY;", database.identifier())).long()
}

/// Makes a database that follows readable meanwhile, after the last of several backups.
pub fn standby(database: &DatabaseName, undo: &ServerPath) -> Statement {
    let text = format!("RESTORE DATABASE {} WITH STANDBY={};", database.identifier(), undo.literal());
    Statement::new("standby", text).long()
}

/// Reads the whole backup and compares its checksums; writes nothing.
pub fn verify(from: &Devices, checksum: bool) -> Statement {
    let checksum = if checksum { ", CHECKSUM" } else { "" };
    Statement::new("verify", format!("RESTORE VERIFYONLY FROM {} WITH FILE=1{checksum};", from.list())).long()
}

/// What the sets in a backup say of themselves. Read by name: a newer server answers more columns.
pub fn header(from: &Devices) -> Statement {
    Statement::new("header", format!("RESTORE HEADERONLY FROM {};", from.list())).returning(&HEADER).long()
}

/// The files of the database in a backup.
pub fn file_list(from: &Devices) -> Statement {
    Statement::new("file_list", format!("RESTORE FILELISTONLY FROM {} WITH FILE=1;", from.list())).returning(&FILES).long()
}

/// Of RESTORE HEADERONLY, what is used.
const HEADER: [Column; 31] = [
    Column::own("BackupName", "nvarchar(128)"),
    Column::own("BackupType", "smallint"),
    Column::own("Position", "smallint"),
    Column::own("ServerName", "nvarchar(128)"),
    Column::own("DatabaseName", "nvarchar(128)"),
    Column::own("DatabaseVersion", "int"),
    Column::own("BackupSize", "numeric(20,0)"),
    Column::own("FirstLSN", "numeric(25,0)"),
    Column::own("LastLSN", "numeric(25,0)"),
    Column::own("CheckpointLSN", "numeric(25,0)"),
    Column::own("DatabaseBackupLSN", "numeric(25,0)"),
    Column::own("BackupFinishDate", "datetime, local time of that server"),
    Column::own("SoftwareVersionMajor", "int"),
    Column::own("RecoveryForkID", "uniqueidentifier"),
    Column::own("FamilyGUID", "uniqueidentifier"),
    Column::own("HasBulkLoggedData", "bit"),
    Column::own("IsSnapshot", "bit"),
    Column::own("IsSingleUser", "bit"),
    Column::own("HasBackupChecksums", "bit"),
    Column::own("IsDamaged", "bit"),
    Column::own("BeginsLogChain", "bit"),
    Column::own("HasIncompleteMetaData", "bit"),
    Column::own("IsForceOffline", "bit"),
    Column::own("IsCopyOnly", "bit"),
    Column::own("FirstRecoveryForkID", "uniqueidentifier"),
    Column::own("ForkPointLSN", "numeric(25,0) NULL"),
    Column::own("RecoveryModel", "nvarchar(60)"),
    Column::own("DifferentialBaseLSN", "numeric(25,0) NULL"),
    Column::own("DifferentialBaseGUID", "uniqueidentifier NULL"),
    Column::own("BackupSetGUID", "uniqueidentifier NULL"),
    Column::own("BindingID", "uniqueidentifier"),
];

/// Of RESTORE FILELISTONLY, what is used.
const FILES: [Column; 5] = [
    Column::own("LogicalName", "nvarchar(128)"),
    Column::own("PhysicalName", "nvarchar(260)"),
    Column::own("Type", "char(1): D, L, F or S"),
    Column::own("Size", "numeric(20,0), bytes"),
    Column::own("FileId", "bigint"),
];
