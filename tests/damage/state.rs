//! The files beside the databases and below state/.

use relevo::model::DatabaseState;

use super::{each, names, opened, variants};
use crate::harness::{Ran, Shop, ran};

fn killed_at(shop: &Shop, machine: &str, words: &[&str], point: &str) {
    let words = [&["--json", "--lang", "en"], words].concat();
    let ran: Ran = ran(shop.command(machine, &words).env("RELEVO_TEST_CRASH_AT", point));
    ran.expect(137);
}

/// The file that repeats the record beside the backup's database: any damage stops, and is named.
#[test]
fn the_backups_epoch_file() {
    let shop = Shop::promoted();
    let path = shop.path("caja", "instance/relevo.epoch");
    let store = opened(&shop, "caja");
    each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
        let failure = store.backup.look().expect_err(what);
        assert!(failure.kind == "record_file" && failure.exit.code() == 12 && names(&failure, &path), "{what}: {failure:?}");
    });
    // Where a person meets it: nothing is promoted, restored or launched on a guess; status still answers.
    let body = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, body.replace("\"epoch\":2", "\"epoch\":6")).unwrap();
    shop.main_on();
    for (machine, words) in [("caja", vec!["restore"]), ("main", vec!["launch", "--program", "svrpdv"])] {
        let refused = shop.json(machine, &words).expect(12);
        assert!(refused.kind() == "record_file" && refused.out.contains("relevo.epoch"), "{}", refused.out);
    }
    let said = shop.say("caja", "es", &["status"]).expect(0);
    assert!(said.out.contains("relevo.epoch"), "{}", said.out);
    std::fs::write(&path, body).unwrap();
    shop.json("caja", &["restore"]).expect(0);
}

/// A main that cannot say which epoch it is in has failed, and says which file it is.
#[test]
fn mains_epoch_file() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.json("caja", &["restore"]).expect(0);
    let path = shop.path("main", "instance/relevo.epoch");
    let store = opened(&shop, "main");
    each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
        let look = store.main.look().unwrap();
        assert_eq!((look.state, &look.record), (DatabaseState::Unknown, &None), "{what}");
        assert!(look.trouble.is_some_and(|t| t.en.contains("relevo.epoch")), "{what}");
    });
    std::fs::write(&path, "{\"epoch\":9}").unwrap();
    // (what it cannot say, the backup says: epoch 3)
    let refused = shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert!(refused.err.contains("relevo.epoch"), "{}", refused.err);
    assert!(shop.say("main", "en", &["doctor"]).out.contains("relevo.epoch"));
}

/// Another shop's file says a higher epoch of another database: main must not fence itself because of it.
#[test]
fn an_epoch_file_of_another_database_fences_nobody() {
    let (shop, other) = (Shop::new(), Shop::promoted());
    shop.json("main", &["mirror"]).expect(0);
    let foreign = std::fs::read(other.path("caja", "instance/relevo.epoch")).unwrap();
    std::fs::write(shop.path("main", "instance/relevo.epoch"), &foreign).unwrap();
    let refused = shop.json("main", &["launch", "--program", "svrpdv"]).expect(4);
    assert!(refused.err.contains("relevo.epoch"), "{}", refused.err);
    std::fs::remove_file(shop.path("main", "instance/relevo.epoch")).unwrap();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.stop_server("main");
    std::fs::write(shop.path("caja", "instance/relevo.epoch"), &foreign).unwrap();
    assert_eq!(shop.json("main", &["mirror"]).expect(12).kind(), "record_file");
    assert_eq!(shop.tickets(&shop.database("main")), shop.acknowledged());
}

/// The announcement of a role change: damaged it stops main, and the run that made it makes it good again.
#[test]
fn the_intent_is_written_again_by_its_own_run() {
    for (point, undo) in [("intent.write:after", false), ("database.bytes:after", false), ("intent.write:after", true)] {
        let shop = Shop::new();
        shop.json("main", &["mirror"]).expect(0);
        shop.main_off();
        killed_at(&shop, "caja", &["promote"], point);
        let path = shop.path("caja", "instance/relevo.intent");
        let store = opened(&shop, "caja");
        each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
            let failure = store.backup.look().expect_err(what);
            assert!(failure.kind == "record_file" && names(&failure, &path), "{what}: {failure:?}");
        });
        std::fs::write(&path, "").unwrap();
        shop.main_on();
        assert_eq!(shop.json("main", &["launch", "--program", "svrpdv"]).expect(12).kind(), "record_file");
        shop.main_off();
        let run = shop.status("caja")["runs_open"][0]["id"].as_str().unwrap().to_owned();
        if undo {
            shop.json("caja", &["undo", &run]).expect(0);
            assert!(!path.exists());
            shop.main_on();
            shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
        } else {
            shop.json("caja", &["resume"]).expect(0);
            assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
        }
    }
}

/// Where the standby is: what cannot be believed is no position; a full copy is applied over it, by the mirror or by promote.
#[test]
fn standby_json_that_is_damaged_needs_a_full_copy() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.json("main", &["mirror"]).expect(0);
    let path = shop.path("caja", "instance/standby.json");
    let store = opened(&shop, "caja");
    each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
        let look = store.backup.look().unwrap();
        assert_eq!((look.position, look.applying), (None, None), "{what}");
        assert!(look.trouble.is_some_and(|t| t.en.contains("standby.json")), "{what}");
    });
    std::fs::write(&path, "{").unwrap();
    let applied = shop.json("caja", &["mirror"]).expect(0).json();
    assert_eq!((applied["applied"].as_bool(), applied["sequence"].as_u64()), (Some(true), Some(2)), "{applied}");
    std::fs::write(&path, "").unwrap();
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
}

/// Bit rot in the standby itself: found before the post changes hands, and mended from the targets in the same run.
#[test]
fn a_rotten_standby_is_built_again_from_the_targets() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    let mut bytes = std::fs::read(shop.database("caja")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(shop.database("caja"), bytes).unwrap();
    let done = shop.json("caja", &["promote"]).expect(0);
    assert!(done.err.contains("BDPdv.db"), "the damage is said: {}", done.err);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
}

/// The highest epoch that a machine ever saw.
#[test]
fn the_remembered_epoch() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    for machine in ["caja", "main"] {
        let path = shop.path(machine, "store/state/epoch.json");
        let store = opened(&shop, machine);
        each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
            let failure = store.remembered().expect_err(what);
            assert!(failure.kind == "epoch_memory_damaged" && failure.exit.code() == 12 && names(&failure, &path), "{what}");
        });
    }
    let path = shop.path("main", "store/state/epoch.json");
    let body = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, body.replace("\"epoch\":2", "\"epoch\":0")).unwrap();
    assert_eq!(shop.json("main", &["launch", "--program", "svrpdv"]).expect(12).kind(), "epoch_memory_damaged");
}
