//! Extended properties: small facts that travel with a database (identity, epoch), or stay with the instance (in master).

use super::{Column, DatabaseName, Kind, PropertyName, PropertyValue, Statement};

/// Where a property is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper<'a> {
    /// In a database: every copy carries it.
    Database(&'a DatabaseName),
    /// In master: known while the database is closed, and stays with the instance.
    Instance,
}

impl Keeper<'_> {
    fn identifier(self) -> String {
        match self {
            Keeper::Database(database) => database.identifier(),
            Keeper::Instance => "[master]".to_owned(),
        }
    }
}

const PROPERTY: [Column; 2] = [Column::new("name", Kind::Words, "p.name"), Column::new("value", Kind::Words, "p.value")];

/// The properties of `names`, those that exist: `name`, `value`.
pub fn properties(keeper: Keeper<'_>, names: &[PropertyName]) -> Statement {
    let list: Vec<String> = names.iter().map(PropertyName::literal).collect();
    let which = if list.is_empty() { String::new() } else { format!(" AND p.name IN ({})", list.join(", ")) };
    let rest = format!(
        "FROM {}.sys.extended_properties p WHERE p.class=0 AND p.major_id=0 AND p.minor_id=0{which} ORDER BY p.name",
        keeper.identifier()
    );
    Statement::select("properties", "", &PROPERTY, &rest)
}

/// Adds the property or replaces its value.
pub fn set_property(keeper: Keeper<'_>, name: &PropertyName, value: &PropertyValue) -> Statement {
    let (place, name, value) = (keeper.identifier(), name.literal(), value.literal());
    let text = format!(
        "IF EXISTS (SELECT 1 FROM {place}.sys.extended_properties WHERE class=0 AND major_id=0 AND minor_id=0 AND name={name}) \
         EXEC {place}.sys.sp_updateextendedproperty @name={name}, @value={value};\n\
         ELSE EXEC {place}.sys.sp_addextendedproperty @name={name}, @value={value};"
    );
    Statement::new("set_property", text)
}

/// Removes the property where it exists.
pub fn drop_property(keeper: Keeper<'_>, name: &PropertyName) -> Statement {
    let (place, name) = (keeper.identifier(), name.literal());
    let text = format!(
        "IF EXISTS (SELECT 1 FROM {place}.sys.extended_properties WHERE class=0 AND major_id=0 AND minor_id=0 AND name={name}) \
         EXEC {place}.sys.sp_dropextendedproperty @name={name};"
    );
    Statement::new("drop_property", text)
}
