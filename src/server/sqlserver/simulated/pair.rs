//! Two simulated instances on ports, and the driver's own `Instance` for each: what is done through connections.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use relevo_sim::Options;

use crate::config::{Encryption, SqlServerSection, Tickets};
use crate::model::Side;
use crate::server::sqlserver::address::Address;
use crate::server::sqlserver::connection::Access;
use crate::server::sqlserver::instance::{Instance, Parts};
use crate::server::sqlserver::plain::{Plain, Program};
use crate::server::sqlserver::statements::{DatabaseName, ServerPath};

const PASSWORD: &str = "Clave-1";

/// One of them, served until it is dropped.
pub struct Served {
    pub instance: Instance,
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub fn start(dir: &Path, side: Side, major: u16) -> Served {
        let folder = dir.join(side.to_string());
        let exchange = dir.join(format!("{side}-paso"));
        std::fs::create_dir_all(&exchange).unwrap();
        let options = Options {
            dir: folder.clone(),
            machine: format!("EQUIPO-{side}"),
            major,
            edition: "Standard".to_owned(),
            password: Some(PASSWORD.to_owned()),
            ..Options::default()
        };
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let thread = std::thread::spawn(move || relevo_sim::run(&options, &asked).unwrap());
        let file = folder.join("port");
        let port = (0..1000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            std::fs::read_to_string(&file).ok()?.parse().ok()
        });
        let port = port.expect("it listens");
        Served { instance: instance(side, port, &exchange, Some("guiones")), port, stop, thread: Some(thread) }
    }

    /// A program's connection, as `sa`.
    pub fn program(&self, name: &str, database: &str) -> Plain {
        let program = Program {
            host: "127.0.0.1",
            encrypted: false,
            port: self.port,
            user: "sa",
            password: PASSWORD,
            name,
            machine: "CAJA9",
            database,
        };
        Plain::connect(&program).unwrap()
    }

    #[track_caller]
    pub fn sql(&self, sql: &str) -> Vec<Vec<serde_json::Value>> {
        self.program("otro programa", "master").batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The driver's view of an instance on a port of this computer; `scripts`: the login of scripts.
pub fn instance(side: Side, port: u16, exchange: &Path, scripts: Option<&str>) -> Instance {
    let section = SqlServerSection { between_looks: Duration::from_millis(10), ..SqlServerSection::default() };
    let access = |user: &str| Access {
        instance: format!("EQUIPO-{side}"),
        address: Address::parse(&format!("127.0.0.1,{port}")).unwrap(),
        user: Some(user.to_owned()),
        password: Box::new(|| Ok(PASSWORD.to_owned())),
        encryption: Encryption::None,
        trust: false,
        connect_within: section.connect_timeout,
        answer_within: section.statement_timeout,
        spent: Arc::default(),
    };
    Instance::new(Parts {
        side,
        access: access("relevo"),
        script: scripts.map(access),
        database: DatabaseName::new("BDPdv").unwrap(),
        exchange: (ServerPath::new(&exchange.to_string_lossy()).unwrap(), exchange.to_owned()),
        tickets: Tickets::default(),
        world: crate::world::real(),
        section,
    })
}

/// Main with a database of a few tickets, and an empty backup.
pub struct Pair {
    pub main: Served,
    pub backup: Served,
    pub dir: tempfile::TempDir,
}

impl Pair {
    pub fn new() -> Pair {
        Pair::of(16, 16)
    }

    /// Of these major versions.
    pub fn of(main: u16, backup: u16) -> Pair {
        let dir = tempfile::tempdir().unwrap();
        let pair = Pair {
            main: Served::start(dir.path(), Side::Main, main),
            backup: Served::start(dir.path(), Side::Backup, backup),
            dir,
        };
        pair.main.sql("CREATE DATABASE [BDPdv]");
        pair.main.sql("ALTER DATABASE [BDPdv] SET RECOVERY FULL");
        pair.main.sql(
            "CREATE TABLE [BDPdv].[dbo].[Ventas] (Folio bigint NOT NULL PRIMARY KEY, Caja nvarchar(20), Fecha datetime2(0), \
             Total money, Epoca bigint)",
        );
        pair.sell(1..4);
        pair
    }

    pub fn sell(&self, folios: std::ops::Range<i64>) {
        for folio in folios {
            self.main.sql(&format!("INSERT INTO [BDPdv].[dbo].[Ventas] (Folio, Caja, Total) VALUES ({folio}, N'CAJA1', 12.5)"));
        }
    }
}
