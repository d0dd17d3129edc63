//! Requests after the login: SQL batches, `sp_executesql`, and the transaction manager's.

use super::bytes::{Malformed, Reader, utf16};
use super::parameter::{self, Refused};
use crate::wire::{Batch, Message, Type, Value};

/// What came and cannot run.
#[derive(Debug)]
pub enum Unusable {
    /// The stream makes no sense any more: the connection ends.
    Malformed(Malformed),
    /// An error is all it gets.
    Refused(Message),
}

impl From<Malformed> for Unusable {
    fn from(malformed: Malformed) -> Self {
        Unusable::Malformed(malformed)
    }
}

/// Headers before a request: transaction and the like. The simulator has one request a connection, so they say nothing new.
fn skip_headers(from: &mut Reader<'_>) -> Result<(), Malformed> {
    let what = "headers of a request";
    let length = from.u32(what)? as usize;
    from.take(length.checked_sub(4).ok_or(Malformed(what))?, what)?;
    Ok(())
}

/// Reads a SQL batch.
pub fn batch(data: &[u8]) -> Result<Batch, Unusable> {
    let mut from = Reader::new(data);
    skip_headers(&mut from)?;
    Ok(Batch { sql: utf16(from.rest())?, parameters: None })
}

const EXECUTE_SQL: u16 = 10;

/// Reads a call of `sp_executesql`, by number or by name. Other procedures are called in batches.
pub fn call(data: &[u8]) -> Result<Batch, Unusable> {
    let (mut from, what) = (Reader::new(data), "call of a procedure");
    skip_headers(&mut from)?;
    match from.u16(what)? {
        u16::MAX => match from.u16(what)? {
            EXECUTE_SQL => {}
            other => return Err(Unusable::Refused(message(2812, 62, &format!("Could not find stored procedure '#{other}'.")))),
        },
        count => {
            let name = utf16(from.take(usize::from(count) * 2, what)?)?;
            if !name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("sp_executesql")) {
                return Err(Unusable::Refused(message(2812, 62, &format!("Could not find stored procedure '{name}'."))));
            }
        }
    }
    from.u16(what)?; // recompile, no metadata
    let mut given = Vec::new();
    while !from.is_empty() {
        let name = from.short_text("name of a parameter")?;
        from.u8("state of a parameter")?;
        let (kind, value) = parameter::read(&mut from).map_err(|refused| match refused {
            Refused::Malformed(malformed) => Unusable::Malformed(malformed),
            Refused::Unknown(token) => Unusable::Refused(unknown_type(given.len() + 1, &name, token)),
        })?;
        given.push((name, kind, value));
    }
    execute(given)
}

fn execute(given: Vec<(String, Option<Type>, Value)>) -> Result<Batch, Unusable> {
    let mut given = given.into_iter();
    let missing =
        || Unusable::Refused(message(214, 2, "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'."));
    let Some((_, Some(Type::NVarChar(_) | Type::NChar(_)), Value::Text(sql))) = given.next() else { return Err(missing()) };
    let declaration = match given.next() {
        Some((_, _, Value::Text(declaration))) => declaration,
        Some((_, _, Value::Null)) | None => String::new(),
        Some(_) => {
            let text = "Procedure expects parameter '@params' of type 'ntext/nchar/nvarchar'.";
            return Err(Unusable::Refused(message(214, 3, text)));
        }
    };
    let declared = parameter::declared(&declaration);
    let mut parameters = Vec::new();
    for (place, (name, sent, value)) in given.enumerate() {
        // Without a name the place in the declaration counts.
        let (name, known) = match declared.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((known, kind)) => (known.clone(), Some(*kind)),
            None if name.is_empty() => match declared.get(place) {
                Some((known, kind)) => (known.clone(), Some(*kind)),
                None => {
                    return Err(Unusable::Refused(message(8144, 2, "Procedure or function  has too many arguments specified.")));
                }
            },
            None if declaration.to_lowercase().contains(&name.to_lowercase()) => (name, None),
            None => {
                let text = format!("{name} is not a parameter for procedure sp_executesql.");
                return Err(Unusable::Refused(message(8145, 1, &text)));
            }
        };
        // Declared as something the simulator does not know, and NULL without a type: any type serves.
        let kind = parameter::settle(known, sent, &value).unwrap_or(Type::NVarChar(Some(4000)));
        parameters.push((name, kind, value));
    }
    if let Some((name, _)) = declared.iter().find(|(name, _)| !parameters.iter().any(|(given, _, _)| given == name)) {
        let text = format!("The parameterized query expects the parameter '{name}', which was not supplied.");
        return Err(Unusable::Refused(message(8178, 1, &text)));
    }
    Ok(Batch { sql, parameters: Some(parameters) })
}

fn message(number: u32, state: u8, text: &str) -> Message {
    Message { number, state, class: 16, text: text.to_owned(), line: 1 }
}

fn unknown_type(place: usize, name: &str, token: u8) -> Message {
    let text = format!(
        "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. \
         Parameter {place} (\"{name}\"): Data type 0x{token:02X} is unknown."
    );
    message(8009, 1, &text)
}

/// What a request of the transaction manager does, for the client's own book-keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    Began,
    Committed,
    RolledBack,
}

/// Reads a request of the transaction manager: what it does, in order, and the batch that does the same.
pub fn transaction(data: &[u8]) -> Result<(Vec<Transaction>, Batch), Unusable> {
    let (mut from, what) = (Reader::new(data), "request of a transaction");
    skip_headers(&mut from)?;
    let (mut does, mut sql) = match from.u16(what)? {
        5 => (vec![Transaction::Began], begin(&mut from)?),
        7 => (vec![Transaction::Committed], "COMMIT TRANSACTION".to_owned()),
        8 => (vec![Transaction::RolledBack], "ROLLBACK TRANSACTION".to_owned()),
        other => {
            let text = format!("Transaction manager request {other} is not supported by the simulator.");
            return Err(Unusable::Refused(message(50_000, 1, &text)));
        }
    };
    if does != [Transaction::Began] {
        from.short_text(what)?;
        if from.u8(what)? & 1 != 0 {
            does.push(Transaction::Began);
            sql = format!("{sql}; {}", begin(&mut from)?);
        }
    }
    Ok((does, Batch { sql, parameters: None }))
}

fn begin(from: &mut Reader<'_>) -> Result<String, Malformed> {
    let level = match from.u8("isolation level")? {
        0 => "",
        1 => "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; ",
        2 => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ",
        3 => "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; ",
        4 => "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; ",
        5 => "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; ",
        _ => return Err(Malformed("isolation level")),
    };
    from.short_text("name of a transaction")?;
    Ok(format!("{level}BEGIN TRANSACTION"))
}
