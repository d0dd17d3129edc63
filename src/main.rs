//! Parses nothing and decides nothing: the library does (src/cli/mod.rs).

fn main() -> std::process::ExitCode {
    relevo::cli::main().into()
}
