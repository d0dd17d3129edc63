//! Types and values on the wire, from the client to the server: parameters of `sp_executesql`.

use super::bytes::{Malformed, Reader, from_code_page, utf16};
use super::types::{DAYS_TO_1900, MAX, NULL_CHUNKS, NULL_LENGTH, TICKS_PER_DAY, exists, guid, time_length, token};
use crate::wire::{Type, Value};

/// Why a parameter cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Malformed(Malformed),
    /// A type that the simulator does not know: error 8009.
    Unknown(u8),
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Refused::Malformed(malformed)
    }
}

const BAD_LENGTH: Refused = Refused::Malformed(Malformed("length of a parameter"));
const BAD_VALUE: Refused = Refused::Malformed(Malformed("value of a parameter"));

/// Reads TYPE_INFO and the value. A NULL without type has none: the declaration gives it.
pub fn read(from: &mut Reader<'_>) -> Result<(Option<Type>, Value), Refused> {
    let token = from.u8("type of a parameter")?;
    let kind = match token {
        token::NULL => return Ok((None, Value::Null)),
        token::DATE => Type::Date,
        token::INT | token::BIT | token::FLOAT | token::MONEY | token::DATETIME | token::GUID => sized(token, length(from)?)?,
        token::DATETIME2 => Type::DateTime2(length(from)?),
        token::NUMERIC | token::DECIMAL => {
            length(from)?; // the value has its own
            Type::Numeric(length(from)?, length(from)?)
        }
        token::VARCHAR | token::CHAR | token::NVARCHAR | token::NCHAR => {
            let length = from.u16("length of a type")?;
            from.take(5, "collation")?;
            text_or_bytes(token, length)?
        }
        token::VARBINARY | token::BINARY => text_or_bytes(token, from.u16("length of a type")?)?,
        unknown => return Err(Refused::Unknown(unknown)),
    };
    if !exists(kind) {
        return Err(BAD_LENGTH);
    }
    let Some(bytes) = content(from, kind)? else { return Ok((Some(kind), Value::Null)) };
    Ok((Some(kind), value(token, kind, &bytes)?))
}

fn length(from: &mut Reader<'_>) -> Result<u8, Malformed> {
    from.u8("length of a type")
}

fn sized(token: u8, length: u8) -> Result<Type, Refused> {
    Ok(match (token, length) {
        (token::INT, 1) => Type::TinyInt,
        (token::INT, 2) => Type::SmallInt,
        (token::INT, 4) => Type::Int,
        (token::INT, 8) => Type::BigInt,
        (token::BIT, 1) => Type::Bit,
        (token::FLOAT, 4) => Type::Real,
        (token::FLOAT, 8) => Type::Float,
        (token::MONEY, 4 | 8) => Type::Money,
        (token::DATETIME, 4 | 8) => Type::DateTime,
        (token::GUID, 16) => Type::Guid,
        _ => return Err(BAD_LENGTH),
    })
}

fn text_or_bytes(token: u8, length: u16) -> Result<Type, Refused> {
    let limit = (length != MAX).then_some(length);
    Ok(match (token, limit) {
        (token::VARCHAR, limit) => Type::VarChar(limit),
        (token::NVARCHAR, limit) => Type::NVarChar(limit.map(|bytes| bytes / 2)),
        (token::CHAR, Some(n)) => Type::Char(n),
        (token::NCHAR, Some(n)) => Type::NChar(n / 2),
        (token::VARBINARY, limit) => Type::VarBinary(limit),
        (token::BINARY, Some(n)) => Type::VarBinary(Some(n)),
        _ => return Err(BAD_LENGTH),
    })
}

/// Bytes of the value; `None` is NULL.
fn content(from: &mut Reader<'_>, kind: Type) -> Result<Option<Vec<u8>>, Refused> {
    let what = "value of a parameter";
    let limit = match kind {
        Type::VarChar(None) | Type::NVarChar(None) | Type::VarBinary(None) => return chunks(from),
        Type::Char(n) | Type::VarChar(Some(n)) | Type::VarBinary(Some(n)) => n,
        Type::NChar(n) | Type::NVarChar(Some(n)) => n * 2,
        _ => {
            let length = usize::from(from.u8(what)?);
            return Ok((length > 0).then_some(from.take(length, what)?.to_vec()));
        }
    };
    match from.u16(what)? {
        NULL_LENGTH => Ok(None),
        length if length > limit => Err(BAD_LENGTH),
        length => Ok(Some(from.take(usize::from(length), what)?.to_vec())),
    }
}

