//! `relevo doctor`: checks what a store needs before the bad day: files, rights, targets, scripts, clock, space. Each finding
//! has a code, a severity and what to do. Exit 1 when something is wrong.

use std::path::Path;

use serde_json::{Value, json};

use super::session::Session;
use crate::error::{Failure, Result};
use crate::facts;
use crate::model::{self, DatabaseState, Program, Role, Side};
use crate::script::{diagnostic, lint};
use crate::signal::SVRBAK;
use crate::steps::{own_side, programs};
use crate::store::Store;
use crate::text;
use crate::text::Text;
use crate::world;

/// Free space below this many times the database is a warning.
const ROOM: u64 = 3;
/// Clocks of main's folder and of this machine may differ by so much (seconds).
const SKEW: i64 = 120;

/// How bad.
#[derive(Clone, Copy, PartialEq)]
enum Severity {
    Ok,
    Warning,
    Wrong,
}

struct Finding {
    code: &'static str,
    severity: Severity,
    /// Of which server, where it is of one.
    side: Option<Side>,
    text: Text,
    remedy: Option<Text>,
}

/// Checks.
pub fn main(session: &Session) -> u8 {
    let (outcome, rows) = match check(session) {
        Ok(found) => (verdict(session, &found), rows(session, &found)),
        Err(failure) => (Err(failure), Value::Null),
    };
    session.output.finish_beside("doctor", None, outcome.map(|()| Value::Null), rows)
}

fn check(session: &Session) -> Result<Vec<Finding>> {
    let store = session.store()?;
    let mut found = Vec::new();
    folders(&store, &mut found);
    signals(&store, &mut found);
    servers(&store, &mut found)?;
    preflight(&store, &mut found);
    targets(&store, &mut found);
    scripts(session, &store, &mut found);
    licence(&store, &mut found);
    commands(&store, &mut found);
    Ok(found)
}

/// What `--json` gives, also where something is wrong.
fn rows(session: &Session, found: &[Finding]) -> Value {
    let lang = session.output.lang;
    let name = |severity| match severity {
        Severity::Ok => "ok",
        Severity::Warning => "warning",
        Severity::Wrong => "error",
    };
    let row = |f: &Finding| {
        json!({
            "code": f.code, "severity": name(f.severity), "server": f.side, "message": f.text.get(lang),
            "remedy": f.remedy.as_ref().map(|remedy| remedy.get(lang)),
        })
    };
    json!({ "findings": found.iter().map(row).collect::<Vec<_>>() })
}

/// Shows everything; fails where something is wrong.
fn verdict(session: &Session, found: &[Finding]) -> Result<()> {
    let lang = session.output.lang;
    for finding in found {
        let mark = match finding.severity {
            Severity::Ok => "✓",
            Severity::Warning => "!",
            Severity::Wrong => "✗",
        };
        let side = finding.side.map(|side| format!("{}: ", side.text().get(lang))).unwrap_or_default();
        session.output.line(format!("{mark} {side}{}", finding.text.get(lang)));
        if let Some(remedy) = &finding.remedy {
            session.output.line(format!("    → {}", remedy.get(lang)));
        }
    }
    let wrong = found.iter().filter(|f| f.severity == Severity::Wrong).count();
    let Some(first) = found.iter().find(|f| f.severity == Severity::Wrong) else { return Ok(()) };
    Err(Failure::failed("doctor_found", text!("{wrong} cosas por corregir", "{wrong} things to put right"))
        .cause(first.text.get(lang)))
}

fn say(found: &mut Vec<Finding>, code: &'static str, severity: Severity, text: Text) {
    found.push(Finding { code, severity, side: None, text, remedy: None });
}

