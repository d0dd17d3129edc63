//! SELECT.

use super::{
    Compiled, Compiler, Typed,
    function::has_aggregate,
    kinds::{common, is_text},
    quote,
    walk::any,
};
use crate::{
    sql::{
        ast::{Expr, Query, QueryBody, Select, SelectItem, SetOperator},
        message::{message, undeclared},
    },
    wire::{Column, Message, Type},
};

/// A query in SQLite's language.
pub(super) struct Body {
    pub(super) sql: String,
    pub(super) columns: Vec<Output>,
}

/// A column of it. `None`: only NULL as written.
pub(super) struct Output {
    pub(super) name: String,
    pub(super) kind: Option<Type>,
}

impl Body {
    pub(super) fn wire(&self) -> Vec<Column> {
        self.columns.iter().map(|column| Column { name: column.name.clone(), kind: column.kind.unwrap_or(Type::Int) }).collect()
    }
}

/// How the columns are called in SQLite.
#[derive(Clone, Copy)]
pub(super) enum Naming<'n> {
    /// By their own names.
    Names,
    /// `_1`, `_2` …
    Positions,
    /// As a list says.
    Given(&'n [String]),
}

/// What a column has to become.
pub(super) struct Target {
    pub(super) kind: Type,
    /// "table.column" of what stores it, where text that is cut is an error.
    pub(super) label: Option<String>,
}

/// A column of a SELECT, compiled.
struct Item {
    typed: Typed,
    name: String,
}

