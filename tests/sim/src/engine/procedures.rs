//! EXECUTE of the system's procedures.

use rusqlite::types::Value as Stored;

use super::{
    messages::{Fault, fails, fault},
    rows::{NAME, Rows, bit, int, text},
    run::{Halt, Out, Run},
    state::same,
};
use crate::{
    sql::ast::{Execute, Expr},
    wire::{Type, Value},
};

/// An argument: its name, its value, the variable that takes its output.
#[derive(Clone, Debug)]
pub struct Given {
    /// With its @, in lower case; empty where none was said.
    pub name: String,
    /// Its type and value.
    pub value: (Type, Value),
    /// The variable.
    pub output: Option<String>,
}

/// The arguments of a call, by the names of its parameters.
pub struct Arguments {
    given: Vec<(String, Given)>,
    procedure: String,
}

impl Arguments {
    /// Matches them with the parameters, which have a place each. One that starts with `!` has to be given.
    fn new(procedure: &str, given: Vec<Given>, parameters: &[&str]) -> Result<Arguments, Halt> {
        let mut matched: Vec<(String, Given)> = Vec::new();
        for (place, argument) in given.into_iter().enumerate() {
            let name = if argument.name.is_empty() {
                parameters.get(place).map(|name| (*name).to_string())
            } else {
                parameters.iter().find(|name| same(name.trim_start_matches('!'), &argument.name)).map(|name| (*name).to_string())
            };
            match name {
                Some(name) => matched.push((name.trim_start_matches('!').to_string(), argument)),
                None if argument.name.is_empty() => return fails(8144, &[procedure])?,
                None => return fails(8145, &[procedure, &argument.name])?,
            }
        }
        let arguments = Arguments { given: matched, procedure: procedure.into() };
        for parameter in parameters.iter().filter_map(|name| name.strip_prefix('!')) {
            arguments.needed(parameter)?;
        }
        Ok(arguments)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.given
            .iter()
            .find(|(given, _)| same(given, name))
            .map(|(_, given)| &given.value.1)
            .filter(|value| **value != Value::Null)
    }

    /// As text; NULL and nothing are `None`.
    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(super::run::shown)
    }

    fn needed(&self, name: &str) -> Result<String, Halt> {
        match self.text(name) {
            Some(text) => Ok(text),
            None => fails(201, &[&self.procedure, name])?,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Int(number) => Some(*number),
            other => super::run::shown(other).parse().ok(),
        }
    }

    fn output(&self, name: &str) -> Option<String> {
        self.given.iter().find(|(given, _)| same(given, name)).and_then(|(_, given)| given.output.clone())
    }
}

