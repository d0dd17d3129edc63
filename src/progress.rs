//! How long work tells how far it is and learns that it should stop. The command line draws bars from the reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Exit, Failure, Result};
use crate::text;
use crate::text::Text;

/// One report of progress.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A piece of work begins: what, and how many bytes (0: unknown).
    Begin(Text, u64),
    /// So many more bytes are done.
    Advance(u64),
    /// The piece of work is over.
    End,
    /// One line for the person.
    Note(Text),
}

/// Receives the reports of a verb.
type Sink = Arc<dyn Fn(Progress) + Send + Sync>;

/// Handed down to long work: reports go up through it, the wish to stop comes down.
#[derive(Clone)]
pub struct Watch {
    sink: Sink,
    stop: Arc<AtomicBool>,
}

impl Watch {
    /// Reports go to `sink`; `stop` is set by Ctrl-C.
    pub fn new(sink: impl Fn(Progress) + Send + Sync + 'static, stop: Arc<AtomicBool>) -> Self {
        Watch { sink: Arc::new(sink), stop }
    }

    /// Nobody watches and nobody stops it.
    pub fn silent() -> Self {
        Watch::new(|_| {}, Arc::default())
    }

    /// Sends a report.
    pub fn report(&self, progress: Progress) {
        (self.sink)(progress);
    }

    /// One line for the person.
    pub fn note(&self, text: Text) {
        self.report(Progress::Note(text));
    }

    /// Fails with *interrupted* (10) once the person asked to stop. Called between effects, never inside one.
    pub fn check(&self) -> Result<()> {
        if !self.stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(Failure::new(Exit::Interrupted, "interrupted", text!("interrumpido a petición", "interrupted on request")).hint(
            text!(
                "nada se perdió: repita la orden, o use relevo resume si quedó una corrida abierta",
                "nothing is lost: repeat the command, or use relevo resume if a run is still open"
            ),
        ))
    }
}
