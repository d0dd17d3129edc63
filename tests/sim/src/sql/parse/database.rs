//! CREATE DATABASE, ALTER DATABASE, ALTER AUTHORIZATION.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{
        AlterDatabase, Attach, CreateDatabase, DatabaseChange, DatabaseOption, FileSpec, Growth, Kind, RecoveryModel, Termination,
    },
    message::message,
    token::Token,
};

/// Options of ALTER DATABASE SET that are ON or OFF.
const SWITCHES: [&str; 22] = [
    "ALLOW_SNAPSHOT_ISOLATION",
    "ANSI_NULLS",
    "ANSI_NULL_DEFAULT",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "AUTO_CLOSE",
    "AUTO_CREATE_STATISTICS",
    "AUTO_SHRINK",
    "AUTO_UPDATE_STATISTICS",
    "AUTO_UPDATE_STATISTICS_ASYNC",
    "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT",
    "DATE_CORRELATION_OPTIMIZATION",
    "DB_CHAINING",
    "HONOR_BROKER_PRIORITY",
    "NUMERIC_ROUNDABORT",
    "QUOTED_IDENTIFIER",
    "READ_COMMITTED_SNAPSHOT",
    "RECURSIVE_TRIGGERS",
    "TRUSTWORTHY",
    "ENCRYPTION",
];

const BROKER: [&str; 3] = ["ENABLE_BROKER", "NEW_BROKER", "ERROR_BROKER_CONVERSATIONS"];

