//! The rules of BACKUP and RESTORE, each with its numbers.

use super::*;

#[test]
fn a_simple_database_has_no_log_to_back_up() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("SIMPLE");
    let till = Shop::new(&dir, "till");
    main.fails(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}'", main.path("x.trn")), &[4208, 3013]);
    main.fails(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH DIFFERENTIAL", main.path("x.dif")), &[3035, 3013]);
    main.sell(1);
    main.full("1.bak");
    main.sell(2);
    main.differential("2.dif");
    main.sell(3);
    main.differential("3.dif");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    till.ok(&till.differential_sql(&main, "2.dif"));
    till.ok(&till.differential_sql(&main, "3.dif"));
    till.fails(&till.differential_sql(&main, "2.dif"), &[3120, 3013]);
    // A copy does not move the base, a full backup does.
    main.ok(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH COPY_ONLY, FORMAT", main.path("copy.bak")));
    main.sell(4);
    main.differential("4.dif");
    till.ok(&till.differential_sql(&main, "4.dif"));
    main.full("5.bak");
    main.differential("5.dif");
    till.fails(&till.differential_sql(&main, "5.dif"), &[3136, 3013]);
    till.recover();
    assert_eq!(till.folios(), "1 2 3 4");
}

#[test]
fn a_chain_ends_with_simple_and_begins_with_a_full_backup() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let begins = |file: &str| main.rows(&format!("RESTORE HEADERONLY FROM DISK=N'{}'", main.path(file)))[0][40].clone();
    main.full("1.bak");
    main.log("1.trn");
    assert_eq!(begins("1.trn"), Value::Int(1));
    main.log("2.trn");
    assert_eq!(begins("2.trn"), Value::Int(0));
    main.ok("ALTER DATABASE [BDPdv] SET RECOVERY SIMPLE; ALTER DATABASE [BDPdv] SET RECOVERY FULL");
    main.fails(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}'", main.path("x.trn")), &[4214, 3013]);
    main.ok(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH COPY_ONLY, FORMAT", main.path("copy.bak")));
    main.fails(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}'", main.path("x.trn")), &[4214, 3013]);
    main.differential("3.dif");
    main.log("3.trn");
    assert_eq!(begins("3.trn"), Value::Int(1));
    // COPY_ONLY log backups leave the log as it is.
    main.sell(1);
    main.ok(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH COPY_ONLY, FORMAT", main.path("c.trn")));
    main.log("4.trn");
    let first = |file: &str| main.rows(&format!("RESTORE HEADERONLY FROM DISK=N'{}'", main.path(file)))[0][13].clone();
    assert_eq!(first("c.trn"), first("4.trn"));
}

#[test]
fn a_gap_is_bridged_by_a_differential() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    main.sell(1);
    main.log("1.trn");
    main.sell(2);
    main.full("2.bak");
    main.sell(3);
    main.log("2.trn");
    main.sell(4);
    main.ok("BACKUP LOG [BDPdv] TO DISK=N'NUL'");
    main.sell(5);
    main.log("4.trn");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    till.ok(&till.log_sql(&main, "1.trn"));
    till.ok(&till.log_sql(&main, "2.trn"));
    till.fails(&till.log_sql(&main, "4.trn"), &[4305, 3013]);
    // The log that contained the second full backup has carried its base over.
    main.differential("5.dif");
    till.ok(&till.differential_sql(&main, "5.dif"));
    main.sell(6);
    main.log("6.trn");
    till.ok(&till.log_sql(&main, "6.trn"));
    till.recover();
    assert_eq!(till.folios(), "1 2 3 4 5 6");
}

#[test]
fn an_empty_log_backup_is_legal() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    main.log("1.trn");
    main.log("2.trn");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    till.ok(&till.log_sql(&main, "1.trn"));
    till.ok(&till.log_sql(&main, "2.trn"));
    till.ok(&till.log_sql(&main, "2.trn"));
}

