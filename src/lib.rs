//! relevo: keeps a shop selling when its main server fails.
//!
//! The map, in the order in which modules may import (docs/architecture.md; tests/repo.rs enforces it):

pub mod text; // both languages of every message
pub mod error; // the failure people see, exit codes
pub mod nearest; // the word a person probably meant
pub mod model; // plain data
pub mod config; // relevo.toml
pub mod progress; // reports of long work, Ctrl-C
pub mod world; // the operating system: clock, processes, labelled file changes
pub mod signal; // SvrBak.txt, PosBak.txt, VecBak.txt, FecBak.txt, the authorisation string
pub mod server; // database servers
pub mod secrets; // values behind secret:NAME
pub mod targets; // where copies are kept
pub mod plan; // pure decisions
pub mod journal; // durable runs
pub mod operator; // the person: questions, PIN
pub mod store; // an opened store directory
pub mod facts; // what is observed, for status, scripts and plans
pub mod steps; // effects
pub mod script; // the Rhai host
pub mod cli; // one file per command
