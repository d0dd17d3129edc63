//! Mirror, on main: makes a copy, puts it on the targets and has it applied where the backup is in reach. A reconciler: it keeps no
//! state that it cannot compute again, and an interrupted one is simply run again. The caja's part is standby.rs.

use std::cell::RefCell;
use std::io::Write;

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result};
use crate::facts;
use crate::model::{CopyKind, DatabaseId, DatabaseState, EpochRecord, Listed, Look, Next, Position, Role, Scanned, copy_name};
use crate::plan::launch::{database_behind, superseded};
use crate::plan::mirror::{MirrorFacts, MirrorPlan, mirror as decide};
use crate::plan::retention;
use crate::plan::saga::refuse_open_intent;
use crate::plan::version::refuse_newer_backup;
use crate::progress::Watch;
use crate::server::DatabaseServer;
use crate::server::port::Part;
use crate::steps::standby::{Forward, apply_only, as_standby, bring_forward, chain_of, is_unusable, proved};
use crate::steps::survey::{Seen, first_in_reach, survey, survey_known};
use crate::steps::{Context, history, locks, logins};
use crate::store::Store;
use crate::targets::copies::{Copies, Draft, Listing, Streamed};
use crate::text;
use crate::text::Text;

/// `mirror(#{ full, apply, target })`
pub fn mirror(cx: &Context, full: bool, apply: bool, target: Option<&str>) -> Result<Value> {
    let store = cx.store;
    may(store)?;
    match store.config.machine.role {
        Role::Till => Err(not_on_a_till()),
        Role::Backup => {
            let _lock = locks::for_mirror(store)?;
            apply_only(cx)
        }
        Role::Main => {
            let _lock = locks::for_mirror(store)?;
            make(cx, full, apply, target)
        }
    }
}

/// What a mirror would do now, for `--plan`; fails as the mirror would.
pub fn preview(store: &Store, full: bool, target: Option<&str>) -> Result<Vec<Text>> {
    may(store)?;
    match store.config.machine.role {
        Role::Till => Err(not_on_a_till()),
        Role::Backup => {
            let look = as_standby(store, store.backup.look()?, &Watch::silent())?;
            let mut names = Vec::new();
            for seen in survey(store) {
                names.extend(
                    chain_of(&seen.listing?, &look).apply.into_iter().map(|name| text!("aplicar {name}", "apply {name}")),
                );
            }
            Ok(if names.is_empty() { vec![text!("el respaldo está al día", "the standby is up to date")] } else { names })
        }
        Role::Main => {
            let record = may_mirror(store)?;
            let (chosen, all, mut lines) = (chosen(store, target)?, survey(store), Vec::new());
            for (at, seen) in all.iter().enumerate().filter(|(_, seen)| is_among(&chosen, seen)) {
                let name = seen.copies.name();
                lines.push(match record.database {
                    None => text!("{name}: copia completa, porque es la primera", "{name}: a full copy, because it is the first"),
                    Some(database) => match decide_copy(store, &all, at, &seen.listing.clone()?, &record, database, full)?.0 {
                        MirrorPlan::Seed { sequence, reason } => {
                            let why = reason.text();
                            Text {
                                es: format!("{name}: copia completa {sequence}, porque {}", why.es),
                                en: format!("{name}: full copy {sequence}, because {}", why.en),
                            }
                        }
                        MirrorPlan::Increment { base, sequence, .. } => {
                            let after = base.sequence;
                            text!(
                                "{name}: copia incremental {sequence}, lo que cambió desde la {after} (ninguna si nada cambió)",
                                "{name}: increment {sequence}, what changed since {after} (none if nothing changed)"
                            )
                        }
                    },
                });
            }
            Ok(lines)
        }
    }
}

fn may(store: &Store) -> Result<()> {
    refuse_open_intent(&store.backup.look()?, None)?;
    refuse_newer_backup(store.main.versions()?, store.backup.versions()?)?;
    if !facts::authorised(store)?.mirror {
        return Err(Failure::refused(
            "mirror_not_authorised",
            text!("el respaldo espejo no está autorizado (posición 7)", "the mirror is not authorised (position 7)"),
        )
        .hint(text!("pida la autorización del respaldo espejo", "ask for the mirror's authorisation")));
    }
    Ok(())
}

