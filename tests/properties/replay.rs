//! Journals made of random legal events, and journals of real role changes cut at every event.

use std::path::Path;

use proptest::prelude::*;
use relevo::error::Failure;
use relevo::journal::event::{Ending, Event};
use relevo::journal::{Journal, Log};
use relevo::model::{Hash, RunId};
use relevo::text::Text;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::Shop;

fn failure() -> Failure {
    Failure::failed("x", Text::same("x"))
}

/// An event of any kind at one of a few paths; most are illegal where they come.
fn any_event() -> impl Strategy<Value = Event> {
    let path = prop::sample::select(vec!["1", "2", "2/1", "2/2", "3"]).prop_map(str::to_owned);
    (0..12u8, path, any::<bool>(), any::<i32>()).prop_map(|(kind, path, way, number)| {
        let (name, args, value) = ("step".to_owned(), json!([number]), json!(number));
        match kind {
            0 | 1 => Event::Started { path, name, args, plan: way.then(|| json!({})) },
            2 | 3 => Event::Succeeded { path, value },
            4 => Event::Failed { path, failure: failure() },
            5 => Event::Read { path, name, args, value: way.then_some(value), failure: (!way).then(failure) },
            6 => Event::UndoStarted { path },
            7 => Event::UndoFinished { path },
            8 => Event::UndoFailed { path, failure: failure() },
            9 => Event::Resumed { at: String::new() },
            10 => Event::Stuck { failure: failure() },
            _ if number % 5 == 0 => Event::Ended {
                how: if way { Ending::Done } else { Ending::Undone },
                value: None,
                failure: None,
                at: String::new(),
            },
            _ => Event::Begun { verb: "t".into(), args, bundle: None, at: String::new() },
        }
    })
}

fn shown(log: &Log) -> String {
    format!("{log:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// What the log takes in is written, in commits of any size; every prefix is read back as what it was when it was written, and
    /// what the log refuses changes nothing and is refused in the file as well.
    #[test]
    fn any_prefix_is_read_back(events in prop::collection::vec(any_event(), 0..60), sizes in prop::collection::vec(1usize..6, 1..60), cut: prop::sample::Index) {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), relevo::world::real()).unwrap();
        let run = RunId::new();
        let mut log = Log::new(run);
        let (mut legal, mut states, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let begun = Event::Begun { verb: "t".into(), args: Value::Null, bundle: None, at: "then".into() };
        for event in std::iter::once(begun).chain(events) {
            let before = shown(&log);
            match log.push(&event) {
                Ok(()) => {
                    legal.push(event);
                    states.push(shown(&log));
                }
                Err(_) => {
                    prop_assert_eq!(shown(&log), before);
                    refused.push((legal.len(), event));
                }
            }
        }
        let (mut chain, mut from) = (Hash([0; 32]), 0);
        let mut sizes = sizes.into_iter().cycle();
        while from < legal.len() {
            let to = (from + sizes.next().unwrap()).min(legal.len());
            chain = journal.append(run, from, chain, &legal[from..to]).unwrap();
            from = to;
        }
        let ((whole, _, end), read) = (journal.load(run).unwrap(), journal.events(run).unwrap());
        prop_assert_eq!((shown(&whole), &read, end), (states.last().unwrap().clone(), &legal, chain));
        let keep = 1 + cut.index(legal.len());
        let file = Connection::open(dir.path().join("journal.db")).unwrap();
        file.execute("DELETE FROM event WHERE seq >= ?1", [keep as i64]).unwrap();
        let (cut, read, end) = journal.load(run).unwrap();
        prop_assert_eq!((shown(&cut), read), (states[keep - 1].clone(), keep));
        // A refused event that somebody wrote all the same stops the run.
        if let Some((_, event)) = refused.iter().find(|(at, _)| *at == keep) {
            journal.append(run, keep, end, std::slice::from_ref(event)).map(drop).or_else(|_| file.execute_batch("")).unwrap();
            let stops = journal.load(run).is_err_and(|f| f.kind == "journal_damaged");
            prop_assert!(stops || matches!(event, Event::Begun { .. }), "{:?}", event);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (own, other) = (entry.path(), to.join(entry.file_name()));
        if own.is_dir() {
            copy(&own, &other);
        } else {
            std::fs::copy(own, other).unwrap();
        }
    }
}

/// What a role change came to.
fn end(shop: &Shop) -> Value {
    for machine in ["main", "caja"] {
        shop.stop_server(machine);
    }
    let status = shop.status("caja");
    let side = |name: &str| json!([status[name]["state"], status[name]["reachable"]]);
    let orphans = shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len();
    json!([
        status["holder"],
        status["epoch"],
        side("main"),
        side("backup"),
        status["runs_open"],
        orphans,
        shop.path("caja", "instance/relevo.intent").exists()
    ])
}

/// Cuts the finished run's journal at every event: the whole world is further than the journal says, which is what a lost tail means.
fn cut_at_every_event(shop: &Shop, verb: &str) {
    let wanted = end(shop);
    let journal = shop.path("caja", "store/state/journal.db");
    let (run, count): (String, i64) = Connection::open(&journal)
        .unwrap()
        .query_row(
            "SELECT id, (SELECT count(*) FROM event WHERE run=id) FROM run WHERE verb=?1 ORDER BY rowid DESC LIMIT 1",
            [verb],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .unwrap();
    assert!(count > 15, "{count} events");
    Connection::open(&journal).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let kept = shop.dir.join("kept");
    for machine in ["main", "caja"] {
        if shop.path(machine, "").exists() {
            copy(&shop.path(machine, ""), &kept.join(machine));
        }
    }
    for keep in 1..count {
        let file = Connection::open(&journal).unwrap();
        file.execute("DELETE FROM event WHERE run=?1 AND seq >= ?2", rusqlite::params![run, keep]).unwrap();
        file.execute("UPDATE run SET ended=0 WHERE id=?1", [&run]).unwrap();
        drop(file);
        let resumed = shop.json("caja", &["resume"]);
        // Before the point of no return a step may find that its work is over and done: then it is taken back to where it is.
        let over =
            ["backup_is_open", "backup_does_not_hold", "already_promoted", "not_detached", "main_in_use", "tills_operating"];
        assert!(resumed.code == 0 || over.contains(&resumed.kind().as_str()), "{verb} cut to {keep} of {count}: {resumed:?}");
        assert_eq!(end(shop), wanted, "{verb} cut to {keep} of {count}: {resumed:?}");
        for machine in ["main", "caja"] {
            if kept.join(machine).exists() {
                std::fs::remove_dir_all(shop.path(machine, "")).unwrap();
                copy(&kept.join(machine), &shop.path(machine, ""));
            }
        }
    }
}

#[test]
fn a_promote_cut_at_every_event() {
    let shop = Shop::promoted();
    cut_at_every_event(&shop, "promote");
}

#[test]
fn a_restore_cut_at_every_event() {
    let shop = Shop::promoted();
    shop.main_on();
    shop.json("caja", &["restore"]).expect(0);
    cut_at_every_event(&shop, "restore");
}
