//! The stage of the demo: four machines as directories, each with its store, signal files and (main, caja) an instance.
//! Writes files of a shop that does not trade yet; it never touches one that does.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::sim::{self, Instances};
use crate::error::{Failure, Result};
use crate::model::{Role, Side};
use crate::secrets::Secrets;
use crate::text;
use crate::world::World;

/// The database of the shop.
pub const DATABASE: &str = "BDPdv";
/// Rows of articles: enough pages that an increment is seen to be smaller than a full copy.
const ARTICLES: i64 = 4000;

/// A computer of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// The main server.
    Main,
    /// The caja/servidor: first till and backup server.
    Caja,
    /// Second till.
    Till2,
    /// Third till.
    Till3,
}

impl Machine {
    /// All of them.
    pub const ALL: [Machine; 4] = [Machine::Main, Machine::Caja, Machine::Till2, Machine::Till3];
    /// Those that sell.
    pub const TILLS: [Machine; 3] = [Machine::Caja, Machine::Till2, Machine::Till3];

    /// Its folder below DIR, and its name in `--json`.
    pub fn folder(self) -> &'static str {
        match self {
            Machine::Main => "main",
            Machine::Caja => "caja",
            Machine::Till2 => "till2",
            Machine::Till3 => "till3",
        }
    }

    /// Its name in the shop.
    pub fn name(self) -> &'static str {
        match self {
            Machine::Main => "PRINCIPAL",
            Machine::Caja => "CAJA1",
            Machine::Till2 => "CAJA2",
            Machine::Till3 => "CAJA3",
        }
    }

    /// What it is in the shop.
    pub fn role(self) -> Role {
        match self {
            Machine::Main => Role::Main,
            Machine::Caja => Role::Backup,
            Machine::Till2 | Machine::Till3 => Role::Till,
        }
    }
}

/// Where everything of the demo lies.
#[derive(Clone, Debug)]
pub struct Layout {
    /// DIR, absolute.
    pub dir: PathBuf,
}

impl Layout {
    /// A machine's folder.
    pub fn machine(&self, machine: Machine) -> PathBuf {
        self.dir.join(machine.folder())
    }

    /// Where main's folder lies while its plug is pulled.
    pub fn main_off(&self) -> PathBuf {
        self.dir.join("main.off")
    }

    /// A machine's store directory.
    pub fn store(&self, machine: Machine) -> PathBuf {
        self.machine(machine).join("store")
    }

    /// A machine's signal files.
    pub fn pdv(&self, machine: Machine) -> PathBuf {
        self.machine(machine).join("pdv")
    }

    /// A machine's captured output.
    pub fn log(&self, machine: Machine) -> PathBuf {
        self.machine(machine).join("log")
    }

    /// The instance of a server.
    pub fn instance(&self, side: Side) -> PathBuf {
        self.machine(if side == Side::Main { Machine::Main } else { Machine::Caja }).join("instance")
    }

    /// The database of a server.
    pub fn database(&self, side: Side) -> PathBuf {
        self.instance(side).join(format!("{DATABASE}.db"))
    }

    /// The exchange folder of a server that is SQL Server.
    pub fn exchange(&self, side: Side) -> PathBuf {
        self.machine(if side == Side::Main { Machine::Main } else { Machine::Caja }).join("paso")
    }

    /// The password of the simulated SQL Servers' logins.
    pub fn password(&self) -> PathBuf {
        self.dir.join("password")
    }

    /// Tickets that a till's program noted as acknowledged.
    pub fn acknowledged(&self, till: Machine) -> PathBuf {
        self.machine(till).join("acknowledged.jsonl")
    }

    /// While this file exists the till's program closes, as when its cashier closes the window.
    pub fn close(&self, till: Machine) -> PathBuf {
        self.machine(till).join("close")
    }

    /// The one target.
    pub fn target(&self) -> PathBuf {
        self.machine(Machine::Caja).join("copias")
    }
}

/// Creates the folders of all machines.
pub fn folders(layout: &Layout) -> Result<()> {
    for machine in Machine::ALL {
        for folder in [layout.store(machine), layout.pdv(machine), layout.log(machine)] {
            create(&folder)?;
        }
    }
    let sides = [Side::Main, Side::Backup];
    for folder in sides.iter().flat_map(|side| [layout.instance(*side), layout.exchange(*side)]).chain([layout.target()]) {
        create(&folder)?;
    }
    Ok(())
}

