//! What is observed of a store, in one place: `status`, scripts, plans and launches read the same facts. Looking changes nothing.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::Authorisation;
use crate::error::{Failure, Result};
use crate::journal::recover;
use crate::journal::recover::OpenState;
use crate::model::kept;
use crate::model::{DatabaseState, EpochRecord, Look, Manifest, Position, Program, Role, Side};
use crate::plan::matrix::{self, Facts, Verdict};
use crate::server::DatabaseServer;
use crate::server::port::By;
use crate::signal::authorisation::{Authorised, parse};
use crate::signal::svrbak::{self, SvrBak, same_instance};
use crate::signal::{FECBAK, POSBAK, SVRBAK, VECBAK, fecbak, vecbak};
use crate::store::{Store, highest};
use crate::text;
use crate::text::{Lang, Text};
use crate::world::{Label, read_if_there};

/// The authorisation string's meaning. Unreadable = not authorised, with the reason.
pub fn authorised(store: &Store) -> Result<Authorised> {
    let string = match &store.config.licence.authorisation {
        Authorisation::Literal(string) => string.clone(),
        Authorisation::File(path) => {
            let body = std::fs::read_to_string(path).map_err(|e| {
                Failure::io(text!("no se pudo leer la autorización", "could not read the authorisation"), path, &e)
            })?;
            body.lines().next().unwrap_or_default().to_owned()
        }
        Authorisation::Query(query) => {
            let holder = store.server(store.highest_record()?.holder);
            let known = store.state.join("authorisation.json");
            match holder.query(By::Settings, query, &[], 1) {
                Ok(rows) => {
                    let first = rows.first().and_then(Value::as_object).and_then(|row| row.values().next()).cloned();
                    let string = first.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
                    let body = kept::encode(&json!({ "authorisation": string }));
                    if std::fs::read(&known).map_or(true, |old| old != body)
                        && let Err(error) = store.world.write_file(Label::StateWrite, &known, &body)
                    {
                        tracing::warn!(%error, "authorisation.json");
                    }
                    string
                }
                // On the bad day nobody can be asked: what the database said last holds (VecBak.txt limits it in time).
                Err(failure) => {
                    let body = read_if_there(&known).map_err(|e| unreadable(&known, &e))?.ok_or(failure)?;
                    let value: Value = kept::decode(&body).map_err(|e| {
                        let shown = known.display();
                        Failure::refused("authorisation_damaged", text!("{shown} está dañado", "{shown} is damaged"))
                            .cause(e)
                            .hint(text!(
                                "se vuelve a anotar cuando la base en servicio responda",
                                "it is written again when the database in service answers"
                            ))
                    })?;
                    value["authorisation"].as_str().unwrap_or_default().to_owned()
                }
            }
        }
    };
    Ok(parse(string.trim()))
}

/// Is PosBak.txt there?
pub fn marked(store: &Store) -> bool {
    store.config.paths.pdv.join(POSBAK).exists()
}

/// SvrBak.txt of this machine; `None` where there is none yet. Names that relevo.toml does not have are an error showing both.
pub fn svrbak(store: &Store) -> Result<Option<SvrBak>> {
    let path = store.config.paths.pdv.join(SVRBAK);
    let Some(bytes) = read_if_there(&path).map_err(|e| unreadable(&path, &e))? else { return Ok(None) };
    let found = svrbak::parse(&bytes).map_err(|wrong| wrong.failure("svrbak_invalid", &path))?;
    let servers = &store.config.servers;
    for (name, said, set) in
        [("principal", &found.main, &servers.main.instance), ("respaldo", &found.backup, &servers.backup.instance)]
    {
        if !same_instance(said, set) {
            return Err(Failure::invalid(
                "instances_disagree",
                text!(
                    "{name}: SvrBak.txt dice {said} y relevo.toml dice {set}",
                    "{name}: SvrBak.txt says {said} and relevo.toml says {set}"
                ),
            )
            .hint(text!(
                "corrija relevo.toml, o SvrBak.txt en el principal con relevo setup",
                "correct relevo.toml, or SvrBak.txt on main with relevo setup"
            )));
        }
    }
    Ok(Some(found))
}

/// The verdict of the test matrix; `program` is what is launched.
pub fn verdict(store: &Store, program: Option<Program>) -> Result<Verdict> {
    match program {
        Some(_) => verdict_of(store, program, &store.main.look()?, &store.backup.look()?),
        None => verdict_of(store, None, &seen(store.main.as_ref()), &seen(store.backup.as_ref())),
    }
}

