//! The journal: a lost tail is repeated safely, a broken chain stops that run only, a file that is no journal any more is set aside,
//! and a role change whose run is lost is taken over.

use std::path::PathBuf;

use rusqlite::Connection;

use super::variants;
use crate::harness::{Ran, Shop, ran};

fn killed_at(shop: &Shop, words: &[&str], point: &str) {
    let words = [&["--json", "--lang", "en"], words].concat();
    let ran: Ran = ran(shop.command("caja", &words).env("RELEVO_TEST_CRASH_AT", point));
    ran.expect(137);
}

fn journal(shop: &Shop, machine: &str, end: &str) -> PathBuf {
    shop.path(machine, &format!("store/state/journal.db{end}"))
}

/// A shop whose main is gone and whose promote died at this point.
fn interrupted(point: &str) -> Shop {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.main_off();
    killed_at(&shop, &["promote"], point);
    shop
}

fn holds_all_but_two(shop: &Shop) {
    let status = shop.status("caja");
    assert_eq!(
        (status["holder"].as_str(), status["epoch"].as_u64(), status["backup"]["state"].as_str()),
        (Some("backup"), Some(2), Some("open")),
        "{status}"
    );
    assert_eq!(status["runs_open"], serde_json::json!([]), "{status}");
    assert!(!shop.path("caja", "instance/relevo.intent").exists());
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged()[..5]);
    // The sequence is past everything main may have issued.
    shop.sell("caja", "CAJA1", 1);
    assert!(shop.tickets(&shop.database("caja"))[5].0 > 7);
    shop.main_on();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len(), 2);
}

/// Points of a promote from its announcement to its last word.
const POINTS: [&str; 9] = [
    "intent.write:after",
    "standby.state:after",
    "database.bytes:before",
    "database.bytes:after",
    "database.record:before",
    "database.record:after",
    "epoch.file:after",
    "intent.remove:before",
    "intent.remove:after",
];

/// A person resumes the promote, or promotes again where no run is known; nothing that was copied is lost.
fn is_taken_up(shop: &Shop, point: &str) {
    let resumed = shop.json("caja", &["resume"]);
    if resumed.code != 0 {
        assert_eq!(resumed.kind(), "nothing_to_resume", "{point}: {}", resumed.out);
        let again = shop.json("caja", &["promote"]);
        assert!(again.code == 0 || again.kind() == "already_promoted", "{point}: {}", again.out);
    }
    holds_all_but_two(shop);
}

/// The journal's log is cut to nothing: the run may be known up to an earlier event, or not at all.
#[test]
fn a_lost_tail_is_done_again() {
    for point in POINTS {
        let words = ["--json", "--lang", "en", "promote"];
        let shop = Shop::new();
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 2);
        shop.main_off();
        if ran(shop.command("caja", &words).env("RELEVO_TEST_CRASH_AT", point)).code == 0 {
            continue; // this promote has nothing to apply
        }
        std::fs::write(journal(&shop, "caja", "-wal"), "").unwrap();
        is_taken_up(&shop, point);
    }
}

/// No journal at all, or one that is none, at every point of the promote.
#[test]
fn a_promote_whose_run_is_lost_is_taken_over() {
    for (at, point) in POINTS.into_iter().enumerate() {
        if point == "standby.state:after" {
            continue;
        }
        let shop = interrupted(point);
        if at % 2 == 0 {
            for end in ["-wal", "-shm", ""] {
                let _ = std::fs::remove_file(journal(&shop, "caja", end));
            }
        } else {
            std::fs::write(journal(&shop, "caja", ""), [7; 20_000]).unwrap();
        }
        is_taken_up(&shop, point);
    }
}

