//! The system calls that change a disk, one function each. In debug builds on Linux every one is a step of the faulty disk
//! (faulty/disk.rs): it may fail, stop half way, or be where the power is cut and whatever was not synced is lost.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::platform;

#[cfg(all(debug_assertions, target_os = "linux"))]
use super::faulty::disk::around;

/// A file, as whoever changes it knows it.
#[derive(Clone, Copy)]
#[cfg_attr(not(all(debug_assertions, target_os = "linux")), expect(dead_code, reason = "only the faulty disk looks"))]
pub(super) enum At<'a> {
    /// An open one.
    Open(&'a File),
    /// One that SQLite has open.
    #[cfg(all(debug_assertions, target_os = "linux"))]
    Named(&'a Path),
}

/// One change of the disk.
#[derive(Clone, Copy)]
#[cfg_attr(not(all(debug_assertions, target_os = "linux")), expect(dead_code, reason = "only the faulty disk looks"))]
pub(super) enum Change<'a> {
    /// A file that was not there.
    Create(&'a Path),
    /// So many bytes of it.
    Write(At<'a>, usize),
    /// Its length.
    Length(At<'a>),
    /// What was written to it becomes durable.
    Sync(At<'a>),
    /// From, to; in one folder.
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
    MakeFolder(&'a Path),
    /// The names in it become durable.
    SyncFolder(&'a Path),
    /// Memory that SQLite shares by a file.
    #[cfg(all(debug_assertions, target_os = "linux"))]
    Share(At<'a>),
}

#[cfg(not(all(debug_assertions, target_os = "linux")))]
fn around<T>(change: Change, act: impl FnOnce(usize) -> io::Result<T>) -> io::Result<T> {
    act(change.length())
}

impl Change<'_> {
    /// Bytes to write.
    pub(super) fn length(&self) -> usize {
        match self {
            Change::Write(_, length) => *length,
            _ => 0,
        }
    }
}

/// `open` makes the file.
pub(super) fn create(path: &Path, open: impl FnOnce(&Path) -> io::Result<File>) -> io::Result<File> {
    around(Change::Create(path), |_| open(path))
}

pub(super) fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    around(Change::Write(At::Open(file), bytes.len()), |length| file.write_all(&bytes[..length]))
}

pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    around(Change::Write(At::Open(file), bytes.len()), |length| platform::write_all_at(file, &bytes[..length], offset))
}

pub(super) fn set_len(file: &File, length: u64) -> io::Result<()> {
    around(Change::Length(At::Open(file)), |_| file.set_len(length))
}

pub(super) fn sync_all(file: &File) -> io::Result<()> {
    around(Change::Sync(At::Open(file)), |_| file.sync_all())
}

/// Content and length; the times of a file are not worth a second journal commit.
pub(super) fn sync_data(file: &File) -> io::Result<()> {
    around(Change::Sync(At::Open(file)), |_| file.sync_data())
}

pub(super) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    around(Change::Rename(from, to), |_| platform::replace(from, to))
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    around(Change::Remove(path), |_| std::fs::remove_file(path))
}

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    around(Change::MakeFolder(path), |_| std::fs::create_dir(path))
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    around(Change::SyncFolder(folder), |_| platform::sync_folder(folder))
}
