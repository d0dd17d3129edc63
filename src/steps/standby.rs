//! The standby: where the copies can bring it, bringing it there, and proving a target's chain by a trial restore. Who makes
//! copies is mirror.rs.

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result};
use crate::facts;
use crate::model::kept;
use crate::model::{CopyKind, CopyToApply, DatabaseState, EpochRecord, Listed, Look, Manifest, Position, Role, Side};
use crate::plan::chain::{Chain, chain};
use crate::plan::promote::Reach;
use crate::progress::Watch;
use crate::steps::mirror::{damaged, named};
use crate::steps::survey::{Seen, manifest_of, survey, survey_known};
use crate::steps::{Context, history, logins, signals};
use crate::store::Store;
use crate::targets::copies::{Copies, Listing};
use crate::text;
use crate::text::Text;
use crate::world::Label;

/// On the caja: applies what the targets hold; the age of what the standby has is noted in FecBak.txt.
pub(super) fn apply_only(cx: &Context) -> Result<Value> {
    let store = cx.store;
    let look = store.backup.look()?;
    if look.state == DatabaseState::Open {
        return Err(Failure::refused(
            "backup_holds",
            text!(
                "el servidor de respaldo está en servicio: no se le aplican copias",
                "the backup server holds the post: no copies are applied to it"
            ),
        )
        .hint(text!(
            "no hay nada que hacer; cuando el principal esté listo: relevo restore",
            "there is nothing to do; when main is ready: relevo restore"
        )));
    }
    let before = look.position;
    let all = survey_known(store);
    let forward = bring_forward(store, &all, cx.watch)?;
    let after = forward.position;
    let at = after.as_ref().and_then(|position| manifest_of(&all, position)).map(|m| m.at.clone());
    if let Some(at) = &at {
        signals::note_copy_age(store, at)?;
    }
    let logins = logins::follow(store, cx.watch);
    // What could be applied is; that something newer cannot be used is not passed over in silence.
    if let Some(failure) = forward.trouble {
        return Err(failure);
    }
    newer_is_unusable(store, &all, after.as_ref(), cx.watch)?;
    history::clean(store, cx.watch);
    Ok(json!({
        "kind": "apply", "reason": null, "copy": null, "sequence": after.as_ref().map(|p| p.sequence), "pages": 0, "bytes": 0,
        "applied": after.is_some() && after != before, "verified": after.is_some(), "others": [], "logins": logins, "age_s": at.and_then(|at| facts::age_s(store, &at)),
    }))
}

/// Fails where a target lists something newer than what could be reached: a copy that was cut short is not even tried.
fn newer_is_unusable(store: &Store, all: &[Seen], reached: Option<&Position>, watch: &Watch) -> Result<()> {
    let look = as_standby(store, store.backup.look()?, watch)?;
    let gaps = all.iter().filter_map(|seen| seen.known()).flat_map(|listing| chain_of(listing, &look).gaps);
    let Some(gap) = gaps.filter(|gap| gap.is_beyond(reached)).min_by(|a, b| a.name.cmp(&b.name)) else { return Ok(()) };
    let name = gap.name;
    Err(Failure::failed(
        "newer_copy_unusable",
        text!("{name} no se puede aplicar: @", "{name} cannot be applied: @").fill(&gap.reason),
    )
    .hint(text!("el próximo respaldo del principal empieza otra cadena", "the next mirror on main begins another chain")))
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
    if let Some(manifest) = manifest_of(&survey_known(store), &position)
        && signals::note_copy_age(store, &manifest.at).is_ok()
        && let Err(error) = store.world.write_file(Label::StateWrite, &memory, &body)
    {
        tracing::warn!(%error, "fecbak.json");
    }
}

/// How far the copies brought the standby.
#[derive(Default)]
pub(super) struct Forward {
    /// Where it is; `None`: nothing to follow.
    pub(super) position: Option<Position>,
    /// Copies whose content cannot be believed, with the reason.
    pub(super) unusable: Vec<(String, Text)>,
    /// Why it is not further, where it is not at the newest copy of any target.
    pub(super) trouble: Option<Failure>,
}

/// Applies all that follows, under the apply lock.
pub(super) fn bring_forward(store: &Store, all: &[Seen], watch: &Watch) -> Result<Forward> {
    let Some(_lock) = store.backup.take_apply_lock()? else {
        return Err(Failure::new(
            Exit::Interrupted,
            "busy",
            text!("otra corrida escribe el respaldo", "another run is writing the standby"),
        )
        .hint(text!("espere a que termine y repita", "wait until it ends, then repeat")));
    };
    forward(store, all, watch)
}

