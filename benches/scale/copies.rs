//! One chain of very many copies on a target, the standby far behind: applied, continued, listed, verified, and removed at last.

use std::io::Write;

use relevo::model::{CopyKind, ENGINES, EpochRecord, Listed, copy_name};
use relevo::operator::Operator;
use relevo::progress::Watch;
use relevo::steps::mirror::{stream, streamed};
use relevo::store::Store;
use relevo::targets::copies::Draft;
use relevo::text::Lang;
use rusqlite::Connection;

use crate::scale::verb::verb;
use crate::scale::{Amounts, HEAP, Most, Table, put_aside};
use crate::shop::{Machine, Shop};
use crate::{Options, Result, data};

/// Settings under which a chain grows as long as it can.
const LONG: &str = "max_increments = 1_000_000";

/// Measures.
pub fn measure(options: &Options, amounts: &Amounts, table: &mut Table) -> Result<()> {
    let folder = options.folder("scale-copies")?;
    let small = folder.path().join("small.db");
    data::create(&small, 8)?;
    let shop = Shop::new(folder.path(), Some(&small), LONG)?;
    shop.run(Machine::Main, &["mirror"])?;
    let copies = amounts.copies;
    make(&shop, copies)?;
    let (main, caja) = (shop.path(Machine::Main, "store"), shop.path(Machine::Caja, "store"));
    // None is believed unread: every listing reads every manifest. The caja's verbs list twice, once for the age of the copy.
    let most = |list, get| Some(Most { list, get: get * copies + 32 });
    let (once, twice) = (most(1, 1), most(2, 2));

    table.verb(
        &format!("mirror on the caja that applies {copies} increments"),
        &verb(&caja, &["--json", "mirror"], 0)?,
        most(2, 4),
    );
    sale(&shop, 0)?;
    let ran = verb(&main, &["--json", "mirror"], 0)?;
    if ran.json()?["sequence"] != copies + 1 || ran.json()?["verified"] != true {
        return Err(format!("no verified increment: {}", ran.out).into());
    }
    table.verb(&format!("mirror onto {copies} copies"), &ran, once);
    let ran = verb(&main, &["--json", "mirror"], 0)?;
    if ran.json()?["kind"] != "skip" {
        return Err(format!("not skipped: {}", ran.out).into());
    }
    table.verb(&format!("mirror with {copies} copies, nothing changed"), &ran, once);
    table.verb(&format!("mirror on the caja with {copies} copies, up to date"), &verb(&caja, &["--json", "mirror"], 0)?, twice);
    table.verb(&format!("status with {copies} copies"), &verb(&caja, &["--json", "status"], 0)?, once);
    table.verb(&format!("doctor with {copies} copies"), &verb(&caja, &["--json", "doctor"], 0)?, None);
    table.verb(&format!("target list of {copies} copies"), &verb(&main, &["target", "list"], 0)?, once);
    table.verb(&format!("target list --json of {copies} copies"), &verb(&main, &["--json", "target", "list"], 0)?, once);
    let (name, file) =
        (copy_name(relevo::model::Epoch::FIRST, 1, CopyKind::Full), folder.path().join("got.db").display().to_string());
    table.verb(&format!("target get among {copies} copies"), &verb(&main, &["--json", "target", "get", &name, &file], 0)?, once);
    let verified = verb(&main, &["--json", "target", "verify"], 0)?;
    table.verb(&format!("target verify of {copies} copies, the chain restored"), &verified, most(1, 3));
    table.verb(&format!("promote --plan with {copies} copies"), &verb(&caja, &["--json", "promote", "--plan"], 0)?, twice);

    // Two new chains: the long one goes.
    verb(&main, &["--json", "mirror", "--full"], 0)?;
    sale(&shop, 0)?;
    let removed = verb(&main, &["--json", "mirror", "--full"], 0)?;
    table.verb(&format!("mirror that removes {copies} copies"), &removed, most(1, 6));
    let left = std::fs::read_dir(shop.target().join("0142"))?.count();
    if left != 4 {
        return Err(format!("{left} objects are left, not those of two copies").into());
    }
    Ok(())
}

/// One ticket, as a till sells it.
fn sale(shop: &Shop, number: u64) -> Result<()> {
    let db = Connection::open(shop.database(Machine::Main))?;
    db.execute_batch("PRAGMA synchronous=OFF")?; // this database is made, not kept
    db.execute("INSERT INTO Ventas(Caja, Fecha, Total, Cliente) VALUES(1, '2026-11-24', ?1, 'C')", [number.cast_signed()])?;
    Ok(())
}

/// Makes the chain as mirrors would have, each copy with a ticket in it; nobody applies them.
fn make(shop: &Shop, upto: u64) -> Result<()> {
    let world = std::sync::Arc::new(relevo::world::Os);
    let store = Store::open(&shop.path(Machine::Main, "store"), world, Operator::new(Lang::En, true))?;
    let target = store.copies.first().ok_or("no target")?;
    let record = EpochRecord::first(Some(store.main.identify("0142")?));
    let mut last: Listed = target.list()?.copies.pop().ok_or("no copy to go on from")?;
    for sequence in last.manifest.sequence + 1..=upto {
        sale(shop, sequence)?;
        let base = last.manifest.to.clone();
        let draft = Draft {
            name: copy_name(record.epoch, sequence, CopyKind::Increment),
            database: base.database,
            epoch: record.epoch,
            sequence,
            kind: CopyKind::Increment,
            engine: ENGINES[0].0.to_owned(),
            engine_version: ENGINES[0].1.to_owned(),
            from: Some(base.clone()),
            at: store.now(),
            previous: Some(last.hash),
            reason: None,
        };
        let mut write = |out: &mut dyn Write| {
            Ok(stream(store.main.as_ref(), CopyKind::Increment, Some(&base), &record, sequence, out, &Watch::silent())?
                .map(streamed))
        };
        last = target.put(draft, &mut write)?.ok_or("the ticket made no copy")?;
        if sequence % HEAP == 0 {
            put_aside(shop, false)?;
        }
    }
    put_aside(shop, true)
}
