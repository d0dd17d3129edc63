//! Copying SvrBak.txt and VecBak.txt from main's folder: a good copy is never replaced by a bad or an older one, and where main
//! is away the last good copy stays and that is said.

use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};
use crate::signal::text_file::Wrong;
use crate::text;
use crate::text::Text;
use crate::world::{Label, World};

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Fetched {
    /// Main's file is here now.
    Copied,
    /// It was here already.
    Same,
    /// Main has none (VecBak.txt may be absent); nothing was removed.
    None,
    /// Main cannot be reached; the last good copy stays.
    KeptAway,
    /// Main's file is wrong; the last good copy stays.
    KeptBad {
        /// What is wrong with it.
        why: Text,
    },
    /// Main's file is older than what was copied last; it stays.
    KeptOlder,
}

/// Copies `name` from `from` to `to` where `check` accepts it. `since` is the time of main's file at the last copy; its new
/// value comes back. Fails only where the own folder cannot be written.
pub fn fetch(
    world: &dyn World,
    from: &Path,
    to: &Path,
    name: &str,
    check: impl Fn(&[u8]) -> Result<(), Wrong>,
    since: Option<SystemTime>,
) -> Result<(Fetched, Option<SystemTime>)> {
    let (source, own) = (from.join(name), to.join(name));
    if !from.is_dir() {
        return Ok((Fetched::KeptAway, since));
    }
    let read = std::fs::read(&source).and_then(|bytes| Ok((bytes, std::fs::metadata(&source)?.modified()?)));
    let (bytes, modified) = match read {
        Ok(read) => read,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Fetched::None, since)),
        Err(_) => return Ok((Fetched::KeptAway, since)),
    };
    if let Err(wrong) = check(&bytes) {
        return Ok((Fetched::KeptBad { why: wrong.failure("signal_invalid", &source).message }, since));
    }
    if std::fs::read(&own).is_ok_and(|old| old == bytes) {
        return Ok((Fetched::Same, Some(modified)));
    }
    if own.exists() && since.is_some_and(|since| modified < since) {
        return Ok((Fetched::KeptOlder, since));
    }
    world
        .write_file(Label::SignalWrite, &own, &bytes)
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &own, &e))?;
    Ok((Fetched::Copied, Some(modified)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::svrbak;

    #[test]
    fn good_replaces_bad_and_older_do_not() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let world = crate::world::real();
        let get =
            |since| fetch(world.as_ref(), from.path(), to.path(), "S.txt", |b| svrbak::parse(b).map(|_| ()), since).unwrap();
        let write = |text: &str| std::fs::write(from.path().join("S.txt"), text).unwrap();
        let own = || std::fs::read_to_string(to.path().join("S.txt")).unwrap();

        assert_eq!(get(None).0, Fetched::None);
        write("a\nb");
        let (outcome, since) = get(None);
        assert_eq!((outcome, own().as_str()), (Fetched::Copied, "a\nb"));
        assert_eq!(get(since).0, Fetched::Same);
        write("half");
        assert!(matches!(get(since).0, Fetched::KeptBad { .. }));
        write("c\nd");
        let later = since.map(|s| s + std::time::Duration::from_secs(3600));
        assert_eq!((get(later).0, own().as_str()), (Fetched::KeptOlder, "a\nb"));
        assert_eq!((get(since).0, own().as_str()), (Fetched::Copied, "c\nd"));
        let away = fetch(world.as_ref(), &from.path().join("off"), to.path(), "S.txt", |_| Ok(()), since).unwrap();
        assert_eq!((away.0, own().as_str()), (Fetched::KeptAway, "c\nd"));
    }
}
