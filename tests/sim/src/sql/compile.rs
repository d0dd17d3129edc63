//! T-SQL that reads and writes tables, turned into SQLite's language.
//!
//! Every value has its T-SQL type at this point; where two types meet, the one of lower precedence is converted, as the documentation
//! says, by functions that `register` has set up. Literals stand in the text; variables, the clock and seeds of NEWID() are bound, and
//! in a statement that changes something so are the functions of the instance whose arguments are constants.
//!
//! Functions that only the instance can answer are called as `ts_` and their name in lower case; it registers them on its connections.
//! [`INSTANCE_FUNCTIONS`] lists them. Those that answer from the session's last statement are asked of [`Catalog::global`] with their
//! parentheses: `SCOPE_IDENTITY()`, `ERROR_NUMBER()`, `ERROR_MESSAGE()`, `ERROR_SEVERITY()`, `ERROR_STATE()`, `ERROR_LINE()`,
//! `ERROR_PROCEDURE()`, `XACT_STATE()`, `ROWCOUNT_BIG()`.
//!
//! What is not done, and refused with the simulator's own number 50000: inserted and deleted in one expression of OUTPUT,
//! `SELECT @a = @a + …` over several rows, IDENTITY steps other than 1. What is done otherwise: NULLs do not equal each other in UNIQUE,
//! a unique index answers with 2627 as a constraint does, GUIDs sort as their texts do, columns know one collation and its kin where
//! case counts.

mod arithmetic;
mod change;
mod define;
mod expr;
mod from;
mod function;
mod kinds;
mod output;
mod query;
mod scope;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::HashMap;

use rusqlite::{Connection, params_from_iter, types::Value as Stored};

use super::{
    Catalog, Table,
    ast::{CreateTable, Expr, Kind, Statement},
    failure::failure,
    message::message,
    value::{bind, read},
};
use crate::wire::{Column, Message, Type, Value};
pub use function::INSTANCE_FUNCTIONS;
use kinds::Typed;
use scope::Scope;

/// Two readings of one clock, in ticks since 0001-01-01.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Coordinated.
    pub utc: i64,
    /// The server's local time.
    pub local: i64,
}

/// What a statement is compiled with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// A connection that `register` has set up.
    pub connection: &'a Connection,
    /// What names mean.
    pub catalog: &'a dyn Catalog,
    /// What time it is.
    pub clock: Clock,
}

/// A statement in SQLite's language. `sql`, `parameters` and `also` are the form for the log.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// The text; empty: nothing is to be done.
    pub sql: String,
    /// What its `?1`, `?2` … are.
    pub parameters: Vec<Stored>,
    /// Statements that follow it, without parameters.
    pub also: Vec<String>,
    /// The columns that it returns; none: it returns no rows.
    pub columns: Vec<Column>,
    /// For SELECT @a = …: the variable that each column is for. The last row counts.
    pub variables: Vec<String>,
    /// The table in SQLite that it changes.
    pub table: Option<String>,
    /// What an UPDATE shows of its rows as they were; no part of the log.
    pub before: Option<Before>,
    /// It reads a view of the system, so a replay elsewhere may see something else.
    pub reads_system: bool,
}

/// A query that runs before an UPDATE, with the same parameters.
#[derive(Clone, Debug)]
pub struct Before {
    /// Its text. The first column is the rowid, which the UPDATE returns after its last column.
    sql: String,
    /// Where its other columns belong in the rows that the UPDATE returns.
    places: Vec<usize>,
}

