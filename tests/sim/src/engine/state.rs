//! What an instance knows: plain data, and rules that need nothing else. All of it is durable (`store`, `datafile`) but for the sessions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lsn::Lsn;

/// State of a database, numbered as in `sys.databases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DbState {
    /// In use.
    Online = 0,
    /// Between RESTOREs, or fenced by a tail backup.
    Restoring = 1,
    /// Being started.
    Recovering = 2,
    /// Could not be started: a file is missing.
    RecoveryPending = 3,
    /// Could not be started: damaged.
    Suspect = 4,
    /// SET EMERGENCY.
    Emergency = 5,
    /// SET OFFLINE.
    Offline = 6,
}

impl DbState {
    /// `state_desc`.
    pub fn name(self) -> &'static str {
        match self {
            DbState::Online => "ONLINE",
            DbState::Restoring => "RESTORING",
            DbState::Recovering => "RECOVERING",
            DbState::RecoveryPending => "RECOVERY_PENDING",
            DbState::Suspect => "SUSPECT",
            DbState::Emergency => "EMERGENCY",
            DbState::Offline => "OFFLINE",
        }
    }
}

/// `user_access`, numbered as in `sys.databases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserAccess {
    /// Everybody.
    Multi = 0,
    /// One connection.
    Single = 1,
    /// Owners and administrators.
    Restricted = 2,
}

impl UserAccess {
    /// `user_access_desc`.
    pub fn name(self) -> &'static str {
        match self {
            UserAccess::Multi => "MULTI_USER",
            UserAccess::Single => "SINGLE_USER",
            UserAccess::Restricted => "RESTRICTED_USER",
        }
    }
}

/// Recovery model, numbered as in `sys.databases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recovery {
    /// FULL
    Full = 1,
    /// BULK_LOGGED
    BulkLogged = 2,
    /// SIMPLE
    Simple = 3,
}

impl Recovery {
    /// `recovery_model_desc`.
    pub fn name(self) -> &'static str {
        match self {
            Recovery::Full => "FULL",
            Recovery::BulkLogged => "BULK_LOGGED",
            Recovery::Simple => "SIMPLE",
        }
    }
}

/// A recovery fork: a history of the database from a point on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Its id.
    pub id: Uuid,
    /// Where it began.
    pub from: Lsn,
}

/// The full backup on which differentials build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its checkpoint LSN.
    pub lsn: Lsn,
    /// Its BackupSetGUID.
    pub guid: Uuid,
    /// When it began.
    pub time: i64,
}

/// What a database knows about itself; it lies in its file too, and travels in backups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// Its name when this was written.
    pub name: String,
    /// Relates its files.
    pub database_guid: Uuid,
    /// Relates all its copies.
    pub family_guid: Uuid,
    /// Service Broker's id.
    pub broker_guid: Uuid,
    /// When it was created or first restored.
    pub created: i64,
    /// Internal version: 852 is SQL Server 2016.
    pub version: u16,
    /// Compatibility level.
    pub compatibility: u8,
    /// Collation.
    pub collation: String,
    /// Recovery model.
    pub recovery: Recovery,
    /// Who may connect.
    pub access: UserAccess,
    /// READ_ONLY
    pub read_only: bool,
    /// AUTO_CLOSE, AUTO_SHRINK, TRUSTWORTHY, AUTO_UPDATE_STATISTICS_ASYNC, HONOR_BROKER_PRIORITY and other switches that are on.
    pub switches: BTreeSet<String>,
    /// ENABLE_BROKER
    pub broker: bool,
    /// PAGE_VERIFY
    pub page_verify: String,
    /// SID of the owner.
    pub owner: Vec<u8>,
    /// The recovery path that leads to what it holds. Never empty.
    pub forks: Vec<Fork>,
    /// The LSN of the next record. While RESTORING this is redo_start_lsn.
    pub head: Lsn,
    /// The last checkpoint.
    pub checkpoint: Lsn,
    /// Where the last record of a transaction ended: the data file has to hold as much.
    pub changed: Lsn,
    /// Where the next log backup begins; `None`: there is no log chain (SIMPLE, or no full backup yet).
    pub chain: Option<Lsn>,
    /// The next log backup begins the chain.
    pub begins_chain: bool,
    /// The base of differentials.
    pub base: Option<Base>,
    /// Logical name of the data file.
    pub data_name: String,
    /// Logical name of the log file.
    pub log_name: String,
    /// Declared size of the data file in KB: what it takes at least.
    pub data_kb: i64,
    /// Declared size of the log file in KB.
    pub log_kb: i64,
    /// It was restored WITH STANDBY: readable between restores.
    pub standby: bool,
    /// It is between restores.
    pub restoring: bool,
    /// A restore went on after an error (IsDamaged); every later one has to say so too.
    pub damaged: bool,
    /// A bulk-logged change since the last log backup.
    pub bulk: bool,
    /// Written when it was shut down in order: a log file can be rebuilt, files can be copied.
    pub clean: bool,
}

