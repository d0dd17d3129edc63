//! States and options of a database: opening, closing, attaching, renaming, checking.

use super::{DatabaseName, LoginName, ScratchName, ServerPath, Statement, in_turn};

/// A recovery model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Every change is in the log, and log backups exist.
    Full,
    /// As FULL, except that bulk operations are logged by their pages.
    BulkLogged,
    /// No log backups: what was sold since the last copy is lost with the server.
    Simple,
}

/// A setting of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// One connection only; everybody else is put out.
    SingleUser,
    /// Administrators only; everybody is put out. Useless where the tills log in as one.
    RestrictedUser,
    /// For everybody; puts out whoever has the single slot.
    MultiUser,
    /// Closed, files free; everybody is put out.
    Offline,
    /// Open again.
    Online,
    /// Writable.
    ReadWrite,
    /// The recovery model.
    Recovery(Model),
    /// Does not close itself when the last one leaves.
    AutoCloseOff,
    /// Pages carry checksums.
    PageVerifyChecksum,
    /// No background thread that takes the single slot.
    AsyncStatisticsOff,
    /// As it was on the other server: attaching and restoring elsewhere reset it.
    Trustworthy,
    /// As it was on the other server.
    Broker,
    /// With a new identity, where a copy of the old one is on the same instance.
    NewBroker,
    /// As it was on the other server.
    HonorBrokerPriority,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Setting; 16] = [
        Setting::SingleUser,
        Setting::RestrictedUser,
        Setting::MultiUser,
        Setting::Offline,
        Setting::Online,
        Setting::ReadWrite,
        Setting::Recovery(Model::Full),
        Setting::Recovery(Model::BulkLogged),
        Setting::Recovery(Model::Simple),
        Setting::AutoCloseOff,
        Setting::PageVerifyChecksum,
        Setting::AsyncStatisticsOff,
        Setting::Trustworthy,
        Setting::Broker,
        Setting::NewBroker,
        Setting::HonorBrokerPriority,
    ];

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Setting::SingleUser => ("set_single_user", "SINGLE_USER WITH ROLLBACK IMMEDIATE"),
            Setting::RestrictedUser => ("set_restricted_user", "RESTRICTED_USER WITH ROLLBACK IMMEDIATE"),
            Setting::MultiUser => ("set_multi_user", "MULTI_USER WITH ROLLBACK IMMEDIATE"),
            Setting::Offline => ("set_offline", "OFFLINE WITH ROLLBACK IMMEDIATE"),
            Setting::Online => ("set_online", "ONLINE"),
            Setting::ReadWrite => ("set_read_write", "READ_WRITE WITH NO_WAIT"),
            Setting::Recovery(Model::Full) => ("set_recovery", "RECOVERY FULL"),
            Setting::Recovery(Model::BulkLogged) => ("set_recovery", "RECOVERY BULK_LOGGED"),
            Setting::Recovery(Model::Simple) => ("set_recovery", "RECOVERY SIMPLE"),
            Setting::AutoCloseOff => ("set_auto_close", "AUTO_CLOSE OFF"),
            Setting::PageVerifyChecksum => ("set_page_verify", "PAGE_VERIFY CHECKSUM"),
            Setting::AsyncStatisticsOff => ("set_async_statistics", "AUTO_UPDATE_STATISTICS_ASYNC OFF"),
            Setting::Trustworthy => ("set_trustworthy", "TRUSTWORTHY ON"),
            // Both need the database for themselves and would wait for ever.
            Setting::Broker => ("set_broker", "ENABLE_BROKER WITH ROLLBACK IMMEDIATE"),
            Setting::NewBroker => ("set_broker", "NEW_BROKER WITH ROLLBACK IMMEDIATE"),
            Setting::HonorBrokerPriority => ("set_broker_priority", "HONOR_BROKER_PRIORITY ON"),
        }
    }
}

/// Changes a setting. Long: rolling back others' work, or recovery at ONLINE, takes what it takes.
pub fn set(database: &DatabaseName, setting: Setting) -> Statement {
    let (name, words) = setting.words();
    Statement::new(name, format!("ALTER DATABASE {} SET {words};", database.identifier())).long()
}

