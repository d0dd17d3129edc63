//! The check of a whole bundle without running it: syntax, imports, entry points, functions, options. All use of Rhai's
//! unstable syntax tree is in this file and `lint/calls.rs`.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, FnAccess, LexError, ParseError, ParseErrorType, Position, Stmt};

use super::diagnostic::{Diagnostic, Severity};
use super::resolver::{compile, cyclic, locate};
use super::{Bundle, ENTRIES, api, engine, fail};
use crate::error::Failure;
use crate::script::nearest::nearest;
use crate::text;
use crate::text::Text;

/// Checks every file of the bundle. Findings in the order of files and lines; an empty list means that it is sound.
pub fn check(bundle: &Bundle) -> Vec<Diagnostic> {
    let engine = engine::build(bundle, Arc::default());
    let mut found = Found { bundle, list: Vec::new() };
    let mut scripts = BTreeMap::new();
    for file in bundle.files.keys() {
        match compile(&engine, bundle, file) {
            Ok(ast) => {
                let script = Script::of(&ast, file, &mut found);
                scripts.insert(file.as_str(), script);
            }
            Err(error) => found.parse_error(file, &error),
        }
    }
    for entry in ENTRIES {
        let file = format!("{entry}.rhai");
        if scripts.get(file.as_str()).is_some_and(|s| !s.functions.iter().any(|f| f.name == "run" && f.arity == 1)) {
            let message = text!("falta fn run(args)", "fn run(args) is missing");
            found.push(&file, Position::new(1, 1), "missing_entry", message, None);
        }
    }
    cycles(&scripts, &mut found);
    for (file, script) in &scripts {
        calls::check(&engine, file, script, &scripts, &mut found);
    }
    if !found.list.iter().any(|d| d.severity == Severity::Error) {
        preload(&engine, bundle, &mut found);
    }
    found.list.sort_by(|a, b| (&a.file, a.line, a.column, &a.code).cmp(&(&b.file, b.line, b.column, &b.code)));
    // Rhai's walk visits some nodes (ranges of a switch) twice.
    found.list.dedup();
    found.list
}

/// A function of a script.
struct Function {
    name: String,
    arity: usize,
    public: bool,
}

/// One compiled file.
struct Script {
    ast: AST,
    functions: Vec<Function>,
    /// Alias → file and place of the import.
    imports: BTreeMap<String, (String, Position)>,
}

impl Script {
    fn of(ast: &AST, file: &str, found: &mut Found<'_>) -> Self {
        let functions = ast
            .iter_functions()
            .map(|f| Function { name: f.name.to_owned(), arity: f.params.len(), public: f.access == FnAccess::Public })
            .collect();
        for stmt in ast.statements() {
            top_level(stmt, file, found);
        }
        let mut imports = BTreeMap::new();
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last() {
                let (path, alias) = &**import;
                let at = path.start_position();
                match path {
                    Expr::StringConstant(name, _) => match locate(found.bundle, file, name) {
                        Ok(target) => {
                            imports.insert(alias.name.to_string(), (target, at));
                        }
                        Err(failure) => found.failure(file, at, failure),
                    },
                    _ => found.push(
                        file,
                        at,
                        "computed_import",
                        text!("import necesita un texto fijo", "import needs a literal string"),
                        None,
                    ),
                }
            }
            true
        });
        Script { ast: ast.clone(), functions, imports }
    }
}

/// The top level runs again at every call, outside any run: it may only declare.
fn top_level(stmt: &Stmt, file: &str, found: &mut Found<'_>) {
    if let Some(at) = acts(stmt) {
        found.push(
            file,
            at,
            "top_level",
            text!("fuera de las funciones sólo van import, const y fn", "outside functions only import, const and fn may stand"),
            Some(text!("muévalo a fn run(args)", "move it into fn run(args)")),
        );
    }
}

/// Where a statement of the top level does more than declare.
pub(super) fn acts(stmt: &Stmt) -> Option<Position> {
    let mut bad = match stmt {
        Stmt::Noop(_) | Stmt::Import(..) | Stmt::Export(..) => None,
        Stmt::Var(_, flags, _) if flags.intersects(ASTFlags::CONSTANT) => None,
        other => Some(other.position()),
    };
    stmt.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at))) if !call.is_operator_call() => {
                bad = bad.or(Some(*at));
            }
            _ => {}
        }
        true
    });
    bad
}

/// Reports each import that closes a circle.
fn cycles(scripts: &BTreeMap<&str, Script>, found: &mut Found<'_>) {
    fn visit<'a>(
        file: &'a str,
        scripts: &'a BTreeMap<&str, Script>,
        open: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
        found: &mut Found<'_>,
    ) {
        let Some(script) = scripts.get(file).filter(|_| done.insert(file)) else {
            return;
        };
        open.push(file);
        for (target, at) in script.imports.values() {
            if open.contains(&target.as_str()) {
                found.failure(file, *at, cyclic(target));
            } else {
                visit(target, scripts, open, done, found);
            }
        }
        open.pop();
    }
    let mut done = BTreeSet::new();
    for file in scripts.keys() {
        visit(file, scripts, &mut Vec::new(), &mut done, found);
    }
}