#[test]
fn what_a_restore_may_not_overwrite() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till").with_tickets("FULL");
    main.full("1.bak");
    till.full("1.bak");
    till.fails(&till.seed_sql(&main, "1.bak", ""), &[3154, 3013]);
    main.fails(&format!("RESTORE DATABASE [BDPdv] FROM DISK=N'{}' WITH NORECOVERY", main.path("1.bak")), &[3159, 3013]);
    let to = |folder: &str, data: &str| {
        format!(
            "RESTORE DATABASE [Otra] FROM DISK=N'{}' WITH NORECOVERY, MOVE N'BDPdv' TO N'{}', MOVE N'BDPdv_log' TO N'{}'",
            main.path("1.bak"),
            main.dir.join(folder).join(data).display(),
            main.dir.join(folder).join("otra.ldf").display()
        )
    };
    main.fails(&to("DATA", "BDPdv.mdf"), &[1834, 3156, 3119, 3013]);
    main.fails(&to("nowhere", "x.mdf"), &[5133, 3156, 5133, 3156, 3119, 3013]);
    std::fs::write(main.dir.join("DATA").join("x.mdf"), b"somebody's").unwrap();
    main.fails(&to("DATA", "x.mdf"), &[3142, 3119, 3013]);
    main.fails(&to("DATA", "otra.ldf"), &[3176, 3119, 3013]);
    main.fails(
        &format!("RESTORE DATABASE [Otra] FROM DISK=N'{}' WITH NORECOVERY, MOVE N'Datos' TO N'/x'", main.path("1.bak")),
        &[3234, 3013],
    );
    main.order(&format!(r#"{{"system_errors": [{{"prefix": "{}", "code": 5}}]}}"#, main.path("DATA/y")));
    main.fails(&to("DATA", "y.mdf"), &[3634, 3156, 3119, 3013]);
    main.order(r#"{"free": 1000}"#);
    main.fails(&to("DATA", "z.mdf"), &[3257, 3119, 3013]);
    main.order("{}");
    main.fails("BEGIN TRANSACTION; RESTORE DATABASE [BDPdv] WITH RECOVERY", &[3021, 3013]);
    main.ok("ROLLBACK");
    main.ok(&to("DATA", "z.mdf"));
    assert_eq!(main.one("SELECT state_desc FROM sys.databases WHERE name=N'Otra'"), "RESTORING");
}

#[test]
fn files_that_are_bad_say_how() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    main.sell(1);
    main.log("1.trn");
    let whole = std::fs::read(main.path("1.bak")).unwrap();
    let verify = format!("RESTORE VERIFYONLY FROM DISK=N'{}' WITH FILE=1, CHECKSUM", main.path("bad.bak"));
    let seed = till.seed_sql(&main, "bad.bak", "");
    let bad = |bytes: &[u8]| std::fs::write(main.path("bad.bak"), bytes).unwrap();
    main.fails(&verify, &[3201, 3013]);
    bad(b"");
    main.fails(&verify, &[3254, 3013]);
    bad(b"not a backup at all, whatever its name is");
    main.fails(&verify, &[3241, 3013]);
    bad(&whole[..whole.len() - 5000]);
    main.fails(&verify, &[3203, 3013]);
    till.fails(&seed, &[3203, 3013]);
    let mut flipped = whole.clone();
    let at = flipped.len() - 4000;
    flipped[at] ^= 1;
    bad(&flipped);
    main.fails(&verify, &[3189, 3013]);
    till.fails(&seed, &[3183, 3013]);
    let mut header = whole.clone();
    header[100] ^= 1;
    bad(&header);
    main.fails(&verify, &[3242, 3013]);
    bad(&whole);
    main.ok(&verify);
    till.ok(&seed);
    main.fails(&format!("RESTORE VERIFYONLY FROM DISK=N'{}' WITH FILE=2", main.path("1.bak")), &[3287, 3013]);
    main.ok(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH FORMAT", main.path("plain.bak")));
    main.fails(&format!("RESTORE VERIFYONLY FROM DISK=N'{}' WITH CHECKSUM", main.path("plain.bak")), &[3187, 3013]);
    // A log that is bad changes nothing: the good one may follow.
    let log = std::fs::read(main.path("1.trn")).unwrap();
    std::fs::write(main.path("bad.trn"), &log[..log.len() - 10]).unwrap();
    till.fails(&till.log_sql(&main, "bad.trn"), &[3203, 3013]);
    till.ok(&till.log_sql(&main, "1.trn"));
}

#[test]
fn media_are_appended_to_and_striped() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let append = format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}'", main.path("many.bak"));
    main.ok(&append);
    main.sell(1);
    main.ok(&append);
    let positions = main.rows(&format!("RESTORE HEADERONLY FROM DISK=N'{}'", main.path("many.bak")));
    assert_eq!(positions.iter().map(|row| row[5].clone()).collect::<Vec<_>>(), [Value::Int(1), Value::Int(2)]);
    let (a, b) = (main.path("a.bak"), main.path("b.bak"));
    main.ok(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{a}', DISK=N'{b}' WITH FORMAT, CHECKSUM"));
    main.fails(&format!("RESTORE VERIFYONLY FROM DISK=N'{a}'"), &[3132, 3013]);
    main.ok(&format!("RESTORE VERIFYONLY FROM DISK=N'{b}', DISK=N'{a}' WITH CHECKSUM"));
    let other = Shop::new(&dir, "other");
    other.ok(&format!(
        "RESTORE DATABASE [BDPdv] FROM DISK=N'{a}', DISK=N'{b}' WITH RECOVERY, MOVE N'BDPdv' TO N'{}', MOVE N'BDPdv_log' TO N'{}'",
        other.path("d.mdf"),
        other.path("d.ldf")
    ));
    assert_eq!(other.folios(), "1");
}

#[test]
fn versions_and_editions_set_limits() {
    let dir = tempfile::tempdir().unwrap();
    let old = Shop::open(dir.path().join("old"), &options(15, "Express")).with_tickets("FULL");
    let new = Shop::open(dir.path().join("new"), &options(16, "Standard")).with_tickets("FULL");
    new.full("n.bak");
    old.full("o.bak");
    old.fails(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH COMPRESSION", old.path("x.bak")), &[1844, 3013]);
    old.fails(&format!("RESTORE DATABASE [X] FROM DISK=N'{}'", new.path("n.bak")), &[3169, 3013]);
    let restore = |with: &str| {
        format!(
            "RESTORE DATABASE [X] FROM DISK=N'{}' WITH {with}, MOVE N'BDPdv' TO N'{}', MOVE N'BDPdv_log' TO N'{}'",
            old.path("o.bak"),
            new.path("x.mdf"),
            new.path("x.ldf")
        )
    };
    new.fails(&restore(&format!("STANDBY=N'{}'", new.path("x.tuf"))), &[3180, 3013]);
    new.ok(&restore("NORECOVERY"));
    let replies = new.ok("RESTORE DATABASE [X] WITH RECOVERY");
    assert!(replies.iter().any(|reply| matches!(reply, Reply::Info(message) if message.number == 951)));
    old.fails("CREATE DATABASE [Grande] ON (NAME=Grande, FILENAME='grande.mdf', SIZE=11GB)", &[1827]);
    new.ok("ALTER DATABASE [BDPdv] MODIFY FILE (NAME=BDPdv, SIZE=12GB)");
    let express = Shop::open(dir.path().join("express"), &options(16, "Express"));
    new.full("big.bak");
    express.fails(&express.seed_sql(&new, "big.bak", ""), &[1827, 3119, 3013]);
    let express25 = Shop::open(dir.path().join("express25"), &options(17, "Express"));
    express25.ok(&express25.seed_sql(&new, "big.bak", ""));
}

#[test]
fn a_standby_copy_is_read_between_restores() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.sell(1);
    main.full("1.bak");
    main.sell(2);
    main.log("2.trn");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    let undo = till.path("undo.tuf");
    till.ok(&format!("RESTORE DATABASE [BDPdv] WITH STANDBY=N'{undo}'"));
    assert_eq!(till.folios(), "1");
    till.fails("INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (9, 9)", &[3906]);
    till.fails(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}'", till.path("x.bak")), &[3036, 3013]);
    let reader = till.connect("lector");
    till.server.exec(reader, "USE BDPdv");
    till.fails(&till.log_sql(&main, "2.trn"), &[3101, 3013]);
    till.ok("ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK AFTER 0; RESTORE DATABASE [BDPdv] WITH NORECOVERY");
    till.ok(&till.log_sql(&main, "2.trn"));
    till.ok(&format!("RESTORE DATABASE [BDPdv] WITH STANDBY=N'{undo}'"));
    assert_eq!(till.folios(), "1 2");
    std::fs::remove_file(&undo).unwrap();
    till.fails("RESTORE DATABASE [BDPdv] WITH RECOVERY", &[3441, 3013]);
}

#[test]
fn a_log_is_restored_up_to_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    main.sell(1);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let at = main.one("SELECT CONVERT(nvarchar(30), SYSDATETIME(), 126)");
    std::thread::sleep(std::time::Duration::from_millis(20));
    main.sell(2);
    main.log("1.trn");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    till.ok(&format!("RESTORE LOG [BDPdv] FROM DISK=N'{}' WITH RECOVERY, STOPAT=N'{at}'", main.path("1.trn")));
    assert_eq!(till.folios(), "1");
}

