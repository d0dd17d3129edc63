//! The primitives that scripts can call. One table drives registration, the argument check, lint, `scripts/api.d.rhai`
//! and the reference page; it says what a primitive is, never what it does.

pub(super) mod check;
mod definitions;
mod files;
mod log;
mod operator;
mod reference;
mod server;
mod service;
mod setup;
mod store;
mod target;
mod top;

pub use self::definitions::definitions;
pub use self::reference::reference;
use crate::text::Lang;

/// Words in both languages: Spanish, English.
#[derive(Clone, Copy, Debug)]
pub struct Doc(pub &'static str, pub &'static str);

impl Doc {
    /// The words for `lang`.
    pub fn get(self, lang: Lang) -> &'static str {
        match lang {
            Lang::Es => self.0,
            Lang::En => self.1,
        }
    }
}

/// Type of a value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `()`.
    Nothing,
    /// A boolean.
    Bool,
    /// An integer.
    Int,
    /// An integer or a float.
    Number,
    /// A string.
    Text,
    /// A string, or `#{es, en}` with the words in both languages.
    Words,
    /// A path `root:relative/path` below a folder of `[files]` in relevo.toml.
    Path,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// An array.
    List,
    /// A map.
    Map,
    /// Any value.
    Any,
    /// A map with these keys and no others.
    Options(&'static [Key]),
}

/// "main" or "backup".
pub const SIDE: Kind = Kind::OneOf(&["main", "backup"]);
/// "svrpdv" or "pospdv".
pub const PROGRAM: Kind = Kind::OneOf(&["svrpdv", "pospdv"]);

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// May be left out; only the last ones are.
    pub optional: bool,
}

const fn param(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: false }
}

const fn optional(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: true }
}

/// A key of an option map.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// What holds when it is left out; `None`: it is required.
    pub default: Option<&'static str>,
    /// What it means.
    pub doc: Doc,
}

/// A key of a result map.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Type; may be `()` where nothing is known.
    pub kind: Kind,
    /// What it means.
    pub doc: Doc,
}

const fn field(name: &'static str, kind: Kind, doc: Doc) -> Field {
    Field { name, kind, doc }
}

/// What a call does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, and it asks nothing: answered without the host.
    Pure,
    /// It looks; the answer is journaled, because it steers the script.
    Read,
    /// It changes one thing; journaled before and after.
    Effect,
    /// It changes several things by a plan; its steps are journaled each.
    Composite,
}

/// One function that scripts can call.
#[derive(Clone, Copy, Debug)]
pub struct Primitive {
    /// Namespace; empty for the top level.
    pub namespace: &'static str,
    /// Name.
    pub name: &'static str,
    /// Parameters.
    pub params: &'static [Param],
    /// Type of the result.
    pub returns: Kind,
    /// Keys of the result, where it is a map or an array of maps.
    pub fields: &'static [Field],
    /// Kinds of failure that a script may want to catch.
    pub errors: &'static [&'static str],
    /// What it does to the world.
    pub effect: Effect,
    /// What undo does about it.
    pub undo: Doc,
    /// First version that has it.
    pub since: &'static str,
    /// What it does.
    pub doc: Doc,
    /// One example: statements of a function body.
    pub example: &'static str,
}

const NO_UNDO: Doc = Doc("nada que deshacer", "nothing to undo");

/// What most entries share; each entry says the rest.
const BASE: Primitive = Primitive {
    namespace: "",
    name: "",
    params: &[],
    returns: Kind::Nothing,
    fields: &[],
    errors: &[],
    effect: Effect::Read,
    undo: NO_UNDO,
    since: "0.1.0",
    doc: Doc("", ""),
    example: "",
};

impl Primitive {
    /// "mirror", "files::copy".
    pub fn full_name(&self) -> String {
        if self.namespace.is_empty() { self.name.to_owned() } else { format!("{}::{}", self.namespace, self.name) }
    }

    /// Numbers of arguments that it takes.
    pub fn arities(&self) -> std::ops::RangeInclusive<usize> {
        self.params.iter().filter(|p| !p.optional).count()..=self.params.len()
    }

    /// "files::copy(from, to)".
    pub fn signature(&self) -> String {
        let shown = |p: &Param| match (p.kind, p.optional) {
            (Kind::Options(_), _) => "#{…}".to_owned(),
            (_, true) => format!("[{}]", p.name),
            (_, false) => p.name.to_owned(),
        };
        format!("{}({})", self.full_name(), self.params.iter().map(shown).collect::<Vec<_>>().join(", "))
    }
}

/// The whole table, in the order of the reference page.
pub fn all() -> impl Iterator<Item = &'static Primitive> {
    [top::ALL, files::ALL, store::ALL, server::ALL, service::ALL, target::ALL, operator::ALL, log::ALL, setup::ALL]
        .into_iter()
        .flatten()
}

/// The primitive of this full name.
pub fn find(name: &str) -> Option<&'static Primitive> {
    all().find(|p| p.full_name() == name)
}

/// Answers a primitive of effect [`Effect::Pure`].
pub(super) fn pure(primitive: &Primitive, args: &[serde_json::Value]) -> serde_json::Value {
    match (primitive.name, args) {
        ("err", [thrown]) => super::fail::to_json(thrown),
        _ => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_is_whole_and_unique() {
        let mut names = BTreeSet::new();
        for p in all() {
            let name = p.full_name();
            assert!(names.insert(name.clone()), "{name} twice");
            for doc in [p.doc, p.undo].into_iter().chain(p.fields.iter().map(|f| f.doc)) {
                assert!(!doc.0.is_empty() && !doc.1.is_empty(), "{name} lacks words");
            }
            assert!(p.example.contains(&format!("{name}(")), "{name} lacks an example");
            let first_optional = p.params.iter().position(|q| q.optional).unwrap_or(p.params.len());
            assert!(p.params[first_optional..].iter().all(|q| q.optional), "{name}: optional parameters come last");
        }
    }

    /// A script that catches a kind which nothing gives would wait for ever: every kind of the table stands somewhere in the code.
    #[test]
    fn every_kind_that_scripts_may_catch_exists() {
        fn sources(dir: &std::path::Path, all: &mut String) {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() && !path.ends_with("api") {
                    sources(&path, all);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    all.push_str(&std::fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut all = String::new();
        sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        for p in super::all() {
            for kind in p.errors {
                assert!(all.contains(&format!("\"{kind}\"")), "{}: nothing fails with {kind}", p.full_name());
            }
        }
    }

    #[test]
    fn the_files_of_the_repository_are_what_the_table_says() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for (file, says) in [
            ("scripts/api.d.rhai", definitions()),
            ("docs/script-api.md", reference(Lang::En)),
            ("docs/script-api.es.md", reference(Lang::Es)),
        ] {
            if std::env::var_os("RELEVO_RENEW").is_some() {
                std::fs::write(root.join(file), &says).unwrap();
            }
            let found = std::fs::read_to_string(root.join(file)).unwrap_or_default().replace("\r\n", "\n");
            assert!(
                found == says,
                "{file} is not what the table says; renew it with `relevo api` (or this test with RELEVO_RENEW=1)"
            );
        }
    }
}
