//! Closing the database for every program and opening it again: fences, recovery, and the way back of a restore. Which way a fence goes is
//! docs/sqlserver.md, "Fences".

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::decide::{Access, State};
use super::errors::{Answer, asks_for, is_of_client};
use super::instance::Instance;
use super::notes::{Closed, Note, Received};
use super::pour::pour;
use super::statements::{
    self, Attach, Backup, BackupKind, BackupName, DatabaseName, Devices, Fence, LoginName, Scope, ServerPath, Setting,
};
use crate::error::{Failure, Result};
use crate::model::{DatabaseState, Fencing, Hash};
use crate::progress::{Progress, Watch};
use crate::text;
use crate::world::Label;

/// How often a mode is asked for while others take the one place in the database.
const TRIES: u32 = 5;

impl Instance {
    /// Closes the open database for every program, after proving that nobody uses it.
    pub fn fence(&self, how: Fencing, watch: &Watch) -> Result<()> {
        match self.state()? {
            DatabaseState::Fenced => return Ok(()),
            DatabaseState::Open => {}
            state => return Err(self.no_database(state)),
        }
        self.let_everybody_in()?;
        self.prove_alone()?;
        let last_folio = self.last_folio()?;
        let outcome = self.labelled(Label::DatabaseBytes, || self.close(how, last_folio, watch));
        if outcome.is_err() {
            // What closed it halfway is lifted again: whoever sold before may sell on. The first failure is the one to tell.
            let _ = self.let_everybody_in();
        }
        outcome
    }

    fn close(&self, how: Fencing, last_folio: Option<i64>, watch: &Watch) -> Result<()> {
        let logged = self.must_see()?.logged();
        let (what, closing) = (text!("cerrando la base", "closing the database"), |file| Closed { how, file, last_folio });
        // A closed database is worth nothing to anybody: before anything is closed.
        self.must_have_room_for(&match how {
            Fencing::Handover if logged => BackupKind::Tail(Fence::Planned),
            Fencing::Handover => BackupKind::FinalDifferential,
            Fencing::Aside => BackupKind::Full { copy_only: true },
        })?;
        match how {
            Fencing::Handover => {
                // The file is noted first: should this process end here, the tail is still found.
                let file = self.file_name("cola", if logged { "trn" } else { "dif" });
                self.note(Note::Closed, Some(&closing(Some(file.clone()))))?;
                let kind = if logged { BackupKind::Tail(Fence::Planned) } else { BackupKind::FinalDifferential };
                self.back_up(kind, &self.exchange.join(&file)?, &what, watch)
            }
            Fencing::Aside => {
                // The safety copy, read back before anything is closed; what is closed is read from it.
                let file = self.file_name("anterior", "bak");
                self.back_up(BackupKind::Full { copy_only: true }, &self.exchange.join(&file)?, &what, watch)?;
                self.long(&statements::verify(&Devices::one(self.exchange.join(&file)?), true), &what, watch)?;
                self.note(Note::Closed, Some(&closing(Some(file))))?;
                self.long(&statements::close(&self.database), &what, watch).map(drop)
            }
        }
    }

    /// Takes a backup into a file, uncompressed: what goes to a target is compressed there.
    pub fn back_up(&self, kind: BackupKind, to: &ServerPath, what: &text::Text, watch: &Watch) -> Result<()> {
        let name = BackupName::new(&format!("relevo {}", self.side))?;
        let backup = Backup { database: &self.database, kind, to: &Devices::one(to.clone()), name: &name, compression: None };
        self.long(&backup.statement(), what, watch).map(drop)
    }

    /// A new name for a file in the exchange folder: nothing there is ever written over.
    pub fn file_name(&self, what: &str, ending: &str) -> String {
        let id = uuid::Uuid::now_v7().simple().to_string();
        format!("{}-{what}-{id}.{ending}", self.database.of_files())
    }

