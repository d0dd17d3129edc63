//! What decisions are made from.

use std::fmt;
use std::str::FromStr;

/// A log sequence number: numeric(25,0), compared as a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lsn(pub i128);

impl Lsn {
    /// The highest that 25 digits can say.
    const MOST: i128 = 10_i128.pow(25) - 1;
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// It is no LSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no log sequence number")]
pub struct NoLsn;

impl FromStr for Lsn {
    type Err = NoLsn;

    fn from_str(words: &str) -> Result<Self, NoLsn> {
        if words.is_empty() || !words.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NoLsn);
        }
        words.parse::<i128>().ok().filter(|number| *number <= Lsn::MOST).map(Lsn).ok_or(NoLsn)
    }
}
