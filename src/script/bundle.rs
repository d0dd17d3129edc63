//! All scripts of a store at one content hash. A run keeps the bundle it began with; nothing here executes a script.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{Failure, Result};
use crate::model::Hash;
use crate::text;

/// A script is orchestration: a file larger than this is a mistake (bytes).
const MAX_FILE: u64 = 1 << 20;
/// All files together (bytes); the bundle is stored with every run.
const MAX_TOTAL: u64 = 8 << 20;
/// Files in a bundle.
const MAX_FILES: usize = 256;
/// Folders below folders.
const MAX_DEPTH: usize = 8;
/// Folders of `scripts/` that are no part of what runs: tests, and examples of other stores.
const LEFT_OUT: [&str; 2] = ["tests", "stores"];

/// All scripts of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Hash over names and contents.
    pub hash: Hash,
    /// Name below `scripts/` with `/` ("lib/serve.rhai") → content.
    pub files: BTreeMap<String, Arc<str>>,
}

impl Bundle {
    /// A bundle of these files.
    pub fn new(files: BTreeMap<String, Arc<str>>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for (name, content) in &files {
            // Lengths first, so that no two sets of files give the same bytes.
            for part in [name.as_bytes(), content.as_bytes()] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Bundle { hash: Hash(*hasher.finalize().as_bytes()), files }
    }

    /// Reads every `*.rhai` below `dir`, the store's `scripts/` folder.
    pub fn load(dir: &Path) -> Result<Self> {
        let root = dir.canonicalize().map_err(|e| {
            Failure::io(text!("no se pudo abrir la carpeta de scripts", "cannot open the scripts folder"), dir, &e)
                .hint(text!("relevo init la crea", "relevo init creates it"))
        })?;
        let mut found = Found { root: &root, files: BTreeMap::new(), total: 0 };
        found.read_folder(&root, "", 0)?;
        Ok(Bundle::new(found.files))
    }

    /// This bundle with the files of `over` in place of those of the same name: a customised store.
    #[must_use]
    pub fn overlaid(&self, over: &Bundle) -> Self {
        let mut files = self.files.clone();
        files.extend(over.files.iter().map(|(name, content)| (name.clone(), Arc::clone(content))));
        Bundle::new(files)
    }

    /// For the journal, which pins the bundle in a run.
    pub fn to_json(&self) -> Value {
        let files = self.files.iter().map(|(name, content)| (name.clone(), Value::from(&**content))).collect();
        serde_json::json!({ "hash": self.hash, "files": Value::Object(files) })
    }

    /// A pinned bundle. Fails when its content is not what its hash says.
    pub fn from_json(json: &Value) -> Result<Self> {
        let damaged = || {
            Failure::failed(
                "bundle_damaged",
                text!("el paquete de scripts guardado está dañado", "the recorded script bundle is damaged"),
            )
        };
        let mut files = BTreeMap::new();
        for (name, content) in json["files"].as_object().ok_or_else(damaged)? {
            files.insert(name.clone(), Arc::from(content.as_str().ok_or_else(damaged)?));
        }
        let bundle = Bundle::new(files);
        let recorded = json["hash"].as_str().unwrap_or_default();
        if bundle.hash.to_string() != recorded {
            Err(damaged().cause(format!("{} != {recorded}", bundle.hash)))
        } else {
            Ok(bundle)
        }
    }
}

/// What was read so far.
struct Found<'a> {
    root: &'a Path,
    files: BTreeMap<String, Arc<str>>,
    total: u64,
}

impl Found<'_> {
    fn read_folder(&mut self, dir: &Path, prefix: &str, depth: usize) -> Result<()> {
        let doing = || text!("no se pudo leer", "cannot read");
        if depth > MAX_DEPTH {
            return Err(too_much(dir, "demasiadas carpetas anidadas", "folders nested too deeply"));
        }
        for entry in std::fs::read_dir(dir).map_err(|e| Failure::io(doing(), dir, &e))? {
            let entry = entry.map_err(|e| Failure::io(doing(), dir, &e))?;
            let path = entry.path();
            let os_name = entry.file_name();
            let is_script = path.extension().is_some_and(|e| e == "rhai");
            let Some(name) = os_name.to_str() else {
                if is_script {
                    return Err(too_much(&path, "el nombre del archivo no es UTF-8", "the file name is not UTF-8"));
                }
                continue;
            };
            // api.d.rhai describes the primitives to editors; it is no script.
            if (prefix.is_empty() && LEFT_OUT.contains(&name)) || name.starts_with('.') || name.ends_with(".d.rhai") {
                continue;
            }
            let kind = entry.file_type().map_err(|e| Failure::io(doing(), &path, &e))?;
            if kind.is_symlink() {
                let real = path.canonicalize().map_err(|e| Failure::io(doing(), &path, &e))?;
                if !real.starts_with(self.root) {
                    return Err(Failure::invalid(
                        "script_outside",
                        text!(
                            "{} es un enlace que sale de la carpeta de scripts",
                            "{} is a link that leaves the scripts folder",
                            path.display()
                        ),
                    )
                    .hint(text!("copie el archivo en lugar de enlazarlo", "copy the file instead of linking it")));
                }
            }
            let name = format!("{prefix}{name}");
            let meta = std::fs::metadata(&path).map_err(|e| Failure::io(doing(), &path, &e))?;
            if meta.is_dir() {
                self.read_folder(&path, &format!("{name}/"), depth + 1)?;
            } else if is_script {
                self.read_file(&path, name, meta.len())?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path, name: String, size: u64) -> Result<()> {
        self.total += size;
        if size > MAX_FILE || self.total > MAX_TOTAL || self.files.len() >= MAX_FILES {
            return Err(too_much(path, "los scripts son demasiado grandes", "the scripts are too large"));
        }
        let bytes = std::fs::read(path).map_err(|e| Failure::io(text!("no se pudo leer", "cannot read"), path, &e))?;
        let content = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            let line = e.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
            Failure::invalid(
                "script_not_utf8",
                text!("{} no está en UTF-8 (línea {line})", "{} is not UTF-8 (line {line})", path.display()),
            )
            .hint(text!("guarde el archivo con codificación UTF-8", "save the file in UTF-8"))
        })?;
        // Editors on Windows put a mark in front that the language does not know.
        let content = content.strip_prefix('\u{feff}').unwrap_or(&content);
        self.files.insert(name, Arc::from(content));
        Ok(())
    }
}

