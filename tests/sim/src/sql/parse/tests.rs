//! What is accepted, what is refused and with which number, and that quoting survives.

use std::path::PathBuf;

use proptest::prelude::*;

use super::{parse, parse_with};
use crate::sql::ast::*;

/// Accepted as they stand. The names `@P1` to `@P9` are parameters.
const ACCEPTED: &[&str] = &[
    // the session
    "SET NOCOUNT ON; SET IMPLICIT_TRANSACTIONS OFF; SET LOCK_TIMEOUT 30000; SET DEADLOCK_PRIORITY HIGH; SET LANGUAGE us_english; SET DATEFORMAT ymd;",
    "set nocount on set xact_abort on set lock_timeout -1 set transaction isolation level read uncommitted",
    "SET LANGUAGE N'Español'",
    "USE [BDPdv]; SELECT 1",
    "KILL 57 WITH STATUSONLY; KILL 58",
    "IF EXISTS(SELECT 1 FROM sys.dm_exec_sessions WHERE session_id=57 AND login_time='2026-01-01T10:00:00.123') KILL 57;",
    "WAITFOR DELAY '00:00:05'",
    "DBCC CHECKDB([BDPdv]) WITH PHYSICAL_ONLY, NO_INFOMSGS",
    "DBCC CHECKDB (N'BDPdv', NOINDEX) WITH TABLOCK",
    "SET PARSEONLY ON",
    // preflight and state
    "SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS int), CAST(SERVERPROPERTY('Edition') AS nvarchar(128)) /*2019+, else NULL*/, @@SERVERNAME, @@SPID;
     SELECT IS_SRVROLEMEMBER('sysadmin'), HAS_PERMS_BY_NAME(NULL,NULL,'VIEW SERVER STATE');
     SELECT value_in_use FROM sys.configurations WHERE name=N'backup compression default';",
    "SELECT d.database_id, d.state, SUSER_SNAME(d.owner_sid) AS owner, d.create_date, f.state_desc AS file_state, f.redo_start_lsn
     FROM sys.databases d LEFT JOIN sys.database_recovery_status r ON r.database_id=d.database_id
     LEFT JOIN sys.master_files f ON f.database_id=d.database_id AND f.file_id=1 WHERE d.name=@P1;",
    "SELECT TOP(200) b.backup_set_uuid,b.type,b.name,m.device_type FROM msdb.dbo.backupset b JOIN msdb.dbo.backupmediafamily m ON m.media_set_id=b.media_set_id
     WHERE b.database_name=N'BDPdv' AND b.backup_set_id>@P1 ORDER BY b.backup_set_id;",
    "SELECT TOP(20) rh.restore_date,rh.restore_type,rh.recovery,rh.replace FROM msdb.dbo.restorehistory rh ORDER BY rh.restore_history_id DESC;",
    "SELECT s.session_id, DB_NAME(s.database_id) AS db FROM sys.dm_exec_sessions s LEFT JOIN sys.dm_exec_connections c
     ON c.session_id=s.session_id AND c.parent_connection_id IS NULL WHERE s.is_user_process=1 AND s.session_id<>@@SPID AND (s.database_id=DB_ID(N'BDPdv')
     OR EXISTS(SELECT 1 FROM sys.dm_tran_locks l WHERE l.request_session_id=s.session_id AND l.resource_type='DATABASE'));",
    "SELECT dp.name, sp.sid AS login_sid_same_name FROM sys.database_principals dp LEFT JOIN sys.server_principals m ON m.sid = dp.sid
     LEFT JOIN sys.server_principals sp ON sp.name = dp.name COLLATE DATABASE_DEFAULT AND sp.type='S'
     WHERE dp.type='S' AND dp.authentication_type=1 /*INSTANCE*/ AND dp.principal_id>4 AND m.sid IS NULL; ALTER USER [pdv] WITH LOGIN=[pdv];",
    "SELECT volume_mount_point,available_bytes,total_bytes FROM sys.dm_os_volume_stats(DB_ID(N'BDPdv'),1)",
    "SELECT BulkColumn FROM OPENROWSET(BULK N'C:\\x\\x.trn', SINGLE_BLOB) AS b",
    "SELECT CAST(value AS nvarchar(4000)) FROM [BDPdv].sys.extended_properties WHERE class=0 AND name=N'continuidad_epoch'",
    // backup
    "BACKUP DATABASE [BDPdv] TO DISK=N'C:\\a.bak.part' WITH FORMAT, CHECKSUM, STATS=5, NAME=N'full 1', COMPRESSION;",
    "BACKUP LOG [BDPdv] TO DISK=N'C:\\a.trn.part' WITH FORMAT, CHECKSUM, STATS=10;",
    "BACKUP DATABASE BDPdv TO DISK='a', DISK='b', DISK=@P1 WITH DIFFERENTIAL, FORMAT, STATS",
    "BACKUP LOG @P1 TO DISK=@P2 WITH NO_TRUNCATE, NORECOVERY, FORMAT, CONTINUE_AFTER_ERROR",
    "BACKUP LOG x TO DISK='a' WITH STANDBY = N'C:\\undo.tuf'",
    "BACKUP DATABASE x TO DISK='a' WITH COPY_ONLY, COMPRESSION, MEDIANAME='m', MAXTRANSFERSIZE=1048576",
    "ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK IMMEDIATE; BACKUP LOG [BDPdv] TO DISK='x' WITH NORECOVERY, FORMAT, CHECKSUM",
    // restore
    "RESTORE HEADERONLY FROM DISK=N'p'; RESTORE FILELISTONLY FROM DISK=N'p' WITH FILE=1; RESTORE VERIFYONLY FROM DISK=N'p' WITH FILE=1, CHECKSUM;",
    "RESTORE LABELONLY FROM DISK='p'",
    "RESTORE DATABASE [BDPdv] FROM DISK=N'p' WITH FILE=1, NORECOVERY, CHECKSUM, STATS=5, REPLACE, MOVE N'd' TO N'x.mdf', MOVE N'l' TO N'x.ldf';",
    "RESTORE LOG [BDPdv] FROM DISK=N'p' WITH FILE=1, NORECOVERY, CHECKSUM, RESTART",
    "RESTORE DATABASE [BDPdv] WITH RECOVERY",
    "RESTORE DATABASE [x] WITH STANDBY=N'undo.tuf'",
    "RESTORE DATABASE x FROM DISK='p' WITH FILE=@P1, STOPAT='2026-01-01', CONTINUE_AFTER_ERROR, KEEP_REPLICATION, RESTRICTED_USER",
    "RESTORE LOG x FROM DISK='p' WITH STOPBEFOREMARK = 'lsn:15000000040000037' AFTER '2026-01-01', RECOVERY",
    "RESTORE DATABASE x FROM DATABASE_SNAPSHOT = 'snap'",
    // databases
    "ALTER DATABASE [BDPdv] SET MULTI_USER WITH ROLLBACK IMMEDIATE; ALTER DATABASE [BDPdv] SET READ_WRITE; ALTER DATABASE [BDPdv] SET OFFLINE WITH ROLLBACK AFTER 5 SECONDS;
     ALTER DATABASE [BDPdv] SET RESTRICTED_USER WITH NO_WAIT; ALTER DATABASE x SET RECOVERY FULL; ALTER DATABASE x SET AUTO_CLOSE OFF, TRUSTWORTHY ON",
    "ALTER DATABASE [BDPdv] SET ENABLE_BROKER; ALTER DATABASE [BDPdv] SET NEW_BROKER; ALTER DATABASE CURRENT SET PAGE_VERIFY CHECKSUM",
    "ALTER DATABASE [BDPdv] MODIFY NAME=[BDPdv_old_1]",
    "ALTER AUTHORIZATION ON DATABASE::[BDPdv] TO [sa]",
    "CREATE DATABASE [BDPdv] ON (FILENAME=N'D:\\BDPdv.mdf'),(FILENAME=N'D:\\BDPdv_log.ldf') FOR ATTACH;",
    "CREATE DATABASE [BDPdv] ON (FILENAME=N'D:\\BDPdv.mdf') FOR ATTACH_REBUILD_LOG;",
    "CREATE DATABASE x ON PRIMARY (NAME=x, FILENAME='x.mdf', SIZE=8MB, MAXSIZE=UNLIMITED, FILEGROWTH=10%) LOG ON (NAME=N'x_log', FILENAME='x.ldf', SIZE=8, FILEGROWTH=64 MB) COLLATE Modern_Spanish_CI_AS",
    "DROP DATABASE IF EXISTS x, y",
    // logins
    "CREATE LOGIN [pdv] WITH PASSWORD=0x0200AB HASHED, SID=0x01020304, CHECK_POLICY=OFF, DEFAULT_DATABASE=[master]",
    "CREATE LOGIN [T\\x] FROM WINDOWS WITH DEFAULT_DATABASE = master; ALTER LOGIN pdv DISABLE; ALTER LOGIN pdv WITH PASSWORD = 'x' UNLOCK; DROP LOGIN pdv",
    "CREATE USER pdv FOR LOGIN pdv; CREATE USER q WITHOUT LOGIN; DROP USER IF EXISTS q; ALTER ROLE db_owner ADD MEMBER pdv",
    "ALTER SERVER ROLE sysadmin ADD MEMBER [pdv]; GRANT VIEW SERVER STATE, ALTER ANY CONNECTION TO pdv; DENY SELECT ON dbo.t TO public",
    // procedures
    "EXEC msdb.dbo.sp_delete_backuphistory @oldest_date='2026-01-01'",
    "EXEC [BDPdv].sys.sp_addextendedproperty N'continuidad_epoch', N'1|main|x'",
    "EXEC master.dbo.sp_detach_db @dbname=N'BDPdv', @skipchecks=N'true';",
    "EXEC master.dbo.xp_instance_regread N'HKEY_LOCAL_MACHINE',N'Software',N'BackupDirectory'",
    "DECLARE @rc int; EXEC @rc = sp_getapplock @Resource='continuidad', @LockMode='Exclusive', @LockOwner='Session', @LockTimeout=-1; SELECT @rc",
    "DECLARE @there int; EXEC xp_fileexist N'C:\\x', @there OUTPUT; EXEC xp_fixeddrives",
    "sp_who 'active'",
    // variables and control
    "DECLARE @a int = 1, @b nvarchar(max), @c AS decimal(10,2); SET @a += 1; SELECT @a = @a + 1, @b = N'x'; PRINT @b + N'!'",
    "IF @@TRANCOUNT > 0 ROLLBACK; ELSE BEGIN PRINT 'x' END",
    "BEGIN TRY BEGIN TRAN INSERT INTO t VALUES (1) COMMIT END TRY BEGIN CATCH IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; THROW; END CATCH",
    "DECLARE @i int = 0; WHILE @i < 3 BEGIN SET @i = @i + 1; IF @i = 2 BREAK ELSE CONTINUE END",
    "RAISERROR(N'x %d', 16, 1, 5) WITH NOWAIT; RAISERROR('y', 10, -1)",
    "THROW 50000, 'x', 1",
    "BEGIN TRANSACTION t1; SAVE TRAN s; ROLLBACK TRAN s; COMMIT WORK",
    // queries
    "SELECT 1 AS a, b = 2, 3 c, 'x' 'd' UNION ALL SELECT 1, 2, 3, NULL ORDER BY a DESC OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
    "SELECT DISTINCT t.*, x.n FROM dbo.t AS t WITH (UPDLOCK, HOLDLOCK) CROSS JOIN (SELECT COUNT(*) AS n FROM u) x WHERE t.a IN (1,2) AND t.b NOT IN (SELECT b FROM u) AND NOT (t.c BETWEEN 1 AND 2 OR t.d LIKE '5[%]' ESCAPE '!') GROUP BY t.a HAVING COUNT(DISTINCT t.b) > 1",
    "SELECT CASE WHEN a = 1 THEN 'x' ELSE NULL END, CASE a WHEN 1 THEN 2 END, IIF(a > 1, 1, 0), COALESCE(a, 0), NULLIF(a, 1), LEFT(b, 2), RIGHT(b, 1), CONVERT(nvarchar(30), c, 126), -a * (b + ~1) % 2 FROM t, u",
    "SELECT SUBSTRING(BulkColumn, 1, 8000), DATEDIFF(SECOND, GETDATE(), SYSUTCDATETIME()), DATEADD(day, -1, CURRENT_TIMESTAMP), ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) FROM t",
    "SELECT (SELECT MAX(a) FROM t), master..t.b, [x y].[z]]q], \"w\" FROM master..t",
    // tables
    "CREATE TABLE dbo.Tickets (id bigint IDENTITY(1,1) NOT NULL CONSTRAINT PK_T PRIMARY KEY CLUSTERED, folio nvarchar(20) COLLATE DATABASE_DEFAULT NOT NULL UNIQUE, total decimal(12,2) NOT NULL DEFAULT (0), at datetime2(3) CONSTRAINT DF_T DEFAULT SYSDATETIME(), CHECK (total >= 0), FOREIGN KEY (id) REFERENCES u (id))",
    "CREATE UNIQUE NONCLUSTERED INDEX ix ON dbo.t (a ASC, b DESC) INCLUDE (c); DROP TABLE IF EXISTS dbo.t; TRUNCATE TABLE t",
    "INSERT INTO t (a, b) OUTPUT inserted.id, inserted.* VALUES (1, DEFAULT), (2, N'ñ'); INSERT t DEFAULT VALUES; INSERT INTO t SELECT a, b FROM u WHERE a > 1",
    "UPDATE TOP (1) t SET a += 1, b = DEFAULT OUTPUT inserted.a FROM t AS t JOIN u ON u.a = t.a WHERE t.b IS NOT NULL",
    "DELETE TOP (5) FROM t OUTPUT deleted.* WHERE a = 1; DELETE t WHERE b = 1; DELETE x FROM t x JOIN u ON u.a = x.a",
    "-- a comment\n/* and /* nested */ one */ SELECT 1;;",
    "",
];

