//! Views of what is in a database: tables, columns, users, extended properties.

use rusqlite::Connection;

use super::Viewer;
use crate::{
    engine::{
        messages::{Chain, fault},
        rows::{DESC, NAME, Rows, bit, int, maybe, text, time},
    },
    sql::TableColumn,
    wire::{Type, Value},
};

fn bad(error: &rusqlite::Error) -> Chain {
    vec![fault(8921, &[&error.to_string()])]
}

/// A user table: object id, schema, name, creation, columns.
type Table = (i64, String, String, i64, Vec<TableColumn>);

fn user_tables(sqlite: &Connection, alias: Option<&str>) -> Result<Vec<Table>, Chain> {
    let Some(alias) = alias else { return Ok(Vec::new()) };
    let read = || {
        let mut query =
            sqlite.prepare(&format!("SELECT id, schema_name, name, created, columns FROM \"{alias}\".sim_tables ORDER BY id"))?;
        let rows = query.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, crate::engine::names::columns(&row.get::<_, String>(4)?)))
        })?;
        rows.collect::<rusqlite::Result<Vec<Table>>>()
    };
    read().map_err(|error| bad(&error))
}

/// sys.tables, sys.objects
pub fn tables(_: Viewer<'_>, sqlite: &Connection, alias: Option<&str>) -> Result<Rows, Chain> {
    let mut rows = Rows::new(&[
        ("name", NAME),
        ("object_id", Type::Int),
        ("principal_id", Type::Int),
        ("schema_id", Type::Int),
        ("parent_object_id", Type::Int),
        ("type", Type::Char(2)),
        ("type_desc", DESC),
        ("create_date", Type::DateTime),
        ("modify_date", Type::DateTime),
        ("is_ms_shipped", Type::Bit),
    ]);
    for (id, schema, name, created, _) in user_tables(sqlite, alias)? {
        let schema = if schema.eq_ignore_ascii_case("dbo") { 1 } else { 5 };
        rows.add(vec![
            text(name),
            int(id),
            Value::Null,
            int(schema),
            int(0),
            text("U "),
            text("USER_TABLE"),
            time(created),
            time(created),
            bit(false),
        ]);
    }
    Ok(rows)
}

/// sys.columns
pub fn columns(_: Viewer<'_>, sqlite: &Connection, alias: Option<&str>) -> Result<Rows, Chain> {
    let mut rows = Rows::new(&[
        ("object_id", Type::Int),
        ("name", NAME),
        ("column_id", Type::Int),
        ("system_type_id", Type::TinyInt),
        ("max_length", Type::SmallInt),
        ("precision", Type::TinyInt),
        ("scale", Type::TinyInt),
        ("is_nullable", Type::Bit),
        ("is_identity", Type::Bit),
    ]);
    for (id, _, _, _, columns) in user_tables(sqlite, alias)? {
        for (number, column) in columns.iter().enumerate() {
            let (kind, length, precision, scale) = described(column.kind);
            rows.add(vec![
                int(id),
                text(&column.name),
                int(number as i64 + 1),
                int(kind),
                int(length),
                int(precision),
                int(scale),
                bit(column.nullable),
                bit(column.identity),
            ]);
        }
    }
    Ok(rows)
}

/// system_type_id, max_length, precision, scale.
fn described(kind: Type) -> (i64, i64, i64, i64) {
    let sized = |size: Option<u16>, width: i64| size.map_or(-1, |size| i64::from(size) * width);
    match kind {
        Type::Bit => (104, 1, 1, 0),
        Type::TinyInt => (48, 1, 3, 0),
        Type::SmallInt => (52, 2, 5, 0),
        Type::Int => (56, 4, 10, 0),
        Type::BigInt => (127, 8, 19, 0),
        Type::Real => (59, 4, 24, 0),
        Type::Float => (62, 8, 53, 0),
        Type::Numeric(precision, scale) => (108, 17, i64::from(precision), i64::from(scale)),
        Type::Money => (60, 8, 19, 4),
        Type::DateTime => (61, 8, 23, 3),
        Type::DateTime2(scale) => (42, 8, 27, i64::from(scale)),
        Type::Date => (40, 3, 10, 0),
        Type::Guid => (36, 16, 0, 0),
        Type::Char(size) => (175, i64::from(size), 0, 0),
        Type::VarChar(size) => (167, sized(size, 1), 0, 0),
        Type::NChar(size) => (239, i64::from(size) * 2, 0, 0),
        Type::NVarChar(size) => (231, sized(size, 2), 0, 0),
        Type::VarBinary(size) => (165, sized(size, 1), 0, 0),
    }
}

