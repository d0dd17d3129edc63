//! ALTER DATABASE and ALTER AUTHORIZATION.

use std::time::Duration;

use super::{
    access::Wait,
    datafile::{self, Options, Record},
    logfile,
    messages::{Chain, alter_failed, fails, fault},
    run::{Halt, Out, Run},
    server::lock,
    state::{Boot, Database, DbState, Recovery, SYSTEM, UserAccess, same},
};
use crate::sql::ast::{AlterDatabase, DatabaseChange, DatabaseOption, RecoveryModel, Termination};

impl Run<'_> {
    /// ALTER DATABASE.
    pub(super) fn alter_database(&mut self, statement: &AlterDatabase, out: Out<'_>) -> Result<(), Halt> {
        self.alter_steps(statement, out).map_err(|halt| match halt {
            Halt::Fails(chain) => Halt::Fails(alter_failed(chain)),
            other => other,
        })
    }

    fn alter_steps(&mut self, statement: &AlterDatabase, out: Out<'_>) -> Result<(), Halt> {
        if self.work.open > 0 {
            return fails(226, &["ALTER DATABASE"])?;
        }
        let name = match &statement.database {
            Some(name) => name.clone(),
            None => self.context_name(),
        };
        if SYSTEM.iter().any(|(_, system)| same(system, &name)) {
            return fails(5058, &["this option", &name])?;
        }
        let Some(found) = self.server.state().find(&name).cloned() else { return fails(5011, &[&name])? };
        if !self.may_alter(&found) {
            return fails(5011, &[&name])?;
        }
        self.command("ALTER DATABASE", found.id);
        match &statement.change {
            DatabaseChange::Set { options, termination } => self.set_options(&found, options, *termination, out),
            DatabaseChange::ModifyName(new) => self.rename(&found, new, out),
            DatabaseChange::ModifyFile(file) => {
                let size = file.size;
                let data = file.name.as_ref().is_some_and(|name| same(name, &found.boot.data_name));
                if !data && !file.name.as_ref().is_some_and(|name| same(name, &found.boot.log_name)) {
                    return fails(5041, &[file.name.as_deref().unwrap_or("")])?;
                }
                if let (true, Some(size)) = (data, size) {
                    self.within_cap(size)?;
                }
                if let Some(path) = &file.path {
                    // Counts from the next start on, as the real one says.
                    self.server
                        .change(found.id, |found| if data { found.data.clone_from(path) } else { found.log.clone_from(path) });
                }
                self.options(found.id, |boot| match (data, size) {
                    (true, Some(size)) => boot.data_kb = size,
                    (false, Some(size)) => boot.log_kb = size,
                    _ => {}
                })
            }
            DatabaseChange::Collate(collation) => {
                self.hold(&found, None, out)?;
                self.server.change(found.id, |found| found.boot.collation.clone_from(collation));
                self.server.release(self.work.id, found.id);
                Ok(())
            }
            DatabaseChange::AddFile(_) | DatabaseChange::AddLogFile(_) | DatabaseChange::RemoveFile(_) => {
                fails(1844, &["More than one file of a kind", "the simulator"])?
            }
        }
    }

    fn set_options(
        &mut self,
        found: &Database,
        options: &[DatabaseOption],
        termination: Option<Termination>,
        out: Out<'_>,
    ) -> Result<(), Halt> {
        for option in options {
            let Some(found) = self.server.state().databases.get(&found.id).cloned() else { return fails(5011, &[&found.name])? };
            self.set_option(&found, option, termination, out)?;
        }
        Ok(())
    }

    fn set_option(
        &mut self,
        found: &Database,
        option: &DatabaseOption,
        termination: Option<Termination>,
        out: Out<'_>,
    ) -> Result<(), Halt> {
        let id = found.id;
        if found.boot.restoring && *option != DatabaseOption::Online {
            // A copy between restores, also a readable one, takes only a new set of users (STANDBY).
            let users = matches!(option, DatabaseOption::SingleUser | DatabaseOption::MultiUser | DatabaseOption::RestrictedUser);
            if !(users && found.boot.standby) {
                let state = if found.boot.standby { "STANDBY" } else { "RESTORING" };
                return fails(5052, &["ALTER DATABASE", state])?;
            }
        }
        if found.state == DbState::Restoring {
            return fails(5052, &["ALTER DATABASE", "RESTORING"])?;
        }
        let taken = found.boot.access == UserAccess::Single && found.single.is_some_and(|other| other != self.work.id);
        if taken {
            return fails(5064, &[&found.name])?;
        }
        match option {
            DatabaseOption::SingleUser | DatabaseOption::RestrictedUser | DatabaseOption::MultiUser => {
                let access = match option {
                    DatabaseOption::SingleUser => UserAccess::Single,
                    DatabaseOption::RestrictedUser => UserAccess::Restricted,
                    _ => UserAccess::Multi,
                };
                if access == UserAccess::Single {
                    self.hold(found, termination, out)?;
                }
                let (session, there) = (self.work.id, self.in_context(id));
                let done = self.options(id, |boot| boot.access = access);
                self.server.change(id, |found| found.single = (access == UserAccess::Single && there).then_some(session));
                self.server.release(session, id);
                done
            }
            DatabaseOption::Offline => {
                self.hold(found, termination, out)?;
                let mut found = found.clone();
                if found.readable() {
                    found.boot = self.server.state().databases.get(&id).map_or(found.boot.clone(), |now| now.boot.clone());
                    self.leave_context(id, out);
                    self.work.detach_all();
                    self.server.shut(&mut found).map_err(|error| self.server.unreadable(&found, &error))?;
                }
                self.server.change(id, |now| {
                    now.state = DbState::Offline;
                    now.boot = found.boot;
                    now.generation += 1;
                    now.single = None;
                });
                self.server.release(self.work.id, id);
                Ok(())
            }
            DatabaseOption::Online => {
                let mut found = found.clone();
                if found.state == DbState::Online {
                    return Ok(());
                }
                found.state = DbState::Online;
                found.boot.clean = false;
                found.generation += 1;
                found.exclusive = None;
                if let Some(error) = self.open_error(&self.server.path(&found.data)) {
                    let said = fault(5120, &[&found.data, &error.to_string(), "The file cannot be opened."]);
                    self.server.change(id, |now| now.state = DbState::RecoveryPending);
                    return Err(Halt::Fails(vec![said, fault(945, &[&found.name])]));
                }
                self.server.start(&mut found);
                let state = found.state;
                self.server.put(found.clone());
                match state {
                    DbState::Online => Ok(()),
                    DbState::Suspect => fails(926, &[&found.name])?,
                    _ => fails(945, &[&found.name])?,
                }
            }
            DatabaseOption::Emergency => {
                self.server.change(id, |found| found.state = DbState::Emergency);
                Ok(())
            }
            DatabaseOption::ReadOnly | DatabaseOption::ReadWrite => {
                self.usable(found)?;
                self.hold(found, termination, out)?;
                let done = self.options(id, |boot| boot.read_only = *option == DatabaseOption::ReadOnly);
                self.server.release(self.work.id, id);
                done
            }
            DatabaseOption::Recovery(model) => {
                self.usable(found)?;
                let model = match model {
                    RecoveryModel::Full => Recovery::Full,
                    RecoveryModel::BulkLogged => Recovery::BulkLogged,
                    RecoveryModel::Simple => Recovery::Simple,
                };
                self.options(id, |boot| {
                    boot.recovery = model;
                    if model == Recovery::Simple {
                        boot.chain = None;
                    }
                })
            }
            DatabaseOption::EnableBroker | DatabaseOption::DisableBroker | DatabaseOption::ErrorBrokerConversations => {
                self.usable(found)?;
                self.options(id, |boot| boot.broker = *option != DatabaseOption::DisableBroker)
            }
            DatabaseOption::NewBroker => {
                self.usable(found)?;
                self.hold(found, termination, out)?;
                let done = self.options(id, |boot| {
                    boot.broker = true;
                    boot.broker_guid = uuid::Uuid::new_v4();
                });
                self.server.release(self.work.id, id);
                done
            }
            DatabaseOption::PageVerify(how) => self.options(id, |boot| boot.page_verify.clone_from(how)),
            DatabaseOption::CompatibilityLevel(level) => {
                let most = i64::from(self.server.identity.major) * 10;
                if !(100..=most).contains(level) || level % 10 != 0 {
                    return fails(15048, &[])?;
                }
                self.options(id, |boot| boot.compatibility = *level as u8)
            }
            DatabaseOption::Switch { name, on } => {
                if name == "TRUSTWORTHY" && !self.is_member("sysadmin") {
                    return fails(15247, &[])?;
                }
                self.usable(found)?;
                self.options(id, |boot| {
                    if *on {
                        boot.switches.insert(name.clone());
                    } else {
                        boot.switches.remove(name);
                    }
                })
            }
        }
    }

    fn usable(&self, found: &Database) -> Result<(), Chain> {
        super::access::opens(found)
    }

    /// Takes the database for this session alone, as the termination clause says.
    fn hold(&mut self, found: &Database, termination: Option<Termination>, out: Out<'_>) -> Result<(), Halt> {
        let (session, id) = (self.work.id, found.id);
        match termination {
            Some(Termination::RollbackImmediate) => {
                self.server.throw_out(self.work, id, out)?;
                self.info(5060, &["100"], out);
            }
            Some(Termination::RollbackAfter(seconds)) => {
                let patience = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                let left = self.server.wait(self.work, out, Wait::For(patience), |state| self.server.seize(state, session, id));
                match left {
                    Ok(()) => return Ok(()),
                    Err(Halt::Fails(chain)) if chain.is_empty() => {}
                    Err(other) => return Err(other),
                }
                self.server.throw_out(self.work, id, out)?;
                self.info(5060, &["100"], out);
            }
            Some(Termination::NoWait) => {
                let mut state = self.server.state();
                return match self.server.seize(&mut state, session, id) {
                    Ok(()) => Ok(()),
                    Err(_) => fails(5070, &[&found.name])?,
                };
            }
            None => {}
        }
        let held = self.server.wait(self.work, out, Wait::Lock, |state| self.server.seize(state, session, id));
        held.map_err(|halt| match halt {
            Halt::Fails(chain) if chain.iter().any(|fault| fault.number == 1222) => {
                Halt::Fails(vec![fault(5061, &[&found.name])])
            }
            other => other,
        })
    }

    /// Changes options: in memory, in the log, on disk.
    pub(super) fn options(&self, id: i32, change: impl FnOnce(&mut Boot)) -> Result<(), Halt> {
        let gate = self.server.log_of(id);
        let held = lock(&gate);
        let Some(found) = self.server.state().databases.get(&id).cloned() else { return Ok(()) };
        let mut boot = found.boot;
        change(&mut boot);
        if found.state == DbState::Online && !boot.restoring {
            let options = Record::Options(Options::of(&boot));
            let placed = datafile::place(&mut boot, &options);
            let written = logfile::append(&self.server.path(&found.log), &[placed]);
            written.map_err(|_| vec![fault(9002, &[&found.name, "NOTHING"])])?;
        }
        self.server.change(id, |found| found.boot = boot);
        drop(held);
        Ok(())
    }

    fn rename(&mut self, found: &Database, new: &str, out: Out<'_>) -> Result<(), Halt> {
        if self.server.state().id_of(new).is_some() {
            return fails(1801, &[new])?;
        }
        if found.state == DbState::Restoring {
            return fails(5052, &["ALTER DATABASE", "RESTORING"])?;
        }
        let held = self.hold(found, None, out);
        held.map_err(|halt| match halt {
            Halt::Fails(_) => Halt::Fails(vec![fault(5030, &[])]),
            other => other,
        })?;
        self.server.change(found.id, |found| {
            found.name = new.into();
            found.boot.name = new.into();
        });
        self.server.release(self.work.id, found.id);
        self.info(5021, &[new], out);
        Ok(())
    }

    /// ALTER AUTHORIZATION ON DATABASE.
    pub(super) fn alter_authorization(&mut self, database: &str, owner: &str) -> Result<(), Halt> {
        let Some(found) = self.server.state().find(database).cloned() else {
            return fails(15151, &["find", "database", database])?;
        };
        if !self.may_alter(&found) {
            return fails(15151, &["find", "database", database])?;
        }
        self.usable(&found)?;
        let sid = self.server.state().logins.get(&owner.to_lowercase()).map(|login| login.sid.clone());
        let Some(sid) = sid else { return fails(15151, &["find", "principal", owner])? };
        let mut nobody = |_| true;
        let user: Option<String> =
            self.one_text(found.id, "SELECT name FROM {db}.sim_principals WHERE sid = ?1 AND id > 4", &sid)?;
        if user.is_some() {
            return fails(15110, &[])?;
        }
        self.work.write(
            self.server,
            found.id,
            "UPDATE {db}.sim_principals SET sid = ?1 WHERE id = 1",
            &[rusqlite::types::Value::Blob(sid.clone())],
            &mut nobody,
        )?;
        self.work.autocommit(self.server)?;
        self.options(found.id, |boot| boot.owner = sid)
    }
}
