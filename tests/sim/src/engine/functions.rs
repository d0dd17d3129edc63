//! Functions of T-SQL that only the instance can answer, as functions of SQLite.

use rusqlite::{Connection, functions::FunctionFlags, types::Value as Stored};

use super::{
    applock, datafile,
    server::{Server, is_spanish},
    state::{Recovery, same},
};
use crate::wire::SessionId;

/// Registers them on the connection of a session.
pub fn register(to: &Connection, server: &Server, session: SessionId) -> rusqlite::Result<()> {
    for (name, ..) in crate::sql::INSTANCE_FUNCTIONS {
        let me = server.me.clone();
        let name = name.to_lowercase();
        to.create_scalar_function(format!("ts_{name}").as_str(), -1, FunctionFlags::SQLITE_UTF8, move |context| {
            let arguments: Vec<Stored> = (0..context.len()).map(|at| context.get(at)).collect::<rusqlite::Result<_>>()?;
            Ok(me.upgrade().map_or(Stored::Null, |server| Asked { server: &server, session, arguments }.answer(&name)))
        })?;
    }
    Ok(())
}

struct Asked<'a> {
    server: &'a Server,
    session: SessionId,
    arguments: Vec<Stored>,
}

fn maybe<T: Into<Stored>>(value: Option<T>) -> Stored {
    value.map_or(Stored::Null, Into::into)
}

fn flag(on: bool) -> Stored {
    Stored::Integer(on.into())
}

