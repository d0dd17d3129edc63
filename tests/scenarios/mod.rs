//! Verbs under faults: how a shop is brought to the moment before one, what must be equal to a run that nothing disturbed, and what
//! a person does afterwards. Used by the tests that kill (tests/crash), fail (tests/steps) and break disks (tests/faults).

mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::harness::{Ran, Shop, ran};

pub use list::SCENARIOS;

/// A verb that is disturbed.
pub struct Scenario {
    pub name: &'static str,
    /// Brings a new shop to the moment before the verb; nothing may be left running.
    pub prepare: fn(&Shop),
    /// Starts what must be alive each time before the verb.
    pub start: fn(&Shop),
    pub machine: &'static str,
    pub verb: &'static [&'static str],
    /// Its end when nothing disturbs it.
    pub code: i32,
    /// Taken up by `resume`; the others are simply run again.
    pub resumes: bool,
}

/// A labelled point that the binary passes: as it writes it, and the how many-th of its kind it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub label: String,
    pub moment: String,
    pub time: usize,
}

impl Point {
    /// `label:moment:KIND:K`, as RELEVO_TEST_FAIL wants it.
    pub fn failing(&self, kind: &str) -> String {
        format!("{}:{}:{kind}:{}", self.label, self.moment, self.time)
    }
}

/// A scenario, prepared once and played as often as asked; how it was before it and how it ends undisturbed.
pub struct Stage {
    pub scenario: &'static Scenario,
    pub shop: Shop,
    /// The outcome before the verb.
    pub before: Value,
    /// The outcome of an undisturbed run.
    pub wanted: Value,
    /// The points that the undisturbed run passed.
    pub points: Vec<Point>,
    template: tempfile::TempDir,
}

const MACHINES: [&str; 5] = ["main", "main.off", "caja", "till2", "otra"];

impl Stage {
    /// Prepares the shop and plays the verb undisturbed.
    pub fn new(scenario: &'static Scenario) -> Stage {
        Stage::of(Shop::new(), scenario)
    }

    /// The same in this shop.
    pub fn of(shop: Shop, scenario: &'static Scenario) -> Stage {
        (scenario.prepare)(&shop);
        // What a running server has in memory belongs to the moment before the verb too: it is read from the files again.
        shop.stop_servers();
        let template = tempfile::tempdir().unwrap();
        for machine in MACHINES {
            if shop.dir.join(machine).exists() {
                copy_tree(&shop.dir.join(machine), &template.path().join(machine));
            }
        }
        let empty = Value::Null;
        let mut stage = Stage { scenario, shop, before: empty.clone(), wanted: empty, points: Vec::new(), template };
        stage.shop.start_servers();
        (scenario.start)(&stage.shop);
        stage.before = outcome(&stage.shop);
        let first = stage.play(&[]);
        assert_eq!(first.code, scenario.code, "{}: {}{}", scenario.name, first.out, first.err);
        stage.points = stage.passed();
        stage.wanted = stage.outcome();
        stop_all(&stage.shop);
        stage
    }

    /// Brings the shop back to the moment before the verb.
    pub fn again(&self) {
        self.rewind();
        self.begin();
    }

    /// No program is alive afterwards, only the SQL Servers of a shop that has some.
    pub fn rewind(&self) {
        stop_all(&self.shop);
        self.shop.stop_servers();
        reset(&self.shop, self.template.path());
        self.shop.start_servers();
    }

    /// Starts what must be alive before the verb.
    pub fn begin(&self) {
        (self.scenario.start)(&self.shop);
    }

    /// The verb, with orders for the faulty world.
    pub fn play(&self, orders: &[(&str, &str)]) -> Ran {
        let mut words = vec!["--json", "--lang", "en"];
        words.extend(self.scenario.verb);
        self.ordered(&words, orders)
    }

    /// Any verb of the scenario's machine, with orders; the points it passes are found by [`Stage::passed`].
    pub fn ordered(&self, words: &[&str], orders: &[(&str, &str)]) -> Ran {
        let _ = std::fs::remove_file(self.log());
        let mut command = self.shop.command(self.scenario.machine, words);
        ran(command.env("RELEVO_TEST_LABELS", self.log()).envs(orders.iter().copied()))
    }

    fn log(&self) -> PathBuf {
        self.template.path().join("labels")
    }

    /// The points that the last verb passed.
    pub fn passed(&self) -> Vec<Point> {
        let mut times = BTreeMap::new();
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let mut points = Vec::new();
        for line in log.lines() {
            let (label, moment) = line.split_once(' ').unwrap();
            let time = times.entry(line.to_owned()).or_insert(0);
            *time += 1;
            points.push(Point { label: label.to_owned(), moment: moment.to_owned(), time: *time });
        }
        points
    }

    /// What is now; nothing acknowledged may be missing in it.
    pub fn outcome(&self) -> Value {
        let outcome = outcome(&self.shop);
        nothing_is_lost(&self.shop, &outcome);
        outcome
    }

    /// What a person does after a power cut: resume an open role change, else the same verb again.
    pub fn take_up(&self) -> Ran {
        let (shop, scenario) = (&self.shop, self.scenario);
        if scenario.resumes {
            let resumed = shop.json(scenario.machine, &["resume"]);
            if resumed.code != 1 || resumed.kind() != "nothing_to_resume" {
                return resumed;
            }
        }
        self.repeat()
    }

