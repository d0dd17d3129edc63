//! `relevo setup`: CONFIGURACIÓN, through setup.rhai; and the store PIN.

use clap::Args;
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Failure, Result};
use crate::model::{Role, Severity};
use crate::operator;
use crate::store::Store;
use crate::text;
use crate::text::Lang;

/// Arguments of `relevo setup`.
#[derive(Args)]
pub struct Setup {
    /// Instance of the main server (default: relevo.toml)
    #[arg(long, value_name = "INSTANCE")]
    main: Option<String>,
    /// Instance of the backup server (default: relevo.toml)
    #[arg(long, value_name = "INSTANCE")]
    backup: Option<String>,
    /// Date until which the backup server is authorised (VecBak.txt)
    #[arg(long, value_name = "YYYY-MM-DD")]
    valid_until: Option<String>,
    /// Set the store PIN of this machine, from the terminal
    #[arg(long)]
    set_pin: bool,
    /// Set the store PIN, read from a file descriptor
    #[arg(long, value_name = "N")]
    new_pin_fd: Option<i32>,
    /// Show what it would do, change nothing
    #[arg(long)]
    plan: bool,
}

/// Runs it.
pub fn main(session: &Session, arguments: &Setup) -> u8 {
    let (id, outcome) = match session.store() {
        Err(failure) => (None, Err(failure)),
        Ok(store) => {
            let section = |side| store.config.server(side).instance.clone();
            let args = match store.config.machine.role {
                Role::Main => json!({
                    "main": arguments.main.clone().unwrap_or_else(|| section(crate::model::Side::Main)),
                    "backup": arguments.backup.clone().unwrap_or_else(|| section(crate::model::Side::Backup)),
                    "valid_until": arguments.valid_until,
                }),
                _ => json!({}),
            };
            if let Err(failure) = unfit(&store) {
                (None, Err(failure))
            } else if arguments.plan {
                (None, session.plan(&store, "setup", "setup", args))
            } else {
                match pin(session, &store, arguments) {
                    Err(failure) => (None, Err(failure)),
                    Ok(()) => {
                        let ran = session.run(&store, "setup", "setup", args);
                        (ran.id, ran.outcome)
                    }
                }
            }
        }
    };
    if outcome.is_ok() && !arguments.plan {
        session
            .output
            .say(&text!("Configuración lista. Compruébela con: relevo doctor", "Setup done. Check it with: relevo doctor"));
    }
    session.output.finish("setup", id.map(|id| id.to_string()), outcome.map(named))
}

/// Refuses where the servers lack what relevo cannot do without: the worst comes first, all others are its causes.
fn unfit(store: &Store) -> Result<()> {
    if store.config.machine.role == Role::Till {
        return Ok(());
    }
    let mut errors = store.findings().into_iter().filter(|found| found.severity == Severity::Error);
    let Some(first) = errors.next() else { return Ok(()) };
    let side = first.side.text();
    let failure = Failure::refused(first.code, text!("@: @", "@: @").fill(&side).fill(&first.message)).hint(first.remedy);
    Err(errors.fold(failure, |failure, found| failure.cause(format!("{}: {}: {}", found.code, found.side, found.message.en))))
}

/// The result of a script is any value; `--json` wants keys.
fn named(value: Value) -> Value {
    if value.is_object() { value } else { json!({ "result": value }) }
}

/// Sets the store PIN. The first one is set by whoever sets the store up; a later one takes an authorised person.
fn pin(session: &Session, store: &Store, arguments: &Setup) -> Result<()> {
    let new = match arguments.new_pin_fd {
        Some(fd) => Some(operator::line_from(fd)?),
        None if arguments.set_pin => Some(ask_new_pin(session.output.lang)?),
        None => None,
    };
    let Some(new) = new else { return Ok(()) };
    if store.state.join("pin.json").exists() && store.operator.authorise(&store.state)?.is_none() {
        return Err(Failure::refused(
            "needs_authorisation",
            text!("cambiar el PIN requiere a una persona autorizada", "changing the PIN takes an authorised person"),
        )
        .hint(text!(
            "dé el PIN actual con --pin-fd N, o ejecute como administrador",
            "give the current PIN with --pin-fd N, or run as administrator"
        )));
    }
    operator::set_pin(store.world.as_ref(), &store.state, &new)
}

fn ask_new_pin(lang: Lang) -> Result<String> {
    let failed =
        |e: std::io::Error| Failure::failed("pin_unreadable", text!("no se pudo leer el PIN", "could not read the PIN")).cause(e);
    let prompts = match lang {
        Lang::Es => ["PIN nuevo: ", "Otra vez: "],
        Lang::En => ["New PIN: ", "Again: "],
    };
    let first = rpassword::prompt_password(prompts[0]).map_err(failed)?;
    if first != rpassword::prompt_password(prompts[1]).map_err(failed)? {
        return Err(Failure::refused("pin_differs", text!("los dos PIN no son iguales", "the two PINs differ")));
    }
    Ok(first)
}
