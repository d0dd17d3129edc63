//! OUTPUT: SQLite's RETURNING shows a row as it is afterwards, or as it was when it is deleted. What an UPDATE shows of the rows before
//! it is read by a query that runs first.

use super::{
    Before, Compiled, Compiler, Typed, quote,
    scope::{Scope, SourceNames, column_of, same},
    walk::any,
};
use crate::{
    sql::{
        ast::{Expr, SelectItem},
        catalog::Table,
        message::message,
    },
    wire::{Column, Message},
};

/// An OUTPUT clause, compiled.
#[derive(Default)]
pub(super) struct Output {
    returning: String,
    columns: Vec<Column>,
    before: Option<Before>,
}

impl Compiler<'_> {
    /// `returned` names the rows that RETURNING shows. For an UPDATE, `earlier` is the source of its rows and the rest of a query, from
    /// FROM on, that finds them.
    pub(super) fn output(
        &mut self,
        items: &[SelectItem],
        table: &Table,
        returned: &str,
        earlier: Option<(&SourceNames, String)>,
    ) -> Result<Output, Message> {
        if items.is_empty() {
            return Ok(Output::default());
        }
        let mut output = Output::default();
        let (mut list, mut first, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            let of_earlier = earlier.as_ref().filter(|_| mentions(item, "deleted"));
            if of_earlier.is_some() && mentions(item, "inserted") {
                return Err(message(50_000, 16, "simulator: one expression of both inserted and deleted"));
            }
            let (alias, prefix) = match of_earlier {
                Some((source, _)) => ("deleted", source.prefix.clone()),
                None => (returned, String::new()),
            };
            let columns = table.columns.clone();
            let names = SourceNames { alias: alias.to_owned(), name: None, prefix, columns, table: None };
            for (typed, name) in self.output_item(item, &names)? {
                output.columns.push(column_of(&name, &typed));
                let place = output.columns.len();
                if of_earlier.is_some() {
                    first.push(typed.sql);
                    places.push(place - 1);
                    list.push("NULL".to_owned());
                } else {
                    list.push(format!("{} AS {}", typed.sql, quote(&format!("_{place}"))));
                }
            }
        }
        if let Some((source, rest)) = earlier.filter(|_| !first.is_empty()) {
            list.push("rowid".to_owned());
            // The last parameter may stand in the first query alone; SQLite wants every statement to have as many as it is given.
            if !self.parameters.is_empty() {
                list.push(format!("?{}", self.parameters.len()));
            }
            let sql = format!("SELECT {}rowid, {}{rest}", source.prefix, first.join(", "));
            output.before = Some(Before { sql, places });
        }
        output.returning = format!(" RETURNING {}", list.join(", "));
        Ok(output)
    }

    fn output_item(&mut self, item: &SelectItem, names: &SourceNames) -> Result<Vec<(Typed, String)>, Message> {
        match item {
            SelectItem::All(Some(wanted)) if same(wanted, &names.alias) => {
                Ok(names.columns.iter().map(|column| (names.typed(column), column.name.clone())).collect())
            }
            SelectItem::Value { value, alias } => {
                // Columns say which of the two rows they are of.
                if any(value, &|part| matches!(part, Expr::Column(parts) if parts.len() == 1)) {
                    return Err(message(207, 16, "Invalid column name: OUTPUT takes those of inserted and deleted."));
                }
                let natural = match value {
                    Expr::Column(parts) => parts.last().cloned(),
                    _ => None,
                };
                let scopes = std::mem::replace(&mut self.scopes, vec![Scope { sources: vec![names.clone()] }]);
                let typed = self.expr(value);
                self.scopes = scopes;
                Ok(vec![(typed?, alias.clone().or(natural).unwrap_or_default())])
            }
            SelectItem::All(Some(other)) => {
                let text =
                    format!("The column prefix '{other}' does not match with a table name or alias name used in the query.");
                Err(message(107, 15, text))
            }
            _ => Err(message(102, 15, "Incorrect syntax near '*'.")),
        }
    }

    pub(super) fn with_output(self, sql: String, output: Output, table: String) -> Compiled {
        let compiled = self.finish(format!("{sql}{}", output.returning), output.columns, Some(table));
        Compiled { before: output.before, ..compiled }
    }
}

/// Does a column of the row of this name stand in it?
fn mentions(item: &SelectItem, row: &str) -> bool {
    match item {
        SelectItem::All(name) => name.as_ref().is_some_and(|name| same(name, row)),
        SelectItem::Value { value, .. } | SelectItem::Assign { value, .. } => {
            any(value, &|part| matches!(part, Expr::Column(parts) if parts.len() == 2 && same(&parts[0], row)))
        }
    }
}
