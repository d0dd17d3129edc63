//! The seam to the operating system: clock, processes, locks and every durable change of a file, each under a [`Label`].
//!
//! Nothing outside this folder asks which system it runs on. Two implementations: [`Os`](os::Os) is the real one (its
//! platform calls stand in unix.rs and windows.rs), `Faulty` (debug builds only) wraps it, kills the process or fails
//! at a label and fixes the clock (faulty/ lists its orders). A new effect gets a label, and with it crash tests, without a new test.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod disk;
#[cfg(debug_assertions)]
mod faulty;
mod files;
mod interrupt;
mod label;
mod machine;
mod os;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

#[cfg(debug_assertions)]
pub use faulty::Faulty;
pub use files::{
    create_part, is_locked, make_folder, open_shared, read_exact_at, read_if_there, sync_part, write_out, write_part,
    write_private,
};
pub use interrupt::on_interrupt;
pub use label::Label;
pub use machine::{
    cpu_count, free_space, host_name, inherited_fd, is_administrator, is_network_path, own_console, peak_memory, protect,
    show_window, system_lang, unprotect, windows_login,
};
pub use os::Os;

/// The world this process lives in: the real one, in debug builds with the faults that RELEVO_TEST_* variables order.
pub fn real() -> Arc<dyn World> {
    #[cfg(debug_assertions)]
    if let Some(faulty) = Faulty::from_env() {
        return Arc::new(faulty);
    }
    Arc::new(Os)
}

/// Before or after a labelled effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Nothing of the effect has happened.
    Before,
    /// The effect is complete and durable.
    After,
}

/// A process as relevo knows it again: a pid alone is reused by the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The system's number.
    pub pid: u32,
    /// When it started, in the system's own unit: only compared for equality.
    pub started: u64,
    /// The program file it runs.
    pub image: PathBuf,
}

/// A program to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program file and its arguments; never empty.
    pub argv: Vec<String>,
    /// Variables set on top of the own environment.
    pub env: Vec<(String, String)>,
    /// Its working directory; the own one when `None`.
    pub dir: Option<PathBuf>,
    /// Where a detached program's output goes; discarded when `None`.
    pub log: Option<PathBuf>,
}

/// A lock that is held until this value is dropped (or the process ends, however it ends).
#[derive(Debug)]
pub struct Lock(Held);

#[derive(Debug)]
enum Held {
    /// Of the operating system.
    File(File, PathBuf),
    /// Of a database server: what has to live for it, a connection.
    Other { _alive: Box<dyn std::fmt::Debug + Send + Sync> },
}

impl Lock {
    pub(crate) fn new(file: File, path: PathBuf) -> Self {
        Lock(Held::File(file, path))
    }

    /// A lock that lasts as long as this value.
    pub fn alive(value: impl std::fmt::Debug + Send + Sync + 'static) -> Self {
        Lock(Held::Other { _alive: Box::new(value) })
    }

    /// The lock file; none where it is no lock of the operating system.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Held::File(_, path) => Some(path),
            Held::Other { .. } => None,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, but later: Windows takes its time, and on unix a program that another thread starts right now
        // shares the handle for a moment.
        if let Held::File(file, _) = &self.0 {
            let _ = file.unlock();
        }
    }
}

/// Clock, processes, locks and labelled file changes. All paths are native; all calls block.
pub trait World: Send + Sync {
    /// Passes a labelled point. `Err` only when a fault is injected there.
    fn reach(&self, label: Label, moment: Moment) -> io::Result<()>;

    /// Local time, for people to read. No safety decision uses it.
    fn now(&self) -> jiff::Zoned;

    /// Replaces `path` by `bytes`: new file in the same folder, synced, renamed over, folder synced. Retries while a reader
    /// on Windows holds the old file. Creates the parent folder.
    fn write_file(&self, label: Label, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Appends `bytes` to `path` (created when missing) and syncs.
    fn append_file(&self, label: Label, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Renames durably, replacing `to`; both in one folder. Retries as `write_file` does.
    fn rename(&self, label: Label, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file durably; a missing one is no error.
    fn remove_file(&self, label: Label, path: &Path) -> io::Result<()>;

    /// Writes all of `bytes` at `offset` of an open file. Not durable before [`World::sync`].
    fn write_at(&self, label: Label, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Sets the length of an open file. Not durable before [`World::sync`].
    fn set_len(&self, label: Label, file: &File, len: u64) -> io::Result<()>;

    /// Makes the empty file `to` share all blocks of `from`, where the file system of both can: then it took no time and no space, and
    /// what is written to one does not show in the other. `false`: it cannot, `to` is still empty. Not durable before [`World::sync`].
    fn clone_content(&self, label: Label, from: &File, to: &File) -> io::Result<bool>;

    /// Makes what was written to an open file durable.
    fn sync(&self, label: Label, file: &File) -> io::Result<()>;

    /// Takes the OS lock on `path` (created when missing, with its folder but not what that lies in), or `None` when somebody holds
    /// it. Never blocks.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>>;

    /// Starts a program that outlives this process: own session, no console, no inherited handles. Name the program itself: one
    /// that replaces itself by another (`exec` in a shell script) is not known again.
    fn start(&self, label: Label, command: &Command) -> io::Result<ProcessId>;

    /// Runs a program in the foreground with the own terminal and waits; its exit code (128 + signal where one ended it).
    fn run(&self, command: &Command) -> io::Result<i32>;

    /// Is this very process alive (same pid, start time and image)?
    fn is_alive(&self, process: &ProcessId) -> bool;

    /// Who am I, as others would know me again.
    fn me(&self) -> io::Result<ProcessId>;

    /// Asks the process to close (SIGTERM, WM_CLOSE), waits up to `timeout`, then ends it with its children. `Ok` once it is gone.
    fn stop(&self, label: Label, process: &ProcessId, timeout: Duration) -> io::Result<()>;
}

/// Runs `effect` between its two labelled points.
pub fn effect<T, E: From<io::Error>>(world: &dyn World, label: Label, effect: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    world.reach(label, Moment::Before)?;
    let value = effect()?;
    world.reach(label, Moment::After)?;
    Ok(value)
}
