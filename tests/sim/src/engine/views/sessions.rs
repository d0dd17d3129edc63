//! Views of sessions, requests, locks and transactions. Who may not see the state of the server sees himself only.

use super::Viewer;
use crate::{
    engine::{
        messages::Chain,
        rows::{DESC, NAME, Rows, bit, guid, int, maybe, text, time},
        state::{Session, now},
    },
    wire::{SessionId, Type, Value},
};

/// Sessions that the viewer sees.
fn seen(viewer: Viewer<'_>) -> Vec<(SessionId, Session)> {
    let all = viewer.server.sees(viewer.session);
    let state = viewer.server.state();
    let visible = state.sessions.iter().filter(|(id, session)| !session.gone && (all || **id == viewer.session));
    visible.map(|(id, session)| (*id, session.clone())).collect()
}

/// sys.dm_exec_sessions
pub fn sessions(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("session_id", Type::SmallInt),
        ("login_time", Type::DateTime),
        ("host_name", NAME),
        ("program_name", NAME),
        ("host_process_id", Type::Int),
        ("client_version", Type::Int),
        ("client_interface_name", Type::NVarChar(Some(32))),
        ("security_id", Type::VarBinary(Some(85))),
        ("login_name", NAME),
        ("nt_domain", NAME),
        ("nt_user_name", NAME),
        ("status", Type::NVarChar(Some(30))),
        ("cpu_time", Type::Int),
        ("memory_usage", Type::Int),
        ("total_elapsed_time", Type::Int),
        ("last_request_start_time", Type::DateTime),
        ("last_request_end_time", Type::DateTime),
        ("reads", Type::BigInt),
        ("writes", Type::BigInt),
        ("logical_reads", Type::BigInt),
        ("is_user_process", Type::Bit),
        ("language", NAME),
        ("transaction_isolation_level", Type::SmallInt),
        ("lock_timeout", Type::Int),
        ("deadlock_priority", Type::Int),
        ("row_count", Type::BigInt),
        ("prev_error", Type::Int),
        ("original_security_id", Type::VarBinary(Some(85))),
        ("original_login_name", NAME),
        ("database_id", Type::SmallInt),
        ("authenticating_database_id", Type::Int),
        ("open_transaction_count", Type::Int),
    ]);
    if viewer.server.sees(viewer.session) {
        // One of the system's own: they have no connection, and is_user_process 0.
        let (started, none) = (viewer.server.started, Value::Null);
        let mut row = vec![int(9), time(started), none.clone(), none.clone(), none.clone(), none.clone(), none.clone()];
        row.extend([Value::Bytes(vec![1]), text("sa"), text(""), text(""), text("sleeping"), int(0), int(0), int(0)]);
        row.extend([
            time(started),
            time(started),
            int(0),
            int(0),
            int(0),
            bit(false),
            text("us_english"),
            int(2),
            int(-1),
            int(0),
        ]);
        row.extend([int(0), int(0), Value::Bytes(vec![1]), text("sa"), int(1), none, int(0)]);
        rows.add(row);
    }
    for (id, session) in seen(viewer) {
        let status = if session.request.is_some() { "running" } else { "sleeping" };
        rows.add(vec![
            int(id),
            time(session.since),
            text(&session.login.host),
            text(&session.login.application),
            int(session.login.process),
            int(7),
            text("ODBC"),
            Value::Bytes(session.sid.clone()),
            text(&session.login.user),
            text(""),
            text(""),
            text(status),
            int(0),
            int(2),
            int((now() - session.since) / 10_000 % i64::from(i32::MAX)),
            time(session.request.as_ref().map_or(session.last.0, |request| request.since)),
            if session.request.is_some() { Value::Null } else { time(session.last.1) },
            int(0),
            int(0),
            int(0),
            bit(true),
            text("us_english"),
            int(2),
            int(-1),
            int(0),
            int(0),
            int(0),
            Value::Bytes(session.sid.clone()),
            text(&session.login.user),
            int(session.database),
            int(1),
            int(session.transactions),
        ]);
    }
    rows
}

