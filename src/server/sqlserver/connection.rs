//! One connection to an instance, blocking. Always to `master`: BDPdv may be closed, and whoever stands in it cannot restore it. tokio lives
//! in this file only: a connection is driven by the thread that waits for it.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::TryStreamExt;
use tiberius::{AuthMethod, Config, EncryptionLevel, Query, SqlBrowser};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};
use tracing::field::{Field, Visit};

use super::address::{Address, Port};
use super::errors::{self, Client, Message};
use super::rows::Row;
use super::spent::Spent;
use super::statements::{self, ServerTime, SessionId, Statement};
use super::values;
use crate::config::Encryption;
use crate::error::{Failure, Result};
use crate::text;
use crate::text::Text;
use crate::world;

/// How connections to one instance are made.
pub struct Access {
    /// As people know the instance.
    pub instance: String,
    /// Where it is.
    pub address: Address,
    /// SQL login; `None`: the Windows account of this process.
    pub user: Option<String>,
    /// Fetches the password when a connection is made; nobody keeps it.
    pub password: Box<dyn Fn() -> Result<String> + Send + Sync>,
    /// What is encrypted.
    pub encryption: Encryption,
    /// Believe its certificate unseen.
    pub trust: bool,
    /// How long a connection may take, the login included.
    pub connect_within: Duration,
    /// What was asked of it so far.
    pub spent: Arc<Spent>,
    /// How long a statement may be silent; work that takes as long as it takes has a connection of its own.
    pub answer_within: Duration,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Questions and short changes.
    Control,
    /// Backups, restores and what else takes as long as it takes.
    Maintenance,
    /// Statements of the store and of scripts.
    Store,
}

/// How the program name of every connection of relevo begins.
pub const PROGRAM: &str = "relevo";

/// An open connection.
pub struct Connection {
    client: tiberius::Client<Compat<TcpStream>>,
    instance: String,
    /// Its session on the server.
    pub session: SessionId,
    /// When it began, as the server says: with it a number that is used again is told apart.
    pub login_time: ServerTime,
    /// The server's id of the connection.
    pub id: Option<uuid::Uuid>,
    /// After this nothing can be asked any more: the stream is out of step, or gone.
    broken: bool,
    limit: Option<Duration>,
    spent: Arc<Spent>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {} of {}", self.session, self.instance)
    }
}

pub(super) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    // One thread serves the sockets and timers of all connections; the work is done by the threads that wait for it.
    let made = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("sqlserver").enable_all().build().ok()
    });
    made.as_ref().ok_or_else(|| {
        Failure::failed("no_threads", text!("el sistema no dio un hilo para la red", "the system gave no thread for the network"))
    })
}

impl Connection {
    /// Connects, as program `relevo-NAME`.
    pub fn open(access: &Access, name: &str, purpose: Purpose) -> Result<Connection> {
        let mut config = Config::new();
        config.host(&access.address.host);
        config.database("master");
        config.application_name(format!("{PROGRAM}-{name}"));
        config.authentication(authentication(access)?);
        config.encryption(match access.encryption {
            Encryption::Required => EncryptionLevel::Required,
            Encryption::Login => EncryptionLevel::Off,
            Encryption::None => EncryptionLevel::NotSupported,
        });
        if access.trust {
            config.trust_cert();
        }
        config.handshake_timeout(Some(access.connect_within));
        let limit = (purpose != Purpose::Maintenance).then_some(access.answer_within);
        config.command_timeout(limit);
        match &access.address.port {
            Port::Known(port) => config.port(*port),
            Port::Instance(instance) => config.instance_name(instance),
        }
        let connect = async {
            let stream = match &access.address.port {
                Port::Known(port) => TcpStream::connect((access.address.host.as_str(), *port)).await?,
                Port::Instance(_) => TcpStream::connect_named(&config).await?,
            };
            stream.set_nodelay(true)?;
            tiberius::Client::connect(config, stream.compat_write()).await
        };
        access.spent.connected();
        let (outcome, said) = access.spent.waiting(|| {
            listening(|| {
                runtime().map(|runtime| runtime.block_on(async { tokio::time::timeout(access.connect_within, connect).await }))
            })
        });
        let client = match outcome? {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(failure(&access.instance, &doing_connect(access), &error, said, true)),
            Err(_) => return Err(Client::ConnectTimeout.failure(&access.instance, "timeout")),
        };
        let session = SessionId::new(1)?;
        let login_time = ServerTime::new("1900-01-01T00:00:00")?;
        let mut connection = Connection {
            client,
            instance: access.instance.clone(),
            session,
            login_time,
            id: None,
            broken: false,
            limit,
            spent: access.spent.clone(),
        };
        let wait_ms = u32::try_from(access.answer_within.as_millis()).unwrap_or(30_000);
        connection.run(&statements::preamble(wait_ms, purpose == Purpose::Store))?;
        if purpose == Purpose::Store {
            return Ok(connection); // nobody ends its session, and a login of few rights may not ask for it
        }
        let own = connection.run(&statements::own_session())?;
        if let Some(row) = own.first() {
            connection.session = SessionId::new(row.must_int("session_id")?)?;
            connection.login_time = ServerTime::new(&row.must_words("login_time")?)?;
            connection.id = row.guid("connection_id")?;
        }
        Ok(connection)
    }

