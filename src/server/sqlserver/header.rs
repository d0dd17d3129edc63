//! What a backup file says of itself (RESTORE HEADERONLY).

use uuid::Uuid;

use super::instance::Instance;
use super::rows::Row;
use super::statements::{self, Devices, ServerPath};
use crate::error::{Failure, Result};
use crate::model::{CopyKind, Lsn};
use crate::progress::Watch;
use crate::text;

/// The header of the one set in a file of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Full, increment (log) or differential; `None`: a kind that relevo never makes.
    pub kind: Option<CopyKind>,
    /// Where it begins.
    pub first: Lsn,
    /// Where the next one goes on: the LSN after the set.
    pub last: Lsn,
    /// The recovery fork that it ends on.
    pub fork: Uuid,
    /// The recovery fork that it begins on.
    pub first_fork: Uuid,
    /// Where its fork began.
    pub fork_point: Option<Lsn>,
    /// The same in all copies of a database.
    pub family: Uuid,
    /// Its own id: of a full backup the base of its differentials.
    pub set: Uuid,
    /// Of a differential: the full backup that it is of.
    pub base: Option<Uuid>,
    /// Major version of the server that made it.
    pub major: i64,
    /// It was taken although pages were damaged.
    pub damaged: bool,
    /// It has checksums.
    pub checksums: bool,
}

impl Header {
    fn of(row: &Row) -> Result<Header> {
        Ok(Header {
            kind: match row.must_int("BackupType")? {
                1 => Some(CopyKind::Full),
                2 => Some(CopyKind::Increment),
                5 => Some(CopyKind::Differential),
                _ => None,
            },
            first: row.must_lsn("FirstLSN")?,
            last: row.must_lsn("LastLSN")?,
            fork: row.must_guid("RecoveryForkID")?,
            first_fork: row.must_guid("FirstRecoveryForkID")?,
            fork_point: row.lsn("ForkPointLSN")?,
            family: row.must_guid("FamilyGUID")?,
            set: row.must_guid("BackupSetGUID")?,
            base: row.guid("DifferentialBaseGUID")?,
            major: row.must_int("SoftwareVersionMajor")?,
            damaged: row.yes("IsDamaged")?,
            checksums: row.yes("HasBackupChecksums")?,
        })
    }
}

impl Instance {
    /// Reads the header of a file in the exchange folder.
    pub fn header(&self, file: &str) -> Result<Header> {
        self.header_at(&self.exchange.join(file)?)
    }

    fn header_at(&self, path: &ServerPath) -> Result<Header> {
        let what = text!("leyendo el respaldo", "reading the backup");
        let rows = self.long(&statements::header(&Devices::one(path.clone())), &what, &Watch::silent())?;
        match rows.as_slice() {
            [row] => Header::of(row),
            _ => Err(Failure::failed(
                "copy_damaged",
                text!("{path} no contiene exactamente un respaldo", "{path} does not hold exactly one backup"),
            )),
        }
    }
}
