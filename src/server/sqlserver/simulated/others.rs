//! What others do: programs that back main up as well, a computer that is put back, logins that come and change.

use std::io::Read;

use super::pair::{Pair, Served};
use crate::model::{CopyKind, CopyToApply, DatabaseId, EpochRecord, Next, Position, Scanned, Side};
use crate::progress::Watch;
use crate::server::port::{DatabaseServer, Part};
use crate::server::sqlserver::plain::{Plain, Program};

/// Takes a copy of main; its bytes.
fn copy(main: &Served, kind: CopyKind, base: Option<&Position>, sequence: u64) -> (Scanned, Vec<u8>) {
    let server: &dyn DatabaseServer = &main.instance;
    let database: DatabaseId = server.identify("S1").unwrap();
    let record = EpochRecord::first(Some(database));
    let mut bytes = Vec::new();
    let mut sink = |part: Part<'_>| {
        if let Part::Bytes(some) = part {
            bytes.extend_from_slice(some);
        }
        Ok(true)
    };
    let scanned = server.scan(kind, base, &record, sequence, &mut sink, &Watch::silent()).unwrap().unwrap();
    (scanned, bytes)
}

fn apply(backup: &Served, kind: CopyKind, scanned: &Scanned, bytes: &[u8]) {
    let name = format!("copia-{}", scanned.to.sequence);
    let copy = CopyToApply { name, kind, from: scanned.from.clone(), to: scanned.to.clone(), bytes: bytes.len() as u64 };
    let mut content: Box<dyn Read> = Box::new(bytes);
    DatabaseServer::apply(&backup.instance, &copy, &mut content, &Watch::silent()).unwrap();
}

