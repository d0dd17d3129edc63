//! The person in front of the machine: questions, and the proof that an authorised person gives the word.
//!
//! Authorised is who knows the store PIN (argon2id hash in state/pin.json, set by `setup`) or runs as administrator. The PIN
//! comes from a terminal or a file descriptor, never from an argument; it is never logged or journaled.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};

use crate::error::{Exit, Failure, Result};
use crate::model::kept;
use crate::text;
use crate::text::Lang;
use crate::world::{self, Label, World};

/// The person, or nobody.
pub struct Operator {
    /// Their language.
    pub lang: Lang,
    /// `--json` or no terminal: nobody can be asked.
    pub interactive: bool,
    /// What `--pin-fd` brought.
    pin: Mutex<Option<String>>,
}

impl Operator {
    /// The person at this terminal, if it is one; `quiet` = nobody is to be asked (`--json`).
    pub fn new(lang: Lang, quiet: bool) -> Self {
        let interactive = !quiet && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Operator { lang, interactive, pin: Mutex::new(None) }
    }

    /// Takes the PIN from an inherited file descriptor (0 = standard input).
    pub fn read_pin(&self, fd: i32) -> Result<()> {
        let line = line_from(fd)?;
        if let Ok(mut pin) = self.pin.lock() {
            *pin = Some(line);
        }
        Ok(())
    }

    /// Asks yes or no; without a person the answer is no.
    pub fn confirm(&self, question: &str) -> bool {
        if !self.interactive {
            return false;
        }
        let choices = match self.lang {
            Lang::Es => "[s/N]",
            Lang::En => "[y/N]",
        };
        let mut screen = std::io::stderr();
        let _ = write!(screen, "{question} {choices} ").and_then(|()| screen.flush());
        let mut answer = String::new();
        if std::io::stdin().read_line(&mut answer).is_err() {
            return false;
        }
        matches!(answer.trim().to_lowercase().as_str(), "s" | "si" | "sí" | "y" | "yes")
    }

    /// Who gives the word, if an authorised person does: by PIN, or as administrator. Asks on a terminal.
    pub fn authorise(&self, state: &Path) -> Result<Option<String>> {
        if world::is_administrator() {
            return Ok(Some(format!("{} (administrator)", user_name())));
        }
        let given = self.pin.lock().ok().and_then(|pin| pin.clone());
        let pin = match given {
            Some(pin) => pin,
            None if self.interactive => {
                let prompt = match self.lang {
                    Lang::Es => "PIN de la sucursal: ",
                    Lang::En => "Store PIN: ",
                };
                rpassword::prompt_password(prompt).unwrap_or_default()
            }
            None => return Ok(None),
        };
        Ok(check_pin(state, &pin)?.then(|| format!("{} (PIN)", user_name())))
    }
}

/// One line from an inherited file descriptor, without its end.
pub fn line_from(fd: i32) -> Result<String> {
    let unreadable = |e: std::io::Error| {
        Failure::new(
            Exit::Usage,
            "pin_unreadable",
            text!("no se pudo leer del descriptor {fd}", "could not read from descriptor {fd}"),
        )
        .cause(e)
    };
    let mut line = String::new();
    std::io::BufReader::new(world::inherited_fd(fd).map_err(unreadable)?).read_line(&mut line).map_err(unreadable)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Name of the person's account, for the journal.
fn user_name() -> String {
    ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "?".to_owned())
}

/// Sets the store PIN: at least four characters.
pub fn set_pin(world: &dyn World, state: &Path, pin: &str) -> Result<()> {
    if pin.chars().count() < 4 {
        return Err(Failure::refused(
            "pin_too_short",
            text!("el PIN necesita al menos cuatro caracteres", "the PIN needs at least four characters"),
        ));
    }
    let hash = argon2::Argon2::default()
        .hash_password(pin.as_bytes())
        .map_err(|e| Failure::failed("pin", text!("no se pudo guardar el PIN", "could not store the PIN")).cause(e))?;
    let path = state.join("pin.json");
    let body = kept::encode(&serde_json::json!({ "argon2id": hash.to_string() }));
    world
        .write_file(Label::StateWrite, &path, &body)
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
}

/// Is this the store PIN? An error where none was ever set.
fn check_pin(state: &Path, pin: &str) -> Result<bool> {
    let no_pin = || {
        Failure::refused("no_pin", text!("esta sucursal no tiene PIN", "this store has no PIN"))
            .hint(text!("póngalo con: relevo setup --set-pin", "set it with: relevo setup --set-pin"))
    };
    let path = state.join("pin.json");
    let Some(body) =
        world::read_if_there(&path).map_err(|e| Failure::io(text!("no se pudo leer", "could not read"), &path, &e))?
    else {
        return Err(no_pin());
    };
    // Nobody is let in by a damaged file, and nobody is told that no PIN was ever set.
    let damaged = || {
        let shown = path.display();
        Failure::refused("pin_damaged", text!("{shown} está dañado", "{shown} is damaged"))
            .hint(text!("ponga el PIN otra vez: relevo setup --set-pin", "set the PIN again: relevo setup --set-pin"))
    };
    let value: serde_json::Value = kept::decode(&body).map_err(|e| damaged().cause(e))?;
    let hash = value["argon2id"].as_str().ok_or_else(damaged)?;
    let hash = PasswordHash::new(hash).map_err(|e| damaged().cause(e))?;
    Ok(argon2::Argon2::default().verify_password(pin.as_bytes(), &hash).is_ok())
}
