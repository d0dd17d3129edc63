//! Every finding by a table: what was changed from a sound store, and what is then found.

use super::*;
use crate::server::sqlserver::decide::{Access, Condition, State};
use crate::server::sqlserver::rows::{Cell, Row};
use crate::server::sqlserver::statements::{self, HexBytes, Model};

const GB: u64 = 1 << 30;

fn instance() -> Instance {
    Instance {
        major: Some(15),
        version: "15.0.4355.3".to_owned(),
        edition: "Express Edition (64-bit)".to_owned(),
        engine_edition: 4,
        edition_id: -1_592_396_055,
        collation: "Modern_Spanish_CI_AS".to_owned(),
        data_folder: Some(r"C:\Datos\".to_owned()),
        log_folder: Some(r"C:\Datos\".to_owned()),
        local_db: false,
        windows_logins_only: false,
        utc: "2026-11-24T12:00:00.1234567".to_owned(),
        utc_offset_minutes: -360,
    }
}

fn server(side: Side) -> Server {
    Server {
        side,
        instance: instance(),
        rights: Some(Rights { login: "relevo".to_owned(), sysadmin: true, ..Rights::default() }),
        account: None,
        volumes: vec![Volume { mount: r"C:\".to_owned(), free: 100 * GB }, Volume { mount: r"D:\".to_owned(), free: 100 * GB }],
        exchange: Some(Folder { path: r"D:\relevo\intercambio".to_owned(), seen: Some(true) }),
        ahead: Some(0),
    }
}

fn database() -> Database {
    let (model, access, condition) = (Model::Full, Access::Multi, Condition::Online);
    let lsn = "200".parse().ok();
    let state = State {
        condition,
        in_standby: false,
        model,
        access,
        read_only: false,
        auto_close: false,
        async_statistics: false,
        trustworthy: false,
        broker: false,
        broker_priority: false,
        encrypted: false,
        compatibility: 150,
        collation: None,
        page_verify: "CHECKSUM".to_owned(),
        log_reuse_wait: "NOTHING".to_owned(),
        owner: Some("sa".to_owned()),
        family: None,
        next_log: lsn,
        fork: None,
        fork_point: None,
        file: None,
        redo: None,
        redo_fork: None,
        base: None,
        base_lsn: None,
    };
    Database { state, data_bytes: 4 * GB, log_bytes: GB, used_bytes: Some(3 * GB), features: Some(Vec::new()) }
}

fn codes(found: &[Finding]) -> Vec<(&'static str, Severity)> {
    for finding in found {
        for text in [&finding.message, &finding.remedy] {
            assert!(!text.es.is_empty() && !text.en.is_empty(), "{}", finding.code);
        }
        assert_ne!(finding.message.es, finding.message.en, "{}", finding.code);
    }
    found.iter().map(|finding| (finding.code, finding.severity)).collect()
}

use Severity::{Error, Info, Warning};

type Expected = &'static [(&'static str, Severity)];

#[test]
fn of_one_server() {
    type Change = fn(&mut Server);
    let table: [(Change, Expected); 24] = [
        (|_| {}, &[]),
        (|s| s.instance.major = None, &[("version_unknown", Error)]),
        (|s| s.instance.major = Some(12), &[("version_old", Error)]),
        (|s| s.instance.major = Some(13), &[]),
        (|s| s.instance.major = Some(17), &[]),
        (|s| s.instance.major = Some(18), &[("version_new", Warning)]),
        (|s| s.instance.local_db = true, &[("local_db", Error)]),
        (|s| s.instance.engine_edition = 5, &[("edition_unsupported", Error)]),
        (|s| s.instance.engine_edition = 0, &[("edition_unsupported", Error)]),
        (|s| s.instance.engine_edition = 2, &[]),
        (|s| (s.instance.engine_edition, s.instance.edition_id) = (3, 610_778_273), &[("edition_evaluation", Warning)]),
        (|s| s.instance.windows_logins_only = true, &[("windows_logins_only", Warning)]),
        // Not told is not allowed.
        (
            |s| s.rights = None,
            &[
                ("no_view_server_state", Error),
                ("no_alter_any_connection", Error),
                ("no_create_any_database", Error),
                ("no_alter_any_login", Warning),
                ("no_control_server", Warning),
            ],
        ),
        (
            |s| {
                s.rights = Some(Rights {
                    view_server_state: false,
                    alter_any_connection: true,
                    create_any_database: true,
                    alter_any_login: true,
                    control_server: true,
                    ..Rights::default()
                });
            },
            &[("no_view_server_state", Error)],
        ),
        (|s| (s.side, s.instance.data_folder) = (Side::Backup, None), &[("folders_unknown", Error)]),
        (|s| (s.side, s.instance.log_folder) = (Side::Backup, Some(String::new())), &[("folders_unknown", Error)]),
        (|s| s.instance.data_folder = None, &[]), // main creates no files
        (|s| s.exchange = Some(Folder { path: r"D:\x".to_owned(), seen: Some(false) }), &[("exchange_missing", Error)]),
        (|s| s.exchange = Some(Folder { path: r"D:\x".to_owned(), seen: None }), &[("exchange_unknown", Warning)]),
        (|s| s.exchange = Some(Folder { path: r"\\caja1\x".to_owned(), seen: Some(true) }), &[("exchange_on_a_share", Warning)]),
        (
            |s| s.exchange = Some(Folder { path: r"C:\Users\ana\OneDrive\x".to_owned(), seen: Some(true) }),
            &[("exchange_in_a_profile", Warning)],
        ),
        (|s| s.account = Some(r"NT SERVICE\MSSQL$SQLEXPRESS".to_owned()), &[("service_account", Info)]),
        (|s| s.ahead = Some(-121), &[("clock_skew", Warning)]),
        (|s| s.ahead = None, &[("clock_unknown", Warning)]),
    ];
    for (at, (change, expected)) in table.into_iter().enumerate() {
        let mut server = server(Side::Main);
        change(&mut server);
        assert_eq!(codes(&of_server(&server)), expected, "case {at}");
    }
}

#[test]
fn of_the_database() {
    type Change = fn(&mut Database);
    let table: [(Change, Expected); 17] = [
        (|_| {}, &[]),
        (|d| d.state.model = Model::BulkLogged, &[]),
        (|d| (d.state.model, d.state.next_log) = (Model::Simple, None), &[("model_simple", Warning)]),
        (|d| d.state.next_log = None, &[("no_log_chain", Info)]),
        (|d| (d.log_bytes, d.state.log_reuse_wait) = (5 * GB, "LOG_BACKUP".to_owned()), &[("log_grows", Warning)]),
        (|d| d.state.log_reuse_wait = "LOG_BACKUP".to_owned(), &[]), // it always does between two copies
        (|d| d.log_bytes = 5 * GB, &[]),
        (|d| d.state.condition = Condition::Suspect, &[("database_damaged", Error)]),
        (|d| d.state.condition = Condition::Offline, &[("database_not_open", Warning)]),
        (|d| d.state.access = Access::Single, &[("database_not_for_all", Warning)]),
        (|d| d.state.read_only = true, &[("database_read_only", Warning)]),
        (|d| d.state.auto_close = true, &[("auto_close", Warning)]),
        (|d| d.state.page_verify = "TORN_PAGE_DETECTION".to_owned(), &[("page_verify", Warning)]),
        (|d| d.state.async_statistics = true, &[("async_statistics", Warning)]),
        (|d| d.state.owner = None, &[("owner_missing", Warning)]),
        (|d| d.state.broker = true, &[("options_reset", Info)]),
        (|d| d.state.trustworthy = true, &[("options_reset", Info)]),
    ];
    for (at, (change, expected)) in table.into_iter().enumerate() {
        let mut database = database();
        change(&mut database);
        assert_eq!(codes(&of_database(&database, 5)), expected, "case {at}");
    }
    let simple = Database { state: State { model: Model::Simple, ..database().state }, ..database() };
    assert!(of_database(&simple, 5)[0].message.es.contains("5 minutos"), "the loss window is said out loud");
}

#[test]
fn of_both_servers() {
    type Change = fn(&mut Server, &mut Server, &mut Database, &mut bool);
    let table: [(Change, Expected); 21] = [
        (|_, _, _, _| {}, &[]),
        (|_, b, _, _| b.instance.major = Some(16), &[("backup_newer", Error)]),
        (|_, b, _, _| b.instance.major = Some(14), &[("backup_older", Error)]),
        (|_, b, _, _| b.instance.version = "15.0.2000.5".to_owned(), &[("builds_differ", Info)]),
        (|m, _, _, _| m.instance.collation = "Latin1_General_BIN".to_owned(), &[("collation_differs", Warning)]),
        (|m, b, _, _| (m.ahead, b.ahead) = (Some(100), Some(-100)), &[("clocks_differ", Warning)]),
        (|m, b, _, _| (m.ahead, b.ahead) = (Some(500), Some(500)), &[]),
        (|_, _, d, _| d.features = Some(vec!["Compression".to_owned()]), &[("edition_features", Error)]),
        (|_, b, d, _| (b.instance.engine_edition, d.features) = (3, Some(vec!["Compression".to_owned()])), &[]),
        (|_, _, d, _| d.features = None, &[]),
        (|_, _, d, _| d.state.encrypted = true, &[("encrypted", Error)]),
        (|_, b, d, _| (b.instance.engine_edition, d.state.encrypted) = (2, true), &[("encrypted", Warning)]),
        // Main on Standard, the backup on Express: only the backup has a cap.
        (|m, _, d, _| (m.instance.engine_edition, d.data_bytes) = (2, 12 * GB), &[("size_over_cap", Error)]),
        (
            |m, b, d, _| {
                m.instance.engine_edition = 2;
                (m.instance.major, b.instance.major, d.data_bytes) = (Some(17), Some(17), 12 * GB);
            },
            &[],
        ),
        (|_, _, d, _| d.data_bytes = 9 * GB, &[("size_near_cap", Warning), ("size_near_cap", Warning)]),
        (|_, b, _, _| b.volumes[1].free = GB, &[("space_short", Error)]),
        (|_, b, _, _| b.volumes[0].free = 6 * GB, &[("space_tight", Warning)]),
        (|_, b, _, s| (b.volumes[0].free, *s) = (GB, true), &[]), // its files are there already
        (
            |_, b, _, _| {
                b.exchange = None; // both on C:, 3 + 5 GB
                b.volumes[0].free = 7 * GB;
            },
            &[("space_short", Error)],
        ),
        (|m, _, _, _| m.volumes.clear(), &[("space_unknown", Warning)]),
        (|m, _, d, _| (m.volumes[1].free, d.used_bytes) = (3 * GB, None), &[("space_short", Error)]),
    ];
    for (at, (change, expected)) in table.into_iter().enumerate() {
        let (mut main, mut backup, mut database, mut standing) = (server(Side::Main), server(Side::Backup), database(), false);
        change(&mut main, &mut backup, &mut database, &mut standing);
        assert_eq!(codes(&of_pair(&main, &backup, Some(&database), standing)), expected, "case {at}");
    }
    let (main, backup) = (server(Side::Main), server(Side::Backup));
    assert_eq!(of_pair(&main, &backup, None, false), []);
    let big = Database { data_bytes: 12 * GB, ..database() };
    let sides: Vec<Side> = of_pair(&main, &backup, Some(&big), true).iter().map(|finding| finding.side).collect();
    assert_eq!(sides, [Side::Main, Side::Backup]);
}

#[test]
fn of_both_servers_logins() {
    let login = |name: &str, sid: &str, hash: Option<&str>, default: &str| Login {
        name: name.to_owned(),
        sid: HexBytes::new(sid, 85).unwrap(),
        hash: hash.map(|hash| HexBytes::new(hash, 256).unwrap()),
        default_database: default.to_owned(),
        disabled: false,
    };
    let pdv = login("pdv", "0x01", Some("0x0200AA"), "master");
    let newer = login("pdv", "0x01", Some("0x0300AA"), "master");
    let table: [(Login, Vec<Login>, u32, Expected); 8] = [
        (pdv.clone(), vec![pdv.clone()], 15, &[]),
        (pdv.clone(), vec![login("PDV", "0x01", None, "master")], 15, &[]),
        (pdv.clone(), vec![login("pdv", "0x02", None, "master")], 15, &[("login_sid_differs", Warning)]),
        (pdv.clone(), vec![], 15, &[("login_to_copy", Info)]),
        (login("pdv", "0x01", None, "master"), vec![], 15, &[("login_missing", Error)]),
        (newer.clone(), vec![], 16, &[("login_hash_newer", Error)]),
        (newer, vec![], 17, &[("login_to_copy", Info)]),
        (login("pdv", "0x01", None, "bdpdv"), vec![pdv], 15, &[("login_default_database", Warning)]),
    ];
    for (main, backup, major, expected) in table {
        let mut server = server(Side::Backup);
        server.instance.major = Some(major);
        let found = of_logins(std::slice::from_ref(&main), &backup, &server, "BDPdv");
        assert_eq!(codes(&found), expected, "{main:?}");
        assert!(!format!("{found:?}").contains("0200AA"));
    }
}

fn row(statement: &statements::Statement, said: &[(&str, Cell)]) -> Row {
    let cell = |name: &str| said.iter().find(|(said, _)| *said == name).map_or(Cell::Null, |(_, cell)| cell.clone());
    assert!(said.iter().all(|(said, _)| statement.columns().iter().any(|column| column.name == *said)));
    statement.columns().iter().map(|column| (column.name.to_owned(), cell(column.name))).collect()
}

#[test]
fn facts_are_read_from_their_rows() {
    let words = |words: &str| Cell::Words(words.to_owned());
    let said = [("version", words("13.0.5026.0")), ("utc", words("2026-11-24T12:00:05")), ("engine_edition", Cell::Int(4))];
    let read = Instance::of_row(&row(&statements::instance(), &said)).unwrap();
    assert_eq!((read.major, read.size_cap()), (Some(13), Some(10 * GB)));
    let now: jiff::Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    assert_eq!(read.ahead_of(now), Some(5));
    assert_eq!(instance().ahead_of(now), Some(0), "seven digits of a second are read");
    assert_eq!(Instance { utc: "x".to_owned(), ..read }.ahead_of(now), None);
    for (major, cap) in [(None, 10), (Some(16), 10), (Some(17), 50)] {
        assert_eq!(Instance { major, ..instance() }.size_cap(), Some(cap * GB), "{major:?}");
    }
    assert_eq!(Instance { engine_edition: 2, ..instance() }.size_cap(), None);

    let said = [("sysadmin", Cell::Int(0)), ("view_server_state", Cell::Int(1))];
    let rights = Rights::of_row(&row(&statements::permissions(), &said)).unwrap();
    assert!(rights.view_server_state && !rights.sysadmin && !rights.control_server);

    let space = [("volume", words(r"C:\")), ("free_bytes", Cell::Int(7))];
    assert_eq!(Volume::of_space(&row(&statements::free_space(None), &space)).unwrap().free, 7);
    let drive = [("drive", words("D")), ("MB free", Cell::Int(2))];
    let drive = Volume::of_drive(&row(&statements::drives(), &drive)).unwrap();
    assert_eq!((drive.mount.as_str(), drive.free), (r"D:\", 2 << 20));

    let said = [("name", words("pdv")), ("sid", words("0xab")), ("password_hash", words("0x0300aa"))];
    let login = Login::of_row(&row(&statements::logins(), &said)).unwrap();
    assert!(login.newer_hash() && login.sid.literal() == "0xAB");
}
