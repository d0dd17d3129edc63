//! A stateful simulator of a SQL Server instance: real sockets, real files, real transactions. It accepts the statements that
//! Microsoft documents for the work of relevo and answers everything else with an error, so that it is stricter than the real one.
//!
//! `tds` speaks the protocol, `sql` reads T-SQL, `engine` is the instance. Written from Microsoft's documentation, apart from the
//! driver in relevo: the two check each other.

pub mod sql;
pub mod tds;
pub mod wire;
