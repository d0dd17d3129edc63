//! Who announces that they use a server: one held lock and one JSON file each, below `sessions` beside the database.
//!
//! Announcements only give names; that nobody has the database open is proved by the database itself.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::error::{Failure, Result, Retry};
use crate::model::Session;
use crate::text;
use crate::world::{Label, Lock, World, is_locked, read_if_there};

const FOLDER: &str = "sessions";
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Announces a user until the lock is dropped.
pub fn announce(world: &dyn World, dir: &Path, name: &str) -> Result<Lock> {
    let folder = dir.join(FOLDER);
    let failed = |error: io::Error| Failure::io(text!("no se pudo anunciar en", "could not announce in"), &folder, &error);
    let pid = std::process::id();
    let session = Session { name: name.to_owned(), pid: Some(pid) };
    let json = serde_json::to_vec(&session).map_err(|error| failed(error.into()))?;
    for attempt in 1..=ATTEMPTS {
        let stem = match attempt {
            1 => format!("{}-{pid}", for_file(name)),
            _ => format!("{}-{pid}-{attempt}", for_file(name)), // the same process announced this name before
        };
        let (lock_path, json_path) = (folder.join(format!("{stem}.lock")), folder.join(format!("{stem}.json")));
        let Some(lock) = world.try_lock(&lock_path).map_err(failed)? else { continue };
        // Somebody who lists may have removed the fresh file between its creation and its lock.
        if !is_locked(&lock_path).map_err(failed)? {
            continue;
        }
        world.write_file(Label::ServiceInfo, &json_path, &json).map_err(failed)?;
        return Ok(lock);
    }
    let shown = folder.display();
    Err(Failure::failed("announce", text!("no se pudo anunciar en {shown}", "could not announce in {shown}"))
        .retry(Retry::Temporary)
        .hint(text!("intente de nuevo", "try again")))
}

/// Those whose lock is held; the leavings of others are removed.
pub fn list(world: &dyn World, dir: &Path) -> Result<Vec<Session>> {
    let folder = dir.join(FOLDER);
    let failed = |error: io::Error| Failure::io(text!("no se pudo leer", "could not read"), &folder, &error);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "lock")
            && let Some(session) = look(world, &path).map_err(failed)?
        {
            found.push(session);
        }
    }
    found.sort_by(|a, b| (&a.name, a.pid).cmp(&(&b.name, b.pid)));
    Ok(found)
}

fn look(world: &dyn World, lock_path: &Path) -> io::Result<Option<Session>> {
    let json_path = lock_path.with_extension("json");
    for _ in 0..3 {
        if !is_locked(lock_path)? {
            // Removed under its own lock only: so no announcement that holds it can vanish.
            if let Some(_lock) = world.try_lock(lock_path)? {
                world.remove_file(Label::ServiceInfo, &json_path)?;
                world.remove_file(Label::ServiceInfo, lock_path)?;
                return Ok(None);
            }
        }
        if let Some(bytes) = read_if_there(&json_path)?
            && let Ok(session) = serde_json::from_slice(&bytes)
        {
            return Ok(Some(session));
        }
        std::thread::sleep(PAUSE); // being announced, or being removed by somebody else who lists
    }
    let stem = lock_path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(is_locked(lock_path)?.then_some(Session { name: stem, pid: None }))
}

/// A name as part of a file name on every system.
fn for_file(name: &str) -> String {
    name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Os;

    #[test]
    fn only_held_announcements_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(list(&Os, dir.path()).unwrap(), []);
        let pid = Some(std::process::id());
        let first = announce(&Os, dir.path(), "CAJA/1 ñ").unwrap();
        let again = announce(&Os, dir.path(), "CAJA/1 ñ").unwrap();
        let other = announce(&Os, dir.path(), "CAJA2").unwrap();
        let named = |name: &str| Session { name: name.to_owned(), pid };
        assert_eq!(list(&Os, dir.path()).unwrap(), [named("CAJA/1 ñ"), named("CAJA/1 ñ"), named("CAJA2")]);
        drop((first, again));
        assert_eq!(list(&Os, dir.path()).unwrap(), [named("CAJA2")]);
        assert_eq!(std::fs::read_dir(dir.path().join(FOLDER)).unwrap().count(), 2);
        drop(other);
        assert_eq!(list(&Os, dir.path()).unwrap(), []);
        assert_eq!(std::fs::read_dir(dir.path().join(FOLDER)).unwrap().count(), 0);
    }

    #[test]
    fn a_held_lock_without_its_file_still_counts() {
        let dir = tempfile::tempdir().unwrap();
        let lock = announce(&Os, dir.path(), "CAJA2").unwrap();
        std::fs::remove_file(lock.path().unwrap().with_extension("json")).unwrap();
        let found = list(&Os, dir.path()).unwrap();
        assert_eq!((found.len(), found[0].pid), (1, None));
        assert!(found[0].name.starts_with("CAJA2-"));
    }
}
