//! Logins, users, roles, permissions.

use std::collections::BTreeSet;

use rusqlite::types::Value as Stored;
use uuid::Uuid;

use super::{
    datafile, hash,
    messages::{fails, fault},
    run::{Halt, Out, Run},
    server::Server,
    state::{Database, Login, State, now, same},
};
use crate::{
    sql::ast::{AlterLogin, CreateLogin, Password, PermissionVerb, UserLogin},
    wire::SessionId,
};

impl State {
    /// The login of a session, as it is now.
    pub fn login_of(&self, session: SessionId) -> Option<&Login> {
        let sid = &self.sessions.get(&session)?.sid;
        self.logins.values().find(|login| login.sid == *sid)
    }
}

impl Server {
    /// Has this session that permission on the server?
    pub(super) fn can(&self, session: SessionId, permission: &str) -> bool {
        let denied = self.orders().denied;
        let denies = |name: &str| denied.iter().any(|denied| same(denied, name));
        if denies(permission) {
            return false;
        }
        let state = self.state();
        if state.is_member(session, "sysadmin") {
            return true;
        }
        let Some(login) = state.login_of(session) else { return false };
        let has = |name: &str| login.granted.contains(name) && !denies(name);
        let covers: &[&str] = match permission {
            "VIEW SERVER PERFORMANCE STATE" | "VIEW SERVER SECURITY STATE" => &["VIEW SERVER STATE"],
            "ALTER ANY CONNECTION" if state.is_member(session, "processadmin") => return true,
            "CREATE ANY DATABASE" if state.is_member(session, "dbcreator") => return true,
            "ADMINISTER BULK OPERATIONS" if state.is_member(session, "bulkadmin") => return true,
            "VIEW SERVER STATE" => &["ALTER SERVER STATE"],
            _ => &[],
        };
        has(permission) || has("CONTROL SERVER") || covers.iter().any(|cover| has(cover))
    }

    /// May it see what others do? From 2022 on a smaller permission does.
    pub(super) fn sees(&self, session: SessionId) -> bool {
        self.can(session, "VIEW SERVER STATE")
            || (self.identity.major >= 16 && self.can(session, "VIEW SERVER PERFORMANCE STATE") && !self.denies_view())
    }

    fn denies_view(&self) -> bool {
        self.orders().denied.iter().any(|denied| same(denied, "VIEW SERVER STATE"))
    }

    /// Has a login a user in that database?
    pub(super) fn has_user(&self, database: &Database, sid: &[u8]) -> bool {
        let found = datafile::open(&self.path(&database.data)).and_then(|file| {
            file.query_row("SELECT count(*) FROM sim_principals WHERE sid = ?1", [sid], |row| row.get::<_, i64>(0))
        });
        found.is_ok_and(|count| count > 0)
    }

    /// Is its user a member of one of those roles?
    pub(super) fn user_is(&self, database: &Database, sid: &[u8], roles: &[&str]) -> bool {
        let found = datafile::open(&self.path(&database.data)).and_then(|file| {
            let mut query =
                file.prepare("SELECT m.role FROM sim_principals p JOIN sim_members m ON m.member = p.name WHERE p.sid = ?1")?;
            query.query_map([sid], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()
        });
        found.is_ok_and(|found| found.iter().any(|role| roles.iter().any(|wanted| same(wanted, role))))
    }
}

impl Run<'_> {
    /// Has the session that permission on the server?
    pub(super) fn can(&self, permission: &str) -> bool {
        self.server.can(self.work.id, permission)
    }

    /// Is its login in that server role?
    pub(super) fn is_member(&self, role: &str) -> bool {
        self.server.state().is_member(self.work.id, role)
    }

    /// SID of its login.
    pub(super) fn sid(&self) -> Vec<u8> {
        self.server.state().sessions.get(&self.work.id).map(|session| session.sid.clone()).unwrap_or_default()
    }

    /// Name of its login.
    pub(super) fn login(&self) -> String {
        self.server.state().login_of(self.work.id).map(|login| login.name.clone()).unwrap_or_default()
    }

