//! `relevo init`: a commented relevo.toml and the shipped scripts. Never overwrites what is there.

use clap::Args;
use serde_json::{Value, json};

use super::session::Session;
use crate::config::Config;
use crate::error::{Failure, Result};
use crate::model::Role;
use crate::script::shipped;
use crate::text;
use crate::world::Label;

/// Arguments of `relevo init`.
#[derive(Args)]
pub struct Init {
    /// Role of this machine
    #[arg(long, value_enum, default_value = "main")]
    role: Role,
    /// Show what it would write, change nothing
    #[arg(long)]
    plan: bool,
}

/// Writes them.
pub fn main(session: &Session, arguments: &Init) -> u8 {
    session.output.finish("init", None, init(session, arguments))
}

fn init(session: &Session, arguments: &Init) -> Result<Value> {
    let toml = session.dir.join("relevo.toml");
    let mut files = vec![(toml, Config::template(arguments.role))];
    files.extend(shipped::FILES.iter().map(|(name, content)| (session.dir.join("scripts").join(name), (*content).to_owned())));
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    for (path, content) in files {
        if path.exists() {
            kept.push(path);
            continue;
        }
        if arguments.plan {
            written.push(path);
            continue;
        }
        session
            .world
            .write_file(Label::StateWrite, &path, content.as_bytes())
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))?;
        written.push(path);
    }
    for path in &written {
        let path = path.display();
        session.output.say(&if arguments.plan {
            text!("se escribiría: {path}", "would write: {path}")
        } else {
            text!("escrito: {path}", "written: {path}")
        });
    }
    for path in &kept {
        let path = path.display();
        session.output.say(&text!("ya estaba, no se tocó: {path}", "already there, not touched: {path}"));
    }
    session.output.say(&text!(
        "Siguiente: revise relevo.toml, luego relevo setup y relevo doctor.",
        "Next: look through relevo.toml, then relevo setup and relevo doctor."
    ));
    Ok(json!({ "written": written, "kept": kept, "changed": !arguments.plan }))
}
