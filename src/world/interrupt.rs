//! Ctrl-C as a flag that long work looks at.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::platform;
use crate::error::Exit;

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Makes Ctrl-C (and SIGTERM, closing the console) set `flag`, once per process. While the flag is set, a second one ends the
/// process with exit code 10. `AlreadyExists` when another flag was given before.
pub fn on_interrupt(flag: Arc<AtomicBool>) -> io::Result<()> {
    FLAG.set(flag).map_err(|_| io::Error::from(io::ErrorKind::AlreadyExists))?;
    platform::catch_interrupts()
}

/// Notes an interruption; `Some(exit code)` when it is the second. Called inside signal handlers: atomics only, no allocation.
pub(super) fn interrupted() -> Option<u8> {
    let before = FLAG.get()?.swap(true, Ordering::SeqCst);
    before.then(|| Exit::Interrupted.code())
}
