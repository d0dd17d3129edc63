//! Backups and restores: tickets travel, and every rule of the chain has its number.

use super::*;

#[test]
fn tickets_travel_by_full_log_and_differential() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.fails(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH FORMAT", main.path("0.trn")), &[4214, 3013]);
    main.sell(1);
    main.full("1.bak");
    main.sell(2);
    main.log("2.trn");
    main.sell(3);
    main.differential("3.dif");
    main.sell(4);
    main.log("4.trn");

    till.fails(&till.log_sql(&main, "2.trn"), &[3118, 3013]);
    till.ok(&till.seed_sql(&main, "1.bak", ", STATS=5"));
    assert_eq!(till.state(), "RESTORING");
    till.fails("SELECT * FROM BDPdv.dbo.Tickets", &[927]);
    till.fails(&till.log_sql(&main, "4.trn"), &[4305, 3013]);
    till.ok(&till.log_sql(&main, "2.trn"));
    till.fails(&till.log_sql(&main, "2.trn"), &[4326, 3013]);
    till.ok(&till.differential_sql(&main, "3.dif"));
    till.ok(&till.log_sql(&main, "4.trn"));
    till.recover();
    assert_eq!(till.folios(), "1 2 3 4");
    till.fails("RESTORE DATABASE [BDPdv] WITH RECOVERY", &[3153, 3013]);
    till.fails(&till.log_sql(&main, "4.trn"), &[3117, 3013]);
    till.sell(5);
    assert_eq!(till.folios(), "1 2 3 4 5");
}

#[test]
fn roles_are_reversed_without_a_full_copy() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.sell(1);
    main.full("1.bak");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    main.sell(2);
    let tail = main.path("tail.trn");
    main.ok(&format!(
        "ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK IMMEDIATE; BACKUP LOG [BDPdv] TO DISK=N'{tail}' WITH NORECOVERY, FORMAT, CHECKSUM, STATS=5;"
    ));
    assert_eq!(main.state(), "RESTORING");
    till.ok(&till.log_sql(&main, "tail.trn"));
    till.recover();
    assert_eq!(till.one("SELECT user_access_desc FROM sys.databases WHERE name=N'BDPdv'"), "SINGLE_USER");
    till.ok("ALTER DATABASE [BDPdv] SET MULTI_USER WITH ROLLBACK IMMEDIATE");
    till.sell(3);
    till.log("back.trn");
    till.sell(4);
    till.ok(&format!(
        "ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK IMMEDIATE; BACKUP LOG [BDPdv] TO DISK=N'{}' WITH NORECOVERY, FORMAT, CHECKSUM",
        till.path("last.trn")
    ));
    main.ok(&main.log_sql(&till, "back.trn"));
    main.ok(&main.log_sql(&till, "last.trn"));
    main.recover();
    main.ok("ALTER DATABASE [BDPdv] SET MULTI_USER");
    assert_eq!(main.folios(), "1 2 3 4");
    main.sell(5);
    main.log("again.trn");
    till.ok(&till.log_sql(&main, "again.trn"));
    till.recover();
    till.ok("ALTER DATABASE [BDPdv] SET MULTI_USER");
    assert_eq!(till.folios(), "1 2 3 4 5");
}

#[test]
fn an_unfenced_main_and_a_promoted_till_part_ways() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    main.sell(1);
    main.log("1.trn");
    till.ok(&till.log_sql(&main, "1.trn"));
    till.recover();
    till.sell(10);
    till.full("till.bak");
    till.sell(11);
    till.log("till.trn");
    (20..30).for_each(|folio| main.sell(folio));
    main.log("2.trn");
    // The same LSNs, another history.
    let third = Shop::new(&dir, "third");
    third.ok(&third.seed_sql(&till, "till.bak", ""));
    third.fails(&third.log_sql(&main, "2.trn"), &[4330, 3013]);
    third.ok(&third.log_sql(&till, "till.trn"));
    third.recover();
    assert_eq!(third.folios(), "1 10 11");
    main.fails(&format!("RESTORE DATABASE [BDPdv] FROM DISK=N'{}' WITH NORECOVERY", till.path("till.bak")), &[3159, 3013]);
    main.ok(&format!("RESTORE DATABASE [BDPdv] FROM DISK=N'{}' WITH REPLACE, RECOVERY, CHECKSUM", till.path("till.bak"))
        .replace(
            ", CHECKSUM",
            &format!(", MOVE N'BDPdv' TO N'{}', MOVE N'BDPdv_log' TO N'{}'", main.path("BDPdv.mdf"), main.path("BDPdv_log.ldf")),
        ));
    assert_eq!(main.folios(), "1 10");
}
