//! Backup files: real files in a format of the simulator's own. A file is a sequence of backup sets; a set is a header area of a fixed
//! size (magic, length, sum, JSON), then blocks of the payload (length, sum, bytes). The header is written twice: `complete` only when
//! the payload is, so that a set whose BACKUP was cut off says so. A copy that was cut off has a complete header and too few blocks.
//!
//! The payload of a full backup is the SQLite file of the database; that of a log or differential backup is its records as JSON lines.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{lsn::Lsn, state::Fork};

const MAGIC: &[u8; 8] = b"SIMTAPE1";
const AREA: u64 = 32 * 1024;
/// Bytes of a block: small enough that progress is seen.
pub const BLOCK: usize = 64 * 1024;

/// What kind of backup, numbered as BackupType of HEADERONLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Full.
    Full = 1,
    /// Log.
    Log = 2,
    /// Differential.
    Differential = 5,
}

impl Kind {
    /// `type` of msdb.
    pub fn letter(self) -> &'static str {
        match self {
            Kind::Full => "D",
            Kind::Log => "L",
            Kind::Differential => "I",
        }
    }
}

/// A file of the database, as FILELISTONLY tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// LogicalName
    pub logical: String,
    /// PhysicalName
    pub physical: String,
    /// D or L
    pub kind: char,
    /// Size in bytes
    pub size: i64,
    /// Bytes in the backup
    pub stored: i64,
    /// FileId
    pub id: i64,
    /// UniqueId
    pub guid: Uuid,
}

/// The header of a backup set: what HEADERONLY and msdb say, and what RESTORE decides on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // Named as the columns of HEADERONLY.
pub struct Header {
    pub complete: bool,
    pub kind: Kind,
    pub name: Option<String>,
    pub description: Option<String>,
    pub position: i64,
    pub user: String,
    pub server: String,
    pub machine: String,
    pub database: String,
    pub version: u16,
    pub created: i64,
    pub size: i64,
    pub compressed: bool,
    pub compressed_size: i64,
    pub first: Lsn,
    pub last: Lsn,
    pub checkpoint: Lsn,
    pub full: Lsn,
    pub start: i64,
    pub finish: i64,
    pub compatibility: u8,
    pub software: [u16; 3],
    pub collation: String,
    pub binding: Uuid,
    pub family: Uuid,
    pub set: Uuid,
    pub media: Uuid,
    /// The recovery path up to the end of this backup.
    pub forks: Vec<Fork>,
    pub first_fork: Uuid,
    pub fork: Uuid,
    pub fork_point: Option<Lsn>,
    pub recovery: super::state::Recovery,
    pub base_lsn: Option<Lsn>,
    pub base_guid: Option<Uuid>,
    pub bulk: bool,
    pub snapshot: bool,
    pub read_only: bool,
    pub single_user: bool,
    pub checksums: bool,
    pub damaged: bool,
    pub begins_chain: bool,
    pub incomplete_metadata: bool,
    pub force_offline: bool,
    pub copy_only: bool,
    pub restoring: bool,
    pub pages: i64,
    pub members: Vec<Member>,
    /// Bytes of the payload in this file.
    pub payload: u64,
    /// Which stripe this is, from 1, and of how many.
    pub stripe: (u32, u32),
    /// What the database knew about itself, for a full backup.
    pub boot: super::state::Boot,
}

/// Why a file could not be read as a backup.
#[derive(Debug)]
pub enum Wrong {
    /// Nothing in it (3254).
    Empty,
    /// No backup file (3241).
    Malformed,
    /// A set whose header is damaged (3242).
    BadSet,
    /// The BACKUP that made it did not end (3256).
    Incomplete,
    /// The file ends in the middle (3203, system error 38).
    Short,
    /// A block is not what was written; which one (3183, 3189).
    Damaged(u64),
    /// The system refused.
    Io(std::io::Error),
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Wrong {
        if error.kind() == std::io::ErrorKind::UnexpectedEof { Wrong::Short } else { Wrong::Io(error) }
    }
}

/// Eight bytes at a time; every step is reversible, so that no single change goes unseen.
fn sum(bytes: &[u8]) -> u64 {
    let mut sum = 0x51_7e_a5_e5 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    sum
}

/// Writes one set into one file.
#[derive(Debug)]
pub struct Writer {
    file: File,
    at: u64,
    header: Header,
}

