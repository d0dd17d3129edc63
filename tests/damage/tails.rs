//! Tails: the list of an old main's orphan sales and its whole database. A list is believed whole or not at all, and what cannot be
//! believed is said: no sale is lost in silence.

use std::path::PathBuf;

use relevo::progress::Watch;
use relevo::steps::tail;

use super::{Variant, each, opened, variants};
use crate::harness::Shop;

/// A shop whose old main came back, was fenced, and left three orphans on the target.
fn saved(sales: usize) -> (Shop, PathBuf) {
    saved_in("0142", sales)
}

fn saved_in(store: &str, sales: usize) -> (Shop, PathBuf) {
    let shop = Shop::new();
    for (machine, ..) in crate::harness::MACHINES {
        let toml = shop.path(machine, "store/relevo.toml");
        let text = std::fs::read_to_string(&toml).unwrap().replace("id = \"0142\"", &format!("id = \"{store}\""));
        std::fs::write(&toml, text).unwrap();
    }
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", sales);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.main_on();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    let list = shop.path("caja", &format!("copias/{store}/e000001-s00000000-tail.jsonl.zst"));
    assert_eq!(shop.json("caja", &["orphans"]).expect(0).json()["orphans"].as_array().unwrap().len(), sales);
    (shop, list)
}

#[test]
fn the_list_of_a_tail() {
    let (shop, path) = saved(3);
    let (_other, theirs) = saved_in("0143", 2);
    let store = opened(&shop, "caja");
    let mut without_meaning = 0;
    let mut all: Vec<Variant> = variants(&std::fs::read(&path).unwrap());
    all.push(("another shop's list".to_owned(), std::fs::read(theirs).unwrap()));
    each(&path, all, |what| {
        let (tails, spool) = tail::list(&store).unwrap();
        let [tail] = tails.as_slice() else { panic!("{what}") };
        if tail.orphans == 3 && what.starts_with("byte") {
            // Some bits of a zstd frame change nothing of what it holds: the lines are the same, and their hash proves it.
            let mut folios = Vec::new();
            let noted = spool.by_folio(0, &mut |ticket| {
                folios.push(ticket.key.folio);
                Ok(())
            });
            assert_eq!((noted, folios, &tail.gap), (Ok(()), vec![6, 7, 8], &None), "{what}");
            without_meaning += 1;
            return;
        }
        assert_eq!(tail.orphans, 0, "{what}");
        assert!(
            tail.gap.as_ref().is_some_and(|gap| gap.en.contains("e000001-s00000000-tail.jsonl.zst")),
            "{what}: {:?}",
            tail.gap
        );
    });
    assert!(without_meaning < 12, "{without_meaning}");
    let another = path.with_file_name("e000001-s00000007-tail.jsonl.zst");
    std::fs::copy(&path, &another).unwrap();
    let (tails, _) = tail::list(&store).unwrap();
    assert_eq!(
        tails.iter().map(|t| (t.orphans, t.gap.is_some())).collect::<Vec<_>>(),
        [(3, false), (0, true)],
        "under another tail's name"
    );
    std::fs::remove_file(another).unwrap();
    // As a person meets it; and main's next launch saves the tickets again beside it.
    std::fs::write(&path, "").unwrap();
    let said = shop.say("caja", "es", &["orphans"]).expect(0);
    assert!(said.out.contains("e000001-s00000000-tail.jsonl.zst"), "{}", said.out);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    let listed = shop.json("caja", &["orphans"]).expect(0).json();
    assert_eq!(listed["orphans"].as_array().unwrap().len(), 3, "{listed}");
}

#[test]
fn a_list_that_is_gone() {
    let (shop, path) = saved(3);
    std::fs::remove_file(&path).unwrap();
    let listed = shop.json("caja", &["orphans"]).expect(0).json();
    assert!(listed["tails"][0]["gap"].as_str().unwrap().contains("its list of sales is missing"), "{listed}");
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    let listed = shop.json("caja", &["orphans"]).expect(0).json();
    assert_eq!(listed["orphans"].as_array().unwrap().len(), 3, "{listed}");
}

/// Lists of an older relevo end without a word about themselves.
#[test]
fn the_older_form_of_a_list_is_still_read() {
    let (shop, path) = saved(3);
    let lines: String = (6..9)
        .map(|folio| format!("{{\"folio\":{folio},\"till\":\"CAJA2\",\"epoch\":1,\"at\":null,\"total\":null}}\n"))
        .collect();
    for (body, wanted) in [(lines.as_str(), 3), ("", 0)] {
        std::fs::write(&path, zstd::encode_all(body.as_bytes(), 3).unwrap()).unwrap();
        let (tails, _) = tail::list(&opened(&shop, "caja")).unwrap();
        assert_eq!((tails[0].orphans, &tails[0].gap), (wanted, &None));
    }
}

#[test]
fn the_whole_database_of_a_tail() {
    let (shop, path) = saved(3);
    let path = path.with_file_name("e000001-s00000000-tail.zst");
    let store = opened(&shop, "caja");
    let all = variants(&std::fs::read(&path).unwrap());
    each(&path, all, |what| {
        let listing = store.copies[0].list().unwrap();
        let whole = listing.copies.iter().find(|l| l.manifest.name.ends_with("-tail"));
        let said = match whole {
            None => listing.damaged[0].reason.en.clone(),
            Some(listed) => store.copies[0].verify(&listed.manifest, &Watch::silent()).expect_err(what).message.en,
        };
        assert!(said.contains("e000001-s00000000-tail.zst"), "{what}: {said}");
    });
}
