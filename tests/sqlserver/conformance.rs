//! What the driver needs of a server, step by step, on two instances: simulated ones, or real ones where RELEVO_TEST_MSSQL_MAIN and
//! RELEVO_TEST_MSSQL_BACKUP name them (docs/sqlserver.md). It makes a database of its own and removes it.

use std::io::Cursor;
use std::path::PathBuf;

use relevo::config::{Encryption, SqlServerSection, Tickets};
use relevo::model::{
    CopyKind, CopyToApply, DatabaseState, Epoch, EpochRecord, Fencing, FolioRule, Intent, Next, Position, RunId, Scanned, Side,
};
use relevo::progress::Watch;
use relevo::server::DatabaseServer;
use relevo::server::port::{By, Part};
use relevo::server::sqlserver::address::Address;
use relevo::server::sqlserver::connection::Access;
use relevo::server::sqlserver::instance::{Instance, Parts};
use relevo::server::sqlserver::plain::{Plain, Program};
use relevo::server::sqlserver::statements::{DatabaseName, ServerPath};

use crate::harness::Shop;

const DATABASE: &str = "RelevoPrueba";
/// Login of scripts, and its password.
const SCRIPTS: (&str, &str) = ("relevo_prueba_guiones", "Guiones-2026");

/// One of the two instances.
struct Place {
    /// `host,port`
    address: String,
    user: String,
    password: String,
    /// Exchange folder; this machine sees it under the same path.
    folder: PathBuf,
    encryption: Encryption,
}

impl Place {
    fn named(variable: &str) -> Option<Place> {
        let words = std::env::var(variable).ok()?;
        let parts: Vec<&str> = words.split(';').collect();
        let [address, user, password, folder] = parts[..] else { panic!("{variable}: 'host,port;user;password;folder'") };
        let [address, user, password] = [address, user, password].map(str::to_owned);
        Some(Place { address, user, password, folder: folder.into(), encryption: Encryption::Required })
    }

    fn simulated(shop: &Shop, machine: &str) -> Place {
        Place {
            address: format!("127.0.0.1,{}", shop.sql().port(machine)),
            user: "sa".to_owned(),
            password: shop.sql().password().to_owned(),
            folder: shop.path(machine, "paso"),
            encryption: Encryption::None,
        }
    }

    fn server(&self, side: Side) -> Instance {
        let access = |user: &str, password: String| Access {
            instance: self.address.clone(),
            address: Address::parse(&self.address).unwrap(),
            user: Some(user.to_owned()),
            password: Box::new(move || Ok(password.clone())),
            encryption: self.encryption,
            trust: true,
            connect_within: std::time::Duration::from_secs(10),
            spent: std::sync::Arc::default(),
            answer_within: std::time::Duration::from_secs(30),
        };
        let section = SqlServerSection { between_looks: std::time::Duration::from_millis(100), ..SqlServerSection::default() };
        Instance::new(Parts {
            side,
            access: access(&self.user, self.password.clone()),
            script: Some(access(SCRIPTS.0, SCRIPTS.1.to_owned())),
            database: DatabaseName::new(DATABASE).unwrap(),
            exchange: (ServerPath::new(self.folder.to_str().unwrap()).unwrap(), self.folder.clone()),
            tickets: Tickets::default(),
            world: relevo::world::real(),
            section,
        })
    }

    fn program(&self, name: &str, database: &str) -> Plain {
        let address = Address::parse(&self.address).unwrap();
        let relevo::server::sqlserver::address::Port::Known(port) = address.port else { panic!("give the port") };
        Plain::connect(&Program {
            host: &address.host,
            port,
            user: &self.user,
            password: &self.password,
            name,
            machine: "prueba",
            database,
            encrypted: self.encryption != Encryption::None,
        })
        .unwrap()
    }

    fn drop_database(&self) {
        let mut session = self.program("prueba", "master");
        for name in [DATABASE, &format!("{DATABASE}.db.antes-de-e3")] {
            let there = session.batch(&format!("SELECT state_desc FROM sys.databases WHERE name=N'{name}'")).unwrap();
            match there.first().and_then(|row| row[0].as_str()) {
                None => continue,
                Some("OFFLINE") => drop(session.batch(&format!("ALTER DATABASE [{name}] SET ONLINE"))),
                Some(_) => {}
            }
            session.batch(&format!("DROP DATABASE [{name}]")).unwrap();
        }
    }

