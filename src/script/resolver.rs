//! Imports from the bundle in memory, and from nowhere else. A cyclic import is an error here; unnoticed it would overflow
//! the stack and abort the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, OptimizationLevel, ParseError, Position, Scope, Shared};

use super::bundle::Bundle;
use super::fail;
use crate::error::{Failure, Result};
use crate::script::nearest::nearest;
use crate::text;

/// Resolves the imports of one run.
pub(super) struct BundleResolver {
    bundle: Bundle,
    /// Path → module; `None` while it is being loaded.
    loaded: Mutex<BTreeMap<String, Option<Shared<Module>>>>,
}

impl BundleResolver {
    pub(super) fn new(bundle: Bundle) -> Self {
        BundleResolver { bundle, loaded: Mutex::default() }
    }

    fn load(&self, engine: &Engine, file: &str, pos: Position) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let inside = |inner| Box::new(EvalAltResult::ErrorInModule(file.to_owned(), inner, pos));
        let ast = compile(engine, &self.bundle, file).map_err(|e| inside(Box::new(EvalAltResult::ErrorParsing(*e.0, e.1))))?;
        Module::eval_ast_as_new(Scope::new(), &ast, engine).map(Shared::new).map_err(inside)
    }
}

impl ModuleResolver for BundleResolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let thrown = |failure: Failure| Box::new(EvalAltResult::ErrorRuntime(fail::to_map(&failure), pos));
        let file = locate(&self.bundle, source.unwrap_or_default(), path).map_err(thrown)?;
        let known = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&file).cloned();
        match known {
            Some(Some(module)) => return Ok(module),
            Some(None) => return Err(thrown(cyclic(&file))),
            None => {}
        }
        let set = |entry: Option<Option<Shared<Module>>>| {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            match entry {
                Some(entry) => loaded.insert(file.clone(), entry),
                None => loaded.remove(&file),
            };
        };
        set(Some(None));
        let module = self.load(engine, &file, pos);
        set(module.as_ref().ok().map(|m| Some(m.clone())));
        module
    }
}

/// Compiles one file of the bundle under its own name, so that errors name it.
pub(super) fn compile(engine: &Engine, bundle: &Bundle, file: &str) -> Result<AST, ParseError> {
    debug_assert_eq!(engine.optimization_level(), OptimizationLevel::None);
    let mut ast = engine.compile(bundle.files.get(file).map_or("", |content| &**content))?;
    ast.set_source(file);
    Ok(ast)
}

/// The file that `import "path"` in the file `from` means: below `scripts/`, or beside `from` when it begins with `./` or `../`.
pub(super) fn locate(bundle: &Bundle, from: &str, path: &str) -> Result<String> {
    let outside = || {
        Failure::invalid(
            "import_outside",
            text!("import \"{path}\" sale de la carpeta de scripts", "import \"{path}\" reaches outside the scripts folder"),
        )
        .hint(text!(
            "use una ruta relativa con /, por ejemplo \"lib/serve\"",
            "use a relative path with /, for example \"lib/serve\""
        ))
    };
    if path.is_empty() || path.starts_with('/') || path.contains(['\\', ':', '\0']) {
        return Err(outside());
    }
    let beside = path.starts_with("./") || path.starts_with("../");
    let mut parts: Vec<&str> = match from.rsplit_once('/') {
        Some((folder, _)) if beside => folder.split('/').collect(),
        _ => Vec::new(),
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            name => parts.push(name),
        }
    }
    let name = parts.join("/");
    let file = if name.ends_with(".rhai") { name } else { format!("{name}.rhai") };
    if bundle.files.contains_key(&file) {
        return Ok(file);
    }
    let failure = Failure::invalid("module_not_found", text!("no existe scripts/{file}", "there is no scripts/{file}"));
    Err(match nearest(&file, bundle.files.keys().map(String::as_str)) {
        Some(near) => failure.hint(text!("¿quiso decir \"{near}\"?", "did you mean \"{near}\"?")),
        None => failure,
    })
}

pub(super) fn cyclic(file: &str) -> Failure {
    Failure::invalid(
        "cyclic_import",
        text!(
            "scripts/{file} se importa a sí mismo, directamente o por otros",
            "scripts/{file} imports itself, directly or through others"
        ),
    )
    .hint(text!("mueva lo común a otro archivo de lib/", "move what both need to another file of lib/"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn imports_stay_inside() {
        let names = ["startup.rhai", "lib/serve.rhai", "lib/deep/x.rhai"];
        let bundle = Bundle::new(names.iter().map(|n| ((*n).to_owned(), Arc::from(""))).collect());
        for (from, path, meant) in [
            ("startup.rhai", "lib/serve", Ok("lib/serve.rhai")),
            ("startup.rhai", "./lib/serve.rhai", Ok("lib/serve.rhai")),
            ("lib/serve.rhai", "./deep/x", Ok("lib/deep/x.rhai")),
            ("lib/deep/x.rhai", "../serve", Ok("lib/serve.rhai")),
            ("lib/deep/x.rhai", "lib/serve", Ok("lib/serve.rhai")),
            ("lib/deep/x.rhai", "lib/../startup", Ok("startup.rhai")),
            ("startup.rhai", "../startup", Err("import_outside")),
            ("startup.rhai", "lib/../../startup", Err("import_outside")),
            ("startup.rhai", "/etc/passwd", Err("import_outside")),
            ("startup.rhai", r"lib\serve", Err("import_outside")),
            ("startup.rhai", "C:/lib/serve", Err("import_outside")),
            ("startup.rhai", "", Err("import_outside")),
            ("startup.rhai", "lib/serv", Err("module_not_found")),
        ] {
            let found = locate(&bundle, from, path);
            assert_eq!(found.as_deref().map_err(|f| f.kind.as_str()), meant, "{from} imports {path}");
        }
    }
}
