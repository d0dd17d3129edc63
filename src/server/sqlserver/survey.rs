//! Reads what the checks of `preflight` are made from. What our login may not read, or a version does not have, is left open: the checks
//! judge it as unknown.

use super::decide::State;
use super::errors::{is_of_client, is_unreachable};
use super::instance::Instance;
use super::preflight::{self, Database, Folder, Login, Rights, Server, Survey, Volume};
use super::rows::Row;
use super::statements::{self, Statement};
use crate::error::Result;
use crate::model::{Side, Versions};

impl Instance {
    /// Reads it. Fails only where the instance cannot be asked at all.
    pub fn survey(&self) -> Result<Survey> {
        let instance = preflight::Instance::of_row(&self.one(&statements::instance())?)?;
        let ahead = instance.ahead_of(self.world.now().timestamp());
        let rights = self.known(&statements::permissions())?.and_then(|rows| Rights::of_row(rows.first()?).ok());
        let state = self.known(&statements::state(&self.database))?.and_then(|rows| State::of_row(rows.first()?).ok());
        let volumes = self.volumes(state.is_some())?;
        let server = Server {
            side: self.side,
            instance,
            rights,
            account: self.account()?,
            volumes,
            exchange: Some(self.folder()?),
            ahead,
        };
        let logins = match (self.side, &state) {
            (Side::Backup, _) => self.known(&statements::logins())?,
            (Side::Main, Some(state)) if state.open() => self.known(&statements::store_logins(&self.database))?,
            (Side::Main, _) => None,
        };
        let logins = logins.unwrap_or_default().into_iter().filter_map(|row| Login::of_row(&row).ok());
        let logins = logins.filter(|login| !self.is_own_login(&login.name)).collect();
        let database = state.map(|state| self.measured(state)).transpose()?;
        Ok(Survey { server, name: self.database.as_str().to_owned(), database, logins })
    }

    /// Versions of the server and of the one that made what its standby holds. Unknown where it is away.
    pub fn versions(&self) -> Result<Versions> {
        let row = match self.one(&statements::instance()) {
            Err(failure) if is_unreachable(&failure) => return Ok(Versions::default()),
            row => row?,
        };
        let of_copies = self.notes()?.standby.and_then(|standby| standby.made_by);
        Ok(Versions { own: preflight::Instance::of_row(&row)?.major, of_copies })
    }

    /// The login that relevo itself uses here: no program of the store enters by it.
    pub fn is_own_login(&self, name: &str) -> bool {
        self.access.user.as_ref().is_some_and(|user| user.to_lowercase() == name.to_lowercase())
    }

    /// Rows of a question that the server may refuse.
    fn known(&self, statement: &Statement) -> Result<Option<Vec<Row>>> {
        match self.ask(statement) {
            Ok(rows) => Ok(Some(rows)),
            Err(failure) if is_of_client(&failure) => Err(failure),
            Err(_) => Ok(None),
        }
    }

    fn account(&self) -> Result<Option<String>> {
        let rows = self.known(&statements::services())?.unwrap_or_default();
        let service = rows.iter().find(|row| {
            // "SQL Server (SQLEXPRESS)"; others are "SQL Server Agent (…)", "SQL Full-text Filter Daemon Launcher (…)".
            row.words("service").ok().flatten().is_some_and(|name| name.starts_with("SQL Server ("))
        });
        service.map_or(Ok(None), |row| row.words("account"))
    }

    /// The volumes of the database's files and of master's, and the local drives.
    pub(super) fn volumes(&self, exists: bool) -> Result<Vec<Volume>> {
        let mut volumes: Vec<Volume> = Vec::new();
        for database in [exists.then_some(&self.database), None] {
            let rows = self.known(&statements::free_space(database))?.unwrap_or_default();
            volumes.extend(rows.iter().filter_map(|row| Volume::of_space(row).ok()));
        }
        let rows = self.known(&statements::drives())?.unwrap_or_default();
        volumes.extend(rows.iter().filter_map(|row| Volume::of_drive(row).ok()));
        Ok(volumes)
    }

    fn folder(&self) -> Result<Folder> {
        let rows = self.known(&statements::file_exists(&self.exchange))?.unwrap_or_default();
        let seen = rows.first().and_then(|row| row.yes("File is a Directory").ok());
        Ok(Folder { path: self.exchange.as_str().to_owned(), seen })
    }

    fn measured(&self, state: State) -> Result<Database> {
        let (mut data_bytes, mut log_bytes) = (0, 0);
        for row in self.known(&statements::database_files(&self.database))?.unwrap_or_default() {
            let bytes = row.int("bytes")?.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
            match row.words("type")?.as_deref() {
                Some("LOG") => log_bytes += bytes,
                _ => data_bytes += bytes,
            }
        }
        let (mut used_bytes, mut features) = (None, None);
        if state.open() {
            let sizes = self.known(&statements::change_size(&self.database))?.unwrap_or_default();
            used_bytes = sizes.first().and_then(|row| row.int("used_bytes").ok()?).and_then(|bytes| u64::try_from(bytes).ok());
            let rows = self.known(&statements::edition_features(&self.database))?;
            features = rows.map(|rows| rows.iter().filter_map(|row| row.words("feature").ok()?).collect());
        }
        Ok(Database { state, data_bytes, log_bytes, used_bytes, features })
    }
}
