//! Statements that change something: sent once where they fit, and their effect is seen.

use relevo_sim::wire::{Instance as _, Login};

use super::super::decide::{Access, Condition};
use super::super::preflight;
use super::super::statements::*;
use super::{NONE, Shop};

#[test]
fn closing_and_opening() {
    let shop = Shop::new();
    let (main, database) = (&shop.main, &shop.database);
    main.ok(&close(database));
    assert_eq!(main.state(database).condition, Condition::Offline);
    main.ok(&reopen(database));
    let state = main.state(database);
    assert_eq!((state.condition, state.access), (Condition::Online, Access::Multi));
    for setting in Setting::ALL {
        if !matches!(setting, Setting::Offline | Setting::Online | Setting::SingleUser | Setting::RestrictedUser) {
            main.ok(&set(database, setting));
        }
    }
    let state = main.state(database);
    assert!(state.trustworthy && state.broker && state.broker_priority && !state.auto_close && state.page_verify == "CHECKSUM");
    assert!(!state.logged(), "the last recovery model of the list is SIMPLE");

    let aside = DatabaseName::new("BDPdv ]'1").unwrap();
    main.ok(&rename(database, &aside));
    main.ok(&close(&aside));
    let back = DatabaseName::new("BDPdv").unwrap();
    main.ok(&set_aside(&aside, &back));
    assert_eq!(main.state(&back).condition, Condition::Offline);
    main.ok(&reopen(&back));

    let files = main.ok(&database_files(&back)).rows;
    let files: Vec<ServerPath> = files.iter().map(|row| ServerPath::new(&row.must_words("path").unwrap()).unwrap()).collect();
    main.ok(&detach(&back));
    assert!(main.ok(&state_of(&back)).rows.is_empty());
    main.ok(&attach(&back, &files, Attach::Whole));
    let attached = main.state(&back);
    assert!(attached.condition == Condition::Online && !attached.trustworthy && !attached.broker, "attaching resets them");
    main.ok(&set(&back, Setting::MultiUser));
    main.ok(&check(&back, Check::Physical));
    main.ok(&check(&back, Check::Whole));
    let owner = main.ok(&owner_login()).rows[0].must_words("name").unwrap();
    main.ok(&give_to(&back, &LoginName::new(&owner).unwrap()));
    assert_eq!(main.state(&back).owner, Some(owner));
}

fn state_of(database: &DatabaseName) -> Statement {
    state(database)
}

#[test]
fn a_failed_backup_is_followed_by_no_fence() {
    let shop = Shop::new();
    shop.take(BackupKind::Full { copy_only: false }, "a.bak", "relevo full");
    let nowhere = Devices::one(ServerPath::new("/nowhere/at/all/b.dif").unwrap());
    let name = BackupName::new("relevo").unwrap();
    for kind in [BackupKind::FinalDifferential, BackupKind::FinalFull, BackupKind::Tail(Fence::Planned)] {
        let backup = Backup { database: &shop.database, kind, to: &nowhere, name: &name, compression: None };
        let errors = shop.main.raw(backup.statement().text()).errors;
        assert_eq!(errors.first(), Some(&3201), "{kind:?}: {errors:?}");
        let state = shop.main.state(&shop.database);
        assert_eq!((state.condition, state.access), (Condition::Online, Access::Single), "{kind:?}");
        shop.main.ok(&set(&shop.database, Setting::MultiUser));
    }
    // Where the first of three steps fails, the third is not tried either.
    shop.seed("full.bak");
    let kind = BackupKind::FinalFull;
    let backup = Backup { database: &shop.database, kind, to: &nowhere, name: &name, compression: None };
    let alone = shop.backup.raw(set(&shop.database, Setting::SingleUser).text()).errors;
    assert_ne!(alone, NONE, "a database that waits for backups changes no mode");
    assert_eq!(shop.backup.raw(backup.statement().text()).errors, alone);
    let dif = Devices::one(shop.file("b.dif"));
    let kind = BackupKind::FinalDifferential;
    shop.main.ok(&Backup { database: &shop.database, kind, to: &dif, name: &name, compression: None }.statement());
    assert_eq!(shop.main.state(&shop.database).condition, Condition::Offline);
}