/// Where main's log was backed up by somebody else, or its base moved, the next copy is another kind, and who it was is told.
#[test]
fn another_program_that_backs_main_up_is_named() {
    let pair = Pair::new();
    let (main, file) = (&pair.main, |name: &str| pair.dir.path().join(name).to_string_lossy().into_owned());
    // So much that a differential is worth it.
    main.sql("CREATE TABLE [BDPdv].[dbo].[Articulos] (Clave int NOT NULL PRIMARY KEY, Nombre nvarchar(400))");
    for tens in 0..40 {
        let rows: Vec<String> = (0..50).map(|n| format!("({}, N'{}')", tens * 50 + n, "artículo ".repeat(20))).collect();
        main.sql(&format!("INSERT INTO [BDPdv].[dbo].[Articulos] (Clave, Nombre) VALUES {}", rows.join(", ")));
    }
    let (full, bytes) = copy(main, CopyKind::Full, None, 1);
    apply(&pair.backup, CopyKind::Full, &full, &bytes);
    let server: &dyn DatabaseServer = &main.instance;
    let seen = |base: &Position, kind| (server.next(base, kind).unwrap(), server.moved_by(base, kind).unwrap());
    assert_eq!(seen(&full.to, CopyKind::Full), (Next::Increment, vec![]));
    pair.sell(10..12);
    let (log, bytes) = copy(main, CopyKind::Increment, Some(&full.to), 2);
    apply(&pair.backup, CopyKind::Increment, &log, &bytes);
    assert_eq!(seen(&log.to, CopyKind::Increment), (Next::Increment, vec![]));
    // A log that the mirror took and could not deliver is nobody else's.
    pair.sell(12..14);
    copy(main, CopyKind::Increment, Some(&log.to), 3);
    assert_eq!(seen(&log.to, CopyKind::Increment), (Next::Increment, vec![]));
    let (log, bytes) = copy(main, CopyKind::Increment, Some(&log.to), 3);
    apply(&pair.backup, CopyKind::Increment, &log, &bytes);

    pair.sell(20..22);
    let theirs = file("ajena.trn");
    main.sql(&format!("BACKUP LOG [BDPdv] TO DISK=N'{theirs}' WITH NAME=N'Ola'"));
    let (next, others) = seen(&log.to, CopyKind::Increment);
    assert_eq!((next, others.len()), (Next::Differential, 1), "{others:?}");
    for words in [&others[0].es, &others[0].en] {
        assert!(words.contains("sa,") && words.contains(&theirs) && words.contains("T"), "{words}");
    }
    let (bridge, bytes) = copy(main, CopyKind::Differential, Some(&full.to), 4);
    apply(&pair.backup, CopyKind::Differential, &bridge, &bytes);
    assert_eq!(seen(&bridge.to, CopyKind::Differential), (Next::Increment, vec![]));

    pair.sell(30..32);
    let theirs = file("ajena.bak");
    main.sql(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{theirs}' WITH NAME=N'Veeam'"));
    let (next, others) = seen(&bridge.to, CopyKind::Differential);
    assert_eq!((next, others.len()), (Next::Increment, 1), "the log goes on through it: {others:?}");
    assert!(others[0].en.contains("full backup") && others[0].en.contains(&theirs), "{}", others[0].en);
    let (log, bytes) = copy(main, CopyKind::Increment, Some(&bridge.to), 5);
    apply(&pair.backup, CopyKind::Increment, &log, &bytes);
    assert_eq!(seen(&log.to, CopyKind::Increment), (Next::Increment, vec![]), "told once");
    // Both: no differential can bridge it.
    main.sql(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH NAME=N'Ola'", file("otra.trn")));
    pair.sell(40..41);
    main.sql(&format!("BACKUP LOG [BDPdv] TO DISK=N'{}' WITH NAME=N'Ola'", file("otra2.trn")));
    assert_eq!(seen(&log.to, CopyKind::Increment).0, Next::Full);
}

/// The whole computer is put back to an older state (a virtual machine's snapshot): its log begins before the newest copy ends.
#[test]
fn a_main_that_went_back_is_seeded_anew() {
    let pair = Pair::new();
    let (full, _) = copy(&pair.main, CopyKind::Full, None, 1);
    let Pair { main, backup: _backup, dir } = pair;
    drop(main);
    let folder = dir.path().join("main");
    let kept = dir.path().join("kept");
    let whole = |from: &std::path::Path, to: &std::path::Path| {
        for entry in walk(from) {
            let target = to.join(entry.strip_prefix(from).unwrap());
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(&entry, target).unwrap();
        }
    };
    whole(&folder, &kept);
    let main = Served::start(dir.path(), Side::Main, 16);
    main.sql("INSERT INTO [BDPdv].[dbo].[Ventas] (Folio, Caja) VALUES (70, N'CAJA1')");
    let (log, _) = copy(&main, CopyKind::Increment, Some(&full.to), 2);
    // Delivered: the exchange folder does not have it any more, as the restored computer would not.
    drop(main);
    for file in walk(&dir.path().join("main-paso")) {
        std::fs::remove_file(file).unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
    whole(&kept, &folder);
    let main = Served::start(dir.path(), Side::Main, 16);
    assert_eq!(main.instance.next(&log.to, CopyKind::Increment).unwrap(), Next::Full);
    assert_eq!(main.instance.next(&full.to, CopyKind::Full).unwrap(), Next::Increment);
}

/// With main away, the standby says by which version its copies were made.
#[test]
fn a_standby_knows_what_its_copies_were_made_by() {
    let pair = Pair::of(15, 15);
    let (full, bytes) = copy(&pair.main, CopyKind::Full, None, 1);
    apply(&pair.backup, CopyKind::Full, &full, &bytes);
    let versions = DatabaseServer::versions(&pair.backup.instance).unwrap();
    assert_eq!((versions.own, versions.of_copies), (Some(15), Some(15)));
    assert_eq!(DatabaseServer::versions(&pair.main.instance).unwrap().of_copies, None);
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

fn enters(served: &Served, user: &str, password: &str) -> bool {
    let program = Program {
        host: "127.0.0.1",
        encrypted: false,
        port: served.port,
        user,
        password,
        name: "PosPdv",
        machine: "CAJA9",
        database: "master",
    };
    Plain::connect(&program).is_ok()
}

#[test]
fn logins_follow_with_their_sid_and_their_password() {
    let pair = Pair::new();
    let (main, backup): (&dyn DatabaseServer, &dyn DatabaseServer) = (&pair.main.instance, &pair.backup.instance);
    let user =
        |login: &str| pair.main.program("alta", "BDPdv").batch(&format!("CREATE USER [{login}] FOR LOGIN [{login}]")).map(drop);
    pair.main.sql("CREATE LOGIN [pdv] WITH PASSWORD=N'Primera-1'");
    pair.main.sql("CREATE LOGIN [ajeno] WITH PASSWORD=N'Ajena-1'"); // no user in BDPdv
    pair.main.sql("CREATE LOGIN [baja] WITH PASSWORD=N'Baja-1'");
    pair.main.sql("ALTER LOGIN [baja] DISABLE");
    user("pdv").unwrap();
    user("baja").unwrap();
    let logins = main.logins().unwrap();
    assert!(!format!("{logins:?}").contains("0x0"), "{logins:?}");
    let taken = backup.take_logins(&logins).unwrap();
    assert_eq!((taken.created, taken.changed, taken.notes), (vec!["baja".to_owned(), "pdv".to_owned()], vec![], vec![]));
    assert!(enters(&pair.backup, "pdv", "Primera-1") && !enters(&pair.backup, "baja", "Baja-1"));
    assert!(!enters(&pair.backup, "ajeno", "Ajena-1"));
    let sid = |served: &Served| served.sql("SELECT sid FROM sys.sql_logins WHERE name=N'pdv'");
    assert_eq!(sid(&pair.main), sid(&pair.backup));
    let again = backup.take_logins(&main.logins().unwrap()).unwrap();
    assert_eq!((again.created.len(), again.changed.len()), (0, 0));

    pair.main.sql("ALTER LOGIN [pdv] WITH PASSWORD=N'Segunda-2'");
    assert_eq!(backup.take_logins(&main.logins().unwrap()).unwrap().changed, ["pdv"]);
    assert!(enters(&pair.backup, "pdv", "Segunda-2") && !enters(&pair.backup, "pdv", "Primera-1"));

    // Another login of that name: a person made it, and it is not touched.
    pair.backup.sql("DROP LOGIN [pdv]");
    pair.backup.sql("CREATE LOGIN [pdv] WITH PASSWORD=N'Tercera-3'");
    let taken = backup.take_logins(&main.logins().unwrap()).unwrap();
    assert!(taken.notes.len() == 1 && taken.notes[0].es.contains("otro SID"), "{taken:?}");
    assert!(enters(&pair.backup, "pdv", "Tercera-3"));
}

#[test]
fn a_hash_that_the_backup_does_not_know_is_said_and_not_sent() {
    let pair = Pair::of(17, 16);
    pair.main.sql("CREATE LOGIN [pdv] WITH PASSWORD=N'Primera-1'");
    pair.main.program("alta", "BDPdv").batch("CREATE USER [pdv] FOR LOGIN [pdv]").unwrap();
    let taken = DatabaseServer::take_logins(&pair.backup.instance, &pair.main.instance.logins().unwrap()).unwrap();
    assert!(taken.created.is_empty() && taken.notes.len() == 1 && taken.notes[0].en.contains("2025"), "{taken:?}");
    assert!(!enters(&pair.backup, "pdv", "Primera-1"));
}
