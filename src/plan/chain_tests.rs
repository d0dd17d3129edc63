//! Generated histories of copies, for the tests of chain, mirror and retention, and the tests of chain.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::{Manifest, Sized, copy_name};

pub(crate) const DB: DatabaseId = DatabaseId(Uuid::from_u128(1));
pub(crate) const OTHER: DatabaseId = DatabaseId(Uuid::from_u128(2));

fn copy(database: DatabaseId, epoch: u64, sequence: u64, kind: CopyKind, base: Option<&Listed>) -> Listed {
    let epoch = Epoch(epoch);
    let name = copy_name(epoch, sequence, kind);
    let size = Sized { bytes: 1, hash: Hash::of(b"x") };
    let to =
        Position { database, epoch, sequence, mark: Mark::Pages { root: Hash::of(format!("{database} {name}").as_bytes()) } };
    let manifest = Manifest {
        format: 1,
        store: "0001".into(),
        database,
        epoch,
        sequence,
        kind,
        engine: "embedded".into(),
        engine_version: "1".into(),
        from: base.map(|b| b.manifest.to.clone()),
        to,
        at: format!("at {epoch}.{sequence}"),
        object: name.clone(),
        raw: size,
        stored: size,
        encrypted: false,
        previous: base.map(|b| b.hash),
        last_folio: Some(sequence as i64 * 10),
        reason: None,
        name,
    };
    let hash = Hash::of(serde_json::to_string(&manifest).unwrap().as_bytes());
    Listed { manifest, hash }
}

pub(crate) fn full(database: DatabaseId, epoch: u64, sequence: u64) -> Listed {
    copy(database, epoch, sequence, CopyKind::Full, None)
}

pub(crate) fn tail(epoch: u64, sequence: u64) -> Listed {
    copy(DB, epoch, sequence, CopyKind::Tail, None)
}

pub(crate) fn name_of(copy: &Listed) -> String {
    copy.manifest.name.clone()
}

pub(crate) fn bad(copy: &Listed) -> (String, Text) {
    (name_of(copy), Text::same("damaged"))
}

/// Copies 1, 2, … of an epoch: F a full copy, I an increment on the one before, B an increment on the one before that.
pub(crate) fn history(epoch: u64, kinds: &str) -> Vec<Listed> {
    let mut made: Vec<Listed> = Vec::new();
    for (kind, sequence) in kinds.chars().zip(1..) {
        let back = if kind == 'B' { 2 } else { 1 };
        let base = made.len().checked_sub(back).map(|i| &made[i]);
        let next = match (kind, base) {
            ('I' | 'B', Some(base)) => copy(DB, epoch, sequence, CopyKind::Increment, Some(base)),
            _ => full(DB, epoch, sequence),
        };
        made.push(next);
    }
    made
}

/// A shuffled part of a history of up to three epochs with tails and another database, some of it damaged, and perhaps a standby.
pub(crate) fn mixed() -> impl Strategy<Value = (Vec<Listed>, Vec<(String, Text)>, Option<Position>)> {
    let all = prop::collection::vec("F[FIIIB]{0,6}", 1..4).prop_map(|epochs| {
        let mut all: Vec<Listed> = Vec::new();
        for (kinds, epoch) in epochs.iter().zip(1..) {
            all.extend(history(epoch, kinds));
            all.push(tail(epoch, kinds.len() as u64 + 1));
        }
        all.push(full(OTHER, 2, 40));
        all
    });
    all.prop_flat_map(|all| {
        let fates = prop::collection::vec(0..6u8, all.len());
        let standby = prop::option::of(prop::sample::select(all.clone()));
        (Just(all).prop_shuffle(), fates, standby)
    })
    .prop_map(|(all, fates, standby)| {
        let (mut copies, mut damaged) = (Vec::new(), Vec::new());
        for (copy, fate) in all.into_iter().zip(fates) {
            match fate {
                0 => {}
                1 => damaged.push(bad(&copy)),
                _ => copies.push(copy),
            }
        }
        (copies, damaged, standby.filter(|s| s.manifest.kind != CopyKind::Tail).map(|s| s.manifest.to))
    })
}

