//! Backups for the mirror. A log backup cuts the server's log, so what it wrote is kept in the exchange folder until a later copy goes on from
//! it: whatever fails between here and the target, the next mirror finds it there.

use std::fs::File;
use std::time::{Duration, Instant};

use super::decide::{self, CopyFacts, End, Header, NextCopy, SetKind, State, Taken, interference, next_copy};
use super::errors::is_of_client;
use super::header::set_of;
use super::instance::Instance;
use super::notes::{Closed, Note};
use super::pour::pour;
use super::statements::{self, BackupKind, Devices, ProgramName, ServerTime};
use crate::error::{Failure, Result, Retry};
use crate::model::{Change, CopyKind, DatabaseState, EpochRecord, Fencing, Lsn, Mark, Next, Position, Scanned};
use crate::progress::Watch;
use crate::server::port::Part;
use crate::text;
use crate::text::Text;
use crate::world::Label;

/// SQL Server's page.
const PAGE: u64 = 8192;
/// A differential of more than so many hundredths of the database is no saving over a full copy.
const LARGE: i64 = 60;
/// In a database of this size a full copy is no matter, and neither is the differential: a chain that goes on is worth more.
const SMALL: i64 = 64 << 20;
/// How long work that a dead process left on the server is waited for.
const LEFT_OVER_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What the files of log backups are called: they are found again by it.
const LOG: &str = "registro";

/// What a copy is taken for; see [`crate::server::DatabaseServer::scan`].
pub struct Asked<'a> {
    /// Its kind.
    pub kind: CopyKind,
    /// Where it goes on.
    pub base: Option<&'a Position>,
    /// The epoch that it belongs to.
    pub record: &'a EpochRecord,
    /// Its number.
    pub sequence: u64,
}

