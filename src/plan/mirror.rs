//! Full copy or increment? An increment only where the newest chain is whole and the server knows exactly where it ends.

use serde::{Deserialize, Serialize};

use crate::model::{CopyKind, DatabaseId, Epoch, Hash, Listed, Mark, Next, Position};
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
    /// The server's own chain of backups was cut: another program backs it up, or its recovery model was changed.
    ChainBroken,
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
            Reason::ChainBroken => text!(
                "la cadena de respaldos de SQL Server se cortó (otro programa respalda la base, o cambió su modelo de recuperación)",
                "SQL Server's chain of backups was cut (another program backs the database up, or its recovery model changed)"
            ),
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
            Reason::ChainBroken => "chain broken",
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
    /// What changed since `base`.
    Increment {
        /// Since the copy before, or (differential) since the full copy.
        kind: CopyKind,
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
    /// What can the server make that goes on from the newest copy?
    pub next: &'a dyn Fn(&Position, CopyKind) -> Next,
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
    let first = found.apply.first().and_then(|name| of_epoch.iter().find(|c| c.manifest.name == *name));
    match ((facts.next)(&base, last.manifest.kind), first) {
        (Next::Increment, _) => MirrorPlan::Increment { kind: CopyKind::Increment, base, sequence, previous: last.hash },
        (Next::Differential, Some(full)) => {
            let (base, previous) = (full.manifest.to.clone(), full.hash);
            MirrorPlan::Increment { kind: CopyKind::Differential, base, sequence, previous }
        }
        _ if !found.gaps.is_empty() => seed(Reason::ChainDamaged),
        _ => seed(match base.mark {
            Mark::Pages { .. } => Reason::NoPageTable,
            Mark::Log { .. } => Reason::ChainBroken,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::chain::tests::{DB, OTHER, full, history, logged, name_of, tail};

    fn decide(copies: &[Listed], damaged: &[&str], epoch: u64, at: Option<u64>, max: u64, full: bool) -> (u64, Option<Reason>) {
        let damaged: Vec<_> = damaged.iter().map(|n| ((*n).to_owned(), Text::same("x"))).collect();
        let next = |p: &Position, _: CopyKind| if Some(p.sequence) == at { Next::Increment } else { Next::Full };
        let epoch = Epoch(epoch);
        match mirror(&MirrorFacts {
            copies,
            damaged: &damaged,
            database: DB,
            epoch,
            next: &next,
            used: 0,
            max_increments: max,
            full,
        }) {
            MirrorPlan::Seed { sequence, reason } => (sequence, Some(reason)),
            MirrorPlan::Increment { base, sequence, previous, .. } => {
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

    #[test]
    fn what_sql_server_can_make_next() {
        let ask = |copies: &[Listed], next: Next| {
            let facts = MirrorFacts {
                copies,
                damaged: &[],
                database: DB,
                epoch: Epoch(1),
                next: &|_, _| next,
                used: 0,
                max_increments: 9,
                full: false,
            };
            mirror(&facts)
        };
        let copies = logged("FII");
        assert!(
            matches!(ask(&copies, Next::Increment), MirrorPlan::Increment { kind: CopyKind::Increment, base, sequence: 4, .. } if base == copies[2].manifest.to)
        );
        assert!(
            matches!(ask(&copies, Next::Differential), MirrorPlan::Increment { kind: CopyKind::Differential, base, sequence: 4, previous } if base == copies[0].manifest.to && previous == copies[0].hash)
        );
        assert_eq!(ask(&copies, Next::Full), MirrorPlan::Seed { sequence: 4, reason: Reason::ChainBroken });
    }
}
