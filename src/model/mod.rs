//! Plain data that every part shares; no behaviour beyond what the data itself implies. Words: docs/glossary.md.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text;
use crate::text::Text;

mod finding;
pub mod kept;
mod lsn;
mod manifest;
mod observed;
pub use finding::{Finding, Severity};
pub use lsn::{Lsn, NoLsn};
pub use manifest::{ENGINES, Listed, Manifest, Sized, copy_name};
pub use observed::{Change, CopyToApply, Fencing, FolioRule, LogState, LoginsTaken, Look, Next, Scanned, Session, Versions};

/// What this machine is in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The machine of the main server.
    Main,
    /// The caja/servidor: a till that also keeps the backup server.
    Backup,
    /// A till.
    Till,
}

/// One of the two database servers of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The main server.
    Main,
    /// The backup server, on the caja/servidor.
    Backup,
}

impl Side {
    /// The other server.
    pub fn other(self) -> Side {
        match self {
            Side::Main => Side::Backup,
            Side::Backup => Side::Main,
        }
    }
}

impl Role {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            Role::Main => text!("servidor principal", "main server"),
            Role::Backup => text!("caja/servidor", "caja/servidor"),
            Role::Till => text!("caja", "till"),
        }
    }
}

impl Side {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            Side::Main => text!("servidor principal", "main server"),
            Side::Backup => text!("servidor de respaldo", "backup server"),
        }
    }
}

impl DatabaseState {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            DatabaseState::Open => text!("abierta", "open"),
            DatabaseState::Standby => text!("en espera (recibe copias)", "standby (receives copies)"),
            DatabaseState::Fenced => text!("separada", "fenced"),
            DatabaseState::Missing => text!("no hay base", "no database"),
            DatabaseState::Unknown => text!("no se sabe", "unknown"),
        }
    }
}

/// The two programs that PDV launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// The server program.
    Svrpdv,
    /// The till program.
    Pospdv,
}

macro_rules! lowercase_display {
    ($($kind:ident { $($case:ident => $word:literal),+ })+) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($kind::$case => $word),+ })
            }
        }
    )+};
}
lowercase_display! {
    Role { Main => "main", Backup => "backup", Till => "till" }
    Side { Main => "main", Backup => "backup" }
    Program { Svrpdv => "svrpdv", Pospdv => "pospdv" }
    DatabaseState { Open => "open", Standby => "standby", Fenced => "fenced", Missing => "missing", Unknown => "unknown" }
    CopyKind { Full => "full", Increment => "increment", Differential => "differential", Tail => "tail" }
}

/// Number that grows by one at each change of holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of a store that never changed its holder.
    pub const FIRST: Epoch = Epoch(1);

    /// The epoch that the next change of holder begins.
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identity of a database through copies and role changes: written into BDPdv when it is first mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseId(pub Uuid);

/// Identity of a run. Version 7: it sorts by the time it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Uuid);

impl RunId {
    /// A new run's id.
    #[expect(clippy::new_without_default, reason = "every call gives another id; a default would hide that")]
    pub fn new() -> Self {
        RunId(Uuid::now_v7())
    }
}

impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for RunId {
    type Err = uuid::Error;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse().map(RunId)
    }
}

/// A BLAKE3 hash, shown in hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    /// Eight hex digits: enough for people to tell two apart.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(d)?;
        blake3::Hash::from_hex(&hex).map(|h| Hash(*h.as_bytes())).map_err(serde::de::Error::custom)
    }
}

/// How far a database is: which database, in which epoch, after how many copies, and where exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which database.
    pub database: DatabaseId,
    /// In which epoch it was read.
    pub epoch: Epoch,
    /// Number of the copy that brings a standby here; counts from 1 in each epoch.
    pub sequence: u64,
    /// Where exactly, as this kind of server tells it.
    #[serde(flatten)]
    pub mark: Mark,
}

/// The exact place of a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Mark {
    /// Embedded: the content itself.
    Pages {
        /// Root hash over the hashes of all pages.
        root: Hash,
    },
    /// SQL Server: a place in its log.
    Log {
        /// What a log backup that goes on from here has to begin at, or before.
        lsn: Lsn,
        /// The recovery fork it is on.
        fork: Uuid,
        /// The full copy that its differentials are based on (`differential_base_guid`).
        base: Uuid,
    },
}

impl Mark {
    /// The root hash of a position of the embedded engine.
    pub fn root(&self) -> Option<Hash> {
        match self {
            Mark::Pages { root } => Some(*root),
            Mark::Log { .. } => None,
        }
    }
}

/// The epoch record: who holds the post. The one inside BDPdv is the authority, files are copies of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Of which database; `None` before the first mirror gave it an identity.
    pub database: Option<DatabaseId>,
    /// The epoch.
    pub epoch: Epoch,
    /// Its holder.
    pub holder: Side,
    /// The run that made it; `None` for epoch 1.
    pub run: Option<RunId>,
    /// Restored, but main's first launch has not yet proved that nobody operates.
    pub awaiting_start: bool,
}

impl EpochRecord {
    /// What holds where no record was ever written: epoch 1, main.
    pub fn first(database: Option<DatabaseId>) -> Self {
        EpochRecord { database, epoch: Epoch::FIRST, holder: Side::Main, run: None, awaiting_start: false }
    }
}

/// A role change in progress, durable where both servers can see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The run that changes the role.
    pub run: RunId,
    /// Who will hold the next epoch: backup for promote, main for restore.
    pub to: Side,
    /// The epoch it will begin.
    pub epoch: Epoch,
}

/// State of a server's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseState {
    /// Programs can use it.
    Open,
    /// It follows the mirror; no program can open it.
    Standby,
    /// Fenced or detached; no program can open it.
    Fenced,
    /// There is none.
    Missing,
    /// It cannot be told: unreachable, or the file is not a database.
    Unknown,
}

/// Kind of a copy on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyKind {
    /// The whole database.
    Full,
    /// What changed since the copy before.
    Increment,
    /// What changed since the last full copy; it follows every copy of that chain (SQL Server).
    Differential,
    /// The whole old main database, kept because it may hold orphan sales; never removed by retention.
    Tail,
}

/// Identity of a ticket: (folio, till, epoch). Epoch is 1 where the store's table has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TicketKey {
    /// Folio number.
    pub folio: i64,
    /// The till that sold.
    pub till: String,
    /// The epoch it was acknowledged in.
    pub epoch: Epoch,
}

/// A ticket as orphan reports list it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// Identity.
    #[serde(flatten)]
    pub key: TicketKey,
    /// Time of the sale as the store wrote it.
    pub at: Option<String>,
    /// Total of the sale.
    pub total: Option<f64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_words_are_an_id_or_none(words: String, like in "[0-9a-fA-F-]{30,40}", id: u128) {
            let _ = (words.parse::<RunId>(), like.parse::<RunId>());
            let run = RunId(Uuid::from_u128(id));
            prop_assert_eq!(run.to_string().parse::<RunId>().unwrap(), run);
        }

        #[test]
        fn any_words_are_a_hash_or_none(words in "\\PC{0,70}", bytes: [u8; 32]) {
            let _ = serde_json::from_value::<Hash>(serde_json::Value::from(words));
            let hash = Hash(bytes);
            prop_assert_eq!(serde_json::from_value::<Hash>(serde_json::to_value(hash).unwrap()).unwrap(), hash);
        }
    }
}
