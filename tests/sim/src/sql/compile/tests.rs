//! Statements against a small catalog in memory.

use std::{cell::RefCell, collections::HashMap};

use rusqlite::Connection;

use super::{Clock, Compiled, Context, compile, create_table, evaluate, holds, run};
use crate::{
    sql::{
        Catalog, Table, TableColumn,
        ast::{Expr, Kind, ObjectName, Statement},
        convert, parse_with, register,
        time::read,
        type_text,
    },
    wire::{Message, Type, Value},
};

pub(super) struct Shop {
    pub(super) connection: Connection,
    tables: RefCell<HashMap<String, Table>>,
    variables: HashMap<String, (Type, Value)>,
    identity_insert: bool,
    clock: Clock,
}

impl Catalog for Shop {
    fn table(&self, name: &ObjectName) -> Result<Option<Table>, Message> {
        if name.name == "databases" {
            return Ok(Some(Table { system: true, ..self.tables.borrow()["u"].clone() }));
        }
        Ok(self.tables.borrow().get(&name.name.to_lowercase()).cloned())
    }
    fn new_table(&self, name: &ObjectName) -> Result<String, Message> {
        Ok(format!("main.\"dbo.{}\"", name.name))
    }
    fn table_function(&self, name: &ObjectName, arguments: &[(Type, Value)]) -> Result<Option<Table>, Message> {
        assert_eq!(arguments, [(Type::SmallInt, Value::Int(7)), (Type::Int, Value::Int(1))]);
        self.table(&ObjectName { name: if name.name == "volume" { "u" } else { "" }.to_owned(), ..ObjectName::default() })
    }
    fn bulk(&self, path: &str, form: &str) -> Result<Table, Message> {
        let sql = format!("CREATE TEMP TABLE bulk AS SELECT CAST('{path}{form}' AS BLOB) AS BulkColumn");
        self.connection.execute(&sql, []).unwrap();
        let columns = vec![TableColumn::new("BulkColumn", Type::VarBinary(None))];
        Ok(Table { sqlite: "temp.bulk".to_owned(), columns, system: true })
    }
    fn variable(&self, name: &str) -> Option<(Type, Value)> {
        self.variables.get(&name.to_lowercase()).cloned()
    }
    fn global(&self, name: &str) -> Option<(Type, Value)> {
        (name == "@@SPID").then_some((Type::SmallInt, Value::Int(57)))
    }
    fn identity_insert(&self, _: &str) -> bool {
        self.identity_insert
    }
}

