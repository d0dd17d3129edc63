//! What names mean in a session: the catalog that the compiler asks.

use rusqlite::{OptionalExtension, params};

use super::{
    messages::{Chain, Fault, fault},
    rows::Rows,
    run::Halt,
    server::Server,
    session::Work,
    state::{SYSTEM, same},
    views::{self, Viewer},
};
use crate::{
    sql::{
        Catalog, Table, TableColumn,
        ast::ObjectName,
        read_type, type_text,
        value::{bind, declaration},
    },
    wire::{Message, Type, Value},
};

/// The catalog of a session, for one statement.
pub struct Names<'a> {
    /// The instance.
    pub server: &'a Server,
    /// The session.
    pub work: &'a Work,
    /// Line of the statement.
    pub line: u32,
}

/// A table's name in SQLite's language.
pub fn quoted(alias: &str, schema: &str, name: &str) -> String {
    let name = format!("{}.{}", schema.to_lowercase(), name).replace('"', "\"\"");
    format!("\"{alias}\".\"{name}\"")
}

/// Columns as they are kept in `sim_tables`.
pub fn columns_text(columns: &[TableColumn]) -> String {
    let kept: Vec<_> = columns
        .iter()
        .map(|column| {
            serde_json::json!({
                "name": column.name, "type": type_text(column.kind), "nullable": column.nullable,
                "identity": column.identity, "default": column.default,
            })
        })
        .collect();
    serde_json::Value::Array(kept).to_string()
}

/// The reverse.
pub fn columns(text: &str) -> Vec<TableColumn> {
    let read: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let column = |value: &serde_json::Value| {
        Some(TableColumn {
            name: value["name"].as_str()?.into(),
            kind: read_type(value["type"].as_str()?)?,
            nullable: value["nullable"].as_bool()?,
            identity: value["identity"].as_bool()?,
            default: value["default"].as_str().map(String::from),
        })
    };
    read.iter().filter_map(column).collect()
}

impl Names<'_> {
    /// The first message of a failure: the compiler takes one.
    pub fn message(&self, halt: Halt) -> Message {
        let first = match halt {
            Halt::Fails(chain) => chain.into_iter().next().unwrap_or_else(|| fault(596, &[])),
            Halt::Cancelled | Halt::Killed => fault(596, &[]),
        };
        first.message(self.work.set.spanish, self.line)
    }

    fn context(&self) -> i32 {
        self.server.state().sessions.get(&self.work.id).map_or(1, |session| session.database)
    }

    pub(super) fn database(&self, name: &ObjectName) -> Option<i32> {
        if name.database.is_empty() { Some(self.context()) } else { self.server.state().id_of(&name.database) }
    }

    fn viewer(&self, database: i32) -> Viewer<'_> {
        Viewer { server: self.server, session: self.work.id, database }
    }

    fn fail(&self, chain: Chain) -> Message {
        self.message(Halt::Fails(chain))
    }

    /// Makes rows a table of SQLite, until the statement ends.
    fn made(&self, rows: &Rows) -> Result<Table, Message> {
        let number = self.work.number.get() + 1;
        self.work.number.set(number);
        let name = format!("v{number}");
        let make = || {
            let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let columns: Vec<_> =
                rows.columns.iter().map(|(name, kind)| format!("{} {}", quote(name), declaration(*kind))).collect();
            self.work.sqlite.execute_batch(&format!("CREATE TEMP TABLE \"{name}\" ({})", columns.join(", ")))?;
            self.work.made.borrow_mut().push(name.clone());
            let places: Vec<_> = (1..=rows.columns.len()).map(|at| format!("?{at}")).collect();
            let mut insert = self.work.sqlite.prepare(&format!("INSERT INTO temp.\"{name}\" VALUES ({})", places.join(", ")))?;
            for row in &rows.rows {
                insert.execute(rusqlite::params_from_iter(row.iter().map(bind)))?;
            }
            Ok(())
        };
        make().map_err(|error: rusqlite::Error| self.message(self.work.broken(&error)))?;
        let columns = rows.columns.iter().map(|(name, kind)| TableColumn::new(name, *kind)).collect();
        Ok(Table { sqlite: format!("temp.\"{name}\""), columns, system: true })
    }

    /// A user's table: its schema in SQLite, and what it is.
    pub fn user_table(&self, database: i32, name: &ObjectName) -> Result<Option<Table>, Message> {
        if database <= 4 {
            return Ok(None);
        }
        let alias = self.work.attach(self.server, database).map_err(|halt| self.message(halt))?;
        let schema = if name.schema.is_empty() { "dbo" } else { &name.schema };
        let found: Option<(String, String, String)> = self
            .work
            .sqlite
            .query_row(
                &format!("SELECT schema_name, name, columns FROM \"{alias}\".sim_tables WHERE schema_name = ?1 AND name = ?2"),
                params![schema, name.name],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(|error| self.message(self.work.broken(&error)))?;
        Ok(found.map(|(schema, name, text)| Table {
            sqlite: quoted(&alias, &schema, &name),
            columns: columns(&text),
            system: false,
        }))
    }
}

