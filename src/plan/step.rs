//! Every effect that relevo owns, as data: what a plan lists, the journal records and `steps` performs.
#![allow(missing_docs, reason = "a variant's own line covers its fields")]

use serde::{Deserialize, Serialize};

use crate::model::{EpochRecord, Intent, Position, Program, Side};
use crate::model::{Fencing, FolioRule};
use crate::text;
use crate::text::Text;

/// One leaf effect. Applied at least once: every one looks first and then acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Announce a role change durably beside the backup's database.
    WriteIntent { intent: Intent },
    /// Take the announcement away.
    RemoveIntent,
    /// Make sure that main does not serve (unplanned: does not answer either).
    AskMain { planned: bool },
    /// Make sure that no till uses the store and close a server's database for every program.
    Fence {
        side: Side,
        undo: bool,
        #[serde(default)]
        how: Fencing,
    },
    /// Copy what main has beyond the last copy, after it was fenced.
    TakeTail,
    /// Bring the standby as far as the copies on the targets follow, at least to this position where it is known.
    ApplyCopies { to: Option<Position> },
    /// Hash the whole standby and compare.
    VerifyStandby,
    /// Open the standby for programs.
    Recover,
    /// Commit the epoch record.
    Record { side: Side, record: EpochRecord, folio: Option<FolioRule> },
    /// Repeat the epoch record in the file beside a server's database; skipped where that server is away.
    Publish { side: Side, record: EpochRecord },
    /// Remember the epoch on this machine.
    Remember { record: EpochRecord },
    /// Save what the old main has and the holder has not: tickets as JSON lines and the whole file.
    SaveTail { run: crate::model::RunId },
    /// Copy the closed database of the backup beside main's, verified.
    Receive,
    /// Prove again that nobody operates anywhere.
    ProveNobody,
    /// Keep main's old database under another name and put the received one in its place.
    Place { keep: String },
    /// Open a fenced database.
    Open { side: Side },
    /// Start a program of this machine, look first.
    StartProgram { program: Program },
    /// Stop a program of this machine.
    StopProgram { program: Program },
    /// Make, put and apply a copy.
    Mirror { full: bool, apply: bool, target: Option<String> },
    /// Bring SvrBak.txt and VecBak.txt from main.
    FetchSignals,
    /// Make this terminal the caja/servidor.
    MarkTerminal,
    /// Bring PosBak.txt into line.
    SyncMarker,
    /// Write SvrBak.txt and VecBak.txt (setup; an authorised person).
    WriteSignals { main: String, backup: String, valid_until: Option<String> },
    /// Give main's database its identity.
    Identify,
    /// Remove the desktop shortcut of the server program.
    RemoveShortcut,
    /// Free licence seats of dead terminals.
    ReleaseSeats,
    /// Run a changing statement of a script.
    Execute { sql: String, params: Vec<serde_json::Value> },
    /// Copy a file below the script roots.
    CopyFile { from: String, to: String },
    /// Write a file below the script roots.
    WriteFile { path: String, text: String },
    /// Remove a file below the script roots.
    RemoveFile { path: String },
    /// Tell the person something.
    Notify { text: Text },
}

/// Can a step be taken back?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undo {
    /// Undo gives back the state before.
    Restores,
    /// Nothing to take back, or it must not be.
    None,
}