fn not_on_a_till() -> Failure {
    Failure::refused("not_on_a_till", text!("una caja no respalda", "a till does not mirror"))
}

/// On main: a copy, put on all targets, applied where the backup is in reach.
fn make(cx: &Context, full: bool, apply: bool, target: Option<&str>) -> Result<Value> {
    let store = cx.store;
    let record = may_mirror(store)?;
    let record = EpochRecord { database: Some(store.main.identify(&store.config.store.id)?), ..record };
    let (chosen, mut all) = (chosen(store, target)?, survey_known(store));
    let first = first_in_reach(&all, target)?;
    let Put { mut listed, mut plan, mut pages, others } = put_copy(cx, &all, first, &record, full, &[])?;
    let mut trouble = spread(&mut all, first, &chosen, listed.as_ref())?;
    let mut forward = follow(cx, &all, apply)?;
    if forward.trouble.is_some() && !forward.unusable.is_empty() {
        // A copy on the target is spoiled and the standby waits for it: the next one does without it, now.
        Put { listed, plan, pages, .. } = put_copy(cx, &all, first, &record, false, &forward.unusable)?;
        trouble = trouble.or(spread(&mut all, first, &chosen, listed.as_ref())?);
        forward = follow(cx, &all, apply)?;
    }
    let logins = logins::follow(store, cx.watch);
    // The copy is safe on its targets; that the standby does not have it must not pass for a mirror that worked.
    trouble = trouble.or(forward.trouble);
    let applied = forward.position;
    let mut sound = None;
    for seen in all.iter().filter(|seen| is_among(&chosen, seen)) {
        if let Err(failure) = retain(store, seen, &mut sound, cx.watch) {
            trouble = trouble.or(Some(failure));
        }
    }
    if let Some(failure) = trouble {
        return Err(failure);
    }
    history::clean(store, cx.watch);
    let copies = all[first].known().map(|listing| listing.copies.as_slice()).unwrap_or_default();
    let newest = copies.iter().map(|l| &l.manifest).filter(|m| m.kind != CopyKind::Tail).max_by_key(|m| (m.epoch, m.sequence));
    let verified = applied.is_some() && applied.as_ref() == newest.map(|m| &m.to);
    let reason: Option<Text> = match &plan {
        MirrorPlan::Seed { reason, .. } => Some(reason.text()),
        MirrorPlan::Increment { .. } => None,
    };
    let common = json!({ "others": others, "logins": logins, "applied": verified, "verified": verified, "age_s": newest.and_then(|m| facts::age_s(store, &m.at)) });
    let mut result = match &listed {
        Some(Listed { manifest: m, .. }) => json!({
            "kind": m.kind, "copy": m.name, "sequence": m.sequence, "bytes": m.stored.bytes, "raw_bytes": m.raw.bytes,
            "pages": pages, "reason": m.reason, "reason_text": reason,
        }),
        None => json!({
            "kind": "skip", "copy": null, "sequence": newest.map(|m| m.sequence), "bytes": 0, "raw_bytes": 0, "pages": 0, "reason": "nothing_changed", "reason_text": null,
        }),
    };
    if let (Value::Object(result), Value::Object(common)) = (&mut result, common) {
        result.extend(common);
    }
    Ok(result)
}

/// Puts on the other targets what the first one has, also what an earlier mirror could not put there, and `new` as well. A target that
/// is away keeps no copy from the others, nor from the standby; one spoiled copy keeps no other from its target.
fn spread(all: &mut [Seen], first: usize, chosen: &[&Copies], new: Option<&Listed>) -> Result<Option<Failure>> {
    if let Some(listed) = new {
        all[first].add(listed.clone());
    }
    let mut trouble = None;
    for other in 0..all.len() {
        if other == first || !is_among(chosen, &all[other]) {
            continue;
        }
        let (put, failure) = spread_to(&all[first], &all[other])?;
        put.into_iter().for_each(|listed| all[other].add(listed));
        trouble = trouble.or(failure);
    }
    Ok(trouble)
}

