//! `relevo labels` (debug builds): the names of all effects, one a line; crash tests enumerate them.

use std::io::Write;

use crate::world::Label;

/// Prints them.
pub fn main() -> u8 {
    for label in Label::ALL {
        let _ = writeln!(std::io::stdout(), "{}", label.name());
    }
    0
}
