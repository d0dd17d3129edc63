//! Looking at an instance: what state its database is in, by what the server says and what relevo noted there. Changes nothing.

use uuid::Uuid;

use super::decide::{Condition, Restored, State, redo};
use super::errors;
use super::instance::Instance;
use super::notes::{Inside, Notes};
use super::statements::{self, LockName, ProgramName, Scope};
use crate::error::{Failure, Result};
use crate::model::{DatabaseState, EpochRecord, LogState, Look, Lsn, Mark, Position, Side};
use crate::text;
use crate::text::Text;

/// The state in relevo's words.
pub fn state_of(side: Side, seen: Option<&State>, notes: &Notes) -> DatabaseState {
    let Some(seen) = seen else { return DatabaseState::Missing };
    let follows = notes.standby.is_some() && notes.closed.is_none();
    match seen.condition {
        _ if seen.follows() && notes.closed.is_some() => DatabaseState::Fenced,
        // One that nobody noted anything of: on main the tail was taken from it, on the backup a copy is to follow.
        _ if seen.follows() && (side == Side::Backup || follows) => DatabaseState::Standby,
        _ if seen.follows() => DatabaseState::Fenced,
        Condition::Online => DatabaseState::Open,
        // What a restore closed counts as a standby again when a promote said so.
        Condition::Offline if follows => DatabaseState::Standby,
        Condition::Offline => DatabaseState::Fenced,
        _ => DatabaseState::Unknown,
    }
}

/// The position of a standby that is whole: what was noted, as long as the server agrees. `Err`: somebody else restored into it.
pub fn standby_position(seen: &State, noted: Option<&Position>) -> Result<Option<Position>, Text> {
    let Some(position) = noted else { return Ok(None) };
    let Mark::Log { lsn, fork, .. } = position.mark else { return Ok(None) };
    // An offline one cannot be asked; a readable standby does not always say.
    let same = seen.redo.is_none_or(|redo| redo == lsn) && seen.redo_fork.is_none_or(|redo| redo == fork);
    if same {
        return Ok(Some(position.clone()));
    }
    let (found, wanted) = (seen.redo.unwrap_or(lsn), lsn);
    Err(text!(
        "la base en espera está en {found} y no en {wanted}: alguien más restauró en ella; hace falta una copia completa",
        "the standby is at {found}, not at {wanted}: somebody else restored into it; a full copy is needed"
    ))
}

impl Instance {
    /// The database as the server sees it; `None` where there is none.
    pub fn seen(&self) -> Result<Option<State>> {
        self.ask(&statements::state(&self.database))?.first().map(State::of_row).transpose()
    }

    /// The database, which must be there.
    pub fn must_see(&self) -> Result<State> {
        self.seen()?.ok_or_else(|| self.no_database(DatabaseState::Missing))
    }

    /// State of the database.
    pub fn state(&self) -> Result<DatabaseState> {
        Ok(state_of(self.side, self.seen()?.as_ref(), &self.notes()?))
    }

    /// There is no database to work with.
    pub fn no_database(&self, state: DatabaseState) -> Failure {
        let (instance, database) = (&self.access.instance, &self.database);
        Failure::failed(
            "no_database",
            text!("no hay base {database} en {instance} (@)", "there is no database {database} on {instance} (@)")
                .fill(&state.text()),
        )
    }

    /// Looks. Never fails because the server is away.
    pub fn look(&self) -> Result<Look> {
        match self.look_inside() {
            Ok(look) => Ok(look),
            Err(failure) if errors::is_unreachable(&failure) => Ok(self.empty(false, None)),
            // A main that answers but cannot be asked has failed: the caja must be able to take over from it, and its own launch finds no
            // open database. Nothing is guessed about the backup: what it says stops main.
            Err(failure) if self.side == Side::Main && failure.kind != "sql_permission" => {
                Ok(self.empty(true, Some(failure.message)))
            }
            Err(failure) => Err(failure),
        }
    }

