//! Which copies bring a standby as far as possible, in order. Never yields a copy that does not follow the one before it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{CopyKind, DatabaseId, Epoch, Hash, Listed, Mark, Position, copy_name};
use crate::text;
use crate::text::Text;

/// A copy that is newer than what can be reached and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Its name.
    pub name: String,
    /// Why it cannot be used.
    pub reason: Text,
}

impl Gap {
    /// Is it of a copy after this position?
    pub fn is_beyond(&self, upto: Option<&Position>) -> bool {
        let key = parse_name(&self.name).map(|(epoch, sequence, _)| (epoch, sequence));
        upto.is_none_or(|p| key.is_none_or(|key| key > (p.epoch, p.sequence)))
    }
}

/// How far the copies reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Names of the copies to apply, in order.
    pub apply: Vec<String>,
    /// The first of them is a full copy.
    pub from_full: bool,
    /// Where the standby is afterwards; `None`: nothing usable.
    pub upto: Option<Position>,
    /// Highest folio there, where known.
    pub last_folio: Option<i64>,
    /// When the last copy was made (RFC 3339), where its manifest is listed.
    pub at: Option<String>,
    /// Copies after `upto` that are damaged or do not follow.
    pub gaps: Vec<Gap>,
}

/// The chain for a standby at `standby` that died applying the copy `applying`, if any. Tails are ignored.
pub fn chain(
    copies: &[Listed],
    damaged: &[(String, Text)],
    database: Option<DatabaseId>,
    standby: Option<&Position>,
    applying: Option<&str>,
) -> Chain {
    let ours = |id: DatabaseId| database.is_none_or(|d| d == id);
    let standby = standby.filter(|p| ours(p.database));
    let links = Links::new(copies.iter().filter(|c| ours(c.manifest.database)), damaged);

    let resumed = standby.and_then(|position| {
        let starts = links.after(position, copies);
        match applying {
            None => Some((position, links.furthest(starts))),
            // Half applied: its pages are mixed, only the same copy again makes them whole.
            Some(name) => starts.into_iter().find(|i| links.copies[*i].manifest.name == name).map(|i| (position, Some(i))),
        }
    });
    let reach = |i: usize| (links.copies[i].manifest.epoch, links.reach[i]);
    let full = links.fulls_by_reach().pop();
    let go_on = resumed.filter(|(position, start)| {
        let here = start.map_or((position.epoch, position.sequence), reach);
        full.is_none_or(|f| here >= reach(f))
    });
    let (position, start) = match go_on {
        Some((position, start)) => (Some(position), start),
        None => (None, full),
    };

    let path = start.map(|i| links.path(i)).unwrap_or_default();
    let last = match path.last() {
        Some(i) => Some(links.copies[*i]),
        None => position.and_then(|p| copies.iter().find(|c| c.manifest.kind != CopyKind::Tail && c.manifest.to == *p)),
    };
    let upto = path.last().map(|i| links.copies[*i].manifest.to.clone()).or_else(|| position.cloned());
    Chain {
        from_full: path.first().is_some_and(|i| links.copies[*i].manifest.kind == CopyKind::Full),
        gaps: gaps(&links, damaged, upto.as_ref()),
        apply: path.iter().map(|i| links.copies[*i].manifest.name.clone()).collect(),
        last_folio: last.and_then(|c| c.manifest.last_folio),
        at: last.map(|c| c.manifest.at.clone()),
        upto,
    }
}

fn gaps(links: &Links, damaged: &[(String, Text)], upto: Option<&Position>) -> Vec<Gap> {
    let after = |key: (Epoch, u64)| upto.is_none_or(|p| key > (p.epoch, p.sequence));
    let mut found: BTreeMap<&str, Text> = BTreeMap::new();
    for copy in &links.copies {
        let m = &copy.manifest;
        // With no database asked for, another database's copies are nobody's loss.
        if after((m.epoch, m.sequence)) && upto.is_none_or(|p| p.database == m.database) {
            found.insert(&m.name, text!("no sigue a ninguna copia utilizable", "it does not follow any usable copy"));
        }
    }
    for (name, reason) in damaged {
        if parse_name(name).is_some_and(|(epoch, sequence, kind)| kind != CopyKind::Tail && after((epoch, sequence))) {
            found.insert(name, reason.clone());
        }
    }
    found.into_iter().map(|(name, reason)| Gap { name: name.to_owned(), reason }).collect()
}

/// What follows what among usable copies, oldest first.
pub(super) struct Links<'a> {
    /// The usable copies without tails, by epoch, sequence and name.
    pub(super) copies: Vec<&'a Listed>,
    /// For each, the copies that follow it.
    pub(super) next: Vec<Vec<usize>>,
    /// For each, the highest sequence that can be reached from it.
    reach: Vec<u64>,
}

