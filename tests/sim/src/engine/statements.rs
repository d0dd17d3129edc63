//! What each kind of statement does, but for those that hold others (`run`).

use std::time::Duration;

use rusqlite::types::Value as Stored;

use super::{
    messages::{Fault, fails, fault},
    names::columns_text,
    run::{Halt, Out, Run, shown},
    server::is_spanish,
    state::{now, same},
};
use crate::{
    sql::{
        self, Catalog, Compiled,
        ast::{self, CheckDb, Expr, InsertSource, Kind, ObjectName, RaiseError, SetOption, Statement},
    },
    wire::{Message, Reply, Type, Value},
};

impl Run<'_> {
    /// Performs one.
    pub(super) fn simple(&mut self, statement: &Statement, out: Out<'_>) -> Result<(), Halt> {
        match &statement.kind {
            Kind::Select(_) => self.hold_what_is_read(statement, out).and_then(|()| self.select(statement, out)),
            Kind::SelectAssign(_) => self.hold_what_is_read(statement, out).and_then(|()| self.select_assign(statement)),
            Kind::Insert(insert) if matches!(insert.source, InsertSource::Execute(_)) => {
                fails(1844, &["INSERT with EXECUTE", "the simulator"])?
            }
            Kind::Insert(_) | Kind::Update(_) | Kind::Delete(_) | Kind::CreateIndex(_) | Kind::TruncateTable(_) => {
                self.change_rows(statement, out)
            }
            Kind::DropTable { names, .. } => self.drop_tables(statement, names, out),
            Kind::CreateTable(table) => self.create_table(table, out),
            Kind::Backup(backup) => self.backup(backup, out),
            Kind::Restore(restore) => self.restore(restore, out),
            Kind::Inspect(inspect) => self.inspect(inspect, out),
            Kind::CheckDb(check) => self.check(check, out),
            Kind::CreateDatabase(create) => self.create_database(create, out),
            Kind::AlterDatabase(alter) => self.alter_database(alter, out),
            Kind::DropDatabase { if_exists, names } => names.iter().try_for_each(|name| self.drop_database(name, *if_exists)),
            Kind::AlterAuthorization { database, owner } => self.alter_authorization(database, owner),
            Kind::CreateLogin(login) => self.create_login(login),
            Kind::AlterLogin(login) => self.alter_login(login),
            Kind::DropLogin(name) => self.drop_login(name),
            Kind::CreateUser { name, login } => self.create_user(name, login, out),
            Kind::AlterUser { name, login, new_name, .. } => self.alter_user(name, login.as_deref(), new_name.as_deref(), out),
            Kind::DropUser { if_exists, name } => self.drop_user(name, *if_exists, out),
            Kind::AlterRole { server, role, add, member } => self.alter_role(*server, role, *add, member, out),
            Kind::Permission { verb, permissions, on, principal } => self.permission(*verb, permissions, on.is_some(), principal),
            Kind::Kill { session, status_only } => self.kill(*session, *status_only, out),
            Kind::Use(name) => self.use_database(name, out),
            Kind::Set(option) => self.set(option, out),
            Kind::WaitFor(text) => self.wait_for(&self.text(text)?, out),
            Kind::Checkpoint => Ok(()),
            Kind::Declare(declarations) => declarations.iter().try_for_each(|declared| {
                let key = declared.name.to_lowercase();
                if self.work.variables.insert(key, (declared.kind, Value::Null)).is_some() {
                    return fails(134, &[&declared.name])?;
                }
                match &declared.value {
                    Some(value) => self.assign_expr(&declared.name, value),
                    None => Ok(()),
                }
            }),
            Kind::Assign { variable, operator, value } => match operator {
                None => self.assign_expr(variable, value),
                Some(operator) => {
                    let left = Box::new(Expr::Variable(variable.clone()));
                    let sum = Expr::Operation { operator: *operator, left, right: Box::new(value.clone()) };
                    self.assign_expr(variable, &sum)
                }
            },
            Kind::Print(value) => {
                let (kind, value) = self.value(value)?;
                let text = match sql::convert(value, kind, Type::NVarChar(Some(4000)), 0)? {
                    Value::Null => String::new(),
                    value => shown(&value),
                };
                let _ = out(Reply::Info(Message { number: 0, state: 1, class: 0, text, line: self.line }));
                Ok(())
            }
            Kind::RaiseError(raise) => self.raise(raise, out),
            Kind::Throw(what) => self.throw(what.as_ref()),
            Kind::BeginTransaction(_) => {
                self.work.begin(self.server);
                Ok(())
            }
            Kind::Commit(_) => self.work.commit(self.server),
            Kind::Rollback(name) => {
                if self.work.open == 0 {
                    return fails(3903, &[])?;
                }
                if name.is_some() && self.work.open > 1 {
                    return fails(6401, &[name.as_deref().unwrap_or("")])?;
                }
                self.work.rollback(self.server);
                Ok(())
            }
            Kind::Save(_) => fails(1844, &["SAVE TRANSACTION", "the simulator"])?,
            Kind::Execute(execute) => self.execute(execute, out),
            Kind::If { .. }
            | Kind::While { .. }
            | Kind::Block(_)
            | Kind::Try { .. }
            | Kind::Break
            | Kind::Continue
            | Kind::Return(_) => Ok(()),
        }
    }

    fn assign_expr(&mut self, name: &str, expr: &Expr) -> Result<(), Halt> {
        let (kind, value) = self.value(expr)?;
        self.assign(name, kind, value)
    }

    fn select(&mut self, statement: &Statement, out: Out<'_>) -> Result<(), Halt> {
        if self.work.open > 0
            && let Kind::Select(query) = &statement.kind
        {
            let mut tables = Vec::new();
            locked(&query.body, &mut tables);
            for table in tables {
                // As coarse as every lock here: the one place for writers, kept until the transaction ends.
                if let Some(database) = self.with(|_, names| Ok(names.database(table)))? {
                    self.work.prepare_write(self.server, database, out)?;
                }
            }
        }
        // All rows first: while they are read, nobody can commit.
        let (compiled, rows) = self.with(|context, _| {
            let compiled = sql::compile(context, statement)?;
            let mut rows = Vec::new();
            sql::run(context.connection, &compiled, &mut |row| {
                rows.push(row);
                true
            })?;
            Ok((compiled, rows))
        })?;
        self.send_result(&compiled, rows, out)
    }

    fn send_result(&mut self, compiled: &Compiled, rows: Vec<Vec<Value>>, out: Out<'_>) -> Result<(), Halt> {
        self.work.rows = rows.len() as i64;
        self.sent = true;
        let count = self.counted(rows.len() as u64);
        let sent = out(Reply::Columns(compiled.columns.clone()))
            && rows.into_iter().all(|row| out(Reply::Row(row)))
            && out(Reply::Done(count));
        if sent { Ok(()) } else { Err(Halt::Cancelled) }
    }

    fn counted(&self, rows: u64) -> Option<u64> {
        (!self.work.set.nocount).then_some(rows)
    }

    fn select_assign(&mut self, statement: &Statement) -> Result<(), Halt> {
        let (compiled, last, count) = self.with(|context, _| {
            let compiled = sql::compile(context, statement)?;
            let mut last = None;
            let count = sql::run(context.connection, &compiled, &mut |row| {
                last = Some(row);
                true
            })?;
            Ok((compiled, last, count))
        })?;
        self.work.rows = count as i64;
        if let Some(row) = last {
            for ((variable, column), value) in compiled.variables.iter().zip(&compiled.columns).zip(row) {
                self.assign(variable, column.kind, value)?;
            }
        }
        Ok(())
    }

    /// The user database whose table in SQLite this is.
    fn database_of(&self, table: &str) -> Option<i32> {
        let attached = self.work.attached.borrow();
        attached.iter().find(|(_, there)| table.starts_with(&format!("\"{}\".", there.alias))).map(|(id, _)| *id)
    }

    fn change_rows(&mut self, statement: &Statement, out: Out<'_>) -> Result<(), Halt> {
        let mut compiled = self.with(|context, _| sql::compile(context, statement))?;
        if let Some(database) = compiled.table.as_ref().and_then(|table| self.database_of(table)).filter(|_| !self.work.begun) {
            // What it was compiled against may have changed while somebody else had the place.
            self.work.prepare_write(self.server, database, out)?;
            compiled = self.with(|context, _| sql::compile(context, statement))?;
        }
        let mut rows = Vec::new();
        let count = self.perform(&compiled, &mut rows, out)?;
        if let (Kind::Insert(insert), true) = (&statement.kind, count > 0)
            && self
                .with(|_, names| Ok(names.table(&insert.table)?.is_some_and(|table| table.columns.iter().any(|c| c.identity))))?
        {
            self.work.identity = Some(self.work.sqlite.last_insert_rowid());
        }
        if !compiled.columns.is_empty() {
            return self.send_result(&compiled, rows, out);
        }
        self.finish(count, out)
    }

    fn finish(&mut self, count: u64, out: Out<'_>) -> Result<(), Halt> {
        self.work.autocommit(self.server)?;
        self.work.rows = count as i64;
        self.sent = true;
        let count = self.counted(count);
        if out(Reply::Done(count)) { Ok(()) } else { Err(Halt::Cancelled) }
    }

    /// Runs what changes a database: with its lock, in its transaction, noted for the log. All of it or nothing.
    fn perform(&mut self, compiled: &Compiled, rows: &mut Vec<Vec<Value>>, out: Out<'_>) -> Result<u64, Halt> {
        let Some(table) = &compiled.table else { return Ok(0) };
        let Some(database) = self.database_of(table) else { return fails(208, &[table])? };
        let foreign = {
            let attached = self.work.attached.borrow();
            attached.iter().any(|(id, there)| *id != database && compiled.sql.contains(&format!("\"{}\".", there.alias)))
        };
        if compiled.reads_system || foreign {
            let what = "A change that reads a system view or another database";
            return fails(1844, &[what, "the simulator, which could not replay it,"])?;
        }
        self.work.prepare_write(self.server, database, out)?;
        let sqlite = &self.work.sqlite;
        sqlite.execute_batch("SAVEPOINT statement").map_err(|error| self.work.broken(&error))?;
        let done = sql::run(sqlite, compiled, &mut |row| {
            rows.push(row);
            true
        });
        let ends = if done.is_ok() { "RELEASE statement" } else { "ROLLBACK TO statement; RELEASE statement" };
        sqlite.execute_batch(ends).map_err(|error| self.work.broken(&error))?;
        let count = done?;
        if !compiled.sql.is_empty() {
            self.work.note(database, &compiled.sql, &compiled.parameters);
        }
        for sql in &compiled.also {
            self.work.note(database, sql, &[]);
        }
        Ok(count)
    }

    /// Takes the place for writers, before what is there is looked at.
    pub(super) fn writing(&mut self, database: i32, out: Out<'_>) -> Result<(), Halt> {
        self.work.attach(self.server, database)?;
        self.work.prepare_write(self.server, database, out)
    }

    fn create_table(&mut self, table: &ast::CreateTable, out: Out<'_>) -> Result<(), Halt> {
        // First the place, then the look: another session may be making the same table.
        if let Some(database) = self.with(|_, names| Ok(names.database(&table.name)))?.filter(|database| *database > 4) {
            self.writing(database, out)?;
        }
        let (mut compiled, made) = self.with(|context, _| sql::create_table(context, table))?;
        let Some(database) = self.database_of(&made.sqlite) else { return fails(208, &[&made.sqlite])? };
        compiled.table = Some(made.sqlite);
        self.perform(&compiled, &mut Vec::new(), out)?;
        let schema = if table.name.schema.is_empty() { "dbo" } else { &table.name.schema };
        let values = [schema.into(), table.name.name.clone(), columns_text(&made.columns)].map(Stored::Text);
        let [schema, name, columns] = values;
        let sql = "INSERT INTO {db}.sim_tables (schema_name, name, created, columns) VALUES (?1, ?2, ?3, ?4)";
        self.work.write(self.server, database, sql, &[schema, name, Stored::Integer(now()), columns], out)?;
        Ok(())
    }

    fn drop_tables(&mut self, statement: &Statement, names: &[ObjectName], out: Out<'_>) -> Result<(), Halt> {
        let mut found = Vec::new();
        for name in names {
            if let Some(database) = self.with(|_, names| Ok(names.database(name)))?.filter(|database| *database > 4) {
                self.writing(database, out)?;
            }
            if let Some(table) = self.with(|_, names| names.table(name))? {
                found.push((table.sqlite, name.clone()));
            }
        }
        let mut compiled = self.with(|context, _| sql::compile(context, statement))?;
        let Some((first, _)) = found.first() else { return Ok(()) };
        compiled.table = Some(first.clone());
        self.perform(&compiled, &mut Vec::new(), out)?;
        for (sqlite, name) in &found {
            let Some(database) = self.database_of(sqlite) else { continue };
            let schema = if name.schema.is_empty() { "dbo" } else { &name.schema };
            let values = [Stored::Text(schema.into()), Stored::Text(name.name.clone())];
            let sql = "DELETE FROM {db}.sim_tables WHERE schema_name = ?1 AND name = ?2";
            self.work.write(self.server, database, sql, &values, out)?;
        }
        Ok(())
    }

    /// KILL.
    fn kill(&mut self, number: i64, status_only: bool, out: Out<'_>) -> Result<(), Halt> {
        if self.work.open > 0 {
            return fails(6115, &[])?;
        }
        if !self.can("ALTER ANY CONNECTION") {
            return fails(6102, &[])?;
        }
        let shown = number.to_string();
        let id = match u16::try_from(number) {
            Ok(id) if id > 0 => id,
            _ => return fails(6101, &[&shown])?,
        };
        if id == self.work.id {
            return fails(6104, &[])?;
        }
        if id <= 50 {
            return fails(6107, &[])?;
        }
        let found = self.server.state().sessions.get(&id).filter(|session| !session.gone).map(|session| session.killed);
        match (found, status_only) {
            (None, _) => fails(6106, &[&shown])?,
            (Some(false), true) => fails(6120, &[&shown])?,
            (Some(true), _) => {
                self.info(6117, &[&shown, "50"], out);
                Ok(())
            }
            (Some(false), false) => {
                self.server.kill(id);
                Ok(())
            }
        }
    }

    /// USE.
    fn use_database(&mut self, name: &str, out: Out<'_>) -> Result<(), Halt> {
        let Some(id) = self.server.state().id_of(name) else { return fails(911, &[name])? };
        let full = self.server.state().name_of(id).unwrap_or_default();
        self.enter(id)?;
        if out(Reply::Database(full)) { Ok(()) } else { Err(Halt::Cancelled) }
    }

    fn whole(&self, expr: &Expr) -> Result<i64, Halt> {
        let (_, value) = self.value(expr)?;
        match value {
            Value::Int(number) => Ok(number),
            other => shown(&other).trim().parse().or_else(|_| fails(8114, &["nvarchar", "int"])?),
        }
    }

    /// SET.
    fn set(&mut self, option: &SetOption, out: Out<'_>) -> Result<(), Halt> {
        match option {
            SetOption::Switch { name, on } => match name.as_str() {
                "NOCOUNT" => self.work.set.nocount = *on,
                "XACT_ABORT" => self.work.set.xact_abort = *on,
                "IMPLICIT_TRANSACTIONS" => self.work.set.implicit = *on,
                "PARSEONLY" => self.work.set.parse_only = *on,
                "NOEXEC" => self.work.set.no_exec = *on,
                _ => {}
            },
            SetOption::LockTimeout(value) => self.work.set.lock_timeout = self.whole(value)?,
            SetOption::DeadlockPriority(value) => {
                let priority = self.whole(value)?;
                if let Some(session) = self.server.state().sessions.get_mut(&self.work.id) {
                    session.deadlock_priority = priority;
                }
            }
            SetOption::RowCount(value) => self.work.set.rowcount = self.whole(value)?,
            SetOption::Language(text) => {
                let language = self.text(text)?;
                let spanish = is_spanish(&language);
                if !spanish && !["us_english", "english"].iter().any(|known| same(known, &language)) {
                    return fails(2740, &[&language])?;
                }
                self.work.set.spanish = spanish;
                self.info(5703, &[if spanish { "Español" } else { "us_english" }], out);
            }
            SetOption::IdentityInsert { table, on } => {
                let found = self.with(|_, names| names.table(table))?;
                let Some(found) = found else { return fails(1088, &[&table.name])? };
                self.work.set.identity_insert = on.then_some(found.sqlite);
            }
            SetOption::Isolation(level) => {
                self.work.set.holds_reads = matches!(level.as_str(), "REPEATABLE READ" | "SERIALIZABLE");
            }
            SetOption::DateFormat(_) | SetOption::DateFirst(_) | SetOption::TextSize(_) => {}
        }
        Ok(())
    }

    /// WAITFOR DELAY 'hh:mm:ss.mmm'.
    fn wait_for(&mut self, text: &str, out: Out<'_>) -> Result<(), Halt> {
        let parts: Vec<Option<f64>> = text.split(':').map(|part| part.trim().parse().ok()).collect();
        let seconds = match parts.as_slice() {
            [Some(hours), Some(minutes)] => hours * 3600.0 + minutes * 60.0,
            [Some(hours), Some(minutes), Some(seconds)] => hours * 3600.0 + minutes * 60.0 + seconds,
            _ => return fails(148, &[text])?,
        };
        if !(0.0..86_400.0).contains(&seconds) {
            return fails(148, &[text])?;
        }
        self.command("WAITFOR", self.context());
        self.server.pause(self.work.id, out, Duration::from_secs_f64(seconds))
    }

    fn raise(&mut self, raise: &RaiseError, out: Out<'_>) -> Result<(), Halt> {
        let (_, message) = self.value(&raise.message)?;
        let severity = u8::try_from(self.whole(&raise.severity)?.clamp(0, 25)).unwrap_or(16);
        let state = u8::try_from(self.whole(&raise.state)?.clamp(0, 255)).unwrap_or(1);
        if severity > 18 && !(raise.log && self.is_member("sysadmin")) {
            return fails(2754, &[])?;
        }
        let mut text = shown(&message);
        for argument in &raise.arguments {
            let (_, value) = self.value(argument)?;
            let at = ["%s", "%d", "%i", "%u"].iter().filter_map(|mark| text.find(mark)).min();
            if let Some(at) = at {
                text.replace_range(at..at + 2, &shown(&value));
            }
        }
        let number = if let Value::Int(number) = message { u32::try_from(number).unwrap_or(50000) } else { 50000 };
        let said = Fault { number, args: Vec::new(), state, ready: Some((severity, text)) };
        if severity <= 10 {
            let _ = out(Reply::Info(said.message(self.work.set.spanish, self.line)));
            return Ok(());
        }
        Err(said.into())
    }

    fn throw(&mut self, what: Option<&(Expr, Expr, Expr)>) -> Result<(), Halt> {
        let Some((number, text, state)) = what else {
            return match self.work.caught.last() {
                Some(caught) => Err(Halt::from(caught.clone())),
                None => fails(10704, &[])?,
            };
        };
        let number = u32::try_from(self.whole(number)?).unwrap_or(50000);
        let (_, text) = self.value(text)?;
        let state = u8::try_from(self.whole(state)?.clamp(0, 255)).unwrap_or(1);
        Err(Fault { number, args: Vec::new(), state, ready: Some((16, shown(&text))) }.into())
    }

    /// DBCC CHECKDB.
    fn check(&mut self, check: &CheckDb, out: Out<'_>) -> Result<(), Halt> {
        let name = match &check.database {
            Some(text) => self.text(text)?,
            None => self.context_name(),
        };
        let id = name.parse::<i32>().ok().or_else(|| self.server.state().id_of(&name));
        let found = id.and_then(|id| self.server.state().databases.get(&id).cloned());
        let Some(found) = found else {
            return if id.is_some_and(|id| id <= 4) { Ok(()) } else { fails(911, &[&name])? };
        };
        if !self.may_alter(&found) {
            return fails(2571, &[])?;
        }
        super::access::opens(&found)?;
        self.command("DBCC CHECKDB", found.id);
        let quiet = check.options.iter().any(|option| option == "NO_INFOMSGS");
        let alias = self.work.attach(self.server, found.id)?;
        let sound = self.work.sqlite.query_row(&format!("PRAGMA \"{alias}\".quick_check"), [], |row| row.get::<_, String>(0));
        let damaged =
            self.server.orders().damaged(&found.name).or(if sound.is_ok_and(|said| said == "ok") { None } else { Some(1) });
        if let Some(page) = damaged {
            let errors = vec![fault(8928, &["245575913", &page.to_string()])];
            self.info(8989, &["0", "1", &found.name], out);
            return Err(Halt::Fails(errors));
        }
        if !quiet {
            self.info(8989, &["0", "0", &found.name], out);
            self.info(2528, &[], out);
        }
        Ok(())
    }
}

/// The tables that a query locks until the end of its transaction, by their hints.
fn locked<'a>(body: &'a ast::QueryBody, found: &mut Vec<&'a ObjectName>) {
    match body {
        ast::QueryBody::Select(select) => select.from.iter().for_each(|source| locked_in(source, found)),
        ast::QueryBody::Combine { left, right, .. } => {
            locked(left, found);
            locked(right, found);
        }
    }
}

fn locked_in<'a>(source: &'a ast::Source, found: &mut Vec<&'a ObjectName>) {
    match source {
        ast::Source::Table { name, hints, .. }
            if hints.iter().any(|hint| ["UPDLOCK", "XLOCK", "TABLOCKX"].contains(&&**hint)) =>
        {
            found.push(name);
        }
        ast::Source::Join { left, right, .. } => {
            locked_in(left, found);
            locked_in(right, found);
        }
        ast::Source::Derived { query, .. } => locked(&query.body, found),
        _ => {}
    }
}