impl Writer {
    /// Begins a set: at the beginning of the file (`over`), or after the sets that are there.
    pub fn begin(path: &Path, mut header: Header, over: bool) -> Result<Writer, Wrong> {
        let mut at = 0;
        header.position = 1;
        if !over && path.exists() {
            for (number, set) in sets(path)?.iter().enumerate() {
                at = set.1 + AREA + stored(set.0.payload);
                header.position = number as i64 + 2;
            }
        }
        let mut file = OpenOptions::new().create(true).write(true).truncate(over).open(path)?;
        file.seek(SeekFrom::Start(at))?;
        header.complete = false;
        header.payload = 0;
        write_header(&mut file, &header)?;
        Ok(Writer { file, at, header })
    }

    /// Writes a block of at most [`BLOCK`] bytes.
    pub fn block(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(&(bytes.len() as u32).to_le_bytes())?;
        self.file.write_all(&sum(bytes).to_le_bytes())?;
        self.file.write_all(bytes)?;
        self.header.payload += bytes.len() as u64;
        Ok(())
    }

    /// The media set that it belongs to.
    pub fn media(&self) -> Uuid {
        self.header.media
    }

    /// Ends the set: the header as it is now known. From here on the backup counts.
    pub fn end(mut self, header: &Header) -> std::io::Result<Header> {
        let whole = Header {
            complete: true,
            payload: self.header.payload,
            position: self.header.position,
            stripe: self.header.stripe,
            ..header.clone()
        };
        self.file.seek(SeekFrom::Start(self.at))?;
        write_header(&mut self.file, &whole)?;
        self.file.sync_data()?;
        Ok(whole)
    }
}

/// Bytes that a payload takes with the heads of its blocks: all are full but the last.
fn stored(payload: u64) -> u64 {
    payload + payload.div_ceil(BLOCK as u64) * 12
}

fn write_header(file: &mut File, header: &Header) -> std::io::Result<()> {
    let json = serde_json::to_vec(header)?;
    if json.len() as u64 + 20 > AREA {
        return Err(std::io::Error::other("the header is too long"));
    }
    let mut area = Vec::with_capacity(AREA as usize);
    area.extend_from_slice(MAGIC);
    area.extend_from_slice(&(json.len() as u32).to_le_bytes());
    area.extend_from_slice(&sum(&json).to_le_bytes());
    area.extend_from_slice(&json);
    area.resize(AREA as usize, 0);
    file.write_all(&area)
}

/// The sets of a file with where they begin.
pub fn sets(path: &Path) -> Result<Vec<(Header, u64)>, Wrong> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut found = Vec::new();
    let mut at = 0;
    if length == 0 {
        return Err(Wrong::Empty);
    }
    while at < length {
        let header = match read_header(&mut file, at) {
            Ok(header) => header,
            Err(Wrong::BadSet) if found.is_empty() => return Err(Wrong::BadSet),
            Err(_) if found.is_empty() => return Err(Wrong::Malformed),
            // What follows a set that is whole and is none itself: the file was cut off in the next one.
            Err(_) => return Err(Wrong::BadSet),
        };
        let next = at + AREA + stored(header.payload);
        let complete = header.complete;
        found.push((header, at));
        if !complete {
            break;
        }
        at = next;
    }
    Ok(found)
}

fn read_header(file: &mut File, at: u64) -> Result<Header, Wrong> {
    file.seek(SeekFrom::Start(at))?;
    let mut head = [0; 20];
    file.read_exact(&mut head).map_err(|_| Wrong::Malformed)?;
    if &head[..8] != MAGIC {
        return Err(Wrong::Malformed);
    }
    let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
    let mut json = vec![0; length.min(AREA as usize)];
    file.read_exact(&mut json).map_err(|_| Wrong::BadSet)?;
    if head[12..20] != sum(&json).to_le_bytes() {
        return Err(Wrong::BadSet);
    }
    serde_json::from_slice(&json).map_err(|_| Wrong::BadSet)
}

/// Reads the blocks of a set.
#[derive(Debug)]
pub struct Reader {
    file: File,
    left: u64,
    number: u64,
}

impl Reader {
    /// Begins with the first block of the set that begins at `at`.
    pub fn begin(path: &Path, header: &Header, at: u64) -> Result<Reader, Wrong> {
        if !header.complete {
            return Err(Wrong::Incomplete);
        }
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(at + AREA))?;
        Ok(Reader { file, left: header.payload, number: 0 })
    }

    /// The next block; `None` after the last.
    pub fn block(&mut self) -> Result<Option<Vec<u8>>, Wrong> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut head = [0; 12];
        self.file.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if length == 0 || length > BLOCK || length as u64 > self.left {
            return Err(Wrong::Damaged(self.number));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        if head[4..12] != sum(&bytes).to_le_bytes() {
            return Err(Wrong::Damaged(self.number));
        }
        self.left -= length as u64;
        self.number += 1;
        Ok(Some(bytes))
    }
}
