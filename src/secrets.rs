//! Secrets of a store directory: state/secrets.json, readable by its owner only and, on Windows, sealed for this machine.
//! relevo.toml refers to one as `secret:NAME`; values never come from a command line and never go into a log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};
use crate::model::kept;
use crate::text;
use crate::world::{self, Label, World};

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    secrets: BTreeMap<String, String>,
}

/// What a file holds. One of an older relevo is a bare map of names.
fn sealed_in(body: &[u8]) -> Result<BTreeMap<String, String>, String> {
    match kept::decode::<Kept>(body) {
        Ok(file) => Ok(file.secrets),
        Err(error) => serde_json::from_slice(body).map_err(|_| error),
    }
}

/// The stored secrets.
pub struct Secrets {
    path: PathBuf,
    world: Arc<dyn World>,
    /// Name → protected bytes, in hex.
    sealed: BTreeMap<String, String>,
}

impl Secrets {
    /// Opens them; a missing file holds none.
    pub fn open(state: &Path, world: Arc<dyn World>) -> Result<Secrets> {
        let path = state.join("secrets.json");
        let sealed = match std::fs::read(&path) {
            Ok(body) => sealed_in(&body).map_err(|e| damaged(&path).cause(e))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(Failure::io(text!("no se pudo leer", "could not read"), &path, &e)),
        };
        Ok(Secrets { path, world, sealed })
    }

    /// Fails where a secret cannot have this name.
    pub fn check_name(&self, name: &str) -> Result<()> {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if plain {
            return Ok(());
        }
        Err(Failure::refused("secret_name", text!("nombre no válido: «{name}»", "not a valid name: \"{name}\""))
            .hint(text!("use letras, números, - _ .", "use letters, digits, - _ .")))
    }

    /// Stores a value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.check_name(name)?;
        let sealed = world::protect(value.as_bytes()).map_err(|e| {
            Failure::io(text!("no se pudo proteger el secreto en", "could not protect the secret in"), &self.path, &e)
        })?;
        self.sealed.insert(name.to_owned(), sealed.iter().map(|byte| format!("{byte:02x}")).collect());
        self.save()
    }

    /// Forgets one.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        if self.sealed.remove(name).is_none() {
            return Err(no_such(name));
        }
        self.save()
    }

    /// Their names.
    pub fn names(&self) -> Vec<&String> {
        self.sealed.keys().collect()
    }

    /// The value that a reference `secret:NAME` means.
    pub fn resolve(&self, reference: &str) -> Result<String> {
        let name = reference.strip_prefix("secret:").ok_or_else(|| {
            Failure::invalid(
                "not_a_reference",
                text!("se esperaba secret:NOMBRE, no el secreto mismo", "expected secret:NAME, not the secret itself"),
            )
            .hint(text!(
                "guárdelo con relevo secret set NOMBRE y escriba secret:NOMBRE",
                "store it with relevo secret set NAME and write secret:NAME"
            ))
        })?;
        let hex = self.sealed.get(name).ok_or_else(|| no_such(name))?;
        let bytes: Option<Vec<u8>> =
            (0..hex.len()).step_by(2).map(|i| hex.get(i..i + 2).and_then(|byte| u8::from_str_radix(byte, 16).ok())).collect();
        let bytes = world::unprotect(&bytes.ok_or_else(|| damaged(&self.path))?).map_err(|e| damaged(&self.path).cause(e))?;
        String::from_utf8(bytes).map_err(|_| damaged(&self.path))
    }

    fn save(&self) -> Result<()> {
        let body = kept::encode(&Kept { secrets: self.sealed.clone() });
        world::write_private(self.world.as_ref(), Label::StateWrite, &self.path, &body)
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &self.path, &e))
    }
}

fn no_such(name: &str) -> Failure {
    Failure::invalid("no_such_secret", text!("no hay secreto {name} en este equipo", "there is no secret {name} on this machine"))
        .hint(text!("guárdelo con: relevo secret set {name}", "store it with: relevo secret set {name}"))
}

fn damaged(path: &Path) -> Failure {
    let shown = path.display();
    Failure::failed(
        "secrets_damaged",
        text!("no se pueden leer los secretos de {shown}", "the secrets in {shown} cannot be read"),
    )
    .hint(text!("guárdelos otra vez con: relevo secret set", "store them again with: relevo secret set"))
}
