//! Who may work at the same time: one mirror and one role change per machine, one writer of the standby. All are OS locks:
//! they end with their process, however it ends.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result, Retry};
use crate::progress::Watch;
use crate::store::Store;
use crate::text;
use crate::world::{Label, Lock};

/// How often a waiting role change looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The locks of a role change, held until they are dropped.
#[derive(Debug)]
pub struct RoleLocks {
    _role: Lock,
    _mirror: Lock,
    _apply: Lock,
}

/// Takes the role-change lock at once, or says who has it; then waits for a running mirror.
pub fn for_role_change(store: &Store, what: &str, watch: &Watch) -> Result<RoleLocks> {
    let role = try_lock(store, "role.lock")?.ok_or_else(|| busy(store, "role.json"))?;
    note_holder(store, "role.json", what)?;
    let until = Instant::now() + store.config.promote.lock_wait;
    let mirror = wait(until, watch, || try_lock(store, "mirror.lock"))?.ok_or_else(|| busy(store, "mirror.json"))?;
    let apply = wait(until, watch, || store.backup.take_apply_lock())?.ok_or_else(|| busy(store, "mirror.json"))?;
    Ok(RoleLocks { _role: role, _mirror: mirror, _apply: apply })
}

/// Takes the mirror lock of this machine, or says who has it.
pub fn for_mirror(store: &Store) -> Result<Lock> {
    let lock = try_lock(store, "mirror.lock")?.ok_or_else(|| busy(store, "mirror.json"))?;
    note_holder(store, "mirror.json", "mirror")?;
    Ok(lock)
}

fn try_lock(store: &Store, name: &str) -> Result<Option<Lock>> {
    let path = store.state.join(name);
    store.world.try_lock(&path).map_err(|e| Failure::io(text!("no se pudo bloquear", "could not lock"), &path, &e))
}

fn wait(until: Instant, watch: &Watch, mut take: impl FnMut() -> Result<Option<Lock>>) -> Result<Option<Lock>> {
    loop {
        if let Some(lock) = take()? {
            return Ok(Some(lock));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        watch.check()?;
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Beside the lock, since a locked file cannot be read on Windows.
fn note_holder(store: &Store, name: &str, what: &str) -> Result<()> {
    let path: PathBuf = store.state.join(name);
    let body = json!({ "what": what, "pid": std::process::id(), "since": store.now() }).to_string();
    store
        .world
        .write_file(Label::StateWrite, &path, body.as_bytes())
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
}

fn busy(store: &Store, name: &str) -> Failure {
    let holder: Value =
        std::fs::read(store.state.join(name)).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let (what, pid, since) = (holder["what"].as_str().unwrap_or("?"), &holder["pid"], holder["since"].as_str().unwrap_or("?"));
    Failure::new(
        Exit::Interrupted,
        "busy",
        text!(
            "otra corrida trabaja: {what} (proceso {pid}, desde {since})",
            "another run is at work: {what} (process {pid}, since {since})"
        ),
    )
    .hint(text!("espere a que termine y repita", "wait until it ends, then repeat"))
    .retry(Retry::Temporary)
}
