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

#[cfg(test)]
mod tests {
    use super::super::bytes::to_utf16;
    use super::*;
    use proptest::prelude::*;

    const NO_HEADERS: [u8; 4] = [4, 0, 0, 0];

    fn text(name: &str, text: &str) -> Vec<u8> {
        let (name, text) = (to_utf16(name), to_utf16(text));
        let length = (text.len() as u16).to_le_bytes();
        [&[(name.len() / 2) as u8], &name[..], &[0, 0xE7, 0x40, 0x1F, 0, 0, 0, 0, 0], &length, &text].concat()
    }

    fn int(name: &str, value: u8) -> Vec<u8> {
        let name = to_utf16(name);
        [&[(name.len() / 2) as u8], &name[..], &[0, 0x26, 4, 4, value, 0, 0, 0]].concat()
    }

    fn by_name(procedure: &str, parameters: &[Vec<u8>]) -> Vec<u8> {
        let name = to_utf16(procedure);
        [&NO_HEADERS, &((name.len() / 2) as u16).to_le_bytes()[..], &name, &[0, 0], &parameters.concat()].concat()
    }

    fn error(data: &[u8]) -> u32 {
        match call(data) {
            Err(Unusable::Refused(message)) => message.number,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sp_executesql_by_number_and_by_name() {
        let statement = [text("", "SELECT @a, @b"), text("", "@a int, @b bigint")];
        for parameters in [[int("@A", 1), int("@b", 2)], [int("", 1), int("", 2)]] {
            let parameters = [&statement[..], &parameters].concat();
            let by_number = [&NO_HEADERS[..], &[0xFF, 0xFF, 10, 0, 0, 0], &parameters.concat()].concat();
            for data in [by_number, by_name("SP_ExecuteSQL", &parameters), by_name("sys.sp_executesql", &parameters)] {
                let batch = call(&data).unwrap();
                let expected = vec![("@a".to_owned(), Type::Int, Value::Int(1)), ("@b".to_owned(), Type::BigInt, Value::Int(2))];
                assert_eq!((&*batch.sql, batch.parameters), ("SELECT @a, @b", Some(expected)));
            }
        }
        let alone = call(&by_name("sp_executesql", &[text("", "SELECT 1")])).unwrap();
        assert_eq!(alone.parameters, Some(vec![]));
    }

    #[test]
    fn calls_that_cannot_be_get_the_number_of_the_real_one() {
        let (statement, declaration) = (text("", "SELECT @a"), text("", "@a int"));
        assert_eq!(error(&by_name("sp_prepexec", &[])), 2812);
        assert_eq!(error(&[&NO_HEADERS[..], &[0xFF, 0xFF, 13, 0, 0, 0]].concat()), 2812);
        assert_eq!(error(&by_name("sp_executesql", &[])), 214);
        assert_eq!(error(&by_name("sp_executesql", &[int("", 1)])), 214);
        assert_eq!(error(&by_name("sp_executesql", &[statement.clone(), int("", 1)])), 214);
        assert_eq!(error(&by_name("sp_executesql", &[statement.clone(), declaration.clone()])), 8178);
        assert_eq!(error(&by_name("sp_executesql", &[statement.clone(), declaration.clone(), int("@b", 1)])), 8145);
        assert_eq!(error(&by_name("sp_executesql", &[statement.clone(), declaration.clone(), int("", 1), int("", 1)])), 8144);
        let time = vec![0, 0, 0x29, 7, 0];
        assert_eq!(error(&by_name("sp_executesql", &[statement, declaration, time])), 8009);
    }

    #[test]
    fn a_transaction_that_ends_may_begin_the_next() {
        let request = |rest: &[u8]| transaction(&[&NO_HEADERS, rest].concat()).map(|(does, batch)| (does, batch.sql));
        let begun = (vec![Transaction::Began], "BEGIN TRANSACTION".to_owned());
        assert_eq!(request(&[5, 0, 0, 0]).unwrap(), begun);
        let (does, sql) = request(&[7, 0, 0, 1, 2, 0]).unwrap();
        assert_eq!(does, [Transaction::Committed, Transaction::Began]);
        assert_eq!(sql, "COMMIT TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN TRANSACTION");
        assert!(matches!(request(&[9, 0, 0]), Err(Unusable::Refused(_))));
        assert!(matches!(request(&[5, 0, 9, 0]), Err(Unusable::Malformed(_))));
    }

    #[test]
    fn headers_before_a_batch_are_skipped() {
        let with = [&[8, 0, 0, 0, 1, 2, 3, 4][..], &to_utf16("SELECT 'ñ'")].concat();
        assert_eq!(batch(&with).unwrap().sql, "SELECT 'ñ'");
        for bad in [&[3, 0, 0, 0][..], &[9, 0, 0, 0, 1, 2, 3, 4], &[4, 0, 0, 0, b'x']] {
            assert!(matches!(batch(bad), Err(Unusable::Malformed(_))), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_refused(data in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..12], 0..120)) {
            let data = [&NO_HEADERS[..], &data].concat();
            let _ = (batch(&data), call(&data), transaction(&data));
        }
    }
}
