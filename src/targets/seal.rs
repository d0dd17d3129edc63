//! The seal of an object: a zstd frame with checksum, inside an age file where there are recipients, so that stock `zstd`
//! and `age` open it without relevo. Streams; must never hold a whole copy in memory.
//!
//! A first full copy takes as long as its slowest part: hashing long streams and packing them is left to other cores.

use std::io::{self, BufReader, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use zstd::stream::raw::CParameter;

use crate::error::{Failure, Result};
use crate::model::{Hash, Sized};
use crate::text;
use crate::world::cpu_count;

/// A frame that is not packed is one of the level that finds nothing and takes no time: still a frame, with its checksum.
const UNPACKED: i32 = -131_072;
/// Threads that pack, and the piece each one takes: together they hold less than 40 MiB.
const PACKERS: usize = 4;
const PIECE: u32 = 2 << 20;

/// From so many bytes on a stream is hashed by a thread of its own, which gets blocks of this size and at most this many in advance.
const LONG: u64 = 4 << 20;
const BLOCK: usize = 512 * 1024;
const AHEAD: usize = 4;

/// Counts and hashes what passes.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) bytes: u64,
    hasher: blake3::Hasher,
    gathered: Vec<u8>,
    thread: Option<(SyncSender<Vec<u8>>, JoinHandle<blake3::Hasher>)>,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.bytes < LONG {
            self.hasher.update(bytes);
            return;
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= BLOCK {
            let full = std::mem::replace(&mut self.gathered, Vec::with_capacity(2 * BLOCK));
            let (blocks, _) = self.thread.get_or_insert_with(|| hash_aside(std::mem::take(&mut self.hasher)));
            let _ = blocks.send(full); // refused only by a thread that panicked: whoever asks for the hash gets to know
        }
    }

    /// What has passed so far.
    pub(super) fn sized(&mut self) -> Sized {
        if let Some((blocks, thread)) = self.thread.take() {
            drop(blocks);
            self.hasher = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        self.hasher.update(&self.gathered);
        self.gathered.clear();
        Sized { bytes: self.bytes, hash: Hash(*self.hasher.finalize().as_bytes()) }
    }
}

fn hash_aside(mut hasher: blake3::Hasher) -> (SyncSender<Vec<u8>>, JoinHandle<blake3::Hasher>) {
    let (send, blocks) = sync_channel::<Vec<u8>>(AHEAD);
    let thread = std::thread::spawn(move || {
        for block in blocks {
            hasher.update(&block);
        }
        hasher
    });
    (send, thread)
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    tally: Tally,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.tally.add(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

enum Outer<'a> {
    Plain(Counted<'a>),
    Age(age::stream::StreamWriter<Counted<'a>>),
}

impl Write for Outer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Outer::Plain(out) => out.write(bytes),
            Outer::Age(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Outer::Plain(out) => out.flush(),
            Outer::Age(out) => out.flush(),
        }
    }
}

/// Seals what is written to it; counts and hashes the raw and the stored bytes. Without [`Sealer::finish`] the object is incomplete.
pub struct Sealer<'a> {
    frame: zstd::stream::write::Encoder<'static, Outer<'a>>,
    raw: Tally,
}

impl<'a> Sealer<'a> {
    /// Stored bytes go to `out`, packed at a level of zstd (0: not at all) and sealed for `recipients` ("age1…"), where there are any.
    pub fn new(out: &'a mut dyn Write, recipients: &[String], level: u8) -> Result<Sealer<'a>> {
        let counted = Counted { out, tally: Tally::default() };
        let outer = if recipients.is_empty() {
            Outer::Plain(counted)
        } else {
            let recipients = recipients.iter().map(|r| parse_recipient(r)).collect::<Result<Vec<_>>>()?;
            let encryptor = Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient)).map_err(sealing)?;
            Outer::Age(encryptor.wrap_output(counted).map_err(sealing)?)
        };
        let packs = if level == 0 { UNPACKED } else { i32::from(level) };
        let mut frame = zstd::stream::write::Encoder::new(outer, packs).map_err(sealing)?;
        frame.include_checksum(true).map_err(sealing)?;
        let packers = cpu_count().min(PACKERS) as u32;
        if level > 0 && packers > 1 {
            frame.set_parameter(CParameter::NbWorkers(packers)).map_err(sealing)?;
            frame.set_parameter(CParameter::JobSize(PIECE)).map_err(sealing)?;
        }
        Ok(Sealer { frame, raw: Tally::default() })
    }

    /// Ends the object: length and hash of the raw and of the stored bytes.
    pub fn finish(mut self) -> Result<(Sized, Sized)> {
        let mut counted = match self.frame.finish().map_err(sealing)? {
            Outer::Plain(counted) => counted,
            Outer::Age(stream) => stream.finish().map_err(sealing)?,
        };
        counted.flush().map_err(sealing)?;
        Ok((self.raw.sized(), counted.tally.sized()))
    }
}

