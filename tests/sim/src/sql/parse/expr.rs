//! Expressions and conditions. T-SQL keeps the two apart: a condition is no value, and a value is no condition (4145).

use super::{Parsed, Parser};
use crate::sql::{
    ast::{BinaryOperator, Expr, InList, UnaryOperator},
    message::message,
    token::Token,
};

impl Parser<'_> {
    /// A value.
    pub(super) fn scalar(&mut self) -> Parsed<Expr> {
        let at = self.at;
        let value = self.nested(Self::sum)?;
        if is_condition(&value) {
            // `(a = b)` where a value is wanted: the comparison is what does not belong.
            self.at = at;
            return self.unexpected();
        }
        Ok(value)
    }

    /// A condition.
    pub(super) fn condition(&mut self) -> Parsed<Expr> {
        let value = self.nested(Self::any)?;
        if is_condition(&value) { Ok(value) } else { self.no_condition() }
    }

    fn no_condition<T>(&mut self) -> Parsed<T> {
        let placed = self.placed(0);
        let written = match &placed.token {
            Token::End => self.text_since(self.tokens[self.at.saturating_sub(1)].start),
            _ => self.batch.get(placed.start..placed.end).unwrap_or_default().to_owned(),
        };
        let text =
            format!("An expression of non-boolean type specified in a context where a condition is expected, near '{written}'.");
        Err(self.at_line(message(4145, 15, text)))
    }

    /// A value or a condition: the lowest level, OR.
    fn any(&mut self) -> Parsed<Expr> {
        let mut left = self.conjunction()?;
        while self.is_word("OR") {
            left = self.both(left, BinaryOperator::Or, Self::conjunction)?;
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        let mut left = self.negation()?;
        while self.is_word("AND") {
            left = self.both(left, BinaryOperator::And, Self::negation)?;
        }
        Ok(left)
    }

    fn both(&mut self, left: Expr, operator: BinaryOperator, next: fn(&mut Self) -> Parsed<Expr>) -> Parsed<Expr> {
        if !is_condition(&left) {
            return self.no_condition();
        }
        self.skip();
        let right = next(self)?;
        if !is_condition(&right) {
            return self.no_condition();
        }
        Ok(Expr::Operation { operator, left: Box::new(left), right: Box::new(right) })
    }

    fn negation(&mut self) -> Parsed<Expr> {
        if !self.accept("NOT") {
            return self.comparison();
        }
        let inner = self.nested(Self::negation)?;
        if is_condition(&inner) { Ok(Expr::Not(Box::new(inner))) } else { self.no_condition() }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.sum()?;
        if is_condition(&left) {
            return Ok(left);
        }
        if let Some(operator) = self.comparison_operator() {
            self.skip();
            let right = self.value_of(Self::sum)?;
            return Ok(Expr::Operation { operator, left: Box::new(left), right: Box::new(right) });
        }
        let value = Box::new(left);
        if self.accept("IS") {
            let negated = self.accept("NOT");
            self.expect("NULL")?;
            return Ok(Expr::IsNull { value, negated });
        }
        let negated = ["IN", "BETWEEN", "LIKE"].iter().any(|word| self.is_word_ahead(1, word)) && self.accept("NOT");
        if self.accept("IN") {
            return Ok(Expr::In { value, list: self.in_list()?, negated });
        }
        if self.accept("BETWEEN") {
            let low = Box::new(self.value_of(Self::sum)?);
            self.expect("AND")?;
            let high = Box::new(self.value_of(Self::sum)?);
            return Ok(Expr::Between { value, low, high, negated });
        }
        if self.accept("LIKE") {
            let pattern = Box::new(self.value_of(Self::sum)?);
            let escape = if self.accept("ESCAPE") { Some(Box::new(self.value_of(Self::sum)?)) } else { None };
            return Ok(Expr::Like { value, pattern, escape, negated });
        }
        Ok(*value)
    }

    fn comparison_operator(&self) -> Option<BinaryOperator> {
        let Token::Symbol(symbol) = self.peek() else { return None };
        Some(match *symbol {
            "=" => BinaryOperator::Equal,
            "<>" | "!=" => BinaryOperator::NotEqual,
            "<" => BinaryOperator::Less,
            "<=" | "!>" => BinaryOperator::LessEqual,
            ">" => BinaryOperator::Greater,
            ">=" | "!<" => BinaryOperator::GreaterEqual,
            _ => return None,
        })
    }

    fn in_list(&mut self) -> Parsed<InList> {
        self.expect_symbol("(")?;
        let list = if self.is_word("SELECT") {
            InList::Query(Box::new(self.query()?))
        } else {
            InList::Values(self.list(Self::scalar)?)
        };
        self.expect_symbol(")")?;
        Ok(list)
    }

    /// What `level` reads, which has to be a value.
    fn value_of(&mut self, level: fn(&mut Self) -> Parsed<Expr>) -> Parsed<Expr> {
        let value = level(self)?;
        if is_condition(&value) { self.unexpected() } else { Ok(value) }
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.left_to_right(Self::product, |symbol| {
            Some(match symbol {
                "+" => BinaryOperator::Add,
                "-" => BinaryOperator::Subtract,
                "&" => BinaryOperator::BitAnd,
                "|" => BinaryOperator::BitOr,
                "^" => BinaryOperator::BitXor,
                _ => return None,
            })
        })
    }

    fn product(&mut self) -> Parsed<Expr> {
        self.left_to_right(Self::signed_value, |symbol| {
            Some(match symbol {
                "*" => BinaryOperator::Multiply,
                "/" => BinaryOperator::Divide,
                "%" => BinaryOperator::Modulo,
                _ => return None,
            })
        })
    }

    fn left_to_right(
        &mut self,
        next: fn(&mut Self) -> Parsed<Expr>,
        operator: fn(&str) -> Option<BinaryOperator>,
    ) -> Parsed<Expr> {
        let mut left = next(self)?;
        while let Token::Symbol(symbol) = self.peek() {
            let Some(operator) = operator(symbol) else { break };
            if is_condition(&left) {
                return self.unexpected();
            }
            self.skip();
            let right = self.value_of(next)?;
            left = Expr::Operation { operator, left: Box::new(left), right: Box::new(right) };
        }
        Ok(left)
    }

    fn signed_value(&mut self) -> Parsed<Expr> {
        let operator = match self.peek() {
            Token::Symbol("-") => UnaryOperator::Minus,
            Token::Symbol("+") => UnaryOperator::Plus,
            Token::Symbol("~") => UnaryOperator::BitNot,
            _ => return self.collated(),
        };
        self.skip();
        let value = self.nested(|parser| parser.value_of(Self::signed_value))?;
        Ok(Expr::Unary { operator, value: Box::new(value) })
    }

    fn collated(&mut self) -> Parsed<Expr> {
        let mut value = self.primary()?;
        while !is_condition(&value) && self.accept("COLLATE") {
            value = Expr::Collate { value: Box::new(value), collation: self.identifier()? };
        }
        Ok(value)
    }

    /// The smallest pieces.
    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        match self.peek().clone() {
            Token::Text { text, national } => {
                self.skip();
                Ok(Expr::String { text, national })
            }
            Token::Binary(bytes) => {
                self.skip();
                Ok(Expr::Binary(bytes))
            }
            Token::Integer(_) | Token::Decimal(_) | Token::Float(_) => self.number(),
            Token::Variable(_) => self.variable().map(Expr::Variable),
            Token::Global(name) => {
                self.skip();
                Ok(Expr::Global(name.to_ascii_uppercase()))
            }
            Token::Symbol("(") => self.parenthesis(),
            Token::Quoted(_) => self.column_or_function(),
            Token::Word(word) => self.word(&word.to_ascii_uppercase()),
            _ => self.unexpected(),
        }
    }

    /// A number without a sign.
    pub(super) fn number(&mut self) -> Parsed<Expr> {
        let number = match self.peek().clone() {
            Token::Integer(digits) => digits.parse().map_or_else(|_| Expr::Decimal(digits), Expr::Integer),
            Token::Decimal(text) => Expr::Decimal(text),
            Token::Float(float) => Expr::Float(float),
            _ => return self.unexpected(),
        };
        self.skip();
        Ok(number)
    }

    fn parenthesis(&mut self) -> Parsed<Expr> {
        self.skip();
        let inner = if self.is_word("SELECT") { Expr::Subquery(Box::new(self.query()?)) } else { self.nested(Self::any)? };
        self.expect_symbol(")")?;
        Ok(inner)
    }
}

/// Is it a condition, which is no value?
pub(super) fn is_condition(expr: &Expr) -> bool {
    match expr {
        Expr::Operation { operator, .. } => !matches!(
            operator,
            BinaryOperator::Add
                | BinaryOperator::Subtract
                | BinaryOperator::Multiply
                | BinaryOperator::Divide
                | BinaryOperator::Modulo
                | BinaryOperator::BitAnd
                | BinaryOperator::BitOr
                | BinaryOperator::BitXor
        ),
        Expr::Not(_) | Expr::IsNull { .. } | Expr::In { .. } | Expr::Between { .. } | Expr::Like { .. } | Expr::Exists(_) => true,
        _ => false,
    }
}