impl Catalog for Names<'_> {
    fn table(&self, name: &ObjectName) -> Result<Option<Table>, Message> {
        if !name.server.is_empty() {
            return Err(fault(7202, &[&name.server]).message(self.work.set.spanish, self.line));
        }
        let Some(database) = self.database(name) else { return Ok(None) };
        let system = same(&name.schema, "sys") || (database == 1 && same(&name.name, "sysprocesses"));
        if system {
            let alias = if database > 4 {
                Some(self.work.attach(self.server, database).map_err(|halt| self.message(halt))?)
            } else {
                None
            };
            let rows = views::view(self.viewer(database), &self.work.sqlite, alias.as_deref(), &name.name);
            return rows.map_err(|chain| self.fail(chain))?.map(|rows| self.made(&rows)).transpose();
        }
        if database == 4 && (name.schema.is_empty() || same(&name.schema, "dbo")) {
            return views::msdb_table(self.viewer(database), &name.name).map(|rows| self.made(&rows)).transpose();
        }
        self.user_table(database, name)
    }

    fn new_table(&self, name: &ObjectName) -> Result<String, Message> {
        let say = |fault: Fault| fault.message(self.work.set.spanish, self.line);
        let Some(database) = self.database(name) else { return Err(say(fault(911, &[&name.database]))) };
        if database <= 4 {
            let system = SYSTEM.iter().find(|(id, _)| *id == database).map_or("master", |(_, name)| name);
            return Err(say(fault(262, &["CREATE TABLE", system])));
        }
        let schema = if name.schema.is_empty() { "dbo" } else { &name.schema };
        if !same(schema, "dbo") {
            return Err(say(fault(2760, &[schema])));
        }
        if self.user_table(database, name)?.is_some() {
            return Err(say(fault(2714, &[&name.name])));
        }
        let alias = self.work.attach(self.server, database).map_err(|halt| self.message(halt))?;
        Ok(quoted(&alias, "dbo", &name.name))
    }

    fn table_function(&self, name: &ObjectName, arguments: &[(Type, Value)]) -> Result<Option<Table>, Message> {
        let Some(database) = self.database(name) else { return Ok(None) };
        if !same(&name.schema, "sys") && !name.schema.is_empty() {
            return Ok(None);
        }
        let rows = views::function(self.viewer(database), &name.name, arguments).map_err(|chain| self.fail(chain))?;
        rows.map(|rows| self.made(&rows)).transpose()
    }

    fn bulk(&self, path: &str, form: &str) -> Result<Table, Message> {
        let say = |fault: Fault| fault.message(self.work.set.spanish, self.line);
        if !self.server.can(self.work.id, "ADMINISTER BULK OPERATIONS") {
            return Err(say(fault(4834, &[])));
        }
        let file = self.server.path(path);
        let read = match self.server.orders().system_error(&file) {
            Some(error) => Err(error),
            None => std::fs::read(&file).map_err(|error| super::media::code(&error)),
        };
        let bytes = read.map_err(|error| match error {
            2 | 3 => say(fault(4860, &[path])),
            _ => say(fault(4861, &[path, &super::messages::system(error, self.server.spanish())])),
        })?;
        if bytes.len() > i32::MAX as usize {
            return Err(say(fault(4861, &[path, "223(The file size exceeds the limit allowed and cannot be saved.)"])));
        }
        let (kind, value) = match form {
            "SINGLE_BLOB" => (Type::VarBinary(None), Value::Bytes(bytes)),
            "SINGLE_NCLOB" => {
                let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                (Type::NVarChar(None), Value::Text(String::from_utf16_lossy(&units).trim_start_matches('\u{feff}').into()))
            }
            _ => (Type::VarChar(None), Value::Text(String::from_utf8_lossy(&bytes).into_owned())),
        };
        self.made(&Rows { columns: vec![("BulkColumn", kind)], rows: vec![vec![value]] })
    }

    fn variable(&self, name: &str) -> Option<(Type, Value)> {
        self.work.variables.get(&name.to_lowercase()).cloned()
    }

    fn global(&self, name: &str) -> Option<(Type, Value)> {
        let int = |number: i64| Some((Type::Int, Value::Int(number)));
        let words = |text: String| Some((Type::NVarChar(Some(4000)), Value::Text(text)));
        let caught = self.work.caught.last();
        let identity = self.work.identity.map_or(Value::Null, |identity| Value::Numeric(identity.into()));
        match name {
            "@@SPID" => Some((Type::SmallInt, Value::Int(self.work.id.into()))),
            "@@TRANCOUNT" => int(self.work.open.into()),
            "@@ERROR" => int(self.work.error.into()),
            "@@ROWCOUNT" => int(self.work.rows),
            "ROWCOUNT_BIG()" => Some((Type::BigInt, Value::Int(self.work.rows))),
            "@@IDENTITY" | "SCOPE_IDENTITY()" => Some((Type::Numeric(38, 0), identity)),
            "@@SERVERNAME" => words(self.server.identity.server_name()),
            "@@SERVICENAME" if self.server.identity.name.is_empty() => words("MSSQLSERVER".into()),
            "@@SERVICENAME" => words(self.server.identity.name.clone()),
            "@@VERSION" => words(version(self.server)),
            "@@LANGUAGE" => words(if self.work.set.spanish { "Español" } else { "us_english" }.into()),
            "@@LOCK_TIMEOUT" => int(self.work.set.lock_timeout),
            "@@NESTLEVEL" | "@@PROCID" | "@@FETCH_STATUS" | "@@OPTIONS" => int(0),
            "@@MAX_PRECISION" => Some((Type::TinyInt, Value::Int(38))),
            "@@TEXTSIZE" => int(2_147_483_647),
            "XACT_STATE()" => {
                Some((Type::SmallInt, Value::Int(if self.work.open == 0 { 0 } else { 1 - 2 * i64::from(self.work.doomed) })))
            }
            "ERROR_NUMBER()" => Some((Type::Int, caught.map_or(Value::Null, |caught| Value::Int(caught.number.into())))),
            "ERROR_SEVERITY()" => Some((Type::Int, caught.map_or(Value::Null, |caught| Value::Int(caught.class.into())))),
            "ERROR_STATE()" => Some((Type::Int, caught.map_or(Value::Null, |caught| Value::Int(caught.state.into())))),
            "ERROR_LINE()" => Some((Type::Int, caught.map_or(Value::Null, |caught| Value::Int(caught.line.into())))),
            "ERROR_MESSAGE()" => {
                Some((Type::NVarChar(Some(4000)), caught.map_or(Value::Null, |caught| Value::Text(caught.text.clone()))))
            }
            "ERROR_PROCEDURE()" => Some((Type::NVarChar(Some(128)), Value::Null)),
            _ => None,
        }
    }

    fn identity_insert(&self, sqlite: &str) -> bool {
        self.work.set.identity_insert.as_deref() == Some(sqlite)
    }
}

/// `@@VERSION`, for people.
pub fn version(server: &Server) -> String {
    let [major, minor, build] = server.identity.version();
    let year = match major {
        13 => 2016,
        14 => 2017,
        15 => 2019,
        16 => 2022,
        _ => 2025,
    };
    format!("Microsoft SQL Server {year} (simulated) - {major}.{minor}.{build}.0 (X64) \n\t{}\n", server.identity.edition_text())
}
