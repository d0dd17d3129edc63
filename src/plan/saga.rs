//! A role change as data: ordered steps and one point of no return. Frozen when it starts, journaled, printed by `--plan`.

use serde::{Deserialize, Serialize};

use crate::error::{Exit, Failure};
use crate::model::{Look, RunId};

use crate::plan::step::{Step, Undo};
use crate::text;
use crate::text::{Lang, Text};

/// A plan of promote or restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saga {
    /// "promote" or "restore".
    pub name: String,
    /// What it was decided from, in sentences for people.
    pub because: Vec<Text>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// Index of the step that is the point of no return: once it has started there is no way back.
    pub point: usize,
    /// What the primitive returns to the script when all steps are done.
    pub result: serde_json::Value,
}

impl Saga {
    /// The lines that `--plan` prints.
    pub fn render(&self, lang: Lang) -> String {
        let mut out = String::new();
        for reason in &self.because {
            out.push_str(&format!("- {}\n", reason.get(lang)));
        }
        let (point, kept) = match lang {
            Lang::Es => ("   ── punto sin retorno ──\n", "no se deshace"),
            Lang::En => ("   ── point of no return ──\n", "not undone"),
        };
        for (index, step) in self.steps.iter().enumerate() {
            if index == self.point {
                out.push_str(point);
            }
            let note = if index < self.point && step.undo() == Undo::None { format!(" ({kept})") } else { String::new() };
            out.push_str(&format!("{:>2}. {}{note}\n", index + 1, step.describe().get(lang)));
        }
        out
    }
}

/// Another run's role change is announced at the backup: it is finished or taken back before anything else begins.
pub fn refuse_open_intent(backup: &Look, own: Option<RunId>) -> Result<(), Failure> {
    match &backup.intent {
        Some(intent) if Some(intent.run) != own => {
            let run = intent.run;
            Err(Failure::new(
                Exit::Interrupted,
                "role_change_open",
                text!("hay un cambio de papel sin terminar (corrida {run})", "a role change is unfinished (run {run})"),
            )
            .hint(text!(
                "en la caja/servidor: relevo resume para terminarlo, o relevo undo {run}",
                "on the caja/servidor: relevo resume to finish it, or relevo undo {run}"
            )))
        }
        _ => Ok(()),
    }
}
