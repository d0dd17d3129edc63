//! The primitive restore: takes the locks, gathers the facts, lets plan/restore.rs decide, performs the steps.

use serde_json::Value;

use crate::error::Result;
use crate::plan::restore::{RestoreFacts, restore as decide};
use crate::plan::saga::Saga;
use crate::steps::run::Run;
use crate::steps::{locks, promote, role};

/// `restore(#{})`
pub fn restore(run: &Run, options: &Value) -> Result<Value> {
    promote::refuse_inside_launch(run, "restore")?;
    let _locks = if run.is_planning() { None } else { Some(locks::for_role_change(&run.store, "restore", &run.watch)?) };
    run.saga("restore", options.clone(), || plan(run))
}

fn plan(run: &Run) -> Result<Saga> {
    let store = &run.store;
    let (main, backup) = (store.main.look()?, store.backup.look()?);
    let main_reachable = main.reachable;
    let facts = RestoreFacts {
        run: run.id,
        role: store.config.machine.role,
        operating_main: if main.reachable { store.main.sessions()? } else { Vec::new() },
        main,
        main_log: if main_reachable { store.main.log_state()? } else { None },
        backup_log: store.backup.log_state()?,
        operating: store.backup.sessions()?,
        abandoned: role::is_abandoned(store, &backup, run.id)?,
        backup,
        database: format!("{}.db", store.config.servers.main.database),
    };
    decide(&facts)
}
