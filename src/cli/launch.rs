//! `relevo launch`: startup.rhai, then the program. The launch run ends when the program is ready; waiting for PosPdv is
//! outside it. What a script returns never decides who may serve: that is checked here again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::session::{Session, close};
use crate::error::{Exit, Failure, Result};
use crate::model::{DatabaseState, EpochRecord, Program, Role, Side};
use crate::plan::launch::{LaunchFacts, LaunchPlan, launch as decide, superseded};
use crate::plan::step::Step;
use crate::steps::run::Run;
use crate::steps::{post, programs};
use crate::store::Store;
use crate::text;

/// How long another launch of SvrPdv on this machine is waited for.
const ANOTHER_LAUNCH: Duration = Duration::from_secs(30);

/// Arguments of `relevo launch`.
#[derive(Args)]
pub struct Launch {
    /// Which program starts
    #[arg(long, value_enum)]
    program: Program,
    /// Show what it would do, change nothing
    #[arg(long)]
    plan: bool,
    /// Command in place of [programs] command
    #[arg(last = true)]
    command: Vec<String>,
}

/// What a launch came to.
enum Done {
    /// SvrPdv is alive.
    Serving(Value),
    /// PosPdv ran and ended with this code.
    Ran(i32, Side),
}

/// Launches.
pub fn main(session: &Session, arguments: &Launch) -> u8 {
    let mut id = None;
    let outcome = session.store().and_then(|store| {
        let store = match arguments.command.is_empty() {
            true => store,
            false => with_command(session, arguments)?,
        };
        if arguments.plan {
            return session.plan(&store, "launch", "startup", json!({ "program": arguments.program }));
        }
        // At most one promote in between: the second launch run finds the backup holding the post.
        match launch(session, &store, arguments.program, &mut id)? {
            Some(done) => finish(session, &store, done),
            None => {
                super::primitive::promote_now(session, &store)?;
                match launch(session, &store, arguments.program, &mut id)? {
                    Some(done) => finish(session, &store, done),
                    None => Err(Failure::failed(
                        "promote_again",
                        text!("el relevo no quedó en servicio", "the promote did not take effect"),
                    )),
                }
            }
        }
    });
    session.output.finish("launch", id, outcome)
}

/// `-- COMMAND…` in place of the configured one.
fn with_command(session: &Session, arguments: &Launch) -> Result<Arc<Store>> {
    let mut store = session.store()?;
    if let Some(store) = Arc::get_mut(&mut store) {
        let section = match arguments.program {
            Program::Svrpdv => &mut store.config.programs.svrpdv,
            Program::Pospdv => &mut store.config.programs.pospdv,
        };
        match section {
            Some(section) => section.command = arguments.command.clone(),
            None => *section = Some(crate::config::ProgramSection::of(arguments.command.clone())),
        }
    }
    Ok(store)
}

/// One launch run. `None`: the person wants the backup promoted first.
fn launch(session: &Session, store: &Arc<Store>, program: Program, id: &mut Option<String>) -> Result<Option<Done>> {
    let args = json!({ "program": program });
    let (run, bundle) = session.begin(store, "launch", args.clone())?;
    *id = Some(run.id.to_string());
    let result = (|| {
        if program == Program::Svrpdv && store.config.machine.role == Role::Main && !take_main_post(&run)? {
            return Ok(Some(json!({ "next": "serving" })));
        }
        let value =
            crate::script::run(&bundle, "startup", args, crate::script::dispatch::host(run.clone()), session.stop.clone())?;
        Ok::<_, Failure>(Some(value))
    })();
    let outcome = result.and_then(|value| match value.as_ref().and_then(|v| v["next"].as_str()) {
        Some("promote") => Ok(None),
        _ => start(&run, program).map(Some),
    });
    store.drop_post();
    let recorded = match &outcome {
        Ok(_) => Ok(Value::Null),
        Err(failure) => Err(failure.clone()),
    };
    close(&run, recorded)?;
    let outcome = outcome?;
    let Some(start) = outcome else { return Ok(None) };
    match start {
        Start::Server(value) => Ok(Some(Done::Serving(value))),
        Start::Till(side) => run_till(store, side).map(Some),
    }
}

