//! Which copy comes next, and whether somebody else has moved main's chain of backups meanwhile.

use uuid::Uuid;

use super::facts::State;
use super::sets::{Header, SetKind, Taken};
use crate::model::Lsn;
use crate::text;
use crate::text::Text;

/// Where the newest copy ends: what the next one has to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Kind of that copy.
    pub kind: SetKind,
    /// The LSN after its end.
    pub lsn: Lsn,
    /// The fork at its end.
    pub fork: Uuid,
    /// The full copy at the beginning of its chain.
    pub base: Uuid,
    /// Its family.
    pub family: Option<Uuid>,
}

/// What is known when a copy is to be taken.
#[derive(Clone, Copy, Debug)]
pub struct CopyFacts<'a> {
    /// The open database.
    pub main: &'a State,
    /// The end of the newest copy; `None`: there is none.
    pub end: Option<End>,
    /// Headers of our own log backups that still lie in the exchange folder.
    pub spool: &'a [Header],
}

/// The next copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextCopy {
    /// The log from `from` on.
    Log {
        /// Where the server will begin it: at the end of the newest copy, or before.
        from: Lsn,
    },
    /// The log was already backed up by us and not delivered: this file (by its place in `spool`) is the next copy.
    Spool(usize),
    /// What changed since the full copy.
    Differential(Why),
    /// Everything.
    Full(Why),
    /// None can be taken: the database is not open.
    NotOpen,
}

/// Why not simply the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no copy yet.
    First,
    /// It keeps no log.
    Simple,
    /// The database is another one.
    OtherFamily,
    /// Main was restored: it went another way.
    ForkChanged,
    /// Another full backup, or a snapshot, became the base of differentials.
    BaseMoved,
    /// FULL, but no full backup since: no log backup is possible (pseudo-simple).
    NoChain,
    /// Somebody else took a part of the log.
    ForeignLog,
    /// Main's log ends before the newest copy: an older state was put back.
    WentBack,
}

impl Why {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            Why::First => text!("todavía no hay copias", "there is no copy yet"),
            Why::Simple => text!("la base usa el modelo SIMPLE", "the database uses the SIMPLE model"),
            Why::OtherFamily => text!("es otra base", "it is another database"),
            Why::ForkChanged => {
                text!("la base fue restaurada después de la última copia", "the database was restored after the newest copy")
            }
            Why::BaseMoved => {
                text!(
                    "otro programa hizo un respaldo completo o una instantánea",
                    "another program took a full backup or a snapshot"
                )
            }
            Why::NoChain => {
                text!("la base todavía no tiene cadena de registro", "the database has no chain of log backups yet")
            }
            Why::ForeignLog => {
                text!("otro programa se llevó parte del registro", "another program took a part of the log")
            }
            Why::WentBack => {
                text!("la base volvió a un estado anterior a la última copia", "the database went back to before the newest copy")
            }
        }
    }
}

/// What others did to main's chain since the newest copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interference<'a> {
    /// A log backup that is not ours; who and where, as far as msdb knows.
    Log(Option<&'a Taken>),
    /// A full backup or snapshot that became the base of differentials.
    Base(Option<&'a Taken>),
    /// The database was restored.
    Fork,
    /// The chain ended: the model was switched to SIMPLE, or never began.
    Ended,
}

impl Interference<'_> {
    /// For people: who, where and when, as far as msdb knows.
    pub fn text(&self) -> Text {
        let who = |taken: &Option<&Taken>| match taken {
            Some(Taken { user, device, finished, .. }) => {
                let at = finished.as_deref().unwrap_or("?");
                text!("{user}, en {device}, {at}", "{user}, to {device}, {at}")
            }
            None => text!("msdb no dice quién", "msdb does not say who"),
        };
        match self {
            Interference::Log(taken) => {
                text!("otro programa se llevó parte del registro (@)", "another program took a part of the log (@)")
                    .fill(&who(taken))
            }
            Interference::Base(taken) if taken.is_some_and(|taken| taken.snapshot) => {
                text!("otro programa tomó una instantánea de la base (@)", "another program took a snapshot of the database (@)")
                    .fill(&who(taken))
            }
            Interference::Base(taken) => {
                text!("otro programa hizo un respaldo completo (@)", "another program took a full backup (@)").fill(&who(taken))
            }
            Interference::Fork => {
                text!("la base fue restaurada desde otro respaldo", "the database was restored from another backup")
            }
            Interference::Ended => text!(
                "la cadena de registro terminó: alguien cambió el modelo de recuperación",
                "the chain of log backups ended: somebody changed the recovery model"
            ),
        }
    }

    /// Does it make the next copy another one? In FULL a base that moved does not: the log goes on through it. It is still worth saying who
    /// backs the database up as well, while that is news.
    pub fn is_worth_saying(&self, main: &State) -> bool {
        match self {
            Interference::Base(who) => who.is_some() || !main.logged(),
            Interference::Ended => main.logged(),
            Interference::Log(_) | Interference::Fork => true,
        }
    }
}

