//! May this backup be applied to that follower? Decided from headers before the server is asked, so that every answer has its reason and
//! nothing is tried that would leave a half-done restore. Rules: the "Decision for a LOG file / DIFFERENTIAL" of Microsoft's chain.

use uuid::Uuid;

use super::sets::{Header, SetKind};
use crate::model::Lsn;
use crate::text;
use crate::text::Text;

/// The database that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Major version of its server.
    pub major: u32,
    /// RESTORING or readable standby.
    pub follows: bool,
    /// Family of what it was seeded with.
    pub family: Uuid,
    /// It waits for a log from here on; `None`: not known.
    pub redo: Option<Lsn>,
    /// On this fork.
    pub fork: Option<Uuid>,
    /// Base of the differentials that it takes.
    pub base: Option<Uuid>,
    /// LSN of that base.
    pub base_lsn: Option<Lsn>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Apply it.
    Apply,
    /// It is in already.
    AlreadyApplied,
    /// Something between is missing: a log that covers `need`, else a differential, else a full copy.
    Gap {
        /// Where the follower stands.
        need: Lsn,
    },
    /// The follower has to be seeded again.
    Reseed(Reseed),
    /// This file is not for it.
    Reject(Reject),
    /// Somebody recovered the follower, or its place is not known: nothing may be applied before that is clear.
    Stop,
}

/// Why a follower has to be seeded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reseed {
    /// The other server went another way: it was restored, or recovered elsewhere.
    Fork,
    /// The differential starts from another full backup: another program took one.
    OtherBase,
}

/// Why a file is not for a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Of another database.
    OtherDatabase,
    /// Not of this kind.
    OtherKind,
    /// Not alone in its file.
    NotAlone,
    /// The database was damaged when it was taken.
    Damaged,
    /// A snapshot: its content lies elsewhere.
    Snapshot,
    /// Of a newer server.
    Newer,
}

impl Verdict {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            Verdict::Apply => text!("sigue a lo aplicado", "it follows what is applied"),
            Verdict::AlreadyApplied => text!("ya está aplicado", "it is applied already"),
            Verdict::Gap { need } => {
                text!("falta el registro desde {need}", "the log from {need} on is missing")
            }
            Verdict::Reseed(Reseed::Fork) => text!("es de otra línea de recuperación", "it is of another recovery path"),
            Verdict::Reseed(Reseed::OtherBase) => {
                text!("parte de otro respaldo completo", "it starts from another full backup")
            }
            Verdict::Reject(Reject::OtherDatabase) => text!("es de otra base", "it is of another database"),
            Verdict::Reject(Reject::OtherKind) => text!("es de otro tipo", "it is of another kind"),
            Verdict::Reject(Reject::NotAlone) => text!("no está solo en su archivo", "it is not alone in its file"),
            Verdict::Reject(Reject::Damaged) => {
                text!("se tomó de una base dañada", "it was taken of a damaged database")
            }
            Verdict::Reject(Reject::Snapshot) => text!("es una instantánea (VSS)", "it is a snapshot (VSS)"),
            Verdict::Reject(Reject::Newer) => {
                text!("es de un SQL Server más nuevo", "it is of a newer SQL Server")
            }
            Verdict::Stop => text!("la base ya no está en espera", "the database does not wait any more"),
        }
    }
}

fn fits(header: &Header, kind: SetKind, follower: &Follower) -> Result<Lsn, Verdict> {
    let reject = |why| Err(Verdict::Reject(why));
    if header.family != follower.family {
        return reject(Reject::OtherDatabase);
    }
    if header.kind != kind {
        return reject(Reject::OtherKind);
    }
    if header.position != 1 {
        return reject(Reject::NotAlone);
    }
    if header.damaged {
        return reject(Reject::Damaged);
    }
    if header.snapshot {
        return reject(Reject::Snapshot);
    }
    if follower.major < header.major {
        return reject(Reject::Newer);
    }
    if !follower.follows {
        return Err(Verdict::Stop);
    }
    follower.redo.ok_or(Verdict::Stop)
}

/// A log backup.
pub fn log(header: &Header, follower: &Follower) -> Verdict {
    let at = match fits(header, SetKind::Log, follower) {
        Ok(at) => at,
        Err(verdict) => return verdict,
    };
    if header.last <= at {
        return Verdict::AlreadyApplied; // the server would answer 4326
    }
    if header.first > at {
        return Verdict::Gap { need: at }; // 4305
    }
    // It covers the place. The fork decides: the follower is on the one where the file begins, or past the change of forks inside it.
    let past_fork = header.fork_point.is_some_and(|point| at >= point) && follower.fork == Some(header.fork);
    let before_it = follower.fork == Some(header.first_fork) && !left_behind(header, follower, at);
    if before_it || past_fork { Verdict::Apply } else { Verdict::Reseed(Reseed::Fork) }
}

