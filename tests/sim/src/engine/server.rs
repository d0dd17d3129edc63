//! The instance: who it is, where its things lie, and the parts that all sessions share.
//!
//! Order of locks: a database's log (`log_of`), then the state, then the store. Nobody waits for SQLite, a file or a client while he
//! holds the state.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    datafile, hash, logfile,
    messages::{Chain, fault},
    orders::{Orders, Standing, When},
    session::Work,
    state::{self, Boot, Database, DbState, History, Login, Restored, State},
    store::Store,
};
use crate::wire::SessionId;

/// What an instance is when it is first started. Later starts keep what it is, but for the language of the system.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its directory.
    pub dir: PathBuf,
    /// Port on 127.0.0.1; 0: any, which is then written to `port` in the directory.
    pub port: u16,
    /// Its instance name; empty: the default instance.
    pub name: String,
    /// The computer's name.
    pub machine: String,
    /// Major version, 13 (2016) to 17 (2025).
    pub major: u16,
    /// "Express", "Standard", "Web", "Developer", "Enterprise", "Evaluation".
    pub edition: String,
    /// Its collation.
    pub collation: String,
    /// Language of its logins: "us_english" or "Español".
    pub language: String,
    /// Environment variable with the password of `sa` and `relevo`.
    pub password_variable: String,
    /// The password itself, where no other process is to be told.
    pub password: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dir: PathBuf::new(),
            port: 0,
            name: "SQLEXPRESS".into(),
            machine: "TIENDA".into(),
            major: 16,
            edition: "Express".into(),
            collation: "Modern_Spanish_CI_AS".into(),
            language: "us_english".into(),
            password_variable: "RELEVO_SIM_PASSWORD".into(),
            password: None,
        }
    }
}

/// Who an instance is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // As in Options.
pub struct Identity {
    pub name: String,
    pub machine: String,
    pub major: u16,
    pub edition: String,
    pub collation: String,
    pub language: String,
}

impl Identity {
    /// Major, minor, build.
    pub fn version(&self) -> [u16; 3] {
        let build = match self.major {
            13 => 6300,
            14 => 3456,
            15 => 4375,
            16 => 4165,
            17 => 1000,
            _ => 0,
        };
        [self.major, 0, build]
    }

    /// Internal version of its databases.
    pub fn database_version(&self) -> u16 {
        match self.major {
            13 => 852,
            14 => 869,
            15 => 904,
            16 => 957,
            _ => 998,
        }
    }

    /// EngineEdition and EditionID.
    pub fn engine(&self) -> (i64, i64) {
        match self.edition.as_str() {
            "Standard" => (2, -1_534_726_760),
            "Web" => (2, 1_293_598_313),
            "Developer" => (3, -2_117_995_310),
            "Enterprise" => (3, 1_804_890_536),
            "Evaluation" => (3, 610_778_273),
            _ => (4, -1_592_396_055),
        }
    }

    /// What SERVERPROPERTY('Edition') says.
    pub fn edition_text(&self) -> String {
        let edition = match self.edition.as_str() {
            "Standard" | "Web" | "Developer" | "Enterprise" => self.edition.as_str(),
            "Evaluation" => "Enterprise Evaluation",
            _ => "Express",
        };
        format!("{edition} Edition (64-bit)")
    }

    /// Most that its databases may hold, in MB.
    pub fn cap(&self) -> Option<i64> {
        if self.engine().0 != 4 {
            return None;
        }
        Some(if self.major >= 17 { 51_200 } else { 10_240 })
    }

    /// May it compress backups?
    pub fn compresses(&self) -> bool {
        self.engine().0 == 3 || self.edition == "Standard"
    }

    /// `@@SERVERNAME`.
    pub fn server_name(&self) -> String {
        if self.name.is_empty() { self.machine.clone() } else { format!("{}\\{}", self.machine, self.name) }
    }
}

/// The instance.
#[derive(Debug)]
pub struct Server {
    /// Itself, for threads of its own.
    pub me: Weak<Server>,
    /// Its directory.
    pub dir: PathBuf,
    /// Who it is.
    pub identity: Identity,
    /// When it was started.
    pub started: i64,
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    store: Mutex<Store>,
    works: Mutex<BTreeMap<SessionId, Arc<Mutex<Work>>>>,
    logs: Mutex<BTreeMap<i32, Arc<Mutex<()>>>>,
    standing: Mutex<Standing>,
}

