//! BACKUP DATABASE and BACKUP LOG.

use std::{path::PathBuf, time::Duration};

use uuid::Uuid;

use super::{
    access::opens,
    backupfile::{BLOCK, Header, Kind, Member},
    datafile::{self, Placed, Record},
    logfile, media,
    messages::{Chain, abnormally, fails, fault},
    orders::When,
    run::{Halt, Out, Run},
    server::{Server, lock},
    state::{Base, Boot, Database, DbState, History, Recovery, fork_at, now},
};
use crate::{
    sql::ast::{Backup, BackupOptions, Device, Scope},
    wire::{Reply, SessionId},
};

/// A file that is gone when nobody needs it any more.
#[derive(Debug)]
pub struct Temporary(pub PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What is written.
enum Payload {
    Image(Temporary),
    Records(Vec<u8>),
}

impl Payload {
    fn length(&self) -> u64 {
        match self {
            Payload::Image(file) => std::fs::metadata(&file.0).map_or(0, |known| known.len()),
            Payload::Records(bytes) => bytes.len() as u64,
        }
    }
}

impl Run<'_> {
    /// The paths of devices.
    pub(super) fn devices(&self, devices: &[Device]) -> Result<Vec<String>, Halt> {
        let mut paths = Vec::new();
        for device in devices {
            match device {
                Device::Disk(text) => paths.push(self.text(text)?),
                Device::Logical(text) => return fails(3206, &[&self.text(text)?])?,
            }
        }
        if paths.iter().any(|path| path.trim().is_empty()) {
            return fails(3044, &[])?;
        }
        Ok(paths)
    }

    /// BACKUP.
    pub(super) fn backup(&mut self, statement: &Backup, out: Out<'_>) -> Result<(), Halt> {
        let what = if statement.scope == Scope::Log { "BACKUP LOG" } else { "BACKUP DATABASE" };
        self.backup_steps(statement, what, out).map_err(|halt| match halt {
            Halt::Fails(chain) => Halt::Fails(abnormally(chain, what)),
            other => other,
        })
    }

    fn backup_steps(&mut self, statement: &Backup, what: &str, out: Out<'_>) -> Result<(), Halt> {
        if self.work.open > 0 || self.work.set.implicit {
            return fails(3021, &[])?;
        }
        let name = self.text(&statement.database)?;
        let devices = self.devices(&statement.devices)?;
        let Some(database) = self.server.state().find(&name).cloned() else { return fails(911, &[&name])? };
        if !self.may_back_up(&database) {
            return fails(262, &[what, &database.name])?;
        }
        if statement.options.compression == Some(true) && !self.server.identity.compresses() {
            return fails(1844, &["BACKUP DATABASE WITH COMPRESSION", &self.server.identity.edition_text()])?;
        }
        let (id, fences) = (database.id, statement.options.no_recovery || statement.options.standby.is_some());
        allowed(statement, &database)?;
        self.enter_backup(&database, statement, what, fences)?;
        self.command(what, id);
        let done = self.write_backup(statement, id, &devices, fences, out);
        let session = self.work.id;
        {
            let mut state = self.server.state();
            if let Some(found) = state.databases.get_mut(&id) {
                found.backups.retain(|backup| backup.0 != session);
            }
        }
        if fences {
            self.server.release(session, id);
        }
        let (pages, time) = done?;
        let seconds = format!("{:.3}", time.as_secs_f64());
        let rate = format!("{:.3}", pages as f64 / 128.0 / time.as_secs_f64().max(0.001));
        self.info(3014, &[what, &pages.to_string(), &seconds, &rate], out);
        Ok(())
    }

    /// Takes the place that a backup needs.
    fn enter_backup(&self, database: &Database, statement: &Backup, what: &str, fences: bool) -> Result<(), Chain> {
        let (session, log) = (self.work.id, statement.scope == Scope::Log);
        let mut state = self.server.state();
        if fences {
            if state.sessions.get(&session).is_some_and(|session| session.database == database.id) {
                return fails(3102, &[what, &database.name]);
            }
            if self.server.seize(&mut state, session, database.id).is_err() {
                return fails(3101, &[]);
            }
        } else if database.readable() {
            self.server.admit(&mut state, session, database.id)?;
        }
        let Some(found) = state.databases.get_mut(&database.id) else { return fails(911, &[&database.name]) };
        if found.backups.iter().any(|running| !log || running.1) || found.exclusive.is_some_and(|other| other != session) {
            return fails(3023, &[]);
        }
        found.backups.push((session, log));
        if let Some(session) = state.sessions.get_mut(&session) {
            session.touching.insert(database.id);
        }
        Ok(())
    }

    fn write_backup(
        &mut self,
        statement: &Backup,
        id: i32,
        devices: &[String],
        fences: bool,
        out: Out<'_>,
    ) -> Result<(i64, Duration), Halt> {
        let start = std::time::Instant::now();
        let options = &statement.options;
        let (payload, mut header) = self.take(statement, id)?;
        header.name = options.name.as_ref().map(|name| self.text(name)).transpose()?;
        header.description = options.description.as_ref().map(|text| self.text(text)).transpose()?;
        header.checksums = options.checksum.unwrap_or(false);
        header.force_offline = fences;
        if let Some(page) = self.server.orders().damaged(&header.database)
            && header.checksums
            && header.kind != Kind::Log
        {
            if options.continue_after_error != Some(true) {
                let file = self.server.state().databases.get(&id).map_or_else(String::new, |found| found.data.clone());
                return fails(3043, &[&header.database, &page.to_string(), &file])?;
            }
            header.damaged = true;
        }
        let length = payload.length();
        let free = self.server.volume().1;
        let over = options.format == Some(true) || options.init == Some(true);
        let mut target = media::Target::begin(self.server, devices, &header, over)?;
        let mut progress = Progress::begin(self.server, self.work.id, statement.options.stats, self.server.orders().backup_ms);
        let mut written = 0_u64;
        let mut each = |block: &[u8]| -> Result<(), Halt> {
            written += block.len() as u64;
            if written > free {
                return fails(3202, &[&devices[0], &super::messages::system(112, self.server.spanish())])?;
            }
            target.block(self.server, block)?;
            progress.at(&self.text, self.work.set.spanish, self.line, percent(written, length), out)
        };
        match &payload {
            Payload::Image(file) => media::blocks(&file.0, &mut each)?,
            Payload::Records(bytes) => bytes.chunks(BLOCK).try_for_each(&mut each)?,
        }
        progress.at(&self.text, self.work.set.spanish, self.line, 100, out)?;
        header.finish = now();
        header.size = length as i64 + 64 * 1024;
        header.compressed = options.compression == Some(true)
            || (options.compression.is_none()
                && self.server.identity.compresses()
                && self.server.state().configuration.get("backup compression default") == Some(&1));
        header.compressed_size = header.size;
        let header = target.end(self.server, &header)?;
        self.info_pages(&header, out);
        self.conclude(statement, id, &header, fences)?;
        self.server.remember_backup(header.clone(), devices);
        Ok((header.pages, start.elapsed()))
    }

    /// Takes what is written, at one moment of the log.
    fn take(&self, statement: &Backup, id: i32) -> Result<(Payload, Header), Halt> {
        let gate = self.server.log_of(id);
        let held = lock(&gate);
        let Some(found) = self.server.state().databases.get(&id).cloned() else { return fails(913, &[&id.to_string()])? };
        let mut boot = found.boot.clone();
        let (data, log) = (self.server.path(&found.data), self.server.path(&found.log));
        let kind = match (statement.scope, statement.options.differential) {
            (Scope::Log, _) => Kind::Log,
            (Scope::Database, true) => Kind::Differential,
            (Scope::Database, false) => Kind::Full,
        };
        let bad = |error: std::io::Error| vec![fault(9003, &["0", &found.name]), fault(3049, &[&error.to_string()])];
        let (payload, first) = if kind == Kind::Log {
            let first = boot.chain.unwrap_or(boot.head);
            let records = logfile::between(&log, first, boot.head).map_err(bad)?;
            (Payload::Records(lines(&records)), first)
        } else {
            let placed = datafile::place(&mut boot, &Record::Checkpoint);
            let first = placed.lsn;
            boot.checkpoint = first;
            logfile::append(&log, &[placed]).map_err(bad)?;
            self.server.change(id, |found| found.boot.clone_from(&boot));
            if let (Kind::Differential, Some(base)) = (kind, &boot.base) {
                let records = logfile::between(&log, base.lsn, boot.head).map_err(bad)?;
                (Payload::Records(lines(&records)), first)
            } else {
                let file = datafile::open(&data).map_err(|error| self.server.unreadable(&found, &error))?;
                let image = Temporary(self.server.dir.join("DATA").join(format!("sim-backup-{}.tmp", Uuid::new_v4())));
                datafile::copy(&file, &image.0).map_err(|error| self.server.unreadable(&found, &error))?;
                (Payload::Image(image), first)
            }
        };
        drop(held);
        let header = header(self.server, kind, &statement.options, &found, &boot, first, &self.login());
        Ok((payload, header))
    }

    /// What a backup that is written means for the database.
    fn conclude(&self, statement: &Backup, id: i32, header: &Header, fences: bool) -> Result<(), Halt> {
        let gate = self.server.log_of(id);
        let held = lock(&gate);
        let Some(mut found) = self.server.state().databases.get(&id).cloned() else { return Ok(()) };
        let log = self.server.path(&found.log);
        let boot = &mut found.boot;
        let bad = |error: std::io::Error| vec![fault(3271, &[&log.to_string_lossy(), &error.to_string()])];
        match header.kind {
            Kind::Full if !header.copy_only => {
                let base = Base { lsn: header.checkpoint, guid: header.set, time: header.start };
                boot.base = Some(base.clone());
                logfile::append(&log, &[datafile::place(boot, &Record::Base(base))]).map_err(bad)?;
            }
            Kind::Log if !header.copy_only => {
                boot.chain = Some(header.last);
                boot.begins_chain = false;
                boot.bulk = false;
            }
            _ => {}
        }
        let starts = header.kind != Kind::Log && !header.copy_only && boot.recovery != Recovery::Simple;
        if starts && boot.chain.is_none() {
            boot.chain = Some(header.first);
            boot.begins_chain = true;
        }
        if fences {
            boot.restoring = true;
            found.state = DbState::Restoring;
            found.generation += 1;
            found.single = None;
            if let Some(undo) = &statement.options.standby {
                found.undo = Some(self.text(undo)?);
                found.boot.standby = true;
                found.state = DbState::Online;
                let undo = self.server.path(&self.text(undo)?);
                std::fs::write(&undo, b"SIMUNDO1").map_err(|_| vec![fault(3170, &[])])?;
            }
        }
        self.server.save(&found);
        // A crash before this line is made good by the next start: the instance knows more than the file.
        if fences {
            let _ = datafile::stamp(&self.server.path(&found.data), &found.boot);
        }
        logfile::forget(&log, &found.boot).map_err(bad)?;
        self.server.change(id, |now| {
            now.boot = found.boot;
            now.state = found.state;
            now.generation = found.generation;
            now.single = if fences { None } else { now.single };
            now.undo = found.undo;
        });
        drop(held);
        Ok(())
    }

    fn info_pages(&mut self, header: &Header, out: Out<'_>) {
        let position = header.position.to_string();
        if header.kind != Kind::Log {
            let data = header.boot.data_name.clone();
            self.info(4035, &[&header.pages.to_string(), &header.database, &data, &position], out);
        }
        let log = header.boot.log_name.clone();
        self.info(4035, &["1", &header.database, &log, &position], out);
    }
}

