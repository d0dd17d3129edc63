//! Reading a stored object: every byte is counted and hashed, and the end is only told when all agrees with the manifest.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

use crate::error::{Failure, Result};
use crate::model::Sized;
use crate::targets::seal::Tally;
use crate::targets::seal::unseal;

/// Why the bytes are not those of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// Fewer bytes are stored than there were.
    Truncated,
    /// Other bytes are stored.
    Changed,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Truncated => "the object is shorter than its manifest says",
            Damage::Changed => "the object is not the one its manifest describes",
        })
    }
}

impl std::error::Error for Damage {}

impl Damage {
    pub(super) fn error(self) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, self)
    }
}

/// The stored bytes on their way into the seal.
struct Stored {
    input: Box<dyn Read>,
    tally: Tally,
    /// The target itself failed, which says nothing about the object.
    failed: bool,
}

impl Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Ok(read) => {
                self.tally.add(&buffer[..read]);
                Ok(read)
            }
            Err(error) => {
                self.failed |= error.kind() != ErrorKind::Interrupted;
                Err(error)
            }
        }
    }

    /// Reads what the seal left over and compares.
    fn compare(&mut self, expected: Sized) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        while self.tally.bytes <= expected.bytes {
            match self.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match self.tally.sized() {
            found if found == expected => Ok(()),
            found if found.bytes < expected.bytes => Err(Damage::Truncated.error()),
            _ => Err(Damage::Changed.error()),
        }
    }
}

struct Tap(Rc<RefCell<Stored>>);

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

struct Checked {
    inner: Box<dyn Read>,
    stored: Rc<RefCell<Stored>>,
    raw: Tally,
    expected_raw: Sized,
    expected_stored: Sized,
    compared: bool,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.compared || buffer.is_empty() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Ok(0) => {
                self.stored.borrow_mut().compare(self.expected_stored)?;
                if self.raw.sized() != self.expected_raw {
                    return Err(Damage::Changed.error());
                }
                self.compared = true;
                Ok(0)
            }
            Ok(read) => {
                self.raw.add(&buffer[..read]);
                // More than was sealed: stop before it fills the disk.
                if self.raw.bytes > self.expected_raw.bytes { Err(Damage::Changed.error()) } else { Ok(read) }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let mut stored = self.stored.borrow_mut();
                if stored.failed {
                    return Err(error);
                }
                stored.compare(self.expected_stored)?;
                Err(Damage::Changed.error())
            }
        }
    }
}

/// Opens a sealed object whose raw and stored bytes must be these.
pub(super) fn checked(
    input: Box<dyn Read>,
    encrypted: bool,
    identity: Option<&str>,
    raw: Sized,
    stored_size: Sized,
) -> std::result::Result<Box<dyn Read>, Broken> {
    let stored = Rc::new(RefCell::new(Stored { input, tally: Tally::default(), failed: false }));
    match unseal(Box::new(Tap(stored.clone())), encrypted, identity) {
        Ok(inner) => {
            let raw_tally = Tally::default();
            Ok(Box::new(Checked {
                inner,
                stored,
                raw: raw_tally,
                expected_raw: raw,
                expected_stored: stored_size,
                compared: false,
            }))
        }
        Err(failure) if failure.kind == "identity_missing" => Err(Broken::Seal(failure)),
        // A damaged header looks like a wrong identity: the stored hash tells which it is.
        Err(failure) => {
            stored.borrow_mut().compare(stored_size).map_err(Broken::Bytes)?;
            Err(Broken::Seal(failure))
        }
    }
}

/// Why an object cannot be opened.
pub(super) enum Broken {
    /// Its bytes cannot be read or are not those of the manifest.
    Bytes(io::Error),
    /// Its bytes are right, the identity is not.
    Seal(Failure),
}

/// Copies the stored bytes of an object as they are; they must be `expected`.
pub(super) fn copy_stored(
    input: Box<dyn Read>,
    expected: Sized,
    mut put: impl FnMut(&[u8]) -> Result<()>,
) -> Result<io::Result<()>> {
    let mut stored = Stored { input, tally: Tally::default(), failed: false };
    let mut buffer = vec![0; 256 * 1024];
    while stored.tally.bytes <= expected.bytes {
        match stored.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => put(&buffer[..read])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(stored.compare(expected))
}
