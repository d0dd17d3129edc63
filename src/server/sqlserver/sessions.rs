//! Who is there: sessions, the locks that launches and mirrors hold, and the proof that nobody operates. A lock is an application lock of a
//! connection of its own: it ends with its process, however that ends, and every machine of the store sees it.

use std::sync::Mutex;

use super::connection::{Connection, PROGRAM};
use super::instance::Instance;
use super::rows::Row;
use super::statements::{self, ProgramName, Scope, ServerTime, SessionId};
use crate::error::{Failure, Result};
use crate::model::Session;
use crate::server::port::Post;
use crate::text;
use crate::world::Lock;

/// What follows `relevo-` in the program name of a connection that announces a user.
const ANNOUNCES: &str = "session ";

impl Instance {
    /// Who uses this server: what launches announce, and who has the database open. SvrPdv and relevo itself are not meant.
    pub fn sessions(&self) -> Result<Vec<Session>> {
        self.must_see_all()?;
        let announced = format!("{PROGRAM}-{ANNOUNCES}");
        let mut found = Vec::new();
        for row in self.ask(&statements::sessions(Scope::Program(&ProgramName::new(&announced)?)))? {
            let program = row.words("program_name")?.unwrap_or_default();
            let name = program.strip_prefix(&announced).unwrap_or(&program).to_owned();
            found.push(Session { name, pid: None });
        }
        for session in self.in_database()? {
            // A till that announces itself is not named twice.
            let known = |s: &Session| session.host.eq_ignore_ascii_case(&s.name);
            if !session.serves && !found.iter().any(known) {
                found.push(session.named());
            }
        }
        Ok(found)
    }

    /// Announces a user until the lock is dropped.
    pub fn announce(&self, name: &str) -> Result<Lock> {
        Ok(Lock::alive(Mutex::new(self.apart(&format!("{ANNOUNCES}{name}"))?)))
    }

    /// Takes an application lock; `None` when somebody has it.
    pub fn take_lock(&self, what: &str) -> Result<Option<Lock>> {
        let mut connection = self.apart(what)?;
        let taken = connection.run(&statements::take_lock(&self.lock_name(what)?, 0))?;
        let result = taken.first().map(|row| row.must_int("result")).transpose()?.unwrap_or(-999);
        match result {
            0 | 1 => Ok(Some(Lock::alive(Mutex::<Connection>::new(connection)))),
            -1 => Ok(None),
            code => Err(Failure::failed(
                "sql_lock",
                text!("SQL Server no dio el bloqueo {what} ({code})", "SQL Server did not give the lock {what} ({code})"),
            )),
        }
    }

    /// The right to serve; `None` when somebody has it.
    pub fn take_post(&self) -> Result<Option<Post>> {
        let Some(gate) = self.take_lock("gate")? else { return Ok(None) };
        if self.is_served()? {
            return Ok(None);
        }
        // A fence that a power cut left halfway keeps everybody but one out: who serves is to be reached.
        self.let_everybody_in()?;
        // SvrPdv's own session is what says that it serves; there is nothing to hold for it.
        Ok(Some(Post { gate, server: None }))
    }

    /// Nobody has the database open: nobody is seen in it in two looks, and no transaction, distributed one or lock is left in it. Fails with
    /// `tills_operating` naming who. What cannot be seen counts as somebody.
    pub fn prove_alone(&self) -> Result<()> {
        self.must_see_all()?;
        self.look_for_users()?;
        std::thread::sleep(self.between_looks);
        self.look_for_users()
    }

    fn look_for_users(&self) -> Result<()> {
        let mut who: Vec<String> = self.in_database()?.into_iter().map(|s| s.named().name).collect();
        if who.is_empty() {
            let row = self.one(&statements::in_use(&self.database))?;
            for (column, es, en) in [
                ("dtc_locks", "una transacción distribuida", "a distributed transaction"),
                ("locks", "una sesión con bloqueos", "a session with locks"),
                ("transactions", "una transacción abierta", "an open transaction"),
            ] {
                // NULL says nothing, so it does not say no.
                if row.int(column)? != Some(0) {
                    who.push(format!("{es} / {en}"));
                }
            }
        }
        if who.is_empty() {
            return Ok(());
        }
        let names = who.join(", ");
        Err(Failure::refused(
            "tills_operating",
            text!("hay quien tiene abierta la base: {names}", "somebody has the database open: {names}"),
        )
        .hint(text!("cierre PosPdv en esas cajas y repita", "close PosPdv on those tills and repeat")))
    }

    /// Ends these sessions. Who came by the same number meanwhile is left alone.
    pub fn put_out(&self, sessions: &[Row]) -> Result<()> {
        for row in sessions {
            let session = SessionId::new(row.must_int("session_id")?)?;
            let login_time = ServerTime::new(&row.must_words("login_time")?)?;
            self.ask(&statements::kill(session, &login_time, row.guid("connection_id")?))?;
        }
        Ok(())
    }

    fn in_database(&self) -> Result<Vec<User>> {
        let mut found = Vec::new();
        for row in self.ask(&statements::sessions(Scope::Database(&self.database)))? {
            let program = row.words("program_name")?.unwrap_or_default();
            if program.starts_with(PROGRAM) {
                continue;
            }
            let serves = program.to_lowercase().starts_with(&self.svrpdv.to_lowercase());
            let host = row.words("host_name")?.or(row.words("client_net_address")?).unwrap_or_default();
            let pid = row.int("host_process_id")?.and_then(|pid| u32::try_from(pid).ok());
            found.push(User { host, program, pid, serves });
        }
        Ok(found)
    }
}

/// Who has the database open, as the client itself claims.
struct User {
    host: String,
    program: String,
    pid: Option<u32>,
    serves: bool,
}

impl User {
    fn named(&self) -> Session {
        let (host, program) = (self.host.trim(), self.program.trim());
        let name = match (host, program) {
            ("", program) => program.to_owned(),
            (host, "") => host.to_owned(),
            (host, program) => format!("{host} ({program})"),
        };
        Session { name, pid: self.pid.filter(|pid| *pid != 0) }
    }
}
