//! `relevo mirror`

use crate::harness::{Options, Shop};

#[test]
fn seed_increment_skip_and_what_status_says() {
    let shop = Shop::new();
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(
        (seed["kind"].as_str(), seed["sequence"].as_u64(), seed["applied"].as_bool()),
        (Some("full"), Some(1), Some(true)),
        "{seed}"
    );
    let standby = std::fs::metadata(shop.database("caja")).unwrap().len();
    assert_eq!(seed["pages"].as_u64(), Some(standby / 4096), "{seed}");
    shop.sell("main", "CAJA2", 3);
    let increment = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((increment["kind"].as_str(), increment["sequence"].as_u64()), (Some("increment"), Some(2)), "{increment}");
    assert!(increment["bytes"].as_u64() < seed["bytes"].as_u64());
    // a raw increment is 20 bytes and, for each page, its number and its content
    let pages = increment["pages"].as_u64().unwrap();
    assert_eq!(increment["raw_bytes"].as_u64(), Some(20 + pages * (4 + 4096)), "{increment}");
    let skip = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(skip["kind"], "skip");

    let status = shop.status("main");
    assert_eq!((status["holder"].as_str(), status["epoch"].as_u64()), (Some("main"), Some(1)), "{status}");
    assert_eq!(status["main"]["state"], "open");
    assert_eq!(status["backup"]["state"], "standby");
    assert_eq!(status["backup"]["position"]["sequence"], 2);
    assert!(status["mirror"]["verified_age_s"].is_u64());
    assert_eq!(status["runs_open"], serde_json::json!([]));
}

#[test]
fn plan_changes_nothing() {
    let shop = Shop::new();
    shop.json("main", &["mirror", "--plan"]).expect(0);
    let listed = shop.json("main", &["target", "list"]).expect(0).json();
    assert_eq!(listed["targets"][0]["copies"], serde_json::json!([]));
    assert!(!shop.database("caja").exists());
}

#[test]
fn the_caja_applies_and_notes_the_age() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let applied = shop.json("caja", &["mirror"]).expect(0).json();
    assert_eq!(applied["verified"], true, "{applied}");
    let fecbak = std::fs::read_to_string(shop.path("caja", "pdv/FecBak.txt")).unwrap();
    assert!(fecbak.contains('T') && fecbak.trim().len() >= 25, "{fecbak}");
}

#[test]
fn a_till_does_not_mirror_and_a_licence_is_needed() {
    let shop = Shop::new();
    assert_eq!(shop.json("till2", &["mirror"]).expect(4).kind(), "not_on_a_till");
    let shop = Shop::with(&Options { licence: Some("0000000100".to_owned()), ..Options::default() });
    assert_eq!(shop.json("main", &["mirror"]).expect(4).kind(), "mirror_not_authorised");
}

#[test]
fn target_list_verify_get() {
    let shop = Shop::new();
    let empty = shop.say("caja", "es", &["target", "verify"]).expect(0);
    assert!(empty.out.contains("todavía no hay copias"), "{}", empty.out);
    assert_eq!(shop.json("caja", &["target", "verify", "otro"]).expect(3).kind(), "unknown_target");
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.json("main", &["mirror"]).expect(0);
    let listed = shop.json("caja", &["target", "list"]).expect(0).json();
    let copies = listed["targets"][0]["copies"].as_array().unwrap().clone();
    assert_eq!(copies.len(), 2);
    let verified = shop.json("caja", &["target", "verify"]).expect(0).json();
    assert_eq!(verified["targets"][0]["ok"], true, "{verified}");
    let file = shop.path("caja", "restored.db");
    let name = copies[0]["name"].as_str().unwrap();
    shop.json("caja", &["target", "get", name, &file.display().to_string()]).expect(0);
    assert_eq!(shop.tickets(&file).len(), 5);
}

#[test]
fn a_damaged_copy_is_named_and_the_next_mirror_begins_a_new_chain() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let folder = shop.path("caja", "copias/0142");
    let content = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "zst"))
        .unwrap();
    let mut bytes = std::fs::read(&content).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    std::fs::write(&content, bytes).unwrap();
    let failed = shop.json("caja", &["target", "verify"]).expect(1);
    assert_eq!(failed.kind(), "target_damaged");
    let full = shop.json("main", &["mirror", "--full"]).expect(0).json();
    assert_eq!((full["kind"].as_str(), full["sequence"].as_u64()), (Some("full"), Some(2)), "{full}");
}

fn with_two_targets() -> Shop {
    let shop = Shop::new();
    for (machine, ..) in crate::harness::MACHINES {
        let toml = shop.path(machine, "store/relevo.toml");
        let text = std::fs::read_to_string(&toml).unwrap();
        let second = shop.path("caja", "copias2");
        let text = text.replace("targets = [\"local\"]", "targets = [\"local\", \"otro\"]");
        std::fs::write(&toml, format!("{text}\n[targets.otro]\nkind = \"dir\"\npath = '{}'\n", second.display())).unwrap();
    }
    shop
}

