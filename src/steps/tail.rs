//! The tail of an old main: every ticket that the holder's database does not have, as JSON lines, and the whole old database as a
//! verified copy. Both go on the targets as a copy of kind *tail* that retention never removes; `orphans` reads them from there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::{Value, json};

use crate::error::{Failure, Result};
use crate::model::{CopyKind, DatabaseState, Epoch, EpochRecord, Listed, Ticket, TicketKey, copy_name};
use crate::progress::Watch;
use crate::server::DatabaseServer;
use crate::steps::spool::{Each, Spool};
use crate::steps::survey::{Seen, first_in_reach, survey};
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
    /// Number of its orphan sales.
    pub orphans: u64,
    /// The old main's database never came back: this is what is known of what is missing.
    pub gap: Option<Text>,
}

/// What a tail's list will say: a first line where there was no database to read, and the orphans.
struct Report {
    head: Option<Value>,
    orphans: Spool,
}

/// First line of a tail's list when there was no database to read.
const GAP: &str = "gap";

/// Saves the old main's tail, once. Needs one target at least; the others get it too where they can be reached.
pub fn save(cx: &Context, main: &dyn DatabaseServer, holder: &dyn DatabaseServer) -> Result<Value> {
    let store = cx.store;
    let look = main.look()?;
    if look.state == DatabaseState::Fenced && main.gave_all_to(holder)? {
        return Ok(json!({ "orphans": 0, "tail": null })); // it was closed with its last log, and the holder went on from there
    }
    let ended = ended_epoch(store, look.record.as_ref())?;
    let report = match look.state {
        DatabaseState::Missing => gap(store, holder)?,
        _ => Report { head: None, orphans: orphans(store, main, holder)? },
    };
    let all = survey(store);
    let first = first_in_reach(&all, None)?;
    let (name, number, holding) = name_for(&all, ended, &report.orphans)?;
    let first = &all[holding.unwrap_or(first)];
    if holding.is_none() {
        first.copies.put_lines(&name, &mut |put| {
            report.head.iter().try_for_each(|head| put(&head.to_string()))?;
            report.orphans.each(0, &mut |ticket| put(&line(&ticket)))
        })?;
    }
    let mut whole = first.known().and_then(|listing| listing.copy(&name)).cloned();
    if look.state != DatabaseState::Missing && whole.is_none() {
        whole = Some(put_whole(store, first.copies, main, (&name, number), ended, look.record.as_ref(), cx.watch)?);
    }
    for other in all.iter().filter(|other| other.copies.name() != first.copies.name()) {
        if let Err(failure) = repeat(first.copies, other.copies, &name, whole.as_ref()) {
            cx.watch.note(failure.message); // one target has it; the next mirror puts it on the others
        }
    }
    Ok(json!({ "orphans": report.orphans.count(0)?, "tail": name }))
}

