//! The database that comes back: a fenced database is copied beside the own one, verified, and changes places with it.
//!
//! Nothing here removes or replaces a database other than the received copy; the old one is only renamed, to a free name.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Failure, Result};
use crate::model::{DatabaseState, Hash};
use crate::progress::{Progress, Watch};
use crate::server::embedded::connection::plain;
use crate::server::embedded::header::{self, state_of};
use crate::server::embedded::pages::{self, hash_file, hash_pages, lock_page};
use crate::server::embedded::snapshot::Snapshot;
use crate::text;
use crate::world::{Label, World, read_exact_at, write_out};

/// Copies the fenced database `source` as `<name>.incoming` and returns the root hash of both. Repeating it goes on where it stopped.
///
/// Every page of both files is read and compared, and only what differs is written: nothing is believed of what lies there. So it may
/// begin as the own database, where the file system lets two files share their blocks: of that the source differs in little.
pub fn receive(world: &dyn World, source: &Path, dir: &Path, name: &str, watch: &Watch) -> Result<Hash> {
    must_be_fenced(source)?;
    no_leftover(source)?;
    let path = incoming(dir, name);
    begin(world, &dir.join(name), &path)?;
    copy(world, source, &path, watch)
}

/// Creates the file, as the own database is if that costs nothing. Its blocks are shared, not its fate: a write goes to one only.
fn begin(world: &dyn World, own: &Path, path: &Path) -> Result<()> {
    let failed = |error: io::Error| Failure::io(text!("no se pudo crear", "could not create"), path, &error);
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        return Ok(()); // an earlier attempt came further
    }
    world.write_file(Label::DatabaseIncoming, path, &[]).map_err(failed)?;
    if exists(own)? {
        let (from, to) = (plain(own, false)?, plain(path, true)?);
        world.clone_content(Label::DatabaseIncoming, from.file(), to.file()).map_err(failed)?;
    }
    Ok(())
}

/// Renames the own fenced database to `keep` (empty: there is none to keep) and the received one into its place, still fenced.
pub fn place(world: &dyn World, dir: &Path, name: &str, keep: &str) -> Result<()> {
    let (path, received) = (dir.join(name), incoming(dir, name));
    let kept = (!keep.is_empty()).then(|| dir.join(keep));
    let has_kept = kept.as_deref().map(exists).transpose()?.unwrap_or(false);
    if !exists(&received)? {
        if kept.is_none() || has_kept {
            return Ok(());
        }
        let shown = received.display();
        return Err(Failure::failed("nothing_received", text!("no existe {shown}", "{shown} does not exist"))
            .hint(text!("repita la restauración desde el principio", "repeat the restore from the beginning")));
    }
    must_be_fenced(&received)?;
    if exists(&path)? {
        match &kept {
            Some(kept) if !has_kept => {
                must_be_fenced(&path)?;
                clear_leftover(world, &path)?;
                rename(world, Label::DatabaseKeep, &path, kept)?;
            }
            _ => return Err(in_the_way(kept.as_deref().unwrap_or(&path))),
        }
    }
    clear_leftover(world, &path)?; // what lies beside the name would be taken for the new database's own
    rename(world, Label::DatabasePlace, &received, &path)
}

/// Undoes [`place`], however far it came: the old database has its name again, and what was received its own.
pub fn unplace(world: &dyn World, dir: &Path, name: &str, keep: &str) -> Result<()> {
    let (path, received) = (dir.join(name), incoming(dir, name));
    let kept = dir.join(keep);
    if !exists(&kept)? {
        return Ok(());
    }
    if exists(&path)? {
        if exists(&received)? {
            return Err(in_the_way(&kept)); // neither of the two in its place came from here
        }
        must_be_fenced(&path)?; // an open one may already hold sales
        clear_leftover(world, &path)?;
        rename(world, Label::DatabasePlace, &path, &received)?;
    }
    clear_leftover(world, &path)?;
    rename(world, Label::DatabaseKeep, &kept, &path)
}

