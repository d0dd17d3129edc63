//! The table of page hashes: what two states of a database are compared by. 16 bytes of BLAKE3 a page; its root hash is the
//! identity of a position.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};
use crate::model::{Hash, Position};
use crate::progress::{Progress, Watch};
use crate::text;
use crate::world::{self, Label, World};

use super::snapshot::{Pages, Snapshot};

/// Bytes of a page's hash.
const SIZE: usize = 16;
/// Hash of one page's content.
pub type PageHash = [u8; SIZE];
/// Bytes read at a time.
pub const BLOCK: usize = 1 << 20;
const MAGIC: &[u8; 8] = b"RLVTABL1";

/// The hashes of all pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTable {
    /// Bytes of a page.
    pub page_size: u32,
    /// Hash of page n at n - 1.
    pub hashes: Vec<PageHash>,
}

impl PageTable {
    /// Root hash: over page size, count and all hashes.
    pub fn root(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&self.page_size.to_le_bytes())
            .update(&(self.hashes.len() as u64).to_le_bytes())
            .update(self.hashes.as_flattened());
        Hash(*hasher.finalize().as_bytes())
    }

    /// Pages (from 1) of `self` that `base` has not, or has otherwise.
    pub fn changed_since(&self, base: &PageTable) -> Vec<u32> {
        let differs = |index: &usize| base.hashes.get(*index) != self.hashes.get(*index) || base.page_size != self.page_size;
        (0..self.hashes.len()).filter(differs).map(|index| index as u32 + 1).collect()
    }
}

/// Hashes one page's content.
pub fn hash_page(page: &[u8]) -> PageHash {
    let mut short = [0; SIZE];
    short.copy_from_slice(&blake3::hash(page).as_bytes()[..SIZE]);
    short
}

/// The page that covers byte 1 GiB: SQLite's locks lie there, no content ever does, and on Windows it cannot be read.
pub fn lock_page(page_size: u32) -> u32 {
    (1 << 30) / page_size + 1
}

/// Hashes every page of a snapshot, on all cores.
pub fn hash_all(snapshot: &Pages, watch: &Watch) -> Result<PageTable> {
    watch.report(Progress::Begin(text!("comparando páginas", "comparing pages"), snapshot.bytes()));
    let table = by_block(snapshot.page_size, snapshot.page_count, watch, &|first, count, buffer| {
        snapshot.read_pages(first, count, buffer)?;
        Ok(hash_pages(snapshot.page_size, buffer))
    });
    watch.report(Progress::End);
    table
}

/// Hashes of the pages that a buffer holds.
pub fn hash_pages(page_size: u32, buffer: &[u8]) -> Vec<PageHash> {
    buffer.chunks_exact(page_size as usize).map(hash_page).collect()
}

/// Work on a run of pages: the first one, their number, a buffer of the thread's own; the hashes of just these pages.
pub type Work<'a> = &'a (dyn Fn(u32, u32, &mut Vec<u8>) -> Result<Vec<PageHash>> + Sync);

/// Has all pages worked on a block at a time, in no order, on all cores; stops at a failure and where the person wants it.
pub fn by_block(page_size: u32, page_count: u32, watch: &Watch, work: Work) -> Result<PageTable> {
    let per_block = (BLOCK as u32 / page_size).max(1);
    let blocks = page_count.div_ceil(per_block) as usize;
    let (next, parts) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(blocks)));
    let one = || -> Result<()> {
        let mut buffer = Vec::new();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                return Ok(());
            }
            watch.check()?;
            let first = block as u32 * per_block + 1;
            let count = per_block.min(page_count + 1 - first);
            let hashes = work(first, count, &mut buffer).inspect_err(|_| next.store(blocks, Ordering::Relaxed))?;
            watch.report(Progress::Advance(u64::from(count) * u64::from(page_size)));
            if let Ok(mut parts) = parts.lock() {
                parts.push((block, hashes));
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..world::cpu_count().min(blocks)).map(|_| scope.spawn(one)).collect();
        let own = one();
        workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|_| Err(Failure::failed("panicked", text!("error interno", "internal error")))))
            .fold(own, Result::and)
    })?;
    let mut parts = parts.into_inner().unwrap_or_default();
    parts.sort_by_key(|(block, _)| *block);
    Ok(PageTable { page_size, hashes: parts.into_iter().flat_map(|(_, hashes)| hashes).collect() })
}

/// Hashes a closed (standby, fenced, new) database file.
pub fn hash_file(path: &Path, watch: &Watch) -> Result<(PageTable, Hash)> {
    let snapshot = Snapshot::frozen(path)?;
    let table = hash_all(&snapshot, watch)?;
    let root = table.root();
    Ok((table, root))
}

#[derive(Serialize, Deserialize)]
struct Head {
    position: Position,
    page_size: u32,
    pages: u64,
}

/// File of the table of a position.
pub fn table_path(dir: &Path, position: &Position) -> PathBuf {
    dir.join(format!(
        "pages-e{:06}-s{:08}-{}.tbl",
        position.epoch.0,
        position.sequence,
        position.mark.root().unwrap_or(Hash([0; 32])).short()
    ))
}

