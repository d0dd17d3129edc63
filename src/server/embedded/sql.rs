//! Reads of the store's own tables, and the statements of the store and its scripts.
//!
//! Statements that others wrote run under SQLite's authorizer: they never reach relevo's tables, other files, the schema or the
//! transaction that they run in.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};
use serde_json::{Map, Number, Value};

use crate::config::Tickets;
use crate::error::{Failure, Result, Retry};
use crate::model::{Epoch, Ticket, TicketKey};
use crate::text;

/// SQLite's error as people see it; temporary where another program has the database at the moment.
pub fn failed(error: rusqlite::Error) -> Failure {
    // The last is how SQLite says that a process hangs with the database in its hands.
    let busy = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed)
    );
    let failure =
        Failure::failed("sql", text!("la base rechazó la operación", "the database rejected the operation")).cause(&error);
    if busy {
        failure
            .retry(Retry::Temporary)
            .hint(text!("otro programa tiene la base; intente de nuevo", "another program has the database; try again"))
    } else {
        failure.hint(text!("revise la instrucción y la base", "check the statement and the database"))
    }
}

/// Is there a table (or view) of this name? SQLite compares names without regard to case.
pub fn has_table(conn: &Connection, name: &str) -> Result<bool> {
    conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
        [name],
        |row| row.get::<_, i64>(0),
    )
    .map(|count| count > 0)
    .map_err(failed)
}

/// Every ticket, in the order of its key. A database without tables of the store holds none; one that has others but not
/// the configured one fails with `tickets_table`, because its sales would vanish from reports.
pub fn tickets(conn: &Connection, tickets: &Tickets, each: &mut dyn FnMut(Ticket) -> Result<()>) -> Result<()> {
    if !has_table(conn, &tickets.table)? {
        return if has_tables(conn)? { Err(no_table(tickets)) } else { Ok(()) };
    }
    // Qualified, a name that is no column fails; unqualified, SQLite would take it for a string.
    let column = |name: &str| format!("t.{}", quoted(name));
    let optional = |name: &str| -> Result<String> {
        Ok(if !name.is_empty() && has_column(conn, &tickets.table, name)? { column(name) } else { "NULL".to_owned() })
    };
    let (key, till, table) = (column(&tickets.key), column(&tickets.till), quoted(&tickets.table));
    let (time, total, epoch) = (optional(&tickets.time)?, optional(&tickets.total)?, optional(&tickets.epoch)?);
    let sql = format!("SELECT {key}, {till}, {time}, {total}, {epoch} FROM {table} AS t ORDER BY 1, 2, 5");
    let mut statement = conn.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        each(ticket(row).map_err(failed)?)?;
    }
    Ok(())
}

/// The highest folio; `None` where the table is empty or missing.
pub fn last_folio(conn: &Connection, tickets: &Tickets) -> Result<Option<i64>> {
    if !has_table(conn, &tickets.table)? {
        return Ok(None);
    }
    let sql = format!("SELECT max(t.{}) FROM {} AS t", quoted(&tickets.key), quoted(&tickets.table));
    conn.query_row(&sql, [], |row| row.get(0)).map_err(failed)
}

/// SQLite's own check of the structure: findings in its words, empty when sound.
pub fn integrity(conn: &Connection) -> Result<Vec<String>> {
    let findings = || -> rusqlite::Result<Vec<String>> {
        let mut statement = conn.prepare("PRAGMA integrity_check")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.filter(|row| !matches!(row, Ok(words) if words == "ok")).collect()
    };
    findings().or_else(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(vec![error.to_string()]),
        _ => Err(failed(error)),
    })
}

/// Runs the store's statement that frees licence seats in one transaction; the rows it returns go to `keep` before they are
/// committed away. Answers how many rows were removed.
pub fn release_seats(conn: &mut Connection, statement: &str, keep: &mut dyn FnMut(&[Value]) -> Result<()>) -> Result<u64> {
    in_transaction(conn, "BEGIN IMMEDIATE", |conn| {
        let (rows, changed) = guarded(conn, Access::Write, |conn| run(conn, statement, &[], usize::MAX))?;
        keep(&rows)?;
        Ok(changed.max(rows.len() as u64))
    })
}

