//! What a database server of a store can do, in plain data. Every method blocks; every change looks first and then acts,
//! so that repeating it after a crash is harmless. No method decides a policy: plans do.

use std::io::Read;

use crate::error::Result;
pub use crate::model::{Change, CopyToApply, Fencing, FolioRule, LogState, LoginsTaken, Look, Next, Scanned, Session, Versions};
use crate::model::{CopyKind, DatabaseId, EpochRecord, Hash, Intent, Position, Side, Ticket};
use crate::progress::Watch;
pub use crate::server::sqlserver::preflight::{Login, Survey};
use crate::text::Text;
use crate::world::Lock;

/// What a scan tells its sink: first the change, then the raw artefact in pieces.
pub enum Part<'a> {
    /// The change. The sink answers whether to go on; `false` stops the scan, nothing is copied.
    Change(&'a Change),
    /// The next bytes of the raw artefact.
    Bytes(&'a [u8]),
}

/// Who wrote a statement of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// relevo.toml.
    Settings,
    /// A script: it has a login of its own, where the server has logins.
    Script,
}

/// A database server: the main or the backup one.
pub trait DatabaseServer: Send + Sync {
    /// Main or backup.
    fn side(&self) -> Side;

    /// Its instance, as relevo.toml names it.
    fn instance(&self) -> String;

    /// Name and format version of the artefacts that it makes and applies: one of [`crate::model::ENGINES`].
    fn artefacts(&self) -> (&'static str, &'static str);

    /// Observes it.
    fn look(&self) -> Result<Look>;

    /// One that was away may be remembered so, that a verb's many looks do not wait each. From here on it is asked again.
    fn ask_anew(&self);

    /// Its version, and that of what its standby holds. Never fails because the server is away.
    fn versions(&self) -> Result<Versions>;

    /// What a check of it is made from; `None` where the kind of server can lack nothing. Fails where it is away.
    fn survey(&self) -> Result<Option<Survey>>;

    /// Gives an open database its identity and relevo's tables, once; returns the identity.
    fn identify(&self, store: &str) -> Result<DatabaseId>;

    /// Who announces that they use this server (names come from locks that launches hold).
    fn sessions(&self) -> Result<Vec<Session>>;

    /// Announces a user of this server until the lock is dropped.
    fn announce(&self, name: &str) -> Result<Lock>;

    /// Proof that nobody has the database open: exclusivity of the database itself. Fails with `tills_operating` naming who.
    fn prove_alone(&self) -> Result<()>;

    /// The right to serve. `None` when somebody has it. While it is held the server counts as serving.
    fn take_post(&self) -> Result<Option<Post>>;

    /// SvrPdv itself holds its lock (asked while the gate is ours).
    fn server_lock_held(&self) -> Result<bool>;

    /// The file in which SvrPdv says which process it is, where this kind of server has one.
    fn served_by(&self) -> Option<std::path::PathBuf>;

    /// The mirror's, or a promote's, right to write the standby; `None` when somebody has it.
    fn take_apply_lock(&self) -> Result<Option<Lock>>;