#[test]
fn readable_between_copies() {
    let shop = Shop::new();
    let header = shop.seed("full.bak");
    let undo = shop.file("undo.tuf");
    shop.backup.ok(&standby(&shop.database, &undo));
    let state = shop.backup.state(&shop.database);
    assert!(state.in_standby && state.follows() && !state.open());
    assert_eq!(shop.backup.follower(&shop.database, header.family).redo, Some(header.last));
    shop.backup.ok(&end_standby(&shop.database));
    assert_eq!(shop.backup.state(&shop.database).condition, Condition::Restoring);
}

#[test]
fn a_trial_restore_leaves_nothing() {
    let shop = Shop::new();
    shop.seed("full.bak");
    let scratch = ScratchName::of(&shop.database).unwrap();
    shop.backup.ok(&drop_scratch(&scratch));
    let kind = RestoreKind::Full { replace: None };
    // Its files must not be the database's own.
    let from = Devices::one(shop.file("full.bak"));
    let listed = shop.backup.ok(&file_list(&from)).rows;
    let moves: Vec<Move> = listed
        .iter()
        .map(|row| {
            let logical = LogicalName::new(&row.must_words("LogicalName").unwrap()).unwrap();
            let to = shop.file(&format!("{logical}.scratch"));
            Move { logical, to }
        })
        .collect();
    let (database, recovery) = (scratch.database(), Recovery::Recovery);
    let restore = Restore { database, kind, from: &from, moves: &moves, recovery, restart: false, checksum: true };
    shop.backup.ok(&restore.statement());
    shop.backup.ok(&verify(&from, true));
    shop.backup.ok(&drop_scratch(&scratch));
    assert!(shop.backup.ok(&state_of(scratch.database())).rows.is_empty());
    shop.backup.ok(&clean_history(&ServerTime::new("2001-01-01T00:00:00").unwrap()));
}

#[test]
fn logins_travel_with_sid_and_hash() {
    let shop = Shop::new();
    let name = LoginName::new("pdv").unwrap();
    shop.main.sql("CREATE LOGIN [pdv] WITH PASSWORD=N'Caja-2026', CHECK_POLICY=OFF;");
    shop.main.sql("USE [BDPdv]; CREATE USER [pdv] FOR LOGIN [pdv]; USE [master];");
    let rows = shop.main.ok(&logins()).rows;
    let read: Vec<preflight::Login> = rows.iter().map(|row| preflight::Login::of_row(row).unwrap()).collect();
    let pdv = read.iter().find(|login| login.name == "pdv").unwrap();
    shop.backup.ok(&create_login(&name, &pdv.sid, pdv.hash.as_ref().unwrap()));
    shop.backup.ok(&set_login_hash(&name, pdv.hash.as_ref().unwrap()));
    let enter = || {
        let login = Login { user: "pdv".to_owned(), password: "Caja-2026".to_owned(), ..Login::default() };
        shop.backup.server.login(&login).map(|opened| shop.backup.server.logout(opened.session)).is_ok()
    };
    assert!(enter(), "the till gets in with the password that it knows");
    shop.backup.ok(&set_login(&name, false));
    assert!(!enter());
    shop.backup.ok(&set_login(&name, true));
    assert!(enter());

    // The same SID: no orphan. Another one: an orphan, until it is joined.
    shop.seed("full.bak");
    shop.backup.ok(&recover(&shop.database));
    assert!(shop.backup.ok(&orphaned_users(&shop.database)).rows.is_empty());
    shop.backup.sql("DROP LOGIN [pdv]; CREATE LOGIN [pdv] WITH PASSWORD=N'Otra-2026', CHECK_POLICY=OFF;");
    let orphans = shop.backup.ok(&orphaned_users(&shop.database)).rows;
    assert_eq!(orphans.len(), 1);
    assert!(orphans[0].words("login_sid").unwrap().is_some() && orphans[0].must_words("name").unwrap() == "pdv");
    shop.backup.ok(&join_user(&shop.database, &name));
    assert!(shop.backup.ok(&orphaned_users(&shop.database)).rows.is_empty());
}

