//! The embedded database server: SQLite files in an instance folder. A real database with real files, for one-PC shops, trials
//! and tests on local disks. What is measured about SQLite, and why each rule is here: docs/embedded.md.

mod apply;
mod connection;
mod copy;
mod header;
mod incoming;
mod pages;
mod record;
mod sessions;
mod snapshot;
mod sql;
mod state;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::apply::Place;
use self::connection::Guarded;
use self::snapshot::Snapshot;
use crate::config::Tickets;
use crate::error::{Failure, Result};
use crate::model::{
    CopyKind, CopyToApply, DatabaseId, DatabaseState, ENGINES, EpochRecord, Fencing, FolioRule, Hash, Intent, LogState, Look,
    Next, Position, Scanned, Session, Side, Ticket,
};
use crate::progress::Watch;
use crate::server::port::{By, DatabaseServer, Login, LoginsTaken, Part, Post, Survey, Versions};
use crate::text;
use crate::text::Text;
use crate::world::{self, Lock, World};

/// Somebody who looks holds a lock for a moment: taking one is tried this often.
const TRIES: u32 = 15;
const TRY_EVERY: Duration = Duration::from_millis(20);

/// How the names of private copies begin, and the age at which one belongs to a process that died.
const SCRATCH: &str = ".relevo-scratch-";
const STALE: Duration = Duration::from_secs(24 * 3600);

/// An instance.
pub struct Embedded {
    side: Side,
    dir: PathBuf,
    path: PathBuf,
    name: String,
    tickets: Tickets,
    world: Arc<dyn World>,
}

impl Embedded {
    /// An instance folder; it need not exist yet. Refuses a network path.
    pub fn new(side: Side, instance: &Path, database: &str, tickets: Tickets, world: Arc<dyn World>) -> Result<Embedded> {
        header::refuse_network(instance)?;
        let name = format!("{database}.db");
        Ok(Embedded { side, dir: instance.to_owned(), path: instance.join(&name), name, tickets, world })
    }