impl<'a> Links<'a> {
    pub(super) fn new(copies: impl Iterator<Item = &'a Listed>, damaged: &[(String, Text)]) -> Self {
        let bad: BTreeSet<&str> = damaged.iter().map(|(name, _)| name.as_str()).collect();
        let mut copies: Vec<_> =
            copies.filter(|c| c.manifest.kind != CopyKind::Tail && !bad.contains(c.manifest.name.as_str())).collect();
        copies.sort_by(|a, b| order(a).cmp(&order(b)));
        copies.dedup();
        let mut by_base: BTreeMap<(Epoch, u64), Vec<usize>> = BTreeMap::new();
        for (i, copy) in copies.iter().enumerate() {
            if let Some(from) = &copy.manifest.from {
                by_base.entry((from.epoch, from.sequence)).or_default().push(i);
            }
        }
        let mut next = vec![Vec::new(); copies.len()];
        let mut reach: Vec<u64> = copies.iter().map(|c| c.manifest.sequence).collect();
        // Newest first: what follows a copy is always newer, so its reach is already known.
        for i in (0..copies.len()).rev() {
            let base = copies[i];
            if !sound(base) {
                continue;
            }
            let candidates = by_base.get(&(base.manifest.to.epoch, base.manifest.to.sequence)).map_or(&[][..], Vec::as_slice);
            next[i] = candidates.iter().copied().filter(|j| follows(base, copies[*j])).collect();
            reach[i] = next[i].iter().map(|j| reach[*j]).fold(reach[i], u64::max);
        }
        Links { copies, next, reach }
    }

    /// The copies that may be applied at `position`. A base that is listed has to be the one they name.
    fn after(&self, position: &Position, listed: &[Listed]) -> Vec<usize> {
        let is_base = |c: &&Listed| c.manifest.kind != CopyKind::Tail && c.manifest.to == *position;
        let bases: Vec<Hash> = listed.iter().filter(is_base).map(|c| c.hash).collect();
        // A differential names the full copy that it is of, which need not be the copy that the standby has last.
        let named = |c: &Listed| {
            c.manifest.kind == CopyKind::Differential
                || c.manifest.previous.is_some_and(|p| bases.is_empty() || bases.contains(&p))
        };
        (0..self.copies.len()).filter(|i| continues(position, self.copies[*i]) && named(self.copies[*i])).collect()
    }

    /// Which of these reaches furthest; the first of equals.
    fn furthest(&self, among: Vec<usize>) -> Option<usize> {
        among.into_iter().rev().max_by_key(|i| self.reach[*i])
    }

    /// The usable full copies, last the one of the highest epoch whose chain reaches furthest; of equals the newest, which has
    /// the least to apply.
    pub(super) fn fulls_by_reach(&self) -> Vec<usize> {
        let full = |i: &usize| self.copies[*i].manifest.kind == CopyKind::Full && sound(self.copies[*i]);
        let mut fulls: Vec<usize> = (0..self.copies.len()).filter(full).collect();
        fulls.sort_by_key(|i| (self.copies[*i].manifest.epoch, self.reach[*i]));
        fulls
    }

    fn path(&self, start: usize) -> Vec<usize> {
        let mut path = vec![start];
        let mut at = start;
        while let Some(next) = self.furthest(self.next[at].clone()) {
            path.push(next);
            at = next;
        }
        path
    }
}

fn order(copy: &Listed) -> (Epoch, u64, &str, Hash) {
    (copy.manifest.epoch, copy.manifest.sequence, &copy.manifest.name, copy.hash)
}

/// The manifest agrees with itself about which copy it is; a full copy starts nowhere.
fn sound(copy: &Listed) -> bool {
    let m = &copy.manifest;
    let whole = m.kind != CopyKind::Full || (m.from.is_none() && m.previous.is_none());
    m.to.database == m.database && m.to.epoch == m.epoch && m.to.sequence == m.sequence && whole
}

/// `copy` is an increment that starts exactly at `position`, or a differential of the full copy that `position` goes back to.
fn continues(position: &Position, copy: &Listed) -> bool {
    let m = &copy.manifest;
    let starts_here = match m.kind {
        CopyKind::Increment => m.from.as_ref() == Some(position),
        CopyKind::Differential => supersedes(&position.mark, &m.to.mark),
        CopyKind::Full | CopyKind::Tail => false,
    };
    starts_here
        && sound(copy)
        && m.to.database == position.database
        && m.epoch == position.epoch
        && m.sequence > position.sequence
}

/// A differential to `to` can be applied at `at`: it is of the same full copy, and newer.
fn supersedes(at: &Mark, to: &Mark) -> bool {
    match (at, to) {
        (Mark::Log { lsn, base, .. }, Mark::Log { lsn: end, base: of, .. }) => base == of && end > lsn,
        _ => false,
    }
}

/// `copy` may be applied right after `base`.
fn follows(base: &Listed, copy: &Listed) -> bool {
    base.manifest.kind != CopyKind::Tail && continues(&base.manifest.to, copy) && copy.manifest.previous == Some(base.hash)
}

/// Names sort, and the next number can be counted, only up to these.
const HIGHEST: (u64, u64) = (999_999, 99_999_999);

/// Epoch, sequence and kind that a copy's name tells; `None` for a name that relevo never writes.
pub(super) fn parse_name(name: &str) -> Option<(Epoch, u64, CopyKind)> {
    let mut parts = name.splitn(3, '-');
    let epoch = Epoch(parts.next()?.strip_prefix('e')?.parse().ok()?);
    let sequence: u64 = parts.next()?.strip_prefix('s')?.parse().ok()?;
    let kind = match parts.next()? {
        "full" => CopyKind::Full,
        "increment" => CopyKind::Increment,
        "differential" => CopyKind::Differential,
        "tail" => CopyKind::Tail,
        _ => return None,
    };
    let counted = epoch.0 <= HIGHEST.0 && sequence <= HIGHEST.1;
    (counted && copy_name(epoch, sequence, kind) == name).then_some((epoch, sequence, kind))
}

#[cfg(test)]
#[path = "chain_tests.rs"]
pub(super) mod tests;
