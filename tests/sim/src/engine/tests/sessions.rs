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
    main.ok(&format!("KILL {thief}"));
    while !main.rows("SELECT 1 FROM sys.dm_exec_sessions WHERE program_name = N'competidor'").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    main.ok(&tail);
}

#[test]
fn a_slow_backup_is_watched_and_killed_and_no_other_runs_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    main.order(r#"{"backup_ms": 60}"#);
    let worker = main.connect("Continuidad-main");
    let server = main.server.clone();
    let sql = format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH FORMAT, CHECKSUM, STATS=5", main.path("slow.bak"));
    let thread = std::thread::spawn(move || server.exec(worker, &sql));
    let percent = format!(
        "SELECT CAST(r.percent_complete AS int) FROM sys.dm_exec_requests r WHERE r.session_id={worker} AND r.command='BACKUP DATABASE'"
    );
    let mut seen = 0;
    while seen < 10 {
        seen = main.rows(&percent).first().map_or(0, |row| if let Value::Int(percent) = row[0] { percent } else { 0 });
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let full = format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH FORMAT", main.path("2.bak"));
    main.fails(&full, &[3023, 3013]);
    main.fails(&full.replace("WITH", "WITH DIFFERENTIAL,"), &[3023, 3013]);
    main.order("{}");
    main.log("during.trn");
    main.fails("RESTORE DATABASE [BDPdv] FROM DISK=N'1.bak' WITH REPLACE", &[3201, 3013]);
    main.ok(&format!("KILL {worker}"));
    let replies = thread.join().unwrap();
    assert!(replies.iter().any(|reply| matches!(reply, Reply::Info(message) if message.number == 3211)));
    assert!(main.server.is_killed(worker));
    main.server.logout(worker);
    main.fails(&format!("RESTORE VERIFYONLY FROM DISK=N'{}'", main.path("slow.bak")), &[3256, 3013]);
    main.ok(&full);
}

#[test]
fn a_killed_session_rolls_back_in_its_own_time() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.order(r#"{"rollback_ms": 2000}"#);
    let pos = main.connect("PosPdv");
    main.server.exec(pos, "BEGIN TRANSACTION; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1)");
    main.ok(&format!(
        "IF EXISTS(SELECT 1 FROM sys.dm_exec_sessions WHERE session_id={pos} AND login_time='{}') KILL {pos};",
        main.one(&format!("SELECT CONVERT(nvarchar(23), login_time, 126) FROM sys.dm_exec_sessions WHERE session_id={pos}"))
    ));
    assert!(!main.server.is_killed(pos));
    assert_eq!(main.one(&format!("SELECT command FROM sys.dm_exec_requests WHERE session_id={pos}")), "KILLED/ROLLBACK");
    main.ok(&format!("KILL {pos} WITH STATUSONLY"));
    main.fails("SET LOCK_TIMEOUT 10; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (2, 2)", &[1222]);
    main.ok("SET LOCK_TIMEOUT -1; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (3, 3)");
    assert_eq!(main.folios(), "3");
    let there = format!("SELECT 1 FROM sys.dm_exec_sessions WHERE session_id={pos}");
    while !main.rows(&there).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn logins_are_refused_with_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let refused = |login: Login| main.server.login(&login).err().unwrap_or_default().iter().map(|m| m.number).collect::<Vec<_>>();
    assert_eq!(refused(Login { password: "otra".into(), ..login("x") }), [18456]);
    assert_eq!(refused(Login { user: "nadie".into(), ..login("x") }), [18456]);
    assert_eq!(refused(Login { database: "Nada".into(), ..login("x") }), [4060, 18456]);
    main.ok("CREATE LOGIN [pdv] WITH PASSWORD = N'Clave-1', CHECK_POLICY = OFF, DEFAULT_DATABASE = [BDPdv]; USE BDPdv; CREATE USER [pdv]; USE master");
    let pdv = Login { user: "pdv".into(), ..login("PosPdv") };
    let session = main.server.login(&pdv).unwrap();
    assert_eq!(session.database, "BDPdv");
    main.server.logout(session.session);
    main.ok("ALTER LOGIN [pdv] DISABLE");
    assert_eq!(refused(pdv.clone()), [18470]);
    main.ok("ALTER LOGIN [pdv] ENABLE; ALTER DATABASE [BDPdv] SET OFFLINE");
    assert_eq!(refused(pdv.clone()), [4064, 18456]);
    assert_eq!(refused(Login { database: "BDPdv".into(), ..pdv.clone() }), [4060, 18456]);
    main.ok("ALTER DATABASE [BDPdv] SET ONLINE; ALTER DATABASE [BDPdv] SET RESTRICTED_USER");
    assert_eq!(refused(pdv), [4064, 18456]);
}

#[test]
fn who_may_not_see_the_server_sees_himself_only() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.ok("CREATE LOGIN [pobre] WITH PASSWORD = N'Clave-1', CHECK_POLICY = OFF");
    let poor = main.server.login(&Login { user: "pobre".into(), ..login("x") }).unwrap().session;
    let run = |sql: &str| main.server.exec(poor, sql);
    let count = "SELECT session_id FROM sys.dm_exec_sessions";
    assert_eq!(answered(&run(count)).len(), 1);
    assert_eq!(errors(&run("SELECT * FROM sys.dm_tran_locks")), [300]);
    assert_eq!(answered(&run("SELECT HAS_PERMS_BY_NAME(NULL,NULL,'VIEW SERVER STATE')")), [[Value::Int(0)]]);
    assert_eq!(errors(&run("KILL 51")), [6102]);
    assert_eq!(errors(&run("USE BDPdv")), [916]);
    assert_eq!(errors(&run("BACKUP DATABASE BDPdv TO DISK=N'x.bak'")), [262, 3013]);
    assert_eq!(errors(&run("RESTORE DATABASE BDPdv WITH RECOVERY")), [3110, 3013]);
    assert_eq!(errors(&run("CREATE DATABASE x")), [262]);
    assert_eq!(errors(&run("ALTER DATABASE BDPdv SET OFFLINE")), [5011, 5069]);
    assert_eq!(errors(&run("CREATE LOGIN y WITH PASSWORD=N'x'")), [15247]);
    main.ok("GRANT VIEW SERVER STATE TO [pobre]");
    assert!(answered(&run(count)).len() > 2);
    main.order(r#"{"denied": ["VIEW SERVER STATE"]}"#);
    assert_eq!(main.rows(count).len(), 1, "the order holds for administrators too");
}

#[test]
fn a_login_is_carried_over_with_its_sid_and_hash() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main");
    let till = Shop::new(&dir, "till");
    let later = Shop::open(dir.path().join("later"), &options(17, "Standard"));
    let make = |shop: &Shop| shop.ok("CREATE LOGIN [pdv] WITH PASSWORD = N'Secreta-9', CHECK_POLICY = OFF");
    let carry = |shop: &Shop| {
        let row = shop.rows("SELECT sid, password_hash FROM sys.sql_logins WHERE name = N'pdv'").remove(0);
        let text = |value: &Value| super::super::run::shown(value);
        format!(
            "CREATE LOGIN [pdv] WITH PASSWORD = {} HASHED, SID = {}, CHECK_POLICY = OFF, DEFAULT_DATABASE = [master]",
            text(&row[1]),
            text(&row[0])
        )
    };
    make(&main);
    till.ok(&carry(&main));
    till.fails(&carry(&main), &[15025]);
    till.server.login(&Login { user: "pdv".into(), password: "Secreta-9".into(), ..login("x") }).unwrap();
    make(&later);
    main.ok("DROP LOGIN [pdv]");
    main.fails(&carry(&later), &[15021]);
}

