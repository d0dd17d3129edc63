//! Customised scripts through the real binary: what breaks them, what they can and cannot do.

use crate::harness::Shop;

fn with_script(name: &str, body: &str) -> Shop {
    let shop = Shop::new();
    std::fs::write(shop.path("main", "store/scripts").join(name), body).unwrap();
    shop
}

#[test]
fn scripts_that_never_end_or_reach_outside() {
    for (body, kind) in [
        ("fn run(args) { loop {} }", "script_limit"),
        ("fn f(n) { f(n + 1) } fn run(args) { f(0) }", "script_limit"),
        ("fn run(args) { let s = \"x\"; loop { s += s; } }", "script_limit"),
        ("import \"mirror\" as m; fn run(args) { m::run(args) }", "script_error"),
        ("import \"../../outside\" as o; fn run(args) { o::run(args) }", "script_error"),
        ("fn run(args) { mirror(#{ ful: true }) }", "unknown_option"),
    ] {
        let shop = with_script("mirror.rhai", body);
        let failed = shop.json("main", &["mirror"]).expect(3);
        assert!(!failed.kind().is_empty(), "{body}");
        if kind != "script_error" {
            assert_eq!(failed.kind(), kind, "{body}: {}", failed.out);
        }
        assert!(!shop.database("caja").exists(), "{body}: nothing was done");
    }
}

#[test]
fn check_shows_the_place_and_the_remedy() {
    let shop = with_script("mirror.rhai", "fn run(args) {\n    miror(#{});\n    mirror(#{ fulll: true })\n}\n");
    let failed = shop.say("main", "es", &["check"]).expect(3);
    assert!(failed.out.contains("mirror.rhai:2:5") && failed.out.contains("fulll"), "{}\n{}", failed.out, failed.err);
    shop.json("caja", &["check"]).expect(0);
}

#[test]
fn files_stay_below_their_roots() {
    let body = "fn run(args) { files::write(\"datos:nota.txt\", \"hola\"); files::write(\"datos:../fuera.txt\", \"no\"); }";
    let shop = with_script("mirror.rhai", body);
    let toml = shop.path("main", "store/relevo.toml");
    let root = shop.path("main", "datos");
    std::fs::create_dir_all(&root).unwrap();
    let text = format!("{}\n[files]\ndatos = '{}'\n", std::fs::read_to_string(&toml).unwrap(), root.display());
    std::fs::write(&toml, text).unwrap();
    assert_eq!(shop.json("main", &["mirror"]).expect(3).kind(), "path_refused");
    assert_eq!(std::fs::read_to_string(root.join("nota.txt")).unwrap(), "hola");
    assert!(!shop.path("main", "fuera.txt").exists());
}

#[test]
fn statements_of_a_script_never_touch_the_record() {
    let body = "fn run(args) { server::execute(\"DELETE FROM relevo_epoch\", []); }";
    let shop = with_script("mirror.rhai", body);
    let failed = shop.json("main", &["mirror"]);
    assert_ne!(failed.code, 0, "{}", failed.out);
    let body = "fn run(args) { server::execute(\"DELETE FROM Licencias WHERE Caja = ?\", [\"CAJA9\"]); server::query(\"SELECT count(*) AS n FROM Ventas\", []) }";
    std::fs::write(shop.path("main", "store/scripts/mirror.rhai"), body).unwrap();
    shop.json("main", &["mirror"]).expect(0);
}

#[test]
fn promote_is_refused_inside_a_launch() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    std::fs::write(shop.path("caja", "store/scripts/startup.rhai"), "fn run(args) { promote(#{}) }").unwrap();
    assert_eq!(shop.json("caja", &["launch", "--program", "pospdv"]).expect(3).kind(), "not_inside_launch");
    assert_eq!(shop.status("caja")["epoch"], 1);
}

/// What the reference says a primitive returns is what it returns.
#[test]
fn results_have_the_keys_of_the_reference() {
    let shop = Shop::new();
    let keys = |name: &str| -> Vec<&str> { relevo::script::api::find(name).unwrap().fields.iter().map(|f| f.name).collect() };
    let has = |value: &serde_json::Value, name: &str| {
        for key in keys(name) {
            assert!(value.get(key).is_some(), "{name} lacks {key}: {value}");
        }
    };
    has(&shop.json("main", &["mirror"]).expect(0).json(), "mirror");
    has(&shop.json("caja", &["mirror"]).expect(0).json(), "mirror");
    let body = "fn run(args) { #{ epoch: store::epoch(), in_use: store::in_use(), probe: server::probe(\"main\"),
        verdict: store::verdict(#{ program: \"svrpdv\" }), status: service::status(\"svrpdv\"), verify: target::verify(\"local\"),
        seats: server::release_concurrency(), fetch: store::fetch_signals(), marker: store::sync_marker(), targets: target::list() } }";
    std::fs::write(shop.path("main", "store/scripts/mirror.rhai"), body).unwrap();
    let all = shop.json("main", &["mirror"]).expect(0).json();
    for (key, name) in [
        ("epoch", "store::epoch"),
        ("in_use", "store::in_use"),
        ("probe", "server::probe"),
        ("verdict", "store::verdict"),
        ("status", "service::status"),
        ("verify", "target::verify"),
        ("seats", "server::release_concurrency"),
        ("fetch", "store::fetch_signals"),
        ("marker", "store::sync_marker"),
    ] {
        has(&all[key], name);
    }
    has(&all["targets"][0], "target::list");
    shop.sell("main", "CAJA2", 1);
    shop.main_off();
    has(&shop.json("caja", &["promote"]).expect(0).json(), "promote");
    shop.main_on();
    has(&shop.json("caja", &["restore"]).expect(0).json(), "restore");
}
