//! Which copies may go. In doubt a copy stays: tails, the newest chains, the standby's chain and whatever is newer always do.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{CopyKind, DatabaseId, Epoch, Listed, Position};
use crate::plan::chain::{Links, parse_name};
use crate::text;
use crate::text::Text;

/// What happens to one copy, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its name.
    pub name: String,
    /// It stays.
    pub keep: bool,
    /// Why.
    pub reason: Text,
}

type Key = (Epoch, u64);

/// Decides about every listed and every damaged copy, by name. A chain is a full copy and the increments that follow it;
/// the newest `keep_chains` (at least one) of each database stay.
pub fn retention(copies: &[Listed], damaged: &[(String, Text)], keep_chains: usize, standby: Option<&Position>) -> Vec<Decision> {
    let links = Links::new(copies.iter(), damaged);
    let key = |i: usize| -> Key { (links.copies[i].manifest.epoch, links.copies[i].manifest.sequence) };
    let mut chains: BTreeMap<DatabaseId, Vec<BTreeSet<usize>>> = BTreeMap::new();
    // The newest chain is the one that reaches furthest, the same that a standby would be built from.
    for i in links.fulls_by_reach() {
        chains.entry(links.copies[i].manifest.database).or_default().push(members(&links, i));
    }
    let holds_standby = |chain: &BTreeSet<usize>| {
        let m = |i: &usize| &links.copies[*i].manifest;
        standby.is_some_and(|p| chain.iter().any(|i| m(i).to == *p || m(i).from.as_ref() == Some(p)))
    };
    let (mut newest, mut older, mut kept_from) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    let mut follows_standby = BTreeSet::new();
    for (database, chains) in &chains {
        for (age, chain) in chains.iter().rev().enumerate() {
            let first: Option<Key> = chain.first().map(|i| key(*i));
            let group = match age < keep_chains.max(1) {
                true => &mut newest,
                false if holds_standby(chain) => &mut follows_standby,
                false => {
                    older.extend(chain.iter().copied());
                    continue;
                }
            };
            group.extend(chain.iter().copied());
            if let Some(first) = first {
                let oldest = kept_from.entry(*database).or_insert(first);
                *oldest = first.min(*oldest);
            }
        }
    }
    // What a damaged copy was of is unknown: it goes only when it is older than every kept chain of every database.
    let oldest = kept_from.values().min().copied();
    let stale = |key: Key, bound: Option<Key>| bound.is_some_and(|b| key < b);
    let at_standby = |c: &Listed| standby.is_some_and(|p| c.manifest.to == *p || c.manifest.from.as_ref() == Some(p));

    // The full copy before them may be gone: then the standby itself is what these go on from.
    let at_standby = (0..links.copies.len()).filter(|i| at_standby(links.copies[*i]));
    let onward: BTreeSet<usize> = at_standby.flat_map(|i| members(&links, i)).collect();

    let mut decisions: BTreeMap<String, Decision> = BTreeMap::new();
    let mut decide = |name: &str, keep: bool, reason: Text| {
        // One name listed twice stays when either stays.
        let decision = Decision { name: name.to_owned(), keep, reason };
        match decisions.get(name) {
            Some(before) if before.keep => {}
            _ => drop(decisions.insert(name.to_owned(), decision)),
        }
    };
    for (i, copy) in links.copies.iter().enumerate() {
        let bound = kept_from.get(&copy.manifest.database).copied();
        let (keep, reason) = if newest.contains(&i) {
            (true, text!("cadena reciente", "recent chain"))
        } else if follows_standby.contains(&i) || (!older.contains(&i) && onward.contains(&i)) {
            (true, text!("el respaldo está en esta cadena", "the standby is in this chain"))
        } else if older.contains(&i) {
            (false, text!("cadena vieja", "old chain"))
        } else if stale(key(i), bound) {
            (false, text!("no pertenece a ninguna cadena y es vieja", "it belongs to no chain and is old"))
        } else {
            (true, text!("más nueva que las cadenas conservadas", "newer than the kept chains"))
        };
        decide(&copy.manifest.name, keep, reason);
    }
    for (name, _) in damaged {
        match parse_name(name) {
            Some((epoch, sequence, kind)) if kind != CopyKind::Tail && stale((epoch, sequence), oldest) => {
                decide(name, false, text!("dañada y vieja", "damaged and old"));
            }
            _ => decide(name, true, text!("dañada, pero no se sabe si es vieja", "damaged, but not known to be old")),
        }
    }
    for copy in copies.iter().filter(|c| c.manifest.kind == CopyKind::Tail) {
        decide(&copy.manifest.name, true, text!("puede tener ventas huérfanas", "it may hold orphan sales"));
    }
    decisions.into_values().collect()
}

