//! Bad days on purpose: something fails or is killed at one point while somebody else acts.

use crate::harness::{Ran, Shop, ran};

/// Runs a verb with one fault ordered.
fn with_fault(shop: &Shop, machine: &str, words: &[&str], order: &str, point: &str) -> Ran {
    let words = [&["--json", "--lang", "en"], words].concat();
    ran(shop.command(machine, &words).env(order, point))
}

fn killed_at(shop: &Shop, machine: &str, words: &[&str], point: &str) {
    with_fault(shop, machine, words, "RELEVO_TEST_CRASH_AT", point).expect(137);
}

/// A planned promote moves no folio: it may only open what holds main's very last ticket.
#[test]
fn planned_is_undone_when_the_tail_is_not_applied() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 4);
    let failed = with_fault(&shop, "caja", &["promote"], "RELEVO_TEST_FAIL", "standby.state:before:eio");
    assert_ne!(failed.code, 0, "{}", failed.out);
    let status = shop.status("caja");
    assert_eq!((status["holder"].as_str(), status["main"]["state"].as_str()), (Some("main"), Some("open")), "{status}");
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
}

/// The announcement was gone when the power was cut: main may serve by right, and the run only has its last words to say.
#[test]
fn a_restore_killed_after_its_announcement_was_removed_is_not_stuck_while_main_serves() {
    let shop = Shop::promoted();
    shop.main_on();
    killed_at(&shop, "caja", &["restore"], "intent.remove:after");
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.json("caja", &["resume"]).expect(0);
    let status = shop.status("caja");
    assert_eq!((status["serving"].as_str(), &status["runs_open"]), (Some("main"), &serde_json::json!([])), "{status}");
}

/// Numbers of copies never begin again within an epoch: the standby would be taken for newer than what is on the target.
#[test]
fn an_emptied_target_does_not_leave_the_standby_behind() {
    let shop = Shop::new();
    for _ in 0..3 {
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 1);
    }
    std::fs::remove_dir_all(shop.path("caja", "copias")).unwrap();
    std::fs::create_dir_all(shop.path("caja", "copias")).unwrap();
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((seed["kind"].as_str(), seed["applied"].as_bool()), (Some("full"), Some(true)), "{seed}");
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
}

/// A standby whose copy is on no target has no known age: that is not the age 0.
#[test]
fn a_standby_of_unknown_age_needs_acceptance() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    std::fs::remove_dir_all(shop.path("caja", "copias")).unwrap();
    std::fs::create_dir_all(shop.path("caja", "copias")).unwrap();
    shop.main_off();
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "loss_not_accepted");
    shop.set_pin("caja", "4321");
    shop.with_pin("caja", "4321", &["promote", "--accept-loss", "--reason", "disco nuevo"]).expect(0);
}

/// No script starts SvrPdv on a restored main before its launch proved that nobody operates.
#[test]
fn a_script_cannot_start_a_main_that_awaits_its_start() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.json("caja", &["restore"]).expect(0);
    std::fs::write(shop.path("main", "store/scripts/mirror.rhai"), "fn run(args) { service::start(\"svrpdv\") }").unwrap();
    assert_eq!(shop.json("main", &["mirror"]).expect(4).kind(), "awaiting_start");
    assert_eq!(shop.status("main")["serving"], serde_json::Value::Null);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
}

/// Nor one whose successor is announced.
#[test]
fn a_script_cannot_start_main_beside_an_announced_promote() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    killed_at(&shop, "caja", &["promote"], "database.bytes:after");
    shop.main_on();
    std::fs::write(shop.path("main", "store/scripts/setup.rhai"), "fn run(args) { service::start(\"svrpdv\") }").unwrap();
    shop.json("main", &["setup"]).expect(11);
    assert_eq!(shop.status("main")["serving"], serde_json::Value::Null);
    shop.json("caja", &["resume"]).expect(0);
}

