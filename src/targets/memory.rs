//! Manifests that this machine has read before: a mirror of ten thousand copies does not open ten thousand files on a share that
//! answers slowly. A manifest is only taken from here while its file has the same size and time of change, and of these some are read
//! again every time, others each time, so that silent rot is found too. Only a help: where it is damaged or gone, all is read.
//! Must never be asked where the post changes hands or copies are examined (promote, restore, `target`).

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Listed, Manifest};
use crate::world::{Label, World, read_if_there};

/// So many known manifests are read again each time, and one in [`SHARE`] of them if that is more: a small shop reads all.
const LEAST: usize = 64;
const SHARE: usize = 32;
/// It is written again when so many manifests were new; fewer are cheaper to read than all are to write.
const WORTH: usize = 16;
/// Of this version of relevo only: another may believe other manifests.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A manifest as it was read, and what its file looked like.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) size: u64,
    pub(super) changed: u64,
    pub(super) listed: Remembered,
}

/// [`Listed`] in a form that can be kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered {
    hash: crate::model::Hash,
    manifest: Manifest,
}

impl From<&Listed> for Remembered {
    fn from(listed: &Listed) -> Self {
        Remembered { hash: listed.hash, manifest: listed.manifest.clone() }
    }
}

impl From<Remembered> for Listed {
    fn from(kept: Remembered) -> Self {
        Listed { manifest: kept.manifest, hash: kept.hash }
    }
}

/// What is known of a target, by the name of the manifest's object.
pub(super) type Known = BTreeMap<String, Entry>;

/// Where it is kept on this machine.
pub struct Memory {
    path: PathBuf,
    world: Arc<dyn World>,
}

impl Memory {
    /// In this file.
    pub fn new(path: PathBuf, world: Arc<dyn World>) -> Memory {
        Memory { path, world }
    }

    /// What is known of the copies of `store`, without those that are to be read again; and how many these are.
    pub(super) fn load(&self, store: &str) -> (Known, usize) {
        let mut known = self.read(store).unwrap_or_default();
        let all = known.len();
        forget_some(&mut known, random());
        let again = all - known.len();
        (known, again)
    }

    fn read(&self, store: &str) -> io::Result<Known> {
        let Some(bytes) = read_if_there(&self.path)? else { return Ok(Known::new()) };
        let mut lines = BufReader::new(zstd::stream::read::Decoder::new(bytes.as_slice())?).lines();
        if lines.next().transpose()?.is_none_or(|head| head != self.head(store)) {
            return Ok(Known::new());
        }
        // The frame's checksum is compared at its end: a flipped bit makes all of it unknown.
        lines.map(|line| Ok(serde_json::from_str::<(String, Entry)>(&line?)?)).collect()
    }

    /// Keeps what was read, where enough of it was new. It is only a help: a failure is said in the log.
    pub(super) fn keep(&self, store: &str, known: &Known, new: usize) {
        if new < WORTH {
            return;
        }
        let kept = self.encoded(store, known).and_then(|bytes| self.world.write_file(Label::StateWrite, &self.path, &bytes));
        if let Err(error) = kept {
            tracing::warn!(%error, path = %self.path.display(), "the memory of manifests");
        }
    }

    fn encoded(&self, store: &str, known: &Known) -> io::Result<Vec<u8>> {
        let mut out = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
        out.include_checksum(true)?;
        writeln!(out, "{}", self.head(store))?;
        for entry in known {
            writeln!(out, "{}", serde_json::to_string(&entry)?)?;
        }
        out.finish()
    }

    fn head(&self, store: &str) -> String {
        serde_json::json!([VERSION, store]).to_string()
    }
}

/// Takes out a share of neighbours from a place by chance.
fn forget_some(known: &mut Known, chance: usize) {
    let again = LEAST.max(known.len() / SHARE);
    if again >= known.len() {
        return known.clear();
    }
    let from = chance % known.len();
    let names: Vec<String> = known.keys().cycle().skip(from).take(again).cloned().collect();
    names.iter().for_each(|name| drop(known.remove(name)));
}

/// No decision hangs on it.
fn random() -> usize {
    usize::try_from(uuid::Uuid::now_v7().as_u128() & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CopyKind, DatabaseId, Epoch, Hash, Mark, Position, Sized, copy_name};

    fn known(count: u64) -> Known {
        let database = DatabaseId(uuid::Uuid::from_u128(7));
        let hash = Hash::of(b"x");
        let entry = |n: u64| {
            let name = copy_name(Epoch(1), n, CopyKind::Full);
            let manifest = Manifest {
                format: 1,
                object: format!("s1/{name}.zst"),
                name: name.clone(),
                store: "s1".to_owned(),
                database,
                epoch: Epoch(1),
                sequence: n,
                kind: CopyKind::Full,
                engine: "embedded".to_owned(),
                engine_version: "1".to_owned(),
                from: None,
                to: Position { database, epoch: Epoch(1), sequence: n, mark: Mark::Pages { root: hash } },
                at: "2024-05-01T10:00:00-06:00".to_owned(),
                raw: Sized { bytes: 1, hash },
                stored: Sized { bytes: 1, hash },
                encrypted: false,
                previous: None,
                last_folio: None,
                reason: None,
            };
            (format!("s1/{name}.json"), Entry { size: n, changed: n, listed: Remembered { hash, manifest } })
        };
        (1..=count).map(entry).collect()
    }

    #[test]
    fn every_manifest_is_read_again_sooner_or_later() {
        let all: Vec<String> = known(1000).into_keys().collect();
        let mut seen = std::collections::BTreeSet::new();
        for chance in (0..1000).step_by(40) {
            let mut known = known(1000);
            forget_some(&mut known, chance);
            assert_eq!(known.len(), 1000 - LEAST);
            seen.extend(all.iter().filter(|name| !known.contains_key(*name)));
        }
        assert_eq!(seen.len(), 1000);
        let mut small = known(LEAST as u64);
        forget_some(&mut small, 5);
        assert!(small.is_empty(), "a small shop reads all, every time");
        let mut large = known(6400);
        forget_some(&mut large, 6399);
        assert_eq!(large.len(), 6200);
    }

    #[test]
    fn what_is_kept_comes_back_and_a_flipped_bit_makes_it_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/known.zst");
        let memory = Memory::new(path.clone(), crate::world::real());
        assert!(memory.read("s1").unwrap().is_empty());
        memory.keep("s1", &known(300), WORTH - 1);
        assert!(!path.exists());
        memory.keep("s1", &known(300), WORTH);
        let back = memory.read("s1").unwrap();
        assert_eq!(back.len(), 300);
        let (mine, theirs) = (known(300), serde_json::to_string(&back).unwrap());
        assert_eq!(serde_json::to_string(&mine).unwrap(), theirs);
        assert!(memory.read("s2").unwrap().is_empty());
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(37) {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&path, bad).unwrap();
            // Bytes that mean nothing (a header's unused bit) may change; what comes back then is what was kept.
            let back = memory.read("s1").unwrap_or_default();
            assert!(back.is_empty() || serde_json::to_string(&back).unwrap() == theirs, "byte {at}");
        }
    }
}
