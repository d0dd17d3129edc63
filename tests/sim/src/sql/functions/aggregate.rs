//! SUM and AVG, exact for whole and fixed-point numbers.

use rusqlite::{
    Connection, Error,
    functions::{Aggregate, Context, FunctionFlags},
    types::{Value as Stored, ValueRef},
};

use crate::sql::{
    failure::through,
    number::overflow,
    value::{numeric_bytes, read},
};
use crate::wire::{Type, Value};

#[derive(Default)]
struct Total {
    rows: i128,
    whole: i128,
    float: f64,
    /// The sum does not fit.
    over: bool,
    numeric: bool,
    floating: bool,
}

/// Sums what it gets: whole numbers, floats, or numbers with a fixed point, all of one scale.
struct Sum {
    average: bool,
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("ts_sum", 1, flags, Sum { average: false })?;
    connection.create_aggregate_function("ts_avg", 1, flags, Sum { average: true })
}

impl Aggregate<Total, Stored> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<Total, Error> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<(), Error> {
        let added = match context.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Integer(whole) => i128::from(whole),
            ValueRef::Real(float) => {
                total.floating = true;
                total.float += float;
                0
            }
            raw => match read(raw, Type::Numeric(38, 0)) {
                Value::Numeric(unscaled) => {
                    total.numeric = true;
                    unscaled
                }
                _ => 0,
            },
        };
        total.rows += 1;
        match total.whole.checked_add(added) {
            Some(sum) => total.whole = sum,
            None => total.over = true,
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Stored, Error> {
        let Some(total) = total.filter(|total| total.rows > 0) else { return Ok(Stored::Null) };
        if total.over {
            return Err(through(&overflow("expression", "numeric")));
        }
        let whole = if self.average { total.whole / total.rows } else { total.whole };
        #[allow(clippy::cast_precision_loss)] // Rows that can be counted.
        let float = if self.average { total.float / total.rows as f64 } else { total.float };
        if total.floating {
            return Ok(Stored::Real(float));
        }
        if total.numeric {
            return Ok(Stored::Blob(numeric_bytes(whole).to_vec()));
        }
        i64::try_from(whole).map(Stored::Integer).map_err(|_| through(&overflow("expression", "bigint")))
    }
}
