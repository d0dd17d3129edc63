//! A set of backup devices as one stream: blocks go to the stripes in turn.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{
    backupfile::{self, BLOCK, Header, Reader, Writer, Wrong},
    messages::{Chain, Fault, fault, system},
    server::Server,
};

/// A backup set that was found on its devices.
#[derive(Debug)]
pub struct Found {
    /// Its header.
    pub header: Header,
    /// Its stripes in order: file, path as it was said, where the set begins.
    pub stripes: Vec<(PathBuf, String, u64)>,
}

/// Number of a system error, whatever the system: as Windows counts.
pub fn code(error: &std::io::Error) -> u32 {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => 2,
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory | ErrorKind::ReadOnlyFilesystem => 5,
        ErrorKind::NotADirectory | ErrorKind::InvalidInput | ErrorKind::InvalidFilename => 3,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => 112,
        ErrorKind::UnexpectedEof => 38,
        _ => error.raw_os_error().map_or(31, i32::unsigned_abs),
    }
}

/// The error of a device that could not be opened.
pub fn cannot_open(server: &Server, device: &str, error: u32) -> Fault {
    fault(3201, &[device, &system(error, server.spanish())])
}

/// What a backup file that is wrong answers to RESTORE.
pub fn wrong(server: &Server, device: &str, database: &str, verify: bool, wrong: &Wrong) -> Fault {
    match wrong {
        Wrong::Empty => fault(3254, &[device]),
        Wrong::Malformed => fault(3241, &[device]),
        Wrong::BadSet => fault(3242, &[device]),
        Wrong::Incomplete => fault(3256, &[device]),
        Wrong::Short => fault(3203, &[device, &system(38, server.spanish())]),
        Wrong::Damaged(_) if verify => fault(3189, &[]),
        Wrong::Damaged(block) => fault(3183, &["1", &(block * (BLOCK as u64 / 8192)).to_string(), database]),
        Wrong::Io(error) => cannot_open(server, device, code(error)),
    }
}

/// The sets on one device.
pub fn sets(server: &Server, device: &str) -> Result<Vec<(Header, u64)>, Fault> {
    let path = server.path(device);
    if let Some(error) = server.orders().system_error(&path) {
        return Err(cannot_open(server, device, error));
    }
    backupfile::sets(&path).map_err(|error| wrong(server, device, "", false, &error))
}

/// Finds set number `file` on its devices, all of them.
pub fn find(server: &Server, devices: &[String], file: i64) -> Result<Found, Chain> {
    let mut stripes: Vec<(Header, PathBuf, String, u64)> = Vec::new();
    for device in devices {
        let found = sets(server, device).map_err(|fault| vec![fault])?;
        match found.into_iter().nth(usize::try_from(file - 1).unwrap_or(usize::MAX)) {
            Some((header, at)) => stripes.push((header, server.path(device), device.clone(), at)),
            None => return Err(vec![fault(3287, &[&file.to_string(), device])]),
        }
    }
    let Some(first) = stripes.first() else { return Err(vec![fault(3044, &[])]) };
    let (media, families, header) = (first.0.media, first.0.stripe.1, first.0.clone());
    if let Some(foreign) = stripes.iter().find(|stripe| stripe.0.media != media) {
        return Err(vec![fault(3258, &[&foreign.2])]);
    }
    stripes.sort_by_key(|stripe| stripe.0.stripe.0);
    stripes.dedup_by_key(|stripe| stripe.0.stripe.0);
    if stripes.len() as u32 != families {
        return Err(vec![fault(3132, &[&families.to_string(), &stripes.len().to_string()])]);
    }
    let header = Header { payload: stripes.iter().map(|stripe| stripe.0.payload).sum(), ..header };
    Ok(Found { header, stripes: stripes.into_iter().map(|(_, path, said, at)| (path, said, at)).collect() })
}

