//! `relevo restore`, the old main that comes back, `relevo orphans`.

use crate::harness::Shop;

#[test]
fn an_old_main_is_fenced_its_tail_saved_and_refused() {
    let shop = Shop::promoted();
    shop.main_on();
    let refused = shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(refused.kind(), "superseded");
    let status = shop.status("main");
    assert_eq!(status["main"]["state"], "fenced", "{status}");
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    let folios: Vec<i64> = orphans["orphans"].as_array().unwrap().iter().map(|o| o["folio"].as_i64().unwrap()).collect();
    assert_eq!(folios, [6, 7, 8], "{orphans}");
    // and again: nothing more happens
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    assert_eq!(shop.json("main", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len(), 3);
}

#[test]
fn the_five_steps_give_main_its_post_back() {
    let shop = Shop::promoted();
    shop.main_on();
    let done = shop.json("caja", &["restore"]).expect(0).json();
    assert_eq!(
        (done["epoch"].as_u64(), done["orphans"].as_u64(), done["awaiting_start"].as_bool()),
        (Some(3), Some(3), Some(true)),
        "{done}"
    );
    let kept = done["kept"].as_str().unwrap();
    assert!(shop.path("main", "instance").join(kept).exists(), "the old database is kept as {kept}");
    // nobody may sell before main was started
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(4);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    let status = shop.status("till2");
    assert_eq!(
        (status["holder"].as_str(), status["serving"].as_str(), status["epoch"].as_u64()),
        (Some("main"), Some("main"), Some(3)),
        "{status}"
    );
    shop.json("till2", &["launch", "--program", "pospdv"]).expect(0);
    let tickets = shop.tickets(&shop.database("main"));
    assert_eq!(tickets.len(), 5 + 2 + 3, "{tickets:?}");
    let seed = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((seed["kind"].as_str(), seed["sequence"].as_u64()), (Some("full"), Some(1)), "{seed}");
    assert_eq!(shop.status("caja")["backup"]["state"], "standby");
}

#[test]
fn it_is_refused_while_somebody_operates_or_main_is_away() {
    let shop = Shop::promoted();
    assert_eq!(shop.json("caja", &["restore"]).expect(4).kind(), "main_unreachable");
    shop.main_on();
    let open = rusqlite::Connection::open(shop.database("caja")).unwrap();
    open.query_row("SELECT count(*) FROM Ventas", [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(shop.json("caja", &["restore"]).expect(4).kind(), "tills_operating");
    drop(open);
    let status = shop.status("caja");
    assert_eq!((status["holder"].as_str(), status["backup"]["state"].as_str()), (Some("backup"), Some("open")), "{status}");
    assert_eq!(status["serving"], "backup", "undo starts SvrPdv again: {status}");
    shop.json("caja", &["restore"]).expect(0);
}

#[test]
fn there_is_nothing_to_restore_while_main_holds() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    assert_eq!(shop.json("caja", &["restore"]).expect(4).kind(), "backup_does_not_hold");
    assert_eq!(shop.json("main", &["restore"]).expect(4).kind(), "not_the_backup");
}

#[test]
fn a_main_whose_disk_never_comes_back_leaves_a_gap_with_names() {
    let shop = Shop::promoted();
    shop.main_on();
    std::fs::remove_file(shop.database("main")).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(shop.path("main", "instance").join(format!("BDPdv.db{end}")));
    }
    shop.json("caja", &["restore"]).expect(0);
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    assert!(orphans["tails"][0]["gap"].is_string(), "{orphans}");
    assert_eq!(orphans["orphans"].as_array().unwrap().len(), 3, "the tills' own files know them: {orphans}");
}

/// A technician puts an old backup of the database back beside the record of a later epoch.
#[test]
fn an_older_database_put_back_on_main_does_not_serve() {
    let shop = Shop::promoted();
    shop.main_on();
    let old = std::fs::read(shop.database("caja")).unwrap();
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.stop_server("main");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(shop.path("main", "instance").join(format!("BDPdv.db{end}")));
    }
    std::fs::write(shop.database("main"), old).unwrap();
    assert_eq!(shop.status("main")["main"]["state"], "unknown");
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(4);
    assert_eq!(shop.json("main", &["doctor"]).expect(1).kind(), "doctor_found");
}
