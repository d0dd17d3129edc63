//! Every kind of step runs at least once and may be undone more than once: applied twice it gives the state of once, undone twice
//! the state before; undone without having begun it changes nothing. The kinds are asked from the type itself: one without a case
//! is red.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use relevo::model::RunId;
use relevo::plan::step::{Step, Undo};
use relevo::progress::Watch;
use relevo::steps::{Context, apply, undo};

use super::cases::{CASES, Case};
use super::picture::{differences, picture};
use crate::harness::Shop;

/// The names of all kinds, as serde knows them.
fn kinds() -> BTreeSet<String> {
    let wrong = serde_json::from_value::<Step>(serde_json::json!({ "step": "?" })).unwrap_err().to_string();
    let listed = wrong.split_once("expected one of").unwrap().1;
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_kind_of_step_has_a_case() {
    let cases: BTreeSet<String> = CASES.iter().map(|case| case.kind.to_owned()).collect();
    let kinds = kinds();
    assert!(kinds.len() > 25, "{kinds:?}");
    assert_eq!(kinds, cases, "\n→ write a case in tests/steps/cases.rs for each kind of Step");
}

#[test]
fn applied_twice_and_undone_twice() {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = CASES.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if let Err(why) = play(case) {
                        wrong.lock().unwrap().push(format!("{} ({}): {why}", case.kind, case.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn play(case: &Case) -> Result<(), String> {
    let shop = Shop::new();
    let (run, watch) = (RunId::new(), Watch::silent());
    let store = case.open(&shop);
    let step = (case.ready)(&shop, &store, run);
    assert_eq!(step.name(), case.kind);
    let cx = Context { store: &store, watch: &watch, run, path: "1/1" };
    let said = |what: &str, e: relevo::error::Failure| format!("{what}: {} {}: {:?}", e.kind, e.message.en, e.causes);
    let before = picture(&shop);
    let same = |what: &str, wanted: &_| match differences(wanted, &picture(&shop)) {
        found if found.is_empty() => Ok(()),
        found => Err(format!("{what}:\n    {}", found.join("\n    "))),
    };
    if step.undo() == Undo::Restores {
        undo(&cx, &step).map_err(|e| said("undo before anything", e))?;
        same("undone without having begun, it changed", &before)?;
    }
    apply(&cx, &step).map_err(|e| said("first", e))?;
    let once = picture(&shop);
    if case.changes == differences(&before, &once).is_empty() {
        return Err(format!("the case does not show its effect: changes = {}", case.changes));
    }
    apply(&cx, &step).map_err(|e| said("second", e))?;
    same("applied twice, it differs from once in", &once)?;
    if step.undo() == Undo::Restores {
        for time in ["once", "twice"] {
            undo(&cx, &step).map_err(|e| said(&format!("undo {time}"), e))?;
            same(&format!("undone {time}, it differs from before in"), &before)?;
        }
    }
    Ok(())
}
