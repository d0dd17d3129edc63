//! RESTORE HEADERONLY, FILELISTONLY, LABELONLY and VERIFYONLY: the columns are those of the documentation, in its order.

use super::{
    backup::{Progress, percent},
    backupfile::{Header, Kind},
    media,
    messages::{abnormally, fails},
    rows::{DESC, LSN, NAME, PATH, Rows, bit, guid, int, lsn, maybe, text, time},
    run::{Halt, Out, Run},
};
use crate::{
    sql::ast::{Inspect, InspectKind},
    wire::{Type, Value},
};

impl Run<'_> {
    /// The four.
    pub(super) fn inspect(&mut self, statement: &Inspect, out: Out<'_>) -> Result<(), Halt> {
        let what = match statement.kind {
            InspectKind::HeaderOnly => "RESTORE HEADERONLY",
            InspectKind::FileListOnly => "RESTORE FILELIST",
            InspectKind::LabelOnly => "RESTORE LABELONLY",
            InspectKind::VerifyOnly => "VERIFY DATABASE",
        };
        self.inspect_steps(statement, what, out).map_err(|halt| match halt {
            Halt::Fails(chain) => Halt::Fails(abnormally(chain, what)),
            other => other,
        })
    }

    fn inspect_steps(&mut self, statement: &Inspect, what: &str, out: Out<'_>) -> Result<(), Halt> {
        if !self.can("CREATE ANY DATABASE") && !self.is_member("dbcreator") {
            return fails(262, &["CREATE DATABASE", "master"])?;
        }
        if statement.kind == InspectKind::VerifyOnly && self.work.open > 0 {
            return fails(3021, &[])?;
        }
        let devices = self.devices(&statement.devices)?;
        let file = self.file(&statement.options)?;
        match statement.kind {
            InspectKind::HeaderOnly => {
                let mut sets = media::sets(self.server, &devices[0])?;
                if statement.options.file.is_some() || statement.options.file_variable.is_some() {
                    sets = sets.into_iter().skip(usize::try_from(file - 1).unwrap_or(usize::MAX)).take(1).collect();
                }
                let mut rows = header_rows(self.server.identity.major);
                for (header, _) in &sets {
                    rows.add(header_row(header, self.server.identity.major));
                }
                self.send(rows, out)
            }
            InspectKind::FileListOnly => {
                let found = media::find(self.server, &devices, file)?;
                let rows = files(&found.header);
                self.send(rows, out)
            }
            InspectKind::LabelOnly => {
                let sets = media::sets(self.server, &devices[0])?;
                let rows = label(&sets[0].0);
                self.send(rows, out)
            }
            InspectKind::VerifyOnly => {
                let found = media::find(self.server, &devices, file)?;
                if statement.options.checksum == Some(true) && !found.header.checksums {
                    return fails(3187, &[])?;
                }
                self.command(what, 1);
                let mut progress = Progress::begin(self.server, self.work.id, statement.options.stats.or(Some(Some(100))), 0);
                media::read(self.server, &found, true, |done, _| {
                    progress.at(&self.text, self.work.set.spanish, self.line, percent(done, found.header.payload), out)
                })?;
                self.info(3262, &[&file.to_string()], out);
                Ok(())
            }
        }
    }

    fn send(&mut self, rows: Rows, out: Out<'_>) -> Result<(), Halt> {
        self.work.rows = rows.rows.len() as i64;
        self.sent = true;
        if rows.send(out) { Ok(()) } else { Err(Halt::Cancelled) }
    }

    /// Rows of a procedure.
    pub(super) fn send_rows(&mut self, rows: Rows, out: Out<'_>) -> Result<(), Halt> {
        self.send(rows, out)
    }
}

