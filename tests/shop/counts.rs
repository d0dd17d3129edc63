//! What happened, by kind: a shop in which certain things never happen proves nothing.

use std::collections::BTreeMap;

use super::action::Verb;
use super::seen::Seen;
use super::yard::{Ended, Job};

/// Kinds that every set of seeds must have seen.
pub const REQUIRED: [&str; 14] = [
    "promotes",
    "restores",
    "a verb killed in the middle",
    "a stopped verb that went on",
    "runs resumed",
    "runs undone",
    "runs stuck",
    "an old main refused",
    "mirrors",
    "two operators at once",
    "a promote beside a launch",
    "a hung main that woke up",
    "a disk of main that never came back",
    "orphan sales",
];

#[derive(Clone, Debug, Default)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, what: &'static str) {
        self.many(what, 1);
    }

    pub fn many(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub fn join(&mut self, other: &Counts) {
        other.0.iter().for_each(|(what, times)| self.many(what, *times));
    }

    pub fn missing(&self) -> Vec<&'static str> {
        REQUIRED.into_iter().filter(|what| self.0.get(what).is_none_or(|times| *times == 0)).collect()
    }

    /// How a verb ended.
    pub fn verb(&mut self, job: &Job, ended: &Ended, after: &Seen) {
        self.add("verbs");
        match (job.verb, ended.code) {
            (Verb::Promote | Verb::AcceptLoss, 0) => self.add("promotes"),
            (Verb::Restore, 0) => self.add("restores"),
            (Verb::Mirror | Verb::FullMirror, 0) => self.add("mirrors"),
            (Verb::Resume, 0) => self.add("runs resumed"),
            (Verb::Undo, 0) => self.add("runs undone"),
            (Verb::Server, 11) => self.add("an old main refused"),
            (_, 12) => self.add("runs stuck"),
            (verb, 137) if verb != Verb::Till => {
                self.add("a verb killed in the middle");
                if after.open.iter().any(|(.., state)| state == "interrupted") {
                    self.add("a role change killed in the middle");
                }
            }
            _ => {}
        }
    }
}
