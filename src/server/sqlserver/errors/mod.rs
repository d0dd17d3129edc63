//! What a server says when it refuses, and what that means for the work: from a chain of messages to its cause, a class that says what
//! to do next, and a [`Failure`] for people. Numbers decide; texts are kept in the server's own words as causes, cleaned of secrets.

mod catalogue;
mod client;
mod kinds;
mod system;
#[cfg(test)]
mod tests;

use crate::error::{Failure, Retry};
use crate::text;
use crate::text::Text;

pub use client::Client;
pub use kinds::{asks_for, is_lost, is_of_client, is_unreachable, said};
pub use system::os_error;

/// What an error means for the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Try again soon.
    Transient,
    /// Wait and look again.
    Wait,
    /// Get the database alone, then try once more.
    Exclusive,
    /// Already done.
    Skip,
    /// Something between is missing: look for it, else a differential, else a full copy.
    Gap,
    /// The copy on the other side has to be seeded again.
    Reseed,
    /// A full backup has to come first.
    Full,
    /// Permission, setting or name: a person has to change something.
    Permission,
    /// Disk or path: again once it is repaired.
    Disk,
    /// The backup file is bad: copy it again, then take another.
    Media,
    /// Versions or editions do not fit: never.
    Version,
    /// Damage, or a mistake of ours: stop.
    Fatal,
    /// No error of the work itself.
    Info,
    /// A trailer: the cause is another message.
    Previous,
    /// A number that is not in the table.
    Unknown,
}

impl Class {
    fn retry(self) -> Retry {
        match self {
            Class::Transient | Class::Wait | Class::Exclusive | Class::Disk => Retry::Temporary,
            _ => Retry::Permanent,
        }
    }
}

/// What the driver can do about an error by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Again without compression.
    WithoutCompression,
    /// Again with NORECOVERY instead of STANDBY.
    WithoutStandby,
    /// A differential instead of the log.
    Differential,
    /// A full backup.
    Full,
    /// The same restore with RESTART.
    Restart,
    /// RESTORE … WITH RECOVERY again.
    RecoverAgain,
    /// Connect to master.
    Master,
    /// It is done already.
    Done,
}

/// A row of the table.
#[derive(Debug)]
pub struct Entry {
    /// The numbers that mean this.
    pub numbers: &'static [u32],
    /// What it means for the work.
    pub class: Class,
    /// Stable code of the failure.
    pub kind: &'static str,
    message: (&'static str, &'static str),
    remedy: (&'static str, &'static str),
}

impl Entry {
    /// What happened.
    pub fn message(&self) -> Text {
        Text { es: self.message.0.to_owned(), en: self.message.1.to_owned() }
    }

    /// What to do.
    pub fn remedy(&self) -> Text {
        Text { es: self.remedy.0.to_owned(), en: self.remedy.1.to_owned() }
    }
}

/// The table's row for a number.
pub fn entry(number: u32) -> Option<&'static Entry> {
    catalogue::CATALOGUE.iter().find(|entry| entry.numbers.contains(&number))
}

/// What the driver can do by itself about a number.
pub fn answer(number: u32) -> Option<Answer> {
    Some(match number {
        1844 => Answer::WithoutCompression,
        3170 | 3180 => Answer::WithoutStandby,
        4208 => Answer::Differential,
        3035 | 4214 | 4219 => Answer::Full,
        4319 => Answer::Restart,
        4347 => Answer::RecoverAgain,
        4060 | 4064 | 3102 => Answer::Master,
        3153 | 3120 | 4326 | 6106 => Answer::Done,
        _ => return None,
    })
}

/// One message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number; 0 where the client could not tell.
    pub number: u32,
    /// Its severity: 10 and less are no errors, 20 and more end the connection.
    pub severity: u8,
    /// Its state.
    pub state: u8,
    /// Its text, in the language of the login.
    pub text: String,
}

impl Message {
    /// What it means. An operating-system error in its text decides where the number leaves it open.
    pub fn class(&self) -> Class {
        match (entry(self.number), self.system()) {
            (Some(_), Some(system)) => system.class,
            (Some(entry), None) => entry.class,
            (None, _) if self.severity >= 20 => Class::Fatal,
            (None, _) => Class::Unknown,
        }
    }

