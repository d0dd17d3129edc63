//! The tail of an old main: every ticket that the holder's database does not have, as JSON lines, and the whole old database as a
//! verified copy. Both go on the targets as a copy of kind *tail* that retention never removes; `orphans` reads them from there.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::error::{Failure, Result};
use crate::model::{CopyKind, DatabaseState, ENGINE, Epoch, EpochRecord, Ticket, TicketKey, copy_name};
use crate::progress::Watch;
use crate::server::DatabaseServer;
use crate::steps::{Context, mirror, promote};
use crate::store::Store;
use crate::targets::copies::{Copies, Draft};
use crate::text;
use crate::text::Text;

/// A saved tail.
pub struct Tail {
    /// Its name on the target.
    pub name: String,
    /// The epoch that ended.
    pub epoch: Epoch,
    /// Its orphan sales.
    pub orphans: Vec<Ticket>,
    /// The old main's database never came back: this is what is known of what is missing.
    pub gap: Option<Text>,
}

/// First line of a tail's list when there was no database to read.
const GAP: &str = "gap";

/// Saves the old main's tail, once. Needs one target at least; the others get it too where they can be reached.
pub fn save(cx: &Context, main: &dyn DatabaseServer, holder: &dyn DatabaseServer) -> Result<Value> {
    let store = cx.store;
    let look = main.look()?;
    let ended = ended_epoch(store, look.record.as_ref())?;
    let (lines, orphans) = match look.state {
        DatabaseState::Missing => gap_lines(store, holder)?,
        _ => orphan_lines(main, holder)?,
    };
    let targets: Vec<&Copies> = store.copies.iter().collect();
    let first = mirror::first_in_reach(&targets)?;
    let reached: Vec<&Copies> = targets.into_iter().filter(|copies| copies.list().is_ok()).collect();
    let (name, number, holding) = name_for(&reached, ended, &lines)?;
    let first = holding.unwrap_or(first);
    if holding.is_none() {
        first.put_lines(&name, &lines)?;
    }
    if look.state != DatabaseState::Missing && !first.list()?.copies.iter().any(|l| l.manifest.name == name) {
        put_whole(store, first, main, (&name, number), ended, look.record.as_ref(), cx.watch)?;
    }
    for other in store.copies.iter().filter(|other| other.name() != first.name()) {
        if let Err(failure) = repeat(first, other, &name) {
            cx.watch.note(failure.message); // one target has it; the next mirror puts it on the others
        }
    }
    Ok(json!({ "orphans": orphans, "tail": name }))
}

/// The tail that holds these lines already and where it lies, or the next free name: an old disk may show tickets that an earlier
/// report of the same epoch had not, and nothing that was saved is ever replaced.
fn name_for<'a>(reached: &[&'a Copies], ended: Epoch, lines: &[String]) -> Result<(String, u64, Option<&'a Copies>)> {
    let keys_of = |lines: &[String]| -> HashSet<TicketKey> {
        lines.iter().filter_map(|line| serde_json::from_str::<Ticket>(line).ok()).map(|t| t.key).collect()
    };
    let wanted = keys_of(lines);
    for number in 0.. {
        let name = copy_name(ended, number, CopyKind::Tail);
        let mut taken = false;
        for copies in reached {
            let whole_is_damaged = copies.list()?.damaged.iter().any(|d| d.name == name);
            match copies.get_lines(&name) {
                Ok(None) if !whole_is_damaged => continue,
                Ok(Some(saved)) if !whole_is_damaged && wanted.is_subset(&keys_of(&saved)) => {
                    return Ok((name, number, Some(copies)));
                }
                _ => taken = true, // a damaged one stays as it is, for a person to look at
            }
        }
        if !taken {
            return Ok((name, number, None));
        }
    }
    unreachable!("the numbers never end")
}

/// Puts a saved tail on another target as well.
fn repeat(first: &Copies, other: &Copies, name: &str) -> Result<()> {
    if let Some(listed) = first.list()?.copies.iter().find(|l| l.manifest.name == *name) {
        first.copy_to(other, listed)?;
    }
    match (first.get_lines(name)?, other.get_lines(name)?) {
        (Some(lines), None) => other.put_lines(name, &lines),
        _ => Ok(()),
    }
}

/// The epoch that main held last: the one before the holder's.
fn ended_epoch(store: &Store, own: Option<&EpochRecord>) -> Result<Epoch> {
    let highest = store.highest_record()?.epoch;
    Ok(match own {
        Some(own) if own.epoch < highest => own.epoch,
        _ => Epoch(highest.0.saturating_sub(1).max(1)),
    })
}

/// Every ticket of the old main that the holder has not.
fn orphan_lines(main: &dyn DatabaseServer, holder: &dyn DatabaseServer) -> Result<(Vec<String>, usize)> {
    let known = keys(holder)?;
    let mut lines = Vec::new();
    main.tickets(&mut |ticket| {
        if !known.contains(&ticket.key) {
            lines.push(line(&ticket));
        }
        Ok(())
    })?;
    let count = lines.len();
    Ok((lines, count))
}

