//! Transactions: what is committed counts, one writes at a time, readers do not wait.

use super::*;

#[test]
fn what_is_not_committed_is_seen_by_nobody_and_goes_away() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    main.sell(1);
    let pos = main.connect("PosPdv");
    main.server.exec(pos, "USE BDPdv; BEGIN TRANSACTION; INSERT INTO dbo.Tickets (Folio, Total) VALUES (2, 2)");
    assert_eq!(main.folios(), "1");
    main.fails("SET LOCK_TIMEOUT 50; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (3, 3)", &[1222]);
    // An open transaction stops no log backup, and none of it is in there.
    main.log("1.trn");
    main.server.exec(pos, "INSERT INTO dbo.Tickets (Folio, Total) VALUES (4, 4); COMMIT");
    assert_eq!(main.folios(), "1 2 4");
    main.server.exec(pos, "BEGIN TRANSACTION; DELETE FROM dbo.Tickets");
    main.server.logout(pos);
    assert_eq!(main.folios(), "1 2 4");
    let till = Shop::new(&dir, "till");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    till.ok(&till.log_sql(&main, "1.trn"));
    till.recover();
    assert_eq!(till.folios(), "1");
}

#[test]
fn errors_end_the_statement_the_batch_or_the_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.fails("COMMIT", &[3902]);
    main.fails("ROLLBACK", &[3903]);
    let twice = "INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1); INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1); INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (2, 2)";
    main.fails(twice, &[2627]);
    assert_eq!(main.folios(), "1 2");
    main.fails(&format!("SET XACT_ABORT ON; BEGIN TRANSACTION; DELETE FROM BDPdv.dbo.Tickets; {twice}; COMMIT"), &[2627]);
    assert_eq!(main.one("SELECT @@TRANCOUNT"), "0");
    assert_eq!(main.folios(), "1 2");
    main.fails(
        "SET XACT_ABORT OFF; SELECT * FROM BDPdv.dbo.Nada; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (9, 9)",
        &[208],
    );
    assert_eq!(main.folios(), "1 2");
    main.ok("BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH PRINT ERROR_MESSAGE() END CATCH");
    main.fails("BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH THROW END CATCH", &[8134]);
    main.fails("THROW 50001, N'no', 3", &[50001]);
    main.fails("RAISERROR(N'sin %s', 16, 1, N'papel'); SELECT 1", &[50000]);
    main.fails("SELECT 1 FRM x", &[102]);
    // IF resets @@ERROR, so that the second one holds.
    let replies = main.send("COMMIT; IF @@ERROR = 0 SELECT 1; IF @@ERROR = 0 SELECT 2");
    assert_eq!(answered(&replies), [[Value::Int(2)]]);
}

fn until_it_waits(shop: &Shop, session: SessionId) {
    let waits = format!("SELECT 1 FROM sys.dm_exec_requests WHERE session_id={session} AND blocking_session_id<>0");
    while shop.rows(&waits).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn two_who_wait_for_each_other_do_not_wait_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.ok("CREATE DATABASE [Otra]; CREATE TABLE Otra.dbo.T (A int)");
    let other = main.connect("otro");
    main.ok("BEGIN TRANSACTION; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1)");
    main.server.exec(other, "BEGIN TRANSACTION; INSERT INTO Otra.dbo.T (A) VALUES (1)");
    let server = main.server.clone();
    let thread = std::thread::spawn(move || server.exec(other, "INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (2, 2)"));
    until_it_waits(&main, other);
    let mine = errors(&main.send("INSERT INTO Otra.dbo.T (A) VALUES (2)"));
    let theirs = if mine == [1205] { errors(&thread.join().unwrap()) } else { Vec::new() };
    assert_eq!((mine, theirs), (vec![1205], vec![]));
    assert_eq!(main.one("SELECT @@TRANCOUNT"), "0");
}

