//! An opened store directory: its settings, servers, targets and state. Every verb works through one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::config::{Config, Engine, Login};
use crate::error::{Exit, Failure, Result};
use crate::journal::Journal;
use crate::model::{EpochRecord, Finding, Side, kept};
use crate::operator::Operator;
use crate::secrets::Secrets;
use crate::server::DatabaseServer;
use crate::server::embedded::Embedded;
use crate::server::port::Post;
use crate::server::sqlserver::address::Address;
use crate::server::sqlserver::connection::Access;
use crate::server::sqlserver::instance::{Instance, Parts};
use crate::server::sqlserver::preflight;
use crate::server::sqlserver::statements::{DatabaseName, ServerPath};
use crate::targets::copies::Copies;
use crate::text;
use crate::world::{Label, World, read_if_there};

/// A store, as this machine has it.
pub struct Store {
    /// The store directory.
    pub dir: PathBuf,
    /// Its `state/`.
    pub state: PathBuf,
    /// Its settings.
    pub config: Config,
    /// The operating system.
    pub world: Arc<dyn World>,
    /// The person.
    pub operator: Operator,
    /// The main server.
    pub main: Box<dyn DatabaseServer>,
    /// The backup server.
    pub backup: Box<dyn DatabaseServer>,
    /// The targets of the mirror, in the order of the settings.
    pub copies: Vec<Copies>,
    journal: OnceLock<Journal>,
    /// A launch of SvrPdv takes the post before it looks at the epoch; the step that starts SvrPdv finds it here.
    post: Mutex<Option<Post>>,
}

impl Store {
    /// Opens a store directory. Reads settings only; servers and targets are reached when they are used.
    pub fn open(dir: &Path, world: Arc<dyn World>, operator: Operator) -> Result<Store> {
        let dir = std::path::absolute(dir).map_err(|e| Failure::io(text!("no se pudo abrir", "could not open"), dir, &e))?;
        let config = Config::load(&dir)?;
        let state = dir.join("state");
        let server = |side: Side| -> Result<Box<dyn DatabaseServer>> {
            let section = config.server(side);
            match section.engine {
                Engine::Embedded => Ok(Box::new(Embedded::new(
                    side,
                    Path::new(&section.instance),
                    &section.database,
                    config.tickets.clone(),
                    world.clone(),
                )?)),
                Engine::Sqlserver => Ok(Box::new(sqlserver(side, &config, &state, &world)?)),
            }
        };
        let (main, backup) = (server(Side::Main)?, server(Side::Backup)?);
        let copies = crate::targets::open(&config, &state, &world)?;
        Ok(Store { dir, state, config, world, operator, main, backup, copies, journal: OnceLock::new(), post: Mutex::new(None) })
    }

    /// One of the two servers.
    pub fn server(&self, side: Side) -> &dyn DatabaseServer {
        match side {
            Side::Main => self.main.as_ref(),
            Side::Backup => self.backup.as_ref(),
        }
    }

    /// What the two servers lack for the work of relevo, the worst first. Nothing of one that is away: that is said elsewhere.
    pub fn findings(&self) -> Vec<Finding> {
        let [main, backup] = [&self.main, &self.backup].map(|server| server.survey().ok().flatten());
        let minutes = self.config.mirror.interval.as_secs().div_ceil(60);
        let mut found = preflight::findings(main.as_ref(), backup.as_ref(), minutes);
        found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        found
    }

    /// The journal, opened when it is first needed.
    pub fn journal(&self) -> Result<&Journal> {
        if self.journal.get().is_none() {
            let journal = Journal::open(&self.state, self.world.clone())?;
            let _ = self.journal.set(journal); // another thread's is as good
        }
        self.journal.get().ok_or_else(|| Failure::failed("journal", text!("no hay diario", "there is no journal")))
    }

