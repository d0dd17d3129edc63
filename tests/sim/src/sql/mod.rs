//! T-SQL: read into plain data (`ast`), and the part that reads and writes tables turned into SQLite's language.
//!
//! `parse` reads a whole batch before anything runs. `compile` takes one statement with a [`Catalog`] (what names mean, what variables
//! hold now) and a connection on which `register` has set up the collation and functions. What it makes of INSERT, UPDATE, DELETE and
//! DDL has all variables, clock values and new GUIDs bound, so that running the same text with the same parameters on an equal
//! database gives an equal database: that is the form for the log.

pub mod ast;
pub mod catalog;
mod compile;
mod convert;
mod failure;
mod functions;
mod message;
mod number;
mod parse;
mod text;
mod time;
mod token;
pub mod types;
pub mod value;

pub use catalog::{Catalog, Table, TableColumn};
pub use compile::{Clock, Compiled, Context, INSTANCE_FUNCTIONS, compile, create_table, evaluate, holds, run};
pub use convert::{assign, convert};
pub use failure::failure;
pub use functions::register;
pub use message::message;
pub use parse::{parse, parse_with};
pub use types::{read_type, type_text};
