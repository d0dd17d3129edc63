//! A batch cut into tokens.

use super::message::{message, near};
use crate::wire::Message;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A keyword or a plain identifier, as written.
    Word(String),
    /// [x] or "x", without its quotes.
    Quoted(String),
    /// @x, with its @.
    Variable(String),
    /// @@x, with its @@.
    Global(String),
    /// '…' or N'…'
    Text { text: String, national: bool },
    /// A whole number.
    Integer(String),
    /// A number with a point.
    Decimal(String),
    /// A number with an exponent.
    Float(f64),
    /// 0x…
    Binary(Vec<u8>),
    /// An operator or a mark.
    Symbol(&'static str),
    /// After the last one.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) line: u32,
}

/// Longer ones first.
const SYMBOLS: [&str; 34] = [
    "<=", ">=", "<>", "!=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::", "(", ")", ",", ".", ";", "=", "<",
    ">", "+", "-", "*", "/", "%", "&", "|", "^", "~", ":", "!",
];

/// Cuts a batch into tokens; the last one is `End`.
pub(super) fn tokens(batch: &str) -> Result<Vec<Placed>, Message> {
    let mut reader = Reader { batch, at: 0, line: 1 };
    let mut tokens = Vec::new();
    loop {
        reader.skip_blank()?;
        let (start, line) = (reader.at, reader.line);
        let token = reader.next().map_err(|problem| Message { line, ..problem })?;
        let end = token == Token::End;
        tokens.push(Placed { token, start, end: reader.at, line });
        if end {
            return Ok(tokens);
        }
    }
}

struct Reader<'a> {
    batch: &'a str,
    at: usize,
    line: u32,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.batch.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        if next == '\n' {
            self.line += 1;
        }
        Some(next)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.peek().filter(|next| wanted(*next)) {
            taken.push(next);
            self.bump();
        }
        taken
    }

    fn skip_blank(&mut self) -> Result<(), Message> {
        loop {
            if self.peek().is_some_and(|next| next.is_whitespace() || next == '\u{feff}') {
                self.bump();
            } else if self.rest().starts_with("--") {
                while self.peek().is_some_and(|next| next != '\n') {
                    self.bump();
                }
            } else if self.rest().starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) -> Result<(), Message> {
        let line = self.line;
        let mut depth = 0_u32;
        loop {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else if self.bump().is_none() {
                return Err(Message { line, ..message(113, 15, "Missing end comment mark '*/'.") });
            }
        }
    }

    fn next(&mut self) -> Result<Token, Message> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        match first {
            '\'' => self.quoted('\'').map(|text| Token::Text { text, national: false }),
            'N' | 'n' if self.rest()[1..].starts_with('\'') => {
                self.bump();
                self.quoted('\'').map(|text| Token::Text { text, national: true })
            }
            '[' => self.quoted(']').and_then(identifier).map(Token::Quoted),
            '"' => self.quoted('"').and_then(identifier).map(Token::Quoted),
            '@' => {
                self.bump();
                let global = self.peek() == Some('@');
                let name = self.take_while(is_in_name);
                if name.trim_start_matches('@').is_empty() {
                    return Err(near("@"));
                }
                Ok(if global { Token::Global(format!("@{name}")) } else { Token::Variable(format!("@{name}")) })
            }
            '0' if self.rest()[1..].starts_with(['x', 'X']) => {
                self.at += 2;
                self.binary()
            }
            '0'..='9' => self.number(),
            '.' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number(),
            _ if is_first_of_name(first) => self.word(),
            _ => {
                let symbol = SYMBOLS.into_iter().find(|symbol| self.rest().starts_with(symbol));
                self.at += symbol.map_or(0, str::len);
                symbol.map(Token::Symbol).ok_or_else(|| near(&first.to_string()))
            }
        }
    }

    /// Text up to a mark, which stands for itself when it is doubled.
    fn quoted(&mut self, mark: char) -> Result<String, Message> {
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                Some(next) if next == mark && self.peek() == Some(mark) => {
                    self.bump();
                    text.push(mark);
                }
                Some(next) if next == mark => return Ok(text),
                Some(next) => text.push(next),
                None => {
                    let unclosed = format!("Unclosed quotation mark after the character string '{text}'.");
                    return Err(message(105, 15, unclosed));
                }
            }
        }
    }

    fn word(&mut self) -> Result<Token, Message> {
        let word = self.take_while(is_in_name);
        identifier(word).map(Token::Word)
    }

    fn binary(&mut self) -> Result<Token, Message> {
        let digits = self.take_while(|next| next.is_ascii_alphanumeric() || next == '_');
        let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.clone() };
        let bytes = padded.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        bytes.collect::<Option<Vec<u8>>>().map(Token::Binary).ok_or_else(|| near(&digits))
    }

    fn number(&mut self) -> Result<Token, Message> {
        let mut text = self.take_while(|next| next.is_ascii_digit());
        let mut whole = true;
        if self.peek() == Some('.') {
            whole = false;
            self.bump();
            text = format!("{text}.{}", self.take_while(|next| next.is_ascii_digit()));
        }
        if self.peek().is_some_and(|next| next == 'e' || next == 'E') {
            self.bump();
            text.push('e');
            if let Some(sign) = self.peek().filter(|next| *next == '-' || *next == '+') {
                text.push(sign);
                self.bump();
            }
            let exponent = self.take_while(|next| next.is_ascii_digit());
            text.push_str(if exponent.is_empty() { "0" } else { &exponent });
            return text.parse().map(Token::Float).map_err(|_| near(&text));
        }
        Ok(if whole { Token::Integer(text) } else { Token::Decimal(text) })
    }
}

