//! Any text as relevo.toml, and as a part of one that is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relevo::config::Config;
use relevo::error::Exit;
use relevo::model::Role;

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().unwrap();
    let good = Config::template(Role::Backup).into_bytes();
    let at = bytes.first().map_or(0, |b| usize::from(*b) * good.len() / 256);
    let spliced = [&good[..at], bytes.get(1..).unwrap_or_default(), &good[at..]].concat();
    for content in [bytes, &spliced] {
        std::fs::write(dir.path().join("relevo.toml"), content).unwrap();
        if let Err(failure) = Config::load(dir.path()) {
            assert_eq!(failure.exit, Exit::Invalid, "{failure:?}");
        }
    }
});
