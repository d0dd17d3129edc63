//! CREATE TABLE, CREATE INDEX, DROP TABLE.

use super::{
    Compiled, Compiler, quote, quote_text,
    scope::{Scope, SourceNames, written},
    split_name,
};
use crate::{
    sql::{
        TableColumn,
        ast::{ColumnDefinition, ConstraintKind, CreateIndex, CreateTable, Expr, ObjectName},
        catalog::Table,
        message::message,
        value::declaration,
    },
    wire::{Message, Type},
};

impl Compiler<'_> {
    pub(super) fn create_table(mut self, create: &CreateTable) -> Result<(Compiled, Table), Message> {
        let sqlite = self.context.catalog.new_table(&create.name)?;
        let keys: Vec<&str> = create
            .constraints
            .iter()
            .filter_map(|constraint| match &constraint.kind {
                ConstraintKind::PrimaryKey(columns) => Some(columns),
                _ => None,
            })
            .flatten()
            .map(String::as_str)
            .collect();
        let mut table = Table { sqlite, columns: Vec::new(), system: false };
        let mut parts = Vec::new();
        let mut seed = None;
        for column in &create.columns {
            self.check_column(column, create)?;
            let key = keys.iter().any(|key| super::scope::same(key, &column.name));
            let nullable = column.nullable.unwrap_or(true) && !key && column.identity.is_none();
            let exact = column.collation.as_ref().is_some_and(|name| name.to_ascii_uppercase().contains("_CS_"));
            parts.push(if let Some((first, _)) = column.identity {
                seed = Some(first);
                // The rowid counts by itself, never gives a number twice, and is what RETURNING shows.
                format!("{} INTEGER PRIMARY KEY AUTOINCREMENT", quote(&column.name))
            } else {
                let declared = declaration(column.kind);
                let declared = if exact { declared.replace("TSQL", "TSQL_CS") } else { declared.to_owned() };
                format!("{} {declared}{}", quote(&column.name), if nullable { "" } else { " NOT NULL" })
            });
            table.columns.push(TableColumn {
                name: column.name.clone(),
                kind: column.kind,
                nullable,
                identity: column.identity.is_some(),
                default: column.default.as_ref().map(|(_, text)| text.clone()),
            });
        }
        for constraint in &create.constraints {
            let name = constraint.name.as_ref().map(|name| format!("CONSTRAINT {} ", quote(name))).unwrap_or_default();
            if let Some(part) = self.constraint(&constraint.kind, create, &table)? {
                parts.push(format!("{name}{part}"));
            }
        }
        let sql = format!("CREATE TABLE {} ({})", table.sqlite, parts.join(", "));
        let mut compiled = self.finish(sql, Vec::new(), Some(table.sqlite.clone()));
        if let Some(before) = seed.and_then(|seed| seed.checked_sub(1)).filter(|before| *before != 0) {
            let (schema, bare) = split_name(&table.sqlite);
            let row = format!("INSERT INTO {schema}sqlite_sequence (name, seq) VALUES ({}, {before})", quote_text(&bare));
            compiled.also.push(row);
        }
        Ok((compiled, table))
    }

    fn check_column(&mut self, column: &ColumnDefinition, create: &CreateTable) -> Result<(), Message> {
        if let Some((_, step)) = column.identity {
            let whole = matches!(column.kind, Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt | Type::Numeric(_, 0));
            if !whole {
                let text = format!(
                    "Identity column '{}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, \
                     unencrypted, and constrained to be nonnullable.",
                    column.name
                );
                return Err(message(2749, 16, text));
            }
            if step != 1 || matches!(column.kind, Type::Numeric(..)) {
                return Err(message(50_000, 16, "simulator: IDENTITY counts by 1, in whole types"));
            }
            if column.nullable == Some(true) {
                let text = format!(
                    "Could not create IDENTITY attribute on nullable column '{}', table '{}'.",
                    column.name, create.name.name
                );
                return Err(message(8147, 16, text));
            }
        }
        // A default that is no value is found now and not at the first INSERT.
        if let Some((default, _)) = &column.default {
            let typed = self.expr(default)?;
            self.stored(&typed, column.kind, "")?;
            self.parameters.clear();
            self.bound.clear();
        }
        Ok(())
    }

    fn constraint(&mut self, kind: &ConstraintKind, create: &CreateTable, table: &Table) -> Result<Option<String>, Message> {
        let identity = table.columns.iter().find(|column| column.identity).map(|column| column.name.as_str());
        Ok(Some(match kind {
            ConstraintKind::PrimaryKey(columns) => {
                let columns = known(columns, table, create)?;
                match (identity, columns.as_slice()) {
                    // It is the rowid already.
                    (Some(identity), [only]) if identity == only => return Ok(None),
                    (Some(_), _) => format!("UNIQUE ({})", list(&columns)),
                    (None, _) => format!("PRIMARY KEY ({})", list(&columns)),
                }
            }
            ConstraintKind::Unique(columns) => {
                let columns = known(columns, table, create)?;
                match (identity, columns.as_slice()) {
                    (Some(identity), [only]) if identity == only => return Ok(None),
                    _ => format!("UNIQUE ({})", list(&columns)),
                }
            }
            ConstraintKind::Check(condition) => format!("CHECK {}", self.check(condition, table)?),
            ConstraintKind::ForeignKey { columns, table: other, references } => {
                let columns = known(columns, table, create)?;
                let parent = if other.name == create.name.name { table.clone() } else { self.table(other)? };
                let references = if references.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", list(&known(references, &parent, create)?))
                };
                // SQLite looks for the parent in the schema of the child.
                let (_, bare) = split_name(&parent.sqlite);
                format!("FOREIGN KEY ({}) REFERENCES {}{references}", list(&columns), quote(&bare))
            }
        }))
    }

    fn check(&mut self, condition: &Expr, table: &Table) -> Result<String, Message> {
        let names =
            SourceNames { alias: String::new(), name: None, prefix: String::new(), columns: table.columns.clone(), table: None };
        self.scopes.push(Scope { sources: vec![names] });
        let sql = self.condition(condition);
        self.scopes.pop();
        let sql = sql?;
        if self.parameters.is_empty() {
            return Ok(format!("({sql})"));
        }
        Err(message(50_000, 16, "simulator: CHECK of a clock, a variable or the instance"))
    }

    pub(super) fn create_index(mut self, index: &CreateIndex) -> Result<Compiled, Message> {
        let table = self.own_table(&index.table)?;
        let (schema, bare) = split_name(&table.sqlite);
        let mut columns = Vec::new();
        for (name, down) in &index.columns {
            let found = table.columns.iter().find(|column| super::scope::same(&column.name, name));
            let Some(column) = found else {
                let text = format!("Column name '{name}' does not exist in the target table or view.");
                return Err(message(1911, 16, text));
            };
            columns.push(format!("{}{}", quote(&column.name), if *down { " DESC" } else { "" }));
        }
        let unique = if index.unique { "UNIQUE " } else { "" };
        // Names of indexes are a table's own in SQL Server and a schema's in SQLite.
        let name = quote(&format!("{bare}.{}", index.name));
        let sql = format!("CREATE {unique}INDEX {schema}{name} ON {} ({})", quote(&bare), columns.join(", "));
        Ok(self.finish(sql, Vec::new(), Some(table.sqlite.clone())))
    }

    pub(super) fn drop_tables(self, if_exists: bool, names: &[ObjectName]) -> Result<Compiled, Message> {
        let mut drops = Vec::new();
        let mut last = None;
        for name in names {
            match self.context.catalog.table(name)? {
                Some(table) if table.system => {
                    let text = format!(
                        "Cannot drop the table '{}', because it does not exist or you do not have permission.",
                        written(name)
                    );
                    return Err(message(3701, 11, text));
                }
                Some(table) => {
                    drops.push(format!("DROP TABLE {}", table.sqlite));
                    last = Some(table.sqlite);
                }
                None if if_exists => {}
                None => {
                    let text = format!(
                        "Cannot drop the table '{}', because it does not exist or you do not have permission.",
                        written(name)
                    );
                    return Err(Message { state: 5, ..message(3701, 11, text) });
                }
            }
        }
        let mut drops = drops.into_iter();
        let first = drops.next().unwrap_or_default();
        let mut compiled = self.finish(first, Vec::new(), last);
        compiled.also = drops.collect();
        Ok(compiled)
    }
}

/// The columns as the table writes them.
fn known(names: &[String], table: &Table, create: &CreateTable) -> Result<Vec<String>, Message> {
    let find = |name: &String| {
        let found = table.columns.iter().find(|column| super::scope::same(&column.name, name)).map(|column| column.name.clone());
        found.ok_or_else(|| {
            let text = format!("Column name '{name}' does not exist in the target table or view '{}'.", create.name.name);
            message(1911, 16, text)
        })
    };
    names.iter().map(find).collect()
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
}
