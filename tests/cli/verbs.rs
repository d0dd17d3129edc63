//! The other verbs: init, doctor, setup, runs, secret, api, completions; and what they say in both languages.

use std::io::Write;
use std::process::Stdio;

use crate::harness::{Shop, bare, ran};

#[test]
fn init_writes_what_check_and_doctor_accept() {
    let temp = tempfile::tempdir().unwrap();
    for role in ["main", "backup", "till"] {
        let dir = temp.path().join(role);
        ran(bare().arg("--store").arg(&dir).args(["init", "--role", role])).expect(0);
        ran(bare().arg("--store").arg(&dir).arg("check")).expect(0);
        ran(bare().arg("--store").arg(&dir).args(["--json", "status"])).expect(0);
        // again: nothing is overwritten
        std::fs::write(dir.join("scripts/mirror.rhai"), "// mine").unwrap();
        ran(bare().arg("--store").arg(&dir).args(["init", "--role", role])).expect(0);
        assert_eq!(std::fs::read_to_string(dir.join("scripts/mirror.rhai")).unwrap(), "// mine");
    }
}

#[test]
fn setup_writes_the_signal_files_with_a_pin() {
    let shop = Shop::new();
    std::fs::remove_file(shop.path("main", "pdv/SvrBak.txt")).unwrap();
    // the first PIN is set by whoever sets the store up, but the signal files already need it
    shop.fed("main", "4321", &["setup", "--new-pin-fd", "0"]).expect(4);
    assert!(!shop.path("main", "pdv/SvrBak.txt").exists());
    shop.with_pin("main", "1234", &["setup"]).expect(4);
    let out = shop.with_pin("main", "4321", &["setup", "--valid-until", "2030-01-31"]).expect(0).out;
    assert!(std::fs::read_to_string(shop.path("main", "pdv/SvrBak.txt")).unwrap().contains("principal="));
    assert!(std::fs::read_to_string(shop.path("main", "pdv/VecBak.txt")).unwrap().contains("2030"));
    shop.json("caja", &["setup"]).expect(0);
    assert!(shop.path("caja", "pdv/PosBak.txt").exists());
    assert!(!out.contains("4321"));
    let journal = std::fs::read(shop.path("main", "store/state/journal.db")).unwrap();
    assert!(!journal.windows(4).any(|w| w == b"4321"), "the PIN is not in the journal");
}

#[test]
fn secrets_are_listed_by_name_and_never_shown() {
    let shop = Shop::new();
    let mut child =
        shop.command("main", &["secret", "set", "main"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"s3creto!\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("s3creto"));
    assert_eq!(shop.json("main", &["secret", "list"]).expect(0).json()["names"], serde_json::json!(["main"]));
    shop.json("main", &["secret", "remove", "main"]).expect(0);
    shop.json("main", &["secret", "remove", "main"]).expect(3);
}

#[test]
fn doctor_finds_what_is_wrong() {
    let shop = Shop::new();
    shop.json("main", &["doctor"]).expect(0);
    std::fs::remove_dir_all(shop.path("till2", "pdv")).unwrap();
    let failed = shop.say("till2", "es", &["doctor"]);
    assert_eq!(failed.code, 1, "{}{}", failed.out, failed.err);
    assert!(failed.out.contains("pdv"), "{}", failed.out);
}

#[test]
fn runs_are_listed_and_shown() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let runs = shop.json("main", &["runs"]).expect(0).json();
    let id = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!((runs["runs"][0]["verb"].as_str(), runs["runs"][0]["state"].as_str()), (Some("mirror"), Some("done")));
    let shown = shop.say("main", "en", &["runs", "show", &id]).expect(0);
    assert!(shown.out.contains("mirror") && shown.out.contains("succeeded"), "{}", shown.out);
    shop.json("main", &["runs", "cancel", &id]).expect(4);
    shop.json("main", &["resume"]).expect(1);
}

#[test]
fn api_and_completions() {
    let shop = Shop::new();
    shop.json("main", &["api"]).expect(0);
    assert!(std::fs::read_to_string(shop.path("main", "store/scripts/api.d.rhai")).unwrap().contains("mirror"));
    assert!(ran(bare().args(["completions", "powershell"])).expect(0).out.contains("relevo"));
}

/// What people see on a quiet day, in both languages; times and paths are left out.
#[test]
fn status_in_both_languages() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let dir = shop.dir.display().to_string();
    let clean = |text: String| -> String {
        let text = text.replace(&dir, "TIENDA").replace('\\', "/");
        text.lines()
            .map(|l| if l.contains("verif") { l.split(':').next().unwrap_or_default() } else { l })
            .collect::<Vec<_>>()
            .join("\n")
    };
    let both: Vec<String> = ["es", "en"].iter().map(|lang| clean(shop.say("main", lang, &["status"]).expect(0).out)).collect();
    insta::assert_snapshot!(both.join("\n---\n"));
}

/// The contract that programs rely on: these keys, no others, unknown values null and never absent.
#[test]
fn the_keys_of_status() {
    let shop = Shop::new();
    let keys = |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let check = |status: &serde_json::Value| {
        assert_eq!(
            keys(status),
            [
                "store",
                "machine",
                "role",
                "holder",
                "serving",
                "epoch",
                "verdict",
                "main",
                "backup",
                "mirror",
                "licence",
                "runs_open",
                "bundle"
            ]
        );
        assert_eq!(keys(&status["verdict"]), ["ok", "row", "code", "message"]);
        for side in ["main", "backup"] {
            assert_eq!(keys(&status[side]), ["instance", "reachable", "state", "position"]);
        }
        assert_eq!(keys(&status["mirror"]), ["last_at", "age_s", "position", "verified_at", "verified_age_s"]);
        assert_eq!(keys(&status["licence"]), ["mirror", "backup"]);
    };
    let before = shop.status("till2");
    check(&before);
    assert!(before["mirror"]["last_at"].is_null() && before["serving"].is_null() && before["main"]["position"].is_null());
    shop.json("main", &["mirror"]).expect(0);
    let after = shop.status("main");
    check(&after);
    assert_eq!(keys(&after["backup"]["position"]), ["database", "epoch", "sequence", "root"]);
    let at = after["mirror"]["verified_at"].as_str().unwrap();
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
}