    /// Can it still be asked?
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Sends a statement and waits to its end. Its rows; of several result sets those of the last.
    pub fn run(&mut self, statement: &Statement) -> Result<Vec<Row>> {
        let doing = doing(statement, &self.instance);
        if statement.is_long() && self.limit.is_some() {
            return Err(Failure::failed("sql_connection", doing).cause("a long statement on a connection with a limit"));
        }
        tracing::debug!(instance = self.instance, statement = statement.shown(), "sql");
        let client = &mut self.client;
        let work = async {
            let results = client.simple_query(statement.text()).await?.into_results().await?;
            Ok::<_, tiberius::error::Error>(results)
        };
        let spent = self.spent.clone();
        let (outcome, said) = spent.waiting(|| listening(|| runtime().map(|runtime| runtime.block_on(work))));
        match outcome? {
            Ok(mut results) => results.pop().unwrap_or_default().iter().map(values::row).collect(),
            Err(error) => Err(self.broke(&doing, &error, said)),
        }
    }

    /// Sends a statement and gives its rows one by one, as they come.
    pub fn each(&mut self, statement: &Statement, each: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
        let doing = doing(statement, &self.instance);
        let client = &mut self.client;
        let mut refused = None;
        let work = async {
            let mut stream = client.simple_query(statement.text()).await?;
            while let Some(item) = stream.try_next().await? {
                let tiberius::QueryItem::Row(row) = item else { continue };
                if let Err(failure) = values::row(&row).and_then(&mut *each) {
                    refused = Some(failure);
                    break;
                }
            }
            Ok::<_, tiberius::error::Error>(())
        };
        let spent = self.spent.clone();
        let (outcome, said) = spent.waiting(|| listening(|| runtime().map(|runtime| runtime.block_on(work))));
        if let Some(failure) = refused {
            self.broken = true; // what was not read stands in the way of the next statement
            return Err(failure);
        }
        outcome?.map_err(|error| self.broke(&doing, &error, said))
    }

    /// Sends a statement that the store wrote, with its parameters `@P1`, `@P2`…; its rows as objects, at most `limit`. It has `within` for
    /// everything.
    pub fn ask(&mut self, asked: &Asked<'_>, limit: usize) -> Result<Vec<serde_json::Value>> {
        let query = asked.query()?;
        let client = &mut self.client;
        let work = async {
            let mut stream = query.query(client).await?;
            let (mut rows, mut more) = (Vec::new(), false);
            while let Some(item) = stream.try_next().await? {
                let tiberius::QueryItem::Row(row) = item else { continue };
                if rows.len() == limit {
                    more = true;
                    break;
                }
                rows.push(values::object(&row));
            }
            Ok::<_, tiberius::error::Error>((rows, more))
        };
        let spent = self.spent.clone();
        let outcome = spent
            .waiting(|| listening(|| runtime().map(|r| r.block_on(async { tokio::time::timeout(asked.within, work).await }))));
        let (rows, more) = self.answered(outcome)?;
        self.broken |= more; // what was not read stands in the way of the next statement
        Ok(rows)
    }

    /// Sends a changing statement that the store wrote; rows changed.
    pub fn change(&mut self, asked: &Asked<'_>) -> Result<u64> {
        let query = asked.query()?;
        let client = &mut self.client;
        let work = async { query.execute(client).await.map(tiberius::ExecuteResult::total) };
        let spent = self.spent.clone();
        let outcome = spent
            .waiting(|| listening(|| runtime().map(|r| r.block_on(async { tokio::time::timeout(asked.within, work).await }))));
        self.answered(outcome)
    }