#[test]
fn a_restore_whose_run_is_lost_is_taken_over() {
    for point in [
        "intent.write:after",
        "database.incoming:after",
        "database.keep:after",
        "database.record:before",
        "database.record:after",
        "intent.remove:before",
    ] {
        let shop = Shop::promoted();
        shop.main_on();
        killed_at(&shop, &["restore"], point);
        for end in ["-wal", "-shm", ""] {
            let _ = std::fs::remove_file(journal(&shop, "caja", end));
        }
        let resumed = shop.json("caja", &["resume"]);
        if resumed.code != 0 {
            assert_eq!(resumed.kind(), "nothing_to_resume", "{point}: {}", resumed.out);
            shop.json("caja", &["restore"]).expect(0);
        }
        assert!(!shop.path("caja", "instance/relevo.intent").exists(), "{point}");
        shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
        let status = shop.status("caja");
        assert_eq!(
            (status["holder"].as_str(), status["epoch"].as_u64(), status["serving"].as_str()),
            (Some("main"), Some(3), Some("main")),
            "{point}: {status}"
        );
        let held = shop.tickets(&shop.database("main"));
        let orphans = shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len();
        assert_eq!(held.len() + orphans, shop.acknowledged().len(), "{point}");
    }
}

/// A file that is no journal any more stops nobody: main serves, tills sell, the caja promotes. It is kept.
#[test]
fn a_journal_that_is_none_is_set_aside() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    for (number, content) in ["", "0"].into_iter().enumerate() {
        let garbage = if content.is_empty() { vec![0xA5; 32_768] } else { vec![0; 32_768] };
        std::fs::write(journal(&shop, "main", ""), &garbage).unwrap();
        let done = shop.json("main", &["mirror"]).expect(0);
        assert!(done.err.contains(&format!("journal.db.damaged-{}", number + 1)), "{}", done.err);
        let kept = std::fs::read(shop.path("main", &format!("store/state/journal.db.damaged-{}", number + 1))).unwrap();
        assert_eq!(kept, garbage);
    }
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.stop_server("main");
    shop.main_off();
    shop.json("caja", &["setup"]).expect(0);
    std::fs::write(journal(&shop, "caja", ""), "no journal").unwrap();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
}

/// While a run is at work its journal is nobody's to move.
#[test]
fn a_journal_in_use_is_not_set_aside() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let world = relevo::world::real();
    let lock = world.try_lock(&shop.path("main", "store/state/runs/0192d3a0-0000-7000-8000-000000000000.lock")).unwrap().unwrap();
    std::fs::write(journal(&shop, "main", ""), "no journal").unwrap();
    let refused = shop.json("main", &["mirror"]).expect(12);
    assert!(refused.kind() == "journal_damaged" && refused.out.contains("journal.db"), "{}", refused.out);
    drop(lock);
    shop.json("main", &["mirror"]).expect(0);
}

/// Every region of the file: whatever is flipped, cut or zeroed, main goes on and a promote is possible; nothing panics and nothing
/// is taken for a finished or an unfinished role change that is none.
#[test]
fn every_region_of_the_file() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.stop_server("main");
    let path = journal(&shop, "main", "");
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let whole = std::fs::read(&path).unwrap();
    let all = variants(&whole);
    let reshaped = all.len() - 7;
    for (number, (what, damaged)) in all.into_iter().enumerate() {
        // The real binary for one in twelve; the same words in between by the library.
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(journal(&shop, "main", end));
        }
        std::fs::write(&path, damaged).unwrap();
        if number % 12 == 0 || number >= reshaped {
            let said = shop.json("main", &["mirror"]);
            assert!(
                said.code == 0 || (said.code == 12 && said.kind() == "journal_damaged" && said.out.contains("journal.db")),
                "{what}: {said:?}"
            );
            let listed = shop.json("main", &["runs"]);
            assert!(listed.code == 0 || listed.kind() == "journal_damaged", "{what}: {listed:?}");
        } else if let Ok(journal) = relevo::journal::Journal::open(&shop.path("main", "store/state"), relevo::world::real()) {
            for head in journal.heads(false, 100).unwrap_or_default() {
                let _ = journal.load(head.id);
            }
            journal.prune_daily();
        }
    }
}