enum Start {
    Server(Value),
    Till(Side),
}

/// Main's SvrPdv: takes the post first, then looks at the epoch. `false`: it serves already.
fn take_main_post(run: &Run) -> Result<bool> {
    let store = &run.store;
    programs::about_to_be(store, Program::Svrpdv)?; // one that shows itself holds its lock, and the post is not to be had
    let until = Instant::now() + ANOTHER_LAUNCH;
    let post = loop {
        if let Some(post) = store.main.take_post()? {
            break post;
        }
        // Another launch may hold the post and still fail: only a living SvrPdv with its lock serves. Where its own session is what says
        // that it serves, it lives; whoever started it may have died before noting its process.
        let lives = store.main.served_by().is_none() || programs::alive(store, Program::Svrpdv)?.is_some();
        if lives && store.main.server_lock_held()? {
            return Ok(false);
        }
        if Instant::now() > until {
            return Err(Failure::new(
                Exit::Interrupted,
                "busy",
                text!("otro inicio de SvrPdv no termina", "another launch of SvrPdv does not end"),
            )
            .hint(text!("espere y repita; vea relevo status", "wait and repeat; see relevo status")));
        }
        run.watch.check()?;
        std::thread::sleep(Duration::from_millis(50));
    };
    if let Some((record, fence)) = superseded(&store.main.look()?, &store.backup.look()?, store.remembered()?.as_ref()) {
        drop(post); // a fence needs nobody to serve, and the refusal leaves nothing held
        return Err(post::superseded(run, &record, fence)?);
    }
    store.hold_post(post);
    lift_abandoned_fence(run)?;
    Ok(true)
}

/// A planned promote was taken back while main was out of reach: its fence stayed. Nobody announces or holds a higher epoch and the
/// backup still follows, so the post is main's.
fn lift_abandoned_fence(run: &Run) -> Result<()> {
    let (main, backup) = (run.store.main.look()?, run.store.backup.look()?);
    let ours = main.record.as_ref().is_none_or(|r| r.holder == Side::Main);
    if main.state == DatabaseState::Fenced && ours && backup.state == DatabaseState::Standby && backup.intent.is_none() {
        run.watch.note(text!(
            "un relevo que se deshizo dejó cerrada BDPdv; se abre de nuevo",
            "a promote that was taken back left the database closed; it is opened again"
        ));
        run.step(Step::Open { side: Side::Main })?;
    }
    Ok(())
}

/// What was decided before the script may have changed meanwhile: asks again, then starts.
fn start(run: &Run, program: Program) -> Result<Start> {
    let store = &run.store;
    match launch_plan(store, program)? {
        LaunchPlan::Refuse(failure) => Err(failure),
        LaunchPlan::Superseded { record, fence } => Err(post::superseded(run, &record, fence)?),
        LaunchPlan::Offer => {
            Err(Failure::refused("main_down", text!("el servidor principal no responde", "the main server does not answer"))
                .hint(text!("para operar con el respaldo: relevo promote", "to work with the backup: relevo promote")))
        }
        LaunchPlan::AlreadyServing => Ok(Start::Server(json!({ "started": false }))),
        LaunchPlan::ProveNobody => {
            prove_nobody(run)?;
            let record =
                EpochRecord { awaiting_start: false, ..store.main.look()?.record.unwrap_or_else(|| EpochRecord::first(None)) };
            run.step(Step::Record { side: Side::Main, record: record.clone(), folio: None })?;
            run.step(Step::Publish { side: Side::Backup, record })?;
            Ok(Start::Server(run.step(Step::StartProgram { program })?))
        }
        LaunchPlan::StartServer | LaunchPlan::Serve => {
            remember(run)?;
            Ok(Start::Server(run.step(Step::StartProgram { program: Program::Svrpdv })?))
        }
        LaunchPlan::StartTill { side } => {
            remember(run)?;
            Ok(Start::Till(side))
        }
    }
}