/// Applies all that follows, target after target, until one brings the standby to its newest copy. The caller has the lock.
fn forward(store: &Store, all: &[Seen], watch: &Watch) -> Result<Forward> {
    let (mut trouble, mut unusable, mut whole) = (None, Vec::new(), false);
    for seen in all {
        match forward_from(store, seen, &mut unusable, watch) {
            Ok(None) => whole = true,
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Ok(Some(failure)) | Err(failure) => {
                watch.note(failure.message.clone());
                trouble = Some(failure);
            }
        }
    }
    let look = store.backup.look()?;
    match (look.position.clone().filter(|_| follows_whole(&look)), trouble) {
        (Some(position), trouble) => Ok(Forward { position: Some(position), unusable, trouble: trouble.filter(|_| !whole) }),
        (None, Some(failure)) => Err(failure),
        (None, None) => Ok(Forward { position: None, unusable, trouble: None }),
    }
}

/// A standby with no copy half applied.
fn follows_whole(look: &Look) -> bool {
    look.state == DatabaseState::Standby && look.applying.is_none()
}

/// Brings the standby as far as one target can. A copy whose content does not hold is left out with all that builds on it,
/// and the first of these failures is the answer; of the others nothing is applied that does not follow.
fn forward_from(store: &Store, seen: &Seen, unusable: &mut Vec<(String, Text)>, watch: &Watch) -> Result<Option<Failure>> {
    let mut listing = seen.listing.clone()?;
    let mut trouble = None;
    loop {
        let found = chain_of(&listing, &as_standby(store, store.backup.look()?, watch)?);
        let Some(failure) = apply_chain(store, seen.copies, &listing, &found, watch)? else { return Ok(trouble) };
        let (name, failure) = failure;
        unusable.push((name.clone(), failure.message.clone()));
        listing.set_aside(&name, &failure.message);
        trouble = trouble.or(Some(failure));
    }
}

/// Applies the copies of a chain; the first whose content cannot be used ends it.
fn apply_chain(
    store: &Store,
    copies: &Copies,
    listing: &Listing,
    found: &Chain,
    watch: &Watch,
) -> Result<Option<(String, Failure)>> {
    for name in &found.apply {
        let Some(listed) = listing.copy(name) else { continue };
        watch.check()?;
        let manifest = &listed.manifest;
        let apply = || -> Result<()> {
            // An increment is written into the standby itself: its content is proved before the first page.
            if manifest.kind != CopyKind::Full {
                copies.verify(manifest, watch)?;
            }
            let mut content = copies.open(manifest)?;
            store.backup.apply(&to_apply(manifest), content.as_mut(), watch)
        };
        match apply() {
            Err(failure) if is_unusable(&failure) => return Ok(Some((name.clone(), failure))),
            outcome => outcome?,
        }
    }
    Ok(None)
}

/// The content of a copy is damaged, gone or cannot be read; other copies may still save the day.
pub(super) fn is_unusable(failure: &Failure) -> bool {
    ["copy_damaged", "copy_truncated", "copy_unreadable", "object_missing"].contains(&failure.kind.as_str())
}

/// What a target could bring the standby to, the content of the copies that would be applied read and believed; and the copies
/// that look whole and are not.
pub(super) fn proved(seen: &Seen, backup: &Look, watch: &Watch) -> Result<(Chain, Vec<(String, Text)>)> {
    let (mut listing, mut unusable) = (seen.listing.clone()?, Vec::new());
    loop {
        let found = chain_of(&listing, backup);
        let broken = found.apply.iter().find_map(|name| {
            let listed = listing.copy(name)?;
            seen.copies.verify(&listed.manifest, watch).err().map(|failure| (name.clone(), failure))
        });
        match broken {
            None => return Ok((found, unusable)),
            Some((name, failure)) if is_unusable(&failure) => {
                listing.set_aside(&name, &failure.message);
                unusable.push((name, failure.message));
            }
            Some((_, failure)) => return Err(failure),
        }
    }
}

/// Promote's step: proves that the standby is what its copies say. One that is not is built again from them, once.
pub fn verify(cx: &Context) -> Result<Value> {
    let backup = cx.store.backup.as_ref();
    let promised = backup.look()?.position;
    let position = match backup.verify_standby(cx.watch) {
        Err(failure) if failure.kind == "standby_damaged" => {
            cx.watch.note(failure.message.clone());
            let reached = forward(cx.store, &survey(cx.store), cx.watch)?.position;
            let key = |p: &Option<Position>| p.as_ref().map(|p| (p.epoch, p.sequence));
            if key(&reached) < key(&promised) {
                return Err(failure);
            }
            backup.verify_standby(cx.watch)?
        }
        outcome => outcome?,
    };
    Ok(json!({ "position": position }))
}

/// The database that the last restore closed, and that no copy has replaced yet, is the newest that the backup has: it counts as a
/// standby where it is.
pub(super) fn as_standby(store: &Store, mut look: Look, watch: &Watch) -> Result<Look> {
    // A new disk knows of no database: what main says, or what this machine has seen, keeps another shop's copies away.
    if look.record.as_ref().is_none_or(|record| record.database.is_none()) {
        let seen = [facts::seen(store.main.as_ref()).record, store.remembered()?];
        if let Some(database) = seen.into_iter().flatten().find_map(|record| record.database) {
            look.record =
                Some(EpochRecord { database: Some(database), ..look.record.unwrap_or_else(|| EpochRecord::first(None)) });
        }
    }
    Ok(match store.backup.detached(watch)? {
        Some(position) => Look { state: DatabaseState::Standby, position: Some(position), ..look },
        None => look,
    })
}

