//! Random days on SQL Server: tills sell, people mirror, promote, restore and resume, and at random moments relevo is killed at one of its
//! points, main loses power, or an instance dies. Then a person does what the messages say. Every acknowledged ticket is in main's database
//! or among the orphan sales, none twice, and nobody is kept out. `RELEVO_SQL_SEEDS` and `RELEVO_SQL_FROM` choose the days.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::Shop;

/// Days that run with the tests.
const DAYS: u64 = 2;
/// What happens in a day.
const EVENTS: usize = 26;
/// A person tries so often before the day counts as lost.
const PATIENCE: usize = 12;

/// Numbers that a seed gives (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

struct Day {
    shop: Shop,
    dice: Dice,
    main_is_on: bool,
    told: Vec<String>,
}

impl Day {
    /// Runs a verb, killed at a random point every third time.
    fn verb(&mut self, machine: &str, words: &[&str]) {
        let point = self.dice.below(40).to_string();
        let killed = self.dice.below(3) == 0;
        let variables: &[(&str, &str)] = if killed { &[("RELEVO_TEST_CRASH", &point)] } else { &[] };
        let ran = self.shop.json_with(machine, words, variables);
        let kind = if ran.out.is_empty() { String::new() } else { ran.kind() };
        self.told.push(format!("{machine} {words:?} {variables:?}: {} {kind}", ran.code));
    }

    /// SvrPdv is closed, where it runs.
    fn close_programs(&self) {
        ["main", "caja"].iter().for_each(|machine| self.shop.stop_server(machine));
    }

    fn status(&self) -> Option<Value> {
        let ran = self.shop.json("caja", &["status"]);
        (ran.code == 0).then(|| ran.json())
    }

    /// A till sells on the server that holds the post, if it is open.
    fn sell(&mut self) {
        let Some(status) = self.status() else { return };
        let (machine, till) = match status["holder"].as_str() {
            Some("main") if self.main_is_on && status["main"]["state"] == "open" => ("main", "CAJA2"),
            Some("backup") if status["backup"]["state"] == "open" => ("caja", "CAJA1"),
            _ => return,
        };
        let count = 1 + self.dice.below(4) as usize;
        self.shop.sell(machine, till, count);
        self.told.push(format!("{till} sold {count} on {machine}"));
    }

    fn power(&mut self, on: bool) {
        if self.main_is_on == on {
            return;
        }
        if on {
            self.shop.main_on()
        } else {
            self.shop.main_off()
        }
        self.main_is_on = on;
        self.told.push(format!("main is {}", if on { "on" } else { "off" }));
    }

    fn event(&mut self) {
        match self.dice.below(13) {
            0..=3 => self.sell(),
            4 | 5 if self.main_is_on => self.verb("main", &["mirror"]),
            6 => self.verb("caja", &["mirror"]),
            7 => self.verb("caja", &["promote"]),
            8 => self.power(!self.main_is_on),
            9 => {
                self.close_programs();
                self.verb("caja", &["restore"]);
            }
            10 => self.verb("caja", &["resume"]),
            11 if self.main_is_on => self.verb("main", &["launch", "--program", "svrpdv"]),
            12 => {
                self.shop.sql().kill("caja");
                self.shop.sql().run("caja");
                self.told.push("the caja's instance began anew".to_owned());
            }
            _ => {}
        }
        // SvrPdv is closed again: who sells here does so by itself, and a planned promote refuses while it is there.
        if self.dice.below(2) == 0 {
            self.close_programs();
        }
    }

    /// The faults are over: a person brings the post home to main.
    fn recover(&mut self) -> bool {
        self.power(true);
        for _ in 0..PATIENCE {
            self.close_programs();
            let resumed = self.shop.json("caja", &["resume"]);
            self.told.push(format!("resume: {} {}", resumed.code, resumed.kind()));
            self.close_programs();
            let Some(status) = self.status() else { continue };
            let ran = match status["holder"].as_str() {
                Some("backup") => self.shop.json("caja", &["restore"]),
                _ => self.shop.json("main", &["launch", "--program", "svrpdv"]),
            };
            self.told.push(format!("{}: {} {}", status["holder"], ran.code, ran.out.trim()));
            let home = self.status().is_some_and(|s| s["holder"] == "main" && s["serving"] == "main");
            if home && ran.code == 0 {
                return true;
            }
        }
        false
    }
}

fn day(seed: u64) {
    let mut day = Day {
        shop: Shop::on_sqlserver(),
        dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        main_is_on: true,
        told: Vec::new(),
    };
    day.shop.json("main", &["mirror"]).expect(0);
    for _ in 0..EVENTS {
        day.event();
    }
    let home = day.recover();
    let told = || day.told.join("\n");
    assert!(home, "seed {seed}: the post did not come home\n{}", told());
    let known = day.shop.acknowledged();
    let all: BTreeSet<_> = known.iter().cloned().collect();
    assert_eq!(all.len(), known.len(), "seed {seed}: acknowledged twice\n{}", told());
    let folios: BTreeSet<i64> = known.iter().map(|ticket| ticket.0).collect();
    assert_eq!(folios.len(), known.len(), "seed {seed}: a folio twice\n{}", told());
    let orphans = day.shop.json("caja", &["orphans"]).expect(0).json();
    let mut found: BTreeSet<_> = day.shop.sold("main").into_iter().collect();
    for ticket in orphans["orphans"].as_array().into_iter().flatten() {
        let key =
            (ticket["folio"].as_i64().unwrap(), ticket["till"].as_str().unwrap().to_owned(), ticket["epoch"].as_i64().unwrap());
        found.insert(key);
    }
    let lost: Vec<_> = all.difference(&found).collect();
    assert!(lost.is_empty(), "seed {seed}: lost {lost:?}\n{}", told());
    let count = |what: &str| day.told.iter().filter(|line| line.contains(what)).count();
    println!(
        "seed {seed}: {} tickets, {} orphans, {} promotes and {} restores that began and ended well, {} kills, {} power cuts of main",
        known.len(),
        orphans["orphans"].as_array().map_or(0, Vec::len),
        count("[\"promote\"] []: 0"),
        count("[\"restore\"] []: 0") + count("\"backup\": 0"),
        count(": 137"),
        count("main is off"),
    );
    for machine in ["main", "caja"] {
        for (name, state, access) in day.shop.sql().databases(machine) {
            assert!(
                state != "ONLINE" || access == "MULTI_USER",
                "seed {seed}: {machine}: {name} is {state} {access}\n{}",
                told()
            );
        }
    }
}

#[test]
fn random_days_end_well() {
    let number = |name: &str, usual| std::env::var(name).ok().and_then(|words| words.parse().ok()).unwrap_or(usual);
    let (days, from) = (number("RELEVO_SQL_SEEDS", DAYS), number("RELEVO_SQL_FROM", 1));
    // One after the other: the other tests run beside it.
    (from..from + days).for_each(day);
}
