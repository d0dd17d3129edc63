//! What each primitive does: a read, a step, or a composite of the run. The table in api/ says what they are; arguments are
//! checked before they come here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Failure, Result};
use crate::facts;
use crate::model::{Program, Side};
use crate::plan::step::Step;
use crate::script::{Call, Host};
use crate::server::port::By;
use crate::steps::run::Run;
use crate::steps::{self, files, programs, seats};
use crate::text;
use crate::text::Text;

/// Rows that `server::query` returns at most: a script orchestrates, it does not process data.
const MOST_ROWS: usize = 1000;

/// The host of a run's script.
pub fn host(run: Arc<Run>) -> Arc<Host> {
    Arc::new(move |call: &Call| dispatch(&run, call))
}

fn dispatch(run: &Run, call: &Call) -> Result<Value> {
    let store = &run.store;
    let arg = |index: usize| call.args.get(index).cloned().unwrap_or(Value::Null);
    let text_arg = |index: usize| arg(index).as_str().unwrap_or_default().to_owned();
    let read = |act: &dyn Fn() -> Result<Value>| run.read(&call.name, Value::Array(call.args.clone()), act);
    match call.name.as_str() {
        "mirror" => {
            let options = arg(0);
            steps::post::refuse_where_superseded(run)?;
            run.step(Step::Mirror {
                full: options["full"].as_bool().unwrap_or(false),
                apply: options["apply"].as_bool().unwrap_or(true),
                target: options["target"].as_str().map(str::to_owned),
            })
        }
        "promote" => steps::promote::promote(run, &arg(0)),
        "restore" => steps::restore::restore(run, &arg(0)),
        "now" => read(&|| Ok(Value::from(store.now()))),
        "sleep" => read(&|| sleep(run, arg(0).as_f64().unwrap_or(0.0))),

        "files::copy" => run.step(Step::CopyFile { from: text_arg(0), to: text_arg(1) }).map(|done| done["bytes"].clone()),
        "files::write" => run.step(Step::WriteFile { path: text_arg(0), text: text_arg(1) }).map(|_| Value::Null),
        "files::remove" => run.step(Step::RemoveFile { path: text_arg(0) }),
        "files::exists" => read(&|| Ok(json!(files::exists(store, &text_arg(0))?))),
        "files::read" => read(&|| Ok(json!(files::read(store, &text_arg(0))?))),

        "store::facts" => read(&|| facts::facts(store, crate::text::Lang::Es)),
        "store::role" => read(&|| Ok(json!(store.config.machine.role))),
        "store::verdict" => read(&|| facts::verdict_for_script(store, &arg(0))),
        "store::setting" => read(&|| setting(run, &text_arg(0), call.args.get(1))),
        "store::epoch" => read(&|| {
            let record = store.highest_record()?;
            Ok(json!({ "epoch": record.epoch, "holder": record.holder, "awaiting_start": record.awaiting_start }))
        }),
        "store::in_use" => read(&|| {
            let side = store.highest_record()?.holder;
            Ok(json!({ "side": side, "instance": store.server(side).instance(), "serving": store.server(side).look()?.serving }))
        }),
        "store::fetch_signals" => run.step(Step::FetchSignals),
        "store::sync_marker" => run.step(Step::SyncMarker),
        "store::mark_terminal" => run.step(Step::MarkTerminal),
        "store::identify" => run.step(Step::Identify),
        "store::write_signals" => {
            let options = arg(0);
            let word = |key: &str| options[key].as_str().map(str::to_owned);
            let (main, backup) = (word("main").unwrap_or_default(), word("backup").unwrap_or_default());
            run.step(Step::WriteSignals { main, backup, valid_until: word("valid_until") })
        }

        "server::probe" => read(&|| {
            let look = store.server(side(&arg(0))?).look()?;
            Ok(
                json!({ "instance": look.instance, "reachable": look.reachable, "answers": look.answers(), "serving": look.serving, "state": look.state }),
            )
        }),
        "server::sessions" => read(&|| Ok(json!(store.server(side(&arg(0))?).sessions()?))),
        "server::release_concurrency" => run.step(Step::ReleaseSeats),
        "server::query" => read(&|| {
            let params = arg(1).as_array().cloned().unwrap_or_default();
            Ok(Value::Array(seats::holder(store)?.query(By::Script, &text_arg(0), &params, MOST_ROWS)?))
        }),
        "server::execute" => {
            let params = arg(1).as_array().cloned().unwrap_or_default();
            run.step(Step::Execute { sql: text_arg(0), params }).map(|done| done["rows"].clone())
        }

        "service::start" => {
            run.step(Step::StartProgram { program: program(&arg(0))? }).map(|done| json!({ "already": done["started"] == false }))
        }
        "service::stop" => run.step(Step::StopProgram { program: program(&arg(0))? }).map(|_| Value::Null),
        "service::status" => read(&|| Ok(json!({ "running": programs::alive(store, program(&arg(0))?)?.is_some() }))),

        "target::list" => read(&|| {
            let rows = store.config.targets.iter().filter(|(name, _)| store.config.mirror.targets.contains(name));
            Ok(rows.map(|(name, section)| json!({ "name": name, "kind": section.kind() })).collect())
        }),
        "target::verify" => read(&|| steps::standby::verify_target(store, &text_arg(0), &run.watch)),

        "operator::notify" => run.step(Step::Notify { text: words(&arg(0)) }).map(|_| Value::Null),
        "operator::confirm" => {
            read(&|| Ok(Value::Bool(!run.is_planning() && store.operator.confirm(words(&arg(0)).get(store.operator.lang)))))
        }
        "log::info" | "log::warn" => {
            log(run, call.name == "log::warn", &words(&arg(0)));
            Ok(Value::Null)
        }
        "setup::remove_shortcut" => run.step(Step::RemoveShortcut),
        other => {
            Err(Failure::invalid("unknown_primitive", text!("no existe la primitiva {other}", "there is no primitive {other}")))
        }
    }
}