/// One event in the middle: that run is quarantined and named, the others go on; a person closes it, and the role change is taken over.
#[test]
fn a_broken_chain_stops_that_run_only() {
    let shop = interrupted("database.bytes:before");
    let run = shop.status("caja")["runs_open"][0]["id"].as_str().unwrap().to_owned();
    let body: String = {
        let journal = Connection::open(journal(&shop, "caja", "")).unwrap();
        journal.execute("UPDATE event SET body=replace(body, 'path', 'peth') WHERE run=?1 AND seq=2", [&run]).unwrap();
        journal.query_row("SELECT body FROM event WHERE run=?1 AND seq=2", [&run], |r| r.get(0)).unwrap()
    };
    assert!(body.contains("peth"), "{body}");
    for words in [vec!["resume"], vec!["undo", &run], vec!["runs", "show", &run]] {
        let refused = shop.json("caja", &words).expect(12);
        assert!(refused.kind() == "journal_damaged" && refused.out.contains(&run), "{}", refused.out);
    }
    shop.json("caja", &["setup"]).expect(0);
    assert_eq!(shop.status("caja")["runs_open"][0]["state"], "stuck");
    assert_eq!(shop.json("caja", &["promote"]).expect(10).kind(), "role_change_open");
    shop.json("caja", &["runs", "cancel", &run]).expect(0);
    shop.json("caja", &["promote"]).expect(0);
    holds_all_but_two(&shop);
}

/// A damaged run of a verb that is simply run again keeps nobody from running it.
#[test]
fn a_damaged_launch_keeps_no_launch_from_starting() {
    let shop = Shop::new();
    let words = ["--json", "launch", "--program", "svrpdv"];
    ran(shop.command("main", &words).env("RELEVO_TEST_CRASH_AT", "service.start:before")).expect(137);
    let file = Connection::open(journal(&shop, "main", "")).unwrap();
    assert!(file.execute("DELETE FROM event WHERE seq=0", []).unwrap() > 0);
    drop(file);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.status("main")["runs_open"], serde_json::json!([]));
}

/// The table of runs is only an index: a row that makes no sense hides neither its run nor the others.
#[test]
fn a_damaged_index_of_runs_hides_no_role_change() {
    for change in ["UPDATE run SET ended=1", "UPDATE run SET verb='pqomote'", "UPDATE run SET id='x' || id", "DELETE FROM run"] {
        let shop = interrupted("database.bytes:before");
        Connection::open(journal(&shop, "caja", "")).unwrap().execute_batch(change).unwrap();
        shop.json("caja", &["runs"]).expect(0);
        shop.json("caja", &["resume"]).expect(0);
        holds_all_but_two(&shop);
    }
}

/// The scripts that a run is pinned to are damaged: it can be taken back, or where that is too late closed and taken over.
#[test]
fn damaged_scripts_of_a_run_are_no_dead_end() {
    for (point, back) in [("intent.write:after", true), ("database.record:before", false)] {
        let shop = interrupted(point);
        let run = shop.status("caja")["runs_open"][0]["id"].as_str().unwrap().to_owned();
        Connection::open(journal(&shop, "caja", ""))
            .unwrap()
            .execute_batch("UPDATE bundle SET files=replace(files, 'fn', 'nf')")
            .unwrap();
        let refused = shop.json("caja", &["resume"]).expect(12);
        assert_eq!(refused.kind(), "bundle_damaged", "{}", refused.out);
        if back {
            shop.json("caja", &["undo", &run]).expect(0);
        } else {
            shop.json("caja", &["undo", &run]).expect(4);
            shop.json("caja", &["runs", "cancel", &run]).expect(0);
        }
        shop.json("caja", &["promote"]).expect(0);
        holds_all_but_two(&shop);
    }
}