/// Looks for interference. Two programs that back one database up spoil each other's chains; the person should know which.
pub fn interference<'a>(main: &State, end: &End, taken: &'a [Taken]) -> Vec<Interference<'a>> {
    let foreign = |fits: fn(&Taken) -> bool| taken.iter().rev().find(|backup| !backup.ours() && fits(backup));
    let mut found = Vec::new();
    if main.fork.is_some_and(|fork| fork != end.fork) {
        found.push(Interference::Fork);
    }
    if main.base != Some(end.base) {
        found.push(Interference::Base(foreign(Taken::moves_base)));
    }
    match main.next_log {
        None => found.push(Interference::Ended),
        Some(next) if next > end.lsn => {
            let log = foreign(|backup| backup.kind == Some(SetKind::Log) && !backup.copy_only);
            if log.is_some() || !taken.iter().any(|backup| backup.last == Some(next)) {
                found.push(Interference::Log(log));
            }
        }
        Some(_) => {}
    }
    found
}

/// Decides.
pub fn next_copy(facts: CopyFacts<'_>) -> NextCopy {
    let main = facts.main;
    if !main.open() {
        return NextCopy::NotOpen;
    }
    let Some(end) = facts.end else { return NextCopy::Full(Why::First) };
    if let (Some(here), Some(copied)) = (main.family, end.family)
        && here != copied
    {
        return NextCopy::Full(Why::OtherFamily);
    }
    if main.fork != Some(end.fork) {
        return NextCopy::Full(Why::ForkChanged);
    }
    let bridge = |why| if main.base == Some(end.base) { NextCopy::Differential(why) } else { NextCopy::Full(why) };
    if !main.logged() {
        return if main.base == Some(end.base) { NextCopy::Differential(Why::Simple) } else { NextCopy::Full(Why::BaseMoved) };
    }
    // In FULL a base that moved does not matter: the log goes on through it.
    match main.next_log {
        None => NextCopy::Full(Why::NoChain),
        // Where the newest copy is a log, the next one begins exactly at its end: somewhere before means that the whole computer was put
        // back to an older state. After a full copy or a differential it begins somewhere before their end.
        Some(next) if next < end.lsn && end.kind == SetKind::Log => NextCopy::Full(Why::WentBack),
        Some(next) if next <= end.lsn => NextCopy::Log { from: next },
        Some(_) => {
            let undelivered = facts.spool.iter().position(|file| file.covers(end.lsn) && file.first_fork == end.fork);
            undelivered.map_or_else(|| bridge(Why::ForeignLog), NextCopy::Spool)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::follow::tests::{header, id};
    use super::super::tests::state;
    use super::*;
    use crate::server::sqlserver::decide::Condition;
    use crate::server::sqlserver::statements::Model;

    fn end() -> End {
        End { kind: SetKind::Log, lsn: Lsn(200), fork: id(2), base: id(4), family: Some(id(1)) }
    }

    fn taken(name: &str, kind: SetKind, last: i128) -> Taken {
        Taken {
            id: 9,
            set: None,
            kind: Some(kind),
            copy_only: false,
            snapshot: false,
            first: Some(Lsn(last - 50)),
            last: Some(Lsn(last)),
            user: "sa".to_owned(),
            name: name.to_owned(),
            device: r"C:\x.bak".to_owned(),
            finished: None,
        }
    }

    type Change = fn(&mut State, &mut End);

    #[test]
    fn the_next_copy() {
        let full = NextCopy::Full;
        let differential = NextCopy::Differential;
        let table: [(&str, Change, NextCopy); 20] = [
            ("the log goes on", |_, _| {}, NextCopy::Log { from: Lsn(200) }),
            ("bulk-logged too", |m, _| m.model = Model::BulkLogged, NextCopy::Log { from: Lsn(200) }),
            (
                "after a full copy",
                |m, e| (e.kind, m.next_log) = (SetKind::Full, Some(Lsn(150))),
                NextCopy::Log { from: Lsn(150) },
            ),
            (
                "after a differential",
                |m, e| (e.kind, m.next_log) = (SetKind::Differential, Some(Lsn(200))),
                NextCopy::Log { from: Lsn(200) },
            ),
            ("FULL with a moved base", |m, _| m.base = Some(id(5)), NextCopy::Log { from: Lsn(200) }),
            ("put back with the machine", |m, _| m.next_log = Some(Lsn(199)), full(Why::WentBack)),
            ("foreign log backup", |m, _| m.next_log = Some(Lsn(201)), differential(Why::ForeignLog)),
            (
                "foreign log backup, moved base",
                |m, _| (m.next_log, m.base) = (Some(Lsn(201)), Some(id(5))),
                full(Why::ForeignLog),
            ),
            ("pseudo-simple", |m, _| m.next_log = None, full(Why::NoChain)),
            ("pseudo-simple, never backed up", |m, _| (m.next_log, m.base) = (None, None), full(Why::NoChain)),
            ("simple", |m, _| (m.model, m.next_log) = (Model::Simple, None), differential(Why::Simple)),
            (
                "simple, moved base",
                |m, _| (m.model, m.next_log, m.base) = (Model::Simple, None, Some(id(5))),
                full(Why::BaseMoved),
            ),
            ("simple, no base", |m, _| (m.model, m.next_log, m.base) = (Model::Simple, None, None), full(Why::BaseMoved)),
            ("restored meanwhile", |m, _| m.fork = Some(id(9)), full(Why::ForkChanged)),
            ("fork not told", |m, _| m.fork = None, full(Why::ForkChanged)),
            ("another database", |m, _| m.family = Some(id(8)), full(Why::OtherFamily)),
            ("family not told", |m, _| m.family = None, NextCopy::Log { from: Lsn(200) }),
            ("offline", |m, _| m.condition = Condition::Offline, NextCopy::NotOpen),
            ("fenced", |m, _| m.condition = Condition::Restoring, NextCopy::NotOpen),
            ("readable standby", |m, _| m.in_standby = true, NextCopy::NotOpen),
        ];
        for (what, change, expected) in table {
            let (mut main, mut end) = (state(), end());
            change(&mut main, &mut end);
            let facts = CopyFacts { main: &main, end: Some(end), spool: &[] };
            assert_eq!(next_copy(facts), expected, "{what}");
        }
        let main = state();
        assert_eq!(next_copy(CopyFacts { main: &main, end: None, spool: &[] }), full(Why::First));
    }

    #[test]
    fn our_own_undelivered_log_is_the_next_copy() {
        let main = State { next_log: Some(Lsn(300)), ..state() };
        let other = Header { first_fork: id(9), ..header(SetKind::Log, 150, 300) };
        let next = |spool: &[Header]| next_copy(CopyFacts { main: &main, end: Some(end()), spool });
        assert_eq!(next(&[header(SetKind::Log, 100, 200), header(SetKind::Log, 200, 300)]), NextCopy::Spool(1));
        assert_eq!(next(&[header(SetKind::Log, 150, 300)]), NextCopy::Spool(0));
        let bridge = NextCopy::Differential(Why::ForeignLog);
        assert_eq!(next(&[header(SetKind::Log, 250, 300)]), bridge);
        assert_eq!(next(&[header(SetKind::Differential, 100, 300)]), bridge);
        assert_eq!(next(&[other]), bridge);
    }

    #[test]
    fn who_else_backs_it_up() {
        let ours = taken("relevo log 7", SetKind::Log, 300);
        let theirs = taken("Ola", SetKind::Log, 300);
        let whole = Taken { snapshot: true, ..taken("Veeam", SetKind::Full, 300) };
        let copy = Taken { copy_only: true, ..whole.clone() };
        let moved = State { next_log: Some(Lsn(300)), ..state() };
        let based = State { base: Some(id(5)), ..state() };
        assert_eq!(interference(&state(), &end(), &[]), []);
        assert_eq!(interference(&moved, &end(), std::slice::from_ref(&ours)), []);
        assert_eq!(interference(&moved, &end(), &[ours, theirs.clone()]), [Interference::Log(Some(&theirs))]);
        assert_eq!(interference(&moved, &end(), &[]), [Interference::Log(None)]);
        assert_eq!(interference(&based, &end(), &[whole.clone(), copy]), [Interference::Base(Some(&whole))]);
        let gone = State { fork: Some(id(9)), next_log: None, ..state() };
        assert_eq!(interference(&gone, &end(), &[]), [Interference::Fork, Interference::Ended]);
    }

    #[test]
    fn reasons_are_said_in_both_languages() {
        for why in [
            Why::First,
            Why::Simple,
            Why::OtherFamily,
            Why::ForkChanged,
            Why::BaseMoved,
            Why::NoChain,
            Why::ForeignLog,
            Why::WentBack,
        ] {
            let words = why.text();
            assert!(!words.es.is_empty() && words.es != words.en, "{why:?}");
        }
    }
}
