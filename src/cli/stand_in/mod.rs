//! What stands in for the vendor's programs in the demo and in tests. SvrPdv is there as long as it serves; PosPdv sells: it opens BDPdv
//! itself, as the real one does, and takes every ticket in one transaction. On SQL Server they are programs with a session of their own.
//! Also the simulated SQL Server itself, as a process.

mod embedded;
#[cfg(feature = "sim")]
mod instance;
mod sqlserver;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::error::Exit;
use crate::world::{self, World};

/// Arguments of `relevo stand-in`.
#[derive(Args)]
pub struct StandIn {
    /// Which program
    program: Which,
    /// PosPdv: file that acknowledged tickets are noted in
    #[arg(long)]
    acknowledged: Option<PathBuf>,
    /// PosPdv: pause between tickets, milliseconds
    #[arg(long, default_value_t = 10)]
    pause: u64,
    /// PosPdv: end when this file appears, as when its cashier closes it
    #[arg(long)]
    until: Option<PathBuf>,
    /// PosPdv: end after so many tickets
    #[arg(long)]
    tickets: Option<u64>,
    /// SQL Server: an instance and its port on this computer, as often as there are instances
    #[arg(long, value_name = "INSTANCE=PORT")]
    server: Vec<String>,
    /// SQL Server: file with the password of its logins
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// The simulated SQL Server: its folder
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The simulated SQL Server: its port on 127.0.0.1 (0: any, written to `port` in its folder)
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The simulated SQL Server: name of its computer
    #[arg(long, default_value = "SERVIDOR")]
    machine: String,
    /// The simulated SQL Server: 13 (2016) to 17 (2025)
    #[arg(long, default_value_t = 15)]
    major: u16,
    /// The simulated SQL Server: edition
    #[arg(long, default_value = "Express")]
    edition: String,
    /// The simulated SQL Server: language of its logins
    #[arg(long, default_value = "us_english")]
    language: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Svrpdv,
    Pospdv,
    /// An instance of the simulated SQL Server
    #[cfg(feature = "sim")]
    Sqlserver,
}

/// Why a till program stops selling.
enum Stop {
    /// The server is gone, or it is not the holder any more: wait until told.
    NotServing,
    /// Anything else.
    Broken(String),
}

/// Runs it; the exit code.
pub fn main(arguments: &StandIn, world: &Arc<dyn World>) -> u8 {
    let stop = Arc::new(AtomicBool::new(false));
    if world::on_interrupt(stop.clone()).is_err() {
        return Exit::Failed.code();
    }
    let outcome = run(arguments, &stop, world.as_ref());
    match outcome {
        Ok(()) => Exit::Ok.code(),
        Err(Stop::NotServing) => Exit::Refused.code(),
        Err(Stop::Broken(why)) => complain(&why),
    }
}

fn run(arguments: &StandIn, stop: &Arc<AtomicBool>, world: &dyn World) -> Result<(), Stop> {
    if arguments.program == Which::Svrpdv || arguments.program == Which::Pospdv {
        let instance = PathBuf::from(variable("RELEVO_INSTANCE")?);
        return match (arguments.program == Which::Svrpdv, arguments.server.is_empty()) {
            (true, true) => embedded::serve(&instance, stop, world),
            (false, true) => embedded::sell(&instance, arguments, stop, world),
            (true, false) => sqlserver::serve(arguments, stop),
            (false, false) => sqlserver::sell(arguments, stop, world),
        };
    }
    #[cfg(feature = "sim")]
    return instance::run(arguments, stop);
    #[cfg(not(feature = "sim"))]
    Ok(())
}

fn variable(name: &str) -> Result<String, Stop> {
    std::env::var(name).map_err(|_| Stop::Broken(format!("{name} is not set")))
}

impl StandIn {
    /// Its cashier closed it.
    fn is_closed(&self) -> bool {
        self.until.as_ref().is_some_and(|file| file.exists())
    }

    fn password(&self) -> Result<String, Stop> {
        let file = self.password_file.as_ref().ok_or_else(|| Stop::Broken("--password-file is missing".to_owned()))?;
        std::fs::read_to_string(file).map(|words| words.trim().to_owned()).map_err(|e| Stop::Broken(e.to_string()))
    }
}

/// A ticket is acknowledged once it is written down, after its COMMIT returned.
fn acknowledge(arguments: &StandIn, folio: i64, till: &str, epoch: i64, side: &str) -> Result<(), Stop> {
    let Some(file) = &arguments.acknowledged else { return Ok(()) };
    let line = format!("{}\n", json!({ "folio": folio, "till": till, "epoch": epoch, "server": side }));
    append(file, &line).map_err(|e| Stop::Broken(e.to_string()))
}

fn complain(why: &str) -> u8 {
    let _ = writeln!(std::io::stderr(), "stand-in: {why}");
    Exit::Failed.code()
}

/// Acknowledged = written down and on the disk, after COMMIT returned.
fn append(file: &Path, line: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}
