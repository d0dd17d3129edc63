//! A shop of two machines in one folder: main with its database, the caja with the standby, one target between them.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::measure::{Ran, relevo};

/// A machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// The main server.
    Main,
    /// The caja/servidor.
    Caja,
}

impl Machine {
    fn folder(self) -> &'static str {
        match self {
            Machine::Main => "main",
            Machine::Caja => "caja",
        }
    }
}

/// The shop.
pub struct Shop {
    /// Its folder.
    pub dir: PathBuf,
}

impl Shop {
    /// A shop below `dir` with a copy of `base` as main's database. `mirror` is added to `[mirror]`.
    pub fn new(dir: &Path, base: Option<&Path>, mirror: &str) -> Result<Shop> {
        let shop = Shop { dir: dir.to_owned() };
        for machine in [Machine::Main, Machine::Caja] {
            for folder in ["store/scripts", "pdv", "instance"] {
                std::fs::create_dir_all(shop.path(machine, folder))?;
            }
            std::fs::write(shop.path(machine, "store/relevo.toml"), shop.toml(machine, mirror))?;
            for (file, content) in relevo::script::shipped::FILES {
                let path = shop.path(machine, "store/scripts").join(file);
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                std::fs::write(path, content)?;
            }
        }
        let names = [Machine::Main, Machine::Caja].map(|m| shop.path(m, "instance").display().to_string());
        std::fs::write(
            shop.path(Machine::Main, "pdv/SvrBak.txt"),
            format!("principal={}\r\nrespaldo={}\r\n", names[0], names[1]),
        )?;
        if let Some(base) = base {
            std::fs::copy(base, shop.database(Machine::Main))?;
            std::fs::File::open(shop.database(Machine::Main))?.sync_all()?;
        }
        Ok(shop)
    }

    /// Below a machine's folder.
    pub fn path(&self, machine: Machine, below: &str) -> PathBuf {
        self.dir.join(machine.folder()).join(below)
    }

    /// BDPdv of a machine.
    pub fn database(&self, machine: Machine) -> PathBuf {
        self.path(machine, "instance/BDPdv.db")
    }

    /// The target.
    pub fn target(&self) -> PathBuf {
        self.path(Machine::Caja, "copias")
    }

    /// Runs a verb on a machine.
    pub fn run(&self, machine: Machine, words: &[&str]) -> Result<Ran> {
        relevo(&self.path(machine, "store"), words)
    }

    /// Replaces a script of a machine.
    pub fn script(&self, machine: Machine, file: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.path(machine, "store/scripts").join(file), text)?)
    }

    /// Ends the SvrPdv of a machine, if it is alive.
    pub fn stop_server(&self, machine: Machine) -> Result<()> {
        let Ok(body) = std::fs::read(self.path(machine, "store/state/programs/svrpdv.json")) else { return Ok(()) };
        let process: relevo::world::ProcessId = serde_json::from_slice(&body)?;
        let patience = std::time::Duration::from_secs(3);
        Ok(relevo::world::real().stop(relevo::world::Label::ServiceStop, &process, patience)?)
    }

    fn toml(&self, machine: Machine, mirror: &str) -> String {
        let literal = |path: PathBuf| format!("'{}'", path.display());
        let exe = literal(PathBuf::from(env!("CARGO_BIN_EXE_relevo")));
        let (name, role) = if machine == Machine::Main { ("SERVIDOR", "main") } else { ("CAJA1", "backup") };
        let licence = if machine == Machine::Main { "0000001000" } else { "0000001100" };
        format!(
            "[store]\nid = \"0142\"\n\n[machine]\nname = \"{name}\"\nrole = \"{role}\"\n\n\
             [paths]\npdv = {}\nmain_pdv = {}\n\n\
             [servers.main]\nengine = \"embedded\"\ninstance = {}\n\n[servers.backup]\nengine = \"embedded\"\ninstance = {}\n\n\
             [licence]\nauthorisation = {{ literal = \"{licence}\" }}\n\n\
             [mirror]\ninterval = \"24h\"\ntargets = [\"local\"]\n{mirror}\n\n[targets.local]\nkind = \"dir\"\npath = {}\n\n\
             # Two pauses between three probes: the person's patience, not the runtime's time.\n\
             [promote]\nprobe_for = \"1ms\"\n\n\
             [programs.svrpdv]\ncommand = [{exe}, 'stand-in', 'svrpdv']\nready_after = \"1ms\"\nstop_timeout = \"3s\"\n\n\
             [tickets]\nkey = \"Id\"\nepoch = \"\"\n",
            literal(self.path(machine, "pdv")),
            literal(self.path(Machine::Main, "pdv")),
            literal(self.path(Machine::Main, "instance")),
            literal(self.path(Machine::Caja, "instance")),
            literal(self.target()),
        )
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for machine in [Machine::Main, Machine::Caja] {
            let _ = self.stop_server(machine); // what was not started cannot be stopped
        }
    }
}