impl Compiler<'_> {
    pub(super) fn select(mut self, query: &Query) -> Result<Compiled, Message> {
        let body = self.scoped(|compiler| compiler.named_query(query, Naming::Names, None))?;
        let columns = body.wire();
        Ok(self.finish(body.sql, columns, None))
    }

    pub(super) fn select_assign(mut self, query: &Query) -> Result<Compiled, Message> {
        let QueryBody::Select(select) = &query.body else { return Err(message(141, 15, "Assignment in a combined query.")) };
        let mut plain = select.as_ref().clone();
        if accumulates(select) {
            return Err(message(50_000, 16, "simulator: a variable that grows from row to row"));
        }
        let (mut variables, mut targets) = (Vec::new(), Vec::new());
        for item in &mut plain.items {
            let SelectItem::Assign { variable, value } = item else { continue };
            let (kind, _) = self.context.catalog.variable(variable).ok_or_else(|| undeclared(variable))?;
            variables.push(variable.clone());
            targets.push(Target { kind, label: None });
            *item = SelectItem::Value { value: value.clone(), alias: None };
        }
        let query = Query { body: QueryBody::Select(Box::new(plain)), ..query.clone() };
        let body = self.scoped(|compiler| compiler.named_query(&query, Naming::Positions, Some(&targets)))?;
        let columns = body.wire();
        Ok(Compiled { variables, ..self.finish(body.sql, columns, None) })
    }

    pub(super) fn query(&mut self, query: &Query, positions: bool, targets: Option<&[Target]>) -> Result<Body, Message> {
        self.named_query(query, if positions { Naming::Positions } else { Naming::Names }, targets)
    }

    /// Call it within `scoped`.
    pub(super) fn named_query(&mut self, query: &Query, naming: Naming<'_>, targets: Option<&[Target]>) -> Result<Body, Message> {
        match &query.body {
            QueryBody::Select(select) => self.one_select(select, Some(query), naming, targets),
            QueryBody::Combine { left, operator, right } => {
                let mut body = self.combine(left, *operator, right, naming, targets)?;
                let order = self.order_of_outputs(query, &body.columns)?;
                body.sql.push_str(&order);
                body.sql.push_str(&self.limit(None, query)?);
                Ok(body)
            }
        }
    }

    fn part(&mut self, body: &QueryBody) -> Result<Body, Message> {
        self.scoped(|compiler| match body {
            QueryBody::Select(select) => compiler.one_select(select, None, Naming::Positions, None),
            QueryBody::Combine { left, operator, right } => compiler.combine(left, *operator, right, Naming::Positions, None),
        })
    }

    fn combine(
        &mut self,
        left: &QueryBody,
        operator: SetOperator,
        right: &QueryBody,
        naming: Naming<'_>,
        targets: Option<&[Target]>,
    ) -> Result<Body, Message> {
        let (left, right) = (self.part(left)?, self.part(right)?);
        if left.columns.len() != right.columns.len() {
            let text = "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in \
                        their target lists.";
            return Err(message(205, 16, text));
        }
        check_targets(left.columns.len(), targets)?;
        let mut columns = Vec::new();
        let mut sides = [Vec::new(), Vec::new()];
        for (at, (a, b)) in left.columns.iter().zip(&right.columns).enumerate() {
            let kind = match (a.kind, b.kind) {
                (Some(a), Some(b)) => Some(common(a, b)),
                (kind, other) => kind.or(other),
            };
            let name = name_of(naming, at, &a.name);
            for (side, kind_of_side) in sides.iter_mut().zip([a.kind, b.kind]) {
                let position = Typed { kind: kind_of_side, ..Typed::new(quote(&format!("_{}", at + 1)), Type::Int) };
                let mut typed = Typed {
                    sql: kind.map_or(Ok(position.sql.clone()), |kind| self.implicit(&position, kind))?,
                    kind,
                    ..position
                };
                if let Some(target) = targets.map(|targets| &targets[at]) {
                    typed = self.as_target(&typed, target)?;
                }
                side.push(format!("{} AS {}", typed.collated(), quote(&name)));
            }
            let kind = targets.map_or(kind, |targets| Some(targets[at].kind));
            columns.push(Output { name: given_name(naming, at, &a.name), kind });
        }
        let word = match operator {
            SetOperator::Union => "UNION",
            SetOperator::UnionAll => "UNION ALL",
            SetOperator::Except => "EXCEPT",
            SetOperator::Intersect => "INTERSECT",
        };
        let [a, b] = sides.map(|items| items.join(", "));
        Ok(Body { sql: format!("SELECT {a} FROM ({}) {word} SELECT {b} FROM ({})", left.sql, right.sql), columns })
    }

    fn one_select(
        &mut self,
        select: &Select,
        whole: Option<&Query>,
        naming: Naming<'_>,
        targets: Option<&[Target]>,
    ) -> Result<Body, Message> {
        let from = select.from.as_ref().map(|from| self.source(from)).transpose()?;
        let filter = select.filter.as_ref().map(|filter| self.without_aggregates(filter)).transpose()?;
        let groups = select.group_by.iter().map(|expr| self.expr(expr)).collect::<Result<Vec<_>, _>>()?;
        if groups.iter().any(|group| group.constant) {
            let text = "Each GROUP BY expression must contain at least one column that is not an outer reference.";
            return Err(message(164, 15, text));
        }
        let grouped = !groups.is_empty() || select.having.is_some() || select.items.iter().any(item_has_aggregate);
        if grouped {
            self.groups = Some(groups.iter().map(|typed| typed.sql.clone()).collect());
        }
        let mut items = Vec::new();
        for item in &select.items {
            self.item(item, &mut items)?;
        }
        check_targets(items.len(), targets)?;
        self.ungrouped = (8121, "HAVING clause");
        let having = select.having.as_ref().map(|having| self.condition(having)).transpose()?;
        self.ungrouped = (8127, "ORDER BY clause");
        let order = whole.map(|query| self.order(query, &items, select.distinct)).transpose()?.unwrap_or_default();
        self.ungrouped = (8120, "select list");

        let mut columns = Vec::new();
        let mut list = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            let typed = match targets.map(|targets| &targets[at]) {
                Some(target) => self.as_target(&item.typed, target)?,
                None => item.typed,
            };
            let sql = if select.distinct { typed.collated() } else { typed.sql.clone() };
            list.push(format!("{sql} AS {}", quote(&name_of(naming, at, &item.name))));
            columns.push(Output { name: given_name(naming, at, &item.name), kind: typed.kind });
        }
        let mut sql = format!("SELECT {}{}", if select.distinct { "DISTINCT " } else { "" }, list.join(", "));
        for (word, part) in [("FROM", from), ("WHERE", filter)] {
            if let Some(part) = part {
                sql.push_str(&format!(" {word} {part}"));
            }
        }
        if !groups.is_empty() {
            let groups = groups.iter().map(Typed::collated).collect::<Vec<_>>();
            sql.push_str(&format!(" GROUP BY {}", groups.join(", ")));
        }
        if let Some(having) = having {
            sql.push_str(&format!(" HAVING {having}"));
        }
        sql.push_str(&order);
        match whole {
            Some(query) => sql.push_str(&self.limit(select.top.as_ref(), query)?),
            None => {
                // A part of a UNION has no LIMIT of its own in SQLite, but what it is selected from may.
                if let Some(top) = &select.top {
                    sql.push_str(&format!(" LIMIT {}", self.rows(top)?));
                }
            }
        }
        Ok(Body { sql, columns })
    }

    fn as_target(&self, typed: &Typed, target: &Target) -> Result<Typed, Message> {
        let sql = match &target.label {
            Some(label) => self.stored(typed, target.kind, label)?,
            None => self.implicit(typed, target.kind)?,
        };
        Ok(Typed { sql, kind: Some(target.kind), ..typed.clone() })
    }

    fn without_aggregates(&mut self, filter: &Expr) -> Result<String, Message> {
        if has_aggregate(filter) {
            let text = "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a \
                        select list, and the column being aggregated is an outer reference.";
            return Err(message(147, 15, text));
        }
        self.condition(filter)
    }

    fn item(&mut self, item: &SelectItem, items: &mut Vec<Item>) -> Result<(), Message> {
        match item {
            SelectItem::Value { value, alias } => {
                let name = alias.clone().or_else(|| natural_name(value)).unwrap_or_default();
                let typed = self.expr(value)?;
                // The name of a column as its table writes it.
                items.push(Item { typed, name });
            }
            SelectItem::All(wanted) => {
                let sources = self.scope().sources.clone();
                let mut any = false;
                for source in &sources {
                    if wanted.as_ref().is_some_and(|wanted| !super::scope::same(wanted, &source.alias)) {
                        continue;
                    }
                    any = true;
                    for column in &source.columns {
                        let typed = source.typed(column);
                        self.check_grouped(&typed, &source.alias, &column.name)?;
                        items.push(Item { typed, name: column.name.clone() });
                    }
                }
                if !any {
                    return Err(match wanted {
                        Some(wanted) => message(
                            107,
                            15,
                            format!(
                                "The column prefix '{wanted}' does not match with a table name or alias name used in the query."
                            ),
                        ),
                        None => message(263, 16, "Must specify table to select from."),
                    });
                }
            }
            SelectItem::Assign { .. } => return Err(message(102, 15, "Incorrect syntax near '='.")),
        }
        Ok(())
    }

    /// ORDER BY of one SELECT: positions and names of its columns first, then anything in its sources.
    fn order(&mut self, query: &Query, items: &[Item], distinct: bool) -> Result<String, Message> {
        let mut terms = Vec::new();
        for (expr, down) in &query.order_by {
            let position = match expr {
                Expr::Integer(position) => Some(checked_position(*position, items.len())?),
                Expr::Column(parts) if parts.len() == 1 => {
                    items.iter().position(|item| super::scope::same(&item.name, &parts[0]))
                }
                _ => None,
            };
            let typed = match position {
                Some(position) => items[position].typed.clone(),
                None => self.expr(expr)?,
            };
            let listed = items.iter().position(|item| item.typed.sql == typed.sql);
            if distinct && listed.is_none() {
                let text = "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.";
                return Err(message(145, 15, text));
            }
            let key = match (position.or(listed), typed.kind.is_some_and(is_text)) {
                // The position and not the text: what a target makes of the column sorts as the column does.
                (Some(at), true) if distinct => format!("{} COLLATE {}", at + 1, super::kinds::collation(typed.exact)),
                (Some(at), false) if distinct => (at + 1).to_string(),
                // A constant orders nothing, and SQLite would take it for a position. It stays, since its parameters are bound.
                _ if typed.constant => format!("typeof({})", typed.sql),
                _ => typed.collated(),
            };
            terms.push(format!("{key}{}", if *down { " DESC" } else { "" }));
        }
        Ok(if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) })
    }

    /// ORDER BY of SELECTs put together: only their columns.
    fn order_of_outputs(&mut self, query: &Query, columns: &[Output]) -> Result<String, Message> {
        let mut terms = Vec::new();
        for (expr, down) in &query.order_by {
            let position = match expr {
                Expr::Integer(position) => Some(checked_position(*position, columns.len())?),
                Expr::Column(parts) if parts.len() == 1 => {
                    columns.iter().position(|column| super::scope::same(&column.name, &parts[0]))
                }
                _ => None,
            };
            let Some(at) = position else {
                let text = "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.";
                return Err(message(104, 16, text));
            };
            let collate = if columns[at].kind.is_some_and(is_text) { " COLLATE TSQL" } else { "" };
            terms.push(format!("{}{collate}{}", at + 1, if *down { " DESC" } else { "" }));
        }
        Ok(if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) })
    }

    fn limit(&mut self, top: Option<&Expr>, query: &Query) -> Result<String, Message> {
        if let Some(top) = top {
            if query.offset.is_some() {
                let text = "A TOP can not be used in the same query or sub-query as a OFFSET.";
                return Err(message(10741, 15, text));
            }
            return Ok(format!(" LIMIT {}", self.rows(top)?));
        }
        let Some(offset) = &query.offset else { return Ok(String::new()) };
        let fetch = query.fetch.as_ref().map_or_else(|| Ok("-1".to_owned()), |fetch| self.rows(fetch))?;
        Ok(format!(" LIMIT {fetch} OFFSET {}", self.rows(offset)?))
    }

    /// A number of rows.
    pub(super) fn rows(&mut self, expr: &Expr) -> Result<String, Message> {
        if let Expr::Integer(rows) = expr
            && *rows >= 0
        {
            return Ok(rows.to_string());
        }
        let typed = self.expr(expr)?;
        let whole = self.implicit(&typed, Type::BigInt)?;
        Ok(format!("ts_limit({whole})"))
    }

    /// (SELECT …) as a value: one column, one row at most (512).
    pub(super) fn scalar_query(&mut self, query: &Query) -> Result<Typed, Message> {
        let body = self.scoped(|compiler| compiler.query(query, true, None))?;
        let kind = single(&body)?;
        let sql = format!("(SELECT ts_single(count(*), max(\"_1\")) FROM ({}))", body.sql);
        Ok(Typed { kind, constant: false, ..Typed::new(sql, Type::Int) })
    }

    /// x IN (SELECT …)
    pub(super) fn in_query(&mut self, value: &Typed, query: &Query, negated: bool) -> Result<String, Message> {
        let body = self.scoped(|compiler| compiler.query(query, true, None))?;
        let kind = single(&body)?;
        let column = Typed { kind, ..Typed::new("\"_1\"".to_owned(), Type::Int) };
        let (left, right, common) = self.alike(value, &column)?;
        let left = if is_text(common) { format!("({left} COLLATE {})", super::kinds::collation(value.exact)) } else { left };
        let not = if negated { "NOT " } else { "" };
        Ok(format!("({left} {not}IN (SELECT {right} FROM ({})))", body.sql))
    }
}

