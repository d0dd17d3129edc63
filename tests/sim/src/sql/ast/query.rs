//! Queries, what changes tables, and expressions.

use crate::wire::Type;

/// A name of up to four parts. Missing parts are empty: `master..x` has an empty schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// Linked server.
    pub server: String,
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// The object.
    pub name: String,
}

/// A whole query: SELECTs put together, and the order of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is selected.
    pub body: QueryBody,
    /// ORDER BY: the expression, and whether it goes down.
    pub order_by: Vec<(Expr, bool)>,
    /// OFFSET n ROWS
    pub offset: Option<Expr>,
    /// FETCH NEXT n ROWS ONLY
    pub fetch: Option<Expr>,
}

/// SELECTs put together.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryBody {
    /// One SELECT.
    Select(Box<Select>),
    /// a UNION|EXCEPT|INTERSECT b
    Combine {
        /// The first.
        left: Box<QueryBody>,
        /// How.
        operator: SetOperator,
        /// The second.
        right: Box<QueryBody>,
    },
}

/// How two SELECTs are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    /// UNION
    Union,
    /// UNION ALL
    UnionAll,
    /// EXCEPT
    Except,
    /// INTERSECT
    Intersect,
}

/// A SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Line where it begins.
    pub line: u32,
    /// DISTINCT
    pub distinct: bool,
    /// TOP (n)
    pub top: Option<Expr>,
    /// The columns.
    pub items: Vec<SelectItem>,
    /// FROM; tables that are separated by commas are cross joins.
    pub from: Option<Source>,
    /// WHERE
    pub filter: Option<Expr>,
    /// GROUP BY
    pub group_by: Vec<Expr>,
    /// HAVING
    pub having: Option<Expr>,
}

/// A column of a SELECT.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectItem {
    /// `*` or `t.*`
    All(Option<String>),
    /// An expression, and its name.
    Value {
        /// What is computed.
        value: Expr,
        /// AS name, or name = …
        alias: Option<String>,
    },
    /// @x = …
    Assign {
        /// The variable, with its @.
        variable: String,
        /// What it becomes.
        value: Expr,
    },
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A table or a view.
    Table {
        /// Its name.
        name: ObjectName,
        /// AS
        alias: Option<String>,
        /// WITH (…), in upper case.
        hints: Vec<String>,
    },
    /// A function that returns a table.
    Function {
        /// Its name.
        name: ObjectName,
        /// Its arguments.
        arguments: Vec<Expr>,
        /// AS
        alias: Option<String>,
    },
    /// OPENROWSET(BULK path, SINGLE_BLOB|SINGLE_CLOB|SINGLE_NCLOB) AS x
    Bulk {
        /// The file.
        path: String,
        /// Which of the three, in upper case.
        form: String,
        /// AS
        alias: String,
    },
    /// (SELECT …) AS x
    Derived {
        /// The query.
        query: Box<Query>,
        /// AS
        alias: String,
        /// Names of its columns, where given.
        columns: Vec<String>,
    },
    /// (VALUES (…), (…)) AS x (a, b)
    Values {
        /// The rows.
        rows: Vec<Vec<Expr>>,
        /// AS
        alias: String,
        /// Names of its columns.
        columns: Vec<String>,
    },
    /// a JOIN b ON …
    Join {
        /// The first.
        left: Box<Source>,
        /// The second.
        right: Box<Source>,
        /// How.
        kind: JoinKind,
        /// ON; `None` for CROSS JOIN.
        on: Option<Expr>,
    },
}

/// Kinds of joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// [INNER] JOIN
    Inner,
    /// LEFT [OUTER] JOIN
    Left,
    /// RIGHT [OUTER] JOIN
    Right,
    /// FULL [OUTER] JOIN
    Full,
    /// CROSS JOIN, or a comma
    Cross,
}

/// INSERT.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: ObjectName,
    /// Hints of the table, in upper case.
    pub hints: Vec<String>,
    /// The columns that are given; empty: all.
    pub columns: Vec<String>,
    /// OUTPUT
    pub output: Vec<SelectItem>,
    /// What is inserted.
    pub source: InsertSource,
}

/// What is inserted.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// VALUES; `Expr::Default` for DEFAULT.
    Values(Vec<Vec<Expr>>),
    /// SELECT
    Query(Box<Query>),
    /// DEFAULT VALUES
    Default,
    /// EXEC
    Execute(super::Execute),
}

/// UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// TOP (n)
    pub top: Option<Expr>,
    /// The table, or the alias of one in `from`.
    pub table: ObjectName,
    /// Hints of the table, in upper case.
    pub hints: Vec<String>,
    /// SET column = value.
    pub set: Vec<SetItem>,
    /// OUTPUT
    pub output: Vec<SelectItem>,
    /// FROM
    pub from: Option<Source>,
    /// WHERE
    pub filter: Option<Expr>,
}

/// One piece of SET in an UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct SetItem {
    /// The column.
    pub column: String,
    /// `+=` and its kin.
    pub operator: Option<BinaryOperator>,
    /// The value; `Expr::Default` for DEFAULT.
    pub value: Expr,
}

/// DELETE.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// TOP (n)
    pub top: Option<Expr>,
    /// The table, or the alias of one in `from`.
    pub table: ObjectName,
    /// Hints of the table, in upper case.
    pub hints: Vec<String>,
    /// OUTPUT
    pub output: Vec<SelectItem>,
    /// The second FROM.
    pub from: Option<Source>,
    /// WHERE
    pub filter: Option<Expr>,
}

/// CREATE TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// Its name.
    pub name: ObjectName,
    /// Its columns.
    pub columns: Vec<ColumnDefinition>,
    /// Its constraints; those written in line are here too.
    pub constraints: Vec<Constraint>,
}