#[test]
fn a_full_disk_and_a_damaged_server_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let backup = format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH FORMAT", main.path("x.bak"));
    main.order(r#"{"free": 10000, "system_language": "Español"}"#);
    main.fails(&backup, &[3202, 3013]);
    let replies = main.send(&backup);
    let said = replies.iter().find_map(|reply| if let Reply::Error(message) = reply { Some(message.text.clone()) } else { None });
    assert!(said.unwrap().ends_with("112(Espacio en disco insuficiente.)"));
    main.order(&format!(r#"{{"system_errors": [{{"prefix": "{}", "code": 32}}]}}"#, main.path("x.bak")));
    main.fails(&backup, &[3201, 3013]);
    main.fails(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}'", main.path("no/x.bak")), &[3201, 3013]);
    main.fails("BACKUP DATABASE [Nada] TO DISK=N'x.bak'", &[911, 3013]);
    main.ok("SET LANGUAGE Spanish");
    let replies = main.send(&backup);
    let said =
        replies.iter().rev().find_map(|reply| if let Reply::Error(message) = reply { Some(message.text.clone()) } else { None });
    assert_eq!(said.unwrap(), "Fin anómalo de BACKUP DATABASE.");
}

#[test]
fn a_log_outlives_its_data_file() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    main.sell(1);
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    let dir = main.dir.clone();
    drop(main);
    std::fs::remove_file(dir.join("DATA").join("BDPdv.mdf")).unwrap();
    let main = Shop::open(dir, &options(16, "Standard"));
    assert_eq!(main.state(), "RECOVERY_PENDING");
    main.fails("SELECT * FROM BDPdv.dbo.Tickets", &[945]);
    let tail = format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH", main.path("tail.trn"));
    main.fails(&format!("{tail} FORMAT"), &[945, 3013]);
    main.ok(&format!("{tail} NO_TRUNCATE, NORECOVERY, FORMAT, CHECKSUM"));
    till.ok(&till.log_sql(&main, "tail.trn"));
    till.recover();
    assert_eq!(till.folios(), "1");
}

#[test]
fn a_snapshot_by_somebody_else_takes_the_base() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    main.order(r#"{"snapshots": ["BDPdv"]}"#);
    main.sell(1);
    main.differential("1.dif");
    till.fails(&till.differential_sql(&main, "1.dif"), &[3136, 3013]);
    let rows = main.rows("SELECT b.is_snapshot, m.device_type FROM msdb.dbo.backupset b JOIN msdb.dbo.backupmediafamily m ON m.media_set_id=b.media_set_id WHERE b.type='D' ORDER BY b.backup_set_id");
    assert_eq!(rows, [[Value::Int(0), Value::Int(2)], [Value::Int(1), Value::Int(7)]]);
    // The chain of logs goes on, and carries the new base over.
    main.log("1.trn");
    till.ok(&till.log_sql(&main, "1.trn"));
    main.sell(2);
    main.differential("2.dif");
    till.ok(&till.differential_sql(&main, "2.dif"));
    till.recover();
    assert_eq!(till.folios(), "1 2");
    main.order(r#"{"free": 0}"#);
    main.fails("INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (9, 9)", &[9002]);
}

#[test]
fn a_damaged_data_file_makes_it_suspect_and_the_tail_is_still_there() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    main.sell(1);
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    let folder = main.dir.clone();
    drop(main);
    std::fs::write(folder.join("DATA").join("BDPdv.mdf"), vec![7; 20_000]).unwrap();
    let main = Shop::open(folder, &options(16, "Standard"));
    assert_eq!(main.state(), "SUSPECT");
    main.fails("USE BDPdv", &[926]);
    main.fails("EXEC sp_detach_db N'BDPdv'", &[3707]);
    main.ok(&format!(
        "BACKUP LOG [BDPdv] TO DISK=N'{}' WITH CONTINUE_AFTER_ERROR, NORECOVERY, FORMAT, CHECKSUM",
        main.path("t.trn")
    ));
    till.ok(&till.log_sql(&main, "t.trn"));
    till.recover();
    assert_eq!(till.folios(), "1");
}
