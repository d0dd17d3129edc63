//! One run of one script: limits, stopping, failures and their places.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::error::Exit;

/// A bundle whose `startup.rhai` is `script`, with more files.
fn bundle(script: &str, more: &[(&str, &str)]) -> Bundle {
    let files = more.iter().copied().chain([("startup.rhai", script)]);
    Bundle::new(files.map(|(n, c)| (n.to_owned(), Arc::from(c))).collect())
}

/// Runs `startup.rhai` with a host that answers by `answer`.
fn run_with(bundle: &Bundle, answer: impl Fn(&Call) -> Result<Value> + Send + Sync + 'static) -> Result<Value> {
    run(bundle, "startup", json!({"program": "pospdv"}), Arc::new(answer), Arc::default())
}

/// Runs a function body with a host that answers `()`.
fn body(body: &str) -> Result<Value> {
    run_with(&bundle(&format!("fn run(args) {{\n{body}\n}}"), &[]), |_| Ok(Value::Null))
}

fn refuse(_: &Call) -> Result<Value> {
    Err(Failure::refused("tills_operating", text!("hay cajas", "tills operate"))
        .hint(text!("ciérrelas", "close them"))
        .cause("CAJA2"))
}

#[test]
fn values_go_in_and_out() {
    assert_eq!(body("args.program + 1").unwrap(), json!("pospdv1"));
    assert_eq!(body("#{ b: 1, a: [()] }").unwrap(), json!({"a": [null], "b": 1}));
    assert_eq!(body("|x| x").unwrap_err().kind, "bad_value");
    assert_eq!(run(&bundle("", &[]), "gone", json!({}), Arc::new(refuse), Arc::default()).unwrap_err().kind, "script_missing");
}

#[test]
fn calls_reach_the_host_by_name_with_their_place() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let lib = "fn both() {\n  files::copy(\"a:1\", \"b:2\");\n  [1].map(|x| service::status(\"svrpdv\"))\n}";
    let script = "import \"lib/x\" as x;\nfn run(args) {\n  mirror(#{full: true});\n    x::both();\n  sleep(1); sleep(0.5);\n  print([\"a\", 2]);\n  print(\"b\");\n  debug(3);\n}";
    run_with(&bundle(script, &[("lib/x.rhai", lib)]), move |call| {
        seen.lock().unwrap().push(format!("{} {} {}", call.name, json!(call.args), call.site));
        Ok(Value::Null)
    })
    .unwrap();
    assert_eq!(
        *calls.lock().unwrap(),
        [
            r#"mirror [{"full":true}] scripts/startup.rhai:3:3"#,
            r#"files::copy ["a:1","b:2"] scripts/lib/x.rhai:2:10"#,
            r#"service::status ["svrpdv"] scripts/lib/x.rhai:3:24"#,
            "sleep [1] scripts/startup.rhai:5:3",
            "sleep [0.5] scripts/startup.rhai:5:13",
            r#"log::info ["[\"a\", 2]"] scripts/startup.rhai:6:3"#,
            r#"log::info ["b"] scripts/startup.rhai:7:3"#,
            r#"log::info ["3"] scripts/startup.rhai:8:3"#,
        ]
    );
}

#[test]
fn limits_end_a_script_and_cannot_be_caught() {
    for script in [
        "loop {}",
        "try { loop {} } catch { return 1; }",
        "fn f(n) { f(n + 1) }\nf(0)",
        "let s = \"0123456789\"; loop { s += s; }",
        "let a = [0]; loop { a += a; }",
        "let m = #{}; for i in 0..5000 { m[`k${i}`] = i; } m.len()",
    ] {
        let (functions, statements) = script.rsplit_once('\n').unwrap_or(("", script));
        let bundle = bundle(&format!("{functions}\nfn run(args) {{ {statements} }}"), &[]);
        let failure = run_with(&bundle, |_| Ok(Value::Null)).unwrap_err();
        assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Invalid, "script_limit"), "{script}: {failure}");
        assert!(!failure.causes.is_empty(), "{script} has no place");
    }
    let deep = format!("let x = {}1{};", "(".repeat(100), ")".repeat(100));
    assert_eq!(body(&deep).unwrap_err().kind, "script_limit");
}

