//! The running shop: relevo's verbs as child processes, tills that sell in the background, and the switch that pulls main's plug.
//! Whatever happens, nothing of it is left running: `close_all` ends every process by its own id.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sim::Instances;
use super::store::{self, Layout, Machine};
use super::timeline::Timeline;
use crate::cli::session::Session;
use crate::error::{Exit, Failure, Result};
use crate::model::Side;
use crate::text;
use crate::text::Text;
use crate::world::{Label, ProcessId};

/// How often a waiting act looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long an act waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one verb may take.
const VERB_WITHIN: Duration = Duration::from_secs(120);
/// How long a process that was asked to close may take before it is ended.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);
/// Lines of a child's output that a failure shows.
const TAIL: usize = 8;

/// The shop of a demo.
pub struct Shop<'a> {
    /// How this invocation speaks, and Ctrl-C.
    pub session: &'a Session,
    /// Where everything lies.
    pub layout: Layout,
    /// When everything happened.
    pub timeline: Timeline,
    exe: PathBuf,
    /// The simulated SQL Servers, where the shop runs on them.
    pub instances: Option<Instances>,
    tills: Vec<Till>,
    calls: u32,
}

/// A till whose `launch` runs.
struct Till {
    machine: Machine,
    child: Child,
    /// Its tickets before this launch.
    before: usize,
    log: PathBuf,
}

/// Tickets sold while an act waited.
pub struct Sold {
    /// How many.
    pub tickets: usize,
    /// When the first of them was seen.
    pub first: Instant,
}

impl<'a> Shop<'a> {
    /// A shop that is not open yet.
    pub fn new(session: &'a Session, layout: Layout, exe: PathBuf) -> Self {
        Shop { session, layout, timeline: Timeline::default(), exe, instances: None, tills: Vec::new(), calls: 0 }
    }

    /// A line for the person; on standard error when standard output is for programs.
    pub fn say(&self, text: &Text) {
        if self.session.output.json {
            eprint_line(text.get(self.session.output.lang));
        } else {
            self.session.output.say(text);
        }
    }