#[test]
fn sessions_locks_and_kill() {
    let shop = Shop::new();
    let main = &shop.main;
    let till = |database: &str| {
        let login = Login {
            host: "CAJA2".to_owned(),
            user: "sa".to_owned(),
            password: "Clave-1".to_owned(),
            application: "PosPdv".to_owned(),
            database: database.to_owned(),
            ..Login::default()
        };
        main.server.login(&login).unwrap().session
    };
    let pos = till("BDPdv");
    let there = main.ok(&sessions(Scope::Database(&shop.database))).rows;
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].must_words("program_name").unwrap(), "PosPdv");
    assert_eq!(main.ok(&sessions(Scope::Program(&ProgramName::new("PosP").unwrap()))).rows.len(), 1);
    assert_eq!(main.ok(&in_use(&shop.database)).rows[0].must_int("locks").unwrap(), 1);

    let id = SessionId::new(there[0].must_int("session_id").unwrap()).unwrap();
    let seen = ServerTime::new(&there[0].must_words("login_time").unwrap()).unwrap();
    let connection = there[0].guid("connection_id").unwrap();
    let other = ServerTime::new("2001-01-01T00:00:00").unwrap();
    main.ok(&kill(id, &other, connection)); // somebody else's by now: nothing happens
    main.ok(&kill(id, &seen, Some(uuid::Uuid::from_u128(5))));
    assert_eq!(main.ok(&sessions(Scope::Database(&shop.database))).rows.len(), 1);
    main.ok(&kill(id, &seen, connection));
    assert!(main.server.is_killed(pos));
    main.server.logout(pos);
    assert!(main.ok(&sessions(Scope::Database(&shop.database))).rows.is_empty());

    let lock = LockName::new("relevo:server").unwrap();
    let result = |statement: &Statement| main.ok(statement).rows[0].must_int("result").unwrap();
    assert_eq!((result(&test_lock(&lock)), result(&take_lock(&lock, 0))), (1, 0));
    let rival = till("master");
    let answers = main.server.exec(rival, take_lock(&lock, 0).text());
    assert_eq!(relevo_sim::engine::answered(&answers), [[relevo_sim::wire::Value::Int(-1)]]);
    assert_eq!(result(&release_lock(&lock)), 0);
    let answers = main.server.exec(rival, take_lock(&lock, 0).text());
    assert_eq!(relevo_sim::engine::answered(&answers), [[relevo_sim::wire::Value::Int(0)]]);
    assert_eq!((result(&test_lock(&lock)), result(&take_lock(&lock, 0))), (0, -1));
    main.server.logout(rival);
    assert_eq!(result(&take_lock(&lock, 0)), 0, "a lock ends with its session");
}

#[test]
fn an_error_rolls_the_whole_transaction_back() {
    let shop = Shop::new();
    let (main, database) = (&shop.main, &shop.database);
    main.ok(&make_folio(database));
    let next = || main.ok(&next_folio(database)).rows[0].must_int("next").unwrap();
    let property = PropertyName::new("relevo_epoch").unwrap();
    let value = PropertyValue::new("{}").unwrap();
    main.ok(&begin());
    main.ok(&set_folio(database, 500));
    main.ok(&set_property(Keeper::Database(database), &property, &value));
    main.ok(&rollback());
    assert_eq!(next(), 1);
    assert!(main.ok(&properties(Keeper::Database(database), &[])).rows.is_empty());
    main.ok(&begin());
    main.ok(&set_folio(database, 500));
    assert_ne!(main.raw("INSERT INTO [BDPdv].[dbo].[Ventas] (Folio) VALUES (1);").errors, NONE);
    assert_ne!(main.raw(commit().text()).errors, NONE, "there is nothing left to commit");
    main.ok(&rollback());
    assert_eq!(next(), 1);
    main.ok(&begin());
    main.ok(&set_folio(database, 500));
    main.ok(&set_property(Keeper::Database(database), &property, &value));
    main.ok(&commit());
    main.ok(&make_folio(database));
    assert_eq!((next(), main.ok(&properties(Keeper::Database(database), &[])).rows.len()), (500, 1));
}