/// Runs a reading statement; rows as objects, at most `limit`.
pub fn query(conn: &mut Connection, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Value>> {
    // VACUUM INTO would write a file; inside a transaction SQLite refuses it.
    let read = |conn: &mut Connection| guarded(conn, Access::Read, |conn| run(conn, sql, params, limit));
    in_transaction(conn, "BEGIN DEFERRED", read).map(|(rows, _)| rows)
}

/// Runs a changing statement in one transaction; rows affected.
pub fn execute(conn: &mut Connection, sql: &str, params: &[Value]) -> Result<u64> {
    in_transaction(conn, "BEGIN IMMEDIATE", |conn| guarded(conn, Access::Write, |conn| run(conn, sql, params, usize::MAX)))
        .map(|(_, changed)| changed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// What a statement of others may do; everything that is not named is denied.
fn permit(action: AuthAction<'_>, access: Access) -> bool {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => !function_name.eq_ignore_ascii_case("load_extension"),
        AuthAction::Insert { table_name } | AuthAction::Delete { table_name } | AuthAction::Update { table_name, .. } => {
            access == Access::Write && !protected(table_name)
        }
        _ => false,
    }
}

fn protected(table: &str) -> bool {
    let table = table.to_ascii_lowercase();
    table.starts_with("relevo_") || table.starts_with("sqlite_")
}

fn guarded<T>(conn: &mut Connection, access: Access, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
    let rule =
        move |context: AuthContext<'_>| if permit(context.action, access) { Authorization::Allow } else { Authorization::Deny };
    conn.authorizer(Some(rule)).map_err(failed)?;
    let done = work(conn);
    conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(failed)?;
    done.map_err(|error| match error {
        rusqlite::Error::MultipleStatement => refused().cause("only one statement at a time"),
        rusqlite::Error::ToSqlConversionFailure(_) => {
            Failure::invalid("sql_value", text!("un parámetro no es un valor simple", "a parameter is not a plain value"))
                .cause(error)
                .hint(text!("use texto, número, lógico o nulo", "use text, a number, a boolean or null"))
        }
        error if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) => refused().cause(error),
        error => failed(error),
    })
}

fn refused() -> Failure {
    Failure::refused(
        "statement_refused",
        text!(
            "esa instrucción no está permitida en la base de la sucursal",
            "that statement is not allowed on the store's database"
        ),
    )
    .hint(text!(
        "se permite una sola instrucción SELECT, INSERT, UPDATE o DELETE sobre las tablas de la sucursal; query solo lee",
        "one single SELECT, INSERT, UPDATE or DELETE on the store's tables is allowed; query only reads"
    ))
}

fn in_transaction<T>(conn: &mut Connection, begin: &str, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
    conn.execute_batch(begin).map_err(failed)?;
    let done = work(conn).and_then(|value| conn.execute_batch("COMMIT").map(|()| value).map_err(failed));
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK").map_err(failed)?;
    }
    done
}

/// Rows (at most `limit`) and rows changed. A changing statement is always run to its end.
fn run(conn: &Connection, sql: &str, params: &[Value], limit: usize) -> rusqlite::Result<(Vec<Value>, u64)> {
    let params = params.iter().map(to_sql).collect::<rusqlite::Result<Vec<Sql>>>()?;
    let mut statement = conn.prepare(sql)?;
    if statement.column_count() == 0 {
        let changed = statement.execute(rusqlite::params_from_iter(params))?;
        return Ok((Vec::new(), changed as u64));
    }
    let reads = statement.readonly();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let cells = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), to_json(row.get_ref(at)?))));
        found.push(Value::Object(cells.collect::<rusqlite::Result<Map<_, _>>>()?));
    }
    drop(rows);
    let changed = if reads { 0 } else { conn.changes() };
    Ok((found, changed))
}

fn to_sql(value: &Value) -> rusqlite::Result<Sql> {
    Ok(match value {
        Value::Null => Sql::Null,
        Value::Bool(yes) => Sql::Integer(i64::from(*yes)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Sql::Integer(whole),
            (None, Some(real)) => Sql::Real(real),
            (None, None) => Sql::Null,
        },
        Value::String(words) => Sql::Text(words.clone()),
        other => return Err(rusqlite::Error::ToSqlConversionFailure(other.to_string().into())),
    })
}

fn to_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(whole) => Value::from(whole),
        ValueRef::Real(real) => Number::from_f64(real).map_or(Value::Null, Value::Number),
        ValueRef::Text(words) => Value::String(String::from_utf8_lossy(words).into_owned()),
        ValueRef::Blob(bytes) => Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

