//! The signal files of this machine: brought from main, brought into line, written by setup.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::error::{Failure, Result};
use crate::facts;
use crate::model::{Role, Side, kept};
use crate::progress::Watch;
use crate::signal::fetch::{Fetched, fetch as fetch_one};
use crate::signal::marker::{self, Action};
use crate::signal::svrbak::{self, SvrBak, same_instance};
use crate::signal::{FECBAK, POSBAK, SVRBAK, VECBAK, fecbak, vecbak};
use crate::steps::Context;
use crate::store::Store;
use crate::text;
use crate::text::Text;
use crate::world::Label;

/// Accepts the bytes of a signal file or says what is wrong with them.
type Check = fn(&[u8]) -> Result<(), crate::signal::text_file::Wrong>;

/// SvrBak.txt and VecBak.txt from main; says so where the last good copy had to stay.
pub fn fetch(cx: &Context) -> Result<Value> {
    let store = cx.store;
    let (from, to) = (store.config.main_pdv(), store.config.paths.pdv.as_path());
    if store.config.machine.role == Role::Main || from == to {
        return Ok(json!({ "copied": false, "kept": false }));
    }
    let memory = store.state.join("signals.json");
    let mut since: BTreeMap<String, u64> = std::fs::read(&memory).ok().and_then(|b| kept::decode(&b).ok()).unwrap_or_default();
    let before = since.clone();
    let (mut copied, mut kept) = (false, false);
    let checks: [(&str, Check); 2] = [(SVRBAK, |b| svrbak::parse(b).map(|_| ())), (VECBAK, |b| vecbak::parse(b).map(|_| ()))];
    for (name, check) in checks {
        let known = since.get(name).and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(*ms)));
        let (outcome, modified) = fetch_one(store.world.as_ref(), from, to, name, check, known)?;
        if let Some(ms) = modified.and_then(|m| m.duration_since(UNIX_EPOCH).ok()).and_then(|d| u64::try_from(d.as_millis()).ok())
        {
            since.insert(name.to_owned(), ms);
        }
        copied |= outcome == Fetched::Copied;
        kept |= matches!(outcome, Fetched::KeptAway | Fetched::KeptBad { .. } | Fetched::KeptOlder);
        say(cx.watch, name, &outcome);
    }
    if since != before {
        store
            .world
            .write_file(Label::StateWrite, &memory, &kept::encode(&since))
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &memory, &e))?;
    }
    Ok(json!({ "copied": copied, "kept": kept }))
}

fn say(watch: &Watch, name: &str, outcome: &Fetched) {
    match outcome {
        Fetched::Copied | Fetched::Same | Fetched::None => {}
        Fetched::KeptAway => watch.note(text!(
            "{name}: el principal no está; se conserva la última copia buena",
            "{name}: main is away; the last good copy is kept"
        )),
        Fetched::KeptBad { why } => watch.note(Text {
            es: format!("{name} del principal no sirve; se conserva la última copia buena: {}", why.es),
            en: format!("main's {name} is not usable; the last good copy is kept: {}", why.en),
        }),
        Fetched::KeptOlder => watch.note(text!(
            "{name} del principal es más viejo que el de aquí; se conserva",
            "main's {name} is older than the one here; it is kept"
        )),
    }
}

/// PosBak.txt exists exactly when SvrBak.txt names this machine as the backup.
pub fn sync_marker(cx: &Context) -> Result<Value> {
    let store = cx.store;
    let is_backup = store.config.machine.role == Role::Backup;
    let holds = is_backup && store.backup.look()?.record.is_some_and(|r| r.holder == Side::Backup);
    let Some(svrbak) = facts::svrbak(store)? else {
        // Without SvrBak.txt nobody says who the caja/servidor is: the marker stays as it is. But a backup that holds the post is
        // the caja/servidor, whatever was forgotten before the bad day.
        let changed = holds && !facts::marked(store);
        if changed {
            write_marker(store)?;
        }
        return Ok(json!({ "present": facts::marked(store), "changed": changed }));
    };
    let named = marker::names_this_machine(&svrbak, &store.config);
    let action = marker::action(facts::marked(store), named, holds);
    match action {
        Action::Create => write_marker(store)?,
        Action::Remove => {
            let path = store.config.paths.pdv.join(POSBAK);
            store
                .world
                .remove_file(Label::SignalRemove, &path)
                .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &path, &e))?;
        }
        Action::KeepWhileHolding => cx.watch.note(text!(
            "PosBak.txt se conserva: este equipo tiene el servicio, aunque SvrBak.txt ya no lo nombre",
            "PosBak.txt is kept: this machine holds the post, although SvrBak.txt does not name it any more"
        )),
        Action::Keep => {}
    }
    Ok(json!({ "present": facts::marked(store), "changed": matches!(action, Action::Create | Action::Remove) }))
}

