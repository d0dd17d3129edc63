//! Taking times: alternating, medians, and the bytes that a process wrote.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;

/// The middle one, in seconds; the mean of the two middle ones of an even number.
pub fn median(times: &[Duration]) -> f64 {
    let mut sorted: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// How long it took.
pub fn time<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let began = Instant::now();
    let value = work()?;
    Ok((value, began.elapsed()))
}

/// Runs each in turn, the order reversed every second time, so that what one leaves to the disk hits the others alike.
pub fn in_turn(round: usize, parts: &mut [&mut dyn FnMut() -> Result<()>]) -> Result<()> {
    if round.is_multiple_of(2) {
        parts.iter_mut().try_for_each(|part| part())
    } else {
        parts.iter_mut().rev().try_for_each(|part| part())
    }
}

/// A verb that ended well.
pub struct Ran {
    /// What `--json` printed.
    pub json: Value,
    /// From its start to its end.
    pub took: Duration,
    /// Bytes that it gave to the system to write, where the system tells (Linux).
    pub written: Option<u64>,
}

/// Runs `relevo --store STORE --json WORDS`; anything but exit 0 is an error.
pub fn relevo(store: &Path, words: &[&str]) -> Result<Ran> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relevo"));
    command.arg("--store").arg(store).args(["--json", "--lang", "en"]).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn()?;
    let (mut out, mut err) = (String::new(), String::new());
    if let Some(pipe) = child.stdout.as_mut() {
        pipe.read_to_string(&mut out)?;
    }
    // It has closed its output, so it is at its end; its counters stay readable until it is waited for.
    let written = written_by(child.id());
    if let Some(pipe) = child.stderr.as_mut() {
        pipe.read_to_string(&mut err)?;
    }
    let status = child.wait()?;
    let took = began.elapsed();
    if !status.success() {
        return Err(format!("relevo {}: {status}\n{out}{err}", words.join(" ")).into());
    }
    let json: Value = serde_json::from_str(out.trim())?;
    let printed = (out.len() + err.len()) as u64;
    Ok(Ran { json, took, written: written.map(|bytes| bytes.saturating_sub(printed)) })
}

fn written_by(pid: u32) -> Option<u64> {
    let counters = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    counters.lines().find_map(|line| line.strip_prefix("wchar: "))?.trim().parse().ok()
}

/// Both files hold the same pages; the two bytes of the header that say open, standby or fenced may differ.
pub fn must_be_equal(one: &Path, other: &Path) -> Result<()> {
    let differ = || format!("{} and {} differ", one.display(), other.display());
    let (mut a, mut b) = (std::fs::File::open(one)?, std::fs::File::open(other)?);
    let length = a.metadata()?.len();
    if length != b.metadata()?.len() {
        return Err(differ().into());
    }
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    while at < length {
        let size = (left.len() as u64).min(length - at) as usize;
        a.read_exact(&mut left[..size])?;
        b.read_exact(&mut right[..size])?;
        if at == 0 {
            left[18..20].fill(2);
            right[18..20].fill(2);
        }
        if left[..size] != right[..size] {
            return Err(differ().into());
        }
        at += size as u64;
    }
    Ok(())
}

/// Processor time of a process that has ended and was not waited for yet, where the system tells (Linux; in steps of 10 ms).
pub fn cpu_seconds(child: &std::process::Child) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // After the name, which may hold anything: state is the 3rd field, user and system ticks the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / 100.0)
}
