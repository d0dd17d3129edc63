//! Whatever is done on main, the logs make the same of the copy: statements drawn at random, in transactions that are kept or not, with
//! clocks, new ids and identities in them, and an instance that is started anew in between.

use proptest::prelude::*;

use super::*;

/// One thing that is done; `{n}` is a number of its own.
const ACTS: &[&str] = &[
    "INSERT INTO BDPdv.dbo.Ventas (Total, Caja) VALUES ({n}.25, N'caja {n}')",
    "INSERT INTO BDPdv.dbo.Ventas (Total, Caja, Fecha) VALUES ({n}, NULL, GETDATE()), ({n}, N'ñ''\"', SYSUTCDATETIME())",
    "INSERT INTO BDPdv.dbo.Ventas (Total, Caja) SELECT Total + 1, Caja FROM BDPdv.dbo.Ventas WHERE Folio % 3 = 0",
    "UPDATE BDPdv.dbo.Ventas SET Total = Total * 2 - {n}, Clave = NEWID() WHERE Folio % 4 = 1",
    "UPDATE BDPdv.dbo.Ventas SET Caja = UPPER(Caja) + N' x' WHERE Caja LIKE N'%{n}%'",
    "DELETE TOP (1) FROM BDPdv.dbo.Ventas WHERE Folio % 5 = 2",
    "DELETE FROM BDPdv.dbo.Ventas WHERE Total > 100000 OR Folio % 11 = 7",
    "DECLARE @x int; SET @x = {n}; INSERT INTO BDPdv.dbo.Ventas (Total, Caja) VALUES (@x, CAST(@@SPID AS nvarchar(10)))",
    "IF OBJECT_ID(N'BDPdv.dbo.Otra{n}') IS NULL CREATE TABLE BDPdv.dbo.Otra{n} (A int NOT NULL PRIMARY KEY, B nvarchar(max) NULL)",
    "INSERT INTO BDPdv.dbo.Fija (A, B) VALUES ({n}, 0x00FF{n}{n})",
    "INSERT INTO BDPdv.dbo.Fija (A, B) VALUES ({n}, NULL), ({n}, NULL)",
    "BEGIN TRANSACTION; DELETE FROM BDPdv.dbo.Ventas; ROLLBACK",
    "BEGIN TRANSACTION; INSERT INTO BDPdv.dbo.Ventas (Total, Caja) VALUES ({n}, N'a'); INSERT INTO BDPdv.dbo.Fija (A) VALUES ({n}); COMMIT",
    "ALTER DATABASE BDPdv SET AUTO_CLOSE OFF",
    "EXEC BDPdv.sys.sp_addextendedproperty N'p{n}', N'v{n}'",
    "!log",
    "!full",
    "!differential",
    "!restart",
];

/// All that can be seen of it.
fn contents(shop: &Shop) -> String {
    let mut all = String::new();
    for table in ["Ventas", "Fija"] {
        all.push_str(&format!("{:?}\n", shop.rows(&format!("SELECT * FROM BDPdv.dbo.{table} ORDER BY 1"))));
    }
    all.push_str(&format!("{:?}\n", shop.rows("SELECT name FROM BDPdv.sys.tables ORDER BY name")));
    all.push_str(&format!(
        "{:?}\n",
        shop.rows("SELECT name, CAST(value AS nvarchar(100)) FROM BDPdv.sys.extended_properties ORDER BY name")
    ));
    all
}

/// Ships a log. One that ends where a differential has brought the copy already is refused as applied.
fn ship(main: &Shop, till: &Shop, file: &str) {
    main.log(file);
    let numbers = errors(&till.send(&till.log_sql(main, file)));
    assert!(numbers.is_empty() || numbers == [4326, 3013], "{numbers:?}");
}

fn play(acts: &[(usize, u8)]) {
    let dir = tempfile::tempdir().unwrap();
    let mut main = Shop::new(&dir, "main").with_tickets("FULL");
    main.ok("CREATE TABLE BDPdv.dbo.Ventas (Folio int IDENTITY(1,1) NOT NULL PRIMARY KEY, Total decimal(12,2) NOT NULL, Caja nvarchar(60) NULL, Fecha datetime NULL DEFAULT GETDATE(), Clave uniqueidentifier NULL DEFAULT NEWID())");
    main.ok("CREATE TABLE BDPdv.dbo.Fija (A int NOT NULL UNIQUE, B varbinary(20) NULL)");
    main.full("seed.bak");
    let till = Shop::new(&dir, "till");
    till.ok(&till.seed_sql(&main, "seed.bak", ""));
    for (number, (act, n)) in acts.iter().enumerate() {
        let file = format!("{number}.bak");
        match ACTS[*act] {
            "!log" => ship(&main, &till, &file),
            // The base moves on main; the copy learns of it from the next log, and takes no differential before.
            "!full" => {
                main.full(&file);
                ship(&main, &till, "then.trn");
            }
            "!differential" => {
                main.differential(&file);
                till.ok(&till.differential_sql(&main, &file));
            }
            "!restart" => {
                let dir = main.dir.clone();
                drop(main);
                main = Shop::open(dir, &options(16, "Standard"));
            }
            // Some are refused (a key that is there, a name that is taken): then all of the statement is.
            sql => drop(main.send(&sql.replace("{n}", &n.to_string()))),
        }
    }
    ship(&main, &till, "last.trn");
    till.recover();
    assert_eq!(contents(&main), contents(&till));
    // And back again.
    till.send("INSERT INTO BDPdv.dbo.Ventas (Total, Caja) VALUES (7, N'de vuelta')");
    till.full("back.bak");
    let third = Shop::new(&dir, "third");
    third.ok(&third.seed_sql(&till, "back.bak", ""));
    third.recover();
    assert_eq!(contents(&till), contents(&third));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_copy_is_what_main_is(acts in proptest::collection::vec((0..ACTS.len(), 10_u8..30), 1..25)) {
        play(&acts);
    }
}
