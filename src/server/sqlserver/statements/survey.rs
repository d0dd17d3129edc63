//! Reading how an instance and its database stand: preflight, chain state, history, sizes.

use super::{Column, DatabaseName, Kind, Statement};
use crate::model::Lsn;

/// The instance: one row. A property that a version does not know is NULL.
pub fn instance() -> Statement {
    const COLUMNS: [Column; 20] = [
        Column::new("major", Kind::Int, "SERVERPROPERTY('ProductMajorVersion')"),
        Column::new("version", Kind::Words, "SERVERPROPERTY('ProductVersion')"),
        Column::new("level", Kind::Words, "SERVERPROPERTY('ProductLevel')"),
        Column::new("update_level", Kind::Words, "SERVERPROPERTY('ProductUpdateLevel')"),
        Column::new("edition", Kind::Words, "SERVERPROPERTY('Edition')"),
        Column::new("engine_edition", Kind::Int, "SERVERPROPERTY('EngineEdition')"),
        Column::new("edition_id", Kind::Big, "SERVERPROPERTY('EditionID')"),
        Column::new("collation", Kind::Words, "SERVERPROPERTY('Collation')"),
        Column::new("data_folder", Kind::Words, "SERVERPROPERTY('InstanceDefaultDataPath')"),
        Column::new("log_folder", Kind::Words, "SERVERPROPERTY('InstanceDefaultLogPath')"),
        Column::new("backup_folder", Kind::Words, "SERVERPROPERTY('InstanceDefaultBackupPath')"),
        Column::new("machine", Kind::Words, "SERVERPROPERTY('MachineName')"),
        Column::new("instance", Kind::Words, "SERVERPROPERTY('InstanceName')"),
        Column::new("windows_logins_only", Kind::Int, "SERVERPROPERTY('IsIntegratedSecurityOnly')"),
        Column::new("local_db", Kind::Int, "SERVERPROPERTY('IsLocalDB')"),
        Column::new("server_name", Kind::Words, "@@SERVERNAME"),
        Column::new("session_id", Kind::Int, "@@SPID"),
        Column::new("transactions", Kind::Int, "@@TRANCOUNT"),
        Column::new("utc", Kind::Time, "SYSUTCDATETIME()"),
        Column::new("utc_offset_minutes", Kind::Int, "DATEDIFF(minute, GETUTCDATE(), GETDATE())"),
    ];
    Statement::select("instance", "", &COLUMNS, "")
}

/// What our login may do there, 0 or 1: one row.
pub fn permissions() -> Statement {
    const COLUMNS: [Column; 7] = [
        Column::new("login", Kind::Words, "SUSER_SNAME()"),
        Column::new("sysadmin", Kind::Int, "IS_SRVROLEMEMBER('sysadmin')"),
        Column::new("view_server_state", Kind::Int, "HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE')"),
        Column::new("alter_any_connection", Kind::Int, "HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY CONNECTION')"),
        Column::new("create_any_database", Kind::Int, "HAS_PERMS_BY_NAME(NULL, NULL, 'CREATE ANY DATABASE')"),
        Column::new("alter_any_login", Kind::Int, "HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY LOGIN')"),
        Column::new("control_server", Kind::Int, "HAS_PERMS_BY_NAME(NULL, NULL, 'CONTROL SERVER')"),
    ];
    Statement::select("permissions", "", &COLUMNS, "")
}

/// Options of the server that matter here: `name`, `value`.
pub fn configuration() -> Statement {
    const COLUMNS: [Column; 2] = [Column::new("name", Kind::Words, "c.name"), Column::new("value", Kind::Big, "c.value_in_use")];
    Statement::select("configuration", "", &COLUMNS, "FROM sys.configurations c WHERE c.name IN (N'backup compression default')")
}

/// The accounts that its services run as: `service`, `account`, `status`. Needs VIEW SERVER STATE.
pub fn services() -> Statement {
    const COLUMNS: [Column; 3] = [
        Column::new("service", Kind::Words, "s.servicename"),
        Column::new("account", Kind::Words, "s.service_account"),
        Column::new("status", Kind::Words, "s.status_desc"),
    ];
    Statement::select("services", "", &COLUMNS, "FROM sys.dm_server_services s")
}

/// Its operating system: `platform` ("Windows", "Linux"). Servers from 2017 on; before that it is Windows.
pub fn host() -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("platform", Kind::Words, "h.host_platform")];
    Statement::select("host", "", &COLUMNS, "FROM sys.dm_os_host_info h")
}

