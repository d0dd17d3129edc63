//! SQL Server Browser: on which port does a named instance listen? (SSRP over UDP; the real one has port 1434.)

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An instance that the browser tells of.
#[derive(Clone, Debug)]
pub struct Announced {
    /// Name of the computer.
    pub server: String,
    /// Name of the instance; clients may write it in any case.
    pub instance: String,
    /// Its version, as `16.0.1000.6`.
    pub version: String,
    /// Its TCP port.
    pub port: u16,
}

/// Answers who asks for one of `instances` by name (CLNT_UCAST_INST), until `stop`. Other questions get no answer, like a name that
/// nobody has. Fails where the socket does.
pub fn browse(socket: &UdpSocket, instances: &[Announced], stop: &AtomicBool) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut question = [0; 1024];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut question) {
            Ok((length, client)) => {
                if let Some(answer) = answer(&question[..length], instances) {
                    socket.send_to(&answer, client)?;
                }
            }
            // On Windows a client that left shows as a reset.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::ConnectionReset
                ) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn answer(question: &[u8], instances: &[Announced]) -> Option<Vec<u8>> {
    const BY_NAME: u8 = 0x04;
    const ANSWER: u8 = 0x05;
    let name = question.strip_prefix(&[BY_NAME])?;
    // The name ends with a NUL, which some clients forget.
    let name = super::bytes::from_code_page(name.strip_suffix(&[0]).unwrap_or(name));
    let found = instances.iter().find(|instance| instance.instance.eq_ignore_ascii_case(&name))?;
    let text = format!(
        "ServerName;{};InstanceName;{};IsClustered;No;Version;{};tcp;{};;",
        found.server, found.instance, found.version, found.port
    );
    let text = super::bytes::to_code_page(&text);
    Some([&[ANSWER], &(text.len() as u16).to_le_bytes()[..], &text].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_found_by_its_name_only() {
        let known =
            [Announced { server: "CAJA1".into(), instance: "SQLEXPRESS".into(), version: "16.0.1000.6".into(), port: 50_123 }];
        let text = b"ServerName;CAJA1;InstanceName;SQLEXPRESS;IsClustered;No;Version;16.0.1000.6;tcp;50123;;";
        let expected = [&[5, text.len() as u8, 0], &text[..]].concat();
        for question in [&b"\x04sqlexpress\0"[..], b"\x04SqlExpress"] {
            assert_eq!(answer(question, &known), Some(expected.clone()));
        }
        for question in [&b"\x04OTRA\0"[..], b"\x02", b"\x03", b"", b"SQLEXPRESS"] {
            assert_eq!(answer(question, &known), None);
        }
    }
}
