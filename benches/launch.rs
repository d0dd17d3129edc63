//! `relevo launch --program pospdv` on the caja while main serves: from the start of the process until the till program's own first
//! instruction, which is the decision and the program's start together. The peer is an interpreter that does nothing.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::measure::{in_turn, median};
use crate::report::Report;
use crate::shop::{Machine, Shop};
use crate::{Options, Result, data, peers};

/// First word of the command line where this program stands in for PosPdv.
pub const STUB: &str = "stand-in-for-pospdv";

/// The till program: notes when it began, and ends.
pub fn stub(words: &[String]) -> ExitCode {
    let began = now();
    match words {
        [file] if std::fs::write(file, began.to_string()).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let folder = options.folder("launch")?;
    let small = folder.path().join("small.db");
    data::create(&small, 16)?; // a launch never reads the database's pages
    let shop = Shop::new(folder.path(), Some(&small), "")?;
    shop.run(Machine::Main, &["mirror"])?;
    shop.run(Machine::Main, &["launch", "--program", "svrpdv"])?;
    let file = folder.path().join("began");
    let (stub, noted) = (std::env::current_exe()?.display().to_string(), file.display().to_string());
    let python = peers::python();
    let (mut own, mut idle) = (Vec::new(), Vec::new());
    for round in 0..options.reps(40) + 1 {
        let (mut one, mut other) = (None, None);
        in_turn(
            round,
            &mut [
                &mut || {
                    let _ = std::fs::remove_file(&file);
                    let began = now();
                    shop.run(Machine::Caja, &["launch", "--program", "pospdv", "--", &stub, STUB, &noted])?;
                    let decided: u128 = std::fs::read_to_string(&file)?.parse()?;
                    let took = decided.checked_sub(began).ok_or("the clock went back")?;
                    one = Some(Duration::from_nanos(u64::try_from(took)?));
                    Ok(())
                },
                &mut || {
                    if let Some(python) = &python {
                        let began = Instant::now();
                        let mut command = Command::new(python);
                        command.args(["-S", "-c", "pass"]).stdin(Stdio::null()).stdout(Stdio::null());
                        command.status()?;
                        other = Some(began.elapsed());
                    }
                    Ok(())
                },
            ],
        )?;
        if round > 0 {
            own.extend(one); // the first one brings signal files and marks, and finds nothing in the cache
            idle.extend(other);
        }
    }
    let own = median(&own);
    let peer = peers::peer("python3 -S -c pass", &idle, "install the package python3");
    report.against("launch, process start to the till program's first instruction", own, &peer, Some(1.0));
    report.figure("launch, the same", crate::report::seconds(own), own, Some(0.015), "≤ 15 ms");
    Ok(())
}
