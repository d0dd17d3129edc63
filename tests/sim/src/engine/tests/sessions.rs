//! Sessions, the place of SINGLE_USER, exclusive access, KILL, permissions.

use super::*;

#[test]
fn a_session_that_uses_the_database_keeps_others_from_taking_it() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    let other = main.connect("PosPdv");
    main.server.exec(other, "USE BDPdv");
    let tail = format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH NORECOVERY, FORMAT", main.path("tail.trn"));
    main.fails(&tail, &[3101, 3013]);
    main.fails("ALTER DATABASE [BDPdv] SET SINGLE_USER WITH NO_WAIT", &[5070, 5069]);
    main.fails("SET LOCK_TIMEOUT 100; ALTER DATABASE [BDPdv] SET OFFLINE", &[5061, 5069]);
    main.fails(&format!("USE BDPdv; {tail}"), &[3102, 3013]);
    main.ok("USE master");
    let seen = "SELECT s.session_id FROM sys.dm_exec_sessions s WHERE s.is_user_process=1 AND s.session_id<>@@SPID AND s.database_id=DB_ID(N'BDPdv')";
    assert_eq!(main.one(seen), other.to_string());
    main.fails("KILL 9999", &[6106]);
    main.fails("KILL 0", &[6101]);
    main.fails("KILL 5", &[6107]);
    main.fails(&format!("KILL {}", main.session), &[6104]);
    main.fails(&format!("KILL {other} WITH STATUSONLY"), &[6120]);
    main.fails("BEGIN TRANSACTION; KILL 60", &[6115]);
    main.ok("ROLLBACK");
    main.ok(&format!("KILL {other}"));
    while !main.server.is_killed(other) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    main.server.logout(other);
    main.ok(&tail);
    assert_eq!(main.state(), "RESTORING");
}

#[test]
fn whoever_comes_first_takes_the_single_place() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    let pos = main.connect("PosPdv");
    main.server.exec(pos, "USE BDPdv");
    main.ok("ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK IMMEDIATE");
    assert!(main.server.is_killed(pos));
    let second = main.connect("PosPdv");
    assert!(errors(&main.server.exec(second, "USE BDPdv")).is_empty());
    main.fails("USE BDPdv", &[924]);
    main.fails("ALTER DATABASE [BDPdv] SET MULTI_USER", &[5064, 5069]);
    main.fails(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH FORMAT", main.path("x.trn")), &[924, 3013]);
    main.server.logout(second);
    main.ok("ALTER DATABASE [BDPdv] SET MULTI_USER");

    main.order(r#"{"thief": {"database": "BDPdv", "times": 1}}"#);
    let tail = format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH NORECOVERY, FORMAT", main.path("tail.trn"));
    main.fails(&format!("ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK IMMEDIATE; {tail}"), &[3101, 3013]);
    let thief = main.one("SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'competidor'");
    main.ok(&format!("KILL {thief}; WAITFOR DELAY '00:00:00.200'"));
    main.ok(&tail);
}
