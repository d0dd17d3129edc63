//! The instance by itself, without the protocol.

mod attach;
mod backups;
mod chains;
mod crash;
mod language;
mod replay;
mod sessions;
mod sheet;
mod transactions;
mod wire;

use std::{path::PathBuf, sync::Arc};

use super::{Options, Server, answered, errors};
use crate::wire::{Instance, Login, Reply, SessionId, Value};

/// An instance with one session of `relevo`.
pub struct Shop {
    pub server: Arc<Server>,
    pub session: SessionId,
    pub dir: PathBuf,
}

pub fn options(major: u16, edition: &str) -> Options {
    Options { major, edition: edition.into(), password: Some("Clave-1".into()), ..Options::default() }
}

pub fn login(application: &str) -> Login {
    Login {
        host: "CAJA1".into(),
        user: "relevo".into(),
        password: "Clave-1".into(),
        application: application.into(),
        ..Login::default()
    }
}

impl Shop {
    pub fn open(dir: PathBuf, options: &Options) -> Shop {
        std::fs::create_dir_all(&dir).unwrap();
        let server = Server::open(&dir, options).unwrap();
        let session = server.login(&login("prueba")).unwrap().session;
        Shop { server, session, dir }
    }

    /// One of SQL Server 2022, Standard.
    pub fn new(dir: &tempfile::TempDir, name: &str) -> Shop {
        Shop::open(dir.path().join(name), &options(16, "Standard"))
    }

    pub fn connect(&self, application: &str) -> SessionId {
        self.server.login(&login(application)).unwrap().session
    }

    pub fn send(&self, sql: &str) -> Vec<Reply> {
        self.server.exec(self.session, sql)
    }

    /// Runs what has to succeed.
    #[track_caller]
    pub fn ok(&self, sql: &str) -> Vec<Reply> {
        let replies = self.send(sql);
        let wrong: Vec<_> = replies.iter().filter(|reply| matches!(reply, Reply::Error(_))).collect();
        assert!(wrong.is_empty(), "{sql}\n{wrong:?}");
        replies
    }

    /// Runs what has to fail, with these numbers.
    #[track_caller]
    pub fn fails(&self, sql: &str, numbers: &[u32]) {
        let replies = self.send(sql);
        assert_eq!(errors(&replies), numbers, "{sql}\n{replies:?}");
    }

    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        answered(&self.ok(sql))
    }

    /// One value as text.
    #[track_caller]
    pub fn one(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        super::run::shown(&rows[0][0])
    }

    /// A path of the shop as a literal.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Makes BDPdv with a table of tickets.
    pub fn with_tickets(self, recovery: &str) -> Shop {
        self.ok("CREATE DATABASE [BDPdv]");
        self.ok(&format!("ALTER DATABASE [BDPdv] SET RECOVERY {recovery}"));
        self.ok("CREATE TABLE BDPdv.dbo.Tickets (Folio int NOT NULL PRIMARY KEY, Total money NOT NULL, Caja nvarchar(20) NULL)");
        self
    }

    pub fn sell(&self, folio: i64) {
        self.ok(&format!("INSERT INTO BDPdv.dbo.Tickets (Folio, Total, Caja) VALUES ({folio}, {folio}.50, N'ñandú')"));
    }

    pub fn folios(&self) -> String {
        let rows = self.rows("SELECT Folio FROM BDPdv.dbo.Tickets ORDER BY Folio");
        rows.iter().map(|row| super::run::shown(&row[0])).collect::<Vec<_>>().join(" ")
    }

    pub fn state(&self) -> String {
        self.one("SELECT state_desc FROM sys.databases WHERE name = N'BDPdv'")
    }

    pub fn full(&self, file: &str) {
        let path = self.path(file);
        self.ok(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{path}' WITH FORMAT, CHECKSUM, STATS=5"));
    }

    pub fn log(&self, file: &str) {
        let path = self.path(file);
        self.ok(&format!("BACKUP LOG [BDPdv] TO DISK=N'{path}' WITH FORMAT, CHECKSUM, STATS=10"));
    }

    pub fn differential(&self, file: &str) {
        let path = self.path(file);
        self.ok(&format!("BACKUP DATABASE [BDPdv] TO DISK=N'{path}' WITH DIFFERENTIAL, FORMAT, CHECKSUM"));
    }

    /// The statement that seeds this shop with a full backup of another.
    pub fn seed_sql(&self, from: &Shop, file: &str, options: &str) -> String {
        format!(
            "RESTORE DATABASE [BDPdv] FROM DISK=N'{}' WITH FILE=1, NORECOVERY, CHECKSUM{options}, MOVE N'BDPdv' TO N'{}', MOVE N'BDPdv_log' TO N'{}'",
            from.path(file),
            self.path("BDPdv.mdf"),
            self.path("BDPdv_log.ldf")
        )
    }

    pub fn log_sql(&self, from: &Shop, file: &str) -> String {
        format!("RESTORE LOG [BDPdv] FROM DISK=N'{}' WITH FILE=1, NORECOVERY, CHECKSUM", from.path(file))
    }

    pub fn differential_sql(&self, from: &Shop, file: &str) -> String {
        format!("RESTORE DATABASE [BDPdv] FROM DISK=N'{}' WITH FILE=1, NORECOVERY, CHECKSUM", from.path(file))
    }

    pub fn recover(&self) {
        self.ok("RESTORE DATABASE [BDPdv] WITH RECOVERY");
    }

    pub fn order(&self, json: &str) {
        std::fs::write(self.dir.join(super::orders::FILE), json).unwrap();
    }
}