/// The file leaves the follower's fork at a point that the follower is past: main was put back to before that and went on differently.
fn left_behind(header: &Header, follower: &Follower, at: Lsn) -> bool {
    let leaves = header.fork != header.first_fork && follower.fork == Some(header.first_fork);
    leaves && header.fork_point.is_none_or(|point| point < at)
}

/// A differential: it takes the place of all logs and differentials since its base.
pub fn differential(header: &Header, follower: &Follower) -> Verdict {
    let at = match fits(header, SetKind::Differential, follower) {
        Ok(at) => at,
        Err(verdict) => return verdict,
    };
    let same_lsn = header.base_lsn.is_none() || follower.base_lsn.is_none() || header.base_lsn == follower.base_lsn;
    if header.base.is_none() || header.base != follower.base || !same_lsn {
        return Verdict::Reseed(Reseed::OtherBase); // 3136
    }
    if header.last <= at {
        return Verdict::AlreadyApplied;
    }
    // A fork that it never was on may still be one that follows its own: the server judges (4330).
    if left_behind(header, follower, at) { Verdict::Reseed(Reseed::Fork) } else { Verdict::Apply }
}

/// Did a restore do what its header promised? A success code alone is no proof.
pub fn advanced(before: Option<Lsn>, after: Option<Lsn>, header: &Header) -> bool {
    match (before, after) {
        (_, Some(after)) if after == header.last => true,
        (Some(before), Some(after)) => after > before,
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    pub(crate) fn header(kind: SetKind, first: i128, last: i128) -> Header {
        Header {
            kind,
            position: 1,
            name: Some("relevo".to_owned()),
            database: "BDPdv".to_owned(),
            version: 904,
            major: 15,
            first: Lsn(first),
            last: Lsn(last),
            checkpoint: Lsn(first),
            family: id(1),
            first_fork: id(2),
            fork: id(2),
            fork_point: None,
            base: (kind == SetKind::Differential).then(|| id(4)),
            base_lsn: None,
            set: Some(id(u128::try_from(last).unwrap())),
            bytes: 1 << 20,
            model: Some("FULL".to_owned()),
            begins_chain: false,
            copy_only: false,
            snapshot: false,
            damaged: false,
            single_user: false,
            checksums: true,
            incomplete: false,
            tail: false,
        }
    }

    fn follower(redo: i128) -> Follower {
        Follower {
            major: 15,
            follows: true,
            family: id(1),
            redo: Some(Lsn(redo)),
            fork: Some(id(2)),
            base: Some(id(4)),
            base_lsn: Some(Lsn(40)),
        }
    }

    type Change = fn(&mut Header, &mut Follower);

    #[test]
    fn log_by_place() {
        for (first, last, redo, expected) in [
            (100, 200, 100, Verdict::Apply),
            (100, 200, 150, Verdict::Apply), // begins before: taken while the full backup ran
            (100, 200, 199, Verdict::Apply),
            (100, 200, 200, Verdict::AlreadyApplied), // off by one here kept others in a loop
            (100, 200, 201, Verdict::AlreadyApplied),
            (100, 200, 99, Verdict::Gap { need: Lsn(99) }),
            (100, 100, 100, Verdict::AlreadyApplied), // an empty log backup
            (100, 100, 99, Verdict::Gap { need: Lsn(99) }),
        ] {
            assert_eq!(log(&header(SetKind::Log, first, last), &follower(redo)), expected, "{first}-{last} at {redo}");
        }
    }

    #[test]
    fn log_by_fork() {
        let table: [(&str, Change, Verdict); 9] = [
            ("same fork", |_, _| {}, Verdict::Apply),
            ("forks inside, follower before it", |h, _| (h.fork, h.fork_point) = (id(3), Some(Lsn(180))), Verdict::Apply),
            (
                "forks inside, follower past it on the new fork",
                |h, f| (h.fork, h.fork_point, f.fork) = (id(3), Some(Lsn(150)), Some(id(3))),
                Verdict::Apply,
            ),
            (
                "forks inside, follower says the new fork but is before the point",
                |h, f| (h.fork, h.fork_point, f.fork) = (id(3), Some(Lsn(180)), Some(id(3))),
                Verdict::Reseed(Reseed::Fork),
            ),
            (
                "forks inside, follower past it on the old fork",
                |h, _| (h.fork, h.fork_point) = (id(3), Some(Lsn(149))),
                Verdict::Reseed(Reseed::Fork),
            ),
            (
                "forks inside, exactly where the follower is",
                |h, _| (h.fork, h.fork_point) = (id(3), Some(Lsn(150))),
                Verdict::Apply,
            ),
            ("forks inside, not said where", |h, _| h.fork = id(3), Verdict::Reseed(Reseed::Fork)),
            ("another fork", |_, f| f.fork = Some(id(9)), Verdict::Reseed(Reseed::Fork)),
            ("fork unknown", |_, f| f.fork = None, Verdict::Reseed(Reseed::Fork)),
        ];
        for (what, change, expected) in table {
            let (mut header, mut follower) = (header(SetKind::Log, 100, 200), follower(150));
            change(&mut header, &mut follower);
            assert_eq!(log(&header, &follower), expected, "{what}");
        }
    }

    #[test]
    fn files_that_are_not_for_it() {
        let table: [(Change, Verdict); 9] = [
            (|h, _| h.family = id(7), Verdict::Reject(Reject::OtherDatabase)),
            (|h, _| h.kind = SetKind::Partial, Verdict::Reject(Reject::OtherKind)),
            (|h, _| h.position = 2, Verdict::Reject(Reject::NotAlone)),
            (|h, _| h.damaged = true, Verdict::Reject(Reject::Damaged)),
            (|h, _| h.snapshot = true, Verdict::Reject(Reject::Snapshot)),
            (|h, _| h.major = 16, Verdict::Reject(Reject::Newer)),
            (|_, f| f.follows = false, Verdict::Stop),
            (|_, f| f.redo = None, Verdict::Stop),
            (|h, f| (h.family, f.follows) = (id(7), false), Verdict::Reject(Reject::OtherDatabase)),
        ];
        for (change, expected) in table {
            for (kind, decide) in
                [(SetKind::Log, log as fn(&Header, &Follower) -> Verdict), (SetKind::Differential, differential)]
            {
                let (mut header, mut follower) = (header(kind, 100, 200), follower(150));
                change(&mut header, &mut follower);
                assert_eq!(decide(&header, &follower), expected, "{kind:?} {header:?}");
                let words = expected.text();
                assert!(!words.es.is_empty() && words.es != words.en);
            }
        }
        let older = Follower { major: 16, ..follower(150) }; // a newer follower takes it
        assert_eq!(log(&header(SetKind::Log, 100, 200), &older), Verdict::Apply);
        assert_eq!(log(&header(SetKind::Differential, 100, 200), &older), Verdict::Reject(Reject::OtherKind));
    }

    #[test]
    fn differential_by_base() {
        let table: [(&str, Change, Verdict); 9] = [
            ("same base", |_, _| {}, Verdict::Apply),
            ("same base and LSN", |h, _| h.base_lsn = Some(Lsn(40)), Verdict::Apply),
            ("same base, other LSN", |h, _| h.base_lsn = Some(Lsn(41)), Verdict::Reseed(Reseed::OtherBase)),
            ("other base", |h, _| h.base = Some(id(5)), Verdict::Reseed(Reseed::OtherBase)),
            ("no base", |h, f| (h.base, f.base) = (None, None), Verdict::Reseed(Reseed::OtherBase)),
            ("older than what is applied", |_, f| f.redo = Some(Lsn(200)), Verdict::AlreadyApplied),
            (
                "main was put back to before it",
                |h, _| (h.fork, h.fork_point) = (id(3), Some(Lsn(140))),
                Verdict::Reseed(Reseed::Fork),
            ),
            ("of a fork that it was never on", |h, _| (h.fork, h.first_fork) = (id(3), id(3)), Verdict::Apply),
            ("over a gap", |_, f| f.redo = Some(Lsn(50)), Verdict::Apply),
        ];
        for (what, change, expected) in table {
            let (mut header, mut follower) = (header(SetKind::Differential, 100, 200), follower(150));
            change(&mut header, &mut follower);
            assert_eq!(differential(&header, &follower), expected, "{what}");
        }
    }

    #[test]
    fn a_success_code_is_no_proof() {
        let header = header(SetKind::Log, 100, 200);
        for (before, after, done) in [
            (Some(150), Some(200), true),
            (None, Some(200), true),
            (Some(150), Some(199), true),
            (Some(150), Some(150), false),
            (Some(150), Some(120), false),
            (None, Some(150), false),
            (Some(150), None, false),
        ] {
            assert_eq!(advanced(before.map(Lsn), after.map(Lsn), &header), done, "{before:?} {after:?}");
        }
    }
}
