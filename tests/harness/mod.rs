//! A shop in a temporary folder and the real binary, run hermetically: cleared environment, own HOME, fixed language.

mod servers;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

pub use servers::{DATABASE, Kind, Servers};

/// The machines of the shop, as their folders are named.
pub const MACHINES: [(&str, &str, &str); 3] =
    [("main", "PRINCIPAL", "main"), ("caja", "CAJA1", "backup"), ("till2", "CAJA2", "till")];

/// What one invocation gave.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The object that `--json` printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.out.trim()).unwrap_or_else(|e| panic!("no JSON ({e}): {}\n{}", self.out, self.err))
    }

    /// Fails unless it ended with `code`.
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// The stable code of its failure (`--json`).
    pub fn kind(&self) -> String {
        self.json()["error"]["kind"].as_str().unwrap_or_default().to_owned()
    }
}

/// The folder of a shop.
pub struct Shop {
    pub dir: PathBuf,
    /// Folder, name and role of each machine.
    pub machines: Vec<(String, String, &'static str)>,
    /// Where main and backup are simulated SQL Servers.
    pub servers: Option<Servers>,
    temp: Option<tempfile::TempDir>,
}

/// Options of a shop's relevo.toml files.
#[derive(Clone, Default)]
pub struct Options {
    /// The caja's authorisation string, the others' without the backup licence; default "0000001100".
    pub licence: Option<String>,
    /// Lines appended to every relevo.toml.
    pub extra: String,
    /// Machines whose acknowledged files the caja can read; default all.
    pub till_files: Option<Vec<String>>,
    /// Tills beside the caja and till2.
    pub more_tills: usize,
    /// Main and backup are simulated SQL Servers of these kinds; otherwise embedded.
    pub sqlserver: Option<[Kind; 2]>,
}

impl Shop {
    /// A shop with an open main database of a few tickets, set up, nothing mirrored yet.
    pub fn new() -> Shop {
        Shop::with(&Options::default())
    }

    pub fn with(options: &Options) -> Shop {
        let temp = tempfile::Builder::new().prefix("relevo-test-").tempdir().unwrap();
        let dir = temp.path().canonicalize().unwrap();
        let mut machines: Vec<_> = MACHINES.iter().map(|(m, name, role)| ((*m).to_owned(), (*name).to_owned(), *role)).collect();
        machines.extend((3..3 + options.more_tills).map(|n| (format!("till{n}"), format!("CAJA{n}"), "till")));
        let dir = plain(dir);
        let servers = options.sqlserver.map(|kinds| Servers::start(&dir, kinds));
        let shop = Shop { dir, machines, servers, temp: Some(temp) };
        for (machine, name, role) in &shop.machines {
            for folder in ["store/scripts", "pdv"] {
                std::fs::create_dir_all(shop.path(machine, folder)).unwrap();
            }
            if let Some(servers) = &shop.servers {
                let state = shop.path(machine, "store/state");
                let mut secrets = relevo::secrets::Secrets::open(&state, relevo::world::real()).unwrap();
                secrets.set("sql", servers.password()).unwrap();
            }
            std::fs::write(shop.path(machine, "store/relevo.toml"), shop.toml(machine, name, role, options)).unwrap();
            for (file, content) in relevo::script::shipped::FILES {
                let path = shop.path(machine, "store/scripts").join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
        }
        for machine in ["main", "caja"] {
            std::fs::create_dir_all(shop.path(machine, "instance")).unwrap();
        }
        std::fs::write(shop.path("main", "pdv/SvrBak.txt"), shop.svrbak()).unwrap();
        match &shop.servers {
            Some(servers) => servers.create_database(),
            None => create_database(&shop.database("main")),
        }
        shop.sell("main", "CAJA2", 5);
        shop
    }

    /// The same on two simulated SQL Servers.
    pub fn on_sqlserver() -> Shop {
        Shop::with(&Options { sqlserver: Some(Default::default()), ..Options::default() })
    }

    /// A shop whose main failed with three sales that no mirror has; the backup holds the post, serves and sold two.
    pub fn promoted() -> Shop {
        let shop = Shop::new();
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 3);
        shop.main_off();
        shop.json("caja", &["promote"]).expect(0);
        shop.sell("caja", "CAJA1", 2);
        shop
    }

    /// The text of SvrBak.txt of this shop.
    pub fn svrbak(&self) -> String {
        format!("principal={}\r\nrespaldo={}\r\n", self.instance("main"), self.instance("caja"))
    }

    /// The instance of main or of the caja, as SvrBak.txt and relevo.toml name it.
    pub fn instance(&self, machine: &str) -> String {
        match &self.servers {
            Some(_) => Servers::name(machine).to_owned(),
            None => self.path(machine, "instance").display().to_string(),
        }
    }

