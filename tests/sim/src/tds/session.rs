//! One connection: login, then request and answer until one side ends it.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::answer::{After, Answer};
use super::bytes::Malformed;
use super::faults::Trouble;
use super::link::{Link, Looked};
use super::login::{self, Asked, encryption};
use super::packet::{self, Inbox, Outbox, Request};
use super::request::{self, Transaction, Unusable};
use super::tls::Tls;
use super::tokens::{self, End, Surrounding, status};
use super::{Encryption, Server};
use crate::wire::{Batch, LoggedIn, Login, Message, Reply, SessionId};

/// A connection that does not log in does not stay.
const LOGIN_TIME: Duration = Duration::from_secs(15);
/// How often a running batch looks for an ATTENTION.
const GLANCE: Duration = Duration::from_millis(5);

/// Why a connection ends without more ado; the client sees it close.
pub enum Ended {
    Gone,
    Stopped,
    Killed,
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Ended::Gone // writing to a client that left is no failure of the server
    }
}

/// Why a batch did not reach its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Gone,
    Attention,
    Fatal,
}

/// A login that is rolled back and forgotten when its connection ends, however it ends.
struct Open<'a> {
    server: &'a Server<'a>,
    id: SessionId,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.server.instance.logout(self.id);
    }
}

pub struct Session<'a> {
    server: &'a Server<'a>,
    link: Link,
    inbox: Inbox,
    outbox: Outbox,
    login: Login,
    open: Option<Open<'a>>,
    database: String,
    is_spanish: bool,
    /// Of the transaction that the client began by the transaction manager.
    mark: u64,
    /// Packets that may still go out (see [`Trouble::CutAfter`]).
    budget: Option<usize>,
    stop: Option<Stop>,
    glanced: Instant,
}

impl<'a> Session<'a> {
    pub fn new(server: &'a Server<'a>, link: Link) -> Self {
        Session {
            server,
            link,
            inbox: Inbox::default(),
            outbox: Outbox::new(),
            login: Login::default(),
            open: None,
            database: String::new(),
            is_spanish: false,
            mark: 0,
            budget: None,
            stop: None,
            glanced: Instant::now(),
        }
    }

    /// Serves until the end of the connection.
    pub fn run(mut self) {
        match self.log_in().and_then(|is_in| if is_in { self.serve() } else { Ok(()) }) {
            Ok(()) => self.link.close(),
            Err(Ended::Killed) => {
                let _ = self.fatal(&killed());
            }
            Err(Ended::Gone | Ended::Stopped) => {}
        }
    }

    /// The next request.
    fn wait(&mut self, until: Option<Instant>) -> Result<Result<Request, Malformed>, Ended> {
        loop {
            match self.inbox.next() {
                Ok(Some(request)) => return Ok(Ok(request)),
                Ok(None) => {}
                Err(malformed) => return Ok(Err(malformed)),
            }
            if self.server.stop.load(Ordering::Relaxed) || until.is_some_and(|until| Instant::now() > until) {
                return Err(Ended::Stopped);
            }
            if self.open.as_ref().is_some_and(|open| self.server.instance.is_killed(open.id)) {
                return Err(Ended::Killed);
            }
            match self.link.look() {
                Looked::Bytes(bytes) => self.inbox.push(&bytes),
                Looked::Nothing => {}
                Looked::Gone => return Err(Ended::Gone),
            }
        }
    }

    /// PRELOGIN and LOGIN7. `false`: refused, and said so.
    fn log_in(&mut self) -> Result<bool, Ended> {
        let until = Some(Instant::now() + LOGIN_TIME);
        let hello = self.wait(until)?;
        let Ok(Request { kind: packet::PRELOGIN, data, .. }) = hello else { return Err(Ended::Gone) };
        let wanted = login::wanted_encryption(&data).map_err(|_| Ended::Gone)?;
        let encryption = agreed(self.server.settings.encryption, wanted);
        let (name, version) = self.server.instance.product();
        self.outbox.tokens().extend(login::prelogin_answer(version, encryption));
        self.finish()?;
        if encryption != encryption::NOT_SUPPORTED {
            self.shake_hands(until)?;
        }
        let asked = match self.wait(until)? {
            Ok(Request { kind: packet::LOGIN7, data, .. }) => Asked::read(&data).map_err(|_| Ended::Gone)?,
            _ => return Err(Ended::Gone),
        };
        if encryption == encryption::OFF {
            self.link.encrypt(None); // the login only
        }
        if asked.tds_version < login::OLDEST_VERSION {
            self.fatal(&error(17_829, 20, "The simulator speaks TDS 7.3 and 7.4."))?;
            return Ok(false);
        }
        self.login = Login { address: self.link.peer()?.to_string(), ..asked.login.clone() };
        let opened = match asked.integrated {
            true => Err(vec![error(
                18_452,
                14,
                "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.",
            )]),
            false => self.server.instance.login(&self.login),
        };
        match opened {
            Ok(opened) => {
                self.begin(&opened);
                self.welcome(&asked, &opened, &name, version)?;
                Ok(true)
            }
            Err(messages) => {
                self.refuse(&messages)?;
                Ok(false)
            }
        }
    }