/// A gap was noted, then the old disk came back: the report lists the tickets themselves.
#[test]
fn a_disk_that_comes_back_after_its_gap_was_noted() {
    let shop = Shop::promoted();
    shop.main_on();
    let (database, aside) = (shop.database("main"), shop.dir.join("aside"));
    std::fs::create_dir_all(&aside).unwrap();
    for end in ["", "-wal", "-shm"] {
        let name = format!("BDPdv.db{end}");
        if shop.path("main", "instance").join(&name).exists() {
            crate::harness::rename(&shop.path("main", "instance").join(&name), &aside.join(&name));
        }
    }
    // nobody's file knows the tickets
    std::fs::remove_file(shop.path("till2", "acknowledged.jsonl")).unwrap();
    killed_at(&shop, "caja", &["restore"], "database.incoming:before");
    let run = shop.status("caja")["runs_open"][0]["id"].as_str().unwrap().to_owned();
    shop.json("caja", &["undo", &run]).expect(0);
    std::fs::copy(aside.join("BDPdv.db"), &database).unwrap();
    for end in ["-wal", "-shm"] {
        let name = format!("BDPdv.db{end}");
        if aside.join(&name).exists() {
            std::fs::copy(aside.join(&name), shop.path("main", "instance").join(&name)).unwrap();
        }
    }
    shop.json("caja", &["restore"]).expect(0);
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    let folios: Vec<i64> = orphans["orphans"].as_array().unwrap().iter().map(|o| o["folio"].as_i64().unwrap()).collect();
    assert_eq!(folios, [6, 7, 8], "{orphans}");
}

/// Main was started (and fenced itself) while the restore was dead right before its record and the caja was off.
#[test]
fn a_main_that_fenced_itself_before_the_record_is_opened_again_by_resume() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.stop_server("caja");
    killed_at(&shop, "caja", &["restore"], "database.record:before");
    crate::harness::rename(&shop.dir.join("caja"), &shop.dir.join("caja.off"));
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    crate::harness::rename(&shop.dir.join("caja.off"), &shop.dir.join("caja"));
    shop.json("caja", &["resume"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
}

/// Undo could not reach main to lift its fence: main's next launch does, since nobody took its post.
#[test]
fn a_fence_that_undo_could_not_lift_is_lifted_by_mains_launch() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    killed_at(&shop, "caja", &["promote"], "copy.content:before");
    assert_eq!(shop.status("caja")["main"]["state"], "fenced");
    shop.main_off();
    let run = shop.status("caja")["runs_open"][0]["id"].as_str().unwrap().to_owned();
    shop.json("caja", &["undo", &run]).expect(0);
    shop.main_on();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
}

/// An old main whose SvrPdv is alive closes it; one that tills have open is refused as well (11), not as an operator's mistake.
#[test]
fn an_old_main_that_serves_stops_serving() {
    let shop = Shop::promoted();
    shop.main_on();
    // Its SvrPdv was started while the caja was out of sight and nobody told main.
    let hidden = shop.dir.join("caja.off");
    shop.stop_server("caja");
    crate::harness::rename(&shop.dir.join("caja"), &hidden);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    crate::harness::rename(&hidden, &shop.dir.join("caja"));
    let open = rusqlite::Connection::open(shop.database("main")).unwrap();
    open.query_row("SELECT count(*) FROM Ventas", [], |r| r.get::<_, i64>(0)).unwrap();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_ne!(shop.status("caja")["serving"], "main");
    drop(open);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(shop.status("caja")["main"]["state"], "fenced");
    assert_eq!(shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len(), 3);
}

/// Main applied the copy; the caja writes its age with whatever verb comes next.
#[test]
fn fecbak_is_written_by_the_cajas_next_verb() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    assert!(!shop.path("caja", "pdv/FecBak.txt").exists());
    shop.json("caja", &["launch", "--program", "pospdv"]).expect(4);
    assert!(shop.path("caja", "pdv/FecBak.txt").exists());
}

/// A replaced second target, and a first one that is away, keep nobody from saving a tail.
#[test]
fn a_tail_is_saved_where_one_target_can_be_reached() {
    let shop = Shop::new();
    for machine in ["main", "caja", "till2"] {
        let toml = shop.path(machine, "store/relevo.toml");
        let text = std::fs::read_to_string(&toml).unwrap().replace("targets = [\"local\"]", "targets = [\"lejos\", \"local\"]");
        let far = shop.dir.join("lejos");
        std::fs::create_dir_all(&far).unwrap();
        std::fs::write(&toml, format!("{text}\n[targets.lejos]\nkind = \"dir\"\npath = '{}'\n", far.display())).unwrap();
    }
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 3);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.main_on();
    std::fs::remove_dir_all(shop.dir.join("lejos")).unwrap();
    std::fs::write(shop.dir.join("lejos"), "no folder").unwrap();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len(), 3);
}

