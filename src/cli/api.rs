//! `relevo api`: writes what scripts can call: scripts/api.d.rhai for editors, and the reference page in both languages.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Failure, Result};
use crate::script::api;
use crate::text;
use crate::text::Lang;
use crate::world::Label;

/// Arguments of `relevo api`.
#[derive(Args)]
pub struct Api {
    /// Folder for the reference pages (default: the store's scripts folder)
    #[arg(long, value_name = "DIR")]
    docs: Option<PathBuf>,
    /// Show which files it would write, change nothing
    #[arg(long)]
    plan: bool,
}

/// Writes them.
pub fn main(session: &Session, arguments: &Api) -> u8 {
    session.output.finish("api", None, write(session, arguments))
}

fn write(session: &Session, arguments: &Api) -> Result<Value> {
    let scripts = session.dir.join("scripts");
    let docs = arguments.docs.clone().unwrap_or_else(|| scripts.clone());
    let files = [
        (scripts.join("api.d.rhai"), api::definitions()),
        (docs.join("script-api.md"), api::reference(Lang::En)),
        (docs.join("script-api.es.md"), api::reference(Lang::Es)),
    ];
    let mut written = Vec::new();
    for (path, content) in files {
        if arguments.plan {
            session.output.line(path.display().to_string());
            continue;
        }
        session
            .world
            .write_file(Label::StateWrite, &path, content.as_bytes())
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))?;
        session.output.line(path.display().to_string());
        written.push(path);
    }
    Ok(json!({ "files": written }))
}