    fn answered<T>(&mut self, (outcome, said): (Result<Timed<T>>, Vec<Message>)) -> Result<T> {
        let doing = text!("ejecutar una instrucción de la tienda", "run a statement of the store");
        match outcome? {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.broke(&doing, &error, said)),
            Err(_) => {
                self.broken = true;
                Err(Client::AnswerTimeout.failure(&self.instance, "timeout"))
            }
        }
    }

    fn broke(&mut self, doing: &Text, error: &tiberius::error::Error, said: Vec<Message>) -> Failure {
        self.broken |= !matches!(error, tiberius::error::Error::Server(e) if e.class() < 20);
        failure(&self.instance, doing, error, said, false)
    }
}

/// What came of work that has a limit.
type Timed<T> = std::result::Result<std::result::Result<T, tiberius::error::Error>, tokio::time::error::Elapsed>;

/// A statement of the store.
pub struct Asked<'a> {
    /// Judged already.
    pub statement: &'a Statement,
    /// Its parameters.
    pub params: &'a [serde_json::Value],
    /// How long it may take.
    pub within: Duration,
}

impl Asked<'_> {
    fn query(&self) -> Result<Query<'_>> {
        let mut query = Query::new(self.statement.text());
        self.params.iter().try_for_each(|param| values::bind(&mut query, param))?;
        Ok(query)
    }
}

fn doing(statement: &Statement, instance: &str) -> Text {
    let name = statement.name();
    text!("ejecutar {name} en {instance}", "run {name} on {instance}")
}

fn doing_connect(access: &Access) -> Text {
    let instance = &access.instance;
    text!("conectar con {instance}", "connect to {instance}")
}

fn authentication(access: &Access) -> Result<AuthMethod> {
    let windows = match &access.user {
        Some(user) if user.contains('\\') => world::windows_login(Some((user, &(access.password)()?))),
        Some(user) => return Ok(AuthMethod::sql_server(user, (access.password)()?)),
        None => world::windows_login(None),
    };
    windows.ok_or_else(|| {
        Failure::invalid(
            "sql_login",
            text!("las cuentas de Windows sólo sirven en Windows", "Windows accounts work on Windows only"),
        )
        .hint(text!(
            "ponga un login de SQL Server en [servers] de relevo.toml",
            "set a login of SQL Server in [servers] of relevo.toml"
        ))
    })
}

fn failure(instance: &str, doing: &Text, error: &tiberius::error::Error, said: Vec<Message>, connecting: bool) -> Failure {
    use tiberius::error::Error;
    let client = match error {
        Error::Server(first) => {
            let mut chain = said;
            if chain.is_empty() {
                chain.push(Message {
                    number: first.code(),
                    severity: first.class(),
                    state: first.state(),
                    text: first.message().to_owned(),
                });
            }
            return errors::failure(doing, &chain);
        }
        // A refused login ends the connection: what the server said counts, not that it hung up.
        _ if !said.is_empty() => return errors::failure(doing, &said),
        Error::Io { kind, .. } => Client::of_io(*kind, connecting),
        Error::Tls(_) => Client::Tls,
        // The client has no case of its own for it.
        Error::Conversion(words) if words.to_lowercase().contains("browser") => Client::Browser,
        _ => Client::Protocol,
    };
    client.failure(instance, &error.to_string())
}

/// Runs `work` and hears every error that the server sends meanwhile. The client hands on the first of them only, which need not be the
/// cause; all of them pass through its log.
pub(super) fn listening<T>(work: impl FnOnce() -> T) -> (T, Vec<Message>) {
    let heard: Arc<Mutex<Vec<Message>>> = Arc::default();
    let value = tracing::subscriber::with_default(Ear(heard.clone()), work);
    let said = heard.lock().map(|mut said| std::mem::take(&mut *said)).unwrap_or_default();
    (value, said)
}

struct Ear(Arc<Mutex<Vec<Message>>>);

impl tracing::Subscriber for Ear {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR && metadata.target() == "tiberius::tds::stream::token"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        // Its severity does not pass through the log; whatever passes there as an error is one.
        let mut message = Message { number: 0, severity: 16, state: 0, text: String::new() };
        event.record(&mut Words(&mut message));
        if let Ok(mut heard) = self.0.lock() {
            heard.push(message);
        }
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}

struct Words<'a>(&'a mut Message);

impl Visit for Words<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "code" {
            self.0.number = u32::try_from(value).unwrap_or(0);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0.text = value.to_owned();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.text = format!("{value:?}");
        }
    }
}
