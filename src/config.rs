//! relevo.toml: typed settings, their defaults and why they are so. Unknown keys are errors that name the nearest right one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Role, Side};

mod check;
mod load;
mod template;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The shop.
    pub store: StoreSection,
    /// This computer.
    pub machine: MachineSection,
    /// Where the signal files lie.
    pub paths: Paths,
    /// The two database servers.
    pub servers: Servers,
    /// The authorisation string.
    pub licence: Licence,
    /// The mirror and its targets.
    pub mirror: MirrorSection,
    /// Where copies are kept, by name.
    #[serde(default)]
    pub targets: BTreeMap<String, TargetSection>,
    /// The promote primitive.
    #[serde(default)]
    pub promote: PromoteSection,
    /// SvrPdv and PosPdv.
    #[serde(default)]
    pub programs: Programs,
    /// The store's own ticket table.
    #[serde(default)]
    pub tickets: Tickets,
    /// Releasing licence seats.
    #[serde(default)]
    pub seats: Seats,
    /// Where both servers are SQL Server.
    #[serde(default)]
    pub sqlserver: SqlServerSection,
    /// What scripts may touch on disk: name of a root → folder.
    #[serde(default)]
    pub files: BTreeMap<String, PathBuf>,
    /// What `setup` does beyond the signal files.
    #[serde(default)]
    pub setup: SetupSection,
    /// Free for scripts: `store::setting("name")`.
    #[serde(default)]
    pub settings: toml::Table,
}

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
    /// Id, part of the name of every copy.
    pub id: String,
    /// Name that people read.
    #[serde(default)]
    pub name: String,
}

/// `[machine]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineSection {
    /// This machine, as SvrBak.txt knows it (the host part of an instance).
    pub name: String,
    /// Its role.
    pub role: Role,
}

/// `[paths]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// Folder of this machine's signal files.
    pub pdv: PathBuf,
    /// Folder that SvrBak.txt and VecBak.txt are copied from; on the main machine it may be left out.
    pub main_pdv: Option<PathBuf>,
}

/// `[servers]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Servers {
    /// The main server.
    pub main: ServerSection,
    /// The backup server.
    pub backup: ServerSection,
}

/// `[servers.main]`, `[servers.backup]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSection {
    /// The kind of database server.
    pub engine: Engine,
    /// Instance; for the embedded engine the folder that holds the database.
    pub instance: String,
    /// Database name.
    #[serde(default = "default_database")]
    pub database: String,
    /// SQL Server login. None: the Windows account that relevo runs as (Windows only).
    pub login: Option<Login>,
    /// SQL Server: the login of `server::query` and `server::execute`, one of few rights. None: scripts cannot use them.
    pub script_login: Option<Login>,
    /// SQL Server: where to connect (`host,port` or `host\instance`) when the instance's own name does not lead there.
    pub address: Option<String>,
    /// SQL Server: the exchange folder, by the path that this SQL Server itself sees. It reads and writes backups there.
    pub exchange: Option<String>,
    /// SQL Server: the exchange folder by the path that this machine sees, a share for instance. Default: the same path.
    pub exchange_here: Option<PathBuf>,
    /// SQL Server: what is encrypted on the way.
    #[serde(default)]
    pub encryption: Encryption,
    /// SQL Server: believe the server's certificate without checking it, as Express's own self-signed one needs.
    #[serde(default)]
    pub trust_certificate: bool,
}

/// What is encrypted between relevo and SQL Server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Everything.
    #[default]
    Required,
    /// The login only.
    Login,
    /// Nothing, not even the password: on this computer only (127.0.0.1).
    None,
}

/// `[sqlserver]`: how relevo deals with both servers where they are SQL Server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlServerSection {
    /// How the `program_name` of SvrPdv's session begins: a server with one is serving. See it with `relevo doctor` while SvrPdv runs.
    pub svrpdv: String,
    /// Time between the two looks that prove that nobody operates. Default 5 s: a till that reconnects does so sooner.
    #[serde(deserialize_with = "duration")]
    pub between_looks: Duration,
    /// How long a connection may take. Default 5 s.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// How long a statement of the store or of a script may take. Default 30 s. Backups and restores take as long as they take.
    #[serde(deserialize_with = "duration")]
    pub statement_timeout: Duration,
}

impl Default for SqlServerSection {
    fn default() -> Self {
        SqlServerSection {
            svrpdv: "SvrPdv".to_owned(),
            between_looks: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }
}

/// A login; the password is a reference `secret:NAME`, never the password itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Reference to a secret.
    pub password: String,
}

/// Kind of database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// SQLite files, no installation.
    Embedded,
    /// Microsoft SQL Server.
    Sqlserver,
}

/// `[licence]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Where the authorisation string comes from.
    pub authorisation: Authorisation,
}

/// Source of the authorisation string.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Authorisation {
    /// Written here.
    Literal(String),
    /// First line of a file.
    File(PathBuf),
    /// First column of the first row of a query on the server in use.
    Query(String),
}

/// `[mirror]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorSection {
    /// Time between mirrors. Default 5 minutes, the procedure's own.
    #[serde(default = "default_interval", deserialize_with = "duration")]
    pub interval: Duration,
    /// Names of the targets every copy goes to.
    pub targets: Vec<String>,
    /// Chains kept by retention; at least 1. Default 2: the chain in use and the one before it.
    #[serde(default = "default_keep_chains")]
    pub keep_chains: usize,
    /// Increments after which a new full copy begins a chain. Default 288: a day at 5 minutes; a longer chain takes longer to verify.
    #[serde(default = "default_max_increments")]
    pub max_increments: u64,
    /// How hard copies are packed: a level of zstd, or 0 for not at all (the largest and fastest). Default 3.
    #[serde(default = "default_compression")]
    pub compression: u8,
    /// Seal copies with age for these recipients ("age1…").
    #[serde(default)]
    pub recipients: Vec<String>,
    /// The age identity that opens sealed copies: a reference `secret:NAME`.
    pub identity: Option<String>,
}

