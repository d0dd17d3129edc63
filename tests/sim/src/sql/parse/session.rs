//! SET, USE, KILL, WAITFOR, DBCC.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{CheckDb, Expr, Kind, SetOption, Text},
    message::message,
    token::Token,
};

const SWITCHES: [&str; 24] = [
    "ANSI_DEFAULTS",
    "ANSI_NULLS",
    "ANSI_NULL_DFLT_OFF",
    "ANSI_NULL_DFLT_ON",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "ARITHIGNORE",
    "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT",
    "FMTONLY",
    "FORCEPLAN",
    "IMPLICIT_TRANSACTIONS",
    "NOCOUNT",
    "NOEXEC",
    "NUMERIC_ROUNDABORT",
    "PARSEONLY",
    "QUOTED_IDENTIFIER",
    "REMOTE_PROC_TRANSACTIONS",
    "SHOWPLAN_ALL",
    "SHOWPLAN_TEXT",
    "SHOWPLAN_XML",
    "XACT_ABORT",
    "DISABLE_DEF_CNST_CHK",
];

const CHECKDB: [&str; 8] = [
    "ALL_ERRORMSGS",
    "DATA_PURITY",
    "ESTIMATEONLY",
    "EXTENDED_LOGICAL_CHECKS",
    "NO_INFOMSGS",
    "PHYSICAL_ONLY",
    "TABLERESULTS",
    "TABLOCK",
];

impl Parser<'_> {
    pub(super) fn set(&mut self) -> Parsed<Kind> {
        self.skip();
        if self.is_variable() {
            let variable = self.variable()?;
            let operator = self.assignment()?;
            return Ok(Kind::Assign { variable, operator, value: self.scalar()? });
        }
        if let Some(name) = self.one_of(&SWITCHES) {
            return Ok(Kind::Set(SetOption::Switch { name: name.to_owned(), on: self.on_off()? }));
        }
        let words = [
            "LOCK_TIMEOUT",
            "DEADLOCK_PRIORITY",
            "LANGUAGE",
            "DATEFORMAT",
            "DATEFIRST",
            "TEXTSIZE",
            "ROWCOUNT",
            "TRANSACTION",
            "IDENTITY_INSERT",
        ];
        let line = self.line();
        Ok(Kind::Set(match self.one_of(&words) {
            Some("LOCK_TIMEOUT") => SetOption::LockTimeout(self.constant()?),
            Some("DEADLOCK_PRIORITY") => SetOption::DeadlockPriority(match self.one_of(&["LOW", "NORMAL", "HIGH"]) {
                Some("LOW") => Expr::Integer(-5),
                Some("NORMAL") => Expr::Integer(0),
                Some(_) => Expr::Integer(5),
                None => match self.constant()? {
                    Expr::Integer(priority) if !(-10..=10).contains(&priority) => {
                        let text = "The value specified for option 'DEADLOCK_PRIORITY' is invalid.";
                        return Self::wrong_at(line, message(2799, 15, text));
                    }
                    other => other,
                },
            }),
            Some("LANGUAGE") => SetOption::Language(self.word_or_text()?),
            Some("DATEFORMAT") => SetOption::DateFormat(self.word_or_text()?),
            Some("DATEFIRST") => SetOption::DateFirst(self.constant()?),
            Some("TEXTSIZE") => SetOption::TextSize(self.signed()?),
            Some("ROWCOUNT") => SetOption::RowCount(self.constant()?),
            Some("TRANSACTION") => SetOption::Isolation(self.isolation()?),
            Some(_) => {
                let table = self.object_name()?;
                SetOption::IdentityInsert { table, on: self.on_off()? }
            }
            None => return self.unexpected(),
        }))
    }

    fn word_or_text(&mut self) -> Parsed<Text> {
        if self.is_identifier() { self.identifier().map(Text::Literal) } else { self.text() }
    }

    fn isolation(&mut self) -> Parsed<String> {
        self.expect("ISOLATION")?;
        self.expect("LEVEL")?;
        let levels = [
            ["READ", "UNCOMMITTED"].as_slice(),
            ["READ", "COMMITTED"].as_slice(),
            ["REPEATABLE", "READ"].as_slice(),
            ["SNAPSHOT"].as_slice(),
            ["SERIALIZABLE"].as_slice(),
        ];
        match levels.into_iter().find(|words| self.accept_all(words)) {
            Some(words) => Ok(words.join(" ")),
            None => self.unexpected(),
        }
    }

    pub(super) fn use_database(&mut self) -> Parsed<Kind> {
        self.skip();
        self.identifier().map(Kind::Use)
    }

    pub(super) fn checkpoint(&mut self) -> Parsed<Kind> {
        self.skip();
        if matches!(self.peek(), Token::Integer(_)) {
            self.whole()?;
        }
        Ok(Kind::Checkpoint)
    }

    /// KILL takes a number as it stands, no variable.
    pub(super) fn kill(&mut self) -> Parsed<Kind> {
        self.skip();
        let session = self.signed()?;
        let status_only = self.accept("WITH");
        if status_only {
            self.expect("STATUSONLY")?;
        }
        Ok(Kind::Kill { session, status_only })
    }

    pub(super) fn wait_for(&mut self) -> Parsed<Kind> {
        self.skip();
        self.expect("DELAY")?;
        self.text().map(Kind::WaitFor)
    }

    pub(super) fn dbcc(&mut self) -> Parsed<Kind> {
        self.skip();
        if !self.accept("CHECKDB") {
            let text = "Incorrect DBCC statement. Check the documentation for the correct DBCC syntax and options.";
            return Err(self.at_line(message(2526, 16, text)));
        }
        let mut check = CheckDb::default();
        if self.accept_symbol("(") {
            check.database = match self.peek().clone() {
                Token::Integer(_) => Some(self.whole()?).filter(|id| *id != 0).map(|id| Text::Literal(id.to_string())),
                Token::Text { .. } => Some(Text::Literal(self.literal()?)),
                _ => Some(self.name_or_variable()?),
            };
            if self.accept_symbol(",") {
                self.expect("NOINDEX")?;
                check.no_index = true;
            }
            self.expect_symbol(")")?;
        }
        if self.accept("WITH") {
            self.list(|parser| {
                if parser.accept("MAXDOP") {
                    check.max_dop = Some(parser.equal(Self::whole)?);
                    return Ok(());
                }
                match parser.one_of(&CHECKDB) {
                    Some(option) => check.options.push(option.to_owned()),
                    None => return parser.unexpected(),
                }
                Ok(())
            })?;
        }
        Ok(Kind::CheckDb(check))
    }
}
