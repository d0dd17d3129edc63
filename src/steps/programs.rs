//! SvrPdv and PosPdv of this machine. SvrPdv outlives relevo: it is known again by pid, start time and image. Who may start it
//! is checked here, in Rust, whatever a script asks for.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config::ProgramSection;
use crate::error::{Exit, Failure, Result, Retry};
use crate::model::{DatabaseState, EpochRecord, Program, Side};
use crate::plan::launch::superseded;
use crate::plan::saga::refuse_open_intent;
use crate::steps::{Context, own_side};
use crate::store::Store;
use crate::text;
use crate::world::{Command, Label, ProcessId, read_if_there};

/// How long a started SvrPdv may take to hold its lock.
const SERVE_WITHIN: Duration = Duration::from_secs(15);
/// How long a program whose start was cut short may take to show itself.
const SHOWS_WITHIN: Duration = Duration::from_secs(3);
/// How long a database server may take to notice that a program has ended.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Endings of what a step keeps for its undo.
const STARTED: &str = "started";
const STOPPED: &str = "stopped";
/// How often a waiting step looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Starts a program of this machine, unless it is alive.
pub fn start(cx: &Context, program: Program) -> Result<Value> {
    let store = cx.store;
    if let Some(process) = alive(store, program)? {
        return Ok(json!({ "started": false, "pid": process.pid }));
    }
    if program == Program::Pospdv {
        return Err(Failure::refused(
            "launched_only",
            text!("PosPdv se inicia con relevo launch", "PosPdv is started by relevo launch"),
        ));
    }
    if let Some(process) = about_to_be(store, program)? {
        return Ok(json!({ "started": false, "pid": process.pid }));
    }
    let (side, record) = may_serve(cx)?;
    let Some(post) = store.take_post(side)? else {
        return Ok(json!({ "started": false, "pid": null }));
    };
    not_superseded(store, side)?;
    let section = section(store, program)?;
    let command = expand(store, section, side, &record);
    let (gate, server) = (post.gate, post.server);
    note(cx, STARTED)?;
    note_starting(store, program)?;
    drop(server);
    let started = store.world.start(Label::ServiceStart, &command).map_err(|e| {
        let what = &command.argv[0];
        Failure::failed("program_not_started", text!("no se pudo iniciar {what}", "could not start {what}"))
            .cause(e)
            .hint(text!("revise [programs.svrpdv] command", "check [programs.svrpdv] command"))
    });
    if let Ok(process) = &started {
        remember(store, program, process)?;
    }
    forget_starting(store, program)?; // also where nothing was started: nobody is to be waited for
    let process = started?;
    wait_ready(store, side, section, &process)?;
    drop(gate);
    Ok(json!({ "started": true, "pid": process.pid }))
}

