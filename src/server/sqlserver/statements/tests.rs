//! Every statement in every combination that the driver can use: written to a file for Microsoft's parser (tools/tsql-check), and
//! read back by the simulator's, which other hands wrote. Quoting, by property.

use std::collections::HashSet;
use std::path::PathBuf;

use proptest::prelude::*;
use uuid::Uuid;

use super::reader::{Token, tokens};
use super::*;
use crate::config::Tickets;
use crate::server::sqlserver::decide::{MayReplace, Over, ReplaceToken, Standing, may_replace};

fn name(words: &str) -> DatabaseName {
    DatabaseName::new(words).unwrap()
}

fn path(words: &str) -> ServerPath {
    ServerPath::new(words).unwrap()
}

fn token(database: &DatabaseName) -> ReplaceToken {
    let standing = Some(Standing { follows: false, family: None, marked: true });
    may_replace(MayReplace { database, over: Over::Standby, standing, family: Uuid::nil() }).unwrap()
}

fn backups(all: &mut Vec<Statement>, database: &DatabaseName, devices: &[Devices]) {
    let set = BackupName::new("relevo log 3/17 'x'").unwrap();
    let kinds = [
        BackupKind::Full { copy_only: false },
        BackupKind::Full { copy_only: true },
        BackupKind::Differential,
        BackupKind::Log,
        BackupKind::Tail(Fence::Planned),
        BackupKind::Tail(Fence::Damaged),
        BackupKind::Tail(Fence::DamagedContinue),
        BackupKind::FinalDifferential,
        BackupKind::FinalFull,
    ];
    for to in devices {
        for kind in kinds {
            for compression in [None, Compression::of(3, 0)] {
                all.push(Backup { database, kind, to, name: &set, compression }.statement());
            }
        }
    }
}

fn restores_of(all: &mut Vec<Statement>, database: &DatabaseName, devices: &[Devices]) {
    let file = |logical: &str, to: &str| Move { logical: LogicalName::new(logical).unwrap(), to: path(to) };
    let moves = [file("BDPdv", r"C:\Datos\BDPdv.mdf"), file("BDPdv's_log", r"D:\Logs\BDPdv_log.ldf")];
    let recoveries = [Recovery::NoRecovery, Recovery::Recovery, Recovery::Standby(path(r"C:\Datos\BDPdv_undo.tuf"))];
    for from in devices {
        for recovery in &recoveries {
            for (restart, checksum) in [(false, true), (false, false), (true, true), (true, false)] {
                for moves in [&[][..], &moves[..]] {
                    for kind in [
                        RestoreKind::Full { replace: None },
                        RestoreKind::Full { replace: Some(token(database)) },
                        RestoreKind::Differential,
                        RestoreKind::Log,
                    ] {
                        let recovery = recovery.clone();
                        all.push(Restore { database, kind, from, moves, recovery, restart, checksum }.statement());
                    }
                }
            }
        }
        all.extend([header(from), file_list(from), verify(from, true), verify(from, false)]);
    }
    all.extend([recover(database), standby(database, &path("/var/opt/mssql/data/BDPdv.tuf"))]);
}

