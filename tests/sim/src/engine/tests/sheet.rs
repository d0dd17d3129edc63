//! The queries of the fact sheet, as they stand there: they compile, and say what they should.

use super::*;

const PREFLIGHT: &str = "
SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS int), CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), CAST(SERVERPROPERTY('ProductLevel') AS nvarchar(128)),
       CAST(SERVERPROPERTY('ProductUpdateLevel') AS nvarchar(128)), CAST(SERVERPROPERTY('Edition') AS nvarchar(128)), CAST(SERVERPROPERTY('EngineEdition') AS int), CAST(SERVERPROPERTY('EditionID') AS bigint),
       CAST(SERVERPROPERTY('Collation') AS nvarchar(128)), CAST(SERVERPROPERTY('InstanceDefaultDataPath') AS nvarchar(512)), CAST(SERVERPROPERTY('InstanceDefaultLogPath') AS nvarchar(512)),
       CAST(SERVERPROPERTY('InstanceDefaultBackupPath') AS nvarchar(512)), CAST(SERVERPROPERTY('MachineName') AS nvarchar(128)), CAST(SERVERPROPERTY('InstanceName') AS nvarchar(128)),
       CAST(SERVERPROPERTY('IsIntegratedSecurityOnly') AS int), @@SERVERNAME, @@SPID;
SELECT IS_SRVROLEMEMBER('sysadmin'), HAS_PERMS_BY_NAME(NULL,NULL,'VIEW SERVER STATE'), HAS_PERMS_BY_NAME(NULL,NULL,'ALTER ANY CONNECTION'), HAS_PERMS_BY_NAME(NULL,NULL,'CREATE ANY DATABASE');
SELECT value_in_use FROM sys.configurations WHERE name=N'backup compression default';
SELECT @@TRANCOUNT";

const STATE: &str = "
SELECT d.database_id, d.state, d.state_desc, d.recovery_model_desc, d.user_access_desc, d.is_read_only, d.is_in_standby, d.is_auto_close_on, d.is_trustworthy_on, d.is_broker_enabled,
       d.compatibility_level, d.log_reuse_wait_desc, d.is_encrypted, SUSER_SNAME(d.owner_sid) AS owner, d.create_date,
       r.database_guid, r.family_guid, r.last_log_backup_lsn, r.recovery_fork_guid, r.first_recovery_fork_guid, r.fork_point_lsn,
       f.state_desc AS file_state, f.redo_start_lsn, f.redo_start_fork_guid, f.differential_base_lsn, f.differential_base_guid, f.differential_base_time
FROM sys.databases d LEFT JOIN sys.database_recovery_status r ON r.database_id=d.database_id
LEFT JOIN sys.master_files f ON f.database_id=d.database_id AND f.file_id=1 WHERE d.name=@P1";

const FOREIGN: &str = "
SELECT TOP(200) b.backup_set_uuid,b.type,b.is_copy_only,b.is_snapshot,b.first_lsn,b.last_lsn,b.checkpoint_lsn,b.database_backup_lsn,b.differential_base_guid,b.first_recovery_fork_guid,b.last_recovery_fork_guid,
       b.begins_log_chain,b.backup_finish_date,b.user_name,b.name,m.physical_device_name,m.device_type
FROM msdb.dbo.backupset b JOIN msdb.dbo.backupmediafamily m ON m.media_set_id=b.media_set_id
WHERE b.database_name=N'BDPdv' AND b.backup_set_id>@P1 ORDER BY b.backup_set_id";

const APPLIED: &str = "
SELECT TOP(20) rh.restore_date,rh.restore_type,rh.recovery,rh.replace,b.backup_set_uuid,b.type,b.first_lsn,b.last_lsn,b.last_recovery_fork_guid
FROM msdb.dbo.restorehistory rh LEFT JOIN msdb.dbo.backupset b ON b.backup_set_id=rh.backup_set_id
WHERE rh.destination_database_name=N'BDPdv' ORDER BY rh.restore_history_id DESC";

const SESSIONS: &str = "
SELECT s.session_id,s.login_time,s.login_name,s.host_name,s.program_name,s.host_process_id,s.status,s.open_transaction_count,s.last_request_start_time,s.last_request_end_time,
       DB_NAME(s.database_id) AS db,c.connection_id,c.client_net_address,c.net_transport,r.command,r.status AS req_status,r.blocking_session_id,r.percent_complete
