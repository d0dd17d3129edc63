//! What lies on the targets, asked once per verb: a share that answers slowly may hold ten thousand copies. Whoever adds a copy
//! meanwhile says so. Must never be kept longer than its verb.

use crate::error::{Failure, Result};
use crate::model::{Listed, Manifest, Position};
use crate::store::Store;
use crate::targets::copies::{Copies, Listing};
use crate::text;

/// A target and what lies on it, or why it could not be listed.
pub struct Seen<'a> {
    /// The target.
    pub copies: &'a Copies,
    /// What lies there.
    pub listing: Result<Listing>,
}

impl Seen<'_> {
    /// What lies there, where that is known.
    pub fn known(&self) -> Option<&Listing> {
        self.listing.as_ref().ok()
    }

    /// Takes in a copy that was put there since.
    pub fn add(&mut self, listed: Listed) {
        if let Ok(listing) = &mut self.listing {
            listing.add(listed);
        }
    }
}

/// Lists every target of the store, in the order of the settings.
pub fn survey(store: &Store) -> Vec<Seen<'_>> {
    store.copies.iter().map(|copies| Seen { copies, listing: copies.list() }).collect()
}

/// The same for a mirror, which asks every few minutes: most manifests come from memory.
pub fn survey_known(store: &Store) -> Vec<Seen<'_>> {
    store.copies.iter().map(|copies| Seen { copies, listing: copies.list_known(true) }).collect()
}

/// Index of the first target that could be listed, of all or of the one of this name: copies are made there and put on the others
/// from it.
pub fn first_in_reach(all: &[Seen<'_>], only: Option<&str>) -> Result<usize> {
    let mut trouble = None;
    for (at, seen) in all.iter().enumerate().filter(|(_, seen)| only.is_none_or(|name| name == seen.copies.name())) {
        match &seen.listing {
            Ok(_) => return Ok(at),
            Err(failure) => trouble = trouble.or(Some(failure.clone())),
        }
    }
    Err(trouble.unwrap_or_else(|| {
        Failure::invalid("no_target", text!("no hay destinos en [mirror] targets", "there are no targets in [mirror] targets"))
    }))
}

/// The copy that ends at a position.
pub fn manifest_of<'a>(all: &'a [Seen<'_>], position: &Position) -> Option<&'a Manifest> {
    let copies = all.iter().filter_map(Seen::known).flat_map(|listing| &listing.copies);
    copies.map(|listed| &listed.manifest).find(|manifest| manifest.to == *position)
}
