//! BACKUP, RESTORE and DBCC.

use super::Text;

/// DATABASE or LOG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// DATABASE
    Database,
    /// LOG
    Log,
}

/// A backup device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// DISK = path
    Disk(Text),
    /// The name of a device that was defined with sp_addumpdevice.
    Logical(Text),
}

/// BACKUP DATABASE, BACKUP LOG.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// Of what.
    pub scope: Scope,
    /// The database.
    pub database: Text,
    /// TO …
    pub devices: Vec<Device>,
    /// WITH …
    pub options: BackupOptions,
}

/// WITH options of BACKUP. `None`: not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackupOptions {
    /// DIFFERENTIAL
    pub differential: bool,
    /// COPY_ONLY
    pub copy_only: bool,
    /// FORMAT (true), NOFORMAT (false)
    pub format: Option<bool>,
    /// INIT (true), NOINIT (false)
    pub init: Option<bool>,
    /// SKIP (true), NOSKIP (false)
    pub skip: Option<bool>,
    /// CHECKSUM (true), NO_CHECKSUM (false)
    pub checksum: Option<bool>,
    /// CONTINUE_AFTER_ERROR (true), STOP_ON_ERROR (false)
    pub continue_after_error: Option<bool>,
    /// COMPRESSION (true), NO_COMPRESSION (false)
    pub compression: Option<bool>,
    /// COMPRESSION (ALGORITHM = x), in upper case
    pub algorithm: Option<String>,
    /// COMPRESSION (…, LEVEL = x), in upper case
    pub level: Option<String>,
    /// STATS: `Some(None)` without a number.
    pub stats: Option<Option<i64>>,
    /// NAME
    pub name: Option<Text>,
    /// DESCRIPTION
    pub description: Option<Text>,
    /// MEDIANAME
    pub media_name: Option<Text>,
    /// MEDIADESCRIPTION
    pub media_description: Option<Text>,
    /// EXPIREDATE
    pub expire_date: Option<Text>,
    /// RETAINDAYS
    pub retain_days: Option<i64>,
    /// BLOCKSIZE
    pub block_size: Option<i64>,
    /// BUFFERCOUNT
    pub buffer_count: Option<i64>,
    /// MAXTRANSFERSIZE
    pub max_transfer_size: Option<i64>,
    /// NORECOVERY (LOG only)
    pub no_recovery: bool,
    /// STANDBY = undo file (LOG only)
    pub standby: Option<Text>,
    /// NO_TRUNCATE (LOG only)
    pub no_truncate: bool,
}

/// RESTORE DATABASE, RESTORE LOG.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    /// Of what.
    pub scope: Scope,
    /// The database.
    pub database: Text,
    /// FROM …; empty without it.
    pub devices: Vec<Device>,
    /// FROM DATABASE_SNAPSHOT = x
    pub snapshot: Option<Text>,
    /// WITH …
    pub options: RestoreOptions,
}

/// What state a RESTORE leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Recovery {
    /// RECOVERY, or nothing said
    #[default]
    Recovery,
    /// NORECOVERY
    NoRecovery,
    /// STANDBY = undo file
    Standby(Text),
}

/// WITH options of RESTORE. `None`: not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestoreOptions {
    /// RECOVERY, NORECOVERY, STANDBY
    pub recovery: Recovery,
    /// FILE = n
    pub file: Option<i64>,
    /// FILE = @n
    pub file_variable: Option<String>,
    /// MOVE logical TO path
    pub moves: Vec<(Text, Text)>,
    /// REPLACE
    pub replace: bool,
    /// RESTART
    pub restart: bool,
    /// RESTRICTED_USER
    pub restricted_user: bool,
    /// CHECKSUM (true), NO_CHECKSUM (false)
    pub checksum: Option<bool>,
    /// CONTINUE_AFTER_ERROR (true), STOP_ON_ERROR (false)
    pub continue_after_error: Option<bool>,
    /// STATS: `Some(None)` without a number.
    pub stats: Option<Option<i64>>,
    /// PASSWORD, MEDIAPASSWORD are gone; MEDIANAME
    pub media_name: Option<Text>,
    /// BLOCKSIZE
    pub block_size: Option<i64>,
    /// BUFFERCOUNT
    pub buffer_count: Option<i64>,
    /// MAXTRANSFERSIZE
    pub max_transfer_size: Option<i64>,
    /// KEEP_REPLICATION
    pub keep_replication: bool,
    /// ENABLE_BROKER, NEW_BROKER, ERROR_BROKER_CONVERSATIONS, in upper case
    pub broker: Option<String>,
    /// STOPAT, STOPATMARK, STOPBEFOREMARK
    pub stop: Option<Stop>,
}

/// Where a RESTORE LOG stops.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// STOPAT = time
    At(Text),
    /// STOPATMARK = mark or 'lsn:…' [AFTER time]
    AtMark(Text, Option<Text>),
    /// STOPBEFOREMARK = mark or 'lsn:…' [AFTER time]
    BeforeMark(Text, Option<Text>),
}

/// What is read of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectKind {
    /// HEADERONLY
    HeaderOnly,
    /// FILELISTONLY
    FileListOnly,
    /// LABELONLY
    LabelOnly,
    /// VERIFYONLY
    VerifyOnly,
}

/// RESTORE HEADERONLY and its kin.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspect {
    /// Which.
    pub kind: InspectKind,
    /// FROM …
    pub devices: Vec<Device>,
    /// WITH …: FILE, CHECKSUM, STATS, MOVE (VERIFYONLY), LOADHISTORY…
    pub options: RestoreOptions,
    /// LOADHISTORY (VERIFYONLY)
    pub load_history: bool,
}

/// DBCC CHECKDB.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CheckDb {
    /// The database; `None`: the current one. A number is its id.
    pub database: Option<Text>,
    /// NOINDEX
    pub no_index: bool,
    /// WITH …, in upper case: PHYSICAL_ONLY, NO_INFOMSGS, ALL_ERRORMSGS, TABLOCK, ESTIMATEONLY, DATA_PURITY, TABLERESULTS, EXTENDED_LOGICAL_CHECKS
    pub options: Vec<String>,
    /// MAXDOP = n
    pub max_dop: Option<i64>,
}
