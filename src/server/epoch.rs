//! What brings a database to an epoch record: the same rules whatever kind of server keeps it. A higher epoch is never replaced by a lower.

use crate::error::{Exit, Failure, Result};
use crate::model::{DatabaseId, EpochRecord};
use crate::text;

/// What brings the database to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has it, or main was started in that epoch already.
    Nothing,
    /// Main was started: the record stays, it waits no more.
    Started,
    /// A new epoch begins.
    Begins,
}

/// Decides from the database's identity and record. Fails with `higher_epoch` where a higher one is recorded, `epoch_taken` where another run
/// recorded this one, and `other_database` where the record is of another database.
pub fn step_to(own: Option<DatabaseId>, there: Option<&EpochRecord>, record: &EpochRecord) -> Result<Step> {
    if let (Some(here), Some(wanted)) = (own, record.database)
        && here != wanted
    {
        return Err(Failure::failed(
            "other_database",
            text!("la base es {here}, no {wanted}", "the database is {here}, not {wanted}"),
        )
        .hint(text!("revise que la instancia sea la de esta sucursal", "check that the instance is this store's")));
    }
    match there {
        Some(there) if there.epoch > record.epoch => Err(higher(there)),
        Some(there) if there.epoch == record.epoch && (there.run, there.holder) != (record.run, record.holder) => {
            let epoch = there.epoch;
            Err(Failure::new(
                Exit::OtherHolder,
                "epoch_taken",
                text!("otra corrida ya registró la época {epoch}", "another run already recorded epoch {epoch}"),
            )
            .hint(text!("consulte relevo status", "see relevo status")))
        }
        Some(there) if there.epoch == record.epoch && there.awaiting_start == record.awaiting_start => Ok(Step::Nothing),
        Some(there) if started(there, record) => Ok(Step::Nothing),
        Some(there) if there.epoch == record.epoch => Ok(Step::Started),
        _ => Ok(Step::Begins),
    }
}

/// Main was started in this epoch: a restore that repeats its record does not make it wait again.
pub fn started(there: &EpochRecord, record: &EpochRecord) -> bool {
    (there.epoch, there.holder, there.run) == (record.epoch, record.holder, record.run)
        && !there.awaiting_start
        && record.awaiting_start
}

/// Another epoch is in force.
pub fn higher(there: &EpochRecord) -> Failure {
    let (epoch, holder) = (there.epoch, there.holder);
    Failure::new(
        Exit::OtherHolder,
        "higher_epoch",
        text!("ya rige la época {epoch}, del servidor {holder}", "epoch {epoch}, held by {holder}, is already in force"),
    )
    .hint(text!(
        "consulte relevo status: otro servidor atiende la sucursal",
        "see relevo status: another server serves the store"
    ))
}
