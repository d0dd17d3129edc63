//! Full copy or increment? An increment only where the newest chain is whole and the server knows exactly where it ends.

use serde::{Deserialize, Serialize};

use crate::model::{CopyKind, DatabaseId, Epoch, Hash, Listed, Position};
use crate::plan::chain::{chain, parse_name};
use crate::text;
use crate::text::Text;

/// Why a full copy is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The target holds no copy.
    FirstCopy,
    /// No copy of this epoch yet.
    NewEpoch,
    /// The copies are of another database.
    OtherDatabase,
    /// The server does not know its pages at the end of the chain.
    NoPageTable,
    /// Copies of this epoch are damaged or missing.
    ChainDamaged,
    /// The chain has as many increments as it may have.
    ChainLong,
    /// A person or script asked for it.
    Asked,
}

impl Reason {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            Reason::FirstCopy => text!("primera copia", "first copy"),
            Reason::NewEpoch => text!("época nueva", "new epoch"),
            Reason::OtherDatabase => text!("las copias son de otra base de datos", "the copies are of another database"),
            Reason::NoPageTable => {
                text!(
                    "no se sabe qué páginas cambiaron desde la última copia",
                    "not known which pages changed since the last copy"
                )
            }
            Reason::ChainDamaged => text!("la cadena está dañada", "the chain is damaged"),
            Reason::ChainLong => text!("la cadena ya es larga", "the chain is long"),
            Reason::Asked => text!("se pidió", "asked for"),
        }
    }

    /// For manifests and programs.
    pub fn code(self) -> &'static str {
        match self {
            Reason::FirstCopy => "first copy",
            Reason::NewEpoch => "new epoch",
            Reason::OtherDatabase => "other database",
            Reason::NoPageTable => "no page table",
            Reason::ChainDamaged => "chain damaged",
            Reason::ChainLong => "chain long",
            Reason::Asked => "asked",
        }
    }
}

/// The copy to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MirrorPlan {
    /// A full copy.
    Seed {
        /// Its number.
        sequence: u64,
        /// Why.
        reason: Reason,
    },
    /// The pages that changed since `base`.
    Increment {
        /// Where it starts.
        base: Position,
        /// Its number.
        sequence: u64,
        /// Hash of the manifest of the copy before it.
        previous: Hash,
    },
}

/// What the plan is made from.
pub struct MirrorFacts<'a> {
    /// The copies on the target.
    pub copies: &'a [Listed],
    /// Names of damaged ones, with the reason.
    pub damaged: &'a [(String, Text)],
    /// The database to copy.
    pub database: DatabaseId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Does the server know its pages at this position?
    pub can_continue: &'a dyn Fn(&Position) -> bool,
    /// The highest number that a copy of this epoch is known to have had elsewhere.
    pub used: u64,
    /// Increments after which a new chain begins.
    pub max_increments: u64,
    /// A full copy was asked for.
    pub full: bool,
}