/// The columns of HEADERONLY in that version.
fn header_rows(major: u16) -> Rows {
    let whole = Type::Int;
    let mut columns = vec![
        ("BackupName", NAME),
        ("BackupDescription", Type::NVarChar(Some(255))),
        ("BackupType", Type::SmallInt),
        ("ExpirationDate", Type::DateTime),
        ("Compressed", Type::TinyInt),
        ("Position", Type::SmallInt),
        ("DeviceType", Type::TinyInt),
        ("UserName", NAME),
        ("ServerName", NAME),
        ("DatabaseName", NAME),
        ("DatabaseVersion", whole),
        ("DatabaseCreationDate", Type::DateTime),
        ("BackupSize", Type::Numeric(20, 0)),
        ("FirstLSN", LSN),
        ("LastLSN", LSN),
        ("CheckpointLSN", LSN),
        ("DatabaseBackupLSN", LSN),
        ("BackupStartDate", Type::DateTime),
        ("BackupFinishDate", Type::DateTime),
        ("SortOrder", Type::SmallInt),
        ("CodePage", Type::SmallInt),
        ("UnicodeLocaleId", whole),
        ("UnicodeComparisonStyle", whole),
        ("CompatibilityLevel", Type::TinyInt),
        ("SoftwareVendorId", whole),
        ("SoftwareVersionMajor", whole),
        ("SoftwareVersionMinor", whole),
        ("SoftwareVersionBuild", whole),
        ("MachineName", NAME),
        ("Flags", whole),
        ("BindingID", Type::Guid),
        ("RecoveryForkID", Type::Guid),
        ("Collation", NAME),
        ("FamilyGUID", Type::Guid),
        ("HasBulkLoggedData", Type::Bit),
        ("IsSnapshot", Type::Bit),
        ("IsReadOnly", Type::Bit),
        ("IsSingleUser", Type::Bit),
        ("HasBackupChecksums", Type::Bit),
        ("IsDamaged", Type::Bit),
        ("BeginsLogChain", Type::Bit),
        ("HasIncompleteMetaData", Type::Bit),
        ("IsForceOffline", Type::Bit),
        ("IsCopyOnly", Type::Bit),
        ("FirstRecoveryForkID", Type::Guid),
        ("ForkPointLSN", LSN),
        ("RecoveryModel", DESC),
        ("DifferentialBaseLSN", LSN),
        ("DifferentialBaseGUID", Type::Guid),
        ("BackupTypeDescription", DESC),
        ("BackupSetGUID", Type::Guid),
        ("CompressedBackupSize", Type::BigInt),
        ("containment", Type::TinyInt),
        ("KeyAlgorithm", Type::NVarChar(Some(32))),
        ("EncryptorThumbprint", Type::VarBinary(Some(20))),
        ("EncryptorType", Type::NVarChar(Some(32))),
    ];
    if major >= 16 {
        columns.extend([
            ("LastValidRestoreTime", Type::DateTime),
            ("TimeZone", Type::NVarChar(Some(32))),
            ("CompressionAlgorithm", Type::NVarChar(Some(32))),
        ]);
    }
    Rows::new(&columns)
}

