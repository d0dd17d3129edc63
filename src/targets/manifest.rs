//! The form of a manifest on a target: what is written, and what is believed when it is read. Its fields: `model/manifest.rs`.

use std::io::{self, Read};

use serde_json::Value;

use crate::model::{CopyKind, ENGINES, Hash, Mark};
pub use crate::model::{Listed, Manifest, Sized, copy_name};
use crate::text;
use crate::text::Text;

/// A manifest is about 1 KiB; more than this is none.
const LIMIT: u64 = 64 * 1024;

/// The bytes of a manifest; one that is too large is cut after the limit, and [`decode`] refuses it.
pub(super) fn read(input: Box<dyn Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The manifest and, as its last key, `check`: the hash of the manifest without it. No other copy vouches for the newest one.
pub(super) fn encode(manifest: &Manifest) -> Vec<u8> {
    let mut value = serde_json::to_value(manifest).unwrap_or_default();
    let check = Hash::of(value.to_string().as_bytes());
    if let Value::Object(map) = &mut value {
        map.insert("check".to_owned(), Value::String(check.to_string()));
    }
    format!("{value:#}\n").into_bytes()
}

/// Understands a manifest; the reason why not is for people.
pub(super) fn decode(bytes: &[u8]) -> Result<Manifest, Text> {
    if bytes.len() as u64 > LIMIT {
        return Err(text!("el manifiesto es demasiado grande", "the manifest is too large"));
    }
    let unreadable =
        |error: serde_json::Error| text!("el manifiesto no se entiende: {error}", "the manifest cannot be understood: {error}");
    let mut value: Value = serde_json::from_slice(bytes).map_err(unreadable)?;
    if let Some(format) = value.get("format").filter(|format| **format != 1) {
        return Err(text!("formato {format} desconocido", "unknown format {format}"));
    }
    if let Value::Object(map) = &mut value {
        map.shift_remove("check");
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(unreadable)?;
    // One manifest has one form: whatever differs was not written by relevo.
    if encode(&manifest) != bytes {
        return Err(text!("el manifiesto fue alterado", "the manifest was altered"));
    }
    Ok(manifest)
}

/// Do kind, place in the chain and positions agree?
pub(super) fn check_parts(manifest: &Manifest) -> Result<(), Text> {
    let Manifest { database, epoch, sequence, kind, from, to, previous, .. } = manifest;
    // These words are shown on a terminal, and come from wherever the target is.
    let words = [Some(&manifest.at), Some(&manifest.engine), Some(&manifest.engine_version), manifest.reason.as_ref()];
    if words.into_iter().flatten().any(|word| word.len() > 200 || word.contains(char::is_control)) {
        return Err(text!("contiene texto que no es de una copia", "it holds text that no copy has"));
    }
    // A newer relevo elsewhere in the store: what this one does not know it must not apply, and not take for damage either.
    let (engine, version) = (&manifest.engine, &manifest.engine_version);
    if !ENGINES.contains(&(engine.as_str(), version.as_str())) {
        return Err(text!(
            "la hizo otra versión de relevo ({engine}, formato {version}); actualice relevo en este equipo",
            "another version of relevo made it ({engine}, format {version}); update relevo on this machine"
        ));
    }
    let own = |mark: &Mark| matches!(mark, Mark::Pages { .. }) == (engine == ENGINES[0].0);
    if !own(&to.mark) || from.as_ref().is_some_and(|from| !own(&from.mark)) {
        return Err(text!("las posiciones no son de ese motor", "the positions are not of that engine"));
    }
    if to.database != *database || from.as_ref().is_some_and(|from| from.database != *database) {
        return Err(text!("las posiciones son de otra base de datos", "the positions are those of another database"));
    }
    if *kind == CopyKind::Tail {
        return if from.is_none() && previous.is_none() {
            Ok(())
        } else {
            Err(text!("una cola no continúa otra copia", "a tail continues no copy"))
        };
    }
    if manifest.name != copy_name(*epoch, *sequence, *kind) {
        return Err(text!("el nombre no dice época, número y tipo", "the name does not say epoch, number and kind"));
    }
    if *sequence == 0 || to.epoch != *epoch || to.sequence != *sequence {
        return Err(text!("la posición final no es la de esta copia", "the end position is not that of this copy"));
    }
    match (kind, from, previous) {
        (CopyKind::Increment | CopyKind::Differential, Some(from), Some(_))
            if (from.epoch, from.sequence) < (*epoch, *sequence) =>
        {
            Ok(())
        }
        (CopyKind::Increment | CopyKind::Differential, ..) => {
            Err(text!("un incremento debe continuar la copia anterior", "an increment must continue the copy before it"))
        }
        (_, None, None) => Ok(()),
        _ => Err(text!("una copia completa no continúa otra copia", "a full copy continues no copy")),
    }
}
