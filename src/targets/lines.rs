//! The side list of a tail: lines of JSON and a last one that vouches for them, sealed like the content. Streams both ways: an old
//! main may have more tickets than this machine has memory.

use std::io::{BufRead, BufReader, Cursor, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Result;
use crate::model::Hash;
use crate::targets::copies::{Copies, damaged};
use crate::targets::seal::{Sealer, unseal};
use crate::world::Label;

/// A line is about 100 bytes; more than this is none.
const LIMIT: u64 = 64 * 1024;

/// How the last line begins.
const END: &str = "{\"end\":";

/// The last line: whose lines these are, how many, and the hash of their bytes. A list of an older relevo has none.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    store: String,
    name: String,
    lines: u64,
    hash: Hash,
}

/// What the lines of a list add up to.
#[derive(Default)]
struct Sum {
    hasher: blake3::Hasher,
    lines: u64,
}

impl Sum {
    fn add(&mut self, line: &[u8]) {
        self.hasher.update(line);
        self.lines += 1;
    }

    fn end(&self, store: &str, name: &str) -> String {
        let hash = Hash(*self.hasher.finalize().as_bytes());
        json!({ "end": End { store: store.to_owned(), name: name.to_owned(), lines: self.lines, hash } }).to_string()
    }
}

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
            let mut sealer = Sealer::new(out, &self.recipients, self.compression)?;
            let mut sum = Sum::default();
            write(&mut |line| {
                let line = format!("{line}\n");
                sum.add(line.as_bytes());
                sealer.write_all(line.as_bytes()).map_err(|error| self.unwritable(&object, &error))
            })?;
            writeln!(sealer, "{}", sum.end(&self.store, name)).map_err(|error| self.unwritable(&object, &error))?;
            sealer.finish().map(drop)
        })?;
        let stale = self.lines_object(name, !encrypted);
        if self.has(&stale)? { self.target.remove(&stale) } else { Ok(()) }
    }

    /// Gives the lines of a side object to `each`; `false` where there is none. What is damaged is known only at the end, so what
    /// `each` was given before a failure counts for nothing. Errors: `copy_damaged`, `identity_missing`, `identity_wrong`.
    pub fn read_lines(&self, name: &str, each: Line<'_>) -> Result<bool> {
        self.expect_part(name)?;
        let Some(Opened { object, encrypted, mut input }) = self.open_lines(name)? else { return Ok(false) };
        let identity = self.identity(encrypted)?;
        let broken = |error: &dyn std::fmt::Display| damaged("copy_damaged", &object).cause(error);
        // Nothing at all would unpack to no lines, which is what a list without orphans holds.
        let mut first = [0];
        if input.read(&mut first).map_err(|error| broken(&error))? == 0 {
            return Err(damaged("copy_truncated", &object));
        }
        let input = Box::new(Cursor::new(first).chain(input));
        let input = unseal(input, encrypted, identity.as_deref())
            .map_err(|failure| if failure.kind == "seal_damaged" { broken(&failure) } else { failure.cause(&object) })?;
        let (mut input, mut line, mut sum, mut ended) = (BufReader::new(input), Vec::new(), Sum::default(), false);
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
            let text = std::str::from_utf8(&line).map_err(|error| broken(&error))?.trim_end_matches(['\n', '\r']);
            if ended {
                return Err(broken(&"lines after the last one"));
            }
            if text.starts_with(END) {
                if text != sum.end(&self.store, name) {
                    return Err(broken(&"its last line speaks of other lines"));
                }
                ended = true;
                continue;
            }
            sum.add(&line);
            each(text)?;
        }
    }

    /// Is there a side object of this name?
    pub fn has_lines(&self, name: &str) -> Result<bool> {
        self.expect_part(name)?;
        Ok(self.open_lines(name)?.is_some())
    }

    /// Puts a side object on another target as it lies here; nothing where there is none.
    pub(super) fn copy_lines_to(&self, other: &Copies, name: &str) -> Result<()> {
        // What is spoiled is not spread; without the key of a sealed list that cannot be told.
        match self.read_lines(name, &mut |_| Ok(())) {
            Err(failure) if !failure.kind.starts_with("identity_") => return Err(failure),
            _ => {}
        }
        let Some(Opened { object, mut input, .. }) = self.open_lines(name)? else { return Ok(()) };
        other.target.put(Label::CopyContent, &object, &mut |out| {
            std::io::copy(&mut input, out).map(drop).map_err(|error| self.unreadable(&object, &error))
        })
    }

    /// Names that have a side object (a tail, or a gap that has no content), and tails whose whole database lies here, be it damaged;
    /// both sorted, from one listing.
    pub fn tail_names(&self) -> Result<(Vec<String>, Vec<String>)> {
        let objects = self.target.list(&format!("{}/", self.store))?;
        let lists = self.lines_among(objects.iter().map(|object| object.name.as_str()));
        let name = |part: &str| part.strip_suffix(".json").filter(|name| name.ends_with("-tail")).map(str::to_owned);
        let mut whole: Vec<String> = objects.iter().filter_map(|object| self.own_part(&object.name).and_then(name)).collect();
        whole.sort();
        Ok((lists, whole))
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
