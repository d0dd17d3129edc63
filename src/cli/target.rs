//! `relevo target`: the copies on the targets of this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::output::age;
use super::session::Session;
use crate::error::{Failure, Result};
use crate::model::Manifest;
use crate::steps::{mirror, standby};
use crate::store::Store;
use crate::targets::copies::Listing;
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
        What::List if session.output.json => {
            let listings = store.copies.iter().map(|copies| Ok((copies.name(), copies.list()?))).collect::<Result<Vec<_>>>()?;
            Ok(Done::Said(object(session, &listings)))
        }
        What::List => list(session, &store).map(Done::Object),
        What::Verify { target } => verify(session, &store, target.as_deref()).map(Done::Object),
        What::Get { copy, file, target, plan } => {
            get(session, &store, copy, file.clone(), target.as_deref(), *plan).map(Done::Object)
        }
    });
    match outcome {
        Ok(Done::Said(code)) => code,
        Ok(Done::Object(value)) => session.output.finish("target", None, Ok(value)),
        Err(failure) => session.output.finish("target", None, Err(failure)),
    }
}

enum Done {
    /// Its object is still to be printed.
    Object(Value),
    /// It is printed; the exit code.
    Said(u8),
}

/// Ten thousand manifests are printed as they stand.
fn object(session: &Session, listings: &[(&str, Listing)]) -> u8 {
    #[derive(Serialize)]
    struct Targets<'a> {
        targets: Vec<Target<'a>>,
    }
    #[derive(Serialize)]
    struct Target<'a> {
        name: &'a str,
        copies: Vec<&'a Manifest>,
        damaged: Vec<Value>,
    }
    let lang = session.output.lang;
    let mut targets = Vec::new();
    for (name, listing) in listings {
        let copies = listing.copies.iter().map(|listed| &listed.manifest).collect();
        let damaged = listing.damaged.iter().map(|d| json!({ "name": d.name, "reason": d.reason.get(lang) })).collect();
        targets.push(Target { name, copies, damaged });
    }
    session.output.finish_whole("target", None, &Targets { targets })
}

fn list(session: &Session, store: &Store) -> Result<Value> {
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
    }
    Ok(Value::Null)
}

fn verify(session: &Session, store: &Store, only: Option<&str>) -> Result<Value> {
    let watch = session.watch();
    let mut results = Vec::new();
    let mut bad = 0;
    for copies in mirror::chosen(store, only)? {
        let result = standby::verify_target(store, copies.name(), &watch)?;
        let (name, read) = (copies.name(), &result["copies"]);
        let last = result["age_s"].as_u64().map(age);
        if let (true, Some(age)) = (result["ok"] == true, last) {
            session.output.say(&text!(
                "{name}: sano ({read} copias; la última, de hace {age})",
                "{name}: sound ({read} copies; the last {age} old)"
            ));
        } else if result["ok"] == true && *read != 0 {
            session.output.say(&text!(
                "{name}: sano ({read} copias; edad desconocida, reloj dudoso)",
                "{name}: sound ({read} copies; age unknown, clock unsure)"
            ));
        } else if result["ok"] == true {
            session.output.say(&text!("{name}: todavía no hay copias", "{name}: there are no copies yet"));
        } else {
            bad += 1;
            for problem in result["problems"].as_array().into_iter().flatten() {
                session.output.line(format!("{name}: ✗ {}", problem.as_str().unwrap_or_default()));
            }
        }
        results.push(result);
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
    for target in mirror::chosen(store, only)? {
        let listing = target.list()?;
        let Some(listed) = listing.copy(name) else { continue };
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
