//! Rows that the statements select become facts, and strange ones are refused.

use super::follow::tests::id;
use super::{Access, Condition, Header, Restored, SetKind, State, Taken, redo};
use crate::model::Lsn;
use crate::server::sqlserver::rows::{Cell, Row};
use crate::server::sqlserver::statements::{self, Model};

/// An open main database whose log goes on at 200.
pub(crate) fn state() -> State {
    State {
        condition: Condition::Online,
        in_standby: false,
        model: Model::Full,
        access: Access::Multi,
        read_only: false,
        auto_close: false,
        async_statistics: false,
        trustworthy: false,
        broker: false,
        broker_priority: false,
        encrypted: false,
        compatibility: 150,
        collation: Some("Modern_Spanish_CI_AS".to_owned()),
        page_verify: "CHECKSUM".to_owned(),
        log_reuse_wait: "NOTHING".to_owned(),
        owner: Some("sa".to_owned()),
        family: Some(id(1)),
        next_log: Some(Lsn(200)),
        fork: Some(id(2)),
        fork_point: None,
        file: Some("C:\\BDPdv.mdf".to_owned()),
        redo: None,
        redo_fork: None,
        base: Some(id(4)),
        base_lsn: Some(Lsn(40)),
    }
}

/// A row with every column of a statement: what `said` says, NULL else. Fails where `said` names a column that is not sent.
fn row(columns: &[statements::Column], said: &[(&str, &str)]) -> Row {
    for (name, _) in said {
        assert!(columns.iter().any(|column| column.name == *name), "{name} is not selected");
    }
    let cell = |column: &statements::Column| {
        let words = said.iter().find(|(name, _)| *name == column.name).map(|(_, words)| Cell::Words((*words).to_owned()));
        (column.name.to_owned(), words.unwrap_or(Cell::Null))
    };
    columns.iter().map(cell).collect()
}

fn database() -> statements::DatabaseName {
    statements::DatabaseName::new("BDPdv").unwrap()
}

const ONE: &str = "00000000-0000-0000-0000-000000000001";
const TWO: &str = "00000000-0000-0000-0000-000000000002";

#[test]
fn a_state_is_read_from_its_row() {
    let statement = statements::state(&database());
    let plain = [
        ("state", "RESTORING"),
        ("recovery_model", "FULL"),
        ("user_access", "SINGLE_USER"),
        ("compatibility", "150"),
        ("redo_start_lsn", "45000000003200001"),
        ("redo_start_fork_guid", TWO),
        ("differential_base_guid", ONE),
    ];
    let state = State::of_row(&row(statement.columns(), &plain)).unwrap();
    assert_eq!((state.condition, state.access, state.model), (Condition::Restoring, Access::Single, Model::Full));
    assert_eq!((state.redo, state.redo_fork, state.base), (Some(Lsn(45_000_000_003_200_001)), Some(id(2)), Some(id(1))));
    assert!(state.follows() && !state.open() && state.logged());
    let log = state.log_state(15, state.redo);
    assert_eq!((log.redo, log.fork, log.major), (state.redo, Some(id(2)), 15));
    for (column, strange) in [("recovery_model", "HALF"), ("user_access", ""), ("compatibility", "x"), ("redo_start_lsn", "-1")] {
        let mut said = plain;
        said.iter_mut().find(|(name, _)| *name == column).unwrap().1 = strange;
        assert_eq!(State::of_row(&row(statement.columns(), &said)).unwrap_err().kind, "sql_answer", "{column}");
    }
    for (words, condition) in [("SUSPECT", Condition::Suspect), ("COPYING", Condition::Other), ("OFFLINE", Condition::Offline)] {
        let mut said = plain;
        said[0].1 = words;
        let state = State::of_row(&row(statement.columns(), &said)).unwrap();
        assert!(state.condition == condition && !state.follows() && !state.open());
        assert_eq!(state.log_state(15, state.redo).redo, None);
    }
}

#[test]
fn a_header_is_read_from_its_row() {
    let from = statements::Devices::one(statements::ServerPath::new("/a").unwrap());
    let statement = statements::header(&from);
    let plain = [
        ("BackupType", "2"),
        ("Position", "1"),
        ("DatabaseName", "BDPdv"),
        ("DatabaseVersion", "904"),
        ("SoftwareVersionMajor", "15"),
        ("FirstLSN", "100"),
        ("LastLSN", "200"),
        ("CheckpointLSN", "0"),
        ("FamilyGUID", ONE),
        ("RecoveryForkID", TWO),
        ("IsForceOffline", "1"),
        ("BackupSize", "1024"),
    ];
    let header = Header::of_row(&row(statement.columns(), &plain)).unwrap();
    assert_eq!((header.kind, header.first, header.last, header.tail), (SetKind::Log, Lsn(100), Lsn(200), true));
    assert_eq!((header.first_fork, header.fork, header.fork_point, header.bytes), (id(2), id(2), None, 1024));
    assert!(header.covers(Lsn(100)) && header.covers(Lsn(199)) && !header.covers(Lsn(200)) && !header.covers(Lsn(99)));
    for (at, strange) in [(0, "9"), (5, ""), (8, "x"), (9, "00000000-0000-0000-0000-000000000000")] {
        let mut said = plain;
        said[at].1 = strange;
        assert!(Header::of_row(&row(statement.columns(), &said)).is_err(), "{}", said[at].0);
    }
}

#[test]
fn histories_are_read_from_their_rows() {
    let statement = statements::backups_since(&database(), crate::model::Lsn(0));
    let said = [("backup_set_id", "7"), ("type", "D"), ("set_name", "Veeam"), ("snapshot", "1"), ("last_lsn", "9")];
    let taken = Taken::of_row(&row(statement.columns(), &said)).unwrap();
    assert!(taken.moves_base() && taken.snapshot && !taken.ours() && taken.last == Some(Lsn(9)));
    let statement = statements::restores(&database());
    let said = [("restore_type", "L"), ("recovery", "0"), ("last_lsn", "9"), ("last_fork_guid", TWO)];
    let restored = Restored::of_row(&row(statement.columns(), &said)).unwrap();
    assert_eq!(restored, Restored { kind: Some(SetKind::Log), last: Some(Lsn(9)), fork: Some(id(2)), recovery: false });
}

#[test]
fn where_a_follower_waits() {
    let restored = |kind, last, recovery| Restored { kind, last: Some(Lsn(last)), fork: Some(id(3)), recovery };
    let waiting = State { condition: Condition::Restoring, redo: Some(Lsn(50)), redo_fork: Some(id(2)), ..state() };
    let readable = State { in_standby: true, ..state() };
    let log = restored(Some(SetKind::Log), 70, false);
    let end_of_standby = restored(None, 99, false);
    assert_eq!(redo(&waiting, &[log]), Some((Lsn(50), Some(id(2)))));
    let history = [end_of_standby, restored(Some(SetKind::Log), 70, false)];
    assert_eq!(redo(&readable, &history), Some((Lsn(70), Some(id(3)))));
    assert_eq!(redo(&readable, &[restored(Some(SetKind::Full), 70, true)]), None);
    assert_eq!(redo(&readable, &[]), None);
    assert_eq!(redo(&state(), &history), None, "open: it waits for nothing");
}
