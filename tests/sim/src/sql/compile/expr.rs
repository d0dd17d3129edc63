//! Expressions and conditions.

use super::{
    Compiler, Typed,
    kinds::{cast_call, collation, is_text},
    quote_text,
};
use crate::{
    sql::{
        ast::{BinaryOperator, Expr, InList, UnaryOperator},
        message::{message, undeclared},
        number,
        text::units,
        value::numeric_bytes,
    },
    wire::{Message, Type},
};

type Compiled<T> = Result<T, Message>;

impl Compiler<'_> {
    /// A value.
    pub(super) fn expr(&mut self, expr: &Expr) -> Compiled<Typed> {
        // `GROUP BY f(a)` lets `f(a)` stand as it is.
        if self.groups.as_ref().is_some_and(|groups| !groups.is_empty())
            && matches!(
                expr,
                Expr::Function { .. } | Expr::Operation { .. } | Expr::Cast { .. } | Expr::Convert { .. } | Expr::Case { .. }
            )
        {
            let groups = self.groups.take();
            let whole = self.plain(expr);
            self.groups = groups;
            if let Ok(whole) = whole
                && self.groups.as_ref().is_some_and(|groups| groups.contains(&whole.sql))
            {
                return Ok(whole);
            }
        }
        self.plain(expr)
    }

    fn plain(&mut self, expr: &Expr) -> Compiled<Typed> {
        match expr {
            Expr::Null => Ok(Typed::null()),
            Expr::Default => Err(message(156, 15, "Incorrect syntax near the keyword 'DEFAULT'.")),
            Expr::Integer(whole) => Ok(integer(*whole)),
            Expr::Decimal(text) => decimal(text),
            Expr::Float(float) => Ok(Typed::new(format!("{float:e}"), Type::Float)),
            Expr::Binary(bytes) => Ok(binary(bytes)),
            Expr::String { text, national } => Ok(literal(text, *national)),
            Expr::Variable(name) => {
                let found = self.context.catalog.variable(name);
                self.bind_named(name, found, || undeclared(name))
            }
            Expr::Global(name) => {
                let found = self.context.catalog.global(name);
                self.bind_named(name, found, || undeclared(name))
            }
            Expr::Column(parts) => self.column(parts),
            Expr::Unary { operator, value } => self.unary(*operator, value),
            Expr::Operation { operator, left, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.arithmetic(*operator, &left, &right)
            }
            Expr::Subquery(query) => self.scalar_query(query),
            Expr::Case { operand, branches, otherwise } => self.case(operand.as_deref(), branches, otherwise.as_deref()),
            Expr::Cast { value, kind, attempt } => {
                let value = self.expr(value)?;
                Ok(explicit(&value, *kind, 0, *attempt))
            }
            Expr::Convert { kind, value, style, attempt } => {
                let value = self.expr(value)?;
                let Some(style) = style else { return Ok(explicit(&value, *kind, 0, *attempt)) };
                let style = self.expr(style)?;
                let style = self.implicit(&style, Type::Int)?;
                let mut typed = explicit(&value, *kind, 0, *attempt);
                if let Some(from) = value.kind {
                    let function = if *attempt { "ts_try_cast" } else { "ts_cast" };
                    let call = cast_call(function, &value.sql, from, *kind, 0);
                    typed.sql = format!("{}{style})", call.strip_suffix("0)").unwrap_or(&call));
                }
                Ok(typed)
            }
            Expr::Collate { value, collation } => {
                let mut value = self.expr(value)?;
                if !value.kind.is_none_or(is_text) {
                    return Err(message(447, 16, "Expression type is invalid for COLLATE clause."));
                }
                let name = collation.to_ascii_uppercase();
                value.exact = name.contains("_CS_") || name.contains("_BIN");
                Ok(value)
            }
            Expr::Function { name, arguments, star, distinct } => self.function(name, arguments, *star, *distinct),
            Expr::RowNumber { partition_by, order_by } => self.row_number(partition_by, order_by),
            _ => Err(message(4145, 15, "An expression of non-boolean type was expected.")),
        }
    }

    fn unary(&mut self, operator: UnaryOperator, value: &Expr) -> Compiled<Typed> {
        // A negative number is one literal, so that -2147483648 is an int.
        if let (UnaryOperator::Minus, Expr::Integer(whole)) = (operator, value) {
            return Ok(integer(-whole));
        }
        let value = self.expr(value)?;
        let kind = value.or_int();
        let sql = match (operator, kind) {
            (UnaryOperator::Plus, _) => value.sql.clone(),
            (UnaryOperator::BitNot, Type::Bit) => format!("(1 - {})", value.sql),
            (UnaryOperator::BitNot, _) => format!("(~{})", value.sql),
            (UnaryOperator::Minus, Type::Numeric(..) | Type::Money) => format!("ts_negate({})", value.sql),
            (UnaryOperator::Minus, kind) if is_text(kind) => {
                let text = format!("Operand data type {} is invalid for minus operator.", crate::sql::type_text(kind));
                return Err(message(8117, 16, text));
            }
            (UnaryOperator::Minus, kind) => self.in_range(&format!("-{}", value.sql), kind),
        };
        Ok(Typed { sql, ..value })
    }

    fn case(&mut self, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Compiled<Typed> {
        let operand = operand.map(|operand| self.expr(operand)).transpose()?;
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for (when, then) in branches {
            conditions.push(match &operand {
                Some(operand) => {
                    let when = self.expr(when)?;
                    self.comparison(BinaryOperator::Equal, operand, &when)?
                }
                None => self.condition(when)?,
            });
            values.push(self.expr(then)?);
        }
        values.push(otherwise.map_or_else(|| Ok(Typed::null()), |otherwise| self.expr(otherwise))?);
        let Some(kind) = self.common_of(&values) else {
            return Err(message(
                8133,
                16,
                "At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.",
            ));
        };
        let mut sql = "CASE".to_owned();
        for (condition, value) in conditions.iter().zip(&values) {
            sql.push_str(&format!(" WHEN {condition} THEN {}", self.implicit(value, kind)?));
        }
        if let Some(otherwise) = values.last() {
            sql.push_str(&format!(" ELSE {} END", self.implicit(otherwise, kind)?));
        }
        Ok(Typed { constant: false, ..Typed::new(format!("({sql})"), kind) })
    }

    fn row_number(&mut self, partition_by: &[Expr], order_by: &[(Expr, bool)]) -> Compiled<Typed> {
        let mut over = Vec::new();
        let partition = partition_by.iter().map(|expr| Ok(self.expr(expr)?.collated())).collect::<Compiled<Vec<_>>>()?;
        if !partition.is_empty() {
            over.push(format!("PARTITION BY {}", partition.join(", ")));
        }
        let order = order_by
            .iter()
            .map(|(expr, down)| Ok(format!("{}{}", self.expr(expr)?.collated(), if *down { " DESC" } else { "" })))
            .collect::<Compiled<Vec<_>>>()?;
        over.push(format!("ORDER BY {}", order.join(", ")));
        Ok(Typed { constant: false, ..Typed::new(format!("row_number() OVER ({})", over.join(" ")), Type::BigInt) })
    }

    /// A condition.
    pub(super) fn condition(&mut self, expr: &Expr) -> Compiled<String> {
        match expr {
            Expr::Operation { operator: operator @ (BinaryOperator::And | BinaryOperator::Or), left, right } => {
                let word = if *operator == BinaryOperator::And { "AND" } else { "OR" };
                Ok(format!("({} {word} {})", self.condition(left)?, self.condition(right)?))
            }
            Expr::Operation { operator, left, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.comparison(*operator, &left, &right)
            }
            Expr::Not(inner) => Ok(format!("(NOT {})", self.condition(inner)?)),
            Expr::IsNull { value, negated } => {
                let word = if *negated { "IS NOT NULL" } else { "IS NULL" };
                Ok(format!("({} {word})", self.expr(value)?.sql))
            }
            Expr::Between { value, low, high, negated } => {
                let (value, low, high) = (self.expr(value)?, self.expr(low)?, self.expr(high)?);
                let above = self.comparison(BinaryOperator::GreaterEqual, &value, &low)?;
                let below = self.comparison(BinaryOperator::LessEqual, &value, &high)?;
                Ok(format!("({}({above} AND {below}))", not(*negated)))
            }
            Expr::Like { value, pattern, escape, negated } => self.like(value, pattern, escape.as_deref(), *negated),
            Expr::In { value, list: InList::Values(list), negated } => {
                let mut all = vec![self.expr(value)?];
                for item in list {
                    all.push(self.expr(item)?);
                }
                let kind = self.common_of(&all).unwrap_or(Type::Int);
                let exact = all.iter().any(|typed| typed.exact);
                let sides = all.iter().map(|typed| self.implicit(typed, loose(kind))).collect::<Compiled<Vec<_>>>()?;
                let left = if is_text(kind) { format!("({} COLLATE {})", sides[0], collation(exact)) } else { sides[0].clone() };
                Ok(format!("({left} {}IN ({}))", not(*negated), sides[1..].join(", ")))
            }
            Expr::In { value, list: InList::Query(query), negated } => {
                let value = self.expr(value)?;
                self.in_query(&value, query, *negated)
            }
            Expr::Exists(query) => {
                let body = self.scoped(|compiler| compiler.query(query, true, None))?;
                Ok(format!("EXISTS ({})", body.sql))
            }
            _ => {
                let text = "An expression of non-boolean type specified in a context where a condition is expected.";
                Err(message(4145, 15, text))
            }
        }
    }

    /// a = b and its kin.
    pub(super) fn comparison(&self, operator: BinaryOperator, left: &Typed, right: &Typed) -> Compiled<String> {
        let sign = match operator {
            BinaryOperator::Equal => "=",
            BinaryOperator::NotEqual => "<>",
            BinaryOperator::Less => "<",
            BinaryOperator::LessEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterEqual => ">=",
            _ => return Err(message(102, 15, "Incorrect syntax.")),
        };
        let (a, b, kind) = self.alike(left, right)?;
        let collate = if is_text(kind) { format!(" COLLATE {}", collation(left.exact || right.exact)) } else { String::new() };
        Ok(format!("({a} {sign} {b}{collate})"))
    }

    fn like(&mut self, value: &Expr, pattern: &Expr, escape: Option<&Expr>, negated: bool) -> Compiled<String> {
        let mut side = |expr: &Expr| {
            let typed = self.expr(expr)?;
            if typed.kind.is_none_or(is_text) { Ok(typed.sql) } else { self.implicit(&typed, Type::NVarChar(None)) }
        };
        let (value, pattern) = (side(value)?, side(pattern)?);
        let escape = escape.map_or_else(|| Ok("NULL".to_owned()), side)?;
        Ok(format!("({}ts_like({value}, {pattern}, {escape}))", not(negated)))
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

/// Texts are compared whatever their length.
fn loose(kind: Type) -> Type {
    if is_text(kind) { Type::NVarChar(None) } else { kind }
}

/// CAST.
pub(super) fn explicit(value: &Typed, to: Type, style: i64, attempt: bool) -> Typed {
    let function = if attempt { "ts_try_cast" } else { "ts_cast" };
    let sql = match value.kind {
        None => value.sql.clone(),
        Some(from) if from == to => value.sql.clone(),
        Some(from) => cast_call(function, &value.sql, from, to, style),
    };
    Typed { sql, kind: Some(to), ..value.clone() }
}

/// A whole number as written: int, or numeric where int is too small.
fn integer(whole: i64) -> Typed {
    if i32::try_from(whole).is_ok() {
        return Typed::new(if whole < 0 { format!("({whole})") } else { whole.to_string() }, Type::Int);
    }
    let digits = u8::try_from(whole.unsigned_abs().to_string().len()).unwrap_or(19);
    Typed::new(numeric_literal(i128::from(whole)), Type::Numeric(digits, 0))
}

fn decimal(text: &str) -> Compiled<Typed> {
    match (number::read(text), number::type_of(text)) {
        (Some((unscaled, _)), Some(kind)) => Ok(Typed::new(numeric_literal(unscaled), kind)),
        _ => Err(message(
            1007,
            15,
            format!("The number '{text}' is out of the range for numeric representation (maximum precision 38)."),
        )),
    }
}

fn numeric_literal(unscaled: i128) -> String {
    format!("X'{}'", crate::sql::text::hex(&numeric_bytes(unscaled)))
}

fn binary(bytes: &[u8]) -> Typed {
    let size = u16::try_from(bytes.len().max(1)).ok().filter(|size| *size <= 8000);
    Typed::new(format!("X'{}'", crate::sql::text::hex(bytes)), Type::VarBinary(size))
}

fn literal(text: &str, national: bool) -> Typed {
    let size = u16::try_from(units(text).max(1)).ok();
    if national {
        return Typed::new(quote_text(text), Type::NVarChar(size.filter(|size| *size <= 4000)));
    }
    // What is not in the code page is lost in a literal without N.
    Typed::new(quote_text(&crate::sql::text::in_code_page(text)), Type::VarChar(size.filter(|size| *size <= 8000)))
}
