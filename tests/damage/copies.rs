//! Copies on a target: content and manifests. What is spoiled is named, what does not follow is never applied, the last good
//! chain is used, and a loss has to be accepted exactly where a copy after the promoted position is missing or damaged.

use std::path::PathBuf;

use relevo::progress::Watch;
use relevo::steps::standby::reach;
use relevo::store::Store;

use super::{each, opened, reshaped, variants};
use crate::harness::{Options, Shop};

/// How far a promote would get: (sequence, are there gaps).
fn reached(store: &Store) -> (Option<u64>, bool) {
    let (reach, gaps) = reach(store, &store.backup.look().unwrap(), &Watch::silent()).unwrap();
    (reach.map(|r| r.position.sequence), !gaps.is_empty())
}

/// A full copy and three increments on the target, and a caja whose standby is new: all four are still to be applied. Main is off.
fn pending(seal: bool) -> Shop {
    pending_with(seal, 2)
}

/// `sales` tickets after each copy.
fn pending_with(seal: bool, sales: usize) -> Shop {
    let key = age::x25519::Identity::generate();
    let shop = Shop::with(&Options::default());
    if seal {
        for machine in ["main", "caja"] {
            let toml = shop.path(machine, "store/relevo.toml");
            let lines = format!("[mirror]\nrecipients = [\"{}\"]\nidentity = \"secret:seal\"\n", key.to_public());
            let text = std::fs::read_to_string(&toml).unwrap().replace("[mirror]\n", &lines);
            std::fs::write(&toml, text).unwrap();
            use age::secrecy::ExposeSecret;
            shop.fed(machine, key.to_string().expose_secret(), &["secret", "set", "seal"]).expect(0);
        }
    }
    for _ in 0..4 {
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", sales);
    }
    std::fs::remove_dir_all(shop.path("caja", "instance")).unwrap();
    std::fs::create_dir_all(shop.path("caja", "instance")).unwrap();
    shop.main_off();
    shop
}

/// An object of the target by the number of its copy.
fn object(shop: &Shop, sequence: u64, ending: &str) -> PathBuf {
    let begins = format!("e000001-s{sequence:08}-");
    let entries = std::fs::read_dir(shop.path("caja", "copias/0142")).unwrap().map(|e| e.unwrap().path());
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(&begins) && name.ends_with(ending)
    };
    entries.into_iter().find(is_it).unwrap()
}

fn contents(seal: bool, sequence: u64, upto: Option<u64>) {
    let shop = pending(seal);
    let store = opened(&shop, "caja");
    assert_eq!(reached(&store), (Some(4), false));
    let path = object(&shop, sequence, if seal { ".zst.age" } else { ".zst" });
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
        assert_eq!(reached(&store), (upto, true), "{name}: {what}");
        let listing = store.copies[0].list().unwrap();
        // By its length when it is listed, by its hash when it is read.
        let said = match listing.damaged.as_slice() {
            [one] => one.reason.en.clone(),
            _ => {
                let listed = listing.copies.iter().find(|l| l.manifest.sequence == sequence).unwrap();
                store.copies[0].verify(&listed.manifest, &Watch::silent()).expect_err(what).message.en
            }
        };
        assert!(said.contains(&name), "{what}: {said}");
    });
    assert_eq!(reached(&store), (Some(4), false));
}

#[test]
fn the_content_of_an_increment() {
    contents(false, 3, Some(2));
}

#[test]
fn the_content_of_a_full_copy() {
    contents(false, 1, None);
}

#[test]
fn the_content_of_a_sealed_increment() {
    contents(true, 3, Some(2));
}

#[test]
fn the_content_of_a_sealed_full_copy() {
    contents(true, 1, None);
}

#[test]
fn the_manifest_of_an_increment() {
    let shop = pending(false);
    let store = opened(&shop, "caja");
    let path = object(&shop, 4, ".json");
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    each(&path, variants(&std::fs::read(&path).unwrap()), |what| {
        let listing = store.copies[0].list().unwrap();
        assert!(
            listing.damaged.len() == 1 && listing.damaged[0].name == name && listing.copies.len() == 3,
            "{what}: {listing:?}"
        );
        if what.starts_with("byte 1") || !what.starts_with("byte") {
            assert_eq!(reached(&store), (Some(3), true), "{what}");
        }
    });
}

