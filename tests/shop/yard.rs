//! The shop while it is harmed: its machines, the verbs that people started, and the trace of everything. Whatever happens, no
//! process of it is left.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::action::{Action, CAJA, Fate, MAIN, Machine, Verb};
use super::counts::Counts;
use super::processes;
use super::seen::Seen;
use super::tickets::Known;
use crate::harness::{Options, Shop, rename};

pub const PIN: &str = "2468";
/// On a bad day nobody stands before a verb longer than this; it goes on by itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// A till program that runs so long is open.
const OPENED_WITHIN: Duration = Duration::from_millis(400);
/// When the faults have stopped, nothing takes longer than this.
pub const LONGEST: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    On,
    Off,
    Hung,
    Frozen,
}

/// A verb that somebody started.
pub struct Job {
    pub number: usize,
    pub machine: Machine,
    pub verb: Verb,
    pub before: Seen,
    /// Another verb ran at the same time.
    pub beside: bool,
    /// How many disturbances there had been.
    pub disturbances: u64,
    /// We killed it, or its till program.
    pub killed: bool,
    pub prey: bool,
    pub stopped: bool,
    pub began: Instant,
    pub child: Child,
    log: PathBuf,
    labels: PathBuf,
}

/// How a verb ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// 137 where a signal ended it.
    pub code: i32,
    pub object: Value,
    pub err: String,
}

impl Ended {
    pub fn kind(&self) -> &str {
        self.object["error"]["kind"].as_str().unwrap_or_default()
    }
    pub fn message(&self) -> &str {
        self.object["error"]["message"].as_str().unwrap_or_default()
    }
    pub fn hint(&self) -> &str {
        self.object["error"]["hint"].as_str().unwrap_or_default()
    }
}

pub struct Yard {
    pub shop: Shop,
    pub counts: Counts,
    pub known: Known,
    /// Lines of the trace, and the actions alone.
    pub trace: Vec<String>,
    pub actions: Vec<Action>,
    /// What must not have happened.
    pub findings: Vec<String>,
    /// Power cuts, hangs and signals so far: what ran meanwhile may fail in ways that else are wrong.
    pub disturbances: u64,
    pub jobs: Vec<Job>,
    /// The launch of each till.
    pub tills: Vec<Option<Job>>,
    pub power: Vec<Power>,
    pub patience: Duration,
    began: Instant,
    number: usize,
}

impl Yard {
    /// A shop that sells, with one copy on the standby.
    pub fn open(more_tills: usize) -> Yard {
        let shop = Shop::with(&Options { more_tills, ..Options::default() });
        for (machine, ..) in &shop.machines {
            let toml = shop.path(machine, "store/relevo.toml");
            let close = shop.path(machine, "close");
            let text = std::fs::read_to_string(&toml).unwrap();
            let sells_on =
                text.replace("'--tickets', '3', '--pause', '1'", &format!("'--pause', '12', '--until', '{}'", close.display()));
            assert_ne!(text, sells_on);
            std::fs::write(&toml, sells_on).unwrap();
        }
        std::fs::create_dir_all(shop.dir.join("log")).unwrap();
        shop.set_pin("caja", PIN);
        shop.json("main", &["mirror"]).expect(0);
        let machines = shop.machines.len();
        Yard {
            shop,
            counts: Counts::default(),
            known: Known::default(),
            trace: Vec::new(),
            actions: Vec::new(),
            findings: Vec::new(),
            disturbances: 0,
            jobs: Vec::new(),
            tills: (0..machines).map(|_| None).collect(),
            power: vec![Power::On; machines],
            patience: PATIENCE,
            began: Instant::now(),
            number: 0,
        }
    }

    pub fn name(&self, machine: Machine) -> &str {
        &self.shop.machines[machine].0
    }

    pub fn store(&self, machine: Machine) -> PathBuf {
        self.shop.path(self.name(machine), "store")
    }

    /// Its disk can be reached.
    pub fn is_there(&self, machine: Machine) -> bool {
        matches!(self.power[machine], Power::On | Power::Frozen)
    }

    /// The machine's folder, wherever it is now.
    pub fn folder(&self, machine: Machine) -> PathBuf {
        let name = self.name(machine);
        self.shop.dir.join(if self.is_there(machine) { name.to_owned() } else { format!("{name}.off") })
    }

    pub fn note(&mut self, line: impl AsRef<str>) {
        self.trace.push(format!("{:>6} ms  {}", self.began.elapsed().as_millis(), line.as_ref()));
    }

