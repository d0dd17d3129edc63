//! Who may be in a database: states, SINGLE_USER, exclusive use, waiting, KILL.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{
    messages::{Chain, Fault, fails, fault},
    run::{Halt, Out},
    server::{Server, lock},
    session::Work,
    state::{Database, DbState, Session, State, UserAccess, now, same},
};
use crate::wire::{Reply, SessionId};

/// What is waited for, and what giving up means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A lock: LOCK_TIMEOUT ends it with 1222.
    Lock,
    /// At most so long; the answer is then error 0, which the caller turns into its own.
    For(Duration),
}

impl Server {
    /// May this session use that database? It takes the place of a SINGLE_USER database where it is free.
    pub(super) fn admit(&self, state: &mut State, session: SessionId, database: i32) -> Result<(), Chain> {
        let administrator = state.is_member(session, "sysadmin");
        let creator = administrator || state.is_member(session, "dbcreator");
        let (sid, login) =
            state.sessions.get(&session).map(|session| (session.sid.clone(), session.login.user.clone())).unwrap_or_default();
        let Some(found) = state.databases.get_mut(&database) else { return Ok(()) };
        opens(found)?;
        if found.exclusive.is_some_and(|other| other != session) {
            return fails(952, &[&found.name]);
        }
        let owner = found.boot.owner == sid;
        if found.state == DbState::Emergency && !administrator {
            return fails(916, &[&login, &found.name]);
        }
        if !administrator && !owner && !self.has_user(found, &sid) {
            return fails(916, &[&login, &found.name]);
        }
        match found.boot.access {
            UserAccess::Single => {
                if found.single.is_some_and(|other| other != session) {
                    return fails(924, &[&found.name]);
                }
                found.single = Some(session);
            }
            UserAccess::Restricted if !creator && !owner => return fails(923, &[&found.name]),
            _ => {}
        }
        Ok(())
    }

    /// Takes a database for one session alone, or says who is in the way. For RESTORE and what changes its files.
    pub(super) fn seize(&self, state: &mut State, session: SessionId, database: i32) -> Result<(), SessionId> {
        let others = state.users(database, session);
        let Some(found) = state.databases.get_mut(&database) else { return Ok(()) };
        let holder = found.exclusive.or(found.single).filter(|other| *other != session);
        if let Some(other) = others.first().copied().or(holder) {
            return Err(other);
        }
        found.exclusive = Some(session);
        Ok(())
    }

    /// Gives it back.
    pub(super) fn release(&self, session: SessionId, database: i32) {
        let mut state = self.state();
        if let Some(found) = state.databases.get_mut(&database).filter(|found| found.exclusive == Some(session)) {
            found.exclusive = None;
        }
        self.steal(&mut state);
        drop(state);
        self.changed.notify_all();
    }

    /// The competitor that tests order: it takes the free place of a SINGLE_USER database.
    pub(super) fn steal(&self, state: &mut State) {
        let mut standing = self.standing();
        let Some(thief) = standing.read(&self.dir).thief.clone() else { return };
        if standing.stolen >= thief.times {
            return;
        }
        let Some(found) = state.find_mut(&thief.database) else { return };
        let free = found.boot.access == UserAccess::Single && found.single.is_none() && found.exclusive.is_none();
        if !free || !found.readable() {
            return;
        }
        standing.stolen += 1;
        drop(standing);
        let database = found.id;
        let id = state.free_number();
        let login = crate::wire::Login {
            host: "CAJA9".into(),
            user: "sa".into(),
            application: "competidor".into(),
            process: 4711,
            address: "192.168.1.99".into(),
            ..Default::default()
        };
        state.sessions.insert(id, Session::new(login, vec![1], database));
        if let Some(found) = state.databases.get_mut(&database) {
            found.single = Some(id);
        }
    }

    /// Waits until `get` has what it wants; it says who is in the way. A killed session, a client that is gone and a lock that takes too
    /// long end the wait.
    pub(super) fn wait(
        &self,
        work: &Work,
        out: Out<'_>,
        wait: Wait,
        mut get: impl FnMut(&mut State) -> Result<(), SessionId>,
    ) -> Result<(), Halt> {
        let start = Instant::now();
        let patience = match wait {
            Wait::Lock => u64::try_from(work.set.lock_timeout).ok().map(Duration::from_millis),
            Wait::For(time) => Some(time),
        };
        loop {
            let mut state = self.state();
            let Err(other) = get(&mut state) else {
                waits(&mut state, work.id, None);
                return Ok(());
            };
            waits(&mut state, work.id, Some(other));
            let ended = if state.sessions.get(&work.id).is_none_or(|session| session.killed) {
                Some(Halt::Killed)
            } else if is_victim(&mut state, work.id) {
                Some(Halt::Fails(vec![fault(1205, &[&work.id.to_string()])]))
            } else if patience.is_some_and(|patience| start.elapsed() >= patience) {
                Some(Halt::Fails(match wait {
                    Wait::Lock => vec![fault(1222, &[])],
                    Wait::For(_) => Vec::new(),
                }))
            } else {
                None
            };
            if let Some(ended) = ended {
                waits(&mut state, work.id, None);
                return Err(ended);
            }
            drop(self.changed.wait_timeout(state, Duration::from_millis(50)));
            if !out(Reply::Nothing) {
                waits(&mut self.state(), work.id, None);
                return Err(Halt::Cancelled);
            }
        }
    }

