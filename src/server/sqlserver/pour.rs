//! Carrying the content of a file: in pieces, told of, and stopped when the person asks for it.

use std::io::{Error, Read};

use crate::error::{Failure, Result};
use crate::progress::Watch;

/// What is read at a time, in bytes.
const PIECE: usize = 1 << 20;

/// Reads to the end and hands every piece to `each`, until that says no. Whether it was wanted to its end.
pub fn pour(
    from: &mut dyn Read,
    unreadable: impl Fn(&Error) -> Failure,
    watch: &Watch,
    mut each: impl FnMut(&[u8]) -> Result<bool>,
) -> Result<bool> {
    let mut buffer = vec![0; PIECE];
    loop {
        watch.check()?;
        match from.read(&mut buffer).map_err(|e| unreadable(&e))? {
            0 => return Ok(true),
            read if each(&buffer[..read])? => {}
            _ => return Ok(false),
        }
    }
}
