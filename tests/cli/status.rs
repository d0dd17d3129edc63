//! `relevo status`: it answers whatever else hangs.

use std::time::{Duration, Instant};

use crate::harness::Shop;

/// Found by the random shop: beside a role change that hung while it had the database for itself, `status` took 40 seconds.
#[test]
fn it_answers_beside_a_role_change_that_hangs() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let alone = rusqlite::Connection::open(shop.database("main")).unwrap();
    alone.execute_batch("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE").unwrap();
    let began = Instant::now();
    let status = shop.status("caja");
    assert_eq!((status["holder"].as_str(), status["epoch"].as_u64()), (Some("main"), Some(1)), "{status}");
    assert!(began.elapsed() < Duration::from_secs(8), "status took {:?}", began.elapsed());
}
