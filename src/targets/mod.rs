//! Where copies are kept: a target stores named objects; copies, manifests and verification are built on top of it.

pub mod copies;
pub mod directory;
pub mod manifest;
pub mod seal;

use std::io::{Read, Write};

use crate::error::Result;
use crate::world::Label;

/// An object on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name; `/` separates folders.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
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
