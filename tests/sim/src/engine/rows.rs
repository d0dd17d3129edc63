//! Rows that the engine makes itself: views, and what RESTORE HEADERONLY and its kin answer.

use uuid::Uuid;

use super::{lsn::Lsn, run::Out};
use crate::wire::{Column, Reply, Type, Value};

/// Columns and rows.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Names and types.
    pub columns: Vec<(&'static str, Type)>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Rows of these columns.
    pub fn new(columns: &[(&'static str, Type)]) -> Rows {
        Rows { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds one.
    pub fn add(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// Sends them as a result.
    pub fn send(self, out: Out<'_>) -> bool {
        let columns = self.columns.iter().map(|(name, kind)| Column { name: (*name).into(), kind: *kind }).collect();
        let count = self.rows.len() as u64;
        out(Reply::Columns(columns)) && self.rows.into_iter().all(|row| out(Reply::Row(row))) && out(Reply::Done(Some(count)))
    }
}

/// nvarchar(128), the type of names.
pub const NAME: Type = Type::NVarChar(Some(128));
/// nvarchar(60), the type of descriptions.
pub const DESC: Type = Type::NVarChar(Some(60));
/// nvarchar(260), the type of paths.
pub const PATH: Type = Type::NVarChar(Some(260));
/// numeric(25,0), the type of LSNs.
pub const LSN: Type = Type::Numeric(25, 0);

/// A text.
pub fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// A whole number.
pub fn int(number: impl Into<i64>) -> Value {
    Value::Int(number.into())
}

/// A bit.
pub fn bit(on: bool) -> Value {
    Value::Int(i64::from(on))
}

/// An LSN.
pub fn lsn(lsn: Lsn) -> Value {
    Value::Numeric(lsn.0)
}

/// A guid.
pub fn guid(guid: Uuid) -> Value {
    Value::Guid(*guid.as_bytes())
}

/// A datetime, as a column of that type holds it: 1/300 of a second, which shows as .000, .003, .007.
pub fn time(ticks: i64) -> Value {
    crate::sql::convert(Value::Time(ticks), Type::DateTime2(7), Type::DateTime, 0).unwrap_or(Value::Time(ticks))
}

/// NULL, or the value.
pub fn maybe<T>(value: Option<T>, make: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, make)
}