    /// TLS, its records in PRELOGIN packets.
    fn shake_hands(&mut self, until: Option<Instant>) -> Result<(), Ended> {
        let mut tls = Tls::new(&self.server.tls)?;
        while tls.is_handshaking() {
            let Ok(Request { kind: packet::PRELOGIN, data, .. }) = self.wait(until)? else { return Err(Ended::Gone) };
            let read = tls.decrypt(&data);
            let bytes = tls.pending()?;
            if !bytes.is_empty() {
                let frame = self.outbox.frame(packet::PRELOGIN, &bytes);
                self.send(&frame)?;
            }
            read?; // after the alert that says why
        }
        self.link.encrypt(Some(tls));
        Ok(())
    }

    fn begin(&mut self, opened: &LoggedIn) {
        self.open = Some(Open { server: self.server, id: opened.session });
        self.outbox.session = opened.session;
        self.database.clone_from(&opened.database);
        self.is_spanish = opened.language.to_lowercase().starts_with("espa");
    }

    fn welcome(&mut self, asked: &Asked, opened: &LoggedIn, name: &str, version: [u16; 3]) -> Result<(), Ended> {
        let (size, server) = (asked.agreed_size(), &self.server.settings.name);
        let database = self.database_message(&opened.database, 2);
        let language = match self.is_spanish {
            true => format!("Se cambió la configuración de idioma a {}.", opened.language),
            false => format!("Changed language setting to {}.", opened.language),
        };
        let out = self.outbox.tokens();
        tokens::changed(out, Surrounding::Database, &opened.database, "master");
        tokens::message(out, server, &database, false);
        tokens::collation(out);
        tokens::changed(out, Surrounding::Language, &opened.language, "");
        tokens::message(out, server, &error(5703, 0, &language), false);
        tokens::login_ack(out, asked.tds_version.min(login::NEWEST_VERSION), name, version);
        tokens::changed(out, Surrounding::PacketSize, &size.to_string(), &packet::DEFAULT_SIZE.to_string());
        tokens::done(out, End::Done, 0, false, 0);
        self.finish()?;
        self.outbox.size = size;
        Ok(())
    }

    fn refuse(&mut self, messages: &[Message]) -> Result<(), Ended> {
        let mut answer = Answer::new(&self.server.settings.name, false);
        for message in messages {
            answer.error(self.outbox.tokens(), message);
        }
        answer.end(self.outbox.tokens());
        self.finish()
    }

    fn serve(&mut self) -> Result<(), Ended> {
        loop {
            let request = match self.wait(None)? {
                Ok(request) => request,
                Err(malformed) => return self.fatal(&nonsense(malformed)),
            };
            if request.reset {
                self.reset()?;
            }
            let (is_call, read) = match request.kind {
                packet::BATCH => (false, request::batch(&request.data).map(|batch| (vec![], batch))),
                packet::RPC => (true, request::call(&request.data).map(|batch| (vec![], batch))),
                packet::TRANSACTION => (false, request::transaction(&request.data)),
                packet::ATTENTION => {
                    // The batch had ended already; the client waits for its confirmation all the same.
                    tokens::done(self.outbox.tokens(), End::Done, status::ATTENTION, false, 0);
                    self.finish()?;
                    continue;
                }
                _ => return self.fatal(&nonsense(Malformed("kind of a request"))),
            };
            match read {
                Ok((transactions, batch)) => {
                    if !self.answer(is_call, &batch, &transactions)? {
                        return Ok(());
                    }
                }
                Err(Unusable::Refused(message)) => {
                    let mut answer = Answer::new(&self.server.settings.name, is_call);
                    answer.error(self.outbox.tokens(), &message);
                    answer.before_end(self.outbox.tokens(), std::iter::empty());
                    answer.end(self.outbox.tokens());
                    self.finish()?;
                }
                Err(Unusable::Malformed(malformed)) => return self.fatal(&nonsense(malformed)),
            }
        }
    }

    /// Runs a batch. `false`: the connection ends with its answer.
    fn answer(&mut self, is_call: bool, batch: &Batch, transactions: &[Transaction]) -> Result<bool, Ended> {
        let Some(id) = self.open.as_ref().map(|open| open.id) else { return Err(Ended::Gone) };
        let trouble = self.server.settings.faults.take(&batch.sql);
        self.budget = None;
        match trouble {
            Some(Trouble::LostRequest) => return Err(Ended::Gone),
            Some(Trouble::Delay(time)) => std::thread::sleep(time),
            Some(Trouble::CutAfter(packets)) => self.budget = Some(packets),
            Some(Trouble::LostEnd) | None => {}
        }
        let server = self.server;
        let mut answer = Answer::new(&server.settings.name, is_call);
        self.stop = None;
        server.instance.batch(id, batch, &mut |reply| self.reply(&mut answer, reply));
        match self.stop {
            None if server.instance.is_killed(id) => return Err(Ended::Killed),
            None => {}
            Some(Stop::Gone) => return Err(Ended::Gone),
            Some(Stop::Fatal) => {
                self.finish()?;
                return Ok(false);
            }
            Some(Stop::Attention) => {
                answer.stop(self.outbox.tokens());
                self.finish()?;
                return Ok(true);
            }
        }
        let mut mark = self.mark;
        let marks: Vec<_> = transactions
            .iter()
            .map(|what| {
                mark += u64::from(*what == Transaction::Began);
                (*what, mark)
            })
            .collect();
        self.mark = mark;
        answer.before_end(self.outbox.tokens(), marks.into_iter());
        if trouble == Some(Trouble::LostEnd) {
            let bytes = self.outbox.flush();
            self.send(&bytes)?;
            return Err(Ended::Gone);
        }
        answer.end(self.outbox.tokens());
        self.finish()?;
        Ok(true)
    }