/// What main has learned it does not forget: it was refused but could not be closed, then the caja was off.
#[test]
fn an_old_main_remembers_the_higher_epoch_it_met() {
    let shop = Shop::promoted();
    shop.main_on();
    let open = rusqlite::Connection::open(shop.database("main")).unwrap();
    open.query_row("SELECT count(*) FROM Ventas", [], |r| r.get::<_, i64>(0)).unwrap();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    drop(open);
    shop.stop_server("caja");
    crate::harness::rename(&shop.dir.join("caja"), &shop.dir.join("caja.off"));
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
}

/// The authorisation lies in the database that is gone: what it said last holds.
#[test]
fn a_licence_that_the_lost_main_kept_is_remembered() {
    let shop = Shop::new();
    rusqlite::Connection::open(shop.database("main"))
        .unwrap()
        .execute_batch("CREATE TABLE Parametros(mAutPdv TEXT); INSERT INTO Parametros VALUES('0000001100')")
        .unwrap();
    let toml = shop.path("caja", "store/relevo.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let text = text.replace("{ literal = \"0000001100\" }", "{ query = \"SELECT mAutPdv FROM Parametros\" }");
    std::fs::write(&toml, text).unwrap();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("caja", &["launch", "--program", "pospdv"]).expect(4);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.json("caja", &["launch", "--program", "pospdv"]).expect(0);
}

/// A tail that the target spoiled blocks nobody: the tickets are saved again beside it.
#[test]
fn a_spoiled_tail_is_saved_again_and_blocks_nobody() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    let folder = shop.path("caja", "copias").join("0142");
    for name in ["e000001-s00000000-tail.jsonl.zst", "e000001-s00000000-tail.json"] {
        std::fs::write(folder.join(name), "spoiled").unwrap();
    }
    shop.json("caja", &["restore"]).expect(0);
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    assert_eq!(orphans["orphans"].as_array().unwrap().len(), 3, "{orphans}");
}

/// Main's disk is going: its epoch file is garbage. The caja takes over all the same, and main does not start.
#[test]
fn a_main_with_a_damaged_epoch_file_has_failed() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    std::fs::write(shop.path("main", "instance/relevo.epoch"), "\0\0\0").unwrap();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(4);
    assert_eq!(shop.status("caja")["main"]["state"], "unknown");
    shop.json("caja", &["promote"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
}

/// Two people click at once: one promotes, the other is told who is at work; nobody is left half way.
#[test]
fn two_promotes_at_once() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    let other = shop
        .command("caja", &["--json", "--lang", "en", "promote"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let own = shop.json("caja", &["promote"]);
    let other = other.wait_with_output().unwrap();
    let codes = [own.code, other.status.code().unwrap()];
    assert!(codes.contains(&0) && codes.iter().all(|c| [0, 4, 10].contains(c)), "{codes:?} {own:?} {other:?}");
    let status = shop.status("caja");
    assert_eq!((status["epoch"].as_u64(), &status["runs_open"]), (Some(2), &serde_json::json!([])), "{status}");
}

/// A promote that a clerk interrupts while it asks main leaves nothing behind.
#[cfg(unix)]
#[test]
fn ctrl_c_while_main_is_asked() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    let toml = shop.path("caja", "store/relevo.toml");
    let text = std::fs::read_to_string(&toml).unwrap().replace("probe_for = \"100ms\"", "probe_for = \"30s\"");
    std::fs::write(&toml, text).unwrap();
    let mut child = shop.spawn("caja", &["promote"]);
    std::thread::sleep(std::time::Duration::from_millis(700));
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(10));
    assert_eq!(shop.status("caja")["runs_open"], serde_json::json!([]));
}

/// An old main came back serving (it was cut off, not dead) and its scheduled mirror is the first to meet the higher epoch.
#[test]
fn a_mirror_that_meets_a_higher_epoch_ends_the_old_mains_service() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.main_on();
    // started while the caja was out of sight
    crate::harness::rename(&shop.dir.join("caja"), &shop.dir.join("caja.off"));
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    crate::harness::rename(&shop.dir.join("caja.off"), &shop.dir.join("caja"));
    assert_eq!(shop.json("main", &["mirror"]).expect(11).kind(), "superseded");
    let status = shop.status("main");
    // (the caja's own SvrPdv ended when its folder was out of sight)
    assert_eq!((status["main"]["state"].as_str(), status["serving"].as_str()), (Some("fenced"), None), "{status}");
    assert_eq!(shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len(), 2);
}
