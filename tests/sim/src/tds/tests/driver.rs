//! Against tiberius, the driver of relevo.

use std::borrow::Cow;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, DateTime2, Time};
use tiberius::{AuthMethod, ColumnData, Config, EncryptionLevel, Query, error::Error};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::super::Trouble;
use super::super::types::{DAYS_TO_1900, TICKS_PER_DAY};
use super::fake::{PASSWORD, Served, every_type};
use crate::wire::{Type, Value};

pub type Client = tiberius::Client<Compat<TcpStream>>;

pub fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

pub fn config(served: &Served) -> Config {
    let mut config = Config::new();
    config.host(served.address.ip());
    config.port(served.address.port());
    config.encryption(EncryptionLevel::NotSupported);
    config.authentication(AuthMethod::sql_server("relevo", PASSWORD));
    config.application_name("prueba");
    config.client_name("CAJA2");
    config
}

pub async fn connect(config: Config) -> Result<Client, Error> {
    let tcp = TcpStream::connect(config.get_addr()).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    Client::connect(config, tcp.compat_write()).await
}

pub async fn texts(client: &mut Client, sql: &str) -> Result<Vec<Vec<String>>, Error> {
    let results = client.simple_query(sql).await?.into_results().await?;
    Ok(results.iter().map(|rows| rows.iter().map(|row| row.get::<&str, _>(0).unwrap().to_owned()).collect()).collect())
}

fn code(error: &Error) -> Option<(u32, u8, u8, u32, String)> {
    match error {
        Error::Server(e) => Some((e.code(), e.state(), e.class(), e.line(), e.server().to_owned())),
        _ => None,
    }
}

/// What tiberius makes of a value.
fn expected(kind: Type, value: &Value) -> ColumnData<'static> {
    let ticks = |value: &Value| if let Value::Time(t) = value { (t / TICKS_PER_DAY, t % TICKS_PER_DAY) } else { unreachable!() };
    let is_null = *value == Value::Null;
    let some = |data: ColumnData<'static>, null: ColumnData<'static>| if is_null { null } else { data };
    let int = if let Value::Int(n) = value { *n } else { 0 };
    let float = if let Value::Float(f) = value { *f } else { 0.0 };
    let number = if let Value::Numeric(n) = value { *n } else { 0 };
    match kind {
        Type::Bit => some(ColumnData::Bit(Some(int != 0)), ColumnData::Bit(None)),
        Type::TinyInt => some(ColumnData::U8(Some(int as u8)), ColumnData::U8(None)),
        Type::SmallInt => some(ColumnData::I16(Some(int as i16)), ColumnData::I16(None)),
        Type::Int => some(ColumnData::I32(Some(int as i32)), ColumnData::I32(None)),
        Type::BigInt => some(ColumnData::I64(Some(int)), ColumnData::I64(None)),
        Type::Real => some(ColumnData::F32(Some(float as f32)), ColumnData::F32(None)),
        Type::Float => some(ColumnData::F64(Some(float)), ColumnData::F64(None)),
        Type::Money => some(ColumnData::F64(Some(number as f64 / 10_000.0)), ColumnData::F64(None)),
        Type::Numeric(_, scale) => {
            some(ColumnData::Numeric(Some(Numeric::new_with_scale(number, scale))), ColumnData::Numeric(None))
        }
        _ if is_null => match kind {
            Type::DateTime => ColumnData::DateTime(None),
            Type::DateTime2(_) => ColumnData::DateTime2(None),
            Type::Date => ColumnData::Date(None),
            Type::Guid => ColumnData::Guid(None),
            Type::VarBinary(_) => ColumnData::Binary(None),
            _ => ColumnData::String(None),
        },
        Type::DateTime => {
            let (day, time) = ticks(value);
            ColumnData::DateTime(Some(DateTime::new((day - DAYS_TO_1900) as i32, (time * 3 / 100_000) as u32)))
        }
        Type::DateTime2(scale) => {
            let (day, time) = ticks(value);
            let time = Time::new((time / 10_i64.pow(7 - u32::from(scale))) as u64, scale);
            ColumnData::DateTime2(Some(DateTime2::new(Date::new(day as u32), time)))
        }
        Type::Date => ColumnData::Date(Some(Date::new(ticks(value).0 as u32))),
        Type::Guid => {
            let Value::Guid(bytes) = value else { unreachable!() };
            ColumnData::Guid(Some(uuid::Uuid::from_bytes(*bytes)))
        }
        Type::VarBinary(_) => {
            let Value::Bytes(bytes) = value else { unreachable!() };
            ColumnData::Binary(Some(Cow::Owned(bytes.clone())))
        }
        Type::Char(n) | Type::NChar(n) => {
            let Value::Text(text) = value else { unreachable!() };
            ColumnData::String(Some(Cow::Owned(format!("{text:<width$}", width = usize::from(n)))))
        }
        Type::VarChar(_) | Type::NVarChar(_) => {
            let Value::Text(text) = value else { unreachable!() };
            ColumnData::String(Some(Cow::Owned(text.clone())))
        }
    }
}

