//! A plain client, for what stands in for the vendor's programs in the demo and in tests: it sends any text. relevo itself sends only what
//! `statements` makes.

use std::time::Duration;

use serde_json::Value;
use tiberius::error::Error;
use tiberius::{AuthMethod, Config, EncryptionLevel, Query};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::connection::{listening, runtime};
use super::values;

/// How long anything may take: a till program that waits longer is closed by its cashier.
const WITHIN: Duration = Duration::from_secs(10);

/// A connection of a program.
pub struct Plain {
    client: tiberius::Client<Compat<TcpStream>>,
}

/// As whom, and where to.
pub struct Program<'a> {
    /// Its computer.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// SQL login.
    pub user: &'a str,
    /// Its password.
    pub password: &'a str,
    /// What the program calls itself.
    pub name: &'a str,
    /// Its computer, as it claims.
    pub machine: &'a str,
    /// Database that it opens.
    pub database: &'a str,
    /// Encrypted, without looking at the certificate.
    pub encrypted: bool,
}

type Outcome<T> = Result<T, Error>;

fn broken(why: &str) -> Error {
    Error::Io { kind: std::io::ErrorKind::TimedOut, message: why.to_owned() }
}

fn wait<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = runtime().map_err(|_| broken("no thread"))?;
    // What the server says is in the error; the client would log it as well.
    let (outcome, _) = listening(|| runtime.block_on(async { tokio::time::timeout(WITHIN, work).await }));
    outcome.unwrap_or_else(|_| Err(broken("too late")))
}

impl Plain {
    /// Connects.
    pub fn connect(program: &Program<'_>) -> Outcome<Plain> {
        let mut config = Config::new();
        config.host(program.host);
        config.port(program.port);
        config.database(program.database);
        config.application_name(program.name);
        config.client_name(program.machine);
        config.authentication(AuthMethod::sql_server(program.user, program.password));
        config.encryption(if program.encrypted { EncryptionLevel::Required } else { EncryptionLevel::NotSupported });
        config.trust_cert();
        config.command_timeout(Some(WITHIN));
        wait(async {
            let stream = TcpStream::connect((program.host, program.port)).await?;
            stream.set_nodelay(true)?;
            Ok(Plain { client: tiberius::Client::connect(config, stream.compat_write()).await? })
        })
    }

    /// Sends a batch; the rows of its last result set, by place.
    pub fn batch(&mut self, sql: &str) -> Outcome<Vec<Vec<Value>>> {
        let client = &mut self.client;
        let mut sets = wait(async { client.simple_query(sql).await?.into_results().await })?;
        let rows = sets.pop().unwrap_or_default();
        Ok(rows.iter().map(|row| row.cells().map(|(_, value)| values::json(value)).collect()).collect())
    }

    /// Runs a changing statement with parameters `@P1`…; rows changed.
    pub fn change(&mut self, sql: &str, params: &[Value]) -> Outcome<u64> {
        let mut query = Query::new(sql);
        for param in params {
            values::bind(&mut query, param).map_err(|failure| Error::Conversion(failure.kind.into()))?;
        }
        let client = &mut self.client;
        wait(async { query.execute(client).await.map(tiberius::ExecuteResult::total) })
    }
}