fn header_row(header: &Header, major: u16) -> Vec<Value> {
    let described = match header.kind {
        Kind::Full => "Database",
        Kind::Log => "Transaction Log",
        Kind::Differential => "Database Differential",
    };
    // Bits of Flags as documented: 1 bulk, 2 snapshot, 4 read-only, 8 single-user, 16 checksums, 32 damaged, 64 begins the chain, 128
    // incomplete metadata, 256 tail with NORECOVERY, 512 copy-only.
    let flags = [
        header.bulk,
        header.snapshot,
        header.read_only,
        header.single_user,
        header.checksums,
        header.damaged,
        header.begins_chain,
        header.incomplete_metadata,
        header.force_offline,
        header.copy_only,
    ];
    let flags: i64 = flags.iter().enumerate().map(|(at, on)| i64::from(*on) << at).sum();
    let mut row = vec![
        maybe(header.name.clone(), text),
        maybe(header.description.clone(), text),
        int(header.kind as i64),
        Value::Null,
        bit(header.compressed),
        int(header.position),
        int(2),
        text(&header.user),
        text(&header.server),
        text(&header.database),
        int(header.version),
        time(header.created),
        Value::Numeric(i128::from(header.size)),
        lsn(header.first),
        lsn(header.last),
        lsn(header.checkpoint),
        lsn(header.full),
        time(header.start),
        time(header.finish),
        int(0),
        int(0),
        int(3082),
        int(196_609),
        int(header.compatibility),
        int(4608),
        int(header.software[0]),
        int(header.software[1]),
        int(header.software[2]),
        text(&header.machine),
        int(flags),
        guid(header.binding),
        guid(header.fork),
        text(&header.collation),
        guid(header.family),
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
        maybe(header.fork_point, lsn),
        text(header.recovery.name().replace('_', "-")),
        maybe(header.base_lsn, lsn),
        maybe(header.base_guid, guid),
        text(described),
        guid(header.set),
        int(header.compressed_size),
        int(0),
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    if major >= 16 {
        row.extend([time(header.finish), Value::Null, if header.compressed { text("MS_XPRESS") } else { Value::Null }]);
    }
    row
}

fn files(header: &Header) -> Rows {
    let mut rows = Rows::new(&[
        ("LogicalName", NAME),
        ("PhysicalName", PATH),
        ("Type", Type::Char(1)),
        ("FileGroupName", NAME),
        ("Size", Type::Numeric(20, 0)),
        ("MaxSize", Type::Numeric(20, 0)),
        ("FileId", Type::BigInt),
        ("CreateLSN", LSN),
        ("DropLSN", LSN),
        ("UniqueId", Type::Guid),
        ("ReadOnlyLSN", LSN),
        ("ReadWriteLSN", LSN),
        ("BackupSizeInBytes", Type::BigInt),
        ("SourceBlockSize", Type::Int),
        ("FileGroupId", Type::Int),
        ("LogGroupGUID", Type::Guid),
        ("DifferentialBaseLSN", LSN),
        ("DifferentialBaseGUID", Type::Guid),
        ("IsReadOnly", Type::Bit),
        ("IsPresent", Type::Bit),
        ("TDEThumbprint", Type::VarBinary(Some(32))),
        ("SnapshotURL", Type::NVarChar(Some(360))),
    ]);
    let none = Value::Numeric(0);
    for member in &header.members {
        let data = member.kind == 'D';
        rows.add(vec![
            text(&member.logical),
            text(&member.physical),
            text(member.kind.to_string()),
            if data { text("PRIMARY") } else { Value::Null },
            Value::Numeric(i128::from(member.size)),
            Value::Numeric(if data { 35_184_372_080_640 } else { 2_199_023_255_552 }),
            int(member.id),
            none.clone(),
            none.clone(),
            guid(member.guid),
            none.clone(),
            none.clone(),
            int(member.stored),
            int(512),
            int(i32::from(data)),
            Value::Null,
            if data { maybe(header.boot.base.as_ref().map(|base| base.lsn), lsn) } else { none.clone() },
            maybe(header.boot.base.as_ref().filter(|_| data).map(|base| base.guid), guid),
            bit(false),
            bit(true),
            Value::Null,
            Value::Null,
        ]);
    }
    rows
}

fn label(header: &Header) -> Rows {
    let mut rows = Rows::new(&[
        ("MediaName", NAME),
        ("MediaSetId", Type::Guid),
        ("FamilyCount", Type::Int),
        ("FamilySequenceNumber", Type::Int),
        ("MediaFamilyId", Type::Guid),
        ("MediaSequenceNumber", Type::Int),
        ("MediaLabelPresent", Type::TinyInt),
        ("MediaDescription", Type::NVarChar(Some(255))),
        ("SoftwareName", NAME),
        ("SoftwareVendorId", Type::Int),
        ("MediaDate", Type::DateTime),
        ("Mirror_Count", Type::Int),
        ("IsCompressed", Type::Bit),
    ]);
    rows.add(vec![
        Value::Null,
        guid(header.media),
        int(header.stripe.1),
        int(header.stripe.0),
        guid(header.set),
        int(1),
        int(0),
        Value::Null,
        text("Microsoft SQL Server"),
        int(4608),
        time(header.start),
        int(1),
        bit(header.compressed),
    ]);
    rows
}
