//! The power is cut before a change of the disk, and of what was not synced any part is lost: sectors of files, names in folders.
//! Taken up again, every verb ends as an undisturbed run; no ticket is lost and no copy is listed that is not whole. Where the disk
//! lies about what it keeps, that cannot be promised: then what is lost is named, and main has every sale.

use rusqlite::Connection;

use super::drawn::{Chance, changes, ends_well, one, scenarios};
use crate::harness::MACHINES;
use crate::scenarios::{Stage, each, stop_all};

/// Cuts for each scenario.
const CUTS: usize = 16;
/// Those besides that lie where a database is fenced, opened or changes places.
const CUTS_AT_STATES: usize = 6;
/// Cuts of a disk that lies.
const LIES: usize = 16;

#[test]
fn the_power_is_cut_between_any_two_changes_of_the_disk() {
    each(&scenarios(), |scenario| {
        let stage = Stage::new(scenario);
        if let Some((name, order)) = one() {
            return cut(&stage, &order, &name);
        }
        let changes = changes(&stage);
        let mut chance = Chance::new(scenario.name);
        let all = 1..=changes.len();
        let of_databases = |point: &usize| !changes[point - 1].starts_with("share") && changes[point - 1].contains("BDPdv.db");
        let mut points = chance.some(all.clone().collect(), CUTS);
        points.extend(chance.some(all.filter(of_databases).collect(), CUTS_AT_STATES));
        for point in points {
            let seed = chance.below(1000);
            let change = &changes[point - 1];
            let name = format!("before {change}; again: RELEVO_FAULTS_ONE='{}: {point}:{seed}'", scenario.name);
            cut(&stage, &format!("{point}:{seed}"), &name);
        }
    });
}

fn cut(stage: &Stage, order: &str, name: &str) {
    stage.again();
    let ran = stage.play(&[("RELEVO_TEST_POWER", order)]);
    stop_all(&stage.shop);
    // Which leftovers there are to remove differs from run to run: this one may have had fewer changes.
    assert!([137, stage.scenario.code].contains(&ran.code), "{name}: exit {}: {}{}", ran.code, ran.out, ran.err);
    fences_hold(stage, name);
    ends_well(stage, name);
}

/// Whatever the power cut brought back beside it: a fenced database is opened by no SQLite.
fn fences_hold(stage: &Stage, name: &str) {
    for (machine, ..) in MACHINES {
        let database = stage.shop.database(machine);
        if !std::fs::read(&database).is_ok_and(|bytes| bytes.get(18) == Some(&0x46)) {
            continue;
        }
        let there = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(database.parent().unwrap()).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("BDPdv.db") && !entry.path().is_dir() {
                std::fs::copy(entry.path(), there.path().join(entry.file_name())).unwrap();
            }
        }
        let copy = Connection::open(there.path().join("BDPdv.db")).unwrap();
        let found = copy.query_row("SELECT count(*) FROM Ventas", [], |row| row.get::<_, i64>(0));
        assert!(found.is_err(), "{name}: the fenced database of {machine} was opened: {found:?}");
    }
}

/// The disks of the target and of the caja say yes and keep nothing. A copy that is damaged is named, a standby that is not what it
/// claims is built again or named, and no sale is missing.
#[test]
fn a_disk_that_lies_loses_copies_by_name_and_no_sale() {
    let mirrors: Vec<_> = scenarios().into_iter().filter(|scenario| scenario.name.starts_with("mirror")).collect();
    each(&mirrors, |scenario| {
        let stage = Stage::new(scenario);
        let changes = changes(&stage);
        let mut chance = Chance::new(&format!("lies: {}", scenario.name));
        for point in chance.some((1..=changes.len()).collect(), LIES / mirrors.len() + 1) {
            let (seed, lie) = (chance.below(1000), format!("caja/:{}", chance.below(1000)));
            let name = format!("{}: RELEVO_TEST_POWER={point}:{seed} RELEVO_TEST_LIE={lie}", scenario.name);
            stage.again();
            let ran = stage.play(&[("RELEVO_TEST_POWER", &format!("{point}:{seed}")), ("RELEVO_TEST_LIE", &lie)]);
            assert!([137, 0].contains(&ran.code), "{name}: exit {}: {}{}", ran.code, ran.out, ran.err);
            for words in [&["mirror"][..], &["target", "verify"], &["promote"]] {
                let ran = stage.shop.json(if words[0] == "mirror" { "main" } else { "caja" }, words);
                let named = ran.code == 0 || ["error", "copies"].iter().any(|key| !ran.json()[key].is_null());
                assert!(named && ran.code != 101, "{name}, then {words:?}: exit {}: {}{}", ran.code, ran.out, ran.err);
            }
            stop_all(&stage.shop);
            let outcome = stage.outcome();
            let holder = if outcome["holder"] == "main" { "tickets_main" } else { "tickets_backup" };
            assert_eq!(outcome[holder], stage.wanted["tickets_main"], "{name}: {outcome}");
        }
    });
}
