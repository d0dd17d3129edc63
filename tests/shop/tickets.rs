//! What the tills acknowledged, and what must be true of it: I1 to I3 by the sets and by the order of events, I4 by what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::action::{CAJA, MAIN, Machine};
use super::seen::Seen;
use super::yard::{Power, Yard};

/// A ticket: folio, till, epoch.
pub type Key = (i64, String, u64);

/// As a till noted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub key: Key,
    pub server: String,
}

/// What is known of the shop's past.
#[derive(Default)]
pub struct Known {
    /// Tickets of each till that were counted already.
    counted: BTreeMap<Machine, usize>,
    /// Main (or the backup) was closed for everybody in the face of this epoch: it never takes a ticket of an older one again.
    closed: BTreeMap<&'static str, u64>,
    /// Databases that restores kept aside, by name, with their tickets.
    kept: BTreeMap<String, BTreeSet<Key>>,
    /// How often main's disk was lost; what was on it may only be named by the gap report.
    lost_disks: usize,
    /// Tills whose launch was killed while its program sold on.
    pub two_windows: BTreeSet<Machine>,
    /// Tills whose notes could not be read when the gap was reported.
    pub unread: BTreeSet<String>,
}

impl Known {
    pub fn disk_lost(&mut self) {
        self.lost_disks += 1;
    }
}

impl Yard {
    /// What a till has acknowledged, in order. A line without its end was never acknowledged.
    pub fn sold(&self, till: Machine) -> Vec<Sale> {
        let text = std::fs::read_to_string(self.folder(till).join("acknowledged.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let sale = |line: &str| {
            let row: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            let key = (row["folio"].as_i64().unwrap(), row["till"].as_str().unwrap().to_owned(), row["epoch"].as_u64().unwrap());
            Sale { key, server: row["server"].as_str().unwrap().to_owned() }
        };
        whole.lines().map(sale).collect()
    }

    /// All tills.
    pub fn all_sold(&self) -> Vec<Sale> {
        (1..self.shop.machines.len()).flat_map(|till| self.sold(till)).collect()
    }

    /// After a round: what must be true at any moment.
    pub fn count_tickets(&mut self) {
        let seen = self.look();
        let mut servers: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        let mut folios = BTreeSet::new();
        for till in 1..self.shop.machines.len() {
            let sold = self.sold(till);
            let counted = self.known.counted.insert(till, sold.len()).unwrap_or(0);
            if sold.len() < counted {
                self.broken(format!("{} lost lines of its own file", self.name(till)));
            }
            let mut last = 0;
            for (index, sale) in sold.iter().enumerate() {
                let (folio, name, epoch) = &sale.key;
                servers.entry(*epoch).or_default().insert(sale.server.clone());
                if !folios.insert(*folio) {
                    self.broken(format!("I3: folio {folio} was acknowledged twice (again by {name} in epoch {epoch})"));
                }
                // Two windows of one till (the launch of the first was killed) note side by side; each by itself never goes back.
                if *epoch < last && index >= counted && !self.known.two_windows.contains(&till) {
                    self.broken(format!("I1: {name} sold in epoch {epoch} after it had sold in {last}"));
                }
                last = last.max(*epoch);
                let closed =
                    self.known.closed.iter().find(|(side, at)| **side == sale.server && *epoch < **at).map(|(_, at)| *at);
                if let Some(at) = closed.filter(|_| index >= counted) {
                    self.broken(format!(
                        "I1: {} took ticket {:?} although it was closed in the face of epoch {at}",
                        sale.server, sale.key
                    ));
                }
            }
        }
        for (epoch, servers) in servers.iter().filter(|(_, servers)| servers.len() > 1) {
            self.broken(format!("I1: in epoch {epoch} tickets were acknowledged by {servers:?}"));
        }
        self.note_closed(&seen);
        self.remember_what_is_kept();
    }

    /// A side that is closed for every program while the other one holds the post has taken its last ticket of its epoch: closing it
    /// needed every till to be gone.
    fn note_closed(&mut self, seen: &Seen) {
        if seen.known && seen.main_there && seen.caja_there {
            if seen.holder == "backup" && seen.main_state == "fenced" {
                self.known.closed.insert("main", seen.epoch);
            }
            if seen.holder == "main" && matches!(seen.backup_state.as_str(), "fenced" | "standby") {
                self.known.closed.insert("backup", seen.epoch);
            }
        }
    }

    /// I4: what a restore put aside stays as it is.
    pub fn remember_what_is_kept(&mut self) {
        let instance = self.instance(MAIN);
        for entry in std::fs::read_dir(&instance).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let beside = ["-wal", "-shm", "-journal", ".lock"].iter().any(|ending| name.ends_with(ending));
            if !name.starts_with("BDPdv.db.antes-de-") || beside || self.known.kept.contains_key(&name) {
                continue;
            }
            match tickets_of_closed(&entry.path(), &self.shop.dir.join("log")) {
                Ok(tickets) => drop(self.known.kept.insert(name, tickets)),
                Err(error) => self.broken(format!("I4: {name} cannot be read: {error}")),
            }
        }
    }

