//! The instance as a whole: copies made from a living database, applied to a standby, and every copy that must not be applied.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::Embedded;
use crate::config::Tickets;
use crate::model::{CopyKind, CopyToApply, DatabaseId, DatabaseState, Epoch, EpochRecord, Position, Scanned, Side};
use crate::progress::Watch;
use crate::server::port::{DatabaseServer, Part};
use crate::world;

struct Pair {
    dir: tempfile::TempDir,
    main: Embedded,
    backup: Embedded,
    record: EpochRecord,
}

/// A copy as it would lie on a target.
#[derive(Clone)]
struct Made {
    copy: CopyToApply,
    raw: Vec<u8>,
}

impl Pair {
    fn new() -> Pair {
        let dir = tempfile::tempdir().unwrap();
        let server = |side: Side, name: &str| {
            let instance = dir.path().join(name);
            std::fs::create_dir_all(&instance).unwrap();
            Embedded::new(side, &instance, "BDPdv", Tickets::default(), world::real()).unwrap()
        };
        let (main, backup) = (server(Side::Main, "main"), server(Side::Backup, "caja"));
        let sql = "PRAGMA journal_mode=WAL; CREATE TABLE Ventas(Folio INTEGER PRIMARY KEY, Caja TEXT, Fecha TEXT, Total REAL, Epoca INTEGER)";
        Connection::open(dir.path().join("main/BDPdv.db")).unwrap().execute_batch(sql).unwrap();
        let record = EpochRecord::first(Some(main.identify("0142").unwrap()));
        Pair { dir, main, backup, record }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, sql: &str) {
        Connection::open(self.path("main/BDPdv.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn sell(&self, count: usize) {
        self.run(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < {count})
             INSERT INTO Ventas SELECT (SELECT coalesce(max(Folio),0) FROM Ventas) + i, 'CAJA1', 'hoy', 1.0, 1 FROM n;"
        ));
    }

    fn make(&self, base: Option<&Position>, sequence: u64) -> Option<Made> {
        let mut raw = Vec::new();
        let mut sink = |part: Part<'_>| {
            if let Part::Bytes(bytes) = part {
                raw.extend_from_slice(bytes);
            }
            Ok(true)
        };
        let scanned: Option<Scanned> = self
            .main
            .scan(
                if base.is_some() { CopyKind::Increment } else { CopyKind::Full },
                base,
                &self.record,
                sequence,
                &mut sink,
                &Watch::silent(),
            )
            .unwrap();
        let scanned = scanned?;
        assert_eq!(scanned.change.bytes, raw.len() as u64);
        let kind = scanned.change.kind;
        Some(Made {
            copy: CopyToApply {
                name: format!("{kind}-{sequence}"),
                kind,
                from: scanned.from,
                to: scanned.to,
                bytes: raw.len() as u64,
            },
            raw,
        })
    }

    fn apply(&self, made: &Made) -> Result<(), String> {
        self.backup.apply(&made.copy, &mut Cursor::new(&made.raw), &Watch::silent()).map_err(|f| f.kind)
    }

    fn seeded() -> (Pair, Made) {
        let pair = Pair::new();
        pair.sell(20);
        let full = pair.make(None, 1).unwrap();
        pair.apply(&full).unwrap();
        (pair, full)
    }
}

#[test]
fn a_chain_follows_through_growth_deletion_and_vacuum() {
    let (pair, full) = Pair::seeded();
    let mut last = full.copy.to;
    for (sequence, sql) in [
        "CREATE TABLE Notas(x); INSERT INTO Notas VALUES(randomblob(300000))",
        "DELETE FROM Notas",
        "VACUUM",
        "DROP TABLE Notas; INSERT INTO Ventas VALUES(999,'CAJA2','hoy',2.0,1)",
        "VACUUM",
    ]
    .iter()
    .enumerate()
    {
        pair.run(sql);
        let made = pair.make(Some(&last), sequence as u64 + 2).unwrap();
        assert_eq!(made.copy.kind, CopyKind::Increment);
        pair.apply(&made).unwrap();
        assert_eq!(pair.backup.verify_standby(&Watch::silent()).unwrap(), made.copy.to);
        last = made.copy.to;
    }
    assert!(pair.make(Some(&last), 9).is_none(), "nothing changed");
    assert_eq!(pair.backup.look().unwrap().position, Some(last));
    assert_eq!(pair.backup.last_folio().unwrap(), Some(999));
    assert!(pair.backup.integrity().unwrap().is_empty());
}

