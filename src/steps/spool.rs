//! Tickets on their way from databases and targets to a report, in the order in which they came. They lie on disk, since an old main
//! may have millions that nobody else has. A private database of SQLite in the state folder; nothing of it outlives its verb.

use std::path::Path;

use rusqlite::{Connection, Row, ToSql, params};
use tempfile::TempDir;

use crate::error::{Failure, Result};
use crate::model::{Epoch, Ticket, TicketKey};
use crate::text;

/// Tickets by the group that they belong to.
pub struct Spool {
    connection: Connection,
    _folder: TempDir,
}

/// The memory is bounded (2 MiB); nothing has to be durable, nor taken back by SQLite.
const SETUP: &str = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-2048;
    CREATE TABLE ticket(n INTEGER PRIMARY KEY, part INTEGER NOT NULL, mark INTEGER NOT NULL, folio INTEGER NOT NULL,
      till TEXT NOT NULL, epoch INTEGER NOT NULL, at TEXT, total REAL);
    CREATE INDEX by_part ON ticket(part);
    CREATE INDEX by_key ON ticket(folio, till, epoch);
    BEGIN;";

/// Where tickets go, one at a time.
pub type Each<'a> = &'a mut dyn FnMut(Ticket) -> Result<()>;

impl Spool {
    /// An empty one below `state`.
    pub fn new(state: &Path) -> Result<Spool> {
        let failed = |error: std::io::Error| Failure::io(text!("no se pudo crear", "could not create"), state, &error);
        std::fs::create_dir_all(state).map_err(failed)?;
        let folder = tempfile::Builder::new().prefix(".relevo-scratch-").tempdir_in(state).map_err(failed)?;
        let connection = Connection::open(folder.path().join("spool.db")).map_err(broken)?;
        connection.execute_batch(SETUP).map_err(broken)?;
        Ok(Spool { connection, _folder: folder })
    }

    /// Adds a ticket to a part, with a mark.
    pub fn add(&self, part: u32, mark: u32, ticket: &Ticket) -> Result<()> {
        let sql = "INSERT INTO ticket(part, mark, folio, till, epoch, at, total) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let TicketKey { folio, till, epoch } = &ticket.key;
        self.run(sql, params![part, mark, folio, till, epoch.0.cast_signed(), ticket.at, ticket.total])
    }

    /// Does the part hold this ticket with another mark than this?
    pub fn holds(&self, part: u32, mark: u32, key: &TicketKey) -> Result<bool> {
        let sql = "SELECT 1 FROM ticket WHERE part+0=?1 AND mark<>?2 AND folio=?3 AND till=?4 AND epoch=?5";
        let mut query = self.connection.prepare_cached(sql).map_err(broken)?;
        query.exists(params![part, mark, key.folio, key.till, key.epoch.0.cast_signed()]).map_err(broken)
    }

    /// Takes from a part what bears this mark.
    pub fn cut(&self, part: u32, mark: u32) -> Result<()> {
        self.run("DELETE FROM ticket WHERE part=?1 AND mark=?2", params![part, mark])
    }

    /// Marks every ticket of this key.
    pub fn mark(&self, mark: u32, key: &TicketKey) -> Result<()> {
        let sql = "UPDATE ticket SET mark=?1 WHERE folio=?2 AND till=?3 AND epoch=?4";
        self.run(sql, params![mark, key.folio, key.till, key.epoch.0.cast_signed()])
    }

    /// Do all tickets bear this mark?
    pub fn all_marked(&self, mark: u32) -> Result<bool> {
        let mut query = self.connection.prepare_cached("SELECT 1 FROM ticket WHERE mark<>?1").map_err(broken)?;
        query.exists([mark]).map(|other| !other).map_err(broken)
    }

    /// Number of tickets in a part.
    pub fn count(&self, part: u32) -> Result<u64> {
        let mut query = self.connection.prepare_cached("SELECT count(*) FROM ticket WHERE part=?1").map_err(broken)?;
        query.query_row([part], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).map_err(broken)
    }

