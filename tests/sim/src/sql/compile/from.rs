//! FROM: tables, functions that return tables, derived tables, joins.

use super::{
    Compiler, evaluate,
    query::Naming,
    quote,
    scope::{SourceNames, no_object},
};
use crate::{
    sql::{
        ast::{Expr, JoinKind, ObjectName, Query, Source},
        catalog::Table,
        message::message,
    },
    wire::{Column, Message, Type},
};

impl Compiler<'_> {
    /// The text of a source; its names are visible from here on.
    pub(super) fn source(&mut self, source: &Source) -> Result<String, Message> {
        match source {
            Source::Table { name, alias, .. } => {
                let table = self.table(name)?;
                Ok(self.table_source(table, name, alias.as_deref()))
            }
            Source::Function { name, arguments, alias } => {
                // Its arguments are constants: there is no APPLY.
                let values = arguments.iter().map(|argument| evaluate(&self.context, argument)).collect::<Result<Vec<_>, _>>()?;
                let table = self.context.catalog.table_function(name, &values)?.ok_or_else(|| no_object(name))?;
                self.reads_system = true;
                Ok(self.table_source(table, name, alias.as_deref()))
            }
            Source::Bulk { path, form, alias } => {
                let table = self.context.catalog.bulk(path, form)?;
                self.reads_system = true;
                Ok(self.table_source(table, &ObjectName::default(), Some(alias)))
            }
            Source::Derived { query, alias, columns } => self.derived(query, alias, columns),
            Source::Values { rows, alias, columns } => self.values(rows, alias, columns),
            Source::Join { left, right, kind, on } => {
                let left = self.source(left)?;
                let nested = matches!(**right, Source::Join { .. });
                let right = self.source(right)?;
                let right = if nested { format!("({right})") } else { right };
                let word = match kind {
                    JoinKind::Inner => "JOIN",
                    JoinKind::Left => "LEFT JOIN",
                    JoinKind::Right => "RIGHT JOIN",
                    JoinKind::Full => "FULL JOIN",
                    JoinKind::Cross => "CROSS JOIN",
                };
                let on = on.as_ref().map(|on| Ok(format!(" ON {}", self.condition(on)?))).transpose()?.unwrap_or_default();
                Ok(format!("{left} {word} {right}{on}"))
            }
        }
    }

    /// The table that a name means (208 where there is none).
    pub(super) fn table(&mut self, name: &ObjectName) -> Result<Table, Message> {
        let table = self.context.catalog.table(name)?.ok_or_else(|| no_object(name))?;
        self.reads_system |= table.system;
        Ok(table)
    }

    /// A table that will be changed.
    pub(super) fn own_table(&mut self, name: &ObjectName) -> Result<Table, Message> {
        let table = self.table(name)?;
        if table.system {
            return Err(message(259, 16, "Ad hoc updates to system catalogs are not allowed."));
        }
        Ok(table)
    }

    pub(super) fn table_source(&mut self, table: Table, name: &ObjectName, alias: Option<&str>) -> String {
        let id = self.next_source();
        let sql = format!("{} AS {id}", table.sqlite);
        self.scope().sources.push(SourceNames {
            alias: alias.unwrap_or(&name.name).to_owned(),
            name: alias.is_none().then(|| name.clone()),
            prefix: format!("{id}."),
            columns: table.columns.clone(),
            table: Some(table),
        });
        sql
    }

    /// (SELECT …) AS x: what stands beside it is not visible in it.
    fn derived(&mut self, query: &Query, alias: &str, columns: &[String]) -> Result<String, Message> {
        let beside = std::mem::take(self.scope());
        let naming = if columns.is_empty() { Naming::Names } else { Naming::Given(columns) };
        let body = self.scoped(|compiler| compiler.named_query(query, naming, None));
        *self.scope() = beside;
        let body = body?;
        for (at, column) in body.columns.iter().enumerate() {
            if column.name.is_empty() {
                return Err(message(8155, 16, format!("No column name was specified for column {} of '{alias}'.", at + 1)));
            }
            if body.columns[..at].iter().any(|before| super::scope::same(&before.name, &column.name)) {
                return Err(message(
                    8156,
                    16,
                    format!("The column '{}' was specified multiple times for '{alias}'.", column.name),
                ));
            }
        }
        Ok(self.computed(&body.sql, alias, &body.wire()))
    }

    fn computed(&mut self, sql: &str, alias: &str, columns: &[Column]) -> String {
        let id = self.next_source();
        self.scope().sources.push(SourceNames::computed(alias, format!("{id}."), columns));
        format!("({sql}) AS {id}")
    }

    /// (VALUES (…), (…)) AS x (a, b)
    fn values(&mut self, rows: &[Vec<Expr>], alias: &str, columns: &[String]) -> Result<String, Message> {
        let beside = std::mem::take(self.scope());
        let mut row_of = |row: &Vec<Expr>| row.iter().map(|value| self.expr(value)).collect::<Result<Vec<_>, _>>();
        let typed = rows.iter().map(&mut row_of).collect::<Result<Vec<_>, _>>();
        *self.scope() = beside;
        let typed = typed?;
        if typed.iter().any(|row| row.len() != typed[0].len()) {
            let text = "The number of columns for each row in a table value constructor must be the same.";
            return Err(message(10709, 16, text));
        }
        if typed[0].len() != columns.len() {
            let (number, word) = if typed[0].len() > columns.len() { (8158, "more") } else { (8159, "fewer") };
            return Err(message(number, 16, format!("'{alias}' has {word} columns than were specified in the column list.")));
        }
        let kinds: Vec<Type> =
            (0..columns.len()).map(|at| self.common_of(typed.iter().map(|row| &row[at])).unwrap_or(Type::Int)).collect();
        let mut selects = Vec::new();
        for row in &typed {
            let items = row
                .iter()
                .zip(&kinds)
                .zip(columns)
                .map(|((value, kind), name)| Ok(format!("{} AS {}", self.implicit(value, *kind)?, quote(name))));
            selects.push(format!("SELECT {}", items.collect::<Result<Vec<_>, Message>>()?.join(", ")));
        }
        let columns: Vec<Column> = columns.iter().zip(kinds).map(|(name, kind)| Column { name: name.clone(), kind }).collect();
        Ok(self.computed(&selects.join(" UNION ALL "), alias, &columns))
    }
}