#[test]
fn several_targets_get_every_copy_and_the_next_one_serves_when_one_is_lost() {
    let shop = with_two_targets();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.json("main", &["mirror"]).expect(0);
    let listed = shop.json("main", &["target", "list"]).expect(0).json();
    let counts: Vec<usize> =
        listed["targets"].as_array().unwrap().iter().map(|t| t["copies"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [2, 2]);
    // the standby and the first target are lost: the second one is enough
    std::fs::remove_dir_all(shop.path("caja", "copias")).unwrap();
    std::fs::remove_dir_all(shop.path("caja", "instance")).unwrap();
    std::fs::create_dir_all(shop.path("caja", "instance")).unwrap();
    let applied = shop.json("caja", &["mirror"]).expect(0).json();
    assert_eq!((applied["verified"].as_bool(), applied["sequence"].as_u64()), (Some(true), Some(2)), "{applied}");
}

#[test]
fn the_cajas_next_verb_notes_the_age_of_what_main_applied() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    assert!(!shop.path("caja", "pdv/FecBak.txt").exists());
    shop.json("caja", &["setup"]).expect(0);
    assert!(shop.path("caja", "pdv/FecBak.txt").exists());
}

#[test]
fn a_plan_says_which_copy_and_why() {
    let shop = Shop::new();
    let first = shop.say("main", "es", &["mirror", "--plan"]).expect(0);
    assert!(first.out.contains("copia completa"), "{}", first.out);
    shop.json("main", &["mirror"]).expect(0);
    let second = shop.say("main", "en", &["mirror", "--plan"]).expect(0);
    assert!(second.out.contains("increment 2"), "{}", second.out);
    assert_eq!(shop.json("till2", &["mirror", "--plan"]).expect(4).kind(), "not_on_a_till");
}

#[test]
fn an_emptied_target_does_not_leave_the_standby_behind() {
    let shop = Shop::new();
    for _ in 0..3 {
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 2);
    }
    std::fs::remove_dir_all(shop.path("caja", "copias/0142")).unwrap();
    // A number that is used again would look older than the standby, which would then stay where it is.
    let full = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((full["sequence"].as_u64(), full["applied"].as_bool()), (Some(4), Some(true)), "{full}");
    assert_eq!(shop.status("main")["backup"]["position"]["sequence"], 4);
}

#[test]
fn a_strange_name_on_the_target_does_not_stop_the_mirror() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let folder = shop.path("caja", "copias/0142");
    std::fs::write(folder.join("e000001-s18446744073709551615-full.json"), "{}").unwrap();
    shop.sell("main", "CAJA2", 2);
    let next = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((next["sequence"].as_u64(), next["applied"].as_bool()), (Some(2), Some(true)), "{next}");
}

/// A main whose disk spoils its database is mirrored as it is: the copies from before the damage must outlive that.
#[test]
fn no_older_chain_goes_while_mains_database_is_damaged() {
    use std::io::{Seek, SeekFrom, Write};
    let shop = Shop::new();
    for _ in 0..2 {
        shop.json("main", &["mirror", "--full"]).expect(0);
        shop.sell("main", "CAJA2", 1);
    }
    let database = shop.database("main");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |r| r.get::<_, u32>(0)).unwrap().into();
    let (page, size): (u64, u64) =
        (number("SELECT rootpage FROM sqlite_schema WHERE name = 'Articulos'"), number("PRAGMA page_size"));
    drop(connection);
    let mut file = std::fs::File::options().write(true).open(&database).unwrap();
    file.seek(SeekFrom::Start((page - 1) * size + 3)).unwrap();
    file.write_all(&[0x7F, 0xFF]).unwrap();
    drop(file);
    assert_eq!(shop.json("main", &["mirror", "--full"]).expect(1).kind(), "source_damaged");
    let fulls = shop.json("main", &["target", "list"]).expect(0).out.matches("-full\"").count();
    assert_eq!(fulls, 3, "the two from before and the one that was just made");
    let doctor = shop.json("main", &["doctor"]);
    assert!(doctor.out.contains("the database is damaged"), "{}", doctor.out);
}

/// Ten thousand copies on a share that answers slowly: what is asked of it must not grow with every decision.
#[test]
fn a_mirror_lists_each_target_once() {
    let shop = with_two_targets();
    let copies: u64 = 8;
    for _ in 0..copies {
        shop.sell("main", "CAJA2", 1);
        shop.json("main", &["mirror"]).expect(0);
    }
    for verb in ["mirror", "status"] {
        let ran = shop.json_with("main", &["-v", verb], &[("NO_COLOR", "1")]).expect(0);
        let operations: Vec<&str> = ran.err.lines().filter(|line| line.contains("operations")).collect();
        assert_eq!(operations.len(), 2, "{}", ran.err);
        for line in operations {
            let count = |name: &str| -> u64 {
                let rest = line.split(&format!(" {name}=")).nth(1).unwrap_or_else(|| panic!("{name}: {line}"));
                rest.split(' ').next().unwrap().parse().unwrap()
            };
            assert_eq!(count("list"), 1, "{verb}: {line}");
            assert!(count("get") <= copies + 1, "{verb}: {line}");
            assert_eq!(count("remove"), 0, "{line}");
        }
    }
}
