//! The standby: where the copies can bring it, bringing it there, and proving a target's chain by a trial restore. Who makes
//! copies is mirror.rs.

use serde_json::{Value, json};

use crate::error::{Exit, Failure, Result};
use crate::facts;
use crate::model::{CopyToApply, DatabaseState, Listed, Look, Manifest, Position, Role, Side};
use crate::plan::chain::{Chain, chain};
use crate::plan::promote::Reach;
use crate::progress::Watch;
use crate::steps::mirror::{damaged, named};
use crate::steps::{Context, signals};
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
pub(super) fn bring_forward(store: &Store, watch: &Watch) -> Result<Option<Position>> {
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

pub(super) fn chain_of(listing: &Listing, look: &Look) -> Chain {
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
