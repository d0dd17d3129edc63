//! Reads that hold what they read: tables WITH (UPDLOCK), (HOLDLOCK) and their kin, and those of the higher isolation levels. Here they
//! take the database's only place for writers until the transaction ends, so that two who read a counter to change it come one after the
//! other.

use super::{
    names::Names,
    run::{Halt, Out, Run},
};
use crate::sql::ast::{Kind, ObjectName, Query, QueryBody, Source, Statement};

const HOLDING: &[&str] = &["UPDLOCK", "XLOCK", "TABLOCKX", "HOLDLOCK", "SERIALIZABLE", "REPEATABLEREAD"];

/// The tables of a query that it holds; with `all`, every one.
fn held<'a>(body: &'a QueryBody, all: bool, found: &mut Vec<&'a ObjectName>) {
    match body {
        QueryBody::Select(select) => select.from.iter().for_each(|from| held_in(from, all, found)),
        QueryBody::Combine { left, right, .. } => {
            held(left, all, found);
            held(right, all, found);
        }
    }
}

fn held_in<'a>(source: &'a Source, all: bool, found: &mut Vec<&'a ObjectName>) {
    match source {
        Source::Table { name, hints, .. } if all || hints.iter().any(|hint| HOLDING.contains(&hint.as_str())) => found.push(name),
        Source::Join { left, right, .. } => {
            held_in(left, all, found);
            held_in(right, all, found);
        }
        Source::Derived { query, .. } => held(&query.body, all, found),
        _ => {}
    }
}

impl Run<'_> {
    /// Takes what the query of a statement holds, before it reads. Outside a transaction nothing outlives the statement.
    pub(super) fn hold_what_is_read(&mut self, statement: &Statement, out: Out<'_>) -> Result<(), Halt> {
        let query: &Query = match &statement.kind {
            Kind::Select(query) | Kind::SelectAssign(query) if self.work.open > 0 || self.work.set.implicit => query,
            _ => return Ok(()),
        };
        let mut tables = Vec::new();
        held(&query.body, self.work.set.holds_reads, &mut tables);
        for name in tables {
            let names = Names { server: self.server, work: self.work, line: self.line };
            let Some(database) = names.database(name).filter(|id| *id > 4 && !name.schema.eq_ignore_ascii_case("sys")) else {
                continue;
            };
            let writable =
                self.server.state().databases.get(&database).is_some_and(|found| !found.boot.read_only && !found.boot.standby);
            if writable {
                self.work.attach(self.server, database)?;
                self.work.take_place(self.server, database, out)?;
            }
        }
        Ok(())
    }
}