impl Step {
    /// The name that the journal, plans and scripts use.
    pub fn name(&self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(fields)) => fields.get("step").and_then(|v| v.as_str()).unwrap_or_default().to_owned(),
            _ => String::new(),
        }
    }

    /// Does it only ask, so that a resumed run asks again?
    pub fn is_check(&self) -> bool {
        matches!(self, Step::AskMain { .. } | Step::ProveNobody)
    }

    /// Whether undo gives back the state before.
    pub fn undo(&self) -> Undo {
        match self {
            Step::WriteIntent { .. }
            | Step::Fence { undo: true, .. }
            | Step::Receive
            | Step::Place { .. }
            | Step::Open { .. }
            | Step::StopProgram { .. }
            | Step::StartProgram { .. }
            | Step::CopyFile { .. }
            | Step::WriteFile { .. }
            | Step::RemoveFile { .. } => Undo::Restores,
            _ => Undo::None,
        }
    }

    /// What it does, for people.
    pub fn describe(&self) -> Text {
        match self {
            Step::WriteIntent { intent } => {
                let epoch = intent.epoch;
                match intent.to {
                    Side::Backup => text!("anunciar el relevo (época {epoch})", "announce the role change (epoch {epoch})"),
                    Side::Main => text!("anunciar la restauración (época {epoch})", "announce the restore (epoch {epoch})"),
                }
            }
            Step::RemoveIntent => text!("retirar el anuncio", "remove the announcement"),
            Step::AskMain { planned: true } => {
                text!("confirmar que el servidor principal no atiende", "make sure that the main server is not serving")
            }
            Step::AskMain { planned: false } => {
                text!("confirmar que el servidor principal no responde", "make sure that the main server does not answer")
            }
            Step::Fence { side: Side::Main, .. } => {
                text!(
                    "separar BDPdv del servidor principal (nadie la abre)",
                    "fence the main server's database (nobody can open it)"
                )
            }
            Step::Fence { side: Side::Backup, .. } => {
                text!("separar BDPdv del servidor de respaldo", "detach the backup server's database")
            }
            Step::TakeTail => text!("copiar lo último del servidor principal", "copy what the main server has last"),
            Step::ApplyCopies { .. } => text!("aplicar las copias al respaldo", "apply the copies to the standby"),
            Step::VerifyStandby => text!("verificar el respaldo completo", "verify the whole standby"),
            Step::Recover => text!("abrir BDPdv del respaldo", "open the backup's database"),
            Step::Record { record, .. } => {
                let epoch = record.epoch;
                match record.holder {
                    Side::Main => {
                        text!("registrar la época {epoch}: servidor principal", "commit the record: epoch {epoch}, main server")
                    }
                    Side::Backup => {
                        text!(
                            "registrar la época {epoch}: servidor de respaldo",
                            "commit the record: epoch {epoch}, backup server"
                        )
                    }
                }
            }
            Step::Publish { side: Side::Main, .. } => {
                text!("repetir el registro de la época en el servidor principal", "repeat the record on the main server")
            }
            Step::Publish { side: Side::Backup, .. } => {
                text!("repetir el registro de la época en el servidor de respaldo", "repeat the record on the backup server")
            }
            Step::Remember { .. } => text!("recordar la época en este equipo", "remember the epoch on this machine"),
            Step::SaveTail { .. } => {
                text!(
                    "guardar las ventas huérfanas y una copia del antiguo principal",
                    "save the orphan sales and a copy of the old main database"
                )
            }
            Step::Receive => {
                text!("copiar BDPdv al servidor principal y verificarla", "copy the database to the main server and verify it")
            }
            Step::ProveNobody => text!("verificar que nadie opera", "prove that nobody operates"),
            Step::Place { keep } if keep.is_empty() => text!("adjuntar la BDPdv recibida", "attach the received database"),
            Step::Place { keep } => {
                text!(
                    "guardar la BDPdv anterior como {keep} y adjuntar la nueva",
                    "keep the old database as {keep} and attach the new one"
                )
            }
            Step::Open { side: Side::Main } => text!("abrir BDPdv del servidor principal", "open the main server's database"),
            Step::Open { side: Side::Backup } => {
                text!("abrir BDPdv del servidor de respaldo", "open the backup server's database")
            }
            Step::StartProgram { program } => text!("iniciar {program}", "start {program}"),
            Step::StopProgram { program } => text!("cerrar {program}", "close {program}"),
            Step::Mirror { .. } => text!("respaldar", "mirror"),
            Step::FetchSignals => text!("copiar SvrBak.txt y VecBak.txt", "copy SvrBak.txt and VecBak.txt"),
            Step::MarkTerminal => {
                text!("marcar esta terminal como caja/servidor (PosBak.txt)", "make this terminal the caja/servidor (PosBak.txt)")
            }
            Step::SyncMarker => text!("poner PosBak.txt al día", "bring PosBak.txt into line"),
            Step::WriteSignals { main, backup, .. } => {
                text!(
                    "escribir SvrBak.txt: principal {main}, respaldo {backup}",
                    "write SvrBak.txt: main {main}, backup {backup}"
                )
            }
            Step::Identify => text!("dar identidad a BDPdv", "give the database its identity"),
            Step::RemoveShortcut => text!("quitar el acceso directo de SvrPdv", "remove the shortcut of SvrPdv"),
            Step::ReleaseSeats => text!("liberar concurrencia", "release concurrency"),
            Step::Execute { .. } => text!("ejecutar una instrucción en BDPdv", "run a statement in the database"),
            Step::CopyFile { from, to } => text!("copiar {from} a {to}", "copy {from} to {to}"),
            Step::WriteFile { path, .. } => text!("escribir {path}", "write {path}"),
            Step::RemoveFile { path } => text!("borrar {path}", "remove {path}"),
            Step::Notify { text } => Text { es: format!("avisar: {}", text.es), en: format!("tell: {}", text.en) },
        }
    }
}
