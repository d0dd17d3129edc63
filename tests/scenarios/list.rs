//! The verbs that are killed, failed and cut short: each from a shop of its own, prepared to the moment before it.

use super::Scenario;
use crate::harness::Shop;

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "mirror seed", prepare: |_| {}, start: |_| {}, machine: "main", verb: &["mirror"], code: 0, resumes: false },
    Scenario {
        name: "mirror increment",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 3);
        },
        start: |_| {},
        machine: "main",
        verb: &["mirror"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "mirror begins a third chain and retention removes the first",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 3);
            shop.json("main", &["mirror"]).expect(0);
            shop.json("main", &["mirror", "--full"]).expect(0);
            shop.sell("main", "CAJA2", 3);
        },
        start: |_| {},
        machine: "main",
        verb: &["mirror", "--full"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "promote unplanned",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
            // the caja applies this one itself
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
            shop.main_off();
        },
        start: |_| {},
        machine: "caja",
        verb: &["promote"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "promote planned",
        prepare: |shop| {
            shop.json("main", &["mirror"]).expect(0);
            shop.sell("main", "CAJA2", 2);
        },
        start: |_| {},
        machine: "caja",
        verb: &["promote"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "old main comes back",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
        },
        start: |_| {},
        machine: "main",
        verb: &["launch", "--program", "svrpdv"],
        code: 11,
        resumes: false,
    },
    Scenario {
        name: "restore",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
        },
        start: |shop| {
            shop.json("caja", &["launch", "--program", "svrpdv"]).expect(0);
        },
        machine: "caja",
        verb: &["restore"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "restore where the old disk never came back",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
            std::fs::remove_dir_all(shop.path("main", "instance")).unwrap();
            std::fs::create_dir_all(shop.path("main", "instance")).unwrap();
        },
        start: |_| {},
        machine: "caja",
        verb: &["restore"],
        code: 0,
        resumes: true,
    },
    Scenario {
        name: "first start after a restore",
        prepare: |shop| {
            promoted(shop);
            shop.main_on();
            shop.json("caja", &["restore"]).expect(0);
        },
        start: |_| {},
        machine: "main",
        verb: &["launch", "--program", "svrpdv"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "script steps",
        prepare: |shop| {
            let root = shop.path("main", "datos");
            std::fs::create_dir_all(&root).unwrap();
            std::fs::write(root.join("viejo.txt"), "viejo").unwrap();
            let toml = shop.path("main", "store/relevo.toml");
            let extra =
                format!("\n[files]\ndatos = '{}'\n\n[seats]\nrelease = \"DELETE FROM Licencias RETURNING *\"\n", root.display());
            std::fs::write(&toml, std::fs::read_to_string(&toml).unwrap() + extra.as_str()).unwrap();
            let body = "fn run(args) {
                files::write(\"datos:nuevo.txt\", \"hola\");
                files::copy(\"datos:nuevo.txt\", \"datos:copia.txt\");
                files::remove(\"datos:viejo.txt\");
                server::release_concurrency();
                server::execute(\"UPDATE Articulos SET Nombre = 'x' WHERE Id = 1\", []);
                store::fetch_signals();
                store::sync_marker();
                mirror(#{})
            }";
            std::fs::write(shop.path("main", "store/scripts/mirror.rhai"), body).unwrap();
            let db = rusqlite::Connection::open(shop.database("main")).unwrap();
            db.execute("INSERT INTO Licencias VALUES('CAJA9', '2026-11-23')", []).unwrap();
        },
        start: |_| {},
        machine: "main",
        verb: &["mirror"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "setup of the caja",
        prepare: |shop| {
            let shortcut = shop.path("caja", "SvrPdv.lnk");
            std::fs::write(&shortcut, "x").unwrap();
            let toml = shop.path("caja", "store/relevo.toml");
            let text = std::fs::read_to_string(&toml).unwrap();
            std::fs::write(&toml, format!("{text}\n[setup]\nshortcut = '{}'\n", shortcut.display())).unwrap();
        },
        start: |_| {},
        machine: "caja",
        verb: &["setup"],
        code: 0,
        resumes: false,
    },
    Scenario {
        name: "a till comes and goes with the caja's role",
        prepare: |shop| {
            shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
            shop.json("caja", &["launch", "--program", "pospdv"]).expect(0);
            shop.stop_server("main");
            let other = shop.svrbak().replace("caja", "otra");
            std::fs::write(shop.path("main", "pdv/SvrBak.txt"), other).unwrap();
            let toml = shop.path("caja", "store/relevo.toml");
            let text = std::fs::read_to_string(&toml).unwrap();
            let moved = text.replace(
                &shop.path("caja", "instance").display().to_string(),
                &shop.path("otra", "instance").display().to_string(),
            );
            std::fs::write(&toml, moved.replace("role = \"backup\"", "role = \"till\"")).unwrap();
        },
        start: |_| {},
        machine: "caja",
        verb: &["setup"],
        code: 0,
        resumes: false,
    },
];

/// Main failed with sales that no mirror has; the backup holds the post, sold, and its SvrPdv was closed.
fn promoted(shop: &Shop) {
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.main_off();
    shop.json("caja", &["promote"]).expect(0);
    shop.sell("caja", "CAJA1", 2);
    shop.stop_server("caja");
}