/// Accepted, but younger than the parser of Microsoft that `tools/tsql-check` has.
const YOUNGER: &[&str] =
    &["BACKUP DATABASE x TO DISK='a' WITH COMPRESSION (ALGORITHM = ZSTD, LEVEL = HIGH)", "DBCC CHECKDB WITH MAXDOP = 1"];

/// Refused, with the number.
const REFUSED: &[(&str, u32)] = &[
    ("SELEC 1 FROM t", 156),
    ("SELECT 1; FOO", 102),
    ("SELECT FROM t", 156),
    ("SELECT 'abc", 105),
    ("SELECT [abc", 105),
    ("SELECT 1 /* x", 113),
    ("SELECT @x", 137),
    ("DECLARE @x int, @X int", 134),
    ("SELECT 1 WITH (x)", 319),
    ("SELECT 1 WHERE 1", 4145),
    ("SELECT 1 WHERE a AND b = 1", 4145),
    ("SELECT a = (b = 1)", 102),
    ("SELECT * INTO x FROM t", 156),
    ("DECLARE @x int; SELECT @x = 1, 2", 141),
    ("SELECT * FROM (SELECT 1 AS a ORDER BY a) x", 1033),
    ("SELECT * FROM t WITH (FOO)", 321),
    ("SELECT ROW_NUMBER() OVER () FROM t", 4112),
    ("SELECT CAST(1 AS foo)", 243),
    ("DECLARE @x nvarchar(9000)", 1001),
    ("SELECT * FROM OPENROWSET(BULK N'x', SINGLE_BLOB)", 491),
    ("SELECT 1 a b", 102),
    ("SELECT 1,", 102),
    ("SELECT (1", 102),
    ("INSERT INTO t (a, b) VALUES (1)", 109),
    ("INSERT INTO t (a) VALUES (1, 2)", 110),
    ("UPDATE t a = 1", 102),
    ("DELETE t WHERE", 156),
    ("BACKUP DATABASE x", 102),
    ("BACKUP DATABASE x TO DISK 'a'", 102),
    ("BACKUP DATABASE x TO DISK='a' WITH FORMAT CHECKSUM", 102),
    ("BACKUP DATABASE x TO DISK='a' WITH FOOBAR", 102),
    ("BACKUP DATABASE x TO DISK='a' WITH NORECOVERY", 3032),
    ("BACKUP LOG x TO DISK='a' WITH DIFFERENTIAL", 3032),
    ("BACKUP LOG x TO DISK='a' WITH FORMAT, NOFORMAT", 3031),
    ("BACKUP LOG x TO DISK='a' WITH FORMAT, FORMAT", 3031),
    ("BACKUP LOG x TO DISK='a' WITH NORECOVERY, STANDBY='u'", 3031),
    ("RESTORE DATABASE x FROM DISK='a' WITH RECOVERY, NORECOVERY", 3031),
    ("RESTORE DATABASE x FROM DISK='a' WITH COPY_ONLY", 102),
    ("RESTORE DATABASE x FROM DISK='a' NORECOVERY", 102),
    ("RESTORE HEADERONLY FROM DISK='a' WITH NORECOVERY", 3032),
    ("RESTORE FILELISTONLY DISK='a'", 156),
    ("RESTORE DATABASE x FROM DISK='a' WITH MOVE 'a' 'b'", 102),
    ("ALTER DATABASE x SET SINGLE", 102),
    ("ALTER DATABASE x SET SINGLE_USER WITH ROLLBACK", 156),
    ("ALTER DATABASE x SET RECOVERY HALF", 102),
    ("ALTER DATABASE 'x' SET ONLINE", 102),
    ("CREATE DATABASE x ON (NAME=x) LOG ON (NAME=y, FILENAME='y')", 5035),
    ("CREATE DATABASE x ON (FILENAME='a', NAME=b)", 102),
    ("CREATE LOGIN x WITH PASSWORD = 0x01", 102),
    ("KILL @@SPID", 102),
    ("KILL 'x'", 102),
    ("USE 'x'", 102),
    ("SET NOCOUNT", 102),
    ("SET FOO ON", 102),
    ("SET DEADLOCK_PRIORITY 11", 2799),
    ("DBCC FOO", 2526),
    ("DBCC CHECKDB (x) WITH FOO", 102),
    ("EXEC p @a = 1, 2", 119),
    ("EXEC p 1 + 1", 102),
    ("SELECT 1; sp_who", 102),
    ("IF 1 SELECT 1", 4145),
    ("BEGIN END", 156),
    ("BEGIN SELECT 1", 102),
    ("ELSE SELECT 1", 156),
    ("CREATE TABLE t (a int, a int)", 2705),
    ("CREATE TABLE t (a int PRIMARY KEY, b int PRIMARY KEY)", 8110),
    ("CREATE TABLE t (a int NULL NULL)", 156),
    ("SELECT a.b.c.d.e FROM t", 4104),
    ("SELECT * FROM a.b.c.d.e", 117),
    ("SELECT 1 !", 102),
    ("SELECT []", 1038),
    ("GRANT EVERYTHING TO x", 102),
    ("GRANT SELECT ALTER TO x", 156),
    ("UPDATE t SET a = 1 OUTPUT b = inserted.a", 102),
    ("SELECT DATEDIFF(on, 1, 2)", 156),
    ("RAISERROR('x', 'y', 1)", 102),
    ("THROW 50000, 5, 1", 102),
    ("DISABLE x", 102),
    ("RESTORE DATABASE x FROM DATABASE_SNAPSHOT = y", 102),
];

