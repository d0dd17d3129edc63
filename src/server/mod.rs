//! The database servers of a store: one port, two kinds.

pub mod embedded;
pub mod epoch;
pub mod port;
pub mod sqlserver;

pub use port::DatabaseServer;

use crate::error::{Failure, Result};
use crate::text;
use crate::world::{Label, Moment, World};

/// Changes something of a database between the two points of its label.
pub(crate) fn labelled<T>(world: &dyn World, label: Label, change: impl FnOnce() -> Result<T>) -> Result<T> {
    let reach = |moment| {
        world.reach(label, moment).map_err(|error| {
            Failure::failed("database_write", text!("no se pudo escribir en la base", "could not write to the database"))
                .cause(error)
        })
    };
    reach(Moment::Before)?;
    let value = change()?;
    reach(Moment::After)?;
    Ok(value)
}