/// The whole length (or "unknown"), then chunks up to an empty one.
fn chunks(from: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Refused> {
    const UNKNOWN: u64 = u64::MAX - 1;
    let (what, mut bytes) = ("chunks of a parameter", Vec::new());
    let length = from.u64(what)?;
    if length == NULL_CHUNKS {
        return Ok(None);
    }
    loop {
        match from.u32(what)? {
            0 => break,
            chunk => bytes.extend_from_slice(from.take(chunk as usize, what)?),
        }
    }
    if length != UNKNOWN && length != bytes.len() as u64 {
        return Err(BAD_LENGTH);
    }
    Ok(Some(bytes))
}

fn value(token: u8, kind: Type, bytes: &[u8]) -> Result<Value, Refused> {
    let small = |bytes: &[u8]| bytes.iter().rev().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    Ok(match (kind, bytes.len()) {
        (Type::Bit, 1) => Value::Int(i64::from(bytes[0] != 0)),
        (Type::TinyInt, 1) => Value::Int(i64::from(bytes[0])),
        (Type::SmallInt, 2) => Value::Int(i64::from(small(bytes) as i16)),
        (Type::Int, 4) => Value::Int(i64::from(small(bytes) as i32)),
        (Type::BigInt, 8) => Value::Int(small(bytes)),
        (Type::Real, 4) => Value::Float(f64::from(f32::from_bits(small(bytes) as u32))),
        (Type::Float, 8) => Value::Float(f64::from_bits(small(bytes) as u64)),
        (Type::Money, 4) => Value::Numeric(i128::from(small(bytes) as i32)),
        (Type::Money, 8) => Value::Numeric(i128::from(small(&bytes[..4]) << 32 | small(&bytes[4..]))),
        (Type::Numeric(precision, _), 2..=17) => numeric(precision, bytes)?,
        (Type::DateTime, 4) => moment(DAYS_TO_1900 + small(&bytes[..2]), small(&bytes[2..]) * 600_000_000)?,
        (Type::DateTime, 8) => {
            let parts = small(&bytes[4..]);
            moment(DAYS_TO_1900 + i64::from(small(&bytes[..4]) as i32), (parts * 100_000 + 1) / 3)?
        }
        (Type::Date, 3) => moment(small(bytes), 0)?,
        (Type::DateTime2(scale), length) if length == usize::from(time_length(scale)) + 3 => {
            let (time, day) = bytes.split_at(length - 3);
            let ticks = small(time).checked_mul(10_i64.pow(7 - u32::from(scale))).ok_or(BAD_VALUE)?;
            moment(small(day), ticks)?
        }
        (Type::Guid, 16) => {
            let mut id = [0; 16];
            id.copy_from_slice(bytes);
            Value::Guid(guid(id))
        }
        (Type::Char(_) | Type::VarChar(_), _) => Value::Text(from_code_page(bytes)),
        (Type::NChar(_) | Type::NVarChar(_), _) => Value::Text(utf16(bytes)?),
        (Type::VarBinary(Some(n)), _) if token == token::BINARY => {
            let mut bytes = bytes.to_vec();
            bytes.resize(usize::from(n), 0);
            Value::Bytes(bytes)
        }
        (Type::VarBinary(_), _) => Value::Bytes(bytes.to_vec()),
        _ => return Err(BAD_LENGTH),
    })
}

fn numeric(precision: u8, bytes: &[u8]) -> Result<Value, Refused> {
    let magnitude = bytes[1..].iter().rev().try_fold(0_i128, |sum, byte| sum.checked_mul(256)?.checked_add(i128::from(*byte)));
    let magnitude = magnitude.filter(|m| *m < 10_i128.pow(u32::from(precision))).ok_or(BAD_VALUE)?;
    Ok(Value::Numeric(if bytes[0] == 0 { -magnitude } else { magnitude }))
}

/// Ticks of a day and a time of day, both within what SQL Server knows.
fn moment(day: i64, time: i64) -> Result<Value, Refused> {
    if !(0..=3_652_058).contains(&day) || !(0..TICKS_PER_DAY).contains(&time) {
        return Err(BAD_VALUE);
    }
    Ok(Value::Time(day * TICKS_PER_DAY + time))
}

/// Types of a declaration as `@P1 nvarchar(4000),@P2 int`, by name. What is no type of the simulator is left out.
pub fn declared(declaration: &str) -> Vec<(String, Type)> {
    let mut depth = 0_i32;
    let pieces = declaration.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    pieces
        .filter_map(|piece| {
            let (name, kind) = piece.trim().split_once(char::is_whitespace)?;
            Some((name.to_owned(), named(kind)?))
        })
        .collect()
}

fn named(text: &str) -> Option<Type> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let (name, arguments) = text.split_once('(').map_or((&*text, ""), |(name, rest)| (name, rest.trim_end_matches(')')));
    let number = |or: u16| if arguments.is_empty() { Some(or) } else { arguments.parse().ok() };
    let limit = || if arguments == "max" { Some(None) } else { number(1).map(Some) };
    let kind = match name {
        "bit" => Type::Bit,
        "tinyint" => Type::TinyInt,
        "smallint" => Type::SmallInt,
        "int" => Type::Int,
        "bigint" => Type::BigInt,
        "real" => Type::Real,
        "float" if number(53)? <= 24 => Type::Real,
        "float" => Type::Float,
        "numeric" | "decimal" => {
            let (precision, scale) = arguments.split_once(',').unwrap_or((arguments, "0"));
            if precision.is_empty() { Type::Numeric(18, 0) } else { Type::Numeric(precision.parse().ok()?, scale.parse().ok()?) }
        }
        "money" => Type::Money,
        "datetime" => Type::DateTime,
        "datetime2" => Type::DateTime2(u8::try_from(number(7)?).ok()?),
        "date" => Type::Date,
        "uniqueidentifier" => Type::Guid,
        "char" => Type::Char(number(1)?),
        "varchar" => Type::VarChar(limit()?),
        "nchar" => Type::NChar(number(1)?),
        "nvarchar" | "sysname" => Type::NVarChar(if name == "sysname" { Some(128) } else { limit()? }),
        "varbinary" => Type::VarBinary(limit()?),
        _ => return None,
    };
    exists(kind).then_some(kind)
}

