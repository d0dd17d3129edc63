//! Calls in one file: does the function exist with that many arguments, are literal options right?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use rhai::{ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};
use serde_json::Value;

use super::{Found, Script};
use crate::script::api::check::{fits, missing_option, unknown_option, wrong_type};
use crate::script::api::{self, Kind, Primitive};
use crate::script::nearest::nearest;
use crate::script::value;
use crate::text;
use crate::text::Text;

/// Calls that are part of the language and in no list of functions.
const LANGUAGE: [&str; 9] = ["Fn", "call", "curry", "type_of", "is_def_var", "is_def_fn", "is_shared", "print", "debug"];

pub(super) fn check(engine: &Engine, file: &str, script: &Script, scripts: &BTreeMap<&str, Script>, found: &mut Found<'_>) {
    script.ast.walk(&mut |path: &[ASTNode<'_>]| {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) if !call.is_operator_call() => {
                function(engine, call, *at, file, script, scripts, found);
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => method(engine, call, *at, file, script, found),
            _ => {}
        }
        true
    });
}

fn function(
    engine: &Engine,
    call: &FnCallExpr,
    at: Position,
    file: &str,
    script: &Script,
    scripts: &BTreeMap<&str, Script>,
    found: &mut Found<'_>,
) {
    let arity = call.args.len();
    let name = call.name.as_str();
    let path: Vec<&str> = call.namespace.path.iter().map(|ident| ident.name.as_str()).collect();
    let Some((root, rest)) = path.split_first() else {
        if LANGUAGE.contains(&name) {
            return;
        }
        let own = script.functions.iter().any(|f| f.name == name && f.arity == arity);
        match api::find(name) {
            // A script may define its own function of that name; it goes first.
            _ if own => {}
            Some(primitive) if primitive.arities().contains(&arity) => options(primitive, call, at, file, found),
            _ if builtin(engine).contains(&(name.to_owned(), arity)) => {}
            _ => {
                let builtin_names = builtin(engine).iter().filter(|(n, _)| is_word(n)).map(|(n, a)| (n.clone(), *a));
                let own_names = script.functions.iter().map(|f| (f.name.clone(), f.arity));
                let primitives = api::all().filter(|p| p.namespace.is_empty());
                let primitives = primitives.flat_map(|p| p.arities().map(|a| (p.name.to_owned(), a)));
                // The nearest of equals is the first: prefer the store's own and relevo's words.
                let all = own_names.chain(primitives).chain(builtin_names).collect();
                unknown(name, arity, all, at, file, found);
            }
        }
        return;
    };
    if *root == "global" {
        return;
    }
    let Some((target, _)) = script.imports.get(*root) else {
        let full = format!("{root}::{name}");
        match api::find(&full) {
            Some(primitive) if primitive.arities().contains(&arity) => options(primitive, call, at, file, found),
            _ => {
                let here = api::all().filter(|p| p.namespace == *root);
                let all = here.flat_map(|p| p.arities().map(|a| (p.full_name(), a))).collect();
                unknown(&full, arity, all, at, file, found);
            }
        }
        return;
    };
    let mut module = scripts.get(target.as_str());
    for alias in rest {
        module = module.and_then(|m| m.imports.get(*alias)).and_then(|(target, _)| scripts.get(target.as_str()));
    }
    // A module that does not compile has its own finding.
    if let Some(module) = module {
        let public = module.functions.iter().filter(|f| f.public);
        let all: Vec<(String, usize)> = public.map(|f| (f.name.clone(), f.arity)).collect();
        if !all.contains(&(name.to_owned(), arity)) {
            let prefix = path.join("::");
            let all = all.into_iter().map(|(n, a)| (format!("{prefix}::{n}"), a)).collect();
            unknown(&format!("{prefix}::{name}"), arity, all, at, file, found);
        }
    }
}

/// A method that nobody knows may be a closure in a map: only a warning.
fn method(engine: &Engine, call: &FnCallExpr, at: Position, file: &str, script: &Script, found: &mut Found<'_>) {
    let name = call.name.as_str();
    let known = LANGUAGE.contains(&name)
        || builtin(engine).iter().any(|(n, _)| n == name)
        || script.functions.iter().any(|f| f.name == name);
    if !known {
        let near = nearest(name, builtin(engine).iter().map(|(n, _)| n.as_str()).filter(|n| is_word(n)));
        let hint = near.map(|near| text!("¿quiso decir {near}?", "did you mean {near}?"));
        found.warn(file, at, "unknown_method", text!("no se conoce el método {name}", "there is no known method {name}"), hint);
    }
}

