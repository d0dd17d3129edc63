//! Statements drawn at random: whatever the parser accepts is compiled to something that SQLite runs, or is refused with a number of
//! SQL Server. 50000 is the simulator's own number: SQLite did not like what the compiler made.

use proptest::{prelude::*, sample::select};

use rusqlite::Connection;

use super::{run, tests::Shop};
use crate::{
    sql::register,
    wire::{Type, Value},
};

/// Kinds of values. Most of the time they are put together with their own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    Number,
    Text,
    Time,
    Other,
}

const CLASSES: [Class; 4] = [Class::Number, Class::Text, Class::Time, Class::Other];

fn leaves(class: Class) -> Vec<&'static str> {
    match class {
        Class::Number => vec![
            "1",
            "0",
            "-7",
            "2147483647",
            "3000000000",
            "2.50",
            "1e2",
            "NULL",
            "id",
            "total",
            "price",
            "active",
            "n",
            "u.a",
            "u.lsn",
            "@@SPID",
            "DB_ID()",
            "CAST(5 AS money)",
            "CAST(7 AS tinyint)",
            "@n",
        ],
        Class::Text => vec!["'abc'", "N'Ñandú'", "''", "'12'", "folio", "u.name", "@x", "NULL", "'a%'", "CAST('x' AS nchar(4))"],
        Class::Time => vec![
            "at",
            "GETDATE()",
            "SYSUTCDATETIME()",
            "CAST('2026-01-04' AS date)",
            "CAST('2026-01-04T10:00:00' AS datetime2(3))",
        ],
        Class::Other => vec!["0x01AF", "b", "guid", "NEWID()", "CAST('abc' AS varbinary(10))"],
    }
}

/// Forms: {n} is a number, {t} a text, {d} a time, {o} anything else, {s} one of the same class, {c} a condition.
fn forms(class: Class) -> Vec<&'static str> {
    let any = [
        "COALESCE({s}, {s})",
        "ISNULL({s}, {s})",
        "NULLIF({s}, {s})",
        "IIF({c}, {s}, {s})",
        "CASE {n} WHEN {n} THEN {s} ELSE {s} END",
    ];
    let own = match class {
        Class::Number => vec![
            "({s} + {s})",
            "({s} - {s})",
            "({s} * {s})",
            "({s} / {s})",
            "({s} % {s})",
            "(id & {n})",
            "(n ^ 3)",
            "(-{s})",
            "(~n)",
            "CAST({s} AS int)",
            "CAST({s} AS decimal(12,3))",
            "CAST({s} AS bigint)",
            "CAST({s} AS float)",
            "TRY_CAST({t} AS int)",
            "LEN({t})",
            "CHARINDEX({t}, {t})",
            "DATALENGTH({o})",
            "ABS({s})",
            "ROUND({s}, 1)",
            "FLOOR({s})",
            "CEILING({s})",
            "SIGN({s})",
            "POWER({s}, 2)",
            "DATEDIFF(hour, {d}, {d})",
            "DATEPART(month, {d})",
            "YEAR({d})",
            "(SELECT MAX(z.n) FROM t z WHERE z.n = {s})",
            "(SELECT COUNT(*) FROM u z WHERE z.name <> {t})",
            "CAST({d} AS int)",
            "UNICODE({t})",
            "(SELECT SUM(q.k) FROM (SELECT {s} AS k FROM t, u) AS q)",
        ],
        Class::Text => vec![
            "({s} + {s})",
            "CAST({n} AS nvarchar(40))",
            "CAST({o} AS varchar(40))",
            "CONVERT(varchar(30), {d}, 121)",
            "CAST({s} AS nchar(5))",
            "UPPER({s})",
            "LEFT({s}, 2)",
            "RIGHT({s}, {n})",
            "SUBSTRING({s}, {n}, 3)",
            "REPLACE({s}, {s}, {s})",
            "CONCAT({n}, {s}, {d})",
            "LTRIM({s})",
            "STUFF({s}, 1, 1, {s})",
            "QUOTENAME({s})",
            "{s} COLLATE DATABASE_DEFAULT",
            "{s} COLLATE Latin1_General_CS_AS",
            "REVERSE({s})",
            "SPACE(3)",
        ],
        Class::Time => vec![
            "DATEADD(day, {n}, {s})",
            "DATEADD(month, 1, {s})",
            "CAST({s} AS datetime)",
            "CAST({s} AS date)",
            "TRY_CAST({t} AS datetime2(7))",
            "EOMONTH({s})",
            "(CAST({s} AS datetime) + 1)",
            "CAST({n} AS datetime)",
        ],
        Class::Other => vec![
            "CAST({n} AS varbinary(20))",
            "SUBSTRING({s}, 1, 2)",
            "CAST({t} AS varbinary(max))",
            "TRY_CAST({t} AS uniqueidentifier)",
        ],
    };
    any.into_iter().chain(own).collect()
}