fn side(value: &Value) -> Result<Side> {
    serde_json::from_value(value.clone()).map_err(|e| {
        Failure::invalid("bad_argument", text!("se esperaba \"main\" o \"backup\"", "expected \"main\" or \"backup\"")).cause(e)
    })
}

fn program(value: &Value) -> Result<Program> {
    serde_json::from_value(value.clone()).map_err(|e| {
        Failure::invalid("bad_argument", text!("se esperaba \"svrpdv\" o \"pospdv\"", "expected \"svrpdv\" or \"pospdv\""))
            .cause(e)
    })
}

/// A string, or the words in both languages.
fn words(value: &Value) -> Text {
    match value {
        Value::Object(both) => {
            let get = |key: &str| both.get(key).and_then(Value::as_str).map(str::to_owned);
            let (es, en) = (get("es"), get("en"));
            Text { es: es.clone().or(en.clone()).unwrap_or_default(), en: en.or(es).unwrap_or_default() }
        }
        Value::String(words) => Text::same(words),
        other => Text::same(other.to_string()),
    }
}

fn setting(run: &Run, name: &str, default: Option<&Value>) -> Result<Value> {
    match (run.store.config.settings.get(name), default) {
        (Some(value), _) => serde_json::to_value(value)
            .map_err(|e| Failure::invalid("bad_setting", text!("[settings] {name}", "[settings] {name}")).cause(e)),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => {
            Err(Failure::invalid("unknown_setting", text!("falta {name} en [settings]", "{name} is missing in [settings]"))
                .hint(text!("póngalo en relevo.toml, o dé un valor por omisión", "set it in relevo.toml, or give a default")))
        }
    }
}

/// In slices, so that Ctrl-C ends it.
fn sleep(run: &Run, seconds: f64) -> Result<Value> {
    let bad =
        || Failure::invalid("bad_argument", text!("sleep({seconds}): segundos no válidos", "sleep({seconds}): not a valid time"));
    let whole = Duration::try_from_secs_f64(seconds).map_err(|e| bad().cause(e))?;
    let whole = if run.is_planning() { Duration::ZERO } else { whole };
    let until = Instant::now().checked_add(whole).ok_or_else(bad)?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Value::Null);
        }
        run.watch.check()?;
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// A line of the script's log. Not journaled; on replay it may be shown again.
fn log(run: &Run, warn: bool, words: &Text) {
    if warn {
        tracing::warn!(run = %run.id, "{}", words.en);
        run.watch.note(words.clone());
    } else {
        tracing::info!(run = %run.id, "{}", words.en);
    }
}
