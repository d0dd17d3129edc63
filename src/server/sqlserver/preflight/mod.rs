//! What an instance and its database lack for the work of relevo, from facts already read. Pure: a finding has a code, a severity, what is
//! wrong and what to do. What cannot be told counts as missing where a wrong answer would do harm.

mod database;
mod facts;
mod instance;
mod logins;
mod pair;
#[cfg(test)]
mod tests;

use crate::model::Side;
use crate::text::Text;

pub use database::of_database;
pub use facts::{Database, Folder, Instance, Login, Rights, Server, Volume};
pub use instance::of_server;
pub use logins::of_logins;
pub use pair::of_pair;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// It works, with less than it should give.
    Warning,
    /// It does not work, or would do harm.
    Error,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code in snake_case.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// At which server.
    pub side: Side,
    /// What is so.
    pub message: Text,
    /// What to do.
    pub remedy: Text,
}

/// What findings are collected in.
struct Found {
    side: Side,
    list: Vec<Finding>,
}

impl Found {
    fn at(side: Side) -> Self {
        Found { side, list: Vec::new() }
    }

    fn say(&mut self, code: &'static str, severity: Severity, message: Text, remedy: Text) {
        self.list.push(Finding { code, severity, side: self.side, message, remedy });
    }

    fn error(&mut self, code: &'static str, message: Text, remedy: Text) {
        self.say(code, Severity::Error, message, remedy);
    }

    fn warning(&mut self, code: &'static str, message: Text, remedy: Text) {
        self.say(code, Severity::Warning, message, remedy);
    }

    fn info(&mut self, code: &'static str, message: Text, remedy: Text) {
        self.say(code, Severity::Info, message, remedy);
    }
}

/// Bytes for people.
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / f64::from(1 << 30))
}
