//! Many tills sell into one database at once, each a machine of its own with its own `launch`, while main mirrors.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::Result;
use crate::report::seconds;
use crate::scale::verb::{command, peak_of, peak_said, verb};
use crate::scale::{Amounts, Most, Table};
use crate::shop::{Machine, Shop};

/// Milliseconds between two tickets of a till, thirty times the work of a cashier; more would measure two cores, not the shop.
const PAUSE: &str = "1000";
/// Mirrors while they sell.
const MIRRORS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);

/// One till.
struct Till {
    name: String,
    /// Its launch, which waits for its till program.
    launch: Child,
    close: PathBuf,
    acknowledged: PathBuf,
    said: PathBuf,
}

impl Till {
    /// The lines of its file that are whole: it may be writing one.
    fn sold(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(&self.acknowledged)?;
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.close, ""); // its program ends, and so does the launch
        let _ = self.launch.wait();
    }
}

/// Measures; main serves. Returns the number of tickets sold.
pub fn measure(amounts: &Amounts, shop: &Shop, table: &mut Table) -> Result<u64> {
    let (main, caja) = (shop.path(Machine::Main, "store"), shop.path(Machine::Caja, "store"));
    let began = Instant::now();
    let mut tills = (2..2 + amounts.tills).map(|number| open(shop, number)).collect::<Result<Vec<_>>>()?;
    while !tills.iter().all(|till| till.acknowledged.metadata().is_ok_and(|meta| meta.len() > 0)) {
        for till in &mut tills {
            if till.launch.try_wait()?.is_some() {
                return Err(format!("{} was refused: {}", till.name, std::fs::read_to_string(&till.said)?).into());
            }
        }
        if began.elapsed() > PATIENCE {
            return Err("not every till sells".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let opened = began.elapsed();
    let count = amounts.tills;
    table.told(&format!("{count} launches at once, until each sold"), seconds(opened.as_secs_f64()));

    // Who sees whom: a planned promote is refused and names every till.
    let refused = verb(&caja, &["--json", "promote"], 4)?;
    let named = refused.json()?["error"].to_string();
    let unnamed: Vec<&str> = tills.iter().map(|till| till.name.as_str()).filter(|name| !named.contains(name)).collect();
    if !unnamed.is_empty() {
        return Err(format!("the promote does not name {}: {named}", unnamed.join(", ")).into());
    }
    table.verb(&format!("promote that is refused and names {count} tills"), &refused, None);

    let (from, sold) = (Instant::now(), total(&tills)?);
    for number in 0..MIRRORS {
        let (before, began) = (total(&tills)?, Instant::now());
        while total(&tills)? < before + tills.len() {
            if began.elapsed() > PATIENCE {
                return Err("the tills stopped selling".into());
            }
            std::thread::sleep(Duration::from_millis(20)); // a mirror right after another finds nothing
        }
        let ran = verb(&main, &["--json", "mirror"], 0)?;
        let json = ran.json()?;
        if json["kind"] != "increment" || json["verified"] != true {
            return Err(format!("no verified increment while {count} tills sell: {json}").into());
        }
        table.verb(&format!("mirror {} while {count} tills sell", number + 1), &ran, Some(Most { list: 4, get: 32 }));
        let status = verb(&main, &["--json", "status"], 0)?;
        if status.json()?["serving"] != "main" {
            return Err(format!("main does not serve: {}", status.out).into());
        }
        if number == 0 {
            table.verb(&format!("status while {count} tills sell"), &status, None);
        }
    }
    while from.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let rate = (total(&tills)? - sold) as f64 / from.elapsed().as_secs_f64();
    let launch = tills.iter().filter_map(|till| peak_of(&till.launch)).max();

    for till in &tills {
        std::fs::write(&till.close, "")?;
    }
    let mut peak = launch;
    for till in &mut tills {
        let status = till.launch.wait()?;
        let said = std::fs::read_to_string(&till.said)?;
        if !status.success() {
            return Err(format!("{} ended with {status}: {said}", till.name).into());
        }
        peak = peak.max(peak_said(&said));
    }
    let figure = format!("{rate:.0} tickets/s together, {PAUSE} ms between two of a till");
    table.peak(&format!("launch of each of {count} tills"), peak, figure);
    arrived(shop, &tills)
}

/// Opens a till: a machine with a store of its own.
fn open(shop: &Shop, number: usize) -> Result<Till> {
    let (name, dir) = (format!("CAJA{number}"), shop.dir.join(format!("till{number}")));
    std::fs::create_dir_all(dir.join("store/scripts"))?;
    std::fs::create_dir_all(dir.join("pdv"))?;
    for (file, content) in relevo::script::shipped::FILES {
        let path = dir.join("store/scripts").join(file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, content)?;
    }
    let (close, acknowledged, said) = (dir.join("close"), dir.join("acknowledged.jsonl"), dir.join("said.log"));
    let own = format!("pdv = '{}'", shop.path(Machine::Main, "pdv").display());
    let toml = std::fs::read_to_string(shop.path(Machine::Main, "store/relevo.toml"))?
        .replace("name = \"SERVIDOR\"\nrole = \"main\"", &format!("name = \"{name}\"\nrole = \"till\""))
        .replacen(&own, &format!("pdv = '{}'", dir.join("pdv").display()), 1);
    let program = format!(
        "\n[programs.pospdv]\ncommand = ['{}', 'stand-in', 'pospdv', '--pause', '{PAUSE}', '--until', '{}', '--acknowledged', '{}']\n",
        env!("CARGO_BIN_EXE_relevo"),
        close.display(),
        acknowledged.display()
    );
    std::fs::write(dir.join("store/relevo.toml"), format!("{toml}{program}"))?;
    let words = ["launch", "--program", "pospdv"];
    let launch = command(&dir.join("store"), &words).stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?;
    Ok(Till { name, launch, close, acknowledged, said })
}

fn total(tills: &[Till]) -> Result<usize> {
    tills.iter().map(|till| Ok(till.sold()?.len())).sum()
}

/// Every acknowledged ticket is in main's database, under its till, and no folio was given twice.
fn arrived(shop: &Shop, tills: &[Till]) -> Result<u64> {
    let db = Connection::open(shop.database(Machine::Main))?;
    let mut find = db.prepare("SELECT count(*) FROM Ventas WHERE Folio=?1 AND Caja=?2 AND Epoca=?3")?;
    let mut folios = BTreeSet::new();
    for till in tills {
        for ticket in till.sold()? {
            let folio = ticket["folio"].as_i64().ok_or("a ticket without a folio")?;
            let found: i64 = find.query_row((folio, &till.name, ticket["epoch"].as_i64()), |row| row.get(0))?;
            if found != 1 || !folios.insert(folio) {
                return Err(format!("ticket {folio} of {} is missing or double", till.name).into());
            }
        }
    }
    Ok(folios.len() as u64)
}
