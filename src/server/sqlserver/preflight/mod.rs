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
pub use crate::model::{Finding, Severity};
use crate::text::Text;

pub use database::of_database;
pub use facts::{Database, Folder, Instance, Login, Rights, Server, Survey, Volume};
pub use instance::of_server;
pub use logins::of_logins;
pub use pair::of_pair;

/// Everything that can be found from what is known of the two. One that is away is not judged. `interval_minutes`: how often the mirror runs.
pub fn findings(main: Option<&Survey>, backup: Option<&Survey>, interval_minutes: u64) -> Vec<Finding> {
    let mut found: Vec<Finding> = [main, backup].into_iter().flatten().flat_map(|survey| of_server(&survey.server)).collect();
    let database = main.and_then(|main| main.database.as_ref());
    found.extend(database.into_iter().flat_map(|database| of_database(database, interval_minutes)));
    if let (Some(main), Some(backup)) = (main, backup) {
        found.extend(of_pair(&main.server, &backup.server, database, backup.database.is_some()));
        found.extend(of_logins(&main.logins, &backup.logins, &backup.server, &main.name));
    }
    found
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