#[test]
fn many_writers_lose_nothing_and_the_log_has_it_all() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    let mut threads = Vec::new();
    for writer in 0..4 {
        let server = main.server.clone();
        let session = main.connect("PosPdv");
        threads.push(std::thread::spawn(move || {
            server.exec(session, "USE BDPdv");
            for number in 0..25 {
                let folio = writer * 100 + number;
                let sql = format!("INSERT INTO dbo.Tickets (Folio, Total) VALUES ({folio}, 1)");
                assert!(errors(&server.exec(session, &sql)).is_empty());
                server.exec(session, "SELECT COUNT(*) FROM dbo.Tickets");
            }
            server.logout(session);
        }));
    }
    (0..5).for_each(|number| main.log(&format!("{number}.trn")));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    main.log("5.trn");
    assert_eq!(main.one("SELECT COUNT(*) FROM BDPdv.dbo.Tickets"), "100");
    let till = Shop::new(&dir, "till");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    (0..6).for_each(|number| drop(till.ok(&till.log_sql(&main, &format!("{number}.trn")))));
    till.recover();
    assert_eq!(till.folios(), main.folios());
}

#[test]
fn who_reads_to_write_comes_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let mut threads = Vec::new();
    for _ in 0..4 {
        let server = main.server.clone();
        let session = main.connect("PosPdv");
        threads.push(std::thread::spawn(move || {
            server.exec(session, "USE BDPdv");
            let made = errors(&server.exec(session, "IF OBJECT_ID(N'dbo.Folio') IS NULL CREATE TABLE dbo.Folio (Siguiente bigint NOT NULL)"));
            assert!(made.is_empty() || made == [2714], "{made:?}");
            server.exec(session, "BEGIN TRANSACTION; SELECT COUNT(*) FROM dbo.Folio WITH (TABLOCKX); IF NOT EXISTS (SELECT 1 FROM dbo.Folio) INSERT INTO dbo.Folio VALUES (1); COMMIT");
            for _ in 0..10 {
                let sale = "BEGIN TRANSACTION; DECLARE @f bigint; SELECT @f = MAX(Siguiente) FROM dbo.Folio WITH (UPDLOCK, HOLDLOCK); \
                    INSERT INTO dbo.Tickets (Folio, Total) VALUES (@f, 1); UPDATE dbo.Folio SET Siguiente = @f + 1; COMMIT";
                assert!(errors(&server.exec(session, sale)).is_empty());
            }
        }));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(main.one("SELECT COUNT(*) FROM BDPdv.dbo.Tickets"), "40");
    assert_eq!(main.one("SELECT Siguiente FROM BDPdv.dbo.Folio"), "41");
    main.ok("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN TRANSACTION; SELECT * FROM BDPdv.dbo.Tickets");
    let other = main.connect("otro");
    assert_eq!(errors(&main.server.exec(other, "SET LOCK_TIMEOUT 20; DELETE FROM BDPdv.dbo.Tickets")), [1222]);
    main.ok("COMMIT");
    assert_eq!(errors(&main.server.exec(other, "DELETE FROM BDPdv.dbo.Tickets")), [0_u32; 0]);
}

#[test]
fn the_lower_priority_gives_way() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.ok("CREATE DATABASE [Otra]; CREATE TABLE Otra.dbo.T (A int)");
    let other = main.connect("otro");
    main.ok("SET DEADLOCK_PRIORITY HIGH; BEGIN TRANSACTION; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1)");
    main.server.exec(other, "BEGIN TRANSACTION; INSERT INTO Otra.dbo.T (A) VALUES (1)");
    let server = main.server.clone();
    let thread =
        std::thread::spawn(move || errors(&server.exec(other, "INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (2, 2)")));
    until_it_waits(&main, other);
    main.ok("INSERT INTO Otra.dbo.T (A) VALUES (2); COMMIT");
    assert_eq!(thread.join().unwrap(), [1205]);
    assert_eq!(main.folios(), "1");
}