/// `[targets.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum TargetSection {
    /// A folder, local or a share.
    Dir {
        /// The folder.
        path: PathBuf,
    },
    /// A plugin (a later version).
    Plugin {
        /// Its library, below plugins/.
        plugin: String,
        /// Its settings.
        #[serde(default)]
        config: toml::Table,
    },
}

/// `[promote]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromoteSection {
    /// How long main is probed (three times) before it counts as failed. Default 10 s: a reboot of the switch is shorter.
    #[serde(deserialize_with = "duration")]
    pub probe_for: Duration,
    /// A copy older than this needs `--accept-loss`. Default: twice the mirror's interval.
    #[serde(deserialize_with = "optional_duration")]
    pub max_age: Option<Duration>,
    /// Folios left free after an unplanned promote where tills do not report theirs.
    pub folio_gap: i64,
    /// How long a role change waits for a running mirror.
    #[serde(deserialize_with = "duration")]
    pub lock_wait: Duration,
    /// Files of acknowledged tickets that the tills write and this machine can read (JSON lines with folio, till, epoch).
    pub acknowledged: Vec<PathBuf>,
}

impl Default for PromoteSection {
    fn default() -> Self {
        PromoteSection {
            probe_for: Duration::from_secs(10),
            max_age: None,
            folio_gap: 10_000,
            lock_wait: Duration::from_secs(10),
            acknowledged: Vec::new(),
        }
    }
}

/// `[programs]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programs {
    /// The server program.
    pub svrpdv: Option<ProgramSection>,
    /// The till program.
    pub pospdv: Option<ProgramSection>,
}

/// `[programs.svrpdv]`, `[programs.pospdv]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSection {
    /// Program and arguments; `{instance}`, `{database}` and `{epoch}` are replaced.
    pub command: Vec<String>,
    /// Alive for this long = started. Default 1 s.
    #[serde(default = "default_ready_after", deserialize_with = "duration")]
    pub ready_after: Duration,
    /// Asked to close, it has this long before it is ended. Default 15 s.
    #[serde(default = "default_stop_timeout", deserialize_with = "duration")]
    pub stop_timeout: Duration,
}

/// `[tickets]`: the store's own names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tickets {
    /// Table.
    pub table: String,
    /// Column of the folio (an integer).
    pub key: String,
    /// Column of the till.
    pub till: String,
    /// Column of the time.
    pub time: String,
    /// Column of the total.
    pub total: String,
    /// Column of the epoch; empty where the table has none.
    pub epoch: String,
}

impl Default for Tickets {
    fn default() -> Self {
        let [table, key, till, time, total, epoch] = ["Ventas", "Folio", "Caja", "Fecha", "Total", "Epoca"].map(str::to_owned);
        Tickets { table, key, till, time, total, epoch }
    }
}

/// `[seats]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seats {
    /// The store's statement that frees licence seats: `DELETE FROM … RETURNING *`. None: nothing to free.
    pub release: Option<String>,
}

/// `[setup]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SetupSection {
    /// Desktop shortcut of the server program, removed on the caja/servidor so that nobody starts it by hand.
    pub shortcut: Option<PathBuf>,
}

impl Config {
    /// Age from which a copy needs `--accept-loss` to be promoted.
    pub fn max_age(&self) -> Duration {
        self.promote.max_age.unwrap_or(self.mirror.interval.saturating_mul(2))
    }

    /// The section of one server.
    pub fn server(&self, side: Side) -> &ServerSection {
        match side {
            Side::Main => &self.servers.main,
            Side::Backup => &self.servers.backup,
        }
    }

    /// Folder that SvrBak.txt and VecBak.txt are copied from; on the main machine its own.
    pub fn main_pdv(&self) -> &Path {
        self.paths.main_pdv.as_deref().unwrap_or(&self.paths.pdv)
    }
}

impl TargetSection {
    /// Its kind, as relevo.toml writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            TargetSection::Dir { .. } => "dir",
            TargetSection::Plugin { .. } => "plugin",
        }
    }
}

impl ProgramSection {
    /// This command with the default times.
    pub fn of(command: Vec<String>) -> ProgramSection {
        ProgramSection { command, ready_after: default_ready_after(), stop_timeout: default_stop_timeout() }
    }
}

fn default_database() -> String {
    "BDPdv".to_owned()
}

fn default_interval() -> Duration {
    Duration::from_secs(300)
}

fn default_keep_chains() -> usize {
    2
}

fn default_max_increments() -> u64 {
    288
}

fn default_compression() -> u8 {
    1
}

fn default_ready_after() -> Duration {
    Duration::from_secs(1)
}

fn default_stop_timeout() -> Duration {
    Duration::from_secs(15)
}

/// Longest time that a setting may say.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

fn duration<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let words = String::deserialize(d)?;
    let span: jiff::SignedDuration = words.parse().map_err(serde::de::Error::custom)?;
    let duration = Duration::try_from(span).map_err(serde::de::Error::custom)?;
    // What is added to a moment must not run over its end.
    if duration > LONGEST {
        return Err(serde::de::Error::custom("longer than ten years"));
    }
    Ok(duration)
}

fn optional_duration<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    duration(d).map(Some)
}
