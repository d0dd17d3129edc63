//! The programs of a shop whose servers are SQL Server: each has a session in BDPdv under its own name, as the vendor's have.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tiberius::error::Error;

use super::{StandIn, Stop, acknowledge, variable};
use crate::server::sqlserver::plain::{Plain, Program};
use crate::world::World;

/// How often SvrPdv looks whether it still has its server.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The server may say these to a program whose database was closed, or whose turn it is not.
const NOT_SERVING: [u32; 12] = [596, 911, 922, 923, 924, 927, 942, 952, 4060, 5064, 6005, 3906];

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match &error {
            Error::Io { .. } | Error::Protocol(_) => Stop::NotServing,
            Error::Server(said) if said.class() >= 20 || NOT_SERVING.contains(&said.code()) => Stop::NotServing,
            _ => Stop::Broken(error.to_string()),
        }
    }
}

fn connect(arguments: &StandIn, name: &str) -> Result<Plain, Stop> {
    let (instance, database) = (variable("RELEVO_INSTANCE")?, variable("RELEVO_DATABASE")?);
    let machine = variable("RELEVO_MACHINE")?;
    let port = arguments.server.iter().filter_map(|words| words.rsplit_once('=')).find(|(known, _)| *known == instance);
    let port = port.and_then(|(_, port)| port.parse().ok());
    let port = port.ok_or_else(|| Stop::Broken(format!("--server does not name {instance}")))?;
    let password = arguments.password()?;
    let program = Program {
        host: "127.0.0.1",
        port,
        user: "sa",
        password: &password,
        name,
        machine: &machine,
        database: &database,
        encrypted: false,
    };
    Ok(Plain::connect(&program)?)
}

/// SvrPdv: its session is what says that it serves.
pub fn serve(arguments: &StandIn, stop: &AtomicBool) -> Result<(), Stop> {
    let mut session = connect(arguments, "SvrPdv")?;
    while !stop.load(Ordering::SeqCst) {
        session.batch("SELECT 1")?;
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// PosPdv: sells until it is asked to close or the server is gone.
pub fn sell(arguments: &StandIn, stop: &AtomicBool, world: &dyn World) -> Result<(), Stop> {
    let (till, side) = (variable("RELEVO_MACHINE")?, variable("RELEVO_SERVER")?);
    let known: i64 = variable("RELEVO_EPOCH")?.parse().map_err(|_| Stop::Broken("RELEVO_EPOCH is not a number".to_owned()))?;
    let mut session = connect(arguments, "PosPdv")?;
    // Before the first mirror there is no such table; another till may make it at the same moment.
    let made = session.batch("IF OBJECT_ID(N'dbo.relevo_folio') IS NULL CREATE TABLE dbo.relevo_folio ([next] bigint NOT NULL)");
    if let Err(Error::Server(said)) = &made
        && said.code() != 2714
    {
        made?;
    }
    session.batch("IF NOT EXISTS (SELECT 1 FROM dbo.relevo_folio) INSERT INTO dbo.relevo_folio ([next]) VALUES (1)")?;
    let mut sold = 0;
    while !stop.load(Ordering::SeqCst) && !arguments.is_closed() && arguments.tickets.is_none_or(|most| sold < most) {
        let at = world.now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let (folio, epoch) = ticket(&mut session, &till, &side, known, &at)?;
        acknowledge(arguments, folio, &till, epoch, &side)?;
        sold += 1;
        std::thread::sleep(Duration::from_millis(arguments.pause));
    }
    Ok(())
}

/// One ticket in one transaction: the server must be alive, the holder and not older than what this till knows.
fn ticket(session: &mut Plain, till: &str, side: &str, known: i64, at: &str) -> Result<(i64, i64), Stop> {
    session.batch("SET XACT_ABORT ON; BEGIN TRANSACTION")?;
    // The row of the next folio is the gate: whoever holds it sells.
    let next = session.batch("SELECT MAX([next]) FROM dbo.relevo_folio WITH (UPDLOCK, HOLDLOCK)")?;
    let said = session.batch(
        "SELECT CAST(value AS nvarchar(4000)) FROM sys.extended_properties WHERE class=0 AND major_id=0 AND name=N'relevo_epoch'",
    )?;
    let record: Value =
        first(&said).and_then(Value::as_str).and_then(|words| serde_json::from_str(words).ok()).unwrap_or_default();
    let epoch = record["epoch"].as_i64().unwrap_or(1);
    let holder = record["holder"].as_str().unwrap_or("main");
    let awaiting = record["awaiting_start"].as_bool().unwrap_or(false);
    let served = session.batch("SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE program_name=N'SvrPdv'")?;
    if number(&served) == 0 || awaiting || epoch < known || holder != side {
        return Err(Stop::NotServing);
    }
    let last = session.batch("SELECT COALESCE(MAX(Folio), 0) FROM dbo.Ventas")?;
    let folio = number(&next).max(number(&last) + 1);
    let total = (folio * 37 % 50_000) as f64 / 100.0;
    let values = [folio.into(), till.into(), at.into(), total.into(), epoch.into()];
    session.change("INSERT INTO dbo.Ventas (Folio, Caja, Fecha, Total, Epoca) VALUES (@P1, @P2, @P3, @P4, @P5)", &values)?;
    session.change("UPDATE dbo.relevo_folio SET [next]=@P1", &[(folio + 1).into()])?;
    session.batch("COMMIT TRANSACTION")?;
    Ok((folio, epoch))
}

fn first(rows: &[Vec<Value>]) -> Option<&Value> {
    rows.first()?.first()
}

fn number(rows: &[Vec<Value>]) -> i64 {
    first(rows).and_then(Value::as_i64).unwrap_or(0)
}
