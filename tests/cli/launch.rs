//! `relevo launch`: the test matrix, signal files, who may start what.

use crate::harness::{Options, Shop, wait_until};

#[test]
fn a_day_in_order() {
    let shop = Shop::new();
    let started = shop.json("main", &["launch", "--program", "svrpdv"]).expect(0).json();
    assert_eq!(started["started"], true, "{started}");
    assert_eq!(shop.json("main", &["launch", "--program", "svrpdv"]).expect(0).json()["started"], false);
    for till in ["caja", "till2"] {
        shop.json(till, &["launch", "--program", "pospdv"]).expect(0);
    }
    assert_eq!(shop.tickets(&shop.database("main")).len(), 5 + 3 + 3);
    // the caja is marked, the till is not, both have main's SvrBak.txt
    assert!(shop.path("caja", "pdv/PosBak.txt").exists());
    assert!(!shop.path("till2", "pdv/PosBak.txt").exists());
    assert_eq!(std::fs::read_to_string(shop.path("till2", "pdv/SvrBak.txt")).unwrap(), shop.svrbak());
}

#[test]
fn no_till_program_without_a_serving_server() {
    let shop = Shop::new();
    assert_eq!(shop.json("till2", &["launch", "--program", "pospdv"]).expect(4).kind(), "not_serving");
}

#[test]
fn a_till_program_ends_with_its_server() {
    let shop = Shop::new();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    let toml = shop.path("till2", "store/relevo.toml");
    let text = std::fs::read_to_string(&toml).unwrap().replace("'--tickets', '3', ", "");
    std::fs::write(&toml, text).unwrap();
    let mut child = shop.spawn("till2", &["launch", "--program", "pospdv"]);
    wait_until("the till sells", || shop.acknowledged().len() > 8);
    shop.stop_server("main");
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn svrpdv_is_not_started_on_a_till_nor_on_a_caja_that_does_not_hold() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    for machine in ["till2", "caja"] {
        shop.json(machine, &["launch", "--program", "svrpdv"]).expect(4);
    }
}

#[test]
fn a_backup_licence_on_main_and_none_on_the_caja_are_refused() {
    let shop = Shop::with(&Options { licence: Some("0000001000".to_owned()), ..Options::default() });
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.json("caja", &["launch", "--program", "pospdv"]).expect(4);
    let verdict = shop.status("caja")["verdict"].clone();
    assert_eq!((verdict["ok"].as_bool(), verdict["row"].as_str()), (Some(false), Some("backup")), "{verdict}");
}

#[test]
fn main_down_offers_the_promote_and_nobody_to_ask_is_a_no() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("caja", &["launch", "--program", "pospdv"]).expect(4);
    shop.main_off();
    let refused = shop.say("caja", "es", &["launch", "--program", "pospdv"]).expect(4);
    assert!(refused.err.contains("relevo promote"), "{}", refused.err);
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(4);
}

#[test]
fn after_a_promote_the_tills_find_the_backup() {
    let shop = Shop::new();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(0);
    shop.json("main", &["mirror"]).expect(0);
    shop.json("caja", &["setup"]).expect(0);
    shop.stop_server("main");
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    for till in ["caja", "till2"] {
        shop.json(till, &["launch", "--program", "pospdv"]).expect(0);
    }
    let status = shop.status("till2");
    assert_eq!((status["holder"].as_str(), status["epoch"].as_u64()), (Some("backup"), Some(2)), "{status}");
    // the caja was switched off and on: launch starts SvrPdv again by itself
    shop.stop_server("caja");
    shop.json("caja", &["launch", "--program", "pospdv"]).expect(0);
    assert_eq!(shop.status("caja")["serving"], "backup");
}

#[test]
fn a_bad_svrbak_never_replaces_a_good_one() {
    let shop = Shop::new();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(0);
    std::fs::write(shop.path("main", "pdv/SvrBak.txt"), "principal=\r\n???\r\n").unwrap();
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(0);
    assert_eq!(std::fs::read_to_string(shop.path("till2", "pdv/SvrBak.txt")).unwrap(), shop.svrbak());
}

#[test]
fn both_forms_and_encodings_of_svrbak_are_read() {
    let shop = Shop::new();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    let (main, backup) = (shop.path("main", "instance"), shop.path("caja", "instance"));
    let bare = format!("{}\n{}\n", backup.display(), main.display());
    let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(bare.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for bytes in [
        bare.clone().into_bytes(),
        utf16,
        format!("\u{feff}RESPALDO = {}\r\nPrincipal={}", backup.display(), main.display()).into_bytes(),
    ] {
        std::fs::write(shop.path("main", "pdv/SvrBak.txt"), bytes).unwrap();
        shop.json("caja", &["launch", "--program", "pospdv"]).expect(0);
        assert!(shop.path("caja", "pdv/PosBak.txt").exists());
    }
}

/// Found by the random shop: main's launch said "a role change is in progress" and sent people to a restore that was refused.
#[test]
fn a_main_whose_disk_was_lost_says_so_and_how_to_go_on_selling() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.stop_server("caja");
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.json("main", &["mirror"]).expect(0);
    shop.stop_server("main");
    std::fs::remove_dir_all(shop.path("main", "instance")).unwrap();
    std::fs::create_dir_all(shop.path("main", "instance")).unwrap();
    let refused = shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(refused.kind(), "database_behind");
    assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("relevo promote"), "{}", refused.out);
    assert_eq!(shop.json("main", &["mirror"]).expect(11).kind(), "database_behind");
    shop.json("caja", &["promote"]).expect(0);
}

/// Found by the random shop: the caja's launch beside an unfinished restore said that the database is not open, and nothing to do.
#[test]
fn a_caja_whose_restore_was_cut_short_is_told_to_finish_it() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.stop_server("caja");
    let order = ("RELEVO_TEST_CRASH_AT", "database.incoming:before");
    let killed = crate::harness::ran(shop.command("caja", &["--json", "restore"]).env(order.0, order.1));
    assert_eq!(killed.code, 137, "{}{}", killed.out, killed.err);
    let refused = shop.json("caja", &["launch", "--program", "pospdv"]).expect(10);
    assert_eq!(refused.kind(), "role_change_open");
    assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("relevo resume"), "{}", refused.out);
    shop.json("caja", &["resume"]).expect(0);
}