    /// The operating-system error behind it, for numbers that carry one.
    fn system(&self) -> Option<&'static system::Entry> {
        let carries = matches!(self.number, 3201 | 3202 | 3203 | 3271 | 3634 | 5105 | 5120 | 5123 | 5133 | 5149);
        if carries { os_error(&self.text).and_then(system::entry) } else { None }
    }

    fn shown(&self) -> String {
        let words = clean(&self.text);
        if self.number == 0 { words } else { format!("{}: {words}", self.number) }
    }
}

/// The message that says why: the first error that is neither a trailer nor information. Attaching, the server says the trailer first;
/// backing up, last.
pub fn cause(chain: &[Message]) -> Option<&Message> {
    let errors = || chain.iter().filter(|message| message.severity > 10);
    let rank = |wanted: fn(Class) -> bool| errors().find(|message| wanted(message.class()));
    rank(|class| !matches!(class, Class::Previous | Class::Info | Class::Unknown))
        .or_else(|| rank(|class| class == Class::Unknown))
        .or_else(|| rank(|class| class == Class::Info))
        .or_else(|| errors().next())
        .or_else(|| chain.first())
}

/// What a chain means.
pub fn class(chain: &[Message]) -> Class {
    cause(chain).map_or(Class::Unknown, Message::class)
}

/// A failure for people: `doing` goes on after "could not" ("respaldar BDPdv", "back up BDPdv"). All messages are its causes.
pub fn failure(doing: &Text, chain: &[Message]) -> Failure {
    let cause = cause(chain);
    let row = cause.and_then(|message| entry(message.number));
    let system = cause.and_then(Message::system);
    let (kind, message, remedy) = match (system, row) {
        (Some(system), _) => (system.kind, system.message(), system.remedy()),
        (None, Some(row)) => (row.kind, row.message(), row.remedy()),
        (None, None) => (
            "sql",
            text!("el servidor rechazó la operación", "the server rejected the operation"),
            text!("vea los mensajes del servidor", "see the messages of the server"),
        ),
    };
    let message =
        Text { es: format!("no se pudo {}: {}", doing.es, message.es), en: format!("could not {}: {}", doing.en, message.en) };
    let failure = Failure::failed(kind, message).hint(remedy).retry(class(chain).retry());
    chain.iter().filter(|message| message.severity > 10).fold(failure, |failure, message| failure.cause(message.shown()))
}

/// Words of a server or library for logs and failures: one line, without what follows PASSWORD and without long binary values (hashes).
pub fn clean(words: &str) -> String {
    let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    hide_passwords(&hide_binary(line.trim()))
}

fn hide_binary(words: &str) -> String {
    let (mut shown, mut rest) = (String::new(), words);
    while let Some(at) = rest.to_ascii_lowercase().find("0x") {
        let digits = rest[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        shown.push_str(&rest[..at + 2]);
        if digits >= 8 {
            shown.push('…');
        } else {
            shown.push_str(&rest[at + 2..at + 2 + digits]);
        }
        rest = &rest[at + 2 + digits..];
    }
    shown + rest
}

/// What follows `PASSWORD`, an equals sign between, up to the end of the word or literal.
fn hide_passwords(words: &str) -> String {
    let (mut shown, mut rest) = (String::new(), words);
    while let Some(at) = rest.to_ascii_lowercase().find("password") {
        let (before, after) = rest.split_at(at + "password".len());
        shown.push_str(before);
        rest = after;
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else { continue };
        let quoted = value.strip_prefix(['N', 'n']).unwrap_or(value).strip_prefix('\'');
        let end = match quoted {
            Some(inner) => value.len() - inner.len() + literal_end(inner),
            None => value.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')')).unwrap_or(value.len()),
        };
        shown.push_str("=…");
        rest = &value[end..];
    }
    shown + rest
}

/// Length of a literal's inside with its closing quote; doubled quotes belong to it.
fn literal_end(inner: &str) -> usize {
    let mut at = 0;
    while let Some(quote) = inner[at..].find('\'') {
        at += quote + 1;
        if !inner[at..].starts_with('\'') {
            return at;
        }
        at += 1;
    }
    inner.len()
}
