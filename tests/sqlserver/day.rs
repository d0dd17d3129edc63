//! The main road on SQL Server: mirror, promote, restore, and back.

use crate::harness::{DATABASE, Shop};

#[test]
fn seed_increment_skip_and_what_status_says() {
    let shop = Shop::on_sqlserver();
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(
        (seed["kind"].as_str(), seed["sequence"].as_u64(), seed["applied"].as_bool()),
        (Some("full"), Some(1), Some(true)),
        "{seed}"
    );
    shop.sell("main", "CAJA2", 3);
    let increment = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((increment["kind"].as_str(), increment["sequence"].as_u64()), (Some("increment"), Some(2)), "{increment}");
    assert!(increment["bytes"].as_u64() < seed["bytes"].as_u64());
    let skip = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(skip["kind"], "skip", "{skip}");

    let status = shop.status("main");
    assert_eq!((status["holder"].as_str(), status["epoch"].as_u64()), (Some("main"), Some(1)), "{status}");
    assert_eq!(status["main"]["state"], "open");
    assert_eq!(status["backup"]["state"], "standby");
    assert_eq!(status["backup"]["position"]["sequence"], 2);
    assert_eq!(status["runs_open"], serde_json::json!([]));
}

#[test]
fn the_caja_applies_by_itself_what_main_could_not_bring() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.sql().kill("caja");
    let made = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((made["sequence"].as_u64(), made["applied"].as_bool()), (Some(2), Some(false)), "{made}");
    shop.sql().run("caja");
    let applied = shop.json("caja", &["mirror"]).expect(0).json();
    assert_eq!((applied["verified"].as_bool(), applied["sequence"].as_u64()), (Some(true), Some(2)), "{applied}");
    let again = shop.json("caja", &["mirror"]).expect(0).json();
    assert_eq!((again["verified"].as_bool(), again["sequence"].as_u64()), (Some(true), Some(2)), "{again}");
}

/// Main fails with sales that no mirror has; the caja goes on; the database goes back as a whole.
#[test]
fn a_failure_and_back_by_detach_copy_and_attach() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    for till in ["caja", "till2"] {
        shop.json(till, &["launch", "--program", "pospdv"]).expect(0);
    }
    assert_eq!(shop.sold("main").len(), 5 + 3 + 3);
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 3);
    shop.main_off();
    let done = shop.json("caja", &["promote"]).expect(0).json();
    assert_eq!((done["planned"].as_bool(), done["loss"]["tickets"].as_u64()), (Some(false), Some(3)), "{done}");
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "already_promoted");
    for till in ["caja", "till2"] {
        shop.json(till, &["launch", "--program", "pospdv"]).expect(0);
    }
    shop.main_on();
    assert_eq!(shop.json("main", &["launch", "--program", "svrpdv"]).expect(11).kind(), "superseded");
    assert_eq!(shop.json("main", &["launch", "--program", "svrpdv"]).expect(11).kind(), "superseded");
    assert_eq!(shop.status("main")["main"]["state"], "fenced");
    let plan = shop.say("caja", "en", &["restore", "--plan"]).expect(0).out;
    assert!(plan.contains("route: detach, copy and attach"), "{plan}");
    let done = shop.json("caja", &["restore"]).expect(0).json();
    assert_eq!((done["epoch"].as_u64(), done["orphans"].as_u64()), (Some(3), Some(3)), "{done}");
    assert_eq!(shop.json("caja", &["restore"]).expect(4).kind(), "backup_does_not_hold");
    let kept = done["kept"].as_str().unwrap();
    let databases = shop.sql().databases("main");
    assert!(databases.iter().any(|(name, state, _)| name == kept && state == "OFFLINE"), "{databases:?}");
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(0);
    assert_eq!(shop.sold("main").len(), 11 + 6 + 3);
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((seed["kind"].as_str(), seed["sequence"].as_u64()), (Some("full"), Some(1)), "{seed}");
    assert_eq!(shop.status("caja")["backup"]["state"], "standby");
}

