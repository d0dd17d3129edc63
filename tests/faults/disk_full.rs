//! A disk that is really full: a small tmpfs as the target, the caja's instance, a state folder, main's disk. What may happen is what
//! may happen at any failure (tests/steps/failing.rs): taken back, stuck, stopped, or run again; with space again it ends as an
//! undisturbed run. Needs root; where mounting is refused it says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Shop;
use crate::scenarios::{SCENARIOS, Scenario, Stage, each};
use crate::steps::failing::{Ended, ends_well, judge};

/// Bytes left free: nothing; a few small files; most of a copy.
const LEFT: [u64; 3] = [0, 12 << 10, 56 << 10];
/// Room for what the folder holds and what a run adds once there is space again.
const SIZE: &str = "16m";

/// A tmpfs over a folder, with what the folder held; taken away when dropped, also by a failing test.
struct Disk {
    over: PathBuf,
}

impl Disk {
    /// `None` where this machine refuses.
    fn over(folder: &Path) -> Option<Disk> {
        std::fs::create_dir_all(folder).unwrap();
        let held = tempfile::tempdir().unwrap();
        copy(folder, held.path());
        let size = format!("size={SIZE}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "relevo-test"]).arg(folder).output();
        match mounted {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                println!("SKIP: no tmpfs can be mounted here: {}", String::from_utf8_lossy(&output.stderr).trim());
                return None;
            }
            Err(error) => {
                println!("SKIP: mount cannot be run here: {error}");
                return None;
            }
        }
        let disk = Disk { over: folder.to_owned() };
        copy(held.path(), folder);
        Some(disk)
    }

    /// Fills it until so many bytes are left.
    fn fill(&self, left: u64) {
        let free = relevo::world::free_space(&self.over).unwrap();
        std::fs::write(self.filler(), vec![7; usize::try_from(free - left.min(free)).unwrap()]).unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.over.join("relleno.bin")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a program of the shop may still hold a file there.
        let gone = Command::new("umount").arg("-l").arg(&self.over).status();
        assert!(std::thread::panicking() || gone.is_ok_and(|status| status.success()), "{} stays mounted", self.over.display());
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&there).unwrap();
            copy(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}

/// Which verb, and whose folder is full.
const TABLE: [(&str, &[&str]); 6] = [
    ("mirror seed", &["caja/copias", "caja/instance", "main/store/state", "main/instance"]),
    ("mirror increment", &["caja/copias", "caja/instance", "main/store/state", "main/instance"]),
    ("promote unplanned", &["caja/instance", "caja/store/state", "caja/pdv"]),
    ("promote planned", &["caja/copias", "caja/instance", "caja/store/state", "main/instance"]),
    ("restore", &["caja/copias", "caja/instance", "caja/store/state", "main/instance"]),
    ("first start after a restore", &["main/instance", "main/store/state"]),
];

fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap()
}

#[test]
fn a_full_disk_anywhere_harms_nothing_and_with_space_again_it_ends_well() {
    let scenarios: Vec<&'static Scenario> = TABLE.iter().map(|(name, _)| scenario(name)).collect();
    let ends = each(&scenarios, |scenario| {
        let stage = Stage::new(scenario);
        let folders = TABLE.iter().find(|(name, _)| *name == scenario.name).unwrap().1;
        let mut ends = Vec::new();
        for (folder, left) in folders.iter().flat_map(|folder| LEFT.map(|left| (folder, left))) {
            let name = format!("{}: {folder} full but for {left} bytes", scenario.name);
            stage.rewind();
            let (machine, below) = folder.split_once('/').unwrap();
            let Some(disk) = Disk::over(&stage.shop.path(machine, below)) else { return ends };
            stage.begin();
            disk.fill(left);
            let ran = stage.play(&[]);
            nothing_partial_is_listed(&stage.shop, &name);
            for machine in ["main", "caja"].into_iter().filter(|machine| stage.shop.path(machine, "store").exists()) {
                assert!(stage.shop.status(machine)["holder"].is_string(), "{name}");
            }
            // Without a byte of space nobody can open a database either, so what it holds is looked at afterwards.
            disk.make_room();
            let ended = judge(&stage, &ran, &name);
            ends_well(&stage, ended, &name);
            stage.shop.json("caja", &["target", "verify"]).expect(0);
            if scenario.verb == ["mirror"] && ended == Ended::Again && *folder == "caja/copias" {
                assert_eq!(ran.kind(), "target_full", "{name}: {}", ran.out);
            }
            ends.push((name, ended));
            crate::scenarios::stop_all(&stage.shop);
        }
        ends
    });
    let ends: Vec<_> = ends.into_iter().flatten().collect();
    for wanted in [Ended::Again, Ended::Unwound, Ended::Stuck, Ended::Stopped] {
        assert!(ends.is_empty() || ends.iter().any(|(_, ended)| *ended == wanted), "no disk was full enough: {ends:#?}");
    }
}

