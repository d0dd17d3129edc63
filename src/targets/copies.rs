//! Copies of one store on one target: content first, manifest last. What lies on a target is untrusted: a manifest counts
//! only when every part of it agrees, and content only when its hashes do. Must never show a copy without a manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};

use crate::error::{Failure, Result, Retry};
use crate::model::{CopyKind, DatabaseId, Epoch, Hash, Listed, Manifest, Position, Sized};
use crate::progress::{Progress, Watch};
use crate::targets::directory::is_part;
use crate::targets::manifest;
use crate::targets::memory::{Entry, Known, Memory};
use crate::targets::read::{Broken, Damage, checked, copy_stored};
use crate::targets::seal::Sealer;
use crate::targets::{Object, Target};
use crate::text;
use crate::text::Text;
use crate::world::Label;

/// Bytes between two looks at the wish to stop.
const STEP: usize = 1 << 20;

/// Gives the age identity when a sealed copy is opened.
pub type Identity = Box<dyn Fn() -> Result<String> + Send + Sync>;

/// One target for one store.
pub struct Copies {
    pub(super) target: Box<dyn Target>,
    pub(super) store: String,
    pub(super) recipients: Vec<String>,
    pub(super) compression: u8,
    identity: Option<Identity>,
    memory: Option<Memory>,
}

/// What lies on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The copies, sorted by name.
    pub copies: Vec<Listed>,
    /// Manifests that cannot be believed, sorted by name.
    pub damaged: Vec<Damaged>,
    /// Names that have a side list, sorted.
    pub lines: Vec<String>,
}

impl Listing {
    /// The copy of this name.
    pub fn copy(&self, name: &str) -> Option<&Listed> {
        self.copies.binary_search_by(|listed| listed.manifest.name.as_str().cmp(name)).ok().map(|at| &self.copies[at])
    }

    /// Is there something of this name that cannot be believed?
    pub fn is_damaged(&self, name: &str) -> bool {
        self.damaged.binary_search_by(|damaged| damaged.name.as_str().cmp(name)).is_ok()
    }

    /// From now on this copy counts as damaged.
    pub fn set_aside(&mut self, name: &str, reason: &Text) {
        self.copies.retain(|listed| listed.manifest.name != name);
        let at = self.damaged.partition_point(|known| known.name.as_str() < name);
        self.damaged.insert(at, Damaged { name: name.to_owned(), reason: reason.clone() });
    }

    /// Takes in a copy that was put there since.
    pub fn add(&mut self, listed: Listed) {
        let at = self.copies.partition_point(|known| known.manifest.name < listed.manifest.name);
        self.copies.insert(at, listed);
    }
}

/// A manifest that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Name of the copy, as its file says.
    pub name: String,
    /// What is wrong.
    pub reason: Text,
}

/// What a listing saw of the files themselves.
struct Looked {
    /// Size and time of change of each object.
    stamps: BTreeMap<String, (u64, Option<u64>)>,
    /// Manifests that were read.
    read: usize,
}

/// What is known of a copy before its content is streamed. The fields mean what they mean in [`Manifest`].
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the manifest documents them")]
pub struct Draft {
    pub name: String,
    pub database: DatabaseId,
    pub epoch: Epoch,
    pub sequence: u64,
    pub kind: CopyKind,
    pub engine: String,
    pub engine_version: String,
    pub from: Option<Position>,
    pub at: String,
    pub previous: Option<Hash>,
    pub reason: Option<String>,
}

/// What only the stream tells.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// Where the copy ends.
    pub to: Position,
    /// Highest folio it holds, where known.
    pub last_folio: Option<i64>,
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Copies({} on {})", self.store, self.target.name())
    }
}

impl Copies {
    /// The copies of `store` on `target`; new ones are packed at a level of zstd (0: not) and sealed for `recipients`, sealed ones
    /// opened with `identity`.
    pub fn new(
        target: Box<dyn Target>,
        store: &str,
        recipients: Vec<String>,
        compression: u8,
        identity: Option<Identity>,
    ) -> Copies {
        Copies { target, store: store.to_owned(), recipients, compression, identity, memory: None }
    }