/// Undoes [`receive`]: the received copy is removed.
pub fn discard(world: &dyn World, dir: &Path, name: &str) -> Result<()> {
    let received = incoming(dir, name);
    world
        .remove_file(Label::DatabaseIncoming, &received)
        .map_err(|error| Failure::io(text!("no se pudo borrar", "could not remove"), &received, &error))
}

/// Undoes [`place`] where there was nothing to keep: what stands in the place goes back to its name as received, if it is page for
/// page the `source` it came from. Anything else there is somebody's database and stays.
pub fn displace(world: &dyn World, dir: &Path, name: &str, source: &Path) -> Result<()> {
    let (path, received) = (dir.join(name), incoming(dir, name));
    if exists(&received)? || !exists(&path)? || state_of(&path)? != DatabaseState::Fenced {
        return Ok(());
    }
    if !same_pages(&path, source)? {
        return Ok(());
    }
    clear_leftover(world, &path)?;
    rename(world, Label::DatabasePlace, &path, &received)
}

/// Nothing was ever written to one that the other has not. A fence moves SQLite's own counters on page 1: they are no content.
fn same_pages(one: &Path, other: &Path) -> Result<bool> {
    let watch = Watch::silent();
    let (a, b) = (hash_file(one, &watch)?.0, hash_file(other, &watch)?.0);
    if a.page_size != b.page_size || a.hashes.len() != b.hashes.len() || a.hashes.get(1..) != b.hashes.get(1..) {
        return Ok(false);
    }
    let first = |path: &Path| -> Result<Vec<u8>> {
        let mut page = vec![0; a.page_size as usize];
        let file = plain(path, false)?;
        read_exact_at(file.file(), &mut page, 0)
            .map_err(|error| Failure::io(text!("no se pudo leer", "could not read"), path, &error))?;
        for counters in [18..20, 24..28, 92..100] {
            page[counters].fill(0);
        }
        Ok(page)
    };
    Ok(first(one)? == first(other)?)
}

fn copy(world: &dyn World, source: &Path, path: &Path, watch: &Watch) -> Result<Hash> {
    let reading = |error: io::Error| Failure::io(text!("no se pudo leer", "could not read"), source, &error);
    let writing = |error: io::Error| Failure::io(text!("no se pudo escribir", "could not write"), path, &error);
    let snapshot = Snapshot::frozen(source)?;
    let (page_size, page_count, length) = (snapshot.page_size, snapshot.page_count, snapshot.bytes());
    let (from, to) = (plain(source, false)?, plain(path, true)?);
    let there = to.file().metadata().map_err(writing)?.len();
    if there > length {
        world.set_len(Label::DatabaseIncoming, to.file(), length).map_err(writing)?;
    }
    watch.report(Progress::Begin(text!("copiando la base de regreso", "copying the database back"), length));
    let size = page_size as usize;
    let table = pages::by_block(page_size, page_count, watch, &|first, count, wanted| {
        let offset = u64::from(first - 1) * size as u64;
        // One buffer: what the source has, then what the copy has.
        let bytes = count as usize * size;
        wanted.resize(2 * bytes, 0);
        let (wanted, found) = wanted.split_at_mut(bytes);
        read_exact_at(from.file(), wanted, offset).map_err(reading)?;
        let mut same = offset + bytes as u64 <= there && is_there(to.file(), wanted, found, offset).map_err(writing)?;
        if !same {
            world.write_at(Label::DatabaseIncoming, to.file(), wanted, offset).map_err(writing)?;
            same = is_there(to.file(), wanted, found, offset).map_err(writing)?;
            write_out(to.file(), offset, bytes as u64);
        }
        if !same {
            return Err(differs(path));
        }
        // The two are equal, so one hash is that of both.
        if first == 1 {
            header::normalise(wanted);
        }
        if let Some(lock) = lock_page(page_size).checked_sub(first).filter(|at| *at < count) {
            wanted[lock as usize * size..][..size].fill(0);
        }
        Ok(hash_pages(page_size, wanted))
    })?;
    if to.file().metadata().map_err(writing)?.len() != length {
        return Err(differs(path));
    }
    // Synced even when nothing differed: the run that wrote it may have died before.
    world.sync(Label::DatabaseIncoming, to.file()).map_err(writing)?;
    watch.report(Progress::End);
    Ok(table.root())
}

