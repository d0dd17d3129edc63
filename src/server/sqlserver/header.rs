//! What a backup file says of itself (RESTORE HEADERONLY).

use super::decide::{Header, SetKind};
use super::instance::Instance;
use super::statements::{self, Devices, ServerPath};
use crate::error::{Failure, Result};
use crate::model::CopyKind;
use crate::progress::Watch;
use crate::text;

impl Instance {
    /// Reads the header of a file in the exchange folder.
    pub fn header(&self, file: &str) -> Result<Header> {
        self.header_at(&self.exchange.join(file)?)
    }

    fn header_at(&self, path: &ServerPath) -> Result<Header> {
        let what = text!("leyendo el respaldo", "reading the backup");
        let rows = self.long(&statements::header(&Devices::one(path.clone())), &what, &Watch::silent())?;
        match rows.as_slice() {
            [row] => Header::of_row(row),
            _ => Err(Failure::failed(
                "copy_damaged",
                text!("{path} no contiene exactamente un respaldo", "{path} does not hold exactly one backup"),
            )),
        }
    }
}

/// The kind of set that a copy of this kind holds.
pub fn set_of(kind: CopyKind) -> SetKind {
    match kind {
        CopyKind::Full | CopyKind::Tail => SetKind::Full,
        CopyKind::Increment => SetKind::Log,
        CopyKind::Differential => SetKind::Differential,
    }
}
