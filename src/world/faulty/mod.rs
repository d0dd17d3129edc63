//! The world with injected faults, in debug builds only. Its orders come from the environment, when it is created:
//!
//! - `RELEVO_TEST_LABELS=FILE` appends a line `label before|after` for every point reached.
//! - `RELEVO_TEST_CRASH=N` kills this process at the N-th point; before and after count as one each.
//! - `RELEVO_TEST_CRASH_AT=label:before|after[:K]` kills it where that point is reached the K-th time (1 when not given).
//! - `RELEVO_TEST_FAIL=label:before|after:enospc|eacces|eio[:K]` makes that point fail, once; several, with commas between.
//! - `RELEVO_TEST_NOW=RFC3339` fixes the clock.
//!
//! On Linux there is a faulty disk besides (disk.rs), with SQLite on it too (vfs.rs), which can lose power (power.rs).
//! Killed means killed: no destructor runs, as in a power cut. A wrong order panics, so that no test passes by a typing error.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Command, Label, Lock, Moment, Os, ProcessId, World, effect, platform};

#[cfg(target_os = "linux")]
pub(super) mod disk;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod vfs;

type Point = (Label, Moment);

/// [`Os`] with the faults that were ordered.
#[derive(Debug, Default)]
pub struct Faulty {
    labels: Option<File>,
    crash: Option<u64>,
    crash_at: Option<(Point, u64)>,
    fail: Vec<(Point, io::ErrorKind, u64)>,
    now: Option<jiff::Zoned>,
    reached: Mutex<Reached>,
}

#[derive(Debug, Default)]
struct Reached {
    total: u64,
    each: HashMap<Point, u64>,
}

impl Faulty {
    /// The faults that the environment orders; `None` when it orders nothing.
    pub fn from_env() -> Option<Faulty> {
        Faulty::from_orders(|name| std::env::var(name).ok())
    }

    /// The faults that these orders name.
    pub fn from_orders(order: impl Fn(&str) -> Option<String>) -> Option<Faulty> {
        let labels = order("RELEVO_TEST_LABELS").map(|file| {
            let opened = OpenOptions::new().append(true).create(true).open(&file);
            opened.unwrap_or_else(|error| panic!("RELEVO_TEST_LABELS: {file}: {error}"))
        });
        let crash = parsed(&order, "RELEVO_TEST_CRASH", |n| n.parse().ok());
        let crash_at = parsed(&order, "RELEVO_TEST_CRASH_AT", parse_crash);
        let all = |words: &str| words.split(',').map(parse_fail).collect::<Option<Vec<_>>>();
        let fail = parsed(&order, "RELEVO_TEST_FAIL", all).unwrap_or_default();
        let now = parsed(&order, "RELEVO_TEST_NOW", parse_now);
        #[cfg(target_os = "linux")]
        let disk = disk::order(&order);
        #[cfg(not(target_os = "linux"))]
        let disk = false;
        let ordered = disk || labels.is_some() || crash.is_some() || crash_at.is_some() || !fail.is_empty() || now.is_some();
        ordered.then(|| Faulty { labels, crash, crash_at, fail, now, ..Faulty::default() })
    }

    fn around<T>(&self, label: Label, inner: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        effect(self, label, inner)
    }
}

fn parsed<T>(order: &impl Fn(&str) -> Option<String>, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    let words = order(name)?;
    Some(parse(&words).unwrap_or_else(|| panic!("{name}: {words} is no order")))
}

fn parse_crash(words: &str) -> Option<(Point, u64)> {
    match *words.split(':').collect::<Vec<_>>() {
        [label, moment] => Some((parse_point(label, moment)?, 1)),
        [label, moment, time] => Some((parse_point(label, moment)?, time.parse().ok()?)),
        _ => None,
    }
}

