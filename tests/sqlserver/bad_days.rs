//! The bad days that concern the database: other tools at work, zombies, full disks, spoiled files, power cuts, versions, rights, languages.
//! Numbers are those of docs/guarantees.md.

use serde_json::Value;

use crate::harness::{DATABASE, Kind, Options, Ran, Shop, wait_until};

/// `RESTRICTED` and the like are left nowhere; and nothing hangs.
fn everybody_may_in(shop: &Shop) {
    for machine in ["main", "caja"] {
        if !shop.sql().is_running(machine) {
            continue;
        }
        for (name, state, access) in shop.sql().databases(machine) {
            assert!(state != "ONLINE" || access == "MULTI_USER", "{machine}: {name} is {state} {access}");
        }
    }
}

fn causes(ran: &Ran) -> String {
    ran.json()["error"]["causes"].to_string()
}

fn exchange(shop: &Shop, machine: &str) -> String {
    shop.path(machine, "paso").display().to_string()
}

#[test]
fn another_tool_takes_a_log_backup() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    let elsewhere = format!("BACKUP LOG [{DATABASE}] TO DISK=N'{}/otro.trn' WITH FORMAT", exchange(&shop, "main"));
    shop.sql().batch("main", "master", &[&elsewhere]);
    shop.sell("main", "CAJA2", 2);
    // One differential bridges the gap, and the log goes on from it.
    let bridged = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((bridged["kind"].as_str(), bridged["applied"].as_bool()), (Some("differential"), Some(true)), "{bridged}");
    shop.sell("main", "CAJA2", 2);
    let next = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((next["kind"].as_str(), next["applied"].as_bool()), (Some("increment"), Some(true)), "{next}");
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.sold("caja"), shop.acknowledged());
    everybody_may_in(&shop);
}

#[test]
fn another_tool_takes_the_base_too() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    let folder = exchange(&shop, "main");
    let full = format!("BACKUP DATABASE [{DATABASE}] TO DISK=N'{folder}/otro.bak' WITH FORMAT");
    let log = format!("BACKUP LOG [{DATABASE}] TO DISK=N'{folder}/otro.trn' WITH FORMAT");
    shop.sell("main", "CAJA2", 1);
    shop.sql().batch("main", "master", &[&full]);
    shop.sell("main", "CAJA2", 1);
    // A full backup of others moves the base only: the log goes on.
    assert_eq!(shop.json("main", &["mirror"]).expect(0).json()["kind"], "increment");
    shop.sell("main", "CAJA2", 1);
    shop.sql().batch("main", "master", &[&log]);
    shop.sell("main", "CAJA2", 1);
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((seed["kind"].as_str(), seed["reason"].as_str()), (Some("full"), Some("chain broken")), "{seed}");
    let next = shop.json("main", &["mirror"]).expect(0).json();
    assert!(next["kind"] != "full" && next["applied"] == true, "{next}");
}

#[test]
fn a_change_of_the_recovery_model_and_back() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    let set = |model: &str| {
        shop.sql().batch("main", "master", &[&format!("ALTER DATABASE [{DATABASE}] SET RECOVERY {model}")]);
    };
    set("SIMPLE");
    for _ in 0..2 {
        shop.sell("main", "CAJA2", 2);
        let copy = shop.json("main", &["mirror"]).expect(0).json();
        assert_eq!((copy["kind"].as_str(), copy["applied"].as_bool()), (Some("differential"), Some(true)), "{copy}");
    }
    set("FULL");
    shop.sell("main", "CAJA2", 2);
    let back = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(back["applied"], true, "{back}");
    shop.sell("main", "CAJA2", 2);
    assert_eq!(shop.json("main", &["mirror"]).expect(0).json()["applied"], true);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.sold("caja"), shop.acknowledged());
}

#[test]
fn a_stale_mirror_needs_a_persons_word() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 3);
    shop.main_off();
    let later = jiff::Zoned::now().checked_add(jiff::Span::new().hours(9)).unwrap();
    let now = later.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let refused = shop.json_with("caja", &["promote"], &[("RELEVO_TEST_NOW", &now)]).expect(4);
    assert_eq!(refused.kind(), "loss_not_accepted", "{}", refused.out);
    assert_eq!(shop.sql().databases("caja")[0].1, "RESTORING");
    everybody_may_in(&shop);
}

