//! The scripts that come with relevo; `relevo init` writes them and a store changes its own copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Bundle;

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../../scripts/", $name)))),+] };
}

/// Name below `scripts/` and content of every shipped file.
pub const FILES: &[(&str, &str)] = embedded![
    "api.d.rhai",
    "lib/serve.rhai",
    "mirror.rhai",
    "promote.rhai",
    "restore.rhai",
    "setup.rhai",
    "startup.rhai",
    "stores/0142-centro/startup.rhai",
    "stores/0207-playa/lib/serve.rhai",
    "stores/0207-playa/mirror.rhai",
];

/// The shipped scripts as a bundle.
pub fn bundle() -> Bundle {
    let runs = |name: &str| !name.starts_with("stores/") && !name.ends_with(".d.rhai");
    Bundle::new(FILES.iter().filter(|(name, _)| runs(name)).map(|(n, c)| ((*n).to_owned(), Arc::from(*c))).collect())
}

/// The example of a customised store: the shipped scripts with its own files in place of those of the same name.
pub fn store(id: &str) -> Bundle {
    let prefix = format!("stores/{id}/");
    let own: BTreeMap<String, Arc<str>> =
        FILES.iter().filter_map(|(n, c)| Some((n.strip_prefix(&prefix)?.to_owned(), Arc::from(*c)))).collect();
    bundle().overlaid(&Bundle::new(own))
}

/// The customised stores that come as examples.
pub const STORES: [&str; 2] = ["0142-centro", "0207-playa"];