    fn in_role(&self, database: &Database, roles: &[&str]) -> bool {
        let sid = self.sid();
        let denied = self.server.orders().denied;
        if denied.iter().any(|denied| roles.iter().any(|role| same(role, denied))) {
            return false;
        }
        self.is_member("sysadmin") || database.boot.owner == sid || self.server.user_is(database, &sid, roles)
    }

    /// BACKUP of it?
    pub(super) fn may_back_up(&self, database: &Database) -> bool {
        self.in_role(database, &["db_owner", "db_backupoperator"])
    }

    /// ALTER on it?
    pub(super) fn may_alter(&self, database: &Database) -> bool {
        self.in_role(database, &["db_owner"]) || self.can("ALTER ANY DATABASE")
    }

    /// RESTORE of it? The role db_owner is not enough: it is in the database.
    pub(super) fn may_restore(&self, name: &str) -> Result<(), Halt> {
        let existing = self.server.state().find(name).cloned();
        let may = self.is_member("sysadmin") || self.is_member("dbcreator");
        match existing {
            Some(existing) if !may && existing.boot.owner != self.sid() => fails(3110, &[name])?,
            None if !may && !self.can("CREATE ANY DATABASE") => fails(262, &["CREATE DATABASE", "master"])?,
            _ => Ok(()),
        }
    }

    /// CREATE LOGIN.
    pub(super) fn create_login(&mut self, statement: &CreateLogin) -> Result<(), Halt> {
        if !self.can("ALTER ANY LOGIN") && !self.is_member("securityadmin") {
            return fails(15247, &[])?;
        }
        let mut state = self.server.state();
        if state.logins.contains_key(&statement.name.to_lowercase()) {
            return fails(15025, &[&statement.name])?;
        }
        let sid = match &statement.sid {
            Some(sid) if sid.len() != 16 => return fails(15419, &[])?,
            Some(sid) if state.logins.values().any(|login| login.sid == *sid) => return fails(15433, &[])?,
            Some(sid) => sid.clone(),
            None => Uuid::new_v4().as_bytes().to_vec(),
        };
        let hash = match &statement.password {
            Some(password) => self.hash_of(password)?,
            None => Vec::new(),
        };
        if let Some(database) = &statement.default_database
            && state.id_of(database).is_none()
        {
            return fails(15010, &[database])?;
        }
        let login = Login {
            id: state.logins.values().map(|login| login.id).max().unwrap_or(267) + 1,
            name: statement.name.clone(),
            sid,
            hash,
            disabled: false,
            policy: statement.check_policy.unwrap_or(statement.password.is_some()),
            expiration: statement.check_expiration.unwrap_or(false),
            database: statement.default_database.clone().unwrap_or_else(|| "master".into()),
            language: statement.default_language.clone().unwrap_or_else(|| self.server.identity.language.clone()),
            roles: BTreeSet::new(),
            granted: BTreeSet::new(),
            created: now(),
            modified: now(),
        };
        self.server.durable(|store| store.put("login", &login.name.to_lowercase(), &login));
        state.logins.insert(login.name.to_lowercase(), login);
        Ok(())
    }

    fn hash_of(&self, password: &Password) -> Result<Vec<u8>, Halt> {
        match password {
            Password::Text(text) => Ok(hash::make(text, self.server.identity.major)),
            // Loading a hash is for those who control the server.
            Password::Hash(bytes) if hash::taken(bytes, self.server.identity.major) => Ok(bytes.clone()),
            Password::Hash(_) => fails(15021, &["PASSWORD"])?,
        }
    }

