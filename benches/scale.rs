//! Scale: every verb at the limits of a large shop, as a process: 4 GiB of database, 50 tills, 10,000 copies, runs of 10,000 steps.
//! The most memory that each had, and what it asked of its target, have bounds; a broken one ends the command with an error.
//!
//! `cargo bench --bench main -- scale`. In the test profile it does the same with little, which is how the gate runs it. Recorded
//! in docs/scale.md.

mod big;
mod copies;
mod runs;
mod tails;
mod tills;
mod verb;

use crate::report::{mib, seconds};
use crate::{Options, Result};

use crate::shop::{Machine, Shop};
use verb::Ran;

/// The most memory of any verb, in KiB.
const MEMORY: u64 = 150 << 10;

/// Copies after which those made so far are put aside.
const HEAP: u64 = 100;

/// How much of everything.
pub struct Amounts {
    /// MiB of the large database.
    pub mib: u64,
    /// Tickets in it.
    pub tickets: u64,
    /// Tills that sell at once.
    pub tills: usize,
    /// Copies on a target.
    pub copies: u64,
    /// Steps of the longest run; all runs together have twice as many.
    pub steps: u32,
    /// Tickets of an old main that no copy has.
    pub orphans: u64,
}

/// Runs it.
pub fn bench(options: &Options) -> Result<()> {
    let amounts = if cfg!(debug_assertions) {
        Amounts { mib: options.mib.min(32), tickets: 20_000, tills: 8, copies: 40, steps: 200, orphans: 2_000 }
    } else {
        Amounts { mib: options.mib, tickets: 2_000_000, tills: 50, copies: 10_000, steps: 10_000, orphans: 100_000 }
    };
    let Amounts { mib, tills, copies, steps, orphans, .. } = amounts;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "test profile, small" } else { "release build" };
    println!(
        "relevo at scale: {mib} MiB database, {tills} tills, {copies} copies, {steps} steps, {orphans} orphans, {cores} cores, {build}"
    );
    let mut table = Table::default();
    runs::measure(options, &amounts, &mut table)?;
    copies::measure(options, &amounts, &mut table)?;
    tails::measure(options, &amounts, &mut table)?;
    big::measure(options, &amounts, &mut table)?;
    table.end()
}

/// The most that a verb may ask of its target.
#[derive(Clone, Copy)]
pub struct Most {
    /// Listings.
    pub list: u64,
    /// Objects opened.
    pub get: u64,
}

/// What was measured, and which bounds do not hold.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 6]>,
    broken: Vec<String>,
}

impl Table {
    /// A verb that ended as it should.
    pub fn verb(&mut self, what: &str, ran: &Ran, most: Option<Most>) {
        let asked = ran.asked.map_or("-".to_owned(), |asked| format!("{} list, {} get", asked.list, asked.get));
        let bound = most.map_or("-".to_owned(), |most| format!("≤ {} list, ≤ {} get", most.list, most.get));
        let keeps = match (most, ran.asked) {
            (Some(most), Some(asked)) => asked.list <= most.list && asked.get <= most.get,
            (Some(_), None) => false, // it did not say
            (None, _) => true,
        };
        self.row(what, ran.peak, seconds(ran.took.as_secs_f64()), asked, bound, keeps);
    }

    /// A figure that has no bound.
    pub fn told(&mut self, what: &str, figure: String) {
        println!("{what}: {figure}");
        self.rows.push([what.to_owned(), "-".to_owned(), figure, "-".to_owned(), "-".to_owned(), "told".to_owned()]);
    }

    /// The peak of something that is no verb to its end, with a figure of its own.
    pub fn peak(&mut self, what: &str, peak: Option<u64>, figure: String) {
        self.row(what, peak, figure, "-".to_owned(), "-".to_owned(), true);
    }

    fn row(&mut self, what: &str, peak: Option<u64>, figure: String, asked: String, bound: String, keeps: bool) {
        let keeps = keeps && peak.is_none_or(|peak| peak <= MEMORY);
        let memory = peak.map_or("SKIP: this system does not tell".to_owned(), |kib| mib(kib << 10));
        let verdict = if keeps { "ok" } else { "BROKEN" };
        println!("{what}: {memory} | {figure} | {asked} | {bound} | {verdict}");
        if !keeps {
            self.broken.push(what.to_owned());
        }
        self.rows.push([what.to_owned(), memory, figure, asked, bound, verdict.to_owned()]);
    }

    fn end(self) -> Result<()> {
        println!(
            "\n| what | peak memory (≤ {} MiB) | took | asked of the target | bound | |\n|---|---|---|---|---|---|",
            MEMORY >> 10
        );
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        if self.broken.is_empty() { Ok(()) } else { Err(format!("bounds are broken: {}", self.broken.join("; ")).into()) }
    }
}

/// Adds lines to a machine's relevo.toml.
fn append(shop: &Shop, machine: Machine, lines: &str) -> Result<()> {
    use std::io::Write;
    let file = shop.path(machine, "store/relevo.toml");
    Ok(std::fs::OpenOptions::new().append(true).open(file)?.write_all(lines.as_bytes())?)
}

/// Main is off the net, and on it again.
fn unplugged(shop: &Shop, back: bool) -> Result<()> {
    let (on, off) = (shop.path(Machine::Main, ""), shop.dir.join("main.off"));
    let (from, to) = if back { (off, on) } else { (on, off) };
    #[expect(clippy::disallowed_methods, reason = "a machine that is away; nothing of it has to be durable")]
    Ok(std::fs::rename(from, to)?)
}

/// Puts what lies on the target aside, or back. Every put looks through the folder, so filling one with very many is quick only where
/// it stays short meanwhile.
fn put_aside(shop: &Shop, back: bool) -> Result<()> {
    let (there, aside) = (shop.target().join("0142"), shop.dir.join("aside"));
    std::fs::create_dir_all(&aside)?;
    let (from, to) = if back { (&aside, &there) } else { (&there, &aside) };
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        #[expect(clippy::disallowed_methods, reason = "builds a stage; nothing of it has to be durable")]
        std::fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
