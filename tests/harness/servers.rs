//! The two simulated SQL Servers of a shop, each a process of its own on a port of its own: started, killed with its machine, and asked as
//! a program of the vendor's asks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use relevo::server::sqlserver::plain::{Plain, Program};
use serde_json::Value;

use super::bare;

/// The database of the shop.
pub const DATABASE: &str = "BDPdv";

/// What an instance is.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// 13 (2016) to 17 (2025).
    pub major: u16,
    pub edition: &'static str,
    pub language: &'static str,
}

impl Default for Kind {
    fn default() -> Kind {
        Kind { major: 15, edition: "Express", language: "us_english" }
    }
}

/// Both of them; the machines are "main" and "caja".
pub struct Servers {
    dir: PathBuf,
    kinds: [Kind; 2],
    password: String,
    ports: Mutex<BTreeMap<String, u16>>,
    running: Mutex<BTreeMap<String, Child>>,
}

impl Servers {
    /// Starts both in the folders of a shop.
    pub fn start(dir: &Path, kinds: [Kind; 2]) -> Servers {
        let password = uuid::Uuid::now_v7().simple().to_string();
        std::fs::write(dir.join("password"), &password).unwrap();
        let servers = Servers { dir: dir.to_owned(), kinds, password, ports: Mutex::default(), running: Mutex::default() };
        for machine in ["main", "caja"] {
            std::fs::create_dir_all(dir.join(machine).join("paso")).unwrap();
            servers.run(machine);
        }
        servers
    }

