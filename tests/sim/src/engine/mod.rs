//! The simulated instance: databases that are real files, backups that hold what they say, sessions with real transactions, and the
//! rules and errors of SQL Server, as Microsoft documents them.
//!
//! - `state`, `store`: what the instance knows; `datafile`, `logfile`: what a database is on disk; `backupfile`, `media`: what a backup is.
//! - `chain`: may this backup be restored on that database. `access`, `applock`: who may do what while others are there.
//! - `run`, `statements`: a batch; `session`: its transaction; `names`, `functions`, `views`: what it sees.
//! - `backup`, `restore`, `inspect`, `database`, `alter`, `principals`, `procedures`: the statements.
//! - `orders`: faults that tests order, in a file of the instance's directory. [`orders`] documents it.
//!
//! A killed process loses nothing that it had answered for: a transaction counts when its record is in the log file, and the next start
//! redoes what the data file has not. Restores that were cut off leave the database RESTORING and want RESTART (4319).
//!
//! Not simulated: more than one data and one log file, snapshots, filegroups, row locks (one writer a database at a time), Windows logins,
//! SAVE TRANSACTION, INSERT with EXECUTE, distributed transactions, changes that read system views or a second database.

mod access;
mod alter;
mod applock;
mod backup;
pub mod backupfile;
mod chain;
mod configuration;
mod database;
mod datafile;
mod functions;
mod hash;
mod hints;
mod inspect;
mod instance;
mod logfile;
pub mod lsn;
mod media;
mod messages;
mod names;
pub mod orders;
mod principals;
mod procedures;
mod restore;
mod rows;
mod run;
mod server;
mod session;
mod state;
mod statements;
mod store;
mod views;

#[cfg(test)]
mod tests;

pub use instance::{errors, rows as answered};
pub use server::{Identity, Options, Server};