impl Server {
    /// Full backups by another product, as tests order them.
    pub(super) fn foreign_snapshots(&self) {
        let due = {
            let mut standing = self.standing();
            standing.read(&self.dir);
            std::mem::take(&mut standing.snapshots)
        };
        for name in due {
            let Some(found) = self.state().find(&name).filter(|found| found.readable() && !found.boot.restoring).cloned() else {
                continue;
            };
            self.foreign_snapshot(found.id);
        }
    }

    fn foreign_snapshot(&self, id: i32) {
        let gate = self.log_of(id);
        let _held = lock(&gate);
        let Some(mut found) = self.state().databases.get(&id).cloned() else { return };
        let first = found.boot.head;
        let placed = datafile::place(&mut found.boot, &Record::Checkpoint);
        found.boot.checkpoint = first;
        let mut header = header(self, Kind::Full, &BackupOptions::default(), &found, &found.boot, first, "NT AUTHORITY\\SYSTEM");
        header.snapshot = true;
        header.complete = true;
        let base = Base { lsn: first, guid: header.set, time: header.start };
        found.boot.base = Some(base.clone());
        let records = [placed, datafile::place(&mut found.boot, &Record::Base(base))];
        if logfile::append(&self.path(&found.log), &records).is_err() {
            return;
        }
        if found.boot.recovery != Recovery::Simple && found.boot.chain.is_none() {
            found.boot.chain = Some(first);
            found.boot.begins_chain = true;
        }
        self.change(id, |now| now.boot = found.boot);
        self.remember_backup(header, &[format!("{{{}}}1", Uuid::new_v4().to_string().to_uppercase())]);
    }

