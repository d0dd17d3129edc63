//! One instance and the store's database on it: its connections, and how statements reach it.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::away::Away;
use super::connection::{Access, Asked, Connection, Purpose};
use super::errors;
use super::rows::Row;
use super::statements::{self, DatabaseName, ServerPath, Statement};
use crate::config::Tickets;
use crate::error::{Failure, Result};
use crate::model::Side;
use crate::progress::{Progress, Watch};
use crate::server::labelled;
use crate::server::port::By;
use crate::text;
use crate::text::Text;
use crate::world::{Label, World};

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
    /// How scripts connect.
    script: Option<Access>,
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
    away: Away,
}

#[derive(Default)]
struct Control {
    connection: Option<Connection>,
    /// Our login sees everybody's sessions. Asked once: a login that is given the right is connected anew.
    sees_all: Option<bool>,
}

/// What an instance is made of; see [`Instance`].
pub struct Parts {
    /// Main or backup.
    pub side: Side,
    /// How to connect.
    pub access: Access,
    /// How scripts connect; `None`: they cannot.
    pub script: Option<Access>,
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
        let Parts { side, access, script, database, exchange, tickets, world, section } = parts;
        Instance {
            side,
            access,
            script,
            database,
            exchange: exchange.0,
            exchange_here: exchange.1,
            tickets,
            world,
            svrpdv: section.svrpdv,
            between_looks: section.between_looks,
            statement_within: section.statement_timeout,
            control: Mutex::default(),
            away: Away::default(),
        }
    }

    fn control(&self) -> Result<MutexGuard<'_, Control>> {
        self.control.lock().map_err(|_| Failure::failed("panicked", text!("error interno", "internal error")))
    }

    /// Sends a short statement. A question on a connection that has meanwhile been lost is asked again, once.
    pub fn ask(&self, statement: &Statement) -> Result<Vec<Row>> {
        let mut control = self.control()?;
        let reused = control.connection.is_some();
        let outcome = self.on(&mut control, statement);
        match outcome {
            Err(failure) if reused && errors::is_lost(&failure) && !statement.columns().is_empty() => {
                self.on(&mut control, statement)
            }
            outcome => outcome,
        }
    }

    /// Connects, unless it is known to be in vain.
    pub(super) fn connect(&self, name: &str, purpose: Purpose) -> Result<Connection> {
        self.connect_as(&self.access, name, purpose)
    }

    /// The same with the login of `access`.
    pub(super) fn connect_as(&self, access: &Access, name: &str, purpose: Purpose) -> Result<Connection> {
        if let Some(failure) = self.away.why() {
            return Err(failure);
        }
        let began = Instant::now();
        let outcome = Connection::open(access, name, purpose);
        match &outcome {
            Ok(_) => self.away.forget(),
            Err(failure) if errors::is_unreachable(failure) => self.away.remember(began.elapsed(), failure),
            Err(_) => {}
        }
        outcome
    }

    /// Forgets that it was away.
    pub fn ask_anew(&self) {
        self.away.forget();
    }

    fn on(&self, control: &mut Control, statement: &Statement) -> Result<Vec<Row>> {
        let connection = match &mut control.connection {
            Some(connection) => connection,
            none => none.insert(self.connect(&self.side.to_string(), Purpose::Control)?),
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
        labelled(self.world.as_ref(), label, change)
    }

    /// Sends work that takes as long as it takes, on a connection of its own, and tells how far it is. A wish to stop ends it on the server
    /// too.
    pub fn long(&self, statement: &Statement, what: &Text, watch: &Watch) -> Result<Vec<Row>> {
        watch.check()?;
        let mut connection = self.connect(&self.side.to_string(), Purpose::Maintenance)?;
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
        if outcome.is_err() {
            watch.check()?; // it failed because it was stopped
        }
        outcome
    }

    /// A connection of its own, for locks and sessions that last as long as it.
    pub fn apart(&self, name: &str) -> Result<Connection> {
        self.connect(name, Purpose::Control)
    }

    /// Works in the store's database with statements of the store, inside one transaction. `work` says by its answer what becomes of it:
    /// kept (`true`) or taken back.
    pub fn in_store<T>(&self, by: By, work: impl FnOnce(&mut Connection) -> Result<(T, bool)>) -> Result<T> {
        let access = if by == By::Script { self.script_access()? } else { &self.access };
        let mut connection = self.connect_as(access, &self.side.to_string(), Purpose::Store)?;
        if by == By::Script {
            self.must_be_weak(access, &mut connection)?;
        }
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

    fn script_access(&self) -> Result<&Access> {
        let (side, database) = (self.side, &self.database);
        self.script.as_ref().ok_or_else(|| {
            Failure::refused(
                "script_login_missing",
                text!(
                    "los scripts no tienen login en SQL Server: falta [servers.{side}] script_login",
                    "scripts have no login on SQL Server: [servers.{side}] script_login is missing"
                ),
            )
            .hint(text!(
                "cree un login con usuario en {database} y sólo los permisos que el script necesita, y póngalo en relevo.toml: script_login = {{ user = \"…\", password = \"secret:…\" }}",
                "create a login with a user in {database} and only the rights that the script needs, and put it into relevo.toml: script_login = {{ user = \"…\", password = \"secret:…\" }}"
            ))
        })
    }

    /// What a script sends is judged, but a judgement may err: its login must not be able to do harm outside the database.
    fn must_be_weak(&self, access: &Access, connection: &mut Connection) -> Result<()> {
        let rows = connection.run(&statements::permissions())?;
        let strong = rows.first().map_or(Ok(true), |row| Ok::<_, Failure>(row.yes("sysadmin")? || row.yes("control_server")?))?;
        if !strong {
            return Ok(());
        }
        let (user, side) = (access.user.as_deref().unwrap_or("Windows"), self.side);
        Err(Failure::refused(
            "script_login_too_strong",
            text!(
                "el login {user} de los scripts administra todo el servidor",
                "the scripts' login {user} administers the whole server"
            ),
        )
        .hint(text!(
            "use en [servers.{side}] script_login uno que no sea sysadmin",
            "use one in [servers.{side}] script_login that is no sysadmin"
        )))
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