fn folders(store: &Store, found: &mut Vec<Finding>) {
    let pdv = &store.config.paths.pdv;
    let writable = |path: &Path| tempfile::Builder::new().prefix(".relevo-").tempfile_in(path).is_ok();
    for (code, path) in [("pdv_folder", pdv.as_path()), ("store_folder", store.dir.as_path())] {
        let shown = path.display();
        if !path.is_dir() {
            say(
                found,
                code,
                Severity::Wrong,
                text!("falta la carpeta pdv o de la sucursal: {shown}", "the pdv or store folder is missing: {shown}"),
            );
        } else if !writable(path) {
            say(found, code, Severity::Wrong, text!("no se puede escribir en {shown}", "{shown} cannot be written"));
        } else {
            say(found, code, Severity::Ok, text!("carpeta {shown}", "folder {shown}"));
        }
    }
    let main_pdv = store.config.main_pdv();
    if store.config.machine.role == Role::Main {
        return;
    }
    let shown = main_pdv.display();
    if !main_pdv.is_dir() {
        return say(
            found,
            "main_folder",
            Severity::Warning,
            text!("no se alcanza la carpeta del principal: {shown}", "main's folder cannot be reached: {shown}"),
        );
    }
    say(found, "main_folder", Severity::Ok, text!("carpeta del principal {shown}", "main's folder {shown}"));
    // The share stamps a file by its own clock.
    if let Ok(file) = tempfile::Builder::new().prefix(".relevo-").tempfile_in(main_pdv)
        && let Ok(stamp) = file.as_file().metadata().and_then(|m| m.modified())
        && let Ok(stamp) = jiff::Timestamp::try_from(stamp)
    {
        let skew = store.world.now().timestamp().duration_since(stamp).as_secs();
        if skew.abs() > SKEW {
            say(found, "clock_skew", Severity::Warning, text!("los relojes difieren {skew} s", "the clocks differ by {skew} s"));
        }
    }
}

fn signals(store: &Store, found: &mut Vec<Finding>) {
    match facts::svrbak(store) {
        Ok(Some(_)) => {
            say(found, "svrbak", Severity::Ok, text!("{SVRBAK} coincide con relevo.toml", "{SVRBAK} agrees with relevo.toml"))
        }
        Ok(None) => say(
            found,
            "svrbak",
            Severity::Warning,
            text!(
                "falta {SVRBAK}: relevo setup en el principal, luego launch aquí",
                "{SVRBAK} is missing: relevo setup on main, then launch here"
            ),
        ),
        Err(failure) => say(found, "svrbak", Severity::Wrong, failure.message),
    }
}

fn servers(store: &Store, found: &mut Vec<Finding>) -> Result<()> {
    for server in [&store.main, &store.backup] {
        let look = crate::facts::seen(server.as_ref());
        if let Some(trouble) = look.trouble {
            say(found, "file_damaged", Severity::Wrong, trouble);
        }
        let (side, state, instance) = (server.side(), look.state, look.instance);
        let severity = match (look.reachable, state) {
            (true, DatabaseState::Unknown) => Severity::Wrong,
            (true, _) => Severity::Ok,
            (false, _) => Severity::Warning,
        };
        say(found, "server", severity, text!("@: {instance} · @", "@: {instance} · @").fill(&side.text()).fill(&state.text()));
        if look.reachable && state == DatabaseState::Unknown {
            let why = text!(
                "{instance}: la base no se puede leer, o es más vieja que el registro relevo.epoch a su lado; consérvela y llame a soporte",
                "{instance}: the database cannot be read, or is older than the record relevo.epoch beside it; keep it and call support"
            );
            say(found, "database_unknown", Severity::Wrong, why);
        }
        if state == DatabaseState::Open && own_side(store) == Some(side) {
            for finding in store.server(side).integrity()? {
                let why = text!("{instance}: la base está dañada: {finding}", "{instance}: the database is damaged: {finding}");
                say(found, "database_damaged", Severity::Wrong, why);
            }
        }
        let database = Path::new(&instance).join(format!("{}.db", store.config.server(side).database));
        if let (Ok(size), Ok(free)) = (std::fs::metadata(&database).map(|m| m.len()), world::free_space(Path::new(&instance))) {
            let (mib, least) = (free >> 20, (size * ROOM) >> 20);
            if free < size * ROOM {
                say(
                    found,
                    "space",
                    Severity::Warning,
                    text!(
                        "{instance}: quedan {mib} MiB; conviene {least}",
                        "{instance}: {mib} MiB are free; {least} are advisable"
                    ),
                );
            }
        }
    }
    Ok(())
}