fn verdict_of(store: &Store, program: Option<Program>, main: &Look, backup: &Look) -> Result<Verdict> {
    let authorised = authorised(store).unwrap_or_default();
    let marker = marked(store);
    if let Some(program) = program {
        matrix::role_agrees(marker, store.config.machine.role, program)?;
    }
    Ok(matrix::verdict(&Facts {
        marker,
        program,
        role: store.config.machine.role,
        main_answers: main.answers(),
        backup_answers: backup.answers(),
        mirror_licence: authorised.mirror,
        backup_licence: authorised.backup,
    }))
}

/// `store::verdict(#{ program })`: thrown as it is, it refuses the start.
pub fn verdict_for_script(store: &Store, options: &Value) -> Result<Value> {
    svrbak(store)?;
    let program: Option<Program> = serde_json::from_value(options["program"].clone()).ok();
    let verdict = verdict(store, program)?;
    let exit = if verdict.ok { 0 } else { 4 };
    Ok(json!({
        "ok": verdict.ok, "row": verdict.row, "code": verdict.code, "kind": verdict.code, "exit": exit,
        "message": verdict.message.es, "message_en": verdict.message.en,
        "hint": verdict.hint.as_ref().map(|h| &h.es), "hint_en": verdict.hint.as_ref().map(|h| &h.en),
    }))
}

/// May the caja take over: the backup row of the matrix.
pub fn licence_of_backup(store: &Store) -> Result<Result<(), Failure>> {
    let authorised = authorised(store)?;
    let verdict = matrix::verdict(&Facts {
        marker: true,
        program: None,
        role: Role::Backup,
        main_answers: false,
        backup_answers: false,
        mirror_licence: authorised.mirror,
        backup_licence: authorised.backup,
    });
    if verdict.ok {
        return Ok(Ok(()));
    }
    let mut failure = Failure::refused(&verdict.code, verdict.message);
    failure.hint = verdict.hint;
    Ok(Err(failure))
}

/// Why an authorised person's word is needed: the backup's licence is past VecBak.txt, or the clock is earlier than FecBak.txt.
pub fn licence_doubt(store: &Store) -> Result<Option<Text>> {
    let pdv = &store.config.paths.pdv;
    let now = store.world.now();
    let fecbak_path = pdv.join(FECBAK);
    if let Some(bytes) = read_if_there(&fecbak_path).map_err(|e| unreadable(&fecbak_path, &e))?
        && let Some(copied) = fecbak::parse(&bytes).map_err(|w| w.failure("fecbak_invalid", &fecbak_path))?
        && now.timestamp() < copied
    {
        return Ok(Some(text!(
            "reloj dudoso: este equipo dice {now} y la última copia es de {copied}",
            "clock unsure: this machine says {now} and the last copy is of {copied}"
        )));
    }
    let vecbak_path = pdv.join(VECBAK);
    let until = match read_if_there(&vecbak_path).map_err(|e| unreadable(&vecbak_path, &e))? {
        Some(bytes) => vecbak::parse(&bytes).map_err(|w| w.failure("vecbak_invalid", &vecbak_path))?,
        None => None,
    };
    Ok(until
        .filter(|until| now.date() > *until)
        .map(|until| text!("la autorización del respaldo venció el {until}", "the backup's authorisation expired on {until}")))
}

/// A server for people to see: one that cannot say what it is is unknown, with the reason.
pub fn seen(server: &dyn DatabaseServer) -> Look {
    server.look().unwrap_or_else(|failure| Look {
        instance: server.instance(),
        reachable: true,
        state: DatabaseState::Unknown,
        serving: false,
        record: None,
        intent: None,
        position: None,
        applying: None,
        trouble: Some(failure.message),
    })
}

/// Everything, as `status --json` prints it. Unknown values are null, never absent.
pub fn facts(store: &Store, lang: Lang) -> Result<Value> {
    facts_and_troubles(store, lang).map(|(facts, _)| facts)
}

