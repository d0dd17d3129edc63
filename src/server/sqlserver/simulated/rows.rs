//! Rows: their columns by name and type, and what the preflight makes of them.

use relevo_sim::wire::Type;

use super::super::preflight;
use super::super::statements::{self, *};
use super::{Shop, Sim};
use crate::config::Tickets;

/// Every statement that answers rows, on a main that lives: its columns by name and type.
#[test]
fn rows_are_what_the_statements_say() {
    let shop = Shop::new();
    let (main, database) = (&shop.main, &shop.database);
    let file = shop.file("a.bak");
    shop.take(BackupKind::Full { copy_only: false }, "a.bak", "relevo full");
    main.ok(&make_folio(database));
    main.ok(&set_folio(database, 77));
    let property = PropertyName::new("relevo_epoch").unwrap();
    for keeper in [Keeper::Database(database), Keeper::Instance] {
        for value in ["{\"epoch\":1}", "{\"epoch\":2,\"l'otro\":\"ñ\"}"] {
            main.ok(&set_property(keeper, &property, &PropertyValue::new(value).unwrap()));
        }
        let rows = main.ok(&properties(keeper, std::slice::from_ref(&property))).rows;
        assert_eq!(rows[0].must_words("value").unwrap(), "{\"epoch\":2,\"l'otro\":\"ñ\"}");
        main.ok(&drop_property(keeper, &property));
        assert!(main.ok(&properties(keeper, &[])).rows.iter().all(|row| row.must_words("name").unwrap() != "relevo_epoch"));
    }
    let shop_tickets = Tickets::default();
    let known = main.ok(&columns_of(database, &TableName::new("Ventas").unwrap())).rows;
    let known: Vec<String> = known.iter().map(|row| row.must_words("name").unwrap()).collect();
    let lock = LockName::new("relevo:prueba").unwrap();
    let program = ProgramName::new("relevo").unwrap();
    let own = &main.ok(&own_session()).rows[0];
    let spid = statements::SessionId::new(own.must_int("session_id").unwrap()).unwrap();
    assert_eq!(own.must_int("transactions").unwrap(), 0);
    let devices = Devices::one(file.clone());
    let mut wrong = Vec::new();
    for (statement, rows) in [
        (instance(), Some(1)),
        (permissions(), Some(1)),
        (configuration(), Some(1)),
        (services(), None),
        (host(), Some(1)),
        (state(database), Some(1)),
        (database_files(database), Some(2)),
        (edition_features(database), Some(0)),
        (backups_since(database, crate::model::Lsn(0)), Some(1)),
        (restores(database), Some(0)),
        (log_size(database), Some(1)),
        (change_size(database), Some(1)),
        (header(&devices), Some(1)),
        (file_list(&devices), Some(2)),
        (own_session(), Some(1)),
        (sessions(Scope::Database(database)), None),
        (sessions(Scope::Program(&program)), Some(0)),
        (in_use(database), Some(1)),
        (progress(spid), None),
        (orphaned_work(&program), Some(0)),
        (take_lock(&lock, 0), Some(1)),
        (test_lock(&lock), Some(1)),
        (release_lock(&lock), Some(1)),
        (logins(), None),
        (owner_login(), Some(1)),
        (orphaned_users(database), Some(0)),
        (file_exists(&file), Some(1)),
        (free_space(Some(database)), Some(1)),
        (free_space(None), Some(1)),
        (drives(), None),
        (columns_of(database, &TableName::new("Ventas").unwrap()), Some(5)),
        (columns_of(database, &TableName::new("Nada").unwrap()), Some(0)),
        (count_tables(database), Some(1)),
        (tickets(database, &shop_tickets, &known).unwrap(), Some(3)),
        (tickets(database, &shop_tickets, &[]).unwrap(), Some(3)),
        (last_folio(database, &shop_tickets).unwrap(), Some(1)),
        (next_folio(database), Some(1)),
    ] {
        let answer = main.raw(statement.text());
        if !answer.errors.is_empty() {
            wrong.push(format!("{}: errors {:?}\n   {}", statement.name(), answer.errors, statement.text()));
            continue;
        }
        if rows.is_some_and(|rows| rows != answer.rows.len()) {
            wrong.push(format!("{}: {} rows, not {rows:?}", statement.name(), answer.rows.len()));
        }
        for column in statement.columns() {
            let found = answer.columns.iter().find(|(name, _)| name == column.name).map(|(_, kind)| *kind);
            let fits = match (column.kind, found) {
                (_, None) => false,
                (Kind::Int, Some(kind)) => kind == Type::Int,
                (Kind::Big, Some(kind)) => kind == Type::BigInt,
                (Kind::Words | Kind::Guid | Kind::Lsn | Kind::Time | Kind::Hex, Some(kind)) => matches!(kind, Type::NVarChar(_)),
                (Kind::Own(_), Some(_)) => true,
            };
            if !fits {
                wrong.push(format!("{}: column {} is {found:?}, not {:?}", statement.name(), column.name, column.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the preflight reads of a simulated store is sound.
#[test]
fn a_new_store_has_no_errors() {
    let shop = Shop::new();
    let read = |sim: &Sim, side| {
        let answer = sim.ok(&instance());
        let instance = preflight::Instance::of_row(&answer.rows[0]).unwrap();
        let space = sim.ok(&free_space(None)).rows;
        preflight::Server {
            side,
            ahead: instance.ahead_of(jiff::Timestamp::now()),
            rights: Some(preflight::Rights::of_row(&sim.ok(&permissions()).rows[0]).unwrap()),
            account: None,
            volumes: space.iter().map(|row| preflight::Volume::of_space(row).unwrap()).collect(),
            exchange: None,
            instance,
        }
    };
    let (main, backup) = (read(&shop.main, crate::model::Side::Main), read(&shop.backup, crate::model::Side::Backup));
    assert_eq!(main.instance.major, Some(16));
    let errors = [preflight::of_server(&main), preflight::of_server(&backup), preflight::of_pair(&main, &backup, None, false)];
    let errors: Vec<_> = errors.iter().flatten().filter(|finding| finding.severity == preflight::Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(main.ahead.is_some_and(|ahead| ahead.abs() < 60), "{:?}", main.ahead);
}