fn run(
    copies: &[Listed],
    damaged: &[(String, Text)],
    standby: Option<&Listed>,
    applying: Option<&Listed>,
) -> (String, Vec<String>) {
    let standby = standby.map(|c| &c.manifest.to);
    let applying = applying.map(name_of);
    let found = chain(copies, damaged, Some(DB), standby, applying.as_deref());
    let digits = |n: &String| format!("{}.{}", n[1..7].trim_start_matches('0'), n[9..17].trim_start_matches('0'));
    let full = if found.from_full { "full " } else { "" };
    let apply: Vec<String> = found.apply.iter().map(digits).collect();
    let upto = found.upto.map_or("none".to_owned(), |p| format!("{}.{}", p.epoch, p.sequence));
    (format!("{full}{} -> {upto}", apply.join(" ")), found.gaps.iter().map(|g| digits(&g.name)).collect())
}

#[test]
fn from_nothing_and_from_a_position() {
    let h = history(1, "FIIFI");
    let none: [String; 0] = [];
    let case = |copies: &[Listed], standby, applying| run(copies, &[], standby, applying);
    assert_eq!(case(&[], None, None), (" -> none".into(), none.to_vec()));
    assert_eq!(case(&h, None, None), ("full 1.4 1.5 -> 1.5".into(), none.to_vec()));
    assert_eq!(case(&h, Some(&h[3]), None), ("1.5 -> 1.5".into(), none.to_vec()));
    assert_eq!(case(&h, Some(&h[4]), None), (" -> 1.5".into(), none.to_vec()));
    // Its own chain ends at 3: the full copy 4 leads further.
    assert_eq!(case(&h, Some(&h[0]), None), ("full 1.4 1.5 -> 1.5".into(), none.to_vec()));
    assert_eq!(case(&h[..3], Some(&h[0]), None), ("1.2 1.3 -> 1.3".into(), none.to_vec()));
    // The base is no longer listed, the position is enough.
    assert_eq!(case(&h[2..3], Some(&h[1]), None), ("1.3 -> 1.3".into(), none.to_vec()));
    assert_eq!(case(&h[1..3], None, None), (" -> none".into(), vec!["1.2".into(), "1.3".into()]));
}

#[test]
fn a_half_applied_copy_comes_first_or_a_full_one_does() {
    let h = history(1, "FIII");
    assert_eq!(run(&h, &[], Some(&h[1]), Some(&h[2])).0, "1.3 1.4 -> 1.4");
    let without: Vec<_> = h.iter().filter(|c| c.manifest.sequence != 3).cloned().collect();
    assert_eq!(run(&without, &[], Some(&h[1]), Some(&h[2])), ("full 1.1 1.2 -> 1.2".into(), vec!["1.4".into()]));
    assert_eq!(run(&without[1..], &[], Some(&h[1]), Some(&h[2])).0, " -> none");
    assert_eq!(run(&h, &[], Some(&h[2]), Some(&h[0])).0, "full 1.1 1.2 1.3 1.4 -> 1.4");
    // A fork: 3 and 4 both start at 2, and 3 is half applied.
    let fork = history(1, "FIIB");
    assert_eq!(run(&fork, &[], Some(&fork[1]), None).0, "1.4 -> 1.4");
    assert_eq!(run(&fork[..3], &[], Some(&fork[1]), Some(&fork[2])).0, "1.3 -> 1.3");
}

#[test]
fn damage_and_epochs() {
    let h = history(1, "FIII");
    let two = history(2, "FI");
    let damaged = [bad(&h[2])];
    assert_eq!(run(&h, &damaged, Some(&h[0]), None), ("1.2 -> 1.2".into(), vec!["1.3".into(), "1.4".into()]));
    assert_eq!(run(&[h.clone(), two.clone()].concat(), &[], Some(&h[3]), None).0, "full 2.1 2.2 -> 2.2");
    // A damaged full copy of the newer epoch: the older one is used and the gap shows.
    let both = [h.clone(), two.clone()].concat();
    assert_eq!(run(&both, &[bad(&two[0])], None, None), ("full 1.1 1.2 1.3 1.4 -> 1.4".into(), vec!["2.1".into(), "2.2".into()]));
    assert_eq!(run(&both, &[bad(&two[0])], Some(&two[0]), None), ("2.2 -> 2.2".into(), vec![]));
    // Another manifest than the increment names: it does not follow.
    let mut forged = h.clone();
    forged[1].hash = Hash::of(b"other");
    assert_eq!(run(&forged, &[], Some(&h[1]), None), (" -> 1.2".into(), vec!["1.3".into(), "1.4".into()]));
}

