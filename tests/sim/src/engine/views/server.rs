//! Views of the server: configuration, services, volumes, logins.

use super::Viewer;
use crate::{
    engine::{
        configuration,
        messages::Chain,
        rows::{DESC, NAME, Rows, bit, int, maybe, text, time},
    },
    wire::{Type, Value},
};

/// sys.configurations
pub fn configurations(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("configuration_id", Type::Int),
        ("name", Type::NVarChar(Some(35))),
        ("value", Type::Int),
        ("minimum", Type::Int),
        ("maximum", Type::Int),
        ("value_in_use", Type::Int),
        ("description", Type::NVarChar(Some(255))),
        ("is_dynamic", Type::Bit),
        ("is_advanced", Type::Bit),
    ]);
    let state = viewer.server.state();
    for (name, id, first, least, most, advanced) in configuration::OPTIONS {
        let value = state.configuration.get(*name).copied().unwrap_or(*first);
        rows.add(vec![
            int(*id),
            text(*name),
            int(value),
            int(*least),
            int(*most),
            int(value),
            text(*name),
            bit(true),
            bit(*advanced),
        ]);
    }
    rows
}

/// sys.dm_server_services
pub fn services(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("servicename", Type::NVarChar(Some(256))),
        ("startup_type", Type::Int),
        ("startup_type_desc", Type::NVarChar(Some(256))),
        ("status", Type::Int),
        ("status_desc", Type::NVarChar(Some(256))),
        ("process_id", Type::Int),
        ("service_account", Type::NVarChar(Some(256))),
        ("filename", Type::NVarChar(Some(256))),
        ("is_clustered", Type::NVarChar(Some(1))),
        ("instant_file_initialization_enabled", Type::NVarChar(Some(1))),
    ]);
    let identity = &viewer.server.identity;
    let name = if identity.name.is_empty() { "MSSQLSERVER" } else { &identity.name };
    let account = if identity.name.is_empty() { "NT Service\\MSSQLSERVER".into() } else { format!("NT Service\\MSSQL${name}") };
    rows.add(vec![
        text(format!("SQL Server ({name})")),
        int(2),
        text("Automatic"),
        int(4),
        text("Running"),
        int(std::process::id()),
        text(account),
        text("sqlservr.exe"),
        text("N"),
        text("N"),
    ]);
    Ok(rows)
}

/// sys.dm_os_host_info, from 2017 on.
pub fn host(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("host_platform", Type::NVarChar(Some(256))),
        ("host_distribution", Type::NVarChar(Some(256))),
        ("host_release", Type::NVarChar(Some(256))),
        ("host_service_pack_level", Type::NVarChar(Some(256))),
        ("host_sku", Type::Int),
        ("os_language_version", Type::Int),
    ]);
    let windows = cfg!(windows);
    rows.add(vec![
        text(if windows { "Windows" } else { "Linux" }),
        text(if windows { "Windows 10 Pro" } else { "Debian" }),
        text(if windows { "10.0" } else { "13" }),
        text(""),
        if windows { int(48) } else { Value::Null },
        int(if viewer.server.spanish() { 3082 } else { 1033 }),
    ]);
    Ok(rows)
}

/// sys.dm_os_sys_info
pub fn system(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("cpu_count", Type::Int),
        ("physical_memory_kb", Type::BigInt),
        ("sqlserver_start_time", Type::DateTime),
        ("ms_ticks", Type::BigInt),
    ]);
    let ticks = (crate::engine::state::now() - viewer.server.started) / 10_000;
    rows.add(vec![int(2), int(8_388_608), time(viewer.server.started), int(ticks)]);
    Ok(rows)
}

/// sys.server_principals, sys.sql_logins
pub fn principals(viewer: Viewer<'_>, sql_only: bool) -> Rows {
    let mut columns = vec![
        ("name", NAME),
        ("principal_id", Type::Int),
        ("sid", Type::VarBinary(Some(85))),
        ("type", Type::Char(1)),
        ("type_desc", DESC),
        ("is_disabled", Type::Bit),
        ("create_date", Type::DateTime),
        ("modify_date", Type::DateTime),
        ("default_database_name", NAME),
        ("default_language_name", NAME),
        ("credential_id", Type::Int),
    ];
    if sql_only {
        columns.extend([
            ("is_policy_checked", Type::Bit),
            ("is_expiration_checked", Type::Bit),
            ("password_hash", Type::VarBinary(Some(256))),
        ]);
    } else {
        columns.extend([("owning_principal_id", Type::Int), ("is_fixed_role", Type::Bit)]);
    }
    let mut rows = Rows::new(&columns);
    let control = viewer.server.can(viewer.session, "CONTROL SERVER");
    let all = control
        || viewer.server.can(viewer.session, "VIEW ANY DEFINITION")
        || viewer.server.can(viewer.session, "ALTER ANY LOGIN");
    let state = viewer.server.state();
    let own = state.sessions.get(&viewer.session).map(|session| session.sid.clone()).unwrap_or_default();
    for login in state.logins.values().filter(|login| all || login.id == 1 || login.sid == own) {
        let windows = login.hash.is_empty() && login.name.contains('\\');
        if windows && sql_only {
            continue;
        }
        let mut row = vec![
            text(&login.name),
            int(login.id),
            Value::Bytes(login.sid.clone()),
            text(if windows { "U" } else { "S" }),
            text(if windows { "WINDOWS_LOGIN" } else { "SQL_LOGIN" }),
            bit(login.disabled),
            time(login.created),
            time(login.modified),
            text(&login.database),
            text(&login.language),
            Value::Null,
        ];
        if sql_only {
            row.extend([
                bit(login.policy),
                bit(login.expiration),
                if control { Value::Bytes(login.hash.clone()) } else { Value::Null },
            ]);
        } else {
            row.extend([Value::Null, bit(false)]);
        }
        rows.add(row);
    }
    if !sql_only {
        for (id, name) in ROLES {
            let mut row = vec![text(*name), int(*id), Value::Bytes(vec![*id as u8]), text("R"), text("SERVER_ROLE"), bit(false)];
            row.extend([
                time(viewer.server.started),
                time(viewer.server.started),
                Value::Null,
                Value::Null,
                Value::Null,
                int(1),
                bit(true),
            ]);
            rows.add(row);
        }
    }
    rows
}

