//! Collects the facts that check.rs judges, from the files of a shop in which nothing runs any more. Changes none of them;
//! a fenced database is read from a private copy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::acts::Played;
use super::check::{Evidence, Key, Sale, Told};
use super::sim::Held;
use super::store::{DATABASE, Layout, Machine, could_not_write};
use crate::error::{Failure, Result};
use crate::model::Side;
use crate::text;

/// Gathers everything.
pub fn gather(layout: &Layout, played: &Played, held: Option<Held>) -> Result<Evidence> {
    let mut acknowledged = Vec::new();
    for till in Machine::TILLS {
        acknowledged.extend(sales(&layout.acknowledged(till))?);
    }
    acknowledged.sort_by(|a, b| (a.epoch, a.folio, &a.till).cmp(&(b.epoch, b.folio, &b.till)));
    let servers: BTreeMap<u64, &str> = acknowledged.iter().map(|sale| (sale.epoch, sale.server.as_str())).collect();
    let orphans = listed(&played.orphans)
        .into_iter()
        .map(|(folio, till, epoch)| {
            // A tail names no server: it is the old main's, and what it holds was sold in an epoch that main held.
            let server = servers.get(&epoch).copied().unwrap_or("main").to_owned();
            Sale { folio, till, epoch, server }
        })
        .collect();
    let Held { database, holders, kept, main_opens, backup_opens, files, servers } = match held {
        Some(held) => held,
        None => held_in_files(layout)?,
    };
    let told = played.statuses.iter().map(|(machine, status)| told(*machine, status)).collect();
    Ok(Evidence { acknowledged, database, orphans, holders, kept, told, main_opens, backup_opens, files, servers })
}

/// What the databases of the embedded engine hold.
fn held_in_files(layout: &Layout) -> Result<Held> {
    let main = layout.database(Side::Main);
    let (database, holders) = read_main(&main).map_err(|e| {
        let shown = main.display();
        Failure::failed("demo_database", text!("no se pudo leer {shown}", "could not read {shown}")).cause(e)
    })?;
    Ok(Held {
        database,
        holders,
        kept: kept(layout)?,
        main_opens: integrity(&main).is_ok_and(|said| said == "ok"),
        backup_opens: integrity(&layout.database(Side::Backup)).is_ok(),
        files: [main, layout.database(Side::Backup)],
        servers: Vec::new(),
    })
}

/// Writes tickets as JSON lines.
pub fn write_lines(path: &Path, sales: &[Sale]) -> Result<()> {
    let lines: Vec<String> = sales.iter().filter_map(|sale| serde_json::to_string(sale).ok()).map(|line| line + "\n").collect();
    std::fs::write(path, lines.concat()).map_err(|e| could_not_write(path, &e))
}

/// The tickets that `orphans --json` names, in whatever list or tail of its object they stand.
pub fn listed(object: &Value) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    collect(object, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<Key>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            if let (Some(folio), Some(till), Some(epoch)) =
                (value["folio"].as_i64(), value["till"].as_str(), value["epoch"].as_u64())
            {
                found.insert((folio, till.to_owned(), epoch));
            }
            fields.values().for_each(|field| collect(field, found));
        }
        _ => {}
    }
}

/// What a till noted. A last line without its end was never acknowledged: the till died while it wrote.
fn sales(path: &Path) -> Result<Vec<Sale>> {
    let noted = std::fs::read_to_string(path).map_err(|e| Failure::io(text!("no se pudo leer", "could not read"), path, &e))?;
    let whole = noted.rfind('\n').map_or("", |end| &noted[..end]);
    whole
        .lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|e| {
                let shown = path.display();
                Failure::failed("demo_acknowledged", text!("{shown} no se entiende", "{shown} is not understood")).cause(e)
            })
        })
        .collect()
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    // Not read-only: the last connection that may write leaves no WAL behind.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn integrity(path: &Path) -> rusqlite::Result<String> {
    open(path)?.query_row("PRAGMA integrity_check", [], |row| row.get(0))
}