    /// Something that must not happen did.
    pub fn broken(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.note(format!("BROKEN {what}"));
        self.findings.push(what);
    }

    /// Changes what a machine does.
    pub fn set_power(&mut self, machine: Machine, to: Power) {
        let from = self.power[machine];
        let (store, folder) = (self.store(machine), self.shop.dir.join(self.name(machine)));
        let off = self.shop.dir.join(format!("{}.off", self.name(machine)));
        // One that was started just now shows its environment only in a moment.
        let jobs = self.jobs.iter().chain(self.tills.iter().flatten());
        let own: Vec<u32> = jobs.filter(|job| job.machine == machine).map(|job| job.child.id()).collect();
        match (from, to) {
            (Power::On, Power::Off | Power::Hung) => {
                if to == Power::Off {
                    processes::kill_all(&store, &own)
                } else {
                    processes::stop_all(&store, &own)
                }
                rename(&folder, &off);
            }
            (Power::Off | Power::Hung, Power::On) => {
                rename(&off, &folder);
                processes::signal("CONT", &processes::of(&store));
            }
            (Power::On, Power::Frozen) => processes::stop_all(&store, &own),
            (Power::Frozen, Power::On) => processes::signal("CONT", &processes::of(&store)),
            (Power::Hung, Power::Off) => processes::kill_all(&store, &own),
            (Power::Frozen, Power::Off) => {
                processes::kill_all(&store, &own);
                rename(&folder, &off);
            }
            _ => return,
        }
        self.power[machine] = to;
        self.disturbances += 1;
        let killed = to == Power::Off;
        for job in self.jobs.iter_mut().chain(self.tills.iter_mut().flatten()).filter(|job| job.machine == machine) {
            job.killed |= killed;
            job.stopped = job.stopped && to != Power::On;
        }
    }

    /// Starts a verb; `None` where nobody can (the machine is off or hangs, there is nothing to take back).
    pub fn start(&mut self, machine: Machine, verb: Verb, fate: &Fate) -> Option<Job> {
        if self.power[machine] != Power::On {
            return None;
        }
        let before = self.look();
        self.start_in(before, machine, verb, fate)
    }