FROM sys.dm_exec_sessions s LEFT JOIN sys.dm_exec_connections c ON c.session_id=s.session_id AND c.parent_connection_id IS NULL
LEFT JOIN sys.dm_exec_requests r ON r.session_id=s.session_id
WHERE s.is_user_process=1 AND s.session_id<>@@SPID AND (s.database_id=DB_ID(N'BDPdv')
  OR EXISTS(SELECT 1 FROM sys.dm_tran_locks l WHERE l.request_session_id=s.session_id AND l.resource_type='DATABASE' AND l.resource_database_id=DB_ID(N'BDPdv')))";

const ORPHANS: &str = "
USE [BDPdv];
SELECT dp.name, dp.sid, sp.sid AS login_sid_same_name FROM sys.database_principals dp
 LEFT JOIN sys.server_principals m  ON m.sid = dp.sid
 LEFT JOIN sys.server_principals sp ON sp.name = dp.name COLLATE DATABASE_DEFAULT AND sp.type='S'
 WHERE dp.type='S' AND dp.authentication_type=1 AND dp.principal_id>4 AND m.sid IS NULL";

#[test]
fn preflight_says_who_the_instance_is() {
    let dir = tempfile::tempdir().unwrap();
    for (major, edition) in [(13, "Express"), (14, "Standard"), (15, "Express"), (16, "Developer"), (17, "Express")] {
        let shop = Shop::open(dir.path().join(format!("{major}")), &options(major, edition));
        shop.ok("SET NOCOUNT ON; SET IMPLICIT_TRANSACTIONS OFF; SET LOCK_TIMEOUT 30000; SET DEADLOCK_PRIORITY HIGH; SET LANGUAGE us_english; SET DATEFORMAT ymd;");
        let rows = shop.rows(PREFLIGHT);
        assert_eq!(rows[0][0], Value::Int(major.into()));
        assert_eq!(rows[0][10] == Value::Null, major < 15, "the backup folder is told from 2019 on");
        assert_eq!(rows[0][14], Value::Text("TIENDA\\SQLEXPRESS".into()));
        assert_eq!(rows[1], vec![Value::Int(1); 4]);
        assert_eq!(rows[2], vec![Value::Int(0)]);
        assert_eq!(rows[3], vec![Value::Int(0)]);
    }
}

#[test]
fn state_shows_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    let state = |shop: &Shop| shop.rows(&STATE.replace("@P1", "N'BDPdv'")).remove(0);
    assert_eq!(state(&main)[17], Value::Null, "no log chain before the first full backup");
    main.full("1.bak");
    main.sell(1);
    main.log("1.trn");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    till.ok(&till.log_sql(&main, "1.trn"));
    let (m, t) = (state(&main), state(&till));
    assert_eq!(m[2], Value::Text("ONLINE".into()));
    assert_eq!(t[2], Value::Text("RESTORING".into()));
    assert_eq!(m[13], Value::Text("relevo".into()));
    assert_ne!(m[15], t[15], "another database");
    assert_eq!(m[16], t[16], "of the same family");
    assert!(matches!(m[17], Value::Numeric(_)) && m[17] == t[22], "the next log begins where the copy stands: {m:?} {t:?}");
    assert_eq!(m[18], t[23], "on the same fork");
    assert_eq!((&m[24], &m[25]), (&t[24], &t[25]), "with the same base");
    assert_eq!(main.rows(&FOREIGN.replace("@P1", "0")).len(), 2);
    let applied = till.rows(APPLIED);
    assert_eq!(applied.iter().map(|row| row[1].clone()).collect::<Vec<_>>(), ["L", "D"].map(|kind| Value::Text(kind.into())));
    till.recover();
    let t = state(&till);
    assert_ne!(t[18], m[18], "recovery begins a fork");
    assert_eq!((&t[19], &t[20]), (&m[18], &m[17]), "from where the copy stood");
    assert_eq!(t[22], Value::Null);
}