    /// The keys of a server in relevo.toml.
    fn server(&self, machine: &str) -> String {
        let instance = self.instance(machine);
        let Some(servers) = &self.servers else {
            return format!("engine = \"embedded\"\ninstance = '{instance}'\ndatabase = \"BDPdv\"");
        };
        let (port, exchange) = (servers.port(machine), self.path(machine, "paso"));
        format!(
            "engine = \"sqlserver\"\ninstance = '{instance}'\naddress = \"127.0.0.1,{port}\"\ndatabase = \"BDPdv\"\n\
             login = {{ user = \"relevo\", password = \"secret:sql\" }}\n\
             script_login = {{ user = \"guiones\", password = \"secret:sql\" }}\nencryption = \"none\"\nexchange = '{}'",
            exchange.display()
        )
    }

    /// What the vendor's programs are told about the servers, in the list of a command in relevo.toml.
    fn told(&self) -> String {
        let Some(servers) = &self.servers else { return String::new() };
        let server = |machine: &str| format!(", '--server', '{}={}'", self.instance(machine), servers.port(machine));
        format!("{}{}, '--password-file', '{}'", server("main"), server("caja"), servers.password_file().display())
    }

    fn toml(&self, machine: &str, name: &str, role: &str, options: &Options) -> String {
        let literal = |path: PathBuf| format!("'{}'", path.display());
        let exe = literal(PathBuf::from(env!("CARGO_BIN_EXE_relevo")));
        let ack = literal(self.path(machine, "acknowledged.jsonl"));
        let told = self.told();
        let files: Vec<String> = match &options.till_files {
            Some(machines) => machines.iter().map(|m| literal(self.path(m, "acknowledged.jsonl"))).collect(),
            None => self.machines.iter().map(|(m, ..)| literal(self.path(m, "acknowledged.jsonl"))).collect(),
        };
        format!(
            "[store]\nid = \"0142\"\nname = \"Sucursal Centro\"\n\n[machine]\nname = \"{name}\"\nrole = \"{role}\"\n\n\
             [paths]\npdv = {}\nmain_pdv = {}\n\n\
             [servers.main]\n{}\n\n[servers.backup]\n{}\n\n{}\
             [licence]\nauthorisation = {{ literal = \"{}\" }}\n\n\
             [mirror]\ninterval = \"5m\"\ntargets = [\"local\"]\nkeep_chains = 2\n\n\
             [targets.local]\nkind = \"dir\"\npath = {}\n\n\
             [promote]\nprobe_for = \"100ms\"\nlock_wait = \"1s\"\nacknowledged = [{}]\n\n\
             [programs.svrpdv]\ncommand = [{exe}, 'stand-in', 'svrpdv'{told}]\nready_after = \"50ms\"\nstop_timeout = \"3s\"\n\n\
             [programs.pospdv]\ncommand = [{exe}, 'stand-in', 'pospdv', '--tickets', '3', '--pause', '1', '--acknowledged', {ack}{told}]\n\n{}\n",
            literal(self.path(machine, "pdv")),
            literal(self.path("main", "pdv")),
            self.server("main"),
            self.server("caja"),
            // Shorter than in a shop: a till here reconnects at once, or never.
            if self.servers.is_some() { "[sqlserver]\nbetween_looks = \"20ms\"\n\n" } else { "" },
            licence(role, options),
            literal(self.path("caja", "copias")),
            files.join(", "),
            options.extra,
        )
    }

    /// A path of a machine.
    pub fn path(&self, machine: &str, below: &str) -> PathBuf {
        below.split('/').fold(self.dir.join(machine), |path, part| path.join(part))
    }

    /// BDPdv of main or of the caja.
    pub fn database(&self, machine: &str) -> PathBuf {
        self.path(machine, "instance").join("BDPdv.db")
    }

    /// `relevo --store … --lang es WORDS` on a machine, not yet started.
    pub fn command(&self, machine: &str, words: &[&str]) -> Command {
        let mut command = bare();
        command.env("RELEVO_STORE", self.path(machine, "store")).env("HOME", &self.dir);
        command.args(words);
        command
    }

    /// Runs it with `--json`.
    #[must_use]
    pub fn json(&self, machine: &str, words: &[&str]) -> Ran {
        let mut command = self.command(machine, &["--json", "--lang", "en"]);
        ran(command.args(words))
    }

    /// Runs it with `--json` and these variables.
    #[must_use]
    pub fn json_with(&self, machine: &str, words: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(machine, &["--json", "--lang", "en"]);
        ran(command.args(words).envs(variables.iter().copied()))
    }

    /// Runs it as a person would, in this language.
    #[must_use]
    pub fn say(&self, machine: &str, lang: &str, words: &[&str]) -> Ran {
        let mut command = self.command(machine, &["--lang", lang]);
        ran(command.args(words))
    }

