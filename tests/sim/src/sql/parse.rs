//! Reads a batch, whole, before anything runs. Strict: what the documentation does not show is an error, and so is what it shows and
//! the simulator does not do.

mod backup;
mod change;
mod control;
mod database;
mod define;
mod expr;
mod function;
mod query;
mod restore;
mod security;
mod session;
#[cfg(test)]
mod tests;

use super::{
    ast::{ObjectName, Statement, Text},
    message::{message, near, near_keyword, undeclared},
    token::{Placed, Token, is_reserved, tokens},
    types::named_type,
};
use crate::wire::{Message, Type};

/// Reads a batch.
pub fn parse(batch: &str) -> Result<Vec<Statement>, Message> {
    parse_with(batch, &[])
}

/// Reads a batch that has parameters (their names, with the @).
pub fn parse_with(batch: &str, parameters: &[&str]) -> Result<Vec<Statement>, Message> {
    let declared = parameters.iter().map(|name| name.to_lowercase()).collect();
    let mut parser = Parser { batch, tokens: tokens(batch)?, at: 0, declared, depth: 0 };
    parser.batch()
}

/// Deeper than this no statement or expression nests (191 and its kin), so that none overflows the stack.
const DEEPEST: u32 = 100;

struct Parser<'a> {
    batch: &'a str,
    tokens: Vec<Placed>,
    at: usize,
    declared: Vec<String>,
    depth: u32,
}

type Parsed<T> = Result<T, Message>;

