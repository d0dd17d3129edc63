//! Promote and restore fail at every point in turn, also while they are being taken back: the run unwinds to the earlier state, or
//! beyond the point of no return is *stuck* with a message and goes on with `resume`; without the fault it then ends as an
//! undisturbed run. The other verbs fail at each of their labels, and are simply run again. Nothing here knows a step: a new one is
//! covered by being a point, and a label that nothing fails at is red.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Ran, bare, ran};
use crate::scenarios::{Point, SCENARIOS, Scenario, Stage, each};

const KINDS: [&str; 3] = ["eio", "enospc", "eacces"];

/// Commits of the journal fail all alike: of those of one scenario, every so many-th is enough.
const JOURNAL_STEP: usize = 4;

/// How a run ended that failed at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The failure was none of its business.
    Unmoved,
    /// Everything was taken back.
    Unwound,
    /// The post had changed hands; only what the script does afterwards (starting SvrPdv) failed.
    Done,
    /// A person is needed, then `resume`.
    Stuck,
    /// The journal could not be written: nothing more was done.
    Stopped,
    /// No role change: it is run again.
    Again,
}

fn sagas() -> Vec<&'static Scenario> {
    SCENARIOS.iter().filter(|scenario| scenario.resumes).collect()
}

/// What unwinding gives back. A restore leaves the old main fenced and its tail saved: its epoch is over whatever becomes of it.
fn earlier(before: &Value, got: &Value) -> Value {
    let mut earlier = before.clone();
    if before["holder"] == "backup" {
        for key in ["main", "tickets_main", "orphans"] {
            let fenced = before["main"] == "open" && got["main"] == "fenced";
            if key == "orphans" || fenced {
                earlier[key] = got[key].clone();
            }
        }
    }
    earlier
}

/// How it ended; what must hold then does.
pub fn judge(stage: &Stage, ran: &Ran, name: &str) -> Ended {
    let shown = format!("{name}: exit {}: {}{}", ran.code, ran.out, ran.err);
    let got = stage.outcome();
    if ran.code == stage.scenario.code && (stage.scenario.resumes || got == stage.wanted) {
        assert_eq!(got, stage.wanted, "{shown}");
        return Ended::Unmoved;
    }
    let error = &ran.json()["error"];
    assert!(error["kind"] != "panicked" && error["message"].as_str().is_some_and(|m| !m.is_empty()), "{shown}");
    if !stage.scenario.resumes {
        assert!([0, 1, 4, 10, 11].contains(&ran.code), "{shown}");
        return Ended::Again;
    }
    if ran.code == 12 {
        assert!(error["message"].as_str().unwrap().contains("stuck"), "{shown}");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("relevo resume")), "{shown}");
        assert_eq!(got["open"].as_array().map(Vec::len), Some(1), "{shown}: {got}");
        return Ended::Stuck;
    }
    if error["kind"] == "journal" {
        assert_eq!(ran.code, 1, "{shown}");
        return Ended::Stopped;
    }
    assert!([1, 4, 10].contains(&ran.code), "{shown}");
    if got["holder"] == stage.wanted["holder"] {
        let mut served = got.clone();
        served["serving"] = stage.wanted["serving"].clone();
        assert_eq!(served, stage.wanted, "{shown}");
        return Ended::Done;
    }
    assert_eq!(got, earlier(&stage.before, &got), "{shown}");
    Ended::Unwound
}

/// After the fault is gone the outcome is that of an undisturbed run.
pub fn ends_well(stage: &Stage, ended: Ended, name: &str) {
    let again = match ended {
        Ended::Unmoved => return,
        Ended::Stuck => stage.shop.json(stage.scenario.machine, &["resume"]),
        Ended::Stopped => stage.take_up(),
        Ended::Unwound | Ended::Again => stage.repeat(),
        Ended::Done => stage.shop.json(stage.scenario.machine, &["launch", "--program", "svrpdv"]),
    };
    assert_eq!(again.code, stage.scenario.code, "{name}, {ended:?}, then: {}{}", again.out, again.err);
    assert_eq!(stage.outcome(), stage.wanted, "{name}, {ended:?}, then taken up");
}