#[test]
fn imports_are_confined() {
    for (import, kind, place) in [
        ("lib/a", "cyclic_import", "scripts/lib/b.rhai:1:8"),
        ("../a", "import_outside", "scripts/startup.rhai:1:8"),
        ("/etc/a", "import_outside", "scripts/startup.rhai:1:8"),
        ("lib/none", "module_not_found", "scripts/startup.rhai:1:8"),
    ] {
        let script = format!("import \"{import}\" as a;\nfn run(args) {{ 1 }}");
        let more = [("lib/a.rhai", "import \"lib/b\" as b;"), ("lib/b.rhai", "import \"./a\" as a;")];
        let failure = run_with(&bundle(&script, &more), |_| Ok(Value::Null)).unwrap_err();
        assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Invalid, kind), "{import}");
        assert_eq!(failure.causes.first().map(String::as_str), Some(place), "{import}");
    }
}

#[test]
fn stopping_ends_a_loop_as_interrupted() {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let begun = Instant::now();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        flag.store(true, Ordering::SeqCst);
    });
    let bundle = bundle("fn run(args) { try { loop { } } catch { } }", &[]);
    let failure = run(&bundle, "startup", json!({}), Arc::new(refuse), stop).unwrap_err();
    thread.join().unwrap();
    assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Interrupted, "interrupted"));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn scripts_catch_by_kind() {
    let script = "fn run(args) { try { promote(#{}); } catch (e) { if e.kind == \"tills_operating\" { return e; } throw e; } }";
    let caught = run_with(&bundle(script, &[]), refuse).unwrap();
    assert_eq!(
        caught,
        json!({
            "kind": "tills_operating", "message": "hay cajas", "message_en": "tills operate", "hint": "ciérrelas",
            "hint_en": "close them", "exit": 4, "retry": "permanent", "causes": ["CAJA2", "scripts/startup.rhai:1:22"],
        })
    );
}

#[test]
fn an_uncaught_failure_comes_out_as_it_was_with_its_place() {
    let expected = refuse(&Call { name: String::new(), args: vec![], site: Site::new("", Position::NONE) }).unwrap_err();
    let lib = "\nfn act() {\n    promote(#{})\n}";
    for call in ["x::act()", "try { x::act(); } catch (e) { throw e; }", "[1].map(|i| x::act())"] {
        let script = format!("import \"lib/x\" as x;\nfn run(args) {{ {call} }}");
        let failure = run_with(&bundle(&script, &[("lib/x.rhai", lib)]), refuse).unwrap_err();
        assert_eq!(failure, expected.clone().cause("scripts/lib/x.rhai:3:5"), "{call}");
    }
}

#[test]
fn some_failures_cannot_be_caught() {
    for (exit, kind) in [
        (Exit::Interrupted, "any"),
        (Exit::Failed, "journal"),
        (Exit::Stuck, "journal_mismatch"),
        (Exit::Failed, "crashed"),
        (Exit::Ok, "plan_stop"),
    ] {
        let failure = Failure::new(exit, kind, text!("a", "b"));
        let thrown = failure.clone();
        let script = "fn f() { try { now(); } catch { } }\nfn run(args) { try { f(); } catch { } 1 }";
        let out = run_with(&bundle(script, &[]), move |_| Err(thrown.clone())).unwrap_err();
        assert_eq!(out, failure);
    }
}

#[test]
fn errors_of_a_script_tell_their_place() {
    let lib = "fn bad() {\n    let a = #{ b: 1 };\n    a.c\n}\nfn nothing() { gone(1) }\nfn half(x) { 1 / x }";
    for (call, exit, kind, causes) in [
        ("x::bad()", Exit::Invalid, "script_error", &["scripts/lib/x.rhai:3:7", "scripts/startup.rhai:3:6"][..]),
        ("x::nothing()", Exit::Invalid, "script_error", &["scripts/lib/x.rhai:5:16", "scripts/startup.rhai:3:6"]),
        ("x::half(0)", Exit::Invalid, "script_error", &["scripts/lib/x.rhai:6:16", "scripts/startup.rhai:3:6"]),
        ("throw \"no hay turno\"", Exit::Failed, "script_threw", &["scripts/startup.rhai:3:3"]),
        ("throw #{kind: \"erp\", message: \"m\", exit: 4}", Exit::Refused, "erp", &["scripts/startup.rhai:3:3"]),
        ("timestamp()", Exit::Invalid, "no_clock", &["scripts/startup.rhai:3:3"]),
        ("Fn(\"timestamp\").call()", Exit::Invalid, "no_clock", &["scripts/startup.rhai:3:19"]),
        ("mirror(#{ ful: true })", Exit::Invalid, "unknown_option", &["scripts/startup.rhai:3:3"]),
        ("let o = #{}; o.fulll = 1; mirror(o)", Exit::Invalid, "unknown_option", &["scripts/startup.rhai:3:29"]),
        ("mirror(|x| x)", Exit::Invalid, "bad_value", &["scripts/startup.rhai:3:3"]),
        ("mirror()", Exit::Invalid, "script_error", &["scripts/startup.rhai:3:3"]),
    ] {
        let script = format!("import \"lib/x\" as x;\nfn run(args) {{\n  {call}\n}}");
        let failure = run_with(&bundle(&script, &[("lib/x.rhai", lib)]), |_| Ok(Value::Null)).unwrap_err();
        assert_eq!((failure.exit, failure.kind.as_str()), (exit, kind), "{call}: {failure}");
        assert_eq!(failure.causes, causes, "{call}");
    }
    assert_eq!(body("throw \"no hay turno\"").unwrap_err().message.es, "no hay turno");
    assert_eq!(body("eval(\"1\")").unwrap_err().kind, "script_error");
}

