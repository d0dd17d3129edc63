//! One interval, one-shot process: what changed is copied, put on a folder and applied to the standby. Peers bring an existing copy
//! up to date (rsync) or make a new one (cp).

use std::time::Duration;

use crate::measure::{in_turn, median, must_be_equal};
use crate::report::{Report, mib};
use crate::shop::{Machine, Shop};
use crate::{Options, Result, data, peers};

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let folder = options.folder("mirror")?;
    let shop = Shop::new(folder.path(), Some(&options.base()?), "")?;
    let (database, standby) = (shop.database(Machine::Main), shop.database(Machine::Caja));
    let (live, whole) = (folder.path().join("live.db"), folder.path().join("whole.db"));
    shop.run(Machine::Main, &["mirror"])?;
    std::fs::copy(&database, &live)?;
    let (mut own, mut rsync, mut cp) = (Vec::<Duration>::new(), Vec::new(), Vec::new());
    let (mut pages, mut on_target, mut bookkeeping) = (0, 0_u64, Vec::new());
    for round in 0..options.reps(7) {
        data::work(&database, data::INTERVAL, round as u64 + 1)?;
        in_turn(
            round,
            &mut [
                &mut || {
                    let ran = shop.run(Machine::Main, &["mirror"])?;
                    let number = |key: &str| ran.json[key].as_u64().unwrap_or(0);
                    if ran.json["kind"] != "increment" || ran.json["verified"] != true {
                        return Err(format!("no verified increment: {}", ran.json).into());
                    }
                    pages = number("pages");
                    on_target = number("raw_bytes");
                    // What is neither the copy nor the standby's pages: journal, state, tables of page hashes, locks.
                    bookkeeping.extend(ran.written.map(|all| all.saturating_sub(number("bytes") + pages * 8192)));
                    own.push(ran.took);
                    Ok(())
                },
                &mut || {
                    rsync.extend(peers::rsync(&database, &live)?);
                    Ok(())
                },
                &mut || {
                    cp.extend(peers::cp(&database, &whole)?);
                    Ok(())
                },
            ],
        )?;
    }
    must_be_equal(&database, &standby)?;
    if !rsync.is_empty() {
        must_be_equal(&database, &live)?;
    }
    let changed = pages * 8192;
    let own = median(&own);
    report.against("mirror, one interval, one-shot", own, &peers::of_rsync(&rsync), Some(0.5));
    report.against("mirror, one interval, one-shot, against a new whole copy", own, &peers::of_cp(&cp), None);
    let ratio = on_target as f64 / changed as f64;
    report.figure(
        &format!("mirror, bytes put on the target before compression ({pages} pages changed, {})", mib(changed)),
        format!("{} = {ratio:.3} × the changed pages", mib(on_target)),
        ratio,
        Some(1.2),
        "≤ 1.2 ×",
    );
    bookkeeping.sort_unstable();
    if let Some(bytes) = bookkeeping.get(bookkeeping.len() / 2) {
        let ratio = *bytes as f64 / changed as f64;
        let figure = format!("{} = {ratio:.2} × the changed pages", mib(*bytes));
        report.figure("mirror, local bookkeeping (both sides)", figure, ratio, Some(0.5), "≤ 0.5 ×");
    } else {
        println!("mirror, local bookkeeping: not counted, this system does not tell what a process writes");
    }
    Ok(())
}