    /// Takes some time, during which the session can be killed and its client can go.
    pub(super) fn pause(&self, session: SessionId, out: Out<'_>, time: Duration) -> Result<(), Halt> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if self.is_dying(session) {
                return Err(Halt::Killed);
            }
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
            if !out(Reply::Nothing) {
                return Err(Halt::Cancelled);
            }
        }
    }

    /// Was it killed?
    pub(super) fn is_dying(&self, session: SessionId) -> bool {
        self.state().sessions.get(&session).is_none_or(|session| session.killed)
    }

    /// Kills a session. What it has open is rolled back by another thread: KILL does not wait.
    pub(super) fn kill(&self, session: SessionId) {
        let rolls_back = {
            let mut state = self.state();
            let Some(found) = state.sessions.get_mut(&session).filter(|found| !found.killed) else { return };
            found.killed = true;
            if let Some(interrupt) = &found.interrupt {
                interrupt.0.interrupt();
            }
            found.transactions > 0
        };
        self.changed.notify_all();
        let Some(server) = self.me.upgrade() else { return };
        let time = if rolls_back { self.orders().rollback_ms } else { 0 };
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(time));
            server.bury(session);
        });
    }

    /// Ends what a killed session has open. It waits for a batch that still runs.
    fn bury(&self, session: SessionId) {
        if let Some(work) = self.work(session) {
            let mut work = lock(&work);
            work.rollback(self);
            work.detach_all();
        }
        let mut state = self.state();
        state.locks.retain(|held| held.session != session);
        match state.sessions.get_mut(&session) {
            // The thief has no client that would log out.
            Some(found) if found.login.application == "competidor" => drop(state.sessions.remove(&session)),
            Some(found) => {
                found.gone = true;
                found.touching.clear();
                found.request = None;
            }
            None => {}
        }
        state.leave_single(session);
        self.steal(&mut state);
        drop(state);
        self.changed.notify_all();
    }

    /// Throws everybody else out of a database, and waits until they are gone.
    pub(super) fn throw_out(&self, work: &Work, database: i32, out: Out<'_>) -> Result<(), Halt> {
        let others = self.state().users(database, work.id);
        others.iter().for_each(|other| self.kill(*other));
        self.wait(work, out, Wait::For(Duration::from_secs(600)), |state| {
            let there = state.users(database, work.id);
            there.into_iter().find(|other| others.contains(other)).map_or(Ok(()), Err)
        })
    }
}

/// Can it be opened in its state?
pub fn opens(database: &Database) -> Result<(), Chain> {
    let number = match database.state {
        DbState::Online | DbState::Emergency => return Ok(()),
        DbState::Restoring => 927,
        DbState::Recovering => 922,
        DbState::RecoveryPending => 945,
        DbState::Suspect => 926,
        DbState::Offline => 942,
    };
    fails(number, &[&database.name])
}

/// Notes what a request waits for.
fn waits(state: &mut State, session: SessionId, other: Option<SessionId>) {
    if let (None, Some(found)) = (other, state.sessions.get_mut(&session)) {
        found.victim = false;
    }
    if let Some(request) = state.sessions.get_mut(&session).and_then(|session| session.request.as_mut()) {
        if other.is_some() && request.wait.is_none() {
            request.wait_since = now();
        }
        request.wait = other.map(|_| "LCK_M_X".to_string());
        request.blocked_by = other.unwrap_or(0);
    }
}

/// Does the chain of those who wait for each other come back to this session, and is it the one that gives way? The lowest
/// DEADLOCK_PRIORITY does; among equals who finds out.
fn is_victim(state: &mut State, session: SessionId) -> bool {
    if state.sessions.get(&session).is_some_and(|found| found.victim) {
        return true;
    }
    let mut circle = vec![session];
    loop {
        let at = circle.last().copied().unwrap_or(session);
        let waiting = state.sessions.get(&at).filter(|found| !found.killed);
        match waiting.and_then(|found| found.request.as_ref()).map(|request| request.blocked_by) {
            Some(next) if next == session => break,
            Some(next) if next != 0 && !circle.contains(&next) => circle.push(next),
            _ => return false,
        }
    }
    let priority = |id: &SessionId| state.sessions.get(id).map_or(0, |found| found.deadlock_priority);
    let victim = circle.iter().copied().min_by_key(|id| (priority(id), *id != session)).unwrap_or(session);
    if let Some(found) = state.sessions.get_mut(&victim) {
        found.victim = victim != session;
    }
    victim == session
}

impl Session {
    /// A session that begins now.
    pub fn new(login: crate::wire::Login, sid: Vec<u8>, database: i32) -> Session {
        Session {
            login,
            sid,
            since: now(),
            connection: Uuid::new_v4(),
            database,
            touching: std::collections::BTreeSet::new(),
            transactions: 0,
            transaction_since: 0,
            request: None,
            last: (now(), now()),
            killed: false,
            gone: false,
            interrupt: None,
            deadlock_priority: 0,
            victim: false,
        }
    }
}

impl State {
    /// The lowest number of a user session that is free.
    pub fn free_number(&self) -> SessionId {
        (51..).find(|number| !self.sessions.contains_key(number)).unwrap_or(SessionId::MAX)
    }

    /// Is a session's login in that server role, now?
    pub fn is_member(&self, session: SessionId, role: &str) -> bool {
        let Some(session) = self.sessions.get(&session) else { return false };
        self.logins.values().any(|login| login.sid == session.sid && login.roles.iter().any(|has| same(has, role)))
    }
}

/// The chain of a fault of its own.
impl From<Fault> for Halt {
    fn from(fault: Fault) -> Halt {
        Halt::Fails(vec![fault])
    }
}
