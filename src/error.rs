//! The one failure that reaches people: what happened and what to do, in both languages, with a stable code for programs.
//! Docs: docs/exit-codes.md.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text;
use crate::text::{Lang, Text};

/// How a verb ends. The numbers are a contract with launchers and scripts (docs/exit-codes.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 1: it failed; the message says why.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: relevo.toml, a signal file or a script is invalid.
    Invalid,
    /// 4: the store's rules refuse it: licence, role, no server, tills operating, loss not accepted.
    Refused,
    /// 10: interrupted; the same verb or `relevo resume` goes on.
    Interrupted,
    /// 11: another server holds the epoch.
    OtherHolder,
    /// 12: stuck; a person has to look.
    Stuck,
}

impl Exit {
    /// Every way to end, for the test and the page that list them.
    pub const ALL: [Exit; 8] =
        [Exit::Ok, Exit::Failed, Exit::Usage, Exit::Invalid, Exit::Refused, Exit::Interrupted, Exit::OtherHolder, Exit::Stuck];

    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Invalid => 3,
            Exit::Refused => 4,
            Exit::Interrupted => 10,
            Exit::OtherHolder => 11,
            Exit::Stuck => 12,
        }
    }
}

/// Would trying again help?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// No: something has to change first.
    Permanent,
    /// Yes, later.
    Temporary,
    /// It was tried as often as is sensible.
    Exhausted,
}

/// A failure as people, programs and the journal see it. It is data: a run's journal keeps it and a later process reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How the verb ends because of it.
    pub exit: Exit,
    /// Stable code in snake_case, for programs and tests ("tills_operating").
    pub kind: String,
    /// What happened, to which object.
    pub message: Text,
    /// What to do about it.
    pub hint: Option<Text>,
    /// Would trying again help?
    pub retry: Retry,
    /// What lies behind, outermost first; the operating system's words, not translated.
    pub causes: Vec<String>,
}

/// What fallible functions of relevo return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with this ending, code and message; permanent, without hint.
    pub fn new(exit: Exit, kind: &str, message: Text) -> Self {
        Failure { exit, kind: kind.to_owned(), message, hint: None, retry: Retry::Permanent, causes: Vec::new() }
    }

    /// Exit 1.
    pub fn failed(kind: &str, message: Text) -> Self {
        Failure::new(Exit::Failed, kind, message)
    }

    /// Exit 3: configuration, signal file or script.
    pub fn invalid(kind: &str, message: Text) -> Self {
        Failure::new(Exit::Invalid, kind, message)
    }

    /// Exit 4: the store's rules refuse it.
    pub fn refused(kind: &str, message: Text) -> Self {
        Failure::new(Exit::Refused, kind, message)
    }

    /// Exit 1 for an operating-system error: what was being done to which path. Temporary where waiting can help.
    pub fn io(doing: Text, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let shown = path.display();
        let Text { es, en } = doing;
        let retry = match error.kind() {
            K::TimedOut
            | K::WouldBlock
            | K::Interrupted
            | K::ResourceBusy
            | K::StorageFull
            | K::NetworkUnreachable
            | K::HostUnreachable => Retry::Temporary,
            _ => Retry::Permanent,
        };
        Failure::failed("io", Text { es: format!("{es} {shown}"), en: format!("{en} {shown}") }).cause(error).retry(retry)
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Adds what lies behind.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says whether trying again would help.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same failure with another ending (after the point of no return everything is *stuck*).
    #[must_use]
    pub fn ending(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The lines a person reads on standard error: message, numbered causes, hint.
    pub fn render(&self, lang: Lang) -> String {
        let (error, hint) = match lang {
            Lang::Es => ("error", "sugerencia"),
            Lang::En => ("error", "hint"),
        };
        let mut lines = format!("{error}: {}\n", self.message.get(lang));
        for (number, cause) in self.causes.iter().enumerate() {
            lines.push_str(&format!("  {}: {cause}\n", number + 1));
        }
        if let Some(text) = &self.hint {
            lines.push_str(&format!("{hint}: {}\n", text.get(lang)));
        }
        lines
    }

    /// The `error` object of `--json`.
    pub fn to_json(&self, lang: Lang) -> serde_json::Value {
        serde_json::json!({
            "kind": self.kind, "message": self.message.get(lang), "hint": self.hint.as_ref().map(|h| h.get(lang)),
            "retry": self.retry, "causes": self.causes,
        })
    }
}

/// For effects whose only error is the operating system's; say what was being done with [`Failure::io`] where a path is known.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::failed("io", text!("el sistema no lo permitió", "the system did not allow it")).cause(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message.en)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_contract() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|e| e.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 10, 11, 12]);
    }

    #[test]
    fn a_failure_is_rendered_in_both_languages() {
        let failure = Failure::refused("tills_operating", text!("hay cajas operando", "tills are operating"))
            .cause("CAJA2")
            .hint(text!("ciérrelas", "close them"));
        assert_eq!(failure.render(Lang::Es), "error: hay cajas operando\n  1: CAJA2\nsugerencia: ciérrelas\n");
        assert_eq!(failure.render(Lang::En), "error: tills are operating\n  1: CAJA2\nhint: close them\n");
    }
}
