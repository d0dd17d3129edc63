//! One verb as a process with `-v`: what it printed, how long it took, the most memory it had, what it asked of its targets.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;

/// A verb that ended.
pub struct Ran {
    /// Its standard output.
    pub out: String,
    /// From its start to its end.
    pub took: Duration,
    /// The most memory, in KiB, where the system tells.
    pub peak: Option<u64>,
    /// Operations on all targets; `None` where it used none.
    pub asked: Option<Asked>,
}

/// Operations on targets.
#[derive(Clone, Copy, Default)]
pub struct Asked {
    /// Listings.
    pub list: u64,
    /// Objects opened.
    pub get: u64,
}

impl Ran {
    /// The object that `--json` printed.
    pub fn json(&self) -> Result<Value> {
        Ok(serde_json::from_str(self.out.trim())?)
    }
}

/// A verb, not yet started.
pub fn command(store: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relevo"));
    command.arg("--store").arg(store).args(["-v", "--lang", "en"]).args(words).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs it; an error unless it ends with `code`.
pub fn verb(store: &Path, words: &[&str], code: i32) -> Result<Ran> {
    let began = Instant::now();
    let mut child = command(store, words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Both pipes at once: a child that fills one that nobody reads stands still.
    let (out, err) = std::thread::scope(|scope| {
        let err = child.stderr.take().map(|mut pipe| {
            scope.spawn(move || {
                let mut text = String::new();
                pipe.read_to_string(&mut text).map(|_| text)
            })
        });
        let mut out = String::new();
        let read = child.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut out));
        let err = err.map_or(Ok(Ok(String::new())), std::thread::ScopedJoinHandle::join);
        read.map(|_| (out, err.unwrap_or_else(|_| Ok(String::new())).unwrap_or_default()))
    })?;
    let status = child.wait()?;
    let took = began.elapsed();
    if status.code() != Some(code) {
        let tail: Vec<&str> = err.lines().rev().take(20).collect();
        let head: String = out.chars().take(2000).collect();
        return Err(format!("relevo {}: {status}, not {code}\n{head}\n{}", words.join(" "), tail.join("\n")).into());
    }
    Ok(Ran { peak: peak_said(&err), asked: asked(&err), out, took })
}

/// What `-v` said at the end.
pub fn peak_said(err: &str) -> Option<u64> {
    err.lines().rev().find_map(|line| line.split_once("peak memory")).and_then(|(_, rest)| number(rest, "kib="))
}

/// The most memory of a process that lives, in KiB.
pub fn peak_of(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

fn asked(err: &str) -> Option<Asked> {
    let mut all: Option<Asked> = None;
    for line in err.lines().filter(|line| line.contains("operations target=")) {
        let sum = all.get_or_insert_default();
        sum.list += number(line, " list=").unwrap_or(0);
        sum.get += number(line, " get=").unwrap_or(0);
    }
    all
}

fn number(line: &str, key: &str) -> Option<u64> {
    let (_, rest) = line.split_once(key)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
