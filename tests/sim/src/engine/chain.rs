//! May this backup set be restored onto that database? By LSN, recovery fork and differential base, never by names or times.
//! Pure: the rules of RESTORE, with the numbers that it answers.

use super::{
    backupfile::{Header, Kind},
    lsn::Lsn,
    messages::{Fault, fault},
    state::{Boot, Fork},
};

/// What RESTORE does with a set that may be applied.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Redo from where the database is up to the end of the set.
    Redo,
    /// The set holds nothing new, and that is no error: an empty log backup at the very place.
    Nothing,
}

/// Judges a log or differential backup against a database that is between restores.
pub fn judge(header: &Header, boot: &Boot) -> Result<Verdict, Fault> {
    let at = boot.head;
    match header.kind {
        Kind::Full => Ok(Verdict::Redo),
        Kind::Log => {
            if header.family != boot.family_guid {
                return Err(fault(3154, &[&boot.name]));
            }
            let empty = header.first == header.last && header.last == at;
            if header.last <= at && !empty {
                return Err(fault(4326, &[&header.last.to_string(), &at.to_string()]));
            }
            if header.first > at {
                return Err(fault(4305, &[&header.first.to_string(), &at.to_string()]));
            }
            same_path(boot, header)?;
            Ok(if empty { Verdict::Nothing } else { Verdict::Redo })
        }
        Kind::Differential => {
            if boot.base.as_ref().is_none_or(|base| Some(base.guid) != header.base_guid) {
                return Err(fault(3136, &[]));
            }
            if header.last < at {
                return Err(fault(3120, &[]));
            }
            same_path(boot, header)?;
            Ok(Verdict::Redo)
        }
    }
}

/// Does the path of the set go through where the database is?
fn same_path(boot: &Boot, header: &Header) -> Result<(), Fault> {
    if on_path(&header.forks, boot) { Ok(()) } else { Err(fault(4330, &[])) }
}

/// A path goes through a point of a fork when it contains the fork and leaves it only at the point or later.
fn on_path(path: &[Fork], boot: &Boot) -> bool {
    let Some(at) = path.iter().position(|fork| fork.id == boot.fork()) else { return false };
    let leaves: Option<Lsn> = path.get(at + 1).map(|fork| fork.from);
    path[at].from <= boot.head && leaves.is_none_or(|from| from >= boot.head)
}

/// The part of a path that leads to a point: a fork that begins exactly there has begun.
pub fn path_up_to(path: &[Fork], point: Lsn) -> Vec<Fork> {
    let mut kept: Vec<Fork> = path.iter().filter(|fork| fork.from <= point).cloned().collect();
    if kept.is_empty() {
        kept.extend(path.first().cloned());
    }
    kept
}