fn value(class: Class, depth: u32) -> BoxedStrategy<String> {
    let leaf = select(leaves(class)).prop_map(str::to_owned);
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = (select(forms(class)), parts(class, depth - 1));
    prop_oneof![1 => leaf, 2 => inner.prop_map(|(form, parts)| filled(form, &parts))].boxed()
}

/// Pieces for a form: each hole takes another one.
fn parts(class: Class, depth: u32) -> BoxedStrategy<Vec<(&'static str, String)>> {
    let each =
        |hole: &'static str, class: Class| proptest::collection::vec(value(class, depth), 3).prop_map(move |all| (hole, all));
    (
        each("{n}", Class::Number),
        each("{t}", Class::Text),
        each("{d}", Class::Time),
        each("{o}", Class::Other),
        each("{s}", class),
        condition(depth),
    )
        .prop_map(|(n, t, d, o, s, c)| {
            let holes = [n, t, d, o, s].into_iter().flat_map(|(hole, all)| all.into_iter().map(move |part| (hole, part)));
            holes.chain([("{c}", c)]).collect()
        })
        .boxed()
}

fn filled(form: &str, parts: &[(&'static str, String)]) -> String {
    let mut text = form.to_owned();
    for (hole, part) in parts {
        text = text.replacen(hole, part, 1);
    }
    parts.iter().fold(text, |text, (hole, part)| text.replace(hole, part))
}

fn condition(depth: u32) -> BoxedStrategy<String> {
    if depth == 0 {
        return select(vec!["id = 1", "folio LIKE 'a%'", "at IS NULL", "u.a IN (1, 2)", "guid <> NEWID()"])
            .prop_map(str::to_owned)
            .boxed();
    }
    let forms = vec![
        "{s} = {s}",
        "{s} <> {s}",
        "{s} < {s}",
        "{s} IS NULL",
        "{s} IN ({s}, {s})",
        "{n} NOT IN (SELECT z.a FROM u z)",
        "{s} BETWEEN {s} AND {s}",
        "{t} LIKE {t}",
        "{t} NOT LIKE {t} ESCAPE '!'",
        "EXISTS (SELECT 1 FROM u z WHERE z.a = {n})",
        "{t} IN (SELECT z.folio FROM t z WHERE z.id > {n})",
        "({c} AND {c})",
        "({c} OR {c})",
        "NOT ({c})",
    ];
    select(CLASSES.to_vec())
        .prop_flat_map(move |class| (select(forms.clone()), parts(class, depth - 1)))
        .prop_map(|(form, parts)| filled(form, &parts))
        .boxed()
}

fn statement() -> impl Strategy<Value = String> {
    let forms = vec![
        "SELECT {s}, {n} AS x FROM t CROSS JOIN u WHERE {c} ORDER BY 2, {t}",
        "SELECT DISTINCT {s} AS q FROM t, u WHERE {c} ORDER BY q",
        "SELECT TOP (3) {s} FROM t JOIN u ON {c} ORDER BY {d} DESC",
        "SELECT {n} FROM t LEFT JOIN u ON {c} WHERE {s} IS NULL ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
        "SELECT MIN({s}), COUNT(DISTINCT {s}), MAX({t}) FROM t, u WHERE {c}",
        "SELECT SUM({n}), AVG({n}), COUNT_BIG({s}) FROM t, u WHERE {c}",
        "SELECT {s}, COUNT(*) FROM t, u GROUP BY {s} HAVING COUNT(*) > 1",
        "SELECT folio, SUM({n}) AS q FROM t, u WHERE {c} GROUP BY folio, u.a ORDER BY q DESC, u.a",
        "SELECT {s} AS k FROM t, u UNION SELECT {s} FROM t, u EXCEPT SELECT {s} FROM t, u ORDER BY k",
        "SELECT d.k FROM (SELECT {s} AS k, {s} AS j FROM t, u WHERE {c}) AS d WHERE d.j IS NULL OR d.k = d.j",
        "SELECT v.p FROM (VALUES (1, N'x'), (2, NULL)) AS v (p, q), t, u WHERE {c}",
        "SELECT ROW_NUMBER() OVER (PARTITION BY {s} ORDER BY {s}) FROM t, u",
        "INSERT INTO u (a, name, lsn) SELECT {n}, {t}, {n} FROM t, u WHERE {c}",
        "INSERT INTO t (folio, total, n, b) OUTPUT inserted.* SELECT LEFT({t}, 10), {n}, {n}, 0x01 FROM t, u UNION ALL SELECT 'x', 1, 1, NULL",
        "UPDATE t SET n = {n}, total = {n}, folio = {t}, at = {d} OUTPUT inserted.*, deleted.at, deleted.* FROM t, u WHERE {c}",
        "UPDATE u SET name = {t} FROM t, u WHERE {c}",
        "UPDATE TOP (2) u SET lsn = {n} OUTPUT UPPER(deleted.name), inserted.lsn FROM t, u WHERE {c}",
        "DELETE t OUTPUT deleted.folio FROM t, u WHERE {c}",
        "DELETE TOP (1) FROM u WHERE name = 'x' OR a = (SELECT MAX(z.n) FROM t z)",
    ];
    select(CLASSES.to_vec())
        .prop_flat_map(move |class| (select(forms.clone()), parts(class, 2)))
        .prop_map(|(form, parts)| filled(form, &parts))
}

fn change() -> impl Strategy<Value = String> {
    let forms = vec![
        "INSERT INTO t (folio, total, n, guid) SELECT LEFT(CONCAT(id, {t}), 10), ABS({n}), {n}, NEWID() FROM t WHERE {c}",
        "INSERT INTO t (folio, at, n) VALUES (LEFT({x}, 10), {y}, DB_ID()), (N'zz', SYSDATETIME(), @n)",
        "INSERT INTO u (a, name) SELECT DISTINCT 100 + id, {t} FROM t, u WHERE {c}",
        "UPDATE t SET n = {n}, at = {d}, guid = NEWID() OUTPUT deleted.n, inserted.guid FROM t JOIN u ON u.a = t.id WHERE {c}",
        "UPDATE TOP (2) t SET n = {n}, folio = LEFT({t}, 10) FROM t JOIN u ON u.a = t.id WHERE {c}",
        "DELETE TOP (1) t FROM t, u WHERE {c}",
        "DELETE u FROM t JOIN u ON u.a = t.id WHERE {c}",
        "TRUNCATE TABLE t",
    ];
    (select(forms), parts(Class::Number, 2))
        .prop_map(|(form, parts)| filled(&form.replace("{x}", "@x + 'a'").replace("{y}", "DATEADD(day, @n, GETDATE())"), &parts))
}

/// The same database once more.
fn copy(from: &Connection) -> Connection {
    let mut to = Connection::open_in_memory().unwrap();
    rusqlite::backup::Backup::new(from, &mut to).unwrap().run_to_completion(1000, std::time::Duration::ZERO, None).unwrap();
    register(&to).unwrap();
    to
}

fn replay(connection: &Connection, sql: &str, parameters: &[rusqlite::types::Value]) {
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query(rusqlite::params_from_iter(parameters)).unwrap();
    while rows.next().unwrap().is_some() {}
}

fn dump(connection: &Connection) -> Vec<String> {
    let mut rows = Vec::new();
    for table in ["dbo.t", "dbo.u", "sqlite_sequence"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            rows.push((0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect::<Vec<_>>().join(" "));
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
    #[test]
    fn what_is_compiled_runs(sql in statement()) {
        let mut shop = Shop::new();
        shop.set("@x", Type::NVarChar(Some(4000)), Value::Text("7".to_owned()));
        shop.set("@n", Type::BigInt, Value::Int(7));
        if let Err(problem) = shop.attempt(&sql) {
            prop_assert_ne!(problem.number, 50_000, "{}: {}", sql, problem.text);
        }
    }

    #[test]
    fn a_replay_is_equal(statements in proptest::collection::vec(change(), 1..5)) {
        let mut shop = Shop::new();
        shop.set("@x", Type::NVarChar(Some(4000)), Value::Text("7".to_owned()));
        shop.set("@n", Type::BigInt, Value::Int(7));
        let other = copy(&shop.connection);
        for sql in &statements {
            let Ok(compiled) = shop.compiled(sql) else { continue };
            if run(&shop.connection, &compiled, &mut |_| true).is_ok() {
                // The log has no more than the texts and the parameters.
                replay(&other, &compiled.sql, &compiled.parameters);
                compiled.also.iter().for_each(|sql| replay(&other, sql, &[]));
            }
        }
        prop_assert_eq!(dump(&shop.connection), dump(&other));
    }
}
