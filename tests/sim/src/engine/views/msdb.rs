//! Tables of msdb: what was backed up and restored here.

use super::Viewer;
use crate::{
    engine::{
        backupfile::Header,
        rows::{DESC, LSN, NAME, PATH, Rows, bit, guid, int, lsn, maybe, text, time},
    },
    wire::{Type, Value},
};

/// msdb.dbo.backupset
pub fn backupset(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("backup_set_id", Type::Int),
        ("backup_set_uuid", Type::Guid),
        ("media_set_id", Type::Int),
        ("position", Type::Int),
        ("name", NAME),
        ("description", Type::NVarChar(Some(255))),
        ("user_name", NAME),
        ("software_major_version", Type::TinyInt),
        ("software_minor_version", Type::TinyInt),
        ("software_build_version", Type::SmallInt),
        ("first_lsn", LSN),
        ("last_lsn", LSN),
        ("checkpoint_lsn", LSN),
        ("database_backup_lsn", LSN),
        ("database_creation_date", Type::DateTime),
        ("backup_start_date", Type::DateTime),
        ("backup_finish_date", Type::DateTime),
        ("type", Type::Char(1)),
        ("compatibility_level", Type::TinyInt),
        ("database_version", Type::Int),
        ("backup_size", Type::Numeric(20, 0)),
        ("compressed_backup_size", Type::Numeric(20, 0)),
        ("database_name", NAME),
        ("server_name", NAME),
        ("machine_name", NAME),
        ("flags", Type::Int),
        ("collation_name", NAME),
        ("is_password_protected", Type::Bit),
        ("recovery_model", DESC),
        ("has_bulk_logged_data", Type::Bit),
        ("is_snapshot", Type::Bit),
        ("is_readonly", Type::Bit),
        ("is_single_user", Type::Bit),
        ("has_backup_checksums", Type::Bit),
        ("is_damaged", Type::Bit),
        ("begins_log_chain", Type::Bit),
        ("has_incomplete_metadata", Type::Bit),
        ("is_force_offline", Type::Bit),
        ("is_copy_only", Type::Bit),
        ("first_recovery_fork_guid", Type::Guid),
        ("last_recovery_fork_guid", Type::Guid),
        ("fork_point_lsn", LSN),
        ("database_guid", Type::Guid),
        ("family_guid", Type::Guid),
        ("differential_base_lsn", LSN),
        ("differential_base_guid", Type::Guid),
    ]);
    for row in &viewer.server.state().backups {
        rows.add(set(row.id, &row.header));
    }
    rows
}

fn set(id: i64, header: &Header) -> Vec<Value> {
    vec![
        int(id),
        guid(header.set),
        int(id),
        int(header.position),
        maybe(header.name.clone(), text),
        maybe(header.description.clone(), text),
        text(&header.user),
        int(header.software[0]),
        int(header.software[1]),
        int(header.software[2]),
        lsn(header.first),
        lsn(header.last),
        lsn(header.checkpoint),
        lsn(header.full),
        time(header.created),
        time(header.start),
        time(header.finish),
        text(header.kind.letter()),
        int(header.compatibility),
        int(header.version),
        Value::Numeric(i128::from(header.size)),
        Value::Numeric(i128::from(header.compressed_size)),
        text(&header.database),
        text(&header.server),
        text(&header.machine),
        int(0),
        text(&header.collation),
        bit(false),
        text(header.recovery.name().replace('_', "-")),
        bit(header.bulk),
        bit(header.snapshot),
        bit(header.read_only),
        bit(header.single_user),
        bit(header.checksums),
        bit(header.damaged),
        bit(header.begins_chain),
        bit(header.incomplete_metadata),
        bit(header.force_offline),
        bit(header.copy_only),
        guid(header.first_fork),
        guid(header.fork),
        maybe(header.fork_point, lsn),
        guid(header.binding),
        guid(header.family),
        maybe(header.base_lsn, lsn),
        maybe(header.base_guid, guid),
    ]
}

/// msdb.dbo.backupmediafamily
pub fn mediafamily(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("media_set_id", Type::Int),
        ("family_sequence_number", Type::TinyInt),
        ("media_family_id", Type::Guid),
        ("media_count", Type::Int),
        ("logical_device_name", NAME),
        ("physical_device_name", PATH),
        ("device_type", Type::TinyInt),
        ("physical_block_size", Type::Int),
        ("mirror", Type::TinyInt),
    ]);
    for row in &viewer.server.state().backups {
        for (number, device) in row.devices.iter().enumerate() {
            rows.add(vec![
                int(row.id),
                int(number as i64 + 1),
                guid(row.header.media),
                int(1),
                Value::Null,
                text(device),
                int(if row.header.snapshot { 7 } else { 2 }),
                int(512),
                int(0),
            ]);
        }
    }
    rows
}

/// msdb.dbo.backupmediaset
pub fn mediaset(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[("media_set_id", Type::Int), ("media_uuid", Type::Guid), ("media_family_count", Type::TinyInt)]);
    for row in &viewer.server.state().backups {
        rows.add(vec![int(row.id), guid(row.header.media), int(row.devices.len() as i64)]);
    }
    rows
}

/// msdb.dbo.restorehistory
pub fn restorehistory(viewer: Viewer<'_>) -> Rows {
    let mut rows = Rows::new(&[
        ("restore_history_id", Type::Int),
        ("restore_date", Type::DateTime),
        ("destination_database_name", NAME),
        ("user_name", NAME),
        ("backup_set_id", Type::Int),
        ("restore_type", Type::Char(1)),
        ("replace", Type::Bit),
        ("recovery", Type::Bit),
        ("restart", Type::Bit),
        ("stop_at", Type::DateTime),
        ("device_count", Type::TinyInt),
        ("stop_at_mark_name", NAME),
        ("stop_before", Type::Bit),
    ]);
    for row in &viewer.server.state().restores {
        rows.add(vec![
            int(row.id),
            time(row.date),
            text(&row.database),
            text(&row.user),
            int(row.backup),
            text(&row.kind),
            bit(row.replace),
            bit(row.recovery),
            bit(row.restart),
            maybe(row.stop_at, time),
            int(1),
            Value::Null,
            bit(false),
        ]);
    }
    rows
}
