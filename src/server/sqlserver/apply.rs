//! Restoring copies: into the standby, and into a scratch database for trial restores and for reading a closed database.

use std::io::{Read, Write};

use super::decide::{self, Follower, Header, MayReplace, NoReplace, Over, ReplaceToken, Standing, State, Verdict, may_replace};
use super::errors::{Answer, asks_for};
use super::header::set_of;
use super::instance::Instance;
use super::look::standby_position;
use super::notes::{Closed, Note, Standby};
use super::pour::pour;
use super::room::bytes;
use super::statements::{
    self, DatabaseName, Devices, LogicalName, Move, Recovery, Restore, RestoreKind, ScratchName, ServerPath,
};
use crate::error::{Failure, Result};
use crate::model::{CopyKind, CopyToApply, DatabaseState, Epoch, Fencing, Lsn, Mark, Position, Side, Ticket};
use crate::progress::{Progress, Watch};
use crate::text;
use crate::world::Label;

/// One copy after the other, with its content.
type Contents<'a> = &'a mut dyn Iterator<Item = Result<(CopyToApply, Box<dyn Read>)>>;

impl Instance {
    /// Applies a copy to the standby. Repeating it after a crash is harmless: what the server has already is left out.
    pub fn apply(&self, copy: &CopyToApply, content: &mut dyn Read, watch: &Watch) -> Result<()> {
        let notes = self.notes()?;
        let seen = self.seen()?;
        let state = super::look::state_of(self.side, seen.as_ref(), &notes);
        if state == DatabaseState::Open || state == DatabaseState::Unknown {
            return Err(self.no_standby(state));
        }
        let whole = notes.standby.as_ref().is_some_and(|s| s.applying.is_none() && s.position.as_ref() == Some(&copy.to));
        if whole && copy.kind != CopyKind::Full {
            return Ok(());
        }
        self.end_left_over()?;
        let file = self.bring(copy, content, watch)?;
        let header = self.fitting(copy, &file)?;
        let before = notes.standby.unwrap_or_default();
        if copy.kind == CopyKind::Full {
            let what = text!("verificando la copia", "verifying the copy");
            self.long(&statements::verify(&Devices::one(self.exchange.join(&file)?), header.checksums), &what, watch)
                .map_err(|failure| damaged(copy, &failure))?;
            let token = self.may_write_over(copy, seen.as_ref(), notes.epoch.is_some(), &header)?;
            let moves = self.moves(&file, &self.database, seen.is_some())?;
            self.note(
                Note::Standby,
                Some(&Standby {
                    position: None,
                    applying: Some(copy.name.clone()),
                    family: Some(header.family),
                    made_by: Some(header.major),
                }),
            )?;
            self.forget(Note::Closed)?;
            self.labelled(Label::StandbyPlace, || {
                self.restore(&self.database, RestoreKind::Full { replace: token }, &file, &moves, &header, watch)
            })
            .map_err(|failure| damaged(copy, &failure))?;
        } else {
            let Some(seen) = &seen else { return Err(self.no_standby(state)) };
            self.must_follow(copy, seen, &before)?;
            match self.verdict(&header, seen, &before)? {
                Verdict::AlreadyApplied => {}
                Verdict::Apply => {
                    self.note(Note::Standby, Some(&Standby { applying: Some(copy.name.clone()), ..before.clone() }))?;
                    let kind = if copy.kind == CopyKind::Increment { RestoreKind::Log } else { RestoreKind::Differential };
                    self.labelled(Label::StandbyPages, || self.restore(&self.database, kind, &file, &[], &header, watch))?;
                }
                verdict => {
                    let (name, why) = (&copy.name, verdict.text());
                    let message = text!("{name} no se aplica: @", "{name} is not applied: @").fill(&why);
                    return Err(Failure::failed("copy_does_not_follow", message));
                }
            }
        }
        let after = self.must_see()?;
        let reached = self.redo(&after)?.map(|(at, _)| at);
        if reached != Some(header.last) {
            let (got, wanted) = (reached.unwrap_or(Lsn(0)), header.last);
            return Err(Failure::failed(
                "standby_damaged",
                text!(
                    "tras aplicar la copia el respaldo está en {got}, no en {wanted}",
                    "after the copy the standby is at {got}, not at {wanted}"
                ),
            ));
        }
        self.note(
            Note::Standby,
            Some(&Standby {
                position: Some(copy.to.clone()),
                applying: None,
                family: Some(header.family),
                made_by: Some(header.major),
            }),
        )?;
        self.remove(&file)
    }

