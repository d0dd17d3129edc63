//! The one test binary: linking SQLite and Rhai once keeps the gate short. tests/repo.rs fails if a file is not listed here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking; clippy.toml knows test functions only, not their helpers")]

mod cli;
mod clocks;
mod crash;
mod guarantees;
mod damage;
mod faults;
mod harness;
mod properties;
mod repo;
#[cfg(target_os = "linux")]
mod shop;
mod scenarios;
mod sqlserver;
mod steps;
