//! Values between the wire and relevo: cells of relevo's own statements, and JSON for those of the store. Types: docs/sqlserver.md.

use serde_json::{Map, Number, Value};
use tiberius::{ColumnData, Query};

use super::rows::{Cell, Row};
use crate::error::{Failure, Result};
use crate::text;

/// A row of one of relevo's own statements.
pub fn row(row: &tiberius::Row) -> Result<Row> {
    row.cells().map(|(column, value)| Ok((column.name().to_owned(), cell(value)?))).collect()
}

fn cell(value: &ColumnData<'_>) -> Result<Cell> {
    Ok(match value {
        ColumnData::Binary(Some(bytes)) => Cell::Bytes(bytes.to_vec()),
        value => match json(value) {
            Value::Null => Cell::Null,
            Value::Bool(yes) => Cell::Int(i64::from(yes)),
            Value::Number(number) if number.is_i64() => Cell::Int(number.as_i64().unwrap_or_default()),
            Value::String(words) => Cell::Words(words),
            other => Cell::Words(other.to_string()),
        },
    })
}

/// A row of a statement of the store: an object. A column without a name is called by its place (`column1`), the second of one name too.
pub fn object(row: &tiberius::Row) -> Value {
    let mut object = Map::new();
    for (at, (column, value)) in row.cells().enumerate() {
        let name = match column.name() {
            "" => format!("column{}", at + 1),
            name if object.contains_key(name) => format!("{name}{}", at + 1),
            name => name.to_owned(),
        };
        object.insert(name, json(value));
    }
    Value::Object(object)
}

/// Numbers as numbers (money too: the client has it as a float); all else as text: numeric with all its digits, times in ISO 8601,
/// uniqueidentifier in lower case, bytes in hex.
pub fn json(value: &ColumnData<'_>) -> Value {
    let some = match value {
        ColumnData::Bit(v) => v.map(Value::from),
        ColumnData::U8(v) => v.map(Value::from),
        ColumnData::I16(v) => v.map(Value::from),
        ColumnData::I32(v) => v.map(Value::from),
        ColumnData::I64(v) => v.map(Value::from),
        ColumnData::F32(v) => v.and_then(|v| Number::from_f64(f64::from(v))).map(Value::Number),
        ColumnData::F64(v) => v.and_then(Number::from_f64).map(Value::Number),
        ColumnData::String(v) => v.as_ref().map(|v| Value::from(v.as_ref())),
        ColumnData::Guid(v) => v.map(|v| Value::from(v.hyphenated().to_string())),
        ColumnData::Binary(v) => v.as_ref().map(|v| Value::from(hex(v))),
        ColumnData::Numeric(v) => v.map(|v| Value::from(decimal(v.value(), v.scale()))),
        ColumnData::Xml(v) => v.as_ref().map(|v| Value::from(v.to_string())),
        ColumnData::DateTime(v) => v.map(|v| {
            // Days since 1900 and three-hundredths of a second.
            Value::from(stamp(i64::from(v.days()) + DAYS_TO_1900, u64::from(v.seconds_fragments()) * 1_000_000_000 / 300, 3))
        }),
        ColumnData::SmallDateTime(v) => v.map(|v| {
            Value::from(stamp(i64::from(v.days()) + DAYS_TO_1900, u64::from(v.seconds_fragments()) * 60_000_000_000, 0))
        }),
        ColumnData::Date(v) => v.map(|v| Value::from(day(i64::from(v.days())))),
        ColumnData::Time(v) => v.map(|v| Value::from(clock(nanoseconds(&v), v.scale()))),
        ColumnData::DateTime2(v) => {
            v.map(|v| Value::from(stamp(i64::from(v.date().days()), nanoseconds(&v.time()), v.time().scale())))
        }
        ColumnData::DateTimeOffset(v) => v.map(|v| {
            let moment = v.datetime2();
            let minutes = i64::from(v.offset());
            let local = i128::from(moment.date().days()) * i128::from(DAY_NS)
                + i128::from(nanoseconds(&moment.time()))
                + i128::from(minutes) * 60_000_000_000;
            let days = local.div_euclid(i128::from(DAY_NS));
            let rest = local.rem_euclid(i128::from(DAY_NS));
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.abs();
            let words = stamp(i64::try_from(days).unwrap_or(0), u64::try_from(rest).unwrap_or(0), moment.time().scale());
            Value::from(format!("{words}{sign}{:02}:{:02}", minutes / 60, minutes % 60))
        }),
    };
    some.unwrap_or(Value::Null)
}

