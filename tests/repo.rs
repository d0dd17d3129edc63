//! The repository keeps its own rules: who may import whom, where platform code and `unsafe` may stand, what documents promise.
//! Reads files only; every failure says what to do.
#![allow(clippy::unwrap_used, reason = "a rule that cannot be checked fails its test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules in the order in which they may import: each one only from those before it (docs/architecture.md).
const ORDER: [&str; 20] = [
    "text", "error", "nearest", "model", "config", "progress", "world", "signal", "server", "secrets", "targets", "plan",
    "journal", "operator", "store", "facts", "steps", "script", "cli", "main",
];

/// Stricter than the order: decisions stay pure, so that a table can test them.
const PLAN_NEVER: [&str; 3] = ["world", "server", "targets"];

/// Folders that hold what the project did not write, or what it leaves behind.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", "state", "proptest-regressions"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the repository below `folder`, by their path from the root with `/`.
fn files(folder: &str) -> Vec<String> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    walk(root, &path, found);
                }
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    walk(&root, &root.join(folder), &mut found);
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn rust(folder: &str) -> Vec<(String, String)> {
    files(folder).into_iter().filter(|path| path.ends_with(".rs")).map(|path| (path.clone(), code(&read(&path)))).collect()
}

fn documents() -> Vec<String> {
    let top = ["README.md", "README.es.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned);
    top.into_iter().chain(files("docs").into_iter().filter(|path| path.ends_with(".md"))).collect()
}

fn none(findings: Vec<String>, remedy: &str) {
    assert!(findings.is_empty(), "\n{}\n→ {remedy}\n", findings.join("\n"));
}

/// Rust source without comments and without what strings and characters say; lines stay where they are.
fn code(source: &str) -> String {
    let (bytes, mut out, mut at) = (source.as_bytes(), Vec::new(), 0);
    let blank = |out: &mut Vec<u8>, piece: &[u8]| out.extend(piece.iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
    while at < bytes.len() {
        let rest = &bytes[at..];
        let after_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let end = if rest.starts_with(b"//") {
            rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if rest[0] == b'"' {
            string(rest)
        } else if rest[0] == b'r' && (!after_name || bytes[at - 1] == b'b') && raw_string(rest).is_some() {
            raw_string(rest).unwrap_or(1)
        } else if rest[0] == b'\'' {
            character(rest)
        } else {
            out.push(rest[0]);
            at += 1;
            continue;
        };
        blank(&mut out, &rest[..end]);
        at += end;
    }
    String::from_utf8(out).unwrap()
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".to_vec(), vec![b'#'; hashes]].concat();
    let body = 2 + hashes;
    rest[body..].windows(close.len()).position(|w| w == close).map(|found| body + found + close.len())
}

/// A character literal, or just the quote of a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return rest[2..].iter().skip(1).position(|b| *b == b'\'').map_or(1, |found| found + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)])
        .unwrap_or_else(|e| std::str::from_utf8(&rest[1..1 + e.valid_up_to()]).unwrap());
    let mut chars = text.char_indices();
    match (chars.next(), chars.next()) {
        (Some(_), Some((next, '\''))) => next + 2,
        _ => 1,
    }
}

/// Where `word` stands by itself, by line from 1.
fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(|c| part(c) && word.ends_with(part))
        })
    };
    code.lines().enumerate().filter(|(_, line)| alone(line)).map(|(index, _)| index + 1).collect()
}

/// The code before its test module: tests may look at anything.
fn shipped(code: &str) -> &str {
    let inline = |rest: &str| rest.find('{') < rest.find(';').or(Some(usize::MAX));
    let test = code.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at).find(|at| inline(&code[*at..]));
    &code[..test.unwrap_or(code.len())]
}

