//! The way back: the backup's detached database is received beside the fenced old main, of which it differs in one interval of work,
//! and both are compared by hash. The old main stays as it is. The peer writes into the old file.

use std::path::Path;
use std::sync::Arc;

use relevo::config::Tickets;
use relevo::model::{Fencing, Side};
use relevo::progress::Watch;
use relevo::server::DatabaseServer;
use relevo::server::embedded::Embedded;
use relevo::world::Label;

use crate::measure::{in_turn, median, must_be_equal, time};
use crate::report::Report;
use crate::{Options, Result, data, peers};

/// Runs it.
pub fn bench(options: &Options, report: &mut Report) -> Result<()> {
    let folder = options.folder("failback")?;
    let (old_dir, new_dir) = (folder.path().join("main"), folder.path().join("caja"));
    let (old, new) = (old_dir.join("BDPdv.db"), new_dir.join("BDPdv.db"));
    for (dir, path) in [(&old_dir, &old), (&new_dir, &new)] {
        std::fs::create_dir(dir)?;
        std::fs::copy(options.base()?, path)?;
    }
    data::work(&new, data::INTERVAL, 1)?;
    let (main, caja) = (server(Side::Main, &old_dir)?, server(Side::Backup, &new_dir)?);
    main.fence(Fencing::Aside)?;
    caja.fence(Fencing::Aside)?;
    let before = std::fs::metadata(&old)?.modified()?;
    let (incoming, peer) = (old_dir.join("BDPdv.db.incoming"), folder.path().join("peer.db"));
    let whole = folder.path().join("whole.db");
    let (mut own, mut rsync, mut cp) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.reps(5) {
        let _ = std::fs::remove_file(&incoming);
        std::fs::copy(&old, &peer)?;
        std::fs::File::open(&peer)?.sync_all()?;
        in_turn(
            round,
            &mut [
                &mut || {
                    own.push(time(|| Ok(main.receive(&caja, &Watch::silent())?))?.1);
                    Ok(())
                },
                &mut || {
                    rsync.extend(peers::rsync(&new, &peer)?);
                    Ok(())
                },
                &mut || {
                    let _ = std::fs::remove_file(&whole);
                    cp.extend(peers::cp(&new, &whole)?);
                    Ok(())
                },
            ],
        )?;
        must_be_equal(&incoming, &new)?;
        if std::fs::metadata(&old)?.modified()? != before {
            return Err("the old main was written to".into());
        }
    }
    if !rsync.is_empty() {
        must_be_equal(&peer, &new)?;
    }
    let how = if clones(folder.path())? { "begun as a clone" } else { "this file system cannot clone" };
    let what = format!("fail-back copy, 1 % differs, both sides verified ({how})");
    report.against(&what, median(&own), &peers::of_rsync(&rsync), Some(0.3));
    report.against("fail-back copy, the same, against a new whole copy", median(&own), &peers::of_cp(&cp), None);
    Ok(())
}

/// Can two files of this folder share their blocks? Without that the received database, a file of its own, is written in full.
fn clones(folder: &Path) -> Result<bool> {
    let [from, to] = ["from", "to"].map(|name| folder.join(name));
    std::fs::write(&from, [7; 8192])?;
    std::fs::write(&to, [])?;
    let (from, to) = (std::fs::File::open(&from)?, std::fs::File::options().write(true).open(&to)?);
    Ok(relevo::world::real().clone_content(Label::DatabaseIncoming, &from, &to)?)
}

fn server(side: Side, dir: &Path) -> Result<Embedded> {
    Ok(Embedded::new(side, dir, "BDPdv", Tickets::default(), Arc::new(relevo::world::Os))?)
}
