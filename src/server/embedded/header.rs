//! The state of a database, kept in its own header: the format-version bytes at 18 and 19. Renaming would be no fence (an open
//! program goes on writing to the renamed file, a late one creates an empty database); a version that SQLite does not know is
//! refused by every SQLite there is.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Failure, Result};
use crate::model::DatabaseState;
use crate::text;
use crate::world::{self, Label, World};

use super::connection::PlainFile;

/// Open in WAL mode.
pub const OPEN: u8 = 2;
/// Open in rollback mode: during a detach, or after a crash in one.
pub const ROLLBACK: u8 = 1;
/// Follows the mirror.
pub const STANDBY: u8 = 0x53;
/// Fenced or detached.
pub const FENCED: u8 = 0x46;
/// Where the two bytes are.
pub const AT: usize = 18;
/// Bytes of the header.
pub const HEADER: usize = 100;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The header of a database file; `None` where there is no file or it is empty.
pub fn read(path: &Path) -> Result<Option<[u8; HEADER]>> {
    let failed = |e: &std::io::Error| Failure::io(text!("no se pudo leer", "could not read"), path, e);
    let mut file = match super::connection::plain(path, false) {
        Ok(file) => file,
        Err(_) if !path.exists() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let mut header = [0; HEADER];
    match read_from(&mut file, &mut header) {
        Ok(()) => Ok(Some(header)),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(failed(&e)),
    }
}

fn read_from(file: &mut PlainFile, header: &mut [u8; HEADER]) -> std::io::Result<()> {
    let mut handle = file.file();
    handle.read_exact(header)
}

/// The state that a header says; an empty file is no database that anybody used.
pub fn state_of(path: &Path) -> Result<DatabaseState> {
    if !path.exists() {
        return Ok(DatabaseState::Missing);
    }
    Ok(match read(path)? {
        Some(header) if &header[..16] == MAGIC => match (header[AT], header[AT + 1]) {
            (OPEN | ROLLBACK, OPEN | ROLLBACK) => DatabaseState::Open,
            (STANDBY, STANDBY) => DatabaseState::Standby,
            (FENCED, FENCED) => DatabaseState::Fenced,
            _ => DatabaseState::Unknown,
        },
        _ => DatabaseState::Unknown,
    })
}

/// Is it in rollback mode (a detach that did not end)?
pub fn is_rollback(path: &Path) -> Result<bool> {
    Ok(read(path)?.is_some_and(|header| header[AT] == ROLLBACK || header[AT + 1] == ROLLBACK))
}

/// Page size of a header, in bytes; `None` where it is none that SQLite knows.
pub fn page_size(header: &[u8]) -> Option<u32> {
    match u16::from_be_bytes([*header.get(16)?, *header.get(17)?]) {
        1 => Some(65_536),
        size if size >= 512 && size.is_power_of_two() => Some(u32::from(size)),
        _ => None,
    }
}

/// Page 1 is compared and copied as if the database were open in WAL mode: its state is no content.
pub fn normalise(page_one: &mut [u8]) {
    if let Some(bytes) = page_one.get_mut(AT..AT + 2) {
        bytes.fill(OPEN);
    }
}

/// Writes the state, durably. The caller has made sure that nobody has the database open.
pub fn write_state(world: &dyn World, file: &PlainFile, path: &Path, state: u8) -> Result<()> {
    let failed = |e: std::io::Error| Failure::io(text!("no se pudo escribir", "could not write"), path, &e);
    world.write_at(Label::DatabaseBytes, file.file(), &[state, state], AT as u64).map_err(failed)?;
    world.sync(Label::DatabaseBytes, file.file()).map_err(failed)
}

/// The files that SQLite keeps beside a database.
pub fn beside(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

/// Removes what SQLite left beside a database that nobody can open any more (it is closed, or about to be replaced). All of it
/// is stale: what it held was brought into the database before, or belongs to the one that is replaced. SQLite's own removals are
/// made durable as well: it does not do so, and a log that a power cut brings back would be taken for the database's.
pub fn remove_beside(world: &dyn World, path: &Path) -> Result<()> {
    let [wal, shm] = beside(path);
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    for (stale, always) in [(wal, false), (shm, false), (PathBuf::from(journal), true)] {
        if always || stale.exists() {
            world
                .remove_file(Label::StandbyPlace, &stale)
                .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &stale, &e))?;
        }
    }
    Ok(())
}

/// Is the path on this machine's own disks? WAL does not work across hosts.
pub fn refuse_network(path: &Path) -> Result<()> {
    if !world::is_network_path(path) {
        return Ok(());
    }
    let shown = path.display();
    Err(Failure::invalid(
        "instance_on_network",
        text!("la instancia {shown} está en una ruta de red", "the instance {shown} is on a network path"),
    )
    .hint(text!(
        "el motor embedded trabaja en discos locales; entre equipos use SQL Server",
        "the embedded engine works on local disks; across machines use SQL Server"
    )))
}
