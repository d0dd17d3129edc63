//! The faulty disk: it fails single changes, and it can lose power. Killing a process leaves the page cache, so only a disk that
//! remembers what was not synced yet can show what a power cut leaves. Orders, read once from the environment:
//!
//! - `RELEVO_TEST_DISK=FILE` appends a line `KIND PATH` for every change of the disk, SQLite's included.
//! - `RELEVO_TEST_POWER=N:SEED` cuts the power before the N-th change: what was not synced is lost as SEED says, then killed.
//! - `RELEVO_TEST_LIE=PART:SEED` lets about half of the syncs of paths that contain PART only say that they did something.
//! - `RELEVO_TEST_DISK_FAIL=KIND:PART:K:eio|enospc|eacces|short` fails the K-th change of that kind (`any` for each) to a path that
//!   contains PART; `K+` fails all from then on. `short` writes half of the bytes before. Several, with commas between.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::super::disk::{At, Change};
use super::power::{Dice, Power};
use super::vfs;

static DISK: OnceLock<Disk> = OnceLock::new();

#[derive(Debug)]
struct Disk {
    log: Option<File>,
    power: Option<(u64, u64)>,
    lie: Option<(String, u64)>,
    fail: Vec<Fail>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    /// How often each order of `fail` was met.
    met: Vec<u64>,
    power: Power,
}

#[derive(Debug, PartialEq, Eq)]
struct Fail {
    kind: String,
    part: String,
    time: u64,
    on: bool,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Error(i32),
    Short,
}

/// Puts the disk that these orders name under everything, SQLite too; `false` where they name none.
pub(super) fn order(order: &impl Fn(&str) -> Option<String>) -> bool {
    let log = order("RELEVO_TEST_DISK").map(|file| {
        let opened = OpenOptions::new().append(true).create(true).open(&file);
        opened.unwrap_or_else(|error| panic!("RELEVO_TEST_DISK: {file}: {error}"))
    });
    let power = super::parsed(order, "RELEVO_TEST_POWER", |words| {
        let (at, seed) = words.split_once(':')?;
        Some((at.parse().ok()?, seed.parse().ok()?))
    });
    let lie = super::parsed(order, "RELEVO_TEST_LIE", |words| {
        let (part, seed) = words.split_once(':')?;
        Some((part.to_owned(), seed.parse().ok()?))
    });
    let all = |words: &str| words.split(',').map(parse_fail).collect::<Option<Vec<_>>>();
    let fail = super::parsed(order, "RELEVO_TEST_DISK_FAIL", all).unwrap_or_default();
    if log.is_none() && power.is_none() && fail.is_empty() {
        return false;
    }
    let state = Mutex::new(State { met: vec![0; fail.len()], ..State::default() });
    if DISK.set(Disk { log, power, lie, fail, state }).is_ok() {
        vfs::register();
    }
    true
}

fn parse_fail(words: &str) -> Option<Fail> {
    let [kind, part, time, how] = *words.split(':').collect::<Vec<_>>() else { return None };
    let how = match how {
        "eio" => How::Error(libc::EIO),
        "enospc" => How::Error(libc::ENOSPC),
        "eacces" => How::Error(libc::EACCES),
        "short" => How::Short,
        _ => return None,
    };
    let known = ["any", "create", "write", "length", "sync", "rename", "remove", "folder", "names", "share"];
    let (time, on) = time.strip_suffix('+').map_or((time, false), |time| (time, true));
    let kind = known.contains(&kind).then(|| kind.to_owned())?;
    Some(Fail { kind, part: part.to_owned(), time: time.parse().ok()?, on, how })
}

/// One change of the disk; `act` is given how many bytes it may write.
pub(in crate::world) fn around<T>(change: Change, act: impl FnOnce(usize) -> io::Result<T>) -> io::Result<T> {
    match DISK.get() {
        None => act(change.length()),
        Some(disk) => disk.change(change, act),
    }
}