    /// As SvrBak.txt names it.
    pub fn name(machine: &str) -> &'static str {
        if machine == "main" { r"PRINCIPAL\SIM" } else { r"CAJA1\SIM" }
    }

    /// Its port, the same for its whole life.
    pub fn port(&self, machine: &str) -> u16 {
        self.ports.lock().unwrap()[machine]
    }

    /// The password of its logins `sa` and `relevo`.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// File with the password, for programs.
    pub fn password_file(&self) -> PathBuf {
        self.dir.join("password")
    }

    /// Starts one, and waits until it listens.
    pub fn run(&self, machine: &str) {
        let known = self.ports.lock().unwrap().get(machine).copied();
        for _ in 0..20 {
            let port = known.unwrap_or_else(free_port);
            if self.try_run(machine, port) {
                self.ports.lock().unwrap().insert(machine.to_owned(), port);
                return;
            }
        }
        panic!("{machine} does not start: {}", std::fs::read_to_string(self.log(machine)).unwrap_or_default());
    }

    fn log(&self, machine: &str) -> PathBuf {
        self.dir.join(format!("{machine}-sqlserver.log"))
    }

    fn try_run(&self, machine: &str, port: u16) -> bool {
        self.kill(machine);
        let dir = self.dir.join(machine).join("instance");
        let _ = std::fs::remove_file(dir.join("port")); // of an earlier life
        let kind = self.kinds[usize::from(machine != "main")];
        let host = Servers::name(machine).split('\\').next().unwrap();
        let mut command = bare();
        command.args(["stand-in", "sqlserver", "--machine", host, "--port", &port.to_string()]).arg("--dir").arg(&dir);
        command.args(["--major", &kind.major.to_string(), "--edition", kind.edition, "--language", kind.language]);
        command.arg("--password-file").arg(self.password_file());
        let log = std::fs::File::options().create(true).append(true).open(self.log(machine)).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.running.lock().unwrap().insert(machine.to_owned(), child);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if dir.join("port").exists() {
                return true;
            }
            if !self.is_running(machine) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    }

    /// Is its process alive?
    pub fn is_running(&self, machine: &str) -> bool {
        self.running.lock().unwrap().get_mut(machine).is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Kills one, as a power cut does.
    pub fn kill(&self, machine: &str) {
        if let Some(mut child) = self.running.lock().unwrap().remove(machine) {
            let _ = child.kill(); // fails only when it is gone already
            child.wait().unwrap();
        }
    }

    /// Orders for it: tests/sim/src/engine/orders.rs. An empty text takes them back.
    pub fn order(&self, machine: &str, orders: &str) {
        let file = self.dir.join(machine).join("instance").join("sim-orders.json");
        if orders.is_empty() {
            let _ = std::fs::remove_file(file);
        } else {
            std::fs::write(file, orders).unwrap();
        }
    }

    /// A program with a session in a database.
    pub fn connect(&self, machine: &str, host: &str, program: &str, database: &str) -> Plain {
        let port = self.port(machine);
        Plain::connect(&Program {
            host: "127.0.0.1",
            port,
            user: "sa",
            password: &self.password,
            name: program,
            machine: host,
            database,
            encrypted: false,
        })
        .unwrap_or_else(|e| panic!("{machine}: {e}"))
    }

    /// Runs statements of a technician, one batch after the other; the rows of the last.
    pub fn batch(&self, machine: &str, database: &str, batches: &[&str]) -> Vec<Vec<Value>> {
        let mut session = self.connect(machine, "CONSULTORIO", "SSMS", database);
        let mut rows = Vec::new();
        for sql in batches {
            rows = session.batch(sql).unwrap_or_else(|e| panic!("{machine}: {sql}: {e}"));
        }
        rows
    }

    /// Every database that relevo or the shop made: name, state, access.
    pub fn databases(&self, machine: &str) -> Vec<(String, String, String)> {
        let sql = "SELECT name, state_desc, user_access_desc FROM sys.databases WHERE database_id > 4 ORDER BY name";
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.batch(machine, "master", &[sql]).iter().map(|row| (word(&row[0]), word(&row[1]), word(&row[2]))).collect()
    }

    /// A database as a shop has it.
    pub fn create_database(&self) {
        let articles: Vec<String> =
            (1..=300).map(|id| format!("({id}, N'Artículo {id} {}')", uuid::Uuid::now_v7().simple())).collect();
        let articles = format!("INSERT INTO dbo.Articulos (Id, Nombre) VALUES {}", articles.join(", "));
        self.batch(
            "main",
            "master",
            &[
                &format!("CREATE DATABASE [{DATABASE}]"),
                &format!("ALTER DATABASE [{DATABASE}] SET RECOVERY FULL"),
                &format!("CREATE LOGIN [guiones] WITH PASSWORD=N'{}', CHECK_POLICY=OFF", self.password),
                &format!("USE [{DATABASE}]"),
                "CREATE USER [guiones] FOR LOGIN [guiones]",
                "CREATE TABLE dbo.Ventas (Folio bigint NOT NULL PRIMARY KEY, Caja nvarchar(40) NULL, Fecha nvarchar(40) NULL, \
                 Total float NULL, Epoca int NULL)",
                "CREATE TABLE dbo.Articulos (Id int NOT NULL PRIMARY KEY, Nombre nvarchar(80) NULL)",
                "CREATE TABLE dbo.Licencias (Caja nvarchar(40) NOT NULL PRIMARY KEY, Desde nvarchar(40) NULL)",
                "CREATE TABLE dbo.relevo_folio ([next] bigint NOT NULL)",
                "INSERT INTO dbo.relevo_folio ([next]) VALUES (1)",
                &articles,
            ],
        );
    }

    /// Sells as PosPdv's transaction does; the folios and their epoch.
    pub fn sell(&self, machine: &str, till: &str, count: usize) -> (Vec<i64>, i64) {
        let mut session = self.connect(machine, till, "PosPdv", DATABASE);
        let mut ask = |sql: &str| session.batch(sql).unwrap_or_else(|e| panic!("{machine}: {sql}: {e}"));
        let record = ask(
            "SELECT CAST(value AS nvarchar(4000)) FROM sys.extended_properties WHERE class=0 AND major_id=0 AND name=N'relevo_epoch'",
        );
        let record: Value = first(&record).as_str().and_then(|words| serde_json::from_str(words).ok()).unwrap_or_default();
        let epoch = record["epoch"].as_i64().unwrap_or(1);
        let mut folios = Vec::new();
        for _ in 0..count {
            ask("SET XACT_ABORT ON; BEGIN TRANSACTION");
            let next = first(&ask("SELECT MAX([next]) FROM dbo.relevo_folio WITH (UPDLOCK, HOLDLOCK)")).as_i64().unwrap();
            let last = first(&ask("SELECT COALESCE(MAX(Folio), 0) FROM dbo.Ventas")).as_i64().unwrap();
            let folio = next.max(last + 1);
            ask(&format!(
                "INSERT INTO dbo.Ventas (Folio, Caja, Fecha, Total, Epoca) VALUES ({folio}, N'{till}', N'2026-11-23T10:00:00-06:00', 10.5, {epoch})"
            ));
            ask(&format!("UPDATE dbo.relevo_folio SET [next]={}", folio + 1));
            ask("COMMIT TRANSACTION");
            folios.push(folio);
        }
        (folios, epoch)
    }

    /// Tickets of the open database: folio, till, epoch.
    pub fn tickets(&self, machine: &str) -> Vec<(i64, String, i64)> {
        self.batch(machine, DATABASE, &["SELECT Folio, Caja, CAST(Epoca AS bigint) FROM dbo.Ventas ORDER BY Folio"])
            .iter()
            .map(|row| (row[0].as_i64().unwrap(), row[1].as_str().unwrap().to_owned(), row[2].as_i64().unwrap()))
            .collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for machine in ["main", "caja"] {
            self.kill(machine);
        }
    }
}

fn first(rows: &[Vec<Value>]) -> Value {
    rows.first().and_then(|row| row.first()).cloned().unwrap_or_default()
}

/// A port that nobody has: of those that the system gives to nobody by itself, since an instance must get its own again after a while.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let number = u32::from(NEXT.fetch_add(1, Ordering::SeqCst)) + std::process::id() * 61;
        let port = 10_000 + u16::try_from(number % 20_000).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
