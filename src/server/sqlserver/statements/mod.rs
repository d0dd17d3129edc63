//! Every statement that may be sent to a server. What cannot be expressed here cannot be sent: a [`Statement`] is made in this
//! folder only, from checked names (`names`) and typed options. All of them run from `master` as one plain batch each; statements that
//! the store wrote itself travel with their parameters (see [`of_the_store`]).
//!
//! Rows: the columns of a statement stand beside its text, and the text is made from them, so that the two agree. Everything is cast
//! to int, bigint or nvarchar, because the client decodes strictly; only what RESTORE itself answers keeps its own types.

mod backup;
mod database;
mod files;
mod logins;
mod names;
mod properties;
mod reader;
mod restore;
mod sessions;
mod store;
mod survey;
mod tickets;
#[cfg(test)]
mod tests;

use std::fmt;

pub use backup::{Backup, BackupKind, Compression, Devices, Fence, clean_history};
pub use database::*;
pub use files::*;
pub use logins::*;
pub use names::*;
pub use properties::*;
pub use restore::{Move, Recovery, Restore, RestoreKind, file_list, header, recover, standby, verify};
pub use sessions::*;
pub use store::{Access, begin, commit, enter, of_the_store, rollback};
pub use survey::*;
pub use tickets::*;

/// A batch, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    name: &'static str,
    text: String,
    columns: &'static [Column],
    long: bool,
    secret: bool,
}

impl Statement {
    fn new(name: &'static str, text: String) -> Self {
        Statement { name, text, columns: &[], long: false, secret: false }
    }

    /// A SELECT of these columns; `rest` begins with FROM, or is empty.
    fn select(name: &'static str, head: &str, columns: &'static [Column], rest: &str) -> Self {
        let list: Vec<String> = columns.iter().map(Column::selected).collect();
        let rest = if rest.is_empty() { String::new() } else { format!(" {rest}") };
        Statement { columns, ..Statement::new(name, format!("SELECT {head}{}{rest};", list.join(", "))) }
    }

    fn returning(self, columns: &'static [Column]) -> Self {
        Statement { columns, ..self }
    }

    fn long(self) -> Self {
        Statement { long: true, ..self }
    }

    fn secret(self) -> Self {
        Statement { secret: true, ..self }
    }

    /// What it is, for logs and failures ("backup_log").
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text to send.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns of its rows; empty where it returns none. A name may come with more columns from a newer server.
    pub fn columns(&self) -> &'static [Column] {
        self.columns
    }

    /// It may take longer than any timeout: only for the connection that waits without end.
    pub fn is_long(&self) -> bool {
        self.long
    }

    /// The text for logs; not of a statement that carries a hash.
    pub fn shown(&self) -> &str {
        if self.secret { self.name } else { &self.text }
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

/// One batch of several changes, each only where the one before went well: an error does not end a batch. Nested, since IF sets @@ERROR back:
/// side by side, the third would run although the first failed.
fn in_turn(steps: &[String]) -> String {
    let (first, rest) = steps.split_first().map_or(("", steps), |(first, rest)| (first.as_str(), rest));
    let inner: String = rest.iter().map(|step| format!("\nIF @@ERROR=0 BEGIN {step}")).collect();
    let ends = if rest.is_empty() { String::new() } else { format!("\n{}", vec!["END"; rest.len()].join(" ")) };
    format!("{first}{inner}{ends}")
}

/// A column of a statement's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// How it arrives.
    pub kind: Kind,
    /// What is selected; empty where the server names it.
    from: &'static str,
}

/// How a column arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// int
    Int,
    /// bigint
    Big,
    /// nvarchar(4000)
    Words,
    /// nvarchar(36): a uniqueidentifier
    Guid,
    /// nvarchar(30): the digits of a numeric(25,0)
    Lsn,
    /// nvarchar(30): a datetime in style 126
    Time,
    /// nvarchar(max): bytes in style 1 (`0x…`)
    Hex,
    /// As RESTORE answers it: a type of the server's own, given in words
    Own(&'static str),
}

impl Column {
    const fn new(name: &'static str, kind: Kind, from: &'static str) -> Self {
        Column { name, kind, from }
    }

    /// A column that the server names and types itself.
    const fn own(name: &'static str, kind: &'static str) -> Self {
        Column { name, kind: Kind::Own(kind), from: "" }
    }

    fn selected(&self) -> String {
        let Column { name, from, .. } = self;
        match self.kind {
            Kind::Int => format!("CAST({from} AS int) AS [{name}]"),
            Kind::Big => format!("CAST({from} AS bigint) AS [{name}]"),
            Kind::Words => format!("CAST({from} AS nvarchar(4000)) AS [{name}]"),
            Kind::Guid => format!("CAST({from} AS nvarchar(36)) AS [{name}]"),
            Kind::Lsn => format!("CAST({from} AS nvarchar(30)) AS [{name}]"),
            Kind::Time => format!("CONVERT(nvarchar(30), {from}, 126) AS [{name}]"),
            Kind::Hex => format!("CONVERT(nvarchar(max), {from}, 1) AS [{name}]"),
            Kind::Own(_) => format!("{from} AS [{name}]"),
        }
    }
}