    /// Every ticket of a part, in the order in which they came.
    pub fn each(&self, part: u32, each: Each<'_>) -> Result<()> {
        self.read("SELECT folio, till, epoch, at, total FROM ticket WHERE part=?1 ORDER BY n", part, each)
    }

    /// Every ticket of a part, by folio.
    pub fn by_folio(&self, part: u32, each: Each<'_>) -> Result<()> {
        self.read("SELECT folio, till, epoch, at, total FROM ticket WHERE part+0=?1 ORDER BY folio, till, epoch, n", part, each)
    }

    fn read(&self, sql: &str, part: u32, each: Each<'_>) -> Result<()> {
        let mut query = self.connection.prepare_cached(sql).map_err(broken)?;
        let mut rows = query.query([part]).map_err(broken)?;
        while let Some(row) = rows.next().map_err(broken)? {
            each(ticket(row).map_err(broken)?)?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, params: &[&dyn ToSql]) -> Result<()> {
        self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map(drop).map_err(broken)
    }
}

fn ticket(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let epoch = Epoch(row.get::<_, i64>(2)?.cast_unsigned());
    Ok(Ticket { key: TicketKey { folio: row.get(0)?, till: row.get(1)?, epoch }, at: row.get(3)?, total: row.get(4)? })
}

fn broken(error: rusqlite::Error) -> Failure {
    Failure::failed(
        "no_room_to_work",
        text!("no se pudo usar el espacio de trabajo en state/", "the working space in state/ could not be used"),
    )
    .cause(error)
    .hint(text!("libere espacio en el disco y repita", "free space on the disk and repeat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(folio: i64, till: &str) -> Ticket {
        let at = Some("2026-01-02".to_owned());
        Ticket { key: TicketKey { folio, till: till.to_owned(), epoch: Epoch(u64::MAX) }, at, total: Some(0.1 + 0.2) }
    }

    fn folios(spool: &Spool, part: u32, sorted: bool) -> Vec<i64> {
        let mut found = Vec::new();
        let mut keep = |ticket: Ticket| {
            found.push(ticket.key.folio);
            Ok(())
        };
        if sorted {
            spool.by_folio(part, &mut keep).unwrap()
        } else {
            spool.each(part, &mut keep).unwrap()
        }
        found
    }

    #[test]
    fn what_goes_in_comes_out_in_its_order_and_nothing_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let spool = Spool::new(&state).unwrap();
        for (part, folio) in [(0, 3), (0, 1), (1, 9), (0, 1)] {
            spool.add(part, 0, &ticket(folio, "C1")).unwrap();
        }
        assert_eq!((folios(&spool, 0, false), folios(&spool, 0, true)), (vec![3, 1, 1], vec![1, 1, 3]));
        assert_eq!((spool.count(0).unwrap(), spool.count(1).unwrap(), spool.count(2).unwrap()), (3, 1, 0));
        let mut whole = Vec::new();
        spool
            .each(1, &mut |ticket| {
                whole.push(ticket);
                Ok(())
            })
            .unwrap();
        assert_eq!(whole, [ticket(9, "C1")]);
        drop(spool);
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0);
    }

    #[test]
    fn marks_tell_what_is_where() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path()).unwrap();
        for (folio, till) in [(1, "C1"), (1, "C2"), (2, "C1")] {
            spool.add(0, 1, &ticket(folio, till)).unwrap();
        }
        let key = |folio, till: &str| ticket(folio, till).key;
        assert!(!spool.holds(0, 1, &key(1, "C2")).unwrap(), "it came with this very mark");
        assert!(spool.holds(0, 2, &key(1, "C2")).unwrap() && !spool.holds(1, 2, &key(1, "C2")).unwrap());
        assert!(!spool.holds(0, 2, &key(2, "C2")).unwrap());
        spool.mark(7, &key(1, "C1")).unwrap();
        spool.mark(7, &key(2, "C1")).unwrap();
        assert!(!spool.all_marked(7).unwrap());
        spool.mark(7, &key(1, "C2")).unwrap();
        assert!(spool.all_marked(7).unwrap());
        spool.add(0, 8, &ticket(5, "C1")).unwrap();
        spool.cut(0, 7).unwrap();
        assert_eq!(folios(&spool, 0, false), [5]);
    }
}
