//! What a power cut takes: of each file the sectors that were written since its last sync, of each folder the names that changed
//! since it was synced. Within a folder names are lost from the last change backwards, as journaling file systems lose them;
//! sectors are lost in any choice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::super::disk::{At, Change};
use super::super::platform;
use super::disk::{again, keep_open};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// One seed in so many loses all that it may.
const ALL_OF: u64 = 3;

/// All that is not durable.
#[derive(Debug, Default)]
pub(super) struct Power {
    files: BTreeMap<(u64, u64), Content>,
    names: BTreeMap<PathBuf, Vec<Name>>,
}

/// A file with unsynced content, and what of it is durable.
#[derive(Debug)]
struct Content {
    file: &'static File,
    durable: Vec<u8>,
}

/// A change of a folder that is not durable.
#[derive(Debug)]
pub(super) enum Name {
    Created(PathBuf),
    Renamed { from: PathBuf, to: PathBuf, displaced: Option<&'static File> },
    Removed { path: PathBuf, gone: &'static File },
    Folder(PathBuf),
}

impl Power {
    /// Remembers what a change is about to replace.
    pub(super) fn before(&mut self, change: Change) -> io::Result<Option<Name>> {
        let there = |path: &Path| path.exists().then(|| keep_open(path)).transpose();
        Ok(match change {
            Change::Write(at, _) | Change::Length(at) => {
                let key = key(at)?;
                if let std::collections::btree_map::Entry::Vacant(entry) = self.files.entry(key) {
                    let file = again(at)?;
                    entry.insert(Content { file, durable: whole(file)? });
                }
                None
            }
            Change::Create(path) if !path.exists() => Some(Name::Created(path.to_owned())),
            Change::Rename(from, to) => Some(Name::Renamed { from: from.to_owned(), to: to.to_owned(), displaced: there(to)? }),
            Change::Remove(path) => there(path)?.map(|gone| Name::Removed { path: path.to_owned(), gone }),
            Change::MakeFolder(path) => Some(Name::Folder(path.to_owned())),
            _ => None,
        })
    }

    /// The change was made; a sync that lied made nothing durable.
    pub(super) fn after(&mut self, change: Change, pending: Option<Name>, lied: bool) -> io::Result<()> {
        match change {
            Change::Sync(at) if !lied => {
                self.files.remove(&key(at)?);
            }
            Change::SyncFolder(folder) if !lied => {
                self.names.remove(&std::path::absolute(folder)?);
            }
            _ => {}
        }
        if let Some(name) = pending {
            let folder = super::super::files::folder_of(name.path()).to_owned();
            self.names.entry(std::path::absolute(folder)?).or_default().push(name);
        }
        Ok(())
    }

    /// Loses what is not durable, and ends this process.
    pub(super) fn cut(&mut self, dice: &mut Dice) -> ! {
        if let Err(error) = self.lose(dice) {
            panic!("the faulty disk could not lose what it had to: {error}");
        }
        platform::kill_me()
    }

    fn lose(&mut self, dice: &mut Dice) -> io::Result<()> {
        for content in self.files.values() {
            content.lose(dice)?;
        }
        // Folders inside before those that hold them: a folder that is lost takes its names along.
        for names in self.names.values_mut().rev() {
            let kept = if dice.all { 0 } else { dice.below(names.len() as u64 + 1) as usize };
            while names.len() > kept {
                if let Some(name) = names.pop() {
                    name.take_back()?;
                }
            }
        }
        Ok(())
    }
}

impl Content {
    fn lose(&self, dice: &mut Dice) -> io::Result<()> {
        let now = whole(self.file)?;
        let length = if dice.coin() { self.durable.len() } else { now.len() };
        let mut left = vec![0; length];
        for (number, sector) in left.chunks_mut(SECTOR).enumerate() {
            let from = if dice.coin() { &self.durable } else { &now };
            let old = from.get(number * SECTOR..).unwrap_or_default();
            let size = old.len().min(sector.len());
            sector[..size].copy_from_slice(&old[..size]);
        }
        self.file.set_len(length as u64)?;
        self.file.write_all_at(&left, 0)
    }
}

impl Name {
    /// The name that tells the folder.
    fn path(&self) -> &Path {
        match self {
            Name::Created(path) | Name::Removed { path, .. } | Name::Folder(path) | Name::Renamed { to: path, .. } => path,
        }
    }

    #[allow(clippy::disallowed_methods)] // a lost rename
    fn take_back(self) -> io::Result<()> {
        let done = match self {
            Name::Created(path) => std::fs::remove_file(path),
            Name::Removed { path, gone } => std::fs::write(path, whole(gone)?),
            // Files in it that were synced keep no folder alive: they are lost with it.
            Name::Folder(path) => std::fs::remove_dir_all(path),
            Name::Renamed { from, to, displaced } => {
                std::fs::rename(&to, from)?;
                return displaced.map_or(Ok(()), |file| std::fs::write(to, whole(file)?));
            }
        };
        // A scratch folder goes without asking this disk, and with it what SQLite had beside its copy.
        done.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
    }
}

fn key(at: At) -> io::Result<(u64, u64)> {
    let meta = match at {
        At::Open(file) => file.metadata()?,
        At::Named(path) => std::fs::metadata(path)?,
    };
    Ok((meta.dev(), meta.ino()))
}

fn whole(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Chance that is the same for the same seed.
#[derive(Debug)]
pub(super) struct Dice {
    state: u64,
    all: bool,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice { state: seed, all: seed.is_multiple_of(ALL_OF) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Lost?
    pub(super) fn coin(&mut self) -> bool {
        self.all || self.below(2) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(power: &mut Power, file: &File, bytes: &[u8], offset: u64) {
        let change = Change::Write(At::Open(file), bytes.len());
        let pending = power.before(change).unwrap();
        file.write_all_at(bytes, offset).unwrap();
        power.after(change, pending, false).unwrap();
    }

    fn change(power: &mut Power, change: Change, act: impl FnOnce(), lied: bool) {
        let pending = power.before(change).unwrap();
        act();
        power.after(change, pending, lied).unwrap();
    }

    #[test]
    fn what_is_synced_stays_and_the_rest_goes_by_sectors() {
        let dir = tempfile::tempdir().unwrap();
        for (synced, lied, seed) in [(false, false, 0), (true, false, 0), (true, true, 0), (false, false, 1), (false, false, 2)] {
            let path = dir.path().join(format!("{synced}{lied}{seed}"));
            std::fs::write(&path, vec![1; 4096]).unwrap();
            let file = keep_open(&path).unwrap();
            let mut power = Power::default();
            write(&mut power, file, &[2; 5000], 0);
            if synced {
                change(&mut power, Change::Sync(At::Open(file)), || (), lied);
            }
            power.lose(&mut Dice::new(seed)).unwrap();
            let found = std::fs::read(&path).unwrap();
            match (synced && !lied, seed) {
                (true, _) => assert_eq!(found, vec![2; 5000]),
                (false, 0) => assert_eq!(found, vec![1; 4096]),
                _ => {
                    let torn = found.chunks(SECTOR).map(|s| s[0]).collect::<std::collections::BTreeSet<_>>();
                    assert!(torn.contains(&1) && torn.contains(&2), "{torn:?}");
                    assert!(found.chunks(SECTOR).take(8).all(|sector| sector.iter().all(|b| *b == sector[0])));
                }
            }
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // a rename that is to be lost
    fn names_are_lost_unless_their_folder_was_synced() {
        for synced in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let path = |name: &str| dir.path().join(name);
            let mut power = Power::default();
            std::fs::write(path("old"), "old").unwrap();
            std::fs::write(path("gone"), "gone").unwrap();
            change(&mut power, Change::Create(&path("new")), || std::fs::write(path("new"), "new").unwrap(), false);
            let rename = || std::fs::rename(path("new"), path("old")).unwrap();
            change(&mut power, Change::Rename(&path("new"), &path("old")), rename, false);
            change(&mut power, Change::Remove(&path("gone")), || std::fs::remove_file(path("gone")).unwrap(), false);
            if synced {
                change(&mut power, Change::SyncFolder(dir.path()), || (), false);
            }
            power.lose(&mut Dice::new(0)).unwrap();
            assert_eq!(std::fs::read_to_string(path("old")).unwrap(), if synced { "new" } else { "old" });
            assert_eq!(path("gone").exists(), !synced);
            assert!(!path("new").exists());
        }
    }
}