    /// Lets everybody in again where a mode was left behind that keeps others out: by a process that died, or a backup that was taken in it.
    /// Whoever sits in the one place is put out.
    pub fn let_everybody_in(&self) -> Result<()> {
        for attempt in 0.. {
            let closed = |seen: &State| seen.open() && seen.access != Access::Multi;
            if !self.seen()?.as_ref().is_some_and(closed) {
                return Ok(());
            }
            let outcome =
                self.long(&statements::set(&self.database, Setting::MultiUser), &text!("abriendo", "opening"), &Watch::silent());
            match outcome {
                Ok(_) => continue,
                Err(failure) if attempt >= TRIES => return Err(failure),
                Err(_) => self.put_out(&self.ask(&statements::sessions(Scope::Database(&self.database)))?)?,
            }
        }
        Ok(())
    }

    /// How the closed database was set aside, with a whole copy of it. One that was closed to be handed over, and was not taken over from there,
    /// is opened for a moment and set aside: what only it holds has to be read.
    pub fn set_aside_whole(&self) -> Result<Closed> {
        let closed = self.notes()?.closed;
        match closed {
            Some(closed) if closed.how == Fencing::Aside && closed.file.is_some() => Ok(closed),
            _ => {
                let watch = Watch::silent();
                self.labelled(Label::DatabaseBytes, || self.bring_online(&watch))?;
                self.fence(Fencing::Aside, &watch)?;
                self.notes()?.closed.ok_or_else(|| self.no_database(DatabaseState::Fenced))
            }
        }
    }

    /// Lifts a fence: open again for everybody.
    pub fn unfence(&self, watch: &Watch) -> Result<()> {
        match self.state()? {
            DatabaseState::Open => {}
            DatabaseState::Fenced => self.labelled(Label::DatabaseBytes, || self.bring_online(watch))?,
            state => return Err(self.no_database(state)),
        }
        self.settle(watch)?;
        self.forget(Note::Closed)
    }

    /// The standby becomes an open database. The point of no return of a promote.
    pub fn recover(&self, watch: &Watch) -> Result<()> {
        match self.state()? {
            DatabaseState::Open => {}
            DatabaseState::Standby => self.labelled(Label::DatabaseBytes, || self.bring_online(watch))?,
            state => return Err(self.no_database(state)),
        }
        self.settle(watch)?;
        self.forget(Note::Closed)?;
        self.forget(Note::Standby)
    }

    fn bring_online(&self, watch: &Watch) -> Result<()> {
        let what = text!("abriendo la base", "opening the database");
        let seen = self.must_see()?;
        if !seen.follows() {
            return self.long(&statements::reopen(&self.database), &what, watch).map(drop);
        }
        match self.long(&statements::recover(&self.database), &what, watch) {
            Err(failure) if asks_for(&failure, Answer::Done) => Ok(()),
            // Interrupted while it came online: the same once more.
            Err(failure) if asks_for(&failure, Answer::RecoverAgain) => {
                self.long(&statements::recover(&self.database), &what, watch).map(drop)
            }
            outcome => outcome.map(drop),
        }
    }

    /// What a restore or an attach left otherwise than it was on main: modes, owner, flags, users without their login.
    fn settle(&self, watch: &Watch) -> Result<()> {
        self.let_everybody_in()?;
        let seen = self.must_see()?;
        let set =
            |setting| self.long(&statements::set(&self.database, setting), &text!("ajustando", "settling"), watch).map(drop);
        if seen.read_only {
            set(Setting::ReadWrite)?;
        }
        if let Some(flags) = self.flags()? {
            if flags.trustworthy && !seen.trustworthy {
                set(Setting::Trustworthy)?;
            }
            if flags.broker && !seen.broker {
                set(Setting::Broker).or_else(|_| set(Setting::NewBroker))?;
            }
        }
        let owner = self.one(&statements::owner_login())?.words("name")?;
        if let Some(owner) = owner {
            self.ask(&statements::give_to(&self.database, &LoginName::new(&owner)?))?;
        }
        for user in self.ask(&statements::orphaned_users(&self.database))? {
            if user.words("login_sid")?.is_some() {
                self.ask(&statements::join_user(&self.database, &LoginName::new(&user.must_words("name")?)?))?;
            }
        }
        Ok(())
    }

