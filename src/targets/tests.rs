//! Copies on a real folder: what was put comes back, and nothing else is believed.

use std::fs;
use std::io::Read;
use std::path::Path;

use age::secrecy::ExposeSecret;

use super::copies::{Copies, Draft, Identity, Streamed, read_failure};
use super::directory::Directory;
use super::{Target, seal};
use crate::error::{Failure, Result};
use crate::model::{CopyKind, DatabaseId, Epoch, Hash, Listed, Mark, Position, copy_name};
use crate::progress::Watch;
use crate::text;
use crate::world::{self, Label};

fn directory(path: &Path) -> Directory {
    Directory::new("usb", path, world::real())
}

fn plain(path: &Path) -> Copies {
    Copies::new(Box::new(directory(path)), "s1", Vec::new(), 3, None)
}

fn sealed(path: &Path, key: &age::x25519::Identity, opens: bool) -> Copies {
    let secret = key.to_string().expose_secret().to_owned();
    let identity = opens.then(|| -> Identity { Box::new(move || Ok(secret.clone())) });
    Copies::new(Box::new(directory(path)), "s1", vec![key.to_public().to_string()], 3, identity)
}

fn position(sequence: u64) -> Position {
    Position {
        database: DatabaseId(uuid::Uuid::from_u128(7)),
        epoch: Epoch(1),
        sequence,
        mark: Mark::Pages { root: Hash::of(b"root") },
    }
}

fn draft(sequence: u64, kind: CopyKind) -> Draft {
    let increment = kind == CopyKind::Increment;
    Draft {
        name: copy_name(Epoch(1), sequence, kind),
        database: position(1).database,
        epoch: Epoch(1),
        sequence,
        kind,
        engine: "embedded".to_owned(),
        engine_version: "1".to_owned(),
        from: increment.then(|| position(sequence - 1)),
        at: "2024-05-01T10:00:00-06:00".to_owned(),
        previous: increment.then(|| Hash::of(b"before")),
        reason: None,
    }
}

/// Bytes that do not compress, so that every part of the object matters.
fn content(seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; 300_000];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

fn put(copies: &Copies, draft: Draft, bytes: &[u8]) -> Result<Option<Listed>> {
    let to = position(draft.sequence);
    copies.put(draft, &mut |out| {
        out.write_all(bytes).map_err(|e| Failure::failed("io", text!("prueba", "test")).cause(e))?;
        Ok(Some(Streamed { to: to.clone(), last_folio: Some(5) }))
    })
}

fn put_full(copies: &Copies, sequence: u64, bytes: &[u8]) -> Listed {
    put(copies, draft(sequence, CopyKind::Full), bytes).unwrap().unwrap()
}

fn read(copies: &Copies, listed: &Listed) -> Vec<u8> {
    let mut bytes = Vec::new();
    copies.open(&listed.manifest).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn lines_of(copies: &Copies, name: &str) -> Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    let keep = &mut |line: &str| {
        lines.push(line.to_owned());
        Ok(())
    };
    Ok(copies.read_lines(name, keep)?.then_some(lines))
}

fn verify_kind(copies: &Copies, listed: &Listed) -> String {
    let failure = copies.verify(&listed.manifest, &Watch::silent()).unwrap_err();
    let told = failure.message.en.contains(&listed.manifest.object);
    assert!(told || failure.kind.starts_with("identity"), "the object is not named: {failure}");
    failure.kind
}

#[test]
fn a_plain_copy_comes_back_and_stock_zstd_opens_it() {
    let dir = tempfile::tempdir().unwrap();
    let copies = plain(dir.path());
    let bytes = content(1);
    let listed = put_full(&copies, 1, &bytes);
    let listing = copies.list().unwrap();
    assert_eq!((listing.copies.as_slice(), listing.damaged.len()), (std::slice::from_ref(&listed), 0));
    assert_eq!(read(&copies, &listed), bytes);
    copies.verify(&listed.manifest, &Watch::silent()).unwrap();
    let file = fs::File::open(dir.path().join(&listed.manifest.object)).unwrap();
    assert_eq!(zstd::stream::decode_all(file).unwrap(), bytes);
    let manifest = fs::read(dir.path().join("s1/e000001-s00000001-full.json")).unwrap();
    assert_eq!(listed.hash, Hash::of(&manifest));
}

