//! Any bytes as each signal file and as the authorisation string; what is written is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relevo::signal::{authorisation, fecbak, svrbak, vecbak};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(found) = svrbak::parse(bytes) {
        let again = svrbak::parse(svrbak::render(&found).as_bytes());
        assert!(again == Ok(found) || bytes.contains(&b'='), "{again:?}");
    }
    if let Ok(Some(date)) = vecbak::parse(bytes)
        && date.year() > 0
    {
        assert_eq!(vecbak::parse(vecbak::render(date).as_bytes()), Ok(Some(date)));
    }
    let _ = fecbak::parse(bytes);
    let _ = authorisation::parse(&String::from_utf8_lossy(bytes));
});
