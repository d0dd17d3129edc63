//! The large database through a shop's whole life: seeded, sold into, mirrored, its main lost and fenced with orphans, given back,
//! promoted as planned.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::measure::must_be_equal;
use crate::scale::verb::verb;
use crate::scale::{Amounts, Most, Table, tills, unplugged};
use crate::shop::{Machine, Shop};
use crate::{Options, Result};

/// Few copies lie on this target: what a verb asks of it does not depend on its size.
const FEW: Option<Most> = Some(Most { list: 4, get: 32 });

/// Measures.
pub fn measure(options: &Options, amounts: &Amounts, table: &mut Table) -> Result<()> {
    let folder = options.folder("scale-big")?;
    let shop = Shop::new(folder.path(), None, "")?;
    as_the_stand_ins_sell(&shop)?;
    create(&shop.database(Machine::Main), amounts)?;
    let (main, caja) = (shop.path(Machine::Main, "store"), shop.path(Machine::Caja, "store"));
    let size = format!("{} MiB", amounts.mib);

    table.verb(&format!("mirror, seed of {size}"), &expect(verb(&main, &["--json", "mirror"], 0)?, "kind", "full")?, FEW);
    verb(&main, &["--json", "launch", "--program", "svrpdv"], 0)?;
    let sold = tills::measure(amounts, &shop, table)?;
    sell(&shop.database(Machine::Main), 2_000, 1)?;
    let increment = expect(verb(&main, &["--json", "mirror"], 0)?, "kind", "increment")?;
    table.verb("mirror, increment of 2,000 tickets", &increment, FEW);
    table.verb("mirror, nothing changed", &expect(verb(&main, &["--json", "mirror"], 0)?, "kind", "skip")?, FEW);
    must_be_equal(&shop.database(Machine::Main), &shop.database(Machine::Caja))?;
    table.verb("mirror on the caja, standby up to date", &verb(&caja, &["--json", "mirror"], 0)?, FEW);
    for words in ["status", "doctor", "check"] {
        table.verb(&format!("{words} on the caja"), &verb(&caja, &["--json", words], 0)?, None);
    }
    table.verb("doctor on main, structure of the database checked", &verb(&main, &["--json", "doctor"], 0)?, None);
    table.verb("target list", &verb(&main, &["--json", "target", "list"], 0)?, FEW);
    table.verb("target verify, newest chain restored", &verb(&main, &["--json", "target", "verify"], 0)?, FEW);
    let got = folder.path().join("got.db");
    let file = got.display().to_string();
    let first = "e000001-s00000001-full";
    table.verb(&format!("target get of {size}"), &verb(&main, &["--json", "target", "get", first, &file], 0)?, FEW);
    std::fs::remove_file(&got)?;

    // Main is lost with tickets that no copy has, and comes back.
    sell(&shop.database(Machine::Main), amounts.orphans, 1)?;
    shop.stop_server(Machine::Main)?;
    unplugged(&shop, false)?;
    let promoted = expect(verb(&caja, &["--json", "promote"], 0)?, "epoch", 2)?;
    table.verb("promote, main lost", &promoted, FEW);
    sell(&shop.database(Machine::Caja), 2_000, 2)?;
    unplugged(&shop, true)?;
    let fenced = verb(&main, &["--json", "launch", "--program", "svrpdv"], 11)?;
    let orphans = amounts.orphans;
    table.verb(&format!("launch of the old main: fenced, its tail of {orphans} orphans saved"), &fenced, FEW);
    let listed = verb(&caja, &["--json", "orphans"], 0)?;
    let told = listed.json()?["orphans"].as_array().map_or(0, Vec::len) as u64;
    if told != orphans {
        return Err(format!("{told} orphans are listed, not {orphans}").into());
    }
    table.verb(&format!("orphans --json, {orphans}"), &listed, FEW);
    table.verb(&format!("orphans as text, {orphans}"), &verb(&caja, &["orphans"], 0)?, FEW);

    let restored = expect(verb(&caja, &["--json", "restore"], 0)?, "epoch", 3)?;
    table.verb(&format!("restore of {size}"), &restored, FEW);
    verb(&main, &["--json", "launch", "--program", "svrpdv"], 0)?;
    remove_what_was_kept(&shop)?;
    let seeded = expect(verb(&main, &["--json", "mirror"], 0)?, "kind", "full")?;
    table.verb("mirror, seed of the new epoch", &seeded, FEW);
    sell(&shop.database(Machine::Main), 2_000, 3)?;
    shop.stop_server(Machine::Main)?;
    let planned = expect(expect(verb(&caja, &["--json", "promote"], 0)?, "epoch", 4)?, "planned", true)?;
    table.verb("promote, planned, the tail of 2,000 tickets taken", &planned, FEW);
    shop.stop_server(Machine::Caja)?;
    let expected = amounts.tickets + sold + 3 * 2_000;
    let found = count(&shop.database(Machine::Caja))?;
    if found != expected {
        return Err(format!("{found} tickets at the end, not {expected}").into());
    }
    Ok(())
}

