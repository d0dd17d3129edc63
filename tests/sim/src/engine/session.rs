//! What a session works with: its SQLite connection (in memory, with the databases that it uses attached), its settings, its
//! transaction. Reading outside a transaction that writes sees what is committed and holds nothing; the first write of a transaction
//! takes the database's only place for writers and keeps it until the end.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use rusqlite::{Connection, types::Value as Stored};

use super::{
    access::Wait,
    datafile::{self, Param, Record},
    logfile,
    messages::{fails, fault},
    run::{Halt, Out},
    server::{Server, lock},
    state::{self, Recovery},
};
use crate::wire::{Message, SessionId, Type, Value};

/// SET options of a session.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // Named as the options.
pub struct Settings {
    pub nocount: bool,
    pub xact_abort: bool,
    pub implicit: bool,
    pub parse_only: bool,
    pub no_exec: bool,
    pub spanish: bool,
    pub lock_timeout: i64,
    pub rowcount: i64,
    /// REPEATABLE READ and SERIALIZABLE
    pub holds_reads: bool,
    pub identity_insert: Option<String>,
}

/// A database that is attached.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Under which schema.
    pub alias: String,
    /// Which of its incarnations: a RESTORE makes another file.
    pub generation: u64,
}

/// What a session works with.
#[derive(Debug)]
pub struct Work {
    /// Its number.
    pub id: SessionId,
    /// Its connection.
    pub sqlite: Connection,
    /// Databases that are attached.
    pub attached: RefCell<BTreeMap<i32, Attached>>,
    /// Views that were made for this statement, and a number for the next.
    pub made: RefCell<Vec<String>>,
    /// Numbers of made views.
    pub number: Cell<u64>,
    /// SET options.
    pub set: Settings,
    /// Variables of the batch, by lower-case name.
    pub variables: BTreeMap<String, (Type, Value)>,
    /// `@@TRANCOUNT`.
    pub open: u32,
    /// SQLite has begun its transaction.
    pub begun: bool,
    /// What the transaction did, by database.
    pub changes: BTreeMap<i32, Vec<(String, Vec<Param>)>>,
    /// The transaction can only be rolled back.
    pub doomed: bool,
    /// `@@ERROR`.
    pub error: u32,
    /// `@@ROWCOUNT`.
    pub rows: i64,
    /// `@@IDENTITY`, `SCOPE_IDENTITY()`.
    pub identity: Option<i64>,
    /// The error that a CATCH handles, innermost last.
    pub caught: Vec<Message>,
}

impl Work {
    /// A new session's.
    pub fn new(server: &Server, id: SessionId, spanish: bool) -> rusqlite::Result<Work> {
        let sqlite = Connection::open_in_memory()?;
        sqlite.execute_batch(
            "PRAGMA busy_timeout=30000; PRAGMA cache_spill=OFF; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON",
        )?;
        sqlite.set_prepared_statement_cache_capacity(64);
        crate::sql::register(&sqlite)?;
        super::functions::register(&sqlite, server, id)?;
        let set = Settings {
            nocount: false,
            xact_abort: false,
            implicit: false,
            parse_only: false,
            no_exec: false,
            spanish,
            lock_timeout: -1,
            rowcount: 0,
            holds_reads: false,
            identity_insert: None,
        };
        Ok(Work {
            id,
            sqlite,
            attached: RefCell::default(),
            made: RefCell::default(),
            number: Cell::new(0),
            set,
            variables: BTreeMap::new(),
            open: 0,
            begun: false,
            changes: BTreeMap::new(),
            doomed: false,
            error: 0,
            rows: 0,
            identity: None,
            caught: Vec::new(),
        })
    }

