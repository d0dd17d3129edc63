//! The command line: one file per command, named as the command. Everything a person sees goes through output.rs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Parser, Subcommand};

use crate::error::Exit;
use crate::text::Lang;
use crate::world;

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
    /// Read the store PIN of an authorised person from this file descriptor (0: standard input)
    #[arg(long, global = true, value_name = "N")]
    pin_fd: Option<i32>,
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
    // Closures get names from a per-process seed otherwise, and traces of two runs could not be compared.
    let _ = rhai::config::hashing::set_hashing_seed(Some([1, 2, 3, 4]));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() };
        }
    };
    let world = world::real();
    if let Verb::StandIn(stand_in) = &arguments.verb {
        return stand_in::main(stand_in, &world);
    }
    log_to_stderr(arguments.verbose);
    let stop = Arc::new(AtomicBool::new(false));
    let output = Output { lang: arguments.lang.or_else(world::system_lang).unwrap_or(Lang::Es), json: arguments.json };
    if let Err(error) = world::on_interrupt(stop.clone()) {
        tracing::warn!(%error, "Ctrl-C will end this process at once");
    }
    let session = Session { dir: arguments.store, output, world, stop, pin_fd: arguments.pin_fd };
    let code = run(&session, &arguments.verb);
    if let Some(kib) = world::peak_memory() {
        tracing::info!(kib, "peak memory");
    }
    if world::own_console() {
        // A double-clicked icon: the window would vanish with its words.
        output.wait_for_key();
    }
    code
}

fn run(session: &Session, verb: &Verb) -> u8 {
    match verb {
        Verb::Demo(arguments) => demo::main(session, arguments),
        Verb::Init(arguments) => init::main(session, arguments),
        Verb::Doctor => doctor::main(session),
        Verb::Setup(arguments) => setup::main(session, arguments),
        Verb::Launch(arguments) => launch::main(session, arguments),
        Verb::Mirror(arguments) => primitive::mirror(session, arguments),
        Verb::Promote(arguments) => primitive::promote(session, arguments),
        Verb::Restore(arguments) => primitive::restore(session, arguments),
        Verb::Status => status::main(session),
        Verb::Runs(arguments) => runs::main(session, arguments),
        Verb::Resume(arguments) => resume::main(session, arguments),
        Verb::Undo(arguments) => undo::main(session, arguments),
        Verb::Orphans => orphans::main(session),
        Verb::Check => check::main(session),
        Verb::Api(arguments) => api::main(session, arguments),
        Verb::Target(arguments) => target::main(session, arguments),
        Verb::Secret(arguments) => secret::main(session, arguments),
        Verb::Completions(arguments) => completions::main(arguments),
        Verb::StandIn(arguments) => stand_in::main(arguments, &session.world),
        #[cfg(debug_assertions)]
        Verb::Labels => labels::main(),
    }
}

/// `-v`: what happens, with run id and step; nothing otherwise, since messages for people go their own way.
fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::ERROR,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).init();
}
