//! Views of databases and their files.

use super::Viewer;
use crate::{
    engine::{
        lsn::Lsn,
        messages::Chain,
        rows::{DESC, LSN, NAME, PATH, Rows, bit, guid, int, lsn, maybe, text, time},
        state::{Database, DbState, Recovery, SYSTEM},
    },
    wire::{Type, Value},
};

/// sys.databases
pub fn databases(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("name", NAME),
        ("database_id", Type::Int),
        ("source_database_id", Type::Int),
        ("owner_sid", Type::VarBinary(Some(85))),
        ("create_date", Type::DateTime),
        ("compatibility_level", Type::TinyInt),
        ("collation_name", NAME),
        ("user_access", Type::TinyInt),
        ("user_access_desc", DESC),
        ("is_read_only", Type::Bit),
        ("is_auto_close_on", Type::Bit),
        ("is_auto_shrink_on", Type::Bit),
        ("state", Type::TinyInt),
        ("state_desc", DESC),
        ("is_in_standby", Type::Bit),
        ("is_cleanly_shutdown", Type::Bit),
        ("recovery_model", Type::TinyInt),
        ("recovery_model_desc", DESC),
        ("page_verify_option", Type::TinyInt),
        ("page_verify_option_desc", DESC),
        ("is_auto_update_stats_async_on", Type::Bit),
        ("is_trustworthy_on", Type::Bit),
        ("is_db_chaining_on", Type::Bit),
        ("is_broker_enabled", Type::Bit),
        ("service_broker_guid", Type::Guid),
        ("is_honor_broker_priority_on", Type::Bit),
        ("log_reuse_wait", Type::TinyInt),
        ("log_reuse_wait_desc", DESC),
        ("is_encrypted", Type::Bit),
        ("is_published", Type::Bit),
        ("is_distributor", Type::Bit),
        ("is_cdc_enabled", Type::Bit),
        ("is_read_committed_snapshot_on", Type::Bit),
        ("snapshot_isolation_state", Type::TinyInt),
        ("containment", Type::TinyInt),
        ("containment_desc", DESC),
        ("replica_id", Type::Guid),
        ("target_recovery_time_in_seconds", Type::Int),
        ("delayed_durability", Type::Int),
        ("is_query_store_on", Type::Bit),
    ]);
    for (id, name) in SYSTEM {
        let tempdb = id == 2;
        rows.add(vec![
            text(name),
            int(id),
            Value::Null,
            Value::Bytes(vec![1]),
            time(viewer.server.started),
            int(viewer.server.identity.major * 10),
            text(&viewer.server.identity.collation),
            int(0),
            text("MULTI_USER"),
            bit(false),
            bit(false),
            bit(false),
            int(0),
            text("ONLINE"),
            bit(false),
            bit(false),
            int(if id == 3 && viewer.server.identity.engine().0 != 4 { 1 } else { 3 }),
            text(if id == 3 && viewer.server.identity.engine().0 != 4 { "FULL" } else { "SIMPLE" }),
            int(2),
            text("CHECKSUM"),
            bit(false),
            bit(id == 4),
            bit(true),
            bit(tempdb || id == 4),
            Value::Null,
            bit(false),
            int(0),
            text("NOTHING"),
            bit(false),
            bit(false),
            bit(false),
            bit(false),
            bit(false),
            int(0),
            int(0),
            text("NONE"),
            Value::Null,
            int(60),
            int(0),
            bit(false),
        ]);
    }
    let state = viewer.server.state();
    for found in state.databases.values() {
        let boot = &found.boot;
        let open = found.readable();
        let on = |name: &str| boot.switches.contains(name);
        let (reuse, reuse_text) = reuse(found);
        rows.add(vec![
            text(&found.name),
            int(found.id),
            Value::Null,
            Value::Bytes(boot.owner.clone()),
            time(boot.created),
            int(boot.compatibility),
            if open { text(&boot.collation) } else { Value::Null },
            int(boot.access as i64),
            text(boot.access.name()),
            bit(boot.read_only || boot.standby),
            bit(on("AUTO_CLOSE")),
            bit(on("AUTO_SHRINK")),
            int(found.state as i64),
            text(found.state.name()),
            bit(boot.standby),
            bit(found.state == DbState::Offline),
            int(boot.recovery as i64),
            text(boot.recovery.name()),
            int(match boot.page_verify.as_str() {
                "CHECKSUM" => 2,
                "NONE" => 0,
                _ => 1,
            }),
            text(&boot.page_verify),
            bit(on("AUTO_UPDATE_STATISTICS_ASYNC")),
            bit(on("TRUSTWORTHY")),
            bit(on("DB_CHAINING")),
            bit(boot.broker),
            guid(boot.broker_guid),
            bit(on("HONOR_BROKER_PRIORITY")),
            int(reuse),
            text(reuse_text),
            bit(on("ENCRYPTION")),
            bit(false),
            bit(false),
            bit(false),
            bit(on("READ_COMMITTED_SNAPSHOT")),
            int(i32::from(on("ALLOW_SNAPSHOT_ISOLATION"))),
            int(0),
            text("NONE"),
            Value::Null,
            int(60),
            int(0),
            bit(on("QUERY_STORE")),
        ]);
    }
    rows
}

