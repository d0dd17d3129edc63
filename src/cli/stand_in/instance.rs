//! The simulated SQL Server as a process of its own.

use std::sync::atomic::AtomicBool;

use super::{StandIn, Stop};

/// Serves until it is asked to close.
pub fn run(arguments: &StandIn, stop: &AtomicBool) -> Result<(), Stop> {
    let dir = arguments.dir.clone().ok_or_else(|| Stop::Broken("--dir is missing".to_owned()))?;
    let options = relevo_sim::Options {
        dir,
        port: arguments.port,
        name: "SIM".to_owned(),
        machine: arguments.machine.clone(),
        major: arguments.major,
        edition: arguments.edition.clone(),
        language: arguments.language.clone(),
        password: Some(arguments.password()?),
        ..relevo_sim::Options::default()
    };
    relevo_sim::run(&options, stop).map_err(|e| Stop::Broken(e.to_string()))
}