    /// Remembers manifests for [`Copies::list_known`].
    pub fn remembering(self, memory: Memory) -> Copies {
        Copies { memory: Some(memory), ..self }
    }

    /// Name of the target.
    pub fn name(&self) -> &str {
        self.target.name()
    }

    /// Can the target be reached, read and written?
    pub fn check(&self) -> Result<()> {
        self.target.check()
    }

    /// Every copy with a manifest, and the manifests that cannot be believed. Reads no content.
    pub fn list(&self) -> Result<Listing> {
        self.list_but(&mut Known::new()).map(|(listing, _)| listing)
    }

    /// The same, most manifests from memory where it knows them: for a mirror and for what is only shown. `keep`: remember what was new.
    pub fn list_known(&self, keep: bool) -> Result<Listing> {
        let Some(memory) = &self.memory else { return self.list() };
        let (mut known, again) = memory.load(&self.store);
        let (listing, looked) = self.list_but(&mut known)?;
        if keep {
            let entry = |listed: &Listed| {
                let object = self.manifest_object(&listed.manifest.name);
                let (size, changed) = *looked.stamps.get(&object)?;
                Some((object, Entry { size, changed: changed?, listed: listed.into() }))
            };
            let entries = listing.copies.iter().filter_map(entry).collect();
            memory.keep(&self.store, &entries, looked.read.saturating_sub(again));
        }
        Ok(listing)
    }