#[test]
fn a_copy_is_made_from_a_living_database_and_opens_in_stock_sqlite() {
    let pair = Pair::new();
    pair.sell(5);
    let till = Connection::open(pair.path("main/BDPdv.db")).unwrap();
    till.execute("INSERT INTO Ventas VALUES(100,'CAJA1','hoy',1.0,1)", []).unwrap();
    let full = pair.make(None, 1).unwrap();
    std::fs::write(pair.path("raw.db"), &full.raw).unwrap();
    let count: i64 =
        Connection::open(pair.path("raw.db")).unwrap().query_row("SELECT count(*) FROM Ventas", [], |r| r.get(0)).unwrap();
    assert_eq!(count, 6);
    pair.apply(&full).unwrap();
    assert!(
        Connection::open(pair.path("caja/BDPdv.db")).unwrap().execute("INSERT INTO Ventas VALUES(1,'x','x',1,1)", []).is_err()
    );
}

/// Each wrong copy is its own error and leaves the standby as it was.
#[test]
fn what_must_not_be_applied() {
    let (pair, full) = Pair::seeded();
    pair.sell(3);
    let second = pair.make(Some(&full.copy.to), 2).unwrap();
    pair.sell(3);
    let third = pair.make(Some(&second.copy.to), 3).unwrap();
    let before = pair.backup.look().unwrap().position;
    let changed = |edit: &dyn Fn(&mut Made)| {
        let mut made = second.clone();
        edit(&mut made);
        made
    };
    let other = DatabaseId(uuid::Uuid::now_v7());
    let cases: Vec<(&str, Made)> = vec![
        ("copy_does_not_follow", third.clone()),
        ("copy_of_other_database", changed(&|m| m.copy.to.database = other)),
        ("copy_of_other_epoch", changed(&|m| m.copy.to.epoch = Epoch(2))),
        ("copy_truncated", changed(&|m| m.copy.bytes -= 1)),
        ("copy_damaged", changed(&|m| m.raw[0] ^= 1)),
        ("copy_is_a_tail", changed(&|m| m.copy.kind = CopyKind::Tail)),
    ];
    for (kind, made) in cases {
        assert_eq!(pair.apply(&made), Err(kind.to_owned()));
        assert_eq!(pair.backup.look().unwrap().position, before, "{kind}");
        assert_eq!(pair.backup.look().unwrap().applying, None, "{kind}");
    }
    pair.apply(&second).unwrap();
    pair.apply(&second).unwrap(); // again: it is there already
    pair.apply(&third).unwrap();
    pair.backup.recover().unwrap();
    assert_eq!(pair.apply(&full), Err("backup_is_open".to_owned()));
}

/// The content breaks in the middle (a power cut, a target that dies): only the very same copy may go on.
#[test]
fn a_half_applied_copy_comes_first() {
    let (pair, full) = Pair::seeded();
    pair.run("CREATE TABLE Notas(x); INSERT INTO Notas VALUES(randomblob(200000))");
    let second = pair.make(Some(&full.copy.to), 2).unwrap();
    let mut half = second.clone();
    half.raw.truncate(second.raw.len() / 2);
    assert_eq!(pair.apply(&half), Err("copy_truncated".to_owned()));
    assert_eq!(pair.backup.look().unwrap().applying.as_deref(), Some("increment-2"));
    assert_eq!(pair.backup.verify_standby(&Watch::silent()).unwrap_err().kind, "standby_incomplete");
    let mut other = second.clone();
    other.copy.name = "increment-9".to_owned();
    assert_eq!(pair.apply(&other), Err("other_copy_half_applied".to_owned()));
    // a damaged page is found by the root hash, and the good copy still goes on
    let mut damaged = second.clone();
    let last = damaged.raw.len() - 1;
    damaged.raw[last] ^= 0xFF;
    assert_eq!(pair.apply(&damaged), Err("copy_damaged".to_owned()));
    pair.apply(&second).unwrap();
    assert_eq!(pair.backup.verify_standby(&Watch::silent()).unwrap(), second.copy.to);
}

#[test]
fn a_damaged_full_copy_never_replaces_the_standby() {
    let (pair, full) = Pair::seeded();
    let mut damaged = pair.make(None, 2).unwrap();
    let middle = damaged.raw.len() / 2;
    damaged.raw[middle] ^= 1;
    assert_eq!(pair.apply(&damaged), Err("copy_damaged".to_owned()));
    damaged.raw.truncate(middle);
    assert_eq!(pair.apply(&damaged), Err("copy_truncated".to_owned()));
    assert_eq!(pair.backup.verify_standby(&Watch::silent()).unwrap(), full.copy.to);
    assert!(!pair.path("caja/BDPdv.db.new").exists());
}