/// Another copy's content or manifest, another store's, another database's, an older one's under a newer name.
#[test]
fn what_is_anothers_is_never_applied() {
    let (shop, other) = (pending(false), pending_with(false, 3));
    let store = opened(&shop, "caja");
    let swap = |own: &[PathBuf], theirs: &[PathBuf], what: &str, wanted: (Option<u64>, bool)| {
        let before: Vec<Vec<u8>> = own.iter().map(|path| std::fs::read(path).unwrap()).collect();
        for (own, theirs) in own.iter().zip(theirs) {
            std::fs::copy(theirs, own).unwrap();
        }
        assert_eq!(reached(&store), wanted, "{what}");
        for (path, bytes) in own.iter().zip(before) {
            std::fs::write(path, bytes).unwrap();
        }
    };
    let (content, manifest) = (|s: &Shop, n| object(s, n, ".zst"), |s: &Shop, n| object(s, n, ".json"));
    swap(&[content(&shop, 3)], &[content(&shop, 2)], "another copy's content", (Some(2), true));
    swap(&[manifest(&shop, 3)], &[manifest(&shop, 2)], "another copy's manifest", (Some(2), true));
    swap(&[manifest(&shop, 3), content(&shop, 3)], &[manifest(&shop, 2), content(&shop, 2)], "an older copy", (Some(2), true));
    swap(&[content(&shop, 3)], &[content(&other, 3)], "another database's content", (Some(2), true));
    swap(&[manifest(&shop, 3), content(&shop, 3)], &[manifest(&other, 3), content(&other, 3)], "another's copy", (Some(2), true));
    let text = std::fs::read_to_string(manifest(&shop, 3)).unwrap();
    std::fs::write(shop.dir.join("forged"), text.replace("\"store\": \"0142\"", "\"store\": \"0143\"")).unwrap();
    swap(&[manifest(&shop, 3)], &[shop.dir.join("forged")], "another store's manifest", (Some(2), true));
    assert_eq!(reached(&store), (Some(4), false));
}

/// As the person meets it: refused with the copy's name, accepted by a person with the PIN, opened at the last good copy.
#[test]
fn a_spoiled_increment_is_promoted_past_only_by_word() {
    let shop = pending(false);
    let path = object(&shop, 3, ".zst");
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    each(&path, reshaped(&std::fs::read(&path).unwrap()), |what| {
        let refused = shop.json("caja", &["promote"]).expect(4);
        assert_eq!(refused.kind(), "loss_not_accepted", "{what}");
        assert!(refused.out.contains(&name), "{what}: {}", refused.out);
    });
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    shop.set_pin("caja", "4321");
    let done = shop.with_pin("caja", "4321", &["promote", "--accept-loss", "--reason", "copia dañada"]).expect(0).json();
    assert_eq!(done["position"]["sequence"], 2, "{done}");
    let (held, all) = (shop.tickets(&shop.database("caja")), shop.acknowledged());
    assert_eq!(held, all[..7], "copy 2 was made after the first seven tickets");
}

/// The caja applies what is good, and does not say that all is well.
#[test]
fn the_cajas_mirror_names_a_spoiled_copy_and_applies_what_is_good() {
    let shop = pending(false);
    let path = object(&shop, 3, ".zst");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let failed = shop.json("caja", &["mirror"]);
    assert!(failed.code == 0 || failed.code == 1, "{failed:?}");
    assert_eq!(shop.status("caja")["backup"]["position"]["sequence"], 2);
    let mut bytes = bytes;
    bytes[40] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let failed = shop.json("caja", &["mirror"]).expect(1);
    assert!(failed.kind() == "copy_damaged" && failed.out.contains("e000001-s00000003-increment"), "{}", failed.out);
    assert_eq!(shop.status("caja")["backup"]["position"]["sequence"], 2);
}

