//! Does the follower have to be seeded with a full copy, or can it go on?

use uuid::Uuid;

use super::facts::State;
use crate::model::Lsn;
use crate::text;
use crate::text::Text;

/// Why a full copy is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// There is no database there.
    Missing,
    /// It does not wait for backups, though it is not in use either: closed, damaged.
    NotFollowing,
    /// It is a copy of another database.
    OtherFamily,
    /// Main went another way since.
    Fork,
    /// Main keeps no log and its differentials have another base.
    Base,
    /// How far it is cannot be told.
    NoPosition,
}

/// What the follower's side shows.
#[derive(Clone, Copy, Debug)]
pub struct Follows<'a> {
    /// Its state; `None`: there is no such database.
    pub state: Option<&'a State>,
    /// Where it waits, as `redo` found it.
    pub redo: Option<(Lsn, Option<Uuid>)>,
    /// Family that it was seeded with (the server does not say it of a closed database).
    pub family: Option<Uuid>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It can go on.
    No,
    /// A full copy.
    Seed(Seed),
    /// It is open for programs: somebody promoted or recovered it. Nothing may be written over it.
    Promoted,
}

/// Decides, with main open.
pub fn seed_needed(main: &State, follower: Follows<'_>) -> Need {
    let Some(state) = follower.state else { return Need::Seed(Seed::Missing) };
    if state.open() {
        return Need::Promoted;
    }
    if !state.follows() {
        return Need::Seed(Seed::NotFollowing);
    }
    if let (Some(main), Some(own)) = (main.family, state.family.or(follower.family))
        && main != own
    {
        return Need::Seed(Seed::OtherFamily);
    }
    let Some((at, fork)) = follower.redo else { return Need::Seed(Seed::NoPosition) };
    // After a fail-back by the log main begins its new fork exactly where the follower waits on the old one.
    let forked_there = main.logged() && main.fork_point == Some(at);
    if fork.is_none() || (fork != main.fork && !forked_there) {
        return Need::Seed(Seed::Fork);
    }
    if !main.logged() && (main.base.is_none() || main.base != state.base) {
        return Need::Seed(Seed::Base);
    }
    Need::No
}

impl Seed {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            Seed::Missing => text!("el respaldo no tiene la base", "the backup does not have the database"),
            Seed::NotFollowing => {
                text!("la base del respaldo no está en espera", "the backup's database does not wait for copies")
            }
            Seed::OtherFamily => text!("el respaldo tiene otra base", "the backup has another database"),
            Seed::Fork => text!("el principal siguió otra línea de recuperación", "main went another recovery path"),
            Seed::Base => {
                text!("los diferenciales parten de otro respaldo completo", "the differentials start from another full backup")
            }
            Seed::NoPosition => text!("no se sabe hasta dónde llega el respaldo", "it is not known how far the backup is"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::follow::tests::id;
    use super::super::tests::state;
    use super::*;
    use crate::server::sqlserver::decide::Condition;
    use crate::server::sqlserver::statements::Model;

    type Change = fn(&mut State, &mut State, &mut Option<(Lsn, Option<Uuid>)>, &mut Option<Uuid>);

    #[test]
    fn when_a_follower_needs_a_seed() {
        let seed = Need::Seed;
        let table: [(&str, Change, Need); 15] = [
            ("it goes on", |_, _, _, _| {}, Need::No),
            ("readable", |_, s, _, _| (s.condition, s.in_standby) = (Condition::Online, true), Need::No),
            ("promoted", |_, s, _, _| s.condition = Condition::Online, Need::Promoted),
            ("offline", |_, s, _, _| s.condition = Condition::Offline, seed(Seed::NotFollowing)),
            ("suspect", |_, s, _, _| s.condition = Condition::Suspect, seed(Seed::NotFollowing)),
            ("other family", |_, s, _, _| s.family = Some(id(9)), seed(Seed::OtherFamily)),
            ("other family, as kept", |_, s, _, f| (s.family, *f) = (None, Some(id(9))), seed(Seed::OtherFamily)),
            ("family not told", |_, s, _, f| (s.family, *f) = (None, None), Need::No),
            ("other fork", |m, _, _, _| m.fork = Some(id(9)), seed(Seed::Fork)),
            (
                "main forked where it waits",
                |m, _, r, _| (m.fork, m.fork_point, *r) = (Some(id(9)), Some(Lsn(150)), Some((Lsn(150), Some(id(2))))),
                Need::No,
            ),
            ("main forked before", |m, _, _, _| (m.fork, m.fork_point) = (Some(id(9)), Some(Lsn(149))), seed(Seed::Fork)),
            ("fork not told", |_, _, r, _| *r = Some((Lsn(5), None)), seed(Seed::Fork)),
            ("no position", |_, _, r, _| *r = None, seed(Seed::NoPosition)),
            ("FULL with another base", |m, _, _, _| m.base = Some(id(9)), Need::No),
            ("SIMPLE with another base", |m, _, _, _| (m.model, m.base) = (Model::Simple, Some(id(9))), seed(Seed::Base)),
        ];
        for (what, change, expected) in table {
            let mut main = state();
            let mut standby = State { condition: Condition::Restoring, ..state() };
            let (mut redo, mut family) = (Some((Lsn(150), Some(id(2)))), Some(id(1)));
            change(&mut main, &mut standby, &mut redo, &mut family);
            assert_eq!(seed_needed(&main, Follows { state: Some(&standby), redo, family }), expected, "{what}");
        }
        let nothing = Follows { state: None, redo: None, family: None };
        assert_eq!(seed_needed(&state(), nothing), seed(Seed::Missing));
    }

    #[test]
    fn reasons_are_said_in_both_languages() {
        for why in [Seed::Missing, Seed::NotFollowing, Seed::OtherFamily, Seed::Fork, Seed::Base, Seed::NoPosition] {
            let words = why.text();
            assert!(!words.es.is_empty() && words.es != words.en, "{why:?}");
        }
    }
}