#[test]
fn what_is_told_about_the_end() {
    let h = history(1, "FI");
    let applied = chain(&h, &[], Some(DB), None, None);
    assert_eq!((applied.at.as_deref(), applied.last_folio), (Some("at 1.2"), Some(20)));
    let idle = chain(&h, &[], Some(DB), Some(&h[1].manifest.to), None);
    assert_eq!((idle.at.as_deref(), idle.last_folio), (Some("at 1.2"), Some(20)));
    let other = chain(&h, &[], Some(OTHER), Some(&h[1].manifest.to), None);
    assert_eq!((other.upto, other.gaps.len()), (None, 0));
}

#[test]
fn names() {
    for kind in [CopyKind::Full, CopyKind::Increment, CopyKind::Tail] {
        assert_eq!(parse_name(&copy_name(Epoch(3), 12, kind)), Some((Epoch(3), 12, kind)));
    }
    for name in ["", "e1-s1", "e1-s1-x", "x1-s1-full", "e-s-full"] {
        assert_eq!(parse_name(name), None, "{name}");
    }
}

proptest! {
    #[test]
    fn any_words_are_a_name_or_none(words: String, like in "[ex]?[0-9]{0,22}-s?[0-9]{0,22}-(full|increment|tail|x)?") {
        for name in [words, like] {
            if let Some((epoch, sequence, kind)) = parse_name(&name) {
                prop_assert_eq!(copy_name(epoch, sequence, kind), name);
            }
        }
    }

    #[test]
    fn every_copy_follows_the_one_before((copies, damaged, standby) in mixed(), applying in prop::option::of("e00000[12]-s0000000[1-4]-(full|increment)")) {
        let found = chain(&copies, &damaged, Some(DB), standby.as_ref(), applying.as_deref());
        let find = |name: &String| copies.iter().find(|c| c.manifest.name == *name).unwrap();
        let mut at = (!found.from_full).then(|| standby.clone()).flatten();
        let mut before: Option<Hash> = None;
        for (i, name) in found.apply.iter().enumerate() {
            let copy = find(name);
            prop_assert!(!damaged.iter().any(|d| d.0 == *name));
            match copy.manifest.kind {
                CopyKind::Full => prop_assert!(i == 0 && found.from_full),
                CopyKind::Increment => {
                    prop_assert_eq!(&copy.manifest.from, &at);
                    prop_assert!(before.is_none() || copy.manifest.previous == before);
                }
                CopyKind::Differential | CopyKind::Tail => prop_assert!(false, "a tail"),
            }
            at = Some(copy.manifest.to.clone());
            before = Some(copy.hash);
        }
        prop_assert_eq!(&found.upto, &at.filter(|_| found.upto.is_some()));
        if let (Some(name), false, Some(_)) = (&applying, found.from_full, &found.upto) {
            prop_assert_eq!(found.apply.first(), Some(name));
        }
        for gap in &found.gaps {
            let (epoch, sequence, kind) = parse_name(&gap.name).unwrap();
            prop_assert!(kind != CopyKind::Tail);
            prop_assert!(found.upto.as_ref().is_none_or(|p| (epoch, sequence) > (p.epoch, p.sequence)));
        }
        let mut reversed = copies.clone();
        reversed.reverse();
        prop_assert_eq!(found, chain(&reversed, &damaged, Some(DB), standby.as_ref(), applying.as_deref()));
    }
}

/// What a bug, or somebody with an editor, could make of manifests: wrong positions and predecessors (cycles among them), doubles.
fn spoiled() -> impl Strategy<Value = (Vec<Listed>, Vec<(String, Text)>, Option<Position>)> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..7u8);
    (mixed(), prop::collection::vec(change, 0..6)).prop_map(|((mut copies, damaged, standby), changes)| {
        for (at, other, what) in changes {
            if copies.is_empty() {
                break;
            }
            let theirs = copies[other.index(copies.len())].clone();
            let index = at.index(copies.len());
            let one = &mut copies[index];
            match what {
                0 => one.manifest.from = Some(theirs.manifest.to.clone()),
                1 => one.manifest.to = theirs.manifest.to.clone(),
                2 => (one.manifest.from, one.manifest.previous) = (Some(one.manifest.to.clone()), Some(one.hash)),
                3 => one.manifest.previous = Some(theirs.hash),
                4 => one.manifest.epoch = theirs.manifest.epoch,
                5 => one.hash = theirs.hash,
                _ => copies.push(theirs),
            }
        }
        // One name is one object of a target; the same one may be listed twice.
        let all = copies.clone();
        copies.retain(|one| all.iter().find(|other| other.manifest.name == one.manifest.name) == Some(one));
        (copies, damaged, standby)
    })
}