fn unknown(name: &str, arity: usize, known: Vec<(String, usize)>, at: Position, file: &str, found: &mut Found<'_>) {
    let arities: BTreeSet<usize> = known.iter().filter(|(n, _)| n == name).map(|(_, a)| *a).collect();
    if arities.is_empty() {
        let near = nearest(name, known.iter().map(|(n, _)| n.as_str()));
        let hint = near.map(|near| text!("¿quiso decir {near}?", "did you mean {near}?"));
        found.push(file, at, "unknown_function", text!("no existe la función {name}", "there is no function {name}"), hint);
        return;
    }
    let wanted: Vec<String> = arities.iter().map(usize::to_string).collect();
    let Text { es, en } = Text { es: wanted.join(" o "), en: wanted.join(" or ") };
    let hint = api::find(name).map(|primitive| Text::same(primitive.signature()));
    let message = text!("{name} recibe {es} argumentos, no {arity}", "{name} takes {en} arguments, not {arity}");
    found.push(file, at, "wrong_arity", message, hint);
}

/// Literal arguments of a primitive; what is computed is checked when it runs.
fn options(primitive: &Primitive, call: &FnCallExpr, at: Position, file: &str, found: &mut Found<'_>) {
    let name = primitive.full_name();
    for (param, arg) in primitive.params.iter().zip(call.args.iter()) {
        let (Kind::Options(keys), Expr::Map(given, _)) = (param.kind, arg) else {
            if clearly_wrong(param.kind, arg) {
                found.failure(file, arg.start_position(), wrong_type(&name, param.name, param.kind));
            }
            continue;
        };
        for (key, given) in &given.0 {
            match keys.iter().find(|k| k.name == key.name.as_str()) {
                None => found.failure(file, key.pos, unknown_option(&name, keys, key.name.as_str())),
                Some(known) if known.default.is_some() && matches!(given, Expr::Unit(_)) => {}
                Some(known) if clearly_wrong(known.kind, given) => {
                    found.failure(file, given.start_position(), wrong_type(&name, known.name, known.kind));
                }
                Some(_) => {}
            }
        }
        for missing in keys.iter().filter(|k| k.default.is_none() && !given.0.iter().any(|(key, _)| key.name == k.name)) {
            found.failure(file, at, missing_option(&name, missing));
        }
    }
}

/// Is this literal of another type?
fn clearly_wrong(kind: Kind, expr: &Expr) -> bool {
    match expr {
        Expr::Map(..) => !matches!(kind, Kind::Map | Kind::Words | Kind::Any | Kind::Options(_)),
        Expr::Array(..) => !fits(kind, &Value::Array(Vec::new())),
        Expr::InterpolatedString(..) => !matches!(kind, Kind::Text | Kind::Path | Kind::Words | Kind::OneOf(_) | Kind::Any),
        Expr::BoolConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::FloatConstant(..)
        | Expr::CharConstant(..)
        | Expr::StringConstant(..)
        | Expr::Unit(..) => {
            let literal = expr.get_literal_value(None).map(|literal| value::to_json(&literal));
            literal.is_some_and(|json| !json.is_ok_and(|json| fits(kind, &json)))
        }
        _ => false,
    }
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic()) && !name.contains('$')
}

/// Name and number of arguments of every function of the standard packages.
fn builtin(engine: &Engine) -> &'static BTreeSet<(String, usize)> {
    static BUILTIN: OnceLock<BTreeSet<(String, usize)>> = OnceLock::new();
    BUILTIN.get_or_init(|| {
        let json = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
        let json: Value = serde_json::from_str(&json).unwrap_or_default();
        let functions = json["functions"].as_array().into_iter().flatten();
        functions
            .filter_map(|f| Some((f["name"].as_str()?.to_owned(), usize::try_from(f["numParams"].as_u64()?).ok()?)))
            .collect()
    })
}
