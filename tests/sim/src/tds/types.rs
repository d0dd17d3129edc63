//! Types and values on the wire, from the server to the client. Stricter than the real one: a value that does not fit its column is an
//! error of the instance, not something to bend.

use super::bytes::{to_code_page, to_utf16};
use crate::wire::{Type, Value};

/// Tokens of types, and the few lengths that are not the size of a value.
pub mod token {
    pub const NULL: u8 = 0x1F;
    pub const GUID: u8 = 0x24;
    pub const INT: u8 = 0x26;
    pub const DATE: u8 = 0x28;
    pub const DATETIME2: u8 = 0x2A;
    pub const BIT: u8 = 0x68;
    pub const DECIMAL: u8 = 0x6A;
    pub const NUMERIC: u8 = 0x6C;
    pub const FLOAT: u8 = 0x6D;
    pub const MONEY: u8 = 0x6E;
    pub const DATETIME: u8 = 0x6F;
    pub const VARBINARY: u8 = 0xA5;
    pub const VARCHAR: u8 = 0xA7;
    pub const BINARY: u8 = 0xAD;
    pub const CHAR: u8 = 0xAF;
    pub const NVARCHAR: u8 = 0xE7;
    pub const NCHAR: u8 = 0xEF;
}

/// Length of a type that has none: max.
pub const MAX: u16 = 0xFFFF;
/// Length of a NULL of the types with two bytes of length.
pub const NULL_LENGTH: u16 = 0xFFFF;
/// Length of a NULL of the types that come in chunks.
pub const NULL_CHUNKS: u64 = u64::MAX;

/// Modern_Spanish_CI_AS, whose code page is Windows-1252.
pub const COLLATION: [u8; 5] = [0x0A, 0x0C, 0xD0, 0x00, 0x00];

/// 1900-01-01, where datetime begins, in days since 0001-01-01.
pub const DAYS_TO_1900: i64 = 693_595;
pub const TICKS_PER_DAY: i64 = 864_000_000_000;
/// 9999-12-31.
const LAST_DAY: i64 = 3_652_058;
/// 1753-01-01: datetime has nothing before it.
const FIRST_DATETIME_DAY: i64 = 639_905;