fn reuse(found: &Database) -> (i32, &'static str) {
    if !found.backups.is_empty() {
        (3, "ACTIVE_BACKUP_OR_RESTORE")
    } else if found.writer.is_some() {
        (4, "ACTIVE_TRANSACTION")
    } else if found.boot.logs() && found.boot.chain.is_some_and(|chain| found.boot.head > chain) {
        (2, "LOG_BACKUP")
    } else {
        (0, "NOTHING")
    }
}

/// sys.master_files, sys.database_files
pub fn master_files(viewer: Viewer<'_>, only: Option<i32>) -> Rows {
    let mut columns = vec![("database_id", Type::Int)];
    columns.extend([
        ("file_id", Type::Int),
        ("file_guid", Type::Guid),
        ("type", Type::TinyInt),
        ("type_desc", DESC),
        ("data_space_id", Type::Int),
        ("name", NAME),
        ("physical_name", PATH),
        ("state", Type::TinyInt),
        ("state_desc", DESC),
        ("size", Type::Int),
        ("max_size", Type::Int),
        ("growth", Type::Int),
        ("is_media_read_only", Type::Bit),
        ("is_read_only", Type::Bit),
        ("is_sparse", Type::Bit),
        ("is_percent_growth", Type::Bit),
        ("is_name_reserved", Type::Bit),
        ("create_lsn", LSN),
        ("drop_lsn", LSN),
        ("read_only_lsn", LSN),
        ("read_write_lsn", LSN),
        ("differential_base_lsn", LSN),
        ("differential_base_guid", Type::Guid),
        ("differential_base_time", Type::DateTime),
        ("redo_start_lsn", LSN),
        ("redo_start_fork_guid", Type::Guid),
        ("redo_target_lsn", LSN),
        ("redo_target_fork_guid", Type::Guid),
        ("backup_lsn", LSN),
    ]);
    let mut rows = Rows::new(&columns);
    let server = viewer.server;
    for (id, name) in SYSTEM.iter().filter(|(id, _)| only.is_none_or(|only| only == *id)) {
        for log in [false, true] {
            let (logical, suffix) = if log { ("log", "_log.ldf") } else { ("dev", ".mdf") };
            let path = format!("{}{name}{suffix}", server.folder("DATA"));
            rows.add(file_row(*id, log, &format!("{name}{logical}"), &path, 0, 1024, None));
        }
    }
    let databases: Vec<Database> = server.state().databases.values().cloned().collect();
    for found in databases.iter().filter(|found| only.is_none_or(|only| only == found.id)) {
        let state = match found.state {
            DbState::Suspect => 5,
            DbState::Emergency => 0,
            other => other as i64,
        };
        rows.add(file_row(found.id, false, &found.boot.data_name, &found.data, state, server.pages(found), Some(found)));
        rows.add(file_row(found.id, true, &found.boot.log_name, &found.log, state, found.boot.log_kb / 8, Some(found)));
    }
    rows
}

