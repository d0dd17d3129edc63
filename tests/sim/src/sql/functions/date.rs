//! Functions of dates and times.

use rusqlite::{Connection, functions::Context, types::Value as Stored};

use super::{Answer, integer, is_null, pure, text};
use crate::{
    sql::{
        message::message,
        time::{DAY, SECOND, add_months, days_from, days_in, in_range, moment},
    },
    wire::Message,
};

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    pure(connection, "ts_dateadd", 3, add)?;
    pure(connection, "ts_datediff", 3, difference)?;
    pure(connection, "ts_datepart", 2, part)?;
    pure(connection, "ts_eomonth", 2, end_of_month)
}

/// The unit that a name or its abbreviation means, by its full name.
pub fn unit(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "year" | "yy" | "yyyy" => "year",
        "quarter" | "qq" | "q" => "quarter",
        "month" | "mm" | "m" => "month",
        "dayofyear" | "dy" | "y" => "dayofyear",
        "day" | "dd" | "d" => "day",
        "week" | "wk" | "ww" => "week",
        "weekday" | "dw" | "w" => "weekday",
        "hour" | "hh" => "hour",
        "minute" | "mi" | "n" => "minute",
        "second" | "ss" | "s" => "second",
        "millisecond" | "ms" => "millisecond",
        "microsecond" | "mcs" => "microsecond",
        "nanosecond" | "ns" => "nanosecond",
        _ => return None,
    })
}

/// Ticks of a unit that has always the same.
fn ticks_of(unit: &str) -> Option<i64> {
    Some(match unit {
        "week" => 7 * DAY,
        "day" | "dayofyear" | "weekday" => DAY,
        "hour" => 3_600 * SECOND,
        "minute" => 60 * SECOND,
        "second" => SECOND,
        "millisecond" => 10_000,
        "microsecond" => 10,
        _ => return None,
    })
}

fn overflow() -> Message {
    message(517, 16, "Adding a value to a 'datetime' column caused an overflow.")
}

/// (unit, number, time)
fn add(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let (unit, number, ticks) = (text(context, 0), integer(context, 1), integer(context, 2));
    let sum = match (unit, ticks_of(unit)) {
        (_, Some(each)) => number.checked_mul(each).and_then(|added| ticks.checked_add(added)),
        ("nanosecond", _) => ticks.checked_add(number / 100),
        ("year", _) => number.checked_mul(12).and_then(|months| add_months(ticks, months)),
        ("quarter", _) => number.checked_mul(3).and_then(|months| add_months(ticks, months)),
        _ => add_months(ticks, number),
    };
    sum.filter(|sum| in_range(*sum)).map(Stored::Integer).ok_or_else(overflow)
}

/// (unit, from, to): how many borders of the unit lie between.
fn difference(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let (unit, from, to) = (text(context, 0), integer(context, 1), integer(context, 2));
    let (first, last) = (moment(from), moment(to));
    let months = (last.year - first.year) * 12 + last.month - first.month;
    let count = match (unit, ticks_of(unit)) {
        // Weeks begin on Sunday, whatever DATEFIRST says; 0001-01-01 was a Monday.
        ("week", _) => (to.div_euclid(DAY) + 1).div_euclid(7) - (from.div_euclid(DAY) + 1).div_euclid(7),
        (_, Some(each)) => to.div_euclid(each) - from.div_euclid(each),
        ("nanosecond", _) => {
            (to - from).checked_mul(100).ok_or_else(|| message(535, 16, "The datediff function resulted in an overflow."))?
        }
        ("year", _) => last.year - first.year,
        ("quarter", _) => last.year * 4 + (last.month - 1) / 3 - first.year * 4 - (first.month - 1) / 3,
        _ => months,
    };
    Ok(Stored::Integer(count))
}

/// (unit, time)
fn part(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let ticks = integer(context, 1);
    let moment = moment(ticks);
    let day_of_year = ticks.div_euclid(DAY) - days_from(moment.year, 1, 1);
    Ok(Stored::Integer(match text(context, 0) {
        "year" => moment.year,
        "quarter" => (moment.month - 1) / 3 + 1,
        "month" => moment.month,
        "dayofyear" => day_of_year + 1,
        "day" => moment.day,
        "week" => (day_of_year + (days_from(moment.year, 1, 1) + 1).rem_euclid(7)) / 7 + 1,
        "weekday" => (ticks.div_euclid(DAY) + 1).rem_euclid(7) + 1,
        "hour" => moment.hour,
        "minute" => moment.minute,
        "second" => moment.second,
        "millisecond" => moment.ticks / 10_000,
        "microsecond" => moment.ticks / 10,
        _ => moment.ticks * 100,
    }))
}

/// (time, months)
fn end_of_month(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let shifted = moment(add_months(integer(context, 0), integer(context, 1)).ok_or_else(overflow)?);
    let day = days_from(shifted.year, shifted.month, days_in(shifted.year, shifted.month));
    Ok(Stored::Integer(day * DAY))
}