/// State of the database and of its chain: one row, none where it does not exist. From either side, whatever its state.
pub fn state(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 35] = [
        Column::new("database_id", Kind::Int, "d.database_id"),
        Column::new("name", Kind::Words, "d.name"),
        Column::new("state", Kind::Words, "d.state_desc"),
        Column::new("recovery_model", Kind::Words, "d.recovery_model_desc"),
        Column::new("user_access", Kind::Words, "d.user_access_desc"),
        Column::new("read_only", Kind::Int, "d.is_read_only"),
        Column::new("in_standby", Kind::Int, "d.is_in_standby"),
        Column::new("auto_close", Kind::Int, "d.is_auto_close_on"),
        Column::new("async_statistics", Kind::Int, "d.is_auto_update_stats_async_on"),
        Column::new("trustworthy", Kind::Int, "d.is_trustworthy_on"),
        Column::new("broker", Kind::Int, "d.is_broker_enabled"),
        Column::new("broker_priority", Kind::Int, "d.is_honor_broker_priority_on"),
        Column::new("compatibility", Kind::Int, "d.compatibility_level"),
        Column::new("collation", Kind::Words, "d.collation_name"),
        Column::new("page_verify", Kind::Words, "d.page_verify_option_desc"),
        Column::new("log_reuse_wait", Kind::Words, "d.log_reuse_wait_desc"),
        Column::new("encrypted", Kind::Int, "d.is_encrypted"),
        Column::new("owner", Kind::Words, "SUSER_SNAME(d.owner_sid)"),
        Column::new("created", Kind::Time, "d.create_date"),
        Column::new("internal_version", Kind::Int, "DATABASEPROPERTYEX(d.name, 'Version')"),
        Column::new("database_guid", Kind::Guid, "r.database_guid"),
        Column::new("family_guid", Kind::Guid, "r.family_guid"),
        Column::new("last_log_backup_lsn", Kind::Lsn, "r.last_log_backup_lsn"),
        Column::new("recovery_fork_guid", Kind::Guid, "r.recovery_fork_guid"),
        Column::new("first_recovery_fork_guid", Kind::Guid, "r.first_recovery_fork_guid"),
        Column::new("fork_point_lsn", Kind::Lsn, "r.fork_point_lsn"),
        Column::new("file_state", Kind::Words, "f.state_desc"),
        Column::new("file_path", Kind::Words, "f.physical_name"),
        Column::new("redo_start_lsn", Kind::Lsn, "f.redo_start_lsn"),
        Column::new("redo_start_fork_guid", Kind::Guid, "f.redo_start_fork_guid"),
        Column::new("redo_target_lsn", Kind::Lsn, "f.redo_target_lsn"),
        Column::new("differential_base_lsn", Kind::Lsn, "f.differential_base_lsn"),
        Column::new("differential_base_guid", Kind::Guid, "f.differential_base_guid"),
        Column::new("differential_base_time", Kind::Time, "f.differential_base_time"),
        Column::new("utc", Kind::Time, "SYSUTCDATETIME()"),
    ];
    let rest = format!(
        "FROM sys.databases d LEFT JOIN sys.database_recovery_status r ON r.database_id=d.database_id \
         LEFT JOIN sys.master_files f ON f.database_id=d.database_id AND f.file_id=1 WHERE d.name={}",
        database.literal()
    );
    Statement::select("state", "", &COLUMNS, &rest)
}

/// Its files: `file_id`, `type` (ROWS, LOG…), `logical`, `path`, `state`, `bytes`. Whatever its state.
pub fn database_files(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 6] = [
        Column::new("file_id", Kind::Int, "f.file_id"),
        Column::new("type", Kind::Words, "f.type_desc"),
        Column::new("logical", Kind::Words, "f.name"),
        Column::new("path", Kind::Words, "f.physical_name"),
        Column::new("state", Kind::Words, "f.state_desc"),
        Column::new("bytes", Kind::Big, "CAST(f.size AS bigint)*8192"),
    ];
    let rest = format!("FROM sys.master_files f WHERE f.database_id=DB_ID({}) ORDER BY f.file_id", database.literal());
    Statement::select("database_files", "", &COLUMNS, &rest)
}

/// Features in use that only Enterprise opens: `feature`. The database has to be open.
pub fn edition_features(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("feature", Kind::Words, "k.feature_name")];
    let rest = format!("FROM {}.sys.dm_db_persisted_sku_features k ORDER BY k.feature_name", database.identifier());
    Statement::select("edition_features", "", &COLUMNS, &rest)
}

