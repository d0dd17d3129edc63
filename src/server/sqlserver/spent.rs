//! How much was asked of an instance and how long it was waited for. `-v` says it at the end: the rest of a verb's time is relevo's own.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counters of one instance.
#[derive(Debug, Default)]
pub struct Spent {
    connections: AtomicU64,
    statements: AtomicU64,
    waited_us: AtomicU64,
}

impl Spent {
    /// Does `work`, in which the server is waited for.
    pub fn waiting<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let value = work();
        self.statements.fetch_add(1, Relaxed);
        self.waited_us.fetch_add(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
        value
    }

    /// A connection was made.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// Writes them to the log.
    pub fn tell(&self, instance: &str) {
        let (connections, statements) = (self.connections.load(Relaxed), self.statements.load(Relaxed));
        let waited_ms = Duration::from_micros(self.waited_us.load(Relaxed)).as_millis();
        if statements > 0 {
            tracing::info!(instance, connections, statements, waited_ms, "sql server");
        }
    }
}
