//! A run of 10,000 recorded steps is taken up again: the journal is read and verified, the script runs from the top and gets every
//! recorded outcome, nothing acts. The peer only reads the same rows.

use std::sync::Arc;

use relevo::progress::Watch;
use relevo::steps::run::Run;

use crate::measure::{in_turn, median, time};
use crate::peers::peer;
use crate::report::{Report, seconds};
use crate::shop::{Machine, Shop};
use crate::step::{begin, store, told, told_often};
use crate::{Options, Result};

const STEPS: u32 = 10_000;

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let steps = if cfg!(debug_assertions) { STEPS / 10 } else { STEPS };
    let folder = options.folder("replay")?;
    let shop = Shop::new(folder.path(), None, "")?;
    let store = store(&shop)?;
    let bundle = told_often(steps);
    let run = begin(&store)?;
    told(&run, &bundle)?;
    let (id, recorded) = (run.id, run.log()?.steps.len());
    drop(run); // as a crash leaves it: open, without an owner
    let (mut own, mut rows) = (Vec::new(), Vec::new());
    for round in 0..options.reps(15) {
        in_turn(
            round,
            &mut [
                &mut || {
                    let ((run, value), took) = time(|| {
                        let run = Arc::new(Run::reopen(store.clone(), Watch::silent(), id)?);
                        let value = told(&run, &bundle)?;
                        Ok((run, value))
                    })?;
                    if value != steps || run.log()?.steps.len() != recorded {
                        return Err("the run did not repeat what was recorded".into());
                    }
                    own.push(took);
                    Ok(())
                },
                &mut || {
                    let (count, took) = time(|| bare(&shop, &id.to_string()))?;
                    if count < 2 * steps as usize {
                        return Err("rows are missing".into());
                    }
                    rows.push(took);
                    Ok(())
                },
            ],
        )?;
    }
    let own = median(&own);
    report.figure(&format!("replay of {steps} steps"), seconds(own), own, Some(0.060), "≤ 60 ms");
    let peer = peer("reading the same rows from SQLite", &rows, "-");
    report.against(&format!("replay of {steps} steps"), own, &peer, None);
    Ok(())
}

fn bare(shop: &Shop, run: &str) -> Result<usize> {
    let db = rusqlite::Connection::open(shop.path(Machine::Caja, "store/state/journal.db"))?;
    let mut query = db.prepare("SELECT seq, body, chain FROM event WHERE run=?1 ORDER BY seq")?;
    let rows = query.query_map([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(i64, String, Vec<u8>)> = rows.collect::<std::result::Result<_, _>>()?;
    Ok(rows.len())
}
