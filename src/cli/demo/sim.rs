//! The two simulated SQL Servers of a demo, as processes: started, killed with their machine, and asked at the end what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::check::Key;
use super::store::{DATABASE, Layout, Machine};
use crate::error::{Failure, Result};
use crate::model::Side;
use crate::server::sqlserver::plain::{Plain, Program};
use crate::text;

/// How long an instance may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Rows of one INSERT.
const ROWS: i64 = 500;

/// Both instances.
pub struct Instances {
    layout: Layout,
    password: String,
    running: BTreeMap<Side, Child>,
    /// Port of each, kept for its whole life.
    ports: BTreeMap<Side, u16>,
}

/// What the databases hold in the end.
#[derive(Clone, Default)]
pub struct Held {
    /// Tickets of main.
    pub database: BTreeSet<Key>,
    /// Holder of each epoch, as main's database says.
    pub holders: BTreeMap<u64, String>,
    /// The old main database that was kept, and what DBCC CHECKDB says of it.
    pub kept: Option<(String, String)>,
    /// Main's database can be opened.
    pub main_opens: bool,
    /// The backup's can.
    pub backup_opens: bool,
    /// Files of both databases.
    pub files: [PathBuf; 2],
    /// What starts the servers again by hand, after the program's name.
    pub servers: Vec<String>,
}

/// The machine on which a server stands.
pub fn machine_of(side: Side) -> Machine {
    if side == Side::Main { Machine::Main } else { Machine::Caja }
}

/// The name of an instance in SvrBak.txt.
pub fn name_of(side: Side) -> String {
    format!("{}\\SIM", machine_of(side).name())
}

impl Instances {
    /// Starts both on free ports.
    pub fn start(layout: &Layout, exe: &Path) -> Result<Instances> {
        let password = uuid::Uuid::now_v7().simple().to_string();
        let file = layout.password();
        std::fs::write(&file, &password).map_err(|e| super::store::could_not_write(&file, &e))?;
        let (running, ports) = (BTreeMap::new(), BTreeMap::new());
        let mut instances = Instances { layout: layout.clone(), password, running, ports };
        for side in [Side::Main, Side::Backup] {
            instances.run(side, exe)?;
        }
        Ok(instances)
    }

    /// Port of an instance.
    pub fn port(&self, side: Side) -> u16 {
        self.ports.get(&side).copied().unwrap_or(0)
    }