/// The top module that a file of src/ belongs to.
fn module(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Top modules that the code names as `crate::X`, `crate::{X, Y::Z}`, or `relevo::X` from main.rs; with their lines.
fn imports(code: &str) -> Vec<(usize, String)> {
    let (mut found, name) =
        (Vec::new(), |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>());
    for (at, prefix) in code.match_indices("crate::").chain(code.match_indices("relevo::")) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((line, name(rest)));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (index, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    found.push((line, name(group[start..index].trim_start())));
                    start = index + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

#[test]
fn the_reader_of_code_skips_comments_and_strings() {
    let source = "a // unsafe\nlet s = \"unsafe \\\" {\"; /* unsafe /* x */ */ let c = '\"'; r#\"unsafe\"# b'\\'' fn f<'a>(x: &'a str) unsafe";
    let code = code(source);
    assert_eq!(lines_with(&code, "unsafe"), [2]);
    assert!(code.ends_with("fn f< a>(x: & a str) unsafe"), "{code}");
    assert_eq!(
        imports("use crate::{error, model::{Role, X}, text};\ncrate::cli::run() $crate::world"),
        [(1, "error".to_owned()), (1, "model".to_owned()), (1, "text".to_owned()), (2, "cli".to_owned())]
    );
    assert_eq!(lines_with("unsafe_code\nmy_println!()\nprintln!(x)", "println!"), [3]);
}

#[test]
fn modules_import_one_way() {
    let place = |name: &str| ORDER.iter().position(|m| *m == name);
    let mut findings = Vec::new();
    for (path, code) in rust("src") {
        let own = module(&path);
        if own == "lib" || path.ends_with("/tests.rs") || path.contains("/tests/") {
            continue;
        }
        let Some(own_place) = place(own) else {
            findings.push(format!("{path}: module {own} has no place in the order"));
            continue;
        };
        let depth = path.matches('/').count() - usize::from(path.ends_with("/mod.rs"));
        let code = shipped(&code).replace(&"super::".repeat(depth), "crate::");
        for (line, other) in imports(&code) {
            let Some(other_place) = place(&other) else { continue }; // a macro, or an item of the root
            let never = own == "plan" && PLAN_NEVER.contains(&other.as_str());
            if other_place > own_place || never {
                findings.push(format!("{path}:{line}: {own} must not import {other}"));
            }
        }
    }
    none(
        findings,
        "move the code to the module that may know both, or pass plain data; the order stands in docs/architecture.md and ORDER here",
    );
}

#[test]
fn the_map_lists_every_module() {
    let code = code(&read("src/lib.rs"));
    let on_disk: BTreeSet<String> =
        files("src").iter().map(|path| module(path).to_owned()).filter(|m| m != "lib" && m != "main").collect();
    let listed: BTreeSet<String> = on_disk.iter().filter(|m| code.contains(&format!("mod {m};"))).cloned().collect();
    none(on_disk.difference(&listed).map(|m| format!("src/{m}")).collect(), "declare it in src/lib.rs, or remove it");
    let architecture = read("docs/architecture.md");
    let unexplained = on_disk.iter().filter(|m| !architecture.contains(&format!("`{m}`"))).cloned().collect();
    none(unexplained, "say in docs/architecture.md what this module is for");
}

#[test]
fn only_world_knows_the_system() {
    let mut findings = Vec::new();
    for (path, code) in rust("src") {
        if path.starts_with("src/world/") {
            continue;
        }
        for (at, start) in ["cfg(", "cfg!(", "cfg_attr("].iter().flat_map(|w| code.match_indices(w)) {
            let condition = &code[at + start.len()..];
            let condition = &condition[..condition.find([']', ';', '{']).unwrap_or(condition.len())];
            if ["windows", "unix", "target_os", "target_family"].iter().any(|word| !lines_with(condition, word).is_empty()) {
                findings.push(format!("{path}:{}", code[..at].matches('\n').count() + 1));
            }
        }
    }
    none(findings, "put what differs between systems behind a function of src/world (unix.rs and windows.rs)");
}

#[test]
fn only_world_is_unsafe() {
    let found = rust("src").into_iter().chain(rust("tests")).filter(|(path, _)| !path.starts_with("src/world/"));
    let findings = found
        .flat_map(|(path, code)| lines_with(&code, "unsafe").into_iter().map(move |line| format!("{path}:{line}")))
        .collect();
    none(findings, "platform calls belong in src/world, each with its SAFETY comment");
}

#[test]
fn nothing_prints_past_the_output() {
    let mut findings = Vec::new();
    // Tests may: a test that cannot run here says so.
    for (path, code) in rust("src").into_iter().filter(|(path, _)| !path.ends_with("/tests.rs")) {
        let code = shipped(&code);
        for word in ["println!", "eprintln!", "print!", "eprint!", "dbg!"] {
            findings.extend(lines_with(code, word).into_iter().map(|line| format!("{path}:{line}: {word}")));
        }
    }
    none(findings, "say it through src/cli/output.rs (it knows --json and the language), or through Watch for progress");
}

#[test]
fn debt_is_named() {
    let tag = concat!("TO", "DO");
    let mut findings = Vec::new();
    for path in ["src", "tests", "tools", ".ci", "scripts"].into_iter().filter(|f| root().join(f).is_dir()).flat_map(files) {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (index, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices(tag) {
                let (before, after) = (&line[..at], &line[at + tag.len()..]);
                let inside = |c: char| c.is_alphanumeric() || c == '_';
                if !before.ends_with(inside)
                    && !after.starts_with(inside)
                    && !after.starts_with("-safety")
                    && !after.starts_with("-cleanup")
                {
                    findings.push(format!("{path}:{}", index + 1));
                }
            }
        }
    }
    none(findings, "do it now, or say which kind of debt it is: -safety or -cleanup, with the reason");
}

#[test]
fn source_files_stay_small() {
    let long = files("src").into_iter().filter(|path| path.ends_with(".rs")).map(|path| (read(&path).lines().count(), path));
    let findings = long.filter(|(lines, _)| *lines > 600).map(|(lines, path)| format!("{path}: {lines} lines")).collect();
    none(findings, "split the file: one noun or verb each, 600 lines at most");
}

#[test]
fn banned_crates_stay_out() {
    let lock = read("Cargo.lock");
    let banned = ["openssl", "openssl-sys", "native-tls"];
    let findings = banned
        .into_iter()
        .filter(|name| lock.lines().any(|line| line == format!("name = \"{name}\"")))
        .map(str::to_owned)
        .collect();
    none(findings, "find who brings it with `cargo tree -i NAME` and switch that feature off; TLS here is rustls");
}

/// Spans in backticks outside fenced blocks.
fn spans(text: &str) -> Vec<String> {
    let (mut fenced, mut found) = (false, Vec::new());
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// Targets of links, without their fragment.
fn links(text: &str) -> Vec<String> {
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.split('#').next().unwrap());
    ends.filter(|link| !link.is_empty() && !link.contains("://")).map(str::to_owned).collect()
}

#[test]
fn documents_name_what_exists() {
    let folders = ["src/", "docs/", "tests/", "scripts/", "tools/", "benches/", ".ci/"];
    let plain = |span: &str| span.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let mut findings = Vec::new();
    for document in documents() {
        let text = read(&document);
        let here = Path::new(&document).parent().unwrap().to_owned();
        for link in links(&text) {
            if !root().join(&here).join(&link).exists() {
                findings.push(format!("{document}: link to {link}"));
            }
        }
        for span in spans(&text) {
            if plain(&span) && folders.iter().any(|folder| span.starts_with(folder)) && !root().join(&span).exists() {
                findings.push(format!("{document}: `{span}`"));
            }
        }
    }
    for path in files("src").into_iter().chain(files("tests")).filter(|path| path.ends_with(".rs")) {
        for (index, line) in read(&path).lines().enumerate() {
            for (at, _) in line.match_indices("docs/") {
                let named: String = line[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "._-/".contains(*c)).collect();
                if named.ends_with(".md") && !root().join(&named).exists() {
                    findings.push(format!("{path}:{}: {named}", index + 1));
                }
            }
        }
    }
    none(findings, "write the path as it is now, or create what is promised");
}

/// Levels of the headings of a document, in order.
fn headings(text: &str) -> Vec<usize> {
    let mut fenced = false;
    let mut levels = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let level = line.chars().take_while(|c| *c == '#').count();
        if !fenced && level > 0 && line[level..].starts_with(' ') {
            levels.push(level);
        }
    }
    levels
}

/// What a reader types: lines of `sh` blocks without their comments, and commands in backticks.
fn commands(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut lines, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside {
            let typed = line.split(" #").next().unwrap().trim();
            if !typed.is_empty() && !typed.starts_with('#') {
                lines.push(typed.to_owned());
            }
        }
    }
    let typed =
        spans(text).into_iter().filter(|s| ["relevo ", "cargo ", "--"].iter().any(|begin| s.starts_with(begin))).collect();
    (lines, typed)
}

#[test]
fn both_languages_say_the_same() {
    let spanish: Vec<String> = documents().into_iter().filter(|path| path.ends_with(".es.md")).collect();
    assert!(spanish.iter().any(|path| path == "README.es.md"), "README.es.md is gone: README.md needs it beside it");
    let mut findings = Vec::new();
    for es in spanish {
        let en = es.replace(".es.md", ".md");
        if !root().join(&en).exists() {
            findings.push(format!("{es} has no {en}"));
            continue;
        }
        let (es_text, en_text) = (read(&es), read(&en));
        if headings(&es_text) != headings(&en_text) {
            findings.push(format!("{es}, {en}: headings differ ({} and {})", headings(&es_text).len(), headings(&en_text).len()));
        }
        let (es_commands, en_commands) = (commands(&es_text), commands(&en_text));
        if es_commands.0 != en_commands.0 {
            findings.push(format!("{es}, {en}: command blocks differ:\n  {:?}\n  {:?}", es_commands.0, en_commands.0));
        }
        let differing: Vec<&String> = es_commands.1.symmetric_difference(&en_commands.1).collect();
        if !differing.is_empty() {
            findings.push(format!("{es}, {en}: commands in only one of them: {differing:?}"));
        }
    }
    none(findings, "change both languages together");
}

#[test]
fn files_belong_to_no_machine() {
    let written = ["rs", "rhai", "md", "toml", "sh", "py", "json", "snap", "out"];
    let homes = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut findings = Vec::new();
    for path in files(".").iter().map(|path| path.trim_start_matches("./").to_owned()) {
        let tool = path.starts_with("tools/") || path.starts_with(".ci/");
        let ending = path.rsplit('.').next().unwrap_or_default();
        if !tool && !written.contains(&ending) {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (index, line) in text.lines().enumerate() {
            let absolute = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_}.~-".contains(c));
            if homes.iter().any(|home| line.match_indices(home).any(|(at, _)| absolute(at))) {
                findings.push(format!("{path}:{}: a path of one machine", index + 1));
            }
            if !matches!(ending, "snap" | "out" | "json") && (line.contains('\t') || line.ends_with([' ', '\r'])) {
                findings.push(format!("{path}:{}: a tab, or a space or CR at the end", index + 1));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') && !matches!(ending, "snap" | "out" | "json") {
            findings.push(format!("{path}: no newline at the end"));
        }
    }
    none(findings, "write paths relative to the project or invented ones; indent with spaces");
}

#[test]
fn every_test_file_is_listed() {
    let declares = |file: &str, name: &str| {
        root().join(file).exists()
            && code(&read(file)).split([';', '{']).any(|item| {
                let mut words = item.split_whitespace().rev();
                words.next() == Some(name) && words.next() == Some("mod")
            })
    };
    let mut findings = Vec::new();
    for path in files("tests").into_iter().filter(|path| path.ends_with(".rs") && path != "tests/main.rs") {
        let (folder, file) = path.rsplit_once('/').unwrap();
        let (folder, name) =
            if file == "mod.rs" { folder.rsplit_once('/').unwrap() } else { (folder, file.trim_end_matches(".rs")) };
        if root().join(folder).join("Cargo.toml").exists() || folder.contains("/src") || folder.ends_with("/examples") {
            continue; // a crate of its own
        }
        let parents = if folder == "tests" {
            vec!["tests/main.rs".to_owned()]
        } else {
            vec![format!("{folder}/mod.rs"), format!("{folder}.rs"), "tests/main.rs".to_owned()]
        };
        if !parents.iter().any(|parent| declares(parent, name)) {
            findings.push(format!("{path}: no `mod {name};` in {}", parents.join(" or ")));
        }
    }
    none(findings, "a test file that no one lists never runs: add its `mod` line");
}

#[test]
fn exit_codes_are_on_the_pages() {
    let expected: Vec<u8> = relevo::error::Exit::ALL.iter().map(|exit| exit.code()).collect();
    for page in ["docs/exit-codes.md", "README.md", "README.es.md"] {
        let first =
            |line: &str| line.strip_prefix("| ").and_then(|rest| rest.split(' ').next()).and_then(|cell| cell.parse::<u8>().ok());
        let listed: Vec<u8> = read(page).lines().filter_map(first).collect();
        assert_eq!(
            listed, expected,
            "\n{page} must have one table row `| CODE | …` for each code of relevo::error::Exit, in order\n"
        );
    }
}

#[test]
fn tests_named_for_windows_exist() {
    let gate = read(".ci/run");
    let named: Vec<&str> = gate.split_whitespace().filter(|word| word.starts_with("cli::")).collect();
    let exists = |name: &str| {
        let parts: Vec<&str> = name.split("::").collect();
        let [folder, file, function] = parts[..] else { return false };
        let path = format!("tests/{folder}/{file}.rs");
        root().join(&path).exists() && read(&path).contains(&format!("fn {function}()"))
    };
    let missing = named.iter().filter(|name| !exists(name)).map(|name| format!(".ci/run: {name}")).collect();
    none(missing, "name the test as it is called now, or take it out of on_windows in .ci/run");
    assert!(
        (1..=30).contains(&named.len()),
        "on_windows in .ci/run names {} tests; 1 to 30 fit into the gate's time",
        named.len()
    );
}