fn ticket(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let words = |at: usize| -> rusqlite::Result<Option<String>> {
        Ok(match to_json(row.get_ref(at)?) {
            Value::Null => None,
            Value::String(words) => Some(words),
            other => Some(other.to_string()),
        })
    };
    let epoch = match row.get_ref(4)? {
        ValueRef::Integer(epoch) => u64::try_from(epoch).unwrap_or(Epoch::FIRST.0),
        _ => Epoch::FIRST.0,
    };
    let total = words(3)?.and_then(|total| total.parse().ok());
    let key = TicketKey { folio: row.get(0)?, till: words(1)?.unwrap_or_default(), epoch: Epoch(epoch) };
    Ok(Ticket { key, at: words(2)?, total })
}

fn has_column(conn: &Connection, table: &str, column: &str) -> Result<bool> {
    conn.query_row("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 COLLATE NOCASE", [table, column], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
        .map_err(failed)
}

fn has_tables(conn: &Connection) -> Result<bool> {
    let sql = r"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'relevo\_%' ESCAPE '\'
        AND name NOT LIKE 'sqlite\_%' ESCAPE '\'";
    conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|count| count > 0).map_err(failed)
}

fn no_table(tickets: &Tickets) -> Failure {
    let table = &tickets.table;
    Failure::invalid(
        "tickets_table",
        text!("la base no tiene la tabla de ventas «{table}»", "the database has no table of sales \"{table}\""),
    )
    .hint(text!("corrija [tickets] table en relevo.toml", "correct [tickets] table in relevo.toml"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shop() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE Ventas(Folio INTEGER PRIMARY KEY, Caja TEXT, Fecha TEXT, Total REAL, Epoca INTEGER);
             INSERT INTO Ventas VALUES (2, 'C2', NULL, 5, NULL), (1, 'C1', '2026-01-01', 9.5, 3);
             CREATE TABLE Asientos(id INTEGER PRIMARY KEY AUTOINCREMENT, pc TEXT);
             CREATE INDEX por_pc ON Asientos(pc); INSERT INTO Asientos(pc) VALUES ('A'), ('B');
             CREATE TABLE relevo_folio(next INTEGER); INSERT INTO relevo_folio VALUES (3);",
        )
        .unwrap();
        conn
    }

    type Short = (i64, String, u64, Option<f64>);

    fn all(conn: &Connection, config: &Tickets) -> Result<Vec<Short>> {
        let mut found = Vec::new();
        tickets(conn, config, &mut |t| {
            found.push((t.key.folio, t.key.till, t.key.epoch.0, t.total));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn tickets_come_in_order_of_their_key() {
        let conn = shop();
        let config = Tickets::default();
        assert_eq!(all(&conn, &config).unwrap(), [(1, "C1".into(), 3, Some(9.5)), (2, "C2".into(), 1, Some(5.0))]);
        assert_eq!(last_folio(&conn, &config).unwrap(), Some(2));
        let none = Tickets { epoch: String::new(), total: "Importe".into(), ..Tickets::default() };
        assert_eq!(all(&conn, &none).unwrap()[0], (1, "C1".into(), 1, None));
        let other = Tickets { table: "Tickets".into(), ..Tickets::default() };
        assert_eq!(all(&conn, &other).unwrap_err().kind, "tickets_table");
        assert_eq!(last_folio(&conn, &other).unwrap(), None);
        let key = Tickets { key: "NoHay".into(), ..Tickets::default() };
        assert_eq!(all(&conn, &key).unwrap_err().kind, "sql");
        assert_eq!(all(&Connection::open_in_memory().unwrap(), &config).unwrap(), []);
    }

    #[test]
    fn values_go_both_ways() {
        let mut conn = shop();
        let params = [json!(null), json!(true), json!(-7), json!(1.5), json!("ñ")];
        let rows = query(&mut conn, "SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d, ?5 AS e, x'0aff' AS f", &params, 9).unwrap();
        assert_eq!(rows, [json!({"a": null, "b": 1, "c": -7, "d": 1.5, "e": "ñ", "f": "0aff"})]);
        assert_eq!(query(&mut conn, "SELECT Folio FROM Ventas ORDER BY 1", &[], 1).unwrap(), [json!({"Folio": 1})]);
        assert_eq!(query(&mut conn, "SELECT ?1", &[json!([1])], 1).unwrap_err().kind, "sql_value");
        assert_eq!(query(&mut conn, "SELECT nada FROM", &[], 1).unwrap_err().kind, "sql");
    }

    #[test]
    fn what_a_statement_must_not_do_is_refused() {
        for sql in [
            "ATTACH 'otra.db' AS otra",
            "DETACH main",
            "PRAGMA journal_mode = DELETE",
            "SELECT * FROM pragma_table_info('Ventas')",
            "COMMIT",
            "BEGIN",
            "SAVEPOINT a",
            "CREATE TABLE x(a)",
            "CREATE TEMP TABLE x(a)",
            "DROP TABLE Ventas",
            "ALTER TABLE Ventas ADD COLUMN x",
            "REINDEX",
            "ANALYZE",
            "UPDATE relevo_folio SET next = 1",
            "DELETE FROM RELEVO_FOLIO",
            "INSERT INTO main.relevo_folio VALUES (1)",
            "DELETE FROM sqlite_sequence",
            "DELETE FROM Asientos; DELETE FROM Ventas",
        ] {
            let mut conn = shop();
            let failure = execute(&mut conn, sql, &[]).expect_err(sql);
            assert_eq!((failure.kind.as_str(), failure.exit.code()), ("statement_refused", 4), "{sql}: {failure:?}");
            assert!(conn.is_autocommit(), "{sql}");
            assert_eq!(query(&mut conn, sql, &[], 1).unwrap_err().kind, "statement_refused", "{sql}");
            assert_eq!(last_folio(&conn, &Tickets::default()).unwrap(), Some(2), "{sql}");
        }
        let mut conn = shop();
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("otra.db");
        for sql in ["VACUUM".to_owned(), format!("VACUUM INTO '{}'", other.display())] {
            assert_eq!(execute(&mut conn, &sql, &[]).unwrap_err().kind, "sql", "{sql}");
            assert_eq!(query(&mut conn, &sql, &[], 1).unwrap_err().kind, "sql", "{sql}");
        }
        assert!(!other.exists());
        assert_eq!(query(&mut conn, "DELETE FROM Ventas RETURNING *", &[], 1).unwrap_err().kind, "statement_refused");
        conn.execute_batch("CREATE TABLE free(a)").unwrap(); // the rule is lifted afterwards
    }

    #[test]
    fn execute_changes_or_rolls_back() {
        let mut conn = shop();
        assert_eq!(execute(&mut conn, "UPDATE Ventas SET Total = ?1", &[json!(1)]).unwrap(), 2);
        assert_eq!(execute(&mut conn, "INSERT INTO Asientos(pc) VALUES ('C')", &[]).unwrap(), 1);
        assert_eq!(execute(&mut conn, "DELETE FROM Ventas WHERE Folio < ?1 RETURNING Folio", &[json!(9)]).unwrap(), 2);
        let failure = execute(&mut conn, "INSERT OR ROLLBACK INTO Asientos VALUES (1, 'X')", &[]).unwrap_err();
        assert_eq!(failure.kind, "sql");
        assert!(conn.is_autocommit());
    }

    #[test]
    fn seats_are_kept_before_they_are_freed() {
        let mut conn = shop();
        let sql = "DELETE FROM Asientos RETURNING pc";
        let failure = release_seats(&mut conn, sql, &mut |_| Err(Failure::failed("full", text!("lleno", "full")))).unwrap_err();
        assert_eq!(failure.kind, "full");
        let mut kept = Vec::new();
        let mut keep = |rows: &[Value]| {
            kept.extend_from_slice(rows);
            Ok(())
        };
        assert_eq!(release_seats(&mut conn, sql, &mut keep).unwrap(), 2, "the failed attempt freed none");
        assert_eq!(release_seats(&mut conn, "UPDATE Ventas SET Total = 0", &mut keep).unwrap(), 2);
        assert_eq!(kept, [json!({"pc": "A"}), json!({"pc": "B"})]);
    }

    #[test]
    fn a_damaged_database_has_findings() {
        assert_eq!(integrity(&shop()).unwrap(), Vec::<String>::new());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE a(b); INSERT INTO a VALUES (zeroblob(20000))").unwrap();
        drop(conn);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096..8192].fill(0xEE);
        std::fs::write(&path, bytes).unwrap();
        assert!(!integrity(&Connection::open(&path).unwrap()).unwrap().is_empty());
    }
}