/// Long enough for the threads that hash and pack it.
#[test]
fn a_long_copy_comes_back_packed_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..40).flat_map(content).flat_map(|byte| [b'a' + byte % 16]).collect();
    let mut sizes = Vec::new();
    for level in [0, 1, 3, 9] {
        let copies = Copies::new(Box::new(directory(dir.path())), "s1", Vec::new(), level, None);
        let listed = put_full(&copies, u64::from(level) + 1, &bytes);
        let path = dir.path().join(&listed.manifest.object);
        let stored = fs::read(&path).unwrap();
        assert_eq!(listed.manifest.raw.hash, Hash::of(&bytes));
        assert_eq!((listed.manifest.stored.bytes, listed.manifest.stored.hash), (stored.len() as u64, Hash::of(&stored)));
        assert_eq!(zstd::decode_all(&stored[..]).unwrap(), bytes, "one standard frame");
        assert!(read(&copies, &listed) == bytes, "level {level}");
        sizes.push(stored.len());
        for at in [stored.len() / 2, stored.len() - 1] {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert_eq!(verify_kind(&copies, &listed), "copy_damaged");
        }
        fs::write(&path, &stored[..stored.len() - 1]).unwrap();
        assert_eq!(verify_kind(&copies, &listed), "copy_truncated");
    }
    assert!(sizes[0] >= bytes.len() && sizes[2] < bytes.len() * 6 / 10, "{sizes:?} of {}", bytes.len());
}

#[test]
fn a_sealed_copy_comes_back_and_stock_age_opens_it() {
    let dir = tempfile::tempdir().unwrap();
    let key = age::x25519::Identity::generate();
    let copies = sealed(dir.path(), &key, true);
    let bytes = content(2);
    let listed = put_full(&copies, 1, &bytes);
    assert!(listed.manifest.object.ends_with(".zst.age"));
    assert_eq!(read(&copies, &listed), bytes);
    let file = fs::File::open(dir.path().join(&listed.manifest.object)).unwrap();
    let opened = age::Decryptor::new(file).unwrap().decrypt(std::iter::once(&key as &dyn age::Identity)).unwrap();
    assert_eq!(zstd::stream::decode_all(opened).unwrap(), bytes);
    assert_eq!(verify_kind(&sealed(dir.path(), &key, false), &listed), "identity_missing");
    let other = age::x25519::Identity::generate();
    assert_eq!(verify_kind(&sealed(dir.path(), &other, true), &listed), "identity_wrong");
}

#[test]
fn a_wrong_recipient_is_an_invalid_configuration() {
    let failure = seal::Sealer::new(&mut Vec::new(), &["age1nope".to_owned()], 3).err().unwrap();
    assert_eq!((failure.kind.as_str(), failure.exit.code()), ("recipient_invalid", 3));
}

#[test]
fn every_changed_or_missing_part_of_the_content_is_found() {
    let key = age::x25519::Identity::generate();
    for encrypted in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let copies = if encrypted { sealed(dir.path(), &key, true) } else { plain(dir.path()) };
        let listed = put_full(&copies, 1, &content(3));
        let path = dir.path().join(&listed.manifest.object);
        let good = fs::read(&path).unwrap();
        let len = good.len();
        let places = (0..220).chain((220..len).step_by(len / 40)).chain(len - 40..len);
        for place in places {
            let mut bad = good.clone();
            bad[place] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            assert_eq!(verify_kind(&copies, &listed), "copy_damaged", "byte {place}, encrypted {encrypted}");
        }
        for kept in [0, 1, 3, 50, 150, 250, len / 2, len - 5, len - 1] {
            fs::write(&path, &good[..kept]).unwrap();
            assert_eq!(verify_kind(&copies, &listed), "copy_truncated", "{kept} bytes, encrypted {encrypted}");
            assert_eq!(copies.list().unwrap().damaged[0].name, listed.manifest.name);
        }
        for more in [&b"x"[..], &good] {
            fs::write(&path, [&good, more].concat()).unwrap();
            assert_eq!(verify_kind(&copies, &listed), "copy_damaged", "{} more, encrypted {encrypted}", more.len());
        }
        fs::write(&path, &good).unwrap();
        copies.verify(&listed.manifest, &Watch::silent()).unwrap();
    }
}

