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
fn a_day_with_a_failure_and_back() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    for till in ["caja", "till2"] {
        shop.json(till, &["launch", "--program", "pospdv"]).expect(0);
    }
    assert_eq!(shop.sold("main").len(), 5 + 3 + 3);
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 3);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    for till in ["caja", "till2"] {
        shop.json(till, &["launch", "--program", "pospdv"]).expect(0);
    }
    shop.stop_server("caja");
    shop.main_on();
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.sold("main").len(), 11 + 6);
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