/// sys.schemas
pub fn schemas() -> Rows {
    let mut rows = Rows::new(&[("name", NAME), ("schema_id", Type::Int), ("principal_id", Type::Int)]);
    for (id, name) in [(1, "dbo"), (2, "guest"), (3, "INFORMATION_SCHEMA"), (4, "sys")] {
        rows.add(vec![text(name), int(id), int(id)]);
    }
    rows
}

/// sys.partitions, sys.dm_db_partition_stats: rows of tables.
pub fn partitions(_: Viewer<'_>, sqlite: &Connection, alias: Option<&str>) -> Result<Rows, Chain> {
    let mut rows = Rows::new(&[
        ("object_id", Type::Int),
        ("index_id", Type::Int),
        ("partition_number", Type::Int),
        ("rows", Type::BigInt),
        ("row_count", Type::BigInt),
    ]);
    for (id, schema, name, _, _) in user_tables(sqlite, alias)? {
        let table = crate::engine::names::quoted(alias.unwrap_or("main"), &schema, &name);
        let count: i64 =
            sqlite.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).map_err(|error| bad(&error))?;
        rows.add(vec![int(id), int(1), int(1), int(count), int(count)]);
    }
    Ok(rows)
}

/// sys.extended_properties
pub fn properties(viewer: Viewer<'_>, sqlite: &Connection, alias: Option<&str>) -> Result<Rows, Chain> {
    let mut rows = Rows::new(&[
        ("class", Type::TinyInt),
        ("class_desc", DESC),
        ("major_id", Type::Int),
        ("minor_id", Type::Int),
        ("name", NAME),
        ("value", Type::NVarChar(Some(3750))),
    ]);
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    if let Some(alias) = alias {
        let read = || {
            let mut query = sqlite.prepare(&format!("SELECT name, value FROM \"{alias}\".sim_properties ORDER BY name"))?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        found = read().map_err(|error| bad(&error))?;
    } else if viewer.database == 1 {
        found = viewer.server.state().properties.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    }
    for (name, value) in found {
        rows.add(vec![int(0), text("DATABASE"), int(0), int(0), text(name), maybe(value, text)]);
    }
    Ok(rows)
}

/// sys.database_principals
pub fn principals(viewer: Viewer<'_>, sqlite: &Connection, alias: Option<&str>) -> Result<Rows, Chain> {
    let mut rows = Rows::new(&[
        ("name", NAME),
        ("principal_id", Type::Int),
        ("type", Type::Char(1)),
        ("type_desc", DESC),
        ("default_schema_name", NAME),
        ("create_date", Type::DateTime),
        ("modify_date", Type::DateTime),
        ("owning_principal_id", Type::Int),
        ("sid", Type::VarBinary(Some(85))),
        ("is_fixed_role", Type::Bit),
        ("authentication_type", Type::Int),
        ("authentication_type_desc", DESC),
        ("default_language_name", NAME),
    ]);
    type Principal = (i64, String, String, Option<Vec<u8>>, i64, i64);
    let mut found: Vec<Principal> = vec![(1, "dbo".into(), "S".into(), Some(vec![1]), 1, viewer.server.started)];
    if let Some(alias) = alias {
        let read = || {
            let sql = format!("SELECT id, name, type, sid, authentication, created FROM \"{alias}\".sim_principals ORDER BY id");
            let mut query = sqlite.prepare(&sql)?;
            let rows =
                query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)))?;
            rows.collect::<rusqlite::Result<Vec<Principal>>>()
        };
        found = read().map_err(|error| bad(&error))?;
    }
    for (id, name, kind, sid, authentication, created) in found {
        rows.add(vec![
            text(name),
            int(id),
            text(&kind),
            text(if kind == "R" { "DATABASE_ROLE" } else { "SQL_USER" }),
            if kind == "R" { Value::Null } else { text("dbo") },
            time(created),
            time(created),
            if kind == "R" { int(1) } else { Value::Null },
            maybe(sid, Value::Bytes),
            bit((16384..16400).contains(&id)),
            int(authentication),
            text(if authentication == 1 { "INSTANCE" } else { "NONE" }),
            Value::Null,
        ]);
    }
    Ok(rows)
}

/// sys.database_role_members
pub fn role_members(_: Viewer<'_>, sqlite: &Connection, alias: Option<&str>) -> Result<Rows, Chain> {
    let mut rows = Rows::new(&[("role_principal_id", Type::Int), ("member_principal_id", Type::Int)]);
    let Some(alias) = alias else { return Ok(rows) };
    let read = || {
        let sql = format!(
            "SELECT r.id, m.id FROM \"{alias}\".sim_members x JOIN \"{alias}\".sim_principals r ON r.name = x.role JOIN \"{alias}\".sim_principals m ON m.name = x.member"
        );
        let mut query = sqlite.prepare(&sql)?;
        query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()
    };
    for (role, member) in read().map_err(|error| bad(&error))? {
        rows.add(vec![int(role), int(member)]);
    }
    Ok(rows)
}
