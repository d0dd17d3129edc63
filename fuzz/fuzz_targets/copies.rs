//! What lies on a target is untrusted: any bytes as a manifest, a content, a list of a tail. Nothing is believed that relevo did not
//! write, and reading takes no memory that the bytes only claim.
#![no_main]

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use relevo::error::{Failure, Result};
use relevo::model::{CopyKind, DatabaseId, Epoch, Hash, Position};
use relevo::progress::Watch;
use relevo::targets::copies::{Copies, Draft, Streamed};
use relevo::targets::{Object, Target};
use relevo::text::Text;
use relevo::world::Label;

/// Objects in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Target for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let held = self.0.lock().unwrap();
        Ok(held.iter().filter(|(n, _)| n.starts_with(prefix)).map(|(n, b)| Object { name: n.clone(), size: b.len() as u64, changed: None }).collect())
    }

    fn put(&self, _: Label, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        self.0.lock().unwrap().insert(name.to_owned(), bytes);
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Box<dyn Read>> {
        let held = self.0.lock().unwrap().get(name).cloned();
        held.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Read>)
            .ok_or_else(|| Failure::failed("object_missing", Text::same("missing")))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

const NAME: &str = "e000001-s00000001-full";

fuzz_target!(|bytes: &[u8]| {
    let memory = Memory::default();
    let copies = Copies::new(Box::new(memory.clone()), "0142", Vec::new(), 3, None);
    let database: DatabaseId = serde_json::from_str("\"00000000-0000-0000-0000-000000000007\"").unwrap();
    let to = Position { database, epoch: Epoch(1), sequence: 1, mark: relevo::model::Mark::Pages { root: Hash::of(b"x") } };
    let draft = Draft {
        name: NAME.to_owned(),
        database,
        epoch: Epoch(1),
        sequence: 1,
        kind: CopyKind::Full,
        engine: "embedded".to_owned(),
        engine_version: "1".to_owned(),
        from: None,
        at: "2026-11-24T10:00:00-06:00".to_owned(),
        previous: None,
        reason: None,
    };
    let listed = copies
        .put(draft, &mut |out| {
            out.write_all(&[7; 5000]).unwrap();
            Ok(Some(Streamed { to: to.clone(), last_folio: None }))
        })
        .unwrap()
        .unwrap();
    let put = |name: &str| memory.0.lock().unwrap().insert(format!("0142/{name}"), bytes.to_vec()).unwrap_or_default();
    // As content.
    let good = put(&format!("{NAME}.zst"));
    if bytes != good {
        assert!(copies.verify(&listed.manifest, &Watch::silent()).is_err());
    }
    // As manifest: believed only where it is byte for byte what was written.
    memory.0.lock().unwrap().insert(format!("0142/{NAME}.zst"), good);
    let manifest = put(&format!("{NAME}.json"));
    let listing = copies.list().unwrap();
    assert!(listing.copies.is_empty() || bytes == manifest, "{listing:?}");
    // As the list of a tail.
    put("e000001-s00000000-tail.jsonl.zst");
    let _ = copies.list();
});
