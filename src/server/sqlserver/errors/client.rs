//! Errors that arise on this side of the wire, before or instead of an answer of the server.

use super::clean;
use crate::error::{Failure, Retry};
use crate::text;

/// What went wrong without the server saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Nobody listens there.
    Refused,
    /// The computer or its name is not found, or does not answer.
    Unreachable,
    /// Connecting took too long.
    ConnectTimeout,
    /// The server did not answer in time; it may still be working.
    AnswerTimeout,
    /// The connection was cut.
    Lost,
    /// Encryption could not be agreed on, or the certificate is not trusted.
    Tls,
    /// SQL Server Browser did not say where the instance is.
    Browser,
    /// The kind of login does not work from this machine.
    Login,
    /// The answer could not be understood.
    Protocol,
}

impl Client {
    /// Every case.
    pub const ALL: [Client; 9] = [
        Client::Refused,
        Client::Unreachable,
        Client::ConnectTimeout,
        Client::AnswerTimeout,
        Client::Lost,
        Client::Tls,
        Client::Browser,
        Client::Login,
        Client::Protocol,
    ];

    /// The case of an operating-system error. `connecting`: before the connection stood.
    pub fn of_io(kind: std::io::ErrorKind, connecting: bool) -> Client {
        use std::io::ErrorKind as K;
        match kind {
            K::ConnectionRefused => Client::Refused,
            K::TimedOut | K::WouldBlock if connecting => Client::ConnectTimeout,
            K::TimedOut | K::WouldBlock => Client::AnswerTimeout,
            K::InvalidData | K::InvalidInput => Client::Protocol,
            _ if connecting => Client::Unreachable,
            _ => Client::Lost,
        }
    }

    /// May the same work succeed later without anybody changing anything?
    pub fn retry(self) -> Retry {
        match self {
            Client::Refused
            | Client::Unreachable
            | Client::ConnectTimeout
            | Client::AnswerTimeout
            | Client::Lost
            | Client::Browser => Retry::Temporary,
            Client::Tls | Client::Login | Client::Protocol => Retry::Permanent,
        }
    }

    /// A failure for people. `server` is the instance as relevo.toml names it; `why` the words of the library, never a password.
    pub fn failure(self, server: &str, why: &str) -> Failure {
        let (kind, message, hint) = match self {
            Client::Refused => (
                "sql_connection_refused",
                text!("{server} no acepta conexiones", "{server} accepts no connections"),
                text!(
                    "arranque el servicio de SQL Server; habilite TCP con un puerto fijo y ábralo en el cortafuegos",
                    "start the service of SQL Server; enable TCP with a fixed port and open it in the firewall"
                ),
            ),
            Client::Unreachable => (
                "sql_unreachable",
                text!("no se llega a {server}", "{server} cannot be reached"),
                text!(
                    "revise que la computadora esté encendida, la red y el nombre en relevo.toml",
                    "check that the computer is on, the network and the name in relevo.toml"
                ),
            ),
            Client::ConnectTimeout => (
                "sql_connect_timeout",
                text!("{server} no contesta", "{server} does not answer"),
                text!(
                    "revise la red, el cortafuegos y el puerto de la instancia",
                    "check the network, the firewall and the port of the instance"
                ),
            ),
            Client::AnswerTimeout => (
                "sql_answer_timeout",
                text!("{server} no contestó a tiempo", "{server} did not answer in time"),
                text!(
                    "puede seguir trabajando en ello; relevo status dice cómo quedó",
                    "it may still be working on it; relevo status says how it stands"
                ),
            ),
            Client::Lost => (
                "sql_connection_lost",
                text!("se cortó la conexión con {server}", "the connection to {server} was cut"),
                text!(
                    "revise la red y que el servicio de SQL Server esté en marcha",
                    "check the network and that the service of SQL Server runs"
                ),
            ),
            Client::Tls => (
                "sql_tls",
                text!("no se pudo cifrar la conexión con {server}", "the connection to {server} could not be encrypted"),
                text!(
                    "Express trae un certificado propio: diga en relevo.toml que se confía en él, o instale uno de confianza",
                    "Express brings a certificate of its own: say in relevo.toml that it is trusted, or install a trusted one"
                ),
            ),
            Client::Browser => (
                "sql_browser",
                text!("SQL Server Browser no dijo dónde está {server}", "SQL Server Browser did not say where {server} is"),
                text!(
                    "arranque el servicio SQL Server Browser, o dé el puerto en relevo.toml",
                    "start the service SQL Server Browser, or give the port in relevo.toml"
                ),
            ),
            Client::Login => (
                "sql_login_kind",
                text!("ese tipo de inicio de sesión no sirve para {server}", "that kind of login does not work with {server}"),
                text!("use un inicio de sesión de SQL Server", "use a login of SQL Server"),
            ),
            Client::Protocol => (
                "sql_protocol",
                text!("no se entiende lo que contesta {server}", "what {server} answers is not understood"),
                text!("revise que sea un SQL Server 2016 o posterior", "check that it is a SQL Server 2016 or later"),
            ),
        };
        Failure::failed(kind, message).hint(hint).retry(self.retry()).cause(clean(why))
    }
}
