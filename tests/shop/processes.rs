//! The processes of a machine, found by their store directory, and signals to them. Linux only: /proc. Nothing else is ever touched:
//! the store lies in this test's own temporary folder.

use std::path::Path;
use std::process::Command;

/// Everything that runs for the store directory of a machine.
pub fn of(store: &Path) -> Vec<u32> {
    let wanted = format!("RELEVO_STORE={}", store.display()).into_bytes();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Of a process that ended, or is another user's, there is nothing to read.
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted) {
            found.push(pid);
        }
    }
    found
}

/// Those of them that run `relevo stand-in PROGRAM`.
pub fn running(store: &Path, program: &str) -> Vec<u32> {
    let is = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1..3) == Some(&[b"stand-in".as_slice(), program.as_bytes()])
    };
    of(store).into_iter().filter(is).collect()
}

/// Sends a signal ("KILL", "STOP", "CONT"); those that are gone already are no matter.
pub fn signal(name: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let pids = pids.iter().map(u32::to_string);
    // A program of its own: a system call would need unsafe code.
    let sent = Command::new("kill").arg(format!("-{name}")).args(pids).stderr(std::process::Stdio::null()).status();
    assert!(sent.is_ok(), "kill cannot be started: {sent:?}");
}

/// Stands still (or is gone)?
fn is_stopped(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(')').is_none_or(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('T' | 't' | 'Z' | 'X')))
}

/// Kills them all, and what they started meanwhile; `own` are children of this test, which may not be found yet.
pub fn kill_all(store: &Path, own: &[u32]) {
    signal("KILL", own);
    loop {
        let pids = of(store);
        if pids.is_empty() {
            return;
        }
        signal("KILL", &pids);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Stops them all, and what they started meanwhile; `own` as above.
pub fn stop_all(store: &Path, own: &[u32]) {
    loop {
        let moving: Vec<u32> = of(store).into_iter().chain(own.iter().copied()).filter(|pid| !is_stopped(*pid)).collect();
        if moving.is_empty() {
            return;
        }
        signal("STOP", &moving);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
