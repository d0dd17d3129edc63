//! Any lines as the events of a run: legal or refused, never a panic, and what is refused changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relevo::journal::{Event, Log};
use relevo::model::RunId;
use relevo::script::Bundle;

fuzz_target!(|bytes: &[u8]| {
    let mut log = Log::new(RunId::new());
    for line in bytes.split(|b| *b == b'\n') {
        if let Ok(event) = serde_json::from_slice::<Event>(line) {
            let before = format!("{log:?}");
            match log.push(&event) {
                Ok(()) => {
                    let again = serde_json::to_string(&event).unwrap();
                    assert_eq!(serde_json::from_str::<Event>(&again).unwrap(), event);
                }
                Err(_) => assert_eq!(format!("{log:?}"), before),
            }
        }
        if let Ok(value) = serde_json::from_slice(line) {
            let _ = Bundle::from_json(&value);
        }
    }
});
