//! Functions of text. Positions and lengths are UTF-16 units, as T-SQL counts.

use rusqlite::{
    Connection,
    functions::Context,
    types::{Value as Stored, ValueRef},
};

use super::{Answer, integer, is_null, kind, pure, text, value};
use crate::{
    sql::{
        convert::convert,
        message::message,
        text::{code_page_bytes, units},
    },
    wire::{Message, Type, Value},
};

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    pure(connection, "ts_len", 1, |context| {
        of_text(context, |context| Stored::Integer(count(units(text(context, 0).trim_end_matches(' ')))))
    })?;
    pure(connection, "ts_datalength", 2, data_length)?;
    pure(connection, "ts_substring", 3, substring)?;
    pure(connection, "ts_left", 2, |context| piece(context, |units, length| (0, length.min(units))))?;
    pure(connection, "ts_right", 2, |context| piece(context, |units, length| (units - length.min(units), units)))?;
    pure(connection, "ts_upper", 1, |context| of_text(context, |context| Stored::Text(text(context, 0).to_uppercase())))?;
    pure(connection, "ts_lower", 1, |context| of_text(context, |context| Stored::Text(text(context, 0).to_lowercase())))?;
    pure(connection, "ts_ltrim", 1, |context| trimmed(context, |text| text.trim_start_matches(' ')))?;
    pure(connection, "ts_rtrim", 1, |context| trimmed(context, |text| text.trim_end_matches(' ')))?;
    pure(connection, "ts_trim", 1, |context| trimmed(context, |text| text.trim_matches(' ')))?;
    pure(connection, "ts_replace", 3, replace)?;
    pure(connection, "ts_charindex", 3, char_index)?;
    pure(connection, "ts_replicate", 2, replicate)?;
    pure(connection, "ts_reverse", 1, |context| {
        of_text(context, |context| Stored::Text(text(context, 0).chars().rev().collect()))
    })?;
    pure(connection, "ts_stuff", 4, stuff)?;
    pure(connection, "ts_quotename", 2, quote_name)?;
    pure(connection, "ts_parsename", 2, parse_name)?;
    pure(connection, "ts_char", 1, |context| of_text(context, |context| character(integer(context, 0), 255)))?;
    pure(connection, "ts_nchar", 1, |context| of_text(context, |context| character(integer(context, 0), 0xFFFF)))?;
    pure(connection, "ts_unicode", 1, |context| of_text(context, |context| first_unit(text(context, 0))))?;
    pure(connection, "ts_ascii", 1, |context| of_text(context, |context| first_byte(text(context, 0))))?;
    pure(connection, "ts_concat_bytes", 2, concat_bytes)?;
    // CONCAT takes any number of arguments, each with its type after it.
    pure(connection, "ts_concat", -1, concat)
}

fn of_text(context: &Context<'_>, body: impl Fn(&Context<'_>) -> Stored) -> Answer {
    Ok(if is_null(context) { Stored::Null } else { body(context) })
}

