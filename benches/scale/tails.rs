//! Very many tails on a target, each with its list of orphans: retention never removes one, so every verb lives with them.

use relevo::model::{CopyKind, ENGINES, Epoch, EpochRecord, Hash, Mark, Position, copy_name};
use relevo::operator::Operator;
use relevo::store::Store;
use relevo::targets::copies::{Draft, Streamed};
use relevo::text::Lang;
use serde_json::json;

use crate::scale::verb::verb;
use crate::scale::{Amounts, HEAP, Most, Table, put_aside, unplugged};
use crate::shop::{Machine, Shop};
use crate::{Options, Result, data};

/// Measures.
pub fn measure(options: &Options, amounts: &Amounts, table: &mut Table) -> Result<()> {
    let folder = options.folder("scale-tails")?;
    let small = folder.path().join("small.db");
    data::create(&small, 16)?;
    let shop = Shop::new(folder.path(), Some(&small), "")?;
    shop.run(Machine::Main, &["mirror"])?;
    let (tails, each) = (amounts.copies, (amounts.orphans / amounts.copies).max(1));
    make(&shop, tails, each)?;
    let (main, caja) = (shop.path(Machine::Main, "store"), shop.path(Machine::Caja, "store"));
    let most = |list, get| Some(Most { list, get: get * tails + 32 });
    let (once, twice) = (most(1, 1), most(2, 2));

    data::work(&shop.database(Machine::Main), 10, 1)?;
    table.verb(&format!("mirror beside {tails} tails"), &verb(&main, &["--json", "mirror"], 0)?, once);
    table.verb(&format!("mirror beside {tails} tails, nothing changed"), &verb(&main, &["--json", "mirror"], 0)?, once);
    table.verb(&format!("mirror on the caja beside {tails} tails"), &verb(&caja, &["--json", "mirror"], 0)?, twice);
    let listed = verb(&caja, &["--json", "orphans"], 0)?;
    let count = listed.json()?["orphans"].as_array().map_or(0, Vec::len) as u64;
    if count != tails * each {
        return Err(format!("{count} orphans are listed, not {}", tails * each).into());
    }
    table.verb(&format!("orphans --json, {count} in {tails} tails"), &listed, once);
    table.verb(&format!("orphans as text, {count} in {tails} tails"), &verb(&caja, &["orphans"], 0)?, once);

    // One more: main is lost with a few tickets and comes back; its tail takes the next free name.
    data::work(&shop.database(Machine::Main), 10, 2)?;
    unplugged(&shop, false)?;
    table.verb(&format!("promote beside {tails} tails"), &verb(&caja, &["--json", "promote"], 0)?, twice);
    unplugged(&shop, true)?;
    let fenced = verb(&main, &["--json", "launch", "--program", "svrpdv"], 11)?;
    table.verb(&format!("launch of the old main: the tail after {tails} others"), &fenced, twice);
    let more = verb(&caja, &["--json", "orphans"], 0)?.json()?["orphans"].as_array().map_or(0, Vec::len) as u64;
    if more != count + 10 {
        return Err(format!("{more} orphans are listed, not ten more than {count}").into());
    }
    Ok(())
}

/// Puts the tails there as old mains would have. Nobody opens their content, so that is short.
fn make(shop: &Shop, tails: u64, each: u64) -> Result<()> {
    let world = std::sync::Arc::new(relevo::world::Os);
    let store = Store::open(&shop.path(Machine::Main, "store"), world, Operator::new(Lang::En, true))?;
    let target = store.copies.first().ok_or("no target")?;
    let database = store.main.identify("0142")?;
    let epoch = EpochRecord::first(None).epoch;
    for number in 0..tails {
        let name = copy_name(epoch, number, CopyKind::Tail);
        target.put_lines(&name, &mut |put| {
            (0..each).try_for_each(|at| {
                let folio = 10_000_000 + number * each + at;
                put(&json!({ "folio": folio, "till": "CAJA2", "epoch": Epoch::FIRST, "at": "2026-11-23T10:00:00-06:00", "total": 10.5 }).to_string())
            })
        })?;
        let draft = Draft {
            name,
            database,
            epoch,
            sequence: number,
            kind: CopyKind::Tail,
            engine: ENGINES[0].0.to_owned(),
            engine_version: ENGINES[0].1.to_owned(),
            from: None,
            at: store.now(),
            previous: None,
            reason: Some("tail".to_owned()),
        };
        let to = Position { database, epoch, sequence: number, mark: Mark::Pages { root: Hash([0; 32]) } };
        target.put(draft, &mut |out| {
            let _ = out.write_all(b"an old database"); // the target's own failure says more, and comes
            Ok(Some(Streamed { to: to.clone(), last_folio: None }))
        })?;
        if number % HEAP == 0 {
            put_aside(shop, false)?;
        }
    }
    put_aside(shop, true)
}