impl Boot {
    /// The fork that writes now.
    pub fn fork(&self) -> Uuid {
        self.forks.last().map_or(Uuid::nil(), |fork| fork.id)
    }

    /// The fork in which a range that begins there begins: a fork that starts exactly there has not begun yet.
    pub fn fork_at(&self, first: Lsn) -> Uuid {
        fork_at(&self.forks, first)
    }

    /// Where the newest fork began, when it is not the first.
    pub fn fork_point(&self) -> Option<Lsn> {
        if self.forks.len() > 1 { self.forks.last().map(|fork| fork.from) } else { None }
    }

    /// Recovers on a new fork, from here on.
    pub fn recover(&mut self) {
        let from = self.head;
        self.forks.push(Fork { id: Uuid::new_v4(), from });
        self.restoring = false;
        self.standby = false;
        self.head = self.head.after(600);
        self.checkpoint = from;
    }

    /// Is there a log to back up, and is it wanted?
    pub fn logs(&self) -> bool {
        self.recovery != Recovery::Simple && self.chain.is_some()
    }
}

/// See [`Boot::fork_at`].
pub fn fork_at(forks: &[Fork], first: Lsn) -> Uuid {
    forks.iter().rev().find(|fork| fork.from < first).or(forks.first()).map_or(Uuid::nil(), |fork| fork.id)
}

/// A database of the instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Database {
    /// `database_id`.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: DbState,
    /// Its data file.
    pub data: String,
    /// Its log file.
    pub log: String,
    /// Undo file of STANDBY.
    pub undo: Option<String>,
    /// The backup set whose restore did not end, with the name of the file that it was about.
    pub interrupted: Option<(Uuid, String)>,
    /// What it knows about itself.
    pub boot: Boot,
    /// Its backups and restores on this instance may hold damage (3043).
    #[serde(skip)]
    pub generation: u64,
    /// Session that holds the SINGLE_USER place.
    #[serde(skip)]
    pub single: Option<u16>,
    /// Session that writes, until its transaction ends.
    #[serde(skip)]
    pub writer: Option<u16>,
    /// Session that holds it exclusively (RESTORE, ALTER, DROP), and for what.
    #[serde(skip)]
    pub exclusive: Option<u16>,
    /// Backups that run: session, and whether it is one of the log.
    #[serde(skip)]
    pub backups: Vec<(u16, bool)>,
}

impl Database {
    /// May it be read?
    pub fn readable(&self) -> bool {
        self.state == DbState::Online || self.state == DbState::Emergency
    }
}

/// A login.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Login {
    /// `principal_id`.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// Its SID.
    pub sid: Vec<u8>,
    /// Hash of its password; empty for a Windows login.
    pub hash: Vec<u8>,
    /// DISABLE
    pub disabled: bool,
    /// CHECK_POLICY
    pub policy: bool,
    /// CHECK_EXPIRATION
    pub expiration: bool,
    /// DEFAULT_DATABASE
    pub database: String,
    /// DEFAULT_LANGUAGE
    pub language: String,
    /// Server roles, in lower case.
    pub roles: BTreeSet<String>,
    /// Granted permissions, in upper case.
    pub granted: BTreeSet<String>,
    /// When it was created.
    pub created: i64,
    /// When it was changed.
    pub modified: i64,
}

/// A row of msdb: the header of a backup, and where it went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    /// `backup_set_id`.
    pub id: i64,
    /// Its header.
    pub header: super::backupfile::Header,
    /// Its devices.
    pub devices: Vec<String>,
}

/// A row of msdb.dbo.restorehistory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Restored {
    /// `restore_history_id`.
    pub id: i64,
    /// When.
    pub date: i64,
    /// To which database.
    pub database: String,
    /// By whom.
    pub user: String,
    /// The backup set, as known here.
    pub backup: i64,
    /// D, I, L, V.
    pub kind: String,
    /// REPLACE
    pub replace: bool,
    /// WITH RECOVERY
    pub recovery: bool,
    /// RESTART
    pub restart: bool,
    /// STOPAT
    pub stop_at: Option<i64>,
}

/// A session as others see it.
#[derive(Clone, Debug)]
pub struct Session {
    /// What it said at login.
    pub login: crate::wire::Login,
    /// Its login's SID.
    pub sid: Vec<u8>,
    /// When it logged in.
    pub since: i64,
    /// Its connection.
    pub connection: Uuid,
    /// Current database.
    pub database: i32,
    /// Databases that its statement or transaction uses.
    pub touching: BTreeSet<i32>,
    /// Nesting of its transaction.
    pub transactions: u32,
    /// When its transaction began.
    pub transaction_since: i64,
    /// The statement that runs.
    pub request: Option<Request>,
    /// Start and end of the last one.
    pub last: (i64, i64),
    /// KILL came.
    pub killed: bool,
    /// KILL is done: only its client does not know yet.
    pub gone: bool,
    /// Ends what SQLite is doing for it.
    pub interrupt: Option<Interrupt>,
    /// SET DEADLOCK_PRIORITY
    pub deadlock_priority: i64,
    /// It has to give way in a deadlock.
    pub victim: bool,
}

