//! Microsoft SQL Server. The half that talks to no server stands in `statements` (everything that may be sent), `errors` (what comes
//! back when it fails), `decide` (which copy, which route) and `preflight` (what an instance lacks).

pub mod decide;
pub mod errors;
pub mod preflight;
pub mod rows;
pub mod statements;