#[test]
fn sessions_and_orphans_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    assert_eq!(main.rows(SESSIONS).len(), 0);
    let pos = main.connect("PosPdv");
    main.server.exec(pos, "BEGIN TRANSACTION; INSERT INTO BDPdv.dbo.Tickets (Folio, Total) VALUES (1, 1)");
    let seen = main.rows(SESSIONS);
    assert_eq!(seen.len(), 1, "a transaction from master holds the database");
    assert_eq!(seen[0][7], Value::Int(1));
    main.server.exec(pos, "ROLLBACK");
    assert_eq!(main.rows(SESSIONS).len(), 0);
    main.ok("CREATE LOGIN [pdv] WITH PASSWORD = N'x', SID = 0x0102030405060708090A0B0C0D0E0F10, CHECK_POLICY = OFF");
    main.ok("USE BDPdv; CREATE USER [pdv] FOR LOGIN [pdv]; CREATE USER [nadie] WITHOUT LOGIN");
    assert_eq!(main.rows(ORPHANS).len(), 0);
    main.ok("DROP LOGIN [pdv]");
    assert_eq!(main.rows(ORPHANS).len(), 1);
    main.ok("CREATE LOGIN [pdv] WITH PASSWORD = N'x', CHECK_POLICY = OFF; USE BDPdv; ALTER USER [pdv] WITH LOGIN=[pdv]");
    assert_eq!(main.rows(ORPHANS).len(), 0);
}

#[test]
fn sizes_volumes_files_and_procedures() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    main.order(r#"{"capacity": 1000, "free": 400}"#);
    let volume =
        main.rows("SELECT volume_mount_point,available_bytes,total_bytes FROM sys.dm_os_volume_stats(DB_ID(N'BDPdv'),1)");
    assert_eq!(volume[0][1..], [Value::Int(400), Value::Int(1000)]);
    main.ok("SELECT log_since_last_log_backup_mb FROM sys.dm_db_log_stats(DB_ID(N'BDPdv'))");
    main.ok(
        "SELECT SUM(modified_extent_page_count)*8192, SUM(allocated_extent_page_count) FROM [BDPdv].sys.dm_db_file_space_usage",
    );
    main.ok("SELECT feature_name FROM [BDPdv].sys.dm_db_persisted_sku_features");
    main.ok("SELECT servicename, service_account, status_desc FROM sys.dm_server_services");
    main.ok("SELECT host_platform FROM sys.dm_os_host_info; SELECT free_space_in_bytes FROM sys.dm_os_enumerate_fixed_drives");
    main.ok("SELECT name, sid, password_hash, default_database_name, is_disabled, is_policy_checked FROM sys.sql_logins");
    main.ok("EXEC xp_fixeddrives; EXEC xp_fileexist N'/nowhere'");
    main.ok("EXEC master.dbo.xp_instance_regread N'HKEY_LOCAL_MACHINE',N'Software\\Microsoft\\MSSQLServer\\MSSQLServer',N'BackupDirectory'");
    main.ok("EXEC msdb.dbo.sp_delete_backuphistory @oldest_date='2001-01-01'");
    main.ok(
        "SELECT DATABASEPROPERTYEX(N'BDPdv','Version'), PARSENAME(CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)),4)",
    );
    let bulk =
        main.rows(&format!("SELECT DATALENGTH(BulkColumn) FROM OPENROWSET(BULK N'{}', SINGLE_BLOB) AS b", main.path("1.bak")));
    assert_eq!(bulk[0][0], Value::Int(std::fs::metadata(main.path("1.bak")).unwrap().len() as i64));
    main.fails("SELECT BulkColumn FROM OPENROWSET(BULK N'/nowhere/x', SINGLE_BLOB) AS b", &[4860]);
    main.ok("DBCC CHECKDB([BDPdv]) WITH PHYSICAL_ONLY, NO_INFOMSGS");
    main.ok("USE BDPdv; DBCC CHECKDB; ALTER DATABASE CURRENT SET AUTO_SHRINK OFF; SELECT DB_NAME(), DB_NAME(0), OBJECT_NAME(OBJECT_ID(N'Tickets')), IS_MEMBER('db_owner'); USE master");
    main.order(r#"{"damaged": [{"database": "BDPdv", "page": 9}]}"#);
    main.fails("DBCC CHECKDB([BDPdv]) WITH PHYSICAL_ONLY, NO_INFOMSGS", &[8928]);
    main.fails(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{}' WITH FORMAT, CHECKSUM", main.path("d.bak")), &[3043, 3013]);
}

#[test]
fn properties_of_a_database_travel_and_those_of_master_stay() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    let till = Shop::new(&dir, "till");
    main.full("1.bak");
    let value =
        "SELECT CAST(value AS nvarchar(200)) FROM [BDPdv].sys.extended_properties WHERE class=0 AND name=N'continuidad_epoch'";
    main.fails("EXEC [BDPdv].sys.sp_updateextendedproperty N'continuidad_epoch', N'1'", &[15217]);
    main.ok("EXEC [BDPdv].sys.sp_addextendedproperty N'continuidad_epoch', N'1|main|ñ'");
    main.fails("EXEC [BDPdv].sys.sp_addextendedproperty N'continuidad_epoch', N'2'", &[15233]);
    main.ok("EXEC [BDPdv].sys.sp_updateextendedproperty @name=N'continuidad_epoch', @value=N'2|main|ñ'");
    assert_eq!(main.one(value), "2|main|ñ");
    main.log("1.trn");
    till.ok(&till.seed_sql(&main, "1.bak", ""));
    till.ok(&till.log_sql(&main, "1.trn"));
    till.recover();
    assert_eq!(till.one(value), "2|main|ñ");
    main.ok("EXEC master.sys.sp_addextendedproperty N'x', N'7'");
    assert_eq!(main.one("SELECT value FROM master.sys.extended_properties WHERE name=N'x'"), "7");
    main.ok("EXEC master.sys.sp_dropextendedproperty N'x'");
    main.fails("EXEC master.sys.sp_dropextendedproperty N'x'", &[15217]);
}

#[test]
fn application_locks_are_held_by_their_session() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main");
    let get = "DECLARE @rc int; EXEC @rc = sp_getapplock @Resource=N'continuidad', @LockMode='Exclusive', @LockOwner='Session', @LockTimeout=50; SELECT @rc";
    assert_eq!(main.one(get), "0");
    let other = main.connect("otro");
    let code = |session| super::super::run::shown(&answered(&main.server.exec(session, get))[0][0]);
    assert_eq!(code(other), "-1");
    assert_eq!(main.one("SELECT APPLOCK_TEST('public','continuidad','Exclusive','Session')"), "1");
    main.ok("EXEC sp_releaseapplock @Resource=N'continuidad', @LockOwner='Session'");
    main.fails("EXEC sp_releaseapplock @Resource=N'continuidad', @LockOwner='Session'", &[1223]);
    assert_eq!(code(other), "0");
    assert_eq!(main.one(get), "-1");
    main.server.logout(other);
    assert_eq!(main.one(get), "0");
}

