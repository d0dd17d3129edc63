//! Detach, copy, attach.

use super::*;

fn copy(from: &Shop, to: &Shop, file: &str) {
    std::fs::copy(from.dir.join("DATA").join(file), to.dir.join(file)).unwrap();
}

fn attach_sql(shop: &Shop) -> String {
    format!(
        "CREATE DATABASE [BDPdv] ON (FILENAME=N'{}'),(FILENAME=N'{}') FOR ATTACH",
        shop.path("BDPdv.mdf"),
        shop.path("BDPdv_log.ldf")
    )
}

#[test]
fn an_offline_database_is_copied_and_attached_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let till = Shop::new(&dir, "till").with_tickets("FULL");
    let main = Shop::new(&dir, "main");
    till.sell(1);
    till.ok("ALTER DATABASE [BDPdv] SET TRUSTWORTHY ON");
    till.ok("ALTER DATABASE [BDPdv] SET OFFLINE WITH ROLLBACK IMMEDIATE");
    till.fails("SELECT * FROM BDPdv.dbo.Tickets", &[942]);
    till.fails(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}'", till.path("x.bak")), &[942, 3013]);
    copy(&till, &main, "BDPdv.mdf");
    copy(&till, &main, "BDPdv_log.ldf");
    main.ok(&attach_sql(&main));
    assert_eq!(main.folios(), "1");
    assert_eq!(main.one("SELECT is_trustworthy_on + 2 * is_broker_enabled FROM sys.databases WHERE name=N'BDPdv'"), "0");
    main.fails(&attach_sql(&main), &[1801]);
    till.ok("ALTER DATABASE [BDPdv] SET ONLINE");
    assert_eq!(till.folios(), "1");
}

#[test]
fn detach_needs_nobody_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.sell(1);
    let pos = main.connect("PosPdv");
    main.server.exec(pos, "USE BDPdv");
    let detach = "EXEC master.dbo.sp_detach_db @dbname=N'BDPdv', @skipchecks=N'true'";
    main.fails(detach, &[3703]);
    main.server.logout(pos);
    main.ok(detach);
    main.fails(detach, &[15010]);
    let data = main.dir.join("DATA").join("BDPdv.mdf").display().to_string();
    main.ok(&format!("CREATE DATABASE [BDPdv] ON (FILENAME=N'{data}') FOR ATTACH"));
    assert_eq!(main.folios(), "1");
}

#[test]
fn what_cannot_be_attached_says_why_and_the_generic_error_has_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let newer = Shop::open(dir.path().join("newer"), &options(17, "Standard")).with_tickets("FULL");
    let main = Shop::new(&dir, "main");
    main.fails(&attach_sql(&main), &[5133, 1802]);
    std::fs::write(main.dir.join("BDPdv.mdf"), b"nothing of the kind").unwrap();
    main.fails(&attach_sql(&main), &[5171, 1813]);
    newer.ok("ALTER DATABASE [BDPdv] SET OFFLINE");
    copy(&newer, &main, "BDPdv.mdf");
    copy(&newer, &main, "BDPdv_log.ldf");
    // 948 comes after 1813, and ends the session.
    main.fails(&attach_sql(&main), &[1813, 948]);

    let till = Shop::new(&dir, "till").with_tickets("FULL");
    till.full("1.bak");
    copy(&till, &main, "BDPdv.mdf");
    std::fs::remove_file(main.dir.join("BDPdv_log.ldf")).unwrap();
    // In use: neither its log nor a clean end.
    main.fails(&attach_sql(&main), &[1818, 1813]);
    till.ok("ALTER DATABASE [BDPdv] SET OFFLINE");
    copy(&till, &main, "BDPdv.mdf");
    copy(&newer, &main, "BDPdv_log.ldf");
    main.fails(&attach_sql(&main), &[5173, 1813]);
    main.order(&format!(r#"{{"system_errors": [{{"prefix": "{}", "code": 5}}]}}"#, main.path("BDPdv")));
    main.fails(&attach_sql(&main), &[5120, 1802]);
    main.order("{}");
    main.ok(&format!("CREATE DATABASE [BDPdv] ON (FILENAME=N'{}') FOR ATTACH_REBUILD_LOG", main.path("BDPdv.mdf")));
    main.fails(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}'", main.path("x.trn")), &[4214, 3013]);
    main.fails(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH DIFFERENTIAL", main.path("x.dif")), &[3035, 3013]);

    till.ok("ALTER DATABASE [BDPdv] SET ONLINE");
    till.ok(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH NORECOVERY", till.path("t.trn")));
    let other = Shop::new(&dir, "other");
    copy(&till, &other, "BDPdv.mdf");
    copy(&till, &other, "BDPdv_log.ldf");
    other.fails(&attach_sql(&other), &[1824, 1813]);
    till.fails("ALTER DATABASE [BDPdv] SET OFFLINE", &[5052, 5069]);
    till.fails("EXEC sp_detach_db N'BDPdv'", &[927]);
}

#[test]
fn an_attached_database_of_an_older_server_is_upgraded_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let old = Shop::open(dir.path().join("old"), &options(14, "Standard")).with_tickets("FULL");
    let new = Shop::new(&dir, "new");
    old.sell(1);
    old.ok("ALTER DATABASE [BDPdv] SET OFFLINE");
    copy(&old, &new, "BDPdv.mdf");
    copy(&old, &new, "BDPdv_log.ldf");
    let replies = new.ok(&attach_sql(&new));
    assert!(replies.iter().any(|reply| matches!(reply, Reply::Info(message) if message.number == 944)), "{replies:?}");
    assert_eq!(new.one("SELECT CAST(DATABASEPROPERTYEX(N'BDPdv','Version') AS int)"), "957");
    assert_eq!(new.one("SELECT compatibility_level FROM sys.databases WHERE name=N'BDPdv'"), "140");
    new.ok("ALTER DATABASE [BDPdv] SET OFFLINE");
    std::fs::copy(new.dir.join("BDPdv.mdf"), old.dir.join("B.mdf")).unwrap();
    old.fails(&format!("CREATE DATABASE [B] ON (FILENAME=N'{}') FOR ATTACH", old.path("B.mdf")), &[1813, 948]);
}
