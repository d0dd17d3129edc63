//! The store's own tables and statements.

use serde_json::Value;

use super::instance::Instance;
use super::rows::Row;
use super::statements::{self, Access, Check, DatabaseName, TableName, of_the_store};
use crate::error::{Failure, Result};
use crate::model::{Epoch, Ticket, TicketKey};
use crate::server::port::By;
use crate::text;

impl Instance {
    /// Gives every ticket of an open database, in the order of its key.
    pub fn each_ticket(&self, database: &DatabaseName, each: &mut dyn FnMut(Ticket) -> Result<()>) -> Result<()> {
        let known = self.columns(database)?;
        if known.is_empty() {
            let tables = self.one(&statements::count_tables(database))?.must_int("tables")?;
            return if tables == 0 { Ok(()) } else { Err(self.no_table()) };
        }
        let mut connection = self.connect(&self.side.to_string(), super::connection::Purpose::Maintenance)?;
        connection.each(&statements::tickets(database, &self.tickets, &known)?, &mut |row| each(ticket(&row)?))
    }

    fn columns(&self, database: &DatabaseName) -> Result<Vec<String>> {
        let rows = self.ask(&statements::columns_of(database, &TableName::new(&self.tickets.table)?))?;
        rows.iter().map(|row| row.must_words("name")).collect()
    }

    fn no_table(&self) -> Failure {
        let table = &self.tickets.table;
        Failure::invalid(
            "tickets_table",
            text!("la base no tiene la tabla de ventas «{table}»", "the database has no table of sales \"{table}\""),
        )
        .hint(text!("corrija [tickets] table en relevo.toml", "correct [tickets] table in relevo.toml"))
    }

    /// The highest folio of the open database; `None` where the table is empty or missing.
    pub fn last_folio(&self) -> Result<Option<i64>> {
        if self.columns(&self.database)?.is_empty() {
            return Ok(None);
        }
        self.one(&statements::last_folio(&self.database, &self.tickets)?)?.int("folio")
    }

    /// Checks the structure of an open database. Findings in the server's words; empty when sound.
    pub fn integrity(&self, watch: &crate::progress::Watch) -> Result<Vec<String>> {
        let what = text!("revisando la base", "checking the database");
        match self.long(&statements::check(&self.database, Check::Physical), &what, watch) {
            Ok(_) => Ok(Vec::new()),
            Err(failure) if super::errors::is_of_client(&failure) => Err(failure),
            Err(failure) => Ok(failure.causes),
        }
    }

    /// Runs the store's statement that frees licence seats; the rows it gives (`OUTPUT deleted.*`) go to `keep` before they are committed away.
    pub fn release_seats(&self, statement: &str, keep: &mut dyn FnMut(&[Value]) -> Result<()>) -> Result<u64> {
        let statement = of_the_store(statement, Access::Write)?;
        self.in_store(By::Settings, |connection| {
            let rows = connection.ask(&self.asked(&statement, &[]), usize::MAX)?;
            keep(&rows)?;
            Ok((rows.len() as u64, true))
        })
    }

    /// Runs a reading statement; rows as objects, at most `limit`. What it might change all the same is taken back.
    pub fn query(&self, by: By, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Value>> {
        let statement = of_the_store(sql, Access::Read)?;
        self.in_store(by, |connection| Ok((connection.ask(&self.asked(&statement, params), limit)?, false)))
    }

    /// Runs a changing statement in one transaction; rows changed.
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        let statement = of_the_store(sql, Access::Write)?;
        self.in_store(By::Script, |connection| Ok((connection.change(&self.asked(&statement, params))?, true)))
    }
}

fn ticket(row: &Row) -> Result<Ticket> {
    let epoch = row.int("epoch")?.and_then(|epoch| u64::try_from(epoch).ok()).unwrap_or(Epoch::FIRST.0);
    let key = TicketKey { folio: row.must_int("folio")?, till: row.words("till")?.unwrap_or_default(), epoch: Epoch(epoch) };
    Ok(Ticket { key, at: row.words("at")?, total: row.words("total")?.and_then(|total| total.trim().parse().ok()) })
}
