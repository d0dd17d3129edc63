//! An instance for trying clients by hand: `instance FOLDER`, password of `sa` and `relevo` in RELEVO_SIM_PASSWORD. It writes its port
//! to FOLDER/port and serves until it is ended.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use relevo_sim::Options;

fn main() -> std::io::Result<()> {
    let dir = std::env::args_os().nth(1).map(PathBuf::from).ok_or_else(|| std::io::Error::other("usage: instance FOLDER"))?;
    relevo_sim::run(&Options { dir, ..Options::default() }, &AtomicBool::new(false))
}