impl Asked<'_> {
    fn text(&self, at: usize) -> Option<String> {
        match self.arguments.get(at)? {
            Stored::Text(text) => Some(text.trim_end().to_string()),
            Stored::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn number(&self, at: usize) -> Option<i64> {
        match self.arguments.get(at)? {
            Stored::Integer(number) => Some(*number),
            Stored::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn context(&self) -> i32 {
        self.server.state().sessions.get(&self.session).map_or(1, |session| session.database)
    }

    /// Name and SID of the session's login.
    fn login(&self) -> (String, Vec<u8>) {
        let state = self.server.state();
        state.login_of(self.session).map(|login| (login.name.clone(), login.sid.clone())).unwrap_or_default()
    }

    fn answer(&self, name: &str) -> Stored {
        match name {
            "db_id" if self.arguments.is_empty() => Stored::Integer(self.context().into()),
            "db_id" => maybe(self.text(0).and_then(|name| self.server.state().id_of(&name)).map(i64::from)),
            "db_name" if self.arguments.is_empty() => {
                let id = self.context(); // before the state is held
                maybe(self.server.state().name_of(id))
            }
            "db_name" => {
                let id = self.number(0).and_then(|id| i32::try_from(id).ok());
                let id = if id == Some(0) { Some(self.context()) } else { id };
                maybe(id.and_then(|id| self.server.state().name_of(id)))
            }
            "object_id" => maybe(self.text(0).and_then(|name| self.object(&name, self.text(1).as_deref()))),
            "suser_sname" | "suser_name" | "original_login" if self.arguments.is_empty() => Stored::Text(self.login().0),
            "suser_sname" => {
                let Some(Stored::Blob(sid)) = self.arguments.first() else { return Stored::Null };
                maybe(self.server.state().logins.values().find(|login| login.sid == *sid).map(|login| login.name.clone()))
            }
            "suser_name" => {
                let id = self.number(0);
                maybe(
                    self.server
                        .state()
                        .logins
                        .values()
                        .find(|login| Some(i64::from(login.id)) == id)
                        .map(|login| login.name.clone()),
                )
            }
            "suser_sid" if self.arguments.is_empty() => Stored::Blob(self.login().1),
            "suser_sid" => {
                let name = self.text(0).unwrap_or_default().to_lowercase();
                maybe(self.server.state().logins.get(&name).map(|login| login.sid.clone()))
            }
            "suser_id" => {
                let name = self.text(0).unwrap_or_else(|| self.login().0).to_lowercase();
                maybe(self.server.state().logins.get(&name).map(|login| i64::from(login.id)))
            }
            "user_name" | "current_user" | "session_user" | "system_user" | "user" => Stored::Text("dbo".into()),
            "host_name" => maybe(self.server.state().sessions.get(&self.session).map(|session| session.login.host.clone())),
            "app_name" => maybe(self.server.state().sessions.get(&self.session).map(|session| session.login.application.clone())),
            "serverproperty" => self.text(0).map_or(Stored::Null, |property| self.property(&property)),
            "databasepropertyex" => match (self.text(0), self.text(1)) {
                (Some(name), Some(property)) => self.database_property(&name, &property),
                _ => Stored::Null,
            },
            "is_srvrolemember" => {
                let role = self.text(0).unwrap_or_default();
                let known = [
                    "public",
                    "sysadmin",
                    "dbcreator",
                    "securityadmin",
                    "serveradmin",
                    "setupadmin",
                    "processadmin",
                    "diskadmin",
                    "bulkadmin",
                ];
                if !known.iter().any(|known| same(known, &role)) {
                    return Stored::Null;
                }
                let state = self.server.state();
                let login = match self.text(1) {
                    Some(name) => state.logins.get(&name.to_lowercase()),
                    None => state.login_of(self.session),
                };
                maybe(login.map(|login| i64::from(same(&role, "public") || login.roles.contains(&role.to_lowercase()))))
            }
            "has_perms_by_name" => self.permission(),
            "has_dbaccess" => {
                let state = self.server.state();
                let found = self.text(0).and_then(|name| state.find(&name).cloned());
                maybe(found.map(|found| i64::from(found.readable())))
            }
            "is_member" | "is_rolemember" => {
                let role = self.text(0).unwrap_or_default();
                let (database, sid) = (self.context(), self.login().1);
                let (administrator, found) = {
                    let state = self.server.state();
                    (state.is_member(self.session, "sysadmin"), state.databases.get(&database).cloned())
                };
                let member = found.is_none_or(|found| found.boot.owner == sid || self.server.user_is(&found, &sid, &[&role]));
                flag(administrator || member)
            }
            "applock_test" | "applock_mode" => self.app_lock(name),
            "schema_name" => Stored::Text("dbo".into()),
            "schema_id" | "user_id" | "database_principal_id" if self.arguments.is_empty() => Stored::Integer(1),
            "schema_id" => maybe(self.text(0).filter(|name| same(name, "dbo")).map(|_| 1_i64)),
            "host_id" => maybe(self.server.state().sessions.get(&self.session).map(|session| session.login.process.to_string())),
            "connectionproperty" => match self.text(0).unwrap_or_default().to_lowercase().as_str() {
                "net_transport" => Stored::Text("TCP".into()),
                "protocol_type" => Stored::Text("TSQL".into()),
                "auth_scheme" => Stored::Text("SQL".into()),
                "client_net_address" => {
                    maybe(self.server.state().sessions.get(&self.session).map(|session| session.login.address.clone()))
                }
                _ => Stored::Null,
            },
            "object_name" => self.object_name(),
            _ => Stored::Null,
        }
    }

    fn app_lock(&self, name: &str) -> Stored {
        let (Some(resource), database) = (self.text(1), self.context()) else { return Stored::Null };
        let state = self.server.state();
        if name == "applock_mode" {
            let owner = self.text(2).unwrap_or_default();
            let held = state.locks.iter().find(|held| {
                held.session == self.session
                    && held.database == database
                    && held.resource == resource
                    && held.transaction != same(&owner, "session")
            });
            return Stored::Text(held.map_or("NoLock", |held| held.mode.as_str()).into());
        }
        let Some(mode) = self.text(2).and_then(|mode| applock::mode(&mode)) else { return Stored::Null };
        flag(applock::holder(&state, self.session, database, &resource, mode).is_none())
    }

    fn permission(&self) -> Stored {
        let (securable, class, permission) = (self.text(0), self.text(1), self.text(2).unwrap_or_default());
        let can = match (securable, class.as_deref().unwrap_or("")) {
            (None, _) => self.server.can(self.session, &permission.to_uppercase()),
            (Some(name), class) if same(class, "database") => {
                let sid = self.login().1;
                let (administrator, found) = {
                    let state = self.server.state();
                    (state.is_member(self.session, "sysadmin"), state.find(&name).cloned())
                };
                let denied = self.server.orders().denied;
                if denied.iter().any(|denied| same(denied, &permission)) {
                    return flag(false);
                }
                match found {
                    None if self.server.state().id_of(&name).is_some() => administrator,
                    None => return Stored::Null,
                    Some(found) => {
                        let roles: &[&str] = if permission.to_uppercase().starts_with("BACKUP") {
                            &["db_owner", "db_backupoperator"]
                        } else {
                            &["db_owner"]
                        };
                        administrator || found.boot.owner == sid || self.server.user_is(&found, &sid, roles)
                    }
                }
            }
            _ => self.server.state().is_member(self.session, "sysadmin"),
        };
        flag(can)
    }

    fn property(&self, property: &str) -> Stored {
        let identity = &self.server.identity;
        let [major, minor, build] = identity.version();
        let words = |text: String| Stored::Text(text);
        match property.to_lowercase().as_str() {
            "productmajorversion" => words(major.to_string()),
            "productminorversion" => words(minor.to_string()),
            "productbuild" => words(build.to_string()),
            "productversion" => words(format!("{major}.{minor}.{build}.1")),
            "productlevel" => words(if major == 13 { "SP3" } else { "RTM" }.into()),
            "productupdatelevel" => words("CU15".into()),
            "edition" => words(identity.edition_text()),
            "engineedition" => Stored::Integer(identity.engine().0),
            "editionid" => Stored::Integer(identity.engine().1),
            "collation" => words(identity.collation.clone()),
            "instancedefaultdatapath" | "instancedefaultlogpath" => words(self.server.folder("DATA")),
            // Only from 2019 on.
            "instancedefaultbackuppath" if major >= 15 => words(self.server.folder("Backup")),
            "machinename" | "computernamephysicalnetbios" => words(identity.machine.clone()),
            "instancename" if identity.name.is_empty() => Stored::Null,
            "instancename" => words(identity.name.clone()),
            "servername" => words(identity.server_name()),
            "isintegratedsecurityonly"
            | "isclustered"
            | "ishadrenabled"
            | "islocaldb"
            | "issingleuser"
            | "isfulltextinstalled" => Stored::Integer(0),
            "processid" => Stored::Integer(std::process::id().into()),
            "lcid" => Stored::Integer(if is_spanish(&identity.language) { 3082 } else { 1033 }),
            _ => Stored::Null,
        }
    }

    fn database_property(&self, name: &str, property: &str) -> Stored {
        let state = self.server.state();
        let Some(found) = state.find(name) else {
            let known = state.id_of(name).is_some();
            return match property.to_lowercase().as_str() {
                "status" if known => Stored::Text("ONLINE".into()),
                "version" if known => Stored::Integer(self.server.identity.database_version().into()),
                "useraccess" if known => Stored::Text("MULTI_USER".into()),
                _ => Stored::Null,
            };
        };
        let boot = &found.boot;
        match property.to_lowercase().as_str() {
            "status" => Stored::Text(found.state.name().into()),
            "version" if found.readable() => Stored::Integer(boot.version.into()),
            "useraccess" => Stored::Text(boot.access.name().into()),
            "updateability" => Stored::Text(if boot.read_only || boot.standby { "READ_ONLY" } else { "READ_WRITE" }.into()),
            "recovery" => Stored::Text(
                match boot.recovery {
                    Recovery::Full => "FULL",
                    Recovery::BulkLogged => "BULK_LOGGED",
                    Recovery::Simple => "SIMPLE",
                }
                .into(),
            ),
            "isinstandby" => flag(boot.standby),
            "isautoclose" => flag(boot.switches.contains("AUTO_CLOSE")),
            "collation" if found.readable() => Stored::Text(boot.collation.clone()),
            _ => Stored::Null,
        }
    }

    /// A name in parts, `[a].[b]` too.
    fn parts(name: &str) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut quoted = false;
        for c in name.chars() {
            match c {
                '[' | '"' if !quoted => quoted = true,
                ']' | '"' if quoted => quoted = false,
                '.' if !quoted => parts.push(String::new()),
                c => {
                    if let Some(last) = parts.last_mut() {
                        last.push(c);
                    }
                }
            }
        }
        parts
    }

    fn object(&self, name: &str, kind: Option<&str>) -> Option<i64> {
        if kind.is_some_and(|kind| !same(kind.trim(), "U")) {
            return None;
        }
        let mut parts = Self::parts(name);
        let table = parts.pop()?;
        let schema = parts.pop().filter(|schema| !schema.is_empty()).unwrap_or_else(|| "dbo".into());
        let id = match parts.pop().filter(|database| !database.is_empty()) {
            Some(database) => self.server.state().id_of(&database)?,
            None => self.context(),
        };
        let found = self.server.state().databases.get(&id).filter(|found| found.readable()).cloned()?;
        let file = datafile::open(&self.server.path(&found.data)).ok()?;
        let sql = "SELECT id FROM sim_tables WHERE schema_name = ?1 AND name = ?2";
        file.query_row(sql, [schema, table], |row| row.get(0)).ok()
    }

    fn object_name(&self) -> Stored {
        let id = self.number(1).and_then(|id| i32::try_from(id).ok()).unwrap_or_else(|| self.context());
        let found = self.server.state().databases.get(&id).filter(|found| found.readable()).cloned();
        let name = found.and_then(|found| {
            let file = datafile::open(&self.server.path(&found.data)).ok()?;
            file.query_row("SELECT name FROM sim_tables WHERE id = ?1", [self.number(0)?], |row| row.get::<_, String>(0)).ok()
        });
        maybe(name)
    }
}
