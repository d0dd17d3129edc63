//! What T-SQL can say here: one type per statement, plain data. The parser makes it, the engine performs it, the compiler turns the part
//! that reads and writes tables into SQLite's language.

mod database;
mod maintenance;
mod query;

pub use database::*;
pub use maintenance::*;
pub use query::*;

use crate::wire::Type;

/// A statement of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Line of the batch where it begins, from 1.
    pub line: u32,
    /// Its own text, as it was sent.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

/// The statements.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// SELECT that returns rows.
    Select(Query),
    /// SELECT @a = …, @b = … [FROM …].
    SelectAssign(Query),
    /// INSERT.
    Insert(Insert),
    /// UPDATE.
    Update(Update),
    /// DELETE.
    Delete(Delete),
    /// CREATE TABLE.
    CreateTable(CreateTable),
    /// DROP TABLE [IF EXISTS] …
    DropTable {
        /// IF EXISTS
        if_exists: bool,
        /// The tables.
        names: Vec<ObjectName>,
    },
    /// CREATE [UNIQUE] INDEX.
    CreateIndex(CreateIndex),
    /// TRUNCATE TABLE.
    TruncateTable(ObjectName),

    /// BACKUP DATABASE or BACKUP LOG.
    Backup(Backup),
    /// RESTORE DATABASE or RESTORE LOG.
    Restore(Restore),
    /// RESTORE HEADERONLY, FILELISTONLY, LABELONLY, VERIFYONLY.
    Inspect(Inspect),
    /// DBCC CHECKDB (…).
    CheckDb(CheckDb),

    /// CREATE DATABASE.
    CreateDatabase(CreateDatabase),
    /// ALTER DATABASE.
    AlterDatabase(AlterDatabase),
    /// DROP DATABASE [IF EXISTS] …
    DropDatabase {
        /// IF EXISTS
        if_exists: bool,
        /// The databases.
        names: Vec<String>,
    },
    /// ALTER AUTHORIZATION ON DATABASE::x TO y.
    AlterAuthorization {
        /// The database.
        database: String,
        /// Its new owner.
        owner: String,
    },
    /// CREATE LOGIN.
    CreateLogin(CreateLogin),
    /// ALTER LOGIN.
    AlterLogin(AlterLogin),
    /// DROP LOGIN.
    DropLogin(String),
    /// CREATE USER.
    CreateUser {
        /// Its name.
        name: String,
        /// FOR LOGIN; `None` with WITHOUT LOGIN.
        login: UserLogin,
    },
    /// ALTER USER.
    AlterUser {
        /// Its name.
        name: String,
        /// WITH LOGIN = x
        login: Option<String>,
        /// WITH NAME = x
        new_name: Option<String>,
        /// WITH DEFAULT_SCHEMA = x
        default_schema: Option<String>,
    },
    /// DROP USER [IF EXISTS].
    DropUser {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: String,
    },
    /// ALTER [SERVER] ROLE x ADD|DROP MEMBER y.
    AlterRole {
        /// A role of the server, not of the database.
        server: bool,
        /// The role.
        role: String,
        /// ADD, not DROP.
        add: bool,
        /// The login or user.
        member: String,
    },
    /// GRANT, DENY, REVOKE of a permission on the server or database.
    Permission {
        /// Which of the three.
        verb: PermissionVerb,
        /// In upper case, as "VIEW SERVER STATE".
        permissions: Vec<String>,
        /// ON object, where one is named.
        on: Option<ObjectName>,
        /// To whom.
        principal: String,
    },

    /// KILL.
    Kill {
        /// The session; what was written, whatever it is.
        session: i64,
        /// WITH STATUSONLY
        status_only: bool,
    },
    /// USE.
    Use(String),
    /// SET of a session option.
    Set(SetOption),
    /// WAITFOR DELAY: the text or variable with the time.
    WaitFor(Text),
    /// CHECKPOINT.
    Checkpoint,

    /// DECLARE @x type [= value], …
    Declare(Vec<Declaration>),
    /// SET @x = value.
    Assign {
        /// The variable, with its @.
        variable: String,
        /// `=`, or `+=` and its kin.
        operator: Option<BinaryOperator>,
        /// The value.
        value: Expr,
    },
    /// PRINT.
    Print(Expr),
    /// RAISERROR (…).
    RaiseError(RaiseError),
    /// THROW [number, text, state].
    Throw(Option<(Expr, Expr, Expr)>),
    /// IF … ELSE …
    If {
        /// The condition.
        condition: Expr,
        /// When it holds.
        then: Box<Statement>,
        /// When it does not.
        otherwise: Option<Box<Statement>>,
    },
    /// WHILE.
    While {
        /// The condition.
        condition: Expr,
        /// The loop.
        body: Box<Statement>,
    },
    /// BEGIN … END.
    Block(Vec<Statement>),
    /// BEGIN TRY … END TRY BEGIN CATCH … END CATCH.
    Try {
        /// What is tried.
        body: Vec<Statement>,
        /// What handles its errors.
        catch: Vec<Statement>,
    },
    /// BREAK
    Break,
    /// CONTINUE
    Continue,
    /// RETURN [value].
    Return(Option<Expr>),
    /// BEGIN TRANSACTION [name].
    BeginTransaction(Option<String>),
    /// COMMIT [TRANSACTION [name]].
    Commit(Option<String>),
    /// ROLLBACK [TRANSACTION [name]].
    Rollback(Option<String>),
    /// SAVE TRANSACTION name.
    Save(String),
    /// EXECUTE of a procedure.
    Execute(Execute),
}