/// Bytes of a number of so many digits, with its sign.
pub fn numeric_length(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// Bytes of a time of day with so many digits after the seconds.
pub fn time_length(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

/// Writes TYPE_INFO.
pub fn put_type(out: &mut Vec<u8>, kind: Type) {
    // SQL Server has no types of length 0: '' is a varchar(1).
    let mut sized = |token: u8, length: Option<u16>, unit: u16, collation: bool| {
        out.push(token);
        out.extend(length.map_or(MAX, |n| n.max(1) * unit).to_le_bytes());
        out.extend(if collation { &COLLATION[..] } else { &[] });
    };
    match kind {
        Type::Char(n) => sized(token::CHAR, Some(n), 1, true),
        Type::VarChar(n) => sized(token::VARCHAR, n, 1, true),
        Type::NChar(n) => sized(token::NCHAR, Some(n), 2, true),
        Type::NVarChar(n) => sized(token::NVARCHAR, n, 2, true),
        Type::VarBinary(n) => sized(token::VARBINARY, n, 1, false),
        Type::Bit => out.extend([token::BIT, 1]),
        Type::TinyInt => out.extend([token::INT, 1]),
        Type::SmallInt => out.extend([token::INT, 2]),
        Type::Int => out.extend([token::INT, 4]),
        Type::BigInt => out.extend([token::INT, 8]),
        Type::Real => out.extend([token::FLOAT, 4]),
        Type::Float => out.extend([token::FLOAT, 8]),
        Type::Numeric(precision, scale) => out.extend([token::NUMERIC, numeric_length(precision), precision, scale]),
        Type::Money => out.extend([token::MONEY, 8]),
        Type::DateTime => out.extend([token::DATETIME, 8]),
        Type::DateTime2(scale) => out.extend([token::DATETIME2, scale]),
        Type::Date => out.push(token::DATE),
        Type::Guid => out.extend([token::GUID, 16]),
    }
}

/// Is this a type that SQL Server has, with lengths it knows?
pub fn exists(kind: Type) -> bool {
    match kind {
        Type::Char(n) | Type::VarChar(Some(n)) | Type::VarBinary(Some(n)) => n <= 8000,
        Type::NChar(n) | Type::NVarChar(Some(n)) => n <= 4000,
        Type::Numeric(precision, scale) => (1..=38).contains(&precision) && scale <= precision,
        Type::DateTime2(scale) => scale <= 7,
        _ => true,
    }
}

/// Writes a value of a column. `Err` when it does not belong there.
pub fn put_value(out: &mut Vec<u8>, kind: Type, value: &Value) -> Result<(), String> {
    let bytes = match value {
        Value::Null => None,
        value => Some(plain(kind, value).ok_or_else(|| format!("{value:?} is no {kind:?}"))?),
    };
    match (kind, bytes) {
        (Type::VarChar(None) | Type::NVarChar(None) | Type::VarBinary(None), None) => out.extend(NULL_CHUNKS.to_le_bytes()),
        (Type::VarChar(None) | Type::NVarChar(None) | Type::VarBinary(None), Some(bytes)) => put_chunks(out, &bytes),
        (_, bytes) if has_long_length(kind) => {
            out.extend(bytes.as_ref().map_or(NULL_LENGTH, |b| b.len() as u16).to_le_bytes());
            out.extend(bytes.unwrap_or_default());
        }
        (_, bytes) => {
            out.push(bytes.as_ref().map_or(0, |b| b.len() as u8));
            out.extend(bytes.unwrap_or_default());
        }
    }
    Ok(())
}

fn has_long_length(kind: Type) -> bool {
    matches!(kind, Type::Char(_) | Type::VarChar(_) | Type::NChar(_) | Type::NVarChar(_) | Type::VarBinary(_))
}

/// The whole length, then chunks, then an empty one. Two chunks where there is enough: a client that expects one learns better here.
fn put_chunks(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    for chunk in bytes.chunks(4000).filter(|chunk| !chunk.is_empty()) {
        out.extend((chunk.len() as u32).to_le_bytes());
        out.extend(chunk);
    }
    out.extend(0_u32.to_le_bytes());
}

/// Bytes of a value that is there, without their length.
fn plain(kind: Type, value: &Value) -> Option<Vec<u8>> {
    let fits = |bytes: Vec<u8>, limit: Option<u16>, unit: usize| {
        limit.is_none_or(|n| bytes.len() <= usize::from(n.max(1)) * unit).then_some(bytes)
    };
    match (kind, value) {
        (Type::Bit, Value::Int(n @ 0..=1)) => Some(vec![*n as u8]),
        (Type::TinyInt, Value::Int(n)) => Some(vec![u8::try_from(*n).ok()?]),
        (Type::SmallInt, Value::Int(n)) => Some(i16::try_from(*n).ok()?.to_le_bytes().to_vec()),
        (Type::Int, Value::Int(n)) => Some(i32::try_from(*n).ok()?.to_le_bytes().to_vec()),
        (Type::BigInt, Value::Int(n)) => Some(n.to_le_bytes().to_vec()),
        (Type::Real, Value::Float(f)) => Some((*f as f32).to_le_bytes().to_vec()),
        (Type::Float, Value::Float(f)) => f.is_finite().then(|| f.to_le_bytes().to_vec()),
        (Type::Numeric(precision, _), Value::Numeric(n)) => numeric(precision, *n),
        (Type::Money, Value::Numeric(n)) => {
            let money = i64::try_from(*n).ok()?;
            Some([((money >> 32) as i32).to_le_bytes(), (money as u32).to_le_bytes()].concat())
        }
        (Type::DateTime, Value::Time(ticks)) => datetime(*ticks),
        (Type::DateTime2(scale), Value::Time(ticks)) => datetime2(scale, *ticks),
        (Type::Date, Value::Time(ticks)) => day(ticks.div_euclid(TICKS_PER_DAY)),
        (Type::Guid, Value::Guid(bytes)) => Some(guid(*bytes).to_vec()),
        (Type::Char(n), Value::Text(text)) => {
            let mut bytes = fits(to_code_page(text), Some(n), 1)?;
            bytes.resize(usize::from(n.max(1)), b' ');
            Some(bytes)
        }
        (Type::VarChar(n), Value::Text(text)) => fits(to_code_page(text), n, 1),
        (Type::NChar(n), Value::Text(text)) => {
            let mut bytes = fits(to_utf16(text), Some(n), 2)?;
            while bytes.len() < usize::from(n.max(1)) * 2 {
                bytes.extend([b' ', 0]);
            }
            Some(bytes)
        }
        (Type::NVarChar(n), Value::Text(text)) => fits(to_utf16(text), n, 2),
        (Type::VarBinary(n), Value::Bytes(bytes)) => fits(bytes.clone(), n, 1),
        _ => None,
    }
}

fn numeric(precision: u8, number: i128) -> Option<Vec<u8>> {
    let magnitude = number.unsigned_abs();
    (magnitude < 10_u128.checked_pow(u32::from(precision))?).then(|| {
        let mut bytes = vec![u8::from(number >= 0)];
        bytes.extend(&magnitude.to_le_bytes()[..usize::from(numeric_length(precision)) - 1]);
        bytes
    })
}

/// Three hundredths of a second are all that datetime knows.
fn datetime(ticks: i64) -> Option<Vec<u8>> {
    let parts = (ticks.rem_euclid(TICKS_PER_DAY) * 3 + 50_000) / 100_000;
    let (carry, parts) = (parts / (86_400 * 300), parts % (86_400 * 300));
    let days = ticks.div_euclid(TICKS_PER_DAY) + carry;
    (FIRST_DATETIME_DAY..=LAST_DAY).contains(&days).then(|| {
        let days = (days - DAYS_TO_1900) as i32;
        [days.to_le_bytes(), (parts as u32).to_le_bytes()].concat()
    })
}

fn datetime2(scale: u8, ticks: i64) -> Option<Vec<u8>> {
    let unit = 10_i64.checked_pow(7_u32.checked_sub(u32::from(scale))?)?;
    let rounded = ticks.checked_add(unit / 2)? / unit * unit;
    let time = rounded.rem_euclid(TICKS_PER_DAY) / unit;
    let mut bytes = time.to_le_bytes()[..usize::from(time_length(scale))].to_vec();
    bytes.extend(day(rounded.div_euclid(TICKS_PER_DAY))?);
    Some(bytes)
}

fn day(days: i64) -> Option<Vec<u8>> {
    (0..=LAST_DAY).contains(&days).then(|| days.to_le_bytes()[..3].to_vec())
}

/// The first three groups of a uniqueidentifier's text stand backwards on the wire. Its own inverse.
pub fn guid(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_its_column_is_refused() {
        let cases = [
            (Type::Bit, Value::Int(2)),
            (Type::TinyInt, Value::Int(-1)),
            (Type::SmallInt, Value::Int(40_000)),
            (Type::Int, Value::Int(1 << 31)),
            (Type::Int, Value::Text("1".into())),
            (Type::Float, Value::Float(f64::NAN)),
            (Type::Numeric(5, 2), Value::Numeric(100_000)),
            (Type::Money, Value::Numeric(1 << 63)),
            (Type::DateTime, Value::Time(0)),
            (Type::Date, Value::Time(-1)),
            (Type::DateTime2(7), Value::Time(i64::MAX)),
            (Type::VarChar(Some(2)), Value::Text("abc".into())),
            (Type::NVarChar(Some(1)), Value::Text("😀".into())),
            (Type::VarBinary(Some(1)), Value::Bytes(vec![1, 2])),
            (Type::Guid, Value::Bytes(vec![0; 16])),
        ];
        for (kind, value) in cases {
            assert!(put_value(&mut Vec::new(), kind, &value).is_err(), "{kind:?} {value:?}");
        }
    }

    /// Bytes from Microsoft's description of the types, worked out by hand.
    #[test]
    fn bytes_of_values() {
        let cases: [(Type, Value, &[u8]); 13] = [
            (Type::Numeric(9, 0), Value::Numeric(1), &[5, 1, 1, 0, 0, 0]),
            (Type::Numeric(19, 0), Value::Numeric(1), &[9, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
            (Type::Numeric(28, 0), Value::Numeric(-1), &[13, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (Type::Numeric(29, 0), Value::Numeric(1), &[17, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (Type::Money, Value::Numeric(-1), &[8, 255, 255, 255, 255, 255, 255, 255, 255]),
            (Type::Money, Value::Numeric(1 << 32), &[8, 1, 0, 0, 0, 0, 0, 0, 0]),
            (Type::Numeric(5, 2), Value::Numeric(-12_345), &[5, 0, 0x39, 0x30, 0, 0]),
            (Type::DateTime, Value::Time(DAYS_TO_1900 * TICKS_PER_DAY + 10_000_000), &[8, 0, 0, 0, 0, 44, 1, 0, 0]),
            (Type::Date, Value::Time(DAYS_TO_1900 * TICKS_PER_DAY), &[3, 0x5B, 0x95, 0x0A]),
            (Type::DateTime2(0), Value::Time(TICKS_PER_DAY - 1), &[6, 0, 0, 0, 1, 0, 0]),
            (Type::NChar(2), Value::Text("a".into()), &[4, 0, b'a', 0, b' ', 0]),
            (Type::Char(2), Value::Null, &[0xFF, 0xFF]),
            (Type::VarBinary(None), Value::Bytes(vec![9]), &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0]),
        ];
        for (kind, value, expected) in cases {
            let mut out = Vec::new();
            put_value(&mut out, kind, &value).unwrap();
            assert_eq!(out, expected, "{kind:?} {value:?}");
        }
    }
}
