//! Tokens of a reply: what the instance answers, as bytes.

use super::bytes::{put_message_text, put_short_text};
use super::request::Transaction;
use super::types::{COLLATION, put_type, put_value};
use crate::wire::{Column, Message, Value};

const RETURN_STATUS: u8 = 0x79;
const COLUMNS: u8 = 0x81;
const ERROR: u8 = 0xAA;
const INFO: u8 = 0xAB;
const LOGIN_ACK: u8 = 0xAD;
const ROW: u8 = 0xD1;
const ENV_CHANGE: u8 = 0xE3;

/// What ends a statement or a request.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub enum End {
    /// A statement of a batch, or the batch.
    Done = 0xFD,
    /// A call of a procedure.
    Procedure = 0xFE,
    /// A statement inside of a call.
    InProcedure = 0xFF,
}

/// Bits of the status of a DONE.
pub mod status {
    pub const MORE: u16 = 0x01;
    pub const ERROR: u16 = 0x02;
    pub const COUNT: u16 = 0x10;
    pub const ATTENTION: u16 = 0x20;
    pub const SERVER_ERROR: u16 = 0x100;
}

/// A token that carries its length before it.
fn sized(out: &mut Vec<u8>, token: u8, body: &[u8]) {
    out.push(token);
    out.extend((body.len() as u16).to_le_bytes());
    out.extend(body);
}

pub fn done(out: &mut Vec<u8>, end: End, status: u16, is_select: bool, rows: u64) {
    const SELECT: u16 = 0xC1;
    out.push(end as u8);
    out.extend(status.to_le_bytes());
    out.extend(if is_select { SELECT } else { 0 }.to_le_bytes());
    out.extend(rows.to_le_bytes());
}

pub fn return_status(out: &mut Vec<u8>, value: i32) {
    out.push(RETURN_STATUS);
    out.extend(value.to_le_bytes());
}

/// An error or an information. The server turns severity 10 into 0 on its way to the client, for compatibility.
pub fn message(out: &mut Vec<u8>, server: &str, message: &Message, is_error: bool) {
    let mut body = Vec::new();
    body.extend(message.number.to_le_bytes());
    body.extend([message.state, if message.class == 10 { 0 } else { message.class }]);
    put_message_text(&mut body, &message.text);
    put_short_text(&mut body, server);
    put_short_text(&mut body, "");
    body.extend(message.line.to_le_bytes());
    sized(out, if is_error { ERROR } else { INFO }, &body);
}

pub fn columns(out: &mut Vec<u8>, columns: &[Column]) {
    const NULLABLE: u16 = 1;
    out.push(COLUMNS);
    out.extend((columns.len() as u16).to_le_bytes());
    for column in columns {
        out.extend(0_u32.to_le_bytes());
        out.extend(NULLABLE.to_le_bytes());
        put_type(out, column.kind);
        put_short_text(out, &column.name);
    }
}

/// A row. `Err` when it is none of these columns.
pub fn row(out: &mut Vec<u8>, columns: &[Column], values: &[Value]) -> Result<(), String> {
    if columns.len() != values.len() {
        return Err(format!("a row of {} values for {} columns", values.len(), columns.len()));
    }
    let mut bytes = vec![ROW];
    for (column, value) in columns.iter().zip(values) {
        put_value(&mut bytes, column.kind, value).map_err(|why| format!("column '{}': {why}", column.name))?;
    }
    out.extend(bytes);
    Ok(())
}

/// Which text of the session's surroundings changed.
#[repr(u8)]
pub enum Surrounding {
    Database = 1,
    Language = 2,
    PacketSize = 4,
}

pub fn changed(out: &mut Vec<u8>, what: Surrounding, new: &str, old: &str) {
    let mut body = vec![what as u8];
    put_short_text(&mut body, new);
    put_short_text(&mut body, old);
    sized(out, ENV_CHANGE, &body);
}

pub fn collation(out: &mut Vec<u8>) {
    const CHANGED: u8 = 7;
    sized(out, ENV_CHANGE, &[&[CHANGED, 5], &COLLATION[..], &[0]].concat());
}

/// The session was reset.
pub fn reset(out: &mut Vec<u8>) {
    sized(out, ENV_CHANGE, &[18, 0, 0]);
}

/// A transaction began or ended; the client keeps its mark and sends it with each request.
pub fn transaction(out: &mut Vec<u8>, what: Transaction, mark: u64) {
    let mark = mark.to_le_bytes();
    let body = match what {
        Transaction::Began => [&[8, 8], &mark[..], &[0]].concat(),
        Transaction::Committed => [&[9, 0, 8], &mark[..]].concat(),
        Transaction::RolledBack => [&[10, 0, 8], &mark[..]].concat(),
    };
    sized(out, ENV_CHANGE, &body);
}

pub fn login_ack(out: &mut Vec<u8>, tds_version: u32, name: &str, version: [u16; 3]) {
    const T_SQL: u8 = 1;
    let mut body = vec![T_SQL];
    body.extend(tds_version.to_be_bytes());
    put_short_text(&mut body, name);
    body.extend([version[0] as u8, version[1] as u8]);
    body.extend(version[2].to_be_bytes());
    sized(out, LOGIN_ACK, &body);
}
