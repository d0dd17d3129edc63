//! The primitive promote: takes the locks, gathers the facts, lets plan/promote.rs decide, performs the steps.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Failure, Result};
use crate::facts;
use crate::model::{DatabaseState, FolioRule, Look, Role, Side, Ticket};
use crate::plan::promote::{PromoteFacts, TillsKnow, promote as decide};
use crate::plan::saga::Saga;
use crate::plan::version::refuse_newer_backup;
use crate::steps::run::Run;
use crate::steps::{locks, role, standby};
use crate::store::Store;
use crate::text;

/// How often main is asked before it counts as failed.
const PROBES: u32 = 3;

/// `promote(#{ accept_loss, reason })`
pub fn promote(run: &Run, options: &Value) -> Result<Value> {
    refuse_inside_launch(run, "promote")?;
    let _locks = if run.is_planning() { None } else { Some(locks::for_role_change(&run.store, "promote", &run.watch)?) };
    let accept = options["accept_loss"].as_bool().unwrap_or(false);
    let reason = options["reason"].as_str().unwrap_or("").to_owned();
    run.saga("promote", options.clone(), || plan(run, accept.then_some(reason)))
}

/// A role change is a run of its own: a launch offers it and ends first.
pub fn refuse_inside_launch(run: &Run, what: &str) -> Result<()> {
    if run.log()?.verb != "launch" {
        return Ok(());
    }
    Err(Failure::invalid(
        "not_inside_launch",
        text!("{what} no se llama dentro de un launch", "{what} is not called inside a launch"),
    )
    .hint(text!(
        "startup.rhai devuelve #{{ next: \"promote\" }} y relevo lo hace aparte",
        "startup.rhai returns #{{ next: \"promote\" }} and relevo does it apart"
    )))
}

fn plan(run: &Run, accept_loss: Option<String>) -> Result<Saga> {
    let store = &run.store;
    let backup = store.backup.look()?;
    // Nobody waits for three probes to hear that there is nothing to promote.
    let pointless = store.config.machine.role != Role::Backup || backup.record.as_ref().is_some_and(|r| r.holder == Side::Backup);
    let (main, main_failed) = if pointless { (store.main.look()?, false) } else { probe(store, run)? };
    if !pointless {
        refuse_newer_backup(store.main.versions()?, store.backup.versions()?)?;
    }
    let (reach, gaps) = standby::reach(store, &backup, &run.watch)?;
    let doubt = facts::licence_doubt(store)?;
    let too_old = reach.as_ref().is_none_or(|r| r.age_s.is_none_or(|age| age > store.config.max_age().as_secs()));
    let needs_word = doubt.is_some() || (accept_loss.is_some() && !main.answers() && (too_old || !gaps.is_empty()));
    let authorised = if needs_word && !run.is_planning() { authorise(store, accept_loss.as_deref())? } else { None };
    let facts = PromoteFacts {
        run: run.id,
        role: store.config.machine.role,
        licence: facts::licence_of_backup(store)?,
        doubt,
        authorised: authorised.is_some() || (needs_word && run.is_planning()),
        accept_loss,
        operating: if has_a_tail(&main) { store.main.sessions()? } else { Vec::new() },
        main,
        main_failed,
        abandoned: role::is_abandoned(store, &backup, run.id)?,
        backup,
        tills: tills(store, reach.as_ref().and_then(|r| r.last_folio))?,
        reach,
        gaps,
        max_age_s: store.config.max_age().as_secs(),
        folio_gap: store.config.promote.folio_gap,
        remembered: store.remembered()?.map(|r| r.epoch),
    };
    let mut saga = decide(&facts)?;
    if let Some(who) = authorised {
        let reason = facts.accept_loss.clone().unwrap_or_default();
        saga.because.push(text!("autorizó {who}: {reason}", "authorised by {who}: {reason}"));
    }
    Ok(saga)
}

fn authorise(store: &Store, reason: Option<&str>) -> Result<Option<String>> {
    let who = store.operator.authorise(&store.state)?;
    if let Some(who) = &who {
        tracing::warn!(who, reason, "authorised");
    }
    Ok(who)
}

