//! The instance as the protocol sees it: sessions and their batches.

use super::{
    access::opens,
    hash,
    messages::fault,
    run::{Halt, Run},
    server::{Server, is_spanish, lock},
    session::Work,
    state::{Interrupt, Session, now},
};
use crate::wire::{Batch, Instance, LoggedIn, Login, Message, Reply, SessionId, Value};

impl Server {
    /// Opens a session.
    pub(super) fn open_session(&self, login: &Login) -> Result<LoggedIn, Vec<Message>> {
        let known = self.state().logins.get(&login.user.to_lowercase()).cloned();
        let language = self.orders().language.or(known.as_ref().map(|known| known.language.clone()));
        let language = language.unwrap_or_else(|| self.identity.language.clone());
        let spanish = is_spanish(&language);
        let refused =
            |chain: Vec<super::messages::Fault>| chain.iter().map(|fault| fault.message(spanish, 1)).collect::<Vec<_>>();
        let failed = fault(18456, &[&login.user]);
        let Some(known) = known.filter(|known| hash::fits(&known.hash, &login.password)) else {
            return Err(refused(vec![failed]));
        };
        if known.disabled {
            return Err(refused(vec![fault(18470, &[&known.name])]));
        }
        let wanted = if login.database.is_empty() { &known.database } else { &login.database };
        let closed = if login.database.is_empty() { fault(4064, &[]) } else { fault(4060, &[wanted]) };
        let mut state = self.state();
        let Some(database) = state.id_of(wanted) else { return Err(refused(vec![closed, failed])) };
        let id = state.free_number();
        let mut session = Session::new(login.clone(), known.sid.clone(), 1);
        session.login.password.clear();
        session.login.user.clone_from(&known.name);
        state.sessions.insert(id, session);
        let admitted = match state.databases.get(&database) {
            Some(found) => opens(found),
            None => Ok(()),
        };
        if admitted.is_err() || self.admit(&mut state, id, database).is_err() {
            state.sessions.remove(&id);
            return Err(refused(vec![closed, failed]));
        }
        if let Some(session) = state.sessions.get_mut(&id) {
            session.database = database;
        }
        let name = state.name_of(database).unwrap_or_default();
        drop(state);
        let work = match Work::new(self, id, spanish) {
            Ok(work) => work,
            Err(error) => {
                self.state().sessions.remove(&id);
                return Err(refused(vec![fault(701, &[&error.to_string()])]));
            }
        };
        if let Some(session) = self.state().sessions.get_mut(&id) {
            session.interrupt = Some(Interrupt(std::sync::Arc::new(work.sqlite.get_interrupt_handle())));
        }
        self.add_work(id, work);
        Ok(LoggedIn { session: id, database: name, language: if spanish { "Español" } else { "us_english" }.into() })
    }

    fn run_batch(&self, session: SessionId, batch: &Batch, out: &mut dyn FnMut(Reply) -> bool) {
        let Some(work) = self.work(session) else { return };
        let mut work = lock(&work);
        if let Some(session) = self.state().sessions.get_mut(&session) {
            session.last.0 = now();
        }
        work.variables.clear();
        let scoped = batch.parameters.is_some();
        for (name, kind, value) in batch.parameters.iter().flatten() {
            work.variables.insert(name.to_lowercase(), (*kind, value.clone()));
        }
        let (set, context) = (work.set.clone(), self.state().sessions.get(&session).map_or(1, |session| session.database));
        let mut run = Run::new(self, &mut work);
        let ended = run.batch(&batch.sql, out);
        if scoped {
            run.work.set = set;
            if run.context() != context && run.enter(context).is_ok() {
                let name = self.state().name_of(context).unwrap_or_default();
                let _ = out(Reply::Database(name));
            }
        }
        match ended {
            Ok(_) | Err(Halt::Fails(_)) => {}
            Err(Halt::Cancelled) => {
                // What a cancelled statement did by itself is undone; a transaction stays, unless SET XACT_ABORT says otherwise.
                if work.open == 0 || work.set.xact_abort {
                    work.rollback(self);
                }
            }
            Err(Halt::Killed) => {
                if work.open > 0 {
                    let time = self.orders().rollback_ms;
                    std::thread::sleep(std::time::Duration::from_millis(time));
                }
                work.rollback(self);
            }
        }
        work.let_go(self);
        let mut state = self.state();
        if let Some(session) = state.sessions.get_mut(&session) {
            session.last.1 = now();
            session.request = None;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Runs a text in a session, for tests: everything that it answers.
    pub fn exec(&self, session: SessionId, sql: &str) -> Vec<Reply> {
        let mut replies = Vec::new();
        let batch = Batch { sql: sql.into(), parameters: None };
        self.run_batch(session, &batch, &mut |reply| {
            if !matches!(reply, Reply::Nothing) {
                replies.push(reply);
            }
            true
        });
        replies
    }
}

impl Instance for Server {
    fn login(&self, login: &Login) -> Result<LoggedIn, Vec<Message>> {
        self.open_session(login)
    }

    fn batch(&self, session: SessionId, batch: &Batch, out: &mut dyn FnMut(Reply) -> bool) {
        self.run_batch(session, batch, out);
    }

    fn is_killed(&self, session: SessionId) -> bool {
        // While it rolls back it still is there, as KILLED/ROLLBACK.
        self.state().sessions.get(&session).is_none_or(|found| found.gone || (found.killed && found.transactions == 0))
    }

    fn logout(&self, session: SessionId) {
        if let Some(work) = self.remove_work(session) {
            let mut work = lock(&work);
            work.rollback(self);
            work.detach_all();
        }
        let mut state = self.state();
        state.sessions.remove(&session);
        state.locks.retain(|held| held.session != session);
        state.leave_single(session);
        self.steal(&mut state);
        drop(state);
        self.changed.notify_all();
    }

    fn product(&self) -> (String, [u16; 3]) {
        ("Microsoft SQL Server".into(), self.identity.version())
    }
}

/// The numbers of the errors of an answer, in order, for tests.
pub fn errors(replies: &[Reply]) -> Vec<u32> {
    replies.iter().filter_map(|reply| if let Reply::Error(message) = reply { Some(message.number) } else { None }).collect()
}

/// The rows of an answer, for tests.
pub fn rows(replies: &[Reply]) -> Vec<Vec<Value>> {
    replies.iter().filter_map(|reply| if let Reply::Row(row) = reply { Some(row.clone()) } else { None }).collect()
}
