//! A whole instance on a port, through the client that relevo uses.

use std::sync::atomic::{AtomicBool, Ordering};

use tiberius::{AuthMethod, Client, Config, EncryptionLevel, error::Error};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::*;

fn port(dir: &std::path::Path) -> u16 {
    let begun = std::time::Instant::now();
    loop {
        if let Ok(text) = std::fs::read_to_string(dir.join("port")) {
            return text.parse().unwrap();
        }
        assert!(begun.elapsed().as_secs() < 30);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

async fn connect(port: u16) -> Client<Compat<TcpStream>> {
    let mut config = Config::new();
    config.host("127.0.0.1");
    config.port(port);
    config.database("master");
    config.encryption(EncryptionLevel::NotSupported);
    config.authentication(AuthMethod::sql_server("relevo", "Clave-1"));
    let tcp = TcpStream::connect(config.get_addr()).await.unwrap();
    Client::connect(config, tcp.compat_write()).await.unwrap()
}

async fn run(client: &mut Client<Compat<TcpStream>>, sql: &str) -> Result<Vec<Vec<tiberius::Row>>, Error> {
    client.simple_query(sql).await?.into_results().await
}

#[test]
fn an_instance_serves_and_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("1.bak").display().to_string();
    for turn in 0..2 {
        let options = Options { dir: dir.path().join("i"), ..options(16, "Standard") };
        let path = options.dir.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stops = stop.clone();
        let thread = std::thread::spawn(move || crate::run(&options, &stops));
        let port = port(&path);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut client = connect(port).await;
            if turn == 0 {
                run(
                    &mut client,
                    "CREATE DATABASE BDPdv; ALTER DATABASE BDPdv SET RECOVERY FULL; CREATE TABLE BDPdv.dbo.T (A int, B money)",
                )
                .await
                .unwrap();
                run(&mut client, "INSERT INTO BDPdv.dbo.T (A, B) VALUES (1, 2.5)").await.unwrap();
                run(&mut client, &format!("BACKUP DATABASE BDPdv TO DISK=N'{backup}' WITH FORMAT, CHECKSUM, STATS=5"))
                    .await
                    .unwrap();
                let header = run(&mut client, &format!("RESTORE HEADERONLY FROM DISK=N'{backup}'")).await.unwrap();
                let row = &header[0][0];
                assert_eq!(row.try_get::<i16, _>("BackupType").unwrap(), Some(1));
                assert!(
                    row.try_get::<tiberius::numeric::Numeric, _>("LastLSN").unwrap().unwrap().value() > 34_000_000_000_000_000
                );
                run(&mut client, &format!("RESTORE FILELISTONLY FROM DISK=N'{backup}'")).await.unwrap();
            }
            let rows =
                client.query("SELECT A FROM BDPdv.dbo.T WHERE A=@P1", &[&1_i32]).await.unwrap().into_results().await.unwrap();
            assert_eq!(rows[0][0].get::<i32, _>(0), Some(1));
            // An error leaves the connection as it is.
            let tuf = path.join("no").join("undo.tuf").display().to_string();
            let refused = run(&mut client, &format!("RESTORE DATABASE BDPdv WITH STANDBY=N'{tuf}'")).await.unwrap_err();
            assert_eq!(refused.code(), Some(3153));
            run(&mut client, "SELECT name FROM sys.databases").await.unwrap();
        });
        stop.store(true, Ordering::SeqCst);
        drop(runtime);
        thread.join().unwrap().unwrap();
    }
}
