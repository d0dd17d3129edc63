//! The state of a database, as decisions are made from it.

use uuid::Uuid;

use crate::error::{Failure, Result};
use crate::model::{LogState, Lsn};
use crate::server::sqlserver::rows::Row;
use crate::server::sqlserver::statements::Model;
use crate::text;

/// Condition of a database (`state_desc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Open.
    Online,
    /// Waits for backups.
    Restoring,
    /// Starting; wait.
    Recovering,
    /// Could not start for want of something.
    RecoveryPending,
    /// Damaged.
    Suspect,
    /// Opened for repair.
    Emergency,
    /// Closed.
    Offline,
    /// Something that is not known here.
    Other,
}

/// Who may be in it (`user_access_desc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Multi,
    /// Administrators.
    Restricted,
    /// One connection.
    Single,
}

/// A database as `statements::state` reads it. What is NULL while the database is closed is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Condition.
    pub condition: Condition,
    /// Readable between restores: open as the server counts, following as we do.
    pub in_standby: bool,
    /// Recovery model.
    pub model: Model,
    /// Who may be in it.
    pub access: Access,
    /// Read-only.
    pub read_only: bool,
    /// Closes itself when the last one leaves.
    pub auto_close: bool,
    /// A background thread may take the single slot.
    pub async_statistics: bool,
    /// TRUSTWORTHY.
    pub trustworthy: bool,
    /// Service Broker.
    pub broker: bool,
    /// HONOR_BROKER_PRIORITY.
    pub broker_priority: bool,
    /// TDE.
    pub encrypted: bool,
    /// Compatibility level.
    pub compatibility: i64,
    /// Its collation.
    pub collation: Option<String>,
    /// PAGE_VERIFY.
    pub page_verify: String,
    /// What keeps the log from being cut.
    pub log_reuse_wait: String,
    /// Its owner; `None` where the login is gone.
    pub owner: Option<String>,
    /// Identity that all copies share.
    pub family: Option<Uuid>,
    /// Where the next log backup begins; `None`: none is possible.
    pub next_log: Option<Lsn>,
    /// The recovery fork it is on.
    pub fork: Option<Uuid>,
    /// Where that fork began.
    pub fork_point: Option<Lsn>,
    /// Where its first data file lies.
    pub file: Option<String>,
    /// It waits for a log from here on.
    pub redo: Option<Lsn>,
    /// On this fork.
    pub redo_fork: Option<Uuid>,
    /// Base of its differentials.
    pub base: Option<Uuid>,
    /// LSN of that base.
    pub base_lsn: Option<Lsn>,
}

impl State {
    /// From a row of `statements::state`.
    pub fn of_row(row: &Row) -> Result<State> {
        let words = |column: &str| Ok::<_, Failure>(row.words(column)?.unwrap_or_default());
        Ok(State {
            condition: match words("state")?.as_str() {
                "ONLINE" => Condition::Online,
                "RESTORING" => Condition::Restoring,
                "RECOVERING" => Condition::Recovering,
                "RECOVERY_PENDING" => Condition::RecoveryPending,
                "SUSPECT" => Condition::Suspect,
                "EMERGENCY" => Condition::Emergency,
                "OFFLINE" => Condition::Offline,
                _ => Condition::Other,
            },
            in_standby: row.yes("in_standby")?,
            model: match words("recovery_model")?.as_str() {
                "FULL" => Model::Full,
                "BULK_LOGGED" => Model::BulkLogged,
                "SIMPLE" => Model::Simple,
                other => return Err(unknown("recovery_model", other)),
            },
            access: match words("user_access")?.as_str() {
                "MULTI_USER" => Access::Multi,
                "RESTRICTED_USER" => Access::Restricted,
                "SINGLE_USER" => Access::Single,
                other => return Err(unknown("user_access", other)),
            },
            read_only: row.yes("read_only")?,
            auto_close: row.yes("auto_close")?,
            async_statistics: row.yes("async_statistics")?,
            trustworthy: row.yes("trustworthy")?,
            broker: row.yes("broker")?,
            broker_priority: row.yes("broker_priority")?,
            encrypted: row.yes("encrypted")?,
            compatibility: row.must_int("compatibility")?,
            collation: row.words("collation")?,
            page_verify: words("page_verify")?,
            log_reuse_wait: words("log_reuse_wait")?,
            owner: row.words("owner")?,
            family: row.guid("family_guid")?,
            next_log: row.lsn("last_log_backup_lsn")?,
            fork: row.guid("recovery_fork_guid")?,
            fork_point: row.lsn("fork_point_lsn")?,
            file: row.words("file_path")?,
            redo: row.lsn("redo_start_lsn")?,
            redo_fork: row.guid("redo_start_fork_guid")?,
            base: row.guid("differential_base_guid")?,
            base_lsn: row.lsn("differential_base_lsn")?,
        })
    }

    /// It takes backups: RESTORING, or readable standby.
    pub fn follows(&self) -> bool {
        self.condition == Condition::Restoring || (self.condition == Condition::Online && self.in_standby)
    }

    /// Programs can open and change it.
    pub fn open(&self) -> bool {
        self.condition == Condition::Online && !self.in_standby
    }

    /// Its log is kept.
    pub fn logged(&self) -> bool {
        self.model != Model::Simple
    }

    /// For the choice of a restore's route. `redo` as [`redo`] finds it.
    pub fn log_state(&self, major: u32, redo: Option<Lsn>) -> LogState {
        let follows = self.follows();
        LogState {
            major,
            logged: self.logged(),
            family: self.family,
            redo: if follows { redo } else { None },
            fork: if follows { self.redo_fork } else { self.fork },
            fork_point: self.fork_point,
            log_from: self.next_log,
        }
    }
}

pub(super) fn unknown(column: &str, words: &str) -> Failure {
    Failure::failed(
        "sql_answer",
        text!("el servidor contestó algo inesperado en {column}", "the server answered something unexpected in {column}"),
    )
    .cause(words)
}
