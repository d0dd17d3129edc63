//! The files beside the databases and below state/.

use relevo::model::{CopyKind, DatabaseState, Next};

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

/// Tables of page hashes: a damaged one, or another's under its name, is as none; the mirror then makes a full copy.
#[test]
fn the_table_of_page_hashes() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let store = opened(&shop, "main");
    let known = store.main.look().unwrap().position.unwrap();
    let table = std::fs::read_dir(shop.path("main", "instance"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "tbl"))
        .unwrap();
    each(&table, variants(&std::fs::read(&table).unwrap()), |what| {
        assert_eq!(store.main.next(&known, CopyKind::Full).unwrap(), Next::Full, "{what}");
        assert_eq!(store.main.look().unwrap().position, None, "{what}");
    });
    assert_eq!(store.main.next(&known, CopyKind::Full).unwrap(), Next::Increment);
    let first = std::fs::read(&table).unwrap();
    shop.sell("main", "CAJA2", 1);
    shop.json("main", &["mirror"]).expect(0);
    let second = store.main.look().unwrap().position.unwrap();
    let newest = std::fs::read_dir(shop.path("main", "instance"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "tbl"))
        .max()
        .unwrap();
    std::fs::write(&newest, first).unwrap();
    assert_eq!(store.main.next(&second, CopyKind::Increment).unwrap(), Next::Full);
    assert_eq!(store.main.look().unwrap().position, None, "another position's table under this name");
    shop.sell("main", "CAJA2", 1);
    let made = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((made["kind"].as_str(), made["applied"].as_bool()), (Some("full"), Some(true)), "{made}");
}

/// What only helps people, or can be computed again, stops nobody when it is spoiled.
#[test]
fn memories_that_are_only_a_help() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("caja", &["target", "verify"]).expect(0);
    shop.json("caja", &["setup"]).expect(0);
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(4);
    for (machine, file) in [
        ("caja", "verified.json"),
        ("caja", "fecbak.json"),
        ("till2", "signals.json"),
        ("main", "mirror.json"),
        ("main", "runs/pruned"),
    ] {
        let path = shop.path(machine, "store/state").join(file);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        for damaged in
            [vec![], bytes[..bytes.len() / 2].to_vec(), [&bytes[..], &bytes].concat(), vec![0; bytes.len()], b"[]".to_vec()]
        {
            std::fs::write(&path, damaged).unwrap();
            shop.json(machine, &["status"]).expect(0);
            shop.json("main", &["mirror"]).expect(0);
            if machine == "till2" {
                shop.json("till2", &["launch", "--program", "pospdv"]).expect(4);
            }
        }
    }
    // A position that was proved once is not that of another copy.
    let path = shop.path("caja", "store/state/verified.json");
    shop.json("caja", &["target", "verify"]).expect(0);
    let proved = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, proved.replace("\"sequence\":1", "\"sequence\":9")).unwrap();
    shop.json("caja", &["status"]).expect(0);
}

/// Which process SvrPdv is: spoiled, nobody is stopped or started by mistake; its lock says that it serves.
#[test]
fn the_note_of_a_running_server() {
    let shop = Shop::new();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    let notes = [shop.path("main", "store/state/programs/svrpdv.json"), shop.path("main", "instance/server.info")];
    let whole = notes.clone().map(|path| std::fs::read(path).unwrap());
    let store = opened(&shop, "main");
    let alive = || relevo::steps::programs::alive(&store, relevo::model::Program::Svrpdv).unwrap();
    let running = alive().unwrap();
    std::fs::remove_file(&notes[1]).unwrap();
    each(&notes[0], variants(&whole[0]), |what| {
        assert!(alive().is_none_or(|process| process == running), "{what}");
    });
    for path in &notes {
        std::fs::write(path, "{").unwrap();
    }
    let again = shop.json("main", &["launch", "--program", "svrpdv"]);
    assert!([0, 10].contains(&again.code), "{again:?}");
    assert_eq!(shop.status("main")["serving"], "main");
    for (path, body) in notes.iter().zip(whole) {
        std::fs::write(path, body).unwrap();
    }
}

/// PIN, secrets: nobody is let in by damage, the file is named, and setting them again is the remedy.
#[test]
fn the_pin_and_the_secrets() {
    let shop = Shop::new();
    shop.set_pin("caja", "4321");
    shop.json("main", &["mirror"]).expect(0);
    let pin = shop.path("caja", "store/state/pin.json");
    std::fs::remove_dir_all(shop.path("caja", "copias/0142")).unwrap(); // its age is unknown then, and a person has to accept that
    shop.main_off();
    for damaged in ["", "{", "{\"argon2id\":\"$argon2id$x\"}"] {
        let whole = std::fs::read(&pin).unwrap();
        std::fs::write(&pin, damaged).unwrap();
        let refused = shop.with_pin("caja", "4321", &["promote", "--accept-loss", "--reason", "x"]).expect(4);
        assert!(refused.kind() == "pin_damaged" && refused.out.contains("pin.json"), "{}", refused.out);
        std::fs::write(&pin, whole).unwrap();
    }
    shop.fed("caja", "s3cret", &["secret", "set", "main"]).expect(0);
    let path = shop.path("caja", "store/state/secrets.json");
    each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
        let opened = relevo::secrets::Secrets::open(&shop.path("caja", "store/state"), relevo::world::real());
        let failure = opened.and_then(|s| s.resolve("secret:main")).expect_err(what);
        assert!(names(&failure, &path), "{what}: {failure:?}");
    });
}

/// SvrBak.txt and the others: a copy that is spoiled is refused with its line, or says what people meant it to say.
#[test]
fn signal_files_settings_and_scripts() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(4);
    let good = std::fs::read(shop.path("till2", "pdv/SvrBak.txt")).unwrap();
    let mains = shop.path("main", "pdv/SvrBak.txt");
    for (what, damaged) in super::reshaped(&good) {
        if relevo::signal::svrbak::parse(&damaged) == relevo::signal::svrbak::parse(&good) {
            continue; // only the end of its last line is gone: it says the same
        }
        std::fs::write(&mains, damaged).unwrap();
        let ran = shop.json("till2", &["launch", "--program", "pospdv"]).expect(4);
        assert!(ran.err.contains("SvrBak.txt"), "{what}: {}", ran.err);
        assert_eq!(std::fs::read(shop.path("till2", "pdv/SvrBak.txt")).unwrap(), good, "{what}");
    }
    std::fs::write(&mains, &good).unwrap();
    for (file, words) in [("relevo.toml", &["status"][..]), ("scripts/mirror.rhai", &["mirror"])] {
        let path = shop.path("main", "store").join(file);
        let bytes = std::fs::read(&path).unwrap();
        for (what, damaged) in [
            ("cut", bytes[..bytes.len() / 2].to_vec()),
            ("nothing", vec![]),
            ("zeroed", vec![0; bytes.len()]),
            ("no text", vec![0xFF; 300]),
        ] {
            std::fs::write(&path, damaged).unwrap();
            let refused = shop.json("main", words).expect(3);
            assert!(refused.out.contains(file.rsplit('/').next().unwrap()), "{file} {what}: {}", refused.out);
        }
        std::fs::write(&path, bytes).unwrap();
    }
    shop.json("main", &["mirror"]).expect(0);
}
