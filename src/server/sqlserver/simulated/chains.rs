//! Chains of backups: each decision is made first, then the server is asked, and both have to agree.

use uuid::Uuid;

use super::super::decide::{self, CopyFacts, End, Header, NextCopy, Reseed, SetKind, State, Verdict, Why};
use super::super::statements::*;
use super::{NONE, Shop};
use crate::config::Tickets;

/// Each log is foretold, tried, and has to come out so: in order, twice, with a gap, on another fork.
#[test]
fn what_is_decided_is_what_the_server_does() {
    let shop = Shop::new();
    let seed = shop.seed("full.bak");
    let mut logs = Vec::new();
    for number in 1..=4_i64 {
        shop.main.sell(number * 10..number * 10 + 3);
        logs.push(shop.file(&format!("{number}.trn")));
        shop.take(BackupKind::Log, &format!("{number}.trn"), "relevo log");
    }
    let decided = |file: &ServerPath| decide::log(&shop.main.header(file), &shop.backup.follower(&shop.database, seed.family));
    let apply = |file: &ServerPath| shop.backup.restore(&shop.database, RestoreKind::Log, file);
    assert_eq!(decided(&logs[0]), Verdict::Apply);
    // The third before the second.
    for (at, number) in [(0, 0), (2, 4305), (1, 0), (1, 4326), (0, 4326), (2, 0), (3, 0), (3, 4326)] {
        let (before, verdict) = (shop.backup.follower(&shop.database, seed.family), decided(&logs[at]));
        let errors = apply(&logs[at]);
        let after = shop.backup.follower(&shop.database, seed.family);
        let header = shop.main.header(&logs[at]);
        match verdict {
            Verdict::Apply => {
                assert_eq!((errors.first(), number), (None, 0), "{at}");
                assert!(decide::advanced(before.redo, after.redo, &header));
            }
            Verdict::AlreadyApplied => assert_eq!((errors.first(), number), (Some(&4326), 4326), "{at}"),
            Verdict::Gap { need } => {
                assert_eq!((errors.first(), number, Some(need)), (Some(&4305), 4305, before.redo), "{at}");
            }
            other => panic!("{at}: {other:?}"),
        }
        if verdict != Verdict::Apply {
            assert_eq!(before.redo, after.redo, "nothing moved");
        }
    }
    // Promoted: the old main's next log is of another fork for whoever went on from the backup.
    shop.backup.ok(&recover(&shop.database));
    let log = shop.take(BackupKind::Log, "5.trn", "relevo log");
    let open = shop.backup.follower(&shop.database, seed.family);
    assert_eq!(decide::log(&log, &open), Verdict::Stop);
    assert_eq!(apply(&shop.file("5.trn")).first(), Some(&3117));
}

/// A differential bridges a gap; one of another base does not.
#[test]
fn differentials_by_their_base() {
    let shop = Shop::new();
    let seed = shop.seed("full.bak");
    let decided = |header: &Header| decide::differential(header, &shop.backup.follower(&shop.database, seed.family));
    let apply = |name: &str| shop.backup.restore(&shop.database, RestoreKind::Differential, &shop.file(name));
    shop.main.sell(10..14);
    let first = shop.take(BackupKind::Differential, "1.dif", "relevo differential");
    shop.main.sell(20..24);
    shop.take(BackupKind::Full { copy_only: true }, "copy.bak", "otro"); // moves nothing
    let second = shop.take(BackupKind::Differential, "2.dif", "relevo differential");
    assert_eq!((decided(&second), apply("2.dif")), (Verdict::Apply, vec![]));
    assert_eq!(decided(&first), Verdict::AlreadyApplied);
    shop.main.sell(30..34);
    shop.take(BackupKind::Full { copy_only: false }, "other.bak", "otro");
    shop.main.sell(40..44);
    let third = shop.take(BackupKind::Differential, "3.dif", "relevo differential");
    assert_eq!(decided(&third), Verdict::Reseed(Reseed::OtherBase));
    assert_eq!(apply("3.dif").first(), Some(&3136));
}

