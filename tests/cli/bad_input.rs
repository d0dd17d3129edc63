//! Bad input gets a clear error and changes nothing.

use crate::harness::{Shop, bare, ran};

fn edited(edit: impl Fn(String) -> String) -> Shop {
    let shop = Shop::new();
    let path = shop.path("main", "store/relevo.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, edit(text)).unwrap();
    shop
}

#[test]
fn misspelt_keys_are_named_with_the_nearest_right_one() {
    let shop = edited(|t| t.replace("keep_chains", "keep_chain"));
    let failed = shop.json("main", &["status"]).expect(3).json();
    let error = failed["error"].to_string();
    assert!(error.contains("keep_chain") && error.contains("keep_chains") && error.contains("mirror"), "{error}");
    let spanish = shop.say("main", "es", &["status"]).expect(3);
    assert!(spanish.err.contains("keep_chains"), "{}", spanish.err);
}

#[test]
fn settings_that_cannot_work() {
    for (from, to, kind) in [
        ("name = \"PRINCIPAL\"", "name = \"\"", "config_invalid"),
        ("targets = [\"local\"]", "targets = [\"locl\"]", "unknown_target"),
        ("keep_chains = 2", "keep_chains = 0", "config_invalid"),
        ("interval = \"5m\"", "interval = \"soon\"", "config_invalid"),
    ] {
        let shop = edited(|t| t.replace(from, to));
        let ran = shop.json("main", &["mirror"]).expect(3);
        assert_eq!(ran.kind(), kind, "{to}: {}", ran.out);
    }
}

#[test]
fn mixed_engines_and_disagreeing_names() {
    let shop = edited(|t| t.replacen("engine = \"embedded\"", "engine = \"sqlserver\"", 1));
    assert_eq!(shop.json("main", &["status"]).expect(3).kind(), "mixed_engines");
    let shop = Shop::new();
    std::fs::write(shop.path("main", "pdv/SvrBak.txt"), "principal=OTRO\r\nrespaldo=CAJA9\r\n").unwrap();
    let failed = shop.json("till2", &["launch", "--program", "pospdv"]).expect(3);
    assert_eq!(failed.kind(), "instances_disagree");
    assert!(failed.json()["error"].to_string().contains("OTRO"));
}

#[test]
fn no_store_here() {
    let empty = tempfile::tempdir().unwrap();
    let failed = ran(bare().args(["--json", "--lang", "en", "--store"]).arg(empty.path()).arg("status")).expect(3);
    assert_eq!(failed.kind(), "config_missing");
    assert!(failed.json()["error"]["hint"].as_str().unwrap().contains("relevo init"));
}

#[test]
fn usage_is_exit_2() {
    assert_eq!(ran(bare().arg("promot")).code, 2);
    assert_eq!(ran(bare().args(["promote", "--accept-loss"])).code, 2);
}

#[test]
fn a_second_role_change_names_who_holds_the_lock() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    let world = relevo::world::real();
    let lock = world.try_lock(&shop.path("caja", "store/state/role.lock")).unwrap().unwrap();
    std::fs::write(shop.path("caja", "store/state/role.json"), r#"{"what":"promote","pid":4711,"since":"10:43"}"#).unwrap();
    let failed = shop.json("caja", &["promote"]).expect(10);
    assert_eq!(failed.kind(), "busy");
    assert!(failed.json()["error"]["message"].as_str().unwrap().contains("4711"));
    drop(lock);
    shop.json("caja", &["promote"]).expect(0);
}