#[test]
fn every_function_and_view_answers() {
    let dir = tempfile::tempdir().unwrap();
    let main = Shop::new(&dir, "main").with_tickets("FULL");
    main.full("1.bak");
    for context in ["master", "BDPdv"] {
        main.ok(&format!("USE {context}"));
        for (name, least, most, _) in crate::sql::INSTANCE_FUNCTIONS {
            for count in *least..=*most {
                for argument in ["N'BDPdv'", "1", "NULL"] {
                    let list = vec![argument; count].join(", ");
                    // Those that are written without parentheses have no arguments.
                    let call = if *most == 0 && name.ends_with("USER") { (*name).to_string() } else { format!("{name}({list})") };
                    main.send(&format!("SELECT {call}"));
                }
            }
        }
        for view in [
            "databases",
            "master_files",
            "database_files",
            "database_recovery_status",
            "dm_db_file_space_usage",
            "dm_db_persisted_sku_features",
            "dm_exec_sessions",
            "dm_exec_connections",
            "dm_exec_requests",
            "dm_tran_locks",
            "dm_tran_database_transactions",
            "dm_tran_session_transactions",
            "sysprocesses",
            "configurations",
            "dm_server_services",
            "dm_os_host_info",
            "dm_os_sys_info",
            "server_principals",
            "sql_logins",
            "server_role_members",
            "servers",
            "backup_devices",
            "extended_properties",
            "database_principals",
            "database_role_members",
            "tables",
            "objects",
            "columns",
            "schemas",
            "partitions",
            "dm_os_volume_stats(5, 1)",
            "dm_db_log_stats(5)",
            "dm_io_virtual_file_stats(NULL, NULL)",
            "dm_os_file_exists(N'/')",
        ] {
            main.ok(&format!("SELECT * FROM sys.{view} AS v"));
        }
        for table in ["backupset", "backupmediafamily", "backupmediaset", "restorehistory"] {
            main.ok(&format!("SELECT * FROM msdb.dbo.{table}"));
        }
    }
}