    /// Runs it with the PIN on standard input.
    #[must_use]
    pub fn with_pin(&self, machine: &str, pin: &str, words: &[&str]) -> Ran {
        self.fed(machine, pin, &[&["--pin-fd", "0"], words].concat())
    }

    /// Sets the store PIN of a machine.
    pub fn set_pin(&self, machine: &str, pin: &str) {
        self.fed(machine, pin, &["setup", "--new-pin-fd", "0"]).expect(0);
    }

    /// Runs it with one line on standard input.
    #[must_use]
    pub fn fed(&self, machine: &str, line: &str, words: &[&str]) -> Ran {
        use std::io::Write;
        let mut command = self.command(machine, &["--json", "--lang", "en"]);
        let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
        of(child.wait_with_output().unwrap())
    }

    /// Starts it in the background.
    pub fn spawn(&self, machine: &str, words: &[&str]) -> Child {
        let mut command = self.command(machine, &["--json", "--lang", "en"]);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Sells directly, as PosPdv's transaction does, and notes the tickets as acknowledged.
    pub fn sell(&self, server: &str, till: &str, count: usize) {
        let (folios, epoch) = match &self.servers {
            Some(servers) => servers.sell(server, till, count),
            None => sell(&self.database(server), till, count),
        };
        let side = if server == "main" { "main" } else { "backup" };
        let lines: String = folios
            .iter()
            .map(|folio| format!("{{\"folio\":{folio},\"till\":\"{till}\",\"epoch\":{epoch},\"server\":\"{side}\"}}\n"))
            .collect();
        let machine = MACHINES.iter().find(|(_, name, _)| *name == till).unwrap().0;
        let path = self.path(machine, "acknowledged.jsonl");
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, old + lines.as_str()).unwrap();
    }

    /// Every acknowledged ticket: (folio, till, epoch).
    pub fn acknowledged(&self) -> Vec<(i64, String, i64)> {
        let mut all = Vec::new();
        for (machine, ..) in &self.machines {
            for base in [machine.to_owned(), format!("{machine}.off")] {
                let body = std::fs::read_to_string(self.path(&base, "acknowledged.jsonl")).unwrap_or_default();
                for line in body.lines() {
                    let row: Value = serde_json::from_str(line).unwrap();
                    all.push((
                        row["folio"].as_i64().unwrap(),
                        row["till"].as_str().unwrap().to_owned(),
                        row["epoch"].as_i64().unwrap(),
                    ));
                }
            }
        }
        all.sort();
        all
    }

    /// Tickets of the open database of main or of the caja.
    pub fn sold(&self, machine: &str) -> Vec<(i64, String, i64)> {
        self.servers.as_ref().map_or_else(|| self.tickets(&self.database(machine)), |servers| servers.tickets(machine))
    }