/// A column of CREATE TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// NULL (true), NOT NULL (false), or nothing said.
    pub nullable: Option<bool>,
    /// IDENTITY (seed, increment)
    pub identity: Option<(i64, i64)>,
    /// DEFAULT: the expression, and its text.
    pub default: Option<(Expr, String)>,
    /// COLLATE
    pub collation: Option<String>,
}

/// A constraint of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// Its name, where given.
    pub name: Option<String>,
    /// What it asks.
    pub kind: ConstraintKind,
}

/// What a constraint asks.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstraintKind {
    /// PRIMARY KEY of these columns.
    PrimaryKey(Vec<String>),
    /// UNIQUE of these columns.
    Unique(Vec<String>),
    /// CHECK: the condition.
    Check(Expr),
    /// FOREIGN KEY (columns) REFERENCES table (columns).
    ForeignKey {
        /// Columns here.
        columns: Vec<String>,
        /// The other table.
        table: ObjectName,
        /// Columns there; empty: its primary key.
        references: Vec<String>,
    },
}

/// CREATE INDEX.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIndex {
    /// UNIQUE
    pub unique: bool,
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: ObjectName,
    /// Its columns, and whether they go down.
    pub columns: Vec<(String, bool)>,
    /// INCLUDE
    pub include: Vec<String>,
}

/// An expression. Conditions are expressions too; the parser has checked that each stands where it may.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// NULL
    Null,
    /// DEFAULT, where it may stand.
    Default,
    /// A whole number that fits in bigint.
    Integer(i64),
    /// A number with a point, or too large for bigint, as written.
    Decimal(String),
    /// A number with an exponent.
    Float(f64),
    /// 0x…
    Binary(Vec<u8>),
    /// '…' or N'…'
    String {
        /// The text.
        text: String,
        /// N'…'
        national: bool,
    },
    /// @x, with its @.
    Variable(String),
    /// @@x, in upper case, with its @@.
    Global(String),
    /// A column: its name, with up to three parts before it.
    Column(Vec<String>),
    /// -x, +x, ~x
    Unary {
        /// Which.
        operator: UnaryOperator,
        /// Of what.
        value: Box<Expr>,
    },
    /// a + b and its kin, comparisons, AND, OR
    Operation {
        /// Which.
        operator: BinaryOperator,
        /// The first.
        left: Box<Expr>,
        /// The second.
        right: Box<Expr>,
    },
    /// NOT x
    Not(Box<Expr>),
    /// x IS [NOT] NULL
    IsNull {
        /// x
        value: Box<Expr>,
        /// NOT
        negated: bool,
    },
    /// x [NOT] IN (…)
    In {
        /// x
        value: Box<Expr>,
        /// Where it may be.
        list: InList,
        /// NOT
        negated: bool,
    },
    /// x [NOT] BETWEEN a AND b
    Between {
        /// x
        value: Box<Expr>,
        /// a
        low: Box<Expr>,
        /// b
        high: Box<Expr>,
        /// NOT
        negated: bool,
    },
    /// x [NOT] LIKE p [ESCAPE e]
    Like {
        /// x
        value: Box<Expr>,
        /// p
        pattern: Box<Expr>,
        /// e
        escape: Option<Box<Expr>>,
        /// NOT
        negated: bool,
    },
    /// EXISTS (SELECT …)
    Exists(Box<Query>),
    /// (SELECT …) as a value
    Subquery(Box<Query>),
    /// CASE
    Case {
        /// CASE x
        operand: Option<Box<Expr>>,
        /// WHEN … THEN …
        branches: Vec<(Expr, Expr)>,
        /// ELSE
        otherwise: Option<Box<Expr>>,
    },
    /// CAST(x AS t), TRY_CAST
    Cast {
        /// x
        value: Box<Expr>,
        /// t
        kind: Type,
        /// TRY_
        attempt: bool,
    },
    /// CONVERT(t, x [, style]), TRY_CONVERT
    Convert {
        /// t
        kind: Type,
        /// x
        value: Box<Expr>,
        /// style
        style: Option<Box<Expr>>,
        /// TRY_
        attempt: bool,
    },
    /// x COLLATE c
    Collate {
        /// x
        value: Box<Expr>,
        /// c
        collation: String,
    },
    /// f(…). For DATEADD, DATEDIFF and DATEPART the first argument is a `Column` of one part: the unit.
    Function {
        /// Its name; without a schema for those that are built in, in upper case then.
        name: ObjectName,
        /// Its arguments.
        arguments: Vec<Expr>,
        /// COUNT(*)
        star: bool,
        /// COUNT(DISTINCT x)
        distinct: bool,
    },
    /// ROW_NUMBER() OVER ([PARTITION BY …] ORDER BY …)
    RowNumber {
        /// PARTITION BY
        partition_by: Vec<Expr>,
        /// ORDER BY, and whether it goes down.
        order_by: Vec<(Expr, bool)>,
    },
}

/// Where x of x IN may be.
#[derive(Clone, Debug, PartialEq)]
pub enum InList {
    /// (a, b, c)
    Values(Vec<Expr>),
    /// (SELECT …)
    Query(Box<Query>),
}

/// Operators before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// -
    Minus,
    /// +
    Plus,
    /// ~
    BitNot,
}

/// Operators between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// +
    Add,
    /// -
    Subtract,
    /// *
    Multiply,
    /// /
    Divide,
    /// %
    Modulo,
    /// &
    BitAnd,
    /// |
    BitOr,
    /// ^
    BitXor,
    /// =
    Equal,
    /// <> or !=
    NotEqual,
    /// <
    Less,
    /// <= or !>
    LessEqual,
    /// >
    Greater,
    /// >= or !<
    GreaterEqual,
    /// AND
    And,
    /// OR
    Or,
}
