//! Columns, functions, and what looks like them.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{Expr, ObjectName},
    message::message,
    token::{Token, is_reserved},
};

/// Functions that are keywords: reserved words that may stand before a parenthesis.
const KEYWORD_FUNCTIONS: [&str; 4] = ["COALESCE", "NULLIF", "LEFT", "RIGHT"];

impl Parser<'_> {
    pub(super) fn word(&mut self, word: &str) -> Parsed<Expr> {
        match word {
            "NULL" => {
                self.skip();
                Ok(Expr::Null)
            }
            "CASE" => self.case(),
            "EXISTS" => {
                self.skip();
                self.expect_symbol("(")?;
                let query = self.query()?;
                self.expect_symbol(")")?;
                Ok(Expr::Exists(Box::new(query)))
            }
            "CURRENT_TIMESTAMP" | "CURRENT_USER" | "SYSTEM_USER" | "SESSION_USER" | "USER" => {
                self.skip();
                Ok(function(word, Vec::new()))
            }
            "CONVERT" | "TRY_CONVERT" => self.convert(word == "TRY_CONVERT"),
            _ if KEYWORD_FUNCTIONS.contains(&word) && self.is_symbol_ahead(1, "(") => {
                self.skip();
                self.call(ObjectName { name: word.to_owned(), ..ObjectName::default() })
            }
            _ if is_reserved(word) => self.unexpected(),
            "CAST" | "TRY_CAST" if self.is_symbol_ahead(1, "(") => self.cast(word == "TRY_CAST"),
            "IIF" if self.is_symbol_ahead(1, "(") => self.iif(),
            "DATEADD" | "DATEDIFF" | "DATEDIFF_BIG" | "DATEPART" | "DATENAME" if self.is_symbol_ahead(1, "(") => self.dated(word),
            "ROW_NUMBER" if self.is_symbol_ahead(1, "(") => self.row_number(),
            _ => self.column_or_function(),
        }
    }

    pub(super) fn column_or_function(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.identifier()?];
        while self.is_symbol(".") {
            self.skip();
            parts.push(if self.is_symbol(".") { String::new() } else { self.identifier()? });
        }
        if !self.is_symbol("(") {
            if parts.len() > 4 {
                let text = format!("The multi-part identifier \"{}\" could not be bound.", parts.join("."));
                return Err(self.at_line(message(4104, 16, text)));
            }
            // `master..t.c` leaves out a schema; a table cannot be left out.
            if parts.iter().rev().nth(1).is_some_and(String::is_empty) {
                return self.unexpected();
            }
            return Ok(Expr::Column(parts));
        }
        let mut parts = parts.into_iter().rev();
        let mut part = || parts.next().unwrap_or_default();
        let mut name = ObjectName { name: part(), schema: part(), database: part(), server: part() };
        if name.schema.is_empty() {
            name.name = name.name.to_ascii_uppercase();
        }
        self.call(name)
    }

    /// (arguments), after the name.
    fn call(&mut self, name: ObjectName) -> Parsed<Expr> {
        self.expect_symbol("(")?;
        let (mut star, mut distinct, mut arguments) = (false, false, Vec::new());
        if self.is_symbol("*") && self.is_symbol_ahead(1, ")") && ["COUNT", "COUNT_BIG"].contains(&name.name.as_str()) {
            self.skip();
            star = true;
        } else if !self.is_symbol(")") {
            let aggregate = ["COUNT", "COUNT_BIG", "MIN", "MAX", "SUM", "AVG"].contains(&name.name.as_str());
            if aggregate && self.one_of(&["DISTINCT", "ALL"]) == Some("DISTINCT") {
                distinct = true;
            }
            arguments = self.list(Self::scalar)?;
        }
        self.expect_symbol(")")?;
        Ok(Expr::Function { name, arguments, star, distinct })
    }

    fn case(&mut self) -> Parsed<Expr> {
        self.skip();
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(self.scalar()?)) };
        let mut branches = Vec::new();
        while self.accept("WHEN") {
            let when = if operand.is_some() { self.scalar()? } else { self.condition()? };
            self.expect("THEN")?;
            branches.push((when, self.scalar()?));
        }
        if branches.is_empty() {
            return self.unexpected();
        }
        let otherwise = if self.accept("ELSE") { Some(Box::new(self.scalar()?)) } else { None };
        self.expect("END")?;
        Ok(Expr::Case { operand, branches, otherwise })
    }

    fn iif(&mut self) -> Parsed<Expr> {
        self.skip();
        self.expect_symbol("(")?;
        let condition = self.condition()?;
        self.expect_symbol(",")?;
        let then = self.scalar()?;
        self.expect_symbol(",")?;
        let otherwise = self.scalar()?;
        self.expect_symbol(")")?;
        Ok(Expr::Case { operand: None, branches: vec![(condition, then)], otherwise: Some(Box::new(otherwise)) })
    }

    fn cast(&mut self, attempt: bool) -> Parsed<Expr> {
        self.skip();
        self.expect_symbol("(")?;
        let value = Box::new(self.scalar()?);
        self.expect("AS")?;
        let kind = self.type_name("30")?;
        self.expect_symbol(")")?;
        Ok(Expr::Cast { value, kind, attempt })
    }

    fn convert(&mut self, attempt: bool) -> Parsed<Expr> {
        self.skip();
        self.expect_symbol("(")?;
        let kind = self.type_name("30")?;
        self.expect_symbol(",")?;
        let value = Box::new(self.scalar()?);
        let style = if self.accept_symbol(",") { Some(Box::new(self.scalar()?)) } else { None };
        self.expect_symbol(")")?;
        Ok(Expr::Convert { kind, value, style, attempt })
    }

    /// DATEADD and its kin: the first argument is a unit.
    fn dated(&mut self, name: &str) -> Parsed<Expr> {
        self.skip();
        self.expect_symbol("(")?;
        let Token::Word(unit) = self.peek().clone() else { return self.unexpected() };
        if is_reserved(&unit) {
            return self.unexpected();
        }
        self.skip();
        let mut arguments = vec![Expr::Column(vec![unit])];
        while self.accept_symbol(",") {
            arguments.push(self.scalar()?);
        }
        self.expect_symbol(")")?;
        Ok(function(name, arguments))
    }

    fn row_number(&mut self) -> Parsed<Expr> {
        self.skip();
        self.expect_symbol("(")?;
        self.expect_symbol(")")?;
        self.expect("OVER")?;
        self.expect_symbol("(")?;
        let mut partition_by = Vec::new();
        if self.accept("PARTITION") {
            self.expect("BY")?;
            partition_by = self.list(Self::scalar)?;
        }
        let order_by = self.order_by()?;
        if order_by.is_empty() {
            let text = "The function 'ROW_NUMBER' must have an OVER clause with ORDER BY.";
            return Err(self.at_line(message(4112, 15, text)));
        }
        self.expect_symbol(")")?;
        Ok(Expr::RowNumber { partition_by, order_by })
    }
}

/// A function that is built in.
fn function(name: &str, arguments: Vec<Expr>) -> Expr {
    let name = ObjectName { name: name.to_owned(), ..ObjectName::default() };
    Expr::Function { name, arguments, star: false, distinct: false }
}