    fn no_standby(&self, state: DatabaseState) -> Failure {
        let instance = &self.access.instance;
        Failure::failed(
            "not_a_standby",
            text!("la base de {instance} no recibe copias (@)", "the database of {instance} takes no copies (@)")
                .fill(&state.text()),
        )
    }

    /// Puts the content of a copy into the exchange folder; the name of its file.
    fn bring(&self, copy: &CopyToApply, content: &mut dyn Read, watch: &Watch) -> Result<String> {
        let ending = match copy.kind {
            CopyKind::Increment => "trn",
            CopyKind::Differential => "dif",
            CopyKind::Full | CopyKind::Tail => "bak",
        };
        // Named after the copy: one that a dead process left half written is written anew.
        let file = format!("{}.{ending}", copy.name);
        self.must_have_room(copy.bytes)?;
        let path = self.exchange_here.join(&file);
        let writing = |e: &std::io::Error| Failure::io(text!("no se pudo escribir", "could not write"), &path, e);
        watch.report(Progress::Begin(text!("trayendo la copia", "fetching the copy"), copy.bytes));
        let outcome = (|| {
            let mut out = std::fs::File::create(&path).map_err(|e| writing(&e))?;
            pour(
                content,
                |e| unreadable(copy, e),
                watch,
                |piece| {
                    out.write_all(piece).map_err(|e| writing(&e))?;
                    watch.report(Progress::Advance(piece.len() as u64));
                    Ok(true)
                },
            )?;
            out.sync_all().map_err(|e| writing(&e))
        })();
        watch.report(Progress::End);
        outcome.map(|()| file)
    }

    /// The header of a copy's file, which has to be what its manifest says.
    fn fitting(&self, copy: &CopyToApply, file: &str) -> Result<Header> {
        let header = self.header(file).map_err(|failure| damaged(copy, &failure))?;
        let Mark::Log { lsn, fork, .. } = copy.to.mark else { return Err(self.other_engine()) };
        if header.kind == set_of(copy.kind) && header.last == lsn && header.fork == fork && !header.damaged {
            return Ok(header);
        }
        let name = &copy.name;
        Err(Failure::failed(
            "copy_damaged",
            text!(
                "el contenido de {name} no es el que dice su manifiesto",
                "the content of {name} is not what its manifest says"
            ),
        ))
    }

    fn other_engine(&self) -> Failure {
        Failure::failed("copy_damaged", text!("la copia no es de SQL Server", "the copy is not of SQL Server"))
    }

    /// A log or differential has to follow what the standby has.
    fn must_follow(&self, copy: &CopyToApply, seen: &State, before: &Standby) -> Result<()> {
        let here = match &before.position {
            // One that was being applied: the server knows how far it came.
            Some(position) if before.applying.as_ref() == Some(&copy.name) => Some(position.clone()),
            position => standby_position(seen, position.as_ref()).map_err(|why| Failure::failed("copy_does_not_follow", why))?,
        };
        let follows = here.as_ref().is_some_and(|here| match (copy.kind, &here.mark, &copy.to.mark) {
            (CopyKind::Increment, ..) => copy.from.as_ref() == Some(here),
            (_, Mark::Log { base, .. }, Mark::Log { base: of, .. }) => {
                base == of && (here.database, here.epoch) == (copy.to.database, copy.to.epoch)
            }
            _ => false,
        });
        if follows && seen.follows() {
            return Ok(());
        }
        let name = &copy.name;
        Err(Failure::failed(
            "copy_does_not_follow",
            text!("{name} no sigue a lo que el respaldo tiene", "{name} does not follow what the standby has"),
        ))
    }