impl Run<'_> {
    /// EXECUTE.
    pub(super) fn execute(&mut self, statement: &Execute, out: Out<'_>) -> Result<(), Halt> {
        let mut given = Vec::new();
        for argument in &statement.arguments {
            let output = match (&argument.value, argument.output) {
                (Expr::Variable(name), true) => Some(name.clone()),
                _ => None,
            };
            let value = match &argument.value {
                Expr::Default => (Type::NVarChar(None), Value::Null),
                Expr::Column(parts) if parts.len() == 1 => (Type::NVarChar(None), text(&parts[0])),
                value => self.value(value)?,
            };
            given.push(Given { name: argument.name.clone().unwrap_or_default().to_lowercase(), value, output });
        }
        let procedure = &statement.procedure;
        if !procedure.server.is_empty() {
            return fails(7202, &[&procedure.server])?;
        }
        let database = if procedure.database.is_empty() {
            self.context()
        } else {
            let id = self.server.state().id_of(&procedure.database);
            match id {
                Some(id) => id,
                None => return fails(911, &[&procedure.database])?,
            }
        };
        if database > 4 {
            self.work.attach(self.server, database)?;
        }
        let code = self.procedure(&procedure.name.to_lowercase(), database, given, out)?;
        if let Some(result) = &statement.result {
            self.assign(result, Type::Int, Value::Int(code))?;
        }
        Ok(())
    }

    /// Runs one; its return code.
    fn procedure(&mut self, name: &str, database: i32, given: Vec<Given>, out: Out<'_>) -> Result<i64, Halt> {
        let with = |parameters: &[&str]| Arguments::new(name, given.clone(), parameters);
        match name {
            "sp_addextendedproperty" | "sp_updateextendedproperty" | "sp_dropextendedproperty" => {
                let parameters: &[&str] = if name == "sp_dropextendedproperty" {
                    &["!@name", "@level0type", "@level0name", "@level1type", "@level1name", "@level2type", "@level2name"]
                } else {
                    &[
                        "!@name",
                        "@value",
                        "@level0type",
                        "@level0name",
                        "@level1type",
                        "@level1name",
                        "@level2type",
                        "@level2name",
                    ]
                };
                let arguments = with(parameters)?;
                if let Some(level) = arguments.text("@level0name") {
                    return fails(15135, &[&level])?;
                }
                let property = arguments.needed("@name")?;
                if property.encode_utf16().count() > 128 {
                    return fails(15097, &[])?;
                }
                self.property(name, database, &property, arguments.text("@value"), out)
            }
            "sp_getapplock" => {
                let arguments = with(&["!@resource", "!@lockmode", "@lockowner", "@locktimeout", "@dbprincipal"])?;
                let owner = arguments.text("@lockowner").unwrap_or_else(|| "Transaction".into());
                let timeout = arguments.number("@locktimeout").unwrap_or(self.work.set.lock_timeout);
                let (resource, mode) = (arguments.needed("@resource")?, arguments.needed("@lockmode")?);
                self.get_app_lock(&resource, &mode, &owner, timeout, out)
            }
            "sp_releaseapplock" => {
                let arguments = with(&["!@resource", "@lockowner", "@dbprincipal"])?;
                let owner = arguments.text("@lockowner").unwrap_or_else(|| "Transaction".into());
                self.release_app_lock(&arguments.needed("@resource")?, &owner)
            }
            "sp_detach_db" => {
                let arguments = with(&["!@dbname", "@skipchecks", "@keepfulltextindexfile"])?;
                self.detach(&arguments.needed("@dbname")?).map(|()| 0)
            }
            "sp_delete_backuphistory" => {
                let arguments = with(&["!@oldest_date"])?;
                let oldest = self.time(&arguments.needed("@oldest_date")?)?;
                self.forget_history(|row| row.header.finish < oldest);
                Ok(0)
            }
            "sp_delete_database_backuphistory" => {
                let arguments = with(&["!@database_name"])?;
                let name = arguments.needed("@database_name")?;
                self.forget_history(|row| same(&row.header.database, &name));
                Ok(0)
            }
            "sp_executesql" => self.execute_text(given, out),
            "xp_fileexist" => {
                let arguments = with(&["!@filename", "@exists"])?;
                let path = self.server.path(&arguments.needed("@filename")?);
                let there = self.server.orders().system_error(&path).is_none();
                let (file, folder) = (there && path.is_file(), there && path.is_dir());
                if let Some(variable) = arguments.output("@exists") {
                    self.assign(&variable, Type::Int, int(i32::from(file)))?;
                    return Ok(0);
                }
                let mut rows = Rows::new(&[
                    ("File Exists", Type::TinyInt),
                    ("File is a Directory", Type::TinyInt),
                    ("Parent Directory Exists", Type::TinyInt),
                ]);
                rows.add(vec![bit(file), bit(folder), bit(path.parent().is_some_and(std::path::Path::is_dir))]);
                self.send_rows(rows, out).map(|()| 0)
            }
            "xp_fixeddrives" => {
                let mut rows = Rows::new(&[("drive", Type::VarChar(Some(1))), ("MB free", Type::Int)]);
                let free = i64::try_from(self.server.volume().1 / 1024 / 1024).unwrap_or(i64::from(i32::MAX));
                rows.add(vec![text("C"), int(free.min(i64::from(i32::MAX)))]);
                self.send_rows(rows, out).map(|()| 0)
            }
            "xp_instance_regread" => {
                let arguments = with(&["!@rootkey", "!@key", "!@value_name", "@value"])?;
                if !self.is_member("sysadmin") {
                    return fails(229, &["EXECUTE", "xp_instance_regread", "mssqlsystemresource"])?;
                }
                let value = match arguments.needed("@value_name")?.to_lowercase().as_str() {
                    "backupdirectory" => Some(self.server.folder("Backup")),
                    "defaultdata" | "defaultlog" => Some(self.server.folder("DATA")),
                    _ => None,
                };
                let Some(value) = value else {
                    let said = "RegQueryValueEx() returned error 2, 'The system cannot find the file specified.'";
                    return Err(Fault { ready: Some((16, said.into())), ..fault(22001, &[]) }.into());
                };
                let value = value.trim_end_matches(['/', '\\']).to_string();
                if let Some(variable) = arguments.output("@value") {
                    self.assign(&variable, Type::NVarChar(Some(4000)), text(value))?;
                    return Ok(0);
                }
                let mut rows = Rows::new(&[("Value", NAME), ("Data", Type::NVarChar(Some(1000)))]);
                rows.add(vec![text(arguments.needed("@value_name")?), text(value)]);
                self.send_rows(rows, out).map(|()| 0)
            }
            "sp_configure" => {
                let arguments = with(&["!@configname", "!@configvalue"])?;
                let (option, value) = (arguments.needed("@configname")?, arguments.number("@configvalue").unwrap_or(0));
                if !self.can("ALTER SETTINGS") {
                    return fails(15247, &[])?;
                }
                let mut state = self.server.state();
                if !state.configuration.contains_key(&option.to_lowercase()) {
                    return fails(15123, &[&option])?;
                }
                state.configuration.insert(option.to_lowercase(), value);
                self.server.durable(|store| store.put("configuration", "", &state.configuration));
                Ok(0)
            }
            _ => fails(2812, &[name])?,
        }
    }

    fn property(&mut self, procedure: &str, database: i32, name: &str, value: Option<String>, out: Out<'_>) -> Result<i64, Halt> {
        const WHERE: &str = "object specified";
        if database <= 4 {
            if database != 1 || !self.is_member("sysadmin") {
                return fails(15247, &[])?;
            }
            let mut state = self.server.state();
            let there = state.properties.keys().find(|key| same(key, name)).cloned();
            match (procedure, there) {
                ("sp_addextendedproperty", Some(_)) => return fails(15233, &[WHERE, name])?,
                ("sp_addextendedproperty", None) => drop(state.properties.insert(name.into(), value.unwrap_or_default())),
                (_, None) => return fails(15217, &[WHERE, name])?,
                ("sp_updateextendedproperty", Some(there)) => drop(state.properties.insert(there, value.unwrap_or_default())),
                (_, Some(there)) => drop(state.properties.remove(&there)),
            }
            self.server.durable(|store| store.put("properties", "", &state.properties));
            return Ok(0);
        }
        let found = self.server.state().databases.get(&database).cloned();
        if !found.is_some_and(|found| self.may_alter(&found)) {
            return fails(15247, &[])?;
        }
        self.writing(database, out)?;
        let there = self.one_text(database, "SELECT name FROM {db}.sim_properties WHERE name = ?1", name)?.is_some();
        let (name_value, value) = (Stored::Text(name.into()), value.map_or(Stored::Null, Stored::Text));
        let (sql, values): (&str, &[Stored]) = match (procedure, there) {
            ("sp_addextendedproperty", true) => return fails(15233, &[WHERE, name])?,
            ("sp_addextendedproperty", false) => ("INSERT INTO {db}.sim_properties VALUES (?1, ?2)", &[name_value, value]),
            (_, false) => return fails(15217, &[WHERE, name])?,
            ("sp_updateextendedproperty", true) => {
                ("UPDATE {db}.sim_properties SET value = ?2 WHERE name = ?1", &[name_value, value])
            }
            (_, true) => ("DELETE FROM {db}.sim_properties WHERE name = ?1", &[name_value]),
        };
        self.work.write(self.server, database, sql, values, out)?;
        Ok(0)
    }

    fn forget_history(&self, old: impl Fn(&super::state::History) -> bool) {
        let mut state = self.server.state();
        let gone: Vec<i64> = state.backups.iter().filter(|row| old(row)).map(|row| row.id).collect();
        let restores: Vec<i64> = state.restores.iter().filter(|row| gone.contains(&row.backup)).map(|row| row.id).collect();
        self.server.durable(|store| {
            gone.iter().try_for_each(|id| store.remove("backup", &format!("{id:012}")))?;
            restores.iter().try_for_each(|id| store.remove("restore", &format!("{id:012}")))
        });
        state.backups.retain(|row| !gone.contains(&row.id));
        state.restores.retain(|row| !restores.contains(&row.id));
    }

    /// sp_executesql within T-SQL.
    fn execute_text(&mut self, mut given: Vec<Given>, out: Out<'_>) -> Result<i64, Halt> {
        if given.is_empty() {
            return fails(201, &["sp_executesql", "@statement"])?;
        }
        let statement = super::run::shown(&given.remove(0).value.1);
        let mut variables = std::collections::BTreeMap::new();
        if !given.is_empty() {
            let definitions = super::run::shown(&given.remove(0).value.1);
            for (place, definition) in split(&definitions).into_iter().enumerate() {
                let (name, kind) = definition.split_once(char::is_whitespace).unwrap_or((definition.as_str(), ""));
                let kind = kind.trim().trim_end_matches(" OUTPUT").trim_end_matches(" output").trim();
                let Some(kind) = crate::sql::read_type(kind) else { return fails(102, &[name])? };
                let named = given
                    .iter()
                    .find(|given| same(&given.name, name))
                    .or_else(|| given.get(place).filter(|given| given.name.is_empty()));
                let Some(value) = named else { return fails(8178, &[&definitions, name])? };
                variables.insert(name.to_lowercase(), (kind, super::run::fitted(kind, &value.value.1)));
            }
        }
        let outer = std::mem::replace(&mut self.work.variables, variables);
        let (database, set) = (self.context(), self.work.set.clone());
        let done = self.nested(&statement, out);
        let inner = std::mem::replace(&mut self.work.variables, outer);
        self.work.set = set;
        if self.context() != database {
            self.enter(database)?;
        }
        done?;
        for argument in given {
            if let (Some(variable), Some((kind, value))) = (argument.output, inner.get(&argument.name)) {
                self.assign(&variable, *kind, value.clone())?;
            }
        }
        Ok(0)
    }
}

/// Definitions of parameters, at commas outside parentheses.
fn split(text: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.into_iter().map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect()
}