#[test]
fn a_zombie_main_comes_back_with_sales_of_its_own() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 3);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.sell("caja", "CAJA1", 2);
    shop.main_on();
    // Its disk still sells, to whoever does not know better; its launch does not.
    let refused = shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(refused.kind(), "superseded");
    assert_eq!(shop.status("main")["main"]["state"], "fenced");
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    assert_eq!(orphans["orphans"].as_array().map(Vec::len), Some(3), "{orphans}");
    let again = shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(again.kind(), "superseded");
    shop.stop_server("caja");
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    let (mut sold, mut known) = (shop.sold("main"), shop.acknowledged());
    let saved = |t: &(i64, String, i64)| {
        orphans["orphans"].as_array().unwrap().iter().any(|o| o["folio"] == t.0 && o["till"] == t.1.as_str())
    };
    known.retain(|ticket| !saved(ticket));
    sold.sort();
    assert_eq!(sold, known);
    // The old database is kept, closed, under another name.
    assert!(shop.sql().databases("main").iter().any(|(name, state, _)| name.contains(".antes-de-") && state == "OFFLINE"));
}

#[test]
fn a_full_disk_on_main_names_it_and_main_sells_on() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    let orders = format!(r#"{{"write_errors": [{{"prefix": "{}", "code": 112}}]}}"#, exchange(&shop, "main"));
    shop.sql().order("main", &orders);
    let full = shop.json("main", &["mirror"]).expect(1);
    assert!(full.kind().starts_with("sql_disk") || full.kind().contains("full"), "{}", full.out);
    assert!(causes(&full).contains("112"), "{}", full.out);
    shop.sell("main", "CAJA2", 2);
    shop.sql().order("main", "");
    let next = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((next["kind"].as_str(), next["applied"].as_bool()), (Some("increment"), Some(true)), "{next}");
    everybody_may_in(&shop);
}

#[test]
fn a_full_disk_on_the_caja_is_said_and_filled_later() {
    let shop = Shop::on_sqlserver();
    shop.sql().order("caja", r#"{"free": 1000}"#);
    let full = shop.json("main", &["mirror"]).expect(1);
    assert!(full.kind() == "sql_no_room", "{}", full.out);
    shop.sql().order("caja", "");
    // The copy lies on its target: the caja applies it by itself.
    shop.json("caja", &["mirror"]).expect(0);
    assert_eq!(shop.status("caja")["backup"]["position"]["sequence"], 1);
    everybody_may_in(&shop);
}

#[test]
fn a_copy_that_somebody_holds_keeps_the_standby_where_it_is() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    let before = shop.status("caja")["backup"]["position"].clone();
    shop.sell("main", "CAJA2", 2);
    let held = format!(r#"{{"system_errors": [{{"prefix": "{}", "code": 32}}]}}"#, exchange(&shop, "caja"));
    shop.sql().order("caja", &held);
    let refused = shop.json("main", &["mirror"]).expect(1);
    assert!(causes(&refused).contains("3201"), "{}", refused.out);
    assert_eq!(shop.status("caja")["backup"]["position"], before);
    shop.sql().order("caja", "");
    shop.json("main", &["mirror"]).expect(0);
    assert_eq!(shop.status("caja")["backup"]["position"]["sequence"], 2);
    everybody_may_in(&shop);
}

/// Spoils the content of the newest copy on the target.
fn spoil(shop: &Shop, how: fn(&mut Vec<u8>)) -> String {
    let mut copies: Vec<_> = std::fs::read_dir(shop.path("caja", "copias/0142"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|ending| ending != "json"))
        .collect();
    copies.sort();
    let newest = copies.pop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    how(&mut bytes);
    std::fs::write(&newest, bytes).unwrap();
    newest.display().to_string()
}

#[test]
fn a_truncated_or_flipped_copy_is_never_restored() {
    for how in [(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2)) as fn(&mut Vec<u8>), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }] {
        let shop = Shop::on_sqlserver();
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 2);
        shop.json("main", &["mirror"]).expect(0);
        let good = shop.status("caja")["backup"]["position"].clone();
        shop.sell("main", "CAJA2", 2);
        // The caja is off while main copies, and the newest copy rots before it comes back.
        shop.sql().kill("caja");
        let _ = shop.json("main", &["mirror"]);
        shop.sql().run("caja");
        let name = spoil(&shop, how);
        let refused = shop.json("caja", &["mirror"]);
        assert_eq!(refused.code, 1, "{name}: {}", refused.out);
        assert_eq!(shop.status("caja")["backup"]["position"], good);
        // Main makes it good by itself.
        shop.json("main", &["mirror"]).expect(0);
        shop.main_off();
        shop.json("caja", &["promote"]).expect(0);
        assert_eq!(shop.sold("caja"), shop.acknowledged());
        everybody_may_in(&shop);
    }
}

