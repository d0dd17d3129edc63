//! Catalog and dynamic management views: made anew for every statement that reads one, with the documented names and types of columns
//! (all those that the fact sheet and common tools name).

mod databases;
mod msdb;
mod objects;
mod server;
mod sessions;

use super::{
    messages::{Chain, fault},
    rows::Rows,
    server::Server,
};
use crate::wire::{SessionId, Type, Value};

/// The session that looks, from which database.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// The instance.
    pub server: &'a Server,
    /// The session.
    pub session: SessionId,
    /// The database whose view it is.
    pub database: i32,
}

impl Viewer<'_> {
    /// Fails where the session may not see the state of the server.
    fn sees(&self) -> Result<(), Chain> {
        if self.server.sees(self.session) {
            return Ok(());
        }
        let permission = if self.server.identity.major >= 16 { "VIEW SERVER PERFORMANCE STATE" } else { "VIEW SERVER STATE" };
        Err(vec![fault(300, &[permission]), fault(297, &[])])
    }
}

/// The rows of a view of schema `sys` or `INFORMATION_SCHEMA`, or of a table of msdb; `None`: there is no such.
pub fn view(viewer: Viewer<'_>, sqlite: &rusqlite::Connection, alias: Option<&str>, name: &str) -> Result<Option<Rows>, Chain> {
    let name = name.to_lowercase();
    let rows = match name.as_str() {
        "databases" => databases::databases(viewer),
        "master_files" => databases::master_files(viewer, None),
        "database_files" => databases::master_files(viewer, Some(viewer.database)),
        "database_recovery_status" => databases::recovery_status(viewer),
        "dm_db_file_space_usage" => databases::file_space(viewer)?,
        "dm_db_persisted_sku_features" => databases::sku_features(viewer),
        "dm_exec_sessions" => sessions::sessions(viewer),
        "dm_exec_connections" => sessions::connections(viewer),
        "dm_exec_requests" => sessions::requests(viewer),
        "dm_tran_locks" => sessions::locks(viewer)?,
        "dm_tran_database_transactions" => sessions::transactions(viewer)?,
        "dm_tran_session_transactions" => sessions::session_transactions(viewer)?,
        "sysprocesses" => sessions::processes(viewer),
        "configurations" => server::configurations(viewer),
        "dm_server_services" => server::services(viewer)?,
        "dm_os_host_info" if viewer.server.identity.major >= 14 => server::host(viewer)?,
        "dm_os_enumerate_fixed_drives" if viewer.server.identity.major >= 14 => server::drives(viewer)?,
        "dm_os_sys_info" => server::system(viewer)?,
        "server_principals" => server::principals(viewer, false),
        "sql_logins" => server::principals(viewer, true),
        "server_role_members" => server::role_members(viewer),
        "servers" => server::servers(viewer),
        "backup_devices" => Rows::new(&[("name", super::rows::NAME), ("physical_name", super::rows::PATH)]),
        "extended_properties" => objects::properties(viewer, sqlite, alias)?,
        "database_principals" => objects::principals(viewer, sqlite, alias)?,
        "database_role_members" => objects::role_members(viewer, sqlite, alias)?,
        "tables" | "objects" => objects::tables(viewer, sqlite, alias)?,
        "columns" => objects::columns(viewer, sqlite, alias)?,
        "schemas" => objects::schemas(),
        "partitions" | "dm_db_partition_stats" => objects::partitions(viewer, sqlite, alias)?,
        _ => return Ok(None),
    };
    Ok(Some(rows))
}

/// The rows of a table of msdb.
pub fn msdb_table(viewer: Viewer<'_>, name: &str) -> Option<Rows> {
    Some(match name.to_lowercase().as_str() {
        "backupset" => msdb::backupset(viewer),
        "backupmediafamily" => msdb::mediafamily(viewer),
        "backupmediaset" => msdb::mediaset(viewer),
        "restorehistory" => msdb::restorehistory(viewer),
        _ => return None,
    })
}

/// The rows of a function that returns a table.
pub fn function(viewer: Viewer<'_>, name: &str, arguments: &[(Type, Value)]) -> Result<Option<Rows>, Chain> {
    let number = |at: usize| match arguments.get(at).map(|argument| &argument.1) {
        Some(Value::Int(number)) => Some(*number),
        Some(Value::Text(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let words = |at: usize| match arguments.get(at).map(|argument| &argument.1) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let rows = match name.to_lowercase().as_str() {
        "dm_os_volume_stats" => server::volume(viewer, number(0), number(1))?,
        "dm_db_log_stats" => databases::log_stats(viewer, number(0))?,
        "dm_io_virtual_file_stats" => databases::file_stats(viewer, number(0), number(1))?,
        "dm_os_file_exists" if viewer.server.identity.major >= 14 => server::file_exists(viewer, &words(0)),
        "dm_exec_sql_text" => Rows::new(&[("text", Type::NVarChar(None))]),
        "fn_listextendedproperty" => Rows::new(&[("name", super::rows::NAME), ("value", Type::NVarChar(Some(4000)))]),
        _ => return Ok(None),
    };
    Ok(Some(rows))
}