    fn empty(&self, reachable: bool, trouble: Option<Text>) -> Look {
        Look {
            instance: self.access.instance.clone(),
            reachable,
            state: DatabaseState::Unknown,
            serving: false,
            record: None,
            intent: None,
            position: None,
            applying: None,
            trouble,
        }
    }

    fn look_inside(&self) -> Result<Look> {
        let seen = self.seen()?;
        let notes = self.notes()?;
        let mut trouble = None;
        let mut state = state_of(self.side, seen.as_ref(), &notes);
        if state == DatabaseState::Unknown {
            trouble = seen.as_ref().map(|seen| {
                let found = seen.condition;
                text!("SQL Server dice que la base está en {found:?}", "SQL Server says that the database is in {found:?}")
            });
        }
        let inside = match state {
            DatabaseState::Open => self.inside()?,
            _ => Inside::default(),
        };
        let record = match state {
            DatabaseState::Open => {
                let (opened, record) = self.record_of(&inside, notes.epoch.clone())?;
                state = opened;
                record
            }
            _ => notes.epoch.clone(),
        };
        let standby = notes.standby.clone().unwrap_or_default();
        let position = match (state, &seen) {
            (DatabaseState::Standby, Some(seen)) if standby.applying.is_none() => {
                standby_position(seen, standby.position.as_ref()).unwrap_or_else(|why| {
                    trouble = Some(why);
                    None
                })
            }
            (DatabaseState::Standby, _) => standby.position,
            _ => notes
                .copied
                .filter(|p| record.as_ref().is_none_or(|r| r.epoch == p.epoch && r.database.is_none_or(|d| d == p.database))),
        };
        let applying = standby.applying.filter(|_| state == DatabaseState::Standby);
        let intent = notes.intent.filter(|_| self.side == Side::Backup);
        let serving = self.is_served()? || self.is_starting()?;
        let instance = self.access.instance.clone();
        Ok(Look { instance, reachable: true, state, serving, record, intent, position, applying, trouble })
    }

    /// The record in the database and the one noted beside it: the higher one, with the state that follows. In one epoch the database
    /// speaks, since notes are copies.
    fn record_of(&self, inside: &Inside, noted: Option<EpochRecord>) -> Result<(DatabaseState, Option<EpochRecord>)> {
        let own = inside.identity.as_ref().map(|identity| identity.database);
        if let (Some(theirs), Some(own)) = (noted.as_ref().and_then(|r| r.database), own)
            && theirs != own
        {
            let instance = &self.access.instance;
            return Err(Failure::new(
                crate::error::Exit::Stuck,
                "record_file",
                text!(
                    "lo anotado en {instance} es de otra base ({theirs}, no {own})",
                    "what is noted on {instance} is of another database ({theirs}, not {own})"
                ),
            )
            .hint(text!("una persona debe revisar qué base se puso ahí", "a person has to look which database was put there")));
        }
        let inside = inside.record.as_ref().map_or_else(|| EpochRecord::first(own), |recorded| recorded.record.clone());
        Ok(match noted.filter(|noted| noted.epoch > inside.epoch) {
            // Somebody put an older database back beside the record of a later epoch in which this server already held the post: no
            // sequence of role changes does that, and sales made since would be missing.
            Some(noted) if noted.holder == self.side => (DatabaseState::Unknown, Some(noted)),
            Some(noted) => (DatabaseState::Open, Some(noted)),
            None => (DatabaseState::Open, Some(inside)),
        })
    }

    /// SvrPdv has a session here.
    pub fn is_served(&self) -> Result<bool> {
        self.must_see_all()?;
        Ok(!self.ask(&statements::sessions(Scope::Program(&ProgramName::new(&self.svrpdv)?)))?.is_empty())
    }

    /// A launch is just starting SvrPdv: it holds the gate.
    fn is_starting(&self) -> Result<bool> {
        Ok(self.one(&statements::test_lock(&self.lock_name("gate")?))?.int("result")? == Some(0))
    }

    /// The name of an application lock of this database.
    pub fn lock_name(&self, what: &str) -> Result<LockName> {
        LockName::new(&format!("relevo.{what}.{}", self.database.as_str()))
    }

