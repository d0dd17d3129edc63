//! A folder, local or a share, as a target. Objects are files below it; a part file beside the object is renamed into place
//! once it is whole and on disk. Must never touch a file outside its folder, nor create the folder's own parents: a share
//! that is not mounted must not become a local folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Failure, Result, Retry};
use crate::targets::{Object, Target};
use crate::text;
use crate::world::{self, Label, World, write_out};

/// A part file of this age belongs to a writer that died.
const STALE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Bytes that are gathered before a write: shares answer slowly, so few and large.
const BUFFER: usize = 256 * 1024;

/// Bytes after which the disk begins to write, so that the sync at the end does not wait for all of them.
const AT_ONCE: u64 = 8 << 20;

/// A folder that keeps objects.
pub struct Directory {
    name: String,
    path: PathBuf,
    world: Arc<dyn World>,
}

impl Directory {
    /// The target `name` of relevo.toml in the folder `path`; looks at nothing yet.
    pub fn new(name: &str, path: &Path, world: Arc<dyn World>) -> Directory {
        Directory { name: name.to_owned(), path: path.to_owned(), world }
    }

    fn locate(&self, object: &str) -> Result<PathBuf> {
        if !is_object_name(object) {
            return Err(Failure::invalid(
                "object_name",
                text!("el nombre de objeto {object:?} no es válido", "the object name {object:?} is not valid"),
            )
            .hint(text!(
                "use letras, números, punto, guion y guion bajo; ninguna parte empieza ni termina con punto",
                "use letters, digits, dot, hyphen and underscore; no part begins or ends with a dot"
            )));
        }
        Ok(object.split('/').fold(self.path.clone(), |path, part| path.join(part)))
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let (name, path) = (&self.name, self.path.display());
        let failure = if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            Failure::failed("target_full", text!("el destino {name} está lleno: {path}", "target {name} is full: {path}"))
                .hint(text!("libere espacio en el destino y repita la orden", "free space on the target and repeat the command"))
        } else {
            Failure::failed(
                "target_unavailable",
                text!("no se puede usar el destino {name}: {path}", "target {name} cannot be used: {path}"),
            )
            .hint(text!(
                "revise que la carpeta o el recurso compartido esté conectado y permita leer y escribir",
                "check that the folder or share is connected and can be read and written"
            ))
        };
        failure.cause(error).retry(Retry::Temporary)
    }

    /// Creates the root if its parent is there, and then the folder of an object.
    fn prepare(&self, folder: &Path) -> Result<()> {
        let create = || -> io::Result<()> {
            if !self.path.is_dir() {
                world::make_folder(&self.path)?;
            }
            let below = folder.strip_prefix(&self.path).unwrap_or(Path::new(""));
            let mut current = self.path.clone();
            for part in below {
                current.push(part);
                if !current.is_dir() {
                    world::make_folder(&current)?;
                }
            }
            Ok(())
        };
        create().map_err(|error| self.failure(&error))
    }

    /// Is the root there? `false` when it only waits to be created.
    fn exists(&self) -> Result<bool> {
        match fs::metadata(&self.path) {
            Ok(meta) if meta.is_dir() => Ok(true),
            Ok(_) => Err(self.failure(&ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => match fs::metadata(parent_of(&self.path)) {
                Ok(meta) if meta.is_dir() => Ok(false),
                Ok(_) => Err(self.failure(&ErrorKind::NotADirectory.into())),
                Err(error) => Err(self.failure(&error)),
            },
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn write_part(&self, part: &Path, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
        let file = world::create_part(part).map_err(|error| self.failure(&error))?;
        let mut out = BufWriter::with_capacity(BUFFER, Remembering { file, failed: None, written: 0, begun: 0 });
        let written = write(&mut out);
        let flushed = out.flush();
        let (memory, _unwritten) = out.into_parts();
        // The disk's own error says more than what the writer made of it.
        if let Some(error) = memory.failed {
            return Err(self.failure(&error));
        }
        written?;
        flushed.and_then(|()| world::sync_part(&memory.file)).map_err(|error| self.failure(&error))
    }

    fn walk(&self, folder: &Path, above: &str, prefix: &str, found: &mut Vec<Object>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            // Names that relevo could not have written are none of its objects.
            let Some(part) = entry.file_name().to_str().filter(|part| is_part(part)).map(str::to_owned) else { continue };
            let name = format!("{above}{part}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let inner = format!("{name}/");
                if inner.starts_with(prefix) || prefix.starts_with(&inner) {
                    self.walk(&entry.path(), &inner, prefix, found)?;
                }
            } else if kind.is_file() && name.starts_with(prefix) {
                match entry.metadata() {
                    Ok(meta) => found.push(Object { name, size: meta.len(), changed: changed(&meta) }),
                    Err(error) if error.kind() == ErrorKind::NotFound => {} // removed while we look
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

impl Target for Directory {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<()> {
        self.prepare(&self.path)?;
        let probe = self.path.join(format!(".probe-{}", std::process::id()));
        let tried = fs::write(&probe, b"relevo").and_then(|()| fs::read(&probe));
        let removed = fs::remove_file(&probe);
        let read = tried.map_err(|error| self.failure(&error))?;
        removed.map_err(|error| self.failure(&error))?;
        if read != b"relevo" {
            return Err(self.failure(&ErrorKind::InvalidData.into()));
        }
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let mut found = Vec::new();
        if self.exists()? {
            self.walk(&self.path, "", prefix, &mut found).map_err(|error| self.failure(&error))?;
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn put(&self, label: Label, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
        let path = self.locate(name)?;
        let folder = parent_of(&path);
        self.prepare(folder)?;
        let last = name.rsplit('/').next().unwrap_or(name);
        let part = folder.join(format!(".part-{last}-{}", std::process::id())); // two writers never mix their bytes
        sweep(folder);
        let done = self
            .write_part(&part, write)
            .and_then(|()| self.world.rename(label, &part, &path).map_err(|error| self.failure(&error)));
        if done.is_err() {
            let _ = fs::remove_file(&part); // the failure itself matters more; a part is never listed
        }
        done
    }

    fn get(&self, name: &str) -> Result<Box<dyn Read>> {
        let path = self.locate(name)?;
        match File::open(&path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.exists()?; // a share that is away holds perhaps everything; a folder still to be created holds nothing
                let target = &self.name;
                Err(Failure::failed(
                    "object_missing",
                    text!("el destino {target} no tiene {name}", "target {target} does not have {name}"),
                )
                .hint(text!("revise las copias con relevo target verify", "check the copies with relevo target verify")))
            }
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.locate(name)?;
        // No folder, nothing to remove; asking the world to sync a missing folder would fail.
        if !self.exists()? || !parent_of(&path).is_dir() {
            return Ok(());
        }
        self.world.remove_file(Label::CopyRemove, &path).map_err(|error| self.failure(&error))
    }
}

/// Keeps the first error of the disk, which the writer above may turn into something vaguer.
struct Remembering {
    file: File,
    failed: Option<io::Error>,
    written: u64,
    /// Up to where the disk was asked to begin.
    begun: u64,
}

impl Remembering {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != ErrorKind::Interrupted
            && self.failed.is_none()
        {
            self.failed = Some(io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}

impl Write for Remembering {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = world::write_part(&self.file, bytes).map(|()| bytes.len());
        self.written += *result.as_ref().unwrap_or(&0) as u64;
        if self.written - self.begun >= AT_ONCE {
            write_out(&self.file, self.begun, self.written - self.begun);
            self.begun = self.written;
        }
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.flush();
        self.note(result)
    }
}

fn changed(meta: &fs::Metadata) -> Option<u64> {
    let since = meta.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn is_object_name(name: &str) -> bool {
    name.split('/').all(is_part)
}

/// Removes what writers that died left behind; a writer at work is younger. Untidiness is no failure.
fn sweep(folder: &Path) {
    let old = |path: &Path| path.metadata().and_then(|m| m.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > STALE));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(".part-") && old(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// One part of an object's name. A leading dot is for parts and probes; Windows drops a trailing one.
pub(super) fn is_part(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && !part.ends_with('.')
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
