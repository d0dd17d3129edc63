//! Room on disk and the history of backups.

use super::pair::{Pair, Served};
use crate::error::Result;
use crate::model::{CopyKind, CopyToApply, DatabaseState, EpochRecord, Fencing, Scanned};
use crate::progress::Watch;
use crate::server::port::{DatabaseServer, Part};

fn free(pair: &Pair, side: &str, bytes: Option<u64>) {
    let file = pair.dir.path().join(side).join("sim-orders.json");
    match bytes {
        Some(bytes) => std::fs::write(file, format!("{{ \"free\": {bytes} }}")).unwrap(),
        None => std::fs::remove_file(file).unwrap(),
    }
}

fn full(main: &Served) -> Result<(Scanned, Vec<u8>)> {
    let server: &dyn DatabaseServer = &main.instance;
    let record = EpochRecord::first(Some(server.identify("S1").unwrap()));
    let mut bytes = Vec::new();
    let mut sink = |part: Part<'_>| {
        if let Part::Bytes(some) = part {
            bytes.extend_from_slice(some);
        }
        Ok(true)
    };
    let scanned = server.scan(CopyKind::Full, None, &record, 1, &mut sink, &Watch::silent())?.unwrap();
    Ok((scanned, bytes))
}

#[test]
fn a_full_disk_is_refused_before_anything_is_changed() {
    let pair = Pair::new();
    let main: &dyn DatabaseServer = &pair.main.instance;
    free(&pair, "main", Some(9 << 20));
    let files = |side: &str| std::fs::read_dir(pair.dir.path().join(format!("{side}-paso"))).unwrap().count();
    for failure in [full(&pair.main).unwrap_err(), main.fence(Fencing::Aside).unwrap_err()] {
        assert_eq!(failure.kind, "sql_no_room", "{failure:?}");
        assert!(failure.message.en.contains("9 are free") && failure.message.es.contains("quedan 9"), "{failure:?}");
    }
    assert_eq!((main.look().unwrap().state, files("main")), (DatabaseState::Open, 0));
    let access = pair.main.sql("SELECT user_access_desc FROM sys.databases WHERE name=N'BDPdv'");
    assert_eq!(access, [["MULTI_USER"]]);
    free(&pair, "main", None);
    let (scanned, bytes) = full(&pair.main).unwrap();
    free(&pair, "main", Some(9 << 20));
    assert_eq!(main.fence(Fencing::Handover).unwrap_err().kind, "sql_no_room");
    assert_eq!(main.look().unwrap().state, DatabaseState::Open);

    let backup: &dyn DatabaseServer = &pair.backup.instance;
    let copy =
        CopyToApply { name: "copia-1".to_owned(), kind: CopyKind::Full, from: None, to: scanned.to, bytes: bytes.len() as u64 };
    free(&pair, "backup", Some(9 << 20));
    let failure = backup.apply(&copy, &mut bytes.as_slice(), &Watch::silent()).unwrap_err();
    assert_eq!((failure.kind.as_str(), files("backup")), ("sql_no_room", 0), "{failure:?}");
    assert_eq!(backup.look().unwrap().state, DatabaseState::Missing);
    free(&pair, "backup", None);
    backup.apply(&copy, &mut bytes.as_slice(), &Watch::silent()).unwrap();
    assert_eq!(backup.look().unwrap().state, DatabaseState::Standby);
}

#[test]
fn old_history_is_forgotten() {
    let pair = Pair::new();
    let main: &dyn DatabaseServer = &pair.main.instance;
    full(&pair.main).unwrap();
    let known = || pair.main.sql("SELECT name FROM msdb.dbo.backupset").len();
    assert!(known() > 0 && main.forget_history(30).unwrap());
    assert!(known() > 0, "it is of today");
    // Not even of tomorrow's day: the date is the day's beginning.
    pair.main.instance.forget_history(0).unwrap();
    assert!(known() > 0);
    let before = known();
    pair.main.sql("EXEC msdb.dbo.sp_delete_backuphistory @oldest_date='2100-01-01'");
    assert!(known() < before);
}