#[test]
fn every_type_and_null_arrive() {
    let served = Served::new();
    run(async {
        let mut client = connect(config(&served)).await.unwrap();
        let rows = client.simple_query("types").await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 2);
        for (row, is_null) in rows.into_iter().zip([false, true]) {
            let values: Vec<_> = row.into_iter().collect();
            assert_eq!(values.len(), every_type().len());
            for (found, (kind, value)) in values.into_iter().zip(every_type()) {
                let value = if is_null { Value::Null } else { value };
                assert_eq!(found, expected(kind, &value), "{kind:?}");
            }
        }
    });
}

#[test]
fn every_type_and_null_come_as_parameters_and_go_back() {
    let served = Served::new();
    let sent: Vec<(Type, Value)> = every_type()
        .into_iter()
        .filter(|(kind, _)| !matches!(kind, Type::Money)) // which tiberius has only as a float
        .collect();
    let count = sent.len();
    run(async {
        let mut client = connect(config(&served)).await.unwrap();
        for is_null in [false, true] {
            let mut query = Query::new("echo");
            for (kind, value) in &sent {
                query.bind(Sent(expected(*kind, if is_null { &Value::Null } else { value })));
            }
            let rows = query.query(&mut client).await.unwrap().into_first_result().await.unwrap();
            for (found, (kind, value)) in rows.into_iter().next().unwrap().into_iter().zip(&sent) {
                let plain = match kind {
                    Type::Numeric(..) if is_null => continue, // declared without precision: below
                    kind => expected(*kind, if is_null { &Value::Null } else { value }),
                };
                assert_eq!(found, plain, "{kind:?}");
            }
        }
    });
    let batches = served.fake.batches.lock().unwrap();
    let parameters = batches[0].parameters.as_ref().unwrap();
    assert_eq!((parameters.len(), &*parameters[0].0, &*batches[0].sql), (count, "@P1", "echo"));
    for ((_, kind, value), (sent_kind, sent_value)) in parameters.iter().zip(&sent) {
        match sent_kind {
            Type::Char(_) | Type::NChar(_) => {}
            Type::Real => assert_eq!((kind, value), (&Type::Real, sent_value)),
            _ => assert_eq!(value, sent_value, "{sent_kind:?} came as {kind:?}"),
        }
    }
    let nulls = batches[1].parameters.as_ref().unwrap();
    assert!(nulls.iter().all(|(_, _, value)| *value == Value::Null));
    assert_eq!(nulls[3].1, Type::Int, "the declaration gives a NULL its type");
    assert_eq!(nulls[7].1, Type::Numeric(18, 0));
}

/// A parameter as it is.
struct Sent(ColumnData<'static>);

impl tiberius::IntoSql<'static> for Sent {
    fn into_sql(self) -> ColumnData<'static> {
        self.0
    }
}