    fn place(&self) -> Place<'_> {
        Place { world: self.world.as_ref(), dir: &self.dir, path: &self.path }
    }

    fn state(&self) -> Result<DatabaseState> {
        header::state_of(&self.path)
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        let path = self.dir.join(name);
        if !self.dir.is_dir() {
            return Err(Failure::io(
                text!("no se alcanza la instancia", "the instance cannot be reached"),
                &self.dir,
                &std::io::ErrorKind::NotFound.into(),
            ));
        }
        for _ in 0..TRIES {
            if let Some(lock) =
                self.world.try_lock(&path).map_err(|e| Failure::io(text!("no se pudo bloquear", "could not lock"), &path, &e))?
            {
                return Ok(Some(lock));
            }
            if self.is_locked(name) {
                return Ok(None); // somebody has it; who only looks shares it
            }
            std::thread::sleep(TRY_EVERY);
        }
        Ok(None)
    }

    fn is_locked(&self, name: &str) -> bool {
        // An unreadable lock file says nothing about a living holder: the careful answer is yes.
        world::is_locked(&self.dir.join(name)).unwrap_or(true)
    }

    /// Reads an open database, or a private copy of a closed one.
    fn reading<T>(&self, read: impl FnOnce(&Guarded) -> Result<T>) -> Result<T> {
        match self.state()? {
            DatabaseState::Open => read(&connection::open(&self.path, false)?),
            DatabaseState::Fenced | DatabaseState::Standby => {
                let scratch = self.scratch()?;
                let copy = scratch.path().join(&self.name);
                std::fs::copy(&self.path, &copy)
                    .map_err(|e| Failure::io(text!("no se pudo copiar", "could not copy"), &self.path, &e))?;
                let file = connection::plain(&copy, true)?;
                // Unlabelled: the copy is private and thrown away.
                header::write_state(&world::Os, &file, &copy, header::ROLLBACK)?;
                drop(file);
                read(&connection::open(&copy, false)?)
            }
            state => {
                let shown = self.path.display();
                Err(Failure::failed(
                    "no_database",
                    text!("no hay base en {shown} (@)", "there is no database in {shown} (@)").fill(&state.text()),
                ))
            }
        }
    }

    fn scratch(&self) -> Result<tempfile::TempDir> {
        sweep(&self.dir, STALE);
        tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&self.dir).map_err(|e| {
            Failure::io(text!("no se pudo crear un lugar de trabajo en", "could not create a scratch place in"), &self.dir, &e)
        })
    }

    fn open(&self, write: bool) -> Result<Guarded> {
        match self.state()? {
            DatabaseState::Open => connection::open(&self.path, write),
            state => {
                let shown = self.path.display();
                Err(Failure::failed(
                    "database_not_open",
                    text!("la base {shown} no está abierta (@)", "the database {shown} is not open (@)").fill(&state.text()),
                ))
            }
        }
    }

    /// The record in the database, where it can be read, and the one in the file beside it: the higher one, with the state that
    /// follows. In one epoch the database speaks, since files are copies.
    fn record_of(&self, state: DatabaseState, of_standby: Option<DatabaseId>) -> Result<(DatabaseState, Option<EpochRecord>)> {
        let file = record::read_file(&self.dir)?;
        if state != DatabaseState::Open {
            record::same_database(&self.dir, file.as_ref(), of_standby)?;
            return Ok((state, file));
        }
        let Ok((inside, id)) =
            connection::open(&self.path, false).and_then(|c| Ok((record::read(&c)?, record::database_id(&c)?)))
        else {
            return Ok((state, file));
        };
        record::same_database(&self.dir, file.as_ref(), id)?;
        let inside = inside.unwrap_or_else(|| EpochRecord::first(id));
        match file.filter(|file| file.epoch > inside.epoch) {
            // Somebody put an older database back beside the record of a later epoch in which this server already held the post: no
            // sequence of role changes does that, and sales made since would be missing.
            Some(file) if file.holder == self.side => Ok((DatabaseState::Unknown, Some(file))),
            Some(file) => Ok((state, Some(file))),
            None => Ok((state, Some(inside))),
        }
    }
}

impl DatabaseServer for Embedded {
    fn side(&self) -> Side {
        self.side
    }

    fn instance(&self) -> String {
        self.dir.display().to_string()
    }

    fn artefacts(&self) -> (&'static str, &'static str) {
        ENGINES[0]
    }

    fn look(&self) -> Result<Look> {
        let instance = self.instance();
        if !self.dir.is_dir() {
            let state = DatabaseState::Unknown;
            return Ok(Look {
                instance,
                reachable: false,
                state,
                serving: false,
                record: None,
                intent: None,
                position: None,
                applying: None,
                trouble: None,
            });
        }
        let state = self.state().unwrap_or(DatabaseState::Unknown);
        let mut trouble = None;
        let standby = match state {
            // What cannot be believed is no position: a full copy is needed.
            DatabaseState::Standby => self.place().read().map_err(|failure| trouble = Some(failure.message)).unwrap_or_default(),
            _ => None,
        }
        .unwrap_or_default();
        let of_standby = standby.position.as_ref().map(|p| p.database);
        let (state, record) = match self.record_of(state, of_standby) {
            Ok(found) => found,
            // A main that cannot say which epoch it is in has failed: the caja must be able to take over from it, and its own
            // launch finds no open database. Nothing is guessed about the backup: what it says stops main.
            Err(failure) if self.side == Side::Main => {
                trouble = Some(failure.message);
                (DatabaseState::Unknown, None)
            }
            Err(failure) => return Err(failure),
        };
        let position = match state {
            DatabaseState::Standby => standby.position,
            _ => pages::newest(&self.dir)
                .filter(|p| record.as_ref().is_none_or(|r| r.epoch == p.epoch && r.database.is_none_or(|d| d == p.database))),
        };
        let intent = if self.side == Side::Backup { record::read_intent(&self.dir)? } else { None };
        let serving = self.is_locked("server.lock") || self.is_locked("server.gate");
        Ok(Look { instance, reachable: true, state, serving, record, intent, position, applying: standby.applying, trouble })
    }