fn of_database(all: &mut Vec<Statement>, database: &DatabaseName) {
    all.extend(Setting::ALL.map(|setting| set(database, setting)));
    let files = [path(r"C:\Datos\BDPdv.mdf"), path(r"\\srv\d$\BDPdv_log.ldf")];
    let login = LoginName::new(r"DOMINIO\pdv]x").unwrap();
    all.extend([
        close(database),
        reopen(database),
        end_standby(database),
        give_to(database, &login),
        rename(database, &name("BDPdv_old_2026-11-24")),
        set_aside(database, &name("BDPdv_old_2026-11-24")),
        enter(database),
        detach(database),
        attach(database, &files, Attach::Whole),
        attach(database, &files[..1], Attach::RebuildLog),
        check(database, Check::Physical),
        check(database, Check::Whole),
        drop_scratch(&ScratchName::of(database).unwrap()),
        free_space(Some(database)),
        orphaned_users(database),
        store_logins(database),
        join_user(database, &login),
        sessions(Scope::Database(database)),
        in_use(database),
        state(database),
        database_files(database),
        edition_features(database),
        backups_since(database, crate::model::Lsn(45_000_000_003_200_001)),
        restores(database),
        log_size(database),
        change_size(database),
    ]);
    let property = PropertyName::new("relevo_epoch").unwrap();
    let value = PropertyValue::new(r#"{"epoch":3,"holder":"l'otro"}"#).unwrap();
    for keeper in [Keeper::Database(database), Keeper::Instance] {
        all.extend([
            properties(keeper, &[]),
            properties(keeper, &[property.clone(), PropertyName::new("otra").unwrap()]),
            set_property(keeper, &property, &value),
            drop_property(keeper, &property),
        ]);
    }
}

fn of_tables(all: &mut Vec<Statement>, database: &DatabaseName) {
    let shop = Tickets::default();
    let odd = Tickets { table: "caja]1.Ventas 'x'".to_owned(), key: "Folio ]".to_owned(), ..Tickets::default() };
    let known = ["Folio", "Caja", "FECHA", "Total", "Epoca"].map(str::to_owned);
    for named in [&shop, &odd] {
        let table = TableName::new(&named.table).unwrap();
        all.extend([
            columns_of(database, &table),
            tickets(database, named, &known).unwrap(),
            tickets(database, named, &[]).unwrap(),
            last_folio(database, named).unwrap(),
        ]);
    }
    all.extend([count_tables(database), make_folio(database), next_folio(database), set_folio(database, 4_711)]);
}

fn of_instance(all: &mut Vec<Statement>) {
    let login = LoginName::new("pdv").unwrap();
    let (sid, hash) = (HexBytes::new("0x8F2a", 85).unwrap(), HexBytes::new("0x0200aa00bb", 256).unwrap());
    let program = ProgramName::new("relevo mirror").unwrap();
    let lock = LockName::new("relevo:server").unwrap();
    let spid = SessionId::new(57).unwrap();
    let time = ServerTime::new("2026-01-01T10:00:00.123").unwrap();
    let file = path(r"C:\Copias\BDPdv.trn");
    all.extend([
        clean_history(&ServerTime::new("2026-01-01T10:00:00").unwrap()),
        file_exists(&file),
        free_space(None),
        drives(),
        logins(),
        owner_login(),
        create_login(&login, &sid, &hash),
        set_login_hash(&login, &hash),
        set_login(&login, true),
        set_login(&login, false),
        preamble(30_000, true),
        preamble(30_000, false),
        own_session(),
        sessions(Scope::Program(&program)),
        kill(spid, &time, None),
        kill(spid, &time, Some(Uuid::from_u128(0xABCD))),
        progress(spid),
        orphaned_work(&program),
        take_lock(&lock, 0),
        release_lock(&lock),
        test_lock(&lock),
        instance(),
        permissions(),
        configuration(),
        services(),
        host(),
        begin(),
        commit(),
        rollback(),
    ]);
}

/// Every statement, each combination once, with ordinary names and with the worst ones.
pub fn every() -> Vec<Statement> {
    let mut all = Vec::new();
    let one = Devices::one(path(r"C:\Copias de l'año\BDPdv_000017.trn.part"));
    let stripes = Devices::stripes((1..=3).map(|n| path(&format!(r"\\srv\copias$\BDPdv_{n:02}.bak"))).collect()).unwrap();
    for database in [name("BDPdv"), name("Base ]'; DROP TABLE x;-- [ñ\" 店")] {
        backups(&mut all, &database, &[one.clone(), stripes.clone()]);
        restores_of(&mut all, &database, &[one.clone(), stripes.clone()]);
        of_database(&mut all, &database);
        of_tables(&mut all, &database);
    }
    of_instance(&mut all);
    let mut seen = HashSet::new();
    all.retain(|statement| seen.insert(statement.text().to_owned()));
    all
}

#[test]
fn every_statement_is_written_down() {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let folder = target.join("tsql");
    std::fs::create_dir_all(&folder).unwrap();
    let all: Vec<String> = every().iter().map(|statement| format!("{}\n", statement.text())).collect();
    assert!(all.iter().all(|text| text.lines().all(|line| !line.trim().eq_ignore_ascii_case("go"))));
    std::fs::write(folder.join("statements.sql"), all.join("GO\n")).unwrap();
    assert!(all.len() > 400, "{}", all.len());
}

/// Whoever adds a statement adds it to the list, or no parser sees it. Names are read from the sources; `of_the_store` has two of its own.
#[test]
fn the_list_is_whole() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/server/sqlserver/statements");
    let sources = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = sources.filter(|path| !path.ends_with("tests.rs") && !path.ends_with("reader.rs"));
    let text: String = sources.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let all = every();
    let listed: HashSet<&str> = all.iter().map(Statement::name).collect();
    // Every function that makes a statement, by its name; those with several kinds say each kind.
    let functions = text.match_indices("pub fn ").filter_map(|(at, start)| {
        let signature = text[at + start.len()..].split('{').next().unwrap();
        let makes = signature.trim_end().ends_with("-> Statement") || signature.contains("-> Result<Statement>");
        makes.then(|| signature.split(['(', '<']).next().unwrap())
    });
    let kinds = ["statement", "set", "set_login", "of_the_store"];
    let missing: Vec<&str> = functions.filter(|name| !kinds.contains(name) && !listed.contains(name)).collect();
    assert!(missing.is_empty(), "not in every(): {missing:?}");
    assert!(listed.len() > 80, "{}", listed.len());
}