impl Parser<'_> {
    fn batch(&mut self) -> Parsed<Vec<Statement>> {
        let mut statements = Vec::new();
        self.skip_semicolons();
        while *self.peek() != Token::End {
            statements.push(self.statement(statements.is_empty())?);
            self.skip_semicolons();
        }
        Ok(statements)
    }

    fn skip_semicolons(&mut self) {
        while self.accept_symbol(";") {}
    }

    fn placed(&self, ahead: usize) -> &Placed {
        // The last token is `End`, and there is always one.
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Token {
        &self.placed(0).token
    }

    fn ahead(&self, tokens: usize) -> &Token {
        &self.placed(tokens).token
    }

    fn line(&self) -> u32 {
        self.placed(0).line
    }

    /// Where the text of the current token begins.
    fn here(&self) -> usize {
        self.placed(0).start
    }

    /// The text from `start` to the end of the last token that was read.
    fn text_since(&self, start: usize) -> String {
        let end = self.at.checked_sub(1).map_or(start, |last| self.tokens[last].end);
        self.batch.get(start..end).unwrap_or_default().to_owned()
    }

    fn skip(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEEPEST {
            let text =
                "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.";
            return Err(self.at_line(message(191, 15, text)));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn at_line(&self, problem: Message) -> Message {
        Message { line: self.line(), ..problem }
    }

    /// What is wrong: the current token may not stand where it does.
    fn unexpected<T>(&self) -> Parsed<T> {
        // At the end the server names the last token that it saw.
        let placed = if *self.peek() == Token::End && self.at > 0 { &self.tokens[self.at - 1] } else { self.placed(0) };
        let written = self.batch.get(placed.start..placed.end).unwrap_or_default();
        let problem = match &placed.token {
            Token::Word(word) if is_reserved(word) => near_keyword(word),
            Token::Word(word) | Token::Quoted(word) => near(word),
            Token::Text { text, .. } => near(text),
            _ => near(written),
        };
        Err(Message { line: placed.line, ..problem })
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_ahead(0, word)
    }

    fn is_word_ahead(&self, ahead: usize, word: &str) -> bool {
        matches!(self.ahead(ahead), Token::Word(written) if written.eq_ignore_ascii_case(word))
    }

    fn accept(&mut self, word: &str) -> bool {
        let there = self.is_word(word);
        if there {
            self.skip();
        }
        there
    }

    /// Accepts all of these words or none.
    fn accept_all(&mut self, words: &[&str]) -> bool {
        let there = words.iter().enumerate().all(|(ahead, word)| self.is_word_ahead(ahead, word));
        if there {
            words.iter().for_each(|_| self.skip());
        }
        there
    }

    fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.accept(word) { Ok(()) } else { self.unexpected() }
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_ahead(0, symbol)
    }

    fn is_symbol_ahead(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.ahead(ahead), Token::Symbol(written) if *written == symbol)
    }

    fn accept_symbol(&mut self, symbol: &str) -> bool {
        let there = self.is_symbol(symbol);
        if there {
            self.skip();
        }
        there
    }

    fn expect_symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.accept_symbol(symbol) { Ok(()) } else { self.unexpected() }
    }

    /// An unquoted word that is in `words`, in upper case.
    fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = words.iter().find(|word| self.is_word(word)).copied()?;
        self.skip();
        Some(found)
    }

    /// An identifier: quoted, or a word that is not reserved.
    fn identifier(&mut self) -> Parsed<String> {
        match self.peek().clone() {
            Token::Word(word) if !is_reserved(&word) => {
                self.skip();
                Ok(word)
            }
            Token::Quoted(word) => {
                self.skip();
                Ok(word)
            }
            _ => self.unexpected(),
        }
    }

    fn is_identifier(&self) -> bool {
        match self.peek() {
            Token::Word(word) => !is_reserved(word),
            Token::Quoted(_) => true,
            _ => false,
        }
    }

    /// (a, b, c)
    fn identifiers(&mut self) -> Parsed<Vec<String>> {
        self.in_parentheses(Self::identifier)
    }

    /// A name of up to four parts.
    fn object_name(&mut self) -> Parsed<ObjectName> {
        let mut parts = vec![self.identifier()?];
        while self.accept_symbol(".") {
            // `a..b`: the part between is the default.
            parts.push(if self.is_symbol(".") { String::new() } else { self.identifier()? });
        }
        if parts.len() > 4 {
            let text = format!(
                "The object name '{}' contains more than the maximum number of prefixes. The maximum is 3.",
                parts.join(".")
            );
            return Err(self.at_line(message(117, 15, text)));
        }
        let mut parts = parts.into_iter().rev();
        let mut part = || parts.next().unwrap_or_default();
        Ok(ObjectName { name: part(), schema: part(), database: part(), server: part() })
    }

    /// A variable that is declared, with its @.
    fn variable(&mut self) -> Parsed<String> {
        let Token::Variable(name) = self.peek().clone() else { return self.unexpected() };
        if !self.declared.contains(&name.to_lowercase()) {
            return Err(self.at_line(undeclared(&name)));
        }
        self.skip();
        Ok(name)
    }

    fn is_variable(&self) -> bool {
        matches!(self.peek(), Token::Variable(_))
    }

    /// '…' or N'…'
    fn literal(&mut self) -> Parsed<String> {
        let Token::Text { text, .. } = self.peek().clone() else { return self.unexpected() };
        self.skip();
        Ok(text)
    }

    /// '…', N'…' or a variable.
    fn text(&mut self) -> Parsed<Text> {
        if self.is_variable() { self.variable().map(Text::Variable) } else { self.literal().map(Text::Literal) }
    }

    /// An identifier or a variable.
    fn name_or_variable(&mut self) -> Parsed<Text> {
        if self.is_variable() { self.variable().map(Text::Variable) } else { self.identifier().map(Text::Literal) }
    }

    /// A whole number without a sign.
    fn whole(&mut self) -> Parsed<i64> {
        let Token::Integer(digits) = self.peek() else { return self.unexpected() };
        let Ok(number) = digits.parse() else { return self.unexpected() };
        self.skip();
        Ok(number)
    }

    /// A whole number, perhaps with a minus.
    fn signed(&mut self) -> Parsed<i64> {
        let minus = self.accept_symbol("-");
        self.whole().map(|number| if minus { -number } else { number })
    }

    /// 0x…
    fn bytes(&mut self) -> Parsed<Vec<u8>> {
        let Token::Binary(bytes) = self.peek().clone() else { return self.unexpected() };
        self.skip();
        Ok(bytes)
    }

    /// ON or OFF.
    fn on_off(&mut self) -> Parsed<bool> {
        match self.one_of(&["ON", "OFF"]) {
            Some(word) => Ok(word == "ON"),
            None => self.unexpected(),
        }
    }

    /// item, item, …
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// (item, item, …)
    fn in_parentheses<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect_symbol("(")?;
        let items = self.list(item)?;
        self.expect_symbol(")")?;
        Ok(items)
    }

    /// A type; `otherwise` is the length of one that is given without.
    fn type_name(&mut self, otherwise: &str) -> Parsed<Type> {
        let line = self.line();
        let name = self.identifier()?;
        let mut arguments = Vec::new();
        if self.is_symbol("(") {
            arguments = self.in_parentheses(|parser| match parser.peek().clone() {
                Token::Integer(digits) => {
                    parser.skip();
                    Ok(digits)
                }
                Token::Word(word) if word.eq_ignore_ascii_case("max") => {
                    parser.skip();
                    Ok("max".to_owned())
                }
                _ => parser.unexpected(),
            })?;
        }
        let name = name.to_ascii_lowercase();
        let sized = ["char", "character", "nchar", "varchar", "nvarchar", "binary", "varbinary"].contains(&name.as_str());
        if arguments.is_empty() && sized {
            arguments.push(otherwise.to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        named_type(&name, &arguments).ok_or_else(|| {
            let problem = if named_type(&name, &[]).is_some() {
                message(1001, 15, format!("Line {line}: Length or precision specification {} is invalid.", arguments.join(",")))
            } else {
                message(243, 16, format!("Type {name} is not a defined system type."))
            };
            Message { line, ..problem }
        })
    }
}
