//! CREATE, ATTACH, DETACH and DROP of databases, and what their files are.

use uuid::Uuid;

use super::{
    datafile,
    logfile::{self, Head},
    media::code,
    messages::{Chain, fails, fault, system},
    run::{Halt, Out, Run},
    server::Server,
    state::{Boot, Database, DbState, Fork, Recovery, SYSTEM, UserAccess, now, same},
};
use crate::sql::ast::{Attach, CreateDatabase, FileSpec};

impl Server {
    /// Pages of the data file, of 8 KB: what it was declared to take at least.
    pub(super) fn pages(&self, database: &Database) -> i64 {
        let bytes = std::fs::metadata(self.path(&database.data)).map_or(0, |known| known.len());
        (i64::try_from(bytes).unwrap_or(i64::MAX) / 8192 + 1).max(database.boot.data_kb / 8)
    }

    /// Where the volume is mounted.
    pub(super) fn mount(&self) -> String {
        let path = self.dir.to_string_lossy();
        if path.chars().nth(1) == Some(':') { format!("{}\\", &path[..2]) } else { "/".into() }
    }

    /// Why a file cannot be made at a path; nothing: it can.
    pub(super) fn target_problem(&self, said: &str, mine: Option<&Database>, replace: bool) -> Option<Chain> {
        let path = self.path(said);
        let spanish = self.spanish();
        let uses = |database: &Database| self.path(&database.data) == path || self.path(&database.log) == path;
        let id = mine.map(|mine| mine.id);
        let other = self.state().databases.values().find(|database| Some(database.id) != id && uses(database)).cloned();
        if let Some(other) = other {
            return Some(vec![fault(1834, &[said, &other.name])]);
        }
        if let Some(error) = self.orders().system_error(&path) {
            let attempt = "RestoreContainer::ValidateTargetForCreation";
            return Some(vec![fault(3634, &[&system(error, spanish), attempt, said])]);
        }
        if !path.parent().is_some_and(std::path::Path::is_dir) || said.trim().is_empty() {
            return Some(vec![fault(5133, &[said, &system(3, spanish)])]);
        }
        if path.is_dir() {
            return Some(vec![fault(3634, &[&system(5, spanish), "RestoreContainer::ValidateTargetForCreation", said])]);
        }
        if path.exists() && !replace && !mine.is_some_and(uses) {
            return Some(vec![fault(3142, &[said, said])]);
        }
        None
    }