/// The next copy, as main's state and msdb show it.
#[test]
fn the_next_copy_by_what_main_shows() {
    let shop = Shop::new();
    let next = |end: Option<&Header>, base: Uuid, spool: &[Header]| {
        let (main, taken) = (shop.main.state(&shop.database), shop.main.taken(&shop.database));
        let end = end.map(|h| End { kind: h.kind, lsn: h.last, fork: h.fork, base, family: Some(h.family) });
        let told = end.map(|end| decide::interference(&main, &end, &taken).len()).unwrap_or(0);
        (next_of(&main, end, spool), told)
    };
    assert_eq!(next(None, Uuid::nil(), &[]).0, NextCopy::Full(Why::First));
    let full = shop.take(BackupKind::Full { copy_only: false }, "full.bak", "relevo full");
    let base = full.set.unwrap();
    let (next_is, told) = next(Some(&full), base, &[]);
    assert!(matches!(next_is, NextCopy::Log { from } if from <= full.last) && told == 0, "{next_is:?} {told}");
    shop.main.sell(10..14);
    let log = shop.take(BackupKind::Log, "1.trn", "relevo log");
    assert_eq!(next(Some(&log), base, &[]), (NextCopy::Log { from: log.last }, 0));
    // It was taken and never delivered: the same file is the next copy.
    assert_eq!(next(Some(&full), base, std::slice::from_ref(&log)), (NextCopy::Spool(0), 0));
    shop.main.sell(20..24);
    shop.take(BackupKind::Log, "theirs.trn", "otro programa");
    assert_eq!(next(Some(&log), base, &[]), (NextCopy::Differential(Why::ForeignLog), 1));
    shop.take(BackupKind::Full { copy_only: false }, "theirs.bak", "otro programa");
    assert_eq!(next(Some(&log), base, &[]), (NextCopy::Full(Why::ForeignLog), 2));
    let again = shop.take(BackupKind::Full { copy_only: false }, "again.bak", "relevo full");
    let base = again.set.unwrap();
    shop.main.ok(&set(&shop.database, Setting::Recovery(Model::Simple)));
    assert_eq!(next(Some(&again), base, &[]).0, NextCopy::Differential(Why::Simple));
    shop.main.ok(&set(&shop.database, Setting::Recovery(Model::Full)));
    assert_eq!(next(Some(&again), base, &[]).0, NextCopy::Full(Why::NoChain));
    shop.main.ok(&close(&shop.database));
    assert_eq!(next(Some(&again), base, &[]).0, NextCopy::NotOpen);
}

fn next_of(main: &State, end: Option<End>, spool: &[Header]) -> NextCopy {
    decide::next_copy(CopyFacts { main, end, spool })
}

/// Planned promote and the way back by the log: the fence, the fork, and who follows whom.
#[test]
fn role_reversal() {
    let shop = Shop::new();
    let seed = shop.seed("full.bak");
    shop.main.sell(10..14);
    let tail = shop.take(BackupKind::Tail(Fence::Planned), "tail.trn", "relevo tail");
    assert!(tail.tail && shop.main.state(&shop.database).follows(), "main is fenced");
    assert_eq!(decide::log(&tail, &shop.backup.follower(&shop.database, seed.family)), Verdict::Apply);
    assert_eq!(shop.backup.restore(&shop.database, RestoreKind::Log, &shop.file("tail.trn")), NONE);
    shop.backup.ok(&recover(&shop.database));
    shop.backup.ok(&set(&shop.database, Setting::MultiUser));
    let (main, backup) = (shop.main.state(&shop.database), shop.backup.state(&shop.database));
    assert_eq!((main.redo, backup.fork_point), (Some(tail.last), Some(tail.last)), "main waits where the backup went on");
    assert_ne!(backup.fork, Some(tail.fork));
    shop.backup.sell(50..54);
    let handover = BackupKind::Tail(Fence::Planned);
    let back = shop.backup.backup(&shop.database, handover, &shop.file("back.trn"), "relevo tail");
    assert_eq!(decide::log(&back, &shop.main.follower(&shop.database, seed.family)), Verdict::Apply);
    assert_eq!(shop.main.restore(&shop.database, RestoreKind::Log, &shop.file("back.trn")), NONE);
    shop.main.ok(&recover(&shop.database));
    shop.main.ok(&set(&shop.database, Setting::MultiUser));
    let folio = shop.main.ok(&last_folio(&shop.database, &Tickets::default()).unwrap());
    assert_eq!(folio.rows[0].int("folio").unwrap(), Some(53));
    // Main's new fork begins where the backup waits: no new seed.
    let (main, backup) = (shop.main.state(&shop.database), shop.backup.state(&shop.database));
    let redo = decide::redo(&backup, &[]);
    let follows = decide::Follows { state: Some(&backup), redo, family: Some(seed.family) };
    assert_eq!(decide::seed_needed(&main, follows), decide::Need::No);
    let log = shop.take(BackupKind::Log, "again.trn", "relevo log");
    assert_eq!(decide::log(&log, &shop.backup.follower(&shop.database, seed.family)), Verdict::Apply);
    assert_eq!(shop.backup.restore(&shop.database, RestoreKind::Log, &shop.file("again.trn")), NONE);
    assert_eq!(log.kind, SetKind::Log);
}

