//! Encryption, and the browser, as tiberius sees them.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tiberius::{EncryptionLevel, SqlBrowser, error::Error};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;

use super::super::{Announced, Certificate, Encryption, Settings, browse};
use super::driver::{config, connect, run, texts};
use super::fake::Served;

/// Server, client, whether the client trusts whatever comes, and what comes of it.
#[test]
fn who_wants_what_gets_in_or_does_not() {
    use EncryptionLevel::{NotSupported, Off, On, Required};
    let cases = [
        (Encryption::Offered, Required, true, true),
        (Encryption::Offered, On, true, true),
        (Encryption::Offered, Off, true, true),
        (Encryption::Offered, NotSupported, false, true),
        // A certificate that nobody vouches for: only who says so takes it, even for the login alone.
        (Encryption::Offered, Required, false, false),
        (Encryption::Offered, Off, false, false),
        (Encryption::Missing, Required, true, false),
        (Encryption::Missing, NotSupported, false, true),
        (Encryption::Forced, Off, true, true),
        (Encryption::Forced, Required, true, true),
        (Encryption::Forced, NotSupported, false, false),
    ];
    for (encryption, wanted, trusts, gets_in) in cases {
        let served = Served::with(Settings { encryption, ..Settings::default() });
        let case = format!("{encryption:?} {wanted:?} {trusts}");
        run(async {
            let mut config = config(&served);
            config.encryption(wanted);
            if trusts {
                config.trust_cert();
            }
            match connect(config).await {
                Err(error) => assert!(!gets_in, "{case}: {error}"),
                Ok(mut client) => {
                    assert!(gets_in, "{case}");
                    let long = "ñ".repeat(50_000);
                    assert_eq!(texts(&mut client, &format!("length {long}")).await.unwrap(), [["50000"]], "{case}");
                    let rows = client.simple_query("rows 3000").await.unwrap().into_first_result().await.unwrap();
                    assert_eq!(rows.len(), 3000, "{case}");
                    let _ = tokio::time::timeout(Duration::from_millis(100), client.simple_query("wait")).await;
                    client.cancel_query().await.unwrap();
                    assert!(served.fake.stopped.load(Ordering::Relaxed), "{case}");
                    assert!(texts(&mut client, "fatal").await.is_err(), "{case}");
                }
            }
        });
        assert_eq!(served.fake.logins.lock().unwrap().len(), usize::from(gets_in), "{case}: no password before trust");
    }
}

#[test]
fn a_certificate_on_file_is_trusted_and_another_is_not() {
    let certificate = Arc::new(Certificate::new().unwrap());
    let served = Served::with(Settings { certificate: Some(Arc::clone(&certificate)), ..Settings::default() });
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (folder.path().join("right.der"), folder.path().join("wrong.der"));
    std::fs::write(&right, certificate.der()).unwrap();
    std::fs::write(&wrong, Certificate::new().unwrap().der()).unwrap();
    run(async {
        for (file, is_right) in [(&right, true), (&wrong, false)] {
            let mut config = config(&served);
            config.host("localhost");
            config.encryption(EncryptionLevel::Required);
            config.trust_cert_ca(file.display());
            let tcp = TcpStream::connect(served.address).await.unwrap();
            match tiberius::Client::connect(config, tcp.compat_write()).await {
                Ok(_) => assert!(is_right),
                Err(error) => assert!(!is_right && matches!(error, Error::Tls(_)), "{error}"),
            }
        }
    });
}

#[test]
fn the_browser_leads_to_the_port() {
    let served = Served::new();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let stop = AtomicBool::new(false);
    let known = [Announced {
        server: "CAJA1".to_owned(),
        instance: "SQLEXPRESS".to_owned(),
        version: "16.0.1000.6".to_owned(),
        port: served.address.port(),
    }];
    std::thread::scope(|scope| {
        scope.spawn(|| browse(&socket, &known, &stop).unwrap());
        run(async {
            for (name, is_known) in [("sqlexpress", true), ("OTRA", false)] {
                let mut config = config(&served);
                config.port(port); // where tiberius asks, when a name is given too
                config.instance_name(name);
                match TcpStream::connect_named(&config).await {
                    Ok(tcp) => {
                        assert!(is_known);
                        tiberius::Client::connect(config, tcp.compat_write()).await.unwrap();
                    }
                    Err(error) => assert!(!is_known && error.to_string().contains("browser"), "{error}"),
                }
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
}