/// The target is full, main sells on; with space again one mirror brings everything over.
#[test]
fn a_full_target_is_named_and_main_sells_on() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let Some(disk) = Disk::over(&shop.path("caja", "copias")) else { return };
    for left in [0, 4 << 10] {
        disk.fill(left);
        for full in [&["mirror"][..], &["mirror", "--full"]] {
            shop.sell("main", "CAJA2", 2);
            let failed = shop.json("main", full);
            if failed.code == 0 {
                continue; // a small increment has room in the last pages
            }
            let error = failed.expect(1).json()["error"].clone();
            assert_eq!((&error["kind"], &error["retry"]), (&"target_full".into(), &"temporary".into()), "{error}");
            assert!(error["message"].as_str().is_some_and(|m| m.contains("local") && m.contains("copias")), "{error}");
            assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("space")), "{error}");
            nothing_partial_is_listed(&shop, "full target");
            shop.sell("main", "CAJA2", 1);
        }
        assert_eq!(shop.tickets(&shop.database("main")), shop.acknowledged());
        disk.make_room();
    }
    disk.fill(0);
    shop.json("main", &["mirror", "--full"]).expect(1);
    disk.make_room();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("main", &["target", "verify"]).expect(0);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
    shop.stop_server("caja");
}

/// What the disk of the state folder cannot note does not happen, and `status` still answers.
#[test]
fn status_answers_while_the_state_folder_is_full() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let Some(disk) = Disk::over(&shop.path("caja", "store/state")) else { return };
    disk.fill(0);
    let refused = shop.json("caja", &["promote"]).expect(1);
    assert!(["journal", "io"].contains(&refused.kind().as_str()), "{}", refused.out);
    let status = shop.status("caja");
    assert_eq!(
        (&status["holder"], &status["main"]["state"], &status["runs_open"]),
        (&"main".into(), &"open".into(), &serde_json::Value::Null)
    );
    assert!(!shop.path("caja", "instance/relevo.intent").exists());
    let said = shop.say("caja", "es", &["status"]).expect(0).out;
    assert!(said.contains("diario") && said.contains("espacio en disco"), "{said}");
    disk.make_room();
    assert_eq!(shop.status("caja")["runs_open"], serde_json::json!([]));
    shop.json("caja", &["promote"]).expect(0);
    shop.stop_server("caja");
}

/// Whatever the target shows is whole.
fn nothing_partial_is_listed(shop: &Shop, name: &str) {
    let machine = if shop.path("main", "store").exists() { "main" } else { "caja" };
    if !shop.path("caja", "copias").exists() {
        return;
    }
    let listed = shop.json(machine, &["target", "list"]);
    assert_eq!(listed.code, 0, "{name}: {}{}", listed.out, listed.err);
    for target in listed.json()["targets"].as_array().into_iter().flatten() {
        assert!(target["damaged"].as_array().is_none_or(Vec::is_empty), "{name}: {target}");
    }
    let parts = crate::faults::promises::parts(&shop.path("caja", "copias"));
    assert!(parts.is_empty(), "{name}: {parts:?}");
}