/// Compiles SELECT, INSERT (but not of EXEC), UPDATE, DELETE, TRUNCATE TABLE, DROP TABLE, CREATE INDEX. The line is the statement's.
pub fn compile(context: &Context<'_>, statement: &Statement) -> Result<Compiled, Message> {
    let compiler = Compiler::new(*context, !matches!(statement.kind, Kind::Select(_) | Kind::SelectAssign(_)));
    let compiled = match &statement.kind {
        Kind::Select(query) => compiler.select(query),
        Kind::SelectAssign(query) => compiler.select_assign(query),
        Kind::Insert(insert) => compiler.insert(insert),
        Kind::Update(update) => compiler.update(update),
        Kind::Delete(delete) => compiler.delete(delete),
        Kind::TruncateTable(name) => compiler.truncate(name),
        Kind::DropTable { if_exists, names } => compiler.drop_tables(*if_exists, names),
        Kind::CreateIndex(index) => compiler.create_index(index),
        _ => Err(message(50_000, 16, "simulator: not a statement about tables")),
    };
    compiled.map_err(|problem| Message { line: statement.line, ..problem })
}

/// Compiles CREATE TABLE; the instance keeps what the table is for its catalog.
pub fn create_table(context: &Context<'_>, table: &CreateTable) -> Result<(Compiled, Table), Message> {
    Compiler::new(*context, true).create_table(table)
}

/// What an expression is worth now, and its type.
pub fn evaluate(context: &Context<'_>, expr: &Expr) -> Result<(Type, Value), Message> {
    let mut compiler = Compiler::new(*context, false);
    let typed = compiler.expr(expr)?;
    let kind = typed.kind.unwrap_or(Type::Int);
    let sql = format!("SELECT {}", typed.sql);
    compiler.one(&sql, kind).map(|value| (kind, value))
}

/// Does a condition hold now? Unknown is no.
pub fn holds(context: &Context<'_>, condition: &Expr) -> Result<bool, Message> {
    let mut compiler = Compiler::new(*context, false);
    let sql = format!("SELECT {}", compiler.condition(condition)?);
    compiler.one(&sql, Type::Bit).map(|value| value == Value::Int(1))
}

/// Runs a compiled statement. `out` gets the rows and answers whether to go on. Gives back how many rows it returned or changed.
pub fn run(connection: &Connection, compiled: &Compiled, out: &mut dyn FnMut(Vec<Value>) -> bool) -> Result<u64, Message> {
    let mut count = 0;
    if !compiled.sql.is_empty() {
        count = run_first(connection, compiled, out).map_err(|error| {
            let problem = failure(&error);
            let index = problem.number == 2627 && compiled.sql.starts_with("CREATE ");
            if index {
                message(1505, 16, "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found.")
            } else {
                problem
            }
        })?;
    }
    for sql in &compiled.also {
        connection.execute(sql, []).map_err(|error| failure(&error))?;
    }
    Ok(count)
}

/// The rows as they were, by rowid.
type Earlier = HashMap<i64, Vec<Stored>>;

fn run_before(connection: &Connection, before: &Before, parameters: &[Stored]) -> rusqlite::Result<Earlier> {
    let mut statement = connection.prepare(&before.sql)?;
    let used = statement.parameter_count();
    let mut rows = statement.query(params_from_iter(parameters.iter().take(used)))?;
    let mut earlier = Earlier::new();
    while let Some(row) = rows.next()? {
        let values = (1..=before.places.len()).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        earlier.insert(row.get(0)?, values);
    }
    Ok(earlier)
}

fn run_first(connection: &Connection, compiled: &Compiled, out: &mut dyn FnMut(Vec<Value>) -> bool) -> rusqlite::Result<u64> {
    let earlier = match &compiled.before {
        Some(before) => Some((before, run_before(connection, before, &compiled.parameters)?)),
        None => None,
    };
    let mut statement = connection.prepare(&compiled.sql)?;
    let parameters = params_from_iter(&compiled.parameters);
    if compiled.columns.is_empty() {
        return statement.execute(parameters).map(|rows| rows as u64);
    }
    let mut rows = statement.query(parameters)?;
    let mut count = 0;
    // A statement that changes something is run to its end, whoever listens.
    let mut listened = true;
    while let Some(row) = rows.next()? {
        count += 1;
        if listened {
            let mut values = Vec::with_capacity(compiled.columns.len());
            for (at, column) in compiled.columns.iter().enumerate() {
                values.push(read(row.get_ref(at)?, column.kind));
            }
            if let Some((before, rows)) = &earlier
                && let Some(stored) = rows.get(&row.get(compiled.columns.len())?)
            {
                for (place, stored) in before.places.iter().zip(stored) {
                    values[*place] = read(stored.into(), compiled.columns[*place].kind);
                }
            }
            listened = out(values);
        }
        if !listened && compiled.table.is_none() {
            break;
        }
    }
    Ok(count)
}

