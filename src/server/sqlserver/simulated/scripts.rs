//! Statements of scripts: by a login of their own, typed both ways, limited in rows and time. And a computer that does not answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::pair::{Pair, instance};
use crate::model::Side;
use crate::server::port::{By, DatabaseServer};

fn shop() -> Pair {
    let pair = Pair::new();
    pair.main.sql("CREATE LOGIN [guiones] WITH PASSWORD=N'Clave-1'");
    pair.main.program("alta", "BDPdv").batch("CREATE USER [guiones] FOR LOGIN [guiones]").unwrap();
    pair
}

fn query(server: &dyn DatabaseServer, sql: &str, params: &[Value]) -> Vec<Value> {
    server.query(By::Script, sql, params, 100).unwrap()
}

#[test]
fn scripts_have_a_login_of_few_rights() {
    let pair = shop();
    let main: &dyn DatabaseServer = &pair.main.instance;
    let who = "SELECT SUSER_SNAME() AS w";
    assert_eq!(query(main, who, &[]), [json!({ "w": "guiones" })]);
    assert_eq!(main.query(By::Settings, who, &[], 1).unwrap(), [json!({ "w": "relevo" })]);
    let exchange = pair.dir.path();
    for (scripts, code) in [(None, "script_login_missing"), (Some("sa"), "script_login_too_strong")] {
        let server = instance(Side::Main, pair.main.port, exchange, scripts);
        let failure = DatabaseServer::query(&server, By::Script, "SELECT 1 AS a", &[], 1).unwrap_err();
        assert!(failure.kind == code && failure.hint.is_some(), "{failure:?}");
        let failure = DatabaseServer::execute(&server, "DELETE FROM Ventas WHERE Folio=?", &[json!(1)]).unwrap_err();
        assert_eq!(failure.kind, code);
        assert!(DatabaseServer::query(&server, By::Settings, "SELECT 1 AS a", &[], 1).is_ok());
    }
    assert_eq!(query(main, "SELECT COUNT(*) AS n FROM Ventas", &[]), [json!({ "n": 3 })]);
}

#[test]
fn values_go_both_ways() {
    let pair = shop();
    let main: &dyn DatabaseServer = &pair.main.instance;
    let inserted = "INSERT INTO Ventas (Folio, Caja, Fecha, Total) VALUES (?, ?, ?, ?)";
    let params = [json!(90), json!("CAJA ñ'2"), json!("2026-11-24T10:00:05"), json!(12.5)];
    assert_eq!(main.execute(inserted, &params).unwrap(), 1);
    let found = query(main, "SELECT Folio, Caja, Fecha, Total, Epoca FROM Ventas WHERE Folio=? AND Caja=?", &params[..2]);
    let expected = json!({ "Folio": 90, "Caja": "CAJA ñ'2", "Fecha": "2026-11-24T10:00:05", "Total": 12.5, "Epoca": null });
    assert_eq!(found, [expected]);
    assert_eq!(
        query(main, "SELECT ? AS a, ? AS b, ? AS c", &[json!(true), json!(null), json!(i64::MAX)]),
        [json!({ "a": true, "b": null, "c": i64::MAX })]
    );
    assert_eq!(main.query(By::Script, "SELECT Folio FROM Ventas ORDER BY Folio", &[], 2).unwrap().len(), 2);
    assert_eq!(main.execute("UPDATE Ventas SET Total=? WHERE Folio<?", &[json!(0), json!(3)]).unwrap(), 2);
}

/// A computer that takes no notice: nobody answers on the port. All looks of a verb wait about once.
#[test]
fn a_dead_computer_is_waited_for_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // it listens and never says a word
    let dir = tempfile::tempdir().unwrap();
    let mut server = instance(Side::Main, silent.local_addr().unwrap().port(), dir.path(), None);
    server.access.connect_within = Duration::from_millis(700);
    let server: &dyn DatabaseServer = &server;
    let began = Instant::now();
    for _ in 0..20 {
        assert!(!server.look().unwrap().reachable);
    }
    assert!(server.query(By::Settings, "SELECT 1 AS a", &[], 1).is_err() && server.take_post().is_err());
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(1400), "{took:?}");
    server.ask_anew();
    let again = Instant::now();
    assert!(!server.look().unwrap().reachable);
    assert!(again.elapsed() >= Duration::from_millis(700), "a probe asks");
}
