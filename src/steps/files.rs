//! `files::` of scripts: below the configured roots only, never the signal files nor the store's own state. What a step
//! replaces is kept below state/undo until the run is pruned, so that undo can put it back.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::TargetSection;
use crate::error::{Failure, Result};
use crate::steps::Context;
use crate::store::Store;
use crate::text;
use crate::text::Text;
use crate::world::Label;

/// Files that have verbs of their own.
const SIGNAL_FILES: [&str; 4] = ["svrbak.txt", "posbak.txt", "vecbak.txt", "fecbak.txt"];
/// Largest file that scripts read or write; larger ones are data for a mirror, not for a script.
const MOST: u64 = 16 << 20;

/// `root:relative/path` below a configured root; "store" is the store's files/ folder.
pub fn resolve(store: &Store, path: &str) -> Result<PathBuf> {
    let bad = |why: Text| {
        let (es, en) = (format!("ruta no permitida «{path}»: {}", why.es), format!("path not allowed \"{path}\": {}", why.en));
        Failure::invalid("path_refused", Text { es, en })
            .hint(text!("escriba raíz:carpeta/archivo con una raíz de [files]", "write root:folder/file with a root of [files]"))
    };
    let (root, relative) = path
        .split_once(':')
        .filter(|(root, _)| root.len() > 1)
        .ok_or_else(|| bad(text!("falta la raíz", "the root is missing")))?;
    let base =
        store.config.files.get(root).ok_or_else(|| bad(text!("no hay raíz {root} en [files]", "no root {root} in [files]")))?;
    confined(base, &guarded(store), relative).map_err(bad)
}

/// Folders that are no script's, wherever a root may lie: what is in them decides who holds the post and what can be promoted.
fn guarded(store: &Store) -> Vec<PathBuf> {
    let mut folders = vec![store.state.clone()];
    folders.extend([&store.config.servers.main, &store.config.servers.backup].map(|server| PathBuf::from(&server.instance)));
    folders.extend(store.config.targets.values().filter_map(|target| match target {
        TargetSection::Dir { path } => Some(path.clone()),
        TargetSection::Plugin { .. } => None,
    }));
    folders
}

/// The path below `base`, or why it is refused. What one system takes for a path, a device, a stream or a signal file is refused on
/// all: a store's scripts are the same on each of its machines.
pub fn confined(base: &Path, guarded: &[PathBuf], relative: &str) -> std::result::Result<PathBuf, Text> {
    if relative.is_empty() || !relative.split('/').all(is_plain) {
        return Err(text!("debe quedar debajo de la raíz", "it has to stay below the root"));
    }
    let name = relative.rsplit('/').next().unwrap_or_default();
    if SIGNAL_FILES.contains(&folded(name).as_str()) {
        return Err(text!("los archivos señal tienen sus propios verbos", "signal files have verbs of their own"));
    }
    let full = base.join(relative);
    // A link inside the root may lead out of it: what matters is where each part really is. One that leads nowhere yet may lead
    // anywhere tomorrow.
    let leads_nowhere = |p: &Path| p.symlink_metadata().is_ok_and(|m| m.is_symlink()) && p.canonicalize().is_err();
    let real = |p: &Path| p.ancestors().find_map(|a| a.canonicalize().ok()).unwrap_or_default();
    let (inside, landed) = (real(base), real(&full));
    let is_guarded =
        |folder: &PathBuf| full.starts_with(folder) || folder.canonicalize().is_ok_and(|real| landed.starts_with(real));
    let below = full.ancestors().take_while(|a| *a != base);
    if !landed.starts_with(&inside)
        || guarded.iter().any(is_guarded)
        || full.symlink_metadata().is_ok_and(|m| m.is_symlink())
        || below.into_iter().any(leads_nowhere)
    {
        return Err(text!(
            "sale de la raíz o toca state/, una instancia o un destino",
            "it leaves the root or touches state/, an instance or a target"
        ));
    }
    Ok(full)
}

/// A part of a path that every system takes for the same plain name.
fn is_plain(part: &str) -> bool {
    // Windows drops dots and spaces at the end, opens devices whatever their ending, and reads a:b as a stream of a.
    const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
    let stem = folded(part.split('.').next().unwrap_or_default().trim_end());
    let numbered = |port: &str| stem.strip_prefix(port).is_some_and(|n| n.chars().count() == 1 && n.chars().all(is_port_number));
    !part.is_empty()
        && !part.ends_with(['.', ' '])
        && !part.contains(['\\', ':', '*', '?', '"', '<', '>', '|'])
        && !part.contains(char::is_control)
        && !DEVICES.contains(&stem.as_str())
        && !numbered("com")
        && !numbered("lpt")
}

fn is_port_number(c: char) -> bool {
    c.is_ascii_digit() || "¹²³".contains(c)
}

/// A name as systems compare it that do not tell case apart.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
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
    (cx.kept("kept"), cx.kept("absent"))
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