const DAY_NS: i64 = 86_400_000_000_000;
/// Days from 0001-01-01 to 1900-01-01.
const DAYS_TO_1900: i64 = 693_595;
/// Days from 0001-01-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_162;

fn nanoseconds(time: &tiberius::time::Time) -> u64 {
    time.increments() * 10_u64.pow(9 - u32::from(time.scale().min(7)))
}

/// A date, from days since 0001-01-01.
fn day(days: i64) -> String {
    let span = jiff::Span::new().try_days(days - DAYS_TO_1970);
    span.and_then(|span| jiff::civil::date(1970, 1, 1).checked_add(span)).map(|date| date.to_string()).unwrap_or_default()
}

fn clock(ns: u64, scale: u8) -> String {
    let seconds = ns / 1_000_000_000;
    let words = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if scale == 0 {
        return words;
    }
    let fraction = format!("{:09}", ns % 1_000_000_000);
    format!("{words}.{}", &fraction[..usize::from(scale.min(9))])
}

fn stamp(days: i64, ns: u64, scale: u8) -> String {
    format!("{}T{}", day(days), clock(ns, scale))
}

fn decimal(value: i128, scale: u8) -> String {
    if scale == 0 {
        return value.to_string();
    }
    let (sign, digits) = (if value < 0 { "-" } else { "" }, value.unsigned_abs().to_string());
    let scale = usize::from(scale);
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{part}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Binds one parameter of a statement of the store: text, whole number (bigint), number (float), boolean (bit), or null.
pub fn bind(query: &mut Query<'_>, value: &Value) -> Result<()> {
    match value {
        Value::Null => query.bind(None::<&str>),
        Value::Bool(yes) => query.bind(*yes),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => query.bind(whole),
            None => query.bind(number.as_f64()),
        },
        Value::String(words) => query.bind(words.clone()),
        other => {
            return Err(Failure::invalid(
                "sql_value",
                text!("un parámetro no es un valor simple", "a parameter is not a plain value"),
            )
            .cause(other)
            .hint(text!("use texto, número, lógico o nulo", "use text, a number, a boolean or null")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tiberius::numeric::Numeric;
    use tiberius::time::{Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};

    use super::*;

    #[test]
    fn every_type_as_json() {
        let table: [(ColumnData<'_>, Value); 17] = [
            (ColumnData::Bit(Some(true)), true.into()),
            (ColumnData::U8(Some(255)), 255.into()),
            (ColumnData::I64(Some(i64::MIN)), i64::MIN.into()),
            (ColumnData::F32(Some(1.5)), 1.5.into()),
            (ColumnData::I32(None), Value::Null),
            (ColumnData::String(Some("ñ".into())), "ñ".into()),
            (ColumnData::Binary(Some(vec![10, 255].into())), "0aff".into()),
            (ColumnData::Numeric(Some(Numeric::new_with_scale(-5, 2))), "-0.05".into()),
            (ColumnData::Numeric(Some(Numeric::new_with_scale(45_000_000_003_200_001, 0))), "45000000003200001".into()),
            (ColumnData::DateTime(Some(DateTime::new(0, 0))), "1900-01-01T00:00:00.000".into()),
            (ColumnData::DateTime(Some(DateTime::new(46_348, 300 * 3661 + 150))), "2026-11-24T01:01:01.500".into()),
            (ColumnData::SmallDateTime(Some(SmallDateTime::new(46_348, 61))), "2026-11-24T01:01:00".into()),
            (ColumnData::Date(Some(Date::new(739_943))), "2026-11-24".into()),
            (ColumnData::Time(Some(Time::new(36_000_000_001, 7))), "01:00:00.0000001".into()),
            (ColumnData::DateTime2(Some(DateTime2::new(Date::new(0), Time::new(5, 1)))), "0001-01-01T00:00:00.5".into()),
            (
                ColumnData::DateTimeOffset(Some(DateTimeOffset::new(
                    DateTime2::new(Date::new(739_943), Time::new(1800, 0)),
                    -60,
                ))),
                "2026-11-23T23:30:00-01:00".into(),
            ),
            (ColumnData::F64(Some(f64::NAN)), Value::Null),
        ];
        for (value, expected) in table {
            assert_eq!(json(&value), expected, "{value:?}");
        }
    }
}
