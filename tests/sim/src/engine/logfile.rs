//! The log file of a database: a head that says whose it is, then its records, one a line with a sum. A record counts when its line is
//! whole; half a line at the end is what a crash leaves. Whoever appends or takes away holds the database's log (`Server::log_of`).

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{datafile::Placed, lsn::Lsn, state::Boot};

const MAGIC: &str = "SIMLOG1 ";

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The database_guid.
    pub database: Uuid,
    /// The fork that writes.
    pub fork: Uuid,
    /// What the data file has to hold at least: earlier records may be gone.
    pub changed: Lsn,
}

impl Head {
    /// That of a database.
    pub fn of(boot: &Boot) -> Head {
        Head { database: boot.database_guid, fork: boot.fork(), changed: boot.changed }
    }
}

fn line(placed: &Placed) -> std::io::Result<String> {
    let json = serde_json::to_string(placed)?;
    Ok(format!("{:016x} {json}\n", sum(json.as_bytes())))
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Makes a log file, with these records; one that is there is replaced at once.
pub fn create(path: &Path, head: &Head, records: &[Placed]) -> std::io::Result<()> {
    let mut text = format!("{MAGIC}{}\n", serde_json::to_string(head)?);
    for placed in records {
        text.push_str(&line(placed)?);
    }
    let new = path.with_extension("ldf-new");
    File::create(&new)?.write_all(text.as_bytes())?;
    #[allow(clippy::disallowed_methods)] // Nobody else has it open: the log of a database is one instance's, under its lock.
    std::fs::rename(&new, path)
}

/// Appends records; where the file ended before.
pub fn append(path: &Path, records: &[Placed]) -> std::io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut before = file.seek(SeekFrom::End(0))?;
    // Half a line of a crash would spoil the next one.
    let mut last = [b'\n'];
    if before > 0 {
        file.seek(SeekFrom::Start(before - 1))?;
        file.read_exact(&mut last)?;
    }
    if last[0] != b'\n' {
        let text = std::fs::read(path)?;
        before = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at as u64 + 1);
        file.set_len(before)?;
        file.seek(SeekFrom::Start(before))?;
    }
    let mut text = String::new();
    for placed in records {
        text.push_str(&line(placed)?);
    }
    file.write_all(text.as_bytes())?;
    Ok(before)
}

/// Takes away what was appended after that.
pub fn cut(path: &Path, before: u64) {
    if let Ok(file) = OpenOptions::new().write(true).open(path) {
        let _ = file.set_len(before);
    }
}

/// Head and records. An error of kind `InvalidData`: this is no log file.
pub fn read(path: &Path) -> std::io::Result<(Head, Vec<Placed>)> {
    parsed(&std::fs::read(path)?)
}

fn parsed(bytes: &[u8]) -> std::io::Result<(Head, Vec<Placed>)> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split_inclusive('\n');
    let head = lines.next().and_then(|first| first.strip_prefix(MAGIC)).and_then(|json| serde_json::from_str(json).ok());
    let Some(head) = head else { return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "no log file")) };
    let mut records = Vec::new();
    for line in lines {
        let whole = line.strip_suffix('\n').and_then(|line| line.split_once(' '));
        let Some((said, json)) = whole else { break };
        if said != format!("{:016x}", sum(json.as_bytes())) {
            break;
        }
        let Ok(placed) = serde_json::from_str(json) else { break };
        records.push(placed);
    }
    Ok((head, records))
}

/// Records that begin in [first, last). Earlier ones are passed over unread: between two full backups there may be very many.
pub fn between(path: &Path, first: Lsn, last: Lsn) -> std::io::Result<Vec<Placed>> {
    let bytes = std::fs::read(path)?;
    let lsn_of = |line: &[u8]| {
        let digits = line.get(17..)?.strip_prefix(b"{\"lsn\":\"")?;
        std::str::from_utf8(digits.split(|byte| *byte == b'"').next()?).ok().and_then(Lsn::parse)
    };
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let head = lines.next().map(<[u8]>::len).unwrap_or_default();
    let skipped: usize = lines.take_while(|line| lsn_of(line).is_some_and(|lsn| lsn < first)).map(<[u8]>::len).sum();
    let mut kept = bytes[..head].to_vec();
    kept.extend_from_slice(&bytes[head + skipped..]);
    let (_, mut records) = parsed(&kept)?;
    records.retain(|placed| placed.lsn < last);
    Ok(records)
}

/// Forgets records that nobody will ask for: no log backup, no differential.
pub fn forget(path: &Path, boot: &Boot) -> std::io::Result<()> {
    let wanted = [boot.chain, boot.base.as_ref().map(|base| base.lsn)];
    let below = wanted.into_iter().flatten().min().unwrap_or(boot.head);
    if first(path)?.is_none_or(|first| first >= below) {
        return Ok(());
    }
    create(path, &Head::of(boot), &between(path, below, Lsn(i128::MAX))?)
}

/// Where the first record begins.
fn first(path: &Path) -> std::io::Result<Option<Lsn>> {
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(File::open(path)?));
    let _head = lines.next().transpose()?;
    let line = lines.next().transpose()?.unwrap_or_default();
    let placed = line.split_once(' ').and_then(|(_, json)| serde_json::from_str::<Placed>(json).ok());
    Ok(placed.map(|placed| placed.lsn))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(at: i128) -> Placed {
        Placed { lsn: Lsn(at), next: Lsn(at + 1), time: 5, record: format!("{{\"ñ\": \"line\\n{at}\"}}") }
    }

    #[test]
    fn every_prefix_of_a_log_gives_its_whole_records_and_takes_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x_log.ldf");
        let head = Head { database: Uuid::new_v4(), fork: Uuid::new_v4(), changed: Lsn(1) };
        create(&path, &head, &[placed(1)]).unwrap();
        append(&path, &[placed(2), placed(3)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(read(&path).unwrap(), (head, vec![placed(1), placed(2), placed(3)]));
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for length in first..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let before = read(&path).unwrap().1;
            append(&path, &[placed(9)]).unwrap();
            let mut expected = before;
            expected.push(placed(9));
            assert_eq!(read(&path).unwrap().1, expected, "{length}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(between(&path, Lsn(2), Lsn(3)).unwrap(), vec![placed(2)]);
        assert_eq!(between(&path, Lsn(0), Lsn(9)).unwrap().len(), 3);
        assert_eq!(super::first(&path).unwrap(), Some(Lsn(1)));
        std::fs::write(&path, b"something else").unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    }
}
