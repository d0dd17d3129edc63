//! A target whose operations are counted. `-v` says at the end how many there were: on a share that answers slowly they are the time
//! that a mirror takes.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::Result;
use crate::targets::{Object, Target};
use crate::world::Label;

/// A counted target.
pub struct Logged {
    inner: Box<dyn Target>,
    list: AtomicU64,
    get: AtomicU64,
    put: AtomicU64,
    remove: AtomicU64,
}

impl Logged {
    /// Counts what is done on `inner`.
    pub fn new(inner: Box<dyn Target>) -> Logged {
        let zero = || AtomicU64::new(0);
        Logged { inner, list: zero(), get: zero(), put: zero(), remove: zero() }
    }
}

impl Target for Logged {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn check(&self) -> Result<()> {
        self.inner.check()
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        self.list.fetch_add(1, Relaxed);
        self.inner.list(prefix)
    }

    fn put(&self, label: Label, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
        self.put.fetch_add(1, Relaxed);
        self.inner.put(label, name, write)
    }

    fn get(&self, name: &str) -> Result<Box<dyn Read>> {
        self.get.fetch_add(1, Relaxed);
        self.inner.get(name)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.remove.fetch_add(1, Relaxed);
        self.inner.remove(name)
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let [list, get, put, remove] = [&self.list, &self.get, &self.put, &self.remove].map(|count| count.load(Relaxed));
        if list + get + put + remove > 0 {
            tracing::info!(target = self.inner.name(), list, get, put, remove, "operations");
        }
    }
}
