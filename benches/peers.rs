//! What a shop would use instead. Each does its work as durably as relevo does.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::measure::{median, time};
use crate::report::Peer;

/// Copies the whole file and syncs it. `None` where there is no cp.
pub fn cp(from: &Path, to: &Path) -> Result<Option<Duration>> {
    timed("cp", &[], from, to)
}

/// What differs is written into the old copy, then it is synced. `None` where rsync is not installed.
pub fn rsync(from: &Path, to: &Path) -> Result<Option<Duration>> {
    timed("rsync", &["--inplace", "--no-whole-file"], from, to)
}

fn timed(program: &str, words: &[&str], from: &Path, to: &Path) -> Result<Option<Duration>> {
    if Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return Ok(None);
    }
    let (_, took) = time(|| {
        run(Command::new(program).args(words).arg(from).arg(to))?;
        Ok(File::options().read(true).write(true).open(to)?.sync_all()?)
    })?;
    Ok(Some(took))
}

/// The Python that `python3` stands for: a wrapper that first looks for one would be a weak peer.
pub fn python() -> Option<String> {
    let asked = Command::new("python3").args(["-S", "-c", "import sys; print(sys.executable)"]).output().ok()?;
    let path = String::from_utf8(asked.stdout).ok()?.trim().to_owned();
    (asked.status.success() && !path.is_empty()).then_some(path)
}

/// Runs a program to its end.
fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let program = command.get_program().to_string_lossy().into_owned();
        return Err(format!("{program}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(())
}

/// `cp` and a sync.
pub fn of_cp(times: &[Duration]) -> Peer {
    peer("cp + sync", times, "install coreutils")
}

/// rsync in place.
pub fn of_rsync(times: &[Duration]) -> Peer {
    peer("rsync --inplace + sync", times, "install the package rsync")
}

/// The median of a peer's times, if there are any.
pub fn peer(name: &'static str, times: &[Duration], remedy: &'static str) -> Peer {
    Peer { name, figure: (!times.is_empty()).then(|| median(times)), remedy }
}
