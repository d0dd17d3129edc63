//! TLS inside of TDS, without sockets: bytes in, bytes out. During the handshake its records travel in PRELOGIN packets, afterwards
//! TDS packets travel in its records.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, ServerConnection};

use super::certificate::Certificate;

/// What all connections of a server share.
pub fn config(certificate: &Certificate) -> io::Result<Arc<ServerConfig>> {
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certificate.key().to_vec()));
    // TDS 7.4 knows TLS up to 1.2: after the handshake nothing of it may come that 1.3 would still send.
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(io::Error::other)?;
    // A session taken up again would let a client speak before the server's last word of the handshake.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

pub struct Tls(ServerConnection);

impl Tls {
    pub fn new(config: &Arc<ServerConfig>) -> io::Result<Tls> {
        Ok(Tls(ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?))
    }

    pub fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// What the client's bytes say. Fails where they are no TLS, or the client refuses the certificate.
    pub fn decrypt(&mut self, mut bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            self.0.read_tls(&mut bytes)?;
            let state = self.0.process_new_packets().map_err(io::Error::other)?;
            let start = plain.len();
            plain.resize(start + state.plaintext_bytes_to_read(), 0);
            self.0.reader().read_exact(&mut plain[start..])?;
        }
        Ok(plain)
    }

    /// Bytes that TLS itself wants to send.
    pub fn pending(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut out)?;
        }
        Ok(out)
    }

    pub fn encrypt(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        // What is written waits in a buffer with a limit.
        for piece in bytes.chunks(16 << 10) {
            self.0.writer().write_all(piece)?;
            out.extend(self.pending()?);
        }
        Ok(out)
    }

    /// The end, as TLS says it.
    pub fn end(&mut self) -> io::Result<Vec<u8>> {
        self.0.send_close_notify();
        self.pending()
    }
}
