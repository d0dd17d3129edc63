//! Logins, users, roles and permissions.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{AlterLogin, CreateLogin, Kind, Password, PermissionVerb, UserLogin},
    token::Token,
};

/// Permissions of servers, databases and objects that matter here.
const PERMISSIONS: [&str; 34] = [
    "ADMINISTER BULK OPERATIONS",
    "ALTER",
    "ALTER ANY CONNECTION",
    "ALTER ANY DATABASE",
    "ALTER ANY LOGIN",
    "ALTER ANY USER",
    "ALTER SERVER STATE",
    "ALTER SETTINGS",
    "AUTHENTICATE SERVER",
    "BACKUP DATABASE",
    "BACKUP LOG",
    "CONNECT",
    "CONNECT ANY DATABASE",
    "CONNECT SQL",
    "CONTROL",
    "CONTROL SERVER",
    "CREATE ANY DATABASE",
    "CREATE DATABASE",
    "CREATE TABLE",
    "DELETE",
    "EXECUTE",
    "IMPERSONATE ANY LOGIN",
    "INSERT",
    "REFERENCES",
    "SELECT",
    "SHUTDOWN",
    "TAKE OWNERSHIP",
    "UPDATE",
    "VIEW ANY DATABASE",
    "VIEW ANY DEFINITION",
    "VIEW DATABASE STATE",
    "VIEW DEFINITION",
    "VIEW SERVER PERFORMANCE STATE",
    "VIEW SERVER STATE",
];

