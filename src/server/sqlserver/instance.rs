//! One instance and the store's database on it: its connections, and how statements reach it.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::connection::{Access, Asked, Connection, Purpose};
use super::errors;
use super::rows::Row;
use super::statements::{self, DatabaseName, ServerPath, Statement};
use crate::config::Tickets;
use crate::error::{Failure, Result};
use crate::model::Side;
use crate::progress::{Progress, Watch};
use crate::text;
use crate::text::Text;
use crate::world::{Label, Moment, World};

/// An instance that did not answer is not asked again for this long: one verb looks many times.
const AWAY_FOR: Duration = Duration::from_millis(500);
/// How often long work is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The first question comes sooner: most work is short.
const FIRST_ASK: Duration = Duration::from_millis(100);
/// Long work is told of every so many percent.
const TOLD_EVERY: i64 = 10;

/// An instance.
pub struct Instance {
    /// Main or backup.
    pub side: Side,
    /// How to connect.
    pub access: Access,
    /// The store's database.
    pub database: DatabaseName,
    /// The exchange folder, as the server sees it.
    pub exchange: ServerPath,
    /// The exchange folder, as this machine sees it.
    pub exchange_here: PathBuf,
    /// The store's ticket table.
    pub tickets: Tickets,
    /// The operating system.
    pub world: Arc<dyn World>,
    /// How the program name of SvrPdv's sessions begins.
    pub svrpdv: String,
    /// Time between the two looks that prove that nobody operates.
    pub between_looks: Duration,
    /// How long a statement of the store may take.
    pub statement_within: Duration,
    control: Mutex<Control>,
}

#[derive(Default)]
struct Control {
    connection: Option<Connection>,
    away: Option<(Instant, Failure)>,
    /// Our login sees everybody's sessions. Asked once: a login that is given the right is connected anew.
    sees_all: Option<bool>,
}

/// What an instance is made of; see [`Instance`].
pub struct Parts {
    /// Main or backup.
    pub side: Side,
    /// How to connect.
    pub access: Access,
    /// The store's database.
    pub database: DatabaseName,
    /// The exchange folder, as the server and as this machine see it.
    pub exchange: (ServerPath, PathBuf),
    /// The store's ticket table.
    pub tickets: Tickets,
    /// The operating system.
    pub world: Arc<dyn World>,
    /// `[sqlserver]`.
    pub section: crate::config::SqlServerSection,
}

impl Instance {
    /// An instance. Nothing is connected yet.
    pub fn new(parts: Parts) -> Instance {
        let Parts { side, access, database, exchange, tickets, world, section } = parts;
        Instance {
            side,
            access,
            database,
            exchange: exchange.0,
            exchange_here: exchange.1,
            tickets,
            world,
            svrpdv: section.svrpdv,
            between_looks: section.between_looks,
            statement_within: section.statement_timeout,
            control: Mutex::default(),
        }
    }