/// Asks main three times over `[promote] probe_for`; the first answer ends it.
fn probe(store: &Store, run: &Run) -> Result<(Look, bool)> {
    let pause = store.config.promote.probe_for / (PROBES - 1);
    // What an earlier look remembers is no probe.
    let ask = || {
        store.main.ask_anew();
        store.main.look()
    };
    let mut look = ask()?;
    for _ in 1..PROBES {
        if has_a_tail(&look) {
            return Ok((look, false));
        }
        run.watch.note(text!("el servidor principal no responde; se vuelve a intentar", "main does not answer; trying again"));
        let until = Instant::now() + pause;
        while Instant::now() < until {
            run.watch.check()?;
            std::thread::sleep(Duration::from_millis(20).min(pause));
        }
        look = ask()?;
    }
    let failed = !has_a_tail(&look);
    Ok((look, failed))
}

/// Main can give what it has last, or even serves: that is no failed main.
fn has_a_tail(look: &Look) -> bool {
    look.serving || (look.reachable && matches!(look.state, DatabaseState::Open | DatabaseState::Fenced))
}

/// What the tills' own files say beyond `last_folio`.
fn tills(store: &Store, last_folio: Option<i64>) -> Result<Option<TillsKnow>> {
    let files = &store.config.promote.acknowledged;
    let (mut highest, mut beyond, mut read) = (None, Folios::default(), 0);
    for file in files {
        let complete = each_line(file, &mut |line| {
            let Some(folio) = folio(line) else { return Ok(()) };
            highest = highest.max(Some(folio));
            if last_folio.is_none_or(|last| folio > last) {
                beyond.insert(folio);
            }
            Ok(())
        })?;
        read += usize::from(complete);
    }
    Ok(highest.map(|last_folio| TillsKnow { last_folio, beyond: beyond.count(), complete: read == files.len() }))
}

/// A set of folios. They lie close together, so that millions need little memory: one bit each.
#[derive(Default)]
struct Folios(BTreeMap<i64, u64>);

impl Folios {
    fn insert(&mut self, folio: i64) {
        *self.0.entry(folio >> 6).or_default() |= 1 << (folio & 63);
    }

    fn count(&self) -> u64 {
        self.0.values().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

/// The folio rule with what the tills know now: a frozen plan may be resumed after they sold on.
pub fn now_known(store: &Store, rule: FolioRule) -> Result<FolioRule> {
    let mut known = rule.known;
    for file in &store.config.promote.acknowledged {
        each_line(file, &mut |line| {
            known = known.max(folio(line));
            Ok(())
        })?;
    }
    Ok(FolioRule { known, ..rule })
}

/// A line that was cut in two by a power cut is no ticket.
fn folio(line: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Sold {
        folio: i64,
    }
    serde_json::from_str::<Sold>(line).ok().map(|sold| sold.folio)
}

/// The tickets that tills this machine can read have acknowledged, for a report where the old main's disk never comes back.
pub fn each_acknowledged(store: &Store, each: &mut dyn FnMut(Ticket) -> Result<()>) -> Result<()> {
    for file in &store.config.promote.acknowledged {
        each_line(file, &mut |line| serde_json::from_str::<Ticket>(line).map_or(Ok(()), &mut *each))?;
    }
    Ok(())
}

/// A line of a till's file has about 70 bytes; of a longer one the rest counts as lines that are no tickets.
const LINE_LIMIT: u64 = 64 * 1024;

/// Gives the lines of a till's file: it holds all that the till ever sold, so it is never in memory as a whole. `false` where it cannot
/// be read to its end.
fn each_line(file: &Path, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<bool> {
    let Ok(opened) = File::open(file) else { return Ok(false) };
    let (mut input, mut line) = (BufReader::new(opened), Vec::new());
    loop {
        line.clear();
        match input.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line) {
            Ok(0) => return Ok(true),
            Ok(_) => std::str::from_utf8(&line).map_or(Ok(()), |line| each(line.trim_end()))?,
            Err(_) => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn folios_are_counted_once(folios in prop::collection::vec(prop_oneof![any::<i64>(), -70..200i64], 0..300)) {
            let mut set = Folios::default();
            folios.iter().for_each(|folio| set.insert(*folio));
            prop_assert_eq!(set.count(), folios.iter().collect::<BTreeSet<_>>().len() as u64);
        }
    }
}
