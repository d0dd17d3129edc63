//! Long runs in one journal: listed, shown, taken up again after a kill, taken back, and dropped when they are old.

use std::process::Stdio;
use std::time::{Duration, Instant};

use relevo::journal::event::Ending;
use serde_json::{Value, json};

use crate::scale::verb::{command, verb};
use crate::scale::{Amounts, Table, append};
use crate::shop::{Machine, Shop};
use crate::step::{begin, store, told, told_often};
use crate::{Options, Result, data};

/// Measures.
pub fn measure(options: &Options, amounts: &Amounts, table: &mut Table) -> Result<()> {
    let folder = options.folder("scale-runs")?;
    let small = folder.path().join("small.db");
    data::create(&small, 16)?;
    let shop = Shop::new(folder.path(), Some(&small), "")?;
    let reports = shop.path(Machine::Caja, "reportes");
    std::fs::create_dir_all(&reports)?;
    append(&shop, Machine::Caja, &format!("\n[files]\nreportes = '{}'\n", reports.display()))?;
    shop.run(Machine::Main, &["mirror"])?;
    let (caja, steps) = (shop.path(Machine::Caja, "store"), amounts.steps);

    let mut longest = String::new();
    for part in [steps, steps / 2] {
        let store = store(&shop)?;
        let run = begin(&store)?;
        told(&run, &told_often(part))?;
        run.end(Ending::Done, &Ok(Value::Null))?;
        if longest.is_empty() {
            longest = run.id.to_string();
        }
    }
    table.verb(&format!("runs show of {steps} steps"), &verb(&caja, &["--json", "runs", "show", &longest], 0)?, None);
    table.verb(&format!("runs show of {steps} steps, as text"), &verb(&caja, &["runs", "show", &longest], 0)?, None);

    // A promote that did as many steps before, killed at the last of them.
    remove(&shop)?;
    let promote = format!("fn run(args) {{ for i in 0..{steps} {{ operator::notify(\"paso\"); }} promote(args) }}\n");
    shop.script(Machine::Caja, "promote.rhai", &promote)?;
    let killed = kill_in_the_middle(&shop, steps)?;
    table.verb(&format!("status beside an open run of {steps} steps"), &verb(&caja, &["--json", "status"], 0)?, None);
    table.verb(&format!("undo --plan of {steps} steps"), &verb(&caja, &["--json", "undo", &killed, "--plan"], 0)?, None);
    let resumed = verb(&caja, &["--json", "resume"], 0)?;
    if resumed.json()?["epoch"] != 2 {
        return Err(format!("not promoted: {}", resumed.out).into());
    }
    table.verb(&format!("resume of a promote with {steps} steps before it"), &resumed, None);

    // Every step of this one is taken back: a file each.
    let writes = steps / 4;
    let launch =
        format!("fn run(args) {{ for i in 0..{writes} {{ files::write(\"reportes:\" + i, \"texto\"); }} throw \"no\"; }}\n");
    shop.script(Machine::Caja, "startup.rhai", &launch)?;
    verb(&caja, &["--json", "launch", "--program", "svrpdv"], 1)?;
    let failed = newest(&shop, "launch")?;
    let undone = verb(&caja, &["--json", "undo", &failed], 0)?;
    if undone.json()?["back"] != writes || std::fs::read_dir(&reports)?.count() != 0 {
        return Err(format!("not everything was taken back: {}", undone.out).into());
    }
    table.verb(&format!("undo of {writes} files written"), &undone, None);

    let listed = verb(&caja, &["--json", "runs"], 0)?;
    table.verb("runs", &listed, None);
    old(&shop)?;
    let count = |shop: &Shop| -> Result<i64> {
        let db = rusqlite::Connection::open(shop.path(Machine::Caja, "store/state/journal.db"))?;
        Ok(db.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?)
    };
    let before = count(&shop)?;
    let pruned = verb(&caja, &["--json", "mirror"], 4)?; // refused, the backup holds the post; it tidies first all the same
    let after = count(&shop)?;
    if before - after < i64::from(2 * steps) {
        return Err(format!("the old runs are still there: {before} events, then {after}").into());
    }
    table.verb(&format!("mirror that drops {} old events", before - after), &pruned, None);
    Ok(())
}

/// Starts the promote and ends it when nearly every step is recorded; its run.
fn kill_in_the_middle(shop: &Shop, steps: u32) -> Result<String> {
    let words = ["--json", "promote"];
    let mut child = command(&shop.path(Machine::Caja, "store"), &words).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let journal = rusqlite::Connection::open(shop.path(Machine::Caja, "store/state/journal.db"))?;
    journal.busy_timeout(Duration::from_secs(10))?;
    let began = Instant::now();
    loop {
        let newest = "SELECT id, (SELECT max(seq) FROM event WHERE run=id) FROM run WHERE verb='promote'";
        let row = journal.query_row(newest, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        if let Ok((id, events)) = row
            && events > i64::from(2 * steps) * 9 / 10
        {
            child.kill()?;
            child.wait()?;
            return Ok(id);
        }
        if child.try_wait()?.is_some() || began.elapsed() > Duration::from_secs(600) {
            child.kill()?;
            return Err("the promote ended before it could be killed, or took too long".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The newest run of this verb.
fn newest(shop: &Shop, what: &str) -> Result<String> {
    let journal = rusqlite::Connection::open(shop.path(Machine::Caja, "store/state/journal.db"))?;
    Ok(journal.query_row("SELECT id FROM run WHERE verb=?1 ORDER BY id DESC LIMIT 1", [what], |row| row.get(0))?)
}

/// Makes all runs so old that the next one drops them.
fn old(shop: &Shop) -> Result<()> {
    let journal = rusqlite::Connection::open(shop.path(Machine::Caja, "store/state/journal.db"))?;
    let newest: i64 = journal.query_row("SELECT max(rowid) FROM run", [], |row| row.get(0))?;
    let days: Vec<Value> = (0..90).map(|day| json!([format!("day {day}"), newest])).collect();
    Ok(std::fs::write(shop.path(Machine::Caja, "store/state/runs/pruned"), json!({ "days": days }).to_string())?)
}

/// Main is off the net.
fn remove(shop: &Shop) -> Result<()> {
    Ok(std::fs::remove_dir_all(shop.path(Machine::Main, "instance"))?)
}