#[test]
fn requests_and_replies_are_longer_than_packets() {
    let served = Served::new();
    for size in [512, 4096, 32_767] {
        run(async {
            let mut config = config(&served);
            config.packet_size(size);
            let mut client = connect(config).await.unwrap();
            let long = "ñ".repeat(150_000);
            assert_eq!(texts(&mut client, &format!("length {long}")).await.unwrap(), [["150000"]]);
            let rows = client.simple_query("rows 3000").await.unwrap().into_first_result().await.unwrap();
            assert_eq!(rows.len(), 3000);
            for (n, row) in rows.iter().enumerate() {
                assert_eq!(row.get::<i32, _>("n"), Some(n as i32));
                assert_eq!(row.get::<&str, _>("t").unwrap().len(), n % 200);
            }
        });
    }
}

#[test]
fn a_login_says_who_and_a_refused_one_says_why() {
    let served = Served::new();
    run(async {
        let mut wrong = config(&served);
        wrong.authentication(AuthMethod::sql_server("relevo", "otra"));
        let error = connect(wrong).await.err().unwrap();
        assert_eq!(code(&error), Some((18_456, 7, 14, 3, "CAJA1".to_owned())), "{error}");
        let mut restoring = config(&served);
        restoring.database("Restaurando");
        let error = connect(restoring).await.err().unwrap();
        assert_eq!(code(&error).unwrap().0, 4060, "{error}");
        let mut known = config(&served);
        known.database("BDPdv");
        connect(known).await.unwrap().close().await.unwrap();
    });
    let logins = served.fake.logins.lock().unwrap();
    let last = logins.last().unwrap();
    assert_eq!(
        (&*last.user, &*last.password, &*last.database, &*last.application, &*last.host, &*last.address),
        ("relevo", PASSWORD, "BDPdv", "prueba", "CAJA2", "127.0.0.1")
    );
    drop(logins);
    served.wait_until("the only session logs out", |fake| *fake.left.lock().unwrap() == [51]);
}

#[test]
fn errors_end_their_statement_and_the_session_goes_on() {
    let served = Served::new();
    run(async {
        let mut client = connect(config(&served)).await.unwrap();
        let error = texts(&mut client, "errors").await.unwrap_err();
        assert_eq!(code(&error).unwrap(), (3156, 7, 16, 3, "CAJA1".to_owned()));
        assert_eq!(texts(&mut client, "spid").await.unwrap(), [["51"]]);
        assert_eq!(texts(&mut client, "nothing").await.unwrap(), Vec::<Vec<String>>::new());
        texts(&mut client, "use BDPdv").await.unwrap();
        let result = client.execute("echo", &[&1_i32]).await.unwrap();
        assert_eq!(result.total(), 1);
        let error = texts(&mut client, "fatal").await.unwrap_err();
        assert_eq!(code(&error).unwrap().2, 24);
        texts(&mut client, "spid").await.unwrap_err();
    });
}

#[test]
fn an_instance_that_contradicts_itself_is_named() {
    let served = Served::new();
    run(async {
        let mut client = connect(config(&served)).await.unwrap();
        let error = texts(&mut client, "wrong").await.unwrap_err();
        assert!(error.to_string().contains("column 'n'"), "{error}");
        assert_eq!(code(&error).unwrap().0, 50_000);
    });
}

#[test]
fn progress_is_sent_at_once() {
    let served = Served::new();
    run(async {
        let mut config = config(&served);
        // Each message comes in time although the whole takes two seconds.
        config.command_timeout(Some(Duration::from_millis(1500)));
        let mut client = connect(config).await.unwrap();
        texts(&mut client, "progress 10").await.unwrap();
    });
}

#[test]
fn attention_ends_a_batch_and_the_connection_serves_on() {
    let served = Served::new();
    run(async {
        let mut client = connect(config(&served)).await.unwrap();
        for sql in ["wait", "rows 100000000"] {
            served.fake.stopped.store(false, Ordering::Relaxed);
            let began = Instant::now();
            // Dropped while the first token is awaited: nothing is half read.
            if sql == "wait" {
                let _ = tokio::time::timeout(Duration::from_millis(100), client.simple_query(sql)).await;
            } else {
                drop(client.simple_query(sql).await.unwrap());
            }
            client.cancel_query().await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(5));
            assert!(served.fake.stopped.load(Ordering::Relaxed));
            assert_eq!(texts(&mut client, "spid").await.unwrap(), [["51"]]);
        }
        client.cancel_query().await.unwrap(); // nothing runs: confirmed all the same
        assert_eq!(texts(&mut client, "spid").await.unwrap(), [["51"]]);
    });
}