    /// Reads a consistent snapshot of an open or fenced database while others write, and gives it to `sink` as a raw artefact:
    /// whole (`base` is `None`) or what differs from `base`, as [`DatabaseServer::next`] said that it can. `None` when nothing differs or the sink declined.
    /// `sequence` numbers the copy; `record` is the epoch it belongs to. Kept for the next scan once [`DatabaseServer::copied`] is told.
    fn scan(
        &self,
        kind: CopyKind,
        base: Option<&Position>,
        record: &EpochRecord,
        sequence: u64,
        sink: &mut dyn FnMut(Part<'_>) -> Result<bool>,
        watch: &Watch,
    ) -> Result<Option<Scanned>>;

    /// What kind of copy can follow the newest one, which is of this kind and ends here? (Is what the scan needs to go on still known?)
    fn next(&self, base: &Position, kind: CopyKind) -> Result<Next>;

    /// What other programs did since to what copies are made from: who and when, for people.
    fn moved_by(&self, base: &Position, kind: CopyKind) -> Result<Vec<Text>>;

    /// The logins by which the programs of the store enter this server.
    fn logins(&self) -> Result<Vec<Login>>;

    /// Forgets the server's own history of backups that is older than so many days; `false` where it keeps none.
    fn forget_history(&self, older_than_days: u32) -> Result<bool>;

    /// Gives this server the logins of the other one, with their SID and the hash of their password.
    fn take_logins(&self, logins: &[Login]) -> Result<LoginsTaken>;

    /// Applies a copy to the standby (a full one is built beside it and renamed into place when verified). Reads all of
    /// `content`. Refuses a copy that does not follow, is of another database or epoch, or does not end at `copy.to`.
    fn apply(&self, copy: &CopyToApply, content: &mut dyn Read, watch: &Watch) -> Result<()>;

    /// Restores a full copy and its increments into a scratch file, compares the root hash, removes the scratch file.
    fn try_restore(
        &self,
        chain: &mut dyn Iterator<Item = Result<(CopyToApply, Box<dyn Read>)>>,
        watch: &Watch,
    ) -> Result<Position>;

    /// Hashes the whole standby again and compares with the position it claims.
    fn verify_standby(&self, watch: &Watch) -> Result<Position>;

    /// Where a database stands whose epoch is over: closed by a restore, its content verified on main, and no copy of main's new epoch
    /// applied yet. `None` in every other state. Reads all of it.
    fn detached(&self, watch: &Watch) -> Result<Option<Position>>;

    /// Makes a standby at this position of a database that [`DatabaseServer::detached`] found there.
    fn follow_again(&self, position: &Position) -> Result<()>;

    /// Standby to open. The point of no return of a promote.
    fn recover(&self) -> Result<()>;

    /// Proves that nobody has the database open and closes it for every program: fenced. Also detaches.
    fn fence(&self, how: Fencing) -> Result<()>;

    /// Where it stands in the log, for the choice of a restore's route; `None` where the engine has no log to apply.
    fn log_state(&self) -> Result<Option<LogState>>;

    /// Lifts a fence or attaches: open again.
    fn unfence(&self) -> Result<()>;

    /// Commits the epoch record (and the folio rule, in the same transaction) in an open database, then replaces the file beside it.
    fn record(&self, record: &EpochRecord, folio: Option<FolioRule>) -> Result<()>;

    /// Replaces the file beside the database that repeats the epoch record.
    fn publish(&self, record: &EpochRecord) -> Result<()>;

    /// Writes or removes the intent of a role change (backup only).
    fn set_intent(&self, intent: Option<&Intent>) -> Result<()>;

    /// Copies the fenced database of `from` beside the own one, verified by hash. Returns the root hash of the copied pages.
    fn receive(&self, from: &dyn DatabaseServer, watch: &Watch) -> Result<Hash>;

    /// Renames the own fenced database to `keep` and the received one into place, still fenced; the old one is kept.
    fn place(&self, keep: &str) -> Result<()>;

    /// Undoes [`DatabaseServer::place`]: the old database is in its place again, fenced. Where there was none to keep, what was
    /// placed is taken away again if it is page for page what `placed_from` holds.
    fn unplace(&self, keep: &str, placed_from: &dyn DatabaseServer) -> Result<()>;

    /// Undoes [`DatabaseServer::receive`].
    fn discard_received(&self) -> Result<()>;

    /// What [`DatabaseServer::receive`] copies of the closed (fenced) database: its files, or the log's tail it was fenced with.
    fn closed_files(&self) -> Result<Vec<std::path::PathBuf>>;

    /// Has the holder all that this closed database ever held? Known where it was closed with a tail and the holder went on from its end.
    fn gave_all_to(&self, holder: &dyn DatabaseServer) -> Result<bool>;

    /// Every ticket, in the order of its key, from an open or fenced database (a private copy is read where it is fenced).
    fn tickets(&self, each: &mut dyn FnMut(Ticket) -> Result<()>) -> Result<()>;

    /// Highest folio and number of tickets; `None` for an empty table.
    fn last_folio(&self) -> Result<Option<i64>>;

    /// Checks the database's own structure; findings in words, empty when sound.
    fn integrity(&self) -> Result<Vec<String>>;

    /// Runs the store's statement that frees licence seats, in one transaction. The rows it removes are given to `keep` before
    /// the commit: what is not kept is not removed. Returns the number of rows.
    fn release_seats(&self, statement: &str, keep: &mut dyn FnMut(&[serde_json::Value]) -> Result<()>) -> Result<u64>;

    /// Runs a reading statement; rows as objects, at most `limit`.
    fn query(&self, by: By, sql: &str, params: &[serde_json::Value], limit: usize) -> Result<Vec<serde_json::Value>>;

    /// Runs a script's changing statement in one transaction; rows affected.
    fn execute(&self, sql: &str, params: &[serde_json::Value]) -> Result<u64>;
}

/// The right to serve: taken by a launch, handed to SvrPdv.
#[derive(Debug)]
pub struct Post {
    /// Says "a launch is starting SvrPdv" and is kept until SvrPdv is ready, so that no moment looks unserved.
    pub gate: Lock,
    /// The lock that SvrPdv itself holds while it serves; dropped just before SvrPdv is started.
    pub server: Option<Lock>,
}