#[test]
fn every_changed_byte_of_a_manifest_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let copies = plain(dir.path());
    let listed = put_full(&copies, 1, b"content");
    let path = dir.path().join("s1/e000001-s00000001-full.json");
    let good = fs::read(&path).unwrap();
    for place in 0..good.len() {
        for flip in [0x01, 0x20] {
            let mut bad = good.clone();
            bad[place] ^= flip;
            fs::write(&path, &bad).unwrap();
            let listing = copies.list().unwrap();
            assert!(listing.copies.is_empty(), "byte {place} changed and still believed");
            assert_eq!(listing.damaged[0].name, listed.manifest.name);
        }
        fs::write(&path, &good[..place]).unwrap();
        assert_eq!(copies.list().unwrap().damaged.len(), 1);
    }
}

#[test]
fn swapped_contents_and_manifests_of_others_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let copies = plain(dir.path());
    let (one, two) = (put_full(&copies, 1, &content(1)), put_full(&copies, 2, &content(2)));
    let path = |name: &str| dir.path().join(name);
    let first = fs::read(path(&one.manifest.object)).unwrap();
    fs::copy(path(&two.manifest.object), path(&one.manifest.object)).unwrap();
    fs::write(path(&two.manifest.object), first).unwrap();
    assert_eq!((verify_kind(&copies, &one), verify_kind(&copies, &two)), ("copy_damaged".into(), "copy_damaged".into()));
    fs::copy(path("s1/e000001-s00000001-full.json"), path("s1/e000001-s00000003-full.json")).unwrap();
    assert_eq!(copies.list().unwrap().damaged[0].name, "e000001-s00000003-full");
    fs::create_dir(path("s2")).unwrap();
    fs::copy(path("s1/e000001-s00000001-full.json"), path("s2/e000001-s00000001-full.json")).unwrap();
    let other = Copies::new(Box::new(directory(dir.path())), "s2", Vec::new(), 3, None);
    assert_eq!((other.list().unwrap().copies.len(), other.list().unwrap().damaged.len()), (0, 1));
}

#[test]
fn nothing_appears_when_the_writer_fails_or_has_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let copies = plain(dir.path());
    let failed = copies.put(draft(1, CopyKind::Full), &mut |out| {
        out.write_all(&content(4)).unwrap();
        Err(Failure::failed("midway", text!("a medias", "midway")))
    });
    assert_eq!(failed.unwrap_err().kind, "midway");
    assert_eq!(copies.put(draft(1, CopyKind::Full), &mut |_| Ok(None)).unwrap(), None);
    let wrong = copies.put(draft(1, CopyKind::Full), &mut |_| Ok(Some(Streamed { to: position(9), last_folio: None })));
    assert_eq!(wrong.unwrap_err().kind, "copy_invalid");
    assert_eq!(fs::read_dir(dir.path().join("s1")).unwrap().count(), 0, "no part is left");
    assert!(copies.list().unwrap().copies.is_empty());
}

#[test]
fn a_name_is_taken_once_and_an_orphan_content_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let copies = plain(dir.path());
    fs::create_dir(dir.path().join("s1")).unwrap();
    fs::write(dir.path().join("s1/e000001-s00000001-full.zst"), b"left by a crash").unwrap();
    assert!(copies.list().unwrap().copies.is_empty());
    let listed = put_full(&copies, 1, b"new");
    assert_eq!(read(&copies, &listed), b"new");
    assert_eq!(put(&copies, draft(1, CopyKind::Full), b"again").unwrap_err().kind, "copy_exists");
    assert_eq!(read(&copies, &listed), b"new");
}

#[test]
fn chains_tails_side_objects_and_removal() {
    let dir = tempfile::tempdir().unwrap();
    let key = age::x25519::Identity::generate();
    let copies = sealed(dir.path(), &key, true);
    put_full(&copies, 1, b"full");
    put(&copies, draft(2, CopyKind::Increment), b"increment").unwrap();
    let mut loose = draft(3, CopyKind::Increment);
    loose.previous = None;
    assert_eq!(put(&copies, loose, b"x").unwrap_err().kind, "copy_invalid");
    let tail = put(&copies, draft(3, CopyKind::Tail), b"tail").unwrap().unwrap();
    let lines = vec!["{\"folio\":1}".to_owned(), "{\"folio\":2}".to_owned()];
    copies.put_lines(&tail.manifest.name, &mut |put| lines.iter().try_for_each(|line| put(line))).unwrap();
    copies.put_lines("gap-1", &mut |_| Ok(())).unwrap();
    let name = tail.manifest.name.clone();
    assert_eq!(copies.tail_names().unwrap(), (vec![name.clone(), "gap-1".to_owned()], vec![name]));
    assert_eq!(lines_of(&copies, &tail.manifest.name).unwrap(), Some(lines.clone()));
    assert_eq!((lines_of(&copies, "gap-1").unwrap(), lines_of(&copies, "gap-2").unwrap()), (Some(vec![]), None));

    let away = tempfile::tempdir().unwrap();
    let other = sealed(away.path(), &key, true);
    for _ in 0..2 {
        copies.copy_to(&other, &tail).unwrap();
    }
    assert_eq!(other.list().unwrap().copies, std::slice::from_ref(&tail));
    assert_eq!(lines_of(&other, &tail.manifest.name).unwrap(), Some(lines));
    assert_eq!(read(&other, &tail), b"tail");

    copies.remove(&tail).unwrap();
    copies.remove(&tail).unwrap();
    assert_eq!(copies.list().unwrap().copies.len(), 2);
    assert_eq!(copies.tail_names().unwrap(), (vec!["gap-1".to_owned()], vec![]));
    assert_eq!(copies.open(&tail.manifest).err().unwrap().kind, "object_missing");
}