    /// Writes the history.
    pub(super) fn remember_backup(&self, header: Header, devices: &[String]) {
        let mut state = self.state();
        let row = History { id: state.next_history, header, devices: devices.to_vec() };
        state.next_history += 1;
        self.durable(|store| store.put("backup", &format!("{:012}", row.id), &row));
        state.backups.push(row);
    }
}

/// May this backup be made of a database that is so?
fn allowed(statement: &Backup, database: &Database) -> Result<(), Chain> {
    let (options, boot) = (&statement.options, &database.boot);
    if boot.standby {
        return fails(3036, &[&database.name]);
    }
    if database.state == DbState::Emergency {
        return fails(3033, &[]);
    }
    let tail = statement.scope == Scope::Log && (options.no_truncate || options.continue_after_error == Some(true));
    let broken = matches!(database.state, DbState::Suspect | DbState::RecoveryPending);
    if !(broken && tail) {
        opens(database)?;
    }
    match statement.scope {
        Scope::Log if boot.recovery == Recovery::Simple => fails(4208, &["BACKUP LOG"]),
        Scope::Log if boot.chain.is_none() => fails(4214, &[]),
        Scope::Log if broken && boot.bulk => fails(4202, &[]),
        Scope::Database if options.differential && boot.base.is_none() => fails(3035, &[&database.name]),
        _ => Ok(()),
    }
}