/// Puts everybody out and closes the database, in one batch: nobody slips in between.
pub fn close(database: &DatabaseName) -> Statement {
    let name = database.identifier();
    let text = in_turn(&[
        format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;"),
        format!("ALTER DATABASE {name} SET OFFLINE WITH ROLLBACK IMMEDIATE;"),
    ]);
    Statement::new("close", text).long()
}

/// Opens a database that is offline, for everybody: the mode in which it was closed travels with it.
pub fn reopen(database: &DatabaseName) -> Statement {
    let name = database.identifier();
    let text = in_turn(&[
        format!("ALTER DATABASE {name} SET ONLINE;"),
        format!("ALTER DATABASE {name} SET MULTI_USER WITH ROLLBACK IMMEDIATE;"),
    ]);
    Statement::new("reopen", text).long()
}

/// From readable standby to RESTORING, in one batch: readers cannot come back in between.
pub fn end_standby(database: &DatabaseName) -> Statement {
    let name = database.identifier();
    let text = in_turn(&[
        format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK AFTER 5;"),
        format!("RESTORE DATABASE {name} WITH NORECOVERY;"),
    ]);
    Statement::new("end_standby", text).long()
}

/// Gives the database to `owner`. A restore leaves it to the login that restored.
pub fn give_to(database: &DatabaseName, owner: &LoginName) -> Statement {
    let (database, owner) = (database.identifier(), owner.identifier());
    Statement::new("give_to", format!("ALTER AUTHORIZATION ON DATABASE::{database} TO {owner};"))
}

/// Another name for the database; its files keep theirs. Nobody may have it open. A database is never dropped to make room.
pub fn rename(database: &DatabaseName, to: &DatabaseName) -> Statement {
    let text = format!("ALTER DATABASE {} MODIFY NAME={};", database.identifier(), to.identifier());
    Statement::new("rename", text)
}

/// Gives a closed database another name and closes it again, in one batch. Its files keep their names. It has to be open for that, in a mode that
/// lets nobody else in.
pub fn set_aside(database: &DatabaseName, to: &DatabaseName) -> Statement {
    let (name, other) = (database.identifier(), to.identifier());
    let text = in_turn(&[
        format!("ALTER DATABASE {name} SET ONLINE;"),
        format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;"),
        format!("ALTER DATABASE {name} MODIFY NAME={other};"),
        format!("ALTER DATABASE {other} SET OFFLINE WITH ROLLBACK IMMEDIATE;"),
    ]);
    Statement::new("set_aside", text).long()
}

/// Puts everybody out and detaches, in one batch; the files stay.
pub fn detach(database: &DatabaseName) -> Statement {
    let (name, literal) = (database.identifier(), database.literal());
    let text = in_turn(&[
        format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;"),
        format!("EXEC master.dbo.sp_detach_db @dbname={literal}, @skipchecks=N'true';"),
    ]);
    Statement::new("detach", text).long()
}

/// How files become a database again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// All files, as they were closed.
    Whole,
    /// Without the log: last resort, only after a clean close; ends the log chain.
    RebuildLog,
}

/// Attaches files. Name every file that lies elsewhere than before; the primary one first.
pub fn attach(database: &DatabaseName, files: &[ServerPath], how: Attach) -> Statement {
    let each: Vec<String> = files.iter().map(|path| format!("(FILENAME={})", path.literal())).collect();
    let how = match how {
        Attach::Whole => "ATTACH",
        Attach::RebuildLog => "ATTACH_REBUILD_LOG",
    };
    let text = format!("CREATE DATABASE {} ON {} FOR {how};", database.identifier(), each.join(", "));
    Statement::new("attach", text).long()
}

/// How thorough a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Pages and headers: minutes.
    Physical,
    /// Everything: outside business hours.
    Whole,
}

/// DBCC CHECKDB. What it finds arrives as errors.
pub fn check(database: &DatabaseName, how: Check) -> Statement {
    let physical = if how == Check::Physical { "PHYSICAL_ONLY, " } else { "" };
    Statement::new("check", format!("DBCC CHECKDB ({}) WITH {physical}NO_INFOMSGS;", database.literal())).long()
}

/// Removes what a trial restore made. Only a scratch database can be named here.
pub fn drop_scratch(scratch: &ScratchName) -> Statement {
    let database = scratch.database();
    let text = format!("IF DB_ID({}) IS NOT NULL DROP DATABASE {};", database.literal(), database.identifier());
    Statement::new("drop_scratch", text).long()
}