    /// ALTER LOGIN.
    pub(super) fn alter_login(&mut self, statement: &AlterLogin) -> Result<(), Halt> {
        if !self.can("ALTER ANY LOGIN") && !self.is_member("securityadmin") {
            return fails(15151, &["alter", "login", &statement.name])?;
        }
        let hash = statement.password.as_ref().map(|password| self.hash_of(password)).transpose()?;
        let mut state = self.server.state();
        let Some(mut login) = state.logins.get(&statement.name.to_lowercase()).cloned() else {
            return fails(15151, &["alter", "login", &statement.name])?;
        };
        if let Some(new) = &statement.new_name
            && !same(new, &login.name)
            && state.logins.contains_key(&new.to_lowercase())
        {
            return fails(15025, &[new])?;
        }
        if let Some(database) = &statement.default_database {
            if state.id_of(database).is_none() {
                return fails(15010, &[database])?;
            }
            login.database.clone_from(database);
        }
        login.disabled = statement.enable.map_or(login.disabled, |enable| !enable);
        login.hash = hash.unwrap_or(login.hash);
        login.policy = statement.check_policy.unwrap_or(login.policy);
        login.expiration = statement.check_expiration.unwrap_or(login.expiration);
        login.language = statement.default_language.clone().unwrap_or(login.language);
        login.modified = now();
        let old = login.name.to_lowercase();
        login.name = statement.new_name.clone().unwrap_or(login.name);
        let new = login.name.to_lowercase();
        self.server.durable(|store| {
            store.put("login", &new, &login)?;
            if old == new { Ok(()) } else { store.remove("login", &old) }
        });
        state.logins.remove(&old);
        state.logins.insert(new, login);
        Ok(())
    }

    /// DROP LOGIN.
    pub(super) fn drop_login(&mut self, name: &str) -> Result<(), Halt> {
        if !self.can("ALTER ANY LOGIN") && !self.is_member("securityadmin") {
            return fails(15151, &["drop", "login", name])?;
        }
        let mut state = self.server.state();
        let Some(login) = state.logins.get(&name.to_lowercase()).cloned() else { return fails(15151, &["drop", "login", name])? };
        if state.sessions.values().any(|session| session.sid == login.sid && !session.gone) {
            return fails(15434, &[name])?;
        }
        if state.databases.values().any(|database| database.boot.owner == login.sid) {
            return fails(15174, &[name])?;
        }
        self.server.durable(|store| store.remove("login", &name.to_lowercase()));
        state.logins.remove(&name.to_lowercase());
        Ok(())
    }

    /// ALTER SERVER ROLE … ADD|DROP MEMBER, and of a database.
    pub(super) fn alter_role(&mut self, server: bool, role: &str, add: bool, member: &str, out: Out<'_>) -> Result<(), Halt> {
        if server {
            if !self.is_member("sysadmin") {
                return fails(15151, &["alter", "server role", role])?;
            }
            let known =
                ["sysadmin", "dbcreator", "securityadmin", "serveradmin", "setupadmin", "processadmin", "diskadmin", "bulkadmin"];
            if !known.iter().any(|known| same(known, role)) {
                return fails(15151, &["alter", "server role", role])?;
            }
            return self.change_login(member, |login| {
                if add {
                    login.roles.insert(role.to_lowercase());
                } else {
                    login.roles.remove(&role.to_lowercase());
                }
            });
        }
        let database = self.user_database()?;
        let user = self.one_text(database, "SELECT name FROM {db}.sim_principals WHERE name = ?1", member)?;
        let Some(user) = user else { return fails(15151, &["add", "principal", member])? };
        let sql = if add {
            "INSERT OR IGNORE INTO {db}.sim_members VALUES (?1, ?2)"
        } else {
            "DELETE FROM {db}.sim_members WHERE role = ?1 AND member = ?2"
        };
        self.work.write(self.server, database, sql, &[Stored::Text(role.into()), Stored::Text(user)], out).map(drop)
    }

    fn change_login(&mut self, name: &str, change: impl FnOnce(&mut Login)) -> Result<(), Halt> {
        let mut state = self.server.state();
        let Some(login) = state.logins.get_mut(&name.to_lowercase()) else { return fails(15151, &["find", "login", name])? };
        change(login);
        self.server.durable(|store| store.put("login", &name.to_lowercase(), login));
        Ok(())
    }

    /// GRANT, DENY, REVOKE of permissions on the server. Those in a database are taken and mean nothing here.
    pub(super) fn permission(
        &mut self,
        verb: PermissionVerb,
        permissions: &[String],
        object: bool,
        to: &str,
    ) -> Result<(), Halt> {
        if object || !self.server.state().logins.contains_key(&to.to_lowercase()) {
            let database = self.user_database()?;
            let user = self.one_text(database, "SELECT name FROM {db}.sim_principals WHERE name = ?1", to)?;
            return if user.is_some() { Ok(()) } else { fails(15151, &["find", "user", to])? };
        }
        if !self.is_member("sysadmin") {
            return fails(4613, &[])?;
        }
        self.change_login(to, |login| {
            for permission in permissions {
                if verb == PermissionVerb::Grant {
                    login.granted.insert(permission.clone());
                } else {
                    login.granted.remove(permission);
                }
            }
        })
    }

