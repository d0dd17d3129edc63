//! How values lie in SQLite.
//!
//! | type | in SQLite |
//! |---|---|
//! | bit, tinyint, smallint, int, bigint | INTEGER |
//! | real, float | REAL |
//! | numeric, decimal, money | BLOB of 16 bytes: the unscaled number at the scale of the type (money: 4), big-endian, with the sign bit turned round, so that bytes sort as numbers do |
//! | datetime, datetime2, date | INTEGER: 100-nanosecond ticks since 0001-01-01 |
//! | uniqueidentifier | BLOB of 16 bytes, in the order of its text |
//! | char, varchar, nchar, nvarchar | TEXT, compared with the collation `TSQL` (case does not count, nor do spaces at the end) |
//! | binary, varbinary | BLOB |

use rusqlite::types::{Value as Stored, ValueRef};

use crate::wire::{Type, Value};

/// What a column of this type is declared as in SQLite.
#[must_use]
pub fn declaration(kind: Type) -> &'static str {
    match kind {
        // Not INTEGER: a primary key of exactly that type would be the rowid, which makes up a value for NULL.
        Type::Bit | Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt => "INT",
        Type::DateTime | Type::DateTime2(_) | Type::Date => "INT",
        Type::Real | Type::Float => "REAL",
        Type::Numeric(..) | Type::Money | Type::Guid | Type::VarBinary(_) => "BLOB",
        Type::Char(_) | Type::VarChar(_) | Type::NChar(_) | Type::NVarChar(_) => "TEXT COLLATE TSQL",
    }
}

/// A value as SQLite holds it.
#[must_use]
pub fn bind(value: &Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Int(whole) | Value::Time(whole) => Stored::Integer(*whole),
        Value::Float(float) => Stored::Real(*float),
        Value::Numeric(unscaled) => Stored::Blob(numeric_bytes(*unscaled).to_vec()),
        Value::Guid(bytes) => Stored::Blob(bytes.to_vec()),
        Value::Text(text) => Stored::Text(text.clone()),
        Value::Bytes(bytes) => Stored::Blob(bytes.clone()),
    }
}

/// A value as SQLite holds it, read as one of this type. What cannot be one of the type comes back as what it is.
#[must_use]
pub fn read(stored: ValueRef<'_>, kind: Type) -> Value {
    match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(whole) => match kind {
            Type::DateTime | Type::DateTime2(_) | Type::Date => Value::Time(whole),
            #[allow(clippy::cast_precision_loss)] // A float that happens to be whole.
            Type::Real | Type::Float => Value::Float(whole as f64),
            Type::Numeric(_, scale) => Value::Numeric(i128::from(whole) * 10_i128.pow(u32::from(scale))),
            Type::Money => Value::Numeric(i128::from(whole) * 10_000),
            Type::Char(_) | Type::VarChar(_) | Type::NChar(_) | Type::NVarChar(_) => Value::Text(whole.to_string()),
            _ => Value::Int(whole),
        },
        ValueRef::Real(float) => Value::Float(float),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => match (kind, <[u8; 16]>::try_from(bytes)) {
            (Type::Guid, Ok(guid)) => Value::Guid(guid),
            (Type::Numeric(..) | Type::Money, Ok(number)) => Value::Numeric(numeric_of(number)),
            _ => Value::Bytes(bytes.to_vec()),
        },
    }
}

/// An unscaled number as bytes that sort as numbers do.
#[must_use]
pub fn numeric_bytes(unscaled: i128) -> [u8; 16] {
    (unscaled ^ i128::MIN).to_be_bytes()
}

fn numeric_of(bytes: [u8; 16]) -> i128 {
    i128::from_be_bytes(bytes) ^ i128::MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_their_bytes_do() {
        let numbers = [i128::MIN, -10_i128.pow(30), -1, 0, 1, 42, 10_i128.pow(37), i128::MAX];
        for pair in numbers.windows(2) {
            assert!(numeric_bytes(pair[0]) < numeric_bytes(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn values_come_back() {
        let cases = [
            (Type::Numeric(25, 0), Value::Numeric(-37_000_000_012_300_001)),
            (Type::Money, Value::Numeric(12_345)),
            (Type::Guid, Value::Guid([7; 16])),
            (Type::VarBinary(Some(16)), Value::Bytes(vec![7; 16])),
            (Type::DateTime, Value::Time(638_000_000_000_000_000)),
            (Type::Bit, Value::Int(1)),
            (Type::NVarChar(None), Value::Text("ñ".to_owned())),
            (Type::Float, Value::Float(0.5)),
            (Type::Int, Value::Null),
        ];
        for (kind, value) in cases {
            let stored = bind(&value);
            assert_eq!(read(ValueRef::from(&stored), kind), value);
        }
    }
}
