//! SQL Server, on the simulator: relevo's own time in a promote (what the servers take is left out), and what a mirror costs that finds
//! nothing to do. The shop is the one that the demo leaves.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{cpu_seconds, median, relevo};
use crate::promote::{copy_all, remove};
use crate::report::{Report, seconds};
use crate::{Options, Result};

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let folder = options.folder("sqlserver")?;
    let dir = folder.path().join("shop");
    let demo = Command::new(env!("CARGO_BIN_EXE_relevo"))
        .args(["demo", "--engine", "sqlserver-sim", "--keep", "--json"])
        .arg(&dir)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    let said: serde_json::Value = serde_json::from_slice(&demo.stdout)?;
    if said["ok"] != true {
        return Err(format!("the demo failed: {said}").into());
    }
    let (main, caja) = (dir.join("main"), dir.join("caja"));
    patient_as_a_machine(&caja)?;
    let mut instances = [Instance::start(&dir, &main, "PRINCIPAL")?, Instance::start(&dir, &caja, "CAJA1")?];
    relevo(&main.join("store"), &["mirror"])?;
    idle(options, report, &main)?;
    instances.iter_mut().for_each(Instance::stop); // main stays off

    let kept = dir.join("kept");
    #[expect(clippy::disallowed_methods, reason = "puts a stage aside; nothing of it has to be durable")]
    std::fs::rename(&caja, &kept)?;
    let (mut own, mut all) = (Vec::new(), Vec::new());
    for _ in 0..options.reps(5) {
        copy_all(&kept, &caja)?;
        let mut backup = Instance::start(&dir, &caja, "CAJA1")?;
        let began = Instant::now();
        let ran = verbose(&caja.join("store"), &["promote"])?;
        let took = began.elapsed();
        stop_server(&caja)?;
        backup.stop();
        all.push(took);
        own.push(took.saturating_sub(Duration::from_millis(number_after(&ran, "waited_ms"))));
        remove(&caja)?;
    }
    let (own, all) = (median(&own), median(&all));
    let what = "promote on SQL Server (simulated), relevo's own time: without the time in which the servers are waited for";
    report.figure(what, seconds(own), own, Some(0.2), "≤ 200 ms");
    report.figure("the same, click to SvrPdv serving", seconds(all), all, None, "-");
    Ok(())
}

/// A mirror that finds nothing to copy.
fn idle(options: &Options, report: &mut Report, main: &Path) -> Result<()> {
    relevo(&main.join("store"), &["mirror"])?;
    let reps = options.reps(20);
    let (mut cpu, mut took, mut memory) = (0.0, Vec::new(), 0);
    for _ in 0..reps {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_relevo"))
            .arg("--store")
            .arg(main.join("store"))
            .args(["-v", "mirror"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().map(std::io::read_to_string).transpose()?.unwrap_or_default();
        cpu += cpu_seconds(&child).unwrap_or(f64::NAN);
        if !child.wait()?.success() {
            return Err(format!("mirror failed: {said}").into());
        }
        took.push(began.elapsed());
        memory = memory.max(number_after(&said, "kib"));
    }
    let took = median(&took);
    report.figure("mirror with nothing to copy, SQL Server (simulated)", seconds(took), took, None, "-");
    let cpu = cpu / reps as f64;
    report.figure("  its processor time", seconds(cpu), cpu, None, "-");
    report.figure("  its memory at most", format!("{:.1} MiB", memory as f64 / 1024.0), memory as f64, None, "-");
    Ok(())
}

/// No pauses that are a person's or a program's, not relevo's.
fn patient_as_a_machine(caja: &Path) -> Result<()> {
    let path = caja.join("store/relevo.toml");
    let toml = std::fs::read_to_string(&path)?.replace("probe_for = \"600ms\"", "probe_for = \"1ms\"");
    Ok(std::fs::write(path, toml.replace("ready_after = \"100ms\"", "ready_after = \"1ms\""))?)
}

fn verbose(store: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relevo"));
    command.arg("--store").arg(store).args(["-v", "--lang", "en"]).args(words).stdin(Stdio::null());
    let ran = command.output()?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    if ran.status.success() { Ok(said) } else { Err(said.into()) }
}

/// The sum of what stands after a word in the log (`word=12`), whatever colours are between.
fn number_after(said: &str, word: &str) -> u64 {
    let plain = strip(said);
    plain
        .match_indices(&format!("{word}="))
        .filter_map(|(at, found)| {
            let digits: String = plain[at + found.len()..].chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().ok()
        })
        .sum()
}

/// Without colours.
fn strip(said: &str) -> String {
    let mut pieces = said.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    plain.extend(pieces.map(|piece| piece.split_once('m').map_or("", |(_, rest)| rest)));
    plain
}

fn stop_server(machine: &Path) -> Result<()> {
    let body = std::fs::read(machine.join("store/state/programs/svrpdv.json"))?;
    let process: relevo::world::ProcessId = serde_json::from_slice(&body)?;
    Ok(relevo::world::real().stop(relevo::world::Label::ServiceStop, &process, Duration::from_secs(3))?)
}

/// A simulated instance, on the port that its shop knows.
struct Instance(Child);

impl Instance {
    fn start(dir: &Path, machine: &Path, name: &str) -> Result<Instance> {
        let toml = std::fs::read_to_string(machine.join("store/relevo.toml"))?;
        let port = toml
            .split(&format!("'{name}\\SIM'"))
            .nth(1)
            .and_then(|rest| rest.split_once("127.0.0.1,"))
            .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
            .ok_or("no port in relevo.toml")?;
        let folder: PathBuf = machine.join("instance");
        let mut command = Command::new(env!("CARGO_BIN_EXE_relevo"));
        command.args(["stand-in", "sqlserver", "--port", &port, "--machine", name]);
        command.arg("--dir").arg(&folder).arg("--password-file").arg(dir.join("password"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let began = Instant::now();
        let instance = Instance(child);
        while !folder.join("port").exists() || std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err("the simulated instance does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(instance)
    }

    fn stop(&mut self) {
        let _ = self.0.kill(); // fails only when it is gone already
        let _ = self.0.wait();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop();
    }
}
