//! What the checks are made from, as the statements of the survey read it.

use crate::error::Result;
use crate::model::Side;
use crate::server::sqlserver::decide::State;
use crate::server::sqlserver::rows::Row;
use crate::server::sqlserver::statements::HexBytes;

/// All that was read of one instance.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The server.
    pub server: Server,
    /// Name of the store's database.
    pub name: String,
    /// The store's database, where there is one.
    pub database: Option<Database>,
    /// Of main those with a user in the database, of the backup all SQL logins.
    pub logins: Vec<Login>,
}

/// The instance (`statements::instance`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Major version: 13 = 2016, 14 = 2017, 15 = 2019, 16 = 2022, 17 = 2025. Of servers that do not say it, from the version's text.
    pub major: Option<u32>,
    /// The whole version.
    pub version: String,
    /// Edition, in words.
    pub edition: String,
    /// Kind of edition: 2 Standard or Web, 3 Enterprise, Developer or Evaluation, 4 Express; others are no servers of a shop.
    pub engine_edition: i64,
    /// The edition exactly.
    pub edition_id: i64,
    /// Collation of the server.
    pub collation: String,
    /// Where new data files go.
    pub data_folder: Option<String>,
    /// Where new log files go.
    pub log_folder: Option<String>,
    /// LocalDB: a server that ends with its user's session.
    pub local_db: bool,
    /// It takes Windows logins only.
    pub windows_logins_only: bool,
    /// Its clock, UTC, in style 126.
    pub utc: String,
    /// Its local time minus UTC, in minutes.
    pub utc_offset_minutes: i64,
}

impl Instance {
    /// From a row of `statements::instance`.
    pub fn of_row(row: &Row) -> Result<Instance> {
        let version = row.words("version")?.unwrap_or_default();
        let said = version.split('.').next().and_then(|part| part.parse().ok());
        let major = row.int("major")?.and_then(|major| u32::try_from(major).ok()).or(said);
        Ok(Instance {
            major,
            version,
            edition: row.words("edition")?.unwrap_or_default(),
            engine_edition: row.int("engine_edition")?.unwrap_or(0),
            edition_id: row.int("edition_id")?.unwrap_or(0),
            collation: row.words("collation")?.unwrap_or_default(),
            data_folder: row.words("data_folder")?,
            log_folder: row.words("log_folder")?,
            local_db: row.yes("local_db")?,
            windows_logins_only: row.yes("windows_logins_only")?,
            utc: row.words("utc")?.unwrap_or_default(),
            utc_offset_minutes: row.int("utc_offset_minutes")?.unwrap_or(0),
        })
    }

    /// Express, of any kind.
    pub fn express(&self) -> bool {
        self.engine_edition == 4
    }

    /// The most that the data files of one database may have, in bytes; `None`: more than any shop has.
    pub fn size_cap(&self) -> Option<u64> {
        let gigabytes = if self.major >= Some(17) { 50 } else { 10 };
        self.express().then_some(gigabytes << 30)
    }

    /// Seconds by which its clock is ahead of ours; `now` is ours at the moment of reading.
    pub fn ahead_of(&self, now: jiff::Timestamp) -> Option<i64> {
        let theirs = self.utc.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(theirs.as_second() - now.as_second())
    }
}

/// What our login may do (`statements::permissions`). NULL counts as no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The login.
    pub login: String,
    /// Everything.
    pub sysadmin: bool,
    /// Sees the sessions of others.
    pub view_server_state: bool,
    /// Ends sessions.
    pub alter_any_connection: bool,
    /// Creates and restores databases.
    pub create_any_database: bool,
    /// Creates and blocks logins.
    pub alter_any_login: bool,
    /// Reads hashes of passwords.
    pub control_server: bool,
}

impl Rights {
    /// From a row of `statements::permissions`.
    pub fn of_row(row: &Row) -> Result<Rights> {
        Ok(Rights {
            login: row.words("login")?.unwrap_or_default(),
            sysadmin: row.yes("sysadmin")?,
            view_server_state: row.yes("view_server_state")?,
            alter_any_connection: row.yes("alter_any_connection")?,
            create_any_database: row.yes("create_any_database")?,
            alter_any_login: row.yes("alter_any_login")?,
            control_server: row.yes("control_server")?,
        })
    }
}

/// Space of a volume of the server's computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Where it is mounted: `C:\`, or `/var`.
    pub mount: String,
    /// Free bytes.
    pub free: u64,
}

impl Volume {
    /// From a row of `statements::free_space`.
    pub fn of_space(row: &Row) -> Result<Volume> {
        let free = u64::try_from(row.must_int("free_bytes")?).unwrap_or(0);
        Ok(Volume { mount: row.must_words("volume")?, free })
    }

    /// From a row of `statements::drives`.
    pub fn of_drive(row: &Row) -> Result<Volume> {
        let free = u64::try_from(row.must_int("MB free")?).unwrap_or(0).saturating_mul(1 << 20);
        Ok(Volume { mount: format!("{}:\\", row.must_words("drive")?), free })
    }
}

/// The exchange folder of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its path, as the server sees it.
    pub path: String,
    /// The server sees it as a folder; `None`: it could not be asked.
    pub seen: Option<bool>,
}

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Which of the two.
    pub side: Side,
    /// Its instance.
    pub instance: Instance,
    /// What we may do there; `None`: it could not be told.
    pub rights: Option<Rights>,
    /// The account that its service runs as, where it could be read.
    pub account: Option<String>,
    /// Its volumes, as far as they are known.
    pub volumes: Vec<Volume>,
    /// Its exchange folder.
    pub exchange: Option<Folder>,
    /// Seconds by which its clock is ahead of this machine's.
    pub ahead: Option<i64>,
}

impl Server {
    /// Free bytes where a path lies: of the volume with the longest mount that begins it.
    pub fn free_at(&self, path: &str) -> Option<(&Volume, u64)> {
        let path = path.to_lowercase();
        let fits = |volume: &&Volume| path.starts_with(&volume.mount.to_lowercase());
        self.volumes.iter().filter(fits).max_by_key(|volume| volume.mount.len()).map(|volume| (volume, volume.free))
    }
}

/// The store's database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its state.
    pub state: State,
    /// Size of its data files.
    pub data_bytes: u64,
    /// Size of its log files.
    pub log_bytes: u64,
    /// Bytes in use, about the size of a full backup; `None`: it could not be told.
    pub used_bytes: Option<u64>,
    /// Features that only Enterprise opens; `None`: it could not be told.
    pub features: Option<Vec<String>>,
}

/// A SQL login (`statements::logins`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// Its SID.
    pub sid: HexBytes,
    /// Hash of its password; `None`: not readable.
    pub hash: Option<HexBytes>,
    /// Its default database.
    pub default_database: String,
    /// It may not enter.
    pub disabled: bool,
}

impl Login {
    /// From a row of `statements::logins`.
    pub fn of_row(row: &Row) -> Result<Login> {
        Ok(Login {
            name: row.must_words("name")?,
            sid: HexBytes::new(&row.must_words("sid")?, 85)?,
            hash: row.words("password_hash")?.map(|hash| HexBytes::new(&hash, 256)).transpose()?,
            default_database: row.words("default_database")?.unwrap_or_default(),
            disabled: row.yes("disabled")?,
        })
    }

    /// The hash is of the kind that servers before 2025 do not take.
    pub fn newer_hash(&self) -> bool {
        self.hash.as_ref().is_some_and(|hash| hash.starts_with(&[3, 0]))
    }
}