    /// Runs a verb on a machine, waits, and returns its object. Fails when it does not end with `expected`.
    pub fn run(&mut self, machine: Machine, words: &[&str], expected: Exit) -> Result<Value> {
        self.check()?;
        let at = self.timeline.now();
        let (mut child, log) = self.spawn(machine, words)?;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|e| store::could_not_write(&log, &e))? {
                break status;
            }
            let late = began.elapsed() > VERB_WITHIN;
            if late || self.check().is_err() {
                // It may be about to start SvrPdv: first let it come to its end.
                end(&mut child, CLOSE_WITHIN);
                self.check()?;
                return Err(failed(machine, words, &log, text!("no terminó a tiempo", "it did not end in time"), None));
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let name: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with("--")).collect();
        self.timeline.note(&format!("{}.{}", machine.folder(), name.join("_")), at);
        let object = last_object(&log.with_extension("json"));
        let (code, wanted) = (status.code().unwrap_or(-1), expected.code());
        if code != i32::from(wanted) {
            // A verb that was interrupted together with the demo is no failure of its own.
            self.check()?;
            let what = text!("terminó con {code}; se esperaba {wanted}", "it ended with {code}, {wanted} was expected");
            return Err(failed(machine, words, &log, what, object.as_ref()));
        }
        object.ok_or_else(|| {
            let what = text!("no imprimió su objeto JSON", "it did not print its JSON object");
            failed(machine, words, &log, what, None)
        })
    }

    /// Starts PosPdv on all tills, through their `launch`.
    pub fn open_tills(&mut self) -> Result<()> {
        self.check()?;
        for machine in Machine::TILLS {
            let before = self.count(machine);
            let (child, log) = self.spawn(machine, &["launch", "--program", "pospdv"])?;
            self.tills.push(Till { machine, child, before, log });
        }
        Ok(())
    }

    /// Waits until `wanted` tickets more are acknowledged and every till has sold since it was launched.
    pub fn sell(&mut self, wanted: usize) -> Result<Sold> {
        let base = self.total();
        let (mut seen, mut last, mut first) = (base, Instant::now(), None);
        loop {
            self.check()?;
            let total = self.total();
            if total > seen {
                (seen, last) = (total, Instant::now());
                first.get_or_insert(last);
            }
            let everybody = self.tills.iter().all(|till| self.count(till.machine) > till.before);
            if let (true, true, Some(first)) = (everybody, seen - base >= wanted, first) {
                return Ok(Sold { tickets: seen - base, first });
            }
            for till in &mut self.tills {
                if let Ok(Some(status)) = till.child.try_wait() {
                    let code = status.code().unwrap_or(-1);
                    let what = text!("dejó de vender (código {code})", "it stopped selling (code {code})");
                    return Err(failed(
                        till.machine,
                        &["launch", "--program", "pospdv"],
                        &till.log,
                        what,
                        last_object(&till.log.with_extension("json")).as_ref(),
                    ));
                }
            }
            if last.elapsed() > PATIENCE {
                let silent = self.tills.iter().find(|till| self.count(till.machine) <= till.before).or(self.tills.first());
                let (machine, log) =
                    silent.map_or((Machine::Caja, self.layout.log(Machine::Caja)), |t| (t.machine, t.log.clone()));
                let what = text!("no vende", "it does not sell");
                return Err(failed(machine, &["launch", "--program", "pospdv"], &log, what, None));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until every till's `launch` has ended with `expected`.
    pub fn tills_end(&mut self, expected: Exit) -> Result<()> {
        let began = Instant::now();
        while !self.tills.is_empty() {
            self.check()?;
            let mut open = Vec::new();
            for mut till in std::mem::take(&mut self.tills) {
                match till.child.try_wait() {
                    Ok(Some(status)) if status.code() == Some(i32::from(expected.code())) => {}
                    Ok(Some(status)) => {
                        let (code, wanted) = (status.code().unwrap_or(-1), expected.code());
                        let what =
                            text!("terminó con {code}; se esperaba {wanted}", "it ended with {code}, {wanted} was expected");
                        let object = last_object(&till.log.with_extension("json"));
                        return Err(failed(till.machine, &["launch", "--program", "pospdv"], &till.log, what, object.as_ref()));
                    }
                    Ok(None) | Err(_) => open.push(till),
                }
            }
            self.tills = open;
            if let Some(till) = self.tills.first().filter(|_| began.elapsed() > PATIENCE) {
                let what = text!("no terminó", "it did not end");
                return Err(failed(till.machine, &["launch", "--program", "pospdv"], &till.log, what, None));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// The cashiers close PosPdv.
    pub fn close_tills(&mut self) -> Result<()> {
        self.ask_tills(true);
        self.tills_end(Exit::Ok)?;
        self.ask_tills(false);
        Ok(())
    }

    /// Kills every process of main; its tills' programs notice by themselves.
    pub fn kill_main(&mut self) -> Result<()> {
        // Looked for first: without its instance it ends by itself.
        let Some(server) = self.servers(&self.layout.machine(Machine::Main)).into_iter().find(|p| self.session.world.is_alive(p))
        else {
            let log = self.layout.log(Machine::Main);
            let what = text!("no se encontró su SvrPdv", "its SvrPdv was not found");
            return Err(failed(Machine::Main, &["launch", "--program", "svrpdv"], &log, what, None));
        };
        if let Some(instances) = &mut self.instances {
            instances.kill(Side::Main);
        }
        self.stop_server(&server, Duration::ZERO)
    }

    /// Moves main's folder away, or back. Windows lets go of a dead process's files late, hence the patience.
    pub fn move_main(&mut self, away: bool) -> Result<()> {
        self.move_folder(away)?;
        match &mut self.instances {
            Some(instances) if !away => instances.run(Side::Main, &self.exe),
            _ => Ok(()),
        }
    }

    fn move_folder(&self, away: bool) -> Result<()> {
        let (here, off) = (self.layout.machine(Machine::Main), self.layout.main_off());
        let (from, to) = if away { (here, off) } else { (off, here) };
        let began = Instant::now();
        loop {
            match self.session.world.rename(Label::StateWrite, &from, &to) {
                Ok(()) => return Ok(()),
                Err(error) if began.elapsed() > PATIENCE => {
                    return Err(Failure::io(text!("no se pudo mover", "could not move"), &from, &error));
                }
                Err(_) => self.check()?,
            }
            std::thread::sleep(LOOK_EVERY * 5);
        }
    }

    /// Stops a server's SvrPdv in good order, if it is alive.
    pub fn close_servers(&self) -> Result<()> {
        let machines = [self.layout.machine(Machine::Main), self.layout.main_off(), self.layout.machine(Machine::Caja)];
        for machine in machines {
            for server in self.servers(&machine) {
                self.stop_server(&server, CLOSE_WITHIN)?;
            }
        }
        Ok(())
    }

    /// Ends everything that still runs. Does nothing the second time.
    pub fn close_all(&mut self) {
        self.ask_tills(true);
        let began = Instant::now();
        let mut forced = false;
        for mut till in std::mem::take(&mut self.tills) {
            forced |= !end(&mut till.child, CLOSE_WITHIN.saturating_sub(began.elapsed()));
        }
        if self.close_servers().is_err() {
            let (main, caja) = (self.layout.machine(Machine::Main), self.layout.machine(Machine::Caja));
            let (main, caja) = (main.display(), caja.display());
            self.say(&text!(
                "  ! un SvrPdv de {main} o {caja} no se pudo cerrar; ciérrelo a mano",
                "  ! a SvrPdv of {main} or {caja} could not be closed; close it by hand"
            ));
        }
        // The program of a launch that was ended by force still has to read that it should close.
        if !forced {
            self.ask_tills(false);
        }
    }

    /// Ctrl-C?
    pub fn check(&self) -> Result<()> {
        if !self.session.stop.load(std::sync::atomic::Ordering::SeqCst) {
            return Ok(());
        }
        Err(Failure::new(Exit::Interrupted, "interrupted", text!("demostración interrumpida", "demo interrupted"))
            .hint(text!("se cerró todo lo que se había iniciado", "everything it had started was closed")))
    }

    fn spawn(&mut self, machine: Machine, words: &[&str]) -> Result<(Child, PathBuf)> {
        self.calls += 1;
        let log = self.layout.log(machine).join(format!("{:02}-{}.log", self.calls, words.first().unwrap_or(&"relevo")));
        let output = |path: &Path| File::create(path).map_err(|e| store::could_not_write(path, &e));
        let mut command = Command::new(&self.exe);
        command.arg("--store").arg(self.layout.store(machine)).args(["--lang", self.lang(), "--json"]).args(words);
        command.stdin(Stdio::null()).stdout(output(&log.with_extension("json"))?).stderr(output(&log)?);
        // What the caller's environment says of another store, or orders for a test of this very process, is not meant for it.
        for name in ["RELEVO_STORE", "RELEVO_TEST_CRASH", "RELEVO_TEST_CRASH_AT", "RELEVO_TEST_FAIL", "RELEVO_TEST_LABELS"] {
            command.env_remove(name);
        }
        let child = command.spawn().map_err(|e| {
            let exe = self.exe.display();
            Failure::failed("demo_step_failed", text!("no se pudo iniciar {exe}", "could not start {exe}")).cause(e)
        })?;
        Ok((child, log))
    }

    fn lang(&self) -> &'static str {
        match self.session.output.lang {
            crate::text::Lang::Es => "es",
            crate::text::Lang::En => "en",
        }
    }

    fn ask_tills(&self, close: bool) {
        for till in Machine::TILLS {
            let file = self.layout.close(till);
            // One that cannot be asked is ended by force, one whose file stays says so when it is started by hand.
            let _ =
                if close && self.layout.machine(till).is_dir() { std::fs::write(file, b"") } else { std::fs::remove_file(file) };
        }
    }

    /// SvrPdv of a machine, by what relevo noted and by what it says itself beside its lock.
    fn servers(&self, machine: &Path) -> Vec<ProcessId> {
        [machine.join("store/state/programs/svrpdv.json"), machine.join("instance/server.info")]
            .iter()
            .filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok())
            .collect()
    }

    fn stop_server(&self, server: &ProcessId, patience: Duration) -> Result<()> {
        self.session.world.stop(Label::ServiceStop, server, patience).map_err(|e| {
            let pid = server.pid;
            Failure::failed("demo_step_failed", text!("no se pudo cerrar el proceso {pid}", "could not stop process {pid}"))
                .cause(e)
        })
    }

    /// Tickets that a till has acknowledged so far; a line that is being written does not count yet.
    fn count(&self, till: Machine) -> usize {
        std::fs::read(self.layout.acknowledged(till)).map_or(0, |bytes| bytes.iter().filter(|&&byte| byte == b'\n').count())
    }

    fn total(&self) -> usize {
        Machine::TILLS.iter().map(|&till| self.count(till)).sum()
    }
}

impl Drop for Shop<'_> {
    fn drop(&mut self) {
        self.close_all();
    }
}

/// Gives a child `patience` to end, then ends it; `false` when that was necessary.
fn end(child: &mut Child, patience: Duration) -> bool {
    let began = Instant::now();
    loop {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        if began.elapsed() >= patience {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let _ = child.kill(); // fails only when it is gone already
    let _ = child.wait();
    false
}

/// The object that a verb printed last.
fn last_object(path: &Path) -> Option<Value> {
    let printed = std::fs::read_to_string(path).ok()?;
    let line = printed.lines().rev().find(|line| line.starts_with('{'))?;
    serde_json::from_str(line).ok()
}

/// A step of the demo failed: which verb on which machine, and what it said.
pub fn failed(machine: Machine, words: &[&str], log: &Path, what: Text, object: Option<&Value>) -> Failure {
    let (verb, name) = (words.join(" "), machine.name());
    let Text { es, en } = what;
    let mut failure =
        Failure::failed("demo_step_failed", text!("relevo {verb} en {name}: {es}", "relevo {verb} on {name}: {en}"));
    if let Some(error) = object.map(|object| &object["error"]).filter(|error| error.is_object()) {
        let word = |key: &str| error[key].as_str().unwrap_or("?").to_owned();
        failure = failure.cause(format!("{}: {}", word("kind"), word("message")));
        for cause in error["causes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            failure = failure.cause(cause);
        }
    } else if let Ok(said) = std::fs::read_to_string(log) {
        let lines: Vec<&str> = said.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            failure = failure.cause(line);
        }
    }
    let log = log.display();
    failure.hint(text!("lo que dijo está en {log}", "what it said is in {log}"))
}

/// A line of progress while standard output belongs to programs.
fn eprint_line(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_shows_what_the_verb_said() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("07-promote.log");
        let lines: Vec<String> = (1..=20).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&log, lines.concat()).unwrap();
        std::fs::write(
            log.with_extension("json"),
            "progress\n{\"ok\":false,\"error\":{\"kind\":\"main_serves\",\"message\":\"main serves\",\"causes\":[\"CAJA2\"]}}\n",
        )
        .unwrap();
        let object = last_object(&log.with_extension("json"));
        let what = || text!("terminó con 4", "it ended with 4");
        let told = failed(Machine::Caja, &["promote"], &log, what(), object.as_ref());
        assert_eq!(
            (told.kind.as_str(), told.message.en.as_str()),
            ("demo_step_failed", "relevo promote on CAJA1: it ended with 4")
        );
        assert_eq!(told.causes, ["main_serves: main serves", "CAJA2"]);
        let silent = failed(Machine::Caja, &["promote"], &log, what(), None);
        assert_eq!((silent.causes.len(), silent.causes[TAIL - 1].as_str()), (TAIL, "line 20"));
    }
}