    /// Attaches a database that the session may use; its schema.
    pub fn attach(&self, server: &Server, database: i32) -> Result<String, Halt> {
        let (path, alias, generation, name) = {
            let mut state = server.state();
            server.admit(&mut state, self.id, database)?;
            if let Some(session) = state.sessions.get_mut(&self.id) {
                session.touching.insert(database);
            }
            let Some(found) = state.databases.get(&database) else { return fails(911, &[&database.to_string()])? };
            (server.path(&found.data), datafile::alias(&found.boot), found.generation, found.name.clone())
        };
        let mut attached = self.attached.borrow_mut();
        if let Some(there) = attached.get(&database) {
            if there.generation == generation {
                return Ok(there.alias.clone());
            }
            let _ = self.sqlite.execute_batch(&format!("DETACH \"{}\"", there.alias));
            attached.remove(&database);
        }
        // Two copies of one family in one session: the second has another schema here, which its log says.
        // SQLite would make a file that is gone.
        if !path.exists() {
            return Err(vec![fault(5120, &[&path.to_string_lossy(), "2", "The file is gone."]), fault(945, &[&name])].into());
        }
        let taken = attached.values().any(|other| other.alias == alias);
        let alias = if taken { format!("{alias}_{database}") } else { alias };
        datafile::attach(&self.sqlite, &path, &alias).map_err(|error| {
            let said = fault(5120, &[&path.to_string_lossy(), "5", &error.to_string()]);
            vec![said, fault(945, &[&name])]
        })?;
        attached.insert(database, Attached { alias: alias.clone(), generation });
        Ok(alias)
    }

    /// Lets go of what a statement used, where no transaction keeps it.
    pub fn let_go(&mut self, server: &Server) {
        for view in self.made.borrow_mut().drain(..) {
            let _ = self.sqlite.execute_batch(&format!("DROP TABLE IF EXISTS temp.\"{view}\""));
        }
        if self.open > 0 || self.begun {
            return;
        }
        let context = {
            let mut state = server.state();
            let context = state.sessions.get_mut(&self.id).map_or(1, |session| {
                session.touching.clear();
                session.database
            });
            for found in state.databases.values_mut().filter(|found| found.exclusive == Some(self.id)) {
                found.exclusive = None;
            }
            state.leave_single(self.id);
            server.steal(&mut state);
            context
        };
        self.attached.borrow_mut().retain(|database, there| {
            *database == context || self.sqlite.execute_batch(&format!("DETACH \"{}\"", there.alias)).is_err()
        });
        server.changed.notify_all();
    }

    /// Lets go of a database that somebody takes for himself alone.
    pub fn detach_all(&mut self) {
        self.attached.borrow_mut().retain(|_, there| self.sqlite.execute_batch(&format!("DETACH \"{}\"", there.alias)).is_err());
    }

    /// Before a statement writes to a database: may it, is the place free?
    pub fn prepare_write(&mut self, server: &Server, database: i32, out: Out<'_>) -> Result<(), Halt> {
        {
            let state = server.state();
            let Some(found) = state.databases.get(&database) else { return fails(911, &[&database.to_string()])? };
            if found.boot.read_only || found.boot.standby {
                return fails(3906, &[&found.name])?;
            }
        }
        if self.doomed {
            return fails(3930, &[])?;
        }
        if server.orders().free == Some(0) {
            let name = server.state().name_of(database).unwrap_or_default();
            return fails(9002, &[&name, "ACTIVE_TRANSACTION"])?;
        }
        self.take_place(server, database, out)
    }

    /// Takes the place for writers of a database, until the transaction ends.
    pub fn take_place(&mut self, server: &Server, database: i32, out: Out<'_>) -> Result<(), Halt> {
        let id = self.id;
        server.wait(self, out, Wait::Lock, |state| {
            let Some(found) = state.databases.get_mut(&database) else { return Ok(()) };
            match found.writer {
                Some(other) if other != id => Err(other),
                _ => {
                    found.writer = Some(id);
                    Ok(())
                }
            }
        })?;
        if self.set.implicit && self.open == 0 {
            self.begin(server);
        }
        if !self.begun {
            self.sqlite.execute_batch("BEGIN").map_err(|error| self.broken(&error))?;
            self.begun = true;
        }
        Ok(())
    }

    /// Notes what a statement did, for the log.
    pub fn note(&mut self, database: i32, sql: &str, values: &[Stored]) {
        let values = values.iter().map(Param::from).collect();
        self.changes.entry(database).or_default().push((sql.to_string(), values));
    }

    /// Runs a statement of the engine's own on a database, as part of the transaction, and logs it.
    pub fn write(&mut self, server: &Server, database: i32, sql: &str, values: &[Stored], out: Out<'_>) -> Result<usize, Halt> {
        let alias = self.attach(server, database)?;
        self.prepare_write(server, database, out)?;
        let sql = sql.replace("{db}", &format!("\"{alias}\""));
        let changed =
            self.sqlite.execute(&sql, rusqlite::params_from_iter(values.iter())).map_err(|error| self.broken(&error))?;
        self.note(database, &sql, values);
        Ok(changed)
    }

