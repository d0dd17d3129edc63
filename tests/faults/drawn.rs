//! Disks that fail, lie and lose power under the real binary, SQLite included: which verb it is, which change of the disk and what
//! is lost is drawn by chance from a seed. `RELEVO_FAULTS_SEED=N` draws others; `RELEVO_FAULTS=all` takes every change there is.
//! The faulty disk is there in debug builds on Linux only.

use std::path::PathBuf;

use crate::scenarios::{SCENARIOS, Scenario, Stage};

/// Drawn when nobody asks for another.
const SEED: u64 = 20_261_124;

/// All of them, or the one that is asked for.
pub fn scenarios() -> Vec<&'static Scenario> {
    let one = one();
    SCENARIOS.iter().filter(|scenario| one.as_ref().is_none_or(|(name, _)| name == scenario.name)).collect()
}

/// Chance that is the same for the same seed.
pub struct Chance(u64);

impl Chance {
    pub fn new(what: &str) -> Chance {
        let seed = std::env::var("RELEVO_FAULTS_SEED").map_or(SEED, |seed| seed.parse().unwrap());
        println!("{what}: RELEVO_FAULTS_SEED={seed}");
        let hash = blake3::hash(format!("{seed} {what}").as_bytes());
        Chance(u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()))
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// So many of these, or all of them where that is asked for.
    pub fn some<T>(&mut self, mut of: Vec<T>, count: usize) -> Vec<T> {
        if std::env::var("RELEVO_FAULTS").is_ok_and(|asked| asked == "all") {
            return of;
        }
        while of.len() > count {
            let index = self.below(of.len() as u64) as usize;
            of.remove(index);
        }
        of
    }
}

/// Only this scenario and order: `RELEVO_FAULTS_ONE='NAME: ORDER'`, as a failure prints it.
pub fn one() -> Option<(String, String)> {
    let words = std::env::var("RELEVO_FAULTS_ONE").ok()?;
    let (name, order) = words.rsplit_once(": ").unwrap();
    Some((name.to_owned(), order.to_owned()))
}

/// Without the fault, taken up as a person would: it ends as an undisturbed run, and every copy that is listed is whole.
pub fn ends_well(stage: &Stage, name: &str) {
    let stuck = stage.shop.status(stage.scenario.machine)["runs_open"].as_array().is_some_and(|open| !open.is_empty());
    let mut again = stage.take_up();
    if stuck && stage.scenario.resumes && again.code == 1 {
        // It was being taken back: its end is the failure that began it, and then a person begins anew.
        again = stage.repeat();
    }
    assert_eq!(again.code, stage.scenario.code, "{name}, then taken up: {}{}", again.out, again.err);
    let got = stage.outcome();
    if got["serving"] != stage.wanted["serving"] {
        stage.holder_serves(&got, name); // what was closed after the run had started it, a launch starts again
    }
    assert_eq!(stage.outcome(), stage.wanted, "{name}, then taken up");
    let copies = stage.shop.json("caja", &["target", "verify"]);
    assert_eq!(copies.code, 0, "{name}: {}{}", copies.out, copies.err);
}

/// What the undisturbed verb does to the disk, one `KIND PATH` each.
pub fn changes(stage: &Stage) -> Vec<String> {
    stage.again();
    let file: PathBuf = stage.shop.dir.join("changes");
    let _ = std::fs::remove_file(&file);
    let ran = stage.play(&[("RELEVO_TEST_DISK", file.to_str().unwrap())]);
    assert_eq!(ran.code, stage.scenario.code, "{}: {}{}", stage.scenario.name, ran.out, ran.err);
    assert_eq!(stage.outcome(), stage.wanted, "{}: the disk that only looks changes something", stage.scenario.name);
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}
