//! Making a copy: the whole database as a stock SQLite file, or the pages that changed since a known position.
//!
//! Raw increment: "RLVPAGE1", then page size, page count after and number of pages (u32 each), then ascending (u32 page number,
//! page bytes); all little endian.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::error::{Failure, Result};
use crate::model::{Change, CopyKind, EpochRecord, Mark, Position, Scanned};
use crate::progress::{Progress, Watch};
use crate::server::port::Part;
use crate::text;
use crate::world::World;

use super::pages::{self, BLOCK, PageHash, PageTable, hash_pages};
use super::snapshot::{Pages, Snapshot};

/// First bytes of a raw increment.
pub const MAGIC: &[u8; 8] = b"RLVPAGE1";
/// Bytes before the first page of a raw increment.
pub const HEAD: usize = 20;

/// Blocks that are read before they are taken.
const AHEAD: usize = 4;

/// Where a scan's sink takes its parts.
pub type Sink<'a> = &'a mut dyn FnMut(Part<'_>) -> Result<bool>;

/// Scans a snapshot; see `DatabaseServer::scan`. `last_folio` is read from the same snapshot by the caller.
#[expect(clippy::too_many_arguments, reason = "what the port hands over, and where it happens")]
pub fn scan(
    world: &dyn World,
    dir: &Path,
    snapshot: &Snapshot,
    base: Option<&Position>,
    record: &EpochRecord,
    sequence: u64,
    sink: Sink,
    watch: &Watch,
) -> Result<Option<Scanned>> {
    let Some(database) = record.database else {
        return Err(Failure::failed(
            "no_identity",
            text!("la base todavía no tiene identidad", "the database has no identity yet"),
        ));
    };
    let position =
        |table: &PageTable| Position { database, epoch: record.epoch, sequence, mark: Mark::Pages { root: table.root() } };
    let (change, table) = match base {
        None => match full(snapshot, sink, watch)? {
            Some(done) => done,
            None => return Ok(None),
        },
        Some(base) => {
            let before = pages::kept(dir, base).ok_or_else(|| {
                Failure::failed(
                    "no_page_table",
                    text!("no se conserva la tabla de páginas de la última copia", "the page table of the last copy is not kept"),
                )
            })?;
            let table = pages::hash_all(snapshot, watch)?;
            let changed = table.changed_since(&before);
            if changed.is_empty() && table.hashes.len() == before.hashes.len() {
                return Ok(None);
            }
            match increment(snapshot, &changed, sink, watch)? {
                Some(change) => (change, table),
                None => return Ok(None),
            }
        }
    };
    let to = position(&table);
    // Before the manifest commits the copy: the next scan must find what this one compared.
    pages::keep(world, dir, &to, &table, base)?;
    Ok(Some(Scanned { change, from: base.cloned(), to, last_folio: None }))
}

fn full(snapshot: &Snapshot, sink: Sink, watch: &Watch) -> Result<Option<(Change, PageTable)>> {
    let change = Change { kind: CopyKind::Full, pages: u64::from(snapshot.page_count), bytes: snapshot.bytes() };
    if !sink(Part::Change(&change))? {
        return Ok(None);
    }
    let mut table = PageTable { page_size: snapshot.page_size, hashes: Vec::with_capacity(snapshot.page_count as usize) };
    watch.report(Progress::Begin(text!("copia completa", "full copy"), change.bytes));
    let pages: &Pages = snapshot;
    // Read and hashed by a thread of its own while this one packs and writes what came before.
    std::thread::scope(|scope| {
        let (send, blocks) = sync_channel(AHEAD);
        let reader = scope.spawn(move || read_all(pages, &send));
        for (block, hashes) in blocks {
            watch.check()?;
            table.hashes.extend(hashes);
            sink(Part::Bytes(&block))?;
            watch.report(Progress::Advance(block.len() as u64));
        }
        reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    watch.report(Progress::End);
    Ok(Some((change, table)))
}

/// Blocks of pages and the hashes of these, in order, until all are read or nobody takes them any more.
fn read_all(pages: &Pages, send: &SyncSender<(Vec<u8>, Vec<PageHash>)>) -> Result<()> {
    let per_block = (BLOCK as u32 / pages.page_size).max(1);
    let mut first = 1;
    while first <= pages.page_count {
        let count = per_block.min(pages.page_count + 1 - first);
        let mut block = Vec::new();
        pages.read_pages(first, count, &mut block)?;
        let hashes = hash_pages(pages.page_size, &block);
        if send.send((block, hashes)).is_err() {
            break;
        }
        first += count;
    }
    Ok(())
}

fn increment(snapshot: &Snapshot, changed: &[u32], sink: Sink, watch: &Watch) -> Result<Option<Change>> {
    let pages = changed.len() as u64;
    let bytes = HEAD as u64 + pages * (4 + u64::from(snapshot.page_size));
    let change = Change { kind: CopyKind::Increment, pages, bytes };
    if !sink(Part::Change(&change))? {
        return Ok(None);
    }
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(MAGIC);
    for word in [snapshot.page_size, snapshot.page_count, changed.len() as u32] {
        head.extend_from_slice(&word.to_le_bytes());
    }
    sink(Part::Bytes(&head))?;
    watch.report(Progress::Begin(text!("copia incremental", "incremental copy"), bytes));
    let mut buffer = Vec::new();
    for page in changed {
        watch.check()?;
        snapshot.read_pages(*page, 1, &mut buffer)?;
        sink(Part::Bytes(&page.to_le_bytes()))?;
        sink(Part::Bytes(&buffer))?;
        watch.report(Progress::Advance(buffer.len() as u64));
    }
    watch.report(Progress::End);
    Ok(Some(change))
}