    /// CREATE USER.
    pub(super) fn create_user(&mut self, name: &str, login: &UserLogin, out: Out<'_>) -> Result<(), Halt> {
        let database = self.user_database()?;
        self.owns(database)?;
        self.writing(database, out)?;
        if self.one_text(database, "SELECT name FROM {db}.sim_principals WHERE name = ?1", name)?.is_some() {
            return fails(15023, &[name])?;
        }
        let (sid, authentication) = match login {
            UserLogin::Without => (Uuid::new_v4().as_bytes().to_vec(), 0),
            UserLogin::Same => (self.sid_of(name)?, 1),
            UserLogin::Login(login) => (self.sid_of(login)?, 1),
        };
        if self.one_text(database, "SELECT name FROM {db}.sim_principals WHERE sid = ?1", &sid[..])?.is_some() {
            return fails(15063, &[])?;
        }
        self.work
            .write(
                self.server,
                database,
                "INSERT INTO {db}.sim_principals SELECT max(5, max(id) + 1), ?1, 'S', ?2, ?3, ?4 FROM {db}.sim_principals WHERE id < 16384",
                &[Stored::Text(name.into()), Stored::Blob(sid), Stored::Integer(authentication), Stored::Integer(now())],
                out,
            )
            .map(drop)
    }

    fn sid_of(&self, login: &str) -> Result<Vec<u8>, Halt> {
        match self.server.state().logins.get(&login.to_lowercase()) {
            Some(login) => Ok(login.sid.clone()),
            None => fails(15007, &[login])?,
        }
    }

    /// ALTER USER … WITH LOGIN, NAME.
    pub(super) fn alter_user(&mut self, name: &str, login: Option<&str>, new: Option<&str>, out: Out<'_>) -> Result<(), Halt> {
        let database = self.user_database()?;
        self.owns(database)?;
        self.writing(database, out)?;
        if self.one_text(database, "SELECT name FROM {db}.sim_principals WHERE name = ?1 AND id > 4", name)?.is_none() {
            return fails(15151, &["alter", "user", name])?;
        }
        if let Some(login) = login {
            let sid = self.sid_of(login)?;
            let other = self.one_text(database, "SELECT name FROM {db}.sim_principals WHERE sid = ?1", &sid[..])?;
            if other.is_some_and(|other| !same(&other, name)) {
                return fails(15063, &[])?;
            }
            let sql = "UPDATE {db}.sim_principals SET sid = ?2, authentication = 1 WHERE name = ?1";
            self.work.write(self.server, database, sql, &[Stored::Text(name.into()), Stored::Blob(sid)], out)?;
        }
        if let Some(new) = new {
            let sql = "UPDATE {db}.sim_principals SET name = ?2 WHERE name = ?1";
            self.work.write(self.server, database, sql, &[Stored::Text(name.into()), Stored::Text(new.into())], out)?;
        }
        Ok(())
    }

    /// DROP USER.
    pub(super) fn drop_user(&mut self, name: &str, if_exists: bool, out: Out<'_>) -> Result<(), Halt> {
        let database = self.user_database()?;
        self.owns(database)?;
        self.writing(database, out)?;
        let sql = "DELETE FROM {db}.sim_principals WHERE name = ?1 AND id > 4 AND id < 16384";
        let dropped = self.work.write(self.server, database, sql, &[Stored::Text(name.into())], out)?;
        if dropped == 0 && !if_exists {
            return fails(15151, &["drop", "user", name])?;
        }
        Ok(())
    }

    fn owns(&self, database: i32) -> Result<(), Halt> {
        let found = self.server.state().databases.get(&database).cloned();
        match found {
            Some(found) if self.may_alter(&found) => Ok(()),
            _ => Err(fault(15247, &[]).into()),
        }
    }
}
