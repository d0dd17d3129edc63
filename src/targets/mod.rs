//! Where copies are kept: a target stores named objects; copies, manifests and verification are built on top of it.

pub mod copies;
pub mod directory;
pub mod lines;
pub mod logged;
pub mod manifest;
pub mod memory;
mod read;
pub mod seal;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, TargetSection};
use crate::error::{Failure, Result};
use crate::model::Hash;
use crate::secrets::Secrets;
use crate::text;
use crate::world::{Label, World};

/// An object on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name; `/` separates folders.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was changed, as the place says, in a unit of its own; only compared for equality. `None`: the place does not say.
    pub changed: Option<u64>,
}

/// A place that keeps objects. Blocking; one object becomes visible whole or not at all.
pub trait Target: Send + Sync {
    /// Its name in relevo.toml.
    fn name(&self) -> &str;

    /// Checks that it can be reached, read and written.
    fn check(&self) -> Result<()>;

    /// Every object whose name begins with `prefix`, sorted by name. Partial objects are never listed.
    fn list(&self, prefix: &str) -> Result<Vec<Object>>;

    /// Writes an object: `write` produces its bytes; it becomes visible and durable only when `write` succeeded.
    fn put(&self, label: Label, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()>;

    /// Opens an object for reading.
    fn get(&self, name: &str) -> Result<Box<dyn Read>>;

    /// Removes an object; a missing one is no error.
    fn remove(&self, name: &str) -> Result<()>;
}

/// The targets of `[mirror]`, in their order. Secrets below `state` are read only when a sealed copy is opened.
/// Errors: `target_unknown`, `target_kind_not_available`.
pub fn open(config: &Config, state: &Path, world: &Arc<dyn World>) -> Result<Vec<copies::Copies>> {
    config.mirror.targets.iter().map(|name| open_one(config, name, state, world)).collect()
}

fn open_one(config: &Config, name: &str, state: &Path, world: &Arc<dyn World>) -> Result<copies::Copies> {
    let target: Box<dyn Target> = match config.targets.get(name) {
        Some(TargetSection::Dir { path }) => Box::new(directory::Directory::new(name, path, world.clone())),
        Some(TargetSection::Plugin { .. }) => {
            return Err(Failure::invalid(
                "target_kind_not_available",
                text!(
                    "el destino {name} es un complemento: llega en una versión posterior",
                    "target {name} is a plugin: that comes in a later version"
                ),
            )
            .hint(text!("use kind = \"dir\" en [targets.{name}]", "use kind = \"dir\" in [targets.{name}]")));
        }
        None => {
            return Err(Failure::invalid(
                "target_unknown",
                text!("[mirror] nombra el destino {name}, que no existe", "[mirror] names target {name}, which does not exist"),
            )
            .hint(text!("agregue [targets.{name}] a relevo.toml", "add [targets.{name}] to relevo.toml")));
        }
    };
    let identity = config.mirror.identity.clone().map(|reference| -> copies::Identity {
        let (state, world) = (state.to_owned(), world.clone());
        Box::new(move || Secrets::open(&state, world.clone())?.resolve(&reference))
    });
    let target = Box::new(logged::Logged::new(target));
    let memory = state.join(format!("known-{}.zst", Hash::of(name.as_bytes()).short()));
    let memory = memory::Memory::new(memory, world.clone());
    let mirror = &config.mirror;
    Ok(copies::Copies::new(target, &config.store.id, mirror.recipients.clone(), mirror.compression, identity).remembering(memory))
}
