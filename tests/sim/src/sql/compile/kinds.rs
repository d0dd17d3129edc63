//! Types of expressions: which one two of them have in common, and whether a value has to be converted at all.

use crate::{
    sql::{
        compile::Compiler,
        message::message,
        number::as_numeric,
        types::{type_code, type_text},
    },
    wire::{Message, Type},
};

/// A piece of SQLite's language and its type. `None`: NULL as written, which takes any type.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) sql: String,
    pub(super) kind: Option<Type>,
    /// It was given a collation where case counts.
    pub(super) exact: bool,
    /// No column and nothing that differs from row to row.
    pub(super) constant: bool,
}

impl Typed {
    pub(super) fn new(sql: String, kind: Type) -> Self {
        Self { sql, kind: Some(kind), exact: false, constant: true }
    }

    pub(super) fn null() -> Self {
        Self { sql: "NULL".to_owned(), kind: None, exact: false, constant: true }
    }

    pub(super) fn or_int(&self) -> Type {
        self.kind.unwrap_or(Type::Int)
    }

    /// With the collation it is compared under, where it is text.
    pub(super) fn collated(&self) -> String {
        if self.kind.is_some_and(is_text) { format!("{} COLLATE {}", self.sql, collation(self.exact)) } else { self.sql.clone() }
    }
}

pub(super) fn collation(exact: bool) -> &'static str {
    if exact { "TSQL_CS" } else { "TSQL" }
}

pub(super) fn is_text(kind: Type) -> bool {
    matches!(kind, Type::Char(_) | Type::VarChar(_) | Type::NChar(_) | Type::NVarChar(_))
}

pub(super) fn is_whole(kind: Type) -> bool {
    matches!(kind, Type::Bit | Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt)
}

pub(super) fn is_time(kind: Type) -> bool {
    matches!(kind, Type::DateTime | Type::DateTime2(_) | Type::Date)
}

/// Of two types the one with the higher rank wins.
fn rank(kind: Type) -> u8 {
    match kind {
        Type::DateTime2(_) => 20,
        Type::DateTime => 19,
        Type::Date => 18,
        Type::Float => 17,
        Type::Real => 16,
        Type::Numeric(..) => 15,
        Type::Money => 14,
        Type::BigInt => 13,
        Type::Int => 12,
        Type::SmallInt => 11,
        Type::TinyInt => 10,
        Type::Bit => 9,
        Type::Guid => 8,
        Type::NVarChar(_) => 7,
        Type::NChar(_) => 6,
        Type::VarChar(_) => 5,
        Type::Char(_) => 4,
        Type::VarBinary(_) => 3,
    }
}

/// The length of text or bytes; `None` inside for max.
pub(super) fn length(kind: Type) -> Option<Option<u16>> {
    match kind {
        Type::Char(size) | Type::NChar(size) => Some(Some(size)),
        Type::VarChar(size) | Type::NVarChar(size) | Type::VarBinary(size) => Some(size),
        _ => None,
    }
}

/// The type with another length.
pub(super) fn with_length(kind: Type, length: Option<u16>) -> Type {
    match kind {
        Type::Char(_) | Type::VarChar(_) => Type::VarChar(length.filter(|length| *length <= 8000)),
        Type::NChar(_) | Type::NVarChar(_) => Type::NVarChar(length.filter(|length| *length <= 4000)),
        Type::VarBinary(_) => Type::VarBinary(length.filter(|length| *length <= 8000)),
        other => other,
    }
}

/// The type that two have in common.
pub(super) fn common(a: Type, b: Type) -> Type {
    let (high, low) = if rank(a) >= rank(b) { (a, b) } else { (b, a) };
    match (high, low) {
        (Type::Numeric(..), low) => match (as_numeric(high), as_numeric(low)) {
            (Some((p1, s1)), Some((p2, s2))) => {
                let scale = s1.max(s2);
                Type::Numeric((p1 - s1).max(p2 - s2).saturating_add(scale).min(38), scale)
            }
            _ => high,
        },
        (Type::DateTime2(a), Type::DateTime2(b)) => Type::DateTime2(a.max(b)),
        _ => match (length(high), length(low)) {
            // Both of text or bytes: the longer; the same ones stay as they are, fixed length and all.
            (Some(_), Some(_)) if high == low => high,
            (Some(a), Some(b)) => with_length(high, a.and_then(|a| b.map(|b| a.max(b)))),
            _ => high,
        },
    }
}

