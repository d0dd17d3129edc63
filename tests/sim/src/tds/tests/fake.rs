//! An instance that says what a test wants to see on the wire.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::{Faults, Settings, serve_with};
use crate::wire::{Batch, Column, Instance, LoggedIn, Login, Message, Reply, SessionId, Type, Value};

pub const PASSWORD: &str = "Contraseña-€";
/// 2026-11-24T12:34:56.1234567
pub const MOMENT: i64 = 639_311_204_961_234_567;

#[derive(Default)]
pub struct Fake {
    next: AtomicU16,
    pub logins: Mutex<Vec<Login>>,
    pub batches: Mutex<Vec<Batch>>,
    pub killed: Mutex<BTreeSet<SessionId>>,
    pub left: Mutex<Vec<SessionId>>,
    /// A batch that waited was told to end.
    pub stopped: AtomicBool,
}

pub fn message(number: u32, class: u8, text: &str) -> Message {
    Message { number, state: 7, class, text: text.to_owned(), line: 3 }
}

/// Every type with a value of it.
pub fn every_type() -> Vec<(Type, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        (Type::Bit, Value::Int(1)),
        (Type::TinyInt, Value::Int(255)),
        (Type::SmallInt, Value::Int(-32_768)),
        (Type::Int, Value::Int(-2_147_483_648)),
        (Type::BigInt, Value::Int(i64::MIN)),
        (Type::Real, Value::Float(0.5)),
        (Type::Float, Value::Float(-1.25e300)),
        (Type::Numeric(25, 0), Value::Numeric(34_000_000_012_300_001)),
        (Type::Numeric(38, 10), Value::Numeric(-(10_i128.pow(38) - 1))),
        (Type::Money, Value::Numeric(-12_345_678)),
        (Type::DateTime, Value::Time(MOMENT / 10_000_000 * 10_000_000)),
        (Type::DateTime2(7), Value::Time(MOMENT)),
        (Type::DateTime2(0), Value::Time(MOMENT / 10_000_000 * 10_000_000)),
        (Type::DateTime2(3), Value::Time(MOMENT / 10_000 * 10_000)),
        (Type::Date, Value::Time(MOMENT / super::super::types::TICKS_PER_DAY * super::super::types::TICKS_PER_DAY)),
        (Type::Guid, Value::Guid(*b"0123456789abcdef")),
        (Type::Char(5), text("año ")),
        (Type::VarChar(Some(10)), text("€uro")),
        (Type::VarChar(None), text(&"ñ".repeat(10_000))),
        (Type::NChar(3), text("日")),
        (Type::NVarChar(Some(10)), text("😀 ]'")),
        (Type::NVarChar(None), text(&"日本".repeat(5_000))),
        (Type::VarBinary(Some(4)), Value::Bytes(vec![0, 255, 0])),
        (Type::VarBinary(None), Value::Bytes((0..=255).cycle().take(9_001).collect())),
        (Type::VarChar(Some(1)), text("")),
        (Type::NVarChar(None), text("")),
    ]
}

fn columns(types: impl Iterator<Item = (String, Type)>) -> Reply {
    Reply::Columns(types.map(|(name, kind)| Column { name, kind }).collect())
}

impl Instance for Fake {
    fn login(&self, login: &Login) -> Result<LoggedIn, Vec<Message>> {
        self.logins.lock().unwrap().push(login.clone());
        if login.password != PASSWORD {
            return Err(vec![message(18_456, 14, &format!("Login failed for user '{}'.", login.user))]);
        }
        if login.database == "Restaurando" {
            let text = "Cannot open database \"Restaurando\" requested by the login. The login failed.";
            return Err(vec![message(4060, 11, text), message(18_456, 14, "Login failed for user 'relevo'.")]);
        }
        let database = if login.database.is_empty() { "master" } else { &login.database }.to_owned();
        let session = 51 + self.next.fetch_add(1, Ordering::Relaxed);
        Ok(LoggedIn { session, database, language: "us_english".to_owned() })
    }