#[test]
fn a_client_that_leaves_ends_its_batch() {
    let served = Served::new();
    run(async {
        let mut client = connect(config(&served)).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(100), client.simple_query("wait")).await;
    });
    served.wait_until("the batch ends", |fake| fake.stopped.load(Ordering::Relaxed));
    served.wait_until("the session logs out", |fake| *fake.left.lock().unwrap() == [51]);
}

#[test]
fn a_killed_session_is_told_and_ends() {
    let served = Served::new();
    run(async {
        let mut idle = connect(config(&served)).await.unwrap();
        served.fake.killed.lock().unwrap().insert(51);
        served.wait_until("the session logs out", |fake| *fake.left.lock().unwrap() == [51]);
        // Told before it asked, or the write fails already.
        let error = texts(&mut idle, "spid").await.unwrap_err();
        assert!(code(&error).is_none_or(|found| (found.0, found.2) == (596, 21)), "{error}");

        let mut busy = connect(config(&served)).await.unwrap();
        let error = texts(&mut busy, "killed").await.unwrap_err();
        assert_eq!(code(&error).map(|found| (found.0, found.2)), Some((596, 21)), "{error}");
    });
}

#[test]
fn the_transaction_manager_speaks_sql() {
    let served = Served::new();
    run(async {
        let mut client = connect(config(&served)).await.unwrap();
        client.begin_transaction().await.unwrap();
        texts(&mut client, "spid").await.unwrap();
        client.commit_transaction().await.unwrap();
        client.begin_transaction_with_isolation(tiberius::IsolationLevel::Serializable).await.unwrap();
        client.rollback_transaction().await.unwrap();
    });
    let batches: Vec<String> = served.fake.batches.lock().unwrap().iter().map(|batch| batch.sql.clone()).collect();
    let second = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN TRANSACTION";
    assert_eq!(batches, ["BEGIN TRANSACTION", "spid", "COMMIT TRANSACTION", second, "ROLLBACK TRANSACTION"]);
}

#[test]
fn trouble_on_the_wire_comes_as_ordered_and_once() {
    let served = Served::new();
    let cases = [(Trouble::LostRequest, 0), (Trouble::LostEnd, 1), (Trouble::CutAfter(2), 1)];
    for (trouble, runs) in cases {
        run(async {
            let before = served.fake.batches.lock().unwrap().len();
            served.faults.order("rows", trouble);
            let mut client = connect(config(&served)).await.unwrap();
            let error = match client.simple_query("rows 2000").await {
                Ok(stream) => stream.into_results().await.err().unwrap(),
                Err(error) => error,
            };
            assert!(matches!(error, Error::Io { .. }), "{trouble:?}: {error}");
            served.wait_until("it ran", |fake| fake.batches.lock().unwrap().len() >= before + runs);
            assert_eq!(served.fake.batches.lock().unwrap().len(), before + runs, "{trouble:?}");
            let mut again = connect(config(&served)).await.unwrap();
            again.simple_query("rows 1").await.unwrap().into_results().await.unwrap();
        });
    }
    run(async {
        // An answer shorter than its cut is whole, and so are the later ones.
        served.faults.order("spid", Trouble::CutAfter(3));
        let mut client = connect(config(&served)).await.unwrap();
        texts(&mut client, "spid").await.unwrap();
        client.simple_query("rows 2000").await.unwrap().into_results().await.unwrap();
    });
    served.faults.order("spid", Trouble::Delay(Duration::from_millis(300)));
    let began = Instant::now();
    run(async { texts(&mut connect(config(&served)).await.unwrap(), "spid").await.unwrap() });
    assert!(began.elapsed() >= Duration::from_millis(300));
}
