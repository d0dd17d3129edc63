//! Bytes that are not what relevo wrote: every file that it keeps, flipped, cut, doubled, zeroed or another's. Small files byte by
//! byte, in this process; what a person would meet through the real binary. The table of what is tolerated: docs/damage.md.

mod copies;
mod journal;
mod state;
mod tails;

use std::path::Path;

use relevo::error::Failure;
use relevo::operator::Operator;
use relevo::store::Store;
use relevo::text::Lang;

use crate::harness::Shop;

/// A store of the shop, opened in this process.
fn opened(shop: &Shop, machine: &str) -> Store {
    Store::open(&shop.path(machine, "store"), relevo::world::real(), Operator::new(Lang::En, true)).unwrap()
}

/// Another content for a file, and what was done to it.
type Variant = (String, Vec<u8>);

/// Every byte of a small file with its lowest and its highest bit flipped; of a large one the first 64, 64 spread over it by a
/// fixed seed, and the last 32.
fn flipped(bytes: &[u8]) -> Vec<Variant> {
    let mut at: Vec<usize> = (0..bytes.len()).collect();
    if bytes.len() > 2048 {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % bytes.len() as u64) as usize
        };
        at = (0..64).chain((0..64).map(|_| random())).chain(bytes.len() - 32..bytes.len()).collect();
    }
    let flip = |at: usize, bit: u8| {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= bit;
        (format!("byte {at} ^ {bit:#x}"), damaged)
    };
    at.into_iter().flat_map(|at| [flip(at, 1), flip(at, 0x80)]).collect()
}

/// Cut (also to nothing), appended to itself, zeroed as a whole, its second half zeroed.
fn reshaped(bytes: &[u8]) -> Vec<Variant> {
    let mut all: Vec<Variant> = [0, 1, bytes.len() / 2, bytes.len() - 1]
        .into_iter()
        .filter(|length| *length < bytes.len())
        .map(|length| (format!("cut to {length}"), bytes[..length].to_vec()))
        .collect();
    all.push(("doubled".to_owned(), [bytes, bytes].concat()));
    all.push(("zeroed".to_owned(), vec![0; bytes.len()]));
    let mut half = bytes.to_vec();
    half[bytes.len() / 2..].fill(0);
    if half != bytes {
        all.push(("half zeroed".to_owned(), half));
    }
    all
}

fn variants(bytes: &[u8]) -> Vec<Variant> {
    let mut all = flipped(bytes);
    all.extend(reshaped(bytes));
    all
}

/// Calls `look` with each damaged content in the file's place; afterwards the file is as it was.
fn each(path: &Path, variants: Vec<Variant>, mut look: impl FnMut(&str)) {
    let before = std::fs::read(path).unwrap();
    for (what, damaged) in variants {
        std::fs::write(path, damaged).unwrap();
        look(&what);
    }
    std::fs::write(path, before).unwrap();
}

/// The failure's words name this file.
fn names(failure: &Failure, path: &Path) -> bool {
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    failure.message.en.contains(&file) && failure.message.es.contains(&file)
}
