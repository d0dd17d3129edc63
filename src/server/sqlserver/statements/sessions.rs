//! Sessions: our own, those of others, who has what, and how far long work is.

use super::{Column, DatabaseName, Kind, LockName, ProgramName, ServerTime, SessionId, Statement};
use uuid::Uuid;

/// The first batch of every connection. `counting`: the client wants to know how many rows a statement changed.
pub fn preamble(lock_timeout_ms: u32, counting: bool) -> Statement {
    let nocount = if counting { "OFF" } else { "ON" };
    let text = format!(
        "SET NOCOUNT {nocount}; SET IMPLICIT_TRANSACTIONS OFF; SET LOCK_TIMEOUT {lock_timeout_ms}; SET DEADLOCK_PRIORITY HIGH; \
         SET LANGUAGE us_english; SET DATEFORMAT ymd;"
    );
    Statement::new("preamble", text)
}

/// Who we are: `session_id`, `login_time`, `connection_id`, `transactions` (has to be 0 before BACKUP, RESTORE and KILL).
pub fn own_session() -> Statement {
    const COLUMNS: [Column; 4] = [
        Column::new("session_id", Kind::Int, "s.session_id"),
        Column::new("login_time", Kind::Time, "s.login_time"),
        Column::new("connection_id", Kind::Guid, "c.connection_id"),
        Column::new("transactions", Kind::Int, "@@TRANCOUNT"),
    ];
    let rest = format!("FROM {SESSIONS} WHERE s.session_id=@@SPID");
    Statement::select("own_session", "", &COLUMNS, &rest)
}

const SESSIONS: &str = "sys.dm_exec_sessions s LEFT JOIN sys.dm_exec_connections c \
    ON c.session_id=s.session_id AND c.parent_connection_id IS NULL";

/// Whose sessions are meant.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// Those that have this database as their context or hold a lock on it.
    Database(&'a DatabaseName),
    /// Those of programs whose name begins so.
    Program(&'a ProgramName),
}

/// The sessions of users other than ours. Complete only with VIEW SERVER STATE: without it a login sees only itself.
pub fn sessions(scope: Scope<'_>) -> Statement {
    const COLUMNS: [Column; 18] = [
        Column::new("session_id", Kind::Int, "s.session_id"),
        Column::new("login_time", Kind::Time, "s.login_time"),
        Column::new("connection_id", Kind::Guid, "c.connection_id"),
        Column::new("login_name", Kind::Words, "s.login_name"),
        Column::new("host_name", Kind::Words, "s.host_name"),
        Column::new("program_name", Kind::Words, "s.program_name"),
        Column::new("host_process_id", Kind::Int, "s.host_process_id"),
        Column::new("client_net_address", Kind::Words, "c.client_net_address"),
        Column::new("net_transport", Kind::Words, "c.net_transport"),
        Column::new("database_name", Kind::Words, "DB_NAME(s.database_id)"),
        Column::new("status", Kind::Words, "s.status"),
        Column::new("open_transactions", Kind::Int, "s.open_transaction_count"),
        Column::new("last_request_start", Kind::Time, "s.last_request_start_time"),
        Column::new("last_request_end", Kind::Time, "s.last_request_end_time"),
        Column::new("command", Kind::Words, "r.command"),
        Column::new("request_status", Kind::Words, "r.status"),
        Column::new("blocked_by", Kind::Int, "r.blocking_session_id"),
        Column::new("percent_hundredths", Kind::Int, "r.percent_complete*100"),
    ];
    let which = match scope {
        Scope::Database(database) => {
            let name = database.literal();
            // A session elsewhere that reads BDPdv.dbo.x holds a lock of type DATABASE.
            format!(
                "(s.database_id=DB_ID({name}) OR EXISTS (SELECT 1 FROM sys.dm_tran_locks l WHERE l.request_session_id=s.session_id \
                 AND l.resource_type='DATABASE' AND l.resource_database_id=DB_ID({name})))"
            )
        }
        Scope::Program(program) => {
            let length = program.as_str().encode_utf16().count();
            format!("LEFT(s.program_name, {length})={}", program.literal())
        }
    };
    let rest = format!(
        "FROM {SESSIONS} LEFT JOIN sys.dm_exec_requests r ON r.session_id=s.session_id \
         WHERE s.is_user_process=1 AND s.session_id<>@@SPID AND {which} ORDER BY s.session_id"
    );
    Statement::select("sessions", "", &COLUMNS, &rest)
}

/// What else keeps a database in use: `dtc_locks` (prepared distributed transactions), `locks` (sessions other than ours that hold a lock in
/// it), `transactions` (open ones of users, ours too).
pub fn in_use(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 3] = [
        Column { name: "dtc_locks", kind: Kind::Int, from: "" },
        Column { name: "locks", kind: Kind::Int, from: "" },
        Column { name: "transactions", kind: Kind::Int, from: "" },
    ];
    let id = format!("DB_ID({})", database.literal());
    let locks = format!("(SELECT COUNT(*) FROM sys.dm_tran_locks l WHERE l.resource_database_id={id} AND");
    let text = format!(
        "SELECT {locks} l.request_session_id=-2) AS [dtc_locks], {locks} l.request_session_id>0 AND l.request_session_id<>@@SPID) AS [locks], \
         (SELECT COUNT(*) FROM sys.dm_tran_database_transactions t WHERE t.database_id={id} AND t.database_transaction_type<>3) \
         AS [transactions];"
    );
    Statement::new("in_use", text).returning(&COLUMNS)
}