/// Reads the payload block by block. `seen` is told the bytes so far and may stop it.
pub fn read(
    server: &Server,
    found: &Found,
    verify: bool,
    mut seen: impl FnMut(u64, &[u8]) -> Result<(), super::run::Halt>,
) -> Result<(), super::run::Halt> {
    let bad = |device: &str, error: &Wrong| vec![wrong(server, device, &found.header.database, verify, error)];
    let mut readers = Vec::new();
    for (path, device, at) in &found.stripes {
        let sets = backupfile::sets(path).map_err(|error| bad(device, &error))?;
        let header = sets.into_iter().find(|set| set.1 == *at).map(|set| set.0);
        let header = header.ok_or_else(|| bad(device, &Wrong::BadSet))?;
        readers.push((Reader::begin(path, &header, *at).map_err(|error| bad(device, &error))?, device));
    }
    let (mut total, mut turn) = (0, 0);
    let count = readers.len();
    loop {
        let (reader, device) = &mut readers[turn % count];
        let Some(block) = reader.block().map_err(|error| bad(device, &error))? else { break };
        total += block.len() as u64;
        seen(total, &block)?;
        turn += 1;
    }
    Ok(())
}

/// Writes a set to its devices.
#[derive(Debug)]
pub struct Target {
    writers: Vec<(Option<Writer>, String)>,
    turn: usize,
}

impl Target {
    /// Begins the set on every device.
    pub fn begin(server: &Server, devices: &[String], header: &Header, over: bool) -> Result<Target, Fault> {
        let mut writers = Vec::new();
        let media = Uuid::new_v4();
        for (number, device) in devices.iter().enumerate() {
            if device.eq_ignore_ascii_case("nul") {
                writers.push((None, device.clone()));
                continue;
            }
            let path = server.path(device);
            if let Some(error) = server.orders().system_error(&path) {
                return Err(cannot_open(server, device, error));
            }
            // Appended sets belong to the media set that is there.
            let there =
                if over { None } else { backupfile::sets(&path).ok().and_then(|sets| sets.first().map(|set| set.0.media)) };
            let stripe = (number as u32 + 1, devices.len() as u32);
            let header = Header { media: there.unwrap_or(media), stripe, ..header.clone() };
            let writer = Writer::begin(&path, header, over).map_err(|error| match &error {
                Wrong::Io(error) if error.kind() == std::io::ErrorKind::NotFound => cannot_open(server, device, 3),
                Wrong::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                    fault(3202, &[device, &system(112, server.spanish())])
                }
                other => wrong(server, device, "", false, other),
            })?;
            writers.push((Some(writer), device.clone()));
        }
        Ok(Target { writers, turn: 0 })
    }

    /// Writes the next block.
    pub fn block(&mut self, server: &Server, bytes: &[u8]) -> Result<(), Fault> {
        let count = self.writers.len();
        let (writer, device) = &mut self.writers[self.turn % count];
        self.turn += 1;
        let failed = match server.orders().write_error(&server.path(device)) {
            Some(error) => Some(error),
            None => writer.as_mut().and_then(|writer| writer.block(bytes).err()).map(|error| code(&error)),
        };
        failed.map_or(Ok(()), |error| Err(fault(3202, &[device, &system(error, server.spanish())])))
    }

    /// Ends the set everywhere; the header as it was written on the first device.
    pub fn end(self, server: &Server, header: &Header) -> Result<Header, Fault> {
        let mut whole = header.clone();
        for (number, (writer, device)) in self.writers.into_iter().enumerate() {
            let Some(writer) = writer else { continue };
            let media = writer.media();
            let written = writer.end(&Header { media, ..header.clone() });
            let written = written.map_err(|error| fault(3202, &[&device, &system(code(&error), server.spanish())]))?;
            if number == 0 {
                whole = written;
            }
        }
        Ok(whole)
    }
}

/// Bytes of a file as blocks.
pub fn blocks(path: &Path, mut each: impl FnMut(&[u8]) -> Result<(), super::run::Halt>) -> Result<(), super::run::Halt> {
    use std::io::Read;
    let failed = |error: std::io::Error| vec![fault(3271, &[&path.to_string_lossy(), &error.to_string()])];
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut block = vec![0; BLOCK];
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match file.read(&mut block[filled..]).map_err(failed)? {
                0 => break,
                more => filled += more,
            }
        }
        if filled == 0 {
            return Ok(());
        }
        each(&block[..filled])?;
    }
}
