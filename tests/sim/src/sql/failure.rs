//! What went wrong in SQLite, as a message of SQL Server. Functions hand their messages through SQLite as text.

use rusqlite::{Error, ErrorCode};

use super::message::message;
use crate::wire::Message;

const MARK: &str = "tsql\u{1}";

/// A message on its way out of a function in SQLite.
pub(super) fn through(problem: &Message) -> Error {
    let text = format!("{MARK}{}\u{1}{}\u{1}{}\u{1}{}", problem.number, problem.class, problem.state, problem.text);
    Error::UserFunctionError(text.into())
}

/// An error of SQLite, as the server would say it.
#[must_use]
pub fn failure(error: &Error) -> Message {
    let (code, text) = match error {
        Error::SqliteFailure(code, text) => (Some(*code), text.clone().unwrap_or_else(|| code.to_string())),
        Error::SqlInputError { error, msg, .. } => (Some(*error), msg.clone()),
        other => (None, other.to_string()),
    };
    if let Some(handed) = text.find(MARK).and_then(|at| handed_through(&text[at + MARK.len()..])) {
        return handed;
    }
    let Some(code) = code else { return internal(&text) };
    match code.code {
        ErrorCode::ConstraintViolation => constraint(code.extended_code, &text),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Message { state: 51, ..message(1222, 16, "Lock request time out period exceeded.") }
        }
        ErrorCode::DiskFull => Message {
            state: 2,
            ..message(1105, 17, "Could not allocate space for object in database because the 'PRIMARY' filegroup is full.")
        },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            let text = "SQL Server detected a logical consistency-based I/O error: incorrect checksum.";
            Message { state: 2, ..message(824, 24, text) }
        }
        ErrorCode::ReadOnly => message(3906, 16, "Failed to update database because the database is read-only."),
        ErrorCode::OperationInterrupted => message(3617, 11, "The operation was cancelled."),
        _ => internal(&text),
    }
}

/// What the simulator does not do, or does wrongly: never taken for an answer of the real server.
fn internal(text: &str) -> Message {
    message(50_000, 16, format!("simulator: {text}"))
}

fn handed_through(text: &str) -> Option<Message> {
    let mut parts = text.splitn(4, '\u{1}');
    let number = parts.next()?.parse().ok()?;
    let class = parts.next()?.parse().ok()?;
    let state = parts.next()?.parse().ok()?;
    Some(Message { number, class, state, text: parts.next()?.to_owned(), line: 1 })
}

/// "UNIQUE constraint failed: dbo.Tickets.folio, dbo.Tickets.serie" and its kin.
fn constraint(extended: i32, text: &str) -> Message {
    let detail = text.split_once(": ").map_or("", |(_, detail)| detail);
    let first = detail.split(", ").next().unwrap_or_default();
    let (table, column) = first.rsplit_once('.').unwrap_or((first, ""));
    match extended {
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID
            if detail.starts_with("index ") =>
        {
            let index = detail.trim_start_matches("index ").trim_matches('\'');
            message(2601, 14, format!("Cannot insert duplicate key row in object with unique index '{index}'."))
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID => {
            let columns = detail.split(", ").filter_map(|part| part.rsplit('.').next()).collect::<Vec<_>>().join(", ");
            let text =
                format!("Violation of UNIQUE KEY constraint on ({columns}). Cannot insert duplicate key in object '{table}'.");
            message(2627, 14, text)
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_NOTNULL => Message {
            state: 2,
            ..message(
                515,
                16,
                format!(
                    "Cannot insert the value NULL into column '{column}', table '{table}'; column does not allow nulls. The statement fails."
                ),
            )
        },
        rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            message(547, 16, "The statement conflicted with a FOREIGN KEY or REFERENCE constraint.")
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_CHECK => {
            message(547, 16, format!("The statement conflicted with the CHECK constraint \"{detail}\"."))
        }
        _ => internal(text),
    }
}