/// sys.dm_exec_connections
pub fn connections(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("session_id", Type::Int),
        ("most_recent_session_id", Type::Int),
        ("connect_time", Type::DateTime),
        ("net_transport", Type::NVarChar(Some(40))),
        ("protocol_type", Type::NVarChar(Some(40))),
        ("encrypt_option", Type::NVarChar(Some(40))),
        ("auth_scheme", Type::NVarChar(Some(40))),
        ("client_net_address", Type::VarChar(Some(48))),
        ("client_tcp_port", Type::Int),
        ("local_net_address", Type::VarChar(Some(48))),
        ("local_tcp_port", Type::Int),
        ("connection_id", Type::Guid),
        ("parent_connection_id", Type::Guid),
        ("last_read", Type::DateTime),
        ("last_write", Type::DateTime),
        ("num_reads", Type::Int),
        ("num_writes", Type::Int),
    ]);
    for (id, session) in seen(viewer) {
        let address = if session.login.address.is_empty() { "<local machine>" } else { &session.login.address };
        let local = session.login.address.is_empty();
        rows.add(vec![
            int(id),
            int(id),
            time(session.since),
            text(if local { "Shared memory" } else { "TCP" }),
            text("TSQL"),
            text("FALSE"),
            text("SQL"),
            text(address),
            if local { Value::Null } else { int(50000) },
            if local { Value::Null } else { text("127.0.0.1") },
            Value::Null,
            guid(session.connection),
            Value::Null,
            time(session.last.0),
            time(session.last.1),
            int(1),
            int(1),
        ]);
    }
    rows
}

/// sys.dm_exec_requests
pub fn requests(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("session_id", Type::SmallInt),
        ("request_id", Type::Int),
        ("start_time", Type::DateTime),
        ("status", Type::NVarChar(Some(30))),
        ("command", Type::NVarChar(Some(32))),
        ("database_id", Type::SmallInt),
        ("user_id", Type::Int),
        ("connection_id", Type::Guid),
        ("blocking_session_id", Type::SmallInt),
        ("wait_type", DESC),
        ("wait_time", Type::Int),
        ("last_wait_type", DESC),
        ("wait_resource", Type::NVarChar(Some(256))),
        ("open_transaction_count", Type::Int),
        ("transaction_id", Type::BigInt),
        ("percent_complete", Type::Real),
        ("estimated_completion_time", Type::BigInt),
        ("cpu_time", Type::Int),
        ("total_elapsed_time", Type::Int),
        ("reads", Type::BigInt),
        ("writes", Type::BigInt),
        ("logical_reads", Type::BigInt),
        ("row_count", Type::BigInt),
        ("sql_handle", Type::VarBinary(Some(64))),
        ("statement_start_offset", Type::Int),
        ("statement_end_offset", Type::Int),
    ]);
    for (id, session) in seen(viewer) {
        let rolls_back = session.killed && session.transactions > 0;
        let Some(request) = session.request.clone().or_else(|| rolls_back.then(|| rolling(&session))) else { continue };
        let elapsed = (now() - request.since) / 10_000;
        let left = if request.percent > 0.0 { (elapsed as f64 * (100.0 - request.percent) / request.percent) as i64 } else { 0 };
        let status = match (&request.wait, rolls_back) {
            (_, true) => "rollback",
            (Some(_), _) => "suspended",
            _ => "running",
        };
        rows.add(vec![
            int(id),
            int(0),
            time(request.since),
            text(status),
            text(if rolls_back { "KILLED/ROLLBACK" } else { &request.command }),
            int(request.database),
            int(1),
            guid(session.connection),
            int(request.blocked_by),
            maybe(request.wait.clone(), text),
            int(if request.wait.is_some() { ((now() - request.wait_since) / 10_000).min(i64::from(i32::MAX)) } else { 0 }),
            text(request.wait.clone().unwrap_or_else(|| "MISCELLANEOUS".into())),
            text(""),
            int(session.transactions),
            int(i64::from(id) * 1000),
            Value::Float(request.percent),
            int(left),
            int(0),
            int(elapsed.min(i64::from(i32::MAX))),
            int(0),
            int(0),
            int(0),
            int(0),
            Value::Null,
            int(0),
            int(-1),
        ]);
    }
    rows
}

fn rolling(session: &Session) -> crate::engine::state::Request {
    crate::engine::state::Request {
        command: "KILLED/ROLLBACK".into(),
        since: now(),
        percent: 0.0,
        wait: None,
        wait_since: 0,
        blocked_by: 0,
        database: session.database,
    }
}

