//! What the shop looks like from outside, to judge what a verb may say in it.

use serde_json::Value;

use super::action::{CAJA, MAIN};
use super::yard::{Power, Yard};

/// A moment of the shop.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Somebody could be asked.
    pub known: bool,
    pub main_there: bool,
    pub caja_there: bool,
    pub holder: String,
    pub epoch: u64,
    pub main_state: String,
    pub backup_state: String,
    /// SvrPdv of each side holds its lock.
    pub main_serves: bool,
    pub backup_serves: bool,
    /// A role change is announced.
    pub intent: bool,
    /// Main was restored and not yet started.
    pub awaiting: bool,
    /// Open role changes of the caja: id, verb, state.
    pub open: Vec<(String, String, String)>,
    /// Till programs that run, of whatever machine.
    pub tills: usize,
}

impl Seen {
    /// The holder's SvrPdv is alive.
    pub fn served(&self) -> bool {
        if self.holder == "backup" { self.backup_serves } else { self.main_serves }
    }
}

impl Yard {
    /// Looks, by the verb `status` of the caja (else of main) and by the locks themselves.
    pub fn look(&mut self) -> Seen {
        let mut seen = Seen {
            main_there: self.is_there(MAIN),
            caja_there: self.is_there(CAJA),
            tills: (0..self.shop.machines.len())
                .map(|machine| super::processes::running(&self.store(machine), "pospdv").len())
                .sum(),
            ..Seen::default()
        };
        let locked = |path: std::path::PathBuf| relevo::world::is_locked(&path).unwrap_or(true);
        if seen.main_there {
            seen.main_serves = locked(self.shop.path("main", "instance/server.lock"));
            let file = std::fs::read(self.shop.path("main", "instance/relevo.epoch")).unwrap_or_default();
            let record: Value = serde_json::from_slice(&file).unwrap_or_default();
            seen.awaiting = record["awaiting_start"] == true;
        }
        if seen.caja_there {
            seen.backup_serves = locked(self.shop.path("caja", "instance/server.lock"));
            seen.intent = self.shop.path("caja", "instance/relevo.intent").exists();
        }
        let Some(machine) = [CAJA, MAIN].into_iter().find(|m| self.power[*m] == Power::On) else { return seen };
        let name = self.name(machine).to_owned();
        let ran = self.shop.json(&name, &["status"]);
        if ran.code != 0 {
            self.broken(format!("status on {name} ended with {}: {}{}", ran.code, ran.out, ran.err));
            return seen;
        }
        let status = ran.json();
        let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        seen.known = true;
        seen.holder = word(&status["holder"]);
        seen.epoch = status["epoch"].as_u64().unwrap_or(0);
        seen.main_state = word(&status["main"]["state"]);
        seen.backup_state = word(&status["backup"]["state"]);
        if machine == CAJA {
            let open = status["runs_open"].as_array().cloned().unwrap_or_default();
            let role_changes = open.iter().filter(|run| run["verb"] == "promote" || run["verb"] == "restore");
            seen.open = role_changes.map(|run| (word(&run["id"]), word(&run["verb"]), word(&run["state"]))).collect();
        }
        seen
    }
}