#[test]
fn err_gives_every_failure_the_same_keys() {
    for (act, kind) in [("promote(#{})", "tills_operating"), ("throw \"x\"", "script_threw"), ("[1][7]", "script_error")] {
        let script = format!("fn run(args) {{ try {{ {act}; }} catch (e) {{ return err(e).kind; }} }}");
        assert_eq!(run_with(&bundle(&script, &[]), refuse).unwrap(), json!(kind), "{act}");
    }
}

#[test]
fn a_panic_is_a_failure_that_no_script_catches() {
    let script = "fn run(args) { try { now(); } catch { } 1 }";
    let failure = run_with(&bundle(script, &[]), |_| panic!("uy")).unwrap_err();
    assert_eq!((failure.kind.as_str(), failure.causes.as_slice()), ("panicked", &["uy".to_owned()][..]));
}

#[test]
fn nothing_is_called_outside_a_run() {
    for (script, lib) in [
        ("const T = now();", ""),
        ("const T = f(); fn f() { now() }", ""),
        ("now();", ""),
        ("", "const T = now();"),
        ("", "fn f() { now() } const T = f();"),
    ] {
        let script = format!("import \"lib/x\" as x;\n{script}\nfn run(args) {{ 1 }}");
        let failure = run_with(&bundle(&script, &[("lib/x.rhai", lib)]), |_| Ok(json!("t"))).unwrap_err();
        assert_eq!(failure.kind, "top_level");
    }
}

#[test]
fn two_versions_of_a_bundle_run_side_by_side() {
    let script = "import \"lib/x\" as x;\nfn run(args) { [x::version(), now()] }";
    let old = bundle(script, &[("lib/x.rhai", "fn version() { 1 }")]);
    let new = bundle(script, &[("lib/x.rhai", "fn version() { 2 }")]);
    let host = move |_: &Call| run_with(&new, |_| Ok(json!("inner")));
    assert_eq!(run_with(&old, host).unwrap(), json!([1, [2, "inner"]]));
}

/// Runs a shipped script against canned answers; gives the names of the calls and the outcome.
fn shipped(
    bundle: &Bundle,
    entry: &str,
    args: Value,
    answers: &'static [(&'static str, &'static str)],
) -> (Vec<String>, Result<Value>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let host = move |call: &Call| {
        seen.lock().unwrap().push(call.name.clone());
        let answer = answers.iter().find(|(name, _)| *name == call.name).map_or("null", |(_, json)| json);
        Ok(serde_json::from_str(answer).unwrap())
    };
    let result = run(bundle, entry, args, Arc::new(host), Arc::default());
    let calls = calls.lock().unwrap().clone();
    (calls, result)
}

