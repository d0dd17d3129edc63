//! The epoch record, identity and next folio in the open database, and their copies in `master`.

use super::instance::Instance;
use super::notes::{EPOCH, EPOCHS_KEPT, IDENTITY, Identity, Note, Recorded, encoded};
use super::statements::{self, Keeper, PropertyName, PropertyValue};
use crate::error::{Failure, Result};
use crate::model::{DatabaseId, DatabaseState, EpochRecord, FolioRule, Intent};
use crate::server::epoch::{Step, higher, started, step_to};
use crate::text;
use crate::world::Label;

impl Instance {
    fn must_be_open(&self) -> Result<()> {
        match self.state()? {
            DatabaseState::Open => Ok(()),
            state => {
                let (instance, database) = (&self.access.instance, &self.database);
                Err(Failure::failed(
                    "database_not_open",
                    text!(
                        "la base {database} de {instance} no está abierta (@)",
                        "the database {database} of {instance} is not open (@)"
                    )
                    .fill(&state.text()),
                ))
            }
        }
    }

    /// Gives the database its identity and relevo's table, once. A mode that a crash left behind is lifted.
    pub fn identify(&self, store: &str) -> Result<DatabaseId> {
        self.must_be_open()?;
        self.let_everybody_in()?;
        match self.inside()?.identity {
            Some(identity) if identity.store == store => return Ok(identity.database),
            Some(identity) => {
                let owner = identity.store;
                return Err(Failure::invalid(
                    "other_store",
                    text!(
                        "la base es de la sucursal «{owner}», no de «{store}»",
                        "the database is of store \"{owner}\", not of \"{store}\""
                    ),
                )
                .hint(text!(
                    "corrija [store] id o la instancia en relevo.toml",
                    "correct [store] id or the instance in relevo.toml"
                )));
            }
            None => {}
        }
        self.labelled(Label::DatabaseIdentify, || {
            self.ask(&statements::make_folio(&self.database))?;
            let identity = Identity { database: DatabaseId(uuid::Uuid::now_v7()), store: store.to_owned() };
            self.property(IDENTITY, &identity)?;
            Ok(identity.database)
        })
    }

    fn property<T: serde::Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let (name, value) = (PropertyName::new(name)?, PropertyValue::new(&encoded(value)?)?);
        self.ask(&statements::set_property(Keeper::Database(&self.database), &name, &value)).map(drop)
    }

    /// Commits the record and the folio rule in one transaction, then repeats the record in `master`.
    pub fn record(&self, record: &EpochRecord, folio: Option<FolioRule>) -> Result<()> {
        self.must_be_open()?;
        let inside = self.inside()?;
        let there = inside.record;
        let step = step_to(inside.identity.map(|i| i.database), there.as_ref().map(|there| &there.record), record)?;
        if step != Step::Nothing {
            self.labelled(Label::DatabaseRecord, || {
                self.ask(&statements::make_folio(&self.database))?;
                let next = match folio.filter(|_| step == Step::Begins) {
                    Some(rule) => Some(self.folio_after(rule)?),
                    None => None,
                };
                let recorded = recorded(there, record);
                let (name, value) = (PropertyName::new(EPOCH)?, PropertyValue::new(&encoded(&recorded)?)?);
                // A connection of its own: a transaction must not be left to the next question.
                let mut connection = self.apart("record")?;
                connection.run(&statements::begin())?;
                if let Some(next) = next {
                    connection.run(&statements::set_folio(&self.database, next))?;
                }
                connection.run(&statements::set_property(Keeper::Database(&self.database), &name, &value))?;
                connection.run(&statements::commit()).map(drop)
            })?;
        }
        self.publish(record)
    }

    /// Past everything that the old holder may have issued.
    fn folio_after(&self, rule: FolioRule) -> Result<u64> {
        let next = self.one(&statements::next_folio(&self.database))?.int("next")?;
        // An earlier move may stand above every ticket; the old holder issued from there, so the gap counts from there too.
        let applied = self.last_folio()?.unwrap_or(0).max(next.unwrap_or(1).saturating_sub(1));
        let used = applied.saturating_add(rule.gap.max(0)).max(rule.known.unwrap_or(0));
        Ok(used.saturating_add(1).unsigned_abs())
    }

    /// Repeats the record in `master`. Fails with `higher_epoch` where a higher one is noted.
    pub fn publish(&self, record: &EpochRecord) -> Result<()> {
        match self.notes()?.epoch {
            Some(there) if there == *record || started(&there, record) => Ok(()),
            Some(there) if there.epoch > record.epoch => Err(higher(&there)),
            _ => self.note(Note::Epoch, Some(record)),
        }
    }

    /// Notes or removes the intent of a role change.
    pub fn set_intent(&self, intent: Option<&Intent>) -> Result<()> {
        if let (Some(intent), Ok(notes)) = (intent, self.notes())
            && notes.intent.as_ref() == Some(intent)
        {
            return Ok(());
        }
        self.note(Note::Intent, intent)
    }
}

/// The record with those before it.
fn recorded(there: Option<Recorded>, record: &EpochRecord) -> Recorded {
    let mut before = there.as_ref().map(|there| there.before.clone()).unwrap_or_default();
    if let Some(there) = there.filter(|there| there.record.epoch < record.epoch) {
        before.push((there.record.epoch, there.record.holder));
    }
    let surplus = before.len().saturating_sub(EPOCHS_KEPT);
    before.drain(..surplus);
    Recorded { record: record.clone(), before }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Epoch, Side};

    #[test]
    fn earlier_holders_are_kept_and_fit_into_a_property() {
        let record = |epoch| EpochRecord { epoch: Epoch(epoch), holder: Side::Backup, ..EpochRecord::first(None) };
        let mut there = None;
        for epoch in 2..500 {
            there = Some(recorded(there, &record(epoch)));
            there = Some(recorded(there, &record(epoch))); // main was started: the same epoch once more
        }
        let there = there.unwrap();
        assert_eq!((there.before.len(), there.before[EPOCHS_KEPT - 1]), (EPOCHS_KEPT, (Epoch(498), Side::Backup)));
        let kept = encoded(&there).unwrap();
        assert!(PropertyValue::new(&kept).is_ok(), "{}", kept.len());
        assert_eq!(serde_json::from_str::<Recorded>(&kept).unwrap(), there);
    }
}
