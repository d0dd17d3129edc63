//! Reaching an instance: by name, encrypted or not, with the right password or the wrong one, in time.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relevo::config::Encryption;
use relevo::error::Result;
use relevo::server::sqlserver::address::Address;
use relevo::server::sqlserver::connection::{Access, Connection, Purpose};
use relevo_sim::tds::{Announced, browse};

use crate::harness::{Shop, wait_until};

fn open(shop: &Shop, address: &str, change: impl FnOnce(&mut Access)) -> Result<Connection> {
    let password = shop.sql().password().to_owned();
    let mut access = Access {
        instance: "PRINCIPAL\\SIM".to_owned(),
        address: Address::parse(address).unwrap(),
        user: Some("relevo".to_owned()),
        password: Box::new(move || Ok(password.clone())),
        encryption: Encryption::Required,
        trust: true,
        connect_within: Duration::from_secs(5),
        spent: Arc::default(),
        answer_within: Duration::from_secs(5),
    };
    change(&mut access);
    Connection::open(&access, "prueba", Purpose::Control)
}

#[test]
fn an_instance_is_reached() {
    let shop = Shop::on_sqlserver();
    a_certificate_of_its_own_making_is_believed_only_when_told(&shop);
    a_wrong_password_is_told_and_never_shown(&shop);
    nobody_there_is_said_in_time(&shop);
    an_instance_is_found_by_its_name(&shop);
}

fn at(shop: &Shop) -> String {
    format!("127.0.0.1,{}", shop.sql().port("main"))
}

fn a_certificate_of_its_own_making_is_believed_only_when_told(shop: &Shop) {
    for encryption in [Encryption::Required, Encryption::Login] {
        let refused = open(shop, &at(shop), |access| (access.encryption, access.trust) = (encryption, false)).unwrap_err();
        assert_eq!(refused.kind, "sql_tls", "{refused:?}");
        open(shop, &at(shop), |access| access.encryption = encryption).unwrap();
    }
    open(shop, &at(shop), |access| (access.encryption, access.trust) = (Encryption::None, false)).unwrap();
}

fn a_wrong_password_is_told_and_never_shown(shop: &Shop) {
    let wrong = open(shop, &at(shop), |access| access.password = Box::new(|| Ok("hunter2".to_owned()))).unwrap_err();
    assert!(wrong.causes.iter().any(|cause| cause.starts_with("18456")), "{wrong:?}");
    assert!(wrong.hint.is_some() && !format!("{wrong:?}").contains("hunter2"));
}

fn nobody_there_is_said_in_time(shop: &Shop) {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = open(shop, &format!("127.0.0.1,{free}"), |_| {}).unwrap_err();
    assert_eq!(refused.kind, "sql_connection_refused");
    // Somebody who takes the call and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let late = open(shop, &format!("127.0.0.1,{}", silent.local_addr().unwrap().port()), |access| {
        access.connect_within = Duration::from_millis(300);
    })
    .unwrap_err();
    assert!(["sql_connect_timeout", "sql_answer_timeout"].contains(&late.kind.as_str()), "{late:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

fn an_instance_is_found_by_its_name(shop: &Shop) {
    let Ok(socket) = UdpSocket::bind("127.0.0.1:1434") else {
        println!("SKIP: another program has port 1434");
        return;
    };
    let known = Announced {
        server: "PRINCIPAL".to_owned(),
        instance: "SIM".to_owned(),
        version: "15.0.2000.5".to_owned(),
        port: shop.sql().port("main"),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let browser = {
        let stop = stop.clone();
        std::thread::spawn(move || browse(&socket, &[known], &stop))
    };
    let found = open(shop, "127.0.0.1\\sim", |_| {});
    let unknown = open(shop, "127.0.0.1\\OTRA", |_| {});
    stop.store(true, Ordering::SeqCst);
    browser.join().unwrap().unwrap();
    found.unwrap();
    assert_eq!(unknown.unwrap_err().kind, "sql_browser");
}

/// Ctrl-C in a backup ends it on the server too, and the next mirror is as if it had never begun.
#[test]
fn ctrl_c_ends_the_backup_on_the_server() {
    if cfg!(windows) {
        println!("SKIP: Wine delivers no Ctrl-C to a single child");
        return;
    }
    let shop = Shop::on_sqlserver();
    shop.json("main", &["mirror"]).expect(0);
    shop.sell("main", "CAJA2", 2);
    shop.sql().order("main", r#"{"backup_ms": 100}"#);
    let running = || {
        let count = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command LIKE N'BACKUP%'";
        shop.sql().batch("main", "master", &[count])[0][0].as_i64() == Some(1)
    };
    let mut mirror = shop.spawn("main", &["mirror", "--full"]);
    wait_until("the backup runs", running);
    std::process::Command::new("kill").args(["-INT", &mirror.id().to_string()]).status().unwrap();
    assert_eq!(mirror.wait().unwrap().code(), Some(10));
    assert!(!running(), "it goes on without anybody");
    shop.sql().order("main", "");
    let next = shop.json("main", &["mirror"]).expect(0).json();
    assert_eq!((next["kind"].as_str(), next["applied"].as_bool()), (Some("increment"), Some(true)), "{next}");
}
