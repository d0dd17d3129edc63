//! `relevo secret`: values that relevo.toml refers to as `secret:NAME`. They come from a terminal or standard input.

use std::io::Read;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Failure, Result};
use crate::secrets::Secrets;
use crate::text;
use crate::text::Lang;

/// Arguments of `relevo secret`.
#[derive(Args)]
pub struct SecretCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Store a value, read from the terminal without echo or from standard input
    Set {
        /// Its name
        name: String,
        /// Check the name, store nothing
        #[arg(long)]
        plan: bool,
    },
    /// Names of the stored values
    List,
    /// Forget a value
    Remove {
        /// Its name
        name: String,
        /// Show whether there is one, remove nothing
        #[arg(long)]
        plan: bool,
    },
}

/// Sets, lists or removes.
pub fn main(session: &Session, arguments: &SecretCommand) -> u8 {
    session.output.finish("secret", None, secret(session, arguments))
}

fn secret(session: &Session, arguments: &SecretCommand) -> Result<Value> {
    let mut secrets = Secrets::open(&session.dir.join("state"), session.world.clone())?;
    match &arguments.what {
        What::Set { name, plan: true } => {
            secrets.check_name(name)?;
            session.output.say(&text!("se guardaría el secreto {name}", "the secret {name} would be stored"));
        }
        What::Set { name, .. } => {
            secrets.set(name, &value(session)?)?;
            session.output.say(&text!("secreto {name} guardado", "secret {name} stored"));
        }
        What::List => {
            for name in secrets.names() {
                session.output.line(name);
            }
        }
        What::Remove { name, plan: true } => {
            secrets.resolve(&format!("secret:{name}"))?;
            session.output.say(&text!("se borraría el secreto {name}", "the secret {name} would be removed"));
        }
        What::Remove { name, .. } => {
            secrets.remove(name)?;
            session.output.say(&text!("secreto {name} borrado", "secret {name} removed"));
        }
    }
    Ok(json!({ "names": secrets.names() }))
}

fn value(session: &Session) -> Result<String> {
    use std::io::IsTerminal;
    let failed = |e: std::io::Error| {
        Failure::failed("secret_unreadable", text!("no se pudo leer el valor", "could not read the value")).cause(e)
    };
    let value = if std::io::stdin().is_terminal() {
        let prompt = match session.output.lang {
            Lang::Es => "Valor: ",
            Lang::En => "Value: ",
        };
        rpassword::prompt_password(prompt).map_err(failed)?
    } else {
        let mut text = String::new();
        std::io::stdin().take(64 << 10).read_to_string(&mut text).map_err(failed)?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    };
    if value.is_empty() {
        return Err(Failure::refused("secret_empty", text!("el valor está vacío", "the value is empty")));
    }
    Ok(value)
}
