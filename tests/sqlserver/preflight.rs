//! What the servers lack and what others do to them, as people and programs are told; logins, and what scripts may ask.

use crate::harness::{DATABASE, Kind, Options, Shop};

#[test]
fn a_newer_backup_server_is_refused_everywhere() {
    let kinds = [Kind::default(), Kind { major: 16, ..Kind::default() }];
    let shop = Shop::with(&Options { sqlserver: Some(kinds), ..Options::default() });
    let doctor = shop.json("main", &["doctor"]).expect(1).json();
    let found = doctor["findings"].as_array().unwrap().iter().find(|found| found["code"] == "backup_newer").unwrap().clone();
    assert_eq!((found["severity"].as_str(), found["server"].as_str()), (Some("error"), Some("backup")), "{found}");
    assert!(found["remedy"].as_str().is_some_and(|words| !words.is_empty()));
    for lang in ["es", "en"] {
        let said = shop.say("caja", lang, &["doctor"]);
        assert!(said.out.contains("→") && said.out.contains("16.0"), "{}", said.out);
        let status = shop.say("caja", lang, &["status"]).expect(0);
        assert!(status.out.contains("✗") && status.out.contains("16.0"), "{}", status.out);
    }
    for (machine, verb) in [("main", "setup"), ("caja", "setup"), ("main", "mirror"), ("caja", "mirror"), ("caja", "promote")] {
        let refused = shop.json(machine, &[verb]);
        assert_eq!((refused.code, refused.kind().as_str()), (4, "backup_newer"), "{verb}: {}", refused.out);
    }
    assert!(shop.sql().databases("caja").is_empty(), "nothing was changed");
    assert_eq!(shop.sql().databases("main").len(), 1);
}

#[test]
fn a_sound_store_has_no_errors() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["setup"]).expect(0);
    shop.json("main", &["mirror"]).expect(0);
    let doctor = shop.json("main", &["doctor"]).expect(0).json();
    let findings = doctor["findings"].as_array().unwrap();
    assert!(findings.iter().all(|found| found["severity"] != "error"), "{doctor}");
    assert!(!shop.say("main", "en", &["status"]).expect(0).out.contains("relevo doctor"));
}

#[test]
fn logins_follow_and_no_secret_is_told() {
    let shop = Shop::on_sqlserver();
    let done = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(done["logins"]["created"], serde_json::json!(["guiones"]), "{done}");
    let secrets = "SELECT password_hash, sid FROM sys.sql_logins WHERE name=N'guiones'";
    let [main, caja] = ["main", "caja"].map(|machine| shop.sql().batch(machine, "master", &[secrets]));
    assert_eq!(main, caja);
    shop.sql().batch("main", "master", &["ALTER LOGIN [guiones] WITH PASSWORD=N'Nueva-2'"]);
    let changed = shop.json("caja", &["-v", "mirror"]).expect(0);
    assert_eq!(changed.json()["logins"]["changed"], serde_json::json!(["guiones"]), "{}", changed.out);
    let again = shop.json("main", &["-v", "mirror"]).expect(0);
    assert_eq!(again.json()["logins"]["changed"], serde_json::json!([]));
    let mut told = vec![done.to_string(), changed.out, changed.err, again.out, again.err];
    for machine in ["main", "caja"] {
        for file in files(&shop.path(machine, "store")) {
            told.push(String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned());
        }
    }
    let [now, _] = ["main", "caja"].map(|machine| shop.sql().batch(machine, "master", &[secrets]));
    for secret in main[0].iter().chain(&now[0]) {
        let hex = secret.as_str().unwrap().trim_start_matches("0x").to_lowercase();
        assert!(hex.len() >= 32 && told.iter().all(|words| !words.to_lowercase().contains(&hex)), "{hex} was told");
    }
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn who_else_backed_main_up_is_told_in_both_languages() {
    let shop = Shop::on_sqlserver();
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(seed["others"], serde_json::json!([]), "{seed}");
    let file = shop.path("main", "paso").join("otro.trn").display().to_string();
    let elsewhere = format!("BACKUP LOG [{DATABASE}] TO DISK=N'{file}' WITH NAME=N'Veeam', FORMAT");
    shop.sell("main", "CAJA2", 2);
    shop.sql().batch("main", "master", &[&elsewhere]);
    shop.sell("main", "CAJA2", 2);
    let bridged = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((bridged["kind"].as_str(), bridged["applied"].as_bool()), (Some("differential"), Some(true)), "{bridged}");
    for lang in ["es", "en"] {
        let words = bridged["others"][0][lang].as_str().unwrap();
        assert!(words.contains("sa,") && words.contains(&file), "{words}");
    }
    shop.sell("main", "CAJA2", 1);
    shop.sql().batch("main", "master", &[&elsewhere.replace("otro.trn", "otro2.trn")]);
    let said = shop.say("main", "es", &["mirror"]).expect(0);
    assert!(said.err.contains("otro programa se llevó parte del registro (sa,") || said.out.contains("(sa,"), "{said:?}");
}

/// Main's computer takes connections and says nothing, as a hung one does. Who looks waits about as long as one connection may take.
#[test]
fn a_hung_main_is_waited_for_once() {
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    let port = shop.sql().port("main");
    shop.main_off();
    let _silent = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::scope(|scope| {
        for words in [&["status"][..], &["launch", "--program", "pospdv"]] {
            let shop = &shop;
            scope.spawn(move || {
                let began = std::time::Instant::now();
                let ran = shop.say("till2", "en", words);
                let took = began.elapsed().as_secs_f64();
                // The default of `connect_timeout` is 5 s.
                assert!((5.0..9.0).contains(&took), "{words:?}: {took} s\n{}{}", ran.out, ran.err);
            });
        }
    });
}
