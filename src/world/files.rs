//! Durable changes of files, without labels: the bodies behind [`Os`](super::Os).
//!
//! A file is never changed in place: a crash leaves the old content or the new one, and at worst a `.relevo-*.tmp` beside it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Label, World, disk, effect, platform};

/// How long a change waits for readers and virus scanners that hold the file on Windows.
const PATIENCE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Who may read a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// What the folder and the umask allow.
    Usual,
    /// Its owner only, where the system has such modes.
    Owner,
}

/// Replaces `path` by `bytes`; see [`World::write_file`].
pub(super) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let folder = folder_of(path);
    create_folder(folder)?;
    let create = |temporary: &Path| match readers {
        Readers::Usual => disk::create(temporary, |path| OpenOptions::new().write(true).create_new(true).open(path)),
        Readers::Owner => disk::create(temporary, platform::create_private),
    };
    let (file, mut temporary) = tempfile::Builder::new().prefix(".relevo-").suffix(".tmp").make_in(folder, create)?.into_parts();
    disk::write_all(&file, bytes)?;
    disk::sync_all(&file)?;
    drop(file); // Windows renames no open file
    patiently(|| disk::replace(&temporary, path))?;
    temporary.disable_cleanup(true); // the name is free again and may belong to somebody else
    disk::sync_folder(folder)
}

/// Appends; see [`World::append_file`].
pub(super) fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    create_folder(folder)?;
    let fresh = !path.exists();
    let open = |path: &Path| OpenOptions::new().append(true).create(true).open(path);
    let file = patiently(|| if fresh { disk::create(path, open) } else { open(path) })?;
    disk::write_all(&file, bytes)?;
    disk::sync_all(&file)?;
    if fresh { disk::sync_folder(folder) } else { Ok(()) }
}

/// Renames; see [`World::rename`].
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    patiently(|| disk::replace(from, to))?;
    disk::sync_folder(folder_of(to))
}

/// Removes; see [`World::remove_file`].
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match patiently(|| disk::remove(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A missing file is synced too: an earlier removal may have been seen and yet be undone by a power cut.
    match disk::sync_folder(folder_of(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

/// Replaces `path` by `bytes` so that only its owner may read it (on Windows: as the folder allows; what is secret there goes
/// through [`protect`](super::protect) first).
pub fn write_private(world: &dyn World, label: Label, path: &Path, bytes: &[u8]) -> io::Result<()> {
    effect(world, label, || replace(path, bytes, Readers::Owner))
}

/// Creates or empties a file that becomes visible under its own name only later; see [`sync_part`].
pub fn create_part(path: &Path) -> io::Result<File> {
    disk::create(path, |path| File::create(path))
}

/// Writes all of `bytes` to it.
pub fn write_part(file: &File, bytes: &[u8]) -> io::Result<()> {
    disk::write_all(file, bytes)
}

/// Makes its content durable, before it is renamed.
pub fn sync_part(file: &File) -> io::Result<()> {
    disk::sync_all(file)
}

/// Creates one folder, whose parent is there; durably where the system lets a folder be synced.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match disk::create_folder(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let _ = disk::sync_folder(folder_of(folder)); // some shares let nobody open the folder above; there is nothing better to do
    Ok(())
}

/// Fills `buf` from `offset` of an open file; `UnexpectedEof` when the file ends before. Its cursor means nothing afterwards.
pub fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    platform::read_exact_at(file, buf, offset)
}

/// Asks the system to begin writing these bytes of a file to its disk, and does not wait: a later sync finds less to do. Promises nothing.
pub fn write_out(file: &File, offset: u64, length: u64) {
    platform::write_out(file, offset, length);
}

/// Opens an existing file without keeping anybody else from reading, writing, renaming or removing it.
pub fn open_shared(path: &Path, write: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(write).open(path) // std shares all three on Windows
}

/// Creates a folder and its parents so that they survive a power cut.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder);
    if parent != folder {
        create_folder(parent)?;
    }
    match disk::create_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()), // somebody was faster
        Err(error) => Err(error),
        Ok(()) => disk::sync_folder(parent),
    }
}

/// Creates a folder, but not what it lies in: a share or a disk that has just gone away would come back as an empty folder, and look
/// like a server whose database is missing.
pub(super) fn create_last_folder(folder: &Path) -> io::Result<()> {
    match disk::create_folder(folder) {
        Err(_) if folder.is_dir() => Ok(()), // also where somebody was faster
        Err(error) => Err(error),
        Ok(()) => disk::sync_folder(folder_of(folder)),
    }
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// The nearest part of `path` that exists: what the file system can be asked about.
pub(super) fn existing(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let found = absolute.ancestors().find(|ancestor| ancestor.exists());
    Ok(found.unwrap_or(&absolute).to_owned())
}

/// Tries again, with growing pauses, while somebody holds the file, or it is just being replaced or removed (Windows).
pub(super) fn patiently<T>(mut change: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match change() {
            Err(error) if platform::is_held(&error) && begin.elapsed() < PATIENCE => std::thread::sleep(pause),
            done => return done,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The bytes of a file that may be absent, or be replaced this very moment.
pub fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match patiently(|| std::fs::read(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Does somebody hold the lock of this file? A missing file is held by nobody. Looking takes a shared lock for a moment, so
/// that two who look do not take each other for the holder; whoever takes the lock tries more than once.
pub fn is_locked(path: &Path) -> io::Result<bool> {
    let file = match patiently(|| OpenOptions::new().read(true).write(true).open(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(std::fs::TryLockError::WouldBlock) => Ok(true),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_while_a_reader_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/standby.json");
        replace(&path, b"old", Readers::Usual).unwrap();
        let mut reader = open_shared(&path, false).unwrap();
        let reading = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300)); // longer than the first pauses: Windows has to wait for us
            let mut seen = String::new();
            reader.read_to_string(&mut seen).unwrap();
            seen
        });
        replace(&path, b"new", Readers::Usual).unwrap();
        assert_eq!(reading.join().unwrap(), "old");
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(path.parent().unwrap()), ["standby.json"]);
    }

    #[test]
    fn readers_see_the_old_or_the_new_content_while_a_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relevo.epoch");
        replace(&path, b"0", Readers::Usual).unwrap();
        let reading = {
            let path = path.clone();
            std::thread::spawn(move || (0..200).all(|_| read_if_there(&path).unwrap().is_some_and(|bytes| bytes.len() == 1)))
        };
        for round in 0..50 {
            replace(&path, &[b'0' + round % 10], Readers::Usual).unwrap();
        }
        assert!(reading.join().unwrap());
    }

    #[test]
    fn a_failed_replacement_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("x")).unwrap();
        std::fs::write(dir.path().join("x/inside"), b"").unwrap();
        replace(&dir.path().join("x"), b"new", Readers::Usual).unwrap_err();
        assert_eq!(names(dir.path()), ["x"]);
    }

    #[test]
    fn append_rename_and_remove() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("new/from"), dir.path().join("new/to"));
        append(&from, b"one ").unwrap();
        append(&from, b"two").unwrap();
        std::fs::write(&to, b"other").unwrap();
        rename(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"one two");
        assert!(!from.exists());
        remove(&to).unwrap();
        remove(&to).unwrap();
        remove(&dir.path().join("no folder/to")).unwrap();
        assert!(!to.exists());
    }

    #[test]
    fn reading_past_the_end_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = open_shared(&path, true).unwrap();
        let mut buf = [0; 4];
        read_exact_at(&file, &mut buf, 3).unwrap();
        assert_eq!(&buf, b"3456");
        assert_eq!(read_exact_at(&file, &mut buf, 8).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
