//! `relevo check`: lints the store's scripts; exit 3 when there is an error.

use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Failure, Result};
use crate::script::{diagnostic, lint};
use crate::text;

/// Checks them.
pub fn main(session: &Session) -> u8 {
    session.output.finish("check", None, check(session))
}

fn check(session: &Session) -> Result<Value> {
    let bundle = session.bundle(&session.dir)?;
    let findings = lint::check(&bundle);
    for finding in &findings {
        session.output.line(diagnostic::render(finding, &bundle, session.output.lang).trim_end());
    }
    let json: Vec<Value> = findings.iter().map(|f| f.to_json(session.output.lang)).collect();
    let errors = findings.iter().filter(|f| f.is_error()).count();
    if errors > 0 {
        if session.output.json {
            let found = Value::Array(json);
            return Err(Failure::invalid("scripts_invalid", text!("{errors} errores en los scripts", "{errors} errors in the scripts")).cause(found));
        }
        return Err(Failure::invalid("scripts_invalid", text!("{errors} errores en los scripts", "{errors} errors in the scripts")));
    }
    let (files, hash) = (bundle.files.len(), bundle.hash.short());
    session.output.say(&text!("{files} scripts sin errores (paquete {hash})", "{files} scripts without errors (bundle {hash})"));
    Ok(json!({ "bundle": bundle.hash, "files": files, "diagnostics": json }))
}
