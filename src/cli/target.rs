//! `relevo target`: the copies on the targets of this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Failure, Result};
use crate::steps::standby;
use crate::store::Store;
use crate::targets::copies::Copies;
use crate::text;

/// Arguments of `relevo target`.
#[derive(Args)]
pub struct TargetCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Copies on every target
    List,
    /// Read every copy, compare hashes, restore the newest chain into a scratch file
    Verify {
        /// Only this target
        target: Option<String>,
    },
    /// Unpack a copy's raw artefact (a full copy is a database file)
    Get {
        /// Name of the copy
        copy: String,
        /// File to write
        file: PathBuf,
        /// From this target
        #[arg(long)]
        target: Option<String>,
        /// Verify the copy, write nothing
        #[arg(long)]
        plan: bool,
    },
}

/// Lists, verifies or gets.
pub fn main(session: &Session, arguments: &TargetCommand) -> u8 {
    let outcome = session.store().and_then(|store| match &arguments.what {
        What::List => list(session, &store),
        What::Verify { target } => verify(session, &store, target.as_deref()),
        What::Get { copy, file, target, plan } => get(session, &store, copy, file.clone(), target.as_deref(), *plan),
    });
    session.output.finish("target", None, outcome)
}

fn list(session: &Session, store: &Store) -> Result<Value> {
    let mut targets = Vec::new();
    for copies in &store.copies {
        let listing = copies.list()?;
        session.output.line(format!("{}:", copies.name()));
        for listed in &listing.copies {
            let m = &listed.manifest;
            session.output.line(format!("  {:<34} {:>12} B  {}", m.name, m.stored.bytes, m.at));
        }
        for damaged in &listing.damaged {
            session.output.line(format!("  {:<34} ✗ {}", damaged.name, damaged.reason.get(session.output.lang)));
        }
        let names: Vec<Value> = listing.copies.iter().map(|l| json!(l.manifest)).collect();
        let damaged: Vec<Value> =
            listing.damaged.iter().map(|d| json!({ "name": d.name, "reason": d.reason.get(session.output.lang) })).collect();
        targets.push(json!({ "name": copies.name(), "copies": names, "damaged": damaged }));
    }
    Ok(json!({ "targets": targets }))
}

fn verify(session: &Session, store: &Store, only: Option<&str>) -> Result<Value> {
    let watch = session.watch();
    let mut results = Vec::new();
    let mut bad = 0;
    for copies in store.copies.iter().filter(|c| only.is_none_or(|name| c.name() == name)) {
        let result = standby::verify_target(store, copies.name(), &watch)?;
        let (name, read, age) = (copies.name(), &result["copies"], &result["age_s"]);
        if result["ok"] == true {
            session.output.say(&text!(
                "{name}: sano ({read} copias; la última, de hace {age} s)",
                "{name}: sound ({read} copies; the last {age} s old)"
            ));
        } else {
            bad += 1;
            for problem in result["problems"].as_array().into_iter().flatten() {
                session.output.line(format!("{name}: ✗ {}", problem.as_str().unwrap_or_default()));
            }
        }
        results.push(result);
    }
    if let (Some(name), true) = (only, results.is_empty()) {
        return Err(unknown_target(name));
    }
    if bad > 0 {
        return Err(Failure::failed(
            "target_damaged",
            text!("{bad} destinos con copias dañadas", "{bad} targets with damaged copies"),
        )
        .hint(text!("haga una copia completa: relevo mirror --full", "make a full copy: relevo mirror --full")));
    }
    Ok(json!({ "targets": results }))
}

fn get(session: &Session, store: &Store, name: &str, file: PathBuf, only: Option<&str>, plan: bool) -> Result<Value> {
    if file.exists() {
        let shown = file.display();
        return Err(Failure::refused("file_exists", text!("{shown} ya existe", "{shown} exists already")));
    }
    let copies: Vec<&Copies> = store.copies.iter().filter(|c| only.is_none_or(|name| c.name() == name)).collect();
    for target in copies {
        let listing = target.list()?;
        let Some(listed) = listing.copies.iter().find(|l| l.manifest.name == name) else { continue };
        if plan {
            target.verify(&listed.manifest, &session.watch())?;
            session.output.say(&text!("{name} está sana; no se escribió nada", "{name} is sound; nothing was written"));
            return Ok(json!({ "copy": name, "changed": false }));
        }
        let mut out = std::fs::File::create_new(&file)
            .map_err(|e| Failure::io(text!("no se pudo crear", "could not create"), &file, &e))?;
        let mut content = target.open(&listed.manifest)?;
        let copied = std::io::copy(&mut content, &mut out);
        if let Err(error) = copied {
            drop(out);
            let _ = std::fs::remove_file(&file);
            return Err(crate::targets::copies::read_failure(&listed.manifest, error));
        }
        let shown = file.display();
        session.output.say(&text!("{name} verificada y escrita en {shown}", "{name} verified and written to {shown}"));
        return Ok(json!({ "copy": name, "file": file, "bytes": listed.manifest.raw.bytes }));
    }
    Err(Failure::failed("no_such_copy", text!("no hay copia {name}", "there is no copy {name}"))
        .hint(text!("vea los nombres con: relevo target list", "see the names with: relevo target list")))
}

/// A target's name that relevo.toml does not have.
pub fn unknown_target(name: &str) -> Failure {
    Failure::invalid("unknown_target", text!("no hay destino {name}", "there is no target {name}"))
        .hint(text!("vea [targets] en relevo.toml", "see [targets] in relevo.toml"))
}