fn file_row(id: i32, log: bool, name: &str, path: &str, state: i64, pages: i64, found: Option<&Database>) -> Vec<Value> {
    let between = found.filter(|found| !log && found.boot.restoring);
    let base = found.filter(|_| !log).and_then(|found| found.boot.base.clone());
    let described = match state {
        0 => "ONLINE",
        1 => "RESTORING",
        2 => "RECOVERING",
        3 => "RECOVERY_PENDING",
        5 => "SUSPECT",
        6 => "OFFLINE",
        _ => "DEFUNCT",
    };
    vec![
        int(id),
        int(if log { 2 } else { 1 }),
        maybe(found, |found| guid(uuid::Uuid::from_u128(found.boot.database_guid.as_u128() ^ if log { 2 } else { 1 }))),
        int(i32::from(log)),
        text(if log { "LOG" } else { "ROWS" }),
        int(i32::from(!log)),
        text(name),
        text(path),
        int(state),
        text(described),
        int(pages),
        int(if log { 268_435_456 } else { -1 }),
        int(8192),
        bit(false),
        bit(found.is_some_and(|found| found.boot.read_only)),
        bit(false),
        bit(false),
        bit(false),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        maybe(base.as_ref().map(|base| base.lsn), lsn),
        maybe(base.as_ref().map(|base| base.guid), guid),
        maybe(base.as_ref().map(|base| base.time), time),
        maybe(between, |found| lsn(found.boot.head)),
        maybe(between, |found| guid(found.boot.fork())),
        Value::Null,
        Value::Null,
        Value::Null,
    ]
}

/// sys.database_recovery_status
pub fn recovery_status(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("database_id", Type::Int),
        ("database_guid", Type::Guid),
        ("family_guid", Type::Guid),
        ("last_log_backup_lsn", LSN),
        ("recovery_fork_guid", Type::Guid),
        ("first_recovery_fork_guid", Type::Guid),
        ("fork_point_lsn", LSN),
    ]);
    for found in viewer.server.state().databases.values() {
        let boot = &found.boot;
        // A database that is not started shows nothing but its guids.
        let open = found.readable();
        rows.add(vec![
            int(found.id),
            guid(boot.database_guid),
            guid(boot.family_guid),
            maybe(boot.chain.filter(|_| open && boot.recovery != Recovery::Simple && !boot.restoring), lsn),
            if open { guid(boot.fork()) } else { Value::Null },
            maybe(boot.forks.first().filter(|_| open).map(|fork| fork.id), guid),
            maybe(boot.fork_point().filter(|_| open), lsn),
        ]);
    }
    rows
}

/// sys.dm_db_log_stats
pub fn log_stats(viewer: Viewer<'_>, id: Option<i64>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("database_id", Type::Int),
        ("recovery_model", DESC),
        ("log_min_lsn", Type::NVarChar(Some(24))),
        ("log_end_lsn", Type::NVarChar(Some(24))),
        ("current_vlf_sequence_number", Type::BigInt),
        ("current_vlf_size_mb", Type::Float),
        ("total_vlf_count", Type::BigInt),
        ("total_log_size_mb", Type::Float),
        ("active_vlf_count", Type::BigInt),
        ("active_log_size_mb", Type::Float),
        ("log_truncation_holdup_reason", DESC),
        ("log_backup_time", Type::DateTime),
        ("log_backup_lsn", Type::NVarChar(Some(24))),
        ("log_since_last_log_backup_mb", Type::Float),
        ("log_checkpoint_lsn", Type::NVarChar(Some(24))),
        ("log_since_last_checkpoint_mb", Type::Float),
        ("log_recovery_lsn", Type::NVarChar(Some(24))),
        ("log_recovery_size_mb", Type::Float),
        ("recovery_vlf_count", Type::BigInt),
    ]);
    let state = viewer.server.state();
    for found in state.databases.values().filter(|found| found.readable() && id.is_none_or(|id| id == i64::from(found.id))) {
        let boot = &found.boot;
        let since = boot.chain.map_or(0.0, |chain| megabytes(boot.head, chain));
        let (_, holdup) = reuse(found);
        rows.add(vec![
            int(found.id),
            text(boot.recovery.name()),
            text(dotted(boot.chain.unwrap_or(boot.checkpoint))),
            text(dotted(boot.head)),
            int((boot.head.0 / 1_000_000_000_000_000) as i64),
            Value::Float(1.0),
            int(4),
            Value::Float(boot.log_kb as f64 / 1024.0),
            int(1),
            Value::Float(since),
            text(holdup),
            Value::Null,
            maybe(boot.chain, |chain| text(dotted(chain))),
            Value::Float(since),
            text(dotted(boot.checkpoint)),
            Value::Float(megabytes(boot.head, boot.checkpoint)),
            text(dotted(boot.checkpoint)),
            Value::Float(megabytes(boot.head, boot.checkpoint)),
            int(1),
        ]);
    }
    Ok(rows)
}

