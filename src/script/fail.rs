//! Failures on their way through a script: a primitive's failure becomes a map that `catch` can look at; what leaves the
//! script becomes a failure again, with the place in the scripts. Some failures no script may catch.

use rhai::{Dynamic, EvalAltResult, Map, Position};
use serde_json::Value;

use super::{Site, value};
use crate::error::{Exit, Failure, Retry};
use crate::text;
use crate::text::Text;

/// Kinds that end the script whatever it catches: the journal could not be trusted any more if it went on, a panic leaves
/// the effect unknown, and a plan stops at its first effect.
const UNCATCHABLE: [&str; 5] = ["journal", "journal_mismatch", "crashed", "plan_stop", "panicked"];

/// The failure of a primitive as the script sees it.
pub(super) fn to_script(failure: Failure, site: &Site) -> Box<EvalAltResult> {
    if failure.exit == Exit::Interrupted || UNCATCHABLE.contains(&failure.kind.as_str()) {
        return terminate(failure);
    }
    EvalAltResult::ErrorRuntime(to_map(&failure.cause(site)), Position::NONE).into()
}

/// Ends the script; comes out of `run` as this very failure.
pub(super) fn terminate(failure: Failure) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(failure), Position::NONE).into()
}

/// What a person's Ctrl-C is.
pub(super) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted", text!("interrumpido a petición", "interrupted on request")).hint(text!(
        "nada se perdió: repita la orden, o use relevo resume si quedó una corrida abierta",
        "nothing is lost: repeat the command, or use relevo resume if a run is still open"
    ))
}

/// The map that `catch (e)` gets: data only, so that `throw e` gives the same failure again.
pub(super) fn to_map(failure: &Failure) -> Dynamic {
    let retry = match failure.retry {
        Retry::Permanent => "permanent",
        Retry::Temporary => "temporary",
        Retry::Exhausted => "exhausted",
    };
    let hint = |pick: fn(&Text) -> &String| failure.hint.as_ref().map_or(Dynamic::UNIT, |h| pick(h).as_str().into());
    let causes: Vec<Dynamic> = failure.causes.iter().map(|c| c.as_str().into()).collect();
    Dynamic::from_map(Map::from([
        ("kind".into(), failure.kind.as_str().into()),
        ("message".into(), failure.message.es.as_str().into()),
        ("message_en".into(), failure.message.en.as_str().into()),
        ("hint".into(), hint(|h| &h.es)),
        ("hint_en".into(), hint(|h| &h.en)),
        ("exit".into(), i64::from(failure.exit.code()).into()),
        ("retry".into(), retry.into()),
        ("causes".into(), Dynamic::from_array(causes)),
    ]))
}

/// What was thrown, as a failure: a primitive's failure, a map of the script's own (`kind` or `code`, `message`, `hint`, `exit`;
/// words as one string or `#{es, en}`), one of Rhai's own error maps, or any other value.
pub(super) fn from_thrown(thrown: &Dynamic) -> Failure {
    from_thrown_json(&value::to_json(thrown).unwrap_or_else(|_| Value::String(thrown.to_string())))
}

/// The answer of `err(e)`: whatever was caught, as the map of a failure.
pub(super) fn to_json(thrown: &Value) -> Value {
    value::to_json(&to_map(&from_thrown_json(thrown))).unwrap_or_default()
}

fn from_thrown_json(json: &Value) -> Failure {
    let text_at = |key: &str| {
        let es = value::words(&json[key])?;
        let en = json[format!("{key}_en")].as_str().map_or(es.en.clone(), str::to_owned);
        Some(Text { es: es.es, en })
    };
    let kind = json["kind"].as_str().or(json["code"].as_str());
    let Some(kind) = kind else {
        if let Some(error) = json["error"].as_str() {
            let message = json["message"].as_str().unwrap_or(error);
            return Failure::invalid("script_error", text!("error en el script: {message}", "script error: {message}"));
        }
        let words = value::words(json).unwrap_or_else(|| Text::same(json.to_string()));
        return Failure::failed("script_threw", words);
    };
    // What cannot be caught cannot be thrown either: a script must not pass itself off as interrupted or as a damaged journal.
    let kind = if UNCATCHABLE.contains(&kind) || kind == "interrupted" { "script_threw" } else { kind };
    let may_end = |e: &Exit| !matches!(e, Exit::Ok | Exit::Interrupted);
    let exit = json["exit"].as_i64().and_then(|code| Exit::ALL.into_iter().find(|e| i64::from(e.code()) == code && may_end(e)));
    // A verdict of the test matrix, thrown as it is, is a refusal.
    let otherwise = if json["ok"] == Value::Bool(false) { Exit::Refused } else { Exit::Failed };
    let mut failure = Failure::new(exit.unwrap_or(otherwise), kind, text_at("message").unwrap_or_else(|| Text::same(kind)));
    failure.hint = text_at("hint");
    failure.retry = match json["retry"].as_str() {
        Some("temporary") => Retry::Temporary,
        Some("exhausted") => Retry::Exhausted,
        _ => Retry::Permanent,
    };
    failure.causes = json["causes"].as_array().into_iter().flatten().filter_map(|c| c.as_str().map(str::to_owned)).collect();
    failure
}