/// The type a parameter has in the batch: the declared one where the value can stand in it as it is, otherwise the one it came with.
pub fn settle(declared: Option<Type>, sent: Option<Type>, value: &Value) -> Option<Type> {
    let holds = |kind: &Type| match value {
        Value::Null => true,
        // Scale and precision are part of the number, so the sent ones count.
        Value::Numeric(_) => false,
        value => super::types::put_value(&mut Vec::new(), *kind, value).is_ok(),
    };
    declared.filter(holds).or(sent).or(declared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(bytes: &[u8]) -> Result<(Option<Type>, Value), Refused> {
        let mut from = Reader::new(bytes);
        let read = read(&mut from)?;
        assert!(from.is_empty(), "{bytes:?}");
        Ok(read)
    }

    const DAY_1900: i64 = DAYS_TO_1900 * TICKS_PER_DAY;

    /// Forms that tiberius never sends, from Microsoft's description of the types.
    #[test]
    fn what_other_clients_send() {
        let cases: [(&[u8], Type, Value); 11] = [
            (&[token::MONEY, 4, 4, 0xFF, 0xFF, 0xFF, 0xFF], Type::Money, Value::Numeric(-1)),
            (&[token::MONEY, 8, 8, 1, 0, 0, 0, 2, 0, 0, 0], Type::Money, Value::Numeric((1 << 32) + 2)),
            (&[token::MONEY, 8, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF], Type::Money, Value::Numeric(-2)),
            (&[token::DATETIME, 4, 4, 1, 0, 61, 0], Type::DateTime, Value::Time(DAY_1900 + TICKS_PER_DAY + 61 * 600_000_000)),
            (
                &[token::DATETIME, 8, 8, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0],
                Type::DateTime,
                Value::Time(DAY_1900 - TICKS_PER_DAY + 33_333),
            ),
            (&[token::DECIMAL, 9, 10, 2, 9, 0, 0x39, 0x30, 0, 0, 0, 0, 0, 0], Type::Numeric(10, 2), Value::Numeric(-12_345)),
            (&[token::NUMERIC, 17, 38, 0, 0], Type::Numeric(38, 0), Value::Null),
            (&[token::BINARY, 3, 0, 1, 0, 9], Type::VarBinary(Some(3)), Value::Bytes(vec![9, 0, 0])),
            (&[token::VARCHAR, 9, 0, 9, 4, 0xD0, 0, 52, 1, 0, 0x80], Type::VarChar(Some(9)), Value::Text("€".into())),
            (&[token::NVARCHAR, 8, 0, 9, 4, 0xD0, 0, 52, 0xFF, 0xFF], Type::NVarChar(Some(4)), Value::Null),
            (&[token::BIT, 1, 1, 2], Type::Bit, Value::Int(1)),
        ];
        for (bytes, kind, value) in cases {
            assert_eq!(one(bytes), Ok((Some(kind), value)), "{bytes:?}");
        }
        assert_eq!(one(&[token::NULL]), Ok((None, Value::Null)));
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        let cases: [&[u8]; 9] = [
            &[],
            &[token::INT, 3, 0],
            &[token::INT, 4, 2, 1, 0],
            &[token::NUMERIC, 17, 39, 0, 0],
            &[token::NUMERIC, 5, 1, 0, 5, 1, 10, 0, 0, 0],
            &[token::DATETIME2, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0],
            &[token::DATE, 3, 0xFF, 0xFF, 0xFF],
            &[token::VARBINARY, 1, 0, 2, 0, 1, 2],
            &[token::VARBINARY, 0xFF, 0xFF, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0],
        ];
        for bytes in cases {
            assert!(matches!(one(bytes), Err(Refused::Malformed(_))), "{bytes:?}");
        }
        assert_eq!(one(&[0x29, 7, 0]), Err(Refused::Unknown(0x29)));
    }

    #[test]
    fn declarations_are_read_by_name() {
        let found = declared(
            "@P1 nvarchar(max), @P2  NUMERIC (25, 0),@P3 decimal, @P4 float(24), @P5 float,@P6 varchar,@P7 sysname, \
             @P8 datetime2(3), @P9 xml, @P10 char(10), @P11 nvarchar(9000), @P12 uniqueidentifier OUTPUT",
        );
        let expected = [
            ("@P1", Type::NVarChar(None)),
            ("@P2", Type::Numeric(25, 0)),
            ("@P3", Type::Numeric(18, 0)),
            ("@P4", Type::Real),
            ("@P5", Type::Float),
            ("@P6", Type::VarChar(Some(1))),
            ("@P7", Type::NVarChar(Some(128))),
            ("@P8", Type::DateTime2(3)),
            ("@P10", Type::Char(10)),
        ];
        assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn the_declared_type_counts_where_the_value_can_stand_in_it() {
        let (int, text) = (Value::Int(300), Value::Text("abc".into()));
        let cases = [
            (Some(Type::BigInt), Some(Type::Int), &int, Some(Type::BigInt)),
            (Some(Type::TinyInt), Some(Type::Int), &int, Some(Type::Int)),
            (Some(Type::Date), Some(Type::NVarChar(Some(9))), &text, Some(Type::NVarChar(Some(9)))),
            (Some(Type::Date), None, &Value::Null, Some(Type::Date)),
            (None, None, &Value::Null, None),
        ];
        for (declared, sent, value, expected) in cases {
            assert_eq!(settle(declared, sent, value), expected, "{declared:?} {sent:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_parameter_or_refused(
            token in prop::sample::select(vec![0x1F_u8, 0x24, 0x26, 0x28, 0x2A, 0x68, 0x6A, 0x6C, 0x6D, 0x6E, 0x6F, 0xA5, 0xA7, 0xAD, 0xAF, 0xE7, 0xEF]),
            rest in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..10, Just(0xFF)], 0..60),
        ) {
            let bytes = [&[token][..], &rest].concat();
            if let Ok((Some(kind), value)) = read(&mut Reader::new(&bytes)) {
                // What was read can be sent back: the two directions agree on what a type holds.
                let is_float = matches!(value, Value::Float(_));
                prop_assert!(is_float || super::super::types::put_value(&mut Vec::new(), kind, &value).is_ok(), "{kind:?} {value:?}");
            }
        }

        #[test]
        fn any_declaration_is_read(text in "[@a-zA-Z0-9(), \u{e9}]{0,60}") {
            declared(&text);
        }
    }
}