/// Decides.
pub fn mirror(facts: &MirrorFacts) -> MirrorPlan {
    let of_epoch: Vec<Listed> = facts.copies.iter().filter(|c| c.manifest.epoch == facts.epoch).cloned().collect();
    let names: Vec<(Epoch, u64, CopyKind)> = facts.damaged.iter().filter_map(|(name, _)| parse_name(name)).collect();
    // Damaged and tail names count too: a number is never used twice.
    let seen = of_epoch.iter().map(|c| c.manifest.sequence).chain(names.iter().filter(|n| n.0 == facts.epoch).map(|n| n.1));
    let sequence = seen.max().unwrap_or(0).max(facts.used) + 1;
    let seed = |reason| MirrorPlan::Seed { sequence, reason };
    if facts.full {
        return seed(Reason::Asked);
    }
    let mut usual = facts.copies.iter().filter(|c| c.manifest.kind != CopyKind::Tail).peekable();
    let any_damaged = names.iter().any(|n| n.2 != CopyKind::Tail);
    if usual.peek().is_none() && !any_damaged {
        return seed(Reason::FirstCopy);
    }
    if usual.peek().is_some() && !usual.any(|c| c.manifest.database == facts.database) {
        return seed(Reason::OtherDatabase);
    }
    let found = chain(&of_epoch, facts.damaged, Some(facts.database), None, None);
    let last = found
        .apply
        .last()
        .and_then(|name| of_epoch.iter().find(|c| c.manifest.name == *name && Some(&c.manifest.to) == found.upto.as_ref()));
    let Some(last) = last else {
        let here = |c: &Listed| c.manifest.kind != CopyKind::Tail && c.manifest.database == facts.database;
        let begun = of_epoch.iter().any(here) || names.iter().any(|n| n.0 == facts.epoch && n.2 != CopyKind::Tail);
        return seed(if begun { Reason::ChainDamaged } else { Reason::NewEpoch });
    };
    if found.apply.len() as u64 > facts.max_increments {
        return seed(Reason::ChainLong);
    }
    let base = last.manifest.to.clone();
    if (facts.can_continue)(&base) {
        return MirrorPlan::Increment { base, sequence, previous: last.hash };
    }
    seed(if found.gaps.is_empty() { Reason::NoPageTable } else { Reason::ChainDamaged })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::chain::tests::{DB, OTHER, full, history, name_of, tail};

    fn decide(copies: &[Listed], damaged: &[&str], epoch: u64, at: Option<u64>, max: u64, full: bool) -> (u64, Option<Reason>) {
        let damaged: Vec<_> = damaged.iter().map(|n| ((*n).to_owned(), Text::same("x"))).collect();
        let can_continue = |p: &Position| Some(p.sequence) == at;
        let epoch = Epoch(epoch);
        match mirror(&MirrorFacts {
            copies,
            damaged: &damaged,
            database: DB,
            epoch,
            can_continue: &can_continue,
            used: 0,
            max_increments: max,
            full,
        }) {
            MirrorPlan::Seed { sequence, reason } => (sequence, Some(reason)),
            MirrorPlan::Increment { base, sequence, previous } => {
                let last = copies.iter().find(|c| c.manifest.to == base).unwrap();
                assert_eq!((last.hash, base.epoch), (previous, epoch));
                (sequence, None)
            }
        }
    }

    #[test]
    fn decisions() {
        let h = history(1, "FII");
        let tail2 = [h.clone(), vec![tail(2, 1)]].concat();
        let (f, third) = (name_of(&h[0]), name_of(&h[2]));
        assert_eq!(decide(&[], &[], 1, None, 9, false), (1, Some(Reason::FirstCopy)));
        assert_eq!(decide(&[tail(1, 1)], &[], 1, None, 9, false), (2, Some(Reason::FirstCopy)));
        assert_eq!(decide(&h, &[], 1, Some(3), 9, false), (4, None));
        assert_eq!(decide(&h, &[], 1, Some(3), 9, true), (4, Some(Reason::Asked)));
        assert_eq!(decide(&h, &[], 1, Some(3), 2, false), (4, Some(Reason::ChainLong)));
        assert_eq!(decide(&h, &[], 1, Some(3), 3, false), (4, None));
        assert_eq!(decide(&h, &[], 1, None, 9, false), (4, Some(Reason::NoPageTable)));
        assert_eq!(decide(&h, &[], 2, Some(3), 9, false), (1, Some(Reason::NewEpoch)));
        assert_eq!(decide(&tail2, &[], 2, Some(3), 9, false), (2, Some(Reason::NewEpoch)));
        assert_eq!(decide(&h[1..], &[&f], 1, Some(3), 9, false), (4, Some(Reason::ChainDamaged)));
        assert_eq!(decide(&h[..2], &[&third], 1, Some(3), 9, false), (4, Some(Reason::ChainDamaged)));
        assert_eq!(decide(&h[..2], &[&third], 1, Some(2), 9, false), (4, None));
        assert_eq!(decide(&[], &[&f], 1, None, 9, false), (2, Some(Reason::ChainDamaged)));
        assert_eq!(decide(&[full(OTHER, 1, 1)], &[], 1, Some(1), 9, false), (2, Some(Reason::OtherDatabase)));
    }
}