    /// Now, for people: RFC 3339 with offset.
    pub fn now(&self) -> String {
        self.world.now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// The highest epoch record this machine ever saw. An unreadable memory is a failure: without it an older server might
    /// be taken for the holder.
    pub fn remembered(&self) -> Result<Option<EpochRecord>> {
        let path = self.state.join("epoch.json");
        let body = read_if_there(&path).map_err(|e| Failure::io(text!("no se pudo leer", "could not read"), &path, &e))?;
        let Some(body) = body else { return Ok(None) };
        kept::decode(&body).map(Some).map_err(|e| {
            let shown = path.display();
            Failure::new(
                Exit::Stuck,
                "epoch_memory_damaged",
                text!(
                    "{shown} está dañado: no se sabe qué época vio este equipo",
                    "{shown} is damaged: it is unknown which epoch this machine saw"
                ),
            )
            .cause(e)
            .hint(text!(
                "vea relevo status en otro equipo; si coincide con éste, borre el archivo",
                "see relevo status on another machine; if it agrees with this one, remove the file"
            ))
        })
    }

    /// Remembers a record, unless a higher one is remembered.
    pub fn remember(&self, record: &EpochRecord) -> Result<()> {
        if self.remembered()?.is_some_and(|known| known.epoch > record.epoch || known == *record) {
            return Ok(());
        }
        let path = self.state.join("epoch.json");
        self.world
            .write_file(Label::StateWrite, &path, &kept::encode(record))
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
    }

    /// The highest record in sight: both servers' and the remembered one.
    pub fn highest_record(&self) -> Result<EpochRecord> {
        let seen = [self.main.look()?.record, self.backup.look()?.record, self.remembered()?];
        Ok(highest(seen).unwrap_or_else(|| EpochRecord::first(None)))
    }

    /// The right to serve: the one this launch has taken already, or a new one; `None` when somebody else has it.
    pub fn take_post(&self, side: Side) -> Result<Option<Post>> {
        if let Ok(mut held) = self.post.lock()
            && let Some(post) = held.take()
        {
            return Ok(Some(post));
        }
        self.server(side).take_post()
    }

    /// Keeps the post for the step that starts SvrPdv.
    pub fn hold_post(&self, post: Post) {
        if let Ok(mut held) = self.post.lock() {
            *held = Some(post);
        }
    }

    /// Gives the post back, if it was not used.
    pub fn drop_post(&self) {
        if let Ok(mut held) = self.post.lock() {
            *held = None;
        }
    }
}

/// The highest of these; in one epoch the one that was started after a restore wins over the one still waiting.
pub fn highest(seen: [Option<EpochRecord>; 3]) -> Option<EpochRecord> {
    seen.into_iter().flatten().max_by_key(|r| (r.epoch, !r.awaiting_start))
}

/// An instance of SQL Server, as relevo.toml describes it. Its password is read from the secrets when a connection is made.
fn sqlserver(side: Side, config: &Config, state: &Path, world: &Arc<dyn World>) -> Result<Instance> {
    let section = config.server(side);
    let exchange = ServerPath::new(section.exchange.as_deref().unwrap_or_default())?;
    let here = section.exchange_here.clone().unwrap_or_else(|| PathBuf::from(exchange.as_str()));
    let address = Address::parse(section.address.as_deref().unwrap_or(&section.instance))?;
    let access_of = |login: Option<&Login>| Access {
        instance: section.instance.clone(),
        address: address.clone(),
        user: login.map(|login| login.user.clone()),
        password: {
            let (state, world) = (state.to_owned(), world.clone());
            let reference = login.map(|login| login.password.clone()).unwrap_or_default();
            Box::new(move || Secrets::open(&state, world.clone())?.resolve(&reference))
        },
        encryption: section.encryption,
        trust: section.trust_certificate,
        spent: Arc::default(),
        connect_within: config.sqlserver.connect_timeout,
        answer_within: config.sqlserver.statement_timeout,
    };
    Ok(Instance::new(Parts {
        side,
        access: access_of(section.login.as_ref()),
        script: section.script_login.as_ref().map(|login| access_of(Some(login))),
        database: DatabaseName::new(&section.database)?,
        exchange: (exchange, here),
        tickets: config.tickets.clone(),
        world: world.clone(),
        section: config.sqlserver.clone(),
    }))
}