/// What came out of a script that began in `file`, as people see it.
pub(super) fn from_script(error: EvalAltResult, file: &str) -> Failure {
    let mut sites = Vec::new();
    let (leaf, at) = unwind(error, file.to_owned(), &mut sites);
    sites.push(at);
    sites.reverse();
    let mut failure = match leaf {
        EvalAltResult::ErrorTerminated(token, _) => {
            return token.try_cast::<Failure>().unwrap_or_else(interrupted);
        }
        EvalAltResult::ErrorRuntime(thrown, _) => from_thrown(&thrown),
        other => from_engine(other),
    };
    // A primitive's failure already tells its own place.
    if !failure.causes.iter().any(|cause| cause.starts_with("scripts/")) {
        // Some errors (an empty loop without end) have no place: then the file alone.
        let fallback = format!("scripts/{}", sites.first().map_or("", |s| &s.file));
        let known: Vec<String> = sites.iter().filter(|s| s.line > 0).map(Site::to_string).collect();
        failure.causes.extend(if known.is_empty() { vec![fallback] } else { known });
    }
    failure
}

/// Takes the frames off. The position of a call belongs to the caller's file, its source to the called one.
fn unwind(error: EvalAltResult, file: String, sites: &mut Vec<Site>) -> (EvalAltResult, Site) {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, source, inner, pos) => {
            sites.push(Site::new(&file, pos));
            let file = if source.is_empty() { file } else { source };
            unwind(*inner, file, sites)
        }
        EvalAltResult::ErrorInModule(path, inner, pos) => {
            sites.push(Site::new(&file, pos));
            unwind(*inner, path, sites)
        }
        leaf => {
            let at = Site::new(&file, leaf.position());
            (leaf, at)
        }
    }
}

fn from_engine(mut error: EvalAltResult) -> Failure {
    use EvalAltResult as E;
    let _ = error.take_position();
    let words = error.to_string();
    match &error {
        E::ErrorTooManyOperations(_)
        | E::ErrorStackOverflow(_)
        | E::ErrorDataTooLarge(..)
        | E::ErrorTooManyVariables(_)
        | E::ErrorTooManyModules(_) => limit(&error, &words),
        E::ErrorParsing(
            rhai::ParseErrorType::LiteralTooLarge(..)
            | rhai::ParseErrorType::ExprTooDeep
            | rhai::ParseErrorType::TooManyFunctions,
            _,
        ) => limit(&error, &words),
        E::ErrorFunctionNotFound(function, _) => {
            wrong(text!("no existe la función {function}", "there is no function {function}"))
        }
        E::ErrorVariableNotFound(name, _) => wrong(text!("no existe la variable {name}", "there is no variable {name}")),
        E::ErrorPropertyNotFound(name, _) => wrong(text!("no existe la propiedad {name}", "there is no property {name}")),
        E::ErrorModuleNotFound(name, _) => wrong(text!("no existe el módulo {name}", "there is no module {name}")),
        E::ErrorArithmetic(..) => wrong(text!("error de cálculo: {words}", "arithmetic error: {words}")),
        E::ErrorMismatchDataType(..) | E::ErrorMismatchOutputType(..) => {
            wrong(text!("tipo equivocado: {words}", "wrong type: {words}"))
        }
        _ => wrong(text!("error en el script: {words}", "script error: {words}")),
    }
}

fn wrong(message: Text) -> Failure {
    Failure::invalid("script_error", message)
        .hint(text!("corrija el script; relevo check lo revisa completo", "correct the script; relevo check examines all of it"))
}

fn limit(error: &EvalAltResult, words: &str) -> Failure {
    let (es, en) = match error {
        EvalAltResult::ErrorTooManyOperations(_) => {
            ("el script no termina (demasiadas operaciones)", "the script does not end (too many operations)")
        }
        EvalAltResult::ErrorStackOverflow(_) => ("las funciones se llaman sin fin", "functions call each other without end"),
        EvalAltResult::ErrorDataTooLarge(..) => ("un valor es demasiado grande", "a value is too large"),
        _ => ("el script pasó un límite", "the script exceeds a limit"),
    };
    Failure::invalid("script_limit", text!("{es}: {words}", "{en}: {words}"))
        .hint(text!("revise los ciclos y el tamaño de los datos", "look at its loops and at the size of its data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_script() {
        let failure =
            Failure::new(Exit::OtherHolder, "fenced", text!("a", "b")).hint(text!("c", "d")).cause("x").retry(Retry::Temporary);
        assert_eq!(from_thrown(&to_map(&failure)), failure);
        let bare = Failure::failed("io", text!("a", "b"));
        assert_eq!(from_thrown(&to_map(&bare)), bare);
    }

    #[test]
    fn what_scripts_throw() {
        for (script, exit, kind, en) in [
            (r#""uy""#, Exit::Failed, "script_threw", "uy"),
            ("7", Exit::Failed, "script_threw", "7"),
            (r#"#{kind: "erp", message: #{es: "a", en: "b"}, exit: 4}"#, Exit::Refused, "erp", "b"),
            (r#"#{ok: false, row: "till", code: "no_server", message: "a", message_en: "b"}"#, Exit::Refused, "no_server", "b"),
            (r#"#{kind: "erp", exit: 0}"#, Exit::Failed, "erp", "erp"),
            (r#"#{kind: "journal", message: "m", exit: 10}"#, Exit::Failed, "script_threw", "m"),
            (r#"#{error: "ErrorArithmetic", message: "m"}"#, Exit::Invalid, "script_error", "script error: m"),
        ] {
            let failure = from_thrown(&rhai::Engine::new().eval(script).unwrap());
            assert_eq!((failure.exit, failure.kind.as_str(), failure.message.en.as_str()), (exit, kind, en), "{script}");
        }
    }
}