impl Shop {
    fn empty() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
        connection.create_scalar_function("ts_db_id", -1, flags, |_| Ok(7)).unwrap();
        connection.create_scalar_function("ts_serverproperty", 1, flags, |_| Ok(16)).unwrap();
        let now = read("2026-11-24 12:26:41.1234567").unwrap();
        let clock = Clock { utc: now, local: now - 6 * 3_600 * 10_000_000 };
        Self { connection, tables: RefCell::default(), variables: HashMap::new(), identity_insert: false, clock }
    }

    pub(super) fn new() -> Self {
        let mut shop = Self::empty();
        shop.exec(
            "CREATE TABLE dbo.t (id bigint IDENTITY(1,1) NOT NULL PRIMARY KEY, folio nvarchar(10) NOT NULL UNIQUE, total decimal(12,2) NOT NULL DEFAULT 0,
               price money, at datetime NULL DEFAULT GETDATE(), guid uniqueidentifier DEFAULT NEWID(), active bit NOT NULL DEFAULT 1, n int, b varbinary(8), CHECK (total >= 0))",
        );
        shop.exec("CREATE TABLE u (a int NOT NULL, name varchar(20), lsn numeric(25,0), PRIMARY KEY (a))");
        shop.exec("INSERT INTO t (folio, total, price, n) VALUES (N'A-1', 10.5, 1.25, 1), (N'a-2', 20, 2, 2), (N'Ñ-3', 30.25, NULL, NULL)");
        shop.exec("INSERT u VALUES (1, 'one', 37000000012300001), (2, 'Two ', 9), (3, NULL, NULL)");
        shop
    }

    fn context(&self) -> Context<'_> {
        Context { connection: &self.connection, catalog: self, clock: self.clock }
    }

    fn statement(&self, sql: &str) -> Result<Statement, Message> {
        let names: Vec<&str> = self.variables.keys().map(String::as_str).collect();
        Ok(parse_with(sql, &names)?.remove(0))
    }

    pub(super) fn compiled(&self, sql: &str) -> Result<Compiled, Message> {
        let statement = self.statement(sql)?;
        let Kind::CreateTable(create) = &statement.kind else { return compile(&self.context(), &statement) };
        let (compiled, table) = create_table(&self.context(), create)?;
        self.tables.borrow_mut().insert(create.name.name.to_lowercase(), table);
        Ok(compiled)
    }

    pub(super) fn set(&mut self, name: &str, kind: Type, value: Value) {
        self.variables.insert(name.to_owned(), (kind, value));
    }

    pub(super) fn attempt(&self, sql: &str) -> Result<Vec<Vec<String>>, Message> {
        let compiled = self.compiled(sql)?;
        let mut rows = Vec::new();
        run(&self.connection, &compiled, &mut |row| {
            let texts = row.into_iter().zip(&compiled.columns).map(|(value, column)| {
                assert!(is_of(&value, column.kind), "{value:?} is no {:?}\n{sql}\n{}", column.kind, compiled.sql);
                show(value, column.kind)
            });
            rows.push(texts.collect());
            true
        })?;
        Ok(rows)
    }

    fn exec(&mut self, sql: &str) {
        self.attempt(sql).unwrap_or_else(|problem| panic!("{sql}: {problem:?}"));
    }

    /// The rows, cells with commas and rows with bars.
    fn rows(&self, sql: &str) -> String {
        match self.attempt(sql) {
            Ok(rows) => rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join("|"),
            Err(problem) => format!("error {} {}", problem.number, problem.text),
        }
    }

    fn number(&self, sql: &str) -> u32 {
        self.attempt(sql).map_or_else(|problem| problem.number, |rows| panic!("{sql}: {rows:?}"))
    }

    fn types(&self, sql: &str) -> String {
        let compiled = self.compiled(sql).unwrap_or_else(|problem| panic!("{sql}: {problem:?}"));
        compiled.columns.iter().map(|column| type_text(column.kind)).collect::<Vec<_>>().join(" ")
    }
}

/// Is the value one of the type, as the protocol will send it?
fn is_of(value: &Value, kind: Type) -> bool {
    let limit = |size: Option<u16>| usize::from(size.unwrap_or(u16::MAX));
    match (value, kind) {
        (Value::Null, _) => true,
        (Value::Int(whole), Type::Bit | Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt) => {
            crate::sql::convert::in_range(i128::from(*whole), kind).is_some()
        }
        (Value::Float(_), Type::Real | Type::Float) | (Value::Guid(_), Type::Guid) | (Value::Numeric(_), Type::Money) => true,
        (Value::Numeric(unscaled), Type::Numeric(precision, _)) => crate::sql::number::fits(*unscaled, precision),
        (Value::Time(_), Type::DateTime | Type::DateTime2(_) | Type::Date) => true,
        (Value::Text(text), Type::Char(size) | Type::NChar(size)) => text.encode_utf16().count() == usize::from(size),
        (Value::Text(text), Type::VarChar(size) | Type::NVarChar(size)) => text.encode_utf16().count() <= limit(size),
        (Value::Bytes(bytes), Type::VarBinary(size)) => bytes.len() <= limit(size),
        _ => false,
    }
}

fn show(value: Value, kind: Type) -> String {
    let style = if kind == Type::DateTime { 121 } else { 0 };
    let style = if matches!(kind, Type::VarBinary(_)) { 1 } else { style };
    match convert(value, kind, Type::NVarChar(None), style).unwrap() {
        Value::Text(text) => text,
        _ => "NULL".to_owned(),
    }
}