/// sys.dm_tran_locks
pub fn locks(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("resource_type", DESC),
        ("resource_subtype", DESC),
        ("resource_database_id", Type::Int),
        ("resource_description", Type::NVarChar(Some(256))),
        ("resource_associated_entity_id", Type::BigInt),
        ("request_mode", DESC),
        ("request_type", DESC),
        ("request_status", DESC),
        ("request_reference_count", Type::SmallInt),
        ("request_session_id", Type::Int),
        ("request_owner_type", DESC),
    ]);
    let row = |kind: &str, database: i32, about: &str, mode: &str, session: SessionId, owner: &str| {
        vec![
            text(kind),
            text(""),
            int(database),
            text(about),
            int(0),
            text(mode),
            text("LOCK"),
            text("GRANT"),
            int(1),
            int(session),
            text(owner),
        ]
    };
    let state = viewer.server.state();
    for (id, session) in state.sessions.iter().filter(|(_, session)| !session.gone) {
        let mut uses = session.touching.clone();
        // Of the system's databases, master and tempdb are used without a lock.
        uses.extend((session.database > 4).then_some(session.database));
        for database in uses {
            rows.add(row("DATABASE", database, "", "S", *id, "SHARED_TRANSACTION_WORKSPACE"));
        }
    }
    for found in state.databases.values() {
        if let Some(session) = found.exclusive {
            rows.add(row("DATABASE", found.id, "", "X", session, "SHARED_TRANSACTION_WORKSPACE"));
        }
        if let Some(session) = found.writer {
            rows.add(row("OBJECT", found.id, "", "IX", session, "TRANSACTION"));
        }
    }
    for held in &state.locks {
        let mode = match held.mode.as_str() {
            "Exclusive" => "X",
            "Shared" => "S",
            "Update" => "U",
            "IntentShared" => "IS",
            _ => "IX",
        };
        let owner = if held.transaction { "TRANSACTION" } else { "SESSION" };
        let about = format!("0:[{}]:(00000000)", held.resource);
        rows.add(row("APPLICATION", held.database, &about, mode, held.session, owner));
    }
    Ok(rows)
}

/// sys.dm_tran_database_transactions
pub fn transactions(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("transaction_id", Type::BigInt),
        ("database_id", Type::Int),
        ("database_transaction_begin_time", Type::DateTime),
        ("database_transaction_type", Type::Int),
        ("database_transaction_state", Type::Int),
        ("database_transaction_log_record_count", Type::BigInt),
        ("database_transaction_log_bytes_used", Type::BigInt),
    ]);
    let state = viewer.server.state();
    for (id, session) in state.sessions.iter().filter(|(_, session)| !session.gone && session.transactions > 0) {
        let writes: Vec<i32> = state.databases.values().filter(|found| found.writer == Some(*id)).map(|found| found.id).collect();
        let mut uses = session.touching.clone();
        uses.extend((session.database > 4).then_some(session.database));
        for database in uses {
            let writing = writes.contains(&database);
            rows.add(vec![
                int(i64::from(*id) * 1000),
                int(database),
                if writing { time(session.transaction_since) } else { Value::Null },
                int(if writing { 1 } else { 2 }),
                int(if writing { 4 } else { 3 }),
                int(i32::from(writing)),
                int(if writing { 512 } else { 0 }),
            ]);
        }
    }
    Ok(rows)
}

/// sys.dm_tran_session_transactions
pub fn session_transactions(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("session_id", Type::Int),
        ("transaction_id", Type::BigInt),
        ("is_user_transaction", Type::Bit),
        ("is_local", Type::Bit),
        ("open_transaction_count", Type::Int),
    ]);
    for (id, session) in viewer.server.state().sessions.iter().filter(|(_, session)| !session.gone && session.transactions > 0) {
        rows.add(vec![int(*id), int(i64::from(*id) * 1000), bit(true), bit(true), int(session.transactions)]);
    }
    Ok(rows)
}

/// sys.sysprocesses: what old tools read.
pub fn processes(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("spid", Type::SmallInt),
        ("blocked", Type::SmallInt),
        ("dbid", Type::SmallInt),
        ("login_time", Type::DateTime),
        ("last_batch", Type::DateTime),
        ("open_tran", Type::SmallInt),
        ("status", Type::NChar(30)),
        ("hostname", Type::NChar(128)),
        ("program_name", Type::NChar(128)),
        ("hostprocess", Type::NChar(10)),
        ("cmd", Type::NChar(26)),
        ("loginame", Type::NChar(128)),
    ]);
    for (id, session) in seen(viewer) {
        rows.add(vec![
            int(id),
            int(session.request.as_ref().map_or(0, |request| request.blocked_by)),
            int(session.database),
            time(session.since),
            time(session.last.0),
            int(session.transactions),
            text(if session.request.is_some() { "runnable" } else { "sleeping" }),
            text(&session.login.host),
            text(&session.login.application),
            text(session.login.process.to_string()),
            text(session.request.as_ref().map_or("AWAITING COMMAND", |request| request.command.as_str())),
            text(&session.login.user),
        ]);
    }
    rows
}