/// The header of a backup that begins there.
fn header(
    server: &Server,
    kind: Kind,
    options: &BackupOptions,
    found: &Database,
    boot: &Boot,
    first: super::lsn::Lsn,
    user: &str,
) -> Header {
    let identity = &server.identity;
    let (first_fork, fork) = (fork_at(&boot.forks, first), boot.fork());
    let pages = server.pages(found);
    let log = kind == Kind::Log;
    let member = |logical: &String, physical: &String, kind: char, size: i64, stored: i64, id: i64| Member {
        logical: logical.clone(),
        physical: physical.clone(),
        kind,
        size,
        stored,
        id,
        guid: Uuid::from_u128(boot.database_guid.as_u128() ^ id as u128),
    };
    Header {
        complete: false,
        kind,
        name: None,
        description: None,
        position: 1,
        user: user.to_string(),
        server: identity.server_name(),
        machine: identity.machine.clone(),
        database: found.name.clone(),
        version: boot.version,
        created: boot.created,
        size: 0,
        compressed: false,
        compressed_size: 0,
        first,
        last: boot.head,
        checkpoint: boot.checkpoint,
        full: boot.base.as_ref().map(|base| base.lsn).unwrap_or_default(),
        start: now(),
        finish: now(),
        compatibility: boot.compatibility,
        software: identity.version(),
        collation: boot.collation.clone(),
        binding: boot.database_guid,
        family: boot.family_guid,
        set: Uuid::new_v4(),
        media: Uuid::nil(),
        forks: boot.forks.clone(),
        first_fork,
        fork,
        fork_point: if first_fork == fork { None } else { boot.fork_point() },
        recovery: boot.recovery,
        base_lsn: (kind == Kind::Differential).then(|| boot.base.as_ref().map(|base| base.lsn)).flatten(),
        base_guid: (kind == Kind::Differential).then(|| boot.base.as_ref().map(|base| base.guid)).flatten(),
        bulk: boot.bulk,
        snapshot: false,
        read_only: boot.read_only,
        single_user: boot.access == super::state::UserAccess::Single,
        checksums: false,
        damaged: false,
        begins_chain: log && boot.begins_chain,
        incomplete_metadata: log && !found.readable() && found.state != DbState::Restoring,
        force_offline: false,
        copy_only: (options.copy_only && !options.differential) || options.no_truncate,
        restoring: false,
        pages: if log { 1 } else { pages },
        members: vec![
            member(&boot.data_name, &found.data, 'D', pages * 8192, if log { 0 } else { pages * 8192 }, 1),
            member(&boot.log_name, &found.log, 'L', boot.log_kb * 1024, 0, 2),
        ],
        payload: 0,
        stripe: (1, 1),
        boot: boot.clone(),
    }
}