    /// At the end, with nothing running: every acknowledged ticket is in main's database or in the report of orphans.
    pub fn nothing_is_lost(&mut self, orphans: &Value) {
        self.count_tickets();
        let database = match tickets_of(&self.instance(MAIN).join("BDPdv.db")) {
            Ok(tickets) => tickets,
            Err(error) => return self.broken(format!("main's database cannot be read: {error}")),
        };
        let rows = orphans["orphans"].as_array().cloned().unwrap_or_default();
        let reported: BTreeSet<Key> = rows
            .iter()
            .map(|row| (row["folio"].as_i64().unwrap(), row["till"].as_str().unwrap().to_owned(), row["epoch"].as_u64().unwrap()))
            .collect();
        self.counts.many("orphan sales", reported.len() as u64);
        let tails = orphans["tails"].as_array().cloned().unwrap_or_default();
        let gaps: BTreeSet<u64> =
            tails.iter().filter(|tail| !tail["gap"].is_null()).filter_map(|tail| tail["epoch"].as_u64()).collect();
        let sold = self.all_sold();
        self.counts.many("tickets", sold.len() as u64);
        let mut lost = Vec::new();
        for sale in &sold {
            if database.contains(&sale.key) || reported.contains(&sale.key) {
                continue;
            }
            // Only where the disk never came back: then the report names the gap, and each ticket of a till it could read.
            let named = gaps.contains(&sale.key.2) && self.known.unread.contains(&sale.key.1);
            if !named {
                lost.push(sale.clone());
            }
        }
        if !lost.is_empty() {
            let shown: Vec<String> = lost.iter().take(5).map(|sale| format!("{:?} by {}", sale.key, sale.server)).collect();
            self.broken(format!(
                "I2: {} acknowledged tickets are neither in main's database nor in the report (of {}): {shown:?}\n  tails: {tails:?}",
                lost.len(),
                sold.len()
            ));
        }
        self.kept_is_whole();
    }

    fn kept_is_whole(&mut self) {
        let instance = self.instance(MAIN);
        let scratch = self.shop.dir.join("log");
        for (name, tickets) in self.known.kept.clone() {
            match tickets_of_closed(&instance.join(&name), &scratch) {
                Ok(now) if now == tickets => {}
                Ok(_) => self.broken(format!("I4: {name} was changed")),
                // It lay on the disk that was lost.
                Err(_) if self.known.lost_disks > 0 && !instance.join(&name).exists() => {}
                Err(error) => self.broken(format!("I4: {name} cannot be read any more: {error}")),
            }
        }
    }

    /// Tills whose notes the caja cannot read now; asked when main's disk is lost and a restore is begun.
    pub fn note_unread(&mut self) {
        for till in 1..self.shop.machines.len() {
            if self.known.lost_disks > 0 && matches!(self.power[till], Power::Off | Power::Hung) {
                let name = self.shop.machines[till].1.clone();
                self.known.unread.insert(name);
            }
        }
    }

    /// The standby must not open for ordinary programs.
    pub fn standby_is_closed(&mut self) {
        if tickets_of(&self.instance(CAJA).join("BDPdv.db")).is_ok() {
            self.broken("the standby opens for every program: a till could sell into it");
        }
    }
}

/// Tickets of an open database; sound as SQLite sees it.
fn tickets_of(path: &Path) -> Result<BTreeSet<Key>, String> {
    let read = || -> rusqlite::Result<Result<BTreeSet<Key>, String>> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let said: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if said != "ok" {
            return Ok(Err(said));
        }
        let mut query = connection.prepare("SELECT Folio, Caja, Epoca FROM Ventas")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs())))?;
        rows.collect::<rusqlite::Result<_>>().map(Ok)
    };
    read().map_err(|error| error.to_string())?
}

/// Tickets of a fenced database, read from a private copy with its bytes set back.
fn tickets_of_closed(path: &Path, scratch: &Path) -> Result<BTreeSet<Key>, String> {
    let copy: PathBuf = scratch.join("kept.check");
    let mut bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    if bytes.get(18..20) != Some(&[0x46, 0x46]) {
        return Err("it is not closed for every program".to_owned());
    }
    bytes[18..20].fill(1);
    std::fs::write(&copy, bytes).map_err(|error| error.to_string())?;
    tickets_of(&copy)
}