const CAJA: (&str, &str) = ("store::verdict", r#"{"ok":true,"row":"backup","code":"ok","message":"","message_en":""}"#);

#[test]
fn startup_follows_the_procedure() {
    const BEGIN: [&str; 3] = ["store::fetch_signals", "store::sync_marker", "store::verdict"];
    const SERVES: (&str, &str) = ("store::in_use", r#"{"side":"main","instance":"I","serving":true}"#);
    type Case = (&'static [(&'static str, &'static str)], &'static [&'static str], Result<&'static str, (&'static str, Exit)>);
    let cases: [Case; 6] = [
        // A till, main serves.
        (&[("store::verdict", r#"{"ok":true,"row":"till"}"#), SERVES], &["store::in_use"], Ok("start")),
        // Refused by the test matrix.
        (
            &[("store::verdict", r#"{"ok":false,"row":"till","code":"no_server","message":"m"}"#)],
            &[],
            Err(("no_server", Exit::Refused)),
        ),
        // The caja, already promoted.
        (
            &[CAJA, SERVES, ("store::epoch", r#"{"holder":"backup"}"#), ("server::probe", r#"{"serving":false}"#)],
            &["store::epoch", "server::probe", "server::release_concurrency", "service::start", "store::in_use"],
            Ok("start"),
        ),
        // The caja, main down: yes, and no.
        (
            &[
                CAJA,
                ("store::epoch", r#"{"holder":"main"}"#),
                ("server::probe", r#"{"answers":false}"#),
                ("operator::confirm", "true"),
            ],
            &["store::epoch", "server::probe", "operator::confirm"],
            Ok("promote"),
        ),
        (
            &[
                CAJA,
                ("store::epoch", r#"{"holder":"main"}"#),
                ("server::probe", r#"{"answers":false}"#),
                ("operator::confirm", "false"),
            ],
            &["store::epoch", "server::probe", "operator::confirm"],
            Err(("main_down", Exit::Refused)),
        ),
        // Nobody serves yet.
        (
            &[("store::verdict", r#"{"ok":true,"row":"till"}"#), ("store::in_use", r#"{"serving":false}"#)],
            &["store::in_use"],
            Err(("not_serving", Exit::Refused)),
        ),
    ];
    for (answers, then, expected) in cases {
        let (calls, result) = shipped(&super::shipped::bundle(), "startup", json!({"program": "pospdv"}), answers);
        assert_eq!(calls, BEGIN.iter().chain(then).map(|s| (*s).to_owned()).collect::<Vec<_>>());
        match (result, expected) {
            (Ok(value), Ok(next)) => assert_eq!(value, json!({ "next": next })),
            (Err(failure), Err((kind, exit))) => assert_eq!((failure.kind.as_str(), failure.exit), (kind, exit)),
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn the_other_shipped_scripts_run() {
    let factory = super::shipped::bundle();
    let (calls, result) = shipped(&factory, "mirror", json!({"full": true}), &[("mirror", r#"{"kind":"full"}"#)]);
    assert_eq!((calls, result.unwrap()), (vec!["mirror".to_owned()], json!({"kind": "full"})));
    let (calls, _) = shipped(&factory, "promote", json!({}), &[("server::probe", r#"{"serving":true}"#)]);
    assert_eq!(calls, ["promote", "server::probe", "operator::notify"]);
    let (calls, _) = shipped(&factory, "restore", json!({}), &[]);
    assert_eq!(calls, ["restore", "operator::notify"]);
    let instances = json!({"main": "a", "backup": "b"});
    let (calls, _) = shipped(&factory, "setup", instances.clone(), &[("store::role", r#""main""#)]);
    assert_eq!(calls, ["store::role", "store::write_signals", "store::identify"]);
    let (calls, _) = shipped(&factory, "setup", instances, &[("store::role", r#""backup""#)]);
    assert_eq!(calls, ["store::role", "store::fetch_signals", "store::mark_terminal", "setup::remove_shortcut"]);
}

#[test]
fn the_customised_stores_run() {
    let playa = super::shipped::store("0207-playa");
    let answers = &[("mirror", r#"{"kind":"full"}"#), ("store::setting", r#""matriz""#), ("target::verify", r#"{"ok":false}"#)];
    let (_, result) = shipped(&playa, "mirror", json!({}), answers);
    assert_eq!(result.unwrap_err().kind, "remote_copy_bad");
    let (calls, _) = shipped(&playa, "promote", json!({}), &[("server::probe", r#"{"serving":false}"#)]);
    let seats = calls.iter().position(|c| c == "server::execute").unwrap();
    assert!(seats < calls.iter().position(|c| c == "service::start").unwrap());

    let centro = super::shipped::store("0142-centro");
    let host = |call: &Call| match call.name.as_str() {
        "files::copy" => Err(Failure::failed("io", text!("sin red", "no network"))),
        "store::verdict" => Ok(json!({"ok": true, "row": "till"})),
        "store::in_use" => Ok(json!({"serving": true})),
        "store::setting" => Ok(json!("precios.dat")),
        _ => Ok(Value::Null),
    };
    assert_eq!(run_with(&centro, host).unwrap(), json!({"next": "start"}));
}
