//! The manifest of a copy: JSON, written last, the commit marker. A copy without one does not exist. Format: docs/copies.md.

use serde::{Deserialize, Serialize};

use crate::model::{CopyKind, DatabaseId, Epoch, Hash, Position};

/// The manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of this manifest: 1.
    pub format: u32,
    /// Name of the copy, without folder and ending: sorts by epoch and sequence.
    pub name: String,
    /// Store id.
    pub store: String,
    /// Which database.
    pub database: DatabaseId,
    /// Epoch it was made in.
    pub epoch: Epoch,
    /// Number in its epoch, from 1.
    pub sequence: u64,
    /// Full, increment or tail.
    pub kind: CopyKind,
    /// "embedded" or "sqlserver".
    pub engine: String,
    /// Version of the engine's artefact format.
    pub engine_version: String,
    /// Where it starts; `None` for a full copy or a tail.
    pub from: Option<Position>,
    /// Where it ends.
    pub to: Position,
    /// When it was made, for people (RFC 3339 with offset).
    pub at: String,
    /// Name of the object with the content.
    pub object: String,
    /// Bytes and hash of the raw artefact.
    pub raw: Sized,
    /// Bytes and hash of the object as stored.
    pub stored: Sized,
    /// Sealed with age.
    pub encrypted: bool,
    /// Hash of the manifest of the copy before it in the chain (its exact bytes); `None` for a full copy or a tail.
    pub previous: Option<Hash>,
    /// Highest folio it holds, where known.
    pub last_folio: Option<i64>,
    /// Why a full copy was made.
    pub reason: Option<String>,
}

/// The engines whose artefacts this program makes and applies, and the version of their format (docs/copies.md).
pub const ENGINES: [(&str, &str); 2] = [("embedded", "1"), ("sqlserver", "1")];

/// Length and hash of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sized {
    /// Bytes.
    pub bytes: u64,
    /// BLAKE3.
    pub hash: Hash,
}

/// A manifest as it lies on a target, with the hash of its exact bytes (what the next copy's `previous` names).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The manifest.
    pub manifest: Manifest,
    /// Hash of its bytes.
    pub hash: Hash,
}

/// The name of a copy: sorts by epoch and sequence.
pub fn copy_name(epoch: Epoch, sequence: u64, kind: CopyKind) -> String {
    format!("e{epoch:06}-s{sequence:08}-{kind}", epoch = epoch.0)
}