/// Writes every machine's relevo.toml, SvrBak.txt on main, and main's database. `pause`: milliseconds between a till's tickets.
pub fn furnish(layout: &Layout, exe: &Path, pause: u64) -> Result<()> {
    for machine in Machine::ALL {
        write(&layout.store(machine).join("relevo.toml"), &settings(layout, exe, machine, pause, None)?)?;
    }
    let (main, backup) = (layout.instance(Side::Main), layout.instance(Side::Backup));
    write_svrbak(layout, words(&main)?, words(&backup)?)?;
    let database = layout.database(Side::Main);
    create_database(&database).map_err(|e| {
        let shown = database.display();
        Failure::failed("demo_database", text!("no se pudo crear la base {shown}", "could not create the database {shown}"))
            .cause(e)
    })
}

/// The same for a shop whose servers are the simulated SQL Servers that run already.
pub fn furnish_sim(layout: &Layout, exe: &Path, pause: u64, world: &Arc<dyn World>, instances: &Instances) -> Result<()> {
    for machine in Machine::ALL {
        let store = layout.store(machine);
        write(&store.join("relevo.toml"), &settings(layout, exe, machine, pause, Some(instances))?)?;
        Secrets::open(&store.join("state"), world.clone())?.set("sql", instances.password())?;
    }
    write_svrbak(layout, &sim::name_of(Side::Main), &sim::name_of(Side::Backup))?;
    instances.furnish(ARTICLES)
}

fn write_svrbak(layout: &Layout, main: &str, backup: &str) -> Result<()> {
    write(&layout.pdv(Machine::Main).join("SvrBak.txt"), &format!("principal={main}\r\nrespaldo={backup}\r\n"))
}

/// The lines of a server that is SQL Server.
fn sqlserver(layout: &Layout, side: Side, instances: &Instances) -> Result<String> {
    let (name, port, exchange) = (sim::name_of(side), instances.port(side), layout.exchange(side));
    Ok(format!(
        "\n[servers.{side}]\nengine = \"sqlserver\"\ninstance = '{name}'\naddress = \"127.0.0.1,{port}\"\ndatabase = \"{DATABASE}\"\n\
         login = {{ user = \"relevo\", password = \"secret:sql\" }}\n\
         script_login = {{ user = \"guiones\", password = \"secret:sql\" }}\nencryption = \"none\"\nexchange = {}",
        quoted(words(&exchange)?)
    ))
}

/// The relevo.toml of a machine.
fn settings(layout: &Layout, exe: &Path, machine: Machine, pause: u64, sim: Option<&Instances>) -> Result<String> {
    let path = |path: &Path| Ok::<_, Failure>(quoted(words(path)?));
    let (name, role) = (machine.name(), machine.role());
    let mut toml = format!(
        "[store]\nid = \"demo\"\nname = \"Sucursal Demo\"\n\n[machine]\nname = \"{name}\"\nrole = \"{role}\"\n\n[paths]\npdv = {}\n",
        path(&layout.pdv(machine))?
    );
    let mut add = |line: &str| writeln!(toml, "{line}").map_err(|e| Failure::failed("demo_settings", text!("{e}", "{e}")));
    if machine != Machine::Main {
        add(&format!("main_pdv = {}", path(&layout.pdv(Machine::Main))?))?;
    }
    for side in [Side::Main, Side::Backup] {
        if let Some(instances) = sim {
            add(&sqlserver(layout, side, instances)?)?;
            continue;
        }
        add(&format!(
            "\n[servers.{side}]\nengine = \"embedded\"\ninstance = {}\ndatabase = \"{DATABASE}\"",
            path(&layout.instance(side))?
        ))?;
    }
    // Character 7: mirror authorised; character 8: backup licence, the caja/servidor's alone.
    let licence = if machine == Machine::Caja { "0000001100" } else { "0000001000" };
    add(&format!("\n[licence]\nauthorisation = {{ literal = \"{licence}\" }}"))?;
    add("\n[mirror]\ninterval = \"5m\"\ntargets = [\"caja\"]")?;
    add(&format!("\n[targets.caja]\nkind = \"dir\"\npath = {}", path(&layout.target())?))?;
    let reports: Vec<String> = Machine::TILLS.iter().map(|&till| path(&layout.acknowledged(till))).collect::<Result<_>>()?;
    // Shorter than in a shop: nobody reboots a switch here.
    add(&format!("\n[promote]\nprobe_for = \"600ms\"\nacknowledged = [{}]", reports.join(", ")))?;
    // Shorter than in a shop: a till here reconnects at once, or never.
    if sim.is_some() {
        add("\n[sqlserver]\nbetween_looks = \"200ms\"")?;
    }
    let mut servers: Vec<PathBuf> = Vec::new();
    if let Some(instances) = sim {
        for side in [Side::Main, Side::Backup] {
            servers.extend(["--server".into(), format!("{}={}", sim::name_of(side), instances.port(side)).into()]);
        }
        servers.extend(["--password-file".into(), layout.password()]);
    }
    if machine.role() != Role::Till {
        let command = [vec![exe.to_owned(), "stand-in".into(), "svrpdv".into()], servers.clone()].concat();
        add(&format!("\n[programs.svrpdv]\ncommand = {}\nready_after = \"100ms\"\nstop_timeout = \"3s\"", list(&command)?))?;
    }
    if machine != Machine::Main {
        let command = vec![
            exe.to_owned(),
            "stand-in".into(),
            "pospdv".into(),
            "--acknowledged".into(),
            layout.acknowledged(machine),
            "--until".into(),
            layout.close(machine),
            "--pause".into(),
            pause.to_string().into(),
        ];
        add(&format!("\n[programs.pospdv]\ncommand = {}", list(&[command, servers].concat())?))?;
    }
    Ok(toml)
}

