//! The functions that the compiled SQL calls, and the collations. `register` sets them up on a connection; the database files of
//! the simulator can be written only through such a connection.

mod aggregate;
mod date;
mod number;
mod string;

use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::Value as Stored,
};

pub(super) use date::unit;

use super::{
    convert::{assign, convert, in_range},
    failure::through,
    message::message,
    number::overflow,
    text::{compare, compare_exactly, like},
    types::{type_of_code, type_text},
    value::{bind, read},
};
use crate::wire::{Message, Type, Value};

/// What functions give back: a value, or a message.
type Answer = Result<Stored, Message>;

/// Sets up a connection: collations, functions, and foreign keys that are enforced.
pub fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_collation("TSQL", compare)?;
    connection.create_collation("TSQL_CS", compare_exactly)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    pure(connection, "ts_cast", 4, |context| cast(context, convert))?;
    pure(connection, "ts_try_cast", 4, |context| cast(context, convert).or(Ok(Stored::Null)))?;
    pure(connection, "ts_assign", 4, assigned)?;
    pure(connection, "ts_int", 2, whole)?;
    pure(connection, "ts_like", 3, liked)?;
    pure(connection, "ts_limit", 1, limited)?;
    pure(connection, "ts_single", 2, single)?;
    new_ids(connection)?;
    aggregate::register(connection)?;
    date::register(connection)?;
    number::register(connection)?;
    string::register(connection)
}

/// A function whose result depends on its arguments alone.
fn pure(connection: &Connection, name: &str, arguments: i32, body: fn(&Context<'_>) -> Answer) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(name, arguments, flags, move |context| body(context).map_err(|problem| through(&problem)))
}

fn is_null(context: &Context<'_>) -> bool {
    (0..context.len()).any(|at| context.get_raw(at) == rusqlite::types::ValueRef::Null)
}

fn integer(context: &Context<'_>, at: usize) -> i64 {
    match context.get_raw(at) {
        rusqlite::types::ValueRef::Integer(whole) => whole,
        #[allow(clippy::cast_possible_truncation)] // A number that the compiler has made whole.
        rusqlite::types::ValueRef::Real(float) => float as i64,
        _ => 0,
    }
}

fn text<'a>(context: &'a Context<'_>, at: usize) -> &'a str {
    match context.get_raw(at) {
        rusqlite::types::ValueRef::Text(text) => std::str::from_utf8(text).unwrap_or_default(),
        _ => "",
    }
}

/// The type whose number is an argument.
fn kind(context: &Context<'_>, at: usize) -> Result<Type, Message> {
    type_of_code(integer(context, at)).ok_or_else(|| message(50_000, 16, "simulator: no such type"))
}

/// The argument as a value of this type.
fn value(context: &Context<'_>, at: usize, kind: Type) -> Value {
    // What SQLite turned into text or a number by itself keeps its own kind: `convert` looks at the value.
    match context.get_raw(at) {
        rusqlite::types::ValueRef::Integer(whole) if matches!(kind, Type::NVarChar(_) | Type::VarChar(_)) => Value::Int(whole),
        raw => read(raw, kind),
    }
}

/// (value, from, to, style)
fn cast(context: &Context<'_>, with: fn(Value, Type, Type, i64) -> Result<Value, Message>) -> Answer {
    let (from, to) = (kind(context, 1)?, kind(context, 2)?);
    with(value(context, 0, from), from, to, integer(context, 3)).map(|value| bind(&value))
}

/// (value, from, to, "table.column")
fn assigned(context: &Context<'_>) -> Answer {
    let (from, to) = (kind(context, 1)?, kind(context, 2)?);
    let stored = assign(value(context, 0, from), from, to).map_err(|problem| match problem.number {
        2628 => {
            let (table, column) = text(context, 3).rsplit_once('.').unwrap_or_default();
            let at = format!("truncated in table '{table}', column '{column}'.");
            Message { text: problem.text.replace("truncated.", &at), ..problem }
        }
        _ => problem,
    })?;
    Ok(bind(&stored))
}

/// (number, type): the number, if it is in the range of the type.
fn whole(context: &Context<'_>) -> Answer {
    let kind = kind(context, 1)?;
    match context.get_raw(0) {
        rusqlite::types::ValueRef::Null => Ok(Stored::Null),
        rusqlite::types::ValueRef::Integer(number) if in_range(i128::from(number), kind).is_some() => Ok(Stored::Integer(number)),
        // SQLite goes over to floats where 64 bits are too few.
        _ => Err(overflow("expression", &type_text(kind))),
    }
}

/// (text, pattern, escape)
fn liked(context: &Context<'_>) -> Answer {
    if [0, 1].into_iter().any(|at| context.get_raw(at) == rusqlite::types::ValueRef::Null) {
        return Ok(Stored::Null);
    }
    let escape = text(context, 2).chars().next();
    Ok(Stored::Integer(i64::from(like(text(context, 0), text(context, 1), escape))))
}

/// (rows): how many TOP, OFFSET or FETCH takes.
fn limited(context: &Context<'_>) -> Answer {
    match integer(context, 0) {
        _ if is_null(context) => Err(message(
            1060,
            15,
            "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
        )),
        negative if negative < 0 => Err(message(127, 15, "A TOP N or FETCH rowcount value may not be negative.")),
        rows => Ok(Stored::Integer(rows)),
    }
}

/// (rows, value): the value of a subquery that has one row at most.
fn single(context: &Context<'_>) -> Answer {
    if integer(context, 0) > 1 {
        let text = "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the \
                    subquery is used as an expression.";
        return Err(message(512, 16, text));
    }
    Stored::try_from(context.get_raw(1)).map_err(|error| message(50_000, 16, format!("simulator: {error}")))
}

/// (seed): NEWID(). The seed is drawn once a statement and logged with it; the rows count up from it, so that a replay makes the
/// same ones.
fn new_ids(connection: &Connection) -> rusqlite::Result<()> {
    let last = std::sync::Mutex::new((Vec::new(), 0_u64));
    connection.create_scalar_function("ts_newid", 1, FunctionFlags::SQLITE_UTF8, move |context| {
        let seed = context.get_raw(0).as_blob().unwrap_or_default().to_vec();
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.0 != seed {
            *last = (seed.clone(), 0);
        }
        let count = last.1;
        last.1 += 1;
        Ok(bind(&Value::Guid(new_id(&seed, count))))
    })
}

/// A GUID that looks random (version 4), out of a seed of 16 bytes and a number.
fn new_id(seed: &[u8], count: u64) -> [u8; 16] {
    let mut guid = [0_u8; 16];
    for (half, place) in guid.chunks_mut(8).enumerate() {
        let from = seed.get(half * 8..half * 8 + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).unwrap_or_default();
        // splitmix64: every input gives another output.
        let mut mixed = u64::from_be_bytes(from).wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        place.copy_from_slice(&(mixed ^ mixed >> 31).to_be_bytes());
    }
    guid[6] = guid[6] & 0x0F | 0x40;
    guid[8] = guid[8] & 0x3F | 0x80;
    guid
}
