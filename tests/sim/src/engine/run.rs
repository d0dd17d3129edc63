//! Performs the statements of a batch, one after another, and says what came of each.
//!
//! As in SQL Server, an error ends its statement and the batch goes on, but for errors that end the batch (a name that does not exist, a
//! conversion), for SET XACT_ABORT ON, and for severities from 20 on, which end the session.

use super::{
    messages::{Chain, Fault, fails, fault},
    names::Names,
    orders::When,
    server::Server,
    session::Work,
    state::{self, Request, now},
};
use crate::{
    sql::{
        self, Clock, Context,
        ast::{Kind, Statement, Text},
    },
    wire::{Message, Reply, Type, Value},
};

/// Where replies go; it answers whether to go on.
pub type Out<'a> = &'a mut dyn FnMut(Reply) -> bool;

/// Why a statement did not end well.
#[derive(Debug)]
pub enum Halt {
    /// With these errors.
    Fails(Chain),
    /// Its client went away or asked to stop.
    Cancelled,
    /// Its session was killed.
    Killed,
}

impl From<Chain> for Halt {
    fn from(chain: Chain) -> Halt {
        Halt::Fails(chain)
    }
}

impl From<Message> for Halt {
    fn from(message: Message) -> Halt {
        Halt::Fails(vec![message.into()])
    }
}

/// What comes after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next one.
    Next,
    /// The end of the loop.
    Break,
    /// The next turn of the loop.
    Continue,
    /// The end of the batch.
    Return,
}

/// A batch that runs.
pub struct Run<'a> {
    /// The instance.
    pub server: &'a Server,
    /// The session.
    pub work: &'a mut Work,
    /// Text of the statement.
    pub text: String,
    /// Its line.
    pub line: u32,
    /// Its result was sent with its end.
    pub sent: bool,
    /// TRY blocks around it.
    pub tries: u32,
    /// Batches around it.
    pub depth: u32,
}

/// Errors that end the batch, beside those of severity 20 and more.
const BATCH_ENDS: &[u32] = &[102, 105, 137, 156, 207, 208, 245, 241, 911, 1205, 2812, 3930, 4104, 8114, 8115, 8120];