/// [`facts`], and which files beside the databases cannot be believed.
pub fn facts_and_troubles(store: &Store, lang: Lang) -> Result<(Value, Vec<Text>)> {
    // Once each: where a role change hangs while it has a database for itself alone, every look waits for SQLite's own patience.
    let (main, backup) = (seen(store.main.as_ref()), seen(store.backup.as_ref()));
    let known = [main.record.clone(), backup.record.clone(), store.remembered()?];
    let record = highest(known).unwrap_or_else(|| EpochRecord::first(None));
    let verdict = verdict_of(store, None, &main, &backup)?;
    let authorised = authorised(store).unwrap_or_default();
    let open = match open_runs(store) {
        // A full disk keeps the journal closed: what else is known is worth seeing, then more than ever.
        Err(failure) if failure.kind == "journal" => Value::Null,
        open => Value::Array(open?),
    };
    let facts = json!({
        "store": store.config.store.id,
        "machine": store.config.machine.name,
        "role": store.config.machine.role,
        "holder": record.holder,
        "serving": serving(&main, &backup, &record),
        "epoch": record.epoch,
        "verdict": { "ok": verdict.ok, "row": verdict.row, "code": verdict.code, "message": verdict.message.get(lang) },
        "main": server(&main),
        "backup": server(&backup),
        "mirror": mirror(store, backup.position.as_ref()),
        "licence": { "mirror": authorised.mirror, "backup": authorised.backup },
        "runs_open": open,
        "bundle": null,
    });
    Ok((facts, [main.trouble, backup.trouble].into_iter().flatten().collect()))
}

fn open_runs(store: &Store) -> Result<Vec<Value>> {
    let journal = store.journal()?;
    let runs = journal.heads(true, usize::MAX)?.into_iter().map(|head| {
        let state = match journal.load(head.id) {
            Ok((log, ..)) => recover::open_state(&log, journal.is_owned(head.id)),
            Err(_) => OpenState::Stuck, // a damaged journal: a person has to look
        };
        json!({ "id": head.id, "verb": head.verb, "state": state, "since": head.since })
    });
    Ok(runs.collect())
}

/// Who serves: the holder where its SvrPdv is alive, else the other one where that is (a zombie is worth seeing).
fn serving(main: &Look, backup: &Look, record: &EpochRecord) -> Option<Side> {
    let (holder, other) = match record.holder {
        Side::Main => (main, backup),
        Side::Backup => (backup, main),
    };
    match (holder.serving, other.serving) {
        (true, _) => Some(record.holder),
        (false, true) => Some(record.holder.other()),
        (false, false) => None,
    }
}

fn server(look: &Look) -> Value {
    json!({ "instance": look.instance, "reachable": look.reachable, "state": look.state, "position": look.position })
}

/// Age of the last mirrored copy, and of the last verified one: the one that the standby holds, or that a trial restore proved.
fn mirror(store: &Store, standby: Option<&Position>) -> Value {
    let listed: Vec<Manifest> = store
        .copies
        .iter()
        .filter_map(|copies| copies.list_known(false).ok())
        .flat_map(|l| l.copies)
        .map(|l| l.manifest)
        .collect();
    let chain = || listed.iter().filter(|m| m.kind != crate::model::CopyKind::Tail);
    let last = chain().max_by_key(|m| (m.epoch, m.sequence));
    let tried = verified_by_restore(store);
    let verified =
        chain().filter(|m| Some(&m.to) == standby || tried.as_ref() == Some(&m.to)).max_by_key(|m| (m.epoch, m.sequence));
    let age = |m: &Manifest| age_s(store, &m.at);
    json!({
        "last_at": last.map(|m| &m.at),
        "age_s": last.and_then(age),
        "position": last.map(|m| &m.to),
        "verified_at": verified.map(|m| &m.at),
        "verified_age_s": verified.and_then(age),
    })
}

/// By how much the clocks of a store's machines may differ before one of them is not believed.
const CLOCKS_DIFFER: i64 = 300;

/// Seconds since an RFC 3339 time. `None` where that time is still to come for this machine's clock, by more than clocks differ:
/// then the age is unknown, and a number would lie.
pub fn age_s(store: &Store, at: &str) -> Option<u64> {
    let at: jiff::Timestamp = at.parse().ok()?;
    let age = store.world.now().timestamp().duration_since(at).as_secs();
    (age >= -CLOCKS_DIFFER).then_some(age.max(0).unsigned_abs())
}

/// The position that the last trial restore proved on this machine.
fn verified_by_restore(store: &Store) -> Option<Position> {
    kept::decode(&std::fs::read(store.state.join("verified.json")).ok()?).ok()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(text!("no se pudo leer", "could not read"), path, error)
}
