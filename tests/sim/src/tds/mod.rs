//! TDS 7.4, the protocol of SQL Server, from the server's side: one thread a connection, one request at a time (no MARS).
//!
//! Spoken: PRELOGIN with TLS inside, LOGIN7 with a SQL login, batches, `sp_executesql`, requests of the transaction manager, ATTENTION,
//! RESETCONNECTION. Everything else ends the connection or gets an error: stricter than the real one. The instance behind it is a
//! [`Instance`]; a reply of it that does not fit its columns ends the connection with an error that says so.

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;

use crate::wire::Instance;

pub use browser::{Announced, browse};
pub use certificate::Certificate;
pub use faults::{Faults, Trouble};

mod answer;
mod browser;
mod bytes;
mod certificate;
mod faults;
mod link;
mod login;
mod packet;
mod parameter;
mod request;
mod session;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod types;

/// How a server speaks.
#[derive(Debug)]
pub struct Settings {
    /// Name that its messages carry.
    pub name: String,
    /// Whether it encrypts.
    pub encryption: Encryption,
    /// What it shows to clients that encrypt; `None`: one made at start.
    pub certificate: Option<Arc<Certificate>>,
    /// Trouble on the wire that a test ordered.
    pub faults: Arc<Faults>,
}

/// Whether a server encrypts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// It cannot: who insists does not get in.
    Missing,
    /// As the client wants, like a SQL Server as it comes: everything, the login only, or nothing.
    #[default]
    Offered,
    /// Always: who cannot does not get in ("Force Encryption").
    Forced,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { name: "SQLSIM".to_owned(), encryption: Encryption::default(), certificate: None, faults: Arc::default() }
    }
}

struct Server<'a> {
    instance: &'a dyn Instance,
    settings: &'a Settings,
    tls: Arc<ServerConfig>,
    stop: &'a AtomicBool,
}

/// Serves an instance until `stop`; ends when its connections have ended. Fails where the listener does.
pub fn serve(listener: TcpListener, instance: Arc<dyn Instance>, stop: &AtomicBool) -> io::Result<()> {
    serve_with(listener, instance, stop, &Settings::default())
}

/// Like [`serve`], with settings.
pub fn serve_with(listener: TcpListener, instance: Arc<dyn Instance>, stop: &AtomicBool, settings: &Settings) -> io::Result<()> {
    const ACCEPT: Duration = Duration::from_millis(5);
    listener.set_nonblocking(true)?;
    let tls = match &settings.certificate {
        Some(certificate) => tls::config(certificate)?,
        None => tls::config(&Certificate::new()?)?,
    };
    let server = Server { instance: &*instance, settings, tls, stop };
    thread::scope(|scope| {
        while !stop.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((tcp, _)) => {
                    if let Ok(link) = link::Link::new(tcp) {
                        scope.spawn(|| session::Session::new(&server, link).run());
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(ACCEPT),
                // A client that left before it was accepted.
                Err(e)
                    if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted) => {
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    })
}