const ROLES: &[(i32, &str)] = &[
    (2, "public"),
    (3, "sysadmin"),
    (4, "securityadmin"),
    (5, "serveradmin"),
    (6, "setupadmin"),
    (7, "processadmin"),
    (8, "diskadmin"),
    (9, "dbcreator"),
    (10, "bulkadmin"),
];

/// sys.server_role_members
pub fn role_members(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[("role_principal_id", Type::Int), ("member_principal_id", Type::Int)]);
    for login in viewer.server.state().logins.values() {
        for role in &login.roles {
            if let Some((id, _)) = ROLES.iter().find(|(_, name)| name == role) {
                rows.add(vec![int(*id), int(login.id)]);
            }
        }
    }
    rows
}

/// sys.servers: only itself.
pub fn servers(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[("server_id", Type::Int), ("name", NAME), ("product", NAME), ("is_linked", Type::Bit)]);
    rows.add(vec![int(0), text(viewer.server.identity.server_name()), text("SQL Server"), bit(false)]);
    rows
}

/// sys.dm_os_volume_stats
pub fn volume(viewer: Viewer<'_>, database: Option<i64>, file: Option<i64>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("database_id", Type::Int),
        ("file_id", Type::Int),
        ("volume_mount_point", Type::NVarChar(Some(256))),
        ("volume_id", Type::NVarChar(Some(256))),
        ("logical_volume_name", Type::NVarChar(Some(256))),
        ("file_system_type", Type::NVarChar(Some(256))),
        ("total_bytes", Type::BigInt),
        ("available_bytes", Type::BigInt),
        ("supports_compression", Type::Bit),
        ("supports_alternate_streams", Type::Bit),
        ("supports_sparse_files", Type::Bit),
        ("is_read_only", Type::Bit),
        ("is_compressed", Type::Bit),
    ]);
    let (total, free) = viewer.server.volume();
    let known = database.and_then(|id| i32::try_from(id).ok()).filter(|id| viewer.server.state().name_of(*id).is_some());
    if let (Some(id), Some(file @ 1..=2)) = (known, file) {
        rows.add(vec![
            int(id),
            int(file),
            text(viewer.server.mount()),
            text("\\\\?\\Volume{00000000-0000-0000-0000-000000000001}\\"),
            text("DATOS"),
            text("NTFS"),
            int(i64::try_from(total).unwrap_or(i64::MAX)),
            int(i64::try_from(free).unwrap_or(i64::MAX)),
            bit(true),
            bit(true),
            bit(true),
            bit(false),
            bit(false),
        ]);
    }
    Ok(rows)
}

/// sys.dm_os_enumerate_fixed_drives, from 2017 on.
pub fn drives(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("fixed_drive_path", Type::NVarChar(Some(256))),
        ("drive_type", Type::Int),
        ("drive_type_desc", Type::NVarChar(Some(256))),
        ("free_space_in_bytes", Type::BigInt),
    ]);
    let free = i64::try_from(viewer.server.volume().1).unwrap_or(i64::MAX);
    rows.add(vec![text(viewer.server.mount()), int(3), text("DRIVE_FIXED"), int(free)]);
    Ok(rows)
}

/// sys.dm_os_file_exists
pub fn file_exists(viewer: Viewer<'_>, said: &str) -> Rows {
    let mut rows =
        Rows::new(&[("file_exists", Type::Int), ("file_is_a_directory", Type::Int), ("parent_directory_exists", Type::Int)]);
    let path = viewer.server.path(said);
    let there = viewer.server.orders().system_error(&path).is_none();
    rows.add(vec![bit(there && path.exists()), bit(there && path.is_dir()), maybe(path.parent(), |parent| bit(parent.is_dir()))]);
    rows
}