/// The tail that holds these orphans already and where it lies, or the next free name: an old disk may show tickets that an earlier
/// report of the same epoch had not, and nothing that was saved is ever replaced.
fn name_for(all: &[Seen], ended: Epoch, orphans: &Spool) -> Result<(String, u64, Option<usize>)> {
    let mut mark = 0;
    for number in 0.. {
        let name = copy_name(ended, number, CopyKind::Tail);
        let mut taken = false;
        for (at, seen) in all.iter().enumerate() {
            let Some(listing) = seen.known() else { continue };
            let whole_is_damaged = listing.is_damaged(&name);
            if !whole_is_damaged && listing.lines.binary_search(&name).is_err() {
                continue;
            }
            mark += 1;
            let saved = seen.copies.read_lines(&name, &mut |line| match serde_json::from_str::<Ticket>(line) {
                Ok(ticket) => orphans.mark(mark, &ticket.key),
                Err(_) => Ok(()),
            });
            match saved {
                Ok(false) if !whole_is_damaged => continue,
                Ok(true) if !whole_is_damaged && orphans.all_marked(mark)? => return Ok((name, number, Some(at))),
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
fn repeat(first: &Copies, other: &Copies, name: &str, whole: Option<&Listed>) -> Result<()> {
    if let Some(listed) = whole {
        first.copy_to(other, listed)?;
    }
    if first.has_lines(name)? && !other.read_lines(name, &mut |_| Ok(()))? {
        other.put_lines(name, &mut |put| first.read_lines(name, &mut *put).map(drop))?;
    }
    Ok(())
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
fn orphans(store: &Store, main: &dyn DatabaseServer, holder: &dyn DatabaseServer) -> Result<Spool> {
    let orphans = Spool::new(&store.state)?;
    missing(holder, &mut |each| main.tickets(each), &mut |ticket| orphans.add(0, 0, &ticket))?;
    Ok(orphans)
}

/// The old main's disk never came back: what the tills' own files know, and a name for the gap.
fn gap(store: &Store, holder: &dyn DatabaseServer) -> Result<Report> {
    let (known, orphans) = (Spool::new(&store.state)?, Spool::new(&store.state)?);
    promote::each_acknowledged(store, &mut |ticket| known.add(0, 0, &ticket))?;
    let (mut tills, mut folios) = (BTreeSet::new(), None);
    missing(holder, &mut |each| known.by_folio(0, each), &mut |ticket| {
        let folio = ticket.key.folio;
        folios = Some(folios.map_or((folio, folio), |(from, _)| (from, folio)));
        if !tills.contains(&ticket.key.till) {
            tills.insert(ticket.key.till.clone());
        }
        orphans.add(0, 0, &ticket)
    })?;
    let (from, to): (Option<i64>, Option<i64>) = folios.unzip();
    let count = orphans.count(0)?;
    let head = json!({ GAP: { "tills": tills, "from": from, "to": to, "known": count, "after": holder.last_folio()?, "noted": store.now() } });
    Ok(Report { head: Some(head), orphans })
}

/// Keys that wait between the two readers at most: four batches.
const BATCH: usize = 4096;

/// Gives `each` those of `ours`, which come by folio, that the holder has not: two streams side by side, since both databases may have
/// more tickets than this machine has memory.
fn missing(holder: &dyn DatabaseServer, ours: &mut dyn FnMut(Each<'_>) -> Result<()>, each: Each<'_>) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Vec<TicketKey>>(4);
        let reader = scope.spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            let outcome = holder.tickets(&mut |ticket| {
                batch.push(ticket.key);
                if batch.len() < BATCH {
                    return Ok(());
                }
                sender.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).map_err(|_| nobody_asks())
            });
            match outcome {
                Ok(()) => drop(sender.send(batch)),
                Err(failure) if failure.kind == NOBODY_ASKS => {}
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
        let mut theirs = Theirs { receiver, batch: Vec::new().into_iter(), ahead: None, here: Vec::new() };
        let outcome = ours(&mut |ticket| if theirs.have(&ticket.key) { Ok(()) } else { each(ticket) });
        drop(theirs); // the reader may still wait for room
        let read = reader.join().unwrap_or_else(|_| Err(Failure::failed("panicked", text!("error interno", "internal error"))));
        // Where the holder could not be read to its end, what was taken for missing is not.
        read.and(outcome)
    })
}

const NOBODY_ASKS: &str = "nobody_asks";

/// Never leaves this module: ends the reader when the other stream has ended.
fn nobody_asks() -> Failure {
    Failure::failed(NOBODY_ASKS, text!("ya no hace falta", "not needed any more"))
}

/// The holder's tickets, as far as they have been read.
struct Theirs {
    receiver: Receiver<Vec<TicketKey>>,
    batch: std::vec::IntoIter<TicketKey>,
    /// The first of the next folio.
    ahead: Option<TicketKey>,
    /// All of one folio.
    here: Vec<TicketKey>,
}

impl Theirs {
    /// Is this among them? Asked in the order of folios.
    fn have(&mut self, key: &TicketKey) -> bool {
        if self.here.first().is_none_or(|here| here.folio < key.folio) {
            self.here.clear();
            while let Some(next) = self.ahead.take().or_else(|| self.next()) {
                if next.folio > key.folio {
                    self.ahead = Some(next);
                    break;
                }
                if next.folio == key.folio {
                    self.here.push(next);
                }
            }
        }
        self.here.contains(key)
    }

    fn next(&mut self) -> Option<TicketKey> {
        loop {
            if let Some(key) = self.batch.next() {
                return Some(key);
            }
            self.batch = self.receiver.recv().ok()?.into_iter();
        }
    }
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
) -> Result<Listed> {
    let database = record.and_then(|r| r.database).or_else(|| store.backup.look().ok()?.record?.database);
    let Some(database) = database else {
        return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity")));
    };
    let record = EpochRecord { database: Some(database), ..EpochRecord { epoch, ..EpochRecord::first(None) } };
    let (engine, engine_version) = main.artefacts();
    let draft = Draft {
        name: name.to_owned(),
        database,
        epoch,
        sequence: number,
        kind: CopyKind::Tail,
        engine: engine.to_owned(),
        engine_version: engine_version.to_owned(),
        from: None,
        at: store.now(),
        previous: None,
        reason: Some("tail".to_owned()),
    };
    let listed = copies.put(draft, &mut |out| {
        Ok(mirror::stream(main, CopyKind::Tail, None, &record, number, out, watch)?.map(mirror::streamed))
    })?;
    match listed {
        Some(listed) => copies.verify(&listed.manifest, watch).map(|()| listed),
        None => Err(Failure::failed("tail_empty", text!("no hubo nada que guardar", "there was nothing to save"))),
    }
}

/// The tails on the targets of this machine; the orphans of each are the part of its index.
pub fn list(store: &Store) -> Result<(Vec<Tail>, Spool)> {
    let (mut tails, spool): (Vec<Tail>, _) = (Vec::new(), Spool::new(&store.state)?);
    let (mut read, mut trouble) = (0, None);
    let (mut whole, mut known_at) = (BTreeSet::new(), BTreeMap::new());
    for (target, copies) in (0..).zip(&store.copies) {
        let names = match copies.tail_names() {
            Ok((names, bases)) => {
                whole.extend(bases);
                names
            }
            Err(failure) => {
                trouble = trouble.or(Some(failure));
                continue;
            }
        };
        read += 1;
        for name in names {
            let known = known_at.get(&name).copied();
            let part = u32::try_from(known.unwrap_or(tails.len())).unwrap_or(u32::MAX);
            let mut head = None;
            let lines = copies.read_lines(&name, &mut |line| {
                head.get_or_insert_with(|| line.to_owned());
                match serde_json::from_str::<Ticket>(line) {
                    // What an earlier target told is not told again.
                    Ok(ticket) if known.is_some() && spool.holds(part, target, &ticket.key)? => Ok(()),
                    Ok(ticket) => spool.add(part, target, &ticket),
                    Err(_) => Ok(()),
                }
            });
            let damage = match lines {
                Ok(true) => None,
                Ok(false) => continue,
                Err(failure) => {
                    spool.cut(part, target)?; // what came before the damage is not believed either
                    head = None;
                    Some(failure.message)
                }
            };
            let (damaged, gap) = (damage.is_some(), damage.or_else(|| head.and_then(|line| gap_text(&name, &line))));
            let orphans = spool.count(part)?;
            match known {
                Some(known) => {
                    let known = &mut tails[known];
                    if !damaged && known.orphans == 0 {
                        known.gap = gap;
                    }
                    known.orphans = orphans;
                }
                None => {
                    known_at.insert(name.clone(), tails.len());
                    tails.push(Tail { epoch: epoch_of(&name), name, orphans, gap });
                }
            }
        }
    }
    for name in whole {
        if !known_at.contains_key(&name) {
            let gap = Some(text!(
                "{name}: falta su lista de ventas; la base completa del antiguo principal está en esa copia (relevo target get)",
                "{name}: its list of sales is missing; the old main's whole database is in that copy (relevo target get)"
            ));
            tails.push(Tail { epoch: epoch_of(&name), name, orphans: 0, gap });
        }
    }
    match trouble {
        Some(failure) if read == 0 => Err(failure),
        _ => Ok((tails, spool)),
    }
}

fn epoch_of(name: &str) -> Epoch {
    Epoch(name.get(1..7).and_then(|digits| digits.parse().ok()).unwrap_or(0))
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::config::Tickets;
    use crate::model::Side;
    use crate::server::embedded::Embedded;

    fn keys() -> impl Strategy<Value = Vec<TicketKey>> {
        let key = (0..30i64, 0..3u32, 1..3u64);
        prop::collection::vec(
            key.prop_map(|(folio, till, epoch)| TicketKey { folio, till: format!("C{till}"), epoch: Epoch(epoch) }),
            0..60,
        )
        .prop_map(|mut keys| {
            keys.sort_by_key(|key| key.folio); // a server's own collation may order the tills of one folio otherwise
            keys
        })
    }

    proptest! {
        #[test]
        fn two_streams_side_by_side_tell_what_sets_would(theirs in keys(), ours in keys(), batch in 1..9usize) {
            let (sender, receiver) = sync_channel(1000);
            theirs.chunks(batch).for_each(|keys| sender.send(keys.to_vec()).unwrap());
            drop(sender);
            let known: HashSet<&TicketKey> = theirs.iter().collect();
            let mut stream = Theirs { receiver, batch: Vec::new().into_iter(), ahead: None, here: Vec::new() };
            for key in &ours {
                prop_assert_eq!(stream.have(key), known.contains(key), "{:?}", key);
            }
        }
    }

    fn server(dir: &std::path::Path, side: Side, folios: impl Iterator<Item = i64>) -> Embedded {
        let instance = dir.join(side.to_string());
        std::fs::create_dir(&instance).unwrap();
        let connection = rusqlite::Connection::open(instance.join("BDPdv.db")).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE Ventas(Folio INTEGER PRIMARY KEY, Caja TEXT, Fecha TEXT, Total REAL, Epoca INTEGER); BEGIN")
            .unwrap();
        for folio in folios {
            connection.execute("INSERT INTO Ventas VALUES(?1, 'C1', NULL, 1.5, 1)", [folio]).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
        Embedded::new(side, &instance, "BDPdv", Tickets::default(), crate::world::real()).unwrap()
    }

    #[test]
    fn what_the_holder_has_not_is_found_whichever_ends_first() {
        for (ours, theirs) in [(20_000, 9_000), (9_000, 20_000), (0, 20_000), (20_000, 0)] {
            let dir = tempfile::tempdir().unwrap();
            let (main, holder) =
                (server(dir.path(), Side::Main, 0..ours), server(dir.path(), Side::Backup, (0..theirs).filter(|f| f % 7 != 3)));
            let mut found = Vec::new();
            missing(&holder, &mut |each| main.tickets(each), &mut |ticket| {
                found.push(ticket.key.folio);
                Ok(())
            })
            .unwrap();
            assert_eq!(found, (0..ours).filter(|f| *f >= theirs || f % 7 == 3).collect::<Vec<_>>(), "{ours} {theirs}");
        }
    }

    #[test]
    fn a_holder_that_cannot_be_read_makes_no_orphans() {
        let dir = tempfile::tempdir().unwrap();
        let (main, holder) = (server(dir.path(), Side::Main, 0..10), server(dir.path(), Side::Backup, 0..10));
        let connection = rusqlite::Connection::open(dir.path().join("backup/BDPdv.db")).unwrap();
        connection.execute_batch("ALTER TABLE Ventas RENAME TO Sales").unwrap();
        let failure = missing(&holder, &mut |each| main.tickets(each), &mut |_| Ok(())).unwrap_err();
        assert_eq!(failure.kind, "tickets_table");
        let own = missing(&main, &mut |_| Err(Failure::failed("own", text!("x", "x"))), &mut |_| Ok(())).unwrap_err();
        assert_eq!(own.kind, "own");
    }
}