/// A standby that waits for a spoiled copy would never move again: main's next mirror does without it.
#[test]
fn main_makes_a_new_chain_where_the_standby_waits_for_a_spoiled_copy() {
    let shop = pending(false);
    shop.main_on();
    let path = object(&shop, 3, ".zst");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let made = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!(
        (made["kind"].as_str(), made["reason"].as_str(), made["applied"].as_bool()),
        (Some("full"), Some("chain damaged"), Some(true)),
        "{made}"
    );
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
}

/// One spoiled copy on the first target neither spreads nor keeps the newer ones from the second, which then has the whole chain.
#[test]
fn a_spoiled_copy_keeps_no_other_from_the_second_target() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 1);
    shop.json("main", &["mirror"]).expect(0);
    for machine in ["main", "caja"] {
        let toml = shop.path(machine, "store/relevo.toml");
        let text = std::fs::read_to_string(&toml).unwrap().replace("targets = [\"local\"]", "targets = [\"local\", \"otro\"]");
        let folder = shop.dir.join("otro");
        std::fs::write(&toml, format!("{text}\n[targets.otro]\nkind = \"dir\"\npath = '{}'\n", folder.display())).unwrap();
    }
    let path = object(&shop, 1, ".zst");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    shop.sell("main", "CAJA2", 1);
    let failed = shop.json("main", &["mirror"]).expect(1);
    assert!(failed.kind() == "copy_damaged" && failed.out.contains("e000001-s00000001-full"), "{}", failed.out);
    let there: Vec<u64> = opened(&shop, "main").copies[1].list().unwrap().copies.iter().map(|l| l.manifest.sequence).collect();
    assert_eq!(there, [2, 3]);
    assert_eq!(shop.status("caja")["backup"]["position"]["sequence"], 3);
}

/// Another shop with the same id put its copies into our folder, newer than ours: a caja with a new disk takes none of them, as long as
/// anybody in sight knows which database ours is.
#[test]
fn a_newer_copy_of_another_database_is_not_taken_by_a_new_disk() {
    let (shop, other) = (pending(false), pending_with(false, 3));
    other.main_on();
    other.json("main", &["mirror", "--full"]).expect(0);
    for ending in [".json", ".zst"] {
        let theirs = object(&other, 5, ending);
        std::fs::copy(&theirs, shop.path("caja", "copias/0142").join(theirs.file_name().unwrap())).unwrap();
    }
    shop.main_on();
    assert_eq!(reached(&opened(&shop, "caja")).0, Some(4));
    shop.json("caja", &["mirror"]).expect(0);
    assert_eq!(shop.status("caja")["backup"]["position"]["sequence"], 4);
}

/// The content of an increment is proved before its first page is written: a standby that could not be built again stays whole.
#[test]
fn a_spoiled_increment_writes_nothing_into_the_standby() {
    let shop = Shop::new();
    for _ in 0..2 {
        shop.json("main", &["mirror"]).expect(0);
        shop.sell("main", "CAJA2", 2);
    }
    let lock = relevo::world::real().try_lock(&shop.path("caja", "instance/apply.lock")).unwrap().unwrap();
    shop.json("main", &["mirror"]).expect(10); // the copy is made, and nobody may apply it
    drop(lock);
    for (sequence, ending) in [(1, ".json"), (1, ".zst"), (2, ".json"), (2, ".zst")] {
        std::fs::remove_file(object(&shop, sequence, ending)).unwrap();
    }
    let path = object(&shop, 3, ".zst");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let failed = shop.json("caja", &["mirror"]).expect(1);
    assert_eq!(failed.kind(), "copy_damaged", "{}", failed.out);
    let standby = std::fs::read_to_string(shop.path("caja", "instance/standby.json")).unwrap();
    assert!(standby.contains("\"applying\":null"), "{standby}");
    shop.set_pin("caja", "4321");
    shop.main_off();
    let done = shop.with_pin("caja", "4321", &["promote", "--accept-loss", "--reason", "copia dañada"]).expect(0).json();
    assert_eq!(done["position"]["sequence"], 2, "{done}");
}