    /// The password of its logins.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Starts one, on the port that it had.
    pub fn run(&mut self, side: Side, exe: &Path) -> Result<()> {
        let machine = machine_of(side);
        let dir = self.layout.instance(side);
        let _ = std::fs::remove_file(dir.join("port")); // of an earlier life
        let log = self.layout.log(machine).join("sqlserver.log");
        let output = std::fs::File::create(&log).map_err(|e| super::store::could_not_write(&log, &e))?;
        let mut command = Command::new(exe);
        command.args(["stand-in", "sqlserver", "--machine", machine.name()]).arg("--dir").arg(&dir);
        command.args(["--port", &self.port(side).to_string()]).arg("--password-file").arg(self.layout.password());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let child = command.spawn().map_err(|e| self.failed(side, &e))?;
        self.running.insert(side, child);
        let began = Instant::now();
        loop {
            let port = std::fs::read_to_string(dir.join("port")).ok().and_then(|words| words.trim().parse().ok());
            if let Some(port) = port
                && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            {
                self.ports.insert(side, port);
                return Ok(());
            }
            let ended = self.running.get_mut(&side).is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || began.elapsed() > LISTENS_WITHIN {
                return Err(self.failed(side, &std::fs::read_to_string(&log).unwrap_or_default()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Kills one, as a power cut does.
    pub fn kill(&mut self, side: Side) {
        if let Some(mut child) = self.running.remove(&side) {
            let _ = child.kill(); // fails only when it is gone already
            let _ = child.wait();
        }
    }

    /// Kills both.
    pub fn close(&mut self) {
        self.kill(Side::Main);
        self.kill(Side::Backup);
    }

    fn failed(&self, side: Side, why: &dyn std::fmt::Display) -> Failure {
        let name = name_of(side);
        Failure::failed(
            "demo_step_failed",
            text!("el SQL Server simulado {name} falló", "the simulated SQL Server {name} failed"),
        )
        .cause(why)
    }

    fn connect(&self, side: Side, database: &str) -> Result<Plain> {
        let port = self.port(side);
        let machine = machine_of(side).name();
        let program = Program {
            host: "127.0.0.1",
            port,
            user: "sa",
            password: &self.password,
            name: "demo",
            machine,
            database,
            encrypted: false,
        };
        Plain::connect(&program).map_err(|e| self.failed(side, &e))
    }

    /// Creates the shop's database on main.
    pub fn furnish(&self, articles: i64) -> Result<()> {
        let failed = |e: tiberius::error::Error| self.failed(Side::Main, &e);
        let mut session = self.connect(Side::Main, "master")?;
        session.batch(&format!("CREATE DATABASE [{DATABASE}]")).map_err(failed)?;
        session.batch(&format!("ALTER DATABASE [{DATABASE}] SET RECOVERY FULL")).map_err(failed)?;
        let password = &self.password;
        session.batch(&format!("CREATE LOGIN [guiones] WITH PASSWORD=N'{password}', CHECK_POLICY=OFF")).map_err(failed)?;
        session.batch(&format!("USE [{DATABASE}]")).map_err(failed)?;
        session.batch("CREATE USER [guiones] FOR LOGIN [guiones]").map_err(failed)?;
        session
            .batch(
                "CREATE TABLE dbo.Ventas (Folio bigint NOT NULL PRIMARY KEY, Caja nvarchar(40) NULL, Fecha nvarchar(40) NULL, \
                 Total float NULL, Epoca int NULL)",
            )
            .map_err(failed)?;
        session
            .batch("CREATE TABLE dbo.Articulos (Clave int NOT NULL PRIMARY KEY, Nombre nvarchar(80) NULL, Precio float NULL)")
            .map_err(failed)?;
        let mut key = 1;
        while key <= articles {
            let upto = (key + ROWS - 1).min(articles);
            let rows: Vec<String> = (key..=upto)
                .map(|key| format!("({key}, N'Artículo {key:05} de la sucursal demo', {}.{:02})", key * 7919 % 900, key % 100))
                .collect();
            session
                .batch(&format!("INSERT INTO dbo.Articulos (Clave, Nombre, Precio) VALUES {}", rows.join(", ")))
                .map_err(failed)?;
            key = upto + 1;
        }
        Ok(())
    }

    /// Asks both what they hold, when nobody sells any more.
    pub fn held(&self) -> Result<Held> {
        let failed = |e: tiberius::error::Error| self.failed(Side::Main, &e);
        let mut main = self.connect(Side::Main, DATABASE)?;
        let rows = main.batch("SELECT CAST(Folio AS bigint), Caja, CAST(Epoca AS bigint) FROM dbo.Ventas").map_err(failed)?;
        let database =
            rows.iter().filter_map(|row| Some((row[0].as_i64()?, row[1].as_str()?.to_owned(), row[2].as_u64()?))).collect();
        let said = main
            .batch("SELECT CAST(value AS nvarchar(4000)) FROM sys.extended_properties WHERE class=0 AND major_id=0 AND name=N'relevo_epoch'")
            .map_err(failed)?;
        let record: Value = said
            .first()
            .and_then(|row| row.first()?.as_str())
            .and_then(|words| serde_json::from_str(words).ok())
            .unwrap_or_default();
        let mut holders: BTreeMap<u64, String> = BTreeMap::new();
        let mut hold = |epoch: &Value, holder: &Value| {
            if let (Some(epoch), Some(holder)) = (epoch.as_u64(), holder.as_str()) {
                holders.insert(epoch, holder.to_owned());
            }
        };
        hold(&record["epoch"], &record["holder"]);
        for before in record["before"].as_array().into_iter().flatten() {
            hold(&before[0], &before[1]);
        }
        Ok(Held {
            database,
            holders,
            kept: self.kept()?,
            main_opens: true,
            backup_opens: self.connect(Side::Backup, DATABASE).is_ok(),
            files: [self.file(Side::Main)?, self.file(Side::Backup)?],
            servers: [Side::Main, Side::Backup].map(|side| self.by_hand(side)).to_vec(),
        })
    }

    fn file(&self, side: Side) -> Result<PathBuf> {
        let asked = format!("SELECT physical_name FROM sys.master_files WHERE database_id=DB_ID(N'{DATABASE}') AND file_id=1");
        let rows = self.connect(side, "master")?.batch(&asked).map_err(|e| self.failed(side, &e))?;
        Ok(rows.first().and_then(|row| row.first()?.as_str()).map(PathBuf::from).unwrap_or_default())
    }

    fn by_hand(&self, side: Side) -> String {
        let (machine, port) = (machine_of(side).name(), self.port(side));
        let (dir, password) = (self.layout.instance(side), self.layout.password());
        let (dir, password) = (dir.display(), password.display());
        format!("stand-in sqlserver --machine {machine} --port {port} --dir \"{dir}\" --password-file \"{password}\"")
    }

    /// The old main database, which is closed; opened for a moment it has to be sound.
    fn kept(&self) -> Result<Option<(String, String)>> {
        let failed = |e: tiberius::error::Error| self.failed(Side::Main, &e);
        let mut session = self.connect(Side::Main, "master")?;
        let rows =
            session.batch("SELECT name FROM sys.databases WHERE name LIKE N'%.antes-de-%' ORDER BY name").map_err(failed)?;
        let Some(name) = rows.last().and_then(|row| row.first()?.as_str()).map(str::to_owned) else { return Ok(None) };
        let said = session
            .batch(&format!("ALTER DATABASE [{name}] SET ONLINE"))
            .and_then(|_| session.batch(&format!("DBCC CHECKDB (N'{name}') WITH NO_INFOMSGS")))
            .map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        session.batch(&format!("ALTER DATABASE [{name}] SET OFFLINE WITH ROLLBACK IMMEDIATE")).map_err(failed)?;
        Ok(Some((name, said)))
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        self.close();
    }
}
