//! The one test binary: linking SQLite and Rhai once keeps the gate short. tests/repo.rs fails if a file is not listed here.

mod cli;
mod crash;
mod harness;
