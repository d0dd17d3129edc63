//! SQLite's own reads and writes fail: journal.db and BDPdv.db, their logs and their shared memory, by EIO, ENOSPC or a write that
//! stops half way, once or from then on. Nothing panics, the failure has a name, and without the fault it ends as an undisturbed run.

use std::collections::BTreeMap;

use super::drawn::{Chance, changes, ends_well, one, scenarios};
use crate::scenarios::{Stage, each, stop_all};

/// Failures for each scenario.
const FAILURES: usize = 16;

#[test]
fn sqlite_fails_at_any_change_of_its_files() {
    each(&scenarios(), |scenario| {
        let stage = Stage::new(scenario);
        if let Some((name, order)) = one() {
            return fail(&stage, &order, &name);
        }
        let mut chance = Chance::new(&format!("sqlite: {}", scenario.name));
        for order in chance.some(orders(&changes(&stage)), FAILURES) {
            let how = ["eio", "enospc", "short"][chance.below(3) as usize];
            let on = ["", "+"][chance.below(2) as usize];
            let order = format!("{order}{on}:{how}");
            fail(&stage, &order, &format!("again: RELEVO_FAULTS_ONE='{}: {order}'", scenario.name));
        }
    });
}

/// `KIND:PART:K` of every change of a file that SQLite has.
fn orders(changes: &[String]) -> Vec<String> {
    let (mut times, mut orders) = (BTreeMap::new(), Vec::new());
    for change in changes {
        let (kind, path) = change.split_once(' ').unwrap();
        let parts: Vec<&str> = path.rsplit('/').take(2).collect();
        let part = format!("{}/{}", parts[1], parts[0]);
        let sqlite = ["journal.db", "BDPdv.db"].iter().any(|name| parts[0].starts_with(name));
        if !sqlite || part.contains(".incoming") || part.contains(".new") || kind == "rename" {
            continue;
        }
        // A part is met by all longer ones: `BDPdv.db` by `BDPdv.db-wal` as well. What is met is a change of SQLite's all the same.
        let time = times.entry((kind, part.clone())).or_insert(0);
        *time += 1;
        orders.push(format!("{kind}:{part}:{time}"));
    }
    orders
}

fn fail(stage: &Stage, order: &str, name: &str) {
    stage.again();
    let ran = stage.play(&[("RELEVO_TEST_DISK_FAIL", order)]);
    let shown = format!("{name}: exit {}: {}{}", ran.code, ran.out, ran.err);
    assert!([0, 1, 4, 10, 11, 12].contains(&ran.code), "{shown}");
    if ran.code != stage.scenario.code {
        let error = &ran.json()["error"];
        assert!(error["kind"] != "panicked" && error["message"].as_str().is_some_and(|m| !m.is_empty()), "{shown}");
    }
    stop_all(&stage.shop);
    if ran.code != 0 || stage.outcome() != stage.wanted {
        ends_well(stage, &shown);
    }
}