    /// The files that [`Instance::receive`] of the other server copies, as this machine sees them: the log's tail, or the closed database's own.
    pub fn closed_files(&self) -> Result<Vec<PathBuf>> {
        let (state, closed) = (self.state()?, self.notes()?.closed);
        let Some(closed) = closed.filter(|_| state == DatabaseState::Fenced) else {
            let (database, instance) = (&self.database, &self.access.instance);
            return Err(Failure::failed(
                "not_detached",
                text!("{database} de {instance} no está separada (@)", "{database} of {instance} is not detached (@)")
                    .fill(&state.text()),
            ));
        };
        if let (Fencing::Handover, Some(file)) = (closed.how, closed.file) {
            return Ok(vec![self.exchange_here.join(file)]);
        }
        let rows = self.ask(&statements::database_files(&self.database))?;
        rows.iter().map(|row| Ok(PathBuf::from(row.must_words("path")?))).collect()
    }

    /// Copies the files of the other server's closed database into the own exchange folder, compared by hash. Returns a hash over all.
    pub fn receive(&self, files: &[PathBuf], watch: &Watch) -> Result<Hash> {
        // Names of their own each time: what was received before may be the files that the database lives in by now. What was not even
        // received whole never was attached.
        if let Some(before) = self.notes()?.received.filter(|before| !before.whole) {
            before.files.iter().try_for_each(|file| self.remove(file))?;
        }
        let names: Vec<String> = files.iter().map(|file| self.file_name("recibida", &ending(file))).collect();
        self.note(Note::Received, Some(&Received { files: names.clone(), whole: false }))?;
        let mut hasher = blake3::Hasher::new();
        for (from, name) in files.iter().zip(&names) {
            let to = self.exchange_here.join(name);
            let hash = self.labelled(Label::DatabaseIncoming, || copy(from, &to, watch))?;
            hasher.update(&hash.0);
        }
        self.note(Note::Received, Some(&Received { files: names, whole: true }))?;
        Ok(Hash(*hasher.finalize().as_bytes()))
    }

    /// Puts what was received in the place of the own database, still closed: the log's tail is applied to it, or the old database gets another
    /// name and the received one is attached.
    pub fn place(&self, keep: &str, watch: &Watch) -> Result<()> {
        let Some(received) = self.notes()?.received.filter(|received| received.whole) else {
            return Err(Failure::failed(
                "not_received",
                text!("la base del respaldo no se ha copiado completa", "the backup's database was not copied whole"),
            ));
        };
        if let [tail] = received.files.as_slice()
            && tail.ends_with(".trn")
        {
            return self.labelled(Label::DatabasePlace, || self.apply_tail(tail, watch));
        }
        let kept = if keep.is_empty() { None } else { Some(DatabaseName::new(keep)?) };
        if let Some(kept) = &kept
            && !self.exists(kept)?
        {
            let what = text!("conservando la base anterior", "keeping the old database");
            self.labelled(Label::DatabaseKeep, || {
                if self.must_see()?.follows() {
                    // A database that waits for backups can be neither closed nor renamed.
                    self.long(&statements::recover(&self.database), &what, watch)?;
                }
                self.long(&statements::set_aside(&self.database, kept), &what, watch).map(drop)
            })?;
        }
        if self.seen()?.is_none() {
            let files: Vec<ServerPath> = received.files.iter().map(|file| self.exchange.join(file)).collect::<Result<_>>()?;
            let what = text!("adjuntando la base", "attaching the database");
            self.note(Note::Closed, Some(&Closed { how: Fencing::Aside, file: None, last_folio: None }))?;
            self.labelled(Label::DatabasePlace, || {
                self.long(&statements::attach(&self.database, &files, Attach::Whole), &what, watch)?;
                self.long(&statements::close(&self.database), &what, watch).map(drop)
            })?;
        }
        Ok(())
    }

