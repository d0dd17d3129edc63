//! Mirror, on main: makes a copy, puts it on the targets and has it applied where the backup is in reach. A reconciler: it keeps no
//! state that it cannot compute again, and an interrupted one is simply run again. The caja's part is standby.rs.

use std::io::Write;

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result};
use crate::facts;
use crate::model::{CopyKind, DatabaseId, DatabaseState, ENGINE, EpochRecord, Listed, Look, Position, Role, Scanned, copy_name};
use crate::plan::launch::{database_behind, superseded};
use crate::plan::mirror::{MirrorFacts, MirrorPlan, mirror as decide};
use crate::plan::retention;
use crate::plan::saga::refuse_open_intent;
use crate::progress::Watch;
use crate::server::DatabaseServer;
use crate::server::port::Part;
use crate::steps::standby::{Forward, apply_only, as_standby, bring_forward, chain_of, is_unusable, proved, set_aside};
use crate::steps::{Context, locks};
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
            for copies in &store.copies {
                names.extend(
                    chain_of(&copies.list()?, &look).apply.into_iter().map(|name| text!("aplicar {name}", "apply {name}")),
                );
            }
            Ok(if names.is_empty() { vec![text!("el respaldo está al día", "the standby is up to date")] } else { names })
        }
        Role::Main => {
            let record = may_mirror(store)?;
            let mut lines = Vec::new();
            for copies in chosen(store, target)? {
                let name = copies.name();
                lines.push(match record.database {
                    None => text!("{name}: copia completa, porque es la primera", "{name}: a full copy, because it is the first"),
                    Some(database) => match decide_copy(store, copies, &copies.list()?, &record, database, full)? {
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
    let targets = chosen(store, target)?;
    let first = first_in_reach(&targets)?;
    let (mut listed, mut plan, mut pages) = put_copy(cx, first, &record, full, &[])?;
    let mut trouble = spread(first, &targets)?;
    let mut forward = follow(cx, apply)?;
    if forward.trouble.is_some() && !forward.unusable.is_empty() {
        // A copy on the target is spoiled and the standby waits for it: the next one does without it, now.
        (listed, plan, pages) = put_copy(cx, first, &record, false, &forward.unusable)?;
        trouble = trouble.or(spread(first, &targets)?);
        forward = follow(cx, apply)?;
    }
    let listing = first.list()?;
    let applied = forward.position;
    let mut sound = None;
    for copies in &targets {
        if let Err(failure) = retain(store, copies, &mut sound, cx.watch) {
            trouble = trouble.or(Some(failure));
        }
    }
    if let Some(failure) = trouble {
        return Err(failure);
    }
    let newest =
        listing.copies.iter().map(|l| &l.manifest).filter(|m| m.kind != CopyKind::Tail).max_by_key(|m| (m.epoch, m.sequence));
    let verified = applied.is_some() && applied.as_ref() == newest.map(|m| &m.to);
    let reason: Option<Text> = match &plan {
        MirrorPlan::Seed { reason, .. } => Some(reason.text()),
        MirrorPlan::Increment { .. } => None,
    };
    let common = json!({ "applied": verified, "verified": verified, "age_s": newest.and_then(|m| facts::age_s(store, &m.at)) });
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

/// Puts on the other targets what the first one has, also what an earlier mirror could not put there. A target that is away
/// keeps no copy from the others, nor from the standby; one spoiled copy keeps no other from its target.
fn spread(first: &Copies, targets: &[&Copies]) -> Result<Option<Failure>> {
    let (listing, mut trouble) = (first.list()?, None);
    for other in targets.iter().filter(|other| other.name() != first.name()) {
        for one in &listing.copies {
            match first.copy_to(other, one) {
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
                Ok(()) => {}
            }
        }
    }
    Ok(trouble)
}

/// Has the copies applied where the backup is in reach.
fn follow(cx: &Context, apply: bool) -> Result<Forward> {
    if apply && backup_follows(&cx.store.backup.look()?) {
        return bring_forward(cx.store, cx.watch);
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

/// The first target that can be read; copies are made there and put on the others from it.
pub fn first_in_reach<'a>(targets: &[&'a Copies]) -> Result<&'a Copies> {
    let mut trouble = None;
    for copies in targets {
        match copies.list() {
            Ok(_) => return Ok(copies),
            Err(failure) => trouble = trouble.or(Some(failure)),
        }
    }
    Err(trouble.unwrap_or_else(|| {
        Failure::invalid("no_target", text!("no hay destinos en [mirror] targets", "there are no targets in [mirror] targets"))
    }))
}

/// The highest number that a copy of this epoch is known to have had. A target that was emptied or replaced does not tell: what main
/// copied last, what the standby holds and the other targets do. A number used twice would make an old standby look newer than a copy.
fn numbers_used(store: &Store, first: &Copies, listing: &Listing, record: &EpochRecord) -> Result<u64> {
    let of = |p: Position| (p.epoch == record.epoch && Some(p.database) == record.database).then_some(p.sequence);
    let mut used = store.backup.look()?.position.and_then(of).unwrap_or(0);
    for copies in store.copies.iter().filter(|copies| copies.name() != first.name()) {
        let Ok(listing) = copies.list() else { continue };
        used = listing.copies.into_iter().filter_map(|l| of(l.manifest.to)).fold(used, u64::max);
    }
    if !listing.copies.iter().any(|l| l.manifest.epoch == record.epoch && l.manifest.kind != CopyKind::Tail) {
        used = used.max(store.main.look()?.position.and_then(of).unwrap_or(0));
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

pub(super) fn damaged(listing: &Listing) -> Vec<(String, Text)> {
    listing.damaged.iter().map(|d| (d.name.clone(), d.reason.clone())).collect()
}

fn decide_copy(
    store: &Store,
    copies: &Copies,
    listing: &Listing,
    record: &EpochRecord,
    database: DatabaseId,
    full: bool,
) -> Result<MirrorPlan> {
    Ok(decide(&MirrorFacts {
        copies: &listing.copies,
        damaged: &damaged(listing),
        database,
        epoch: record.epoch,
        can_continue: &|base| store.main.can_continue(base).unwrap_or(false),
        used: numbers_used(store, copies, listing, record)?,
        max_increments: store.config.mirror.max_increments,
        full,
    }))
}

/// Decides and puts the next copy on a target, and counts its pages. `None`: nothing had changed.
/// `unusable` are copies that look whole and are not.
fn put_copy(
    cx: &Context,
    copies: &Copies,
    record: &EpochRecord,
    full: bool,
    unusable: &[(String, Text)],
) -> Result<(Option<Listed>, MirrorPlan, u64)> {
    let store = cx.store;
    let Some(database) = record.database else {
        return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity")));
    };
    let mut listing = copies.list()?;
    for (name, reason) in unusable {
        set_aside(&mut listing, name, reason);
    }
    let plan = decide_copy(store, copies, &listing, record, database, full)?;
    let (kind, sequence, base, previous, reason) = match &plan {
        MirrorPlan::Seed { sequence, reason } => (CopyKind::Full, *sequence, None, None, Some(reason.code().to_owned())),
        MirrorPlan::Increment { base, sequence, previous } => (CopyKind::Increment, *sequence, Some(base), Some(*previous), None),
    };
    let draft = Draft {
        name: copy_name(record.epoch, sequence, kind),
        database,
        epoch: record.epoch,
        sequence,
        kind,
        engine: ENGINE.0.to_owned(),
        engine_version: ENGINE.1.to_owned(),
        from: base.cloned(),
        at: store.now(),
        previous,
        reason,
    };
    if kind == CopyKind::Full {
        cx.watch.note(text!("copia completa", "full copy"));
    }
    let mut pages = 0;
    let listed = copies.put(draft, &mut |out| {
        let scanned = stream(store.main.as_ref(), base, record, sequence, out, cx.watch)?;
        pages = scanned.as_ref().map_or(0, |s| s.change.pages);
        Ok(scanned.map(streamed))
    })?;
    Ok((listed, plan, pages))
}

/// Streams a server's snapshot into an object of a target.
pub fn stream(
    server: &dyn DatabaseServer,
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
    server.scan(base, record, sequence, &mut sink, watch)
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
    let targets = chosen(store, None)?;
    let first = first_in_reach(&targets)?;
    let backup = store.backup.look()?;
    let (_, unusable) = proved(first, &backup, cx.watch)?;
    let database = match record.database.or(backup.position.map(|p| p.database)) {
        Some(database) => database,
        None => return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity"))),
    };
    let (listed, ..) = put_copy(cx, first, &EpochRecord { database: Some(database), ..record }, false, &unusable)?;
    if let Some(listed) = &listed {
        for other in targets.iter().filter(|other| other.name() != first.name()) {
            if let Err(failure) = first.copy_to(other, listed) {
                cx.watch.note(failure.message); // one target is enough to go on from; the next mirror puts it there
            }
        }
    }
    Ok(json!({ "copy": listed.map(|l| l.manifest.name) }))
}

/// Removes what retention gives free; a target that cannot be cleaned is said, not a failure of the mirror. The newest copies are as
/// damaged as main is: before an older chain goes main's own structure is checked, once (`sound`), and while it is not sound all stay.
fn retain(store: &Store, copies: &Copies, sound: &mut Option<Result<()>>, watch: &Watch) -> Result<()> {
    let listing = copies.list()?;
    let standby = store.backup.look()?.position;
    let decisions = retention::retention(&listing.copies, &damaged(&listing), store.config.mirror.keep_chains, standby.as_ref());
    let gone = retention::removals(&decisions);
    let goes: Vec<&Listed> = gone.iter().filter_map(|name| listing.copies.iter().find(|l| l.manifest.name == *name)).collect();
    if goes.iter().any(|l| l.manifest.kind == CopyKind::Full) {
        sound.get_or_insert_with(|| source_sound(store)).clone()?;
    }
    for listed in goes {
        if let Err(failure) = copies.remove(listed) {
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