#[test]
fn the_documented_statements_are_accepted() {
    for batch in ACCEPTED.iter().chain(YOUNGER) {
        if let Err(problem) = parse_with(batch, &["@P1", "@P2"]) {
            panic!("{problem:?}\n{batch}");
        }
    }
}

/// For `tools/tsql-check`: what the simulator takes, Microsoft's parser takes too.
#[test]
fn what_is_accepted_is_written_down() {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(target);
    let folder = target.join("tsql");
    std::fs::create_dir_all(&folder).unwrap();
    let batches: Vec<String> = ACCEPTED.iter().filter(|batch| !batch.is_empty()).map(|batch| format!("{batch}\n")).collect();
    std::fs::write(folder.join("simulator.sql"), batches.join("GO\n")).unwrap();
}

#[test]
fn everything_else_is_refused_with_its_number() {
    let mut wrong = Vec::new();
    for (batch, number) in REFUSED {
        match parse(batch) {
            Err(problem) if problem.number == *number => {}
            Err(problem) => wrong.push(format!("{batch}: {} {}, not {number}", problem.number, problem.text)),
            Ok(_) => wrong.push(format!("{batch}: accepted")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_problem_names_its_line_and_a_statement_its_text() {
    assert_eq!(parse("SELECT 1\n\nSELECT 2 x y").unwrap_err().line, 3);
    assert_eq!(parse("SELECT 1\nSELECT 'a\nb").unwrap_err().line, 2);
    let statements = parse("SELECT 1 -- x\n;\n  KILL 5;").unwrap();
    assert_eq!((statements[0].line, statements[0].text.as_str()), (1, "SELECT 1"));
    assert_eq!((statements[1].line, statements[1].text.as_str()), (3, "KILL 5"));
}

#[test]
fn operators_bind_as_documented() {
    let same = [
        ("SELECT 1 + 2 * 3", "SELECT 1 + (2 * 3)"),
        ("SELECT 1 - 2 - 3", "SELECT (1 - 2) - 3"),
        ("SELECT 1 WHERE 1 = 1 OR 1 = 2 AND NOT 1 = 3", "SELECT 1 WHERE 1 = 1 OR (1 = 2 AND (NOT (1 = 3)))"),
        ("SELECT 1 & 2 + 3", "SELECT (1 & 2) + 3"),
        ("SELECT ~1 + 2", "SELECT (~1) + 2"),
        ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3", "SELECT 1 UNION (SELECT 2 INTERSECT SELECT 3)"),
    ];
    for (plain, explicit) in same {
        let kind = |batch| format!("{:?}", parse(batch).unwrap().remove(0).kind);
        assert_eq!(kind(plain), kind(explicit), "{plain}");
    }
}

#[test]
fn a_backup_keeps_every_option() {
    let batch = "BACKUP LOG [a]]b] TO DISK=N'c:\\it''s.trn', DISK=@P1 WITH FORMAT, CHECKSUM, STATS=5, NAME=N'n', NORECOVERY, NO_COMPRESSION";
    let Kind::Backup(backup) = parse_with(batch, &["@p1"]).unwrap().remove(0).kind else { panic!() };
    let expected = BackupOptions {
        format: Some(true),
        checksum: Some(true),
        stats: Some(Some(5)),
        name: Some(Text::Literal("n".to_owned())),
        no_recovery: true,
        compression: Some(false),
        ..BackupOptions::default()
    };
    assert_eq!(backup.options, expected);
    assert_eq!(backup.database, Text::Literal("a]b".to_owned()));
    let disks = [Device::Disk(Text::Literal("c:\\it's.trn".to_owned())), Device::Disk(Text::Variable("@P1".to_owned()))];
    assert_eq!(backup.devices, disks);
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    for open in ["(", "NOT ", "- ", "CASE WHEN 1 = 1 THEN "] {
        let batch = format!("SELECT 1 WHERE {} 1", open.repeat(100_000));
        parse(&batch).unwrap_err();
    }
    assert_eq!(parse(&"BEGIN ".repeat(50_000)).unwrap_err().number, 191);
    assert_eq!(parse(&format!("SELECT 1 FROM {}", "(".repeat(50_000))).unwrap_err().number, 191);
    parse(&format!("SELECT {}1{}", "(".repeat(30), ")".repeat(30))).unwrap();
}

proptest! {
    #[test]
    fn quoting_survives(name in "[^\u{0}]{1,60}", text in any::<String>()) {
        let batch = format!("USE [{}] PRINT N'{}' PRINT '{1}'", name.replace(']', "]]"), text.replace('\'', "''"));
        let kinds: Vec<Kind> = parse(&batch).unwrap().into_iter().map(|statement| statement.kind).collect();
        prop_assert_eq!(&kinds[0], &Kind::Use(name));
        prop_assert_eq!(&kinds[1], &Kind::Print(Expr::String { text: text.clone(), national: true }));
        prop_assert_eq!(&kinds[2], &Kind::Print(Expr::String { text, national: false }));
    }

    #[test]
    fn nothing_makes_it_panic(batch in any::<String>()) {
        let _ = parse(&batch);
    }

    #[test]
    fn no_mixture_of_words_makes_it_panic(words in proptest::collection::vec(0_usize..40, 0..30)) {
        const WORDS: [&str; 40] = [
            "SELECT", "FROM", "WHERE", "(", ")", ",", "t", "1", "'x'", "=", "AND", "NOT", "IN", "EXISTS", "CASE", "WHEN", "THEN", "END",
            "BACKUP", "RESTORE", "DATABASE", "LOG", "TO", "DISK", "WITH", "FORMAT", "ALTER", "SET", "CREATE", "TABLE", "BEGIN", "TRY",
            "IF", "ELSE", "EXEC", "@x", "@@y", ".", "JOIN", "DECLARE",
        ];
        let batch = words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
        let _ = parse(&batch);
    }
}