/// The caja takes over while main is well: nothing is lost, and only what the caja sold goes back.
#[test]
fn a_planned_promote_and_back_by_the_log() {
    let shop = planned();
    let databases = shop.sql().databases("main");
    assert_eq!(databases[0].1, "RESTORING", "{databases:?}");
    let status = shop.status("main");
    assert_eq!((status["main"]["state"].as_str(), status["epoch"].as_u64()), (Some("fenced"), Some(2)), "{status}");
    let plan = shop.say("caja", "en", &["restore", "--plan"]).expect(0).out;
    assert!(plan.contains("route: by the transaction log"), "{plan}");
    let done = shop.json("caja", &["restore"]).expect(0).json();
    assert_eq!((done["kept"].is_null(), done["orphans"].as_u64()), (true, Some(0)), "{done}");
    assert_eq!(shop.json("caja", &["restore"]).expect(4).kind(), "backup_does_not_hold");
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.sold("main"), shop.acknowledged());
    // and once more all the way
    shop.sell("main", "CAJA2", 2);
    shop.json("main", &["mirror"]).expect(0);
    shop.stop_server("main");
    shop.sell("main", "CAJA2", 1);
    shop.json("caja", &["promote"]).expect(0);
    shop.sell("caja", "CAJA1", 1);
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.sold("main"), shop.acknowledged());
}

/// The backup holds the post after a planned promote and sold two; nobody lost anything.
fn planned() -> Shop {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 4);
    let done = shop.json("caja", &["promote"]).expect(0).json();
    assert_eq!(done["planned"], true, "{done}");
    assert_eq!(shop.sold("caja"), shop.acknowledged());
    shop.sell("caja", "CAJA1", 2);
    shop
}

#[test]
fn a_planned_promote_is_refused_while_somebody_is_there() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "main_in_use");
    shop.stop_server("main");
    let open = shop.sql().connect("main", "CAJA2", "PosPdv", DATABASE);
    let refused = shop.json("caja", &["promote"]).expect(4);
    // its session is seen before anything is begun
    assert_eq!(refused.kind(), "main_in_use");
    assert!(refused.out.contains("CAJA2"), "{}", refused.out);
    let status = shop.status("caja");
    assert_eq!((status["holder"].as_str(), status["main"]["state"].as_str()), (Some("main"), Some("open")), "{status}");
    drop(open);
    shop.json("caja", &["promote"]).expect(0);
}

/// Killed before the point of no return and taken back: as if nothing had been.
#[test]
fn role_changes_are_taken_back_before_the_point() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    undone(&shop, "promote", "standby.pages:after");
    let status = shop.status("caja");
    let seen = |status: &serde_json::Value| {
        ["holder", "main", "backup"].map(|key| status[key]["state"].as_str().or(status[key].as_str()).unwrap().to_owned())
    };
    assert_eq!(seen(&status), ["main", "open", "standby"], "{status}");
    shop.sell("main", "CAJA2", 1);
    assert_eq!(shop.sold("main"), shop.acknowledged());
    shop.json("main", &["mirror"]).expect(0);

    // a restore by the log: main waits on, the backup sells on
    shop.json("caja", &["promote"]).expect(0);
    shop.sell("caja", "CAJA1", 2);
    undone(&shop, "restore", "database.place:after");
    let status = shop.status("caja");
    assert_eq!(seen(&status), ["backup", "fenced", "open"], "{status}");
    shop.sell("caja", "CAJA1", 1);
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.sold("main"), shop.acknowledged());

    // and one of the whole database
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.sell("caja", "CAJA1", 2);
    shop.main_on();
    undone(&shop, "restore", "database.place:after");
    let status = shop.status("caja");
    assert_eq!(seen(&status), ["backup", "fenced", "open"], "{status}");
    shop.sell("caja", "CAJA1", 1);
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.sold("main"), shop.acknowledged());
}

