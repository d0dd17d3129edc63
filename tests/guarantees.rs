//! docs/guarantees.md promises, and names a test for each promise: every invariant and every scenario has its row, and every test that
//! is named exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/guarantees.md";
/// Scenarios of the page; what does not concern this version says so in its row.
const SCENARIOS: usize = 25;
const INVARIANTS: usize = 6;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    std::fs::read_to_string(root().join(PAGE)).unwrap()
}

/// Names of tests on a line: spans in backticks like `cli::launch::a_day_in_order`.
fn tests_in(line: &str) -> Vec<String> {
    let name = |span: &&str| {
        span.contains("::")
            && span.split("::").all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    line.split('`').skip(1).step_by(2).filter(name).map(str::to_owned).collect()
}

/// The tests of this very binary, as it lists them itself.
fn of_this_binary() -> BTreeSet<String> {
    let listed = std::process::Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// A unit test: its function, marked as a test, in the file that its path names (`mod tests` inside it, or tests.rs beside it).
fn is_unit_test(name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let Some((function, modules)) = parts.split_last() else { return false };
    let inside = modules.strip_suffix(&["tests"]).unwrap_or(modules);
    let folder = |parts: &[&str]| parts.iter().fold(root().join("src"), |path, part| path.join(part));
    let files = [
        folder(inside).with_extension("rs"),
        folder(inside).join("mod.rs"),
        folder(modules).with_extension("rs"),
        folder(inside).with_file_name(format!("{}_tests.rs", inside.last().unwrap_or(&""))),
    ];
    files.iter().any(|file| has_test(file, function))
}

fn has_test(file: &Path, function: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begins = format!("fn {function}(");
    let marked = |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with('#')).any(|line| *line == "#[test]");
    (0..lines.len()).any(|at| lines[at].starts_with(&begins) && marked(at))
}

#[test]
fn every_test_that_is_named_exists() {
    let here = of_this_binary();
    assert!(here.len() > 50, "the binary does not list its tests: {here:?}");
    let page = page();
    let named: BTreeSet<String> = page.lines().flat_map(tests_in).collect();
    let missing: Vec<&String> = named.iter().filter(|name| !here.contains(*name) && !is_unit_test(name)).collect();
    assert!(missing.is_empty(), "\n{missing:#?}\n→ {PAGE} names tests that do not exist: name them as they are called now\n");
}

#[test]
fn every_invariant_and_scenario_has_a_row_with_its_proof() {
    let page = page();
    let row = |key: &str| {
        let found: Vec<&str> = page.lines().filter(|line| line.starts_with(&format!("| {key} |"))).collect();
        assert_eq!(found.len(), 1, "{PAGE}: one row for {key}, found {}", found.len());
        found[0]
    };
    let invariants = (1..=INVARIANTS).map(|number| format!("I{number}"));
    for key in invariants.chain((1..=SCENARIOS).map(|number| number.to_string())) {
        let row = row(&key);
        assert!(!tests_in(row).is_empty() || row.contains("not yet"), "{PAGE}: {key} names no test and does not say «not yet»");
    }
}

#[test]
fn names_are_told_from_other_code() {
    assert_eq!(tests_in("`a::b_c` and `relevo mirror`, `files::`, `x`"), ["a::b_c"]);
    assert!(is_unit_test("plan::matrix::tests::the_whole_matrix"));
    assert!(is_unit_test("server::embedded::tests::what_must_not_be_applied"));
    assert!(is_unit_test("plan::chain::tests::damage_and_epochs"));
    assert!(!is_unit_test("plan::matrix::tests::no_such_test"));
    assert!(!is_unit_test("plan::matrix::matrix"), "a function that is no test");
}
