//! When everything happened, for programs, and as a picture that a person takes in at once.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::model::Side;
use crate::text;
use crate::text::{Lang, Text};

/// Columns of the picture.
const WIDTH: usize = 64;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Stable name.
    pub name: String,
    /// Milliseconds since the shop opened.
    pub at_ms: u64,
    /// Milliseconds it took.
    pub took_ms: u64,
}

/// What a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet.
    Idle,
    /// Tills sell on it.
    Serving,
    /// It has a copy and follows.
    Following,
    /// It has no power.
    Off,
    /// Its database is closed to everybody.
    Fenced,
}

impl Phase {
    fn sign(self) -> char {
        match self {
            Phase::Idle => ' ',
            Phase::Serving => '█',
            Phase::Following => '░',
            Phase::Off => '·',
            Phase::Fenced => '╳',
        }
    }
}

/// The record of a demo.
#[derive(Debug)]
pub struct Timeline {
    began: Instant,
    /// What happened, in the order in which it was over.
    pub entries: Vec<Entry>,
    phases: Vec<(u64, Side, Phase)>,
    acts: Vec<(u64, u8)>,
}

impl Default for Timeline {
    /// Begins now.
    fn default() -> Self {
        Timeline { began: Instant::now(), entries: Vec::new(), phases: Vec::new(), acts: Vec::new() }
    }
}

impl Timeline {
    /// Milliseconds since it began.
    pub fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }

    /// Milliseconds from the beginning to `at`.
    pub fn at(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.began))
    }

    /// Notes what began at `at_ms` and is over now.
    pub fn note(&mut self, name: &str, at_ms: u64) {
        let took_ms = self.now().saturating_sub(at_ms);
        self.entries.push(Entry { name: name.to_owned(), at_ms, took_ms });
    }

    /// What happened, in the order in which it began; an act stands before its parts.
    pub fn in_order(&self) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|entry| (entry.at_ms, std::cmp::Reverse(entry.took_ms)));
        entries
    }

    /// An act begins.
    pub fn act(&mut self, number: u8) {
        self.acts.push((self.now(), number));
    }

    /// A server does something else from now on.
    pub fn phase(&mut self, side: Side, phase: Phase) {
        self.phases.push((self.now(), side, phase));
    }

    /// The picture: a bar for each server, the acts below.
    pub fn picture(&self, lang: Lang) -> Vec<String> {
        let end = self.now().max(1);
        let column = |at: u64| ((at * WIDTH as u64 / end) as usize).min(WIDTH - 1);
        let bar = |side: Side| -> String {
            let mut bar = [Phase::Idle; WIDTH];
            for &(at, _, phase) in self.phases.iter().filter(|(_, of, _)| *of == side) {
                bar[column(at)..].fill(phase);
            }
            bar.map(Phase::sign).iter().collect()
        };
        let mut acts = String::new();
        for &(at, number) in &self.acts {
            let gap = column(at).saturating_sub(acts.chars().count());
            acts.push_str(&" ".repeat(gap));
            acts.push_str(&number.to_string());
        }
        let (main, backup) = (bar(Side::Main), bar(Side::Backup));
        let seconds = seconds(end);
        [
            text!("Quién atendió, en {seconds}:", "Who served, in {seconds}:"),
            text!("  principal  {main}", "  main       {main}"),
            text!("  respaldo   {backup}", "  backup     {backup}"),
            text!("  acto       {acts}", "  act        {acts}"),
            text!(
                "  █ atiende   ░ sigue con copias   · apagado   ╳ cercado: no puede atender",
                "  █ serves   ░ follows with copies   · off   ╳ fenced: cannot serve"
            ),
        ]
        .iter()
        .map(|line: &Text| line.get(lang).to_owned())
        .collect()
    }
}

/// "1.3 s"
pub fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_who_served() {
        let began = Instant::now() - Duration::from_millis(1000);
        let phases = vec![
            (0, Side::Main, Phase::Serving),
            (250, Side::Backup, Phase::Following),
            (500, Side::Main, Phase::Off),
            (500, Side::Backup, Phase::Serving),
        ];
        let timeline = Timeline { began, entries: Vec::new(), phases, acts: vec![(0, 1), (1, 2), (500, 5)] };
        let lines = timeline.picture(Lang::En);
        let (main, backup) = (lines[1].trim_start_matches("  main       "), lines[2].trim_start_matches("  backup     "));
        assert!(main.starts_with("████") && main.ends_with("····"), "{main}");
        assert!(backup.starts_with("   ") && backup.contains('░') && backup.ends_with("████"), "{backup}");
        assert_eq!(main.chars().count(), WIDTH);
        assert!(lines[3].contains("12 ") && lines[3].contains('5'));
        assert_eq!(seconds(1349), "1.3 s");
    }
}