/// Keeps the table of a position, durably, with a checksum of its own; and of the others only `also`.
pub fn keep(world: &dyn World, dir: &Path, position: &Position, table: &PageTable, also: Option<&Position>) -> Result<()> {
    let head = Head { position: position.clone(), page_size: table.page_size, pages: table.hashes.len() as u64 };
    let head = serde_json::to_vec(&head).unwrap_or_default();
    let mut bytes = Vec::with_capacity(head.len() + table.hashes.len() * SIZE + 64);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(table.hashes.as_flattened());
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    let path = table_path(dir, position);
    world
        .write_file(Label::PagesTable, &path, &bytes)
        .map_err(|e| Failure::io(text!("no se pudo escribir", "could not write"), &path, &e))?;
    let kept = [Some(path), also.map(|p| table_path(dir, p))];
    for old in tables(dir) {
        if !kept.iter().flatten().any(|k| *k == old) {
            world
                .remove_file(Label::PagesTable, &old)
                .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), &old, &e))?;
        }
    }
    Ok(())
}

/// The table of a position, if it is kept here and sound.
pub fn kept(dir: &Path, position: &Position) -> Option<PageTable> {
    let (head, table) = load(&table_path(dir, position))?;
    (head.position == *position && Some(table.root()) == position.mark.root()).then_some(table)
}

/// The newest position whose table is kept.
pub fn newest(dir: &Path) -> Option<Position> {
    let path = tables(dir).into_iter().next_back()?;
    let (head, _) = load(&path)?;
    // One that somebody copied under another name speaks of another position.
    (table_path(dir, &head.position) == path).then_some(head.position)
}

fn tables(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "tbl")).collect();
    found.sort();
    found
}

fn load(path: &Path) -> Option<(Head, PageTable)> {
    let bytes = std::fs::read(path).ok()?;
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if blake3::hash(body).as_bytes() != check {
        return None;
    }
    let rest = body.strip_prefix(MAGIC)?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    let (head, hashes) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let (hashes, left) = hashes.as_chunks::<SIZE>();
    if !left.is_empty() || hashes.len() as u64 != head.pages {
        return None;
    }
    let table = PageTable { page_size: head.page_size, hashes: hashes.to_vec() };
    Some((head, table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mark;
    use crate::model::{DatabaseId, Epoch};

    fn table(pages: &[u8]) -> PageTable {
        PageTable { page_size: 512, hashes: pages.iter().map(|p| hash_page(&[*p; 512])).collect() }
    }

    #[test]
    fn changed_pages_are_found_and_shrinking_is_none() {
        assert_eq!(table(&[1, 2, 3, 4]).changed_since(&table(&[1, 9, 3])), [2, 4]);
        assert!(table(&[1]).changed_since(&table(&[1, 2])).is_empty());
        assert_ne!(table(&[1]).root(), table(&[1, 2]).root());
    }

    proptest::proptest! {
        /// Bytes with a sound check of their own: a head that claims billions of pages gets no memory for them.
        #[test]
        fn any_bytes_give_a_table_or_none(
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), size: u32, pages: u64, hashes in 0usize..5, magic: bool,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("pages-e000001-s00000001-x.tbl");
            let position = Position { database: DatabaseId(uuid::Uuid::nil()), epoch: Epoch(1), sequence: 1, mark: Mark::Pages { root: Hash::of(b"x") } };
            let head = serde_json::to_vec(&Head { position, page_size: size, pages }).unwrap();
            let mut claimed = MAGIC.to_vec();
            claimed.extend((head.len() as u32).to_le_bytes());
            claimed.extend(&head);
            claimed.extend(vec![7; hashes * SIZE]);
            let random = if magic { [MAGIC.as_slice(), &body].concat() } else { body };
            for mut bytes in [claimed, random] {
                let check = *blake3::hash(&bytes).as_bytes();
                bytes.extend(check);
                std::fs::write(&path, &bytes).unwrap();
                if let Some((head, table)) = load(&path) {
                    proptest::prop_assert_eq!(table.hashes.len() as u64, head.pages);
                }
                std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                proptest::prop_assert!(load(&path).is_none() || bytes.len() < 64);
            }
        }
    }

    #[test]
    fn the_lock_page_is_where_sqlite_puts_it() {
        assert_eq!([4096, 8192, 512, 65_536].map(lock_page), [262_145, 131_073, 2_097_153, 16_385]);
    }

    #[test]
    fn a_kept_table_is_found_again_and_a_flipped_bit_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let world = world::real();
        let table = table(&[1, 2]);
        let position = Position {
            database: DatabaseId(uuid::Uuid::now_v7()),
            epoch: Epoch(1),
            sequence: 3,
            mark: Mark::Pages { root: table.root() },
        };
        keep(world.as_ref(), dir.path(), &position, &table, None).unwrap();
        assert_eq!(kept(dir.path(), &position), Some(table));
        assert_eq!(newest(dir.path()), Some(position.clone()));
        let path = table_path(dir.path(), &position);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 40;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(kept(dir.path(), &position), None);
    }
}
