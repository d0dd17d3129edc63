//! Benchmarks: what relevo costs against what a shop would use instead, both measured in the same run, alternating.
//!
//! `cargo bench --bench main -- mirror` (or `all`, or several names). A wrong result is an error; a missed target is only said.
//! Nothing here is a timed test. The table of figures: docs/benchmarks.md.

mod data;
mod failback;
mod launch;
mod measure;
mod mirror;
mod peers;
mod promote;
mod replay;
mod report;
mod scale;
mod seed;
mod shop;
mod size;
mod sqlserver;
mod step;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::Report;

/// Anything that goes wrong ends the benchmark: it would measure something else.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One benchmark.
type Bench = fn(&Options, &mut Report) -> Result<()>;

const BENCHES: [(&str, Bench); 9] = [
    ("mirror", mirror::bench),
    ("seed", seed::bench),
    ("failback", failback::bench),
    ("promote", promote::bench),
    ("launch", launch::bench),
    ("step", step::bench),
    ("replay", replay::bench),
    ("size", size::bench),
    ("sqlserver", sqlserver::bench),
];

/// Memory and operations at the limits: bounds, not ratios, so it stands alone and `all` does not include it.
const SCALE: &str = "scale";

const USAGE: &str = "usage: cargo bench --bench main -- NAME… [--size MIB] [--reps N] [--dir DIR]
NAME is all, mirror, seed, failback, promote, launch, step, replay, size or sqlserver; scale, alone, takes long and 25 GiB (docs/scale.md).
--size: MiB of the database (RELEVO_BENCH_MIB; default 1024). --reps: repetitions (RELEVO_BENCH_REPS; each has its own default).
--dir: where the data lies while it runs (default: below target/; the disk is part of what is measured).";

/// What the command line says.
struct Options {
    names: Vec<String>,
    /// Size of the database in MiB.
    mib: u64,
    reps: Option<usize>,
    /// A folder of this run's own.
    dir: PathBuf,
}

impl Options {
    /// How often, unless the person says otherwise; once in a debug build, which only checks what comes out.
    fn reps(&self, usual: usize) -> usize {
        self.reps.unwrap_or(if cfg!(debug_assertions) { 1 } else { usual }).max(1)
    }

    /// A fresh folder for one benchmark; it is removed with its value.
    fn folder(&self, name: &str) -> Result<tempfile::TempDir> {
        Ok(tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&self.dir)?)
    }

    /// The database that every benchmark starts from; made once a run.
    fn base(&self) -> Result<PathBuf> {
        let path = self.dir.join("base.db");
        if !path.exists() {
            data::create(&path, self.mib)?;
        }
        Ok(path)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == launch::STUB) {
        return launch::stub(&words[1..]);
    }
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprintln!("  {inner}");
                cause = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let (mut names, mut given) = (Vec::new(), std::collections::HashMap::new());
    let mut words = words.iter().filter(|word| *word != "--bench"); // cargo adds it
    while let Some(word) = words.next() {
        match word.as_str() {
            "--size" | "--reps" | "--dir" => {
                given.insert(word.as_str(), words.next().ok_or(USAGE)?.clone());
            }
            name if name == "all" || name == SCALE || BENCHES.iter().any(|(known, _)| *known == name) => {
                names.push(name.to_owned())
            }
            _ => return Err(USAGE.into()),
        }
    }
    if names.is_empty() {
        return Err(USAGE.into());
    }
    let scales = names.iter().any(|name| name == SCALE);
    let setting = |option: &str, variable: &str| given.get(option).cloned().or_else(|| std::env::var(variable).ok());
    let number = |text: Option<String>| text.map(|text| text.parse::<u64>().map_err(|_| USAGE)).transpose();
    let above = given.get("--dir").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned(), PathBuf::from);
    std::fs::create_dir_all(&above)?;
    let dir = tempfile::Builder::new().prefix("relevo-bench-").tempdir_in(above)?;
    let options = Options {
        names,
        mib: number(setting("--size", "RELEVO_BENCH_MIB"))?.unwrap_or(if scales { 4096 } else { 1024 }),
        reps: number(setting("--reps", "RELEVO_BENCH_REPS"))?.map(|reps| reps as usize),
        dir: dir.path().canonicalize()?,
    };
    if scales {
        return scale::bench(&options);
    }
    let mut report = Report::begin(options.mib);
    for (name, bench) in BENCHES {
        if options.names.iter().any(|wanted| wanted == name || wanted == "all") {
            bench(&options, &mut report)?;
        }
    }
    report.end();
    Ok(())
}
