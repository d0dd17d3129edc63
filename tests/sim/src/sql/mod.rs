//! T-SQL: read into plain data (`ast`), and the part that reads and writes tables turned into SQLite's language.
//!
//! `parse` reads a whole batch before anything runs; a batch with parameters goes to `parse_with`, since a variable that nobody declared
//! is an error there (137). `compile` takes one statement with a [`Catalog`] (what names mean, what variables hold now) and a connection
//! on which `register` has set up the collation and functions; `run` runs what comes out. `evaluate` and `holds` are for expressions
//! and conditions outside of tables. What `compile` makes of INSERT, UPDATE, DELETE and DDL has all variables, clock values and new
//! GUIDs bound, so that running the same text with the same parameters on an equal database gives an equal database: that is the form
//! for the log.
//!
//! A value that goes into a column is `assign`ed: text that would be cut is an error. One that goes into a variable or a parameter is
//! `convert`ed with style 0: text is cut without a word.

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
