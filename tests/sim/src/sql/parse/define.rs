//! CREATE, ALTER and DROP, and the ones of tables and indexes in full.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{ColumnDefinition, Constraint, ConstraintKind, CreateIndex, CreateTable, Kind},
    message::message,
};

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Parsed<Kind> {
        self.skip();
        match self.one_of(&["TABLE", "DATABASE", "LOGIN", "USER", "UNIQUE", "CLUSTERED", "NONCLUSTERED", "INDEX"]) {
            Some("TABLE") => self.create_table(),
            Some("DATABASE") => self.create_database(),
            Some("LOGIN") => self.create_login(),
            Some("USER") => self.create_user(),
            Some("INDEX") => self.create_index(false),
            Some("UNIQUE") => {
                let _clustered = self.one_of(&["CLUSTERED", "NONCLUSTERED"]);
                self.expect("INDEX")?;
                self.create_index(true)
            }
            Some(_) => {
                self.expect("INDEX")?;
                self.create_index(false)
            }
            None => self.unexpected(),
        }
    }

    pub(super) fn alter(&mut self) -> Parsed<Kind> {
        self.skip();
        match self.one_of(&["DATABASE", "AUTHORIZATION", "LOGIN", "USER", "SERVER", "ROLE"]) {
            Some("DATABASE") => self.alter_database(),
            Some("AUTHORIZATION") => self.alter_authorization(),
            Some("LOGIN") => self.alter_login(),
            Some("USER") => self.alter_user(),
            Some("SERVER") => {
                self.expect("ROLE")?;
                self.alter_role(true)
            }
            Some(_) => self.alter_role(false),
            None => self.unexpected(),
        }
    }

    pub(super) fn drop(&mut self) -> Parsed<Kind> {
        self.skip();
        match self.one_of(&["TABLE", "DATABASE", "LOGIN", "USER"]) {
            Some("TABLE") => {
                let if_exists = self.accept_all(&["IF", "EXISTS"]);
                Ok(Kind::DropTable { if_exists, names: self.list(Self::object_name)? })
            }
            Some("DATABASE") => {
                let if_exists = self.accept_all(&["IF", "EXISTS"]);
                Ok(Kind::DropDatabase { if_exists, names: self.list(Self::identifier)? })
            }
            Some("LOGIN") => self.identifier().map(Kind::DropLogin),
            Some(_) => {
                let if_exists = self.accept_all(&["IF", "EXISTS"]);
                Ok(Kind::DropUser { if_exists, name: self.identifier()? })
            }
            None => self.unexpected(),
        }
    }

    fn create_table(&mut self) -> Parsed<Kind> {
        let line = self.line();
        let mut table = CreateTable { name: self.object_name()?, columns: Vec::new(), constraints: Vec::new() };
        self.in_parentheses(|parser| parser.table_element(&mut table))?;
        if self.accept("ON") {
            self.file_group()?;
        }
        let keys = table.constraints.iter().filter(|constraint| matches!(constraint.kind, ConstraintKind::PrimaryKey(_))).count();
        if keys > 1 {
            let text = format!("Cannot add multiple PRIMARY KEY constraints to table '{}'.", table.name.name);
            return Self::wrong_at(line, message(8110, 16, text));
        }
        Ok(Kind::CreateTable(table))
    }

    fn file_group(&mut self) -> Parsed<()> {
        if self.accept("PRIMARY") { Ok(()) } else { self.identifier().map(drop) }
    }

    fn table_element(&mut self, table: &mut CreateTable) -> Parsed<()> {
        let named = self.accept("CONSTRAINT");
        let name = if named { Some(self.identifier()?) } else { None };
        if let Some(kind) = self.table_constraint()? {
            table.constraints.push(Constraint { name, kind });
            return Ok(());
        }
        if named { self.unexpected() } else { self.column_definition(table) }
    }

    fn table_constraint(&mut self) -> Parsed<Option<ConstraintKind>> {
        Ok(Some(match self.one_of(&["PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]) {
            Some("PRIMARY") => {
                self.expect("KEY")?;
                let _clustered = self.one_of(&["CLUSTERED", "NONCLUSTERED"]);
                ConstraintKind::PrimaryKey(self.key_columns()?)
            }
            Some("UNIQUE") => {
                let _clustered = self.one_of(&["CLUSTERED", "NONCLUSTERED"]);
                ConstraintKind::Unique(self.key_columns()?)
            }
            Some("CHECK") => self.check()?,
            Some(_) => {
                self.expect("KEY")?;
                let columns = self.identifiers()?;
                self.expect("REFERENCES")?;
                self.references(columns)?
            }
            None => return Ok(None),
        }))
    }

    fn key_columns(&mut self) -> Parsed<Vec<String>> {
        self.in_parentheses(|parser| {
            let column = parser.identifier()?;
            let _order = parser.one_of(&["ASC", "DESC"]);
            Ok(column)
        })
    }

    fn check(&mut self) -> Parsed<ConstraintKind> {
        self.expect_symbol("(")?;
        let condition = self.condition()?;
        self.expect_symbol(")")?;
        Ok(ConstraintKind::Check(condition))
    }

    /// table [(columns)], after REFERENCES.
    fn references(&mut self, columns: Vec<String>) -> Parsed<ConstraintKind> {
        let table = self.object_name()?;
        let references = if self.is_symbol("(") { self.identifiers()? } else { Vec::new() };
        Ok(ConstraintKind::ForeignKey { columns, table, references })
    }

    fn column_definition(&mut self, table: &mut CreateTable) -> Parsed<()> {
        let line = self.line();
        let name = self.identifier()?;
        if table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            let text = format!(
                "Column names in each table must be unique. Column name '{name}' in table '{}' is specified more than once.",
                table.name.name
            );
            return Self::wrong_at(line, message(2705, 16, text));
        }
        let kind = self.type_name("1")?;
        let mut column = ColumnDefinition { name, kind, nullable: None, identity: None, default: None, collation: None };
        loop {
            let constraint = if self.accept("CONSTRAINT") { Some(self.identifier()?) } else { None };
            if self.column_constraint(&mut column, table, &constraint)? {
                continue;
            }
            if constraint.is_some() {
                return self.unexpected();
            }
            if !self.column_property(&mut column)? {
                break;
            }
        }
        table.columns.push(column);
        Ok(())
    }

    /// What may have a name: answers whether there was one.
    fn column_constraint(
        &mut self,
        column: &mut ColumnDefinition,
        table: &mut CreateTable,
        name: &Option<String>,
    ) -> Parsed<bool> {
        let here = || vec![column.name.clone()];
        let kind = match self.one_of(&["DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "REFERENCES"]) {
            Some("DEFAULT") => {
                let start = self.here();
                let value = self.scalar()?;
                column.default = Some((value, self.text_since(start)));
                return Ok(true);
            }
            Some("PRIMARY") => {
                self.expect("KEY")?;
                let _clustered = self.one_of(&["CLUSTERED", "NONCLUSTERED"]);
                ConstraintKind::PrimaryKey(here())
            }
            Some("UNIQUE") => {
                let _clustered = self.one_of(&["CLUSTERED", "NONCLUSTERED"]);
                ConstraintKind::Unique(here())
            }
            Some("CHECK") => self.check()?,
            Some("FOREIGN") => {
                self.expect("KEY")?;
                self.expect("REFERENCES")?;
                self.references(here())?
            }
            Some(_) => self.references(here())?,
            None => return Ok(false),
        };
        table.constraints.push(Constraint { name: name.clone(), kind });
        Ok(true)
    }

    fn column_property(&mut self, column: &mut ColumnDefinition) -> Parsed<bool> {
        if column.nullable.is_none() && self.accept("NULL") {
            column.nullable = Some(true);
        } else if column.nullable.is_none() && self.accept_all(&["NOT", "NULL"]) {
            column.nullable = Some(false);
        } else if column.collation.is_none() && self.accept("COLLATE") {
            column.collation = Some(self.identifier()?);
        } else if column.identity.is_none() && self.accept("IDENTITY") {
            column.identity = Some((1, 1));
            if self.accept_symbol("(") {
                let seed = self.signed()?;
                self.expect_symbol(",")?;
                column.identity = Some((seed, self.signed()?));
                self.expect_symbol(")")?;
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn create_index(&mut self, unique: bool) -> Parsed<Kind> {
        let name = self.identifier()?;
        self.expect("ON")?;
        let table = self.object_name()?;
        let columns = self.in_parentheses(|parser| {
            let column = parser.identifier()?;
            Ok((column, parser.one_of(&["ASC", "DESC"]) == Some("DESC")))
        })?;
        let include = if self.accept("INCLUDE") { self.identifiers()? } else { Vec::new() };
        Ok(Kind::CreateIndex(CreateIndex { unique, name, table, columns, include }))
    }
}
