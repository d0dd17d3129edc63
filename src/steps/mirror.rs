//! Mirror: a reconciler. Main makes a copy, puts it on the targets and applies it where it reaches the backup; the caja applies
//! what the targets hold. It keeps no state that it cannot compute again: an interrupted one is simply run again.

use std::io::Write;

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result};
use crate::facts;
use crate::model::{
    CopyKind, CopyToApply, DatabaseId, DatabaseState, EpochRecord, Listed, Look, Manifest, Position, Role, Side, copy_name,
};
use crate::plan::chain::{Chain, chain};
use crate::plan::launch::superseded;
use crate::plan::mirror::{MirrorFacts, MirrorPlan, mirror as decide};
use crate::plan::promote::Reach;
use crate::plan::retention;
use crate::plan::saga::refuse_open_intent;
use crate::progress::Watch;
use crate::server::DatabaseServer;
use crate::server::port::Part;
use crate::steps::{Context, locks, signals};
use crate::store::Store;
use crate::targets::copies::{Copies, Draft, Listing, Streamed};
use crate::text;
use crate::text::Text;
use crate::world::Label;

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
            let look = store.backup.look()?;
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
    let (listed, plan) = put_copy(cx, first, &record, full)?;
    let listing = first.list()?;
    // A target that is away keeps no copy from the others, nor from the standby; it is said at the end.
    let mut trouble = None;
    for other in targets.iter().filter(|other| other.name() != first.name()) {
        // Also what an earlier mirror could not put there.
        let put = |one: &Listed| match first.copy_to(other, one) {
            // Each target got its own copy of this tail while the other was away.
            Err(failure) if failure.kind == "copy_exists" && one.manifest.kind == CopyKind::Tail => Ok(()),
            outcome => outcome,
        };
        if let Err(failure) = listing.copies.iter().try_for_each(put) {
            if failure.exit == Exit::Interrupted {
                return Err(failure);
            }
            trouble = trouble.or(Some(failure));
        }
    }
    let applied = if apply && backup_follows(&store.backup.look()?) { bring_forward(store, cx.watch)? } else { None };
    for copies in &targets {
        if let Err(failure) = retain(store, copies, cx.watch) {
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
            "pages": pages(m), "reason": m.reason, "reason_text": reason,
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

/// An increment's raw bytes tell its pages; a full copy's do not matter to anybody.
fn pages(manifest: &Manifest) -> Value {
    if manifest.kind == CopyKind::Full { Value::Null } else { json!(manifest.raw.bytes / 4096) }
}

/// Main's database is open, main holds the post, and no higher epoch is in sight.
fn may_mirror(store: &Store) -> Result<EpochRecord> {
    let (main, backup) = (store.main.look()?, store.backup.look()?);
    if let Some((higher, _)) = superseded(&main, &backup, store.remembered()?.as_ref()) {
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

fn chosen<'a>(store: &'a Store, target: Option<&str>) -> Result<Vec<&'a Copies>> {
    let all: Vec<&Copies> = store.copies.iter().filter(|copies| target.is_none_or(|name| copies.name() == name)).collect();
    match (target, all.is_empty()) {
        (Some(name), true) => Err(Failure::invalid(
            "unknown_target",
            text!("no hay destino {name} en [mirror] targets", "there is no target {name} in [mirror] targets"),
        )),
        _ => Ok(all),
    }
}

fn damaged(listing: &Listing) -> Vec<(String, Text)> {
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

/// Decides and puts the next copy on a target. `None`: nothing had changed.
fn put_copy(cx: &Context, copies: &Copies, record: &EpochRecord, full: bool) -> Result<(Option<Listed>, MirrorPlan)> {
    let store = cx.store;
    let Some(database) = record.database else {
        return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity")));
    };
    let listing = copies.list()?;
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
        engine: "embedded".to_owned(),
        engine_version: "1".to_owned(),
        from: base.cloned(),
        at: store.now(),
        previous,
        reason,
    };
    if kind == CopyKind::Full {
        cx.watch.note(text!("copia completa", "full copy"));
    }
    let listed = copies.put(draft, &mut |out| stream(store.main.as_ref(), base, record, sequence, out, cx.watch))?;
    Ok((listed, plan))
}

/// Streams a server's snapshot into an object of a target.
pub fn stream(
    server: &dyn DatabaseServer,
    base: Option<&Position>,
    record: &EpochRecord,
    sequence: u64,
    out: &mut dyn Write,
    watch: &Watch,
) -> Result<Option<Streamed>> {
    let mut sink = |part: Part<'_>| match part {
        Part::Change(_) => Ok(true),
        Part::Bytes(bytes) => out.write_all(bytes).map(|()| true).map_err(|e| {
            Failure::failed("target_unavailable", text!("no se pudo escribir en el destino", "could not write to the target"))
                .cause(e)
        }),
    };
    let scanned = server.scan(base, record, sequence, &mut sink, watch)?;
    Ok(scanned.map(|s| Streamed { to: s.to, last_folio: s.last_folio }))
}

/// The backup's database is one that copies are applied to.
fn backup_follows(look: &Look) -> bool {
    look.reachable && look.state != DatabaseState::Open
}

/// On the caja: applies what the targets hold; the age of what the standby has is noted in FecBak.txt.
fn apply_only(cx: &Context) -> Result<Value> {
    let store = cx.store;
    let look = store.backup.look()?;
    if look.state == DatabaseState::Open {
        return Err(Failure::refused(
            "backup_holds",
            text!(
                "el servidor de respaldo está en servicio: no se le aplican copias",
                "the backup server holds the post: no copies are applied to it"
            ),
        ));
    }
    let before = look.position;
    let after = bring_forward(store, cx.watch)?;
    let at = after.as_ref().and_then(|position| manifest_of(store, position)).map(|m| m.at);
    if let Some(at) = &at {
        signals::note_copy_age(store, at)?;
    }
    Ok(json!({
        "kind": "apply", "reason": null, "copy": null, "sequence": after.as_ref().map(|p| p.sequence), "pages": 0, "bytes": 0,
        "applied": after.is_some() && after != before, "verified": after.is_some(), "age_s": at.and_then(|at| facts::age_s(store, &at)),
    }))
}

/// FecBak.txt where main has applied a copy meanwhile. Never in the way of a verb: without it the age is only older.
pub fn catch_up_with_age(store: &Store) {
    if store.config.machine.role != Role::Backup {
        return;
    }
    let memory = store.state.join("fecbak.json");
    let Ok(Some(position)) = store.backup.look().map(|look| look.position.clone().filter(|_| follows_whole(&look))) else {
        return;
    };
    // The targets are only asked when the standby has moved: a launch has no time for them.
    let body = serde_json::to_vec(&position).unwrap_or_default();
    if std::fs::read(&memory).is_ok_and(|known| known == body) {
        return;
    }
    if let Some(manifest) = manifest_of(store, &position)
        && signals::note_copy_age(store, &manifest.at).is_ok()
        && let Err(error) = store.world.write_file(Label::StateWrite, &memory, &body)
    {
        tracing::warn!(%error, "fecbak.json");
    }
}

fn manifest_of(store: &Store, position: &Position) -> Option<Manifest> {
    let all = store.copies.iter().filter_map(|copies| copies.list().ok()).flat_map(|listing| listing.copies);
    all.map(|l| l.manifest).find(|m| m.to == *position)
}

/// Applies all that follows, under the apply lock; where the standby then is. `None`: nothing to follow.
fn bring_forward(store: &Store, watch: &Watch) -> Result<Option<Position>> {
    let Some(_lock) = store.backup.take_apply_lock()? else {
        return Err(Failure::new(
            Exit::Interrupted,
            "busy",
            text!("otra corrida escribe el respaldo", "another run is writing the standby"),
        )
        .hint(text!("espere a que termine y repita", "wait until it ends, then repeat")));
    };
    forward(store, watch)
}

/// Applies all that follows, target after target, until one brings the standby to its newest copy. The caller has the lock.
fn forward(store: &Store, watch: &Watch) -> Result<Option<Position>> {
    let mut trouble = None;
    for copies in &store.copies {
        match forward_from(store, copies, watch) {
            Ok(()) => {}
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => {
                watch.note(failure.message.clone());
                trouble = Some(failure);
            }
        }
    }
    let look = store.backup.look()?;
    match (look.position.clone().filter(|_| follows_whole(&look)), trouble) {
        (Some(position), _) => Ok(Some(position)),
        (None, Some(failure)) => Err(failure),
        (None, None) => Ok(None),
    }
}

/// A standby with no copy half applied.
fn follows_whole(look: &Look) -> bool {
    look.state == DatabaseState::Standby && look.applying.is_none()
}

fn forward_from(store: &Store, copies: &Copies, watch: &Watch) -> Result<()> {
    let listing = copies.list()?;
    let look = store.backup.look()?;
    let found = chain_of(&listing, &look);
    for name in &found.apply {
        let Some(listed) = listing.copies.iter().find(|l| l.manifest.name == *name) else { continue };
        watch.check()?;
        let mut content = copies.open(&listed.manifest)?;
        store.backup.apply(&to_apply(&listed.manifest), content.as_mut(), watch)?;
    }
    Ok(())
}

fn chain_of(listing: &Listing, look: &Look) -> Chain {
    let standby = look.position.as_ref().filter(|_| look.state == DatabaseState::Standby);
    let database = look.record.as_ref().and_then(|r| r.database);
    chain(&listing.copies, &damaged(listing), database, standby, look.applying.as_deref())
}

fn to_apply(m: &Manifest) -> CopyToApply {
    CopyToApply { name: m.name.clone(), kind: m.kind, from: m.from.clone(), to: m.to.clone(), bytes: m.raw.bytes }
}

/// Where the copies on the targets can bring the standby, and what is missing or damaged after that.
pub fn reach(store: &Store, backup: &Look) -> Result<(Option<Reach>, Vec<Text>)> {
    let mut best: Option<(Chain, Option<Reach>)> = None;
    let mut trouble = None;
    for copies in &store.copies {
        let listing = match copies.list() {
            Ok(listing) => listing,
            Err(failure) => {
                trouble = Some(failure);
                continue;
            }
        };
        let found = chain_of(&listing, backup);
        let reach = found.upto.clone().map(|position| Reach {
            age_s: found.at.as_ref().and_then(|at| facts::age_s(store, at)),
            last_folio: found.last_folio,
            position,
        });
        let key = |reach: &Option<Reach>| reach.as_ref().map(|r| (r.position.epoch, r.position.sequence));
        if best.as_ref().is_none_or(|(_, known)| key(&reach) > key(known)) {
            best = Some((found, reach));
        }
    }
    match (best, trouble) {
        // No target can be read: what the standby holds already is all there is, and a person has to accept that.
        (None, Some(failure)) => match backup.position.clone().filter(|_| follows_whole(backup)) {
            Some(position) => Ok((Some(Reach { position, age_s: None, last_folio: None }), vec![failure.message])),
            None => Err(failure),
        },
        (None, None) => Ok((None, Vec::new())),
        (Some((found, reach)), _) => Ok((reach, found.gaps.into_iter().map(|gap| gap.reason).collect())),
    }
}

/// Promote's step: everything that follows, at least up to the position that was promised.
pub fn apply_copies(cx: &Context, to: Option<&Position>) -> Result<Value> {
    let store = cx.store;
    if store.backup.look()?.state == DatabaseState::Open {
        return Err(Failure::failed(
            "backup_is_open",
            text!("la base del respaldo ya está abierta", "the backup's database is open already"),
        ));
    }
    let position = forward(store, cx.watch)?
        .ok_or_else(|| Failure::refused("no_copy", text!("no hay copia que aplicar", "there is no copy to apply")))?;
    if to.is_none() {
        holds_all_of_main(store, &position)?;
    }
    if let Some(wanted) = to.filter(|wanted| (wanted.epoch, wanted.sequence) > (position.epoch, position.sequence)) {
        let (got, sequence) = (position.sequence, wanted.sequence);
        return Err(Failure::failed(
            "copies_changed",
            text!("sólo se llegó a la copia {got} de {sequence}", "only copy {got} of {sequence} was reached"),
        )
        .hint(text!("revise los destinos: relevo target verify", "check the targets: relevo target verify")));
    }
    if let Some(manifest) = manifest_of(store, &position) {
        signals::note_copy_age(store, &manifest.at)?;
    }
    Ok(json!({ "position": position }))
}

/// A planned promote moves no folio, so the standby must be page for page what the fenced main is: what [`take_tail`] scanned last.
fn holds_all_of_main(store: &Store, standby: &Position) -> Result<()> {
    let main = store.main.look()?;
    let same =
        main.position.as_ref().is_some_and(|p| (p.database, p.epoch, p.root) == (standby.database, standby.epoch, standby.root));
    if main.state == DatabaseState::Fenced && same {
        return Ok(());
    }
    Err(Failure::failed(
        "tail_not_applied",
        text!(
            "lo último del servidor principal no llegó al respaldo",
            "what the main server has last did not reach the standby"
        ),
    )
    .hint(text!(
        "revise los destinos con relevo target verify y repita relevo promote; si el principal se apagó, el relevo será sin él",
        "check the targets with relevo target verify, then repeat relevo promote; if main went off, the promote will do without it"
    )))
}

/// Planned promote's step: what the fenced main has beyond the last copy.
pub fn take_tail(cx: &Context) -> Result<Value> {
    let store = cx.store;
    let main = store.main.look()?;
    let record = main.record.unwrap_or_else(|| EpochRecord::first(None));
    let targets: Vec<&Copies> = store.copies.iter().collect();
    let first = first_in_reach(&targets)?;
    let database = match record.database.or(store.backup.look()?.position.map(|p| p.database)) {
        Some(database) => database,
        None => return Err(Failure::failed("no_identity", text!("la base no tiene identidad", "the database has no identity"))),
    };
    let (listed, _) = put_copy(cx, first, &EpochRecord { database: Some(database), ..record }, false)?;
    if let Some(listed) = &listed {
        for other in targets.iter().filter(|other| other.name() != first.name()) {
            if let Err(failure) = first.copy_to(other, listed) {
                cx.watch.note(failure.message); // one target is enough to go on from; the next mirror puts it there
            }
        }
    }
    Ok(json!({ "copy": listed.map(|l| l.manifest.name) }))
}

/// Removes what retention gives free; a target that cannot be cleaned is said, not a failure of the mirror.
fn retain(store: &Store, copies: &Copies, watch: &Watch) -> Result<()> {
    let listing = copies.list()?;
    let standby = store.backup.look()?.position;
    let decisions = retention::retention(&listing.copies, &damaged(&listing), store.config.mirror.keep_chains, standby.as_ref());
    for name in retention::removals(&decisions) {
        let Some(listed) = listing.copies.iter().find(|l| l.manifest.name == name) else { continue };
        if let Err(failure) = copies.remove(listed) {
            watch.note(failure.message);
        }
    }
    Ok(())
}

/// Reads every copy of a target and restores its newest chain into a scratch file.
pub fn verify_target(store: &Store, name: &str, watch: &Watch) -> Result<Value> {
    let copies = chosen(store, Some(name))?.into_iter().next().ok_or_else(|| {
        crate::error::Failure::invalid("unknown_target", text!("no hay destino {name}", "there is no target {name}"))
    })?;
    let listing = copies.list()?;
    let mut problems: Vec<String> =
        listing.damaged.iter().map(|d| format!("{}: {}", d.name, d.reason.get(store.operator.lang))).collect();
    for listed in &listing.copies {
        if let Err(failure) = copies.verify(&listed.manifest, watch) {
            if failure.exit == Exit::Interrupted {
                return Err(failure);
            }
            problems.push(failure.message.get(store.operator.lang).to_owned());
        }
    }
    let found = chain(&listing.copies, &damaged(&listing), None, None, None);
    if let Some(wanted) = &found.upto {
        let chain: Vec<&Listed> =
            found.apply.iter().filter_map(|name| listing.copies.iter().find(|l| l.manifest.name == *name)).collect();
        let mut contents = chain.into_iter().map(|l| Ok((to_apply(&l.manifest), copies.open(&l.manifest)?)));
        let own = if store.config.machine.role == Role::Main { Side::Main } else { Side::Backup };
        match store.server(own).try_restore(&mut contents, watch) {
            Ok(position) if position == *wanted => {
                let path = store.state.join("verified.json");
                let body = serde_json::to_vec(&position).unwrap_or_default();
                store
                    .world
                    .write_file(Label::StateWrite, &path, &body)
                    .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))?;
            }
            Ok(_) => problems.push(
                text!(
                    "la restauración de prueba no llegó a la posición de la copia",
                    "the trial restore did not end where its copy says"
                )
                .get(store.operator.lang)
                .to_owned(),
            ),
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => problems.push(failure.message.get(store.operator.lang).to_owned()),
        }
    }
    let age = found.at.as_ref().and_then(|at| facts::age_s(store, at));
    Ok(json!({ "name": name, "ok": problems.is_empty(), "copies": listing.copies.len(), "age_s": age, "problems": problems }))
}
