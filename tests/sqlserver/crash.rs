//! Kill the real relevo at the points that it passes on SQL Server, take the run up again, and compare with a run that nobody
//! interrupted (tests/crash). The points of the journal, the signal files and the copies are the same on every engine.

use std::collections::BTreeSet;

use crate::crash::kill;
use crate::harness::Shop;
use crate::scenarios::{SCENARIOS, Scenario, Stage, each};

/// What is done on the server, or for it. The gate kills once at each of them in each scenario.
const ON_THE_SERVER: [&str; 13] = [
    "database.bytes",
    "database.identify",
    "database.incoming",
    "database.keep",
    "database.place",
    "database.record",
    "epoch.file",
    "intent.remove",
    "intent.write",
    "pages.table",
    "service.start",
    "standby.pages",
    "standby.place",
];

/// Those of tests/scenarios that know nothing of files, and those that only a server with a log has.
const AS_EMBEDDED: [&str; 7] = [
    "mirror seed",
    "mirror increment",
    "promote unplanned",
    "promote planned",
    "old main comes back",
    "restore",
    "first start after a restore",
];

pub const WITH_A_LOG: &[Scenario] = &[
    Scenario {
        name: "mirror differential",
        prepare: |shop| {
            shop.sql().batch("main", "master", &["ALTER DATABASE [BDPdv] SET RECOVERY SIMPLE"]);
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 3);
        },
        start: |_| {},
        machine: "main",
        verb: &["mirror"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "restore by the log",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
            shop.json("caja", &["promote"]).expect(0);
            shop.sell("caja", "CAJA1", 2);
            shop.stop_server("caja");
        },
        start: |_| {},
        machine: "caja",
        verb: &["restore"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "restore where main's database is gone",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
            shop.main_off();
            shop.json("caja", &["promote"]).expect(0);
            shop.sell("caja", "CAJA1", 2);
            shop.stop_server("caja");
            shop.main_on();
            shop.sql().batch("main", "master", &["DROP DATABASE [BDPdv]"]);
        },
        start: |_| {},
        machine: "caja",
        verb: &["restore"],
        code: 0,
        resumes: true,
    },
];

pub fn scenarios() -> Vec<&'static Scenario> {
    let only = std::env::var("RELEVO_CRASH_ONLY").ok();
    let known = SCENARIOS.iter().filter(|scenario| AS_EMBEDDED.contains(&scenario.name));
    known.chain(WITH_A_LOG).filter(|scenario| only.as_ref().is_none_or(|only| scenario.name == only)).collect()
}

/// Of the points with the same label one, by turns; the seed turns them about.
fn chosen(stage: &Stage, seed: usize) -> Vec<usize> {
    let mut chosen = Vec::new();
    for (turn, label) in ON_THE_SERVER.iter().enumerate() {
        let numbers: Vec<usize> = (1..=stage.points.len()).filter(|number| stage.points[number - 1].label == *label).collect();
        if !numbers.is_empty() {
            chosen.push(numbers[(turn + seed) % numbers.len()]);
        }
    }
    chosen
}

#[test]
fn killed_at_its_points_and_taken_up_again() {
    let all = std::env::var_os("RELEVO_CRASH_ALL").is_some();
    let seed = std::env::var("RELEVO_CRASH_SEED").map_or(0, |words| words.parse().unwrap());
    println!("RELEVO_CRASH_SEED={seed} (RELEVO_CRASH_ALL=1: every point; RELEVO_CRASH_ONLY: one scenario)");
    let scenarios = scenarios();
    let reached: BTreeSet<String> = each(&scenarios, |scenario| {
        let stage = Stage::of(Shop::on_sqlserver(), scenario);
        let numbers = if all { (1..=stage.points.len()).collect() } else { chosen(&stage, seed) };
        kill(&stage, numbers);
        stage.points.iter().map(|point| point.label.clone()).collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect();
    let missing: Vec<_> = ON_THE_SERVER.iter().filter(|label| !reached.contains(**label)).collect();
    assert!(missing.is_empty() || scenarios.len() == 1, "no scenario reaches these labels: {missing:?}");
}
