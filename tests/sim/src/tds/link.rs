//! The bytes of one connection: TCP, and TLS inside of it where the client asked for it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::Duration;

use super::tls::Tls;

/// How long one look for bytes waits: also how soon a killed session or the end of the server is noticed.
const LOOK: Duration = Duration::from_millis(20);
/// A client that takes nothing for so long is gone.
const STUCK: Duration = Duration::from_secs(30);

/// What a look for bytes found.
#[derive(Debug, PartialEq, Eq)]
pub enum Looked {
    Bytes(Vec<u8>),
    Nothing,
    /// The client closed, or the network did.
    Gone,
}

pub struct Link {
    tcp: TcpStream,
    tls: Option<Tls>,
}

impl Link {
    pub fn new(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nonblocking(false)?; // on Windows the listener passes it on
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(LOOK))?;
        tcp.set_write_timeout(Some(STUCK))?;
        Ok(Link { tcp, tls: None })
    }

    pub fn peer(&self) -> io::Result<IpAddr> {
        Ok(self.tcp.peer_addr()?.ip())
    }

    /// From here on everything is encrypted, or nothing is any more.
    pub fn encrypt(&mut self, tls: Option<Tls>) {
        self.tls = tls;
    }

    /// Waits a moment for bytes.
    pub fn look(&mut self) -> Looked {
        let mut bytes = vec![0; 16 << 10];
        match self.tcp.read(&mut bytes) {
            Ok(0) => Looked::Gone,
            Ok(count) => {
                bytes.truncate(count);
                match self.tls.as_mut().map(|tls| tls.decrypt(&bytes)) {
                    None => Looked::Bytes(bytes),
                    Some(Ok(plain)) => Looked::Bytes(plain),
                    Some(Err(_)) => Looked::Gone,
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => Looked::Nothing,
            Err(_) => Looked::Gone,
        }
    }

    /// Looks without waiting, while a batch runs.
    pub fn glance(&mut self) -> Looked {
        if self.tcp.set_nonblocking(true).is_err() {
            return Looked::Gone;
        }
        let found = self.look();
        if self.tcp.set_nonblocking(false).is_err() { Looked::Gone } else { found }
    }

    /// Ends the connection so that the client still reads what was said last: bytes of it that nobody read would make it a reset.
    pub fn close(&mut self) {
        if let Some(Ok(bytes)) = self.tls.as_mut().map(Tls::end) {
            let _ = self.tcp.write_all(&bytes);
        }
        let _ = self.tcp.shutdown(Shutdown::Write);
        for _ in 0..10 {
            if self.look() == Looked::Gone {
                return;
            }
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.tcp.write_all(bytes),
            Some(tls) => self.tcp.write_all(&tls.encrypt(bytes)?),
        }
    }
}
