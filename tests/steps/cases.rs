//! One case, or more, for each kind of step: a shop brought to the moment before it, and the step.

use std::path::Path;
use std::sync::Arc;

use relevo::model::{DatabaseId, Epoch, EpochRecord, Fencing, FolioRule, Intent, Program, RunId, Side};
use relevo::operator::Operator;
use relevo::plan::step::Step;
use relevo::progress::Watch;
use relevo::steps::{Context, apply};
use relevo::store::Store;
use relevo::text;
use relevo::text::Lang;
use relevo::world::Faulty;

use crate::harness::Shop;

/// A step and what comes before it.
pub struct Case {
    /// As [`Step::name`] says.
    pub kind: &'static str,
    pub name: &'static str,
    /// Whose store applies it.
    pub machine: &'static str,
    /// Is there anything to see afterwards?
    pub changes: bool,
    pub ready: fn(&Shop, &Store, RunId) -> Step,
}

impl Case {
    /// The store of its machine; the clock stands still, so that equal work gives equal files.
    pub fn open(&self, shop: &Shop) -> Store {
        let (datos, toml) = (shop.path(self.machine, "datos"), shop.path(self.machine, "store/relevo.toml"));
        let more = format!(
            "\n[files]\ndatos = '{}'\n\n[seats]\nrelease = \"DELETE FROM Licencias RETURNING *\"\n\n[setup]\nshortcut = '{}'\n",
            datos.display(),
            datos.join("SvrPdv.lnk").display()
        );
        std::fs::create_dir_all(&datos).unwrap();
        let text = std::fs::read_to_string(&toml).unwrap();
        std::fs::write(&toml, text + more.as_str()).unwrap();
        let now = |name: &str| (name == "RELEVO_TEST_NOW").then(|| "2026-03-04T05:06:07-06:00".to_owned());
        let world = Arc::new(Faulty::from_orders(now).unwrap());
        Store::open(&shop.path(self.machine, "store"), world, Operator::new(Lang::En, true)).unwrap()
    }
}

const fn case(kind: &'static str, machine: &'static str, ready: fn(&Shop, &Store, RunId) -> Step) -> Case {
    Case { kind, name: "", machine, changes: true, ready }
}

const fn named(case: Case, name: &'static str) -> Case {
    Case { name, ..case }
}

/// It only asks, or tells.
const fn quiet(case: Case) -> Case {
    Case { changes: false, ..case }
}

/// Plays steps that come before the one in question.
fn play(store: &Store, run: RunId, steps: &[Step]) {
    for (index, step) in steps.iter().enumerate() {
        let path = format!("0/{index}");
        apply(&Context { store, watch: &Watch::silent(), run, path: &path }, step).unwrap_or_else(|e| panic!("{step:?}: {e:?}"));
    }
}

fn intent(run: RunId) -> Intent {
    Intent { run, to: Side::Backup, epoch: Epoch(2) }
}

fn database(store: &Store) -> DatabaseId {
    store
        .main
        .look()
        .unwrap()
        .record
        .and_then(|r| r.database)
        .or(store.backup.look().unwrap().record.and_then(|r| r.database))
        .unwrap()
}

fn record(store: &Store, run: RunId, epoch: u64, holder: Side) -> EpochRecord {
    let database = Some(database(store));
    EpochRecord { database, epoch: Epoch(epoch), holder, run: Some(run), awaiting_start: holder == Side::Main }
}

/// A mirror was made and applied.
fn mirrored(shop: &Shop) {
    shop.json("main", &["mirror"]).expect(0);
}

/// The backup holds the post and nobody serves; the old main is back.
fn promoted(shop: &Shop) {
    mirrored(shop);
    shop.sell("main", "CAJA2", 2);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.stop_server("caja");
    shop.main_on();
}

const FENCE_MAIN: Step = Step::Fence { side: Side::Main, undo: true, how: Fencing::Handover };
const FENCE_BACKUP: Step = Step::Fence { side: Side::Backup, undo: true, how: Fencing::Aside };

/// Both databases are closed and the backup's is received beside main's.
fn received(store: &Store, run: RunId) {
    play(store, run, &[FENCE_BACKUP, FENCE_MAIN, Step::Receive]);
}

