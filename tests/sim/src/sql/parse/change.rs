//! INSERT, UPDATE, DELETE, TRUNCATE.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{Delete, Expr, Insert, InsertSource, Kind, SetItem, Update},
    message::message,
};

impl Parser<'_> {
    pub(super) fn insert(&mut self) -> Parsed<Kind> {
        self.skip();
        self.accept("INTO");
        let table = self.object_name()?;
        let hints = self.hints()?;
        let columns = if self.is_symbol("(") { self.identifiers()? } else { Vec::new() };
        let output = self.output()?;
        let line = self.line();
        let source = if self.accept("VALUES") {
            let rows = self.list(|parser| parser.in_parentheses(Self::value_or_default))?;
            let width = if columns.is_empty() { rows[0].len() } else { columns.len() };
            if let Some(row) = rows.iter().find(|row| row.len() != width) {
                return Self::wrong_at(line, wrong_width(columns.len(), row.len()));
            }
            InsertSource::Values(rows)
        } else if self.accept("DEFAULT") {
            self.expect("VALUES")?;
            InsertSource::Default
        } else if self.is_word("SELECT") || self.is_symbol("(") {
            InsertSource::Query(Box::new(self.query()?))
        } else if self.one_of(&["EXEC", "EXECUTE"]).is_some() {
            InsertSource::Execute(self.execute()?)
        } else {
            return self.unexpected();
        };
        Ok(Kind::Insert(Insert { table, hints, columns, output, source }))
    }

    fn value_or_default(&mut self) -> Parsed<Expr> {
        if self.accept("DEFAULT") { Ok(Expr::Default) } else { self.scalar() }
    }

    pub(super) fn update(&mut self) -> Parsed<Kind> {
        self.skip();
        let top = self.top()?;
        let table = self.object_name()?;
        let hints = self.hints()?;
        self.expect("SET")?;
        let set = self.list(|parser| {
            let mut column = parser.identifier()?;
            // `SET t.a = …`: the column is what counts.
            while parser.accept_symbol(".") {
                column = parser.identifier()?;
            }
            let operator = parser.assignment()?;
            Ok(SetItem { column, operator, value: parser.value_or_default()? })
        })?;
        let output = self.output()?;
        let from = if self.accept("FROM") { Some(self.sources()?) } else { None };
        Ok(Kind::Update(Update { top, table, hints, set, output, from, filter: self.filter()? }))
    }

    pub(super) fn delete(&mut self) -> Parsed<Kind> {
        self.skip();
        let top = self.top()?;
        self.accept("FROM");
        let table = self.object_name()?;
        let hints = self.hints()?;
        let output = self.output()?;
        let from = if self.accept("FROM") { Some(self.sources()?) } else { None };
        Ok(Kind::Delete(Delete { top, table, hints, output, from, filter: self.filter()? }))
    }

    pub(super) fn truncate(&mut self) -> Parsed<Kind> {
        self.skip();
        self.expect("TABLE")?;
        self.object_name().map(Kind::TruncateTable)
    }
}

/// How many values there are, and how many there should be. Without a list of columns the rows have to agree with each other (10709).
fn wrong_width(columns: usize, values: usize) -> crate::wire::Message {
    if columns == 0 {
        let text = "The number of columns for each row in a table value constructor must be the same.";
        return message(10709, 16, text);
    }
    let (number, which) = if columns > values { (109, "more") } else { (110, "fewer") };
    let text = format!(
        "There are {which} columns in the INSERT statement than values specified in the VALUES clause. The number of values in the \
         VALUES clause must match the number of columns specified in the INSERT statement."
    );
    message(number, 15, text)
}