fn list(command: &[PathBuf]) -> Result<String> {
    let quoted: Vec<String> = command.iter().map(|word| Ok(quoted(words(word)?))).collect::<Result<_>>()?;
    Ok(format!("[{}]", quoted.join(", ")))
}

/// A TOML string; a literal one where it can be, so that paths of Windows stay readable.
fn quoted(words: &str) -> String {
    if words.contains(['\'', '\n']) { toml::Value::String(words.to_owned()).to_string() } else { format!("'{words}'") }
}

fn words(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        let shown = path.display();
        Failure::new(
            crate::error::Exit::Usage,
            "demo_dir_unreadable",
            text!("la ruta {shown} no se puede escribir en relevo.toml", "the path {shown} cannot be written into relevo.toml"),
        )
        .hint(text!("use otra carpeta", "use another folder"))
    })
}

fn create_database(path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    // The page size counts only before the first page is written, hence before WAL.
    connection.execute_batch(
        "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
         CREATE TABLE Ventas(Folio INTEGER PRIMARY KEY, Caja TEXT, Fecha TEXT, Total REAL, Epoca INTEGER);
         CREATE TABLE Articulos(Clave INTEGER PRIMARY KEY, Nombre TEXT, Precio REAL);",
    )?;
    let tx = connection.transaction()?;
    {
        let mut insert = tx.prepare("INSERT INTO Articulos(Clave, Nombre, Precio) VALUES(?1, ?2, ?3)")?;
        for key in 1..=ARTICLES {
            let price = (key * 7919 % 90_000) as f64 / 100.0;
            insert.execute(params![key, format!("Artículo {key:05} de la sucursal demo"), price])?;
        }
    }
    tx.commit()?;
    connection.close().map_err(|(_, error)| error)
}

fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| could_not_write(folder, &e))
}

fn write(path: &Path, content: &str) -> Result<()> {
    std::fs::write(path, content).map_err(|e| could_not_write(path, &e))
}

/// The stage could not be built or used.
pub fn could_not_write(path: &Path, error: &io::Error) -> Failure {
    Failure::io(text!("no se pudo escribir", "could not write"), path, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_settings_of_every_machine_are_valid() {
        for dir in ["/tmp/demo", r"C:\Users\o'hara\demo", "/tmp/señor \"x\""] {
            let layout = Layout { dir: dir.into() };
            for machine in Machine::ALL {
                let toml = settings(&layout, Path::new(r"C:\relevo.exe"), machine, 5, None).unwrap();
                let config: Config = toml::from_str(&toml).unwrap_or_else(|e| panic!("{e}\n{toml}"));
                assert_eq!(config.machine.role, machine.role());
                assert_eq!(Path::new(&config.servers.main.instance), layout.instance(Side::Main));
                assert_eq!(config.promote.acknowledged.len(), 3);
                assert_eq!(config.programs.svrpdv.is_some(), matches!(machine, Machine::Main | Machine::Caja));
                assert_eq!(config.programs.pospdv.is_some(), machine != Machine::Main);
            }
        }
    }

    #[test]
    fn the_database_is_a_wal_database_with_small_pages() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("BDPdv.db");
        create_database(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((&bytes[16..18], &bytes[18..20]), (&[16u8, 0][..], &[2u8, 2][..]));
        assert!(bytes.len() > 100 * 1024);
    }
}
