//! Statements that the store and its scripts wrote. They travel with parameters and run in the store's database; the only place where
//! text that others wrote becomes a statement, so it is judged first: one kind of work, on the store's own tables.

use super::reader::{Token, numbered, tokens};
use super::{DatabaseName, Statement};
use crate::error::{Failure, Result};
use crate::text;

/// What a statement of the store may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Change rows.
    Write,
}

/// Words that begin a statement other than reading and changing rows, or reach outside the database. All are reserved: as the name
/// of a column they would stand in brackets, and then they are no word.
#[rustfmt::skip] // a list, not a column
const NEVER: [&str; 51] = [
    "ALTER", "BACKUP", "BEGIN", "BREAK", "BULK", "CHECKPOINT", "CLOSE", "COMMIT", "CONTINUE", "CREATE", "CURSOR", "DBCC", "DEALLOCATE",
    "DECLARE", "DENY", "DROP", "DUMP", "EXEC", "EXECUTE", "EXIT", "GOTO", "GRANT", "IF", "KILL", "LOAD", "OPEN",
    "OPENDATASOURCE", "OPENQUERY", "OPENROWSET", "PRINT", "PROC", "PROCEDURE", "RAISERROR", "RECONFIGURE", "RESTORE", "RETURN",
    "REVERT", "REVOKE", "ROLLBACK", "SAVE", "SETUSER", "SHUTDOWN", "TRAN", "TRANSACTION", "TRUNCATE", "TSEQUAL", "UPDATETEXT", "USE",
    "WAITFOR", "WHILE", "WRITETEXT",
];

/// Words of a change, none of which may stand in a statement that only reads.
const CHANGES: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "SET"];

/// Databases of the instance, which no statement of the store has business with.
const FOREIGN: [&str; 4] = ["master", "model", "msdb", "tempdb"];

/// A statement of the store, to be sent with its parameters. Fails with `statement_refused` unless it is one reading (or, with leave to
/// write, changing) statement that names neither relevo's tables nor the server's databases.
pub fn of_the_store(sql: &str, access: Access) -> Result<Statement> {
    let read = tokens(sql).ok_or_else(|| refused("a quote or comment is not closed"))?;
    let first = match read.first() {
        Some(Token::Word(word)) => word.to_uppercase(),
        _ => return Err(refused("it does not begin with a word")),
    };
    let begins = match access {
        Access::Read => matches!(first.as_str(), "SELECT" | "WITH"),
        Access::Write => matches!(first.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "WITH"),
    };
    if !begins {
        return Err(refused(&format!("it begins with {first}")));
    }
    if let Some(at) = read.iter().position(|token| *token == Token::Sign(';'))
        && at + 1 != read.len()
    {
        return Err(refused("only one statement at a time"));
    }
    for token in &read {
        let (word, bare) = match token {
            Token::Word(word) => (word, true),
            Token::Quoted(word) => (word, false),
            Token::Literal(_) | Token::Sign(_) => continue,
        };
        let upper = word.to_uppercase();
        let forbidden = bare && (NEVER.contains(&upper.as_str()) || access == Access::Read && CHANGES.contains(&upper.as_str()));
        let lower = word.trim().to_lowercase();
        if forbidden || lower.starts_with("relevo_") || FOREIGN.contains(&lower.as_str()) {
            return Err(refused(&format!("it says {word}")));
        }
    }
    let name = if access == Access::Read { "store_query" } else { "store_change" };
    // Scripts write `?` for a parameter, whatever the server; `@P1` is as good here.
    Ok(Statement::new(name, numbered(sql).unwrap_or_else(|| sql.to_owned())))
}

fn refused(why: &str) -> Failure {
    Failure::refused(
        "statement_refused",
        text!(
            "esa instrucción no está permitida en la base de la sucursal",
            "that statement is not allowed on the store's database"
        ),
    )
    .cause(why)
    .hint(text!(
        "se permite una sola instrucción SELECT, INSERT, UPDATE o DELETE sobre las tablas de la sucursal; query solo lee",
        "one single SELECT, INSERT, UPDATE or DELETE on the store's tables is allowed; query only reads"
    ))
}

/// Goes into the store's database; statements of the store are looked up there.
pub fn enter(database: &DatabaseName) -> Statement {
    Statement::new("enter", format!("USE {};", database.identifier()))
}

/// Begins a transaction that an error ends as a whole.
pub fn begin() -> Statement {
    Statement::new("begin", "SET XACT_ABORT ON; BEGIN TRANSACTION;".to_owned())
}

/// Commits it.
pub fn commit() -> Statement {
    Statement::new("commit", "COMMIT TRANSACTION; SET XACT_ABORT OFF;".to_owned())
}

/// Rolls it back, if the error did not.
pub fn rollback() -> Statement {
    Statement::new("rollback", "IF @@TRANCOUNT>0 ROLLBACK TRANSACTION; SET XACT_ABORT OFF;".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_changing() {
        use Access::{Read, Write};
        for (sql, access) in [
            ("SELECT TOP (5) v.Folio FROM Ventas v WHERE v.Caja=@P1", Read),
            ("select 'DROP TABLE x', [USE], \"exec\" from [Ventas];", Read),
            ("WITH t AS (SELECT 1 AS a) SELECT a FROM t -- fin", Read),
            ("DELETE FROM Licencias OUTPUT deleted.* WHERE Host=@P1", Write),
            ("UPDATE Ventas SET Total=0 WHERE Folio=1;", Write),
            ("INSERT INTO Ventas (Folio) VALUES (@P1)", Write),
        ] {
            assert!(of_the_store(sql, access).is_ok(), "{sql}");
        }
        for (sql, access) in [
            ("UPDATE Ventas SET Total=0", Read),
            ("SELECT 1", Write),
            ("SELECT 1; SELECT 2", Read),
            ("SELECT 1 DROP TABLE Ventas", Read),
            ("SELECT 1 /* */ EXEC xp_cmdshell 'x'", Read),
            ("SELECT * INTO x FROM Ventas", Read),
            ("WITH t AS (SELECT 1 AS a) DELETE FROM t", Read),
            ("SELECT * FROM OPENROWSET(BULK N'x', SINGLE_BLOB) AS b", Read),
            ("SELECT * FROM msdb.dbo.backupset", Read),
            ("SELECT * FROM [Master].sys.sql_logins", Read),
            ("UPDATE relevo_epoch SET epoch=9", Write),
            ("DELETE FROM [RELEVO_epoch]", Write),
            ("DELETE FROM Ventas COMMIT", Write),
            ("EXEC sp_who", Write),
            ("'x' SELECT 1", Read),
            ("SELECT 'x", Read),
            ("", Read),
        ] {
            assert_eq!(of_the_store(sql, access).unwrap_err().kind, "statement_refused", "{sql}");
        }
    }
}