struct Compiler<'a> {
    context: Context<'a>,
    /// It changes something: what depends on the instance is bound.
    changes: bool,
    parameters: Vec<Stored>,
    /// Which parameter a variable is, and its type.
    bound: HashMap<String, (String, Type)>,
    scopes: Vec<Scope>,
    sources: usize,
    reads_system: bool,
    /// In a SELECT with groups: the expressions that may stand outside aggregates.
    groups: Option<Vec<String>>,
    /// The number for what may not, and where.
    ungrouped: (u32, &'static str),
}

impl<'a> Compiler<'a> {
    fn new(context: Context<'a>, changes: bool) -> Self {
        Self {
            context,
            changes,
            parameters: Vec::new(),
            bound: HashMap::new(),
            scopes: vec![Scope::default()],
            sources: 0,
            reads_system: false,
            groups: None,
            ungrouped: (8120, "select list"),
        }
    }

    /// Binds a value; the text of its parameter.
    fn bind(&mut self, value: Stored) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    /// A variable or a global, bound once.
    fn bind_named(&mut self, name: &str, found: Option<(Type, Value)>, missing: impl Fn() -> Message) -> Result<Typed, Message> {
        let key = name.to_lowercase();
        if !self.bound.contains_key(&key) {
            let (kind, value) = found.ok_or_else(&missing)?;
            let parameter = self.bind(bind(&value));
            self.bound.insert(key.clone(), (parameter, kind));
        }
        let (parameter, kind) = self.bound.get(&key).cloned().ok_or_else(&missing)?;
        Ok(Typed::new(parameter, kind))
    }

    /// Runs a query of one value with the parameters so far.
    fn one(&self, sql: &str, kind: Type) -> Result<Value, Message> {
        let run = || {
            let mut statement = self.context.connection.prepare(sql)?;
            let used = statement.parameter_count();
            let mut rows = statement.query(params_from_iter(self.parameters.iter().take(used)))?;
            match rows.next()? {
                Some(row) => Ok(read(row.get_ref(0)?, kind)),
                None => Ok(Value::Null),
            }
        };
        run().map_err(|error: rusqlite::Error| failure(&error))
    }

    fn finish(self, sql: String, columns: Vec<Column>, table: Option<String>) -> Compiled {
        Compiled {
            sql,
            parameters: self.parameters,
            also: Vec::new(),
            columns,
            variables: Vec::new(),
            table,
            before: None,
            reads_system: self.reads_system,
        }
    }
}

/// A name in SQLite's language.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQLite's language. A NUL would end the statement.
fn quote_text(text: &str) -> String {
    if text.contains('\0') {
        let bytes: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        return format!("CAST(X'{bytes}' AS TEXT)");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Takes `main."dbo.T"` apart: what stands before the last name with its point, and that name without quotes.
fn split_name(sqlite: &str) -> (&str, String) {
    let (mut start, mut quoted) = (0, false);
    for (at, next) in sqlite.char_indices() {
        match next {
            '"' => quoted = !quoted,
            '.' if !quoted => start = at + 1,
            _ => {}
        }
    }
    let name = &sqlite[start..];
    let inner = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name);
    (&sqlite[..start], inner.replace("\"\"", "\""))
}
