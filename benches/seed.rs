//! The first full copy: put on a folder, and with the standby made from it and verified; not packed, and packed as by default. The peer
//! copies the file once.

use std::path::Path;
use std::time::Duration;

use crate::measure::{median, must_be_equal};
use crate::report::Report;
use crate::shop::{Machine, Shop};
use crate::{Options, Result, peers};

/// Only the copy: the caja applies it by itself, later.
const PUT_ONLY: &str = "fn run(args) {\n    mirror(#{ full: args.full, apply: false })\n}\n";
const UNPACKED: &str = "compression = 0";

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let folder = options.folder("seed")?;
    let plain = folder.path().join("plain.db");
    let base = options.base()?;
    let (mut put, mut whole, mut packed, mut cp) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.reps(3) {
        for turn in 0..4 {
            match (round + turn) % 4 {
                0 => {
                    let _ = std::fs::remove_file(&plain);
                    cp.extend(peers::cp(&base, &plain)?);
                }
                1 => put.push(seed(folder.path(), &base, false, UNPACKED)?),
                2 => whole.push(seed(folder.path(), &base, true, UNPACKED)?),
                _ => packed.push(seed(folder.path(), &base, true, "")?),
            }
        }
    }
    let peer = peers::of_cp(&cp);
    report.against("seed, put on the target, not packed", median(&put), &peer, Some(1.5));
    report.against("seed, whole verb: put, standby made and verified, not packed", median(&whole), &peer, Some(1.5));
    report.against("seed, whole verb, packed as by default", median(&packed), &peer, None);
    Ok(())
}

fn seed(folder: &Path, base: &Path, apply: bool, mirror: &str) -> Result<Duration> {
    let dir = tempfile::Builder::new().prefix("shop-").tempdir_in(folder)?;
    let shop = Shop::new(dir.path(), Some(base), mirror)?;
    if !apply {
        shop.script(Machine::Main, "mirror.rhai", PUT_ONLY)?;
    }
    let ran = shop.run(Machine::Main, &["mirror"])?;
    if ran.json["kind"] != "full" || ran.json["verified"] != apply {
        return Err(format!("not the seed that was asked for: {}", ran.json).into());
    }
    if apply {
        must_be_equal(&shop.database(Machine::Main), &shop.database(Machine::Caja))?;
    } else {
        let name = ran.json["copy"].as_str().unwrap_or_default().to_owned();
        let out = dir.path().join("out.db");
        shop.run(Machine::Main, &["target", "get", &name, &out.display().to_string()])?;
        must_be_equal(&shop.database(Machine::Main), &out)?;
    }
    Ok(ran.took)
}