fn trimmed(context: &Context<'_>, body: fn(&str) -> &str) -> Answer {
    of_text(context, |context| Stored::Text(body(text(context, 0)).to_owned()))
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// (value, type): bytes, as SQL Server stores it.
fn data_length(context: &Context<'_>) -> Answer {
    let kind = kind(context, 1)?;
    Ok(match context.get_raw(0) {
        ValueRef::Null => Stored::Null,
        ValueRef::Text(_) if matches!(kind, Type::Char(_) | Type::VarChar(_)) => {
            Stored::Integer(count(code_page_bytes(text(context, 0)).len()))
        }
        ValueRef::Text(_) => Stored::Integer(count(units(text(context, 0)) * 2)),
        ValueRef::Blob(bytes) if matches!(kind, Type::VarBinary(_)) => Stored::Integer(count(bytes.len())),
        _ => Stored::Integer(match kind {
            Type::Bit | Type::TinyInt => 1,
            Type::SmallInt => 2,
            Type::Int | Type::Real => 4,
            Type::Date => 3,
            Type::Guid => 16,
            Type::Numeric(precision, _) => match precision {
                0..=9 => 5,
                10..=19 => 9,
                20..=28 => 13,
                _ => 17,
            },
            _ => 8,
        }),
    })
}

fn negative(function: &str) -> Message {
    message(537, 16, format!("Invalid length parameter passed to the {function} function."))
}

/// (text or bytes, start, length); a start below 1 takes from the length.
fn substring(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let (start, length) = (integer(context, 1), integer(context, 2));
    if length < 0 {
        return Err(negative("SUBSTRING"));
    }
    let range = |total: usize| {
        let end = start.saturating_add(length).saturating_sub(1).clamp(0, count(total));
        let begin = (start - 1).clamp(0, end);
        (usize::try_from(begin).unwrap_or(0), usize::try_from(end).unwrap_or(0))
    };
    if let ValueRef::Blob(bytes) = context.get_raw(0) {
        let (begin, end) = range(bytes.len());
        return Ok(Stored::Blob(bytes[begin..end].to_vec()));
    }
    let units = utf16(text(context, 0));
    let (begin, end) = range(units.len());
    Ok(Stored::Text(String::from_utf16_lossy(&units[begin..end])))
}

fn piece(context: &Context<'_>, range: fn(usize, usize) -> (usize, usize)) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let length = usize::try_from(integer(context, 1)).map_err(|_| negative("left or right"))?;
    let units = utf16(text(context, 0));
    let (begin, end) = range(units.len(), length);
    Ok(Stored::Text(String::from_utf16_lossy(&units[begin..end])))
}

/// Where `wanted` begins in `units`, whatever the case, from `start` on.
fn find(units: &[u16], wanted: &[u16], start: usize) -> Option<usize> {
    let fold = |units: &[u16]| String::from_utf16_lossy(units).to_lowercase();
    let folded = fold(wanted);
    (start..=units.len().checked_sub(wanted.len())?).find(|at| {
        let here = &units[*at..*at + wanted.len()];
        here == wanted || fold(here) == folded
    })
}

fn replace(context: &Context<'_>) -> Answer {
    of_text(context, |context| {
        let (units, wanted, with) = (utf16(text(context, 0)), utf16(text(context, 1)), utf16(text(context, 2)));
        if wanted.is_empty() {
            return Stored::Text(text(context, 0).to_owned());
        }
        let (mut replaced, mut at) = (Vec::new(), 0);
        while let Some(found) = find(&units, &wanted, at) {
            replaced.extend_from_slice(&units[at..found]);
            replaced.extend_from_slice(&with);
            at = found + wanted.len();
        }
        replaced.extend_from_slice(&units[at..]);
        Stored::Text(String::from_utf16_lossy(&replaced))
    })
}

/// (what, where, start)
fn char_index(context: &Context<'_>) -> Answer {
    of_text(context, |context| {
        let start = usize::try_from(integer(context, 2) - 1).unwrap_or(0);
        let (wanted, units) = (utf16(text(context, 0)), utf16(text(context, 1)));
        let found = if wanted.is_empty() { None } else { find(&units, &wanted, start) };
        Stored::Integer(found.map_or(0, |at| count(at) + 1))
    })
}

fn replicate(context: &Context<'_>) -> Answer {
    of_text(context, |context| match usize::try_from(integer(context, 1)) {
        // 8,000 bytes are the most that comes out of a text that is not max; a million keeps a test from eating the memory.
        Ok(times) => Stored::Text(text(context, 0).repeat(times.min(1_000_000))),
        Err(_) => Stored::Null,
    })
}

/// (text, start, length, with)
fn stuff(context: &Context<'_>) -> Answer {
    of_text(context, |context| {
        let units = utf16(text(context, 0));
        let (start, length) = (integer(context, 1), usize::try_from(integer(context, 2)));
        let (Ok(begin), Ok(length)) = (usize::try_from(start - 1), length) else { return Stored::Null };
        if begin >= units.len() {
            return Stored::Null;
        }
        let end = begin.saturating_add(length).min(units.len());
        let with = utf16(text(context, 3));
        Stored::Text(String::from_utf16_lossy(&[&units[..begin], &with, &units[end..]].concat()))
    })
}

/// (name, mark)
fn quote_name(context: &Context<'_>) -> Answer {
    of_text(context, |context| {
        let name = text(context, 0);
        if units(name) > 128 {
            return Stored::Null;
        }
        Stored::Text(match text(context, 1) {
            "'" => format!("'{}'", name.replace('\'', "''")),
            "\"" => format!("\"{}\"", name.replace('"', "\"\"")),
            _ => format!("[{}]", name.replace(']', "]]")),
        })
    })
}

/// (name, part): part 1 is the object, 4 the server.
fn parse_name(context: &Context<'_>) -> Answer {
    of_text(context, |context| {
        let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
        for next in text(context, 0).chars() {
            match next {
                '[' if part.is_empty() && !quoted => quoted = true,
                ']' if quoted => quoted = false,
                '.' if !quoted => parts.push(std::mem::take(&mut part)),
                other => part.push(other),
            }
        }
        parts.push(part);
        let wanted = usize::try_from(integer(context, 1)).ok().filter(|wanted| (1..=4).contains(wanted));
        let found = wanted.filter(|_| parts.len() <= 4).and_then(|wanted| parts.len().checked_sub(wanted)).map(|at| &parts[at]);
        found.filter(|part| !part.is_empty()).map_or(Stored::Null, |part| Stored::Text(part.clone()))
    })
}

fn character(code: i64, highest: u32) -> Stored {
    let code = u32::try_from(code).ok().filter(|code| *code <= highest).and_then(char::from_u32);
    code.map_or(Stored::Null, |character| Stored::Text(character.to_string()))
}

fn first_unit(text: &str) -> Stored {
    text.encode_utf16().next().map_or(Stored::Null, |unit| Stored::Integer(i64::from(unit)))
}

fn first_byte(text: &str) -> Stored {
    code_page_bytes(text).first().map_or(Stored::Null, |byte| Stored::Integer(i64::from(*byte)))
}

fn concat_bytes(context: &Context<'_>) -> Answer {
    of_text(context, |context| {
        let bytes = |at: usize| context.get_raw(at).as_blob().unwrap_or_default();
        Stored::Blob([bytes(0), bytes(1)].concat())
    })
}

/// (value, type, value, type, …); NULL is empty.
fn concat(context: &Context<'_>) -> Answer {
    let mut whole = String::new();
    for at in (0..context.len()).step_by(2) {
        let kind = kind(context, at + 1)?;
        if let Value::Text(text) = convert(value(context, at, kind), kind, Type::NVarChar(None), 0)? {
            whole.push_str(&text);
        }
    }
    Ok(Stored::Text(whole))
}