fn parse_fail(words: &str) -> Option<(Point, io::ErrorKind, u64)> {
    let (label, moment, kind, time) = match *words.split(':').collect::<Vec<_>>() {
        [label, moment, kind] => (label, moment, kind, 1),
        [label, moment, kind, time] => (label, moment, kind, time.parse().ok()?),
        _ => return None,
    };
    let kind = match kind {
        "enospc" => io::ErrorKind::StorageFull,
        "eacces" => io::ErrorKind::PermissionDenied,
        "eio" => io::ErrorKind::Other,
        _ => return None,
    };
    Some((parse_point(label, moment)?, kind, time))
}

fn parse_point(label: &str, moment: &str) -> Option<Point> {
    let moment = [Moment::Before, Moment::After].into_iter().find(|&known| moment_name(known) == moment)?;
    Some((label.parse().ok()?, moment))
}

fn moment_name(moment: Moment) -> &'static str {
    match moment {
        Moment::Before => "before",
        Moment::After => "after",
    }
}

/// RFC 3339, keeping its offset.
fn parse_now(words: &str) -> Option<jiff::Zoned> {
    let pieces = jiff::fmt::temporal::Pieces::parse(words).ok()?;
    let zone = jiff::tz::TimeZone::fixed(pieces.to_numeric_offset()?);
    pieces.date().to_datetime(pieces.time()?).to_zoned(zone).ok()
}

impl World for Faulty {
    fn reach(&self, label: Label, moment: Moment) -> io::Result<()> {
        let point = (label, moment);
        // Held to the end: lines and kills come in the order of the numbers.
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.total += 1;
        let time = *reached.each.entry(point).and_modify(|time| *time += 1).or_insert(1);
        if let Some(mut file) = self.labels.as_ref() {
            file.write_all(format!("{} {}\n", label.name(), moment_name(moment)).as_bytes())?;
        }
        if self.crash == Some(reached.total) || self.crash_at == Some((point, time)) {
            platform::kill_me();
        }
        match self.fail.iter().find(|(at, _, when)| *at == point && *when == time) {
            Some((_, kind, _)) => Err(io::Error::new(*kind, format!("injected at {} {}", label.name(), moment_name(moment)))),
            None => Ok(()),
        }
    }

    fn now(&self) -> jiff::Zoned {
        self.now.clone().unwrap_or_else(|| Os.now())
    }

    fn write_file(&self, label: Label, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.around(label, || Os.write_file(label, path, bytes))
    }

    fn append_file(&self, label: Label, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.around(label, || Os.append_file(label, path, bytes))
    }

    fn rename(&self, label: Label, from: &Path, to: &Path) -> io::Result<()> {
        self.around(label, || Os.rename(label, from, to))
    }

    fn remove_file(&self, label: Label, path: &Path) -> io::Result<()> {
        self.around(label, || Os.remove_file(label, path))
    }

    fn write_at(&self, label: Label, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.around(label, || Os.write_at(label, file, bytes, offset))
    }

    fn set_len(&self, label: Label, file: &File, len: u64) -> io::Result<()> {
        self.around(label, || Os.set_len(label, file, len))
    }

    fn clone_content(&self, label: Label, from: &File, to: &File) -> io::Result<bool> {
        self.around(label, || Os.clone_content(label, from, to))
    }

    fn sync(&self, label: Label, file: &File) -> io::Result<()> {
        self.around(label, || Os.sync(label, file))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        Os.try_lock(path)
    }

    fn start(&self, label: Label, command: &Command) -> io::Result<ProcessId> {
        self.around(label, || Os.start(label, command))
    }

    fn run(&self, command: &Command) -> io::Result<i32> {
        Os.run(command)
    }

    fn is_alive(&self, process: &ProcessId) -> bool {
        Os.is_alive(process)
    }

    fn me(&self) -> io::Result<ProcessId> {
        Os.me()
    }