/// GRANT, DENY, REVOKE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionVerb {
    /// GRANT
    Grant,
    /// DENY
    Deny,
    /// REVOKE
    Revoke,
}

/// A variable that is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Its name, with its @.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Its first value.
    pub value: Option<Expr>,
}

/// RAISERROR.
#[derive(Clone, Debug, PartialEq)]
pub struct RaiseError {
    /// Text or number.
    pub message: Expr,
    /// Severity.
    pub severity: Expr,
    /// State.
    pub state: Expr,
    /// What goes into the text.
    pub arguments: Vec<Expr>,
    /// WITH NOWAIT
    pub no_wait: bool,
    /// WITH LOG
    pub log: bool,
    /// WITH SETERROR
    pub set_error: bool,
}

/// EXECUTE of a procedure.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute {
    /// EXEC @rc = …: the variable, with its @.
    pub result: Option<String>,
    /// Which procedure.
    pub procedure: ObjectName,
    /// Its arguments.
    pub arguments: Vec<Argument>,
}

/// An argument of a procedure.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// @name = …, with its @.
    pub name: Option<String>,
    /// The value: a constant, a variable, or `Expr::Default` for DEFAULT.
    pub value: Expr,
    /// OUTPUT
    pub output: bool,
}

/// SET of a session option.
#[derive(Clone, Debug, PartialEq)]
pub enum SetOption {
    /// An ON/OFF option, in upper case: NOCOUNT, IMPLICIT_TRANSACTIONS, XACT_ABORT, PARSEONLY, NOEXEC, QUOTED_IDENTIFIER, ANSI_NULLS…
    Switch {
        /// Its name.
        name: String,
        /// ON
        on: bool,
    },
    /// LOCK_TIMEOUT, in milliseconds; -1 waits for ever.
    LockTimeout(Expr),
    /// DEADLOCK_PRIORITY, -10 to 10.
    DeadlockPriority(Expr),
    /// LANGUAGE
    Language(Text),
    /// DATEFORMAT
    DateFormat(Text),
    /// DATEFIRST
    DateFirst(Expr),
    /// TEXTSIZE
    TextSize(i64),
    /// ROWCOUNT
    RowCount(Expr),
    /// TRANSACTION ISOLATION LEVEL, in upper case, as "READ COMMITTED".
    Isolation(String),
    /// IDENTITY_INSERT table ON|OFF
    IdentityInsert {
        /// The table.
        table: ObjectName,
        /// ON
        on: bool,
    },
}

/// A text that may be a literal or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// As written.
    Literal(String),
    /// The variable, with its @.
    Variable(String),
}