fn single(body: &Body) -> Result<Option<Type>, Message> {
    match body.columns.as_slice() {
        [only] => Ok(only.kind),
        _ => {
            let text = "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
            Err(message(116, 16, text))
        }
    }
}

fn checked_position(position: i64, columns: usize) -> Result<usize, Message> {
    let at = usize::try_from(position - 1).ok().filter(|at| *at < columns);
    at.ok_or_else(|| {
        let text = format!("The ORDER BY position number {position} is out of range of the number of items in the select list.");
        message(108, 16, text)
    })
}

fn check_targets(columns: usize, targets: Option<&[Target]>) -> Result<(), Message> {
    let Some(targets) = targets.filter(|targets| targets.len() != columns) else { return Ok(()) };
    let (number, which) = if targets.len() > columns { (120, "fewer") } else { (121, "more") };
    let text = format!(
        "The select list for the INSERT statement contains {which} items than the insert list. The number of SELECT values must match \
         the number of INSERT columns."
    );
    Err(message(number, 15, text))
}

/// `SELECT @a = @a + x FROM t`: the value of one row is made of the one before, which a query in SQLite does not know.
fn accumulates(select: &Select) -> bool {
    let assigned: Vec<&str> = select
        .items
        .iter()
        .filter_map(|item| match item {
            SelectItem::Assign { variable, .. } => Some(variable.as_str()),
            _ => None,
        })
        .collect();
    let reads =
        |part: &Expr| matches!(part, Expr::Variable(name) if assigned.iter().any(|variable| variable.eq_ignore_ascii_case(name)));
    let one_row = select.from.is_none() || select.group_by.is_empty() && select.items.iter().any(item_has_aggregate);
    !one_row && select.items.iter().any(|item| matches!(item, SelectItem::Assign { value, .. } if any(value, &reads)))
}

fn item_has_aggregate(item: &SelectItem) -> bool {
    match item {
        SelectItem::Value { value, .. } | SelectItem::Assign { value, .. } => has_aggregate(value),
        SelectItem::All(_) => false,
    }
}

/// A column has its own name where it is given none.
fn natural_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(parts) => parts.last().cloned(),
        Expr::Collate { value, .. } => natural_name(value),
        _ => None,
    }
}

/// Its name in SQLite.
fn name_of(naming: Naming<'_>, at: usize, name: &str) -> String {
    match given_name(naming, at, name) {
        name if name.is_empty() || matches!(naming, Naming::Positions) => format!("_{}", at + 1),
        name => name,
    }
}

/// Its name in T-SQL.
fn given_name(naming: Naming<'_>, at: usize, name: &str) -> String {
    match naming {
        Naming::Given(names) => names.get(at).cloned().unwrap_or_default(),
        _ => name.to_owned(),
    }
}