    fn batch(&self, session: SessionId, batch: &Batch, out: &mut dyn FnMut(Reply) -> bool) {
        self.batches.lock().unwrap().push(batch.clone());
        let text = |out: &mut dyn FnMut(Reply) -> bool, text: String| {
            out(columns([(String::new(), Type::NVarChar(None))].into_iter()));
            out(Reply::Row(vec![Value::Text(text)]));
            out(Reply::Done(Some(1)));
        };
        let (word, rest) = batch.sql.trim().split_once(' ').unwrap_or((batch.sql.trim(), ""));
        match (word, &batch.parameters) {
            ("echo", Some(parameters)) => {
                out(columns(parameters.iter().map(|(name, kind, _)| (name.clone(), *kind))));
                out(Reply::Row(parameters.iter().map(|(_, _, value)| value.clone()).collect()));
                out(Reply::Done(Some(1)));
            }
            ("types", _) => {
                let all = every_type();
                out(columns(all.iter().map(|(kind, _)| (format!("{kind:?}"), *kind))));
                out(Reply::Row(all.iter().map(|(_, value)| value.clone()).collect()));
                out(Reply::Row(vec![Value::Null; all.len()]));
                out(Reply::Done(Some(2)));
            }
            ("rows", _) => {
                let count = rest.parse().unwrap();
                out(columns([("n".to_owned(), Type::Int), ("t".to_owned(), Type::NVarChar(Some(200)))].into_iter()));
                for n in 0..count {
                    if !out(Reply::Row(vec![Value::Int(n), Value::Text("x".repeat((n % 200) as usize))])) {
                        self.stopped.store(true, Ordering::Relaxed);
                        return;
                    }
                }
                out(Reply::Done(Some(count as u64)));
            }
            ("length", _) => text(out, rest.chars().count().to_string()),
            ("spid", _) => text(out, session.to_string()),
            ("errors", _) => {
                out(Reply::Error(message(3156, 16, "No se puede restaurar el archivo.")));
                out(Reply::Error(message(3013, 16, "RESTORE DATABASE is terminating abnormally.")));
                out(Reply::Done(None));
            }
            ("three", _) => {
                text(out, "1".to_owned());
                out(Reply::Error(message(208, 16, "Invalid object name 'x'.")));
                out(Reply::Done(None));
                out(Reply::Info(message(3211, 10, "10 percent processed.")));
                out(Reply::Done(None));
            }
            ("fatal", _) => {
                out(Reply::Error(message(824, 24, "SQL Server detected a logical consistency-based I/O error.")));
            }
            ("wrong", _) => {
                out(columns([("n".to_owned(), Type::Int)].into_iter()));
                out(Reply::Row(vec![Value::Text("no number".to_owned())]));
            }
            ("use", _) => {
                out(Reply::Database(rest.to_owned()));
                out(Reply::Done(None));
            }
            ("progress", _) => {
                for percent in (1..=rest.parse().unwrap()).map(|n: u32| n * 10) {
                    std::thread::sleep(Duration::from_millis(200));
                    if !out(Reply::Info(message(3211, 10, &format!("{percent} percent processed.")))) {
                        return;
                    }
                }
                out(Reply::Done(None));
            }
            ("wait", _) => {
                let until = Instant::now() + Duration::from_secs(20);
                while Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(10));
                    if !out(Reply::Nothing) {
                        self.stopped.store(true, Ordering::Relaxed);
                        return;
                    }
                }
            }
            ("killed", _) => {
                self.killed.lock().unwrap().insert(session);
            }
            ("nothing", _) => {}
            _ => {
                out(Reply::Done(None));
            }
        }
    }

    fn is_killed(&self, session: SessionId) -> bool {
        self.killed.lock().unwrap().contains(&session)
    }

    fn logout(&self, session: SessionId) {
        self.left.lock().unwrap().push(session);
    }

    fn product(&self) -> (String, [u16; 3]) {
        ("Microsoft SQL Server".to_owned(), [16, 0, 1000])
    }
}

/// A fake that serves on a port of its own until it is dropped.
pub struct Served {
    pub fake: Arc<Fake>,
    pub faults: Arc<Faults>,
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub fn new() -> Served {
        Served::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Served {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (fake, stop, faults) = (Arc::new(Fake::default()), Arc::new(AtomicBool::new(false)), Arc::new(Faults::default()));
        let (instance, flag) = (Arc::clone(&fake), Arc::clone(&stop));
        let settings = Settings { name: "CAJA1".to_owned(), faults: Arc::clone(&faults), ..settings };
        let thread = std::thread::spawn(move || serve_with(listener, instance, &flag, &settings).unwrap());
        Served { fake, faults, address, stop, thread: Some(thread) }
    }

    /// Waits until something is so; a test that waits for nothing fails.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Fake) -> bool) {
        let until = Instant::now() + Duration::from_secs(10);
        while !is_so(&self.fake) {
            assert!(Instant::now() < until, "{what}: not within 10 seconds");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the server ended with a panic");
        }
    }
}