fn too_much(path: &Path, es: &str, en: &str) -> Failure {
    Failure::invalid("script_bounds", text!("{}: {es}", "{}: {en}", path.display())).hint(text!(
        "límites: 256 archivos, 1 MiB por archivo, 8 MiB en total, 8 niveles",
        "limits: 256 files, 1 MiB a file, 8 MiB in all, 8 levels"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, content: &[u8]) {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn any_json_gives_a_bundle_or_a_failure(files in proptest::collection::btree_map("[a-z/.]{0,12}", "\\PC{0,20}", 0..4), at in 0usize..400, bit in 0u8..7, text: String) {
            let good = Bundle::new(files.into_iter().map(|(name, content)| (name, Arc::from(content.as_str()))).collect());
            let mut bytes = good.to_json().to_string().into_bytes();
            let read = Bundle::from_json(&serde_json::from_slice(&bytes).unwrap()).unwrap();
            proptest::prop_assert_eq!(read.hash, good.hash);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            for damaged in [bytes, text.into_bytes()] {
                if let Ok(value) = serde_json::from_slice(&damaged)
                    && let Ok(bundle) = Bundle::from_json(&value)
                {
                    proptest::prop_assert_eq!(bundle.hash, good.hash, "another content under the same hash");
                }
            }
        }
    }

    #[test]
    fn loads_what_runs_and_leaves_tests_stores_and_definitions_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "startup.rhai",
            "lib/serve.rhai",
            "tests/a.rhai",
            "stores/1/startup.rhai",
            "api.d.rhai",
            "notas.txt",
            "lib/tests/b.rhai",
        ] {
            write(dir.path(), name, b"fn run(args) {}");
        }
        let bundle = Bundle::load(dir.path()).unwrap();
        assert_eq!(bundle.files.keys().collect::<Vec<_>>(), ["lib/serve.rhai", "lib/tests/b.rhai", "startup.rhai"]);
    }

    #[test]
    fn the_hash_covers_names_and_contents_and_survives_the_journal() {
        let of = |pairs: &[(&str, &str)]| Bundle::new(pairs.iter().map(|(n, c)| ((*n).to_owned(), Arc::from(*c))).collect());
        let a = of(&[("a", "bc")]);
        assert_ne!(a.hash, of(&[("ab", "c")]).hash);
        assert_ne!(a.hash, of(&[("a", "bd")]).hash);
        assert_eq!(Bundle::from_json(&a.to_json()).unwrap(), a);
        let mut json = a.to_json();
        json["files"]["a"] = "changed".into();
        assert_eq!(Bundle::from_json(&json).unwrap_err().kind, "bundle_damaged");
    }

    #[test]
    fn refuses_other_encodings_and_too_much() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.rhai", b"// uno\n// se\xf1al");
        let failure = Bundle::load(dir.path()).unwrap_err();
        assert_eq!(failure.kind, "script_not_utf8");
        assert!(failure.message.en.contains("(line 2)"), "{}", failure.message.en);
        write(dir.path(), "a.rhai", &vec![b' '; MAX_FILE as usize + 1]);
        assert_eq!(Bundle::load(dir.path()).unwrap_err().kind, "script_bounds");
    }

    #[test]
    fn links_that_leave_the_folder_are_refused() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(outside.path(), "a.rhai", b"fn run(args) {}");
        for (from, to) in [(outside.path().join("a.rhai"), "a.rhai"), (outside.path().to_owned(), "lib")] {
            let link = dir.path().join(to);
            match std::process::Command::new("ln").arg("-s").arg(&from).arg(&link).status() {
                Ok(status) if status.success() => {}
                _ => return eprintln!("skipped: no ln here"),
            }
            assert_eq!(Bundle::load(dir.path()).unwrap_err().kind, "script_outside");
            std::fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn a_mark_in_front_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.rhai", "\u{feff}fn run(args) {}".as_bytes());
        assert_eq!(&*Bundle::load(dir.path()).unwrap().files["a.rhai"], "fn run(args) {}");
    }
}
