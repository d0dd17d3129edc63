//! Everything of a shop that a step may change, as text: the files of all machines, what the databases hold and their state, who
//! serves. Left out: locks, the journal, what steps keep for their undo, and which process a program is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::harness::Shop;

pub type Picture = BTreeMap<String, String>;

pub fn picture(shop: &Shop) -> Picture {
    let mut picture = Picture::new();
    walk(&shop.dir, &shop.dir, &mut picture);
    for machine in ["main", "caja"] {
        let serves = relevo::world::is_locked(&shop.path(machine, "instance/server.lock")).unwrap();
        picture.insert(format!("{machine} serves"), serves.to_string());
    }
    picture
}

/// What differs, one line each.
pub fn differences(wanted: &Picture, found: &Picture) -> Vec<String> {
    let names: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let shown = |p: &Picture, name: &String| p.get(name).map_or("nothing".to_owned(), |text| text.chars().take(300).collect());
    names
        .into_iter()
        .filter(|name| wanted.get(*name) != found.get(*name))
        .map(|name| format!("{name}: wanted {}, found {}", shown(wanted, name), shown(found, name)))
        .collect()
}

fn walk(root: &Path, folder: &Path, picture: &mut Picture) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            if !name.ends_with("state/undo") && !name.ends_with("state/runs") && !name.ends_with("state/programs") {
                walk(root, &path, picture);
            }
            continue;
        }
        let left_out = [".lock", ".gate", "server.info", "-wal", "-shm", ".log", "mirror.json", "role.json"];
        if left_out.iter().any(|end| name.ends_with(end)) || name.contains("journal.db") {
            continue;
        }
        let text = if name.contains("BDPdv.db") { database(&path) } else { hash(&path) };
        picture.insert(name, text);
    }
}

fn hash(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    format!("{} bytes, {}", bytes.len(), &blake3::hash(&bytes).to_hex()[..16])
}

/// State bytes and content: SQLite may move pages and counters about as it likes.
fn database(path: &Path) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("copy.db");
    let mut bytes = std::fs::read(path).unwrap();
    let state = bytes.get(18).copied().unwrap_or(0);
    let open = state <= 2;
    if bytes.len() > 20 {
        bytes[18..20].fill(if open { 2 } else { 1 });
    }
    std::fs::write(&copy, bytes).unwrap();
    let wal = format!("{}-wal", path.display());
    if open && Path::new(&wal).exists() {
        std::fs::copy(wal, scratch.path().join("copy.db-wal")).unwrap();
    }
    let shown = match state {
        1 | 2 => "open".to_owned(),
        other => format!("{other:#x}"),
    };
    format!("{shown}: {}", content(&copy).unwrap_or_else(|e| e.to_string()))
}

fn content(path: &Path) -> rusqlite::Result<String> {
    let connection = Connection::open(path)?;
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut all = Vec::new();
    for table in tables {
        let mut query = connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1"))?;
        let columns = query.column_count();
        let rows = query.query_map([], |row| (0..columns).map(|i| row.get::<_, Value>(i)).collect::<Result<Vec<_>, _>>())?;
        let rows: Vec<Vec<Value>> = rows.collect::<Result<_, _>>()?;
        let whole = format!("{rows:?}");
        let short = if whole.len() < 200 {
            whole
        } else {
            format!("{} rows {}", rows.len(), &blake3::hash(whole.as_bytes()).to_hex()[..8])
        };
        all.push(format!("{table} {short}"));
    }
    Ok(all.join("; "))
}