    /// An error of SQLite that no rule foresees.
    pub fn broken(&self, error: &rusqlite::Error) -> Halt {
        Halt::Fails(vec![fault(8921, &[&error.to_string()])])
    }

    /// BEGIN TRANSACTION.
    pub fn begin(&mut self, server: &Server) {
        self.open += 1;
        if let Some(session) = server.state().sessions.get_mut(&self.id) {
            session.transactions = self.open;
            if self.open == 1 {
                session.transaction_since = state::now();
            }
        }
    }

    /// Ends a statement outside transactions.
    pub fn autocommit(&mut self, server: &Server) -> Result<(), Halt> {
        if self.open == 0 && self.begun { self.commit_now(server) } else { Ok(()) }
    }

    /// COMMIT TRANSACTION.
    pub fn commit(&mut self, server: &Server) -> Result<(), Halt> {
        if self.open == 0 {
            return fails(3902, &[])?;
        }
        if self.doomed {
            return fails(3930, &[])?;
        }
        if self.open > 1 {
            self.open -= 1;
            self.tell(server);
            return Ok(());
        }
        let done = self.commit_now(server);
        self.ended(server);
        done
    }

    /// The commit itself: effects and log record in one SQLite transaction, on disk when it returns.
    fn commit_now(&mut self, server: &Server) -> Result<(), Halt> {
        let changes = std::mem::take(&mut self.changes);
        if !self.begun {
            return Ok(());
        }
        let gates: Vec<_> = changes.keys().map(|database| server.log_of(*database)).collect();
        let held: Vec<_> = gates.iter().map(|gate| lock(gate)).collect();
        let mut boots = Vec::new();
        let mut logged = Vec::new();
        let written = (|| {
            for (database, statements) in changes {
                let found = server.state().databases.get(&database).map(|found| (found.boot.clone(), server.path(&found.log)));
                let Some((mut boot, log)) = found else { continue };
                let alias =
                    self.attached.borrow().get(&database).map_or_else(|| datafile::alias(&boot), |there| there.alias.clone());
                let placed = datafile::place(&mut boot, &Record::Change { alias: alias.clone(), statements });
                boot.changed = placed.next;
                if boot.recovery == Recovery::Simple {
                    boot.checkpoint = placed.lsn;
                }
                datafile::write_boot(&self.sqlite, &alias, &boot).map_err(|error| self.broken(&error))?;
                // From here on it is committed: a start after a crash redoes it from the log.
                let before = logfile::append(&log, &[placed]).map_err(|_| fault(9002, &[&boot.name, "NOTHING"]))?;
                logged.push((log, before));
                boots.push((database, boot));
            }
            self.sqlite.execute_batch("COMMIT").map_err(|error| self.broken(&error))
        })();
        if let Err(error) = written {
            for (log, before) in logged {
                logfile::cut(&log, before);
            }
            drop(held);
            self.rollback(server);
            return Err(error);
        }
        self.begun = false;
        let mut state = server.state();
        for (database, boot) in boots {
            if let Some(found) = state.databases.get_mut(&database) {
                found.boot = boot;
            }
        }
        Self::free(&mut state, self.id);
        drop(state);
        drop(held);
        server.changed.notify_all();
        Ok(())
    }

    /// ROLLBACK, also of a killed or lost session.
    pub fn rollback(&mut self, server: &Server) {
        self.changes.clear();
        if self.begun {
            let _ = self.sqlite.execute_batch("ROLLBACK");
            self.begun = false;
        }
        Self::free(&mut server.state(), self.id);
        self.ended(server);
    }

    /// Frees the places of a writer.
    fn free(state: &mut state::State, id: SessionId) {
        for database in state.databases.values_mut().filter(|database| database.writer == Some(id)) {
            database.writer = None;
        }
    }

    fn ended(&mut self, server: &Server) {
        self.open = 0;
        self.doomed = false;
        server.state().locks.retain(|held| !(held.session == self.id && held.transaction));
        self.tell(server);
        server.changed.notify_all();
    }

    fn tell(&self, server: &Server) {
        if let Some(session) = server.state().sessions.get_mut(&self.id) {
            session.transactions = self.open;
        }
    }
}
