//! `relevo check`: lints the store's scripts; exit 3 when there is an error.

use std::io::IsTerminal;

use serde_json::{Value, json};

use super::session::Session;
use crate::error::Result;
use crate::script::{diagnostic, lint};
use crate::text;

/// Checks them.
pub fn main(session: &Session) -> u8 {
    session.output.finish("check", None, check(session))
}

fn check(session: &Session) -> Result<Value> {
    let bundle = session.bundle(&session.dir)?;
    let found = lint::check(&bundle);
    let color = std::io::stdout().is_terminal();
    for finding in &found {
        session.output.line(finding.render(&bundle, session.output.lang, color).trim_end());
    }
    let diagnostics: Vec<Value> = found.iter().map(|f| f.to_json(session.output.lang)).collect();
    if let Some(mut failure) = diagnostic::failure(&found) {
        failure.causes = diagnostics.iter().map(Value::to_string).filter(|_| session.output.json).collect();
        return Err(failure);
    }
    let (files, hash) = (bundle.files.len(), bundle.hash.short());
    session.output.say(&text!("{files} scripts sin errores (paquete {hash})", "{files} scripts without errors (bundle {hash})"));
    Ok(json!({ "bundle": bundle.hash, "files": files, "diagnostics": diagnostics }))
}