#[test]
fn what_returns_rows_says_its_columns() {
    for statement in every() {
        let returns = ["SELECT ", "EXEC master.dbo.xp_", "RESTORE HEADERONLY", "RESTORE FILELISTONLY", "DECLARE @rc"]
            .iter()
            .any(|start| statement.text().starts_with(start));
        assert_eq!(returns, !statement.columns().is_empty(), "{}", statement.text());
        let names: HashSet<&str> = statement.columns().iter().map(|column| column.name).collect();
        assert_eq!(names.len(), statement.columns().len(), "{}", statement.name());
    }
}

/// An error does not end a batch: what follows in it asks first, or a failed backup would still be followed by the fence.
#[test]
fn a_batch_goes_on_only_where_it_went_well() {
    let changes = ["ALTER ", "BACKUP ", "RESTORE ", "EXEC ", "INSERT ", "DELETE ", "UPDATE ", "DROP "];
    let mut batches = 0;
    for statement in every() {
        for line in statement.text().lines().skip(1) {
            batches += 1;
            assert!(!changes.iter().any(|word| line.starts_with(word)), "{}", statement.text());
        }
    }
    assert!(batches > 50, "{batches}");
    // Side by side the third would run although the first failed: IF sets @@ERROR back.
    for statement in every().iter().filter(|statement| statement.text().contains("@@ERROR")) {
        let text = statement.text();
        assert_eq!(text.matches("IF @@ERROR=0").count(), text.matches("IF @@ERROR=0 BEGIN ").count(), "{text}");
        let ends = text.lines().last().unwrap();
        assert_eq!(ends.split(' ').filter(|word| *word == "END").count(), text.matches(" BEGIN ").count(), "{text}");
    }
}