/// Puts on one target what another has and it has not; what was put, and the first thing that went wrong.
fn spread_to(from: &Seen, to: &Seen) -> Result<(Vec<Listed>, Option<Failure>)> {
    let (mut put, mut trouble) = (Vec::new(), None);
    let theirs = match &to.listing {
        Ok(listing) => listing,
        Err(failure) => return Ok((put, Some(failure.clone()))),
    };
    for one in from.known().into_iter().flat_map(|listing| &listing.copies) {
        let name = &one.manifest.name;
        if theirs.copy(name).is_some_and(|their| their.hash == one.hash) {
            continue;
        }
        match from.copies.copy_to(to.copies, one) {
            // Each target got its own copy of this tail while the other was away.
            Err(failure) if failure.kind == "copy_exists" && one.manifest.kind == CopyKind::Tail => {}
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => {
                let only_this = is_unusable(&failure);
                trouble = trouble.or(Some(failure));
                if !only_this {
                    break;
                }
            }
            Ok(()) if theirs.is_damaged(name) => {} // it has the same manifest; its content is a person's business
            Ok(()) => put.push(one.clone()),
        }
    }
    Ok((put, trouble))
}

/// Has the copies applied where the backup is in reach.
fn follow(cx: &Context, all: &[Seen], apply: bool) -> Result<Forward> {
    if apply && backup_follows(&cx.store.backup.look()?) {
        return bring_forward(cx.store, all, cx.watch);
    }
    Ok(Forward::default())
}

/// Main's database is open, main holds the post, and no higher epoch is in sight.
fn may_mirror(store: &Store) -> Result<EpochRecord> {
    let (main, backup) = (store.main.look()?, store.backup.look()?);
    if let Some((higher, _)) = superseded(&main, &backup, store.remembered()?.as_ref()) {
        if let Some(failure) = database_behind(&higher, &backup) {
            return Err(failure);
        }
        let epoch = higher.epoch;
        return Err(Failure::new(
            Exit::OtherHolder,
            "not_the_holder",
            text!("este servidor no está en servicio (época {epoch})", "this server does not hold the post (epoch {epoch})"),
        )
        .hint(text!("vea: relevo status", "see: relevo status")));
    }
    if main.state != DatabaseState::Open {
        let (instance, state) = (main.instance, main.state);
        return Err(Failure::refused(
            "database_not_open",
            text!("la base de {instance} no está abierta (@)", "the database of {instance} is not open (@)").fill(&state.text()),
        ));
    }
    let record = main.record.unwrap_or_else(|| EpochRecord::first(None));
    if record.awaiting_start {
        return Err(Failure::refused(
            "awaiting_start",
            text!("el principal fue restaurado y falta iniciarlo", "main was restored and is still to be started"),
        )
        .hint(text!("use: relevo launch --program svrpdv", "use: relevo launch --program svrpdv")));
    }
    Ok(record)
}

/// The highest number that a copy of this epoch is known to have had. A target that was emptied or replaced does not tell: what main
/// copied last, what the standby holds and the other targets do. A number used twice would make an old standby look newer than a copy.
fn numbers_used(store: &Store, all: &[Seen], on: usize, listing: &Listing, record: &EpochRecord) -> Result<u64> {
    let of = |p: &Position| (p.epoch == record.epoch && Some(p.database) == record.database).then_some(p.sequence);
    let mut used = store.backup.look()?.position.as_ref().and_then(of).unwrap_or(0);
    for (_, seen) in all.iter().enumerate().filter(|(at, _)| *at != on) {
        let copies = seen.known().into_iter().flat_map(|listing| &listing.copies);
        used = copies.filter_map(|listed| of(&listed.manifest.to)).fold(used, u64::max);
    }
    if !listing.copies.iter().map(|listed| &listed.manifest).any(|m| m.epoch == record.epoch && m.kind != CopyKind::Tail) {
        used = used.max(store.main.look()?.position.as_ref().and_then(of).unwrap_or(0));
    }
    Ok(used)
}