    fn control(&self) -> Result<MutexGuard<'_, Control>> {
        self.control.lock().map_err(|_| Failure::failed("panicked", text!("error interno", "internal error")))
    }

    /// Sends a short statement. A question on a connection that has meanwhile been lost is asked again, once.
    pub fn ask(&self, statement: &Statement) -> Result<Vec<Row>> {
        let mut control = self.control()?;
        if let Some((at, failure)) = &control.away
            && at.elapsed() < AWAY_FOR
        {
            return Err(failure.clone());
        }
        let reused = control.connection.is_some();
        let outcome = self.on(&mut control, statement);
        match outcome {
            Err(failure) if reused && errors::is_lost(&failure) && !statement.columns().is_empty() => {
                self.on(&mut control, statement)
            }
            outcome => outcome,
        }
    }

    fn on(&self, control: &mut Control, statement: &Statement) -> Result<Vec<Row>> {
        let connection = match &mut control.connection {
            Some(connection) => connection,
            none => match Connection::open(&self.access, &self.side.to_string(), Purpose::Control) {
                Ok(connection) => {
                    control.away = None;
                    none.insert(connection)
                }
                Err(failure) => {
                    if errors::is_unreachable(&failure) {
                        control.away = Some((Instant::now(), failure.clone()));
                    }
                    return Err(failure);
                }
            },
        };
        let outcome = connection.run(statement);
        if connection.is_broken() {
            control.connection = None;
        }
        outcome
    }

    /// The one row of a statement that has one.
    pub fn one(&self, statement: &Statement) -> Result<Row> {
        self.ask(statement)?.into_iter().next().ok_or_else(|| {
            let name = statement.name();
            Failure::failed("sql_answer", text!("el servidor no contestó a {name}", "the server did not answer {name}"))
        })
    }

    /// Sends a changing statement between the two points of its label.
    pub fn change(&self, label: Label, statement: &Statement) -> Result<()> {
        self.labelled(label, || self.ask(statement).map(drop))
    }

    /// Does `change` between the two points of a label.
    pub fn labelled<T>(&self, label: Label, change: impl FnOnce() -> Result<T>) -> Result<T> {
        let reach = |moment| {
            self.world.reach(label, moment).map_err(|error| {
                Failure::failed("database_write", text!("no se pudo escribir en la base", "could not write to the database"))
                    .cause(error)
            })
        };
        reach(Moment::Before)?;
        let value = change()?;
        reach(Moment::After)?;
        Ok(value)
    }

    /// Sends work that takes as long as it takes, on a connection of its own, and tells how far it is. A wish to stop ends it on the server
    /// too.
    pub fn long(&self, statement: &Statement, what: &Text, watch: &Watch) -> Result<Vec<Row>> {
        watch.check()?;
        let mut connection = Connection::open(&self.access, &self.side.to_string(), Purpose::Maintenance)?;
        let (session, login_time, id) = (connection.session, connection.login_time.clone(), connection.id);
        watch.report(Progress::Begin(what.clone(), 0));
        let outcome = std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            scope.spawn(move || sender.send(connection.run(statement)));
            let (mut pause, mut told, mut asked_to_stop) = (FIRST_ASK, 0, false);
            loop {
                match receiver.recv_timeout(pause) {
                    Ok(outcome) => return outcome,
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Failure::failed("panicked", text!("error interno", "internal error")));
                    }
                    Err(RecvTimeoutError::Timeout) => pause = ASK_EVERY,
                }
                if !asked_to_stop && watch.check().is_err() {
                    asked_to_stop = true;
                    // Where it cannot be ended it is waited for: nothing is left running that nobody knows of.
                    let _ = self.ask(&statements::kill(session, &login_time, id));
                }
                // Not knowing how far it is harms nobody.
                let progress = self.ask(&statements::progress(session)).unwrap_or_default();
                let percent = progress.first().and_then(|row| row.int("percent_hundredths").ok().flatten()).unwrap_or(0) / 100;
                if percent >= told + TOLD_EVERY {
                    told = percent;
                    let Text { es, en } = what;
                    watch.note(Text { es: format!("{es}: {percent} %"), en: format!("{en}: {percent} %") });
                }
            }
        });
        watch.report(Progress::End);
        match outcome {
            Err(_) if watch.check().is_err() => Err(watch.check().err().unwrap_or_else(|| unreachable!("asked just now"))),
            outcome => outcome,
        }
    }

    /// A connection of its own, for locks and sessions that last as long as it.
    pub fn apart(&self, name: &str) -> Result<Connection> {
        Connection::open(&self.access, name, Purpose::Control)
    }

    /// Works in the store's database with statements of the store, inside one transaction. `work` says by its answer what becomes of it:
    /// kept (`true`) or taken back.
    pub fn in_store<T>(&self, work: impl FnOnce(&mut Connection) -> Result<(T, bool)>) -> Result<T> {
        let mut connection = Connection::open(&self.access, &self.side.to_string(), Purpose::Store)?;
        connection.run(&statements::enter(&self.database))?;
        connection.run(&statements::begin())?;
        // Whatever fails, the connection ends with this function, and with it the transaction.
        let (value, keep) = work(&mut connection)?;
        if keep {
            connection.run(&statements::commit())?;
        } else if !connection.is_broken() {
            connection.run(&statements::rollback())?;
        }
        Ok(value)
    }

    /// A statement of the store, judged and timed.
    pub fn asked<'a>(&self, statement: &'a Statement, params: &'a [serde_json::Value]) -> Asked<'a> {
        Asked { statement, params, within: self.statement_within }
    }

    /// Fails where our login does not see everybody's sessions: then nobody could ever be proved to be absent.
    pub fn must_see_all(&self) -> Result<()> {
        if let Some(sees) = self.control()?.sees_all {
            return if sees { Ok(()) } else { Err(self.blind()) };
        }
        let row = self.one(&statements::permissions())?;
        let sees = row.yes("view_server_state")? || row.yes("sysadmin")?;
        self.control()?.sees_all = sees.then_some(true);
        if sees { Ok(()) } else { Err(self.blind()) }
    }

    fn blind(&self) -> Failure {
        let instance = &self.access.instance;
        Failure::failed(
            "sql_permission",
            text!(
                "el login de relevo en {instance} no puede ver las sesiones de otros: no se puede demostrar que nadie opera",
                "relevo's login on {instance} cannot see the sessions of others: that nobody operates cannot be proved"
            ),
        )
        .hint(text!(
            "un administrador de SQL Server debe ejecutar: GRANT VIEW SERVER STATE TO el login de relevo",
            "an administrator of SQL Server has to run: GRANT VIEW SERVER STATE TO relevo's login"
        ))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.access.spent.tell(&self.access.instance);
    }
}
