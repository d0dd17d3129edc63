//! Names of columns: which source they belong to.

use super::{Compiler, Typed, quote};
use crate::{
    sql::{TableColumn, ast::ObjectName, catalog::Table, message::message},
    wire::{Column, Message},
};

/// The sources of one FROM.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) sources: Vec<SourceNames>,
}

/// What can be named of a source.
#[derive(Clone, Debug)]
pub(super) struct SourceNames {
    /// Its alias, or the last part of its name.
    pub(super) alias: String,
    /// Its whole name, where it has no alias.
    pub(super) name: Option<ObjectName>,
    /// What stands before its columns in SQLite: `s1.`, or nothing.
    pub(super) prefix: String,
    /// Its columns.
    pub(super) columns: Vec<TableColumn>,
    /// The table, where it is one.
    pub(super) table: Option<Table>,
}

impl SourceNames {
    /// A source of columns that were computed.
    pub(super) fn computed(alias: &str, prefix: String, columns: &[Column]) -> Self {
        let columns = columns.iter().map(|column| TableColumn::new(&column.name, column.kind)).collect();
        Self { alias: alias.to_owned(), name: None, prefix, columns, table: None }
    }

    pub(super) fn typed(&self, column: &TableColumn) -> Typed {
        Typed { constant: false, ..Typed::new(format!("{}{}", self.prefix, quote(&column.name)), column.kind) }
    }

    /// Does `t`, `dbo.t` or `db.dbo.t` before a column mean this source?
    fn is_meant_by(&self, qualifier: &[String]) -> bool {
        let Some((last, before)) = qualifier.split_last() else { return true };
        if !same(last, &self.alias) {
            return false;
        }
        let Some(name) = &self.name else { return before.is_empty() };
        let written = [&name.schema, &name.database, &name.server];
        // What the source leaves out is not compared: the default could be either.
        before.iter().rev().zip(written).all(|(asked, written)| written.is_empty() || asked.is_empty() || same(asked, written))
    }
}

/// Names are compared without their case.
pub(super) fn same(a: &str, b: &str) -> bool {
    crate::sql::text::compare(a, b).is_eq()
}

impl Compiler<'_> {
    /// A number that no other source has.
    pub(super) fn next_source(&mut self) -> String {
        self.sources += 1;
        format!("s{}", self.sources)
    }

    pub(super) fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// Runs `inner` with a FROM of its own; what is outside stays visible.
    pub(super) fn scoped<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Message>) -> Result<T, Message> {
        self.scopes.push(Scope::default());
        let outer = (self.groups.take(), self.ungrouped);
        let result = inner(self);
        (self.groups, self.ungrouped) = outer;
        self.scopes.pop();
        result
    }

    /// The column that a name means.
    pub(super) fn column(&mut self, parts: &[String]) -> Result<Typed, Message> {
        let Some((name, qualifier)) = parts.split_last() else { return Err(unknown(parts)) };
        for (depth, scope) in self.scopes.iter().rev().enumerate() {
            let mut found = scope.sources.iter().filter(|source| source.is_meant_by(qualifier)).flat_map(|source| {
                source.columns.iter().filter(|column| same(&column.name, name)).map(move |column| (source, column))
            });
            let Some((source, column)) = found.next() else {
                // A source that is meant and has no such column hides those outside.
                let hidden = !qualifier.is_empty() && scope.sources.iter().any(|source| source.is_meant_by(qualifier));
                if hidden {
                    return Err(message(207, 16, format!("Invalid column name '{name}'.")));
                }
                continue;
            };
            if found.next().is_some() {
                return Err(message(209, 16, format!("Ambiguous column name '{name}'.")));
            }
            let typed = source.typed(column);
            if depth == 0 {
                self.check_grouped(&typed, &source.alias, &column.name)?;
            }
            return Ok(typed);
        }
        Err(unknown(parts))
    }

    /// With groups, a column stands in GROUP BY or in an aggregate.
    pub(super) fn check_grouped(&self, typed: &Typed, table: &str, column: &str) -> Result<(), Message> {
        let Some(groups) = &self.groups else { return Ok(()) };
        if groups.contains(&typed.sql) {
            return Ok(());
        }
        let (number, place) = self.ungrouped;
        let text = format!(
            "Column '{table}.{column}' is invalid in the {place} because it is not contained in either an aggregate function or the \
             GROUP BY clause."
        );
        Err(message(number, 16, text))
    }
}

fn unknown(parts: &[String]) -> Message {
    match parts {
        [name] => message(207, 16, format!("Invalid column name '{name}'.")),
        _ => message(4104, 16, format!("The multi-part identifier \"{}\" could not be bound.", parts.join("."))),
    }
}

/// 208
pub(super) fn no_object(name: &ObjectName) -> Message {
    message(208, 16, format!("Invalid object name '{}'.", written(name)))
}

/// A name as it was written.
pub(super) fn written(name: &ObjectName) -> String {
    let parts = [&name.server, &name.database, &name.schema, &name.name];
    let first = parts.iter().position(|part| !part.is_empty()).unwrap_or(3);
    parts[first..].iter().map(|part| part.as_str()).collect::<Vec<_>>().join(".")
}

/// The type of a column for the wire; NULL as written is int.
pub(super) fn column_of(name: &str, typed: &Typed) -> Column {
    Column { name: name.to_owned(), kind: typed.or_int() }
}
