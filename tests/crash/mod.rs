//! Kill the real process at every point that the binary passes (before and after every labelled effect), take the run up
//! again, and compare with a run that nobody interrupted.
//!
//! The points are counted in a first run, so a new step is covered without a new test; the labels are read from the binary,
//! and one that no scenario reaches fails the test. Points exist in debug builds only.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::harness::{Ran, Shop, bare, ran};

/// A verb that is killed.
struct Scenario {
    name: &'static str,
    /// Brings a new shop to the moment before the verb; nothing may be left running.
    prepare: fn(&Shop),
    /// Starts what must be alive before each kill.
    start: fn(&Shop),
    machine: &'static str,
    verb: &'static [&'static str],
    /// Its end when nobody kills it.
    code: i32,
    /// Taken up by `resume`; the others are simply run again.
    resumes: bool,
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "mirror seed", prepare: |_| {}, start: |_| {}, machine: "main", verb: &["mirror"], code: 0, resumes: false },
    Scenario {
        name: "mirror increment",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 3);
        },
        start: |_| {},
        machine: "main",
        verb: &["mirror"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "mirror begins a third chain and retention removes the first",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 3);
            shop.json("main", &["mirror"]).expect(0);
            shop.json("main", &["mirror", "--full"]).expect(0);
            shop.sell("main", "CAJA2", 3);
        },
        start: |_| {},
        machine: "main",
        verb: &["mirror", "--full"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "promote unplanned",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
            // the caja applies this one itself
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
            shop.main_off();
        },
        start: |_| {},
        machine: "caja",
        verb: &["promote"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "promote planned",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
        },
        start: |_| {},
        machine: "caja",
        verb: &["promote"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "old main comes back",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
        },
        start: |_| {},
        machine: "main",
        verb: &["launch", "--program", "svrpdv"],
        code: 11,
        resumes: false,
    },
    Scenario {
        name: "restore",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
        },
        start: |shop| {
            shop.json("caja", &["launch", "--program", "svrpdv"]).expect(0);
        },
        machine: "caja",
        verb: &["restore"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "restore where the old disk never came back",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
            std::fs::remove_dir_all(shop.path("main", "instance")).unwrap();
            std::fs::create_dir_all(shop.path("main", "instance")).unwrap();
        },
        start: |_| {},
        machine: "caja",
        verb: &["restore"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "first start after a restore",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
            shop.json("caja", &["restore"]).expect(0);
        },
        start: |_| {},
        machine: "main",
        verb: &["launch", "--program", "svrpdv"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "script steps",
        prepare: |shop| {
            let root = shop.path("main", "datos");
            std::fs::create_dir_all(&root).unwrap();
            std::fs::write(root.join("viejo.txt"), "viejo").unwrap();
            let toml = shop.path("main", "store/relevo.toml");
            let extra =
                format!("\n[files]\ndatos = '{}'\n\n[seats]\nrelease = \"DELETE FROM Licencias RETURNING *\"\n", root.display());
            std::fs::write(&toml, std::fs::read_to_string(&toml).unwrap() + extra.as_str()).unwrap();
            let body = "fn run(args) {
                files::write(\"datos:nuevo.txt\", \"hola\");
                files::copy(\"datos:nuevo.txt\", \"datos:copia.txt\");
                files::remove(\"datos:viejo.txt\");
                server::release_concurrency();
                server::execute(\"UPDATE Articulos SET Nombre = 'x' WHERE Id = 1\", []);
                store::fetch_signals();
                store::sync_marker();
                mirror(#{})
            }";
            std::fs::write(shop.path("main", "store/scripts/mirror.rhai"), body).unwrap();
            let db = rusqlite::Connection::open(shop.database("main")).unwrap();
            db.execute("INSERT INTO Licencias VALUES('CAJA9', '2026-11-23')", []).unwrap();
        },
        start: |_| {},
        machine: "main",
        verb: &["mirror"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "setup of the caja",
        prepare: |shop| {
            let shortcut = shop.path("caja", "SvrPdv.lnk");
            std::fs::write(&shortcut, "x").unwrap();
            let toml = shop.path("caja", "store/relevo.toml");
            let text = std::fs::read_to_string(&toml).unwrap();
            std::fs::write(&toml, format!("{text}\n[setup]\nshortcut = '{}'\n", shortcut.display())).unwrap();
        },
        start: |_| {},
        machine: "caja",
        verb: &["setup"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "a till comes and goes with the caja's role",
        prepare: |shop| {
            shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
            shop.json("caja", &["launch", "--program", "pospdv"]).expect(0);
            shop.stop_server("main");
            let other = shop.svrbak().replace("caja", "otra");
            std::fs::write(shop.path("main", "pdv/SvrBak.txt"), other).unwrap();
            let toml = shop.path("caja", "store/relevo.toml");
            let text = std::fs::read_to_string(&toml).unwrap();
            let moved = text.replace(
                &shop.path("caja", "instance").display().to_string(),
                &shop.path("otra", "instance").display().to_string(),
            );
            std::fs::write(&toml, moved.replace("role = \"backup\"", "role = \"till\"")).unwrap();
        },
        start: |_| {},
        machine: "caja",
        verb: &["setup"],
        code: 0,
        resumes: false,
    },
];

/// Main failed with sales that no mirror has; the backup holds the post, sold, and its SvrPdv was closed.
fn promoted(shop: &Shop) {
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.sell("caja", "CAJA1", 2);
    shop.stop_server("caja");
}

/// What must be equal to an uninterrupted run: who holds, which states, which tickets, what is left over.
fn outcome(shop: &Shop) -> Value {
    let caja = shop.status("caja");
    let tickets = |machine: &str| -> Value {
        let path = shop.database(machine);
        let open = shop.status("caja")[if machine == "main" { "main" } else { "backup" }]["state"] == "open";
        if open { serde_json::json!(shop.tickets(&path)) } else { Value::Null }
    };
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    let mut folios: Vec<i64> = orphans["orphans"].as_array().unwrap().iter().map(|o| o["folio"].as_i64().unwrap()).collect();
    folios.sort();
    let intent = shop.path("caja", "instance/relevo.intent").exists();
    serde_json::json!({
        "holder": caja["holder"], "epoch": caja["epoch"], "serving": caja["serving"], "main": caja["main"]["state"], "backup": caja["backup"]["state"],
        "tickets_main": tickets("main"), "tickets_backup": tickets("caja"), "orphans": folios, "intent": intent, "open": caja["runs_open"],
        "leftovers": leftovers(&shop.dir),
    })
}

/// Files that only an interrupted effect leaves behind; what a later one may clean up is not counted.
fn leftovers(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".incoming") || name.ends_with(".new") {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// Every acknowledged ticket is in the holder's database or in the orphan report; no folio twice (I2, I3).
fn nothing_is_lost(shop: &Shop, outcome: &Value) {
    let holder = if outcome["holder"] == "main" { "tickets_main" } else { "tickets_backup" };
    let held: BTreeSet<i64> = outcome[holder].as_array().into_iter().flatten().map(|t| t[0].as_i64().unwrap()).collect();
    let orphans: BTreeSet<i64> = outcome["orphans"].as_array().unwrap().iter().map(|f| f.as_i64().unwrap()).collect();
    if outcome[holder].is_null() || (orphans.is_empty() && outcome["main"] != "open" && outcome["holder"] == "backup") {
        return; // the old main is still away: its tail cannot be known yet
    }
    for (folio, till, _) in shop.acknowledged() {
        assert!(held.contains(&folio) || orphans.contains(&folio), "ticket {folio} of {till} is lost: {outcome}");
    }
}

/// Brings the shop back to how it was prepared: same path, since relevo.toml holds absolute paths.
fn reset(shop: &Shop, template: &Path) {
    for machine in ["main", "main.off", "caja", "till2", "otra"] {
        let there = shop.dir.join(machine);
        let _ = std::fs::remove_dir_all(&there);
        let from = template.join(machine);
        if from.exists() {
            copy_tree(&from, &there);
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn run_with(shop: &Shop, scenario: &Scenario, orders: &[(&str, &str)]) -> Ran {
    let mut words = vec!["--json", "--lang", "en"];
    words.extend(scenario.verb);
    ran(shop.command(scenario.machine, &words).envs(orders.iter().copied()))
}

/// One scenario: first uninterrupted, then killed at every point.
fn every_point(scenario: &Scenario) -> BTreeSet<String> {
    let shop = Shop::new();
    (scenario.prepare)(&shop);
    let template = tempfile::tempdir().unwrap();
    for machine in ["main", "main.off", "caja", "till2", "otra"] {
        if shop.dir.join(machine).exists() {
            copy_tree(&shop.dir.join(machine), &template.path().join(machine));
        }
    }
    let labels = template.path().join("labels");
    let labels_text = labels.display().to_string();
    (scenario.start)(&shop);
    let first = run_with(&shop, scenario, &[("RELEVO_TEST_LABELS", labels_text.as_str())]);
    assert_eq!(first.code, scenario.code, "{}: {}{}", scenario.name, first.out, first.err);
    let wanted = outcome(&shop);
    nothing_is_lost(&shop, &wanted);
    stop_all(&shop);
    let reached: Vec<String> = std::fs::read_to_string(&labels).unwrap().lines().map(str::to_owned).collect();
    for point in 1..=reached.len() {
        reset(&shop, template.path());
        (scenario.start)(&shop);
        let _ = std::fs::remove_file(&labels);
        let point_text = point.to_string();
        let orders = [("RELEVO_TEST_CRASH", point_text.as_str()), ("RELEVO_TEST_LABELS", labels_text.as_str())];
        let killed = run_with(&shop, scenario, &orders);
        // Which files there were to remove may differ from run to run, and with them the numbers of the points.
        let log = std::fs::read_to_string(&labels).unwrap();
        let name = log.lines().last().unwrap_or_default();
        if log.lines().count() < point {
            assert_eq!(killed.code, scenario.code, "{}: {}{}", scenario.name, killed.out, killed.err);
            stop_all(&shop);
            continue; // this run had fewer points: it came to its end
        }
        assert_eq!(killed.code, 137, "{}: at point {point} ({name}): {}{}", scenario.name, killed.out, killed.err);
        let again = take_up(&shop, scenario);
        assert_eq!(again.code, scenario.code, "{}: after a kill at {point} ({name}): {}{}", scenario.name, again.out, again.err);
        let got = outcome(&shop);
        nothing_is_lost(&shop, &got);
        assert_eq!(got, wanted, "{}: after a kill at point {point} ({name})", scenario.name);
        // I5: the holder's launch then serves. Every few points, since it starts a program; setup changes names on purpose.
        if point % 6 == 0 && scenario.verb != ["setup"] {
            let holder = if got["holder"] == "main" { "main" } else { "caja" };
            shop.json(holder, &["launch", "--program", "svrpdv"]).expect(0);
            assert_eq!(shop.status(holder)["serving"], got["holder"], "{}: after a kill at {point} ({name})", scenario.name);
        }
        stop_all(&shop);
    }
    reached.iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// What a person does after a power cut: resume an open role change, else the same verb again.
fn take_up(shop: &Shop, scenario: &Scenario) -> Ran {
    if scenario.resumes {
        let resumed = shop.json(scenario.machine, &["resume"]);
        if resumed.code != 1 || resumed.kind() != "nothing_to_resume" {
            return resumed;
        }
    }
    let again = shop.json(scenario.machine, scenario.verb);
    // The run had ended and only its last words were lost.
    let done = ["already_promoted", "backup_does_not_hold"];
    if scenario.resumes && again.code == 4 && done.contains(&again.kind().as_str()) {
        return Ran { code: 0, ..again };
    }
    again
}

fn stop_all(shop: &Shop) {
    for machine in ["main", "caja"] {
        shop.stop_server(machine);
    }
}

#[test]
fn killed_at_every_point_and_taken_up_again() {
    let next = AtomicUsize::new(0);
    let reached = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(scenario) = SCENARIOS.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let labels = every_point(scenario);
                        reached.lock().unwrap().extend(labels);
                    }
                })
            })
            .collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let reached = reached.into_inner().unwrap();
    let listed = ran(bare().arg("labels")).expect(0).out;
    let missing: Vec<&str> = listed.lines().filter(|l| !reached.contains(*l)).collect();
    assert!(missing.is_empty(), "no scenario reaches these labels: {missing:?}");
}
