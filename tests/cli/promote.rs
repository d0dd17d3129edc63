//! `relevo promote`

use crate::harness::{Options, Shop};

/// A shop whose standby holds all but three tickets, and whose main is gone.
fn failed_main(options: &Options) -> Shop {
    let shop = Shop::with(options);
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 3);
    shop.main_off();
    shop
}

#[test]
fn unplanned_takes_the_post_and_leaves_the_folio_gap() {
    let shop = failed_main(&Options { till_files: Some(vec![]), ..Options::default() });
    let done = shop.json("caja", &["promote"]).expect(0).json();
    assert_eq!((done["epoch"].as_u64(), done["planned"].as_bool()), (Some(2), Some(false)), "{done}");
    let status = shop.status("caja");
    assert_eq!((status["holder"].as_str(), status["serving"].as_str()), (Some("backup"), Some("backup")), "{status}");
    assert_eq!(status["backup"]["state"], "open");
    shop.sell("caja", "CAJA1", 1);
    let folios: Vec<i64> = shop.tickets(&shop.database("caja")).iter().map(|t| t.0).collect();
    assert_eq!(folios.last(), Some(&(5 + 10_000 + 1)), "{folios:?}");
}

#[test]
fn tills_that_report_their_folios_give_an_exact_loss() {
    let shop = failed_main(&Options::default());
    // main's own file is away with main; the caja reads the others: CAJA2 sold everything.
    let done = shop.json("caja", &["promote"]).expect(0).json();
    assert_eq!(done["loss"]["tickets"], 3, "{done}");
}

#[test]
fn planned_takes_the_tail_and_loses_nothing() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 4);
    let done = shop.json("caja", &["promote"]).expect(0).json();
    assert_eq!(done["planned"], true, "{done}");
    assert_eq!(shop.tickets(&shop.database("caja")), shop.acknowledged());
    let status = shop.status("main");
    assert_eq!(status["main"]["state"], "fenced");
    assert_eq!(status["epoch"], 2);
    // nobody can open main any more
    assert!(
        rusqlite::Connection::open(shop.database("main"))
            .unwrap()
            .query_row("SELECT count(*) FROM Ventas", [], |r| r.get::<_, i64>(0))
            .is_err()
    );
}

#[test]
fn planned_is_refused_while_somebody_is_there() {
    let shop = Shop::new();
    shop.json("main", &["mirror"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "main_in_use");
    shop.stop_server("main");
    let open = rusqlite::Connection::open(shop.database("main")).unwrap();
    open.query_row("SELECT count(*) FROM Ventas", [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "tills_operating");
    // undone: main is open, no intent is left, a promote can begin again
    let status = shop.status("caja");
    assert_eq!((status["holder"].as_str(), status["main"]["state"].as_str()), (Some("main"), Some("open")));
    drop(open);
    shop.json("caja", &["promote"]).expect(0);
}

#[test]
fn an_old_copy_needs_acceptance_and_a_pin() {
    let options = Options { extra: String::new(), ..Options::default() };
    let shop = failed_main(&options);
    let toml = shop.path("caja", "store/relevo.toml");
    let text = std::fs::read_to_string(&toml).unwrap().replace("[promote]\n", "[promote]\nmax_age = \"1s\"\n");
    std::fs::write(&toml, text).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "loss_not_accepted");
    let with_loss = ["promote", "--accept-loss", "--reason", "cliente esperando"];
    assert_eq!(shop.json("caja", &with_loss).expect(4).kind(), "needs_authorisation");
    shop.set_pin("caja", "4321");
    assert_eq!(shop.with_pin("caja", "1111", &with_loss).expect(4).kind(), "needs_authorisation");
    let done = shop.with_pin("caja", "4321", &with_loss).expect(0).json();
    assert_eq!(done["loss"]["accepted"], "cliente esperando");
    let runs = shop.json("caja", &["runs"]).expect(0).json();
    let shown = shop.json("caja", &["runs", "show", runs["runs"][0]["id"].as_str().unwrap()]).expect(0).out;
    assert!(
        shown.contains("(PIN)") && shown.contains("cliente esperando") && !shown.contains("4321"),
        "name and reason are journaled"
    );
}

#[test]
fn plan_shows_the_steps_and_changes_nothing() {
    let shop = failed_main(&Options::default());
    let plan = shop.say("caja", "es", &["promote", "--plan"]).expect(0);
    assert!(plan.out.contains("punto sin retorno"), "{}", plan.out);
    let status = shop.status("caja");
    assert_eq!((status["epoch"].as_u64(), status["backup"]["state"].as_str()), (Some(1), Some("standby")));
    assert_eq!(status["runs_open"], serde_json::json!([]));
}

#[test]
fn only_once_and_only_on_the_caja() {
    let shop = failed_main(&Options::default());
    assert_eq!(shop.json("till2", &["promote"]).expect(4).kind(), "not_the_backup");
    shop.json("caja", &["promote"]).expect(0);
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "already_promoted");
}