    /// The login of scripts, with a user in the database.
    fn create_script_login(&self) {
        let (name, password) = SCRIPTS;
        self.drop_script_login();
        let mut session = self.program("prueba", DATABASE);
        session.batch(&format!("CREATE LOGIN [{name}] WITH PASSWORD=N'{password}', CHECK_POLICY=OFF")).unwrap();
        session.batch(&format!("CREATE USER [{name}] FOR LOGIN [{name}]")).unwrap();
        for role in ["db_datareader", "db_datawriter"] {
            session.batch(&format!("ALTER ROLE [{role}] ADD MEMBER [{name}]")).unwrap();
        }
    }

    fn drop_script_login(&self) {
        let _ = self.program("prueba", "master").batch(&format!("DROP LOGIN [{}]", SCRIPTS.0)); // there may be none
    }

    fn sell(&self, epoch: i64, folios: std::ops::RangeInclusive<i64>) {
        let mut session = self.program("PosPdv", DATABASE);
        for folio in folios {
            let values = [folio.into(), "C1".into(), epoch.into()];
            session.change("INSERT INTO dbo.Ventas (Folio, Caja, Total, Epoca) VALUES (@P1, @P2, 1.5, @P3)", &values).unwrap();
        }
    }
}

/// A copy, taken.
struct Copy {
    scanned: Scanned,
    bytes: Vec<u8>,
}

fn take(server: &Instance, kind: CopyKind, base: Option<&Position>, record: &EpochRecord, sequence: u64) -> Option<Copy> {
    let mut bytes = Vec::new();
    let mut sink = |part: Part<'_>| {
        if let Part::Bytes(more) = part {
            bytes.extend_from_slice(more);
        }
        Ok(true)
    };
    let scanned = DatabaseServer::scan(server, kind, base, record, sequence, &mut sink, &Watch::silent()).unwrap()?;
    Some(Copy { scanned, bytes })
}

fn apply(server: &Instance, copy: &Copy, sequence: u64) {
    let Scanned { change, from, to, .. } = &copy.scanned;
    let name = format!("prueba-{sequence}-{}", change.kind);
    let what = CopyToApply { name, kind: change.kind, from: from.clone(), to: to.clone(), bytes: change.bytes };
    DatabaseServer::apply(server, &what, &mut Cursor::new(&copy.bytes), &Watch::silent()).unwrap();
}

fn folios(server: &Instance) -> Vec<i64> {
    let mut found = Vec::new();
    server
        .tickets(&mut |ticket| {
            found.push(ticket.key.folio);
            Ok(())
        })
        .unwrap();
    found
}

#[test]
fn the_whole_suite() {
    let places = [Place::named("RELEVO_TEST_MSSQL_MAIN"), Place::named("RELEVO_TEST_MSSQL_BACKUP")];
    let (shop, main, backup) = match places {
        [Some(main), Some(backup)] => (None, main, backup),
        _ => {
            println!("on simulated instances: RELEVO_TEST_MSSQL_MAIN and RELEVO_TEST_MSSQL_BACKUP are not set");
            let shop = Shop::on_sqlserver();
            let [main, backup] = ["main", "caja"].map(|machine| Place::simulated(&shop, machine));
            (Some(shop), main, backup)
        }
    };
    for place in [&main, &backup] {
        place.drop_database();
        let version = place.program("prueba", "master").batch("SELECT @@VERSION").unwrap();
        println!("{}", version[0][0]);
    }
    run(&main, &backup);
    for place in [&main, &backup] {
        place.drop_database();
    }
    drop(shop);
}