#[test]
fn ownership_and_broker_are_set_again() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.ok("ALTER AUTHORIZATION ON DATABASE::[BDPdv] TO [sa]");
    main.ok("ALTER DATABASE [BDPdv] SET ENABLE_BROKER; ALTER DATABASE [BDPdv] SET TRUSTWORTHY ON; ALTER DATABASE [BDPdv] SET AUTO_CLOSE OFF");
    main.ok("ALTER DATABASE [BDPdv] SET READ_ONLY");
    main.fails("INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1)", &[3906]);
    main.ok("ALTER DATABASE [BDPdv] SET READ_WRITE; ALTER DATABASE [BDPdv] MODIFY NAME=[BDPdv_old]");
    let seen = main
        .rows("SELECT SUSER_SNAME(owner_sid), is_trustworthy_on, is_broker_enabled FROM sys.databases WHERE name=N'BDPdv_old'");
    assert_eq!(seen, [[Value::Text("sa".into()), Value::Int(1), Value::Int(1)]]);
    main.fails("ALTER DATABASE [Nada] SET OFFLINE", &[5011, 5069]);
    main.ok("DROP DATABASE [BDPdv_old]");
    main.fails("DROP DATABASE [BDPdv_old]", &[3701]);
    main.ok("DROP DATABASE IF EXISTS [BDPdv_old]");
}

#[test]
fn a_spanish_instance_speaks_spanish_until_it_is_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(dir.path().join("i"), &Options { language: "Español".into(), ..options(13, "Express") });
    let said = |replies: Vec<Reply>| {
        replies.into_iter().find_map(|reply| if let Reply::Error(message) = reply { Some(message.text) } else { None })
    };
    let sql = format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}'", shop.path("no/x.bak"));
    assert_eq!(
        said(shop.send(&sql)).unwrap(),
        "La base de datos 'BDPdv' no existe. Asegúrese de que ha escrito el nombre correctamente."
    );
    shop.ok("CREATE DATABASE [BDPdv]; SET LANGUAGE us_english");
    // The system's own words stay in its own language: only the number can be relied on.
    assert!(
        said(shop.send(&sql))
            .unwrap()
            .ends_with("Operating system error 3(El sistema no puede encontrar la ruta especificada.).")
    );
    shop.fails("SELECT * FROM sys.dm_os_host_info", &[208]);
}