/// The table of sales of the stand-ins, and no folio of an epoch given again in the next.
fn as_the_stand_ins_sell(shop: &Shop) -> Result<()> {
    for machine in [Machine::Main, Machine::Caja] {
        let file = shop.path(machine, "store/relevo.toml");
        let text = std::fs::read_to_string(&file)?;
        let sells = text
            .replace("[tickets]\nkey = \"Id\"\nepoch = \"\"\n", "")
            .replace("[promote]\n", "[promote]\nfolio_gap = 1_000_000\n");
        std::fs::write(file, sells)?;
    }
    Ok(())
}

/// A database of this size: tickets, and lines that pack to half.
fn create(path: &Path, amounts: &Amounts) -> Result<()> {
    let mut db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;
         CREATE TABLE Ventas(Folio INTEGER PRIMARY KEY, Caja TEXT, Fecha TEXT, Total REAL, Epoca INTEGER);
         CREATE TABLE Detalle(Id INTEGER PRIMARY KEY, Nota BLOB);
         CREATE TABLE relevo_folio(next INTEGER); INSERT INTO relevo_folio VALUES(1);",
    )?;
    insert(&mut db, amounts.tickets, 1)?;
    let pages = |db: &Connection| db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0));
    let (mut note, mut seed) = (vec![b' '; 7_800], 7_u64);
    while pages(&db)?.cast_unsigned() * 8192 < amounts.mib << 20 {
        let tx = db.transaction()?;
        for _ in 0..1_000 {
            for bytes in note[..3_904].chunks_exact_mut(8) {
                seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                bytes.copy_from_slice(&(seed ^ seed >> 29).to_le_bytes());
            }
            tx.prepare_cached("INSERT INTO Detalle(Nota) VALUES(?1)")?.execute([&note])?;
        }
        tx.commit()?;
    }
    db.execute_batch("PRAGMA journal_mode=WAL")?;
    db.close().map_err(|(_, error)| error)?;
    Ok(std::fs::File::open(path)?.sync_all()?)
}

/// Sells in one transaction; the last connection closes and leaves no log behind.
fn sell(path: &Path, tickets: u64, epoch: u64) -> Result<()> {
    let mut db = Connection::open(path)?;
    insert(&mut db, tickets, epoch)?;
    Ok(db.close().map_err(|(_, error)| error)?)
}

fn insert(db: &mut Connection, tickets: u64, epoch: u64) -> Result<()> {
    let tx = db.transaction()?;
    let next: u64 = tx.query_row("SELECT next FROM relevo_folio", [], |row| row.get::<_, i64>(0))?.cast_unsigned();
    {
        let mut insert = tx.prepare("INSERT INTO Ventas VALUES(?1, ?2, '2026-11-23T10:00:00-06:00', ?3, ?4)")?;
        for folio in next..next + tickets {
            let till = format!("CAJA{}", folio % 50 + 1);
            insert.execute(params![folio.cast_signed(), till, (folio % 9_999) as f64 / 100.0, epoch.cast_signed()])?;
        }
    }
    tx.execute("UPDATE relevo_folio SET next=?1", [(next + tickets).cast_signed()])?;
    Ok(tx.commit()?)
}

fn count(path: &Path) -> Result<u64> {
    let db = Connection::open(path)?;
    Ok(db.query_row("SELECT count(*) FROM Ventas", [], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

/// The old main's file, which a restore keeps for a person to look at: this disk is not theirs.
fn remove_what_was_kept(shop: &Shop) -> Result<()> {
    for entry in std::fs::read_dir(shop.path(Machine::Main, "instance"))? {
        let path = entry?.path();
        if path != shop.database(Machine::Main) && path.extension().is_some_and(|end| end == "db") {
            println!("removed: {}", path.file_name().unwrap_or_default().display());
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The result has this value.
fn expect(ran: crate::scale::verb::Ran, key: &str, value: impl Into<serde_json::Value>) -> Result<crate::scale::verb::Ran> {
    let value = value.into();
    if ran.json()?[key] == value { Ok(ran) } else { Err(format!("{key} is not {value}: {}", ran.out).into()) }
}
