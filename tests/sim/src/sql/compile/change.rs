//! INSERT, UPDATE, DELETE, TRUNCATE TABLE.

use super::{
    Compiled, Compiler, Typed,
    query::{Naming, Target},
    quote, quote_text,
    scope::{SourceNames, no_object, same},
    split_name,
};
use crate::{
    sql::{
        TableColumn,
        ast::{Delete, Expr, Insert, InsertSource, Kind, ObjectName, Source, Update},
        catalog::Table,
        message::message,
        parse,
    },
    wire::Message,
};

impl Compiler<'_> {
    pub(super) fn insert(mut self, insert: &Insert) -> Result<Compiled, Message> {
        let table = self.own_table(&insert.table)?;
        let explicit = self.context.catalog.identity_insert(&table.sqlite);
        let mut columns = match insert.source {
            InsertSource::Default => Vec::new(),
            _ => self.insert_columns(insert, &table, explicit)?,
        };
        let mut sources = Vec::new();
        let targets: Vec<Target> = columns.iter().map(|column| target(insert, column)).collect();
        // Columns that are not given have their defaults; those of SQLite would not be logged.
        let missing: Vec<&TableColumn> = table
            .columns
            .iter()
            .filter(|column| !column.identity && column.default.is_some())
            .filter(|column| !columns.iter().any(|given| same(&given.name, &column.name)))
            .collect();
        match &insert.source {
            InsertSource::Values(rows) => {
                for row in rows {
                    if row.len() != columns.len() {
                        return Err(message(
                            213,
                            16,
                            "Column name or number of supplied values does not match table definition.",
                        ));
                    }
                    let mut values = Vec::new();
                    for ((value, column), target) in row.iter().zip(&columns).zip(&targets) {
                        values.push(self.column_value(value, column, target)?);
                    }
                    for column in &missing {
                        values.push(self.column_value(&Expr::Default, column, &target(insert, column))?);
                    }
                    sources.push(format!("({})", values.join(", ")));
                }
                columns.extend(missing);
            }
            InsertSource::Default => {
                let mut values = Vec::new();
                for column in &missing {
                    values.push(self.column_value(&Expr::Default, column, &target(insert, column))?);
                }
                columns = missing;
                sources.push(format!("({})", values.join(", ")));
            }
            InsertSource::Query(query) => {
                let body = self.scoped(|compiler| compiler.named_query(query, Naming::Positions, Some(&targets)))?;
                let mut list: Vec<String> = (1..=columns.len()).map(|at| format!("\"_{at}\"")).collect();
                for column in &missing {
                    list.push(self.column_value(&Expr::Default, column, &target(insert, column))?);
                }
                let sql = if missing.is_empty() { body.sql } else { format!("SELECT {} FROM ({})", list.join(", "), body.sql) };
                columns.extend(missing);
                sources.push(sql);
            }
            InsertSource::Execute(_) => return Err(message(50_000, 16, "simulator: INSERT of EXEC is not compiled")),
        }
        let names = columns.iter().map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ");
        let sql = match &insert.source {
            InsertSource::Query(_) => format!("INSERT INTO {} ({names}) {}", table.sqlite, sources.concat()),
            _ if columns.is_empty() => format!("INSERT INTO {} DEFAULT VALUES", table.sqlite),
            _ => format!("INSERT INTO {} ({names}) VALUES {}", table.sqlite, sources.join(", ")),
        };
        let output = self.output(&insert.output, &table, "inserted", None)?;
        Ok(self.with_output(sql, output, table.sqlite))
    }

    /// The columns that are given, in order; those of IDENTITY_INSERT are checked.
    fn insert_columns<'t>(&self, insert: &Insert, table: &'t Table, explicit: bool) -> Result<Vec<&'t TableColumn>, Message> {
        if insert.columns.is_empty() {
            if explicit && table.columns.iter().any(|column| column.identity) {
                let text = format!(
                    "An explicit value for the identity column in table '{}' can only be specified when a column list is used and \
                     IDENTITY_INSERT is ON.",
                    insert.table.name
                );
                return Err(message(8101, 16, text));
            }
            return Ok(table.columns.iter().filter(|column| !column.identity).collect());
        }
        let mut columns: Vec<&TableColumn> = Vec::new();
        for name in &insert.columns {
            let column = named_column(table, name)?;
            if columns.iter().any(|before| same(&before.name, &column.name)) {
                let text = format!(
                    "The column name '{name}' is specified more than once in the SET clause or column list of an INSERT."
                );
                return Err(message(264, 16, text));
            }
            if column.identity && !explicit {
                let text = format!(
                    "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF.",
                    insert.table.name
                );
                return Err(message(544, 16, text));
            }
            columns.push(column);
        }
        if explicit && table.columns.iter().any(|column| column.identity) && !columns.iter().any(|column| column.identity) {
            let text = format!(
                "Explicit value must be specified for identity column in table '{}' either when IDENTITY_INSERT is set to ON or when a \
                 replication user is inserting into a NOT FOR REPLICATION identity column.",
                insert.table.name
            );
            return Err(message(545, 16, text));
        }
        Ok(columns)
    }

    /// A value as its column stores it; DEFAULT is what the table says.
    fn column_value(&mut self, value: &Expr, column: &TableColumn, target: &Target) -> Result<String, Message> {
        let typed = match value {
            Expr::Default => self.default_of(column)?,
            value => self.expr(value)?,
        };
        self.stored(&typed, target.kind, target.label.as_deref().unwrap_or_default())
    }

    fn default_of(&mut self, column: &TableColumn) -> Result<Typed, Message> {
        let Some(text) = &column.default else { return Ok(Typed::null()) };
        // It was read when the table was made, as an expression.
        match parse(&format!("PRINT {text}"))?.pop().map(|statement| statement.kind) {
            Some(Kind::Print(expr)) => self.expr(&expr),
            _ => Ok(Typed::null()),
        }
    }

    pub(super) fn update(mut self, update: &Update) -> Result<Compiled, Message> {
        let from = update.from.as_ref().map(|from| self.source(from)).transpose()?;
        let (table, target) = self.target(&update.table, update.from.as_ref(), from.is_some())?;
        let mut set: Vec<String> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for item in &update.set {
            let column = named_column(&table, &item.column)?;
            if column.identity {
                return Err(message(8102, 16, format!("Cannot update identity column '{}'.", column.name)));
            }
            if seen.iter().any(|before| same(before, &column.name)) {
                let text = format!("The column name '{}' is specified more than once in the SET clause.", item.column);
                return Err(message(264, 16, text));
            }
            seen.push(&column.name);
            let value = match (&item.value, item.operator) {
                (Expr::Default, _) => self.default_of(column)?,
                (value, None) => self.expr(value)?,
                (value, Some(operator)) => {
                    let value = self.expr(value)?;
                    self.arithmetic(operator, &target.typed(column), &value)?
                }
            };
            let label = format!("{}.{}", update.table.name, column.name);
            set.push(format!("{} = {}", quote(&column.name), self.stored(&value, column.kind, &label)?));
        }
        let filter = update.filter.as_ref().map(|filter| self.condition(filter)).transpose()?;
        let rows = update.top.as_ref().map(|top| self.rows(top)).transpose()?;
        let set = set.join(", ");
        let name = &table.sqlite;
        let row = target.prefix.trim_end_matches('.');
        let whole = from.clone().unwrap_or_else(|| format!("{name} AS {row}"));
        let limit = rows.as_ref().map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
        let before = format!(" FROM {whole}{}{limit}", where_of(filter.clone()));
        let own = if from.is_some() { self.next_source() } else { row.to_owned() };
        // With FROM the table stands there too, under its own name, and its rows are found by their rowid.
        let mut conditions: Vec<String> = filter.into_iter().collect();
        if from.is_some() {
            conditions.push(format!("{own}.rowid = {row}.rowid"));
        }
        if rows.is_some() {
            conditions.push(format!("{own}.rowid IN (SELECT {row}.rowid{before})"));
        }
        let from = from.map(|from| format!(" FROM {from}")).unwrap_or_default();
        let filter = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        let sql = format!("UPDATE {name} AS {own} SET {set}{from}{}", where_of(filter));
        let output = self.output(&update.output, &table, "inserted", Some((&target, before)))?;
        Ok(self.with_output(sql, output, table.sqlite))
    }

    pub(super) fn delete(mut self, delete: &Delete) -> Result<Compiled, Message> {
        let from = delete.from.as_ref().map(|from| self.source(from)).transpose()?;
        let (table, target) = self.target(&delete.table, delete.from.as_ref(), from.is_some())?;
        let filter = delete.filter.as_ref().map(|filter| self.condition(filter)).transpose()?;
        let rows = delete.top.as_ref().map(|top| self.rows(top)).transpose()?;
        let name = &table.sqlite;
        let row = target.prefix.trim_end_matches('.');
        let sql = if from.is_none() && rows.is_none() {
            format!("DELETE FROM {name} AS {row}{}", where_of(filter))
        } else {
            let from = from.unwrap_or_else(|| format!("{name} AS {row}"));
            let limit = rows.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
            format!("DELETE FROM {name} WHERE rowid IN (SELECT {row}.rowid FROM {from}{}{limit})", where_of(filter))
        };
        let output = self.output(&delete.output, &table, "deleted", None)?;
        Ok(self.with_output(sql, output, table.sqlite))
    }

    /// The table that UPDATE or DELETE means: a source of FROM by its alias or name, or else the table itself.
    fn target(&mut self, name: &ObjectName, from: Option<&Source>, joined: bool) -> Result<(Table, SourceNames), Message> {
        if from.is_some() {
            let by_alias =
                |source: &&SourceNames| same(&source.alias, &name.name) && (source.name.is_some() || name.schema.is_empty());
            let found = self.scope().sources.iter().find(by_alias).cloned();
            if let Some(source) = found {
                let Some(table) = source.table.clone() else {
                    let text = format!(
                        "Derived table '{}' is not updatable because a column of the derived table is derived.",
                        name.name
                    );
                    return Err(message(4421, 16, text));
                };
                if table.system {
                    return Err(message(259, 16, "Ad hoc updates to system catalogs are not allowed."));
                }
                return Ok((table, source));
            }
        }
        if joined {
            // A table that FROM does not name would be multiplied with it: the documentation forbids nothing, the simulator does.
            return Err(no_object(name));
        }
        let table = self.own_table(name)?;
        self.table_source(table.clone(), name, None);
        let source = self.scope().sources.last().cloned();
        source.map(|source| (table, source)).ok_or_else(|| no_object(name))
    }

    pub(super) fn truncate(mut self, name: &ObjectName) -> Result<Compiled, Message> {
        let table = self.own_table(name)?;
        let (schema, bare) = split_name(&table.sqlite);
        let mut compiled = self.finish(format!("DELETE FROM {}", table.sqlite), Vec::new(), Some(table.sqlite.clone()));
        // IDENTITY starts anew.
        if table.columns.iter().any(|column| column.identity) {
            compiled.also.push(format!("DELETE FROM {schema}sqlite_sequence WHERE name = {}", quote_text(&bare)));
        }
        Ok(compiled)
    }
}

fn target(insert: &Insert, column: &TableColumn) -> Target {
    Target { kind: column.kind, label: Some(format!("{}.{}", insert.table.name, column.name)) }
}

fn named_column<'t>(table: &'t Table, name: &str) -> Result<&'t TableColumn, Message> {
    let found = table.columns.iter().find(|column| same(&column.name, name));
    found.ok_or_else(|| message(207, 16, format!("Invalid column name '{name}'.")))
}

fn where_of(filter: Option<String>) -> String {
    filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default()
}