/// What a launch of this program may do, as seen now.
fn launch_plan(store: &Store, program: Program) -> Result<LaunchPlan> {
    let facts = LaunchFacts {
        role: store.config.machine.role,
        program,
        main: store.main.look()?,
        backup: store.backup.look()?,
        remembered: store.remembered()?,
        own_server_alive: programs::alive(store, Program::Svrpdv)?.is_some(),
    };
    Ok(decide(&facts))
}

/// The epoch this machine meets is the least it will ever accept again.
fn remember(run: &Run) -> Result<()> {
    let record = run.store.highest_record()?;
    if run.store.remembered()?.as_ref() != Some(&record) {
        run.step(Step::Remember { record })?;
    }
    Ok(())
}

/// Main's first launch after a restore: nobody operates on either server.
fn prove_nobody(run: &Run) -> Result<()> {
    let store = &run.store;
    let mut names: Vec<String> = store.main.sessions()?.into_iter().map(|s| s.name).collect();
    let backup = store.backup.look()?;
    if backup.reachable {
        names.extend(store.backup.sessions()?.into_iter().map(|s| s.name));
    }
    if backup.serving || backup.state == DatabaseState::Open {
        names.push("SvrPdv (respaldo)".to_owned());
    }
    if names.is_empty() {
        return store.main.prove_alone();
    }
    let names = names.join(", ");
    Err(Failure::refused("tills_operating", text!("hay quien opera: {names}", "somebody operates: {names}"))
        .hint(text!("cierre PosPdv en esas cajas y repita", "close PosPdv on those tills and repeat")))
}

/// PosPdv in the foreground, its session announced to the server in use.
fn run_till(store: &Store, side: Side) -> Result<Done> {
    let record = store.highest_record()?;
    let command = programs::expand(store, programs::section(store, Program::Pospdv)?, side, &record);
    let _session = match store.server(side).announce(&store.config.machine.name) {
        // It went away since it was looked at.
        Err(_) if !store.server(side).look()?.reachable => return Err(server_gone()),
        announced => announced?,
    };
    let code = store.world.run(&command).map_err(|e| {
        let what = &command.argv[0];
        Failure::failed("program_not_started", text!("no se pudo iniciar {what}", "could not start {what}"))
            .cause(e)
            .hint(text!("revise [programs.pospdv] command", "check [programs.pospdv] command"))
    })?;
    Ok(Done::Ran(code, side))
}

fn server_gone() -> Failure {
    Failure::refused("server_gone", text!("el servidor dejó de atender", "the server stopped serving"))
        .hint(text!("espere a que le indiquen que puede operar", "wait until told that you may operate"))
}

fn finish(session: &Session, store: &Store, done: Done) -> Result<Value> {
    match done {
        Done::Serving(value) => {
            session.output.say(&text!("SvrPdv está atendiendo.", "SvrPdv is serving."));
            Ok(json!({ "program": "svrpdv", "started": value["started"] == true, "pid": value["pid"] }))
        }
        Done::Ran(0, side) => Ok(json!({ "program": "pospdv", "server": side, "program_code": 0 })),
        Done::Ran(code, side) => {
            // A till program that lost its server waits until told; any other end is its own.
            let look = store.server(side).look()?;
            if code == i32::from(Exit::Refused.code()) || !look.serving {
                return Err(server_gone());
            }
            Err(Failure::failed("program_failed", text!("PosPdv terminó con código {code}", "PosPdv ended with code {code}"))
                .hint(text!(
                    "inícielo otra vez; si se repite, llame a soporte",
                    "start it again; if it happens again, call support"
                )))
        }
    }
}
