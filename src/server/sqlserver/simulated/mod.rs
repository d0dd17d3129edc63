//! The pure half against the simulated instance, which other hands wrote from the same documentation: every statement that answers rows
//! answers those that it says, and the decisions foretell what the server does.

mod chains;
mod changes;
mod lacks;
mod others;
mod pair;
mod rows;
mod scripts;
mod space;

use std::path::Path;
use std::sync::Arc;

use relevo_sim::engine::{Options, Server};
use relevo_sim::wire::{Instance as _, Login, Reply, Type, Value};
use uuid::Uuid;

use super::decide::{self, Follower, Header, Restored, State, Taken};
use super::rows::{Cell, Row};
use super::statements::*;

const NONE: [u32; 0] = [];

/// An instance and a session of ours on it.
struct Sim {
    server: Arc<Server>,
    session: relevo_sim::wire::SessionId,
}

/// What a batch answered.
struct Answer {
    columns: Vec<(String, Type)>,
    rows: Vec<Row>,
    errors: Vec<u32>,
}

impl Sim {
    fn open(dir: &Path, edition: &str) -> Sim {
        std::fs::create_dir_all(dir).unwrap();
        let options = Options {
            dir: dir.to_owned(),
            edition: edition.to_owned(),
            password: Some("Clave-1".to_owned()),
            ..Options::default()
        };
        let server = Server::open(dir, &options).unwrap();
        let login = Login {
            host: "CAJA1".to_owned(),
            user: "relevo".to_owned(),
            password: "Clave-1".to_owned(),
            application: "relevo-prueba".to_owned(),
            ..Login::default()
        };
        let session = server.login(&login).unwrap().session;
        let sim = Sim { server, session };
        sim.ok(&preamble(5_000, false));
        sim
    }

    fn raw(&self, sql: &str) -> Answer {
        let mut answer = Answer { columns: Vec::new(), rows: Vec::new(), errors: Vec::new() };
        for reply in self.server.exec(self.session, sql) {
            match reply {
                Reply::Columns(columns) => {
                    answer.columns = columns.into_iter().map(|column| (column.name, column.kind)).collect();
                    answer.rows.clear();
                }
                Reply::Row(values) => {
                    let names = answer.columns.iter().map(|(name, _)| name.clone());
                    answer.rows.push(names.zip(values.into_iter().map(cell)).collect());
                }
                Reply::Error(message) => answer.errors.push(message.number),
                _ => {}
            }
        }
        answer
    }

    #[track_caller]
    fn sql(&self, sql: &str) {
        let answer = self.raw(sql);
        assert_eq!(answer.errors, NONE, "{sql}");
    }

    #[track_caller]
    fn ok(&self, statement: &Statement) -> Answer {
        let answer = self.raw(statement.text());
        assert_eq!(answer.errors, NONE, "{}", statement.text());
        answer
    }

    fn state(&self, database: &DatabaseName) -> State {
        State::of_row(&self.ok(&state(database)).rows[0]).unwrap()
    }

    fn taken(&self, database: &DatabaseName) -> Vec<Taken> {
        self.ok(&backups_since(database, crate::model::Lsn(0))).rows.iter().map(|row| Taken::of_row(row).unwrap()).collect()
    }

    fn sell(&self, folios: std::ops::Range<i64>) {
        for folio in folios {
            self.sql(&format!("INSERT INTO [BDPdv].[dbo].[Ventas] (Folio, Caja, Total) VALUES ({folio}, N'CAJA1', 12.5);"));
        }
    }

    fn backup(&self, database: &DatabaseName, kind: BackupKind, file: &ServerPath, by: &str) -> Header {
        let (to, name) = (Devices::one(file.clone()), BackupName::new(by).unwrap());
        self.ok(&Backup { database, kind, to: &to, name: &name, compression: None }.statement());
        self.header(file)
    }

    fn header(&self, file: &ServerPath) -> Header {
        Header::of_row(&self.ok(&header(&Devices::one(file.clone()))).rows[0]).unwrap()
    }

    /// Restores; the numbers of the errors, none when it went well.
    fn restore(&self, database: &DatabaseName, kind: RestoreKind, file: &ServerPath) -> Vec<u32> {
        let from = Devices::one(file.clone());
        let folder = ServerPath::new(&self.ok(&instance()).rows[0].must_words("data_folder").unwrap()).unwrap();
        let mut moves = Vec::new();
        if matches!(kind, RestoreKind::Full { .. }) {
            for row in &self.ok(&file_list(&from)).rows {
                let logical = LogicalName::new(&row.must_words("LogicalName").unwrap()).unwrap();
                let to = folder.join(&format!("{logical}.file")).unwrap();
                moves.push(Move { logical, to });
            }
        }
        let recovery = Recovery::NoRecovery;
        let restore = Restore { database, kind, from: &from, moves: &moves, recovery, restart: false, checksum: true };
        self.raw(restore.statement().text()).errors
    }

    fn follower(&self, database: &DatabaseName, family: Uuid) -> Follower {
        let state = self.state(database);
        let history: Vec<Restored> = self.ok(&restores(database)).rows.iter().map(|row| Restored::of_row(row).unwrap()).collect();
        let at = decide::redo(&state, &history);
        Follower {
            major: 16,
            follows: state.follows(),
            family,
            redo: at.map(|(lsn, _)| lsn),
            fork: at.and_then(|(_, fork)| fork),
            base: state.base,
            base_lsn: state.base_lsn,
        }
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Int(number) => Cell::Int(number),
        Value::Numeric(number) => Cell::Words(number.to_string()),
        Value::Float(number) => Cell::Words(number.to_string()),
        Value::Time(ticks) => Cell::Words(ticks.to_string()),
        Value::Guid(bytes) => Cell::Words(Uuid::from_bytes(bytes).hyphenated().to_string().to_uppercase()),
        Value::Text(words) => Cell::Words(words),
        Value::Bytes(bytes) => Cell::Bytes(bytes),
    }
}

/// A shop: main with tickets, and a backup beside it.
struct Shop {
    _dir: tempfile::TempDir,
    files: ServerPath,
    main: Sim,
    backup: Sim,
    database: DatabaseName,
}

impl Shop {
    fn new() -> Shop {
        let dir = tempfile::tempdir().unwrap();
        let [main, backup] = ["main", "backup"].map(|name| Sim::open(&dir.path().join(name), "Standard"));
        let files = ServerPath::new(&dir.path().join("main").to_string_lossy()).unwrap();
        let database = DatabaseName::new("BDPdv").unwrap();
        main.sql("CREATE DATABASE [BDPdv];");
        main.ok(&set(&database, Setting::Recovery(Model::Full)));
        main.sql(
            "CREATE TABLE [BDPdv].[dbo].[Ventas] (Folio bigint NOT NULL PRIMARY KEY, Caja nvarchar(20), Fecha datetime2(0), \
             Total money, Epoca bigint);",
        );
        main.sell(1..4);
        Shop { _dir: dir, files, main, backup, database }
    }

    fn file(&self, name: &str) -> ServerPath {
        self.files.join(name).unwrap()
    }

    fn take(&self, kind: BackupKind, name: &str, by: &str) -> Header {
        self.main.backup(&self.database, kind, &self.file(name), by)
    }

    fn seed(&self, name: &str) -> Header {
        let header = self.take(BackupKind::Full { copy_only: false }, name, "relevo full");
        assert_eq!(self.backup.restore(&self.database, RestoreKind::Full { replace: None }, &self.file(name)), NONE);
        header
    }
}