    /// Tickets of a database that is a file.
    pub fn tickets(&self, database: &Path) -> Vec<(i64, String, i64)> {
        let connection = Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let mut query = connection.prepare("SELECT Folio, Caja, Epoca FROM Ventas ORDER BY Folio").unwrap();
        query.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Takes main off the net: its folder is gone, and its SQL Server with what it had in hand.
    pub fn main_off(&self) {
        if let Some(servers) = &self.servers {
            servers.kill("main");
            self.end_server("main", Duration::ZERO);
        }
        rename(&self.dir.join("main"), &self.dir.join("main.off"));
    }

    /// Plugs it back.
    pub fn main_on(&self) {
        rename(&self.dir.join("main.off"), &self.dir.join("main"));
        if let Some(servers) = &self.servers {
            servers.run("main");
        }
    }

    /// Kills the SQL Servers, where there are some.
    pub fn stop_servers(&self) {
        for machine in ["main", "caja"] {
            self.servers.iter().for_each(|servers| servers.kill(machine));
        }
    }

    /// Starts those whose machine is there.
    pub fn start_servers(&self) {
        for machine in ["main", "caja"].into_iter().filter(|machine| self.dir.join(machine).exists()) {
            self.servers.iter().for_each(|servers| servers.run(machine));
        }
    }

    /// A role change is announced on the backup.
    pub fn intent(&self) -> bool {
        let sql = "SELECT name FROM sys.extended_properties WHERE class=0 AND name=N'relevo_intent_BDPdv'";
        match &self.servers {
            Some(servers) => !servers.batch("caja", "master", &[sql]).is_empty(),
            None => self.path("caja", "instance/relevo.intent").exists(),
        }
    }

    /// The simulated SQL Servers.
    pub fn sql(&self) -> &Servers {
        self.servers.as_ref().expect("a shop on SQL Server")
    }

    /// The folder stays when the test ends, for a person to look at.
    pub fn keep(&mut self) -> PathBuf {
        if let Some(temp) = self.temp.take() {
            let _ = temp.keep();
        }
        self.dir.clone()
    }

    /// `status --json` of a machine.
    pub fn status(&self, machine: &str) -> Value {
        self.json(machine, &["status"]).expect(0).json()
    }

    /// Stops the SvrPdv of a machine, if it is alive.
    pub fn stop_server(&self, machine: &str) {
        self.end_server(machine, Duration::from_secs(3));
    }

    fn end_server(&self, machine: &str, patience: Duration) {
        let Ok(body) = std::fs::read(self.path(machine, "store/state/programs/svrpdv.json")) else { return };
        let process: relevo::world::ProcessId = serde_json::from_slice(&body).unwrap();
        let world = relevo::world::real();
        world.stop(relevo::world::Label::ServiceStop, &process, patience).unwrap();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for (machine, ..) in MACHINES {
            for machine in [machine.to_owned(), format!("{machine}.off")] {
                for path in [self.path(&machine, "store/state/programs/svrpdv.json"), self.path(&machine, "instance/server.info")]
                {
                    let Ok(body) = std::fs::read(path) else { continue };
                    if let Ok(process) = serde_json::from_slice(&body) {
                        let _ =
                            relevo::world::real().stop(relevo::world::Label::ServiceStop, &process, Duration::from_millis(500));
                    }
                }
            }
        }
    }
}

/// The binary with a cleared environment.
pub fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relevo"));
    command.env_clear();
    // Windows cannot start a process without these.
    for name in ["SystemRoot", "TEMP", "TMP", "WINEPREFIX", "USERPROFILE", "APPDATA", "LOCALAPPDATA"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("RELEVO_TEST_NOT_ADMIN", "1");
    command
}

/// Runs to the end.
#[must_use]
pub fn ran(command: &mut Command) -> Ran {
    of(command.stdin(Stdio::null()).output().unwrap())
}

fn of(output: std::process::Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(137),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until it holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Only the caja's licence is a backup licence (8th character).
fn licence(role: &str, options: &Options) -> String {
    let given = options.licence.clone().unwrap_or_else(|| "0000001100".to_owned());
    if role == "backup" { given } else { given.chars().enumerate().map(|(index, c)| if index == 7 { '0' } else { c }).collect() }
}

/// Sells directly, as PosPdv's transaction does; the folios and their epoch.
fn sell(database: &Path, till: &str, count: usize) -> (Vec<i64>, i64) {
    let connection = Connection::open(database).unwrap();
    connection.execute_batch("PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS relevo_folio(next INTEGER)").unwrap();
    let epoch: i64 = connection
        .query_row("SELECT max(epoch) FROM relevo_epoch", [], |r| r.get::<_, Option<i64>>(0))
        .unwrap_or(None)
        .unwrap_or(1);
    let next = "SELECT max(coalesce((SELECT max(next) FROM relevo_folio),1), coalesce((SELECT max(Folio) FROM Ventas),0)+1)";
    let mut folios = Vec::new();
    for _ in 0..count {
        let folio: i64 = connection.query_row(next, [], |r| r.get(0)).unwrap();
        let row = rusqlite::params![folio, till, epoch];
        connection.execute("INSERT INTO Ventas VALUES(?1, ?2, '2026-11-23T10:00:00-06:00', 10.5, ?3)", row).unwrap();
        if connection.execute("UPDATE relevo_folio SET next=?1", [folio + 1]).unwrap() == 0 {
            connection.execute("INSERT INTO relevo_folio VALUES(?1)", [folio + 1]).unwrap();
        }
        folios.push(folio);
    }
    (folios, epoch)
}

/// A database as a shop has it.
pub fn create_database(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL;
             CREATE TABLE Ventas(Folio INTEGER PRIMARY KEY, Caja TEXT, Fecha TEXT, Total REAL, Epoca INTEGER);
             CREATE TABLE Articulos(Id INTEGER PRIMARY KEY, Nombre TEXT);
             CREATE TABLE Licencias(Caja TEXT PRIMARY KEY, Desde TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) INSERT INTO Articulos SELECT i, 'Articulo ' || i || hex(randomblob(20)) FROM n;",
        )
        .unwrap();
}

/// Windows: handles of processes that just ended close late.
#[expect(clippy::disallowed_methods, reason = "a test moves a whole machine; nothing of it has to be durable")]
pub fn rename(from: &Path, to: &Path) {
    wait_until("rename", || std::fs::rename(from, to).is_ok());
}

/// Windows: canonical paths begin with \\?\, which nobody writes in a settings file.
fn plain(path: PathBuf) -> PathBuf {
    let text = path.to_string_lossy().into_owned();
    PathBuf::from(text.strip_prefix(r"\\?\").unwrap_or(&text))
}