fn run(at_main: &Place, at_backup: &Place) {
    let mut session = at_main.program("prueba", "master");
    session.batch(&format!("CREATE DATABASE [{DATABASE}]")).unwrap();
    session.batch(&format!("ALTER DATABASE [{DATABASE}] SET RECOVERY FULL")).unwrap();
    session.batch(&format!("USE [{DATABASE}]")).unwrap();
    session
        .batch(
            "CREATE TABLE dbo.Ventas (Folio bigint NOT NULL PRIMARY KEY, Caja nvarchar(40) NULL, Fecha nvarchar(40) NULL, \
             Total float NULL, Epoca int NULL)",
        )
        .unwrap();
    drop(session);
    let (main, backup) = (at_main.server(Side::Main), at_backup.server(Side::Backup));
    let watch = Watch::silent();

    // Looking, identity, record.
    assert_eq!(DatabaseServer::look(&main).unwrap().state, DatabaseState::Open);
    assert_eq!(DatabaseServer::look(&backup).unwrap().state, DatabaseState::Missing);
    let database = DatabaseServer::identify(&main, "0142").unwrap();
    assert_eq!(DatabaseServer::identify(&main, "0142").unwrap(), database);
    assert_eq!(DatabaseServer::identify(&main, "0999").unwrap_err().kind, "other_store");
    let first = EpochRecord::first(Some(database));

    // Full, log, nothing, differential over a gap, log again.
    at_main.sell(1, 1..=3);
    let full = take(&main, CopyKind::Full, None, &first, 1).unwrap();
    apply(&backup, &full, 1);
    assert_eq!(DatabaseServer::look(&backup).unwrap().position, Some(full.scanned.to.clone()));
    at_main.sell(1, 4..=5);
    assert_eq!(DatabaseServer::next(&main, &full.scanned.to, CopyKind::Full).unwrap(), Next::Increment);
    let log = take(&main, CopyKind::Increment, Some(&full.scanned.to), &first, 2).unwrap();
    apply(&backup, &log, 2);
    apply(&backup, &log, 2); // once more, as after a crash
    at_main.sell(1, 6..=6);
    let elsewhere = ServerPath::new(at_main.folder.to_str().unwrap()).unwrap().join("ajeno.trn").unwrap();
    let foreign = format!("BACKUP LOG [{DATABASE}] TO DISK={} WITH FORMAT", elsewhere.literal());
    at_main.program("prueba", "master").batch(&foreign).unwrap();
    at_main.sell(1, 7..=7);
    assert_eq!(DatabaseServer::next(&main, &log.scanned.to, CopyKind::Increment).unwrap(), Next::Differential);
    let bridge = take(&main, CopyKind::Differential, Some(&full.scanned.to), &first, 3).unwrap();
    apply(&backup, &bridge, 3);
    at_main.sell(1, 8..=8);
    assert_eq!(DatabaseServer::next(&main, &bridge.scanned.to, CopyKind::Differential).unwrap(), Next::Increment);
    let again = take(&main, CopyKind::Increment, Some(&bridge.scanned.to), &first, 4).unwrap();
    apply(&backup, &again, 4);
    assert_eq!(DatabaseServer::verify_standby(&backup, &watch).unwrap(), again.scanned.to);

    // A copy that does not follow is refused, and changes nothing.
    let stranger = CopyToApply {
        name: "prueba-ajena".to_owned(),
        kind: CopyKind::Increment,
        from: Some(full.scanned.to.clone()),
        to: log.scanned.to.clone(),
        bytes: log.bytes.len() as u64,
    };
    let refused = DatabaseServer::apply(&backup, &stranger, &mut Cursor::new(&log.bytes), &watch).unwrap_err();
    assert_eq!(refused.kind, "copy_does_not_follow");
    assert_eq!(DatabaseServer::verify_standby(&backup, &watch).unwrap(), again.scanned.to);

    // Somebody is there: no fence. Then the tail, and main closed.
    let till = at_main.program("PosPdv", DATABASE);
    let refused = DatabaseServer::fence(&main, Fencing::Handover).unwrap_err();
    assert_eq!(refused.kind, "tills_operating");
    drop(till);
    std::thread::sleep(std::time::Duration::from_millis(300));
    at_main.sell(1, 9..=9);
    std::thread::sleep(std::time::Duration::from_millis(300));
    DatabaseServer::fence(&main, Fencing::Handover).unwrap();
    DatabaseServer::fence(&main, Fencing::Handover).unwrap();
    assert_eq!(DatabaseServer::look(&main).unwrap().state, DatabaseState::Fenced);
    assert_eq!(DatabaseServer::next(&main, &again.scanned.to, CopyKind::Full).unwrap(), Next::Increment);
    let tail = take(&main, CopyKind::Increment, Some(&again.scanned.to), &first, 5).unwrap();
    apply(&backup, &tail, 5);

    // Promote.
    let intent = Intent { run: RunId::new(), to: Side::Backup, epoch: Epoch(2) };
    DatabaseServer::set_intent(&backup, Some(&intent)).unwrap();
    assert_eq!(DatabaseServer::look(&backup).unwrap().intent, Some(intent));
    DatabaseServer::recover(&backup).unwrap();
    DatabaseServer::recover(&backup).unwrap();
    let second = EpochRecord { epoch: Epoch(2), holder: Side::Backup, run: Some(RunId::new()), ..first.clone() };
    DatabaseServer::record(&backup, &second, Some(FolioRule { known: None, gap: 100 })).unwrap();
    DatabaseServer::set_intent(&backup, None).unwrap();
    assert_eq!(folios(&backup), (1..=9).collect::<Vec<_>>());
    assert!(main.gave_all_to(&backup).unwrap());
    assert_eq!(DatabaseServer::record(&backup, &first, None).unwrap_err().kind, "higher_epoch");

    // Back by the log: main waits exactly where the backup went on.
    at_backup.sell(2, 110..=112);
    let states = [&main, &backup].map(|server| DatabaseServer::log_state(server).unwrap());
    let route = relevo::plan::route::route(states[0].as_ref(), states[1].as_ref()).unwrap();
    assert_eq!(route, relevo::plan::route::Route::Log);
    std::thread::sleep(std::time::Duration::from_millis(300));
    DatabaseServer::fence(&backup, route.fencing()).unwrap();
    DatabaseServer::receive(&main, &backup, &watch).unwrap();
    DatabaseServer::place(&main, "").unwrap();
    DatabaseServer::place(&main, "").unwrap();
    DatabaseServer::unfence(&main).unwrap();
    let third = EpochRecord { epoch: Epoch(3), holder: Side::Main, run: Some(RunId::new()), ..first.clone() };
    DatabaseServer::record(&main, &third, None).unwrap();
    assert_eq!(folios(&main), (1..=9).chain(110..=112).collect::<Vec<_>>());

    // A new epoch, an unplanned promote, and back as a whole.
    let seed = take(&main, CopyKind::Full, None, &third, 1).unwrap();
    DatabaseServer::publish(&backup, &third).unwrap();
    apply(&backup, &seed, 1);
    at_main.sell(3, 120..=121); // these become orphans
    DatabaseServer::recover(&backup).unwrap();
    let fourth = EpochRecord { epoch: Epoch(4), holder: Side::Backup, run: Some(RunId::new()), ..first };
    DatabaseServer::record(&backup, &fourth, Some(FolioRule { known: Some(121), gap: 10 })).unwrap();
    at_backup.sell(4, 130..=130);
    std::thread::sleep(std::time::Duration::from_millis(300));
    DatabaseServer::fence(&main, Fencing::Aside).unwrap();
    assert_eq!(folios(&main), (1..=9).chain(110..=112).chain(120..=121).collect::<Vec<_>>());
    let states = [&main, &backup].map(|server| DatabaseServer::log_state(server).unwrap());
    let route = relevo::plan::route::route(states[0].as_ref(), states[1].as_ref()).unwrap();
    assert!(matches!(route, relevo::plan::route::Route::Whole(_)), "{route:?}");
    DatabaseServer::fence(&backup, route.fencing()).unwrap();
    DatabaseServer::receive(&main, &backup, &watch).unwrap();
    let keep = format!("{DATABASE}.db.antes-de-e3");
    DatabaseServer::place(&main, &keep).unwrap();
    // Taken back, and done again.
    DatabaseServer::unplace(&main, &keep, &backup).unwrap();
    assert_eq!(folios(&main), (1..=9).chain(110..=112).chain(120..=121).collect::<Vec<_>>());
    main.discard_received().unwrap();
    DatabaseServer::receive(&main, &backup, &watch).unwrap();
    DatabaseServer::place(&main, &keep).unwrap();
    DatabaseServer::unfence(&main).unwrap();
    assert_eq!(folios(&main), (1..=9).chain(110..=112).chain([130]).collect::<Vec<_>>());
    assert_eq!(DatabaseServer::integrity(&main).unwrap(), Vec::<String>::new());
    at_main.create_script_login();
    assert!(main.execute("UPDATE Ventas SET Total=2 WHERE Folio=?", &[130.into()]).unwrap() == 1);
    let rows =
        main.query(By::Script, "SELECT Folio, Total FROM Ventas WHERE Folio>@P1 ORDER BY Folio", &[111.into()], 10).unwrap();
    assert_eq!(rows, [serde_json::json!({"Folio": 112, "Total": 1.5}), serde_json::json!({"Folio": 130, "Total": 2.0})]);
    assert_eq!(main.query(By::Script, "DELETE FROM Ventas", &[], 10).unwrap_err().kind, "statement_refused");
    at_main.drop_script_login();
}
