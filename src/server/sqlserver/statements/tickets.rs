//! The store's table of tickets, under the names that relevo.toml gives, and relevo's own table of the next folio.

use super::names::{fits, identifier, literal};
use super::{Column, DatabaseName, Kind, Statement};
use crate::config::Tickets;
use crate::error::Result;
use crate::text;

/// A table or view of the store's database, `schema.table` or `table` (of dbo).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    schema: String,
    table: String,
}

impl TableName {
    /// Checks the name.
    pub fn new(name: &str) -> Result<Self> {
        let (schema, table) = name.split_once('.').unwrap_or(("dbo", name));
        let what = text!("el nombre de la tabla", "the name of the table");
        fits(&what, schema, 128)?;
        fits(&what, table, 128)?;
        Ok(TableName { schema: schema.to_owned(), table: table.to_owned() })
    }

    fn identifier(&self, database: &DatabaseName) -> String {
        format!("{}.{}.{}", database.identifier(), identifier(&self.schema), identifier(&self.table))
    }
}

/// The columns of a table: `name`. No row: there is no such table.
pub fn columns_of(database: &DatabaseName, table: &TableName) -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("name", Kind::Words, "c.name")];
    let (place, object) = (database.identifier(), literal(&table.identifier(database)));
    let rest = format!("FROM {place}.sys.columns c WHERE c.object_id=OBJECT_ID({object}) ORDER BY c.column_id");
    Statement::select("columns_of", "", &COLUMNS, &rest)
}

/// How many tables the store has: `tables`. Its own, not relevo's.
pub fn count_tables(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("tables", Kind::Int, "COUNT(*)")];
    let place = database.identifier();
    let rest = format!("FROM {place}.sys.tables t WHERE t.is_ms_shipped=0 AND LEFT(t.name, 7)<>N'relevo_'");
    Statement::select("count_tables", "", &COLUMNS, &rest)
}

/// Every ticket in the order of its key: `folio`, `till`, `at`, `total` (as a decimal number), `epoch`. What is not among `known`, the
/// table's columns, is NULL.
pub fn tickets(database: &DatabaseName, tickets: &Tickets, known: &[String]) -> Result<Statement> {
    const COLUMNS: [Column; 5] = [
        Column::new("folio", Kind::Big, ""),
        Column::new("till", Kind::Words, ""),
        Column::new("at", Kind::Words, ""),
        Column::new("total", Kind::Words, ""),
        Column::new("epoch", Kind::Big, ""),
    ];
    let table = TableName::new(&tickets.table)?.identifier(database);
    let (folio, till) = (column(&tickets.key)?, column(&tickets.till)?);
    let optional = |name: &str| -> Result<String> {
        let there = known.iter().any(|column| column.to_lowercase() == name.to_lowercase());
        if there { column(name) } else { Ok("NULL".to_owned()) }
    };
    let (at, total, epoch) = (optional(&tickets.time)?, optional(&tickets.total)?, optional(&tickets.epoch)?);
    let text = format!(
        "SELECT CAST({folio} AS bigint) AS [folio], CAST({till} AS nvarchar(4000)) AS [till], CONVERT(nvarchar(4000), {at}, 126) AS [at], \
         CAST(CAST({total} AS decimal(19,4)) AS nvarchar(40)) AS [total], CAST({epoch} AS bigint) AS [epoch] \
         FROM {table} AS v ORDER BY 1, 2, 5;"
    );
    Ok(Statement::new("tickets", text).returning(&COLUMNS).long())
}

/// The highest folio: `folio`, NULL where there is no ticket.
pub fn last_folio(database: &DatabaseName, tickets: &Tickets) -> Result<Statement> {
    const COLUMNS: [Column; 1] = [Column::new("folio", Kind::Big, "")];
    let table = TableName::new(&tickets.table)?.identifier(database);
    let text = format!("SELECT CAST(MAX({}) AS bigint) AS [folio] FROM {table} AS v;", column(&tickets.key)?);
    Ok(Statement::new("last_folio", text).returning(&COLUMNS))
}

fn column(name: &str) -> Result<String> {
    fits(&text!("el nombre de la columna", "the name of the column"), name, 128)?;
    Ok(format!("v.{}", identifier(name)))
}

fn folio_table(database: &DatabaseName) -> String {
    format!("{}.[dbo].[relevo_folio]", database.identifier())
}

/// Makes relevo's table of the next folio, with 1 in it, where it is missing.
pub fn make_folio(database: &DatabaseName) -> Statement {
    let table = folio_table(database);
    let object = literal(&table);
    // Two batches' worth in one: the table of the INSERT is looked up when it runs.
    let text = format!(
        "IF OBJECT_ID({object}) IS NULL CREATE TABLE {table} ([next] bigint NOT NULL);\n\
         IF NOT EXISTS (SELECT 1 FROM {table}) INSERT INTO {table} ([next]) VALUES (1);"
    );
    Statement::new("make_folio", text)
}

/// The next folio: `next`.
pub fn next_folio(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("next", Kind::Big, "MAX(f.[next])")];
    Statement::select("next_folio", "", &COLUMNS, &format!("FROM {} AS f", folio_table(database)))
}

/// Sets the next folio; the table is there ([`make_folio`]).
pub fn set_folio(database: &DatabaseName, next: u64) -> Statement {
    let (table, next) = (folio_table(database), next.min(i64::MAX as u64));
    Statement::new("set_folio", format!("UPDATE {table} SET [next]={next};"))
}
