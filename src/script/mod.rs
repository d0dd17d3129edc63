//! The Rhai host: bundles of scripts, their check, and one run of one script. What a primitive does is the host's business:
//! every call goes by name through one closure. Scripts get no clock, no files and no environment but through it.

pub mod api;
pub mod bundle;
pub mod diagnostic;
pub mod dispatch;
mod engine;
mod fail;
pub mod lint;
mod resolver;
pub mod shipped;
pub mod value;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{CallFnOptions, Dynamic, EvalAltResult, Position, Scope};
use serde_json::Value;

pub use self::bundle::Bundle;
use crate::error::{Failure, Result};
use crate::text;

/// The scripts that a verb runs, each with `fn run(args)`.
pub const ENTRIES: [&str; 5] = ["setup", "startup", "mirror", "promote", "restore"];

/// Rhai evaluates on the stack; with the call and depth limits of the engine this is several times what a debug build needs (bytes).
const STACK: usize = 16 << 20;

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Site {
    /// File below `scripts/`.
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: usize,
    /// Column in characters, from 1; 0 when unknown.
    pub column: usize,
}

impl Site {
    fn new(file: &str, at: Position) -> Self {
        Site { file: file.to_owned(), line: at.line().unwrap_or(0), column: at.position().unwrap_or(0) }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripts/{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One call of a primitive from a script. Number and types of the arguments and keys of options are already checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// "mirror", "files::copy", "store::facts".
    pub name: String,
    /// Canonical JSON, strictly converted.
    pub args: Vec<Value>,
    /// Where the script called it.
    pub site: Site,
}

/// Does what a primitive says.
pub type Host = dyn Fn(&Call) -> Result<Value> + Send + Sync;

/// Runs `fn run(args)` of `ENTRY.rhai` on a thread of its own and returns its value. `stop` ends it as *interrupted*.
pub fn run(bundle: &Bundle, entry: &str, args: Value, host: Arc<Host>, stop: Arc<AtomicBool>) -> Result<Value> {
    let file = format!("{entry}.rhai");
    let bundle = bundle.clone();
    let work = move || {
        // A panic in the engine itself must not take the process down; the host's own panics are caught nearer.
        catch_unwind(AssertUnwindSafe(|| run_here(&bundle, &file, &args, host, stop)))
            .unwrap_or_else(|panic| Err(panicked(&file, panic.as_ref())))
    };
    let thread = std::thread::Builder::new().name(format!("script {entry}")).stack_size(STACK).spawn(work).map_err(|e| {
        Failure::failed("no_thread", text!("no se pudo iniciar el script {entry}", "cannot start the script {entry}")).cause(e)
    })?;
    thread.join().unwrap_or_else(|panic| Err(panicked(entry, panic.as_ref())))
}

fn run_here(bundle: &Bundle, file: &str, args: &Value, host: Arc<Host>, stop: Arc<AtomicBool>) -> Result<Value> {
    if !bundle.files.contains_key(file) {
        return Err(Failure::invalid("script_missing", text!("falta scripts/{file}", "scripts/{file} is missing"))
            .hint(text!("relevo init escribe los scripts de fábrica", "relevo init writes the shipped scripts")));
    }
    if stop.load(Ordering::SeqCst) {
        return Err(fail::interrupted());
    }
    let engine = engine::build(bundle, Arc::clone(&stop));
    let ast =
        resolver::compile(&engine, bundle, file).map_err(|e| fail::from_script(EvalAltResult::ErrorParsing(*e.0, e.1), file))?;
    // The top level of the entry is evaluated inside the run; what it did there would look like a step of the script.
    if let Some(at) = ast.statements().iter().find_map(lint::acts) {
        let failure = text!("hay instrucciones fuera de las funciones", "there are statements outside functions");
        return Err(Failure::invalid("top_level", failure)
            .hint(text!("muévalas a fn run(args)", "move them into fn run(args)"))
            .cause(Site::new(file, at)));
    }
    let options = CallFnOptions::new().with_tag(Dynamic::from(engine::RunContext { host, stop }));
    let args = value::from_json(args)?;
    let result = engine
        .call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &ast, "run", (args,))
        .map_err(|e| fail::from_script(*e, file))?;
    value::to_json(&result).map_err(|failure| failure.cause(format!("scripts/{file}: run(args)")))
}

/// A panic as a failure: a defect of relevo, never the script's fault.
fn panicked(what: &str, panic: &(dyn std::any::Any + Send)) -> Failure {
    let words = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    Failure::failed("panicked", text!("error interno de relevo en {what}", "internal error of relevo in {what}"))
        .cause(words.unwrap_or_else(|| "panic".to_owned()))
        .hint(text!(
            "repita la orden; si vuelve a pasar, envíe este mensaje a soporte",
            "repeat the command; if it happens again, send this message to support"
        ))
}

#[cfg(test)]
mod tests;