    /// The database changed in memory and on disk.
    pub(super) fn change(&self, id: i32, change: impl FnOnce(&mut Database)) {
        let mut state = self.state();
        if let Some(found) = state.databases.get_mut(&id) {
            change(found);
            self.save(found);
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl Run<'_> {
    /// CREATE DATABASE.
    pub(super) fn create_database(&mut self, statement: &CreateDatabase, out: Out<'_>) -> Result<(), Halt> {
        if self.work.open > 0 {
            return Err(Halt::Fails(vec![fault(226, &["CREATE DATABASE"])]));
        }
        if !self.can("CREATE ANY DATABASE") && !self.is_member("dbcreator") {
            return fails(262, &["CREATE DATABASE", "master"])?;
        }
        if statement.snapshot_of.is_some() {
            return fails(1844, &["Database snapshot", "the simulator"])?;
        }
        if self.server.state().id_of(&statement.name).is_some() {
            return fails(1801, &[&statement.name])?;
        }
        match &statement.attach {
            None => self.create_new(statement),
            Some(attach) => self.attach(statement, attach, out),
        }
    }

    fn create_new(&mut self, statement: &CreateDatabase) -> Result<(), Halt> {
        let name = &statement.name;
        let file = |given: Option<&FileSpec>, logical: String, path: String| {
            let given = given.cloned().unwrap_or_default();
            (given.name.unwrap_or(logical), given.path.unwrap_or(path), given.size)
        };
        let folder = self.server.folder("DATA");
        let plain = name.replace(['/', '\\', ':', '*', '?', '"', '<', '>', '|'], "_");
        let (data_name, data, data_kb) = file(statement.files.first(), name.clone(), format!("{folder}{plain}.mdf"));
        let (log_name, log, log_kb) =
            file(statement.log_files.first(), format!("{name}_log"), format!("{folder}{plain}_log.ldf"));
        if statement.files.len() > 1 || statement.log_files.len() > 1 {
            return fails(1844, &["More than one file of a kind", "the simulator"])?;
        }
        for path in [&data, &log] {
            let spanish = self.server.spanish();
            let problem = match self.server.target_problem(path, None, false) {
                None => continue,
                Some(problem) => problem,
            };
            let first = problem.first().map_or(0, |first| first.number);
            let said = match first {
                3142 => fault(5170, &[path]),
                3634 => {
                    let error = self.server.orders().system_error(&self.server.path(path)).unwrap_or(5);
                    fault(5123, &[&system(error, spanish), path])
                }
                _ => problem[0].clone(),
            };
            return Err(Halt::Fails(vec![said, fault(1802, &[])]));
        }
        let data_kb = data_kb.unwrap_or(8192);
        self.within_cap(data_kb)?;
        let first = super::lsn::Lsn::first();
        let boot = Boot {
            name: name.clone(),
            database_guid: Uuid::new_v4(),
            family_guid: Uuid::new_v4(),
            broker_guid: Uuid::new_v4(),
            created: now(),
            version: self.server.identity.database_version(),
            compatibility: (self.server.identity.major * 10) as u8,
            collation: statement.collation.clone().unwrap_or_else(|| self.server.identity.collation.clone()),
            recovery: if self.server.identity.engine().0 == 4 { Recovery::Simple } else { Recovery::Full },
            access: UserAccess::Multi,
            read_only: false,
            switches: ["AUTO_CREATE_STATISTICS", "AUTO_UPDATE_STATISTICS"].map(String::from).into(),
            broker: true,
            page_verify: "CHECKSUM".into(),
            owner: self.sid(),
            forks: vec![Fork { id: Uuid::new_v4(), from: first }],
            head: first,
            checkpoint: first,
            changed: first,
            chain: None,
            begins_chain: false,
            base: None,
            data_name,
            log_name,
            data_kb,
            log_kb: log_kb.unwrap_or(8192),
            standby: false,
            restoring: false,
            damaged: false,
            bulk: false,
            clean: false,
        };
        self.enter_new(name, data, log, boot, true)
    }

    /// Would a database of that size be allowed?
    pub(super) fn within_cap(&self, kb: i64) -> Result<(), Chain> {
        match self.server.identity.cap() {
            Some(cap) if kb > cap * 1024 => fails(1827, &[&cap.to_string()]),
            _ => Ok(()),
        }
    }

    /// Makes the files of a new database where `make`, and enters it.
    fn enter_new(&mut self, name: &str, data: String, log: String, boot: Boot, make: bool) -> Result<(), Halt> {
        let (data_path, log_path) = (self.server.path(&data), self.server.path(&log));
        if make {
            let made = datafile::create(&data_path, &boot).map_err(|error| vec![fault(5123, &[&error.to_string(), &data])]);
            made.map_err(|mut chain: Chain| {
                chain.push(fault(1802, &[]));
                chain
            })?;
            logfile::create(&log_path, &Head::of(&boot), &[])
                .map_err(|error| vec![fault(5123, &[&system(code(&error), self.server.spanish()), &log]), fault(1802, &[])])?;
        }
        let id = {
            let state = self.server.state();
            (5..).find(|id| !state.databases.contains_key(id)).unwrap_or(5)
        };
        self.server.put(Database {
            id,
            name: name.into(),
            state: DbState::Online,
            data,
            log,
            undo: None,
            interrupted: None,
            boot,
            generation: 1,
            single: None,
            writer: None,
            exclusive: None,
            backups: Vec::new(),
        });
        Ok(())
    }

    /// FOR ATTACH: the generic 1813 is said before a version that is too new (948), after everything else.
    fn attach(&mut self, statement: &CreateDatabase, attach: &Attach, out: Out<'_>) -> Result<(), Halt> {
        let name = &statement.name;
        let Some(data) = statement.files.first().and_then(|file| file.path.clone()) else { return fails(1829, &[name])? };
        let spanish = self.server.spanish();
        let path = self.server.path(&data);
        if let Some(error) = self.open_error(&path) {
            let text = system(error, spanish);
            let number = error.to_string();
            let words = text.trim_start_matches(&number).trim_matches(['(', ')']).to_string();
            return Err(Halt::Fails(match error {
                2 | 3 => vec![fault(5133, &[&data, &text]), fault(1802, &[])],
                _ => vec![fault(5120, &[&data, &number, &words]), fault(1802, &[])],
            }));
        }
        let aborted = |first: super::messages::Fault| Halt::Fails(vec![first, fault(1813, &[name])]);
        let user = self
            .server
            .state()
            .databases
            .values()
            .find(|other| self.server.path(&other.data) == path)
            .map(|other| other.name.clone());
        if let Some(user) = user {
            return Err(aborted(fault(1834, &[&data, &user])));
        }
        let Ok(boot) = datafile::open(&path).and_then(|file| datafile::read_boot(&file)) else {
            return Err(aborted(fault(5171, &[&data])));
        };
        let mine = self.server.identity.database_version();
        if boot.version > mine {
            return Err(Halt::Fails(vec![
                fault(1813, &[name]),
                fault(948, &[name, &boot.version.to_string(), &mine.to_string()]),
            ]));
        }
        if boot.restoring {
            return Err(aborted(fault(1824, &[])));
        }
        if boot.version < mine && std::fs::metadata(&path).is_ok_and(|known| known.permissions().readonly()) {
            return Err(aborted(fault(3415, &[name])));
        }
        let size = std::fs::metadata(&path).map_or(0, |known| known.len());
        self.within_cap((i64::try_from(size).unwrap_or(i64::MAX) / 1024).max(boot.data_kb)).map_err(|mut chain| {
            chain.push(fault(1813, &[name]));
            chain
        })?;
        let said = statement.files.iter().skip(1).chain(&statement.log_files).find_map(|file| file.path.clone());
        let log = said.unwrap_or_else(|| log_beside(&data));
        let rebuilds = *attach == Attach::RebuildLog;
        let boot = self.pair_log(name, &path, &log, boot, rebuilds, out)?;
        let mut switches = boot.switches.clone();
        switches.remove("TRUSTWORTHY");
        switches.remove("HONOR_BROKER_PRIORITY");
        let options = if let Attach::Attach { options } = attach { options.clone() } else { Vec::new() };
        let has = |option: &str| options.iter().any(|has| has == option);
        let mut boot = Boot {
            name: name.clone(),
            switches,
            broker: has("ENABLE_BROKER") || has("NEW_BROKER"),
            broker_guid: if has("NEW_BROKER") { Uuid::new_v4() } else { boot.broker_guid },
            access: if has("RESTRICTED_USER") { UserAccess::Restricted } else { boot.access },
            owner: self.sid(),
            clean: false,
            ..boot
        };
        if rebuilds {
            boot.chain = None;
            boot.base = None;
        }
        datafile::stamp(&path, &boot)
            .map_err(|error| vec![fault(5120, &[&data, "5", &error.to_string()]), fault(1813, &[name])])?;
        self.enter_new(name, data, log, boot, false)?;
        let found = self.server.state().find(name).cloned();
        if let Some(mut found) = found {
            self.upgrade(&mut found, out);
            let _ = datafile::stamp(&path, &found.boot);
            self.server.put(found);
        }
        Ok(())
    }

    /// Brings data and log file together: redoes what is missing, or rebuilds the log.
    fn pair_log(
        &mut self,
        name: &str,
        path: &std::path::Path,
        log: &str,
        boot: Boot,
        rebuilds: bool,
        out: Out<'_>,
    ) -> Result<Boot, Halt> {
        let spanish = self.server.spanish();
        let aborted = |first: super::messages::Fault| Halt::Fails(vec![first, fault(1813, &[name])]);
        let log_path = self.server.path(log);
        if let Some(error) = self.server.orders().system_error(&log_path) {
            let text = system(error, spanish);
            let number = error.to_string();
            let words = text.trim_start_matches(&number).trim_matches(['(', ')']).to_string();
            return Err(aborted(fault(5120, &[log, &number, &words])));
        }
        match logfile::read(&log_path) {
            Ok((head, records)) if !rebuilds => {
                let end = records.last().map_or(head.changed, |placed| placed.next);
                if head.database != boot.database_guid || head.fork != boot.fork() {
                    return Err(aborted(fault(5173, &[])));
                }
                if boot.changed < head.changed || end < boot.changed {
                    self.info(5108, &[log], out);
                    return Err(aborted(fault(9003, &[&end.to_string(), name])));
                }
                let end = end.max(boot.head);
                datafile::redo(path, &boot, &records, end, None)
                    .map_err(|_| aborted(fault(3456, &[&boot.head.to_string(), name, "0"])))
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData && !rebuilds => {
                Err(aborted(fault(5172, &[log, "FileType"])))
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound && !rebuilds => {
                Err(aborted(fault(5120, &[log, &code(&error).to_string(), &error.to_string()])))
            }
            _ => {
                if !boot.clean {
                    self.info(5105, &[log], out);
                    self.info(5113, &[], out);
                    return Err(aborted(fault(1818, &[log])));
                }
                logfile::create(&log_path, &Head::of(&boot), &[])
                    .map_err(|_| aborted(fault(5123, &[&system(5, spanish), log])))?;
                Ok(boot)
            }
        }
    }

    /// What opening an existing file answers.
    pub(super) fn open_error(&self, path: &std::path::Path) -> Option<u32> {
        self.server.orders().system_error(path).or_else(|| std::fs::File::open(path).err().map(|error| code(&error)))
    }

    /// DROP DATABASE: the files go too, unless it is offline.
    pub(super) fn drop_database(&mut self, name: &str, if_exists: bool) -> Result<(), Halt> {
        if self.work.open > 0 {
            return fails(226, &["DROP DATABASE"])?;
        }
        if SYSTEM.iter().any(|(_, system)| same(system, name)) {
            return fails(3708, &[name])?;
        }
        let Some(found) = self.server.state().find(name).cloned() else {
            return if if_exists { Ok(()) } else { fails(3701, &["drop", "database", name])? };
        };
        if !self.may_alter(&found) {
            return fails(3701, &["drop", "database", name])?;
        }
        self.alone("DROP DATABASE", &found).map_err(|_| Halt::Fails(vec![fault(3702, &[&found.name])]))?;
        if found.state != DbState::Offline {
            for file in [&found.data, &found.log] {
                let _ = std::fs::remove_file(self.server.path(file));
            }
        }
        self.forget_database(&found);
        Ok(())
    }

    /// sp_detach_db.
    pub(super) fn detach(&mut self, name: &str) -> Result<(), Halt> {
        if SYSTEM.iter().any(|(_, system)| same(system, name)) {
            return fails(7940, &[])?;
        }
        let Some(mut found) = self.server.state().find(name).cloned() else { return fails(15010, &[name])? };
        if !self.may_alter(&found) {
            return fails(15247, &[])?;
        }
        if self.work.open > 0 {
            return fails(15002, &["sp_detach_db"])?;
        }
        match found.state {
            DbState::Suspect | DbState::RecoveryPending => return fails(3707, &[])?,
            DbState::Restoring => return fails(927, &[&found.name])?,
            _ => {}
        }
        self.alone("ALTER DATABASE", &found).map_err(|_| Halt::Fails(vec![fault(3703, &[&found.name])]))?;
        if found.state != DbState::Offline {
            self.server.shut(&mut found).map_err(|error| self.server.unreadable(&found, &error))?;
        }
        self.forget_database(&found);
        Ok(())
    }

    fn forget_database(&self, found: &Database) {
        let mut state = self.server.state();
        self.server.durable(|store| store.remove("database", &format!("{:08}", found.id)));
        state.databases.remove(&found.id);
        let moved: Vec<_> = state.logins.values_mut().filter(|login| same(&login.database, &found.name)).collect();
        for login in moved {
            login.database = "master".into();
            self.server.durable(|store| store.put("login", &login.name.to_lowercase(), login));
        }
    }
}

/// Where the log file of a data file lies when nothing is said.
fn log_beside(data: &str) -> String {
    let stem = data.strip_suffix(".mdf").or_else(|| data.strip_suffix(".MDF")).unwrap_or(data);
    format!("{stem}_log.ldf")
}