/// The old main's disk never came back: what the tills' own files know, and a name for the gap.
fn gap_lines(store: &Store, holder: &dyn DatabaseServer) -> Result<(Vec<String>, usize)> {
    let known = keys(holder)?;
    let missing: Vec<Ticket> = promote::acknowledged(store).into_iter().filter(|t| !known.contains(&t.key)).collect();
    let tills: std::collections::BTreeSet<&str> = missing.iter().map(|t| t.key.till.as_str()).collect();
    let folios = missing.iter().map(|t| t.key.folio);
    let head = json!({ GAP: { "tills": tills, "from": folios.clone().min(), "to": folios.max(), "known": missing.len(), "after": holder.last_folio()?, "noted": store.now() } });
    let lines = std::iter::once(head.to_string()).chain(missing.iter().map(line)).collect();
    Ok((lines, missing.len()))
}

fn keys(holder: &dyn DatabaseServer) -> Result<HashSet<TicketKey>> {
    let mut keys = HashSet::new();
    holder.tickets(&mut |ticket| {
        keys.insert(ticket.key);
        Ok(())
    })?;
    Ok(keys)
}

fn line(ticket: &Ticket) -> String {
    serde_json::to_string(ticket).unwrap_or_default()
}

/// The whole old database, as a stock SQLite file.
fn put_whole(
    store: &Store,
    copies: &Copies,
    main: &dyn DatabaseServer,
    (name, number): (&str, u64),
    epoch: Epoch,
    record: Option<&EpochRecord>,
    watch: &Watch,
) -> Result<()> {
    let database = record.and_then(|r| r.database).or_else(|| store.backup.look().ok()?.record?.database);
    let Some(database) = database else {
        return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity")));
    };
    let record = EpochRecord { database: Some(database), ..EpochRecord { epoch, ..EpochRecord::first(None) } };
    let draft = Draft {
        name: name.to_owned(),
        database,
        epoch,
        sequence: number,
        kind: CopyKind::Tail,
        engine: ENGINE.0.to_owned(),
        engine_version: ENGINE.1.to_owned(),
        from: None,
        at: store.now(),
        previous: None,
        reason: Some("tail".to_owned()),
    };
    let listed =
        copies.put(draft, &mut |out| Ok(mirror::stream(main, None, &record, number, out, watch)?.map(mirror::streamed)))?;
    match listed {
        Some(listed) => copies.verify(&listed.manifest, watch),
        None => Err(Failure::failed("tail_empty", text!("no hubo nada que guardar", "there was nothing to save"))),
    }
}

/// The tails on the targets of this machine.
pub fn list(store: &Store) -> Result<Vec<Tail>> {
    let mut tails: Vec<Tail> = Vec::new();
    let (mut read, mut trouble) = (0, None);
    for copies in &store.copies {
        let names = match copies.line_names() {
            Ok(names) => names,
            Err(failure) => {
                trouble = trouble.or(Some(failure));
                continue;
            }
        };
        read += 1;
        for name in names {
            let (lines, damage) = match copies.get_lines(&name) {
                Ok(Some(lines)) => (lines, None),
                Ok(None) => continue,
                Err(failure) => (Vec::new(), Some(failure.message)),
            };
            let orphans = lines.iter().filter_map(|line| serde_json::from_str::<Ticket>(line).ok());
            if let Some(known) = tails.iter_mut().find(|t| t.name == name) {
                if damage.is_none() && known.orphans.is_empty() {
                    known.gap = lines.first().and_then(|line| gap_text(&name, line));
                }
                let more: Vec<Ticket> = orphans.filter(|t| !known.orphans.iter().any(|k| k.key == t.key)).collect();
                known.orphans.extend(more);
                continue;
            }
            let orphans = orphans.collect();
            let gap = damage.or_else(|| lines.first().and_then(|line| gap_text(&name, line)));
            let epoch = Epoch(name.get(1..7).and_then(|digits| digits.parse().ok()).unwrap_or(0));
            tails.push(Tail { name, epoch, orphans, gap });
        }
    }
    match trouble {
        Some(failure) if read == 0 => Err(failure),
        _ => Ok(tails),
    }
}

fn gap_text(name: &str, line: &str) -> Option<Text> {
    let head: Value = serde_json::from_str(line).ok()?;
    let gap = head.get(GAP)?;
    let tills: Vec<&str> = gap["tills"].as_array()?.iter().filter_map(Value::as_str).collect();
    let (tills, after, known, noted) = (tills.join(", "), &gap["after"], &gap["known"], gap["noted"].as_str().unwrap_or("?"));
    Some(text!(
        "{name}: HUECO. El disco del antiguo principal no volvió; se conocen {known} tickets posteriores al folio {after} (cajas: {tills}); anotado {noted}",
        "{name}: GAP. The old main's disk never came back; {known} tickets after folio {after} are known (tills: {tills}); noted {noted}"
    ))
}
