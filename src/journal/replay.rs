//! What a script's next call finds in the log. Sans-I/O: the runner acts on the answer.

use serde_json::Value;

use crate::error::{Exit, Failure};
use crate::journal::event::StepState;
use crate::journal::log::Log;
use crate::text;

/// What is recorded for a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Nothing: the run is live here.
    Nothing,
    /// Its outcome: return it, do not act.
    Outcome(Result<Value, Failure>),
    /// It began and its outcome is unknown: look first, then act again. With the frozen plan of a composite.
    Uncertain(Option<Value>),
}

/// Looks up a call. A recorded call of another name or with other arguments means that the script does not repeat what it
/// did: the run stops with the difference (it is never continued on a guess).
pub fn find(log: &Log, path: &str, name: &str, args: &Value) -> Result<Found, Failure> {
    let Some(step) = log.steps.get(path) else { return Ok(Found::Nothing) };
    if step.name != name || step.args != *args {
        let (was, were) = (&step.name, &step.args);
        return Err(Failure::new(
            Exit::Stuck,
            "journal_mismatch",
            text!(
                "la corrida no se repite igual en el paso {path}: se registró {was}({were}) y el script pide {name}({args})",
                "the run does not repeat itself at step {path}: {was}({were}) is recorded, the script asks for {name}({args})"
            ),
        )
        .hint(text!("vea la corrida con: relevo runs show", "look at the run with: relevo runs show")));
    }
    Ok(match &step.state {
        StepState::Read(outcome) => Found::Outcome(outcome.clone()),
        StepState::Succeeded(value) => Found::Outcome(Ok(value.clone())),
        StepState::Failed(failure) => Found::Outcome(Err(failure.clone())),
        StepState::Started => Found::Uncertain(step.plan.clone()),
        StepState::UndoStarted | StepState::Undone | StepState::UndoFailed(_) => {
            return Err(Failure::new(
                Exit::Stuck,
                "run_being_undone",
                text!("la corrida se estaba deshaciendo en el paso {path}", "the run was being undone at step {path}"),
            )
            .hint(text!("termine con: relevo undo ID", "finish with: relevo undo ID")));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::Event;
    use crate::model::RunId;

    fn log(events: &[Event]) -> Log {
        let mut log = Log::new(RunId::new());
        log.push(&Event::Begun { verb: "t".into(), args: Value::Null, bundle: None, at: String::new() }).unwrap();
        for event in events {
            log.push(event).unwrap();
        }
        log
    }

    fn started() -> Event {
        Event::Started { path: "1".into(), name: "copy".into(), args: serde_json::json!(["a"]), plan: None }
    }

    #[test]
    fn nothing_then_uncertain_then_outcome() {
        let args = serde_json::json!(["a"]);
        assert_eq!(find(&log(&[]), "1", "copy", &args).unwrap(), Found::Nothing);
        assert_eq!(find(&log(&[started()]), "1", "copy", &args).unwrap(), Found::Uncertain(None));
        let done = Event::Succeeded { path: "1".into(), value: Value::from(7) };
        assert_eq!(find(&log(&[started(), done]), "1", "copy", &args).unwrap(), Found::Outcome(Ok(Value::from(7))));
    }

    #[test]
    fn another_call_is_a_mismatch_that_shows_both() {
        let failure = find(&log(&[started()]), "1", "remove", &serde_json::json!(["b"])).unwrap_err();
        assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Stuck, "journal_mismatch"));
        assert!(failure.message.en.contains("copy([\"a\"])") && failure.message.en.contains("remove([\"b\"])"));
    }
}