/// Makes this terminal the caja/servidor.
pub fn mark_terminal(cx: &Context) -> Result<Value> {
    let store = cx.store;
    if store.config.machine.role != Role::Backup {
        let role = store.config.machine.role;
        return Err(Failure::invalid(
            "role_disagrees",
            text!(
                "relevo.toml dice role = \"{role}\": no es la caja/servidor",
                "relevo.toml says role = \"{role}\": not the caja/servidor"
            ),
        )
        .hint(text!(
            "ponga [machine] role = \"backup\" en la caja/servidor",
            "set [machine] role = \"backup\" on the caja/servidor"
        )));
    }
    if !facts::marked(store) {
        write_marker(store)?;
    }
    Ok(Value::Null)
}

fn write_marker(store: &Store) -> Result<()> {
    let path = store.config.paths.pdv.join(POSBAK);
    let body = marker::render(&store.config.machine.name, &store.now());
    write_signal(store, &path, &body)
}

/// SvrBak.txt and VecBak.txt, on main, by the word of an authorised person.
pub fn write(cx: &Context, main: &str, backup: &str, valid_until: Option<&str>) -> Result<Value> {
    let store = cx.store;
    if store.config.machine.role != Role::Main {
        return Err(Failure::refused(
            "not_main",
            text!("las instancias se definen en el servidor principal", "the instances are defined on the main server"),
        ));
    }
    let until = match valid_until {
        None => None,
        Some(words) => Some(vecbak::date(words).ok_or_else(|| {
            Failure::new(
                crate::error::Exit::Usage,
                "bad_date",
                text!("«{words}» no es una fecha (aaaa-mm-dd)", "\"{words}\" is no date (yyyy-mm-dd)"),
            )
        })?),
    };
    let found = SvrBak { main: main.to_owned(), backup: backup.to_owned() };
    let body = svrbak::render(&found);
    svrbak::parse(body.as_bytes()).map_err(|wrong| wrong.failure("svrbak_invalid", std::path::Path::new(SVRBAK)))?;
    for (said, set) in [(main, &store.config.servers.main.instance), (backup, &store.config.servers.backup.instance)] {
        if !same_instance(said, set) {
            return Err(Failure::invalid(
                "instances_disagree",
                text!("la orden dice {said} y relevo.toml dice {set}", "the command says {said} and relevo.toml says {set}"),
            )
            .hint(text!("ponga lo mismo en relevo.toml", "write the same in relevo.toml")));
        }
    }
    let pdv = &store.config.paths.pdv;
    let mut files = vec![(pdv.join(SVRBAK), body)];
    files.extend(until.map(|until| (pdv.join(VECBAK), vecbak::render(until))));
    files.retain(|(path, body)| std::fs::read(path).map_or(true, |old| old != body.as_bytes()));
    if files.is_empty() {
        return Ok(json!({ "changed": false }));
    }
    let who = store.operator.authorise(&store.state)?.ok_or_else(|| {
        Failure::refused(
            "needs_authorisation",
            text!(
                "definir las instancias requiere a una persona autorizada",
                "defining the instances takes an authorised person"
            ),
        )
        .hint(text!(
            "dé el PIN de la sucursal (--pin-fd 0, o en la terminal)",
            "give the store PIN (--pin-fd 0, or on the terminal)"
        ))
    })?;
    for (path, body) in &files {
        write_signal(store, path, body)?;
    }
    Ok(json!({ "changed": true, "by": who }))
}

/// FecBak.txt: when the copy that the backup holds was made; written on the caja by whichever verb finds it behind.
pub fn note_copy_age(store: &Store, at: &str) -> Result<()> {
    let path = store.config.paths.pdv.join(FECBAK);
    let body = fecbak::render(at);
    if store.config.machine.role != Role::Backup || std::fs::read(&path).is_ok_and(|old| old == body.as_bytes()) {
        return Ok(());
    }
    write_signal(store, &path, &body)
}

fn write_signal(store: &Store, path: &std::path::Path, body: &str) -> Result<()> {
    store
        .world
        .write_file(Label::SignalWrite, path, body.as_bytes())
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), path, &e))
}
