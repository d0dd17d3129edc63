//! `relevo completions SHELL`: the script that a shell completes from.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Arguments of `relevo completions`.
#[derive(Args)]
pub struct Completions {
    /// For which shell
    shell: Shell,
}

/// Prints it.
pub fn main(arguments: &Completions) -> u8 {
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "relevo", &mut std::io::stdout());
    0
}