    fn list_but(&self, known: &mut Known) -> Result<(Listing, Looked)> {
        let objects = self.target.list(&format!("{}/", self.store))?;
        let lines = self.lines_among(objects.iter().map(|object| object.name.as_str()));
        let mut listing = Listing { copies: Vec::new(), damaged: Vec::new(), lines };
        let mut read = 0;
        for object in &objects {
            let Some(name) = self.own_part(&object.name).and_then(|part| part.strip_suffix(".json")) else { continue };
            let same = |entry: &Entry| entry.size == object.size && Some(entry.changed) == object.changed;
            if let Some(listed) = known.remove(&object.name).filter(same).map(|entry| Listed::from(entry.listed))
                && has_content(&listed.manifest, &objects).is_ok()
            {
                listing.copies.push(listed);
                continue;
            }
            let bytes = match self.target.get(&object.name) {
                Ok(input) => manifest::read(input).map_err(|error| self.unreadable(&object.name, &error)),
                Err(failure) if failure.kind == "object_missing" => continue, // removed while we look
                Err(failure) => Err(failure),
            };
            // One sector that cannot be read is one damaged copy; the others may still save the day.
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(failure) => {
                    listing.damaged.push(Damaged { name: name.to_owned(), reason: failure.message });
                    continue;
                }
            };
            read += 1;
            match self.parse(name, &bytes).and_then(|manifest| has_content(&manifest, &objects).map(|()| manifest)) {
                Ok(manifest) => listing.copies.push(Listed { manifest, hash: Hash::of(&bytes) }),
                Err(reason) => listing.damaged.push(Damaged { name: name.to_owned(), reason }),
            }
        }
        listing.copies.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        listing.damaged.sort_by(|a, b| a.name.cmp(&b.name));
        let stamps = objects.into_iter().map(|object| (object.name, (object.size, object.changed))).collect();
        Ok((listing, Looked { stamps, read }))
    }

    /// Writes a copy: content first, manifest last. `Ok(None)` when `write` returned `None` (nothing to copy): nothing becomes visible.
    /// Errors: `copy_exists`, `copy_invalid` (the parts of the draft contradict each other), those of `write` and of the target.
    pub fn put(&self, draft: Draft, write: &mut dyn FnMut(&mut dyn Write) -> Result<Option<Streamed>>) -> Result<Option<Listed>> {
        self.expect_part(&draft.name)?;
        if self.has(&self.manifest_object(&draft.name))? {
            return Err(self.copy_exists(&draft.name));
        }
        let object = self.content_object(&draft.name, self.seals());
        let mut made = None;
        let put = self.target.put(Label::CopyContent, &object, &mut |out| {
            let mut sealer = Sealer::new(out, &self.recipients, self.compression)?;
            let streamed = write(&mut sealer)?.ok_or_else(nothing_to_put)?;
            let (raw, stored) = sealer.finish()?;
            let manifest = self.manifest(&draft, streamed, raw, stored);
            manifest::check_parts(&manifest).map_err(|reason| copy_invalid(&draft.name, &reason))?;
            made = Some(manifest);
            Ok(())
        });
        match put {
            Err(failure) if failure.kind == NOTHING => return Ok(None),
            other => other?,
        }
        let Some(manifest) = made else { return Ok(None) };
        let bytes = manifest::encode(&manifest);
        self.put_bytes(Label::CopyManifest, &self.manifest_object(&draft.name), &bytes)?;
        Ok(Some(Listed { manifest, hash: Hash::of(&bytes) }))
    }

    /// The raw bytes; at their end lengths and hashes of raw and stored bytes are compared. What is wrong is an `io::Error`
    /// of kind `InvalidData` that [`read_failure`] explains. Errors: `identity_missing`, `identity_wrong`, those of the target.
    pub fn open(&self, manifest: &Manifest) -> Result<Box<dyn Read>> {
        let object = self.content_object(&manifest.name, manifest.encrypted);
        let input = match self.target.get(&object) {
            Err(failure) if failure.kind == "object_missing" => return Err(failure.cause(&manifest.name)),
            other => other?,
        };
        let identity = self.identity(manifest.encrypted)?;
        checked(input, manifest.encrypted, identity.as_deref(), manifest.raw, manifest.stored).map_err(|broken| match broken {
            Broken::Bytes(error) => read_failure(manifest, error),
            Broken::Seal(failure) => failure.cause(&object),
        })
    }

    /// Reads a copy to its end. Errors: `copy_damaged`, `copy_truncated`, those of [`Copies::open`].
    pub fn verify(&self, manifest: &Manifest, watch: &Watch) -> Result<()> {
        let (name, target) = (&manifest.name, self.name());
        watch
            .report(Progress::Begin(text!("verificando {name} en {target}", "verifying {name} on {target}"), manifest.raw.bytes));
        let result = self.read_through(manifest, watch);
        watch.report(Progress::End);
        result
    }

    fn read_through(&self, manifest: &Manifest, watch: &Watch) -> Result<()> {
        let mut input = self.open(manifest)?;
        let mut buffer = vec![0; STEP];
        loop {
            watch.check()?;
            match input.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => watch.report(Progress::Advance(read as u64)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_failure(manifest, error)),
            }
        }
    }

    /// Removes a copy: manifest first, so that a crash leaves no manifest without content.
    pub fn remove(&self, listed: &Listed) -> Result<()> {
        let name = &listed.manifest.name;
        self.expect_part(name)?;
        self.target.remove(&self.manifest_object(name))?;
        for encrypted in [false, true] {
            for object in [self.content_object(name, encrypted), self.lines_object(name, encrypted)] {
                if self.has(&object)? {
                    self.target.remove(&object)?;
                }
            }
        }
        Ok(())
    }

    /// Puts the same bytes on another target, verified on the way; skipped when the other has them. Errors: `copy_exists` when
    /// the other has another copy of this name, `copy_damaged`, `copy_truncated`, those of the targets.
    pub fn copy_to(&self, other: &Copies, listed: &Listed) -> Result<()> {
        let manifest = &listed.manifest;
        let name = &manifest.name;
        let object = self.manifest_object(name);
        if let Some(theirs) = other.open_if_there(&object)? {
            let theirs = manifest::read(theirs).map_err(|error| other.unreadable(&object, &error))?;
            return if Hash::of(&theirs) == listed.hash { Ok(()) } else { Err(other.copy_exists(name)) };
        }
        let bytes = manifest::read(self.target.get(&object)?).map_err(|error| self.unreadable(&object, &error))?;
        if Hash::of(&bytes) != listed.hash {
            return Err(read_failure(manifest, Damage::Changed.error()));
        }
        other.target.put(Label::CopyContent, &manifest.object, &mut |out| {
            let input = self.target.get(&manifest.object)?;
            copy_stored(input, manifest.stored, |bytes| {
                out.write_all(bytes).map_err(|error| other.unwritable(&manifest.object, &error))
            })?
            .map_err(|error| read_failure(manifest, error))
        })?;
        self.copy_lines_to(other, name)?;
        other.put_bytes(Label::CopyManifest, &object, &bytes)
    }

    fn manifest(&self, draft: &Draft, streamed: Streamed, raw: Sized, stored: Sized) -> Manifest {
        let draft = draft.clone();
        let encrypted = self.seals();
        Manifest {
            format: 1,
            object: self.content_object(&draft.name, encrypted),
            name: draft.name,
            store: self.store.clone(),
            database: draft.database,
            epoch: draft.epoch,
            sequence: draft.sequence,
            kind: draft.kind,
            engine: draft.engine,
            engine_version: draft.engine_version,
            from: draft.from,
            to: streamed.to,
            at: draft.at,
            raw,
            stored,
            encrypted,
            previous: draft.previous,
            last_folio: streamed.last_folio,
            reason: draft.reason,
        }
    }

    fn parse(&self, name: &str, bytes: &[u8]) -> Result<Manifest, Text> {
        let manifest = manifest::decode(bytes)?;
        if manifest.name != name {
            return Err(text!("el manifiesto es de otra copia", "the manifest is that of another copy"));
        }
        if manifest.store != self.store {
            return Err(text!("la copia es de otra sucursal", "the copy is that of another store"));
        }
        if manifest.object != self.content_object(name, manifest.encrypted) {
            return Err(text!("el manifiesto nombra otro objeto", "the manifest names another object"));
        }
        manifest::check_parts(&manifest)?;
        Ok(manifest)
    }

    /// Are new copies sealed?
    pub(super) fn seals(&self) -> bool {
        !self.recipients.is_empty()
    }

    pub(super) fn identity(&self, encrypted: bool) -> Result<Option<String>> {
        match &self.identity {
            Some(identity) if encrypted => identity().map(Some),
            _ => Ok(None),
        }
    }

    fn put_bytes(&self, label: Label, object: &str, bytes: &[u8]) -> Result<()> {
        self.target.put(label, object, &mut |out| out.write_all(bytes).map_err(|error| self.unwritable(object, &error)))
    }

    /// Asks for the object itself: listing a folder of ten thousand copies costs far more.
    pub(super) fn open_if_there(&self, object: &str) -> Result<Option<Box<dyn Read>>> {
        match self.target.get(object) {
            Ok(input) => Ok(Some(input)),
            Err(failure) if failure.kind == "object_missing" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn has(&self, object: &str) -> Result<bool> {
        Ok(self.open_if_there(object)?.is_some())
    }

    /// The last part of an object's name when it lies directly in the store's folder.
    pub(super) fn own_part<'a>(&self, object: &'a str) -> Option<&'a str> {
        object.strip_prefix(&self.store)?.strip_prefix('/').filter(|part| !part.contains('/'))
    }

    pub(super) fn expect_part(&self, name: &str) -> Result<()> {
        if is_part(name) {
            return Ok(());
        }
        Err(Failure::invalid(
            "object_name",
            text!("el nombre de copia {name:?} no es válido", "the name of a copy {name:?} is not valid"),
        ))
    }

    fn manifest_object(&self, name: &str) -> String {
        format!("{}/{name}.json", self.store)
    }

    fn content_object(&self, name: &str, encrypted: bool) -> String {
        format!("{}/{name}.zst{}", self.store, if encrypted { ".age" } else { "" })
    }

    fn copy_exists(&self, name: &str) -> Failure {
        let target = self.name();
        Failure::failed(
            "copy_exists",
            text!("el destino {target} ya tiene otra copia {name}", "target {target} already has another copy {name}"),
        )
        .hint(text!(
            "revise con relevo target list si otra sucursal u otro equipo usa el mismo destino y el mismo id",
            "look with relevo target list whether another store or machine uses the same target and the same id"
        ))
    }

    pub(super) fn unreadable(&self, object: &str, error: &io::Error) -> Failure {
        let target = self.name();
        Failure::failed(
            "target_unavailable",
            text!("no se pudo leer {object} del destino {target}", "could not read {object} from target {target}"),
        )
        .cause(error)
        .retry(Retry::Temporary)
        .hint(text!("revise la conexión con el destino", "check the connection to the target"))
    }

    pub(super) fn unwritable(&self, object: &str, error: &io::Error) -> Failure {
        let target = self.name();
        Failure::failed(
            "target_unavailable",
            text!("no se pudo escribir {object} en el destino {target}", "could not write {object} on target {target}"),
        )
        .cause(error)
        .retry(Retry::Temporary)
        .hint(text!("revise la conexión con el destino", "check the connection to the target"))
    }
}