/// The statements that open, close and overwrite the shop's database, letter by letter.
#[test]
fn the_dangerous_ones_read_like_this() {
    let (database, set) = (name("BDPdv"), BackupName::new("relevo log").unwrap());
    let to = Devices::one(path(r"D:\x\a.trn"));
    let backup = |kind| Backup { database: &database, kind, to: &to, name: &set, compression: None }.statement();
    let restore = |kind, moves: &[Move]| {
        let recovery = Recovery::NoRecovery;
        Restore { database: &database, kind, from: &to, moves, recovery, restart: true, checksum: true }.statement()
    };
    let place = Move { logical: LogicalName::new("BDPdv").unwrap(), to: path(r"C:\d\BDPdv.mdf") };
    let single = "ALTER DATABASE [BDPdv] SET SINGLE_USER WITH ROLLBACK IMMEDIATE;\n";
    let offline = "\nIF @@ERROR=0 BEGIN ALTER DATABASE [BDPdv] SET OFFLINE WITH ROLLBACK IMMEDIATE;";
    let rest = "FORMAT, CHECKSUM, STATS=5, NAME=N'relevo log';";
    for (statement, text) in [
        (
            backup(BackupKind::Tail(Fence::Planned)),
            format!(
                "{single}IF @@ERROR=0 BEGIN BACKUP LOG [BDPdv] TO DISK=N'D:\\x\\a.trn' WITH NORECOVERY, FORMAT, CHECKSUM, STATS=10, NAME=N'relevo log';\nEND"
            ),
        ),
        (
            backup(BackupKind::FinalDifferential),
            format!("{single}IF @@ERROR=0 BEGIN BACKUP DATABASE [BDPdv] TO DISK=N'D:\\x\\a.trn' WITH DIFFERENTIAL, {rest}{offline}\nEND END"),
        ),
        (backup(BackupKind::Full { copy_only: true }), format!("BACKUP DATABASE [BDPdv] TO DISK=N'D:\\x\\a.trn' WITH COPY_ONLY, {rest}")),
        (
            restore(RestoreKind::Full { replace: Some(token(&database)) }, std::slice::from_ref(&place)),
            "RESTORE DATABASE [BDPdv] FROM DISK=N'D:\\x\\a.trn' WITH FILE=1, NORECOVERY, CHECKSUM, STATS=5, REPLACE, RESTART, \
             MOVE N'BDPdv' TO N'C:\\d\\BDPdv.mdf';"
                .to_owned(),
        ),
        (
            restore(RestoreKind::Log, &[]),
            "RESTORE LOG [BDPdv] FROM DISK=N'D:\\x\\a.trn' WITH FILE=1, NORECOVERY, CHECKSUM, STATS=5, RESTART;".to_owned(),
        ),
        (recover(&database), "RESTORE DATABASE [BDPdv] WITH RECOVERY;".to_owned()),
        (close(&database), format!("{}{offline}\nEND", single.trim_end())),
        (
            kill(SessionId::new(57).unwrap(), &ServerTime::new("2026-01-01T10:00:00").unwrap(), None),
            "IF EXISTS (SELECT 1 FROM sys.dm_exec_sessions s LEFT JOIN sys.dm_exec_connections c ON c.session_id=s.session_id AND \
             c.parent_connection_id IS NULL WHERE s.session_id=57 AND s.session_id<>@@SPID \
             AND CONVERT(nvarchar(30), s.login_time, 126)=N'2026-01-01T10:00:00') KILL 57;"
                .to_owned(),
        ),
    ] {
        assert_eq!(statement.text(), text);
    }
}

/// Hashes and SIDs stay out of logs; nothing else is hidden from them.
#[test]
fn secrets_are_not_shown() {
    for statement in every() {
        let secret = statement.text().contains(" HASHED");
        assert_eq!(secret, format!("{statement:?}") != statement.text(), "{statement:?}");
        assert!(!statement.shown().contains("0x0200"), "{statement:?}");
    }
    assert_eq!(format!("{:?}", HexBytes::new("0x0200AA", 9).unwrap()), "0x… (3 bytes)");
    assert!(HexBytes::new("0x0300aa", 9).unwrap().starts_with(&[3, 0]));
}

