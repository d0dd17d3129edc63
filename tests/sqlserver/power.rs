//! The SQL Server itself dies, as in a power cut, before, in the middle of, or after what the verb asks it to do. It is started again, the
//! verb is taken up, and the end is that of a run that nobody disturbed.

use super::crash::scenarios;
use crate::harness::{Shop, wait_until};
use crate::scenarios::{Stage, each};

/// Scenario, machine, words of the statement, and whether it can be cut in the middle too.
const CUTS: &[(&str, &str, &str, bool)] = &[
    ("mirror seed", "main", "BACKUP DATABASE", true),
    ("mirror seed", "caja", "RESTORE DATABASE", true),
    ("mirror increment", "main", "BACKUP LOG", true),
    ("mirror increment", "caja", "RESTORE LOG", true),
    ("mirror differential", "main", "BACKUP DATABASE", true),
    ("mirror differential", "caja", "RESTORE DATABASE", true),
    ("promote unplanned", "caja", "WITH RECOVERY", false),
    ("promote unplanned", "caja", "relevo_folio", false),
    ("promote planned", "main", "BACKUP LOG", true),
    ("promote planned", "caja", "RESTORE LOG", true),
    ("promote planned", "caja", "WITH RECOVERY", false),
    ("old main comes back", "main", "BACKUP DATABASE", true),
    ("old main comes back", "main", "SET OFFLINE", false),
    ("restore by the log", "caja", "BACKUP LOG", true),
    ("restore by the log", "main", "RESTORE LOG", true),
    ("restore by the log", "main", "WITH RECOVERY", false),
    ("restore", "caja", "BACKUP DATABASE", true),
    ("restore", "caja", "SET OFFLINE", false),
    ("restore", "main", "MODIFY NAME", false),
    ("restore", "main", "FOR ATTACH", false),
    ("restore", "main", "SET ONLINE", false),
];

/// How often a person takes up what he was told to take up.
const TRIES: usize = 3;

fn cut(stage: &Stage, machine: &str, words: &str, when: &str) {
    let (shop, name) = (&stage.shop, format!("{}: {machine} dies {when} {words}", stage.scenario.name));
    stage.again();
    shop.sql().order(machine, &format!(r#"{{"abort": [{{"when": "{when}", "text": "{words}", "percent": 50}}]}}"#));
    let disturbed = stage.play(&[]);
    let shown = format!("{name}: exit {}: {}{}", disturbed.code, disturbed.out, disturbed.err);
    wait_until(&format!("it died. {shown}"), || !shop.sql().is_running(machine));
    assert!([0, 1, 4, 10, 11, 12].contains(&disturbed.code), "{shown}");
    assert!(disturbed.code == 0 || !disturbed.kind().is_empty(), "{shown}");
    shop.sql().order(machine, "");
    shop.sql().run(machine);
    let mut said = String::new();
    for _ in 0..TRIES {
        let again = stage.take_up();
        if again.code == stage.scenario.code {
            let (mut got, mut wanted) = (stage.outcome(), stage.wanted.clone());
            if !said.is_empty() {
                // What was taken back and begun anew may go another way: a backup that was opened again is on a fork of its own.
                for outcome in [&mut got, &mut wanted] {
                    outcome["databases"] = serde_json::Value::Null;
                }
            }
            assert_eq!(got, wanted, "{shown}\nthen {said}\nand {}{}", again.out, again.err);
            return;
        }
        said.push_str(&format!("{}: {}{}\n", again.code, again.out, again.err));
    }
    panic!("{shown}\nnever taken up: {said}");
}

#[test]
fn an_instance_dies_and_the_verb_is_taken_up() {
    let all = std::env::var_os("RELEVO_CRASH_ALL").is_some();
    let only = std::env::var("RELEVO_CUT_ONLY").unwrap_or_default();
    println!(
        "RELEVO_CRASH_ALL=1: also before and after what can be cut in the middle; RELEVO_CUT_ONLY: scenarios of these words"
    );
    let played: usize = each(&scenarios(), |scenario| {
        let cuts: Vec<_> = CUTS.iter().filter(|(name, ..)| *name == scenario.name && name.contains(&only)).collect();
        if cuts.is_empty() {
            return 0;
        }
        let stage = Stage::of(Shop::on_sqlserver(), scenario);
        for (_, machine, words, middle) in &cuts {
            let whens: &[&str] = match middle {
                true if all => &["before", "percent", "after"],
                true => &["percent"],
                false => &["before", "after"],
            };
            for when in whens {
                cut(&stage, machine, words, when);
            }
        }
        cuts.len()
    })
    .into_iter()
    .sum();
    assert!(played == CUTS.len() || !only.is_empty(), "{played} of {}: a scenario has another name", CUTS.len());
}