    fn stop(&self, label: Label, process: &ProcessId, timeout: Duration) -> io::Result<()> {
        self.around(label, || Os.stop(label, process, timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(orders: &[(&str, &str)]) -> Option<Faulty> {
        Faulty::from_orders(|name| orders.iter().find(|(known, _)| *known == name).map(|(_, words)| (*words).to_owned()))
    }

    #[test]
    fn without_orders_there_are_no_faults() {
        assert!(faulty(&[]).is_none());
        assert!(faulty(&[("RELEVO_TEST_ROLE", "x")]).is_none());
    }

    #[test]
    fn orders_are_read() {
        let point = (Label::SignalWrite, Moment::After);
        assert_eq!(parse_crash("signal.write:after"), Some((point, 1)));
        assert_eq!(parse_crash("signal.write:after:3"), Some((point, 3)));
        assert_eq!(parse_fail("signal.write:after:enospc:2"), Some((point, io::ErrorKind::StorageFull, 2)));
        assert_eq!(parse_fail("signal.write:after:eio"), Some((point, io::ErrorKind::Other, 1)));
        for wrong in ["signal.write", "signal.write:while", "signal:after", "signal.write:after:x", "a:b:c:d:e", ""] {
            assert_eq!(parse_crash(wrong), None, "{wrong}");
            assert_eq!(parse_fail(wrong), None, "{wrong}");
        }
    }

    #[test]
    #[should_panic(expected = "is no order")]
    fn a_wrong_order_panics() {
        faulty(&[("RELEVO_TEST_CRASH", "soon")]);
    }

    #[test]
    fn the_clock_is_fixed_with_its_offset() {
        let world = faulty(&[("RELEVO_TEST_NOW", "2026-03-04T05:06:07-06:00")]).unwrap();
        assert_eq!(world.now().strftime("%FT%T%:z").to_string(), "2026-03-04T05:06:07-06:00");
        assert_eq!(world.now(), world.now());
        assert_eq!(parse_now("2026-03-04T05:06:07Z").unwrap().strftime("%FT%T%:z").to_string(), "2026-03-04T05:06:07+00:00");
        assert!(parse_now("2026-03-04").is_none());
    }

    #[test]
    fn points_are_listed_in_order_and_an_injected_failure_prevents_the_effect() {
        let dir = tempfile::tempdir().unwrap();
        let (list, file) = (dir.path().join("points"), dir.path().join("file"));
        let orders = [
            ("RELEVO_TEST_LABELS", list.to_str().unwrap()),
            ("RELEVO_TEST_FAIL", "files.remove:after:eio:9,state.write:before:enospc:2"),
        ];
        let world = faulty(&orders).unwrap();
        world.write_file(Label::StateWrite, &file, b"first").unwrap();
        let error = world.write_file(Label::StateWrite, &file, b"second").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read(&file).unwrap(), b"first");
        world.remove_file(Label::FilesRemove, &file).unwrap();
        world.write_file(Label::StateWrite, &file, b"third").unwrap();
        let points = "state.write before\nstate.write after\nstate.write before\nfiles.remove before\nfiles.remove after\n\
                      state.write before\nstate.write after\n";
        assert_eq!(std::fs::read_to_string(&list).unwrap(), points);
    }

    /// The process to kill is this test itself, started once more with orders.
    #[test]
    fn a_crash_kills_the_process_at_its_point() {
        const FILE: &str = "RELEVO_TEST_CHILD_FILE_TO_WRITE";
        if let Ok(file) = std::env::var(FILE) {
            super::super::real().write_file(Label::StateWrite, Path::new(&file), b"x").unwrap();
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let table = [
            ("RELEVO_TEST_CRASH", "1", false),
            ("RELEVO_TEST_CRASH", "2", true),
            ("RELEVO_TEST_CRASH_AT", "state.write:before", false),
            ("RELEVO_TEST_CRASH_AT", "state.write:after:1", true),
        ];
        for (number, (name, words, written)) in table.into_iter().enumerate() {
            let file = dir.path().join(number.to_string());
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "world::faulty::tests::a_crash_kills_the_process_at_its_point"]);
            let ended = child.env(FILE, &file).env(name, words).output().unwrap();
            assert_eq!(platform::exit_code(ended.status), 137, "{name}={words}");
            assert_eq!(file.exists(), written, "{name}={words}");
        }
    }
}