/// Records as lines, after the path that they are on.
fn lines(records: &[Placed]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for placed in records {
        bytes.extend(serde_json::to_vec(placed).unwrap_or_default());
        bytes.push(b'\n');
    }
    bytes
}

/// Lines as records.
pub fn records(bytes: &[u8]) -> Option<Vec<Placed>> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).ok()).collect()
}

/// How much of it is done.
pub fn percent(done: u64, of: u64) -> u32 {
    done.saturating_mul(100).checked_div(of).map_or(100, |percent| u32::try_from(percent).unwrap_or(100).min(100))
}

/// Progress of a BACKUP or RESTORE: percent_complete, messages 3211, and the faults that happen at a percent.
#[derive(Debug)]
pub struct Progress<'a> {
    server: &'a Server,
    session: SessionId,
    step: u32,
    time: Duration,
    last: u32,
}

impl<'a> Progress<'a> {
    /// At 0 percent. `stats` as written: nothing said is 10.
    pub fn begin(server: &'a Server, session: SessionId, stats: Option<Option<i64>>, milliseconds: u64) -> Self {
        let step =
            stats.flatten().and_then(|step| u32::try_from(step).ok()).filter(|step| (1..=100).contains(step)).unwrap_or(10);
        Progress { server, session, step, time: Duration::from_millis(milliseconds), last: 0 }
    }

    /// At so many percent. A session that was killed and a client that is gone stop here (3204).
    pub fn at(&mut self, text: &str, spanish: bool, line: u32, percent: u32, out: Out<'_>) -> Result<(), Halt> {
        while self.last < percent {
            self.last += 1;
            self.server.pause(self.session, out, self.time)?;
            if let Some(request) = self.server.state().sessions.get_mut(&self.session).and_then(|found| found.request.as_mut()) {
                request.percent = f64::from(self.last);
            }
            if self.last.is_multiple_of(self.step) {
                let said = fault(3211, &[&self.last.to_string()]).message(spanish, line);
                if !out(Reply::Info(said)) {
                    return Err(Halt::Cancelled);
                }
            }
            self.server.power(When::Percent, text, self.last);
        }
        Ok(())
    }
}
