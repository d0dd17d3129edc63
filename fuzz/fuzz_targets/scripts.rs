//! Any text as a script: `check` says what is wrong with it, and ends.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use relevo::script::{Bundle, lint};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let files = [("mirror.rhai", text.as_ref()), ("lib/a.rhai", "fn f() { 1 }")];
    let bundle = Bundle::new(files.into_iter().map(|(name, body)| (name.to_owned(), Arc::from(body))).collect::<BTreeMap<_, _>>());
    let _ = lint::check(&bundle);
});
