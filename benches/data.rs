//! The shop's database: 8 KiB pages, articles, sales with eight lines each. Deterministic: the same size and seed give the same
//! rows. One interval of work is 2,000 tickets; each one is a transaction and takes eight articles off the shelf.

use std::path::Path;

use rusqlite::{Connection, Statement, params};

use crate::Result;

/// Tickets of one interval: about 11 MB of pages change.
pub const INTERVAL: u64 = 2_000;

const ARTICLES: u64 = 100_000;
/// Tickets a transaction while the database is made.
const BATCH: u64 = 5_000;

/// A small generator of numbers (SplitMix64): the standard library has none, and a benchmark needs no better one.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> i64 {
        (self.next() % limit) as i64
    }

    fn amount(&mut self, limit: f64) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64 * limit
    }

    fn hex(&mut self, bytes: usize) -> String {
        (0..bytes.div_ceil(8)).map(|_| format!("{:016x}", self.next())).collect::<String>()[..bytes * 2].to_owned()
    }
}

/// Makes a database of about `mib` MiB, open in WAL mode, checkpointed and closed.
pub fn create(path: &Path, mib: u64) -> Result<()> {
    let db = Connection::open(path)?;
    // Nobody reads a half-made one: no journal, no sync.
    db.execute_batch(
        "PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;
         CREATE TABLE Articulos(Id INTEGER PRIMARY KEY, Codigo TEXT, Nombre TEXT, Precio REAL, Existencia INTEGER);
         CREATE TABLE Ventas(Id INTEGER PRIMARY KEY, Caja INTEGER, Fecha TEXT, Total REAL, Cliente TEXT);
         CREATE TABLE Detalle(Id INTEGER PRIMARY KEY, Venta INTEGER, Articulo INTEGER, Cantidad INTEGER, Importe REAL, Nota TEXT);
         CREATE INDEX DetalleVenta ON Detalle(Venta);",
    )?;
    let mut numbers = Numbers(7);
    {
        db.execute_batch("BEGIN")?;
        let mut article = db.prepare("INSERT INTO Articulos VALUES(?1,?2,?3,?4,1000)")?;
        for id in 1..=ARTICLES {
            let code = format!("75{:011}", numbers.below(100_000_000_000));
            article.execute(params![id as i64, code, format!("Articulo {id} {}", numbers.hex(20)), numbers.amount(100.0)])?;
        }
        db.execute_batch("COMMIT")?;
        let mut write = Writer::new(&db)?;
        let mut sale = 1;
        while size(&db)? < mib << 20 {
            db.execute_batch("BEGIN")?;
            for _ in 0..BATCH {
                write.ticket(&mut numbers, sale, false)?;
                sale += 1;
            }
            db.execute_batch("COMMIT")?;
        }
    }
    db.execute_batch("PRAGMA journal_mode=WAL")?;
    db.close().map_err(|(_, error)| error)?;
    std::fs::File::open(path)?.sync_all()?;
    Ok(())
}

/// One interval of sales; the last connection closes and leaves no log behind.
pub fn work(path: &Path, tickets: u64, seed: u64) -> Result<()> {
    let db = Connection::open(path)?;
    db.execute_batch("PRAGMA synchronous=NORMAL")?;
    let first: i64 = db.query_row("SELECT max(Id) FROM Ventas", [], |row| row.get(0))?;
    let mut numbers = Numbers(seed);
    let mut write = Writer::new(&db)?;
    for sale in (first + 1..).take(tickets as usize) {
        db.execute_batch("BEGIN IMMEDIATE")?;
        write.ticket(&mut numbers, sale, true)?;
        db.execute_batch("COMMIT")?;
    }
    drop(write);
    db.close().map_err(|(_, error)| error)?;
    std::fs::File::open(path)?.sync_all()?;
    Ok(())
}

/// Number of tickets of an open database.
pub fn tickets(path: &Path) -> Result<i64> {
    let db = Connection::open(path)?;
    Ok(db.query_row("SELECT count(*) FROM Ventas", [], |row| row.get(0))?)
}

fn size(db: &Connection) -> Result<u64> {
    let pages: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    Ok(pages as u64 * 8192)
}

struct Writer<'a> {
    sale: Statement<'a>,
    line: Statement<'a>,
    stock: Statement<'a>,
}

impl<'a> Writer<'a> {
    fn new(db: &'a Connection) -> Result<Writer<'a>> {
        Ok(Writer {
            sale: db.prepare("INSERT INTO Ventas VALUES(?1,?2,?3,?4,?5)")?,
            line: db.prepare("INSERT INTO Detalle(Venta,Articulo,Cantidad,Importe,Nota) VALUES(?1,?2,?3,?4,?5)")?,
            stock: db.prepare("UPDATE Articulos SET Existencia=Existencia-1 WHERE Id=?1")?,
        })
    }

    fn ticket(&mut self, numbers: &mut Numbers, sale: i64, take_stock: bool) -> Result<()> {
        let day = format!("2026-11-{:02}", 1 + numbers.below(28));
        self.sale.execute(params![sale, 1 + numbers.below(19), day, numbers.amount(500.0), numbers.hex(16)])?;
        for _ in 0..8 {
            let article = 1 + numbers.below(ARTICLES);
            let (count, amount) = (1 + numbers.below(8), numbers.amount(90.0));
            self.line.execute(params![sale, article, count, amount, numbers.hex(32)])?;
            if take_stock {
                self.stock.execute([article])?;
            }
        }
        Ok(())
    }
}
