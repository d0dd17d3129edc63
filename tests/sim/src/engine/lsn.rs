//! Log sequence numbers: numeric(25,0), made of the log file's sequence number, a block (10 digits) and a slot (5 digits).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const BLOCK: i128 = 100_000;
const SEQUENCE: i128 = 10_000_000_000 * BLOCK;
/// Blocks of 512 bytes of one virtual log file: small, so that LSNs of tests cross its border too.
const BLOCKS: i128 = 2048;

/// A position in a log. Compared as one whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(pub i128);

impl Lsn {
    /// Where the log of a new database begins.
    pub fn first() -> Lsn {
        Lsn(34 * SEQUENCE + 16 * BLOCK + 1)
    }

    /// The position after a record of that many bytes.
    pub fn after(self, bytes: usize) -> Lsn {
        let (sequence, block) = (self.0 / SEQUENCE, self.0 % SEQUENCE / BLOCK);
        let next = block + 1 + bytes as i128 / 512;
        if next < BLOCKS { Lsn(sequence * SEQUENCE + next * BLOCK + 1) } else { Lsn((sequence + 1) * SEQUENCE + 16 * BLOCK + 1) }
    }

    /// As 25 digits: sorts as text as it does as a number.
    pub fn key(self) -> String {
        format!("{:025}", self.0)
    }

    /// Reads digits.
    pub fn parse(text: &str) -> Option<Lsn> {
        text.parse().ok().map(Lsn)
    }
}

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Lsn, D::Error> {
        let text = String::deserialize(from)?;
        Lsn::parse(&text).ok_or_else(|| serde::de::Error::custom("not an LSN"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_grows_across_blocks_and_log_files() {
        let mut at = Lsn::first();
        for bytes in (0..5000).map(|n| n * 37 % 3000) {
            let next = at.after(bytes);
            assert!(next > at && next.key() > at.key() && next.0 % BLOCK == 1);
            at = next;
        }
        assert!(at.0 / SEQUENCE > 34);
        assert_eq!(Lsn::parse(&at.key()), Some(at));
    }
}