impl Parser<'_> {
    pub(super) fn create_database(&mut self) -> Parsed<Kind> {
        let line = self.line();
        let mut made = CreateDatabase {
            name: self.identifier()?,
            files: Vec::new(),
            log_files: Vec::new(),
            collation: None,
            attach: None,
            snapshot_of: None,
        };
        if self.accept("ON") {
            self.accept("PRIMARY");
            made.files = self.list(Self::file_spec)?;
        }
        if self.accept_all(&["LOG", "ON"]) {
            made.log_files = self.list(Self::file_spec)?;
        }
        if self.accept("COLLATE") {
            made.collation = Some(self.identifier()?);
        } else if self.accept("FOR") {
            made.attach = Some(self.attach()?);
        } else if self.accept("AS") {
            self.expect("SNAPSHOT")?;
            self.expect("OF")?;
            made.snapshot_of = Some(self.identifier()?);
        }
        if made.attach.is_none()
            && made.files.iter().chain(&made.log_files).any(|file| file.name.is_none() || file.path.is_none())
        {
            let text = "File option NAME and FILENAME are required in this CREATE/ALTER DATABASE statement.";
            return Self::wrong_at(line, message(5035, 16, text));
        }
        if made.attach.is_some() && made.files.iter().all(|file| file.path.is_none()) {
            let text = "CREATE DATABASE ... FOR ATTACH requires that at least the primary file be specified.";
            return Self::wrong_at(line, message(1829, 16, text));
        }
        Ok(Kind::CreateDatabase(made))
    }

    fn attach(&mut self) -> Parsed<Attach> {
        if self.accept("ATTACH_REBUILD_LOG") {
            return Ok(Attach::RebuildLog);
        }
        self.expect("ATTACH")?;
        let mut options = Vec::new();
        if self.accept("WITH") {
            options = self.list(|parser| match parser.one_of(&["RESTRICTED_USER", BROKER[0], BROKER[1], BROKER[2]]) {
                Some(option) => Ok(option.to_owned()),
                None => parser.unexpected(),
            })?;
        }
        Ok(Attach::Attach { options })
    }

    /// (NAME = x, FILENAME = 'path', SIZE = …, MAXSIZE = …, FILEGROWTH = …), in the order of the documentation.
    fn file_spec(&mut self) -> Parsed<FileSpec> {
        self.expect_symbol("(")?;
        let mut file = FileSpec::default();
        let mut last = 0;
        self.list(|parser| {
            let words = ["NAME", "NEWNAME", "FILENAME", "SIZE", "MAXSIZE", "FILEGROWTH"];
            let place = words.iter().skip(last).position(|word| parser.is_word(word)).map(|place| place + last);
            let Some(place) = place else { return parser.unexpected() };
            last = place + 1;
            parser.skip();
            parser.expect_symbol("=")?;
            match place {
                0 => file.name = Some(parser.logical_name()?),
                1 => file.new_name = Some(parser.logical_name()?),
                2 => file.path = Some(parser.literal()?),
                3 => file.size = Some(parser.size()?),
                4 if parser.accept("UNLIMITED") => file.max_size = Some(None),
                4 => file.max_size = Some(Some(parser.size()?)),
                _ => file.growth = Some(parser.growth()?),
            }
            Ok(())
        })?;
        self.expect_symbol(")")?;
        Ok(file)
    }

    fn logical_name(&mut self) -> Parsed<String> {
        if matches!(self.peek(), Token::Text { .. }) { self.literal() } else { self.identifier() }
    }

    /// n [KB|MB|GB|TB], in KB; without a unit it is MB.
    fn size(&mut self) -> Parsed<i64> {
        let number = self.whole()?;
        let factor = match self.one_of(&["KB", "MB", "GB", "TB"]) {
            Some("KB") => 1,
            Some("GB") => 1 << 20,
            Some("TB") => 1 << 30,
            _ => 1 << 10,
        };
        number.checked_mul(factor).map_or_else(|| self.unexpected(), Ok)
    }

    fn growth(&mut self) -> Parsed<Growth> {
        if self.is_symbol_ahead(1, "%") {
            let percent = self.whole()?;
            self.skip();
            return Ok(Growth::Percent(percent));
        }
        self.size().map(Growth::Size)
    }

    pub(super) fn alter_database(&mut self) -> Parsed<Kind> {
        let database = if self.accept("CURRENT") { None } else { Some(self.identifier()?) };
        let change = match self.one_of(&["SET", "MODIFY", "ADD", "REMOVE", "COLLATE"]) {
            Some("SET") => self.set_database()?,
            Some("MODIFY") if self.accept("NAME") => {
                self.expect_symbol("=")?;
                DatabaseChange::ModifyName(self.identifier()?)
            }
            Some("MODIFY") => {
                self.expect("FILE")?;
                DatabaseChange::ModifyFile(self.file_spec()?)
            }
            Some("ADD") if self.accept("LOG") => {
                self.expect("FILE")?;
                DatabaseChange::AddLogFile(self.list(Self::file_spec)?)
            }
            Some("ADD") => {
                self.expect("FILE")?;
                DatabaseChange::AddFile(self.list(Self::file_spec)?)
            }
            Some("REMOVE") => {
                self.expect("FILE")?;
                DatabaseChange::RemoveFile(self.logical_name()?)
            }
            Some(_) => DatabaseChange::Collate(self.identifier()?),
            None => return self.unexpected(),
        };
        Ok(Kind::AlterDatabase(AlterDatabase { database, change }))
    }

    fn set_database(&mut self) -> Parsed<DatabaseChange> {
        let options = self.list(Self::database_option)?;
        let termination = if self.accept("WITH") { Some(self.termination()?) } else { None };
        Ok(DatabaseChange::Set { options, termination })
    }

    fn termination(&mut self) -> Parsed<Termination> {
        if self.accept("NO_WAIT") {
            return Ok(Termination::NoWait);
        }
        self.expect("ROLLBACK")?;
        if self.accept("IMMEDIATE") {
            return Ok(Termination::RollbackImmediate);
        }
        self.expect("AFTER")?;
        let seconds = self.whole()?;
        self.accept("SECONDS");
        Ok(Termination::RollbackAfter(seconds))
    }

    fn database_option(&mut self) -> Parsed<DatabaseOption> {
        let plain = [
            ("SINGLE_USER", DatabaseOption::SingleUser),
            ("RESTRICTED_USER", DatabaseOption::RestrictedUser),
            ("MULTI_USER", DatabaseOption::MultiUser),
            ("ONLINE", DatabaseOption::Online),
            ("OFFLINE", DatabaseOption::Offline),
            ("EMERGENCY", DatabaseOption::Emergency),
            ("READ_ONLY", DatabaseOption::ReadOnly),
            ("READ_WRITE", DatabaseOption::ReadWrite),
            ("ENABLE_BROKER", DatabaseOption::EnableBroker),
            ("DISABLE_BROKER", DatabaseOption::DisableBroker),
            ("NEW_BROKER", DatabaseOption::NewBroker),
            ("ERROR_BROKER_CONVERSATIONS", DatabaseOption::ErrorBrokerConversations),
        ];
        if let Some((_, option)) = plain.into_iter().find(|(word, _)| self.accept(word)) {
            return Ok(option);
        }
        if let Some(name) = self.one_of(&SWITCHES) {
            return Ok(DatabaseOption::Switch { name: name.to_owned(), on: self.on_off()? });
        }
        match self.one_of(&["RECOVERY", "PAGE_VERIFY", "COMPATIBILITY_LEVEL"]) {
            Some("RECOVERY") => match self.one_of(&["FULL", "SIMPLE", "BULK_LOGGED"]) {
                Some("FULL") => Ok(DatabaseOption::Recovery(RecoveryModel::Full)),
                Some("SIMPLE") => Ok(DatabaseOption::Recovery(RecoveryModel::Simple)),
                Some(_) => Ok(DatabaseOption::Recovery(RecoveryModel::BulkLogged)),
                None => self.unexpected(),
            },
            Some("PAGE_VERIFY") => match self.one_of(&["CHECKSUM", "TORN_PAGE_DETECTION", "NONE"]) {
                Some(way) => Ok(DatabaseOption::PageVerify(way.to_owned())),
                None => self.unexpected(),
            },
            Some(_) => self.equal(Self::whole).map(DatabaseOption::CompatibilityLevel),
            None => self.unexpected(),
        }
    }

    pub(super) fn alter_authorization(&mut self) -> Parsed<Kind> {
        self.expect("ON")?;
        self.expect("DATABASE")?;
        self.expect_symbol("::")?;
        let database = self.identifier()?;
        self.expect("TO")?;
        Ok(Kind::AlterAuthorization { database, owner: self.identifier()? })
    }
}
