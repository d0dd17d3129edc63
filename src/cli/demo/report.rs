//! What the demo says at the end: one object for programs; picture, numbers and checks for people, and how to go on by hand.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::check::Evidence;
use super::evidence::write_lines;
use super::store::{Layout, Machine};
use super::timeline::{Timeline, seconds};
use crate::cli::session::Session;
use crate::error::{Exit, Failure, Result};
use crate::text;
use crate::text::Lang;

/// The end of a demo.
pub struct Report {
    layout: Layout,
    exe: PathBuf,
    evidence: Evidence,
    timeline: Timeline,
    outage_ms: u64,
}

impl Report {
    /// Writes `acknowledged.jsonl` and `orphans.jsonl` and keeps the facts.
    pub fn new(layout: Layout, exe: PathBuf, evidence: Evidence, timeline: Timeline, outage_ms: u64) -> Result<Self> {
        let report = Report { layout, exe, evidence, timeline, outage_ms };
        write_lines(&report.acknowledged(), &report.evidence.acknowledged)?;
        write_lines(&report.orphans(), &report.evidence.orphans)?;
        Ok(report)
    }

    /// Does every check hold?
    pub fn ok(&self) -> bool {
        self.evidence.checks().iter().all(|check| check.ok)
    }

    /// Prints it; the exit code.
    pub fn print(&self, session: &Session, kept: bool) -> u8 {
        if session.output.json {
            session.output.object(&self.object(session.output.lang, kept));
        } else {
            for line in self.lines(session.output.lang, kept) {
                session.output.line(line);
            }
        }
        match self.broken() {
            None => Exit::Ok.code(),
            Some(failure) => {
                if !session.output.json {
                    session.output.failure(&failure);
                }
                failure.exit.code()
            }
        }
    }

    fn acknowledged(&self) -> PathBuf {
        self.layout.dir.join("acknowledged.jsonl")
    }

    fn orphans(&self) -> PathBuf {
        self.layout.dir.join("orphans.jsonl")
    }

    fn broken(&self) -> Option<Failure> {
        let names: Vec<&str> = self.evidence.checks().iter().filter(|check| !check.ok).map(|check| check.name).collect();
        if names.is_empty() {
            return None;
        }
        let (names, dir) = (names.join(", "), self.layout.dir.display());
        Some(
            Failure::failed("demo_checks_failed", text!("no se cumple: {names}", "these do not hold: {names}"))
                .hint(text!("la carpeta se conserva: {dir}", "the folder is kept: {dir}")),
        )
    }

    fn object(&self, lang: Lang, kept: bool) -> Value {
        let stores: Map<String, Value> =
            Machine::ALL.iter().map(|&m| (m.folder().to_owned(), json!(self.layout.store(m)))).collect();
        let checks: Vec<Value> = self
            .evidence
            .checks()
            .iter()
            .map(|check| json!({ "name": check.name, "ok": check.ok, "message": check.text.get(lang) }))
            .collect();
        let broken = self.broken();
        let mut object = json!({
            "ok": broken.is_none(),
            "verb": "demo",
            "run": null,
            "code": broken.as_ref().map_or(Exit::Ok, |failure| failure.exit).code(),
            "dir": self.layout.dir,
            "kept": kept,
            "stores": stores,
            "databases": { "main": self.evidence.files[0], "backup": self.evidence.files[1] },
            "acknowledged": self.acknowledged(),
            "orphans": self.orphans(),
            "tickets": self.evidence.acknowledged.len(),
            "orphaned": self.evidence.orphans.len(),
            "lost": self.evidence.lost().len(),
            "duplicated": self.evidence.duplicated().len(),
            "outage_ms": self.outage_ms,
            "checks": checks,
            "timeline": self.timeline.in_order(),
        });
        if let Some(failure) = broken {
            object["error"] = failure.to_json(lang);
        }
        object
    }

    fn lines(&self, lang: Lang, kept: bool) -> Vec<String> {
        let mut lines = vec![String::new()];
        lines.extend(self.timeline.picture(lang));
        lines.push(String::new());
        let outage = seconds(self.outage_ms);
        lines.push(
            text!(
                "Sin vender: {outage}, desde el corte hasta el primer ticket en el respaldo.",
                "Without selling: {outage}, from the power cut to the first ticket on the backup."
            )
            .get(lang)
            .to_owned(),
        );
        for ((epoch, server), tickets) in self.evidence.by_epoch() {
            let server = match (server, lang) {
                ("main", Lang::Es) => "principal",
                ("backup", Lang::Es) => "respaldo",
                (other, _) => other,
            };
            lines.push(
                text!("  época {epoch}  {server:<9}  {tickets:>6} tickets", "  epoch {epoch}  {server:<9}  {tickets:>6} tickets")
                    .get(lang)
                    .to_owned(),
            );
        }
        let (orphans, target) = (self.evidence.orphans.len(), self.layout.target());
        let target = target.strip_prefix(&self.layout.dir).unwrap_or(&target).display();
        lines.push(
            text!(
                "  de ellos {orphans} huérfanos: no estaban en la copia; guardados en {target} y en orphans.jsonl",
                "  of these {orphans} orphans: no copy had them; saved in {target} and orphans.jsonl"
            )
            .get(lang)
            .to_owned(),
        );
        lines.push(String::new());
        for check in self.evidence.checks() {
            let sign = if check.ok { '✓' } else { '✗' };
            lines.push(format!("{sign} {:<9} {}", check.name, check.text.get(lang)));
        }
        if kept {
            lines.push(String::new());
            lines.extend(self.by_hand(lang));
        }
        lines
    }

    /// How to go on with a folder that is kept.
    fn by_hand(&self, lang: Lang) -> Vec<String> {
        let (dir, exe) = (self.layout.dir.display(), self.exe.display());
        let call =
            |machine: Machine, verb: &str| format!("  \"{exe}\" --store \"{}\" {verb}", self.layout.store(machine).display());
        let mut lines = vec![
            text!(
                "Todo quedó en {dir}, detenido. Para seguir a mano (las cajas se cierran con Ctrl-C):",
                "Everything is in {dir}, at rest. To go on by hand (Ctrl-C closes a till):"
            )
            .get(lang)
            .to_owned(),
        ];
        // They run until they are ended, each in a window of its own.
        lines.extend(self.evidence.servers.iter().map(|words| format!("  \"{exe}\" {words} &")));
        lines.extend([
            call(Machine::Main, "launch --program svrpdv"),
            call(Machine::Till2, "launch --program pospdv"),
            call(Machine::Main, "mirror"),
            call(Machine::Caja, "status"),
            call(Machine::Caja, "promote"),
        ]);
        lines
    }
}
