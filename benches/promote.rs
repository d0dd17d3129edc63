//! One click: `relevo promote` on the caja while main is away, from the start of the process until SvrPdv serves. The chain is applied
//! already, as the mirror leaves it; the pauses between the three probes of main are set to nothing, since they are patience.

use std::path::Path;

use crate::measure::median;
use crate::report::{Report, seconds};
use crate::shop::{Machine, Shop};
use crate::{Options, Result, data};

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let folder = options.folder("promote")?;
    let shop = Shop::new(folder.path(), Some(&options.base()?), "")?;
    shop.run(Machine::Main, &["mirror"])?;
    data::work(&shop.database(Machine::Main), data::INTERVAL, 1)?;
    shop.run(Machine::Main, &["mirror"])?;
    let sold = data::tickets(&shop.database(Machine::Main))?;
    remove(&shop.path(Machine::Main, "instance"))?; // main is off the net
    let (caja, kept) = (folder.path().join("caja"), folder.path().join("kept"));
    #[expect(clippy::disallowed_methods, reason = "puts a stage aside; nothing of it has to be durable")]
    std::fs::rename(&caja, &kept)?;
    let mut own = Vec::new();
    for _ in 0..options.reps(5) {
        copy_all(&kept, &caja)?;
        let ran = shop.run(Machine::Caja, &["promote"])?;
        own.push(ran.took);
        let serving = shop.run(Machine::Caja, &["status"])?;
        if ran.json["epoch"] != 2 || ran.json["planned"] != false || serving.json["serving"] != "backup" {
            return Err(format!("not promoted: {} {}", ran.json, serving.json).into());
        }
        shop.stop_server(Machine::Caja)?;
        if data::tickets(&shop.database(Machine::Caja))? != sold {
            return Err("the promoted database does not hold every ticket".into());
        }
        remove(&caja)?;
    }
    let own = median(&own);
    let what = "promote, click to SvrPdv serving, chain applied (without [promote] probe_for)";
    report.figure(what, seconds(own), own, Some(1.0), "≤ 1 s");
    Ok(())
}

/// Removes a folder.
pub fn remove(folder: &Path) -> Result<()> {
    Ok(std::fs::remove_dir_all(folder)?)
}

/// Copies a folder, durably.
pub fn copy_all(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
            std::fs::File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}