#[test]
fn failing_at_every_point() {
    let seed = seed();
    println!("RELEVO_FAULTS_SEED={seed} (RELEVO_FAULTS_ALL=1: every point with every kind of error)");
    let scenarios: Vec<&'static Scenario> = SCENARIOS.iter().collect();
    let failed: BTreeSet<(String, &str)> = each(&scenarios, |scenario| {
        let stage = Stage::new(scenario);
        let chosen = chosen(&stage, seed);
        let mut ends = Vec::new();
        for (point, kind) in &chosen {
            let order = point.failing(kind);
            let name = format!("{}: {order} (RELEVO_FAULTS_SEED={seed})", scenario.name);
            stage.again();
            let ran = stage.play(&[("RELEVO_TEST_FAIL", order.as_str())]);
            let ended = judge(&stage, &ran, &name);
            ends_well(&stage, ended, &name);
            ends.push(ended);
        }
        for wanted in [Ended::Unwound, Ended::Stuck, Ended::Stopped] {
            assert!(!scenario.resumes || ends.contains(&wanted), "{}: no point ended {wanted:?}: {ends:?}", scenario.name);
        }
        chosen.into_iter().map(|(point, kind)| (point.label.clone(), kind)).collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect();
    let listed = ran(bare().arg("labels")).expect(0).out;
    let wanted = listed.lines().flat_map(|label| KINDS.map(|kind| (label.to_owned(), kind)));
    let missing: Vec<_> = wanted.filter(|pair| !failed.contains(pair)).collect();
    assert!(missing.is_empty(), "nothing failed so at these labels: {missing:?}");
}

fn seed() -> usize {
    std::env::var("RELEVO_FAULTS_SEED").map_or(0, |words| words.parse().unwrap())
}

/// Of a role change every point, of another verb the last of each label before and after; the kinds of errors in turn, and each of them
/// at each label. The seed turns them about.
fn chosen(stage: &Stage, seed: usize) -> Vec<(&Point, &'static str)> {
    if std::env::var_os("RELEVO_FAULTS_ALL").is_some() {
        return stage.points.iter().flat_map(|point| KINDS.map(|kind| (point, kind))).collect();
    }
    let labels: BTreeSet<&str> = stage.points.iter().map(|point| point.label.as_str()).collect();
    let mut chosen = Vec::new();
    for (turn, label) in labels.into_iter().enumerate() {
        let of_label = || stage.points.iter().filter(|point| point.label == label);
        let last = |moment: &str| of_label().rev().find(|point| point.moment == moment);
        let mut points: Vec<&Point> = ["before", "after"].into_iter().filter_map(last).collect();
        if stage.scenario.resumes {
            points = of_label().filter(|point| label != "journal.commit" || point.time % JOURNAL_STEP == 0).collect();
        }
        let again = (points.len() < KINDS.len()).then(|| points[0]);
        let turned = points.into_iter().chain(again).enumerate();
        chosen.extend(turned.map(|(index, point)| (point, KINDS[(turn + index + seed) % KINDS.len()])));
    }
    chosen
}

/// The deepest failure that is still taken back, and then a failure at every point of taking it back.
#[test]
fn failing_at_every_point_of_the_undo() {
    each(&sagas(), |scenario| {
        let stage = Stage::new(scenario);
        let (first, back) = deepest(&stage);
        let mut stuck = 0;
        for (number, second) in back.iter().enumerate() {
            let order = format!("{},{}", first.failing("eio"), second.failing("eio"));
            let name = format!("{}: {order}", scenario.name);
            stage.again();
            let ran = stage.play(&[("RELEVO_TEST_FAIL", order.as_str())]);
            let ended = judge_undo(&stage, &ran, &name);
            if ended == Ended::Unwound {
                ends_well(&stage, ended, &name);
                continue;
            }
            stuck += usize::from(ended == Ended::Stuck);
            let id = stage.shop.status(scenario.machine)["runs_open"][0]["id"].as_str().unwrap().to_owned();
            let words: &[&str] = if number % 2 == 0 { &["resume"] } else { &["undo", &id] };
            let gone = stage.shop.json(scenario.machine, words);
            // The end of a run that is taken back is the failure that began it, or the undo's own success.
            assert!([0, 1].contains(&gone.code), "{name}, then {words:?}: {}{}", gone.out, gone.err);
            let got = stage.outcome();
            assert_eq!(got, earlier(&stage.before, &got), "{name}, then {words:?}: {}{}", gone.out, gone.err);
            ends_well(&stage, Ended::Unwound, &name);
        }
        assert!(stuck > 0, "{}: no undo failed at any of {back:?}", scenario.name);
    });
}

/// The last point whose failure is taken back, and the points passed after it.
fn deepest(stage: &Stage) -> (Point, Vec<Point>) {
    for point in stage.points.iter().rev().filter(|point| point.label != "journal.commit") {
        stage.again();
        let ran = stage.play(&[("RELEVO_TEST_FAIL", point.failing("eio").as_str())]);
        if judge(stage, &ran, &format!("{}: {point:?}", stage.scenario.name)) == Ended::Unwound {
            let passed = stage.passed();
            let at = passed.iter().position(|other| other == point).unwrap();
            return (point.clone(), passed[at + 1..].to_vec());
        }
    }
    panic!("{}: no failure is taken back", stage.scenario.name);
}

fn judge_undo(stage: &Stage, ran: &Ran, name: &str) -> Ended {
    let shown = format!("{name}: exit {}: {}{}", ran.code, ran.out, ran.err);
    let error = ran.json()["error"].clone();
    if ran.code == 12 {
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("relevo resume")), "{shown}");
        return Ended::Stuck;
    }
    assert_eq!(ran.code, 1, "{shown}");
    if error["kind"] == "journal" && stage.shop.status(stage.scenario.machine)["runs_open"][0]["id"].is_string() {
        return Ended::Stopped;
    }
    let got = stage.outcome();
    assert_eq!(got, earlier(&stage.before, &got), "{shown}");
    Ended::Unwound
}