    /// One piece of an answer. `false`: the batch is to end.
    fn reply(&mut self, answer: &mut Answer<'_>, reply: Reply) -> bool {
        if self.stop.is_some() {
            return false;
        }
        let out = self.outbox.tokens();
        let pushed = match reply {
            Reply::Database(name) => {
                let message = database_message(&name, 1, self.is_spanish);
                answer.database(out, &name, &self.database, &message);
                self.database = name;
                Ok(After::Continue)
            }
            reply => answer.push(out, reply),
        };
        // A bug of the instance, and nothing that a client could make: loud, and at once.
        let after = pushed.unwrap_or_else(|why| answer.error(out, &error(50_000, 20, &format!("simulator: {why}"))));
        let bytes = if after == After::Flush { self.outbox.flush() } else { self.outbox.full() };
        if self.send(&bytes).is_err() {
            self.stop = Some(Stop::Gone);
        } else if after == After::Close {
            self.stop = Some(Stop::Fatal);
        } else if after == After::Flush || self.glanced.elapsed() > GLANCE {
            self.glance();
        }
        self.stop.is_none()
    }

    /// Did the client say something while its batch runs?
    fn glance(&mut self) {
        self.glanced = Instant::now();
        if self.server.stop.load(Ordering::Relaxed) {
            self.stop = Some(Stop::Gone);
        }
        match self.link.glance() {
            Looked::Bytes(bytes) => self.inbox.push(&bytes),
            Looked::Nothing => {}
            Looked::Gone => self.stop = Some(Stop::Gone),
        }
        match self.inbox.next() {
            Ok(None) => {}
            Ok(Some(Request { kind: packet::ATTENTION, .. })) => self.stop = Some(Stop::Attention),
            // Without MARS nobody asks again before the answer.
            Ok(Some(_)) | Err(_) => self.stop = Some(Stop::Gone),
        }
    }

    /// RESETCONNECTION: the login begins anew. Unlike the real server's, the session gets another number.
    fn reset(&mut self) -> Result<(), Ended> {
        self.open = None;
        let opened = self.server.instance.login(&self.login).map_err(|_| Ended::Gone)?;
        self.begin(&opened);
        tokens::reset(self.outbox.tokens());
        Ok(())
    }

    /// Says why, and ends the connection.
    fn fatal(&mut self, message: &Message) -> Result<(), Ended> {
        Answer::new(&self.server.settings.name, false).error(self.outbox.tokens(), message);
        self.finish()?;
        self.link.close();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Ended> {
        let bytes = self.outbox.finish();
        self.send(&bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Some(left) = &mut self.budget {
                *left = left.checked_sub(1).ok_or(Ended::Gone)?;
            }
            let packet = if self.budget.is_some() { self.outbox.size.min(rest.len()) } else { rest.len() };
            self.link.send(&rest[..packet])?;
            rest = &rest[packet..];
        }
        Ok(())
    }

    fn database_message(&self, name: &str, state: u8) -> Message {
        Message { state, ..database_message(name, state, self.is_spanish) }
    }
}

/// What the server answers to the encryption that a client wants.
fn agreed(server: Encryption, wanted: u8) -> u8 {
    match (server, wanted) {
        (Encryption::Missing, _) | (Encryption::Offered, encryption::NOT_SUPPORTED) => encryption::NOT_SUPPORTED,
        (Encryption::Offered, encryption::OFF) => encryption::OFF,
        (Encryption::Forced, encryption::OFF | encryption::NOT_SUPPORTED) => encryption::REQUIRED,
        (Encryption::Offered | Encryption::Forced, _) => encryption::ON,
    }
}

fn database_message(name: &str, state: u8, is_spanish: bool) -> Message {
    let text = match is_spanish {
        true => format!("Se cambió el contexto de la base de datos a '{name}'."),
        false => format!("Changed database context to '{name}'."),
    };
    Message { state, ..error(5701, 0, &text) }
}

fn killed() -> Message {
    error(596, 21, "Cannot continue the execution because the session is in the kill state.")
}

fn nonsense(what: Malformed) -> Message {
    let text = format!(
        "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly ({}).",
        what.0
    );
    error(4002, 20, &text)
}

fn error(number: u32, class: u8, text: &str) -> Message {
    Message { number, state: 1, class, text: text.to_owned(), line: 1 }
}