/// Ends a session, if it still is the one that was seen: numbers are used again. It may go on rolling back for a while.
pub fn kill(session: SessionId, login_time: &ServerTime, connection: Option<Uuid>) -> Statement {
    let same = connection.map(|id| {
        let id = id.hyphenated().to_string().to_uppercase();
        format!(" AND CAST(c.connection_id AS nvarchar(36))=N'{id}'")
    });
    let text = format!(
        "IF EXISTS (SELECT 1 FROM {SESSIONS} WHERE s.session_id={session} AND s.session_id<>@@SPID \
         AND CONVERT(nvarchar(30), s.login_time, 126)={}{}) KILL {session};",
        login_time.literal(),
        same.unwrap_or_default()
    );
    Statement::new("kill", text)
}

const REQUEST: [Column; 11] = [
    Column::new("session_id", Kind::Int, "s.session_id"),
    Column::new("login_time", Kind::Time, "s.login_time"),
    Column::new("connection_id", Kind::Guid, "c.connection_id"),
    Column::new("program_name", Kind::Words, "s.program_name"),
    Column::new("command", Kind::Words, "r.command"),
    Column::new("status", Kind::Words, "r.status"),
    Column::new("percent_hundredths", Kind::Int, "r.percent_complete*100"),
    Column::new("remaining_ms", Kind::Big, "r.estimated_completion_time"),
    Column::new("elapsed_ms", Kind::Int, "r.total_elapsed_time"),
    Column::new("wait_type", Kind::Words, "r.wait_type"),
    Column::new("wait_ms", Kind::Int, "r.wait_time"),
];

/// How far the work of another session of ours is; no row when it has none.
pub fn progress(session: SessionId) -> Statement {
    let rest = format!("FROM {SESSIONS} JOIN sys.dm_exec_requests r ON r.session_id=s.session_id WHERE s.session_id={session}");
    Statement::select("progress", "", &REQUEST, &rest)
}

/// Backups, restores and checks that a dead process of ours left running.
pub fn orphaned_work(program: &ProgramName) -> Statement {
    let length = program.as_str().encode_utf16().count();
    let rest = format!(
        "FROM {SESSIONS} JOIN sys.dm_exec_requests r ON r.session_id=s.session_id WHERE s.session_id<>@@SPID \
         AND LEFT(s.program_name, {length})={} AND (r.command LIKE N'BACKUP%' OR r.command LIKE N'RESTORE%' \
         OR r.command LIKE N'DBCC%' OR r.command LIKE N'KILLED%') ORDER BY s.session_id",
        program.literal()
    );
    Statement::select("orphaned_work", "", &REQUEST, &rest)
}

const RESULT: [Column; 1] = [Column { name: "result", kind: Kind::Int, from: "" }];

/// Takes an application lock for this session: `result` is 0 or 1 when it is ours, below 0 when not (-1: somebody has it).
pub fn take_lock(name: &LockName, wait_ms: u32) -> Statement {
    let text = format!(
        "DECLARE @rc int; EXEC @rc = sys.sp_getapplock @Resource={}, @LockMode=N'Exclusive', @LockOwner=N'Session', @LockTimeout={wait_ms}; \
         SELECT @rc AS [result];",
        name.literal()
    );
    Statement::new("take_lock", text).returning(&RESULT)
}

/// Gives an application lock back: `result` is 0.
pub fn release_lock(name: &LockName) -> Statement {
    let text = format!(
        "DECLARE @rc int; EXEC @rc = sys.sp_releaseapplock @Resource={}, @LockOwner=N'Session'; SELECT @rc AS [result];",
        name.literal()
    );
    Statement::new("release_lock", text).returning(&RESULT)
}

/// Could we have this application lock: `result` 1 or 0. Takes nothing.
pub fn test_lock(name: &LockName) -> Statement {
    let text = format!("SELECT CAST(APPLOCK_TEST(N'public', {}, N'Exclusive', N'Session') AS int) AS [result];", name.literal());
    Statement::new("test_lock", text).returning(&RESULT)
}
