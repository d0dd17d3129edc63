//! What the compiler asks of the instance: what names mean, and what variables hold.

use crate::{
    sql::ast::ObjectName,
    wire::{Message, Type, Value},
};

/// A table, a view, or what a table function returned, as it lies in SQLite.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name in SQLite's language, quoted and with its schema where it needs one: `main."dbo.Tickets"`. It stands in the statements
    /// that are logged for replay as it is here.
    pub sqlite: String,
    /// Its columns, in order.
    pub columns: Vec<TableColumn>,
    /// A view of the system: cannot be changed (259).
    pub system: bool,
}

/// A column of a table. In SQLite it has the same name.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// IDENTITY: it is the rowid in SQLite.
    pub identity: bool,
    /// DEFAULT, as T-SQL text. The compiler writes it into every INSERT, since it may read the clock.
    pub default: Option<String>,
}

impl TableColumn {
    /// A column of a view.
    #[must_use]
    pub fn new(name: &str, kind: Type) -> Self {
        Self { name: name.to_owned(), kind, nullable: true, identity: false, default: None }
    }
}

/// What names mean in a session, and what its variables hold. Everything is asked anew for every statement.
pub trait Catalog {
    /// The table or view of this name; `None` becomes error 208, an error of another kind (911, 927, 916…) is passed on.
    fn table(&self, name: &ObjectName) -> Result<Option<Table>, Message>;

    /// The name in SQLite's language of a table that will be created; 2714 where it exists, 2760 where the schema does not.
    fn new_table(&self, name: &ObjectName) -> Result<String, Message>;

    /// What a table function returns for these arguments, which are constants.
    fn table_function(&self, name: &ObjectName, arguments: &[(Type, Value)]) -> Result<Option<Table>, Message>;

    /// A file as a table of one row and one column `BulkColumn`; `form` is SINGLE_BLOB, SINGLE_CLOB or SINGLE_NCLOB.
    fn bulk(&self, path: &str, form: &str) -> Result<Table, Message>;

    /// A variable or parameter, with its @, whatever the case; `None` becomes error 137.
    fn variable(&self, name: &str) -> Option<(Type, Value)>;

    /// A global such as `@@SPID`, in upper case; `None` becomes error 137.
    fn global(&self, name: &str) -> Option<(Type, Value)>;

    /// Is SET IDENTITY_INSERT on for this table of SQLite?
    fn identity_insert(&self, sqlite: &str) -> bool;
}