/// What a failed read of a copy means: `copy_damaged` or `copy_truncated`, or `copy_unreadable` when the target failed meanwhile.
pub fn read_failure(manifest: &Manifest, error: io::Error) -> Failure {
    let object = &manifest.object;
    let damage = error.get_ref().and_then(|inner| inner.downcast_ref::<Damage>()).copied();
    match (damage, error.kind()) {
        (Some(Damage::Truncated), _) | (None, io::ErrorKind::UnexpectedEof) => damaged("copy_truncated", object).cause(error),
        (Some(Damage::Changed), _) | (None, io::ErrorKind::InvalidData) => damaged("copy_damaged", object).cause(error),
        (None, _) => {
            Failure::failed("copy_unreadable", text!("no se pudo leer la copia {object}", "could not read the copy {object}"))
                .cause(error)
                .retry(Retry::Temporary)
                .hint(text!(
                    "revise la conexión con el destino y repita la orden",
                    "check the connection to the target and repeat the command"
                ))
        }
    }
}

pub(super) fn damaged(kind: &str, object: &str) -> Failure {
    let message = if kind == "copy_truncated" {
        text!("la copia {object} está incompleta", "the copy {object} is incomplete")
    } else {
        text!("la copia {object} está dañada", "the copy {object} is damaged")
    };
    Failure::failed(kind, message).hint(text!(
        "use la misma copia de otro destino, o haga una copia completa con relevo mirror",
        "use the same copy from another target, or make a full copy with relevo mirror"
    ))
}

/// Never leaves this module: how the writer tells a target that nothing is to become visible.
const NOTHING: &str = "nothing_to_put";

fn nothing_to_put() -> Failure {
    Failure::failed(NOTHING, text!("no hay nada que copiar", "there is nothing to copy"))
}

fn copy_invalid(name: &str, reason: &Text) -> Failure {
    let (es, en) = (&reason.es, &reason.en);
    Failure::failed("copy_invalid", text!("no se guardó la copia {name}: {es}", "the copy {name} was not kept: {en}"))
}

fn has_content(manifest: &Manifest, objects: &[Object]) -> Result<(), Text> {
    let object = &manifest.object;
    let Ok(index) = objects.binary_search_by(|held| held.name.as_str().cmp(object)) else {
        return Err(text!("falta el contenido {object}", "the content {object} is missing"));
    };
    let (found, expected) = (objects[index].size, manifest.stored.bytes);
    if found != expected {
        return Err(text!(
            "{object} tiene {found} bytes en vez de {expected}",
            "{object} has {found} bytes instead of {expected}"
        ));
    }
    Ok(())
}
