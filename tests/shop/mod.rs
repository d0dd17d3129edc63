//! The random shop: tills sell through real processes while a seeded harness kills and stops them, SvrPdv, relevo's verbs and whole
//! machines at random moments, and people mirror, promote, restore, resume and undo. After each round the tickets prove I1 and I3,
//! at the end, when the faults have stopped and the shop is back, I2, I4 and I5 too.
//!
//! Unix only: SIGSTOP and /proc. `RELEVO_SHOP_SEEDS` says how many seeds (default 10), `RELEVO_SHOP_FROM` the first one,
//! `RELEVO_SHOP_SEED` the only one, `RELEVO_SHOP_REPEAT` how often each, `RELEVO_SHOP_TRACE` a kept trace to play again.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

mod act;
mod action;
mod counts;
mod plots;
mod processes;
mod random;
mod recover;
mod seen;
mod table;
mod tickets;
mod yard;

use action::Action;
use counts::Counts;
use yard::Yard;

/// Seeds of the test command; more by `RELEVO_SHOP_SEEDS`.
const SEEDS: u64 = 10;
/// Shops at once.
const AT_ONCE: usize = 2;

/// A day that went wrong: everything that is needed to look at it and to play it again.
struct Broken {
    seed: u64,
    findings: Vec<String>,
    trace: Vec<String>,
    shop: PathBuf,
    actions: PathBuf,
}

impl Broken {
    fn show(&self) {
        let Broken { seed, findings, trace, shop, actions } = self;
        println!("\n=== seed {seed} is broken; its shop is kept in {}\n{}", shop.display(), trace.join("\n"));
        println!("found:\n- {}", findings.join("\n- "));
        let command = "cargo test --test main -- shop::the_shop --nocapture";
        println!("again: RELEVO_SHOP_SEED={seed} RELEVO_SHOP_REPEAT=20 {command}");
        println!("or: RELEVO_SHOP_SEED={seed} RELEVO_SHOP_REPEAT=20 RELEVO_SHOP_TRACE={} {command}", actions.display());
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Tills of a seed beside the caja and till2.
fn more_tills(seed: u64) -> usize {
    (seed % 3) as usize
}

/// Plays one day.
fn play(seed: u64, rounds: &[Vec<Action>], counts: &Mutex<Counts>) -> Result<(), Broken> {
    let mut yard = Yard::open(more_tills(seed));
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
        for round in rounds {
            for action in round {
                yard.act(action);
            }
            yard.count_tickets();
            if !yard.findings.is_empty() {
                return;
            }
        }
        yard.recover();
        if yard.findings.is_empty() {
            let orphans = yard.told();
            yard.clear();
            yard.standby_is_closed();
            yard.nothing_is_lost(&orphans);
        }
    }));
    if let Err(panic) = played {
        let said = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        yard.broken(format!("the harness failed: {}", said.unwrap_or_default()));
    }
    yard.clear();
    counts.lock().unwrap().join(&yard.counts);
    if yard.findings.is_empty() {
        return Ok(());
    }
    let (findings, trace) = (std::mem::take(&mut yard.findings), std::mem::take(&mut yard.trace));
    let shop = yard.shop.keep();
    let actions = yard::write_trace(&shop, rounds);
    Err(Broken { seed, findings, trace, shop, actions })
}

fn rounds_of(seed: u64) -> Vec<Vec<Action>> {
    match std::env::var_os("RELEVO_SHOP_TRACE") {
        Some(path) => serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(),
        None => plots::day(seed, more_tills(seed) + 2),
    }
}

#[test]
fn the_shop_recovers_and_loses_nothing() {
    let only = number("RELEVO_SHOP_SEED");
    let from = only.or_else(|| number("RELEVO_SHOP_FROM")).unwrap_or(0);
    let seeds = if only.is_some() { 1 } else { number("RELEVO_SHOP_SEEDS").unwrap_or(SEEDS) };
    let repeat = number("RELEVO_SHOP_REPEAT").unwrap_or(1);
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (counts, broken) = (Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= seeds * repeat {
                        return;
                    }
                    let seed = from + index % seeds;
                    if index % 50 == 49 {
                        println!("random shop: {} days, {} s", index + 1, began.elapsed().as_secs());
                    }
                    if let Err(why) = play(seed, &rounds_of(seed), &counts) {
                        why.show();
                        broken.lock().unwrap().push(why);
                        // A few show more than one; all of a thousand show nothing more.
                        stop.store(broken.lock().unwrap().len() >= 3, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let (counts, broken) = (counts.into_inner().unwrap(), broken.into_inner().unwrap());
    let shown: Vec<String> = counts.0.iter().map(|(what, times)| format!("{times} {what}")).collect();
    println!("random shop, seeds {from} to {}, {} s: {}", from + seeds - 1, began.elapsed().as_secs(), shown.join(", "));
    assert!(broken.is_empty(), "{} of the seeds are broken, see above", broken.len());
    if only.is_none() && seeds >= SEEDS {
        assert!(counts.missing().is_empty(), "these never happened, so the shop proves nothing of them: {:?}", counts.missing());
    }
}