    /// What the header and the server say about applying it: by LSN, fork and base. The manifest was believed before.
    fn verdict(&self, header: &Header, seen: &State, standby: &Standby) -> Result<Verdict> {
        let (redo, fork) = self.redo(seen)?.unzip();
        let follower = Follower {
            major: u32::try_from(self.one(&statements::instance())?.int("major")?.unwrap_or_default()).unwrap_or_default(),
            follows: seen.follows(),
            // One that an older relevo seeded did not note it; the manifest's database id was compared.
            family: standby.family.or(seen.family).unwrap_or(header.family),
            redo,
            fork: fork.flatten(),
            base: seen.base,
            base_lsn: seen.base_lsn,
        };
        Ok(if header.kind == decide::SetKind::Log {
            decide::log(header, &follower)
        } else {
            decide::differential(header, &follower)
        })
    }

    /// Leave to write over the database that stands there: ours, or of the same family and waiting.
    fn may_write_over(
        &self,
        copy: &CopyToApply,
        seen: Option<&State>,
        marked: bool,
        header: &Header,
    ) -> Result<Option<ReplaceToken>> {
        let standing = seen.map(|seen| Standing { follows: seen.follows(), family: seen.family, marked });
        let asked = MayReplace { database: &self.database, over: Over::Standby, standing, family: header.family };
        match may_replace(asked) {
            Ok(token) => Ok(Some(token)),
            Err(NoReplace::NothingThere) => Ok(None),
            // A first copy that was interrupted left something that waits and that nobody noted: it holds nothing yet.
            Err(_) if seen.is_some_and(State::follows) => Ok(None),
            Err(_) => {
                let (instance, name) = (&self.access.instance, &copy.name);
                Err(Failure::refused(
                    "not_ours",
                    text!(
                        "en {instance} hay una base con ese nombre que no es de esta sucursal; {name} no se aplica",
                        "on {instance} there is a database of that name that is not this store's; {name} is not applied"
                    ),
                )
                .hint(text!(
                    "cambie el nombre de esa base o muévala a otra instancia",
                    "rename that database or move it to another instance"
                )))
            }
        }
    }

    /// Where the files of a full backup go: where the database's own are, else in the server's folders.
    fn moves(&self, file: &str, database: &DatabaseName, exists: bool) -> Result<Vec<Move>> {
        let what = text!("leyendo el respaldo", "reading the backup");
        let listed = self.long(&statements::file_list(&Devices::one(self.exchange.join(file)?)), &what, &Watch::silent())?;
        let own = if exists { self.ask(&statements::database_files(database))? } else { Vec::new() };
        let instance = self.one(&statements::instance())?;
        let (mut moves, mut grows) = (Vec::new(), Vec::new());
        for (at, row) in listed.iter().enumerate() {
            let logical = row.must_words("LogicalName")?;
            let log = row.must_words("Type")?.trim() == "L";
            let there = own.iter().find(|own| own.words("logical").ok().flatten().as_deref() == Some(logical.as_str()));
            let to = match there {
                Some(own) => ServerPath::new(&own.must_words("path")?)?,
                None => {
                    let folder = instance.must_words(if log { "log_folder" } else { "data_folder" })?;
                    let number = if at < 2 { String::new() } else { format!("_{at}") };
                    let plain = database.of_files();
                    let name = if log { format!("{plain}_log{number}.ldf") } else { format!("{plain}{number}.mdf") };
                    ServerPath::new(&folder)?.join(&name)?
                }
            };
            let there = there.and_then(|own| bytes(own, "bytes")).unwrap_or(0);
            grows.push((to.as_str().to_owned(), bytes(row, "Size").unwrap_or(0).saturating_sub(there)));
            moves.push(Move { logical: LogicalName::new(&logical)?, to });
        }
        if grows.iter().any(|(_, bytes)| *bytes > 0) {
            self.must_have_room_at(&self.volumes(exists).unwrap_or_default(), &grows)?;
        }
        Ok(moves)
    }