/// Somebody may have died between starting the program and noting its process: it is given time to show itself, so that no
/// second one is started beside it. Asked before the post is taken, which would keep it from showing itself.
pub fn about_to_be(store: &Store, program: Program) -> Result<Option<ProcessId>> {
    if !starting_path(store, program).exists() {
        return Ok(None);
    }
    let until = Instant::now() + SHOWS_WITHIN;
    loop {
        let found = alive(store, program)?;
        if found.is_some() || Instant::now() > until {
            return Ok(found);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn starting_path(store: &Store, program: Program) -> PathBuf {
    store.state.join("programs").join(format!("{program}.starting"))
}

fn note_starting(store: &Store, program: Program) -> Result<()> {
    let path = starting_path(store, program);
    store
        .world
        .write_file(Label::ServiceInfo, &path, b"")
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
}

fn forget_starting(store: &Store, program: Program) -> Result<()> {
    let path = starting_path(store, program);
    store
        .world
        .remove_file(Label::ServiceInfo, &path)
        .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &path, &e))
}

/// Stops a program of this machine: politely, then with its children.
pub fn stop(cx: &Context, program: Program) -> Result<Value> {
    let store = cx.store;
    let Some(process) = alive(store, program)? else {
        return Ok(json!({ "stopped": false }));
    };
    let section = section(store, program)?;
    note(cx, STOPPED)?;
    store.world.stop(Label::ServiceStop, &process, section.stop_timeout).map_err(|e| {
        let pid = process.pid;
        Failure::failed(
            "program_not_stopped",
            text!("no se pudo cerrar {program} (proceso {pid})", "could not stop {program} (process {pid})"),
        )
        .cause(e)
        .retry(Retry::Temporary)
    })?;
    // A database server notices a moment later that its program is gone. Where another serves there, the proof that follows names it.
    let until = Instant::now() + GONE_WITHIN;
    while own_side(store).is_some_and(|side| store.server(side).server_lock_held().unwrap_or(false)) && Instant::now() < until {
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(json!({ "stopped": true, "pid": process.pid }))
}

/// Closes what [`start`] started: a program that ran before the step goes on.
pub fn undo_start(cx: &Context, program: Program) -> Result<()> {
    if noted(cx, STARTED) { stop(cx, program).map(drop) } else { Ok(()) }
}

/// Starts what [`stop`] closed: a program that did not run before the step stays closed.
pub fn undo_stop(cx: &Context, program: Program) -> Result<()> {
    if noted(cx, STOPPED) { start(cx, program).map(drop) } else { Ok(()) }
}

/// Written before the effect: an undo after a crash must know whether the step ever came to it.
fn note(cx: &Context, what: &str) -> Result<()> {
    let path = cx.kept(what);
    cx.store
        .world
        .write_file(Label::StateWrite, &path, b"")
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
}

fn noted(cx: &Context, what: &str) -> bool {
    cx.kept(what).exists()
}

/// Is it alive, and as which process?
pub fn alive(store: &Store, program: Program) -> Result<Option<ProcessId>> {
    let known = [Some(info_path(store, program)), served_by(store, program)];
    for path in known.into_iter().flatten() {
        let process: Option<ProcessId> = read_if_there(&path).ok().flatten().and_then(|b| serde_json::from_slice(&b).ok());
        if let Some(process) = process
            && store.world.is_alive(&process)
        {
            return Ok(Some(process));
        }
    }
    Ok(None)
}

/// Who may serve on this machine: the holder, with its database open.
fn may_serve(cx: &Context) -> Result<(Side, EpochRecord)> {
    let store = cx.store;
    let side = own_side(store).ok_or_else(|| {
        Failure::refused("not_a_server", text!("SvrPdv no se inicia en una caja", "SvrPdv is not started on a till"))
    })?;
    let own = store.server(side).look()?;
    let record = store.highest_record()?;
    if record.holder != side {
        let epoch = record.epoch;
        return Err(Failure::new(
            Exit::OtherHolder,
            "not_the_holder",
            text!("el otro servidor está en servicio (época {epoch})", "the other server holds the post (epoch {epoch})"),
        )
        .hint(text!("vea: relevo status", "see: relevo status")));
    }
    // A role change that is announced here, or was cut short, is finished first; its own steps may start what they stopped.
    refuse_open_intent(&own, Some(cx.run))?;
    if own.state != DatabaseState::Open {
        let state = own.state;
        return Err(Failure::refused(
            "database_not_open",
            text!("BDPdv no está abierta aquí (@)", "the database is not open here (@)").fill(&state.text()),
        )
        .hint(text!("vea: relevo status", "see: relevo status")));
    }
    if record.awaiting_start {
        return Err(Failure::refused(
            "awaiting_start",
            text!("el principal fue restaurado y falta iniciarlo", "main was restored and is still to be started"),
        )
        .hint(text!("use: relevo launch --program svrpdv", "use: relevo launch --program svrpdv")));
    }
    Ok((side, record))
}

/// Asked while the post is ours: a role change that is announced from now on sees that main serves.
fn not_superseded(store: &Store, side: Side) -> Result<()> {
    if side != Side::Main {
        return Ok(());
    }
    let Some((higher, _)) = superseded(&store.main.look()?, &store.backup.look()?, store.remembered()?.as_ref()) else {
        return Ok(());
    };
    let epoch = higher.epoch;
    Err(Failure::new(
        Exit::OtherHolder,
        "superseded",
        text!(
            "otro servidor tiene o va a tener la época {epoch}: este servidor no debe atender",
            "another server holds, or is about to hold, epoch {epoch}: this server must not serve"
        ),
    )
    .hint(text!("vea: relevo status", "see: relevo status")))
}

fn wait_ready(store: &Store, side: Side, section: &ProgramSection, process: &ProcessId) -> Result<()> {
    let began = Instant::now();
    loop {
        if !store.world.is_alive(process) {
            let what = &section.command[0];
            return Err(Failure::failed("program_ended", text!("{what} terminó al iniciar", "{what} ended while starting"))
                .hint(text!("vea state/logs/svrpdv.log", "see state/logs/svrpdv.log")));
        }
        // The gate is ours, so only the program's own lock can answer here.
        let holds = store.server(side).server_lock_held()?;
        if holds && began.elapsed() >= section.ready_after {
            return Ok(());
        }
        if began.elapsed() > section.ready_after + SERVE_WITHIN {
            return Err(Failure::failed(
                "program_not_serving",
                text!(
                    "SvrPdv vive pero no atiende (no tomó server.lock)",
                    "SvrPdv is alive but does not serve (it did not take server.lock)"
                ),
            ));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The command with `{instance}`, `{database}`, `{epoch}` replaced and the same values as variables.
pub fn expand(store: &Store, section: &ProgramSection, side: Side, record: &EpochRecord) -> Command {
    let server = store.config.server(side);
    let epoch = record.epoch.to_string();
    let values = [("instance", server.instance.as_str()), ("database", server.database.as_str()), ("epoch", epoch.as_str())];
    let fill =
        |word: &String| values.iter().fold(word.clone(), |word, (name, value)| word.replace(&format!("{{{name}}}"), value));
    let mut env: Vec<(String, String)> =
        values.iter().map(|(name, value)| (format!("RELEVO_{}", name.to_uppercase()), (*value).to_owned())).collect();
    env.push(("RELEVO_SERVER".to_owned(), side.to_string()));
    env.push(("RELEVO_MACHINE".to_owned(), store.config.machine.name.clone()));
    Command {
        argv: section.command.iter().map(fill).collect(),
        env,
        dir: None,
        log: Some(store.state.join("logs").join("svrpdv.log")),
    }
}

/// Settings of a program.
pub fn section(store: &Store, program: Program) -> Result<&ProgramSection> {
    let section = match program {
        Program::Svrpdv => &store.config.programs.svrpdv,
        Program::Pospdv => &store.config.programs.pospdv,
    };
    section.as_ref().ok_or_else(|| {
        Failure::invalid(
            "no_command",
            text!("relevo.toml no dice cómo iniciar {program}", "relevo.toml does not say how to start {program}"),
        )
        .hint(text!("ponga [programs.{program}] command = ['…']", "set [programs.{program}] command = ['…']"))
    })
}

/// Notes the process of a program of this machine.
fn remember(store: &Store, program: Program, process: &ProcessId) -> Result<()> {
    let path = info_path(store, program);
    let body = serde_json::to_vec(process).unwrap_or_default();
    store
        .world
        .write_file(Label::ServiceInfo, &path, &body)
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
}

fn info_path(store: &Store, program: Program) -> PathBuf {
    store.state.join("programs").join(format!("{program}.json"))
}

/// What SvrPdv itself says beside its lock: it is known even if relevo died right after starting it.
fn served_by(store: &Store, program: Program) -> Option<PathBuf> {
    match (program, own_side(store)) {
        (Program::Svrpdv, Some(side)) => store.server(side).served_by(),
        _ => None,
    }
}