impl Parser<'_> {
    pub(super) fn create_login(&mut self) -> Parsed<Kind> {
        let mut login = CreateLogin { name: self.identifier()?, ..CreateLogin::default() };
        if self.accept("FROM") {
            self.expect("WINDOWS")?;
            if self.accept("WITH") {
                self.list(|parser| match parser.one_of(&["DEFAULT_DATABASE", "DEFAULT_LANGUAGE"]) {
                    Some("DEFAULT_DATABASE") => parser.equal(Self::identifier).map(|name| login.default_database = Some(name)),
                    Some(_) => parser.equal(Self::identifier).map(|name| login.default_language = Some(name)),
                    None => parser.unexpected(),
                })?;
            }
            return Ok(Kind::CreateLogin(login));
        }
        self.expect("WITH")?;
        self.expect("PASSWORD")?;
        self.expect_symbol("=")?;
        login.password = Some(self.password()?);
        login.must_change = self.accept("MUST_CHANGE");
        let mut seen = Vec::new();
        while self.accept_symbol(",") {
            let word = self.option_word(&mut seen)?;
            let at = self.at;
            self.skip();
            match word.as_str() {
                "SID" => login.sid = Some(self.equal(Self::bytes)?),
                "DEFAULT_DATABASE" => login.default_database = Some(self.equal(Self::identifier)?),
                "DEFAULT_LANGUAGE" => login.default_language = Some(self.equal(Self::identifier)?),
                "CHECK_POLICY" => login.check_policy = Some(self.equal(Self::on_off)?),
                "CHECK_EXPIRATION" => login.check_expiration = Some(self.equal(Self::on_off)?),
                _ => {
                    self.at = at;
                    return self.unexpected();
                }
            }
        }
        Ok(Kind::CreateLogin(login))
    }

    /// 'text', or 0x… HASHED
    fn password(&mut self) -> Parsed<Password> {
        if matches!(self.peek(), Token::Text { .. }) {
            return self.literal().map(Password::Text);
        }
        let hash = self.bytes()?;
        self.expect("HASHED")?;
        Ok(Password::Hash(hash))
    }

    pub(super) fn alter_login(&mut self) -> Parsed<Kind> {
        let mut login = AlterLogin { name: self.identifier()?, ..AlterLogin::default() };
        if let Some(word) = self.one_of(&["ENABLE", "DISABLE"]) {
            login.enable = Some(word == "ENABLE");
            return Ok(Kind::AlterLogin(login));
        }
        self.expect("WITH")?;
        let mut seen = Vec::new();
        self.list(|parser| {
            let word = parser.option_word(&mut seen)?;
            let at = parser.at;
            parser.skip();
            match word.as_str() {
                "PASSWORD" => {
                    parser.expect_symbol("=")?;
                    login.password = Some(parser.password()?);
                    if parser.accept("OLD_PASSWORD") {
                        login.old_password = Some(parser.equal(Self::literal)?);
                    }
                    parser.accept("MUST_CHANGE");
                    login.unlock = parser.accept("UNLOCK");
                }
                "NAME" => login.new_name = Some(parser.equal(Self::identifier)?),
                "DEFAULT_DATABASE" => login.default_database = Some(parser.equal(Self::identifier)?),
                "DEFAULT_LANGUAGE" => login.default_language = Some(parser.equal(Self::identifier)?),
                "CHECK_POLICY" => login.check_policy = Some(parser.equal(Self::on_off)?),
                "CHECK_EXPIRATION" => login.check_expiration = Some(parser.equal(Self::on_off)?),
                _ => {
                    parser.at = at;
                    return parser.unexpected();
                }
            }
            Ok(())
        })?;
        Ok(Kind::AlterLogin(login))
    }

    pub(super) fn create_user(&mut self) -> Parsed<Kind> {
        let name = self.identifier()?;
        let login = if self.accept("WITHOUT") {
            self.expect("LOGIN")?;
            UserLogin::Without
        } else if self.one_of(&["FOR", "FROM"]).is_some() {
            self.expect("LOGIN")?;
            UserLogin::Login(self.identifier()?)
        } else {
            UserLogin::Same
        };
        if self.accept("WITH") {
            self.expect("DEFAULT_SCHEMA")?;
            self.equal(Self::identifier)?;
        }
        Ok(Kind::CreateUser { name, login })
    }

    pub(super) fn alter_user(&mut self) -> Parsed<Kind> {
        let name = self.identifier()?;
        self.expect("WITH")?;
        let (mut login, mut new_name, mut default_schema) = (None, None, None);
        self.list(|parser| {
            match parser.one_of(&["LOGIN", "NAME", "DEFAULT_SCHEMA"]) {
                Some("LOGIN") => login = Some(parser.equal(Self::identifier)?),
                Some("NAME") => new_name = Some(parser.equal(Self::identifier)?),
                Some(_) => default_schema = Some(parser.equal(Self::identifier)?),
                None => return parser.unexpected(),
            }
            Ok(())
        })?;
        Ok(Kind::AlterUser { name, login, new_name, default_schema })
    }

    pub(super) fn alter_role(&mut self, server: bool) -> Parsed<Kind> {
        let role = self.identifier()?;
        let Some(verb) = self.one_of(&["ADD", "DROP"]) else { return self.unexpected() };
        self.expect("MEMBER")?;
        Ok(Kind::AlterRole { server, role, add: verb == "ADD", member: self.identifier()? })
    }

    pub(super) fn permission(&mut self) -> Parsed<Kind> {
        let verb = match self.one_of(&["GRANT", "DENY", "REVOKE"]) {
            Some("GRANT") => PermissionVerb::Grant,
            Some("DENY") => PermissionVerb::Deny,
            _ => PermissionVerb::Revoke,
        };
        let permissions = self.list(Self::permission_name)?;
        let on = if self.accept("ON") {
            // OBJECT::x, DATABASE::x: the class before the colons.
            if self.is_symbol_ahead(1, "::") {
                self.skip();
                self.skip();
            }
            Some(self.object_name()?)
        } else {
            None
        };
        let to = self.accept("TO") || (verb == PermissionVerb::Revoke && self.accept("FROM"));
        if !to {
            return self.unexpected();
        }
        let principal = if self.accept("PUBLIC") { "public".to_owned() } else { self.identifier()? };
        Ok(Kind::Permission { verb, permissions, on, principal })
    }

    /// One of the permissions that are known, in upper case.
    fn permission_name(&mut self) -> Parsed<String> {
        let found = PERMISSIONS.into_iter().find(|permission| {
            let words: Vec<&str> = permission.split(' ').collect();
            // The longer name, where one begins another: what follows has to end it.
            let ends = ["ON", "TO", "FROM"].iter().any(|end| self.is_word_ahead(words.len(), end));
            (ends || self.is_symbol_ahead(words.len(), ",")) && self.accept_all(&words)
        });
        match found {
            Some(permission) => Ok(permission.to_owned()),
            None => self.unexpected(),
        }
    }
}
