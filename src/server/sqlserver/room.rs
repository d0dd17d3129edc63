//! Room on disk, looked at before a backup or a restore begins: half of one helps nobody, and a full disk stops the shop. What cannot be told
//! refuses nothing; the server itself says when its disk is full.

use super::instance::Instance;
use super::preflight::Volume;
use super::rows::Row;
use super::statements::{self, BackupKind};
use crate::error::{Failure, Result, Retry};
use crate::text;
use crate::world;

/// What is left free beyond the need: headers, and what others write meanwhile.
const SPARE: u64 = 16 << 20;

impl Instance {
    /// Is there room in the exchange folder for a backup of this kind of the open database?
    pub fn must_have_room_for(&self, kind: &BackupKind) -> Result<()> {
        let (statement, column) = match kind {
            BackupKind::Full { .. } | BackupKind::FinalFull => (statements::change_size(&self.database), "used_bytes"),
            BackupKind::Differential | BackupKind::FinalDifferential => {
                (statements::change_size(&self.database), "changed_bytes")
            }
            BackupKind::Log | BackupKind::Tail(_) => (statements::log_size(&self.database), "log_bytes"),
        };
        let sizes = self.ask(&statement).unwrap_or_default();
        match sizes.first().and_then(|row| bytes(row, column)) {
            Some(need) => self.must_have_room(need),
            None => Ok(()),
        }
    }

    /// Is there room for so many bytes in the exchange folder, as this machine and as the server see it?
    pub fn must_have_room(&self, need: u64) -> Result<()> {
        if let Ok(free) = world::free_space(&self.exchange_here)
            && free < need.saturating_add(SPARE)
        {
            return Err(self.no_room(&self.exchange_here.display().to_string(), need, free));
        }
        self.must_have_room_at(&self.volumes(false).unwrap_or_default(), &[(self.exchange.as_str().to_owned(), need)])
    }

    /// Is there room for files at these paths of the server?
    pub fn must_have_room_at(&self, volumes: &[Volume], files: &[(String, u64)]) -> Result<()> {
        for (mount, need, free) in needs(volumes, files) {
            if need > 0 && free < need.saturating_add(SPARE) {
                return Err(self.no_room(&mount, need, free));
            }
        }
        Ok(())
    }

    fn no_room(&self, place: &str, need: u64, free: u64) -> Failure {
        let (instance, need, free) = (&self.access.instance, need.div_ceil(1 << 20), free >> 20);
        Failure::failed(
            "sql_no_room",
            text!(
                "no hay lugar en {place} de {instance}: hacen falta {need} MiB y quedan {free}",
                "there is no room at {place} of {instance}: {need} MiB are needed and {free} are free"
            ),
        )
        .hint(text!(
            "libere espacio en ese disco y repita; no se cambió nada",
            "free space on that disk and repeat; nothing was changed"
        ))
        .retry(Retry::Temporary)
    }
}

/// What each volume needs and has. A path on none of them is not counted.
fn needs(volumes: &[Volume], files: &[(String, u64)]) -> Vec<(String, u64, u64)> {
    let mut found: Vec<(String, u64, u64)> = Vec::new();
    for (path, bytes) in files {
        let path = path.to_lowercase();
        let on = volumes.iter().filter(|volume| path.starts_with(&volume.mount.to_lowercase())).max_by_key(|v| v.mount.len());
        let Some(Volume { mount, free }) = on else { continue };
        match found.iter_mut().find(|(known, ..)| known == mount) {
            Some((_, need, _)) => *need = need.saturating_add(*bytes),
            None => found.push((mount.clone(), *bytes, *free)),
        }
    }
    found
}

/// A number of bytes in a row.
pub fn bytes(row: &Row, column: &str) -> Option<u64> {
    row.int(column).ok().flatten().and_then(|bytes| u64::try_from(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_on_their_volume() {
        let volumes = [("C:\\", 10), ("D:\\", 20), ("D:\\datos\\", 30)];
        let volumes = volumes.map(|(mount, free)| Volume { mount: mount.to_owned(), free });
        let files = [("c:\\x", 1), ("D:\\DATOS\\a.mdf", 2), ("D:\\log\\a.ldf", 4), ("d:\\datos\\b.ndf", 8), ("\\\\srv\\x", 9)];
        let files = files.map(|(path, bytes)| (path.to_owned(), bytes));
        let expected = [("C:\\", 1, 10), ("D:\\datos\\", 10, 30), ("D:\\", 4, 20)];
        assert_eq!(needs(&volumes, &files), expected.map(|(mount, need, free)| (mount.to_owned(), need, free)));
        assert_eq!(needs(&[], &files), []);
    }
}