/// A panic elsewhere does not make data wrong here: every change is made in one go.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Opens an instance, or makes it where the directory holds none.
    pub fn open(dir: &Path, options: &Options) -> std::io::Result<Arc<Server>> {
        let failed = |error: rusqlite::Error| std::io::Error::other(error.to_string());
        for folder in ["DATA", "Backup"] {
            std::fs::create_dir_all(dir.join(folder))?;
        }
        let dir = std::path::absolute(dir)?;
        let store = Store::open(&dir.join("DATA").join("master.mdf")).map_err(failed)?;
        let mut identity = match store.get::<Identity>("instance", "").map_err(failed)? {
            Some(identity) => identity,
            None => Self::found(&store, options).map_err(failed)?,
        };
        identity.language.clone_from(&options.language);
        let mut state = State { next_history: 1, ..State::default() };
        for login in store.all::<Login>("login").map_err(failed)? {
            state.logins.insert(login.name.to_lowercase(), login);
        }
        state.backups = store.all::<History>("backup").map_err(failed)?;
        state.restores = store.all::<Restored>("restore").map_err(failed)?;
        let numbers = state.backups.iter().map(|row| row.id).chain(state.restores.iter().map(|row| row.id));
        state.next_history = numbers.max().unwrap_or(0) + 1;
        state.configuration = store.get("configuration", "").map_err(failed)?.unwrap_or_else(super::configuration::defaults);
        state.properties = store.get("properties", "").map_err(failed)?.unwrap_or_default();
        for database in store.all::<Database>("database").map_err(failed)? {
            state.databases.insert(database.id, database);
        }
        sweep(&dir.join("DATA"));
        state.databases.values().filter_map(|database| Path::new(&database.data).parent()).for_each(sweep);
        let server = Arc::new_cyclic(|me| Server {
            me: me.clone(),
            dir,
            identity,
            started: state::now(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            store: Mutex::new(store),
            works: Mutex::default(),
            logs: Mutex::default(),
            standing: Mutex::default(),
        });
        server.start_databases();
        Ok(server)
    }

    fn found(store: &Store, options: &Options) -> rusqlite::Result<Identity> {
        let identity = Identity {
            name: options.name.clone(),
            machine: options.machine.clone(),
            major: options.major.clamp(13, 17),
            edition: options.edition.clone(),
            collation: options.collation.clone(),
            language: options.language.clone(),
        };
        let password = options.password.clone().or_else(|| std::env::var(&options.password_variable).ok()).unwrap_or_default();
        for (id, name, sid) in [(1, "sa", vec![1]), (267, "relevo", Uuid::new_v4().as_bytes().to_vec())] {
            let login = Login {
                id,
                name: name.into(),
                sid,
                hash: hash::make(&password, identity.major),
                disabled: false,
                policy: false,
                expiration: false,
                database: "master".into(),
                language: options.language.clone(),
                roles: ["sysadmin".to_string()].into(),
                granted: std::collections::BTreeSet::new(),
                created: state::now(),
                modified: state::now(),
            };
            store.put("login", &name.to_lowercase(), &login)?;
        }
        store.put("instance", "", &identity)?;
        Ok(identity)
    }

    /// Starts every database that was in use, as SQL Server does at its own start.
    fn start_databases(&self) {
        let ids: Vec<i32> = lock(&self.state).databases.keys().copied().collect();
        for id in ids {
            let Some(mut database) = lock(&self.state).databases.get(&id).cloned() else { continue };
            self.start(&mut database);
            self.put(database);
        }
    }

    /// Finds out what a database is now, from its files, and redoes what its log has and its data file has not.
    pub(super) fn start(&self, database: &mut Database) {
        let (data, log) = (self.path(&database.data), self.path(&database.log));
        if database.state == DbState::Offline {
            return;
        }
        let boot = datafile::open(&data).and_then(|file| datafile::read_boot(&file));
        if database.state == DbState::Restoring {
            // What a RESTORE had done when it was cut off is in the file, if it is a file by now.
            if let Ok(boot) = boot
                && boot.head > database.boot.head
                && boot.family_guid == database.boot.family_guid
            {
                database.boot = Boot { restoring: true, ..boot };
            }
            return;
        }
        let records = logfile::read(&log);
        if let Ok((_, records)) = &records {
            let end = records.last().map_or(database.boot.head, |placed| placed.next);
            database.boot.head = database.boot.head.max(end);
        }
        database.state = match (boot, records) {
            (_, Err(_)) => DbState::RecoveryPending,
            (Err(_), _) if data.exists() => DbState::Suspect,
            (Err(_), _) => DbState::RecoveryPending,
            (Ok(boot), Ok((_, records))) => match recovered(&data, &database.boot, &boot, &records) {
                Some(boot) => {
                    database.boot = boot;
                    DbState::Online
                }
                None => DbState::Suspect,
            },
        };
    }

    /// Shuts a database down in order: its files may be copied then.
    pub(super) fn shut(&self, database: &mut Database) -> rusqlite::Result<()> {
        database.boot.checkpoint = database.boot.head;
        database.boot.clean = true;
        datafile::stamp(&self.path(&database.data), &database.boot)
    }

    /// Shuts everything down in order.
    pub fn shutdown(&self) {
        let databases: Vec<Database> = lock(&self.state).databases.values().cloned().collect();
        for mut database in databases.into_iter().filter(|database| database.state == DbState::Online) {
            if self.shut(&mut database).is_ok() {
                self.put(database);
            }
        }
    }

    /// The state.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Puts a database back, on disk first.
    pub(super) fn put(&self, database: Database) {
        self.save(&database);
        lock(&self.state).databases.insert(database.id, database);
        self.changed.notify_all();
    }

    /// Writes a database's entry. The store is a local file that nobody else has: that it cannot be written ends the instance, as a
    /// master database that cannot be written does.
    pub(super) fn save(&self, database: &Database) {
        self.durable(|store| store.put("database", &format!("{:08}", database.id), database));
    }

    /// Writes into the store.
    pub(super) fn durable(&self, write: impl FnOnce(&Store) -> rusqlite::Result<()>) {
        if let Err(error) = write(&lock(&self.store)) {
            eprintln!("relevo-sim: master.mdf cannot be written: {error}");
            std::process::abort();
        }
    }

    /// The lock of a database's log: who appends, or reads where it ends.
    pub(super) fn log_of(&self, database: i32) -> Arc<Mutex<()>> {
        lock(&self.logs).entry(database).or_default().clone()
    }

    /// What a session works with.
    pub(super) fn work(&self, session: SessionId) -> Option<Arc<Mutex<Work>>> {
        lock(&self.works).get(&session).cloned()
    }

    pub(super) fn add_work(&self, session: SessionId, work: Work) {
        lock(&self.works).insert(session, Arc::new(Mutex::new(work)));
    }

    pub(super) fn remove_work(&self, session: SessionId) -> Option<Arc<Mutex<Work>>> {
        lock(&self.works).remove(&session)
    }

    /// What tests order.
    pub fn orders(&self) -> Orders {
        lock(&self.standing).read(&self.dir).clone()
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        lock(&self.standing)
    }

    /// Ends the process where that is ordered: a power cut.
    pub(super) fn power(&self, when: When, text: &str, percent: u32) {
        if lock(&self.standing).aborts(&self.dir, when, text, percent) {
            std::process::abort();
        }
    }

    /// Does the system speak Spanish?
    pub fn spanish(&self) -> bool {
        let ordered = self.orders().system_language;
        is_spanish(ordered.as_deref().unwrap_or(&self.identity.language))
    }

    /// A path as said in a statement: the service's own. Relative ones are in the backup folder, as for BACKUP.
    pub fn path(&self, said: &str) -> PathBuf {
        let said = if cfg!(windows) { said.to_string() } else { said.replace('\\', "/") };
        let path = PathBuf::from(said);
        if path.is_absolute() { path } else { self.dir.join("Backup").join(path) }
    }

    /// A folder of the instance, as it says it itself: with a separator at the end.
    pub fn folder(&self, name: &str) -> String {
        format!("{}{}", self.dir.join(name).display(), std::path::MAIN_SEPARATOR)
    }

    /// Capacity and free bytes of the volume.
    pub fn volume(&self) -> (u64, u64) {
        let orders = self.orders();
        let capacity = orders.capacity.unwrap_or(240_000_000_000);
        (capacity, orders.free.unwrap_or(capacity / 2).min(capacity))
    }

    /// A failure of SQLite that no rule foresees: the page could not be read.
    pub(super) fn unreadable(&self, database: &Database, error: &rusqlite::Error) -> Chain {
        vec![fault(824, &[&database.id.to_string(), "1", &error.to_string(), &database.data])]
    }
}

/// Takes away what a BACKUP or RESTORE that was cut off had half done beside the data files.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if (name.starts_with("sim-backup-") || name.starts_with("sim-restore-")) && name.ends_with(".tmp") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Crash recovery. What the instance knows of a database is newer than what the file says, but for what lies in the log.
fn recovered(data: &Path, known: &Boot, file: &Boot, records: &[datafile::Placed]) -> Option<Boot> {
    let from = Boot { head: file.head, clean: false, ..known.clone() };
    datafile::redo(data, &from, records, known.head, None).ok()
}

/// Is it one of the names of Spanish?
pub fn is_spanish(language: &str) -> bool {
    matches!(language.to_lowercase().as_str(), "español" | "spanish" | "espanol")
}