proptest! {
    /// Whatever lies there, in whatever order: it ends, and each copy starts exactly where the one before it ended.
    #[test]
    fn spoiled_manifests_are_never_followed_astray(
        ((copies, damaged, standby), order) in spoiled().prop_flat_map(|all| {
            let order = Just((0..all.0.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(all), order)
        }),
        applying in prop::option::of("e00000[12]-s0000000[1-4]-(full|increment)"),
        database in prop::option::of(Just(DB)),
    ) {
        let found = chain(&copies, &damaged, database, standby.as_ref(), applying.as_deref());
        let mut at = if found.from_full { None } else { standby.clone() };
        for (number, name) in found.apply.iter().enumerate() {
            let fits = |c: &&Listed| c.manifest.name == *name && c.manifest.from == at;
            let copy = copies.iter().find(fits);
            prop_assert!(copy.is_some(), "{} does not start at {:?}", name, at);
            let manifest = &copy.unwrap().manifest;
            prop_assert!(manifest.kind == CopyKind::Increment || (number == 0 && found.from_full));
            prop_assert!(database.is_none_or(|d| d == manifest.database));
            prop_assert!(at.as_ref().is_none_or(|p| p.database == manifest.to.database && p.epoch == manifest.to.epoch && p.sequence < manifest.to.sequence));
            at = Some(manifest.to.clone());
        }
        let shuffled: Vec<Listed> = order.iter().map(|i| copies[*i].clone()).collect();
        let doubled: Vec<Listed> = copies.iter().chain(&copies).cloned().collect();
        for other in [&shuffled, &doubled] {
            let other = chain(other, &damaged, database, standby.as_ref(), applying.as_deref());
            prop_assert_eq!((&other.apply, &other.upto, &other.gaps), (&found.apply, &found.upto, &found.gaps));
        }
    }
}

/// A history of SQL Server's copies in epoch 1: F a full copy, I a log from the copy before, D a differential of the full copy before it.
pub(crate) fn logged(kinds: &str) -> Vec<Listed> {
    let mut made: Vec<Listed> = Vec::new();
    for (kind, sequence) in kinds.chars().zip(1..) {
        let full = made.iter().rfind(|c| c.manifest.kind == CopyKind::Full).cloned();
        let mut next = match (kind, made.last(), &full) {
            ('I', Some(base), _) => copy(DB, 1, sequence, CopyKind::Increment, Some(base)),
            ('D', _, Some(full)) => copy(DB, 1, sequence, CopyKind::Differential, Some(full)),
            _ => copy(DB, 1, sequence, CopyKind::Full, None),
        };
        let base = if kind == 'F' { sequence } else { full.map_or(0, |f| f.manifest.sequence) };
        next.manifest.to.mark = Mark::Log {
            lsn: crate::model::Lsn(i128::from(sequence) * 100),
            fork: Uuid::nil(),
            base: Uuid::from_u128(base.into()),
        };
        next.hash = Hash::of(serde_json::to_string(&next.manifest).unwrap().as_bytes());
        made.push(next);
    }
    made
}

#[test]
fn a_differential_bridges_a_gap_and_is_the_only_one_applied() {
    // (history, damaged, standby at, what is applied)
    type Row<'a> = (&'a str, &'a [usize], Option<usize>, &'a [u64]);
    let table: [Row; 9] = [
        ("FII", &[], None, &[1, 2, 3]),
        ("FIIDI", &[2], None, &[1, 4, 5]),
        ("FIIDI", &[2], Some(1), &[4, 5]),
        ("FIIDI", &[2, 3], Some(1), &[]),
        ("FDDD", &[], None, &[1, 4]),
        ("FDDD", &[], Some(2), &[4]),
        ("FDDD", &[3], Some(1), &[3]),
        ("FIFDI", &[], Some(1), &[3, 4, 5]), // a differential of another full copy does not follow
        ("FDDD", &[], Some(3), &[]),
    ];
    for (kinds, damaged, standby, expected) in table {
        let copies = logged(kinds);
        let damaged: Vec<_> = damaged.iter().map(|i| bad(&copies[*i])).collect();
        let standby = standby.map(|i| copies[i].manifest.to.clone());
        let found = chain(&copies, &damaged, Some(DB), standby.as_ref(), None);
        let numbers: Vec<u64> = found.apply.iter().map(|name| parse_name(name).unwrap().1).collect();
        assert_eq!(numbers, expected, "{kinds} {standby:?}");
    }
}