#[test]
fn selects() {
    let shop = Shop::new();
    for (sql, expected) in [
        ("SELECT folio FROM t WHERE folio = 'A-2   '", "a-2"),
        ("SELECT folio FROM t WHERE folio = N'ñ-3'", "Ñ-3"),
        ("SELECT name FROM u WHERE name = 'TWO'", "Two "),
        ("SELECT id FROM t ORDER BY total DESC", "3|2|1"),
        ("SELECT TOP (2) id FROM dbo.t ORDER BY 1 DESC", "3|2"),
        ("SELECT id FROM t ORDER BY id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", "2"),
        ("SELECT x.id, u.name FROM t AS x LEFT JOIN u ON u.a = x.n ORDER BY x.id", "1,one|2,Two |3,NULL"),
        ("SELECT COUNT(*), SUM(total), AVG(total), MIN(folio), MAX(id) FROM t", "3,60.75,20.250000,A-1,3"),
        ("SELECT COUNT(n), SUM(n), AVG(n), COUNT(DISTINCT active) FROM t", "2,3,1,1"),
        ("SELECT active, COUNT(*) AS c FROM t GROUP BY active HAVING COUNT(*) > 1", "1,3"),
        ("SELECT UPPER(folio) FROM t GROUP BY UPPER(folio) ORDER BY UPPER(folio) DESC", "Ñ-3|A-2|A-1"),
        ("SELECT DISTINCT LOWER(LEFT(folio, 1)) FROM t ORDER BY 1", "a|ñ"),
        ("SELECT COUNT(*) FROM (SELECT 'x' AS a UNION SELECT 'X  ' UNION ALL SELECT N'y') AS d", "2"),
        ("SELECT 'x' AS a UNION ALL SELECT N'y' ORDER BY a DESC", "y|x"),
        ("SELECT 1 UNION ALL SELECT 2.5", "1.0|2.5"),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.n AND u.lsn > 10)", "1"),
        ("SELECT id FROM t WHERE n IN (SELECT a FROM u) AND folio NOT IN ('a-1')", "2"),
        ("SELECT id, (SELECT name FROM u WHERE a = t.n) FROM t WHERE id = 1", "1,one"),
        ("SELECT d.k FROM (SELECT id * 2 AS k FROM t) AS d WHERE d.k > 2", "4|6"),
        ("SELECT v.b FROM (VALUES (1, N'x'), (2, NULL)) AS v (a, b) WHERE v.a = 1", "x"),
        ("SELECT id, ROW_NUMBER() OVER (PARTITION BY active ORDER BY id DESC) FROM t WHERE id < 3", "2,1|1,2"),
        ("SELECT folio FROM t WHERE folio LIKE '[^a]-%'", "Ñ-3"),
        ("SELECT id FROM t WHERE total BETWEEN 10.5 AND 20", "1|2"),
        ("SELECT a FROM u WHERE lsn > 36999999999999999", "1"),
        ("SELECT MAX(lsn) FROM u", "37000000012300001"),
        ("SELECT a FROM sys.volume(DB_ID(N'x'), 1) v WHERE a = 3", "3"),
        ("SELECT CAST(BulkColumn AS varchar(50)) FROM OPENROWSET(BULK N'f', SINGLE_BLOB) AS b", "fSINGLE_BLOB"),
        ("SELECT @@SPID", "57"),
        ("SELECT COUNT(*) FROM t, u WHERE t.id = u.a", "3"),
        ("SELECT t.* FROM u AS t WHERE t.a = 1", "1,one,37000000012300001"),
    ] {
        assert_eq!(shop.rows(sql), expected, "{sql}");
    }
}