/// The names to remove, in an order in which a crash never leaves an increment without its base: increments newest first, then
/// full copies. A name that is not a copy's, or is a tail's, is never among them.
pub fn removals(decisions: &[Decision]) -> Vec<String> {
    let mut gone: Vec<_> = decisions
        .iter()
        .filter(|d| !d.keep)
        .filter_map(|d| parse_name(&d.name).map(|(epoch, sequence, kind)| (kind, epoch, sequence, &d.name)))
        .filter(|(kind, ..)| *kind != CopyKind::Tail)
        .collect();
    gone.sort_by(|a, b| b.cmp(a));
    gone.into_iter().map(|(.., name)| name.clone()).collect()
}

fn members(links: &Links, first: usize) -> BTreeSet<usize> {
    let (mut found, mut open) = (BTreeSet::from([first]), vec![first]);
    while let Some(i) = open.pop() {
        open.extend(links.next[i].iter().copied().filter(|j| found.insert(*j)));
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::chain::chain;
    use crate::plan::chain::tests::{DB, OTHER, bad, full, history, mixed, name_of, tail};

    fn gone(copies: &[Listed], damaged: &[(String, Text)], keep: usize, standby: Option<&Position>) -> Vec<String> {
        removals(&retention(copies, damaged, keep, standby)).iter().map(|n| n[8..19].replace("s000000", "")).collect()
    }

    #[test]
    fn old_chains_go_increments_first() {
        let h = history(1, "FIIFIFI");
        assert_eq!(gone(&h, &[], 2, None), ["03-i", "02-i", "01-f"]);
        assert_eq!(gone(&h, &[], 1, None), ["05-i", "03-i", "02-i", "04-f", "01-f"]);
        assert_eq!(gone(&h, &[], 0, None), gone(&h, &[], 1, None));
        assert!(gone(&h, &[], 3, None).is_empty());
        assert_eq!(gone(&h, &[], 1, Some(&h[1].manifest.to)), ["05-i", "04-f"]);
        assert!(gone(&h[1..3], &[], 1, None).is_empty(), "no good chain: all stay");
    }

    #[test]
    fn what_the_standby_goes_on_with_stays_without_its_full_copy() {
        let h = history(1, "FIIIF");
        let headless = &h[1..];
        assert_eq!(gone(headless, &[], 1, None), ["04-i", "03-i", "02-i"]);
        assert!(gone(headless, &[], 1, Some(&h[0].manifest.to)).is_empty());
        assert_eq!(gone(headless, &[], 1, Some(&h[2].manifest.to)), ["02-i"]);
    }

    #[test]
    fn strays_go_only_when_older_than_every_kept_chain() {
        let h = history(1, "FIIFIFI");
        // The second chain lost its full copy; the first is good.
        let copies = [&h[..3], &h[4..]].concat();
        assert_eq!(gone(&copies, &[bad(&h[3])], 2, None), Vec::<String>::new());
        assert_eq!(gone(&copies, &[bad(&h[3])], 1, None), ["05-i", "03-i", "02-i", "04-f", "01-f"]);
        let newer = [h.clone(), history(2, "FI")[1..].to_vec(), vec![tail(1, 9), tail(2, 1)]].concat();
        assert_eq!(gone(&newer, &[], 2, None), ["03-i", "02-i", "01-f"]);
        assert!(gone(&[h[0].clone(), full(OTHER, 3, 1)], &[], 1, None).is_empty(), "another database's chain counts apart");
    }

    proptest! {
        #[test]
        fn the_last_good_chain_and_tails_stay((copies, damaged, standby) in mixed(), keep in 0usize..4) {
            let before = chain(&copies, &damaged, Some(DB), None, None);
            let resumed = chain(&copies, &damaged, Some(DB), standby.as_ref(), None);
            let names = removals(&retention(&copies, &damaged, keep, standby.as_ref()));
            let mut left = (copies, damaged);
            for name in names {
                prop_assert!(!name.ends_with("tail"));
                left.0.retain(|c| name_of(c) != name);
                left.1.retain(|d| d.0 != name);
                // After every single removal: as a crash would leave it.
                let fresh = chain(&left.0, &left.1, Some(DB), None, None);
                prop_assert_eq!((&fresh.apply, &fresh.upto), (&before.apply, &before.upto));
                prop_assert!(before.upto.is_none() || fresh.gaps == before.gaps);
                let now = chain(&left.0, &left.1, Some(DB), standby.as_ref(), None);
                prop_assert_eq!(&now.apply, &resumed.apply);
                prop_assert_eq!(&now.upto, &resumed.upto);
            }
        }
    }
}
