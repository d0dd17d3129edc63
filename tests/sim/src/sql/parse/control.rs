//! Statements as such, variables, and what decides which of them run.

use super::{Parsed, Parser};
use crate::{
    sql::{
        ast::{Argument, BinaryOperator, Declaration, Execute, Expr, Kind, RaiseError, Statement},
        message::message,
        token::Token,
    },
    wire::Message,
};

impl Parser<'_> {
    pub(super) fn statement(&mut self, first: bool) -> Parsed<Statement> {
        let (line, start) = (self.line(), self.here());
        let kind = self.nested(|parser| parser.kind(first))?;
        Ok(Statement { line, text: self.text_since(start), kind })
    }

    fn kind(&mut self, first: bool) -> Parsed<Kind> {
        let Token::Word(word) = self.peek().clone() else {
            // The first statement of a batch may be a procedure without EXEC.
            let query = self.is_symbol("(");
            return if query { self.select() } else { self.bare_procedure(first) };
        };
        match word.to_ascii_uppercase().as_str() {
            "SELECT" => self.select(),
            "INSERT" => self.insert(),
            "UPDATE" => self.update(),
            "DELETE" => self.delete(),
            "TRUNCATE" => self.truncate(),
            "BACKUP" => self.backup(),
            "RESTORE" => self.restore(),
            "DBCC" => self.dbcc(),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "GRANT" | "DENY" | "REVOKE" => self.permission(),
            "KILL" => self.kill(),
            "USE" => self.use_database(),
            "SET" => self.set(),
            "WAITFOR" => self.wait_for(),
            "CHECKPOINT" => self.checkpoint(),
            "DECLARE" => self.declare(),
            "PRINT" => {
                self.skip();
                self.scalar().map(Kind::Print)
            }
            "RAISERROR" => self.raise_error(),
            "THROW" => self.throw(),
            "IF" => self.conditional(),
            "WHILE" => self.repeat(),
            "BEGIN" => self.begin(),
            "BREAK" => {
                self.skip();
                Ok(Kind::Break)
            }
            "CONTINUE" => {
                self.skip();
                Ok(Kind::Continue)
            }
            "RETURN" => self.give_back(),
            "COMMIT" => {
                self.skip();
                self.transaction_name(true).map(Kind::Commit)
            }
            "ROLLBACK" => {
                self.skip();
                self.transaction_name(true).map(Kind::Rollback)
            }
            "SAVE" => self.save(),
            "EXEC" | "EXECUTE" => {
                self.skip();
                self.execute().map(Kind::Execute)
            }
            "WITH" if !first => self.unterminated_with(),
            _ => self.bare_procedure(first),
        }
    }

    /// WITH begins a statement only after a semicolon.
    fn unterminated_with(&mut self) -> Parsed<Kind> {
        let text = "Incorrect syntax near the keyword 'with'. If this statement is a common table expression, an xmlnamespaces clause or \
                    a change tracking context clause, the previous statement must be terminated with a semicolon.";
        Err(self.at_line(message(319, 15, text)))
    }

    fn bare_procedure(&mut self, first: bool) -> Parsed<Kind> {
        // These begin statements that are not done here.
        let other = ["DISABLE", "ENABLE", "GET", "MOVE", "RECEIVE", "SEND"].iter().any(|word| self.is_word(word));
        if first && !other && self.is_identifier() { self.execute().map(Kind::Execute) } else { self.unexpected() }
    }

    fn declare(&mut self) -> Parsed<Kind> {
        self.skip();
        self.list(Self::declaration).map(Kind::Declare)
    }

    fn declaration(&mut self) -> Parsed<Declaration> {
        let Token::Variable(name) = self.peek().clone() else { return self.unexpected() };
        if self.declared.contains(&name.to_lowercase()) {
            let text = format!(
                "The variable name '{name}' has already been declared. Variable names must be unique within a query batch or stored \
                 procedure."
            );
            return Err(self.at_line(message(134, 15, text)));
        }
        self.skip();
        self.accept("AS");
        let kind = self.type_name("1")?;
        let value = if self.accept_symbol("=") { Some(self.scalar()?) } else { None };
        self.declared.push(name.to_lowercase());
        Ok(Declaration { name, kind, value })
    }

    /// = or += and its kin; `None` inside for the plain one.
    pub(super) fn assignment(&mut self) -> Parsed<Option<BinaryOperator>> {
        let operator = match self.peek() {
            Token::Symbol("=") => None,
            Token::Symbol("+=") => Some(BinaryOperator::Add),
            Token::Symbol("-=") => Some(BinaryOperator::Subtract),
            Token::Symbol("*=") => Some(BinaryOperator::Multiply),
            Token::Symbol("/=") => Some(BinaryOperator::Divide),
            Token::Symbol("%=") => Some(BinaryOperator::Modulo),
            Token::Symbol("&=") => Some(BinaryOperator::BitAnd),
            Token::Symbol("|=") => Some(BinaryOperator::BitOr),
            Token::Symbol("^=") => Some(BinaryOperator::BitXor),
            _ => return self.unexpected(),
        };
        self.skip();
        Ok(operator)
    }

    fn raise_error(&mut self) -> Parsed<Kind> {
        self.skip();
        self.expect_symbol("(")?;
        let message = self.constant()?;
        self.expect_symbol(",")?;
        let severity = self.whole_constant()?;
        self.expect_symbol(",")?;
        let state = self.whole_constant()?;
        let mut arguments = Vec::new();
        while self.accept_symbol(",") {
            arguments.push(self.constant()?);
        }
        self.expect_symbol(")")?;
        let mut raised = RaiseError { message, severity, state, arguments, no_wait: false, log: false, set_error: false };
        if self.accept("WITH") {
            self.list(|parser| {
                match parser.one_of(&["NOWAIT", "LOG", "SETERROR"]) {
                    Some("NOWAIT") => raised.no_wait = true,
                    Some("LOG") => raised.log = true,
                    Some(_) => raised.set_error = true,
                    None => return parser.unexpected(),
                }
                Ok(())
            })?;
        }
        Ok(Kind::RaiseError(raised))
    }

    fn throw(&mut self) -> Parsed<Kind> {
        self.skip();
        if matches!(self.peek(), Token::Integer(_) | Token::Variable(_)) {
            let number = self.whole_constant()?;
            self.expect_symbol(",")?;
            if !matches!(self.peek(), Token::Text { .. } | Token::Variable(_)) {
                return self.unexpected();
            }
            let text = self.constant()?;
            self.expect_symbol(",")?;
            let state = self.whole_constant()?;
            return Ok(Kind::Throw(Some((number, text, state))));
        }
        Ok(Kind::Throw(None))
    }

    fn conditional(&mut self) -> Parsed<Kind> {
        self.skip();
        let condition = self.condition()?;
        let then = Box::new(self.statement(false)?);
        // `IF x SELECT 1; ELSE SELECT 2` is one statement.
        let semicolons = (0..).take_while(|ahead| self.is_symbol_ahead(*ahead, ";")).count();
        let mut otherwise = None;
        if self.is_word_ahead(semicolons, "ELSE") {
            self.skip_semicolons();
            self.skip();
            otherwise = Some(Box::new(self.statement(false)?));
        }
        Ok(Kind::If { condition, then, otherwise })
    }

    fn repeat(&mut self) -> Parsed<Kind> {
        self.skip();
        let condition = self.condition()?;
        Ok(Kind::While { condition, body: Box::new(self.statement(false)?) })
    }

    fn begin(&mut self) -> Parsed<Kind> {
        self.skip();
        if self.is_word("TRAN") || self.is_word("TRANSACTION") {
            return self.transaction_name(false).map(Kind::BeginTransaction);
        }
        if self.accept("TRY") {
            let body = self.until_end()?;
            self.expect("TRY")?;
            self.expect("BEGIN")?;
            self.expect("CATCH")?;
            let catch = if self.is_word("END") { self.end_of_block(Vec::new())? } else { self.until_end()? };
            self.expect("CATCH")?;
            return Ok(Kind::Try { body, catch });
        }
        self.until_end().map(Kind::Block)
    }

    /// One statement or more, and END.
    fn until_end(&mut self) -> Parsed<Vec<Statement>> {
        self.skip_semicolons();
        let mut statements = vec![self.statement(false)?];
        self.skip_semicolons();
        while !self.is_word("END") {
            statements.push(self.statement(false)?);
            self.skip_semicolons();
        }
        self.end_of_block(statements)
    }

    fn end_of_block(&mut self, statements: Vec<Statement>) -> Parsed<Vec<Statement>> {
        self.expect("END")?;
        Ok(statements)
    }

    fn give_back(&mut self) -> Parsed<Kind> {
        self.skip();
        let value = match self.peek() {
            Token::Integer(_) | Token::Variable(_) | Token::Global(_) => true,
            Token::Symbol(symbol) => ["-", "+", "("].contains(symbol),
            _ => false,
        };
        Ok(Kind::Return(if value { Some(self.scalar()?) } else { None }))
    }

    /// [TRAN[SACTION] [name]], or WORK where it may stand.
    fn transaction_name(&mut self, work: bool) -> Parsed<Option<String>> {
        if work && self.accept("WORK") {
            return Ok(None);
        }
        if self.one_of(&["TRAN", "TRANSACTION"]).is_none() {
            return Ok(None);
        }
        if self.is_variable() {
            return self.variable().map(Some);
        }
        // A procedure can be called without EXEC only at the beginning of a batch, so a name here is the transaction's; only THROW
        // begins a statement and is not reserved.
        if self.is_identifier() && !self.is_word("THROW") { self.identifier().map(Some) } else { Ok(None) }
    }

    fn save(&mut self) -> Parsed<Kind> {
        self.skip();
        match self.transaction_name(false)? {
            Some(name) => Ok(Kind::Save(name)),
            None => self.unexpected(),
        }
    }

    /// [@rc =] procedure [arguments], after EXEC.
    pub(super) fn execute(&mut self) -> Parsed<Execute> {
        let mut result = None;
        if self.is_variable() {
            result = Some(self.variable()?);
            self.expect_symbol("=")?;
        }
        let procedure = self.object_name()?;
        let mut arguments: Vec<Argument> = Vec::new();
        if self.is_argument() {
            arguments.push(self.argument(&[])?);
            while self.accept_symbol(",") {
                let next = self.argument(&arguments)?;
                arguments.push(next);
            }
        }
        Ok(Execute { result, procedure, arguments })
    }

    fn is_argument(&self) -> bool {
        match self.peek() {
            Token::End => false,
            Token::Symbol(symbol) => ["-", "+"].contains(symbol),
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") || word.eq_ignore_ascii_case("DEFAULT") => true,
            Token::Word(_) => self.is_identifier(),
            _ => true,
        }
    }

    fn argument(&mut self, before: &[Argument]) -> Parsed<Argument> {
        let mut name = None;
        if self.is_symbol_ahead(1, "=") {
            let Token::Variable(named) = self.peek().clone() else { return self.unexpected() };
            self.skip();
            self.skip();
            name = Some(named);
        } else if before.iter().any(|argument| argument.name.is_some()) {
            let text = format!(
                "Must pass parameter number {0} and subsequent parameters as '@name = value'. After the form '@name = value' has been \
                 used, all subsequent parameters must be passed in the form '@name = value'.",
                before.len() + 1
            );
            return Err(self.at_line(message(119, 15, text)));
        }
        if self.accept("DEFAULT") {
            return Ok(Argument { name, value: Expr::Default, output: false });
        }
        let value = match self.peek() {
            // A word without quotes is a text.
            Token::Word(_) | Token::Quoted(_) if self.is_identifier() => {
                Expr::String { text: self.identifier()?, national: true }
            }
            _ => self.constant()?,
        };
        let output = matches!(value, Expr::Variable(_)) && self.one_of(&["OUTPUT", "OUT"]).is_some();
        Ok(Argument { name, value, output })
    }

    /// A constant, a variable or a global: what procedures and RAISERROR take.
    pub(super) fn constant(&mut self) -> Parsed<Expr> {
        let sign = ["-", "+"].iter().find(|sign| self.is_symbol(sign));
        if let Some(sign) = sign {
            self.skip();
            return match self.peek() {
                Token::Integer(_) | Token::Decimal(_) | Token::Float(_) => Ok(Self::signed_number(sign, self.number()?)),
                _ => self.unexpected(),
            };
        }
        match self.peek().clone() {
            Token::Integer(_) | Token::Decimal(_) | Token::Float(_) => self.number(),
            Token::Text { .. } | Token::Binary(_) | Token::Variable(_) | Token::Global(_) => self.primary(),
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => self.primary(),
            _ => self.unexpected(),
        }
    }

    /// A whole number, perhaps with a sign, or a variable.
    fn whole_constant(&mut self) -> Parsed<Expr> {
        if self.is_variable() { self.variable().map(Expr::Variable) } else { self.signed().map(Expr::Integer) }
    }

    fn signed_number(sign: &str, number: Expr) -> Expr {
        match number {
            Expr::Integer(whole) if sign == "-" => Expr::Integer(-whole),
            Expr::Decimal(text) if sign == "-" => Expr::Decimal(format!("-{text}")),
            Expr::Float(float) if sign == "-" => Expr::Float(-float),
            other => other,
        }
    }

    /// What is wrong, at a line that is not the current one.
    pub(super) fn wrong_at<T>(line: u32, problem: Message) -> Parsed<T> {
        Err(Message { line, ..problem })
    }
}
