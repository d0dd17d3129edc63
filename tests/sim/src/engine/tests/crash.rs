//! The process ends at any moment: nothing that was committed is lost, and what was half done is as SQL Server leaves it.
//!
//! The test's own binary is started again as the instance: `child` does nothing unless it is told to.

use std::process::{Command, ExitStatus};

use super::*;

const DIR: &str = "RELEVO_SIM_TEST_DIR";
const SQL: &str = "RELEVO_SIM_TEST_SQL";

/// The instance that is cut off: it runs the batches of the file, one a line, and notes each line that it has answered without an error.
#[test]
fn child() {
    let (Ok(dir), Ok(script)) = (std::env::var(DIR), std::env::var(SQL)) else { return };
    let shop = Shop::open(PathBuf::from(&dir), &options(16, "Standard"));
    let mut noted = std::fs::OpenOptions::new().create(true).append(true).open(shop.dir.join("answered")).unwrap();
    for line in script.lines() {
        if errors(&shop.send(line)).is_empty() {
            std::io::Write::write_all(&mut noted, b"answered\n").unwrap();
        }
    }
}

fn start(dir: &std::path::Path, script: &str) -> std::process::Child {
    let _ = std::fs::remove_file(dir.join("answered"));
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine::tests::crash::child", "--nocapture"])
        .env(DIR, dir)
        .env(SQL, script)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

fn run(dir: &std::path::Path, script: &str) -> ExitStatus {
    start(dir, script).wait().unwrap()
}

fn answered_lines(dir: &std::path::Path) -> Vec<String> {
    std::fs::read_to_string(dir.join("answered")).unwrap_or_default().lines().map(String::from).collect()
}

/// Closes a shop, so that another process may open its directory.
fn close(shop: Shop) -> PathBuf {
    shop.server.logout(shop.session);
    shop.dir
}

#[test]
fn every_ticket_that_was_answered_for_is_there_after_kill() {
    let dir = tempfile::tempdir().unwrap();
    let main = close(Shop::new(&dir, "main").with_tickets("FULL"));
    let script: Vec<String> =
        (1..2000).map(|folio| format!("INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES ({folio}, 1)")).collect();
    for round in 0..4_u64 {
        let mut process = start(&main, &script.join("\n"));
        let begun = std::time::Instant::now();
        // At least some are sold, and then it ends in the middle of whatever it does.
        while answered_lines(&main).len() < 5 {
            assert!(begun.elapsed().as_secs() < 60);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        std::thread::sleep(std::time::Duration::from_millis(30 + 17 * round));
        process.kill().unwrap();
        process.wait().unwrap();
        let answered = answered_lines(&main).len();
        let shop = Shop::open(main.clone(), &options(16, "Standard"));
        let sold: usize = shop.one("SELECT COUNT(*) FROM BDPdv.dbo.Tickets").parse().unwrap();
        assert!(sold == answered || sold == answered + 1, "{sold} of {answered}");
        shop.full(&format!("{round}.bak"));
        shop.ok("DELETE FROM BDPdv.dbo.Tickets; DBCC CHECKDB(BDPdv)");
        close(shop);
    }
}

#[test]
fn a_transaction_that_was_open_is_gone_and_a_record_that_was_logged_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::new(&dir, "main").with_tickets("FULL");
    shop.order(r#"{"abort": [{"when": "before", "text": "corte"}]}"#);
    let main = close(shop);
    let status = run(
        &main,
        "INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1)\nBEGIN TRANSACTION; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (2, 2)\nPRINT 'corte'",
    );
    assert!(!status.success());
    assert_eq!(answered_lines(&main).len(), 2);
    // The data file of before the commit, with the log of after it: as if the process had ended between the two.
    let data = main.join("DATA").join("BDPdv.mdf");
    let shop = Shop::open(main.clone(), &options(16, "Standard"));
    assert_eq!(shop.folios(), "1");
    let before = std::fs::read(&data).unwrap();
    shop.sell(3);
    close(shop);
    std::fs::write(&data, before).unwrap();
    let shop = Shop::open(main, &options(16, "Standard"));
    assert_eq!(shop.folios(), "1 3");
    shop.sell(4);
    assert_eq!(shop.folios(), "1 3 4");
}

#[test]
fn a_restore_that_was_cut_off_wants_restart() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    main.sell(1);
    main.log("1.trn");
    main.sell(2);
    main.log("2.trn");
    let till = Shop::new(&dir, "till");
    let (seed, log, next) = (till.seed_sql(&main, "1.bak", ""), till.log_sql(&main, "1.trn"), till.log_sql(&main, "2.trn"));
    let path = close(till);
    let reopen = || Shop::open(path.clone(), &options(16, "Standard"));
    let order = |json: &str| std::fs::write(path.join(super::super::orders::FILE), json).unwrap();

    order(r#"{"abort": [{"when": "percent", "text": "RESTORE DATABASE", "percent": 50}]}"#);
    assert!(!run(&path, &seed).success());
    order("{}");
    let till = reopen();
    assert_eq!(till.state(), "RESTORING");
    till.fails("RESTORE DATABASE [BDPdv] WITH RECOVERY", &[4319, 3013]);
    till.fails(&log, &[4319, 3013]);
    till.ok(&seed);
    close(till);

    for (percent, nth) in [(50, "PERCENT"), (100, "PERCENT"), (0, "AFTER")] {
        let when = if nth == "AFTER" {
            r#"{"when": "after", "text": "RESTORE LOG"}"#.into()
        } else {
            format!(r#"{{"when": "percent", "text": "RESTORE LOG", "percent": {percent}}}"#)
        };
        order(&format!(r#"{{"abort": [{when}]}}"#));
        assert!(!run(&path, &log).success());
        order("{}");
        let till = reopen();
        assert_eq!(till.state(), "RESTORING");
        if percent == 50 {
            till.fails(&next, &[4319, 3013]);
            till.fails(&log, &[4319, 3013]);
            till.ok(&format!("{log}, RESTART"));
            till.ok(&next);
            till.recover();
            assert_eq!(till.folios(), "1 2");
            till.ok("ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK IMMEDIATE");
            till.ok(&seed.replace("CHECKSUM", "CHECKSUM, REPLACE"));
        } else {
            // It was done: the database says so, the log is refused as applied, and the next one follows.
            till.fails(&log, &[4326, 3013]);
            till.ok(&next);
            till.recover();
            assert_eq!(till.folios(), "1 2");
            till.ok(&seed.replace("CHECKSUM", "CHECKSUM, REPLACE"));
        }
        close(till);
    }
}

#[test]
fn a_tail_that_was_cut_off_leaves_main_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::new(&dir, "main").with_tickets("FULL");
    shop.full("1.bak");
    shop.sell(1);
    let tail = format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH NORECOVERY, FORMAT, CHECKSUM", shop.path("tail.trn"));
    shop.order(r#"{"abort": [{"when": "percent", "text": "BACKUP LOG", "percent": 50}]}"#);
    let main = close(shop);
    assert!(!run(&main, &tail).success());
    std::fs::write(main.join(super::super::orders::FILE), "{}").unwrap();
    let shop = Shop::open(main.clone(), &options(16, "Standard"));
    assert_eq!(shop.state(), "ONLINE");
    shop.fails(&format!("RESTORE VERIFYONLY FROM DISK=N'{}'", shop.path("tail.trn")), &[3256, 3013]);
    shop.order(r#"{"abort": [{"when": "after", "text": "BACKUP LOG"}]}"#);
    close(shop);
    assert!(!run(&main, &tail).success());
    std::fs::write(main.join(super::super::orders::FILE), "{}").unwrap();
    let shop = Shop::open(main, &options(16, "Standard"));
    assert_eq!(shop.state(), "RESTORING");
    shop.ok(&format!("RESTORE VERIFYONLY FROM DISK=N'{}' WITH CHECKSUM", shop.path("tail.trn")));
    shop.recover();
    assert_eq!(shop.folios(), "1");
}
