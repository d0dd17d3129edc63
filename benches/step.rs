//! One durable step in a row of steps, from the script's call to its return: outcome and next start share one commit. The peer
//! commits a record of 300 bytes in a bare SQLite of the same settings on the same disk.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use relevo::operator::Operator;
use relevo::progress::Watch;
use relevo::script::{self, Bundle, dispatch};
use relevo::steps::run::Run;
use relevo::store::Store;
use relevo::text::Lang;
use serde_json::Value;

use crate::measure::{in_turn, median, time};
use crate::peers::peer;
use crate::report::Report;
use crate::shop::{Machine, Shop};
use crate::{Options, Result};

/// Steps of one turn: few enough that a disturbance spoils one turn, many enough that the run's own begin does not show.
const STEPS: u32 = 200;

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let folder = options.folder("step")?;
    let shop = Shop::new(folder.path(), None, "")?;
    let store = store(&shop)?;
    let bundle = told_often(STEPS);
    let bare = rusqlite::Connection::open(folder.path().join("bare.db"))?;
    bare.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE event(seq INTEGER PRIMARY KEY, body TEXT)",
    )?;
    let record = "x".repeat(300);
    let (mut own, mut sqlite) = (Vec::new(), Vec::new());
    for round in 0..options.reps(15) {
        in_turn(
            round,
            &mut [
                &mut || {
                    let run = begin(&store)?;
                    let (value, took) = time(|| told(&run, &bundle))?;
                    if value != STEPS || run.log()?.steps.len() != STEPS as usize {
                        return Err("not every step was recorded".into());
                    }
                    own.push(took / STEPS);
                    Ok(())
                },
                &mut || {
                    let mut insert = bare.prepare("INSERT INTO event(body) VALUES(?1)")?;
                    let (_, took) = time(|| {
                        for _ in 0..STEPS {
                            insert.execute([&record])?;
                        }
                        Ok(())
                    })?;
                    sqlite.push(took / STEPS);
                    Ok(())
                },
            ],
        )?;
    }
    let peer = peer("SQLite commit, WAL, FULL, 300 bytes", &sqlite, "-");
    report.against("durable step in a row of steps", median(&own), &peer, Some(1.5));
    Ok(())
}

/// The caja's store.
pub fn store(shop: &Shop) -> Result<Arc<Store>> {
    let world = Arc::new(relevo::world::Os);
    Ok(Arc::new(Store::open(&shop.path(Machine::Caja, "store"), world, Operator::new(Lang::En, true))?))
}

/// A script of this many steps whose effect costs nothing.
pub fn told_often(steps: u32) -> Bundle {
    let text =
        format!("fn run(args) {{\n    for i in 0..{steps} {{\n        operator::notify(\"paso\");\n    }}\n    {steps}\n}}\n");
    Bundle::new([("startup.rhai".to_owned(), Arc::from(text.as_str()))].into())
}

/// A new run.
pub fn begin(store: &Arc<Store>) -> Result<Arc<Run>> {
    Ok(Arc::new(Run::begin(store.clone(), Watch::silent(), "launch", Value::Null, None)?))
}

/// Runs the script; what it returned.
pub fn told(run: &Arc<Run>, bundle: &Bundle) -> Result<u32> {
    let value = script::run(bundle, "startup", Value::Null, dispatch::host(run.clone()), Arc::new(AtomicBool::new(false)))?;
    run.flush()?;
    Ok(u32::try_from(value.as_u64().ok_or("the script returned no number")?)?)
}
