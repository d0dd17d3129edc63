//! `relevo demo`: a whole shop on this computer, played in nine acts by the real binary, and the proof that nothing was lost.
//! It works in a folder of its own and leaves no process running, however it ends.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::session::Session;
use crate::error::{Exit, Failure, Result};
use crate::text;

mod acts;
mod check;
mod evidence;
mod report;
mod shop;
mod sim;
mod store;
mod timeline;

use shop::Shop;
use store::{Layout, Machine};

/// Arguments of `relevo demo`.
#[derive(Args)]
pub struct Demo {
    /// Folder of the demo, absent or empty (default: a temporary one)
    dir: Option<PathBuf>,
    /// Database server of the shop
    #[arg(long, value_enum, default_value = "embedded")]
    engine: Engine,
    /// Tickets to sell, at least
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(5..=1_000_000))]
    tickets: u32,
    /// Keep the folder, to go on by hand
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Embedded,
    SqlserverSim,
}

/// The folder of a demo, and how much of it is ours to remove.
struct Folder {
    layout: Layout,
    /// The folder itself was there before.
    found: bool,
}

/// Plays it; the exit code.
pub fn main(session: &Session, arguments: &Demo) -> u8 {
    let folder = match prepare(arguments) {
        Ok(folder) => folder,
        Err(failure) => return session.output.finish("demo", None, Err(failure)),
    };
    let dir = folder.layout.dir.clone();
    match perform(session, arguments, &folder.layout) {
        Ok(report) => {
            // One that fails its own checks is evidence: it stays.
            let keep = arguments.keep || !report.ok();
            let code = report.print(session, keep);
            if !keep {
                remove(&folder);
            }
            code
        }
        Err(failure) => {
            let interrupted = failure.exit == Exit::Interrupted;
            let failure = if interrupted && !arguments.keep {
                remove(&folder);
                failure
            } else {
                let shown = dir.display();
                failure.cause(text!("la carpeta se conserva: {shown}", "the folder is kept: {shown}").get(session.output.lang))
            };
            session.output.finish("demo", None, Err(failure))
        }
    }
}

fn perform(session: &Session, arguments: &Demo, layout: &Layout) -> Result<report::Report> {
    let exe = std::env::current_exe().map_err(|e| {
        Failure::failed("demo_step_failed", text!("no se encuentra el propio programa", "the own program cannot be found"))
            .cause(e)
    })?;
    let tickets = arguments.tickets;
    // A few tickets are sold at a pace that a person can follow, many as fast as it goes.
    let pause = (3000 / u64::from(tickets)).clamp(2, 40);
    store::folders(layout)?;
    let mut shop = Shop::new(session, layout.clone(), exe.clone());
    let shown = layout.dir.display();
    shop.say(&text!(
        "Una tienda en {shown}: servidor principal, caja/servidor y dos cajas más. SvrPdv y PosPdv son suplentes; lo demás es real.",
        "A shop in {shown}: main server, caja/servidor and two more tills. SvrPdv and PosPdv are stand-ins; the rest is real."
    ));
    for machine in Machine::ALL {
        shop.run(machine, &["init", "--role", &machine.role().to_string()], Exit::Ok)?;
    }
    if arguments.engine == Engine::SqlserverSim {
        let instances = shop.instances.insert(sim::Instances::start(layout, &exe)?);
        store::furnish_sim(layout, &exe, pause, &session.world, instances)?;
    } else {
        store::furnish(layout, &exe, pause)?;
    }
    shop.timeline.note("prepare", 0);
    let played = acts::play(&mut shop, tickets as usize);
    shop.close_all();
    let played = played?;
    let held = shop.instances.as_ref().map(sim::Instances::held).transpose()?;
    shop.instances = None;
    let evidence = evidence::gather(layout, &played, held)?;
    report::Report::new(layout.clone(), exe, evidence, std::mem::take(&mut shop.timeline), played.outage_ms)
}

/// Finds or creates the folder.
fn prepare(arguments: &Demo) -> Result<Folder> {
    if arguments.engine == Engine::SqlserverSim && cfg!(not(feature = "sim")) {
        return Err(Failure::invalid(
            "engine_not_available",
            text!(
                "este relevo se compiló sin el simulador de SQL Server (feature sim)",
                "this relevo was built without the simulator of SQL Server (feature sim)"
            ),
        )
        .hint(text!("use: relevo demo --engine embedded", "use: relevo demo --engine embedded")));
    }
    let Some(dir) = &arguments.dir else {
        let temporary = tempfile::Builder::new().prefix("relevo-demo-").tempdir();
        let dir = temporary.map_err(|e| {
            Failure::io(text!("no se pudo crear una carpeta en", "could not create a folder in"), &std::env::temp_dir(), &e)
        })?;
        return Ok(Folder { layout: Layout { dir: dir.keep() }, found: false });
    };
    let unusable = |e: std::io::Error| Failure::io(text!("no se pudo usar", "could not use"), dir, &e);
    let absolute = std::path::absolute(dir).map_err(unusable)?;
    let found = absolute.exists();
    if found && (!absolute.is_dir() || std::fs::read_dir(&absolute).map_err(unusable)?.next().is_some()) {
        let shown = absolute.display();
        return Err(Failure::new(
            Exit::Usage,
            "demo_dir_not_empty",
            text!("{shown} no es una carpeta vacía", "{shown} is not an empty folder"),
        )
        .hint(text!("indique una carpeta que no exista o esté vacía", "name a folder that does not exist or is empty")));
    }
    std::fs::create_dir_all(&absolute).map_err(unusable)?;
    Ok(Folder { layout: Layout { dir: absolute }, found })
}

/// Removes what the demo made. Best effort: Windows lets go of a dead process's files late.
fn remove(folder: &Folder) {
    let dir = &folder.layout.dir;
    let began = Instant::now();
    while remove_once(dir, folder.found).is_err() && began.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn remove_once(dir: &Path, keep_itself: bool) -> std::io::Result<()> {
    if !keep_itself {
        return std::fs::remove_dir_all(dir);
    }
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(dir: PathBuf) -> Demo {
        Demo { dir: Some(dir), engine: Engine::Embedded, tickets: 60, keep: false }
    }

    #[test]
    fn only_an_absent_or_empty_folder_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (empty, absent, file, full) =
            (dir.path().join("empty"), dir.path().join("a/b"), dir.path().join("file"), dir.path().to_owned());
        std::fs::create_dir(&empty).unwrap();
        std::fs::write(&file, b"").unwrap();
        let kind = |dir: &PathBuf| prepare(&arguments(dir.clone())).err().map(|f| (f.kind, f.exit.code()));
        let refused = Some(("demo_dir_not_empty".to_owned(), 2));
        assert_eq!([kind(&empty), kind(&absent), kind(&file), kind(&full)], [None, None, refused.clone(), refused]);
    }

    #[test]
    fn a_folder_that_was_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        for found in [true, false] {
            let path = dir.path().join("demo");
            std::fs::create_dir_all(path.join("main/store")).unwrap();
            std::fs::write(path.join("orphans.jsonl"), b"").unwrap();
            remove(&Folder { layout: Layout { dir: path.clone() }, found });
            assert_eq!(path.exists(), found);
            assert!(!path.join("main").exists());
        }
    }
}