fn read_main(path: &Path) -> rusqlite::Result<(BTreeSet<Key>, BTreeMap<u64, String>)> {
    let connection = open(path)?;
    let tickets = connection
        .prepare("SELECT Folio, Caja, Epoca FROM Ventas")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs())))?
        .collect::<rusqlite::Result<_>>()?;
    let holders = connection
        .prepare("SELECT epoch, holder FROM relevo_epoch")?
        .query_map([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((tickets, holders))
}

/// The old main database beside the new one, and what SQLite says of a copy of it that is open again.
fn kept(layout: &Layout) -> Result<Option<(String, String)>> {
    let instance = layout.instance(Side::Main);
    let unreadable = |e: std::io::Error| Failure::io(text!("no se pudo leer", "could not read"), &instance, &e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&instance).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        let beside = ["-wal", "-shm", "-journal", ".lock"].iter().any(|ending| name.ends_with(ending));
        if name.starts_with(DATABASE) && name.contains(".antes-de-") && !beside {
            names.push(name);
        }
    }
    names.sort();
    let Some(name) = names.pop() else { return Ok(None) };
    let scratch = layout.dir.join("kept.check");
    let said = copy_open(&instance.join(&name), &scratch).map_err(unreadable).map(|()| match integrity(&scratch) {
        Ok(said) => said,
        Err(error) => error.to_string(),
    });
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut file = scratch.clone().into_os_string();
        file.push(ending);
        let _ = std::fs::remove_file(PathBuf::from(file)); // most of them were never there
    }
    Ok(Some((name, said?)))
}

/// Copies a fenced database and sets the two bytes of its header that fence it.
fn copy_open(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut bytes = std::fs::read(from)?;
    if let Some(states) = bytes.get_mut(18..20) {
        states.fill(1);
    }
    std::fs::write(to, bytes)
}

fn told(machine: Machine, status: &Value) -> Told {
    Told {
        machine: machine.name().to_owned(),
        holder: status["holder"].as_str().map(str::to_owned),
        epoch: status["epoch"].as_u64(),
        runs_open: status["runs_open"].as_array().map_or(usize::MAX, Vec::len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn orphans_are_found_in_lists_and_tails() {
        let ticket = json!({ "folio": 7, "till": "CAJA1", "epoch": 1, "at": null, "total": 1.5 });
        let expected: BTreeSet<Key> = [(7, "CAJA1".to_owned(), 1)].into();
        for object in [json!({ "orphans": [ticket] }), json!({ "tails": [{ "epoch": 1, "tickets": [ticket, ticket] }] })] {
            assert_eq!(listed(&object), expected);
        }
        assert!(listed(&json!({ "orphans": [] })).is_empty());
    }

    #[test]
    fn a_line_without_an_end_was_never_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acknowledged.jsonl");
        let line = r#"{"folio":1,"till":"CAJA1","epoch":1,"server":"main"}"#;
        std::fs::write(&path, format!("{line}\n{}", &line[..20])).unwrap();
        assert_eq!(sales(&path).unwrap().len(), 1);
        std::fs::write(&path, format!("{line}\n{}\n", &line[..20])).unwrap();
        assert_eq!(sales(&path).unwrap_err().kind, "demo_acknowledged");
    }

    #[test]
    fn a_fenced_database_is_checked_on_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout { dir: dir.path().to_owned() };
        super::super::store::folders(&layout).unwrap();
        let old = layout.instance(Side::Main).join("BDPdv.db.antes-de-e3");
        Connection::open(&old).unwrap().execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES(1)").unwrap();
        let mut bytes = std::fs::read(&old).unwrap();
        bytes[18..20].fill(0x46);
        std::fs::write(&old, &bytes).unwrap();
        assert!(integrity(&old).is_err());
        assert_eq!(kept(&layout).unwrap(), Some(("BDPdv.db.antes-de-e3".to_owned(), "ok".to_owned())));
        assert_eq!(std::fs::read(&old).unwrap(), bytes);
        assert!(!layout.dir.join("kept.check").exists());
        std::fs::remove_file(&old).unwrap();
        assert_eq!(kept(&layout).unwrap(), None);
    }
}