    /// The same in a shop that was looked at already.
    pub fn start_in(&mut self, before: Seen, machine: Machine, verb: Verb, fate: &Fate) -> Option<Job> {
        if self.power[machine] != Power::On {
            return None;
        }
        if verb.changes_role() {
            self.disturbances += 1; // what runs meanwhile loses its server
            self.note_unread();
        }
        let mut words: Vec<String> = verb.words().iter().map(|word| (*word).to_owned()).collect();
        if verb == Verb::Undo {
            words.push(before.open.first()?.0.clone());
        }
        self.number += 1;
        let name = self.name(machine).to_owned();
        let log = self.shop.dir.join("log").join(format!("{:03}-{name}-{}.json", self.number, words[0].trim_start_matches('-')));
        let labels = log.with_extension("labels");
        let words: Vec<&str> = ["--json", "--lang", "en"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let mut command = self.shop.command(&name, &words);
        match fate {
            Fate::KilledAtPoint(point) => drop(command.env("RELEVO_TEST_CRASH", point.to_string())),
            Fate::KilledAt(point) => drop(command.env("RELEVO_TEST_CRASH_AT", point)),
            Fate::StoppedAtPoint(_) => drop(command.env("RELEVO_TEST_LABELS", &labels)),
            _ => {}
        }
        let pin = verb == Verb::AcceptLoss;
        command.stdin(if pin { Stdio::piped() } else { Stdio::null() });
        command.stdout(File::create(&log).unwrap()).stderr(File::create(log.with_extension("log")).unwrap());
        let mut child = command.spawn().unwrap();
        if let Some(mut stdin) = child.stdin.take() {
            use std::io::Write;
            let _ = writeln!(stdin, "{PIN}"); // one that died at once reads nothing
        }
        let beside = !self.jobs.is_empty();
        for other in &mut self.jobs {
            other.beside = true;
        }
        Some(Job {
            number: self.number,
            machine,
            verb,
            before,
            beside,
            disturbances: self.disturbances,
            killed: matches!(fate, Fate::KilledAtPoint(_) | Fate::KilledAt(_)),
            prey: false,
            stopped: false,
            began: Instant::now(),
            child,
            log,
            labels,
        })
    }

    /// Waits for a verb and does to it what its fate says. One that stands still, or takes too long, goes to the others.
    pub fn stand_before(&mut self, mut job: Job, fate: &Fate) -> Option<Ended> {
        let pid = job.child.id();
        let mut done = false;
        loop {
            if let Some(status) = job.child.try_wait().unwrap() {
                return Some(self.ended(job, status.code().unwrap_or(137)));
            }
            let points =
                || std::fs::read(&job.labels).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count() as u64);
            let elapsed = u64::try_from(job.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            match fate {
                _ if done => {}
                Fate::KilledAfter(after) if elapsed >= *after => {
                    (job.killed, done) = (true, true);
                    processes::signal("KILL", &[pid]);
                }
                Fate::StoppedAfter(after) if elapsed >= *after => done = true,
                Fate::StoppedAtPoint(point) if points() >= *point => done = true,
                _ => {}
            }
            if done && !job.killed {
                processes::signal("STOP", &[pid]);
                job.stopped = true;
                self.disturbances += 1;
                self.note(format!("  #{} {:?} on {} stands still", job.number, job.verb, self.name(job.machine)));
                self.jobs.push(job);
                return None;
            }
            // A till that sells does so until it is closed.
            if job.verb == Verb::Till && job.began.elapsed() > OPENED_WITHIN && self.tills[job.machine].is_none() {
                let machine = job.machine;
                self.tills[machine] = Some(job);
                return None;
            }
            if job.began.elapsed() > self.patience {
                self.note(format!("  #{} {:?} on {} takes long; nobody waits", job.number, job.verb, self.name(job.machine)));
                self.jobs.push(job);
                return None;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Takes notice of everything that has ended meanwhile.
    pub fn reap(&mut self) {
        for mut job in std::mem::take(&mut self.jobs) {
            match job.child.try_wait().unwrap() {
                Some(status) => drop(self.ended(job, status.code().unwrap_or(137))),
                None => self.jobs.push(job),
            }
        }
        for machine in 0..self.tills.len() {
            let Some(mut job) = self.tills[machine].take() else { continue };
            match job.child.try_wait().unwrap() {
                Some(status) => drop(self.ended(job, status.code().unwrap_or(137))),
                None => self.tills[machine] = Some(job),
            }
        }
    }

    /// A verb has ended: it is judged, counted and noted.
    fn ended(&mut self, job: Job, code: i32) -> Ended {
        let printed = std::fs::read_to_string(&job.log).unwrap_or_default();
        let line = printed.lines().rev().find(|line| line.starts_with('{')).unwrap_or("null");
        let object = serde_json::from_str(line).unwrap_or_default();
        let ended = Ended { code, object, err: std::fs::read_to_string(job.log.with_extension("log")).unwrap_or_default() };
        let after = self.look();
        let (number, name, kind) = (job.number, self.name(job.machine).to_owned(), ended.kind().to_owned());
        let told = format!(
            "  #{number} {:?} on {name} ended with {code} {kind} after {} ms: {} → {}",
            job.verb,
            job.began.elapsed().as_millis(),
            ended.message(),
            ended.hint()
        );
        self.note(told);
        self.counts.verb(&job, &ended, &after);
        let disturbed = job.disturbances != self.disturbances;
        if let Err(why) = super::table::judge(&job, &ended, &after, disturbed || job.beside || !self.jobs.is_empty()) {
            self.broken(format!(
                "#{number} {:?} on {name}: {code} {kind}: {why}\n  said: {}\n  before: {:?}\n  after: {after:?}\n  {}",
                job.verb,
                ended.object,
                job.before,
                ended.err.trim_end()
            ));
        }
        ended
    }

    /// The file that asks a till program to close.
    pub fn close_file(&self, machine: Machine) -> PathBuf {
        self.folder(machine).join("close")
    }

    /// No process of the shop is left.
    pub fn clear(&mut self) {
        for machine in 0..self.power.len() {
            processes::kill_all(&self.store(machine), &[]);
        }
        for job in self.jobs.iter_mut().chain(self.tills.iter_mut().flatten()) {
            let _ = job.child.wait();
        }
    }

    /// Folders of main and of the caja, wherever they are.
    pub fn instance(&self, machine: Machine) -> PathBuf {
        debug_assert!([MAIN, CAJA].contains(&machine));
        self.folder(machine).join("instance")
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The trace and its actions, beside the shop that is kept.
pub fn write_trace(dir: &Path, actions: &[Vec<Action>]) -> PathBuf {
    let path = dir.join("trace.json");
    std::fs::write(&path, serde_json::to_vec_pretty(actions).unwrap()).unwrap();
    path
}
