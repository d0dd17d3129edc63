//! The answer to one request while it grows. A DONE says whether more follows, so each waits here until that is known.

use super::request::Transaction;
use super::tokens::{self, End, status};
use crate::wire::{Column, Message, Reply};

/// From here on the connection ends with the message.
const FATAL: u8 = 20;
/// Up to here a message is an information.
const LAST_INFO: u8 = 10;

/// What the session does after a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Sends when a packet is full.
    Continue,
    /// Sends now: progress is not to wait.
    Flush,
    /// Ends the connection.
    Close,
}

struct Done {
    status: u16,
    is_select: bool,
    rows: u64,
}

pub struct Answer<'a> {
    server: &'a str,
    is_call: bool,
    columns: Vec<Column>,
    waiting: Option<Done>,
    /// Of the statement that runs.
    is_select: bool,
    failed: bool,
    /// Of the request; a call returns it.
    last_error: u32,
}

impl<'a> Answer<'a> {
    pub fn new(server: &'a str, is_call: bool) -> Self {
        Answer { server, is_call, columns: Vec::new(), waiting: None, is_select: false, failed: false, last_error: 0 }
    }

    /// Writes the DONE that waited: something follows it.
    fn release(&mut self, out: &mut Vec<u8>) {
        let end = if self.is_call { End::InProcedure } else { End::Done };
        if let Some(done) = self.waiting.take() {
            tokens::done(out, end, done.status | status::MORE, done.is_select, done.rows);
        }
    }

    /// Takes the next piece. `Err` when the instance contradicts itself.
    pub fn push(&mut self, out: &mut Vec<u8>, reply: Reply) -> Result<After, String> {
        match reply {
            Reply::Nothing => return Ok(After::Flush),
            Reply::Done(rows) => {
                self.release(out);
                let error = if self.failed { status::ERROR } else { 0 };
                let status = error | if rows.is_some() { status::COUNT } else { 0 };
                self.waiting = Some(Done { status, is_select: self.is_select, rows: rows.unwrap_or(0) });
                (self.failed, self.is_select) = (false, false);
                self.columns.clear();
            }
            Reply::Columns(columns) => {
                if let Some(column) = columns.iter().find(|column| !super::types::exists(column.kind)) {
                    return Err(format!("column '{}' of type {:?}", column.name, column.kind));
                }
                self.release(out);
                tokens::columns(out, &columns);
                (self.columns, self.is_select) = (columns, true);
            }
            Reply::Row(values) => tokens::row(out, &self.columns, &values)?,
            Reply::Info(message) if message.class <= LAST_INFO => {
                self.release(out);
                tokens::message(out, self.server, &message, false);
                return Ok(After::Flush);
            }
            Reply::Error(message) if message.class > LAST_INFO => return Ok(self.error(out, &message)),
            Reply::Info(message) | Reply::Error(message) => {
                return Err(format!("message {} of severity {} in the wrong place", message.number, message.class));
            }
            Reply::Database(name) => return Err(format!("database {name}: the session's part")),
        }
        Ok(After::Continue)
    }

    pub fn error(&mut self, out: &mut Vec<u8>, message: &Message) -> After {
        self.release(out);
        tokens::message(out, self.server, message, true);
        (self.failed, self.last_error) = (true, message.number);
        if message.class >= FATAL {
            tokens::done(out, End::Done, status::SERVER_ERROR | status::ERROR, false, 0);
            return After::Close;
        }
        After::Continue
    }

    /// Writes the database change, before whatever the statement says next.
    pub fn database(&mut self, out: &mut Vec<u8>, new: &str, old: &str, message: &Message) {
        self.release(out);
        tokens::changed(out, tokens::Surrounding::Database, new, old);
        tokens::message(out, self.server, message, false);
    }

    /// Everything but the last DONE.
    pub fn before_end(&mut self, out: &mut Vec<u8>, transactions: impl Iterator<Item = (Transaction, u64)>) {
        if self.is_call {
            self.release(out);
        }
        if !self.has_failed() {
            for (what, mark) in transactions {
                tokens::transaction(out, what, mark);
            }
        }
        if self.is_call {
            tokens::return_status(out, self.last_error as i32);
        }
    }

    pub fn has_failed(&self) -> bool {
        self.last_error != 0
    }

    /// The last DONE.
    pub fn end(mut self, out: &mut Vec<u8>) {
        let error = if self.failed { status::ERROR } else { 0 };
        match self.waiting.take() {
            _ if self.is_call => tokens::done(out, End::Procedure, error, false, 0),
            Some(done) => tokens::done(out, End::Done, done.status | error, done.is_select, done.rows),
            None => tokens::done(out, End::Done, error, self.is_select, 0),
        }
    }

    /// The batch was stopped by an ATTENTION: what it said so far, and the confirmation.
    pub fn stop(mut self, out: &mut Vec<u8>) {
        self.release(out);
        tokens::done(out, End::Done, status::ATTENTION, false, 0);
    }
}