/// Backups of the database that end beyond this LSN, at most 200, oldest first. Those not ours may have moved the chain.
pub fn backups_since(database: &DatabaseName, after: Lsn) -> Statement {
    const COLUMNS: [Column; 19] = [
        Column::new("backup_set_id", Kind::Int, "b.backup_set_id"),
        Column::new("set_guid", Kind::Guid, "b.backup_set_uuid"),
        Column::new("type", Kind::Words, "b.type"),
        Column::new("copy_only", Kind::Int, "b.is_copy_only"),
        Column::new("snapshot", Kind::Int, "b.is_snapshot"),
        Column::new("first_lsn", Kind::Lsn, "b.first_lsn"),
        Column::new("last_lsn", Kind::Lsn, "b.last_lsn"),
        Column::new("checkpoint_lsn", Kind::Lsn, "b.checkpoint_lsn"),
        Column::new("database_backup_lsn", Kind::Lsn, "b.database_backup_lsn"),
        Column::new("differential_base_guid", Kind::Guid, "b.differential_base_guid"),
        Column::new("first_fork_guid", Kind::Guid, "b.first_recovery_fork_guid"),
        Column::new("last_fork_guid", Kind::Guid, "b.last_recovery_fork_guid"),
        Column::new("family_guid", Kind::Guid, "b.family_guid"),
        Column::new("begins_log_chain", Kind::Int, "b.begins_log_chain"),
        Column::new("finished", Kind::Time, "b.backup_finish_date"),
        Column::new("user_name", Kind::Words, "b.user_name"),
        Column::new("set_name", Kind::Words, "b.name"),
        Column::new("device", Kind::Words, "m.physical_device_name"),
        Column::new("device_type", Kind::Int, "m.device_type"),
    ];
    let rest = format!(
        "FROM msdb.dbo.backupset b JOIN msdb.dbo.backupmediafamily m ON m.media_set_id=b.media_set_id \
         WHERE b.database_name={} AND b.last_lsn>{after} ORDER BY b.backup_set_id",
        database.literal()
    );
    Statement::select("backups_since", "TOP (200) ", &COLUMNS, &rest)
}

/// What was restored into the database, at most 20, newest first.
pub fn restores(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 10] = [
        Column::new("restored", Kind::Time, "h.restore_date"),
        Column::new("restore_type", Kind::Words, "h.restore_type"),
        Column::new("recovery", Kind::Int, "h.recovery"),
        Column::new("replace", Kind::Int, "h.replace"),
        Column::new("set_guid", Kind::Guid, "b.backup_set_uuid"),
        Column::new("type", Kind::Words, "b.type"),
        Column::new("first_lsn", Kind::Lsn, "b.first_lsn"),
        Column::new("last_lsn", Kind::Lsn, "b.last_lsn"),
        Column::new("last_fork_guid", Kind::Guid, "b.last_recovery_fork_guid"),
        Column::new("set_name", Kind::Words, "b.name"),
    ];
    let rest = format!(
        "FROM msdb.dbo.restorehistory h LEFT JOIN msdb.dbo.backupset b ON b.backup_set_id=h.backup_set_id \
         WHERE h.destination_database_name={} ORDER BY h.restore_history_id DESC",
        database.literal()
    );
    Statement::select("restores", "TOP (20) ", &COLUMNS, &rest)
}

/// Size of the next log backup, in bytes: `log_bytes`. Servers from 2016 SP2 on.
pub fn log_size(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 2] = [
        Column::new("log_bytes", Kind::Big, "l.log_since_last_log_backup_mb*1048576"),
        Column::new("total_bytes", Kind::Big, "l.total_log_size_mb*1048576"),
    ];
    let rest = format!("FROM sys.dm_db_log_stats(DB_ID({})) AS l", database.literal());
    Statement::select("log_size", "", &COLUMNS, &rest)
}

/// Size of the next differential and of a full backup, in bytes: `changed_bytes`, `used_bytes`. Servers from 2016 SP2 on; not while a full
/// backup runs (2022 and 2025 would wait).
pub fn change_size(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 2] = [
        Column::new("changed_bytes", Kind::Big, "SUM(u.modified_extent_page_count)*8192"),
        Column::new("used_bytes", Kind::Big, "SUM(u.allocated_extent_page_count)*8192"),
    ];
    let rest = format!("FROM {}.sys.dm_db_file_space_usage u", database.identifier());
    Statement::select("change_size", "", &COLUMNS, &rest)
}
