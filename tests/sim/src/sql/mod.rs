//! T-SQL: read into plain data (`ast`), and the part that reads and writes tables turned into SQLite's language.

pub mod ast;
