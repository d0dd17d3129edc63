//! Any bytes as the small files beside a database and below state/. What is believed has one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relevo::model::{EpochRecord, Intent, Position, RunId, kept};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = kept::decode::<EpochRecord>(bytes) {
        assert_eq!(kept::decode::<EpochRecord>(&kept::encode(&record)).unwrap(), record);
    }
    if let Ok(intent) = kept::decode::<Intent>(bytes) {
        assert_eq!(kept::decode::<Intent>(&kept::encode(&intent)).unwrap(), intent);
    }
    let _ = kept::decode::<Position>(bytes);
    let _ = kept::decode::<serde_json::Value>(bytes);
    let _ = std::str::from_utf8(bytes).map(|words| words.parse::<RunId>());
});