#[test]
fn without_a_copy_there_is_nothing_to_promote() {
    let shop = Shop::new();
    shop.json("caja", &["launch", "--program", "pospdv"]).expect(4);
    shop.main_off();
    assert_eq!(shop.json("caja", &["promote"]).expect(4).kind(), "no_copy");
}

/// The post changed hands and the server program does not start: the backup keeps the post, the cause is said, and once it is gone
/// the holder's launch serves.
#[test]
fn a_server_program_that_does_not_start_leaves_the_post_where_it_is() {
    let shop = failed_main(&Options::default());
    let toml = shop.path("caja", "store/relevo.toml");
    let good = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, good.replace("'stand-in', 'svrpdv'", "'stand-in', 'no-such-program'")).unwrap();
    let failed = shop.json("caja", &["promote"]).expect(1);
    assert_eq!(failed.kind(), "program_ended");
    let status = shop.status("caja");
    assert_eq!((status["holder"].as_str(), status["epoch"].as_u64()), (Some("backup"), Some(2)), "{status}");
    assert_eq!((&status["serving"], &status["runs_open"]), (&serde_json::Value::Null, &serde_json::json!([])), "{status}");
    assert_eq!(shop.json("caja", &["launch", "--program", "svrpdv"]).expect(1).kind(), "program_ended");
    std::fs::write(&toml, good).unwrap();
    shop.json("caja", &["launch", "--program", "svrpdv"]).expect(0);
    assert_eq!(shop.status("caja")["serving"], "backup");
}

/// Found by the random shop: between a restore and main's next mirror the backup could not take over at all, whatever one did.
#[test]
fn a_main_that_fails_before_its_first_mirror_after_a_restore_is_relieved_by_what_the_restore_closed() {
    let shop = Shop::promoted();
    shop.set_pin("caja", "2468");
    let sold_on_backup = shop.tickets(&shop.database("caja"));
    shop.main_on();
    shop.stop_server("caja");
    shop.json("caja", &["restore"]).expect(0);
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.stop_server("main");
    shop.main_off();
    // how old that is nobody can tell: a person accepts it
    let refused = shop.json("caja", &["promote"]).expect(4);
    assert_eq!(refused.kind(), "loss_not_accepted");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("2 tickets"), "{}", refused.out);
    assert_eq!(shop.status("caja")["backup"]["state"], "fenced", "a refusal changes nothing");
    shop.with_pin("caja", "2468", &["promote", "--accept-loss", "--reason", "prueba"]).expect(0);
    assert_eq!(shop.tickets(&shop.database("caja")), sold_on_backup);
    shop.sell("caja", "CAJA1", 1);
    // main comes back with its two sales: they are orphans, nothing is lost
    shop.main_on();
    shop.json("main", &["launch", "--program", "svrpdv"]).expect(11);
    shop.stop_server("caja");
    shop.json("caja", &["restore"]).expect(0);
    let orphans = shop.json("caja", &["orphans"]).expect(0).json();
    let orphans: Vec<i64> = orphans["orphans"].as_array().unwrap().iter().map(|o| o["folio"].as_i64().unwrap()).collect();
    let held: Vec<i64> = shop.tickets(&shop.database("main")).into_iter().map(|(folio, ..)| folio).collect();
    for (folio, ..) in shop.acknowledged() {
        assert!(held.contains(&folio) || orphans.contains(&folio), "{folio} is lost");
    }
}