fn is_first_of_name(next: char) -> bool {
    next.is_alphabetic() || next == '_' || next == '#'
}

fn is_in_name(next: char) -> bool {
    next.is_alphanumeric() || matches!(next, '_' | '#' | '@' | '$')
}

fn identifier(name: String) -> Result<String, Message> {
    if name.chars().count() > 128 {
        let text = format!("The identifier that starts with '{name}' is too long. Maximum length is 128.");
        return Err(message(103, 15, text));
    }
    if name.is_empty() {
        let text = "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other \
                    statements, look for empty alias names. Aliases defined as \"\" or [] are not allowed. Change the alias to a valid \
                    name.";
        return Err(message(1038, 15, text));
    }
    Ok(name)
}

/// Words that cannot be plain identifiers.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.split(' ').any(|reserved| reserved.eq_ignore_ascii_case(word))
}

const RESERVED: &str = "ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY CASCADE CASE CHECK CHECKPOINT \
    CLOSE CLUSTERED COALESCE COLLATE COLUMN COMMIT COMPUTE CONSTRAINT CONTAINS CONTAINSTABLE CONTINUE CONVERT CREATE CROSS \
    CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DBCC DEALLOCATE DECLARE DEFAULT \
    DELETE DENY DESC DISK DISTINCT DISTRIBUTED DOUBLE DROP DUMP ELSE END ERRLVL ESCAPE EXCEPT EXEC EXECUTE EXISTS EXIT \
    EXTERNAL FETCH FILE FILLFACTOR FOR FOREIGN FREETEXT FREETEXTTABLE FROM FULL FUNCTION GOTO GRANT GROUP HAVING HOLDLOCK \
    IDENTITY IDENTITYCOL IDENTITY_INSERT IF IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY KILL LEFT LIKE LINENO LOAD \
    MERGE NATIONAL NOCHECK NONCLUSTERED NOT NULL NULLIF OF OFF OFFSETS ON OPEN OPENDATASOURCE OPENQUERY OPENROWSET OPENXML \
    OPTION OR ORDER OUTER OVER PERCENT PIVOT PLAN PRECISION PRIMARY PRINT PROC PROCEDURE PUBLIC RAISERROR READ READTEXT \
    RECONFIGURE REFERENCES REPLICATION RESTORE RESTRICT RETURN REVERT REVOKE RIGHT ROLLBACK ROWCOUNT ROWGUIDCOL RULE SAVE \
    SCHEMA SECURITYAUDIT SELECT SESSION_USER SET SETUSER SHUTDOWN SOME STATISTICS SYSTEM_USER TABLE TABLESAMPLE TEXTSIZE \
    THEN TO TOP TRAN TRANSACTION TRIGGER TRUNCATE TRY_CONVERT TSEQUAL UNION UNIQUE UNPIVOT UPDATE UPDATETEXT USE USER \
    VALUES VARYING VIEW WAITFOR WHEN WHERE WHILE WITH WITHIN WRITETEXT";
