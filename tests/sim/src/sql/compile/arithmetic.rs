//! + - * / % & | ^ of two values.

use super::{
    Compiler, Typed,
    kinds::{common, is_text, is_time, is_whole, length, with_length},
};
use crate::{
    sql::{
        ast::BinaryOperator,
        message::message,
        number::{as_numeric, result_type},
        type_text,
        types::type_code,
    },
    wire::{Message, Type},
};

impl Compiler<'_> {
    pub(super) fn arithmetic(&self, operator: BinaryOperator, left: &Typed, right: &Typed) -> Result<Typed, Message> {
        let (a, b) = match (left.kind, right.kind) {
            (None, None) => (Type::Int, Type::Int),
            (Some(a), None) => (a, a),
            (None, Some(b)) => (b, b),
            (Some(a), Some(b)) => (a, b),
        };
        let (sql, kind) = self.operation(operator, left, right, a, b)?;
        Ok(Typed { sql, kind: Some(kind), exact: left.exact || right.exact, constant: left.constant && right.constant })
    }

    fn operation(
        &self,
        operator: BinaryOperator,
        left: &Typed,
        right: &Typed,
        a: Type,
        b: Type,
    ) -> Result<(String, Type), Message> {
        let kind = common(a, b);
        match operator {
            BinaryOperator::Add if is_text(kind) => {
                if !is_text(a) || !is_text(b) {
                    let (a, b) = (type_name(a), type_name(b));
                    return Err(message(402, 16, format!("The data types {a} and {b} are incompatible in the add operator.")));
                }
                let sum = length(a).flatten().zip(length(b).flatten()).map(|(a, b)| a.saturating_add(b));
                // Two texts of limited length stay limited.
                let sum = sum.map(|sum| sum.min(if matches!(kind, Type::VarChar(_) | Type::Char(_)) { 8000 } else { 4000 }));
                return Ok((format!("({} || {})", left.sql, right.sql), with_length(kind, sum)));
            }
            BinaryOperator::Add if matches!((a, b), (Type::VarBinary(_), Type::VarBinary(_))) => {
                return Ok((format!("ts_concat_bytes({}, {})", left.sql, right.sql), Type::VarBinary(None)));
            }
            BinaryOperator::Add | BinaryOperator::Subtract if is_time(a) || is_time(b) => {
                return self.shifted(operator, left, right, a, b);
            }
            BinaryOperator::BitAnd | BinaryOperator::BitOr | BinaryOperator::BitXor => {
                return self.bits(operator, left, right, kind);
            }
            _ => {}
        }
        let sign = sign(operator);
        match kind {
            Type::Real | Type::Float => {
                let (a, b) = (self.implicit(left, kind)?, self.implicit(right, kind)?);
                let sql = if sign == '/' { format!("ts_divide({a}, {b})") } else { format!("({a} {sign} {b})") };
                if sign == '%' { Err(invalid(kind, operator)) } else { Ok((sql, kind)) }
            }
            Type::Money => {
                let (a, b) = (self.implicit(left, kind)?, self.implicit(right, kind)?);
                Ok((format!("ts_numeric('{sign}', {a}, 4, {b}, 4, 19, 4)"), kind))
            }
            Type::Numeric(..) => self.fixed(sign, left, right, a, b),
            kind if is_whole(kind) => {
                let (a, b) = (self.implicit(left, kind)?, self.implicit(right, kind)?);
                let sql = match sign {
                    '/' => format!("ts_divide({a}, {b})"),
                    '%' => format!("ts_modulo({a}, {b})"),
                    _ => format!("({a} {sign} {b})"),
                };
                Ok((self.in_range(&sql, kind), kind))
            }
            other => Err(invalid(other, operator)),
        }
    }

    /// Numbers with a fixed point. A whole literal counts with the digits that it shows.
    fn fixed(&self, sign: char, left: &Typed, right: &Typed, a: Type, b: Type) -> Result<(String, Type), Message> {
        let shape = |typed: &Typed, kind: Type| match (kind, typed.sql.parse::<i64>()) {
            (Type::Int, Ok(whole)) => (u8::try_from(whole.unsigned_abs().to_string().len()).unwrap_or(10), 0),
            _ => as_numeric(kind).unwrap_or((38, 10)),
        };
        let ((p1, s1), (p2, s2)) = (shape(left, a), shape(right, b));
        let kind = result_type(sign, (p1, s1), (p2, s2));
        let Type::Numeric(precision, scale) = kind else { return Err(invalid(kind, BinaryOperator::Add)) };
        let x = self.implicit(left, Type::Numeric(p1, s1))?;
        let y = self.implicit(right, Type::Numeric(p2, s2))?;
        Ok((format!("ts_numeric('{sign}', {x}, {s1}, {y}, {s2}, {precision}, {scale})"), kind))
    }

    /// datetime + days, datetime - days.
    fn shifted(
        &self,
        operator: BinaryOperator,
        left: &Typed,
        right: &Typed,
        a: Type,
        b: Type,
    ) -> Result<(String, Type), Message> {
        let sign = if operator == BinaryOperator::Add { "" } else { "-" };
        match (a, b) {
            (Type::DateTime, days) if is_whole(days) => {
                Ok((format!("ts_dateadd('day', {sign}({}), {})", right.sql, left.sql), Type::DateTime))
            }
            (days, Type::DateTime) if is_whole(days) && operator == BinaryOperator::Add => {
                Ok((format!("ts_dateadd('day', {}, {})", left.sql, right.sql), Type::DateTime))
            }
            _ => {
                let text = format!("Operand type clash: {} is incompatible with {}", type_name(a), type_name(b));
                Err(Message { state: 2, ..message(206, 16, text) })
            }
        }
    }

    fn bits(&self, operator: BinaryOperator, left: &Typed, right: &Typed, kind: Type) -> Result<(String, Type), Message> {
        if !is_whole(kind) {
            return Err(invalid(kind, operator));
        }
        let (a, b) = (self.implicit(left, kind)?, self.implicit(right, kind)?);
        let sql = match operator {
            BinaryOperator::BitAnd => format!("({a} & {b})"),
            BinaryOperator::BitOr => format!("({a} | {b})"),
            // SQLite has no XOR.
            _ => format!("(({a} | {b}) - ({a} & {b}))"),
        };
        Ok((sql, kind))
    }

    /// The number, if it is in the range of its type (8115 otherwise).
    pub(super) fn in_range(&self, sql: &str, kind: Type) -> String {
        if is_whole(kind) { format!("ts_int({sql}, {})", type_code(kind)) } else { format!("({sql})") }
    }
}

/// Without its size.
fn type_name(kind: Type) -> String {
    type_text(kind).split('(').next().unwrap_or_default().to_owned()
}

fn sign(operator: BinaryOperator) -> char {
    match operator {
        BinaryOperator::Subtract => '-',
        BinaryOperator::Multiply => '*',
        BinaryOperator::Divide => '/',
        BinaryOperator::Modulo => '%',
        _ => '+',
    }
}

fn invalid(kind: Type, operator: BinaryOperator) -> Message {
    let word = match operator {
        BinaryOperator::Add => "add",
        BinaryOperator::Subtract => "subtract",
        BinaryOperator::Multiply => "multiply",
        BinaryOperator::Divide => "divide",
        BinaryOperator::Modulo => "modulo",
        BinaryOperator::BitAnd => "'&'",
        BinaryOperator::BitOr => "'|'",
        _ => "'^'",
    };
    message(8117, 16, format!("Operand data type {} is invalid for {word} operator.", type_text(kind)))
}
