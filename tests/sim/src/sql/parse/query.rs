//! SELECT.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{Expr, JoinKind, Kind, Query, QueryBody, Select, SelectItem, SetOperator, Source},
    message::message,
    token::Token,
};

const HINTS: [&str; 18] = [
    "HOLDLOCK",
    "NOEXPAND",
    "NOLOCK",
    "NOWAIT",
    "PAGLOCK",
    "READCOMMITTED",
    "READCOMMITTEDLOCK",
    "READPAST",
    "READUNCOMMITTED",
    "REPEATABLEREAD",
    "ROWLOCK",
    "SERIALIZABLE",
    "SNAPSHOT",
    "TABLOCK",
    "TABLOCKX",
    "UPDLOCK",
    "XLOCK",
    "KEEPIDENTITY",
];

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Parsed<Kind> {
        let line = self.line();
        let query = self.query()?;
        let items = first_items(&query.body);
        let assigned = items.iter().filter(|item| matches!(item, SelectItem::Assign { .. })).count();
        if assigned == 0 {
            return Ok(Kind::Select(query));
        }
        if assigned < items.len() || matches!(query.body, QueryBody::Combine { .. }) {
            let text =
                "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.";
            return Self::wrong_at(line, message(141, 15, text));
        }
        Ok(Kind::SelectAssign(query))
    }

    /// A query with its order.
    pub(super) fn query(&mut self) -> Parsed<Query> {
        let body = self.nested(Self::union)?;
        let order_by = self.order_by()?;
        let (mut offset, mut fetch) = (None, None);
        if !order_by.is_empty() && self.accept("OFFSET") {
            offset = Some(self.scalar()?);
            self.rows()?;
            if self.accept("FETCH") {
                if self.one_of(&["NEXT", "FIRST"]).is_none() {
                    return self.unexpected();
                }
                fetch = Some(self.scalar()?);
                self.rows()?;
                self.expect("ONLY")?;
            }
        }
        Ok(Query { body, order_by, offset, fetch })
    }

    fn rows(&mut self) -> Parsed<()> {
        if self.one_of(&["ROW", "ROWS"]).is_some() { Ok(()) } else { self.unexpected() }
    }

    /// [ORDER BY …]; empty without.
    pub(super) fn order_by(&mut self) -> Parsed<Vec<(Expr, bool)>> {
        if !self.accept("ORDER") {
            return Ok(Vec::new());
        }
        self.expect("BY")?;
        self.list(|parser| {
            let value = parser.scalar()?;
            Ok((value, parser.one_of(&["ASC", "DESC"]) == Some("DESC")))
        })
    }

    /// UNION and EXCEPT, from left to right; INTERSECT binds more tightly.
    fn union(&mut self) -> Parsed<QueryBody> {
        let mut left = self.intersection()?;
        loop {
            let operator = match self.one_of(&["UNION", "EXCEPT"]) {
                Some("UNION") if self.accept("ALL") => SetOperator::UnionAll,
                Some("UNION") => SetOperator::Union,
                Some(_) => SetOperator::Except,
                None => return Ok(left),
            };
            let right = Box::new(self.intersection()?);
            left = QueryBody::Combine { left: Box::new(left), operator, right };
        }
    }

    fn intersection(&mut self) -> Parsed<QueryBody> {
        let mut left = self.one_select()?;
        while self.accept("INTERSECT") {
            let right = Box::new(self.one_select()?);
            left = QueryBody::Combine { left: Box::new(left), operator: SetOperator::Intersect, right };
        }
        Ok(left)
    }

    fn one_select(&mut self) -> Parsed<QueryBody> {
        if self.accept_symbol("(") {
            let body = self.nested(Self::union)?;
            self.expect_symbol(")")?;
            return Ok(body);
        }
        let line = self.line();
        self.expect("SELECT")?;
        let distinct = self.one_of(&["DISTINCT", "ALL"]) == Some("DISTINCT");
        let top = self.top()?;
        let items = self.list(Self::select_item)?;
        let from = if self.accept("FROM") { Some(self.sources()?) } else { None };
        let filter = self.filter()?;
        let mut group_by = Vec::new();
        if self.accept("GROUP") {
            self.expect("BY")?;
            group_by = self.list(Self::scalar)?;
        }
        let having = if self.accept("HAVING") { Some(self.condition()?) } else { None };
        Ok(QueryBody::Select(Box::new(Select { line, distinct, top, items, from, filter, group_by, having })))
    }

    /// [WHERE …]
    pub(super) fn filter(&mut self) -> Parsed<Option<Expr>> {
        if self.accept("WHERE") { self.condition().map(Some) } else { Ok(None) }
    }

    /// [TOP (n)]; a plain number needs no parentheses.
    pub(super) fn top(&mut self) -> Parsed<Option<Expr>> {
        if !self.accept("TOP") {
            return Ok(None);
        }
        if self.accept_symbol("(") {
            let count = self.scalar()?;
            self.expect_symbol(")")?;
            return Ok(Some(count));
        }
        self.whole().map(|count| Some(Expr::Integer(count)))
    }

    /// [OUTPUT …]
    pub(super) fn output(&mut self) -> Parsed<Vec<SelectItem>> {
        if !self.accept("OUTPUT") {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            // `name = value` is for SELECT alone.
            if parser.is_symbol_ahead(1, "=") { parser.unexpected() } else { parser.select_item() }
        })
    }

    pub(super) fn select_item(&mut self) -> Parsed<SelectItem> {
        if self.accept_symbol("*") {
            return Ok(SelectItem::All(None));
        }
        if self.is_identifier() && self.is_symbol_ahead(1, ".") && self.is_symbol_ahead(2, "*") {
            let table = self.identifier()?;
            self.skip();
            self.skip();
            return Ok(SelectItem::All(Some(table)));
        }
        if self.is_variable() && self.is_symbol_ahead(1, "=") {
            let variable = self.variable()?;
            self.skip();
            return Ok(SelectItem::Assign { variable, value: self.scalar()? });
        }
        if self.is_identifier() && self.is_symbol_ahead(1, "=") {
            let alias = Some(self.identifier()?);
            self.skip();
            return Ok(SelectItem::Value { value: self.scalar()?, alias });
        }
        let value = self.scalar()?;
        let alias = if self.accept("AS") || matches!(self.peek(), Token::Text { .. }) {
            if matches!(self.peek(), Token::Text { .. }) { Some(self.literal()?) } else { Some(self.identifier()?) }
        } else if self.is_alias() {
            Some(self.identifier()?)
        } else {
            None
        };
        Ok(SelectItem::Value { value, alias })
    }

    /// May the current token be an alias without AS? OUTPUT and OFFSET are not reserved, yet here they go on with the statement.
    fn is_alias(&self) -> bool {
        self.is_identifier() && !self.is_word("OFFSET") && !self.is_word("OUTPUT")
    }

    /// Tables, separated by commas.
    pub(super) fn sources(&mut self) -> Parsed<Source> {
        let mut left = self.joined()?;
        while self.accept_symbol(",") {
            let right = Box::new(self.joined()?);
            left = Source::Join { left: Box::new(left), right, kind: JoinKind::Cross, on: None };
        }
        Ok(left)
    }

    fn joined(&mut self) -> Parsed<Source> {
        let mut left = self.source()?;
        while let Some(kind) = self.join_kind()? {
            let right = Box::new(self.source()?);
            let on = if kind == JoinKind::Cross {
                None
            } else {
                self.expect("ON")?;
                Some(self.condition()?)
            };
            left = Source::Join { left: Box::new(left), right, kind, on };
        }
        Ok(left)
    }

    fn join_kind(&mut self) -> Parsed<Option<JoinKind>> {
        let kind = match self.one_of(&["JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS"]) {
            None => return Ok(None),
            Some("JOIN") => return Ok(Some(JoinKind::Inner)),
            Some("INNER") => JoinKind::Inner,
            Some("CROSS") => JoinKind::Cross,
            Some(side) => {
                self.accept("OUTER");
                match side {
                    "LEFT" => JoinKind::Left,
                    "RIGHT" => JoinKind::Right,
                    _ => JoinKind::Full,
                }
            }
        };
        self.expect("JOIN")?;
        Ok(Some(kind))
    }

    fn source(&mut self) -> Parsed<Source> {
        if self.is_symbol("(") {
            return self.nested(Self::source_in_parentheses);
        }
        if self.accept("OPENROWSET") {
            return self.bulk();
        }
        let name = self.object_name()?;
        if self.is_symbol("(") {
            self.skip();
            let arguments = if self.is_symbol(")") { Vec::new() } else { self.list(Self::scalar)? };
            self.expect_symbol(")")?;
            return Ok(Source::Function { name, arguments, alias: self.alias()? });
        }
        let alias = self.alias()?;
        Ok(Source::Table { name, alias, hints: self.hints()? })
    }

    fn alias(&mut self) -> Parsed<Option<String>> {
        if self.accept("AS") || self.is_alias() { self.identifier().map(Some) } else { Ok(None) }
    }

    /// [WITH (hint, …)]
    pub(super) fn hints(&mut self) -> Parsed<Vec<String>> {
        if !(self.is_word("WITH") && self.is_symbol_ahead(1, "(")) {
            return Ok(Vec::new());
        }
        self.skip();
        self.skip();
        let mut hints = Vec::new();
        loop {
            match self.one_of(&HINTS) {
                Some(hint) => hints.push(hint.to_owned()),
                None => {
                    let Token::Word(word) = self.peek() else { return self.unexpected() };
                    return Err(self.at_line(message(321, 15, format!("\"{word}\" is not a recognized table hints option. If it is intended \
                        as a parameter to a table-valued function or to the CHANGETABLE function, ensure that your database compatibility \
                        mode is set to 90."))));
                }
            }
            if self.accept_symbol(")") {
                return Ok(hints);
            }
            self.accept_symbol(",");
        }
    }

    fn source_in_parentheses(&mut self) -> Parsed<Source> {
        self.skip();
        if self.accept("VALUES") {
            let rows = self.list(|parser| parser.in_parentheses(Self::scalar))?;
            self.expect_symbol(")")?;
            let (alias, columns) = self.derived_alias()?;
            return Ok(Source::Values { rows, alias, columns });
        }
        if self.is_word("SELECT") {
            let line = self.line();
            let query = Box::new(self.query()?);
            let ordered = !query.order_by.is_empty() && query.offset.is_none();
            let top = matches!(&query.body, QueryBody::Select(select) if select.top.is_some());
            if ordered && !top {
                let text = "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table \
                            expressions, unless TOP, OFFSET or FOR XML is also specified.";
                return Self::wrong_at(line, message(1033, 15, text));
            }
            self.expect_symbol(")")?;
            let (alias, columns) = self.derived_alias()?;
            return Ok(Source::Derived { query, alias, columns });
        }
        let inner = self.joined()?;
        self.expect_symbol(")")?;
        if matches!(inner, Source::Join { .. }) { Ok(inner) } else { self.unexpected() }
    }

    /// [AS] x [(a, b)]; a derived table has to have a name.
    fn derived_alias(&mut self) -> Parsed<(String, Vec<String>)> {
        self.accept("AS");
        let alias = self.identifier()?;
        let columns = if self.is_symbol("(") { self.identifiers()? } else { Vec::new() };
        Ok((alias, columns))
    }

    /// (BULK 'path', SINGLE_BLOB) AS x
    fn bulk(&mut self) -> Parsed<Source> {
        self.expect_symbol("(")?;
        self.expect("BULK")?;
        let path = self.literal()?;
        self.expect_symbol(",")?;
        let Some(form) = self.one_of(&["SINGLE_BLOB", "SINGLE_CLOB", "SINGLE_NCLOB"]) else { return self.unexpected() };
        self.expect_symbol(")")?;
        let line = self.line();
        match self.alias()? {
            Some(alias) => Ok(Source::Bulk { path, form: form.to_owned(), alias }),
            None => {
                let text = "A correlation name must be specified for the bulk rowset in the from clause.";
                Self::wrong_at(line, message(491, 15, text))
            }
        }
    }
}

fn first_items(body: &QueryBody) -> &[SelectItem] {
    match body {
        QueryBody::Select(select) => &select.items,
        QueryBody::Combine { left, .. } => first_items(left),
    }
}