    fn ask_anew(&self) {}

    fn versions(&self) -> Result<Versions> {
        Ok(Versions::default())
    }

    fn survey(&self) -> Result<Option<Survey>> {
        Ok(None)
    }

    fn identify(&self, store: &str) -> Result<DatabaseId> {
        record::identify(&*self.open(true)?, self.world.as_ref(), store)
    }

    fn sessions(&self) -> Result<Vec<Session>> {
        sessions::list(self.world.as_ref(), &self.dir)
    }

    fn announce(&self, name: &str) -> Result<Lock> {
        sessions::announce(self.world.as_ref(), &self.dir, name)
    }

    fn prove_alone(&self) -> Result<()> {
        state::prove_alone(&self.path, &self.sessions()?)
    }

    fn take_post(&self) -> Result<Option<Post>> {
        let Some(gate) = self.try_lock("server.gate")? else { return Ok(None) };
        let Some(server) = self.try_lock("server.lock")? else { return Ok(None) };
        Ok(Some(Post { gate, server: Some(server) }))
    }

    fn server_lock_held(&self) -> Result<bool> {
        Ok(self.is_locked("server.lock"))
    }

    fn served_by(&self) -> Option<PathBuf> {
        Some(self.dir.join("server.info"))
    }

    fn take_apply_lock(&self) -> Result<Option<Lock>> {
        self.try_lock("apply.lock")
    }

