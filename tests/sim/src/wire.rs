//! What the protocol and the instance say to each other: logins, batches, replies. Plain data.

/// What a client said when it logged in (LOGIN7).
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// Name of its computer, as it claims.
    pub host: String,
    /// SQL login.
    pub user: String,
    /// Its password, in clear: the simulator's own stock of logins is no secret.
    pub password: String,
    /// `program_name`, as it claims.
    pub application: String,
    /// The database it asks for; empty: its default.
    pub database: String,
    /// Its process, as it claims.
    pub process: u32,
    /// Where it comes from, as the server sees it.
    pub address: String,
}

/// Number of a session (spid).
pub type SessionId = u16;

/// What one request asks.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The text.
    pub sql: String,
    /// Parameters of `sp_executesql`, by name with the `@`; `None` for a plain batch. A call scopes SET and USE to itself.
    pub parameters: Option<Vec<(String, Type, Value)>>,
}

/// A piece of an answer, in order. Every statement ends with [`Reply::Done`].
#[derive(Clone, Debug)]
pub enum Reply {
    /// The columns of a result set.
    Columns(Vec<Column>),
    /// One of its rows.
    Row(Vec<Value>),
    /// A statement ended; rows affected or returned, where it counts them.
    Done(Option<u64>),
    /// A message that is no error (severity 10 and less).
    Info(Message),
    /// An error.
    Error(Message),
    /// The session's database is another now. The protocol adds message 5701 itself.
    Database(String),
    /// Nothing to send: a batch that waits (lock, WAITFOR, slow copy) asks so, some ten times a second, whether to go on.
    Nothing,
}

/// A message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number.
    pub number: u32,
    /// Its state.
    pub state: u8,
    /// Its severity. From 20 on the connection ends.
    pub class: u8,
    /// Its text.
    pub text: String,
    /// Line of the batch.
    pub line: u32,
}

/// A column of a result set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; empty where an expression has none.
    pub name: String,
    /// Its type. All are nullable on the wire.
    pub kind: Type,
}

/// Types on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// bit
    Bit,
    /// tinyint
    TinyInt,
    /// smallint
    SmallInt,
    /// int
    Int,
    /// bigint
    BigInt,
    /// real
    Real,
    /// float(53)
    Float,
    /// numeric(precision, scale)
    Numeric(u8, u8),
    /// money
    Money,
    /// datetime
    DateTime,
    /// datetime2(scale)
    DateTime2(u8),
    /// date
    Date,
    /// uniqueidentifier
    Guid,
    /// char(n)
    Char(u16),
    /// varchar(n); `None` is max
    VarChar(Option<u16>),
    /// nchar(n)
    NChar(u16),
    /// nvarchar(n); `None` is max
    NVarChar(Option<u16>),
    /// varbinary(n); `None` is max
    VarBinary(Option<u16>),
}

/// A value. Which case belongs to which type: the one that holds it exactly.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL
    Null,
    /// bit and whole numbers
    Int(i64),
    /// real, float
    Float(f64),
    /// numeric and money (scale 4): the unscaled number
    Numeric(i128),
    /// datetime, datetime2, date: 100-nanosecond ticks since 0001-01-01T00:00
    Time(i64),
    /// uniqueidentifier, in the order of its text
    Guid([u8; 16]),
    /// characters
    Text(String),
    /// bytes
    Bytes(Vec<u8>),
}

/// An instance, as the protocol sees it. All calls block; sessions call from threads of their own.
pub trait Instance: Send + Sync {
    /// Opens a session, or refuses it with the errors to send.
    fn login(&self, login: &Login) -> Result<LoggedIn, Vec<Message>>;

    /// Runs a batch. `out` sends; it answers `false` when the client is gone or asked to stop (ATTENTION): the batch ends there.
    fn batch(&self, session: SessionId, batch: &Batch, out: &mut dyn FnMut(Reply) -> bool);

    /// Has this session been killed, so that its connection has to end? Asked between packets and while it waits for requests.
    fn is_killed(&self, session: SessionId) -> bool;

    /// The connection ended: an open transaction is rolled back, locks are released.
    fn logout(&self, session: SessionId);

    /// Name and version (major, minor, build) that the login acknowledges.
    fn product(&self) -> (String, [u16; 3]);
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Its number.
    pub session: SessionId,
    /// Its database.
    pub database: String,
    /// Its language ("us_english", "Español").
    pub language: String,
}