/// The target of this name.
pub fn named<'a>(store: &'a Store, name: &str) -> Result<&'a Copies> {
    store.copies.iter().find(|copies| copies.name() == name).ok_or_else(|| {
        Failure::invalid(
            "unknown_target",
            text!("no hay destino {name} en [mirror] targets", "there is no target {name} in [mirror] targets"),
        )
    })
}

/// The named target, or all.
pub fn chosen<'a>(store: &'a Store, target: Option<&str>) -> Result<Vec<&'a Copies>> {
    match target {
        Some(name) => Ok(vec![named(store, name)?]),
        None => Ok(store.copies.iter().collect()),
    }
}

fn is_among(chosen: &[&Copies], seen: &Seen) -> bool {
    chosen.iter().any(|copies| copies.name() == seen.copies.name())
}

pub(super) fn damaged(listing: &Listing) -> Vec<(String, Text)> {
    listing.damaged.iter().map(|d| (d.name.clone(), d.reason.clone())).collect()
}

fn decide_copy(
    store: &Store,
    all: &[Seen],
    on: usize,
    listing: &Listing,
    record: &EpochRecord,
    database: DatabaseId,
    full: bool,
) -> Result<(MirrorPlan, Vec<Text>)> {
    let asked = RefCell::new(None);
    let next = |base: &Position, kind: CopyKind| {
        *asked.borrow_mut() = Some((base.clone(), kind));
        store.main.next(base, kind).unwrap_or(Next::Full)
    };
    let plan = decide(&MirrorFacts {
        copies: &listing.copies,
        damaged: &damaged(listing),
        database,
        epoch: record.epoch,
        next: &next,
        used: numbers_used(store, all, on, listing, record)?,
        max_increments: store.config.mirror.max_increments,
        full,
    });
    // Who it was is only told: not to know it keeps no copy from being made.
    let others = asked.into_inner().map(|(base, kind)| store.main.moved_by(&base, kind).unwrap_or_default());
    Ok((plan, others.unwrap_or_default()))
}

/// What was put on a target.
struct Put {
    /// The copy; `None`: nothing had changed.
    listed: Option<Listed>,
    plan: MirrorPlan,
    pages: u64,
    /// What other programs did to the chain meanwhile.
    others: Vec<Text>,
}

/// Decides and puts the next copy on a target, and counts its pages.
/// `unusable` are copies that look whole and are not.
fn put_copy(cx: &Context, all: &[Seen], on: usize, record: &EpochRecord, full: bool, unusable: &[(String, Text)]) -> Result<Put> {
    let store = cx.store;
    let Some(database) = record.database else {
        return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity")));
    };
    let mut listing = all[on].listing.clone()?;
    for (name, reason) in unusable {
        listing.set_aside(name, reason);
    }
    let (plan, others) = decide_copy(store, all, on, &listing, record, database, full)?;
    others.iter().for_each(|what| cx.watch.note(what.clone()));
    let (kind, sequence, base, previous, reason) = match &plan {
        MirrorPlan::Seed { sequence, reason } => (CopyKind::Full, *sequence, None, None, Some(reason.code().to_owned())),
        MirrorPlan::Increment { kind, base, sequence, previous } => (*kind, *sequence, Some(base), Some(*previous), None),
    };
    let (engine, engine_version) = store.main.artefacts();
    let draft = Draft {
        name: copy_name(record.epoch, sequence, kind),
        database,
        epoch: record.epoch,
        sequence,
        kind,
        engine: engine.to_owned(),
        engine_version: engine_version.to_owned(),
        from: base.cloned(),
        at: store.now(),
        previous,
        reason,
    };
    if kind == CopyKind::Full {
        cx.watch.note(text!("copia completa", "full copy"));
    }
    let mut pages = 0;
    let listed = all[on].copies.put(draft, &mut |out| {
        let scanned = stream(store.main.as_ref(), kind, base, record, sequence, out, cx.watch)?;
        pages = scanned.as_ref().map_or(0, |s| s.change.pages);
        Ok(scanned.map(streamed))
    })?;
    Ok(Put { listed, plan, pages, others })
}

