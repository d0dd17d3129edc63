//! `files::` of scripts: below the configured roots only, never the signal files nor the store's own state. What a step
//! replaces is kept below state/undo until the run is pruned, so that undo can put it back.

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use crate::error::{Failure, Result};
use crate::steps::Context;
use crate::store::Store;
use crate::text;
use crate::world::Label;

/// Files that have verbs of their own.
const SIGNAL_FILES: [&str; 4] = ["svrbak.txt", "posbak.txt", "vecbak.txt", "fecbak.txt"];
/// Largest file that scripts read or write; larger ones are data for a mirror, not for a script.
const MOST: u64 = 16 << 20;

/// `root:relative/path` below a configured root; "store" is the store's files/ folder.
pub fn resolve(store: &Store, path: &str) -> Result<PathBuf> {
    let bad = |why: crate::text::Text| {
        let (es, en) = (format!("ruta no permitida «{path}»: {}", why.es), format!("path not allowed \"{path}\": {}", why.en));
        Failure::invalid("path_refused", crate::text::Text { es, en })
            .hint(text!("escriba raíz:carpeta/archivo con una raíz de [files]", "write root:folder/file with a root of [files]"))
    };
    let (root, relative) = path
        .split_once(':')
        .filter(|(root, _)| root.len() > 1)
        .ok_or_else(|| bad(text!("falta la raíz", "the root is missing")))?;
    let base =
        store.config.files.get(root).ok_or_else(|| bad(text!("no hay raíz {root} en [files]", "no root {root} in [files]")))?;
    let relative = Path::new(relative);
    let plain = !relative.as_os_str().is_empty()
        && !relative.to_string_lossy().contains(['\\', ':', '\0'])
        && relative.components().all(|c| matches!(c, Component::Normal(_)));
    if !plain {
        return Err(bad(text!("debe quedar debajo de la raíz", "it has to stay below the root")));
    }
    let name = relative.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    if SIGNAL_FILES.contains(&name.as_str()) {
        return Err(bad(text!("los archivos señal tienen sus propios verbos", "signal files have verbs of their own")));
    }
    let full = base.join(relative);
    // A link inside the root may lead out of it: compare where the nearest existing folder really is.
    let real = |p: &Path| p.ancestors().find_map(|a| a.canonicalize().ok()).unwrap_or_default();
    let (inside, state) = (real(base), real(&store.state));
    let landed = real(&full);
    if !landed.starts_with(&inside) || landed.starts_with(&state) || full.symlink_metadata().is_ok_and(|m| m.is_symlink()) {
        return Err(bad(text!("sale de la raíz o toca state/", "it leaves the root or touches state/")));
    }
    Ok(full)
}

/// `files::exists`
pub fn exists(store: &Store, path: &str) -> Result<bool> {
    Ok(resolve(store, path)?.exists())
}

/// `files::read`: UTF-8 text.
pub fn read(store: &Store, path: &str) -> Result<String> {
    let full = resolve(store, path)?;
    let bytes = read_bytes(&full)?;
    String::from_utf8(bytes)
        .map_err(|e| Failure::failed("not_text", text!("{path} no es texto UTF-8", "{path} is not UTF-8 text")).cause(e))
}

/// `files::copy`
pub fn copy(cx: &Context, from: &str, to: &str) -> Result<Value> {
    let bytes = read_bytes(&resolve(cx.store, from)?)?;
    put(cx, to, &bytes)
}

/// `files::write`
pub fn write(cx: &Context, path: &str, text: &str) -> Result<Value> {
    put(cx, path, text.as_bytes())
}

/// `files::remove`
pub fn remove(cx: &Context, path: &str) -> Result<Value> {
    let full = resolve(cx.store, path)?;
    keep(cx, &full)?;
    cx.store
        .world
        .remove_file(Label::FilesRemove, &full)
        .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &full, &e))?;
    Ok(Value::Null)
}

fn put(cx: &Context, path: &str, bytes: &[u8]) -> Result<Value> {
    let full = resolve(cx.store, path)?;
    let same = std::fs::read(&full).is_ok_and(|old| old == bytes);
    if !same {
        keep(cx, &full)?;
        cx.store
            .world
            .write_file(Label::FilesWrite, &full, bytes)
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &full, &e))?;
    }
    Ok(json!({ "bytes": bytes.len(), "changed": !same }))
}

/// Puts back what a step replaced; what was not there is removed again.
pub fn put_back(cx: &Context, path: &str) -> Result<()> {
    let full = resolve(cx.store, path)?;
    let (kept, absent) = kept_files(cx);
    let world = cx.store.world.as_ref();
    if kept.exists() {
        let bytes = read_bytes(&kept)?;
        world
            .write_file(Label::FilesWrite, &full, &bytes)
            .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &full, &e))
    } else if absent.exists() {
        world
            .remove_file(Label::FilesRemove, &full)
            .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &full, &e))
    } else {
        Ok(()) // it never came to the effect
    }
}

/// Keeps what stands at `full` before it is replaced, once per step: a repeated step must not keep its own result.
fn keep(cx: &Context, full: &Path) -> Result<()> {
    let (kept, absent) = kept_files(cx);
    if kept.exists() || absent.exists() {
        return Ok(());
    }
    let (path, bytes) = match full.exists() {
        true => (kept, read_bytes(full)?),
        false => (absent, Vec::new()),
    };
    cx.store
        .world
        .write_file(Label::StateWrite, &path, &bytes)
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))
}

fn kept_files(cx: &Context) -> (PathBuf, PathBuf) {
    let base = cx.store.state.join("undo").join(cx.run.to_string());
    let step = cx.path.replace('/', "-");
    (base.join(format!("{step}.kept")), base.join(format!("{step}.absent")))
}

fn read_bytes(full: &Path) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Failure::io(text!("no se pudo leer", "could not read"), full, &e);
    let size = std::fs::metadata(full).map_err(failed)?.len();
    if size > MOST {
        let shown = full.display();
        return Err(Failure::refused("file_too_large", text!("{shown} pasa de 16 MiB", "{shown} is larger than 16 MiB")));
    }
    std::fs::read(full).map_err(failed)
}
