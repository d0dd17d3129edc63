//! RESTORE DATABASE and RESTORE LOG.

use std::{io::Write, path::PathBuf};

use uuid::Uuid;

use super::{
    access::Wait,
    backup::{Progress, Temporary, percent, records},
    backupfile::{Header, Kind},
    chain::{self, Verdict},
    datafile,
    logfile::{self, Head},
    media::{self, Found},
    messages::{Chain, abnormally, fails, fault},
    run::{Halt, Out, Run},
    server::lock,
    state::{Base, Boot, Database, DbState, Recovery, Restored, UserAccess, now, same},
};
use crate::sql::ast::{self, Restore, Scope, Stop};

/// Where a full restore puts its files: logical name, path.
pub(super) type Plan = Vec<(String, String)>;

impl Run<'_> {
    /// RESTORE.
    pub(super) fn restore(&mut self, statement: &Restore, out: Out<'_>) -> Result<(), Halt> {
        let what = if statement.scope == Scope::Log { "RESTORE LOG" } else { "RESTORE DATABASE" };
        let name = self.text(&statement.database)?;
        let before = self.server.state().find(&name).map(|found| found.id);
        let done = self.restore_steps(statement, what, &name, out);
        let id = before.or_else(|| self.server.state().find(&name).map(|found| found.id));
        if let Some(id) = id {
            self.server.release(self.work.id, id);
        }
        done.map_err(|halt| match halt {
            Halt::Fails(chain) => Halt::Fails(abnormally(chain, what)),
            other => other,
        })
    }

    fn restore_steps(&mut self, statement: &Restore, what: &str, name: &str, out: Out<'_>) -> Result<(), Halt> {
        let start = std::time::Instant::now();
        if self.work.open > 0 || self.work.set.implicit {
            return fails(3021, &[])?;
        }
        if let Some((_, system)) = super::state::SYSTEM.iter().find(|(_, system)| same(system, name)) {
            return fails(if *system == "master" { 3108 } else { 3147 }, &[system])?;
        }
        self.may_restore(name)?;
        let existing = self.server.state().find(name).cloned();
        if statement.devices.is_empty() {
            let Some(existing) = existing else { return fails(911, &[name])? };
            return self.restore_nothing(statement, what, existing, out);
        }
        let devices = self.devices(&statement.devices)?;
        let found = media::find(self.server, &devices, self.file(&statement.options)?)?;
        let header = &found.header;
        let (mine, theirs) = (self.server.identity.version(), header.software);
        if header.version > self.server.identity.database_version() {
            let text = |version: [u16; 3]| format!("{:02}.{:02}.{:04}", version[0], version[1], version[2]);
            return fails(3169, &[&text(theirs), &text(mine)])?;
        }
        let log = header.kind == Kind::Log;
        if log != (statement.scope == Scope::Log) {
            return fails(3135, &[&devices[0], if log { "BACKUP LOG" } else { "BACKUP DATABASE" }])?;
        }
        if statement.options.checksum == Some(true) && !header.checksums {
            return fails(3187, &[])?;
        }
        if matches!(statement.options.recovery, ast::Recovery::Standby(_))
            && header.version < self.server.identity.database_version()
        {
            return fails(3180, &[])?;
        }
        let (id, replace) = match header.kind {
            Kind::Full => self.restore_full(statement, what, name, existing, &found, out)?,
            _ => self.restore_more(statement, what, name, existing, &found, out)?,
        };
        self.remember_restore(statement, id, &found, replace)?;
        self.info_restored(&found.header, what, start.elapsed(), out);
        self.after(statement, id, out)
    }

    /// RESTORE without FROM: only what state the database is in afterwards.
    fn restore_nothing(&mut self, statement: &Restore, what: &str, existing: Database, out: Out<'_>) -> Result<(), Halt> {
        if !existing.boot.restoring && !existing.boot.standby {
            return fails(3153, &[])?;
        }
        self.alone(what, &existing)?;
        if let Some((_, file)) = &existing.interrupted {
            return fails(4319, &[file])?;
        }
        self.command(what, existing.id);
        self.undo_there(&existing)?;
        if matches!(statement.options.recovery, ast::Recovery::Standby(_))
            && existing.boot.version < self.server.identity.database_version()
        {
            return fails(3180, &[])?;
        }
        let mut progress = Progress::begin(self.server, self.work.id, Some(Some(100)), self.server.orders().restore_ms);
        progress.at(&self.text, self.work.set.spanish, self.line, 99, out)?;
        self.after(statement, existing.id, out)?;
        self.info(3014, &[what, "0", "0.100", "0.000"], out);
        Ok(())
    }

    /// FILE = n.
    pub(super) fn file(&self, options: &ast::RestoreOptions) -> Result<i64, Halt> {
        match (&options.file, &options.file_variable) {
            (Some(file), _) => Ok(*file),
            (None, Some(variable)) => self.number(variable),
            (None, None) => Ok(1),
        }
    }

    /// The database is this session's alone, or the error that says why not. Sessions that are leaving get a moment.
    pub(super) fn alone(&mut self, what: &str, existing: &Database) -> Result<(), Halt> {
        let (session, id) = (self.work.id, existing.id);
        if self.server.state().sessions.get(&session).is_some_and(|session| session.database == id) {
            return fails(3102, &[what, &existing.name])?;
        }
        let wait = Wait::For(std::time::Duration::from_millis(200));
        let seized = self.server.wait(self.work, &mut |_| true, wait, |state| self.server.seize(state, session, id));
        match seized {
            Err(Halt::Fails(_)) => fails(3101, &[])?,
            other => other,
        }
    }

    fn restore_full(
        &mut self,
        statement: &Restore,
        what: &str,
        name: &str,
        existing: Option<Database>,
        found: &Found,
        out: Out<'_>,
    ) -> Result<(i32, bool), Halt> {
        let (header, options) = (&found.header, &statement.options);
        if let Some(existing) = &existing {
            if !options.replace {
                if existing.boot.family_guid != header.family && existing.interrupted.is_none() {
                    return fails(3154, &[&existing.name])?;
                }
                let between = existing.boot.restoring || existing.boot.standby;
                if !between
                    && existing.boot.recovery != Recovery::Simple
                    && existing.boot.chain.is_some()
                    && options.stop.is_none()
                {
                    return fails(3159, &[&existing.name])?;
                }
            }
            self.alone(what, existing)?;
        }
        let plan = self.plan(statement, header, existing.as_ref())?;
        let path = |kind: char| {
            let member = header.members.iter().find(|member| member.kind == kind).map(|member| member.logical.clone());
            plan.iter().find(|(logical, _)| Some(logical) == member.as_ref()).map(|(_, path)| path.clone()).unwrap_or_default()
        };
        let (data, log) = (path('D'), path('L'));
        let mut boot = Boot {
            name: name.into(),
            database_guid: Uuid::new_v4(),
            base: (!header.copy_only).then_some(Base { lsn: header.checkpoint, guid: header.set, time: header.start }),
            chain: None,
            restoring: true,
            standby: false,
            damaged: header.damaged,
            broker: false,
            clean: false,
            ..header.boot.clone()
        };
        let here = existing.as_ref().is_some_and(|existing| existing.boot.family_guid == header.family)
            && header.server == self.server.identity.server_name();
        if !here {
            boot.switches.remove("TRUSTWORTHY");
        }
        boot.owner = existing.as_ref().map_or_else(|| self.sid(), |existing| existing.boot.owner.clone());
        let id = {
            let state = self.server.state();
            existing
                .as_ref()
                .map_or_else(|| (5..).find(|id| !state.databases.contains_key(id)).unwrap_or(5), |existing| existing.id)
        };
        // From here on the database is RESTORING, whatever happens.
        let mut database = Database {
            id,
            name: existing.as_ref().map_or_else(|| name.to_string(), |existing| existing.name.clone()),
            state: DbState::Restoring,
            data: data.clone(),
            log: log.clone(),
            undo: None,
            interrupted: Some((header.set, data.clone())),
            boot,
            generation: existing.as_ref().map_or(1, |existing| existing.generation + 1),
            single: None,
            writer: None,
            exclusive: Some(self.work.id),
            backups: Vec::new(),
        };
        self.server.put(database.clone());
        self.command(what, id);
        let target = self.server.path(&data);
        let image = Temporary(target.with_file_name(format!("sim-restore-{}.tmp", Uuid::new_v4())));
        let bad = |error: std::io::Error| vec![fault(3271, &[&data, &error.to_string()])];
        let mut file = std::fs::File::create(&image.0).map_err(bad)?;
        let mut progress = Progress::begin(self.server, self.work.id, options.stats, self.server.orders().restore_ms);
        media::read(self.server, found, false, |done, block| {
            file.write_all(block).map_err(|error| Halt::Fails(bad(error)))?;
            progress.at(&self.text, self.work.set.spanish, self.line, percent(done, header.payload).min(99), out)
        })?;
        drop(file);
        if datafile::open(&image.0).and_then(|image| datafile::read_boot(&image)).is_err() {
            return fails(3270, &[])?;
        }
        datafile::stamp(&image.0, &database.boot).map_err(|error| self.server.unreadable(&database, &error))?;
        #[allow(clippy::disallowed_methods)] // The database is this session's alone: nobody reads the file.
        std::fs::rename(&image.0, &target).map_err(bad)?;
        logfile::create(&self.server.path(&log), &Head::of(&database.boot), &[]).map_err(bad)?;
        if let Some(existing) = &existing {
            for old in [&existing.data, &existing.log] {
                if self.server.path(old) != target && self.server.path(old) != self.server.path(&log) {
                    let _ = std::fs::remove_file(self.server.path(old));
                }
            }
        }
        if options.restricted_user {
            database.boot.access = UserAccess::Restricted;
        }
        database.interrupted = None;
        self.server.put(database);
        progress.at(&self.text, self.work.set.spanish, self.line, 100, out)?;
        Ok((id, options.replace))
    }

    /// A log or differential backup.
    fn restore_more(
        &mut self,
        statement: &Restore,
        what: &str,
        name: &str,
        existing: Option<Database>,
        found: &Found,
        out: Out<'_>,
    ) -> Result<(i32, bool), Halt> {
        let (header, options) = (&found.header, &statement.options);
        let Some(existing) = existing else { return fails(3118, &[name])? };
        self.alone(what, &existing)?;
        if !existing.boot.restoring && !existing.boot.standby {
            return fails(3117, &[])?;
        }
        let again = match &existing.interrupted {
            Some((set, file)) if *set != header.set || !options.restart => return fails(4319, &[file])?,
            interrupted => interrupted.is_some(),
        };
        self.undo_there(&existing)?;
        if (existing.boot.damaged || header.damaged) && options.continue_after_error != Some(true) {
            return fails(4323, &[])?;
        }
        let until = self.until(options)?;
        // What was cut off may have been done already: then there is nothing to redo, and that is no error.
        let verdict = match chain::judge(header, &existing.boot) {
            Err(refused) if again && matches!(refused.number, 4326 | 3120) => Ok(Verdict::Nothing),
            verdict => verdict,
        };
        let verdict = verdict.map_err(|refused| vec![refused])?;
        let id = existing.id;
        self.command(what, id);
        let mut database = existing;
        database.interrupted = Some((header.set, database.data.clone()));
        database.exclusive = Some(self.work.id);
        database.generation += 1;
        database.state = DbState::Restoring;
        self.server.put(database.clone());
        let mut bytes = Vec::new();
        let mut progress = Progress::begin(self.server, self.work.id, options.stats, self.server.orders().restore_ms);
        let read = media::read(self.server, found, false, |done, block| {
            bytes.extend_from_slice(block);
            progress.at(&self.text, self.work.set.spanish, self.line, percent(done, header.payload).min(99), out)
        });
        if let Err(Halt::Fails(chain)) = read {
            // The file is bad, the database is as it was: a good file may follow.
            database.interrupted = None;
            self.server.put(database);
            return Err(Halt::Fails(chain));
        }
        read?;
        let Some(records) = records(&bytes) else { return fails(3270, &[])? };
        let (data, log) = (self.server.path(&database.data), self.server.path(&database.log));
        let bad = |error: std::io::Error| vec![fault(3271, &[&database.log, &error.to_string()])];
        let gate = self.server.log_of(id);
        let held = lock(&gate);
        let (_, there) = logfile::read(&log).map_err(bad)?;
        let end = there.last().map_or(super::lsn::Lsn::default(), |placed| placed.next).max(database.boot.head);
        let records: Vec<_> = records.into_iter().filter(|placed| until.is_none_or(|until| placed.time <= until)).collect();
        let new: Vec<_> = records.iter().filter(|placed| placed.lsn >= end).cloned().collect();
        logfile::append(&log, &new).map_err(bad)?;
        if verdict == Verdict::Redo {
            let stopped = until.map(|_| records.last().map_or(database.boot.head, |placed| placed.next).max(database.boot.head));
            let forks = chain::path_up_to(&header.forks, stopped.unwrap_or(header.last));
            let from = Boot { restoring: true, standby: false, forks, ..database.boot.clone() };
            let redone = datafile::redo(&data, &from, &records, stopped.unwrap_or(header.last), None);
            database.boot =
                redone.map_err(|_| vec![fault(3456, &[&database.boot.head.to_string(), &database.name, &id.to_string()])])?;
        } else {
            database.boot.restoring = true;
            database.boot.standby = false;
        }
        drop(held);
        database.boot.damaged |= header.damaged;
        database.interrupted = None;
        self.server.put(database);
        progress.at(&self.text, self.work.set.spanish, self.line, 100, out)?;
        Ok((id, options.replace))
    }

    /// STOPAT.
    fn until(&self, options: &ast::RestoreOptions) -> Result<Option<i64>, Halt> {
        match &options.stop {
            None => Ok(None),
            Some(Stop::At(text)) => self.time(&self.text(text)?).map(Some),
            Some(Stop::AtMark(..) | Stop::BeforeMark(..)) => fails(4335, &[])?,
        }
    }

    /// The undo file of a STANDBY copy has to be there.
    fn undo_there(&self, database: &Database) -> Result<(), Chain> {
        match &database.undo {
            Some(undo) if database.boot.standby && !self.server.path(undo).exists() => {
                let system = super::messages::system(2, self.server.spanish());
                fails(3441, &[&database.name, &database.id.to_string(), undo, &system])
            }
            _ => Ok(()),
        }
    }

    /// What state the statement asks for, after what it restored.
    fn after(&mut self, statement: &Restore, id: i32, out: Out<'_>) -> Result<(), Halt> {
        let Some(mut database) = self.server.state().databases.get(&id).cloned() else { return Ok(()) };
        if let Some(undo) = &database.undo {
            let _ = std::fs::remove_file(self.server.path(undo));
        }
        database.undo = None;
        database.generation += 1;
        match &statement.options.recovery {
            ast::Recovery::NoRecovery => {
                database.state = DbState::Restoring;
                database.boot.restoring = true;
                database.boot.standby = false;
            }
            ast::Recovery::Standby(undo) => {
                let undo = self.text(undo)?;
                let path = self.server.path(&undo);
                if self.server.orders().system_error(&path).is_some() || std::fs::write(&path, b"SIMUNDO1").is_err() {
                    return fails(3170, &[])?;
                }
                database.undo = Some(undo);
                database.state = DbState::Online;
                database.boot.restoring = true;
                database.boot.standby = true;
            }
            ast::Recovery::Recovery => self.recover(&mut database, out)?,
        }
        let _ = datafile::stamp(&self.server.path(&database.data), &database.boot);
        self.server.put(database);
        Ok(())
    }

    /// Recovers: a new fork begins here, and the database is of this version from now on.
    fn recover(&mut self, database: &mut Database, out: Out<'_>) -> Result<(), Halt> {
        let rich = self.server.identity.engine().0 == 3;
        let asked = self.server.orders();
        if let Some(feature) = asked.enterprise.iter().find(|feature| same(&feature.database, &database.name)).filter(|_| !rich) {
            return fails(if feature.feature == "Partitioning" { 905 } else { 909 }, &[&database.name, "dbo.Tickets"])?;
        }
        self.upgrade(database, out);
        let log = self.server.path(&database.log);
        let from = database.boot.head;
        let gate = self.server.log_of(database.id);
        let held = lock(&gate);
        database.boot.recover();
        database.boot.chain = (database.boot.recovery != Recovery::Simple).then_some(from);
        database.boot.begins_chain = false;
        database.boot.restoring = false;
        database.state = DbState::Online;
        let records = logfile::read(&log).map(|(_, records)| records);
        let written = records.and_then(|records| logfile::create(&log, &Head::of(&database.boot), &records));
        written.map_err(|error| vec![fault(3271, &[&database.log, &error.to_string()])])?;
        drop(held);
        Ok(())
    }

    /// Says, and does, what an upgrade does.
    pub(super) fn upgrade(&mut self, database: &mut Database, out: Out<'_>) {
        let (from, to) = (database.boot.version, self.server.identity.database_version());
        if from >= to {
            return;
        }
        self.info(944, &[&database.name, &from.to_string(), &to.to_string()], out);
        for step in [from, to - 1] {
            self.info(951, &[&database.name, &step.to_string(), &(step + 1).to_string()], out);
        }
        database.boot.version = to;
    }

    fn info_restored(&mut self, header: &Header, what: &str, time: std::time::Duration, out: Out<'_>) {
        let position = header.position.to_string();
        let (data, log) = (header.boot.data_name.clone(), header.boot.log_name.clone());
        let pages = header.pages.to_string();
        self.info(4035, &[&pages, &header.database, &data, &position], out);
        self.info(4035, &["0", &header.database, &log, &position], out);
        let rate = format!("{:.3}", header.pages as f64 / 128.0 / time.as_secs_f64().max(0.001));
        self.info(3014, &[what, &pages, &format!("{:.3}", time.as_secs_f64()), &rate], out);
    }

    fn remember_restore(&self, statement: &Restore, id: i32, found: &Found, replace: bool) -> Result<(), Halt> {
        let known = self.server.state().backups.iter().find(|row| row.header.set == found.header.set).map(|row| row.id);
        if known.is_none() {
            let devices: Vec<String> = found.stripes.iter().map(|stripe| stripe.1.clone()).collect();
            self.server.remember_backup(found.header.clone(), &devices);
        }
        let user = self.login();
        let stop_at = self.until(&statement.options)?;
        let mut state = self.server.state();
        let backup = state.backups.iter().find(|row| row.header.set == found.header.set).map_or(0, |row| row.id);
        let row = Restored {
            id: state.next_history,
            date: now(),
            database: state.name_of(id).unwrap_or_default(),
            user,
            backup,
            kind: found.header.kind.letter().into(),
            replace,
            recovery: statement.options.recovery == ast::Recovery::Recovery,
            restart: statement.options.restart,
            stop_at,
        };
        state.next_history += 1;
        self.server.durable(|store| store.put("restore", &format!("{:012}", row.id), &row));
        state.restores.push(row);
        Ok(())
    }

    /// Where the files of a full restore go, or why they cannot go there.
    fn plan(&self, statement: &Restore, header: &Header, existing: Option<&Database>) -> Result<Plan, Halt> {
        let mut plan: Plan = header.members.iter().map(|member| (member.logical.clone(), member.physical.clone())).collect();
        for (logical, path) in &statement.options.moves {
            let (logical, path) = (self.text(logical)?, self.text(path)?);
            match plan.iter_mut().find(|(name, _)| same(name, &logical)) {
                Some(entry) => entry.1 = path,
                None => return fails(3234, &[&logical, &header.database])?,
            }
        }
        let mut chain = Chain::new();
        let mut seen: Vec<(PathBuf, String)> = Vec::new();
        for (number, (logical, path)) in plan.iter().enumerate() {
            let file = self.server.path(path);
            if let Some((_, other)) = seen.iter().find(|(taken, _)| *taken == file) {
                chain.push(fault(3176, &[path, logical, &(number + 1).to_string(), other, "1"]));
            }
            seen.push((file.clone(), logical.clone()));
            if let Some(problem) = self.server.target_problem(path, existing, statement.options.replace) {
                chain.extend(problem);
                if chain.last().is_some_and(|last| last.number != 3142) {
                    chain.push(fault(3156, &[logical, path]));
                }
            }
        }
        let needed: i64 = header.members.iter().map(|member| member.size).sum();
        let mine: i64 = existing.map_or(0, |existing| self.server.pages(existing) * 8192 + existing.boot.log_kb * 1024);
        let free = i64::try_from(self.server.volume().1).unwrap_or(i64::MAX);
        if chain.is_empty() && needed > free.saturating_add(mine) {
            chain.push(fault(3257, &[&self.server.mount(), &needed.to_string(), &free.to_string()]));
        }
        let data: i64 = header.members.iter().filter(|member| member.kind == 'D').map(|member| member.size).sum();
        if let Some(cap) = self.server.identity.cap().filter(|cap| chain.is_empty() && data > cap * 1024 * 1024) {
            chain.push(fault(1827, &[&cap.to_string()]));
        }
        if chain.is_empty() {
            return Ok(plan);
        }
        chain.push(fault(3119, &[]));
        Err(Halt::Fails(chain))
    }
}