fn dotted(lsn: Lsn) -> String {
    let (sequence, rest) = (lsn.0 / 1_000_000_000_000_000, lsn.0 % 1_000_000_000_000_000);
    format!("{sequence:08x}:{:08x}:{:04x}", rest / 100_000, rest % 100_000)
}

/// Blocks of 512 bytes between two LSNs.
fn megabytes(to: Lsn, from: Lsn) -> f64 {
    let place = |lsn: Lsn| (lsn.0 / 1_000_000_000_000_000) * 2048 + lsn.0 % 1_000_000_000_000_000 / 100_000;
    (place(to) - place(from)).max(0) as f64 * 512.0 / 1_048_576.0
}

/// sys.dm_db_file_space_usage of the database that it is asked in.
pub fn file_space(viewer: Viewer<'_>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("database_id", Type::SmallInt),
        ("file_id", Type::SmallInt),
        ("filegroup_id", Type::SmallInt),
        ("total_page_count", Type::BigInt),
        ("allocated_extent_page_count", Type::BigInt),
        ("unallocated_extent_page_count", Type::BigInt),
        ("modified_extent_page_count", Type::BigInt),
    ]);
    let found = viewer.server.state().databases.get(&viewer.database).cloned();
    if let Some(found) = found {
        let pages = viewer.server.pages(&found);
        let bytes = std::fs::metadata(viewer.server.path(&found.data)).map_or(0, |known| known.len());
        let used = i64::try_from(bytes / 8192).unwrap_or(pages).min(pages);
        let modified = match &found.boot.base {
            Some(base) => ((megabytes(found.boot.head, base.lsn) * 128.0) as i64 + 8).min(used.max(8)),
            None => used,
        };
        rows.add(vec![int(found.id), int(1), int(1), int(pages), int(used), int(pages - used), int(modified)]);
    }
    Ok(rows)
}

/// sys.dm_db_persisted_sku_features of the database that it is asked in.
pub fn sku_features(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[("feature_name", NAME), ("feature_id", Type::Int)]);
    let name = viewer.server.state().name_of(viewer.database).unwrap_or_default();
    for feature in viewer.server.orders().enterprise.iter().filter(|feature| crate::engine::state::same(&feature.database, &name))
    {
        rows.add(vec![text(&feature.feature), int(100)]);
    }
    rows
}

/// sys.dm_io_virtual_file_stats
pub fn file_stats(viewer: Viewer<'_>, id: Option<i64>, file: Option<i64>) -> Result<Rows, Chain> {
    viewer.sees()?;
    let mut rows = Rows::new(&[
        ("database_id", Type::SmallInt),
        ("file_id", Type::SmallInt),
        ("sample_ms", Type::BigInt),
        ("num_of_reads", Type::BigInt),
        ("num_of_bytes_read", Type::BigInt),
        ("io_stall_read_ms", Type::BigInt),
        ("num_of_writes", Type::BigInt),
        ("num_of_bytes_written", Type::BigInt),
        ("io_stall_write_ms", Type::BigInt),
        ("io_stall", Type::BigInt),
        ("size_on_disk_bytes", Type::BigInt),
    ]);
    let databases: Vec<Database> = viewer.server.state().databases.values().cloned().collect();
    let elapsed = (crate::engine::state::now() - viewer.server.started) / 10_000;
    for found in databases.iter().filter(|found| id.is_none_or(|id| id == i64::from(found.id))) {
        for (number, path) in [(1_i64, &found.data), (2, &found.log)] {
            if file.is_some_and(|file| file != number) {
                continue;
            }
            let size = std::fs::metadata(viewer.server.path(path)).map_or(0, |known| known.len());
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            let written = (found.boot.head.0 % 1_000_000_000_000_000 / 100_000) as i64;
            rows.add(vec![
                int(found.id),
                int(number),
                int(elapsed),
                int(written),
                int(size),
                int(0),
                int(written),
                int(written * 512),
                int(0),
                int(0),
                int(size),
            ]);
        }
    }
    Ok(rows)
}