pub(super) fn chain_of(listing: &Listing, look: &Look) -> Chain {
    let standby = look.position.as_ref().filter(|_| look.state == DatabaseState::Standby);
    let database = look.record.as_ref().and_then(|r| r.database);
    chain(&listing.copies, &damaged(listing), database, standby, look.applying.as_deref())
}

fn to_apply(m: &Manifest) -> CopyToApply {
    CopyToApply { name: m.name.clone(), kind: m.kind, from: m.from.clone(), to: m.to.clone(), bytes: m.raw.bytes }
}

/// Where the copies on the targets can bring the standby, and what is missing or damaged after that.
pub fn reach(store: &Store, backup: &Look, watch: &Watch) -> Result<(Option<Reach>, Vec<Text>)> {
    let backup = &as_standby(store, backup.clone(), watch)?;
    let mut best: Option<Option<Reach>> = None;
    let (mut trouble, mut gaps) = (None, Vec::new());
    for seen in survey(store) {
        let found = match proved(&seen, backup, watch) {
            Ok((found, _)) => found,
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => {
                trouble = Some(failure);
                continue;
            }
        };
        gaps.extend(found.gaps);
        let mut reach = found.upto.clone().map(|position| Reach {
            age_s: found.at.as_ref().and_then(|at| facts::age_s(store, at)),
            made_at: found.at,
            last_folio: found.last_folio,
            position,
        });
        if let Some(reach) = reach.as_mut().filter(|r| r.last_folio.is_none() && Some(&r.position) == backup.position.as_ref()) {
            reach.last_folio = store.backup.last_folio()?; // no manifest tells
        }
        let key = |reach: &Option<Reach>| reach.as_ref().map(|r| (r.position.epoch, r.position.sequence));
        if best.as_ref().is_none_or(|known| key(&reach) > key(known)) {
            best = Some(reach);
        }
    }
    match (best, trouble) {
        // No target can be read: what the standby holds already is all there is, and a person has to accept that.
        (None, Some(failure)) => match backup.position.clone().filter(|_| follows_whole(backup)) {
            Some(position) => Ok((Some(Reach { position, age_s: None, made_at: None, last_folio: None }), vec![failure.message])),
            None => Err(failure),
        },
        (None, None) => Ok((None, Vec::new())),
        // What one target lacks another may have: only what is beyond all of them is a gap.
        (Some(reach), _) => {
            let upto = reach.as_ref().map(|r| &r.position);
            let gaps = gaps.into_iter().filter(|gap| gap.is_beyond(upto)).map(|gap| gap.reason).collect();
            Ok((reach, gaps))
        }
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
    let all = survey(store);
    let reached = match forward(store, &all, cx.watch).map(|forward| forward.position) {
        Ok(Some(position)) => Some(position),
        // No copy follows the database that the last restore closed: it is the newest itself.
        outcome => match store.backup.detached(cx.watch)? {
            Some(position) => {
                store.backup.follow_again(&position)?;
                Some(position)
            }
            None => outcome?,
        },
    };
    let position =
        reached.ok_or_else(|| Failure::refused("no_copy", text!("no hay copia que aplicar", "there is no copy to apply")))?;
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
    if let Some(manifest) = manifest_of(&all, &position) {
        signals::note_copy_age(store, &manifest.at)?;
    }
    Ok(json!({ "position": position }))
}

/// A planned promote moves no folio, so the standby must be page for page what the fenced main is: what [`take_tail`] scanned last.
fn holds_all_of_main(store: &Store, standby: &Position) -> Result<()> {
    let main = store.main.look()?;
    let same = main
        .position
        .as_ref()
        .is_some_and(|p| (p.database, p.epoch, &p.mark) == (standby.database, standby.epoch, &standby.mark));
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

/// Reads every copy of a target and restores its newest chain into a scratch file.
pub fn verify_target(store: &Store, name: &str, watch: &Watch) -> Result<Value> {
    let copies = named(store, name)?;
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
        let chain: Vec<&Listed> = found.apply.iter().filter_map(|name| listing.copy(name)).collect();
        let mut contents = chain.into_iter().map(|l| Ok((to_apply(&l.manifest), copies.open(&l.manifest)?)));
        let own = if store.config.machine.role == Role::Main { Side::Main } else { Side::Backup };
        match store.server(own).try_restore(&mut contents, watch) {
            Ok(position) if position == *wanted => {
                let path = store.state.join("verified.json");
                store
                    .world
                    .write_file(Label::StateWrite, &path, &kept::encode(&position))
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
