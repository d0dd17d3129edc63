//! Where an instance is: `host`, `host\instance` (its port is asked of SQL Browser), or `host,port`.

use crate::error::{Failure, Result};
use crate::text;

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host name or IP address.
    pub host: String,
    /// How the port is known.
    pub port: Port,
}

/// How the port is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// It is given. The name of the instance, if any, is left out: asking the given port for it would go nowhere.
    Known(u16),
    /// SQL Browser on the host is asked for this instance.
    Instance(String),
}

/// The port of a default instance.
const DEFAULT_PORT: u16 = 1433;

impl Address {
    /// Reads one. Errors: `instance_address`.
    pub fn parse(words: &str) -> Result<Address> {
        let wrong = || {
            Failure::invalid(
                "instance_address",
                text!("«{words}» no es una instancia de SQL Server", "\"{words}\" is not an instance of SQL Server"),
            )
            .hint(text!("escriba EQUIPO\\INSTANCIA o EQUIPO,puerto", "write MACHINE\\INSTANCE or MACHINE,port"))
        };
        let words = words.trim();
        let (name, port) = match words.split_once(',') {
            Some((name, port)) => (name, Some(port.trim().parse::<u16>().ok().filter(|p| *p != 0).ok_or_else(wrong)?)),
            None => (words, None),
        };
        let (host, instance) = match name.split_once('\\') {
            Some((host, instance)) => (host, Some(instance.trim())),
            None => (name, None),
        };
        let host = match host.trim().strip_prefix("tcp:").unwrap_or(host.trim()) {
            "." | "(local)" => "127.0.0.1",
            host => host,
        };
        if host.is_empty() || host.contains(char::is_whitespace) || instance.is_some_and(str::is_empty) {
            return Err(wrong());
        }
        let port = match (port, instance) {
            (Some(port), _) => Port::Known(port),
            (None, Some(instance)) if !instance.eq_ignore_ascii_case("MSSQLSERVER") => Port::Instance(instance.to_owned()),
            (None, _) => Port::Known(DEFAULT_PORT),
        };
        Ok(Address { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        let known = |host: &str, port| Address { host: host.to_owned(), port: Port::Known(port) };
        let named = |host: &str, name: &str| Address { host: host.to_owned(), port: Port::Instance(name.to_owned()) };
        for (words, expected) in [
            ("SERVIDOR", known("SERVIDOR", 1433)),
            ("SERVIDOR\\SQLEXPRESS", named("SERVIDOR", "SQLEXPRESS")),
            ("SERVIDOR\\MSSQLSERVER", known("SERVIDOR", 1433)),
            ("SERVIDOR,14330", known("SERVIDOR", 14330)),
            (" SERVIDOR\\SQLEXPRESS , 50000 ", known("SERVIDOR", 50000)),
            ("tcp:10.0.0.7,1433", known("10.0.0.7", 1433)),
            (".\\SQLEXPRESS", named("127.0.0.1", "SQLEXPRESS")),
        ] {
            assert_eq!(Address::parse(words).unwrap(), expected, "{words}");
        }
        for words in ["", "\\SQLEXPRESS", "SERVIDOR\\", "SERVIDOR,0", "SERVIDOR,x", "MI SERVIDOR"] {
            assert_eq!(Address::parse(words).unwrap_err().kind, "instance_address", "{words}");
        }
    }
}
