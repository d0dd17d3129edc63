//! What is promised of a failing disk, one test each: main is never harmed by its target, nothing partial is ever listed, a target
//! recovers at the next mirror, and a journal that cannot be written stops the run before the effect.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Ran, Shop, ran};
use crate::scenarios::{Point, SCENARIOS, Stage, each, leftovers};
use crate::steps::picture::picture;

const KINDS: [&str; 3] = ["eio", "enospc", "eacces"];

fn with_failure(shop: &Shop, machine: &str, words: &[&str], order: &str) -> Ran {
    let words = [&["--json", "--lang", "en"], words].concat();
    ran(shop.command(machine, &words).env("RELEVO_TEST_FAIL", order))
}

/// Part files that no writer is at work on.
pub fn parts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            found.extend(parts(&entry.path()));
        } else if name.starts_with(".part-") || name.ends_with(".tmp") {
            found.push(name);
        }
    }
    found
}

/// Every point of the target, before and after, with every kind of error.
#[test]
fn main_is_unharmed_by_a_target_that_fails_and_the_next_mirror_is_whole() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let points = ["copy.content:before", "copy.content:after", "copy.manifest:before", "copy.manifest:after"];
    for (point, kind) in points.iter().flat_map(|point| KINDS.map(|kind| (point, kind))) {
        let order = format!("{point}:{kind}");
        shop.sell("main", "CAJA2", 1);
        let (database, standby) = ("main/instance/BDPdv.db", "caja/instance/BDPdv.db");
        let before = picture(&shop);
        let failed = with_failure(&shop, "main", &["mirror"], &order).expect(1);
        let error = failed.json()["error"].clone();
        let kinds = if kind == "enospc" { "target_full" } else { "target_unavailable" };
        assert_eq!(error["kind"], kinds, "{order}: {error}");
        assert!(error["message"].as_str().unwrap().contains("local"), "{order}: {error}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{order}: {error}");
        // Page for page: the mirror of an identified database writes nothing into it.
        let after = picture(&shop);
        assert_eq!(before[database], after[database], "{order}");
        assert_eq!(before[standby], after[standby], "{order}: applied what failed to be put");
        shop.sell("main", "CAJA2", 1);
        // What is listed is whole, and nothing is left of what is not.
        shop.json("main", &["target", "verify"]).expect(0);
        assert!(parts(&shop.path("caja", "copias")).is_empty(), "{order}");
        let status = shop.status("main");
        assert_eq!((&status["holder"], &status["main"]["state"]), (&"main".into(), &"open".into()), "{order}: {status}");
        let next = shop.json("main", &["mirror"]).expect(0).json();
        assert_eq!((&next["applied"], &next["verified"]), (&true.into(), &true.into()), "{order}: {next}");
    }
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
}

/// The failing target is not the only one: the other gets its copy, and so does the standby.
#[test]
fn a_target_that_fails_keeps_no_copy_from_the_others() {
    for kind in KINDS {
        let shop = Shop::new();
        let toml = shop.path("main", "store/relevo.toml");
        let text = std::fs::read_to_string(&toml).unwrap().replace("targets = [\"local\"]", "targets = [\"local\", \"otro\"]");
        let other = shop.path("caja", "otras");
        std::fs::write(&toml, format!("{text}\n[targets.otro]\nkind = \"dir\"\npath = '{}'\n", other.display())).unwrap();
        // The second content of this run is the other target's.
        let failed = with_failure(&shop, "main", &["mirror"], &format!("copy.content:before:{kind}:2")).expect(1);
        let message = failed.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("otro"), "{message}");
        let caja = shop.status("caja");
        assert_eq!(
            (&caja["backup"]["state"], &caja["backup"]["position"]["sequence"]),
            (&"standby".into(), &1.into()),
            "{kind}: {caja}"
        );
        assert!(parts(&other).is_empty());
        shop.json("main", &["mirror"]).expect(0);
        shop.json("main", &["target", "verify"]).expect(0);
        let names = |folder: &Path| crate::scenarios::files(folder);
        assert_eq!(names(&shop.path("caja", "copias")), names(&other), "{kind}");
    }
}

/// The copy is on its target and main sells on, but the caja's disk is full: a scheduler that reads only the exit code must hear of it.
#[test]
fn a_standby_that_cannot_be_written_is_no_mirror_that_worked() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    for kind in KINDS {
        shop.sell("main", "CAJA2", 1);
        let failed = with_failure(&shop, "main", &["mirror"], &format!("standby.state:before:{kind}")).expect(1);
        assert!(failed.json()["error"]["message"].as_str().unwrap().contains("standby.json"), "{kind}: {}", failed.out);
        shop.json("main", &["target", "verify"]).expect(0);
        let next = shop.json("main", &["mirror"]).expect(0).json();
        assert_eq!((&next["kind"], &next["applied"]), (&"skip".into(), &true.into()), "{kind}: {next}");
    }
}

/// What is visible of a stopped run: outcome and names of files; contents hold ids that every run has its own of.
fn seen(stage: &Stage) -> (serde_json::Value, BTreeSet<String>) {
    let mut outcome = stage.outcome();
    // An unrecorded run is not listed, a recorded one is interrupted: its id and time are its own.
    let open = outcome["open"].as_array().unwrap().len();
    outcome["open"] = open.into();
    let names =
        picture(&stage.shop).into_keys().filter(|name| !name.ends_with(".tbl") && !name.contains("state/seats/")).collect();
    (outcome, names)
}

/// A run that cannot note what it is about to do stands exactly where a kill at that very point would leave it.
#[test]
fn a_journal_that_cannot_be_written_stops_the_run_before_the_effect() {
    let names = ["promote planned", "promote unplanned", "restore", "script steps"];
    let scenarios: Vec<_> = SCENARIOS.iter().filter(|scenario| names.contains(&scenario.name)).collect();
    each(&scenarios, |scenario| {
        let stage = Stage::new(scenario);
        let commits: Vec<Point> = stage.points.iter().filter(|p| p.label == "journal.commit").cloned().collect();
        assert!(commits.len() > 10, "{commits:?}");
        for (index, commit) in commits.iter().enumerate().filter(|(index, _)| index % 3 == 0) {
            let kind = KINDS[index % KINDS.len()];
            let name = format!("{}: {}", scenario.name, commit.failing(kind));
            stage.again();
            let crash = format!("{}:{}:{}", commit.label, commit.moment, commit.time);
            let killed = stage.play(&[("RELEVO_TEST_CRASH_AT", crash.as_str())]);
            assert_eq!(killed.code, 137, "{name}");
            let wanted = seen(&stage);
            stage.again();
            let failed = stage.play(&[("RELEVO_TEST_FAIL", commit.failing(kind).as_str())]);
            assert_eq!(failed.code, 1, "{name}: {}{}", failed.out, failed.err);
            assert_eq!(failed.kind(), "journal", "{name}: {}", failed.out);
            assert_eq!(seen(&stage), wanted, "{name}");
            let again = stage.take_up();
            assert_eq!(again.code, scenario.code, "{name}: {}{}", again.out, again.err);
            assert_eq!(stage.outcome(), stage.wanted, "{name}");
            assert!(leftovers(&stage.shop.dir).is_empty(), "{name}");
        }
    });
}
