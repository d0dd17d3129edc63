//! What the demo proves: sets of tickets and who sold them. Pure; the facts come from evidence.rs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::text;
use crate::text::Text;

/// A ticket as a till noted it once its COMMIT had returned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sale {
    /// Folio number.
    pub folio: i64,
    /// The till that sold.
    pub till: String,
    /// Epoch it was sold in.
    pub epoch: u64,
    /// Server that took it: "main" or "backup".
    pub server: String,
}

/// Identity of a ticket: folio, till, epoch.
pub type Key = (i64, String, u64);

impl Sale {
    /// Its identity.
    pub fn key(&self) -> Key {
        (self.folio, self.till.clone(), self.epoch)
    }
}

/// What a machine's `status` says at the end.
#[derive(Clone, Debug)]
pub struct Told {
    /// The machine's name.
    pub machine: String,
    /// Holder.
    pub holder: Option<String>,
    /// Epoch.
    pub epoch: Option<u64>,
    /// Open runs.
    pub runs_open: usize,
}

/// The facts at the end of the demo.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The union of what the tills noted.
    pub acknowledged: Vec<Sale>,
    /// Tickets in the final database.
    pub database: BTreeSet<Key>,
    /// Tickets that the orphan report names.
    pub orphans: Vec<Sale>,
    /// Holder of each epoch, as far as the final database records it.
    pub holders: BTreeMap<u64, String>,
    /// The old main database that restore kept: its name and what `integrity_check` says of it.
    pub kept: Option<(String, String)>,
    /// Every machine's `status`.
    pub told: Vec<Told>,
    /// Ordinary SQLite opens the final database, and it is sound.
    pub main_opens: bool,
    /// Ordinary SQLite opens the standby, which it must not.
    pub backup_opens: bool,
    /// Files of main's and the backup's database.
    pub files: [PathBuf; 2],
    /// What starts the database servers again by hand, after the program's name; none where they are files.
    pub servers: Vec<String>,
}

/// One check of the report.
#[derive(Clone, Debug)]
pub struct Check {
    /// "I1" … "I5", "databases".
    pub name: &'static str,
    /// Does it hold?
    pub ok: bool,
    /// What was checked and found.
    pub text: Text,
}

impl Evidence {
    /// Acknowledged tickets that are neither in the final database nor in the orphan report.
    pub fn lost(&self) -> Vec<&Sale> {
        let orphans: BTreeSet<Key> = self.orphans.iter().map(Sale::key).collect();
        self.acknowledged.iter().filter(|sale| !self.database.contains(&sale.key()) && !orphans.contains(&sale.key())).collect()
    }

    /// Folios that were acknowledged more than once, in whatever epoch.
    pub fn duplicated(&self) -> BTreeSet<i64> {
        let mut seen = BTreeSet::new();
        self.acknowledged.iter().map(|sale| sale.folio).filter(|folio| !seen.insert(*folio)).collect()
    }

    /// Epochs in which two servers took tickets, or one that did not hold the epoch.
    pub fn disputed(&self) -> BTreeSet<u64> {
        let mut servers: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        for sale in self.acknowledged.iter().chain(&self.orphans) {
            servers.entry(sale.epoch).or_default().insert(&sale.server);
        }
        for (epoch, holder) in &self.holders {
            servers.entry(*epoch).or_default().insert(holder);
        }
        servers.into_iter().filter(|(_, servers)| servers.len() > 1).map(|(epoch, _)| epoch).collect()
    }

    /// How many tickets each (epoch, server) acknowledged.
    pub fn by_epoch(&self) -> BTreeMap<(u64, &str), usize> {
        let mut counts = BTreeMap::new();
        for sale in &self.acknowledged {
            *counts.entry((sale.epoch, sale.server.as_str())).or_default() += 1;
        }
        counts
    }

    /// All checks.
    pub fn checks(&self) -> Vec<Check> {
        let (disputed, duplicated, lost) = (self.disputed(), self.duplicated(), self.lost());
        let (epochs, folios, gone) = (shown(&disputed), shown(&duplicated), lost.len());
        let (all, orphans) = (self.acknowledged.len(), self.orphans.len());
        let (file, sound) = self.kept.clone().unwrap_or_else(|| ("—".to_owned(), "—".to_owned()));
        let astray: Vec<&str> = self.told.iter().filter(|told| !told.agrees()).map(|told| told.machine.as_str()).collect();
        let machines = if astray.is_empty() { "—".to_owned() } else { astray.join(", ") };
        let (main, backup) = (yes_no(self.main_opens), yes_no(self.backup_opens));
        let (Text { es: main_es, en: main_en }, Text { es: backup_es, en: backup_en }) = (main, backup);
        vec![
            Check {
                name: "I1",
                ok: !self.acknowledged.is_empty() && disputed.is_empty(),
                text: text!(
                    "en ninguna época vendieron dos servidores (épocas en disputa: {epochs})",
                    "no epoch has tickets of two servers (disputed epochs: {epochs})"
                ),
            },
            Check {
                name: "I2",
                ok: lost.is_empty(),
                text: text!(
                    "de {all} tickets reconocidos, {gone} perdidos; {orphans} huérfanos guardados",
                    "of {all} acknowledged tickets, {gone} lost; {orphans} orphans saved"
                ),
            },
            Check {
                name: "I3",
                ok: duplicated.is_empty(),
                text: text!("ningún folio se dio dos veces (repetidos: {folios})", "no folio was given twice (twice: {folios})"),
            },
            Check {
                name: "I4",
                ok: self.kept.is_some() && sound == "ok",
                text: text!(
                    "la base anterior del principal se conserva ({file}, integridad: {sound})",
                    "main's old database is kept ({file}, integrity: {sound})"
                ),
            },
            Check {
                name: "I5",
                ok: !self.told.is_empty() && astray.is_empty(),
                text: text!(
                    "todos los equipos: en servicio el principal, sin corridas abiertas (discrepan: {machines})",
                    "every machine says: main holds the post, no run open (those that disagree: {machines})"
                ),
            },
            Check {
                name: "databases",
                ok: self.main_opens && !self.backup_opens,
                text: if self.servers.is_empty() {
                    text!(
                        "cualquier SQLite abre la base del principal: {main_es}; la del respaldo, que espera copias: {backup_es}",
                        "stock SQLite opens main's database: {main_en}; the standby, as it must not: {backup_en}"
                    )
                } else {
                    text!(
                        "un programa puede entrar a la base del principal: {main_es}; a la del respaldo, que espera copias: {backup_es}",
                        "a program can open main's database: {main_en}; the standby, as it must not: {backup_en}"
                    )
                },
            },
        ]
    }
}

