//! Databases, logins and users.

/// CREATE DATABASE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDatabase {
    /// Its name.
    pub name: String,
    /// ON …
    pub files: Vec<FileSpec>,
    /// LOG ON …
    pub log_files: Vec<FileSpec>,
    /// COLLATE
    pub collation: Option<String>,
    /// FOR …
    pub attach: Option<Attach>,
    /// AS SNAPSHOT OF
    pub snapshot_of: Option<String>,
}

/// FOR ATTACH and its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// FOR ATTACH
    Attach {
        /// WITH ENABLE_BROKER, NEW_BROKER, ERROR_BROKER_CONVERSATIONS, RESTRICTED_USER, in upper case
        options: Vec<String>,
    },
    /// FOR ATTACH_REBUILD_LOG
    RebuildLog,
}

/// A file of a database. Sizes are in KB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSpec {
    /// NAME
    pub name: Option<String>,
    /// NEWNAME (MODIFY FILE)
    pub new_name: Option<String>,
    /// FILENAME
    pub path: Option<String>,
    /// SIZE
    pub size: Option<i64>,
    /// MAXSIZE: `Some(None)` is UNLIMITED.
    pub max_size: Option<Option<i64>>,
    /// FILEGROWTH
    pub growth: Option<Growth>,
}

/// FILEGROWTH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// KB
    Size(i64),
    /// %
    Percent(i64),
}

/// ALTER DATABASE.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDatabase {
    /// The database; `None` is CURRENT.
    pub database: Option<String>,
    /// What changes.
    pub change: DatabaseChange,
}

/// What ALTER DATABASE changes.
#[derive(Clone, Debug, PartialEq)]
pub enum DatabaseChange {
    /// SET …
    Set {
        /// The options, in order.
        options: Vec<DatabaseOption>,
        /// WITH …
        termination: Option<Termination>,
    },
    /// MODIFY NAME = x
    ModifyName(String),
    /// MODIFY FILE (…)
    ModifyFile(FileSpec),
    /// ADD FILE (…)
    AddFile(Vec<FileSpec>),
    /// ADD LOG FILE (…)
    AddLogFile(Vec<FileSpec>),
    /// REMOVE FILE x
    RemoveFile(String),
    /// COLLATE x
    Collate(String),
}

/// WITH … of ALTER DATABASE SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// ROLLBACK IMMEDIATE
    RollbackImmediate,
    /// ROLLBACK AFTER n [SECONDS]
    RollbackAfter(i64),
    /// NO_WAIT
    NoWait,
}

/// An option of ALTER DATABASE SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseOption {
    /// SINGLE_USER
    SingleUser,
    /// RESTRICTED_USER
    RestrictedUser,
    /// MULTI_USER
    MultiUser,
    /// ONLINE
    Online,
    /// OFFLINE
    Offline,
    /// EMERGENCY
    Emergency,
    /// READ_ONLY
    ReadOnly,
    /// READ_WRITE
    ReadWrite,
    /// RECOVERY x
    Recovery(RecoveryModel),
    /// ENABLE_BROKER
    EnableBroker,
    /// DISABLE_BROKER
    DisableBroker,
    /// NEW_BROKER
    NewBroker,
    /// ERROR_BROKER_CONVERSATIONS
    ErrorBrokerConversations,
    /// PAGE_VERIFY CHECKSUM|TORN_PAGE_DETECTION|NONE, in upper case
    PageVerify(String),
    /// COMPATIBILITY_LEVEL = n
    CompatibilityLevel(i64),
    /// An ON/OFF option, in upper case: AUTO_CLOSE, AUTO_SHRINK, TRUSTWORTHY, AUTO_UPDATE_STATISTICS_ASYNC, HONOR_BROKER_PRIORITY…
    Switch {
        /// Its name.
        name: String,
        /// ON
        on: bool,
    },
}

/// Recovery models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryModel {
    /// FULL
    Full,
    /// BULK_LOGGED
    BulkLogged,
    /// SIMPLE
    Simple,
}

/// The password of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// 'text'
    Text(String),
    /// 0x… HASHED
    Hash(Vec<u8>),
}

/// CREATE LOGIN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateLogin {
    /// Its name.
    pub name: String,
    /// WITH PASSWORD; `None` is FROM WINDOWS.
    pub password: Option<Password>,
    /// MUST_CHANGE
    pub must_change: bool,
    /// SID
    pub sid: Option<Vec<u8>>,
    /// DEFAULT_DATABASE
    pub default_database: Option<String>,
    /// DEFAULT_LANGUAGE
    pub default_language: Option<String>,
    /// CHECK_POLICY
    pub check_policy: Option<bool>,
    /// CHECK_EXPIRATION
    pub check_expiration: Option<bool>,
}

/// ALTER LOGIN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlterLogin {
    /// The login.
    pub name: String,
    /// ENABLE (true), DISABLE (false)
    pub enable: Option<bool>,
    /// PASSWORD
    pub password: Option<Password>,
    /// OLD_PASSWORD
    pub old_password: Option<String>,
    /// UNLOCK
    pub unlock: bool,
    /// NAME
    pub new_name: Option<String>,
    /// DEFAULT_DATABASE
    pub default_database: Option<String>,
    /// DEFAULT_LANGUAGE
    pub default_language: Option<String>,
    /// CHECK_POLICY
    pub check_policy: Option<bool>,
    /// CHECK_EXPIRATION
    pub check_expiration: Option<bool>,
}

/// What a database user belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserLogin {
    /// Nothing said: the login of the same name.
    Same,
    /// FOR LOGIN x
    Login(String),
    /// WITHOUT LOGIN
    Without,
}
