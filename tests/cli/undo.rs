//! `relevo undo`, `relevo resume`, Ctrl-C: role changes that do not run to their end.

use crate::harness::{Ran, Shop, ran, wait_until};

/// A planned promote that is killed at this point.
fn killed_at(point: &str) -> Shop {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    let killed: Ran = ran(shop.command("caja", &["--json", "promote"]).env("RELEVO_TEST_CRASH_AT", point));
    assert_eq!(killed.code, 137, "{}{}", killed.out, killed.err);
    shop
}

fn open_run(shop: &Shop) -> String {
    let status = shop.status("caja");
    assert_eq!(status["runs_open"][0]["state"], "interrupted", "{status}");
    status["runs_open"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn before_the_point_of_no_return_everything_is_as_it_was() {
    // the first change of the header bytes is main's fence
    let shop = killed_at("database.bytes:after:2");
    let id = open_run(&shop);
    assert_eq!(shop.status("caja")["main"]["state"], "fenced");
    // nobody else begins a role change, and main does not start meanwhile
    assert_eq!(shop.json("caja", &["promote"]).expect(10).kind(), "role_change_open");
    assert_eq!(shop.json("main", &["launch", "--program", "svrpdv"]).expect(11).kind(), "superseded");
    assert_eq!(shop.json("main", &["mirror"]).expect(10).kind(), "role_change_open");
    let plan = shop.say("caja", "es", &["undo", "--plan", &id]).expect(0);
    assert!(plan.out.contains("Se deshace") && plan.out.contains("No se deshace"), "{}", plan.out);
    shop.json("caja", &["undo", &id]).expect(0);
    let status = shop.status("caja");
    assert_eq!((status["main"]["state"].as_str(), status["holder"].as_str()), (Some("open"), Some("main")), "{status}");
    assert_eq!(status["runs_open"], serde_json::json!([]));
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.stop_server("main");
    assert_eq!(shop.tickets(&shop.database("main")), shop.acknowledged());
    // and a later promote goes its way
    shop.json("caja", &["promote"]).expect(0);
}

#[test]
fn beyond_the_point_of_no_return_it_only_goes_forward() {
    let shop = killed_at("database.record:after");
    let id = open_run(&shop);
    assert_eq!(shop.json("caja", &["undo", &id]).expect(4).kind(), "beyond_the_point");
    let left = shop.json("caja", &["resume", "--plan"]).expect(0).json();
    assert!(!left["plan"].as_array().unwrap().is_empty(), "{left}");
    shop.json("caja", &["resume"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
    assert_eq!(shop.status("caja")["holder"], "backup");
}

#[test]
fn a_main_that_serves_again_makes_an_open_promote_go_back_or_stay_stuck() {
    let shop = killed_at("standby.pages:before");
    // the integrator insists: main's fence is lifted by hand and its SvrPdv started past the gate
    shop.json("caja", &["resume", "--plan"]).expect(0);
    let world = relevo::world::real();
    let lock = world.try_lock(&shop.path("main", "instance/server.lock")).unwrap().unwrap();
    assert_eq!(shop.json("caja", &["resume"]).expect(4).kind(), "main_serves");
    drop(lock);
    let status = shop.status("caja");
    assert_eq!((status["main"]["state"].as_str(), status["holder"].as_str()), (Some("open"), Some("main")), "{status}");

    let shop = killed_at("database.record:before");
    let lock = world.try_lock(&shop.path("main", "instance/server.lock")).unwrap().unwrap();
    shop.json("caja", &["resume"]).expect(12);
    assert_eq!(shop.status("caja")["runs_open"][0]["state"], "stuck");
    drop(lock);
    shop.json("caja", &["resume"]).expect(0);
}

#[test]
fn ctrl_c_is_a_clean_interruption() {
    if cfg!(windows) {
        println!("SKIP: Wine delivers no Ctrl-C to a single child");
        return;
    }
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.main_off();
    let toml = shop.path("caja", "store/relevo.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, text.replace("probe_for = \"100ms\"", "probe_for = \"20s\"")).unwrap();
    let mut child = shop.spawn("caja", &["promote"]);
    wait_until("promote has its lock", || shop.path("caja", "store/state/role.json").exists());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(10));
    std::fs::write(&toml, text).unwrap();
    let status = shop.status("caja");
    assert_eq!(status["backup"]["state"], "standby", "{status}");
    shop.json("caja", &["promote"]).expect(0);
}

#[test]
fn steps_of_a_script_are_taken_back() {
    let shop = Shop::new();
    let root = shop.path("main", "datos");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("precios.txt"), "viejo").unwrap();
    let toml = shop.path("main", "store/relevo.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, format!("{text}\n[files]\ndatos = '{}'\n", root.display())).unwrap();
    let body = "fn run(args) { files::write(\"datos:precios.txt\", \"nuevo\"); files::write(\"datos:aviso.txt\", \"x\"); 1 }";
    std::fs::write(shop.path("main", "store/scripts/mirror.rhai"), body).unwrap();
    let id = shop.json("main", &["mirror"]).expect(0).json()["run"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(root.join("precios.txt")).unwrap(), "nuevo");
    shop.json("main", &["undo", &id]).expect(0);
    assert_eq!(std::fs::read_to_string(root.join("precios.txt")).unwrap(), "viejo");
    assert!(!root.join("aviso.txt").exists());
    assert_eq!(shop.json("main", &["undo", &id]).expect(4).kind(), "run_ended");
}

/// Found by the random shop: `resume` went on with the script after an interrupted undo, and failed with "undone".
#[test]
fn an_undo_that_was_killed_is_finished_by_resume() {
    // from the first thing that it notes: before that nothing was taken back, and resume goes forward
    for point in 1..20 {
        let shop = killed_at("database.bytes:after:2");
        let id = open_run(&shop);
        let undo = ran(shop
            .command("caja", &["--json", "undo", &id])
            .env("RELEVO_TEST_CRASH_AT", format!("journal.commit:after:{point}")));
        if undo.code == 0 {
            assert!(point > 2, "the undo notes more than {point} times");
            return;
        }
        assert_eq!(undo.code, 137, "{}{}", undo.out, undo.err);
        if shop.status("caja")["runs_open"] != serde_json::json!([]) {
            shop.json("caja", &["resume"]).expect(0); // else only its last words were lost
        }
        let status = shop.status("caja");
        let seen = (status["holder"].as_str(), status["main"]["state"].as_str(), status["backup"]["state"].as_str());
        assert_eq!(seen, (Some("main"), Some("open"), Some("standby")), "killed at {point}: {status}");
        assert_eq!(status["runs_open"], serde_json::json!([]), "killed at {point}");
        shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    }
    panic!("the undo never ran through");
}