fn without_main_database(shop: &Shop) {
    std::fs::remove_dir_all(shop.path("main", "instance")).unwrap();
    std::fs::create_dir_all(shop.path("main", "instance")).unwrap();
}

fn below(root: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(root).unwrap();
    std::fs::write(root.join(name), text).unwrap();
}

pub const CASES: &[Case] = &[
    case("write_intent", "caja", |_, _, run| Step::WriteIntent { intent: intent(run) }),
    case("remove_intent", "caja", |_, store, run| {
        play(store, run, &[Step::WriteIntent { intent: intent(run) }]);
        Step::RemoveIntent
    }),
    quiet(case("ask_main", "caja", |_, _, _| Step::AskMain { planned: true })),
    named(
        quiet(case("ask_main", "caja", |shop, _, _| {
            shop.main_off();
            Step::AskMain { planned: false }
        })),
        "main is away",
    ),
    named(case("fence", "caja", |_, _, _| FENCE_MAIN), "main"),
    named(
        case("fence", "caja", |shop, _, _| {
            promoted(shop);
            FENCE_BACKUP
        }),
        "backup",
    ),
    case("take_tail", "caja", |shop, store, run| {
        mirrored(shop);
        shop.sell("main", "CAJA2", 2);
        play(store, run, &[FENCE_MAIN]);
        Step::TakeTail
    }),
    case("apply_copies", "caja", |shop, store, run| {
        mirrored(shop);
        shop.sell("main", "CAJA2", 2);
        play(store, run, &[FENCE_MAIN, Step::TakeTail]);
        Step::ApplyCopies { to: None }
    }),
    quiet(case("verify_standby", "caja", |shop, _, _| {
        mirrored(shop);
        Step::VerifyStandby
    })),
    case("recover", "caja", |shop, _, _| {
        mirrored(shop);
        Step::Recover
    }),
    named(
        case("record", "caja", |shop, store, run| {
            mirrored(shop);
            let record = record(store, run, 2, Side::Backup);
            play(store, run, &[Step::Recover]);
            Step::Record { side: Side::Backup, record, folio: Some(FolioRule { known: Some(7), gap: 100 }) }
        }),
        "of a promote",
    ),
    named(
        case("record", "caja", |shop, store, run| {
            promoted(shop);
            received(store, run);
            play(store, run, &[Step::Place { keep: "BDPdv.db.antes-de-e3".to_owned() }, Step::Open { side: Side::Main }]);
            Step::Record { side: Side::Main, record: record(store, run, 3, Side::Main), folio: None }
        }),
        "of a restore",
    ),
    case("publish", "caja", |shop, store, run| {
        mirrored(shop);
        let record = record(store, run, 2, Side::Backup);
        play(store, run, &[FENCE_MAIN]);
        Step::Publish { side: Side::Main, record }
    }),
    case("remember", "caja", |shop, store, run| {
        mirrored(shop);
        Step::Remember { record: record(store, run, 2, Side::Backup) }
    }),
    case("save_tail", "caja", |shop, store, run| {
        promoted(shop);
        play(store, run, &[FENCE_MAIN]);
        Step::SaveTail { run }
    }),
    named(
        case("save_tail", "caja", |shop, _, run| {
            promoted(shop);
            without_main_database(shop);
            Step::SaveTail { run }
        }),
        "of a disk that never came back",
    ),
    case("receive", "caja", |shop, store, run| {
        promoted(shop);
        play(store, run, &[FENCE_BACKUP, FENCE_MAIN]);
        Step::Receive
    }),
    quiet(case("prove_nobody", "caja", |shop, store, run| {
        promoted(shop);
        play(store, run, &[FENCE_BACKUP, FENCE_MAIN]);
        Step::ProveNobody
    })),
    case("place", "caja", |shop, store, run| {
        promoted(shop);
        received(store, run);
        Step::Place { keep: "BDPdv.db.antes-de-e3".to_owned() }
    }),
    named(
        case("place", "caja", |shop, store, run| {
            promoted(shop);
            without_main_database(shop);
            play(store, run, &[FENCE_BACKUP, Step::Receive]);
            Step::Place { keep: String::new() }
        }),
        "where no old database is",
    ),
    case("open", "caja", |shop, store, run| {
        promoted(shop);
        received(store, run);
        play(store, run, &[Step::Place { keep: "BDPdv.db.antes-de-e3".to_owned() }]);
        Step::Open { side: Side::Main }
    }),
    case("start_program", "main", |_, _, _| Step::StartProgram { program: Program::Svrpdv }),
    named(
        quiet(case("start_program", "main", |shop, _, _| {
            shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
            Step::StartProgram { program: Program::Svrpdv }
        })),
        "which runs already: undo leaves it alone",
    ),
    case("stop_program", "main", |shop, _, _| {
        shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
        Step::StopProgram { program: Program::Svrpdv }
    }),
    named(
        quiet(case("stop_program", "main", |_, _, _| Step::StopProgram { program: Program::Svrpdv })),
        "which does not run: undo starts nothing",
    ),
    named(case("mirror", "main", |_, _, _| Step::Mirror { full: false, apply: true, target: None }), "seed"),
    named(
        case("mirror", "main", |shop, _, _| {
            mirrored(shop);
            shop.sell("main", "CAJA2", 2);
            Step::Mirror { full: false, apply: false, target: Some("local".to_owned()) }
        }),
        "increment that is not applied",
    ),
    named(
        case("mirror", "caja", |shop, _, _| {
            mirrored(shop);
            shop.sell("main", "CAJA2", 2);
            shop.main_off();
            Step::Mirror { full: false, apply: true, target: None }
        }),
        "on the caja: FecBak.txt",
    ),
    case("fetch_signals", "caja", |_, _, _| Step::FetchSignals),
    case("mark_terminal", "caja", |_, _, _| Step::MarkTerminal),
    case("sync_marker", "caja", |_, store, run| {
        play(store, run, &[Step::FetchSignals]);
        Step::SyncMarker
    }),
    // Without a person nothing may change, however often it is asked; that a person may is shown in tests/cli.
    quiet(case("write_signals", "main", |shop, store, _| {
        let server = |section: &relevo::config::ServerSection| section.instance.clone();
        let (main, backup) = (server(&store.config.servers.main), server(&store.config.servers.backup));
        std::fs::write(shop.path("main", "pdv/SvrBak.txt"), shop.svrbak()).unwrap();
        Step::WriteSignals { main, backup, valid_until: None }
    })),
    case("identify", "main", |_, _, _| Step::Identify),
    case("remove_shortcut", "main", |shop, _, _| {
        below(&shop.path("main", "datos"), "SvrPdv.lnk", "x");
        Step::RemoveShortcut
    }),
    case("release_seats", "main", |shop, _, _| {
        let db = rusqlite::Connection::open(shop.database("main")).unwrap();
        db.execute("INSERT INTO Licencias VALUES('CAJA9', '2026-11-23')", []).unwrap();
        Step::ReleaseSeats
    }),
    // A script's statement is its own: one that is not repeatable is repeated all the same after a crash (docs/script-api.md).
    case("execute", "main", |_, _, _| Step::Execute {
        sql: "UPDATE Articulos SET Nombre = ?1 WHERE Id = 1".to_owned(),
        params: vec![serde_json::json!("otro")],
    }),
    case("copy_file", "main", |shop, _, _| {
        below(&shop.path("main", "datos"), "a.txt", "nuevo");
        below(&shop.path("main", "datos"), "b.txt", "viejo");
        Step::CopyFile { from: "datos:a.txt".to_owned(), to: "datos:b.txt".to_owned() }
    }),
    named(
        case("write_file", "main", |_, _, _| Step::WriteFile { path: "datos:nuevo/a.txt".to_owned(), text: "hola".to_owned() }),
        "a new one",
    ),
    named(
        case("write_file", "main", |shop, _, _| {
            below(&shop.path("main", "datos"), "a.txt", "viejo");
            Step::WriteFile { path: "datos:a.txt".to_owned(), text: "hola".to_owned() }
        }),
        "over an old one",
    ),
    case("remove_file", "main", |shop, _, _| {
        below(&shop.path("main", "datos"), "a.txt", "viejo");
        Step::RemoveFile { path: "datos:a.txt".to_owned() }
    }),
    named(quiet(case("remove_file", "main", |_, _, _| Step::RemoveFile { path: "datos:a.txt".to_owned() })), "that is not there"),
    quiet(case("notify", "main", |_, _, _| Step::Notify { text: text!("hola", "hello") })),
];