    /// Where it stands in the log.
    pub fn log_state(&self) -> Result<Option<LogState>> {
        let Some(seen) = self.seen()? else { return Ok(None) };
        let major = self.one(&statements::instance())?.int("major")?.unwrap_or_default();
        let redo = self.redo(&seen)?.map(|(at, _)| at);
        Ok(Some(seen.log_state(u32::try_from(major).unwrap_or_default(), redo)))
    }

    /// Where a database that follows waits, and on which fork. A readable one may not say: then the history of restores does.
    pub fn redo(&self, seen: &State) -> Result<Option<(Lsn, Option<Uuid>)>> {
        if seen.redo.is_some() || !seen.follows() {
            return Ok(redo(seen, &[]));
        }
        let rows = self.ask(&statements::restores(&self.database))?;
        let restores: Vec<Restored> = rows.iter().map(Restored::of_row).collect::<Result<_>>()?;
        Ok(redo(seen, &restores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DatabaseId, Epoch, Fencing};
    use crate::server::sqlserver::decide::tests::state;
    use crate::server::sqlserver::notes::{Closed, Standby};

    #[test]
    fn every_state() {
        let seen = |condition| Some(State { condition, ..state() });
        let readable = Some(State { in_standby: true, ..state() });
        let none = Notes::default();
        let standby = Notes { standby: Some(Standby::default()), ..Notes::default() };
        let closed = Notes { closed: Some(Closed { how: Fencing::Handover, file: None, last_folio: None }), ..Notes::default() };
        let both = Notes { closed: closed.closed.clone(), ..standby.clone() };
        use DatabaseState::{Fenced, Missing, Open, Unknown};
        for (side, seen, notes, expected) in [
            (Side::Main, None, &none, Missing),
            (Side::Main, seen(Condition::Online), &none, Open),
            (Side::Main, seen(Condition::Online), &closed, Open), // the note was written, the database not closed
            (Side::Main, seen(Condition::Restoring), &closed, Fenced),
            (Side::Main, seen(Condition::Restoring), &none, Fenced),
            (Side::Main, seen(Condition::Offline), &none, Fenced),
            (Side::Main, seen(Condition::Suspect), &none, Unknown),
            (Side::Main, seen(Condition::Recovering), &closed, Unknown),
            (Side::Backup, seen(Condition::Restoring), &standby, DatabaseState::Standby),
            (Side::Backup, seen(Condition::Restoring), &none, DatabaseState::Standby),
            (Side::Backup, readable, &standby, DatabaseState::Standby),
            (Side::Backup, seen(Condition::Restoring), &both, Fenced),
            (Side::Backup, seen(Condition::Offline), &closed, Fenced),
            (Side::Backup, seen(Condition::Offline), &standby, DatabaseState::Standby),
            (Side::Backup, seen(Condition::Online), &standby, Open),
        ] {
            assert_eq!(state_of(side, seen.as_ref(), notes), expected, "{side:?} {seen:?} {notes:?}");
        }
    }

    #[test]
    fn a_position_that_the_server_denies_is_none() {
        let fork = Uuid::from_u128(7);
        let mark = Mark::Log { lsn: Lsn(500), fork, base: Uuid::nil() };
        let position = Position { database: DatabaseId(Uuid::nil()), epoch: Epoch(1), sequence: 2, mark };
        let seen = |redo, redo_fork| State { redo, redo_fork, ..state() };
        for agrees in [seen(Some(Lsn(500)), Some(fork)), seen(None, None), seen(Some(Lsn(500)), None)] {
            assert_eq!(standby_position(&agrees, Some(&position)).unwrap(), Some(position.clone()));
        }
        for denies in [seen(Some(Lsn(501)), Some(fork)), seen(Some(Lsn(500)), Some(Uuid::nil()))] {
            assert!(standby_position(&denies, Some(&position)).is_err());
        }
        assert_eq!(standby_position(&seen(Some(Lsn(1)), None), None).unwrap(), None);
    }
}
