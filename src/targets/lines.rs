//! The side list of a tail: lines of JSON, sealed like the content. Streams both ways: an old main may have more tickets than this
//! machine has memory.

use std::io::{BufRead, BufReader, Read, Write};

use crate::error::Result;
use crate::targets::copies::{Copies, damaged};
use crate::targets::seal::{Sealer, unseal};
use crate::world::Label;

/// A line is about 100 bytes; more than this is none.
const LIMIT: u64 = 64 * 1024;

/// Where lines go, one at a time.
pub type Line<'a> = &'a mut dyn FnMut(&str) -> Result<()>;

/// A side object that is there.
struct Opened {
    object: String,
    encrypted: bool,
    input: Box<dyn Read>,
}

impl Copies {
    /// Writes the side object of a tail from the lines that `write` gives. Replaces an earlier one.
    pub fn put_lines(&self, name: &str, write: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
        self.expect_part(name)?;
        let encrypted = self.seals();
        let object = self.lines_object(name, encrypted);
        self.target.put(Label::CopyContent, &object, &mut |out| {
            let mut sealer = Sealer::new(out, &self.recipients)?;
            write(&mut |line| {
                sealer
                    .write_all(line.as_bytes())
                    .and_then(|()| sealer.write_all(b"\n"))
                    .map_err(|error| self.unwritable(&object, &error))
            })?;
            sealer.finish().map(drop)
        })?;
        let stale = self.lines_object(name, !encrypted);
        if self.has(&stale)? { self.target.remove(&stale) } else { Ok(()) }
    }

    /// Gives the lines of a side object to `each`; `false` where there is none. What is damaged is known only at the end, so what
    /// `each` was given before a failure counts for nothing. Errors: `copy_damaged`, `identity_missing`, `identity_wrong`.
    pub fn read_lines(&self, name: &str, each: Line<'_>) -> Result<bool> {
        self.expect_part(name)?;
        let Some(Opened { object, encrypted, input }) = self.open_lines(name)? else { return Ok(false) };
        let identity = self.identity(encrypted)?;
        let broken = |error: &dyn std::fmt::Display| damaged("copy_damaged", &object).cause(error);
        let input = unseal(input, encrypted, identity.as_deref())
            .map_err(|failure| if failure.kind == "seal_damaged" { broken(&failure) } else { failure.cause(&object) })?;
        let (mut input, mut line) = (BufReader::new(input), Vec::new());
        loop {
            line.clear();
            // The limit keeps a line that never ends out of the memory.
            input.by_ref().take(LIMIT).read_until(b'\n', &mut line).map_err(|error| broken(&error))?;
            if line.is_empty() {
                return Ok(true);
            }
            if line.len() as u64 == LIMIT {
                return Err(broken(&"a line without an end"));
            }
            let text = std::str::from_utf8(&line).map_err(|error| broken(&error))?;
            each(text.trim_end_matches(['\n', '\r']))?;
        }
    }

    /// Is there a side object of this name?
    pub fn has_lines(&self, name: &str) -> Result<bool> {
        self.expect_part(name)?;
        Ok(self.open_lines(name)?.is_some())
    }

    /// Puts a side object on another target as it lies here; nothing where there is none.
    pub(super) fn copy_lines_to(&self, other: &Copies, name: &str) -> Result<()> {
        let Some(Opened { object, mut input, .. }) = self.open_lines(name)? else { return Ok(()) };
        other.target.put(Label::CopyContent, &object, &mut |out| {
            std::io::copy(&mut input, out).map(drop).map_err(|error| self.unreadable(&object, &error))
        })
    }

    /// Names that have a side object (a tail, or a gap that has no content), sorted.
    pub fn line_names(&self) -> Result<Vec<String>> {
        let objects = self.target.list(&format!("{}/", self.store))?;
        Ok(self.lines_among(objects.iter().map(|object| object.name.as_str())))
    }

    /// Of these objects, the copies whose side object is among them; sorted.
    pub(super) fn lines_among<'a>(&self, objects: impl Iterator<Item = &'a str>) -> Vec<String> {
        let ending =
            |part: &str| part.strip_suffix(".jsonl.zst").or_else(|| part.strip_suffix(".jsonl.zst.age")).map(str::to_owned);
        let mut names: Vec<String> = objects.filter_map(|object| self.own_part(object).and_then(ending)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Tries the names themselves: listing a folder of ten thousand copies costs more than two questions.
    fn open_lines(&self, name: &str) -> Result<Option<Opened>> {
        for encrypted in [self.seals(), !self.seals()] {
            let object = self.lines_object(name, encrypted);
            if let Some(input) = self.open_if_there(&object)? {
                return Ok(Some(Opened { object, encrypted, input }));
            }
        }
        Ok(None)
    }

    pub(super) fn lines_object(&self, name: &str, encrypted: bool) -> String {
        format!("{}/{name}.jsonl.zst{}", self.store, if encrypted { ".age" } else { "" })
    }
}