impl Disk {
    fn change<T>(&self, change: Change, act: impl FnOnce(usize) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, path) = (kind(change), path(change)?);
        state.calls += 1;
        if let Some(mut log) = self.log.as_ref() {
            log.write_all(format!("{kind} {}\n", path.display()).as_bytes())?;
        }
        if let Some((_, seed)) = self.power.filter(|(at, _)| *at == state.calls) {
            state.power.cut(&mut Dice::new(seed));
        }
        let name = path.to_string_lossy();
        let how = state.due(&self.fail, kind, &name);
        if let Some(How::Error(code)) = how {
            return Err(io::Error::from_raw_os_error(code));
        }
        let pending = self.power.map(|_| state.power.before(change)).transpose()?;
        if how == Some(How::Short) {
            act(change.length() / 2)?;
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let done = act(change.length())?;
        let lies = |(part, seed): &(String, u64)| name.contains(part) && Dice::new(seed ^ state.calls.rotate_left(32)).coin();
        let lied = self.lie.as_ref().is_some_and(lies);
        if let Some(pending) = pending {
            state.power.after(change, pending, lied)?;
        }
        Ok(done)
    }
}

impl State {
    fn due(&mut self, orders: &[Fail], kind: &str, path: &str) -> Option<How> {
        let mut found = None;
        for (order, met) in orders.iter().zip(&mut self.met) {
            if (order.kind == kind || order.kind == "any") && path.contains(&order.part) {
                *met += 1;
                if *met == order.time || (order.on && *met > order.time) {
                    found = found.or(Some(order.how));
                }
            }
        }
        found
    }
}

fn kind(change: Change) -> &'static str {
    match change {
        Change::Create(_) => "create",
        Change::Write(..) => "write",
        Change::Length(_) => "length",
        Change::Sync(_) => "sync",
        Change::Rename(..) => "rename",
        Change::Remove(_) => "remove",
        Change::MakeFolder(_) => "folder",
        Change::SyncFolder(_) => "names",
        Change::Share(_) => "share",
    }
}

fn path(change: Change) -> io::Result<PathBuf> {
    match change {
        Change::Write(at, _) | Change::Length(at) | Change::Sync(at) | Change::Share(at) => path_at(at),
        Change::Rename(_, path)
        | Change::Create(path)
        | Change::Remove(path)
        | Change::MakeFolder(path)
        | Change::SyncFolder(path) => Ok(path.to_owned()),
    }
}

fn path_at(at: At) -> io::Result<PathBuf> {
    match at {
        At::Open(file) => std::fs::read_link(own(file)),
        At::Named(path) => Ok(path.to_owned()),
    }
}

/// The name of an open file, also one whose name is gone.
fn own(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Opens a file once more, to read and write, and never closes it: SQLite's locks of this process would go with it.
pub(super) fn again(at: At) -> io::Result<&'static File> {
    let name = match at {
        At::Open(file) => own(file),
        At::Named(path) => path.to_owned(),
    };
    keep_open(&name)
}

pub(super) fn keep_open(name: &Path) -> io::Result<&'static File> {
    Ok(Box::leak(Box::new(OpenOptions::new().read(true).write(true).open(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read() {
        let fail = parse_fail("write:-wal:3+:short").unwrap();
        assert_eq!(
            (fail.kind.as_str(), fail.part.as_str(), fail.time, fail.on, fail.how),
            ("write", "-wal", 3, true, How::Short)
        );
        for wrong in ["write:-wal:3", "melt:x:1:eio", "write:x:y:eio", "write:x:1:no", ""] {
            assert_eq!(parse_fail(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn orders_are_met_by_kind_part_and_time() {
        let orders = [parse_fail("write:db:2:eio").unwrap(), parse_fail("any:full/:1+:enospc").unwrap()];
        let mut state = State { met: vec![0; 2], ..State::default() };
        let mut due = |kind: &str, path: &str| state.due(&orders, kind, path);
        assert_eq!(due("write", "a.db"), None);
        assert_eq!(due("sync", "a.db"), None);
        assert_eq!(due("write", "a.db"), Some(How::Error(libc::EIO)));
        assert_eq!(due("write", "a.db"), None);
        assert_eq!(due("sync", "/full/x"), Some(How::Error(libc::ENOSPC)));
        assert_eq!(due("create", "/full/y"), Some(How::Error(libc::ENOSPC)));
    }
}