    /// RESTORE … NORECOVERY; one that was interrupted before goes on where it was.
    fn restore(
        &self,
        database: &DatabaseName,
        kind: RestoreKind,
        file: &str,
        moves: &[Move],
        header: &Header,
        watch: &Watch,
    ) -> Result<()> {
        let (from, what) = (Devices::one(self.exchange.join(file)?), text!("aplicando la copia", "applying the copy"));
        let statement = |restart| {
            let (kind, recovery) = (kind.clone(), Recovery::NoRecovery);
            Restore { database, kind, from: &from, moves, recovery, restart, checksum: header.checksums }.statement()
        };
        match self.long(&statement(false), &what, watch) {
            Err(failure) if asks_for(&failure, Answer::Restart) => self.long(&statement(true), &what, watch).map(drop),
            Err(failure) if asks_for(&failure, Answer::Done) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Restores a chain into a scratch database, compares, removes it.
    pub fn try_restore(&self, chain: Contents<'_>, watch: &Watch) -> Result<Position> {
        let scratch = ScratchName::of(&self.database)?;
        self.long(&statements::drop_scratch(&scratch), &text!("limpiando", "clearing up"), watch)?;
        let outcome = self.restore_chain(&scratch, chain, watch);
        let dropped = self.long(&statements::drop_scratch(&scratch), &text!("limpiando", "clearing up"), &Watch::silent());
        let position = outcome?;
        dropped?;
        Ok(position)
    }

    fn restore_chain(&self, scratch: &ScratchName, chain: Contents<'_>, watch: &Watch) -> Result<Position> {
        let mut reached = None;
        for next in chain {
            let (copy, mut content) = next?;
            let file = self.bring(&copy, content.as_mut(), watch)?;
            let restored = self.fitting(&copy, &file).and_then(|header| {
                let (kind, moves) = match copy.kind {
                    CopyKind::Increment => (RestoreKind::Log, Vec::new()),
                    CopyKind::Differential => (RestoreKind::Differential, Vec::new()),
                    _ => (RestoreKind::Full { replace: None }, self.moves(&file, scratch.database(), false)?),
                };
                self.restore(scratch.database(), kind, &file, &moves, &header, watch)
            });
            self.remove(&file)?;
            restored?;
            reached = Some(copy.to);
        }
        let row = self.one(&statements::state(scratch.database()))?;
        match reached {
            Some(position) if matches!(position.mark, Mark::Log { lsn, .. } if Some(lsn) == row.lsn("redo_start_lsn")?) => {
                Ok(position)
            }
            _ => Err(Failure::failed(
                "copy_damaged",
                text!(
                    "la restauración de prueba no llegó al final de la copia",
                    "the trial restore did not reach the end of the copy"
                ),
            )),
        }
    }

    /// Compares the standby with the position that it claims.
    pub fn verify_standby(&self) -> Result<Position> {
        let (seen, notes) = (self.seen()?, self.notes()?);
        let state = super::look::state_of(self.side, seen.as_ref(), &notes);
        let (Some(seen), DatabaseState::Standby) = (seen, state) else { return Err(self.no_standby(state)) };
        let standby = notes.standby.unwrap_or_default();
        let position = standby.position.filter(|_| standby.applying.is_none());
        match standby_position(&seen, position.as_ref()) {
            Ok(Some(position)) => Ok(position),
            Ok(None) => Err(Failure::failed(
                "standby_damaged",
                text!("no se sabe dónde está el respaldo", "where the standby is is not known"),
            )),
            Err(why) => Err(Failure::failed("standby_damaged", why)),
        }
    }

    /// Where a database stands that a restore closed and no copy of main's new epoch has replaced.
    pub fn detached(&self) -> Result<Option<Position>> {
        let (seen, notes) = (self.seen()?, self.notes()?);
        let state = super::look::state_of(self.side, seen.as_ref(), &notes);
        let (Some(seen), Some(record)) = (seen, notes.epoch) else { return Ok(None) };
        let (Some(database), true) = (record.database, record.holder == Side::Main && record.epoch > Epoch::FIRST) else {
            return Ok(None);
        };
        if state != DatabaseState::Fenced {
            return Ok(None);
        }
        let nil = uuid::Uuid::nil();
        let mark = Mark::Log {
            lsn: seen.redo.unwrap_or(Lsn(0)),
            fork: seen.redo_fork.or(seen.fork).unwrap_or(nil),
            base: seen.base.unwrap_or(nil),
        };
        Ok(Some(Position { database, epoch: Epoch(record.epoch.0 - 1), sequence: 0, mark }))
    }

    /// Makes a standby of what [`Instance::detached`] found.
    pub fn follow_again(&self, position: &Position) -> Result<()> {
        self.note(
            Note::Standby,
            Some(&Standby { position: Some(position.clone()), applying: None, family: None, made_by: None }),
        )?;
        self.forget(Note::Closed)
    }

    /// Gives every ticket of a database that was closed with a copy of it: read from a scratch database.
    pub fn tickets_of_closed(&self, closed: &Closed, each: &mut dyn FnMut(Ticket) -> Result<()>) -> Result<()> {
        let Some(file) = closed.file.as_ref().filter(|_| closed.how == Fencing::Aside) else {
            return Err(self.no_database(DatabaseState::Fenced));
        };
        let (scratch, watch) = (ScratchName::of(&self.database)?, Watch::silent());
        let what = text!("leyendo la base cerrada", "reading the closed database");
        self.long(&statements::drop_scratch(&scratch), &what, &watch)?;
        let header = self.header(file)?;
        let moves = self.moves(file, scratch.database(), false)?;
        let outcome = self
            .restore(scratch.database(), RestoreKind::Full { replace: None }, file, &moves, &header, &watch)
            .and_then(|()| self.long(&statements::recover(scratch.database()), &what, &watch))
            .and_then(|_| self.each_ticket(scratch.database(), each));
        let dropped = self.long(&statements::drop_scratch(&scratch), &what, &watch);
        outcome?;
        dropped.map(drop)
    }

    /// Main: applies the log that the backup was closed with.
    pub fn apply_tail(&self, file: &str, watch: &Watch) -> Result<()> {
        let header = self.header(file)?;
        if self.must_see()?.redo.is_some_and(|redo| redo >= header.last) {
            return Ok(());
        }
        self.restore(&self.database, RestoreKind::Log, file, &[], &header, watch)
    }
}

/// The bytes of a copy cannot be read to their end, or are not what its manifest says: what the reader found is in the error.
fn unreadable(copy: &CopyToApply, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let name = &copy.name;
    let (kind, message) = match error.kind() {
        UnexpectedEof => ("copy_truncated", text!("la copia {name} se acaba antes de tiempo", "the copy {name} ends too early")),
        InvalidData => ("copy_damaged", text!("la copia {name} está dañada", "the copy {name} is damaged")),
        _ => ("copy_unreadable", text!("no se pudo leer la copia {name}", "the copy {name} could not be read")),
    };
    Failure::failed(kind, message).cause(error)
}

/// A copy that the server finds damaged: others may still save the day.
fn damaged(copy: &CopyToApply, failure: &Failure) -> Failure {
    let media = super::errors::said(failure, |number| {
        super::errors::entry(number).is_some_and(|entry| entry.class == super::errors::Class::Media)
    });
    if !media {
        return failure.clone();
    }
    let name = &copy.name;
    let mut told = Failure::failed(
        "copy_damaged",
        text!("SQL Server encuentra dañada la copia {name}", "SQL Server finds the copy {name} damaged"),
    );
    told.causes.clone_from(&failure.causes);
    told
}