type Sink<'a> = &'a mut dyn FnMut(Part<'_>) -> Result<bool>;

impl Instance {
    /// What kind of copy can follow the one of this kind that ends at `base`.
    pub fn next(&self, base: &Position, kind: CopyKind) -> Result<Next> {
        let Mark::Log { lsn, fork, base: full } = base.mark else { return Ok(Next::Full) };
        let (state, closed) = (self.state()?, self.notes()?.closed);
        match state {
            DatabaseState::Open => {}
            DatabaseState::Fenced => return self.next_closed(closed, lsn, full),
            _ => return Ok(Next::Full),
        }
        let main = self.must_see()?;
        let end = End { kind: set_of(kind), lsn, fork, base: full, family: None };
        let spool: Vec<Header> = self.logs_over(lsn)?.into_iter().map(|(_, header)| header).collect();
        Ok(match next_copy(CopyFacts { main: &main, end: Some(end), spool: &spool }) {
            NextCopy::Log { .. } | NextCopy::Spool(_) => Next::Increment,
            NextCopy::Differential(_) if !self.is_large()? => Next::Differential,
            _ => Next::Full,
        })
    }

    /// What others did to the chain of backups since the copy that ends at `base`.
    pub fn moved_by(&self, base: &Position, kind: CopyKind) -> Result<Vec<Text>> {
        let Mark::Log { lsn, fork, base: full } = base.mark else { return Ok(Vec::new()) };
        let Some(main) = self.seen()?.filter(State::open) else { return Ok(Vec::new()) };
        let end = End { kind: set_of(kind), lsn, fork, base: full, family: None };
        // Mostly nothing happened, and msdb need not be asked.
        if interference(&main, &end, &[]).is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.ask(&statements::backups_since(&self.database, lsn))?;
        let taken: Vec<Taken> = rows.iter().map(Taken::of_row).collect::<Result<_>>()?;
        let found = interference(&main, &end, &taken);
        Ok(found.iter().filter(|what| what.is_worth_saying(&main)).map(decide::Interference::text).collect())
    }

    /// A closed database gives what it was closed with.
    fn next_closed(&self, closed: Option<Closed>, lsn: Lsn, full: uuid::Uuid) -> Result<Next> {
        let Some(file) = closed.filter(|c| c.how == Fencing::Handover).and_then(|c| c.file) else { return Ok(Next::Full) };
        let header = self.header(&file)?;
        Ok(match header.kind {
            SetKind::Log if header.first <= lsn => Next::Increment,
            SetKind::Differential if header.base == Some(full) => Next::Differential,
            _ => Next::Full,
        })
    }

    fn is_large(&self) -> Result<bool> {
        let row = self.one(&statements::change_size(&self.database))?;
        let (changed, used) = (row.int("changed_bytes")?.unwrap_or(0), row.int("used_bytes")?.unwrap_or(0));
        Ok(changed > SMALL && changed.saturating_mul(100) / used.max(1) > LARGE)
    }

    /// Takes the copy, or finds it taken, and gives it to `sink`.
    pub fn scan(&self, asked: &Asked<'_>, sink: Sink<'_>, watch: &Watch) -> Result<Option<Scanned>> {
        let (state, closed) = (self.state()?, self.notes()?.closed);
        let (file, last_folio, keep) = match (state, asked.kind) {
            (DatabaseState::Open, _) => {
                self.let_everybody_in()?;
                self.tidy(asked.base)?;
                let last_folio = self.last_folio()?;
                self.keep_flags()?;
                let file = match (asked.kind, asked.base.map(|base| &base.mark)) {
                    (CopyKind::Increment, Some(Mark::Log { lsn, fork, .. })) => match self.spooled(*lsn, *fork)? {
                        Some(file) => file,
                        None => self.take(BackupKind::Log, watch)?,
                    },
                    (CopyKind::Differential, _) => self.take(BackupKind::Differential, watch)?,
                    _ => self.take(BackupKind::Full { copy_only: asked.kind == CopyKind::Tail }, watch)?,
                };
                (file, last_folio, asked.kind == CopyKind::Increment)
            }
            (DatabaseState::Fenced, kind) => {
                let closed = match kind {
                    CopyKind::Tail | CopyKind::Full => self.set_aside_whole()?,
                    _ => closed.ok_or_else(|| self.no_database(state))?,
                };
                (closed.file.ok_or_else(|| self.no_database(state))?, closed.last_folio, true)
            }
            _ => return Err(self.no_database(state)),
        };
        let header = self.header(&file)?;
        let has = asked.base.is_some_and(|base| matches!(base.mark, Mark::Log { lsn, .. } if header.last <= lsn));
        if header.kind == SetKind::Log && has {
            return Ok(None); // nothing was changed since
        }
        let to = self.end_of(asked, &header)?;
        let path = self.exchange_here.join(&file);
        let bytes = std::fs::metadata(&path).map_err(|e| self.unreadable(&path, &e))?.len();
        let change = Change { kind: asked.kind, pages: bytes.div_ceil(PAGE), bytes };
        if !sink(Part::Change(&change))? {
            return Ok(None);
        }
        let mut content = File::open(&path).map_err(|e| self.unreadable(&path, &e))?;
        if !pour(&mut content, |e| self.unreadable(&path, e), watch, |piece| sink(Part::Bytes(piece)))? {
            return Ok(None);
        }
        drop(content);
        if !keep {
            self.remove(&file)?;
        }
        if asked.kind != CopyKind::Tail {
            self.note(Note::Copied, Some(&to))?;
        }
        Ok(Some(Scanned { change, from: asked.base.cloned(), to, last_folio }))
    }

    fn end_of(&self, asked: &Asked<'_>, header: &Header) -> Result<Position> {
        let wanted = set_of(asked.kind);
        let base = match (asked.kind, asked.base.map(|base| &base.mark)) {
            (CopyKind::Increment, Some(Mark::Log { base, .. })) => Some(*base),
            (CopyKind::Differential, _) => header.base,
            _ => header.set,
        };
        let database = asked.record.database;
        let (Some(database), Some(base), true, false) = (database, base, header.kind == wanted, header.damaged) else {
            let kind = header.kind;
            return Err(Failure::failed(
                "backup_unexpected",
                text!(
                    "SQL Server entregó un respaldo que no se pidió ({kind:?})",
                    "SQL Server gave a backup that was not asked for ({kind:?})"
                ),
            ));
        };
        let mark = Mark::Log { lsn: header.last, fork: header.fork, base };
        Ok(Position { database, epoch: asked.record.epoch, sequence: asked.sequence, mark })
    }

    /// Takes a backup; the name of its file. It bears its final name only when the server said that it is whole.
    fn take(&self, kind: BackupKind, watch: &Watch) -> Result<String> {
        let (word, ending, what) = match kind {
            BackupKind::Log => (LOG, "trn", text!("respaldando el registro", "backing up the log")),
            BackupKind::Differential => ("diferencial", "dif", text!("respaldando lo que cambió", "backing up what changed")),
            _ => ("completa", "bak", text!("respaldando la base", "backing up the database")),
        };
        self.must_have_room_for(&kind)?;
        let file = self.file_name(word, ending);
        let part = format!("{file}.part");
        self.labelled(Label::PagesTable, || self.back_up(kind, &self.exchange.join(&part)?, &what, watch))?;
        if !matches!(kind, BackupKind::Log) {
            self.rename(&part, &file)?;
            return Ok(file);
        }
        self.spool(&part)
    }

    /// Gives a finished log backup the name by which it is found again; it says where the log begins and ends.
    fn spool(&self, part: &str) -> Result<String> {
        let header = self.header(part)?;
        let (first, last) = (header.first, header.last);
        let file = format!("{}{first}-{last}.trn", self.log_prefix());
        self.rename(part, &file)?;
        Ok(file)
    }

    fn log_prefix(&self) -> String {
        format!("{}-{LOG}-", self.database.of_files())
    }

    /// A log backup in the exchange folder that goes on from this LSN. Its name finds it, its header decides.
    fn spooled(&self, lsn: Lsn, fork: uuid::Uuid) -> Result<Option<String>> {
        let found = self.logs_over(lsn)?.into_iter().find(|(_, header)| header.covers(lsn) && header.first_fork == fork);
        Ok(found.map(|(file, _)| file))
    }

    /// Those whose name says that this LSN is in them, with their header.
    fn logs_over(&self, lsn: Lsn) -> Result<Vec<(String, Header)>> {
        let over = self.logs()?.into_iter().filter(|(_, first, last)| *first <= lsn && lsn < *last);
        over.map(|(file, ..)| self.header(&file).map(|header| (file, header))).collect()
    }

    /// Log backups in the exchange folder, by name, with their first and last LSN.
    fn logs(&self) -> Result<Vec<(String, Lsn, Lsn)>> {
        let prefix = self.log_prefix();
        let mut found: Vec<(String, Lsn, Lsn)> = Vec::new();
        for name in self.files()? {
            let lsns =
                name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".trn")).and_then(|rest| rest.split_once('-'));
            if let Some((first, last)) = lsns
                && let (Ok(first), Ok(last)) = (first.parse(), last.parse())
            {
                found.push((name, first, last));
            }
        }
        Ok(found)
    }

    /// Names of the files in the exchange folder.
    fn files(&self) -> Result<Vec<String>> {
        let dir = &self.exchange_here;
        let entries = std::fs::read_dir(dir).map_err(|e| self.no_exchange(&e))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| self.no_exchange(&e))?;
            names.extend(entry.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn no_exchange(&self, error: &std::io::Error) -> Failure {
        let side = self.side;
        Failure::io(
            text!("no se puede leer la carpeta de paso", "the exchange folder cannot be read"),
            &self.exchange_here,
            error,
        )
        .hint(text!(
            "cree la carpeta, deje que la cuenta de SQL Server escriba en ella y revise [servers.{side}] exchange",
            "create the folder, let SQL Server's account write to it and check [servers.{side}] exchange"
        ))
    }

    fn unreadable(&self, path: &std::path::Path, error: &std::io::Error) -> Failure {
        let side = self.side;
        Failure::io(text!("no se pudo leer el respaldo", "the backup could not be read"), path, error).hint(text!(
            "la cuenta que ejecuta relevo debe poder leer lo que SQL Server escribe en [servers.{side}] exchange",
            "the account that runs relevo has to be able to read what SQL Server writes in [servers.{side}] exchange"
        ))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.exchange_here.join(from), self.exchange_here.join(to));
        self.world
            .rename(Label::StateWrite, &from, &to)
            .map_err(|e| Failure::io(text!("no se pudo mover", "could not move"), &from, &e))
    }

    /// Removes a file from the exchange folder.
    pub fn remove(&self, file: &str) -> Result<()> {
        let path = self.exchange_here.join(file);
        self.world
            .remove_file(Label::StateWrite, &path)
            .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &path, &e))
    }

    /// Clears up after processes that died: ends work that they left on the server, keeps a log backup that was finished and removes one that was
    /// not, and the logs that `base` is beyond.
    fn tidy(&self, base: Option<&Position>) -> Result<()> {
        self.end_left_over()?;
        let prefix = self.log_prefix();
        for file in self.files()?.iter().filter(|file| file.ends_with(".part")) {
            let whole = file.starts_with(&prefix) && self.is_whole_log(file)?;
            if whole {
                self.spool(file)?;
            } else if file.starts_with(&format!("{}-", self.database.of_files())) {
                self.remove(file)?;
            }
        }
        if let Some(Mark::Log { lsn, .. }) = base.map(|base| &base.mark) {
            for (file, _, _) in self.logs()?.into_iter().filter(|(_, _, last)| last <= lsn) {
                self.remove(&file)?;
            }
        }
        Ok(())
    }

    /// A log backup that the server finished. One that was cut off has a header too: only reading it to its end tells them apart.
    fn is_whole_log(&self, file: &str) -> Result<bool> {
        let read = self.header(file).and_then(|header| {
            let (from, what) = (Devices::one(self.exchange.join(file)?), text!("leyendo el respaldo", "reading the backup"));
            self.long(&statements::verify(&from, header.checksums), &what, &Watch::silent())?;
            Ok(header.kind == SetKind::Log)
        });
        match read {
            Err(failure) if is_of_client(&failure) => Err(failure),
            read => Ok(read.unwrap_or(false)),
        }
    }

    /// Ends backups and restores that a dead relevo of this machine left running.
    pub fn end_left_over(&self) -> Result<()> {
        let until = Instant::now() + LEFT_OVER_WITHIN;
        let program = ProgramName::new(&format!("{}-{}", super::connection::PROGRAM, self.side))?;
        loop {
            let left = self.ask(&statements::orphaned_work(&program))?;
            if left.is_empty() {
                return Ok(());
            }
            self.put_out(&left)?;
            if Instant::now() > until {
                return Err(Failure::failed(
                    "left_over_work",
                    text!(
                        "un respaldo o restauración que quedó en marcha en SQL Server no termina",
                        "a backup or restore that was left running on SQL Server does not end"
                    ),
                )
                .hint(text!("espere y repita", "wait, then repeat"))
                .retry(Retry::Temporary));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Forgets what msdb remembers of backups that are older than so many days. Its dates are the server's local time; a day more or less
    /// does not matter.
    pub fn forget_history(&self, older_than_days: u32) -> Result<()> {
        let day = self.world.now().date().saturating_sub(jiff::Span::new().days(older_than_days));
        let what = text!("limpiando el historial de respaldos", "clearing the history of backups");
        self.long(&statements::clean_history(&ServerTime::new(&format!("{day}T00:00:00"))?), &what, &Watch::silent()).map(drop)
    }
}
