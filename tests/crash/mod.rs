//! Kill the real process at every point that the binary passes (before and after every labelled effect), take the run up
//! again, and compare with a run that nobody interrupted.
//!
//! The points are counted in a first run, so a new step is covered without a new test; the labels are read from the binary,
//! and one that no scenario reaches fails the test. Points exist in debug builds only.

use std::collections::BTreeSet;

use crate::harness::{bare, ran};
use crate::scenarios::{SCENARIOS, Scenario, Stage, each};

/// One scenario: first uninterrupted, then killed at every point.
fn every_point(scenario: &'static Scenario) -> BTreeSet<String> {
    let stage = Stage::new(scenario);
    kill(&stage, 1..=stage.points.len());
    stage.points.iter().map(|point| point.label.clone()).collect()
}

/// Killed at these points of its run, taken up again, and compared.
pub fn kill(stage: &Stage, numbers: impl IntoIterator<Item = usize>) {
    let scenario = stage.scenario;
    for number in numbers {
        stage.again();
        let number_text = number.to_string();
        let killed = stage.play(&[("RELEVO_TEST_CRASH", number_text.as_str())]);
        // Which files there were to remove may differ from run to run, and with them the numbers of the points.
        let passed = stage.passed();
        let name = format!("{}: killed at {number} ({:?})", scenario.name, passed.last());
        if passed.len() < number {
            assert_eq!(killed.code, scenario.code, "{name}: {}{}", killed.out, killed.err);
            continue; // this run had fewer points: it came to its end
        }
        assert_eq!(killed.code, 137, "{name}: {}{}", killed.out, killed.err);
        let again = stage.take_up();
        assert_eq!(again.code, scenario.code, "{name}: {}{}", again.out, again.err);
        let got = stage.outcome();
        assert_eq!(got, stage.wanted, "{name}");
        // Every few points, since it starts a program; setup changes names on purpose.
        if number % 6 == 0 && scenario.verb != ["setup"] {
            stage.holder_serves(&got, &name);
        }
    }
}

#[test]
fn killed_at_every_point_and_taken_up_again() {
    let scenarios: Vec<&'static Scenario> = SCENARIOS.iter().collect();
    let reached: BTreeSet<String> = each(&scenarios, every_point).into_iter().flatten().collect();
    let listed = ran(bare().arg("labels")).expect(0).out;
    let missing: Vec<&str> = listed.lines().filter(|l| !reached.contains(*l)).collect();
    assert!(missing.is_empty(), "no scenario reaches these labels: {missing:?}");
}
