//! The command line: one file per command, named as the command. Everything a person sees goes through output.rs.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::Exit;
use crate::model::Program;
use crate::model::Role;
use crate::text::Lang;
use crate::world::{self, World};

mod api;
mod check;
mod completions;
pub mod demo;
mod doctor;
mod init;
#[cfg(debug_assertions)]
mod labels;
mod launch;
mod orphans;
mod output;
mod primitive;
mod resume;
mod runs;
mod secret;
mod session;
mod setup;
mod stand_in;
mod status;
mod target;
mod undo;

use output::Output;
use session::Session;

/// Keeps a shop selling when its main server fails: mirror, promote, restore.
#[derive(Parser)]
#[command(name = "relevo", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    /// The store directory: relevo.toml, scripts/, state/
    #[arg(long, global = true, env = "RELEVO_STORE", default_value = ".", value_name = "DIR")]
    store: PathBuf,
    /// Language of the messages (default: the system's)
    #[arg(long, global = true, value_enum)]
    lang: Option<Lang>,
    /// One JSON object on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Say more; twice: even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// A whole shop on this computer: mirrors, loses its main server, sells on, gets it back
    Demo(demo::Demo),
    /// Write a commented relevo.toml and the scripts
    Init(init::Init),
    /// Check paths, rights, shares, clock and space
    Doctor,
    /// Run setup.rhai: signal files, terminal, identity, shortcut, PIN
    Setup(setup::Setup),
    /// Run startup.rhai, then start the program
    Launch(launch::Launch),
    /// Copy what changed from main to the targets and the standby
    Mirror(primitive::Mirror),
    /// Give the post to the backup server
    Promote(primitive::Promote),
    /// Give the post back to the main server
    Restore(primitive::Restore),
    /// Role, holder, epoch, verdict, copies, open runs
    Status,
    /// Durable runs: list, show, cancel
    Runs(runs::Runs),
    /// Go on with an interrupted run
    Resume(resume::Resume),
    /// Take back an interrupted run
    Undo(undo::Undo),
    /// Sales of an old main that the mirror never had
    Orphans,
    /// Check the store's scripts
    Check,
    /// Write scripts/api.d.rhai and the reference
    Api(api::Api),
    /// Copies on the targets
    Target(target::TargetCommand),
    /// Secrets of this store
    Secret(secret::SecretCommand),
    /// Completions for a shell
    Completions(completions::Completions),
    /// What stands in for SvrPdv and PosPdv in the demo
    #[command(hide = true)]
    StandIn(stand_in::StandIn),
    /// Labels of all effects, for crash tests
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    Labels,
}

/// Parses the command line, carries it out, returns the exit code.
pub fn main() -> u8 {
    let world = world::real();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() };
        }
    };
    run(arguments, world)
}
