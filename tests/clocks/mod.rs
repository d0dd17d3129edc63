//! Clocks that lie: no decision changes, and texts say what they know. Every story is the whole shop's, each verb with the clock
//! that its script says; what comes out must be what comes out with a right clock.

use std::io::Write;
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::{Ran, Shop};

/// The clock of a machine at its n-th verb; `None`: the right one.
type Clock = fn(&str, usize) -> Option<&'static str>;

/// Runs a verb under a clock, with the PIN on standard input.
fn at(shop: &Shop, machine: &str, now: Option<&str>, words: &[&str]) -> Ran {
    let mut command = shop.command(machine, &["--json", "--lang", "en", "--pin-fd", "0"]);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(now) = now {
        command.env("RELEVO_TEST_NOW", now);
    }
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"4321\n"); // a verb that asks nobody may have closed it
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(137),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What was decided in a whole day of a shop: of every verb its code and what it chose, and what lies on the target at the end.
fn story(clock: Clock) -> Vec<Value> {
    let shop = Shop::new();
    shop.set_pin("caja", "4321");
    let (mut told, mut count) = (Vec::new(), 0);
    let mut verb = |machine: &str, words: &[&str]| {
        count += 1;
        let ran = at(&shop, machine, clock(machine, count), words);
        let said = ran.json();
        let chosen: Vec<&Value> =
            ["kind", "sequence", "reason", "applied", "verified", "planned", "epoch", "started", "orphans", "plan", "problems"]
                .iter()
                .map(|key| &said[*key])
                .collect();
        let position = &said["position"]["sequence"];
        told.push(json!([machine, words, ran.code, said["error"]["kind"], chosen, position]));
        ran
    };
    verb("main", &["mirror"]);
    shop.sell("main", "CAJA2", 2);
    verb("main", &["mirror"]);
    // Enough chains that retention has to choose.
    for _ in 0..3 {
        shop.sell("main", "CAJA2", 1);
        verb("main", &["mirror", "--full"]);
    }
    verb("caja", &["mirror"]);
    verb("caja", &["target", "verify"]);
    shop.sell("main", "CAJA2", 2);
    shop.main_off();
    // The word is given beforehand: whether it is asked for depends on an age, and has a test of its own.
    verb("caja", &["promote", "--accept-loss", "--reason", "reloj"]);
    shop.sell("caja", "CAJA1", 2);
    shop.main_on();
    verb("main", &["launch", "--program", "svrpdv"]);
    verb("main", &["mirror"]);
    verb("caja", &["restore"]);
    verb("main", &["launch", "--program", "svrpdv"]);
    shop.stop_server("main");
    verb("main", &["mirror"]);
    shop.sell("main", "CAJA1", 1);
    verb("main", &["mirror"]);
    verb("caja", &["promote", "--accept-loss", "--reason", "reloj"]); // planned
    let listed = verb("caja", &["target", "list"]).json();
    let names: Vec<Value> = listed["targets"][0]["copies"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    let status = verb("caja", &["status"]).json();
    let server = |side: &str| json!([status[side]["state"], status[side]["position"]["sequence"]]);
    told.push(json!([names, status["holder"], status["serving"], status["epoch"], server("main"), server("backup")]));
    let held = shop.tickets(&shop.database("caja"));
    let orphans = shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len();
    told.push(json!([held, orphans]));
    // I2, I3: every acknowledged ticket is held or an orphan, no folio twice.
    let folios: std::collections::BTreeSet<i64> = held.iter().map(|t| t.0).collect();
    assert_eq!((folios.len(), held.len() + orphans), (held.len(), shop.acknowledged().len()));
    told
}

/// Names of runs and copies' times do not come into it; what does must be the same, verb by verb.
fn as_with_a_right_clock(clock: Clock) {
    static RIGHT: OnceLock<Vec<Value>> = OnceLock::new();
    let right = RIGHT.get_or_init(|| {
        let right = story(|_, _| None);
        let codes: Vec<i64> = right.iter().filter_map(|verb| verb[2].as_i64()).collect();
        assert_eq!(codes[..17], [0, 0, 0, 0, 0, 0, 0, 0, 11, 11, 0, 0, 0, 0, 0, 0, 0], "{right:#?}");
        right
    });
    for (own, wanted) in story(clock).iter().zip(right) {
        assert_eq!(own, wanted);
    }
}

/// Every boot begins in 1980, and the clock stands still.
#[test]
fn a_dead_cmos_battery() {
    as_with_a_right_clock(|machine, _| (machine == "caja").then_some("1980-01-01T00:00:05-06:00"));
    as_with_a_right_clock(|_, _| Some("1980-01-01T00:00:05-06:00"));
}

#[test]
fn a_day_forth_and_back_between_any_two_verbs() {
    as_with_a_right_clock(|_, n| {
        Some(["2026-11-24T10:00:00-06:00", "2026-11-25T10:00:00-06:00", "2026-11-23T10:00:00-06:00"][n % 3])
    });
}

/// The hour that comes twice, and an offset that changes with every boot.
#[test]
fn daylight_saving_ends_between_two_verbs() {
    as_with_a_right_clock(|_, n| {
        Some(
            ["2026-10-25T01:59:59-05:00", "2026-10-25T01:00:00-06:00", "2026-10-25T01:30:00-06:00", "2026-10-25T01:30:00-05:00"]
                [n % 4],
        )
    });
}

#[test]
fn the_end_of_32_bits_and_of_the_century() {
    as_with_a_right_clock(|_, n| {
        Some(["2038-01-19T03:14:06Z", "2038-01-19T03:14:08Z", "2100-02-28T23:59:59Z", "2100-03-01T00:00:00Z"][n.min(9) % 4])
    });
}

/// Main a day ahead of the caja, and a day behind it.
#[test]
fn machines_that_disagree() {
    as_with_a_right_clock(|machine, _| {
        Some(if machine == "main" { "2026-11-25T10:00:00-06:00" } else { "2026-11-24T10:00:00-06:00" })
    });
    as_with_a_right_clock(|machine, _| {
        Some(if machine == "main" { "2026-11-24T10:00:00-06:00" } else { "2026-11-25T10:00:00-06:00" })
    });
}

/// A copy that is younger than this machine's clock has no known age: that is not the age 0, and a person has to accept it.
#[test]
fn an_unsure_clock_asks_instead_of_passing() {
    let shop = Shop::new();
    shop.set_pin("caja", "4321");
    at(&shop, "main", Some("2026-11-24T10:00:00-06:00"), &["mirror"]).expect(0);
    shop.main_off();
    let dead = Some("1980-01-01T00:00:05-06:00");
    // First the clock itself: an authorised person says that it may be.
    let mut command = shop.command("caja", &["--json", "--lang", "en", "promote"]);
    let refused = crate::harness::ran(command.env("RELEVO_TEST_NOW", "1980-01-01T00:00:05-06:00")).expect(4);
    assert!(refused.kind() == "needs_authorisation" && refused.out.contains("clock unsure"), "{}", refused.out);
    // Then the loss: nobody knows how old the copy is.
    let refused = at(&shop, "caja", dead, &["promote"]).expect(4);
    assert_eq!(refused.kind(), "loss_not_accepted");
    assert!(
        refused.out.contains("clock unsure") && refused.out.contains("unknown") && !refused.out.contains(" 0 s"),
        "{}",
        refused.out
    );
    // A clock that is ahead makes it old, and asks as well.
    let refused = at(&shop, "caja", Some("2026-11-25T10:00:00-06:00"), &["promote"]).expect(4);
    assert!(refused.kind() == "loss_not_accepted" && refused.out.contains("86400 s"), "{}", refused.out);
    at(&shop, "caja", Some("2026-11-24T10:00:09-06:00"), &["promote"]).expect(0);
}

/// No two machines of a shop have the same time: minutes are no reason to doubt a copy that was made just now.
#[test]
fn clocks_that_differ_by_minutes_are_believed() {
    let shop = Shop::new();
    shop.set_pin("caja", "4321");
    at(&shop, "main", Some("2026-11-24T10:00:00-06:00"), &["mirror"]).expect(0);
    shop.main_off();
    let behind = Some("2026-11-24T09:57:00-06:00");
    assert_eq!(at(&shop, "caja", behind, &["status"]).expect(0).json()["mirror"]["age_s"], 0);
    at(&shop, "caja", behind, &["promote"]).expect(0);
}

#[test]
fn no_text_gives_an_age_that_it_does_not_know() {
    let shop = Shop::new();
    at(&shop, "main", Some("2026-11-24T10:00:00-06:00"), &["mirror"]).expect(0);
    let dead = "1980-01-01T00:00:05-06:00";
    let status = at(&shop, "caja", Some(dead), &["status"]).expect(0).json();
    assert_eq!((&status["mirror"]["age_s"], &status["mirror"]["verified_age_s"]), (&Value::Null, &Value::Null), "{status}");
    assert_eq!(status["mirror"]["last_at"], "2026-11-24T10:00:00-06:00");
    for (lang, words) in [("en", "age unknown (clock unsure)"), ("es", "edad desconocida (reloj dudoso)")] {
        for verb in [&["status"][..], &["target", "verify"]] {
            let said =
                crate::harness::ran(shop.command("caja", &["--lang", lang]).args(verb).env("RELEVO_TEST_NOW", dead)).expect(0);
            let words = if verb[0] == "target" { words.replace(" (", ", ").replace(')', "") } else { words.to_owned() };
            assert!(said.out.contains(&words), "{lang} {verb:?}: {}", said.out);
            assert!(!said.out.contains("no hay copias") && !said.out.contains("no copies"), "{}", said.out);
        }
    }
}

/// A clock that jumps to 2100 once made every ended run look older than ninety days.
#[test]
fn a_clock_that_jumped_ahead_drops_no_run() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    let runs = || shop.json("main", &["runs"]).expect(0).json()["runs"].as_array().unwrap().len();
    let before = runs();
    for now in ["2100-01-01T00:00:00Z", "2100-01-02T00:00:00Z", "2026-11-24T00:00:00Z", "9999-12-30T00:00:00Z"] {
        at(&shop, "main", Some(now), &["mirror"]).expect(0);
    }
    assert_eq!(runs(), before + 4);
}