#[test]
fn only_what_the_server_takes_can_be_said() {
    assert_eq!(Compression::of(4, -1_592_396_055), None); // Express
    assert_eq!(Compression::of(2, 1_293_598_313), None); // Web
    assert!(Compression::of(2, -1_534_726_760).is_some() && Compression::of(3, -2_117_995_310).is_some());
    assert!(Devices::stripes(Vec::new()).is_err() && Devices::stripes(vec![path("/a"); 65]).is_err());
    let (mine, yours, from) = (name("BDPdv"), name("Otra"), Devices::one(path("/a")));
    let kind = RestoreKind::Full { replace: Some(token(&yours)) };
    let (moves, recovery) = (&[][..], Recovery::NoRecovery);
    let text = Restore { database: &mine, kind, from: &from, moves, recovery, restart: false, checksum: true }.statement();
    assert_eq!(text.text(), "RESTORE DATABASE [BDPdv] FROM DISK=N'/a' WITH FILE=1, NORECOVERY, CHECKSUM, STATS=5;");
    for system in ["master", "MSDB ", "tempdb", "Model"] {
        assert_eq!(DatabaseName::new(system).unwrap_err().kind, "sql_name", "{system}");
    }
    for wrong in ["", "C:", "BDPdv.bak", r"..\x", "NUL", r"\\.\NUL", r"\\?\C:\x", r"\\srv", "//srv/x", "https://x/y"] {
        assert_eq!(ServerPath::new(wrong).unwrap_err().kind, "sql_name", "{wrong}");
    }
    let folder = path(r"C:\Copias\");
    assert_eq!(folder.join("a.bak").unwrap().as_str(), r"C:\Copias\a.bak");
    assert_eq!(path("/var/opt").join("a.bak").unwrap().as_str(), "/var/opt/a.bak");
    for wrong in ["", "..", r"x\y", "x/y", "c:x"] {
        assert!(folder.join(wrong).is_err(), "{wrong}");
    }
    for wrong in [0, -2, 32_768, i64::MAX] {
        assert!(SessionId::new(wrong).is_err(), "{wrong}");
    }
    for wrong in ["", "2026-01-01", "2026-01-01 10:00:00", "2026-01-01T10:00:00.1234", "2026-01-01T10:00:0é"] {
        assert!(ServerTime::new(wrong).is_err(), "{wrong}");
    }
    for wrong in ["", "0x", "0x1", "1234", "0xZZ", "0x00112233"] {
        assert!(HexBytes::new(wrong, 3).is_err(), "{wrong}");
    }
}

#[test]
fn control_characters_are_refused_and_never_echoed() {
    for wrong in ["a\0b", "a\nGO\nb", "a\tb", "\u{1b}[31m", "a\u{85}b"] {
        for failure in [
            DatabaseName::new(wrong).unwrap_err(),
            LoginName::new(wrong).unwrap_err(),
            ServerPath::new(&format!(r"C:\{wrong}")).unwrap_err(),
            PropertyValue::new(wrong).unwrap_err(),
        ] {
            assert_eq!(failure.kind, "sql_name");
            assert!(!failure.message.es.chars().any(char::is_control) && failure.hint.is_some());
        }
    }
}

/// Names that any shop or attacker may bring: everything that is no control character.
fn words() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{1,40}", "[\\]\\['\".;\\- a店]{1,40}", "[a-z]{1,9}\\.\\.[a-z]{1,9} {0,3}"]
        .prop_filter("no control characters", |words| !words.chars().any(char::is_control))
}

proptest! {
    #[test]
    fn a_name_is_one_token_and_says_the_same(words in words()) {
        if let Ok(name) = DatabaseName::new(&words) {
            prop_assert_eq!(tokens(&name.identifier()).unwrap(), [Token::Quoted(words.clone())]);
            prop_assert_eq!(tokens(&name.literal()).unwrap(), [Token::Literal(words.clone())]);
            let statement = set(&name, Setting::MultiUser);
            let read = tokens(statement.text()).unwrap();
            prop_assert_eq!(read.len(), 9);
            prop_assert_eq!(&read[2], &Token::Quoted(words.clone()));
        }
        let login = LoginName::new(&words).unwrap();
        prop_assert_eq!(tokens(&login.identifier()).unwrap(), [Token::Quoted(words)]);
    }

    #[test]
    fn a_path_is_one_token_and_says_the_same(words in words(), start in "[A-Z]:\\\\|\\\\\\\\srv\\\\|/") {
        let whole = format!("{start}{words}");
        if let Ok(path) = ServerPath::new(&whole) {
            let statement = header(&Devices::one(path));
            let read = tokens(statement.text()).unwrap();
            prop_assert_eq!(read.len(), 7);
            prop_assert_eq!(&read[5], &Token::Literal(whole));
        }
    }

    #[test]
    fn control_characters_never_pass(before in "[a-z]{0,5}", control in "\\p{Cc}", after in "[a-z]{0,5}") {
        let words = format!("{before}{control}{after}");
        prop_assert!(DatabaseName::new(&words).is_err() && LockName::new(&words).is_err());
    }
}

/// The simulator's parser was written from the same documentation by other hands: what it refuses, one of the two read wrongly.
#[cfg(feature = "sim")]
#[test]
fn the_simulator_reads_every_statement() {
    let refused: Vec<String> = every()
        .iter()
        .filter_map(|statement| {
            let error = relevo_sim::sql::parse(statement.text()).err()?;
            Some(format!("{} {}\n   {}", error.number, error.text, statement.text()))
        })
        .collect();
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}