#[test]
fn a_damaged_copy_is_not_copied_on() {
    let (dir, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (copies, other) = (plain(dir.path()), plain(away.path()));
    let listed = put_full(&copies, 1, &content(5));
    let path = dir.path().join(&listed.manifest.object);
    let mut bytes = fs::read(&path).unwrap();
    bytes[200_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(copies.copy_to(&other, &listed).unwrap_err().kind, "copy_damaged");
    assert!(directory(away.path()).list("").unwrap().is_empty());
}

#[test]
fn no_name_leaves_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let target = directory(&root);
    let long = "..".repeat(3);
    let bad = [
        "", ".", "..", "../x", "a/../x", "a/./x", "/x", "a//x", "a/", "a\\x", "C:x", "a\0", "ñ", "a b", ".part-x", "a.", "a/.x",
        &long,
    ];
    for name in bad {
        let put = target.put(Label::CopyContent, name, &mut |out| out.write_all(b"x").map_err(|_| unreachable!()));
        let kinds = [put.unwrap_err().kind, target.get(name).err().unwrap().kind, target.remove(name).unwrap_err().kind];
        assert_eq!(kinds, ["object_name"; 3], "{name:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    for name in ["a", "s-1/e1_2.zst", "a..b/c"] {
        target.put(Label::CopyContent, name, &mut |_| Ok(())).unwrap();
    }
    fs::write(root.join(".part-z"), b"").unwrap();
    let names: Vec<String> = target.list("").unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(names, ["a", "a..b/c", "s-1/e1_2.zst"]);
    assert_eq!(target.list("s-1/e").unwrap().len(), 1);
}

#[test]
fn a_missing_folder_is_empty_and_a_missing_share_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    assert!(plain(&dir.path().join("new")).list().unwrap().copies.is_empty());
    let gone = dir.path().join("share/relevo");
    let copies = plain(&gone);
    for failure in
        [copies.list().unwrap_err(), copies.check().unwrap_err(), put(&copies, draft(1, CopyKind::Full), b"").unwrap_err()]
    {
        assert_eq!((failure.kind.as_str(), failure.retry), ("target_unavailable", crate::error::Retry::Temporary));
        assert!(failure.message.es.contains("usb") && failure.message.en.contains("share"), "{failure}");
    }
    let copies = plain(&dir.path().join("new"));
    copies.check().unwrap();
    assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 0);
}

#[test]
fn an_error_of_the_target_is_not_taken_for_damage() {
    let dir = tempfile::tempdir().unwrap();
    let listed = put_full(&plain(dir.path()), 1, b"x");
    let kind = |error: std::io::ErrorKind| read_failure(&listed.manifest, error.into()).kind;
    assert_eq!(kind(std::io::ErrorKind::TimedOut), "copy_unreadable");
    assert_eq!(kind(std::io::ErrorKind::UnexpectedEof), "copy_truncated");
}

/// A caja whose relevo is older than main's meets copies that it does not know: never applied, named, with the remedy.
#[test]
fn a_copy_of_another_version_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let copies = plain(dir.path());
    put_full(&copies, 1, &content(1));
    let manifest = dir.path().join("s1").join(copy_name(Epoch(1), 1, CopyKind::Full)).with_extension("json");
    let good = fs::read_to_string(&manifest).unwrap();
    for (key, value) in [("engine_version", "2"), ("engine", "oracle")] {
        let mut body: serde_json::Value = serde_json::from_str(&good).unwrap();
        body.as_object_mut().unwrap().shift_remove("check");
        body[key] = value.into();
        let check = Hash::of(body.to_string().as_bytes());
        body["check"] = check.to_string().into();
        fs::write(&manifest, format!("{body:#}\n")).unwrap();
        let listing = copies.list().unwrap();
        assert!(listing.copies.is_empty(), "{key}");
        assert!(listing.damaged[0].reason.en.contains("another version of relevo"), "{}", listing.damaged[0].reason.en);
    }
    let draft = Draft { engine_version: "2".to_owned(), ..draft(2, CopyKind::Full) };
    assert_eq!(put(&copies, draft, &content(2)).unwrap_err().kind, "copy_invalid");
}