/// Main is put back to before what the backup has and goes on differently. Its files begin on the backup's fork, cover its place and leave
/// the fork before it: neither may be applied.
#[test]
fn main_put_back_to_before_the_backup() {
    let shop = Shop::new();
    let family = shop.seed("full.bak").family;
    for name in ["1.trn", "2.trn"] {
        shop.main.sell(if name == "1.trn" { 10..14 } else { 20..24 });
        shop.take(BackupKind::Log, name, "relevo log");
        assert_eq!(shop.backup.restore(&shop.database, RestoreKind::Log, &shop.file(name)), NONE);
    }
    let standing = Some(decide::Standing { follows: false, family: Some(family), marked: true });
    let over = decide::Over::Main { safety_copy_verified: true };
    let token = decide::may_replace(decide::MayReplace { database: &shop.database, over, standing, family }).unwrap();
    let kind = RestoreKind::Full { replace: Some(token) };
    assert_eq!(shop.main.restore(&shop.database, kind, &shop.file("full.bak")), NONE);
    assert_eq!(shop.main.restore(&shop.database, RestoreKind::Log, &shop.file("1.trn")), NONE);
    shop.main.ok(&recover(&shop.database));
    shop.main.sell(30..60);
    let follower = shop.backup.follower(&shop.database, family);
    let log = shop.take(BackupKind::Log, "3.trn", "relevo log");
    assert!(log.covers(follower.redo.unwrap()) && log.fork_point < follower.redo && Some(log.first_fork) == follower.fork);
    assert_eq!(decide::log(&log, &follower), Verdict::Reseed(Reseed::Fork));
    assert_eq!(shop.backup.restore(&shop.database, RestoreKind::Log, &shop.file("3.trn")).first(), Some(&4330));
    // A differential that begins after the fork does not say what it left: only main's state does, below.
    let differential = shop.take(BackupKind::Differential, "4.dif", "relevo differential");
    assert_eq!((differential.first_fork, differential.fork_point), (differential.fork, None));
    assert_eq!(decide::differential(&differential, &follower), Verdict::Apply);
    let number = shop.backup.restore(&shop.database, RestoreKind::Differential, &shop.file("4.dif")).first().copied();
    assert_eq!(number, Some(4330));
    let main = shop.main.state(&shop.database);
    let redo = follower.redo.map(|at| (at, follower.fork));
    let backup = shop.backup.state(&shop.database);
    let follows = decide::Follows { state: Some(&backup), redo, family: Some(family) };
    assert_eq!(decide::seed_needed(&main, follows), decide::Need::Seed(decide::Seed::Fork));
}

/// Any backups in any order: what is decided is what the server does, also where the files of two forks lie mixed.
#[test]
fn any_order_of_any_backups_is_foretold() {
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for seed in 1..=3_u64 {
        let shop = Shop::new();
        let family = shop.seed("full.bak").family;
        let (mut random, mut files, mut folio) = (seed, Vec::<String>::new(), 100);
        let mut draw = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for step in 0..40 {
            let file = format!("{step}.x");
            let take = |kind| shop.take(kind, &file, "relevo");
            match draw(10) {
                0..=3 => drop(take(BackupKind::Log)),
                4 => drop(take(BackupKind::Differential)),
                5 => drop(take(BackupKind::Full { copy_only: draw(2) == 0 })),
                6 if step > 20 && draw(2) == 0 => {
                    // Main is restored from its own tail: another fork from here on.
                    take(BackupKind::Tail(Fence::Planned));
                    shop.main.ok(&recover(&shop.database));
                    shop.main.ok(&set(&shop.database, Setting::MultiUser));
                }
                _ => {
                    shop.main.sell(folio..folio + 3);
                    folio += 3;
                    continue;
                }
            }
            files.push(file);
            for _ in 0..2 {
                let newest = files.len().saturating_sub(3);
                let at = newest + usize::try_from(draw(u64::try_from(files.len() - newest).unwrap())).unwrap();
                let path = shop.file(&files[at]);
                let (header, follower) = (shop.main.header(&path), shop.backup.follower(&shop.database, family));
                let (verdict, kind) = match header.kind {
                    SetKind::Log => (decide::log(&header, &follower), RestoreKind::Log),
                    SetKind::Differential => (decide::differential(&header, &follower), RestoreKind::Differential),
                    _ => continue,
                };
                let number = shop.backup.restore(&shop.database, kind, &path).first().copied();
                let after = shop.backup.follower(&shop.database, family);
                let (name, fits) = match verdict {
                    Verdict::Apply => ("apply", number.is_none() && decide::advanced(follower.redo, after.redo, &header)),
                    Verdict::AlreadyApplied => ("applied", number.is_none_or(|n| n == 4326 || n == 3120) && after == follower),
                    Verdict::Gap { .. } => ("gap", matches!(number, Some(4305 | 4330)) && after == follower),
                    Verdict::Reseed(Reseed::Fork) => ("fork", number == Some(4330) && after == follower),
                    Verdict::Reseed(Reseed::OtherBase) => ("base", number == Some(3136) && after == follower),
                    Verdict::Reject(_) | Verdict::Stop => ("other", false),
                };
                assert!(
                    fits,
                    "seed {seed}, step {step}: {verdict:?}, the server says {number:?}\n{header:?}\n{follower:?}\n{after:?}"
                );
                *seen.entry(name).or_default() += 1;
            }
        }
    }
    for name in ["apply", "applied", "gap", "base"] {
        assert!(seen.get(name).is_some_and(|count| *count > 3), "{name} hardly happened: {seen:?}");
    }
}