impl Told {
    /// Epoch 3 is the one that restore began: 1 main, 2 backup, 3 main again.
    fn agrees(&self) -> bool {
        self.holder.as_deref() == Some("main") && self.epoch == Some(3) && self.runs_open == 0
    }
}

fn shown<T: ToString>(set: &BTreeSet<T>) -> String {
    let mut words: Vec<String> = set.iter().take(5).map(ToString::to_string).collect();
    if set.len() > words.len() {
        words.push("…".to_owned());
    }
    if words.is_empty() { "—".to_owned() } else { words.join(", ") }
}

fn yes_no(yes: bool) -> Text {
    if yes { text!("sí", "yes") } else { text!("no", "no") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(folio: i64, till: &str, epoch: u64, server: &str) -> Sale {
        Sale { folio, till: till.into(), epoch, server: server.into() }
    }

    /// Folios 1 and 2 mirrored, 3 orphaned, then one on the backup and one on main again.
    fn sound() -> Evidence {
        let acknowledged = vec![
            sale(1, "CAJA1", 1, "main"),
            sale(2, "CAJA2", 1, "main"),
            sale(3, "CAJA2", 1, "main"),
            sale(10_003, "CAJA1", 2, "backup"),
            sale(10_004, "CAJA1", 3, "main"),
        ];
        let database = acknowledged.iter().filter(|s| s.folio != 3).map(Sale::key).collect();
        let told = ["PRINCIPAL", "CAJA1"].map(|machine| Told {
            machine: machine.into(),
            holder: Some("main".into()),
            epoch: Some(3),
            runs_open: 0,
        });
        Evidence {
            orphans: vec![acknowledged[2].clone()],
            acknowledged,
            database,
            holders: [(2, "backup".to_owned()), (3, "main".to_owned())].into(),
            kept: Some(("BDPdv.db.antes-de-e3".into(), "ok".into())),
            told: told.into(),
            main_opens: true,
            backup_opens: false,
            ..Evidence::default()
        }
    }

    #[test]
    fn every_fault_is_found_by_its_check() {
        type Harm = fn(&mut Evidence);
        let table: [(&str, Harm); 16] = [
            ("", |_| {}),
            ("I1", |e| e.acknowledged[1].server = "backup".into()),
            ("I1", |e| e.acknowledged[3].server = "main".into()),
            ("I1", |e| e.orphans[0].server = "backup".into()),
            ("I2", |e| e.orphans.clear()),
            ("I2", |e| e.orphans[0].till = "CAJA1".into()),
            ("I2", |e| drop(e.database.pop_first())),
            ("I3", |e| {
                e.acknowledged.push(sale(3, "CAJA1", 2, "backup"));
                e.database.insert((3, "CAJA1".into(), 2));
            }),
            ("I3", |e| {
                let twice = e.acknowledged[0].clone();
                e.acknowledged.push(twice);
            }),
            ("I4", |e| e.kept = None),
            ("I4", |e| e.kept = Some(("x".into(), "row 3 missing from index".into()))),
            ("I5", |e| e.told[1].holder = Some("backup".into())),
            ("I5", |e| e.told[0].epoch = Some(2)),
            ("I5", |e| e.told[0].runs_open = 1),
            ("databases", |e| e.main_opens = false),
            ("databases", |e| e.backup_opens = true),
        ];
        for (number, (expected, harm)) in table.iter().enumerate() {
            let mut evidence = sound();
            harm(&mut evidence);
            let failed: Vec<&str> = evidence.checks().iter().filter(|c| !c.ok).map(|c| c.name).collect();
            assert_eq!(failed.join(" "), *expected, "row {number}");
        }
    }

    #[test]
    fn nothing_sold_proves_nothing() {
        let failed: Vec<&str> = Evidence::default().checks().iter().filter(|c| !c.ok).map(|c| c.name).collect();
        assert_eq!(failed, ["I1", "I4", "I5", "databases"]);
    }

    #[test]
    fn lost_and_duplicated_are_counted() {
        let mut evidence = sound();
        evidence.acknowledged.push(sale(1, "CAJA3", 2, "backup"));
        evidence.acknowledged.push(sale(1, "CAJA3", 3, "main"));
        assert_eq!(evidence.lost().len(), 2);
        assert_eq!(evidence.duplicated(), [1].into());
        assert!(sound().lost().is_empty() && sound().duplicated().is_empty() && sound().disputed().is_empty());
        assert_eq!(sound().by_epoch()[&(1, "main")], 3);
    }
}
