//! The store's signal files: SvrBak.txt, PosBak.txt, VecBak.txt, FecBak.txt and the authorisation string. Parsers are pure:
//! bytes in, a value or the place and reason of what is wrong. Formats: docs/signal-files.md.

pub mod authorisation;
pub mod fecbak;
pub mod fetch;
pub mod marker;
pub mod svrbak;
pub mod text_file;
pub mod vecbak;

/// Names of the signal files.
pub const SVRBAK: &str = "SvrBak.txt";
/// Marks the caja/servidor.
pub const POSBAK: &str = "PosBak.txt";
/// Until when the backup server is authorised.
pub const VECBAK: &str = "VecBak.txt";
/// When the last mirror copy was applied.
pub const FECBAK: &str = "FecBak.txt";
