//! A look through an expression.

use super::function::WITH_UNIT;
use crate::sql::ast::{Expr, InList};

/// Does `test` hold for the expression or a part of it, outside subqueries?
pub(super) fn any(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    let within = |part: &Expr| any(part, test);
    let maybe = |part: Option<&Expr>| part.is_some_and(within);
    test(expr)
        || match expr {
            Expr::Function { name, arguments, .. } => {
                let units = usize::from(name.schema.is_empty() && WITH_UNIT.contains(&name.name.as_str()));
                arguments.iter().skip(units).any(within)
            }
            Expr::Unary { value, .. }
            | Expr::Not(value)
            | Expr::IsNull { value, .. }
            | Expr::Cast { value, .. }
            | Expr::Collate { value, .. }
            | Expr::In { value, list: InList::Query(_), .. } => within(value),
            Expr::Convert { value, style, .. } => within(value) || maybe(style.as_deref()),
            Expr::Operation { left, right, .. } => within(left) || within(right),
            Expr::In { value, list: InList::Values(list), .. } => within(value) || list.iter().any(within),
            Expr::Between { value, low, high, .. } => within(value) || within(low) || within(high),
            Expr::Like { value, pattern, escape, .. } => within(value) || within(pattern) || maybe(escape.as_deref()),
            Expr::Case { operand, branches, otherwise } => {
                maybe(operand.as_deref())
                    || branches.iter().any(|(when, then)| within(when) || within(then))
                    || maybe(otherwise.as_deref())
            }
            Expr::RowNumber { partition_by, order_by } => {
                partition_by.iter().any(within) || order_by.iter().any(|(value, _)| within(value))
            }
            _ => false,
        }
}