/// The caja's power fails while a copy is restored: the next mirror goes on from there.
#[test]
fn the_power_fails_in_a_restore_of_a_copy() {
    for (text, percent) in [("RESTORE DATABASE", 40), ("RESTORE LOG", 60)] {
        let shop = Shop::on_sqlserver();
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 4);
        shop.sql().order("caja", &format!(r#"{{"abort": [{{"when": "percent", "text": "{text}", "percent": {percent}}}]}}"#));
        let words: &[&str] = if text.ends_with("LOG") { &["mirror"] } else { &["mirror", "--full"] };
        assert_ne!(shop.json("main", words).code, 0);
        wait_until("the caja is off", || !shop.sql().is_running("caja"));
        shop.sql().order("caja", "");
        shop.sql().run("caja");
        shop.json("caja", &["mirror"]).expect(0);
        assert_eq!(shop.status("caja")["backup"]["position"]["sequence"], 2);
        shop.main_off();
        shop.json("caja", &["promote"]).expect(0);
        assert_eq!(shop.sold("caja"), shop.acknowledged());
        everybody_may_in(&shop);
    }
}

/// Main's power fails in the middle of a fail-back, before and after the commit of the record.
#[test]
fn the_power_fails_in_a_fail_back() {
    for (when, text) in [("before", "FOR ATTACH"), ("after", "FOR ATTACH"), ("before", "relevo_epoch"), ("after", "MODIFY NAME")]
    {
        let shop = Shop::on_sqlserver();
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 3);
        shop.main_off();
        shop.json("caja", &["promote"]).expect(0);
        shop.sell("caja", "CAJA1", 3);
        shop.stop_server("caja");
        shop.main_on();
        shop.sql().order("main", &format!(r#"{{"abort": [{{"when": "{when}", "text": "{text}"}}]}}"#));
        let cut = shop.json("caja", &["restore"]);
        assert_ne!(cut.code, 0, "{when} {text}: {}", cut.out);
        shop.sql().order("main", "");
        if !shop.sql().is_running("main") {
            shop.sql().run("main");
        }
        // What the message says: take it up where it is open, else do it again.
        if shop.json("caja", &["resume"]).code != 0 || shop.status("caja")["holder"] != "main" {
            shop.json("caja", &["restore"]).expect(0);
        }
        shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
        let status = shop.status("main");
        assert_eq!(
            (status["holder"].as_str(), status["serving"].as_str()),
            (Some("main"), Some("main")),
            "{when} {text}: {status}"
        );
        let orphans = shop.json("caja", &["orphans"]).expect(0).json();
        let saved = orphans["orphans"].as_array().map_or(0, Vec::len);
        assert_eq!(shop.sold("main").len() + saved, shop.acknowledged().len(), "{when} {text}");
        everybody_may_in(&shop);
    }
}

#[test]
fn a_backup_server_that_is_newer_than_main_is_refused() {
    let kinds = [Kind::default(), Kind { major: 16, ..Kind::default() }];
    let shop = Shop::with(&Options { sqlserver: Some(kinds), ..Options::default() });
    let refused = shop.json("main", &["mirror"]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    assert!(refused.out.contains("16") && refused.out.contains("15"), "{}", refused.out);
    assert!(shop.sql().databases("caja").is_empty(), "nothing was restored on it");
}

#[test]
fn an_older_backup_server_says_so_and_keeps_nothing() {
    let kinds = [Kind { major: 16, ..Kind::default() }, Kind::default()];
    let shop = Shop::with(&Options { sqlserver: Some(kinds), ..Options::default() });
    let refused = shop.json("main", &["mirror"]);
    assert_eq!(refused.code, 1, "{}", refused.out);
    assert!(causes(&refused).contains("3169") || refused.out.contains("16"), "{}", refused.out);
    everybody_may_in(&shop);
}

#[test]
fn without_the_right_to_see_sessions_nothing_is_proved() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sql().order("main", r#"{"denied": ["VIEW SERVER STATE"]}"#);
    let refused = shop.json("caja", &["promote"]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    assert!(refused.out.contains("VIEW SERVER STATE"), "{}", refused.out);
    assert_eq!(shop.sql().databases("main")[0].1, "ONLINE");
    assert_eq!(shop.sql().databases("caja")[0].1, "RESTORING");
    shop.sql().order("main", "");
    shop.json("caja", &["promote"]).expect(0);
}

#[test]
fn somebody_takes_the_one_place_while_main_is_fenced() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.sql().order("main", &format!(r#"{{"thief": {{"database": "{DATABASE}", "times": 2}}}}"#));
    let first = shop.json("caja", &["promote"]);
    shop.sql().order("main", "");
    if first.code != 0 {
        everybody_may_in(&shop);
        assert_eq!(shop.sql().databases("main")[0].1, "ONLINE", "it was given back: {}", first.out);
        wait_until("the thief is gone", || shop.json("caja", &["promote"]).code == 0);
    }
    assert_eq!(shop.sold("caja"), shop.acknowledged());
    everybody_may_in(&shop);
}

#[test]
fn a_backup_that_a_dead_mirror_left_running_is_ended() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.sql().order("main", r#"{"backup_ms": 60, "rollback_ms": 300}"#);
    let mut mirror = shop.spawn("main", &["mirror"]);
    wait_until("the backup runs", || {
        let running = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command LIKE N'BACKUP%'";
        shop.sql().batch("main", "master", &[running])[0][0].as_i64() == Some(1)
    });
    mirror.kill().unwrap();
    mirror.wait().unwrap();
    shop.sql().order("main", "");
    let next = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(next["applied"], true, "{next}");
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.sold("caja"), shop.acknowledged());
}

#[test]
fn the_unfinished_backup_of_a_neighbour_in_the_same_folder_stays() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    let folder = shop.path("main", "paso");
    let (ours, theirs) = (format!("{DATABASE}-completa-1.bak.part"), format!("{DATABASE}2-completa-1.bak.part"));
    for file in [&ours, &theirs] {
        std::fs::write(folder.join(file), "half a backup").unwrap();
    }
    shop.sell("main", "CAJA2", 1);
    shop.json("main", &["mirror"]).expect(0);
    assert!(!folder.join(ours).exists(), "what a dead process of ours left is cleared up");
    assert!(folder.join(theirs).exists(), "another database's is not ours to remove");
}

#[test]
fn a_spanish_server_is_understood() {
    let spanish = Kind { language: "Español", ..Kind::default() };
    let shop = Shop::with(&Options { sqlserver: Some([spanish; 2]), ..Options::default() });
    shop.sql().order("main", r#"{"system_language": "Español"}"#);
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    let orders = format!(
        r#"{{"system_language": "Español", "write_errors": [{{"prefix": "{}", "code": 112}}]}}"#,
        exchange(&shop, "main")
    );
    shop.sql().order("main", &orders);
    let full = shop.json("main", &["mirror"]).expect(1);
    assert!(causes(&full).contains("112"), "{}", full.out);
    let kind = full.kind();
    shop.sql().order("main", "");
    shop.json("main", &["mirror"]).expect(0);
    // The same failure as on an English one: numbers decide.
    let english = Shop::on_sqlserver();
    english.json("main", &["mirror"]).expect(0);
    english.sell("main", "CAJA2", 2);
    let orders = format!(r#"{{"write_errors": [{{"prefix": "{}", "code": 112}}]}}"#, exchange(&english, "main"));
    english.sql().order("main", &orders);
    assert_eq!(english.json("main", &["mirror"]).expect(1).kind(), kind);
}

#[test]
fn damaged_pages_are_said_and_the_older_copies_stay() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.sql().order("main", &format!(r#"{{"damaged": [{{"database": "{DATABASE}", "page": 77}}]}}"#));
    let full = shop.json("main", &["mirror", "--full"]).expect(1);
    assert!(causes(&full).contains("3043"), "{}", full.out);
    let doctor = shop.json("main", &["doctor"]).expect(1);
    assert!(doctor.out.contains("824") || doctor.out.contains("damaged"), "{}", doctor.out);
    let copies: Value = shop.json("caja", &["target", "list"]).expect(0).json();
    assert!(copies.to_string().contains("e000001-s00000001-full"), "{copies}");
}

/// A hypervisor's or Windows' own backup takes a snapshot: it becomes the base of differentials, and no file of it can be restored.
#[test]
fn a_snapshot_of_the_whole_machine_moves_the_base() {
    let shop = Shop::on_sqlserver();
    let snapshot = || {
        shop.sql().order("main", ""); // once for every change of the orders
        shop.sql().batch("main", "master", &["SELECT 1"]);
        shop.sql().order("main", &format!(r#"{{"snapshots": ["{DATABASE}"]}}"#));
    };
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    snapshot();
    // FULL: the log goes on through it, and it is said who was at work.
    let log = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((log["kind"].as_str(), log["applied"].as_bool()), (Some("increment"), Some(true)), "{log}");
    assert!(!log["others"].as_array().unwrap().is_empty(), "{log}");
    shop.sql().batch("main", "master", &[&format!("ALTER DATABASE [{DATABASE}] SET RECOVERY SIMPLE")]);
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    snapshot();
    // SIMPLE: a differential of it would fit nothing that the standby has.
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((seed["kind"].as_str(), seed["applied"].as_bool()), (Some("full"), Some(true)), "{seed}");
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.sold("caja"), shop.acknowledged());
}