    /// The verb once more; a run that had ended and lost only its last words counts as its end.
    pub fn repeat(&self) -> Ran {
        let again = self.shop.json(self.scenario.machine, self.scenario.verb);
        let done = ["already_promoted", "backup_does_not_hold"];
        if self.scenario.resumes && again.code == 4 && done.contains(&again.kind().as_str()) {
            return Ran { code: 0, ..again };
        }
        again
    }

    /// I5: the holder's launch then serves.
    pub fn holder_serves(&self, outcome: &Value, what: &str) {
        let holder = if outcome["holder"] == "main" { "main" } else { "caja" };
        self.shop.json(holder, &["launch", "--program", "svrpdv"]).expect(0);
        assert_eq!(self.shop.status(holder)["serving"], outcome["holder"], "{}: {what}", self.scenario.name);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            stop_all(&self.shop);
        }
    }
}

/// Plays these scenarios, two at a time; what each returned.
pub fn each<T: Send>(scenarios: &[&'static Scenario], play: impl Fn(&'static Scenario) -> T + Sync) -> Vec<T> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let work = || {
            while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::SeqCst)) {
                let result = play(scenario);
                found.lock().unwrap().push(result);
            }
        };
        let workers = [scope.spawn(work), scope.spawn(work)];
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    found.into_inner().unwrap()
}

/// What must be equal to an uninterrupted run: who holds, which states, which tickets, what is left over.
pub fn outcome(shop: &Shop) -> Value {
    let caja = shop.status("caja");
    let tickets = |machine: &str| -> Value {
        let open = caja[if machine == "main" { "main" } else { "backup" }]["state"] == "open";
        if open { serde_json::json!(shop.sold(machine)) } else { Value::Null }
    };
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    let mut folios: Vec<i64> = orphans["orphans"].as_array().unwrap().iter().map(|o| o["folio"].as_i64().unwrap()).collect();
    folios.sort();
    let intent = shop.intent();
    serde_json::json!({
        "holder": caja["holder"], "epoch": caja["epoch"], "serving": caja["serving"], "main": caja["main"]["state"], "backup": caja["backup"]["state"],
        "tickets_main": tickets("main"), "tickets_backup": tickets("caja"), "orphans": folios, "intent": intent, "open": caja["runs_open"],
        "leftovers": leftovers(&shop.dir), "databases": databases(shop),
    })
}

/// Databases of both SQL Servers and their states; an open one takes everybody in.
fn databases(shop: &Shop) -> Vec<String> {
    let Some(servers) = &shop.servers else { return Vec::new() };
    let mut found = Vec::new();
    for machine in ["main", "caja"].into_iter().filter(|machine| servers.is_running(machine)) {
        for (name, state, access) in servers.databases(machine) {
            assert!(state != "ONLINE" || access == "MULTI_USER", "{name} of {machine} is {access}");
            found.push(format!("{machine}: {name} {state}"));
        }
    }
    found
}

/// Files that only an interrupted effect leaves behind; what a later one may clean up is not counted.
pub fn leftovers(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".incoming", ".new", ".part"].iter().any(|end| name.ends_with(end)) {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// Every acknowledged ticket is in the holder's database or in the orphan report, or still in the open database of an old main whose
/// tail nobody has taken yet; no folio twice (I2, I3).
pub fn nothing_is_lost(shop: &Shop, outcome: &Value) {
    let holder = if outcome["holder"] == "main" { "tickets_main" } else { "tickets_backup" };
    let held: BTreeSet<i64> = outcome[holder].as_array().into_iter().flatten().map(|t| t[0].as_i64().unwrap()).collect();
    let orphans: BTreeSet<i64> = outcome["orphans"].as_array().unwrap().iter().map(|f| f.as_i64().unwrap()).collect();
    if outcome[holder].is_null() || (orphans.is_empty() && outcome["main"] != "open" && outcome["holder"] == "backup") {
        return; // the old main is still away: its tail cannot be known yet
    }
    let untaken: BTreeSet<i64> =
        outcome["tickets_main"].as_array().into_iter().flatten().map(|t| t[0].as_i64().unwrap()).collect();
    for (folio, till, _) in shop.acknowledged() {
        assert!(
            held.contains(&folio) || orphans.contains(&folio) || untaken.contains(&folio),
            "ticket {folio} of {till} is lost: {outcome}"
        );
    }
}

/// Brings the shop back to how it was prepared: same path, since relevo.toml holds absolute paths.
fn reset(shop: &Shop, template: &Path) {
    for machine in MACHINES {
        let there = shop.dir.join(machine);
        let _ = std::fs::remove_dir_all(&there);
        let from = template.join(machine);
        if from.exists() {
            copy_tree(&from, &there);
        }
    }
}

/// Names of the files below a folder, from there.
pub fn files(folder: &Path) -> BTreeSet<String> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, folder, &mut found);
    found
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn stop_all(shop: &Shop) {
    for machine in ["main", "caja"] {
        shop.stop_server(machine);
    }
}
