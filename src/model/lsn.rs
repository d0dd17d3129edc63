//! Log sequence numbers of SQL Server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A log sequence number: numeric(25,0), compared as a whole number. In JSON a string, since programs read large numbers inexactly.
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

impl Serialize for Lsn {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