impl Write for Sealer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.frame.write(bytes)?;
        self.raw.add(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.frame.flush()
    }
}

/// Undoes the seal. `identity` is an age identity, or the text of a key file. Errors: `identity_missing`, `identity_wrong`,
/// `seal_damaged`; what is wrong further on comes from reading.
pub fn unseal<'a>(input: Box<dyn Read + 'a>, encrypted: bool, identity: Option<&str>) -> Result<Box<dyn Read + 'a>> {
    if !encrypted {
        return Ok(Box::new(zstd::stream::read::Decoder::new(input).map_err(damaged)?));
    }
    let identity = identity.ok_or_else(|| {
        Failure::failed(
            "identity_missing",
            text!("la copia está sellada y no hay identidad", "the copy is sealed and there is no identity"),
        )
        .hint(text!(
            "guarde la identidad con relevo secret set y nómbrela en [mirror] identity",
            "store the identity with relevo secret set and name it in [mirror] identity"
        ))
    })?;
    let identities = parse_identities(identity)?;
    let decryptor = Decryptor::new_buffered(BufReader::new(input)).map_err(damaged)?;
    let stream = decryptor.decrypt(identities.iter().map(|i| i as &dyn age::Identity)).map_err(|error| match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            wrong(&error.to_string())
        }
        other => damaged(other),
    })?;
    Ok(Box::new(zstd::stream::read::Decoder::new(stream).map_err(damaged)?))
}

fn parse_recipient(recipient: &str) -> Result<Recipient> {
    recipient.trim().parse().map_err(|error: &str| {
        Failure::invalid(
            "recipient_invalid",
            text!("el destinatario {recipient:?} no es de age", "recipient {recipient:?} is not one of age"),
        )
        .cause(error)
        .hint(text!("corrija [mirror] recipients: empiezan con age1", "correct [mirror] recipients: they begin with age1"))
    })
}

fn parse_identities(text: &str) -> Result<Vec<Identity>> {
    // The text is secret: no part of it may reach a message.
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let identities = lines.map(|line| line.parse::<Identity>().map_err(wrong)).collect::<Result<Vec<_>>>()?;
    if identities.is_empty() { Err(wrong("empty")) } else { Ok(identities) }
}

fn wrong(cause: &str) -> Failure {
    Failure::failed("identity_wrong", text!("la identidad no abre la copia", "the identity does not open the copy"))
        .cause(cause)
        .hint(text!(
            "use la identidad que corresponde a [mirror] recipients del día de la copia",
            "use the identity that belongs to [mirror] recipients of the day of the copy"
        ))
}

fn sealing(error: impl std::fmt::Display) -> Failure {
    Failure::failed("seal_failed", text!("no se pudo sellar la copia", "the copy could not be sealed")).cause(error)
}

fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::failed("seal_damaged", text!("el sello de la copia está dañado", "the seal of the copy is damaged")).cause(error)
}
