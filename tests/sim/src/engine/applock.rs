//! sp_getapplock and sp_releaseapplock: locks on names, in a database, owned by a session or a transaction.

use std::time::Duration;

use super::{
    access::Wait,
    messages::{fails, fault},
    run::{Halt, Out, Run},
    state::{AppLock, State, same},
};
use crate::wire::SessionId;

const MODES: [&str; 5] = ["Shared", "Update", "IntentShared", "IntentExclusive", "Exclusive"];

/// May both be held at once?
fn compatible(a: &str, b: &str) -> bool {
    match (a, b) {
        ("Exclusive", _) | (_, "Exclusive") | ("Update", "Update") => false,
        ("IntentExclusive", other) | (other, "IntentExclusive") => other.starts_with("Intent"),
        _ => true,
    }
}

/// Who holds a lock that is in the way.
pub fn holder(state: &State, session: SessionId, database: i32, resource: &str, mode: &str) -> Option<SessionId> {
    let blocks = |held: &&AppLock| {
        held.session != session && held.database == database && held.resource == resource && !compatible(&held.mode, mode)
    };
    state.locks.iter().find(blocks).map(|held| held.session)
}

/// A mode as it is written; `None`: there is no such.
pub fn mode(said: &str) -> Option<&'static str> {
    MODES.into_iter().find(|mode| same(mode, said))
}

impl Run<'_> {
    /// sp_getapplock: its return code.
    pub(super) fn get_app_lock(
        &mut self,
        resource: &str,
        said: &str,
        owner: &str,
        timeout: i64,
        out: Out<'_>,
    ) -> Result<i64, Halt> {
        let Some(mode) = mode(said) else { return Ok(-999) };
        let transaction = match owner.to_lowercase().as_str() {
            "transaction" => true,
            "session" => false,
            _ => return Ok(-999),
        };
        if resource.is_empty() || resource.encode_utf16().count() > 255 {
            return Ok(-999);
        }
        if transaction && self.work.open == 0 {
            return fails(50000, &[]).map_err(|_: Vec<_>| {
                let text = "You attempted to acquire a transactional application lock without an active transaction.";
                Halt::Fails(vec![super::messages::Fault { ready: Some((16, text.into())), ..fault(50000, &[]) }])
            });
        }
        let (session, database) = (self.work.id, self.context());
        let patience = u64::try_from(timeout).map_or(Duration::from_secs(u64::from(u32::MAX)), Duration::from_millis);
        let mut waited = false;
        let got = self.server.wait(self.work, out, Wait::For(patience), |state| {
            if let Some(other) = holder(state, session, database, resource, mode) {
                waited = true;
                return Err(other);
            }
            let mine = |held: &&mut AppLock| {
                held.session == session
                    && held.database == database
                    && held.resource == resource
                    && held.transaction == transaction
                    && held.mode == mode
            };
            match state.locks.iter_mut().find(mine) {
                Some(held) => held.count += 1,
                None => state.locks.push(AppLock {
                    session,
                    database,
                    resource: resource.into(),
                    mode: mode.into(),
                    transaction,
                    count: 1,
                }),
            }
            Ok(())
        });
        match got {
            Ok(()) => Ok(i64::from(waited)),
            Err(Halt::Fails(chain)) if chain.iter().any(|fault| fault.number == 1205) => Ok(-3),
            Err(Halt::Fails(_)) => Ok(-1),
            Err(other) => Err(other),
        }
    }

    /// sp_releaseapplock: its return code.
    pub(super) fn release_app_lock(&mut self, resource: &str, owner: &str) -> Result<i64, Halt> {
        let (session, database) = (self.work.id, self.context());
        let transaction = !same(owner, "session");
        let mut state = self.server.state();
        let mine = |held: &AppLock| {
            held.session == session && held.database == database && held.resource == resource && held.transaction == transaction
        };
        let Some(at) = state.locks.iter().position(mine) else { return fails(1223, &[resource])? };
        state.locks[at].count -= 1;
        if state.locks[at].count == 0 {
            state.locks.remove(at);
        }
        drop(state);
        self.server.changed.notify_all();
        Ok(0)
    }
}