/// Loads every file as a module, so that what only evaluation shows (a constant that overflows) comes out now.
fn preload(engine: &Engine, bundle: &Bundle, found: &mut Found<'_>) {
    for file in bundle.files.keys() {
        if let Err(error) = engine.module_resolver().resolve(engine, None, file, Position::NONE) {
            let failure = fail::from_script(*error, file);
            found.failure(file, Position::new(1, 1), failure);
        }
    }
}

/// The findings so far.
struct Found<'a> {
    bundle: &'a Bundle,
    list: Vec<Diagnostic>,
}

impl Found<'_> {
    fn push(&mut self, file: &str, at: Position, code: &str, message: Text, hint: Option<Text>) {
        self.add(file, at, Severity::Error, code, message, hint);
    }

    fn warn(&mut self, file: &str, at: Position, code: &str, message: Text, hint: Option<Text>) {
        self.add(file, at, Severity::Warning, code, message, hint);
    }

    fn failure(&mut self, file: &str, at: Position, failure: Failure) {
        self.push(file, at, &failure.kind, failure.message, failure.hint);
    }

    fn add(&mut self, file: &str, at: Position, severity: Severity, code: &str, message: Text, hint: Option<Text>) {
        let content = self.bundle.files.get(file).map_or("", |content| &**content);
        // No place means the end of the file.
        let line = at.line().unwrap_or_else(|| content.lines().count().max(1));
        let words: Vec<char> = content.lines().nth(line - 1).unwrap_or_default().chars().collect();
        let column = at.position().unwrap_or_else(|| words.len().max(1)).max(1);
        let len = token_len(words.get(column - 1..).unwrap_or_default());
        let code = code.to_owned();
        self.list.push(Diagnostic { file: file.to_owned(), line, column, len, severity, code, message, hint });
    }

    fn parse_error(&mut self, file: &str, error: &ParseError) {
        use ParseErrorType as P;
        let words = error.err_type().to_string();
        let namespaces = || api::all().map(|p| p.namespace).filter(|n| !n.is_empty());
        let (code, message, hint) = match error.err_type() {
            P::VariableUndefined(name) => {
                ("undefined_variable", text!("no existe la variable {name}", "there is no variable {name}"), None)
            }
            P::ModuleUndefined(name) => (
                "undefined_module",
                text!("no existe el módulo {name}", "there is no module {name}"),
                Some(match nearest(name, namespaces()) {
                    Some(near) => text!("¿quiso decir {near}?", "did you mean {near}?"),
                    None => text!("impórtelo: import \"lib/…\" as {name};", "import it: import \"lib/…\" as {name};"),
                }),
            ),
            P::BadInput(LexError::ImproperSymbol(name, _)) if name == "eval" => {
                ("reserved_word", text!("eval no está permitido", "eval is not allowed"), None)
            }
            P::Reserved(name) => ("reserved_word", text!("{name} está reservado", "{name} is reserved"), None),
            P::LiteralTooLarge(..) | P::ExprTooDeep | P::TooManyFunctions => {
                ("script_limit", text!("el script pasa un límite: {words}", "the script exceeds a limit: {words}"), None)
            }
            P::UnexpectedEOF => ("syntax", text!("el script está incompleto", "the script is incomplete"), None),
            P::MissingToken(token, _) => ("syntax", text!("falta '{token}'", "'{token}' is missing"), None),
            P::DuplicatedProperty(key) => ("syntax", text!("la clave {key} se repite", "the key {key} is repeated"), None),
            P::FnDuplicatedDefinition(name, _) => {
                ("syntax", text!("la función {name} se repite", "the function {name} is repeated"), None)
            }
            P::AssignmentToConstant(name) => {
                ("syntax", text!("{name} es constante y no puede cambiar", "{name} is a constant and cannot change"), None)
            }
            _ => ("syntax", text!("error de sintaxis: {words}", "syntax error: {words}"), None),
        };
        self.push(file, error.position(), code, message, hint);
    }
}

/// Length of the word or quoted string that stands here; at least 1.
fn token_len(rest: &[char]) -> usize {
    let is_word = |c: &&char| c.is_alphanumeric() || **c == '_';
    match rest.first() {
        Some(quote @ ('"' | '`')) => rest.iter().skip(1).position(|c| c == quote).map_or(1, |end| end + 2),
        _ => rest.iter().take_while(is_word).count().max(1),
    }
}

#[cfg(test)]
mod tests;