/// A verb that was killed in a trial restore left a copy as large as the database, for ever.
#[test]
fn private_copies_of_dead_processes_are_swept() {
    let (pair, _) = Pair::seeded();
    let left = pair.path("caja/.relevo-scratch-dead");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("BDPdv.db"), b"x").unwrap();
    super::sweep(&pair.path("caja"), super::STALE);
    assert!(left.exists(), "a young one may be in use");
    super::sweep(&pair.path("caja"), std::time::Duration::ZERO);
    assert!(!left.exists());
    assert!(pair.path("caja/BDPdv.db").exists() && pair.path("caja/standby.json").exists());
}

#[test]
fn bit_rot_in_the_standby_is_found() {
    let (pair, _) = Pair::seeded();
    let path = pair.path("caja/BDPdv.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(pair.backup.verify_standby(&Watch::silent()).unwrap_err().kind, "standby_damaged");
}

#[test]
fn the_posts_lock_and_the_sessions_are_seen() {
    let pair = Pair::new();
    assert!(!pair.main.look().unwrap().serving);
    let post = pair.main.take_post().unwrap().unwrap();
    assert!(pair.main.look().unwrap().serving);
    assert!(pair.main.take_post().unwrap().is_none());
    drop(post);
    let session = pair.main.announce("CAJA2").unwrap();
    assert_eq!(pair.main.sessions().unwrap()[0].name, "CAJA2");
    drop(session);
    assert!(pair.main.sessions().unwrap().is_empty());
}

#[test]
fn an_instance_that_is_away_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let away = Embedded::new(Side::Main, &dir.path().join("off"), "BDPdv", Tickets::default(), Arc::new(world::Os)).unwrap();
    let look = away.look().unwrap();
    assert_eq!((look.reachable, look.state, look.answers()), (false, DatabaseState::Unknown, false));
}

/// Not a test: what the second process of the next test runs.
#[test]
fn child() {
    let Some(path) = std::env::var_os("RELEVO_TEST_CHILD") else { return };
    let till = Connection::open(PathBuf::from(path)).unwrap();
    till.busy_timeout(std::time::Duration::ZERO).unwrap();
    let sold = till.execute("INSERT INTO Ventas(Folio) VALUES(777)", []);
    println!("child: {}", if sold.is_ok() { "sold" } else { "kept out" });
}

fn another_process_sells(path: &std::path::Path) -> bool {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::embedded::tests::child", "--nocapture"])
        .env("RELEVO_TEST_CHILD", path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("child: "), "{said}");
    said.contains("child: sold")
}

/// The trap that corrupts silently: a scan of ours must not drop the locks that this process holds through SQLite.
#[test]
fn a_scan_does_not_unlock_the_database_for_other_processes() {
    let pair = Pair::new();
    pair.sell(3);
    let path = pair.path("main/BDPdv.db");
    let till = super::connection::open(&path, true).unwrap();
    till.execute_batch("BEGIN IMMEDIATE; INSERT INTO Ventas(Folio) VALUES(500)").unwrap();
    assert!(!another_process_sells(&path), "the lock holds before");
    pair.make(None, 1).unwrap();
    assert_eq!(pair.main.look().unwrap().state, DatabaseState::Open);
    assert!(!another_process_sells(&path), "and after a scan and a look");
    till.execute_batch("COMMIT").unwrap();
    assert!(another_process_sells(&path));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    /// A raw increment whose bytes are not those that were made: refused, and a count of pages gets no memory before it is believed
    /// (four billion pages would be 64 GiB of hashes). What was there is there, or the same copy makes it whole again.
    #[test]
    fn any_increment_is_applied_as_made_or_refused(at in 0usize..60, byte: u8, claim: u32, cut in 0usize..5000, random in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let (pair, full) = Pair::seeded();
        pair.sell(3);
        let good = pair.make(Some(&full.copy.to), 2).unwrap();
        let mut flipped = good.clone();
        flipped.raw[at] ^= byte;
        let mut claims = good.clone();
        claims.raw[12..16].copy_from_slice(&claim.max(1_000_000).to_le_bytes());
        let mut short = good.clone();
        short.raw.truncate(cut.min(good.raw.len() - 1));
        let other = Made { raw: random, ..good.clone() };
        if claims.raw != good.raw {
            proptest::prop_assert!(pair.apply(&claims).is_err());
            proptest::prop_assert_eq!(pair.backup.look().unwrap().applying, None, "refused by its head");
        }
        for made in [flipped, short, other] {
            if made.raw != good.raw {
                proptest::prop_assert!(pair.apply(&made).is_err());
            }
        }
        proptest::prop_assert_eq!(pair.apply(&good), Ok(()));
        proptest::prop_assert_eq!(pair.backup.verify_standby(&Watch::silent()).unwrap(), good.copy.to);
    }
}