/// Is a value of type `from` a value of type `to` as it lies in SQLite?
fn lies_as(from: Type, to: Type) -> bool {
    let national = |kind| matches!(kind, Type::NChar(_) | Type::NVarChar(_));
    let fits = |from: Option<Option<u16>>, to: Option<Option<u16>>| match (from, to) {
        (Some(_), Some(None)) => true,
        (Some(Some(from)), Some(Some(to))) => from <= to,
        _ => false,
    };
    match (from, to) {
        _ if from == to => true,
        (Type::Numeric(p1, s1), Type::Numeric(p2, s2)) => s1 == s2 && p1 <= p2,
        (Type::Real, Type::Float) => true,
        (Type::DateTime2(a), Type::DateTime2(b)) => a <= b,
        (Type::Date, Type::DateTime2(_)) => true,
        (Type::DateTime, Type::DateTime2(scale)) => scale >= 3,
        (_, Type::Char(_) | Type::NChar(_)) => false,
        (from, to) if is_text(from) && is_text(to) => (national(to) || !national(from)) && fits(length(from), length(to)),
        (Type::VarBinary(a), Type::VarBinary(b)) => fits(Some(a), Some(b)),
        (from, to) if is_whole(from) && is_whole(to) => rank(from) <= rank(to),
        _ => false,
    }
}

/// Can a value of one type become one of the other without being told so?
pub(super) fn check_implicit(from: Type, to: Type) -> Result<(), Message> {
    let class = |kind: Type| match kind {
        Type::Guid => 1,
        kind if is_time(kind) => 2,
        Type::VarBinary(_) => 3,
        kind if is_text(kind) => 4,
        _ => 5,
    };
    let name = |kind| type_text(kind).split('(').next().unwrap_or_default().to_owned();
    let right = match (class(from), class(to)) {
        (a, b) if a == b => true,
        // Text becomes anything but bytes, anything becomes text; datetime goes along with numbers, bytes do too.
        (4, 3) | (3, 2) => false,
        (4, _) | (_, 4) => true,
        (2, 5) => false,
        (5, 2) => to == Type::DateTime,
        (3, 5 | 1) | (1 | 5, 3) => true,
        _ => false,
    };
    if right {
        return Ok(());
    }
    if class(from) == 4 || class(from) == 2 {
        let text = format!(
            "Implicit conversion from data type {} to {} is not allowed. Use the CONVERT function to run this query.",
            name(from),
            name(to)
        );
        return Err(message(257, 16, text));
    }
    Err(Message { state: 2, ..message(206, 16, format!("Operand type clash: {} is incompatible with {}", name(from), name(to))) })
}

impl Compiler<'_> {
    /// The expression as one of this type, without being told so in the text.
    pub(super) fn implicit(&self, typed: &Typed, to: Type) -> Result<String, Message> {
        let Some(from) = typed.kind else { return Ok(typed.sql.clone()) };
        if lies_as(from, to) {
            return Ok(typed.sql.clone());
        }
        check_implicit(from, to)?;
        Ok(cast_call("ts_cast", &typed.sql, from, to, 0))
    }

    /// The expression as a column stores it.
    pub(super) fn stored(&self, typed: &Typed, to: Type, label: &str) -> Result<String, Message> {
        let Some(from) = typed.kind else { return Ok(typed.sql.clone()) };
        if lies_as(from, to) {
            return Ok(typed.sql.clone());
        }
        check_implicit(from, to)?;
        let label = super::quote_text(label);
        Ok(format!("ts_assign({}, {}, {}, {label})", typed.sql, type_code(from), type_code(to)))
    }

    /// Both as the type that they have in common.
    pub(super) fn alike(&self, a: &Typed, b: &Typed) -> Result<(String, String, Type), Message> {
        let kind = match (a.kind, b.kind) {
            (Some(a), Some(b)) => common(a, b),
            (Some(kind), None) | (None, Some(kind)) => kind,
            (None, None) => Type::Int,
        };
        // Blanks at the end do not count, so texts compare as they are; so do all times but texts.
        let as_is =
            |typed: &Typed| typed.kind.is_some_and(|from| (is_text(from) && is_text(kind)) || (is_time(from) && is_time(kind)));
        let side = |typed: &Typed| if as_is(typed) { Ok(typed.sql.clone()) } else { self.implicit(typed, kind) };
        Ok((side(a)?, side(b)?, kind))
    }

    /// The type that all have in common.
    pub(super) fn common_of<'t>(&self, all: impl IntoIterator<Item = &'t Typed>) -> Option<Type> {
        all.into_iter().filter_map(|typed| typed.kind).reduce(common)
    }
}

/// CAST in SQLite's language.
pub(super) fn cast_call(function: &str, sql: &str, from: Type, to: Type, style: i64) -> String {
    format!("{function}({sql}, {}, {}, {style})", type_code(from), type_code(to))
}