/// Streams a server's snapshot into an object of a target.
pub fn stream(
    server: &dyn DatabaseServer,
    kind: CopyKind,
    base: Option<&Position>,
    record: &EpochRecord,
    sequence: u64,
    out: &mut dyn Write,
    watch: &Watch,
) -> Result<Option<Scanned>> {
    let mut sink = |part: Part<'_>| match part {
        Part::Change(_) => Ok(true),
        Part::Bytes(bytes) => out.write_all(bytes).map(|()| true).map_err(|e| {
            Failure::failed("target_unavailable", text!("no se pudo escribir en el destino", "could not write to the target"))
                .cause(e)
        }),
    };
    server.scan(kind, base, record, sequence, &mut sink, watch)
}

/// What a manifest keeps of a scan.
pub fn streamed(scanned: Scanned) -> Streamed {
    Streamed { to: scanned.to, last_folio: scanned.last_folio }
}

/// The backup's database is one that copies are applied to.
fn backup_follows(look: &Look) -> bool {
    look.reachable && look.state != DatabaseState::Open
}

/// Planned promote's step: what the fenced main has beyond the last copy.
pub fn take_tail(cx: &Context) -> Result<Value> {
    let store = cx.store;
    let main = store.main.look()?;
    let record = main.record.unwrap_or_else(|| EpochRecord::first(None));
    let all = survey(store);
    let first = first_in_reach(&all, None)?;
    let backup = store.backup.look()?;
    let (_, unusable) = proved(&all[first], &backup, cx.watch)?;
    let database = match record.database.or(backup.position.map(|p| p.database)) {
        Some(database) => database,
        None => return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity"))),
    };
    let Put { listed, .. } = put_copy(cx, &all, first, &EpochRecord { database: Some(database), ..record }, false, &unusable)?;
    if let Some(listed) = &listed {
        for (_, other) in all.iter().enumerate().filter(|(at, _)| *at != first) {
            if let Err(failure) = all[first].copies.copy_to(other.copies, listed) {
                cx.watch.note(failure.message); // one target is enough to go on from; the next mirror puts it there
            }
        }
    }
    Ok(json!({ "copy": listed.map(|l| l.manifest.name) }))
}

/// Removes what retention gives free; a target that cannot be cleaned is said, not a failure of the mirror. The newest copies are as
/// damaged as main is: before an older chain goes main's own structure is checked, once (`sound`), and while it is not sound all stay.
fn retain(store: &Store, seen: &Seen, sound: &mut Option<Result<()>>, watch: &Watch) -> Result<()> {
    let Some(listing) = seen.known() else { return Ok(()) };
    let standby = store.backup.look()?.position;
    let decisions = retention::retention(&listing.copies, &damaged(listing), store.config.mirror.keep_chains, standby.as_ref());
    let gone = retention::removals(&decisions);
    let goes: Vec<&Listed> = gone.iter().filter_map(|name| listing.copy(name)).collect();
    if goes.iter().any(|l| l.manifest.kind == CopyKind::Full) {
        sound.get_or_insert_with(|| source_sound(store)).clone()?;
    }
    for listed in goes {
        if let Err(failure) = seen.copies.remove(listed) {
            watch.note(failure.message);
        }
    }
    Ok(())
}

/// Is main's database sound by its own check?
fn source_sound(store: &Store) -> Result<()> {
    let Some(finding) = store.main.integrity()?.into_iter().next() else { return Ok(()) };
    let instance = store.main.instance();
    Err(Failure::failed(
        "source_damaged",
        text!(
            "la base de {instance} está dañada; no se borró ninguna copia anterior",
            "the database of {instance} is damaged; no earlier copy was removed"
        ),
    )
    .cause(finding)
    .hint(text!(
        "llame a soporte: relevo doctor muestra el daño, y relevo target get trae una copia de antes",
        "call support: relevo doctor shows the damage, and relevo target get fetches a copy from before"
    )))
}