/// What the servers themselves lack, where their kind can lack something.
fn preflight(store: &Store, found: &mut Vec<Finding>) {
    for finding in store.findings() {
        let severity = match finding.severity {
            model::Severity::Info => Severity::Ok,
            model::Severity::Warning => Severity::Warning,
            model::Severity::Error => Severity::Wrong,
        };
        let model::Finding { code, side, message, remedy, .. } = finding;
        found.push(Finding { code, severity, side: Some(side), text: message, remedy: Some(remedy) });
    }
}

fn targets(store: &Store, found: &mut Vec<Finding>) {
    let main = Path::new(&store.config.servers.main.instance);
    for copies in &store.copies {
        let name = copies.name();
        match copies.check() {
            Ok(()) => say(found, "target", Severity::Ok, text!("destino {name}", "target {name}")),
            Err(failure) => say(found, "target", Severity::Wrong, failure.message),
        }
        // On the bad day the caja must read it although main is off.
        if let Some(crate::config::TargetSection::Dir { path }) = store.config.targets.get(name) {
            let shown = path.display();
            if path.starts_with(main)
                || main.parent().is_some_and(|parent| path.starts_with(parent) && store.config.machine.role != Role::Main)
            {
                say(
                    found,
                    "target_on_main",
                    Severity::Wrong,
                    text!(
                        "el destino {name} está en el principal ({shown}): sin él no habría copias",
                        "target {name} is on main ({shown}): without it there would be no copies"
                    ),
                );
            }
        }
    }
}

fn scripts(session: &Session, store: &Store, found: &mut Vec<Finding>) {
    match session.bundle(&store.dir) {
        Err(failure) => say(found, "scripts", Severity::Wrong, failure.message),
        Ok(bundle) => match diagnostic::failure(&lint::check(&bundle)) {
            Some(failure) => say(found, "scripts", Severity::Wrong, failure.message),
            None => say(
                found,
                "scripts",
                Severity::Ok,
                text!("{} scripts sin errores", "{} scripts without errors", bundle.files.len()),
            ),
        },
    }
}

fn licence(store: &Store, found: &mut Vec<Finding>) {
    match facts::authorised(store) {
        Err(failure) => say(found, "licence", Severity::Wrong, failure.message),
        Ok(a) if !a.mirror => say(
            found,
            "licence",
            Severity::Warning,
            text!("el respaldo espejo no está autorizado (posición 7)", "the mirror is not authorised (position 7)"),
        ),
        Ok(_) => say(found, "licence", Severity::Ok, text!("respaldo espejo autorizado", "mirror authorised")),
    }
    match facts::licence_doubt(store) {
        Err(failure) => say(found, "validity", Severity::Wrong, failure.message),
        Ok(Some(doubt)) => say(found, "validity", Severity::Warning, doubt),
        Ok(None) => {}
    }
}

fn commands(store: &Store, found: &mut Vec<Finding>) {
    let wanted: &[Program] = match store.config.machine.role {
        Role::Main => &[Program::Svrpdv],
        Role::Backup => &[Program::Svrpdv, Program::Pospdv],
        Role::Till => &[Program::Pospdv],
    };
    for program in wanted {
        match programs::section(store, *program) {
            Err(failure) => say(found, "program", Severity::Warning, failure.message),
            Ok(section) => {
                let file = Path::new(&section.command[0]);
                let shown = file.display();
                if file.is_absolute() && !file.exists() {
                    say(
                        found,
                        "program",
                        Severity::Wrong,
                        text!("{program}: no existe {shown}", "{program}: {shown} does not exist"),
                    );
                } else {
                    say(found, "program", Severity::Ok, text!("{program}: {shown}", "{program}: {shown}"));
                }
            }
        }
    }
}
