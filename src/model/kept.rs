//! The form of the small JSON files that relevo keeps beside a database and below state/: one object in compact form whose last
//! key, `check`, is the hash of the object without it, and a line feed. A flipped bit that still is JSON ("epoch":1 that became 3)
//! is damage all the same. Files of an older relevo have no `check`: they are read as they were. Docs: docs/journal.md.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::Hash;

const CHECK: &str = "check";

/// The bytes of a file that keeps `value`, which is an object.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    sealed(serde_json::to_value(value).unwrap_or_default())
}

fn sealed(mut value: Value) -> Vec<u8> {
    let check = Hash::of(value.to_string().as_bytes());
    if let Value::Object(map) = &mut value {
        map.insert(CHECK.to_owned(), Value::String(check.to_string()));
    }
    format!("{value}\n").into_bytes()
}

/// What a file keeps, or why it cannot be believed.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let checked = match &mut value {
        Value::Object(map) => map.shift_remove(CHECK).is_some(),
        _ => false,
    };
    if checked && sealed(value.clone()) != bytes {
        return Err("its check does not agree with it".to_owned());
    }
    let kept: T = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
    // A damaged `check` is a key that nothing knows: without this it would pass for a file of an older relevo.
    if let (false, Value::Object(found), Ok(Value::Object(known))) = (checked, &value, serde_json::to_value(&kept))
        && let Some(strange) = found.keys().find(|key| !known.contains_key(*key))
    {
        return Err(format!("unknown key {strange:?}"));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{DatabaseId, Epoch, EpochRecord, Intent, RunId, Side};

    fn record(epoch: u64) -> EpochRecord {
        let database = Some(DatabaseId(uuid::Uuid::from_u128(7)));
        EpochRecord { database, epoch: Epoch(epoch), holder: Side::Backup, run: Some(RunId::new()), awaiting_start: false }
    }

    #[test]
    fn what_is_kept_is_read_and_the_older_form_too() {
        let record = record(2);
        assert_eq!(decode::<EpochRecord>(&encode(&record)).unwrap(), record);
        assert_eq!(decode::<EpochRecord>(&serde_json::to_vec(&record).unwrap()).unwrap(), record);
    }

    /// Every bit of every byte; cut at every length; appended to itself; zeroed.
    #[test]
    fn no_damage_passes() {
        let bytes = encode(&record(2));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(decode::<EpochRecord>(&damaged).is_err(), "{}", String::from_utf8_lossy(&damaged));
            }
            assert!(decode::<EpochRecord>(&bytes[..at]).is_err(), "{at}");
        }
        assert!(decode::<EpochRecord>(&[&bytes[..], &bytes].concat()).is_err());
        assert!(decode::<EpochRecord>(&vec![0; bytes.len()]).is_err());
        let intent = Intent { run: RunId::new(), to: Side::Backup, epoch: Epoch(2) };
        assert!(decode::<EpochRecord>(&encode(&intent)).is_err(), "another file's content");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>, text in "\\{\"(check|epoch|holder)\":.{0,40}\\}") {
            let _ = (decode::<EpochRecord>(&bytes), decode::<EpochRecord>(text.as_bytes()));
        }

        #[test]
        fn print_then_parse_is_the_same(epoch: u64, awaiting_start: bool, id: u128) {
            let database = Some(DatabaseId(uuid::Uuid::from_u128(id)));
            let record = EpochRecord { database, epoch: Epoch(epoch), holder: Side::Main, run: None, awaiting_start };
            prop_assert_eq!(decode::<EpochRecord>(&encode(&record)).unwrap(), record);
        }
    }
}