    /// Undoes [`Instance::place`]: the old database has its name again, closed. What was attached is detached; its files stay.
    pub fn unplace(&self, keep: &str, watch: &Watch) -> Result<()> {
        let Some(received) = self.notes()?.received else { return Ok(()) };
        // The log's tail stays applied: main waits, further along than before, and the backup opens where its tail ended. One that was cut off
        // is applied to its end: a database in the middle of it could be used for nothing else.
        if let Some(tail) = received.files.iter().find(|file| file.ends_with(".trn")) {
            return match self.labelled(Label::DatabasePlace, || self.apply_tail(tail, watch)) {
                Err(failure) if is_of_client(&failure) => Err(failure),
                _ => Ok(()),
            };
        }
        let what = text!("devolviendo la base anterior", "giving back the old database");
        let kept =
            if keep.is_empty() { None } else { Some(DatabaseName::new(keep)?).filter(|kept| self.exists(kept).unwrap_or(false)) };
        if !keep.is_empty() && kept.is_none() {
            return Ok(()); // it never got the other name
        }
        if self.is_received(&received)? {
            self.labelled(Label::DatabasePlace, || {
                self.long(&statements::set(&self.database, Setting::Online), &what, watch)?;
                self.long(&statements::detach(&self.database), &what, watch).map(drop)
            })?;
        }
        if let Some(kept) = &kept {
            self.labelled(Label::DatabaseKeep, || {
                self.long(&statements::set_aside(kept, &self.database), &what, watch).map(drop)
            })?;
        }
        Ok(())
    }

    /// Removes what was received, unless the database lives in it by now.
    pub fn discard_received(&self) -> Result<()> {
        let Some(received) = self.notes()?.received else { return Ok(()) };
        if !self.is_received(&received)? {
            for file in &received.files {
                let path = self.exchange_here.join(file);
                self.world
                    .remove_file(Label::DatabaseIncoming, &path)
                    .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &path, &e))?;
            }
        }
        self.forget(Note::Received)
    }

    fn is_received(&self, received: &Received) -> Result<bool> {
        let own = self.ask(&statements::database_files(&self.database))?;
        let paths: Vec<String> = own.iter().map(|row| row.must_words("path")).collect::<Result<_>>()?;
        Ok(received.files.iter().any(|file| paths.iter().any(|path| path.ends_with(file.as_str()))))
    }

    /// Is there a database of this name?
    pub fn exists(&self, database: &DatabaseName) -> Result<bool> {
        Ok(!self.ask(&statements::state(database))?.is_empty())
    }
}

fn ending(file: &Path) -> String {
    file.extension().and_then(|ending| ending.to_str()).unwrap_or("bin").to_lowercase()
}

/// Copies a file and reads both back; their common hash.
fn copy(from: &Path, to: &Path, watch: &Watch) -> Result<Hash> {
    let reading = |e: &std::io::Error| Failure::io(text!("no se pudo leer", "could not read"), from, e);
    let writing = |e: &std::io::Error| Failure::io(text!("no se pudo escribir", "could not write"), to, e);
    let size = std::fs::metadata(from).map_err(|e| reading(&e))?.len();
    watch.report(Progress::Begin(text!("copiando la base", "copying the database"), size));
    let (mut input, mut output) = (File::open(from).map_err(|e| reading(&e))?, File::create(to).map_err(|e| writing(&e))?);
    let mut hasher = blake3::Hasher::new();
    pour(&mut input, reading, watch, |piece| {
        hasher.update(piece);
        output.write_all(piece).map_err(|e| writing(&e))?;
        watch.report(Progress::Advance(piece.len() as u64));
        Ok(true)
    })?;
    output.sync_all().map_err(|e| writing(&e))?;
    drop(output);
    watch.report(Progress::End);
    let sent = Hash(*hasher.finalize().as_bytes());
    if hash_of(to).map_err(|e| writing(&e))? == sent {
        return Ok(sent);
    }
    let shown = to.display();
    Err(Failure::failed(
        "copy_differs",
        text!("{shown} no quedó igual que su original", "{shown} is not equal to what it was copied from"),
    )
    .hint(text!("revise el disco y la red, y repita", "check disk and network, then repeat")))
}

/// Hash of a file's content.
fn hash_of(path: &Path) -> std::io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(Hash(*hasher.finalize().as_bytes()))
}