fn undone(shop: &Shop, verb: &str, point: &str) {
    let killed = shop.json_with("caja", &[verb], &[("RELEVO_TEST_CRASH_AT", point)]);
    assert_eq!(killed.code, 137, "{}{}", killed.out, killed.err);
    let status = shop.status("caja");
    let id = status["runs_open"][0]["id"].as_str().unwrap_or_else(|| panic!("{status}")).to_owned();
    shop.json("caja", &["undo", &id]).expect(0);
    assert_eq!(shop.status("caja")["runs_open"], serde_json::json!([]));
    for machine in ["main", "caja"] {
        let closed = |(_, state, access): &(String, String, String)| state == "ONLINE" && access != "MULTI_USER";
        let databases = shop.sql().databases(machine);
        assert!(!databases.iter().any(closed), "{databases:?}");
    }
}

/// A database that keeps no log: differentials, and the last one closes it.
#[test]
fn the_simple_recovery_model() {
    let shop = Shop::on_sqlserver();
    shop.sql().batch("main", "master", &["ALTER DATABASE [BDPdv] SET RECOVERY SIMPLE"]);
    shop.json("main", &["mirror"]).expect(0);
    for sequence in 2..4 {
        shop.sell("main", "CAJA2", 2);
        let made = shop.json("main", &["mirror"]).expect(0).json();
        assert_eq!((made["kind"].as_str(), made["sequence"].as_u64()), (Some("differential"), Some(sequence)), "{made}");
        assert_eq!(made["applied"], true, "{made}");
    }
    shop.json("caja", &["target", "verify"]).expect(0);
    shop.sell("main", "CAJA2", 1);
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.sold("caja"), shop.acknowledged());
    shop.sell("caja", "CAJA1", 2);
    let plan = shop.say("caja", "en", &["restore", "--plan"]).expect(0).out;
    assert!(plan.contains("route: detach, copy and attach"), "{plan}");
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.sold("main"), shop.acknowledged());
}

/// A trial restore of the whole chain, beside the standby; it leaves nothing.
#[test]
fn target_verify() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.json("main", &["mirror"]).expect(0);
    for _ in 0..2 {
        let verified = shop.json("caja", &["target", "verify"]).expect(0).json();
        assert_eq!(verified["targets"][0]["ok"], true, "{verified}");
        assert_eq!(shop.sql().databases("caja").len(), 1);
    }
    let paso = std::fs::read_dir(shop.path("caja", "paso")).unwrap().count();
    assert_eq!(paso, 0, "the exchange folder of the caja is empty");
}

/// The licence seats of dead terminals are freed by the store's statement, and what was removed is kept.
#[test]
fn seats_are_released_by_a_script() {
    let shop = Shop::on_sqlserver();
    let toml = shop.path("main", "store/relevo.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, text + "\n[seats]\nrelease = \"DELETE FROM Licencias OUTPUT DELETED.*\"\n").unwrap();
    shop.sql().batch("main", DATABASE, &["INSERT INTO dbo.Licencias (Caja, Desde) VALUES (N'CAJA9', N'2026-11-23')"]);
    let body = "fn run(args) { let freed = server::release_concurrency(); mirror(#{}); freed }";
    std::fs::write(shop.path("main", "store/scripts/mirror.rhai"), body).unwrap();
    let done = shop.json("main", &["mirror"]).expect(0);
    assert!(shop.sql().batch("main", DATABASE, &["SELECT Caja FROM dbo.Licencias"]).is_empty(), "{}", done.out);
    shop.json("main", &["mirror"]).expect(0);
}

/// The power fails on main in the middle of a backup of its log: nothing is lost, and the next mirror goes on.
#[test]
fn an_instance_that_dies_in_a_backup_is_mirrored_later() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 3);
    shop.sql().order("main", r#"{"abort": [{"when": "percent", "text": "BACKUP LOG", "percent": 50}]}"#);
    shop.json("main", &["mirror"]).expect(1);
    assert!(!shop.sql().is_running("main"));
    shop.sql().order("main", "");
    shop.sql().run("main");
    shop.json("main", &["mirror"]).expect(0);
    let online = |name: &str, state: &str| (name.to_owned(), state.to_owned(), "MULTI_USER".to_owned());
    assert_eq!(shop.sql().databases("main"), [online(DATABASE, "ONLINE")]);
    assert_eq!(shop.sql().databases("caja"), [online(DATABASE, "RESTORING")]);
    assert_eq!(shop.status("main")["backup"]["position"]["sequence"], 2);
}
