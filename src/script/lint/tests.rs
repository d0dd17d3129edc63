//! Broken snippets and the exact place and code of each finding.

use super::*;
use crate::script::shipped;

/// Findings as "file:line:column+len code".
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let bundle = Bundle::new(files.iter().map(|(n, c)| ((*n).to_owned(), Arc::from(*c))).collect());
    check(&bundle).iter().map(|d| format!("{}:{}:{}+{} {}", d.file, d.line, d.column, d.len, d.code)).collect()
}

#[test]
fn what_is_shipped_is_sound() {
    assert_eq!(check(&shipped::bundle()), []);
    for id in shipped::STORES {
        let store = shipped::store(id);
        assert_ne!(store.hash, shipped::bundle().hash, "{id} changes nothing");
        assert_eq!(check(&store), [], "{id}");
    }
}

#[test]
fn every_example_of_the_reference_is_sound() {
    for primitive in api::all() {
        let script = format!("fn run(args) {{\n{}\n}}", primitive.example);
        assert_eq!(found(&[("startup.rhai", &script)]), [""; 0], "{}", primitive.full_name());
    }
}

#[test]
fn every_mistake_has_its_place() {
    for (body, expected) in [
        ("let x = ;", "2:9+1 syntax"),
        ("if true {", "3:2+1 syntax"),
        ("miror(#{});", "2:1+5 unknown_function"),
        ("let f = || miror(#{});", "2:12+5 unknown_function"),
        ("switch 1 { 1..3 => gone(), _ => 0 }", "2:20+4 unknown_function"),
        ("let s = `a ${gone()} b`;", "2:14+4 unknown_function"),
        ("mirror();", "2:1+6 wrong_arity"),
        ("helper(1, 2);", "2:1+6 wrong_arity"),
        ("files::cpy(\"a\", \"b\");", "2:8+3 unknown_function"),
        ("files::copy(\"a\");", "2:8+4 wrong_arity"),
        ("file::copy(\"a\", \"b\");", "2:1+4 undefined_module"),
        ("lib::gone();", "2:6+4 unknown_function"),
        ("lib::hidden();", "2:6+6 unknown_function"),
        ("lib::there(1);", "2:6+5 wrong_arity"),
        ("mirror(#{ full: true,\n  aply: false });", "3:3+4 unknown_option"),
        ("mirror(#{ full: 1 });", "2:17+1 wrong_type"),
        ("store::verdict(#{});", "2:8+7 missing_option"),
        ("server::probe(\"mian\");", "2:15+6 wrong_type"),
        ("log::info(7);", "2:11+1 wrong_type"),
        ("log::info(gone);", "2:11+4 undefined_variable"),
        ("eval(\"1\");", "2:1+4 reserved_word"),
        ("if args.x.trimm() == 1 { }", "2:11+5 unknown_method"),
    ] {
        let script = format!("import \"lib/x\" as lib; fn helper(a) {{ a }} fn run(args) {{\n{body}\n}}");
        let lib = "fn there() { 1 } private fn hidden() { 2 }";
        let list = found(&[("startup.rhai", &script), ("lib/x.rhai", lib)]);
        assert_eq!(list, [format!("startup.rhai:{expected}")], "{body}");
    }
}

#[test]
fn bundles_are_checked_as_a_whole() {
    let run = "\nfn run(args) { 1 }";
    let with = |first: &str| format!("{first}{run}");
    for (script, expected) in [
        ("fn start(args) { 1 }".to_owned(), "1:1+2 missing_entry"),
        ("fn run() { 1 }".to_owned(), "1:1+2 missing_entry"),
        (with("now();"), "1:1+3 top_level"),
        (with("let x = 1;"), "1:1+3 top_level"),
        (with("const X = 1 + now();"), "1:15+3 top_level"),
        (with("import \"lib/gone\" as x;"), "1:8+10 module_not_found"),
        (with("import \"../x\" as x;"), "1:8+6 import_outside"),
        (with("import \"/x\" as x;"), "1:8+4 import_outside"),
        (with("const A = \"lib/a\"; import A as x;"), "1:27+1 computed_import"),
        (with("const A = 1 / 0;"), "1:1+5 script_error"),
    ] {
        assert_eq!(found(&[("startup.rhai", &script)]), [format!("startup.rhai:{expected}")], "{script}");
    }
    let cyclic = [("lib/a.rhai", "import \"lib/b\" as b;"), ("lib/b.rhai", "import \"./a\" as a;")];
    assert_eq!(found(&cyclic), ["lib/b.rhai:1:8+5 cyclic_import"]);
    assert_eq!(found(&[("lib/a.rhai", "import \"lib/a\" as a;")]), ["lib/a.rhai:1:8+7 cyclic_import"]);
}

#[test]
fn several_findings_in_one_file_and_hints() {
    let script = "fn run(args) {\n  miror(#{});\n  mirror(#{ ful: 1 });\n  gone();\n}";
    let bundle = Bundle::new([("mirror.rhai".to_owned(), Arc::from(script))].into());
    let list = check(&bundle);
    let hints: Vec<Option<&str>> = list.iter().map(|d| d.hint.as_ref().map(|h| h.en.as_str())).collect();
    assert_eq!(hints[..2], [Some("did you mean mirror?"), Some("did you mean full?")]);
    assert_eq!(list.len(), 3);
}