#[test]
fn expressions() {
    let shop = Shop::new();
    for (sql, expected) in [
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 % 3", "1"),
        ("7 / 2.0", "3.500000"),
        ("1.10 + 2", "3.10"),
        ("CAST(1 AS money) / 3", "0.33"),
        ("N'a' + 'b' + NULL", "NULL"),
        ("'1' + 2", "3"),
        ("5 & 4 | 1 ^ 0", "5"),
        ("CAST('2026-01-04' AS datetime) + 1", "2026-01-05 00:00:00.000"),
        ("CAST(2.6 AS int)", "2"),
        ("CAST(2.675 AS decimal(5,2))", "2.68"),
        ("CAST(N'abc' AS nchar(5)) + '|'", "abc  |"),
        ("CAST('abcdef' AS varchar(3))", "abc"),
        ("CAST(0x0000000A AS int)", "10"),
        ("CAST(10 AS varbinary(4))", "0x0000000A"),
        ("CONVERT(varchar(30), CAST('2026-01-04 09:05:06.123' AS datetime), 126)", "2026-01-04T09:05:06.123"),
        ("CONVERT(nvarchar(10), CAST('2026-01-04' AS datetime2(3)), 120)", "2026-01-04"),
        ("CONVERT(varchar(40), 0x01AF, 1)", "0x01AF"),
        ("CONVERT(varbinary(8), '0x01AF', 1)", "0x01AF"),
        ("TRY_CAST('x' AS int)", "NULL"),
        ("CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier)", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
        (
            "CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS varbinary(16))",
            "0xFF19966F868B11D0B42D00C04FC964FF",
        ),
        ("LEN(N'abc  ')", "3"),
        ("DATALENGTH(N'abc')", "6"),
        ("SUBSTRING('abcdef', 2, 3)", "bcd"),
        ("SUBSTRING(0x010203, 2, 1)", "0x02"),
        ("CHARINDEX('C', 'abc')", "3"),
        ("REPLACE('aXbx', 'x', '-')", "a-b-"),
        ("STUFF('abc', 2, 1, 'ZZ')", "aZZc"),
        ("CONCAT('a', NULL, 1, 2.5)", "a12.5"),
        ("QUOTENAME('a]b')", "[a]]b]"),
        ("PARSENAME('16.0.1000.6', 4)", "16"),
        ("CAST(SERVERPROPERTY('ProductMajorVersion') AS int) + 1", "17"),
        ("COALESCE(NULL, 2, 3)", "2"),
        ("ISNULL(NULL, 'x')", "x"),
        ("NULLIF(1, 1)", "NULL"),
        ("IIF(1 = 1, 'y', 'n')", "y"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
        ("ROUND(2.567, 1)", "2.600"),
        ("FLOOR(-1.5)", "-2"),
        ("ABS(-3)", "3"),
        ("GETDATE()", "2026-11-24 06:26:41.123"),
        ("SYSUTCDATETIME()", "2026-11-24 12:26:41.1234567"),
        ("DATEDIFF(second, '2026-01-01', '2026-01-02')", "86400"),
        ("DATEADD(month, 1, CAST('2026-01-31' AS date))", "2026-02-28"),
        ("YEAR('2026-01-01') + DATEPART(dw, '2026-11-24')", "2029"),
        ("CASE WHEN 'a' = 'A' COLLATE Latin1_General_CS_AS THEN 1 ELSE 0 END", "0"),
        ("CASE WHEN NULL = NULL THEN 1 ELSE 0 END", "0"),
        ("-2147483648", "-2147483648"),
        ("CAST(1.5e0 AS varchar(20))", "1.5"),
    ] {
        assert_eq!(shop.rows(&format!("SELECT {sql}")), expected, "{sql}");
    }
}

#[test]
fn types_are_inferred() {
    let shop = Shop::new();
    for (sql, expected) in [
        (
            "SELECT 1, 3000000000, 1.5, 1e0, 'ab', N'ab', 0x01, NULL",
            "int numeric(10,0) numeric(2,1) float varchar(2) nvarchar(2) varbinary(1) int",
        ),
        ("SELECT * FROM t", "bigint nvarchar(10) numeric(12,2) money datetime uniqueidentifier bit int varbinary(8)"),
        (
            "SELECT id + 1, total * 2, total / 3, n + total, price + 1 FROM t",
            "bigint numeric(14,2) numeric(16,6) numeric(13,2) money",
        ),
        (
            "SELECT COUNT(*), COUNT_BIG(*), SUM(n), SUM(id), SUM(total), AVG(total) FROM t",
            "int bigint int bigint numeric(38,2) numeric(38,6)",
        ),
        ("SELECT folio + N'x', LEFT(folio, 2), UPPER(name) FROM t, u", "nvarchar(11) nvarchar(10) varchar(20)"),
        ("SELECT CASE WHEN 1 = 1 THEN 1 ELSE 2.5 END, COALESCE(NULL, CAST(1 AS bigint))", "numeric(11,1) bigint"),
        ("SELECT DB_ID(), CAST(SERVERPROPERTY('x') AS nvarchar(128)), @@SPID", "smallint nvarchar(128) smallint"),
        ("SELECT NULL AS a UNION ALL SELECT 'x'", "varchar(1)"),
        ("SELECT CAST('x' AS varchar), CONVERT(char(10), GETDATE(), 120)", "varchar(30) char(10)"),
    ] {
        assert_eq!(shop.types(sql), expected, "{sql}");
    }
}

#[test]
fn wrong_statements_have_their_numbers() {
    let shop = Shop::new();
    for (sql, number) in [
        ("SELECT x FROM t", 207),
        ("SELECT t.x FROM t", 207),
        ("SELECT z.id FROM t", 4104),
        ("SELECT * FROM nowhere", 208),
        ("SELECT id FROM t, t AS t2", 209),
        ("SELECT *", 263),
        ("SELECT folio, COUNT(*) FROM t", 8120),
        ("SELECT active FROM t GROUP BY active HAVING folio = 'x'", 8121),
        ("SELECT id FROM t WHERE COUNT(*) > 1", 147),
        ("SELECT SUM(COUNT(*)) FROM t", 130),
        ("SELECT 1 UNION SELECT 1, 2", 205),
        ("SELECT id FROM t ORDER BY 2", 108),
        ("SELECT DISTINCT id FROM t ORDER BY folio", 145),
        ("SELECT (SELECT id, n FROM t)", 116),
        ("SELECT (SELECT id FROM t)", 512),
        ("SELECT d.x FROM (SELECT 1) AS d", 8155),
        ("SELECT d.x FROM (SELECT 1 AS x, 2 AS X) AS d", 8156),
        ("SELECT FOO(1)", 195),
        ("SELECT dbo.foo(1)", 4121),
        ("SELECT LEN(1, 2)", 174),
        ("SELECT DATEADD(foo, 1, GETDATE())", 155),
        ("SELECT 1 / 0", 8134),
        ("SELECT 1.5 / 0", 8134),
        ("SELECT id FROM t WHERE n / 0 = 1", 8134),
        ("SELECT CAST('x' AS int)", 245),
        ("SELECT 1 + 'x'", 245),
        ("SELECT n FROM t WHERE n = 'x'", 245),
        ("SELECT CAST('99999999999' AS int)", 248),
        ("SELECT CAST(300 AS tinyint)", 220),
        ("SELECT 2147483647 + 1", 8115),
        ("SELECT CAST(1000 AS decimal(3,1))", 8115),
        ("SELECT CAST('x' AS decimal(5,1))", 8114),
        ("SELECT CAST('x' AS datetime)", 241),
        ("SELECT CAST('1700-01-01' AS datetime)", 242),
        ("SELECT CAST('x' AS uniqueidentifier)", 8169),
        ("SELECT CAST(GETDATE() AS uniqueidentifier)", 529),
        ("INSERT INTO t (folio, b) VALUES ('q', 'x')", 257),
        ("SELECT CASE WHEN NEWID() = 1 THEN 1 END", 206),
        ("INSERT INTO t (folio) VALUES (NULL)", 515),
        ("INSERT INTO t (folio) VALUES ('a-1 ')", 2627),
        ("INSERT INTO t (folio) VALUES (N'01234567890')", 2628),
        ("INSERT INTO t (folio, total) VALUES ('x', -1)", 547),
        ("INSERT INTO t (id, folio) VALUES (9, 'x')", 544),
        ("INSERT INTO t (foo) VALUES (9)", 207),
        ("INSERT INTO t (folio, folio) VALUES ('a', 'b')", 264),
        ("INSERT INTO u VALUES (1, 2)", 213),
        ("INSERT INTO u SELECT 1", 120),
        ("INSERT INTO u SELECT 1, 2, 3, 4", 121),
        ("INSERT INTO u (a) VALUES (NULL)", 515),
        ("UPDATE t SET id = 1", 8102),
        ("UPDATE t SET n = 1 OUTPUT n", 207),
        ("UPDATE t SET n = 1 OUTPUT x.*", 107),
        ("DELETE t OUTPUT inserted.n", 4104),
        ("UPDATE t SET n = 1, N = 2", 264),
        ("UPDATE t SET folio = NULL", 515),
        ("UPDATE sys.databases SET a = 1", 259),
        ("DELETE FROM nowhere", 208),
        ("DROP TABLE nowhere", 3701),
        ("CREATE TABLE z (a int DEFAULT 'x' + 0x01)", 402),
        ("CREATE TABLE z (a int, PRIMARY KEY (b))", 1911),
        ("CREATE UNIQUE INDEX i ON t (active)", 1505),
        ("SELECT TOP (-1) id FROM t", 127),
    ] {
        assert_eq!(shop.number(sql), number, "{sql}: {}", shop.rows(sql));
    }
}

#[test]
fn changes() {
    let mut shop = Shop::new();
    assert_eq!(
        shop.rows("INSERT INTO t (folio, n) OUTPUT inserted.id, inserted.total, inserted.at VALUES (N'x', 5)"),
        "4,0.00,2026-11-24 06:26:41.123"
    );
    assert_eq!(shop.rows("INSERT INTO u OUTPUT inserted.* SELECT id * 10, folio, total FROM t WHERE id = 1"), "10,A-1,11");
    assert_eq!(shop.rows("UPDATE t SET n += 1, total = total * 2 OUTPUT inserted.n, inserted.total WHERE folio = 'X'"), "6,0.00");
    assert_eq!(
        shop.rows("UPDATE x SET n = u.a + 100 OUTPUT inserted.id FROM t AS x JOIN u ON u.a = x.id WHERE u.name = 'one'"),
        "1"
    );
    assert_eq!(shop.rows("SELECT id, n FROM t ORDER BY id"), "1,101|2,2|3,NULL|4,6");
    assert_eq!(
        shop.rows("UPDATE t SET n = n * 10 OUTPUT deleted.n, inserted.n, deleted.folio + N'!', 7 WHERE id < 3"),
        "101,1010,A-1!,7|2,20,a-2!,7"
    );
    assert_eq!(shop.rows("UPDATE t SET n = 3 OUTPUT deleted.n FROM t JOIN u ON u.a = t.id WHERE u.name = 'two'"), "20");
    assert_eq!(shop.rows("UPDATE TOP (1) t SET n = u.a OUTPUT inserted.n FROM t JOIN u ON u.a = t.id WHERE u.a > 1"), "2");
    assert_eq!(shop.rows("UPDATE TOP (1) t SET n = DEFAULT OUTPUT inserted.n WHERE id > 2"), "NULL");
    assert_eq!(shop.rows("DELETE TOP (1) FROM u OUTPUT deleted.a, deleted.name WHERE a > 1"), "2,Two ");
    assert_eq!(shop.rows("DELETE x OUTPUT deleted.id FROM t x JOIN u ON u.a = x.id WHERE u.a = 1"), "1");
    shop.identity_insert = true;
    shop.exec("INSERT INTO t (id, folio) VALUES (50, 'y')");
    shop.identity_insert = false;
    assert_eq!(shop.rows("INSERT INTO t (folio) OUTPUT inserted.id VALUES ('z')"), "51");
    shop.exec("TRUNCATE TABLE t");
    assert_eq!(shop.rows("INSERT INTO t (folio) OUTPUT inserted.id VALUES ('z')"), "1");
    shop.exec("CREATE TABLE s (id int IDENTITY(1000,1) PRIMARY KEY, v int DEFAULT (7))");
    assert_eq!(shop.rows("INSERT INTO s OUTPUT inserted.* DEFAULT VALUES"), "1000,7");
    shop.exec("CREATE TABLE child (p int REFERENCES u (a))");
    assert_eq!(shop.number("INSERT INTO child VALUES (999)"), 547);
    shop.exec("CREATE UNIQUE INDEX i ON s (v DESC)");
    assert_eq!(shop.number("INSERT INTO s (v) VALUES (7)"), 2627);
    shop.exec("DROP TABLE IF EXISTS s, nowhere");
}

#[test]
fn variables_conditions_and_values() {
    let mut shop = Shop::new();
    shop.set("@p1", Type::NVarChar(Some(4000)), Value::Text("a-2".to_owned()));
    shop.set("@n", Type::Int, Value::Null);
    assert_eq!(shop.rows("SELECT id FROM t WHERE folio = @P1 AND @p1 <> 'x'"), "2");
    assert_eq!(shop.rows("UPDATE t SET n = 5 OUTPUT deleted.n, deleted.folio + @p1 WHERE id = 1"), "1,A-1a-2");
    let compiled = shop.compiled("SELECT @n = COUNT(*) + 0.5, @p1 = 'x' FROM t").unwrap();
    assert_eq!(compiled.variables, ["@n", "@p1"]);
    assert_eq!(shop.rows("SELECT @n = COUNT(*) + 0.5, @p1 = 'x' FROM t"), "3,x");
    assert_eq!(shop.number("SELECT @n = @N + n FROM t"), 50_000);
    assert_eq!(shop.rows("SELECT @n = ISNULL(@n, 0) + COUNT(*) FROM t"), "3");
    let condition = |sql: &str| match shop.statement(sql).unwrap().kind {
        Kind::If { condition, .. } => holds(&shop.context(), &condition),
        other => panic!("{other:?}"),
    };
    assert!(condition("IF EXISTS (SELECT 1 FROM t WHERE folio = @p1) PRINT 'x'").unwrap());
    assert!(!condition("IF @n = 1 PRINT 'x'").unwrap());
    assert!(condition("IF @n IS NULL AND DB_ID() = 7 PRINT 'x'").unwrap());
    assert_eq!(condition("IF 1 / 0 = 1 PRINT 'x'").unwrap_err().number, 8134);
    let value = |expr: &Expr| evaluate(&shop.context(), expr).unwrap();
    assert_eq!(value(&Expr::Variable("@P1".to_owned())).1, Value::Text("a-2".to_owned()));
    assert_eq!(value(&Expr::Null), (Type::Int, Value::Null));
}

#[test]
fn a_replay_gives_an_equal_database() {
    let mut shop = Shop::empty();
    let mut log: Vec<Compiled> = Vec::new();
    shop.set("@n", Type::Int, Value::Int(3));
    for sql in [
        "CREATE TABLE t (id int IDENTITY(5,1) PRIMARY KEY, g uniqueidentifier DEFAULT NEWID(), at datetime2(7) DEFAULT SYSUTCDATETIME(), db int, f float)",
        "INSERT INTO t (db) VALUES (DB_ID()), (@n), (NULL)",
        "INSERT INTO t (g, db) SELECT NEWID(), id FROM t ORDER BY id DESC",
        "UPDATE t SET f = db / 7.0, g = NEWID(), at = GETDATE() WHERE db IS NOT NULL",
        "DELETE FROM t WHERE id = 6",
        "CREATE TABLE z (a nvarchar(5))",
        "DROP TABLE z",
    ] {
        let compiled = shop.compiled(sql).unwrap();
        run(&shop.connection, &compiled, &mut |_| true).unwrap();
        log.push(compiled);
        shop.set("@n", Type::Int, Value::Int(4));
        shop.clock.utc += 1;
    }
    let other = Connection::open_in_memory().unwrap();
    register(&other).unwrap();
    for compiled in &log {
        run(&other, compiled, &mut |_| true).unwrap();
    }
    let dump = |connection: &Connection| {
        let mut statement = connection.prepare("SELECT id, hex(g), at, db, f FROM \"dbo.t\" ORDER BY id").unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            let cells: Vec<rusqlite::types::Value> = (0..5).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
            Ok(format!("{cells:?}"))
        };
        statement.query_map([], row).unwrap().collect::<rusqlite::Result<Vec<_>>>().unwrap()
    };
    let rows = dump(&shop.connection);
    assert_eq!(rows, dump(&other));
    assert_eq!(rows.len(), 5);
    let guids: std::collections::HashSet<&str> = rows.iter().filter_map(|row| row.split('"').nth(1)).collect();
    assert_eq!(guids.len(), 5, "every row has its own: {rows:?}");
}

#[test]
fn names_are_taken_apart() {
    for (sqlite, before, name) in [
        ("main.\"dbo.T\"", "main.", "dbo.T"),
        ("\"d5\".\"dbo.a.\"\"b\"", "\"d5\".", "dbo.a.\"b"),
        ("temp.bulk", "temp.", "bulk"),
        ("\"x\"", "", "x"),
    ] {
        assert_eq!(super::split_name(sqlite), (before, name.to_owned()));
    }
}