    fn scan(
        &self,
        _kind: CopyKind,
        base: Option<&Position>,
        record: &EpochRecord,
        sequence: u64,
        sink: &mut dyn FnMut(Part<'_>) -> Result<bool>,
        watch: &Watch,
    ) -> Result<Option<Scanned>> {
        let snapshot = Snapshot::of(&self.path)?;
        let scanned = copy::scan(self.world.as_ref(), &self.dir, &snapshot, base, record, sequence, sink, watch)?;
        let Some(mut scanned) = scanned else { return Ok(None) };
        scanned.last_folio = match snapshot.reader() {
            Some(reader) => sql::last_folio(reader, &self.tickets)?,
            None => self.reading(|c| sql::last_folio(c, &self.tickets))?,
        };
        Ok(Some(scanned))
    }

    fn next(&self, base: &Position, _kind: CopyKind) -> Result<Next> {
        Ok(if pages::kept(&self.dir, base).is_some() { Next::Increment } else { Next::Full })
    }

    fn moved_by(&self, _base: &Position, _kind: CopyKind) -> Result<Vec<Text>> {
        Ok(Vec::new())
    }

    fn logins(&self) -> Result<Vec<Login>> {
        Ok(Vec::new())
    }

    fn forget_history(&self, _older_than_days: u32) -> Result<bool> {
        Ok(false)
    }

    fn take_logins(&self, _logins: &[Login]) -> Result<LoginsTaken> {
        Ok(LoginsTaken::default())
    }

    fn apply(&self, copy: &CopyToApply, content: &mut dyn Read, watch: &Watch) -> Result<()> {
        self.place().apply(copy, content, watch)
    }

    fn try_restore(
        &self,
        chain: &mut dyn Iterator<Item = Result<(CopyToApply, Box<dyn Read>)>>,
        watch: &Watch,
    ) -> Result<Position> {
        let scratch = self.scratch()?;
        let path = scratch.path().join(&self.name);
        let place = Place { world: self.world.as_ref(), dir: scratch.path(), path: &path };
        for next in chain {
            let (copy, mut content) = next?;
            place.apply(&copy, content.as_mut(), watch)?;
        }
        place.verify(watch)
    }

    fn verify_standby(&self, watch: &Watch) -> Result<Position> {
        self.place().verify(watch)
    }

    fn detached(&self, watch: &Watch) -> Result<Option<Position>> {
        self.place().detached(watch)
    }

    fn follow_again(&self, position: &Position) -> Result<()> {
        self.place().follow_again(position)
    }

    fn recover(&self) -> Result<()> {
        state::recover(self.world.as_ref(), &self.path)?;
        self.place().forget()
    }

    fn log_state(&self) -> Result<Option<LogState>> {
        Ok(None)
    }

    fn fence(&self, _how: Fencing) -> Result<()> {
        state::fence(self.world.as_ref(), &self.path, &self.sessions()?)
    }

    fn unfence(&self) -> Result<()> {
        state::unfence(self.world.as_ref(), &self.path)
    }

    fn record(&self, record: &EpochRecord, folio: Option<FolioRule>) -> Result<()> {
        let at = self.world.now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let connection = self.open(true)?;
        record::commit(&connection, self.world.as_ref(), record, folio, &self.tickets, &at)?;
        drop(connection);
        record::publish(self.world.as_ref(), &self.dir, record)
    }

    fn publish(&self, record: &EpochRecord) -> Result<()> {
        record::publish(self.world.as_ref(), &self.dir, record)
    }

    fn set_intent(&self, intent: Option<&Intent>) -> Result<()> {
        record::set_intent(self.world.as_ref(), &self.dir, intent)
    }

    fn receive(&self, from: &dyn DatabaseServer, watch: &Watch) -> Result<Hash> {
        incoming::receive(self.world.as_ref(), &one_file(from)?, &self.dir, &self.name, watch)
    }

    fn place(&self, keep: &str) -> Result<()> {
        incoming::place(self.world.as_ref(), &self.dir, &self.name, keep)
    }

    fn unplace(&self, keep: &str, placed_from: &dyn DatabaseServer) -> Result<()> {
        let (world, dir, name) = (self.world.as_ref(), &self.dir, &self.name);
        match keep.is_empty() {
            true if self.path.exists() => incoming::displace(world, dir, name, &one_file(placed_from)?),
            true => Ok(()),
            false => incoming::unplace(world, dir, name, keep),
        }
    }

    fn discard_received(&self) -> Result<()> {
        incoming::discard(self.world.as_ref(), &self.dir, &self.name)
    }

    fn gave_all_to(&self, _holder: &dyn DatabaseServer) -> Result<bool> {
        Ok(false)
    }

    fn closed_files(&self) -> Result<Vec<PathBuf>> {
        match self.state()? {
            DatabaseState::Fenced => Ok(vec![self.path.clone()]),
            state => {
                let shown = self.path.display();
                Err(Failure::failed(
                    "not_detached",
                    text!("{shown} no está separada (@)", "{shown} is not detached (@)").fill(&state.text()),
                ))
            }
        }
    }

    fn tickets(&self, each: &mut dyn FnMut(Ticket) -> Result<()>) -> Result<()> {
        self.reading(|c| sql::tickets(c, &self.tickets, each))
    }

    fn last_folio(&self) -> Result<Option<i64>> {
        self.reading(|c| sql::last_folio(c, &self.tickets))
    }

    fn integrity(&self) -> Result<Vec<String>> {
        self.reading(|c| sql::integrity(c))
    }

    fn release_seats(&self, statement: &str, keep: &mut dyn FnMut(&[Value]) -> Result<()>) -> Result<u64> {
        sql::release_seats(&mut *self.open(true)?, statement, keep)
    }

    fn query(&self, _by: By, statement: &str, params: &[Value], limit: usize) -> Result<Vec<Value>> {
        sql::query(&mut *self.open(false)?, statement, params, limit)
    }

    fn execute(&self, statement: &str, params: &[Value]) -> Result<u64> {
        sql::execute(&mut *self.open(true)?, statement, params)
    }
}

/// The one file of a closed database.
fn one_file(server: &dyn DatabaseServer) -> Result<PathBuf> {
    server.closed_files()?.pop().ok_or_else(|| Failure::failed("not_detached", text!("no hay archivo", "there is no file")))
}

/// Removes private copies that nobody is at work on any more: each is as large as the database. Untidiness is no failure.
fn sweep(dir: &Path, age: Duration) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let old = entry.metadata().and_then(|m| m.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|since| since >= age));
        if old && entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests;