impl<'a> Run<'a> {
    /// A batch of a session.
    pub fn new(server: &'a Server, work: &'a mut Work) -> Run<'a> {
        Run { server, work, text: String::new(), line: 1, sent: false, tries: 0, depth: 0 }
    }

    /// Runs a text.
    pub fn batch(&mut self, text: &str, out: Out<'_>) -> Result<Flow, Halt> {
        match self.parsed(text) {
            Ok(statements) => self.statements(&statements, out),
            Err(message) => {
                self.line = message.line;
                self.failed(vec![message.into()], false, out)
            }
        }
    }

    /// Parameters count as declared.
    fn parsed(&self, text: &str) -> Result<Vec<Statement>, crate::wire::Message> {
        let known: Vec<&str> = self.work.variables.keys().map(String::as_str).collect();
        sql::parse_with(text, &known)
    }

    /// Runs a text within a batch: sp_executesql.
    pub(super) fn nested(&mut self, text: &str, out: Out<'_>) -> Result<(), Halt> {
        if self.depth >= 32 {
            return fails(217, &[])?;
        }
        let statements = self.parsed(text)?;
        let (line, said) = (self.line, self.text.clone());
        self.depth += 1;
        let done = self.statements(&statements, out);
        self.depth -= 1;
        (self.line, self.text) = (line, said);
        done.map(drop)
    }

    /// Runs statements in order.
    pub(super) fn statements(&mut self, statements: &[Statement], out: Out<'_>) -> Result<Flow, Halt> {
        for statement in statements {
            let flow = self.statement(statement, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement, out: Out<'_>) -> Result<Flow, Halt> {
        if self.server.is_dying(self.work.id) {
            return Err(Halt::Killed);
        }
        self.line = statement.line;
        self.text.clone_from(&statement.text);
        if (self.work.set.no_exec || self.work.set.parse_only) && !matches!(statement.kind, Kind::Set(_)) {
            return Ok(Flow::Next);
        }
        if let Some(flow) = self.control(&statement.kind, out) {
            return match flow {
                Err(Halt::Fails(chain)) => self.failed(chain, false, out),
                other => other,
            };
        }
        self.server.power(When::Before, &statement.text, 0);
        self.server.foreign_snapshots();
        self.begin_request();
        self.sent = false;
        let done = self.simple(statement, out).and_then(|()| self.work.autocommit(self.server));
        self.work.let_go(self.server);
        match done {
            Ok(()) => {
                self.server.power(When::After, &statement.text, 0);
                self.work.error = 0;
                if !self.sent && !out(Reply::Done(None)) {
                    return Err(Halt::Cancelled);
                }
                Ok(Flow::Next)
            }
            Err(Halt::Fails(chain)) => {
                let ends = matches!(statement.kind, Kind::Throw(_));
                self.failed(chain, ends, out)
            }
            Err(other) => Err(other),
        }
    }

    /// A statement failed: what that means for its transaction and for the batch. Within TRY it is for CATCH.
    fn failed(&mut self, chain: Chain, ends: bool, out: Out<'_>) -> Result<Flow, Halt> {
        if self.work.open == 0 && self.work.begun {
            self.work.rollback(self.server);
        }
        self.work.let_go(self.server);
        let last = chain.last().cloned().unwrap_or_else(|| fault(596, &[]));
        self.work.error = last.number;
        let fatal = chain.iter().any(|fault| fault.class() >= 20);
        let raised = last.ready.is_some() && last.number == 50000 && !ends;
        if self.tries > 0 && !fatal && last.class() > 10 {
            self.work.doomed = self.work.open > 0 && self.work.set.xact_abort;
            return Err(Halt::Fails(chain));
        }
        for said in &chain {
            let message = said.message(self.work.set.spanish, self.line);
            let reply = if message.class <= 10 { Reply::Info(message) } else { Reply::Error(message) };
            if !out(reply) {
                return Err(Halt::Cancelled);
            }
        }
        let aborts = (self.work.set.xact_abort && !raised) || chain.iter().any(|fault| fault.number == 1205);
        if aborts && self.work.open > 0 {
            self.work.rollback(self.server);
        }
        if fatal {
            self.work.rollback(self.server);
        }
        let over = fatal || ends || aborts || chain.iter().any(|fault| BATCH_ENDS.contains(&fault.number));
        if !out(Reply::Done(None)) {
            return Err(Halt::Cancelled);
        }
        Ok(if over { Flow::Return } else { Flow::Next })
    }

    /// Statements that hold others.
    fn control(&mut self, kind: &Kind, out: Out<'_>) -> Option<Result<Flow, Halt>> {
        Some(match kind {
            Kind::If { condition, then, otherwise } => {
                let holds = self.holds(condition);
                // As documented, IF itself resets @@ERROR, whatever it finds: a second IF @@ERROR = 0 sees nothing of what the first saw.
                self.work.error = 0;
                match (holds, otherwise) {
                    (Ok(true), _) => self.statement(then, out),
                    (Ok(false), Some(otherwise)) => self.statement(otherwise, out),
                    (Ok(false), None) => Ok(Flow::Next),
                    (Err(halt), _) => Err(halt),
                }
            }
            Kind::While { condition, body } => self.turns(condition, body, out),
            Kind::Block(statements) => self.statements(statements, out),
            Kind::Try { body, catch } => self.attempt(body, catch, out),
            Kind::Break => Ok(Flow::Break),
            Kind::Continue => Ok(Flow::Continue),
            Kind::Return(_) => Ok(Flow::Return),
            _ => return None,
        })
    }

    fn turns(&mut self, condition: &sql::ast::Expr, body: &Statement, out: Out<'_>) -> Result<Flow, Halt> {
        while self.holds(condition)? {
            match self.statement(body, out)? {
                Flow::Break => break,
                Flow::Return => return Ok(Flow::Return),
                Flow::Next | Flow::Continue => {}
            }
            if self.server.is_dying(self.work.id) {
                return Err(Halt::Killed);
            }
            if !out(Reply::Nothing) {
                return Err(Halt::Cancelled);
            }
        }
        Ok(Flow::Next)
    }

    fn attempt(&mut self, body: &[Statement], catch: &[Statement], out: Out<'_>) -> Result<Flow, Halt> {
        self.tries += 1;
        let tried = self.statements(body, out);
        self.tries -= 1;
        let chain = match tried {
            Err(Halt::Fails(chain)) => chain,
            other => return other,
        };
        let Some(last) = chain.last() else { return Ok(Flow::Next) };
        self.work.caught.push(last.message(self.work.set.spanish, self.line));
        let handled = self.statements(catch, out);
        self.work.caught.pop();
        handled
    }

    /// Notes that a request runs.
    fn begin_request(&self) {
        let mut state = self.server.state();
        let Some(session) = state.sessions.get_mut(&self.work.id) else { return };
        let word = self.text.split_whitespace().next().unwrap_or("").to_uppercase();
        let since = session.request.as_ref().map_or_else(now, |request| request.since);
        session.request = Some(Request {
            command: word,
            since,
            percent: 0.0,
            wait: None,
            wait_since: 0,
            blocked_by: 0,
            database: session.database,
        });
    }

    /// Names what runs, and where.
    pub(super) fn command(&self, what: &str, database: i32) {
        let mut state = self.server.state();
        if let Some(request) = state.sessions.get_mut(&self.work.id).and_then(|session| session.request.as_mut()) {
            request.command = what.into();
            request.database = database;
            request.percent = 0.0;
        }
    }

    /// Says something that is no error.
    pub(super) fn info(&mut self, number: u32, args: &[&str], out: Out<'_>) {
        let message = fault(number, args).message(self.work.set.spanish, self.line);
        // Whether the client is still there is asked where time passes.
        let _ = out(Reply::Info(message));
    }

    /// What the compiler works with.
    pub(super) fn with<T>(&self, what: impl FnOnce(&Context<'_>, &Names<'_>) -> Result<T, Message>) -> Result<T, Halt> {
        let names = Names { server: self.server, work: self.work, line: self.line };
        let clock = Clock { utc: state::utc_now(), local: now() };
        let context = Context { connection: &self.work.sqlite, catalog: &names, clock };
        what(&context, &names).map_err(|problem| {
            let line = problem.line;
            Halt::Fails(vec![Fault::from(Message { line: line.max(self.line), ..problem })])
        })
    }

    /// What an expression is worth.
    pub(super) fn value(&self, expr: &sql::ast::Expr) -> Result<(Type, Value), Halt> {
        self.with(|context, _| sql::evaluate(context, expr))
    }

    /// Does a condition hold?
    pub(super) fn holds(&self, condition: &sql::ast::Expr) -> Result<bool, Halt> {
        self.with(|context, _| sql::holds(context, condition))
    }

    /// A text that may be a variable.
    pub(super) fn text(&self, text: &Text) -> Result<String, Halt> {
        match text {
            Text::Literal(text) => Ok(text.clone()),
            Text::Variable(name) => match self.work.variables.get(&name.to_lowercase()) {
                Some((_, value)) => Ok(shown(value)),
                None => fails(137, &[name])?,
            },
        }
    }

    /// A variable as a number.
    pub(super) fn number(&self, name: &str) -> Result<i64, Halt> {
        match self.work.variables.get(&name.to_lowercase()) {
            Some((_, Value::Int(number))) => Ok(*number),
            Some((_, value)) => shown(value).trim().parse().or_else(|_| fails(8114, &["nvarchar", "int"])?),
            None => fails(137, &[name])?,
        }
    }

    /// A text as a time, in ticks.
    pub(super) fn time(&self, text: &str) -> Result<i64, Halt> {
        let kind = Type::NVarChar(Some(4000));
        match sql::convert(Value::Text(text.into()), kind, Type::DateTime2(7), 0)? {
            Value::Time(ticks) => Ok(ticks),
            _ => fails(241, &[])?,
        }
    }

    /// Gives a variable its value.
    pub(super) fn assign(&mut self, name: &str, from: Type, value: Value) -> Result<(), Halt> {
        let key = name.to_lowercase();
        let Some((kind, _)) = self.work.variables.get(&key) else { return fails(137, &[name])? };
        let kind = *kind;
        let value = if value == Value::Null { Value::Null } else { fitted_from(from, kind, value)? };
        self.work.variables.insert(key, (kind, value));
        Ok(())
    }

    /// Id of the current database.
    pub(super) fn context(&self) -> i32 {
        self.server.state().sessions.get(&self.work.id).map_or(1, |session| session.database)
    }

    /// Is that database the current one?
    pub(super) fn in_context(&self, database: i32) -> bool {
        self.context() == database
    }

    /// Name of the current database.
    pub(super) fn context_name(&self) -> String {
        let id = self.context(); // before the state is held
        self.server.state().name_of(id).unwrap_or_default()
    }

    /// Id of the current database, which has to be a user's.
    pub(super) fn user_database(&self) -> Result<i32, Halt> {
        match self.context() {
            id if id > 4 => Ok(id),
            id => fails(262, &["ALTER", &self.server.state().name_of(id).unwrap_or_default()])?,
        }
    }

    /// Makes a database the current one.
    pub(super) fn enter(&mut self, database: i32) -> Result<(), Halt> {
        let id = self.work.id;
        {
            let mut state = self.server.state();
            self.server.admit(&mut state, id, database)?;
            if let Some(session) = state.sessions.get_mut(&id) {
                session.database = database;
            }
        }
        if database > 4 {
            self.work.attach(self.server, database)?;
        }
        Ok(())
    }

    /// Leaves a database that is about to be closed: the session is in master then.
    pub(super) fn leave_context(&mut self, database: i32, out: Out<'_>) {
        if self.in_context(database) {
            if let Some(session) = self.server.state().sessions.get_mut(&self.work.id) {
                session.database = 1;
            }
            let _ = out(Reply::Database("master".into()));
        }
    }

    /// A text out of a database's own tables; `{db}` is the database.
    pub(super) fn one_text(&self, database: i32, sql: &str, parameter: impl rusqlite::ToSql) -> Result<Option<String>, Halt> {
        let alias = self.work.attach(self.server, database)?;
        let sql = sql.replace("{db}", &format!("\"{alias}\""));
        match self.work.sqlite.query_row(&sql, [parameter], |row| row.get(0)) {
            Ok(found) => Ok(found),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(error) => Err(self.work.broken(&error)),
        }
    }
}

/// A value as text, as a path or a name needs it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Numeric(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => format!("0x{}", super::datafile::hex(bytes)),
        Value::Guid(bytes) => uuid::Uuid::from_bytes(*bytes).to_string().to_uppercase(),
        Value::Time(ticks) => state::civil(*ticks).to_string(),
    }
}

/// A value as one of that type, as far as it goes.
pub fn fitted(kind: Type, value: &Value) -> Value {
    sql::assign(value.clone(), Type::NVarChar(None), kind).unwrap_or_else(|_| value.clone())
}

fn fitted_from(from: Type, to: Type, value: Value) -> Result<Value, Halt> {
    // A variable cuts text without a word; only columns refuse it.
    Ok(sql::convert(value, from, to, 0)?)
}