fn is_there(file: &File, wanted: &[u8], found: &mut [u8], offset: u64) -> io::Result<bool> {
    read_exact_at(file, found, offset)?;
    Ok(wanted == found)
}

fn differs(path: &Path) -> Failure {
    let shown = path.display();
    Failure::failed(
        "incoming_differs",
        text!("lo copiado en {shown} no es igual al original", "what was copied to {shown} is not equal to the original"),
    )
    .hint(text!("revise los discos y repita la orden", "check the disks and repeat the command"))
}

fn incoming(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.incoming"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|error| Failure::io(text!("no se pudo leer", "could not read"), path, &error))
}

fn must_be_fenced(path: &Path) -> Result<()> {
    let state = state_of(path)?;
    if state == DatabaseState::Fenced {
        return Ok(());
    }
    let shown = path.display();
    Err(Failure::failed(
        "not_fenced",
        text!("{shown} no está separada (estado: @)", "{shown} is not fenced (state: @)").fill(&state.text()),
    )
    .hint(text!("no la mueva; consulte relevo status", "do not move it; see relevo status")))
}

/// A fenced database has no journal; one with content would belong to changes that are not in the database file.
fn no_leftover(path: &Path) -> Result<()> {
    for ending in ["-wal", "-journal"] {
        let leftover = beside(path, ending);
        match std::fs::metadata(&leftover) {
            Ok(meta) if meta.len() > 0 => {
                let shown = leftover.display();
                return Err(Failure::failed(
                    "leftover_journal",
                    text!("{shown} tiene cambios que no están en la base", "{shown} holds changes that are not in the database"),
                )
                .hint(text!("no lo borre; una persona debe revisarlo", "do not remove it; a person has to look at it")));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::io(text!("no se pudo leer", "could not read"), &leftover, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn clear_leftover(world: &dyn World, path: &Path) -> Result<()> {
    no_leftover(path)?;
    for ending in ["-wal", "-shm", "-journal"] {
        let leftover = beside(path, ending); // -shm is only an index of -wal, whatever it holds
        if exists(&leftover)? {
            world
                .remove_file(Label::DatabaseKeep, &leftover)
                .map_err(|error| Failure::io(text!("no se pudo borrar", "could not remove"), &leftover, &error))?;
        }
    }
    Ok(())
}

fn rename(world: &dyn World, label: Label, from: &Path, to: &Path) -> Result<()> {
    world.rename(label, from, to).map_err(|error| Failure::io(text!("no se pudo renombrar", "could not rename"), from, &error))
}

fn in_the_way(path: &Path) -> Failure {
    let shown = path.display();
    Failure::failed("in_the_way", text!("{shown} ya existe y no se reemplaza", "{shown} already exists and is not replaced"))
        .hint(text!(
            "una persona debe ver cuál base es cuál; no borre ninguna",
            "a person has to see which database is which; remove none"
        ))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use std::time::Duration;

    use super::*;
    use crate::world::{Command, Lock, Moment, Os, ProcessId};

    const NAME: &str = "BDPdv.db";

    fn database(path: &Path, rows: u32, state: u8) {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("CREATE TABLE a(b)").unwrap();
        for _ in 0..rows {
            conn.execute("INSERT INTO a VALUES (randomblob(600000))", []).unwrap();
        }
        drop(conn);
        set_state(path, state);
    }

    fn set_state(path: &Path, state: u8) {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[18..20].fill(state);
        std::fs::write(path, bytes).unwrap();
    }

    /// A folder with the own database ("old") and a source ("new").
    fn shop() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source.db");
        database(&dir.path().join(NAME), 1, 0x46);
        database(&source, 5, 0x46);
        let own = dir.path().join(NAME);
        (dir, own, source)
    }

    fn move_to(from: &Path, to: &Path) {
        rename(&Os, Label::DatabaseKeep, from, to).unwrap();
    }

    fn read(path: &Path) -> Vec<u8> {
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_is_received_is_equal_and_repeatable() {
        let (dir, own, source) = shop();
        let path = incoming(dir.path(), NAME);
        let watch = Watch::silent();
        let root = receive(&Os, &source, dir.path(), NAME, &watch).unwrap();
        assert_eq!(read(&path), read(&source));
        std::fs::copy(&own, &path).unwrap(); // as where the file system clones: what the own database is
        assert_eq!(receive(&Os, &source, dir.path(), NAME, &watch).unwrap(), root);
        assert_eq!(read(&path), read(&source));
        let mut half = read(&path); // as a crash may leave it: a wrong block, then longer or shorter
        half[1_500_000] ^= 1;
        for length in [2_000_000, 9_000_000] {
            half.resize(length, 7);
            std::fs::write(&path, &half).unwrap();
            assert_eq!(receive(&Os, &source, dir.path(), NAME, &watch).unwrap(), root);
            assert_eq!(read(&path), read(&source));
        }
        set_state(&source, 2);
        assert_eq!(receive(&Os, &source, dir.path(), NAME, &watch).unwrap_err().kind, "not_fenced");
        assert!(own.exists());
    }

    /// A disk that does not keep what it is given.
    struct Forgetful;

    impl World for Forgetful {
        fn write_at(&self, label: Label, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
            Os.write_at(label, file, &bytes[..bytes.len() - 1], offset)?;
            Os.write_at(label, file, &[!bytes[bytes.len() - 1]], offset + bytes.len() as u64 - 1)
        }
        fn write_file(&self, label: Label, path: &Path, bytes: &[u8]) -> io::Result<()> {
            Os.write_file(label, path, bytes)
        }
        fn clone_content(&self, label: Label, from: &File, to: &File) -> io::Result<bool> {
            Os.clone_content(label, from, to)
        }
        fn set_len(&self, label: Label, file: &File, len: u64) -> io::Result<()> {
            Os.set_len(label, file, len)
        }
        fn sync(&self, label: Label, file: &File) -> io::Result<()> {
            Os.sync(label, file)
        }
        fn reach(&self, _: Label, _: Moment) -> io::Result<()> {
            unreachable!()
        }
        fn now(&self) -> jiff::Zoned {
            unreachable!()
        }
        fn append_file(&self, _: Label, _: &Path, _: &[u8]) -> io::Result<()> {
            unreachable!()
        }
        fn rename(&self, _: Label, _: &Path, _: &Path) -> io::Result<()> {
            unreachable!()
        }
        fn remove_file(&self, _: Label, _: &Path) -> io::Result<()> {
            unreachable!()
        }
        fn try_lock(&self, _: &Path) -> io::Result<Option<Lock>> {
            unreachable!()
        }
        fn start(&self, _: Label, _: &Command) -> io::Result<ProcessId> {
            unreachable!()
        }
        fn run(&self, _: &Command) -> io::Result<i32> {
            unreachable!()
        }
        fn is_alive(&self, _: &ProcessId) -> bool {
            unreachable!()
        }
        fn me(&self) -> io::Result<ProcessId> {
            unreachable!()
        }
        fn stop(&self, _: Label, _: &ProcessId, _: Duration) -> io::Result<()> {
            unreachable!()
        }
    }

    #[test]
    fn a_disk_that_forgets_is_found_out() {
        let (dir, own, source) = shop();
        let (old, new) = (read(&own), read(&source));
        let failure = receive(&Forgetful, &source, dir.path(), NAME, &Watch::silent()).unwrap_err();
        assert_eq!(failure.kind, "incoming_differs");
        assert_eq!((read(&own), read(&source)), (old, new));
    }

    #[test]
    fn place_and_unplace_from_every_point() {
        for stop in 0..4 {
            let (dir, own, source) = shop();
            let (old, new) = (read(&own), read(&source));
            let kept = dir.path().join("kept.db");
            receive(&Os, &source, dir.path(), NAME, &Watch::silent()).unwrap();
            if stop == 1 {
                move_to(&own, &kept); // died between the two renames
            }
            if stop >= 2 {
                place(&Os, dir.path(), NAME, "kept.db").unwrap();
                place(&Os, dir.path(), NAME, "kept.db").unwrap();
                assert_eq!((read(&own), read(&kept)), (new.clone(), old.clone()));
            }
            if stop == 3 {
                move_to(&own, &incoming(dir.path(), NAME)); // died while taking back
            }
            for _ in 0..2 {
                unplace(&Os, dir.path(), NAME, "kept.db").unwrap();
                assert!(incoming(dir.path(), NAME).exists());
            }
            discard(&Os, dir.path(), NAME).unwrap();
            discard(&Os, dir.path(), NAME).unwrap();
            assert_eq!(read(&own), old, "{stop}");
            assert!(!kept.exists() && !incoming(dir.path(), NAME).exists(), "{stop}");
            assert_eq!(read(&source), new);
        }
    }

    #[test]
    fn what_was_placed_where_nothing_was_is_taken_away_again() {
        let (dir, own, source) = shop();
        displace(&Os, dir.path(), NAME, &source).unwrap();
        assert!(own.exists(), "a database that did not come from there stays");
        std::fs::remove_file(&own).unwrap();
        receive(&Os, &source, dir.path(), NAME, &Watch::silent()).unwrap();
        place(&Os, dir.path(), NAME, "").unwrap();
        set_state(&own, 2);
        displace(&Os, dir.path(), NAME, &source).unwrap();
        assert!(own.exists(), "an open one may hold sales");
        set_state(&own, 0x46);
        for _ in 0..2 {
            displace(&Os, dir.path(), NAME, &source).unwrap();
            assert!(!own.exists() && incoming(dir.path(), NAME).exists());
        }
    }

    #[test]
    fn place_goes_on_after_the_first_rename() {
        let (dir, own, source) = shop();
        let (old, new) = (read(&own), read(&source));
        receive(&Os, &source, dir.path(), NAME, &Watch::silent()).unwrap();
        move_to(&own, &dir.path().join("kept.db"));
        place(&Os, dir.path(), NAME, "kept.db").unwrap();
        assert_eq!((read(&own), read(&dir.path().join("kept.db"))), (new, old));
    }

    #[test]
    fn no_database_is_ever_replaced() {
        let (dir, own, source) = shop();
        let kind = |done: Result<()>| done.unwrap_err().kind;
        assert_eq!(kind(place(&Os, dir.path(), NAME, "kept.db")), "nothing_received");
        receive(&Os, &source, dir.path(), NAME, &Watch::silent()).unwrap();
        assert_eq!(kind(place(&Os, dir.path(), NAME, "")), "in_the_way");
        std::fs::write(dir.path().join("kept.db"), b"other").unwrap();
        assert_eq!(kind(place(&Os, dir.path(), NAME, "kept.db")), "in_the_way");
        assert_eq!(kind(unplace(&Os, dir.path(), NAME, "kept.db")), "in_the_way");
        std::fs::remove_file(dir.path().join("kept.db")).unwrap();
        set_state(&own, 2);
        assert_eq!(kind(place(&Os, dir.path(), NAME, "kept.db")), "not_fenced");
        set_state(&own, 0x46);
        std::fs::write(dir.path().join("BDPdv.db-wal"), b"pages").unwrap();
        assert_eq!(kind(place(&Os, dir.path(), NAME, "kept.db")), "leftover_journal");
        std::fs::write(dir.path().join("BDPdv.db-wal"), b"").unwrap();
        place(&Os, dir.path(), NAME, "kept.db").unwrap();
        assert!(!dir.path().join("BDPdv.db-wal").exists());
        set_state(&own, 2); // sold since
        assert_eq!(kind(unplace(&Os, dir.path(), NAME, "kept.db")), "not_fenced");
        assert!(own.exists());
    }
}