/// Ends what SQLite is doing for a session.
#[derive(Clone)]
pub struct Interrupt(pub std::sync::Arc<rusqlite::InterruptHandle>);

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupt")
    }
}

/// A statement that runs.
#[derive(Clone, Debug)]
pub struct Request {
    /// `command`: "BACKUP DATABASE".
    pub command: String,
    /// Since when.
    pub since: i64,
    /// `percent_complete`.
    pub percent: f64,
    /// What it waits for.
    pub wait: Option<String>,
    /// Since when it waits.
    pub wait_since: i64,
    /// Who is in the way.
    pub blocked_by: u16,
    /// On which database.
    pub database: i32,
}

/// An application lock (sp_getapplock).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppLock {
    /// Whose.
    pub session: u16,
    /// In which database.
    pub database: i32,
    /// Its name.
    pub resource: String,
    /// Exclusive, Shared, Update, IntentShared, IntentExclusive.
    pub mode: String,
    /// Owned by the transaction, not the session.
    pub transaction: bool,
    /// Times it was taken.
    pub count: u32,
}

/// Everything.
#[derive(Debug, Default)]
pub struct State {
    /// Databases by id.
    pub databases: BTreeMap<i32, Database>,
    /// Logins by lower-case name.
    pub logins: BTreeMap<String, Login>,
    /// Backups, oldest first.
    pub backups: Vec<History>,
    /// Restores, oldest first.
    pub restores: Vec<Restored>,
    /// `sys.configurations`: name to value.
    pub configuration: BTreeMap<String, i64>,
    /// Extended properties of master.
    pub properties: BTreeMap<String, String>,
    /// Sessions by number.
    pub sessions: BTreeMap<u16, Session>,
    /// Application locks.
    pub locks: Vec<AppLock>,
    /// Next ids of history rows.
    pub next_history: i64,
}

/// Ids of the system databases.
pub const SYSTEM: [(i32, &str); 4] = [(1, "master"), (2, "tempdb"), (3, "model"), (4, "msdb")];

impl State {
    /// A user database by name.
    pub fn find(&self, name: &str) -> Option<&Database> {
        self.databases.values().find(|database| same(&database.name, name))
    }

    /// The same, to change.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Database> {
        self.databases.values_mut().find(|database| same(&database.name, name))
    }

    /// Id of any database.
    pub fn id_of(&self, name: &str) -> Option<i32> {
        SYSTEM.iter().find(|(_, system)| same(system, name)).map(|(id, _)| *id).or_else(|| self.find(name).map(|found| found.id))
    }

    /// Name of any database.
    pub fn name_of(&self, id: i32) -> Option<String> {
        let system = SYSTEM.iter().find(|(system, _)| *system == id).map(|(_, name)| (*name).to_string());
        system.or_else(|| self.databases.get(&id).map(|database| database.name.clone()))
    }

    /// Sessions but this one that use a database, now or as their context.
    pub fn users(&self, database: i32, but: u16) -> Vec<u16> {
        let uses = |session: &Session| !session.gone && (session.database == database || session.touching.contains(&database));
        self.sessions.iter().filter(|(id, session)| **id != but && uses(session)).map(|(id, _)| *id).collect()
    }

    /// Gives the SINGLE_USER place back if its holder left.
    pub fn leave_single(&mut self, session: u16) {
        let at = self
            .sessions
            .get(&session)
            .filter(|session| !session.gone)
            .map(|session| (session.database, session.touching.clone()));
        for database in self.databases.values_mut().filter(|database| database.single == Some(session)) {
            if !at.as_ref().is_some_and(|(context, touching)| *context == database.id || touching.contains(&database.id)) {
                database.single = None;
            }
        }
    }
}

/// Names are compared without case, as the instance's collation does.
pub fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Now, in ticks of 100 ns since 0001-01-01, local time.
pub fn now() -> i64 {
    ticks(jiff::Zoned::now().datetime())
}

/// Now in UTC.
pub fn utc_now() -> i64 {
    ticks(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime())
}

/// A civil time as ticks, rounded down to microseconds.
pub fn ticks(time: jiff::civil::DateTime) -> i64 {
    let epoch = jiff::civil::date(1, 1, 1).at(0, 0, 0, 0);
    let span = time.duration_since(epoch);
    (span.as_secs() * 10_000_000) + i64::from(span.subsec_nanos()) / 100
}

/// Ticks as a civil time.
pub fn civil(ticks: i64) -> jiff::civil::DateTime {
    let epoch = jiff::civil::date(1, 1, 1).at(0, 0, 0, 0);
    let span = jiff::SignedDuration::new(ticks.div_euclid(10_000_000), (ticks.rem_euclid(10_000_000) * 100) as i32);
    epoch.checked_add(span).unwrap_or(epoch)
}