#[test]
fn a_line_that_never_ends_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let copies = plain(dir.path());
    copies.put_lines("e000001-s00000000-tail", &mut |put| put("{}").and_then(|()| put(&"x".repeat(1 << 20)))).unwrap();
    assert_eq!(lines_of(&copies, "e000001-s00000000-tail").unwrap_err().kind, "copy_damaged");
}

/// A folder that counts what is opened.
struct Counting(Directory, std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Target for Counting {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
    fn list(&self, prefix: &str) -> Result<Vec<super::Object>> {
        self.0.list(prefix)
    }
    fn put(&self, label: Label, name: &str, write: &mut dyn FnMut(&mut dyn std::io::Write) -> Result<()>) -> Result<()> {
        self.0.put(label, name, write)
    }
    fn get(&self, name: &str) -> Result<Box<dyn Read>> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.0.get(name)
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.0.remove(name)
    }
}

/// Ten thousand copies on a slow share: what is known is not opened again, and what changed, or only rotted, is found all the same.
#[test]
fn known_manifests_are_not_opened_again_and_changed_ones_are() {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let opened = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let memory = super::memory::Memory::new(state.path().join("known"), world::real());
    let copies =
        Copies::new(Box::new(Counting(directory(dir.path()), opened.clone())), "s1", Vec::new(), 1, None).remembering(memory);
    let first = put_full(&copies, 1, b"x").manifest;
    let path = |sequence: u64, ending: &str| dir.path().join(format!("s1/e000001-s{sequence:08}-full.{ending}"));
    for sequence in 2..=300 {
        let name = copy_name(Epoch(1), sequence, CopyKind::Full);
        let object = format!("s1/{name}.zst");
        let manifest = crate::model::Manifest { name, object, sequence, to: position(sequence), ..first.clone() };
        fs::write(path(sequence, "json"), super::manifest::encode(&manifest)).unwrap();
        fs::copy(path(1, "zst"), path(sequence, "zst")).unwrap();
    }
    let opens = |keep| {
        opened.store(0, std::sync::atomic::Ordering::SeqCst);
        let listing = copies.list_known(keep).unwrap();
        (listing, opened.load(std::sync::atomic::Ordering::SeqCst))
    };
    let fresh = copies.list().unwrap();
    assert_eq!(fresh.copies.len(), 300);
    assert_eq!(opens(true), (fresh.clone(), 300));
    let kept = fs::metadata(state.path().join("known")).unwrap().modified().unwrap();
    assert_eq!(opens(true), (fresh.clone(), 64));
    assert_eq!(fs::metadata(state.path().join("known")).unwrap().modified().unwrap(), kept, "nothing new: nothing written");

    let flip = |sequence: u64, stamp: bool| {
        let was = fs::metadata(path(sequence, "json")).unwrap().modified().unwrap();
        let mut bytes = fs::read(path(sequence, "json")).unwrap();
        bytes[100] ^= 1;
        fs::write(path(sequence, "json"), bytes).unwrap();
        let at = if stamp { was + std::time::Duration::from_secs(3) } else { was };
        fs::File::options().write(true).open(path(sequence, "json")).unwrap().set_modified(at).unwrap();
    };
    flip(7, true);
    fs::remove_file(path(9, "zst")).unwrap();
    for _ in 0..20 {
        let damaged: Vec<String> = opens(true).0.damaged.into_iter().map(|d| d.name).collect();
        assert_eq!(damaged, [7, 9].map(|n| copy_name(Epoch(1), n, CopyKind::Full)));
    }
    flip(200, false); // as a disk rots: neither size nor time tell
    let rotten = copy_name(Epoch(1), 200, CopyKind::Full);
    assert!(copies.list().unwrap().is_damaged(&rotten), "who decides on it for good reads it");
    assert!((0..1000).any(|_| opens(true).0.is_damaged(&rotten)), "a mirror finds it sooner or later");
}
