//! What relevo notes in `master` of an instance, for when BDPdv cannot be opened, and in BDPdv itself: extended properties. Which is where:
//! docs/sqlserver.md.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::decide::State;
use super::instance::Instance;
use super::statements::{Keeper, PropertyName, PropertyValue, drop_property, properties, set_property};
use crate::error::{Exit, Failure, Result};
use crate::model::{DatabaseId, Epoch, EpochRecord, Fencing, Intent, Position, Side};
use crate::text;
use crate::world::Label;

/// A note in `master`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The epoch record, repeated.
    Epoch,
    /// A role change in progress.
    Intent,
    /// Where the standby is.
    Standby,
    /// How the database was closed.
    Closed,
    /// The position that was copied last.
    Copied,
    /// What was received from the other server.
    Received,
}

impl Note {
    const ALL: [Note; 6] = [Note::Epoch, Note::Intent, Note::Standby, Note::Closed, Note::Copied, Note::Received];

    fn word(self) -> &'static str {
        match self {
            Note::Epoch => "epoch",
            Note::Intent => "intent",
            Note::Standby => "standby",
            Note::Closed => "closed",
            Note::Copied => "copied",
            Note::Received => "received",
        }
    }

    fn label(self) -> Label {
        match self {
            Note::Epoch => Label::EpochFile,
            Note::Intent => Label::IntentWrite,
            Note::Standby => Label::StandbyState,
            Note::Closed | Note::Received => Label::StateWrite,
            Note::Copied => Label::PagesTable,
        }
    }
}

/// The standby: how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standby {
    /// The position that was reached last; `None` while the first full copy is applied.
    pub position: Option<Position>,
    /// The copy that is being applied.
    pub applying: Option<String>,
    /// The family of what it was seeded with: the server does not say it of a closed database.
    #[serde(default)]
    pub family: Option<uuid::Uuid>,
    /// Major version of the server that made the newest copy.
    #[serde(default)]
    pub made_by: Option<u32>,
}

/// How a database was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// In which way.
    pub how: Fencing,
    /// A file in the exchange folder: the tail of the log (handover), or a whole copy taken just before (aside).
    pub file: Option<String>,
    /// Highest folio then.
    pub last_folio: Option<i64>,
}

/// What main received from the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Files in main's exchange folder: a tail of the log, or those of the whole database.
    pub files: Vec<String>,
    /// They are complete and were compared.
    pub whole: bool,
}

/// All notes of an instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// See [`Note::Epoch`].
    pub epoch: Option<EpochRecord>,
    /// See [`Note::Intent`].
    pub intent: Option<Intent>,
    /// See [`Note::Standby`].
    pub standby: Option<Standby>,
    /// See [`Note::Closed`].
    pub closed: Option<Closed>,
    /// See [`Note::Copied`].
    pub copied: Option<Position>,
    /// See [`Note::Received`].
    pub received: Option<Received>,
}

/// What BDPdv itself says, where it can be opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    /// The epoch record: the authority.
    pub record: Option<Recorded>,
    /// Which database it is, and of which store.
    pub identity: Option<Identity>,
}

/// Identity of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The same in every copy.
    pub database: DatabaseId,
    /// The store that it belongs to.
    pub store: String,
}

/// Flags of the database that a restore elsewhere drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// TRUSTWORTHY
    pub trustworthy: bool,
    /// The service broker is enabled.
    pub broker: bool,
}

/// The epoch record as BDPdv keeps it, with who held the epochs before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The record in force.
    #[serde(flatten)]
    pub record: EpochRecord,
    /// Earlier epochs and their holders, newest last; for people.
    #[serde(default)]
    pub before: Vec<(Epoch, Side)>,
}

/// A property holds 3,750 characters: so many earlier epochs are kept.
pub const EPOCHS_KEPT: usize = 100;

/// Properties of BDPdv.
pub const EPOCH: &str = "relevo_epoch";
/// See [`Flags`].
const FLAGS: &str = "relevo_flags";
/// See [`Identity`].
pub const IDENTITY: &str = "relevo_database";

impl Instance {
    fn name_of(&self, note: Note) -> Result<PropertyName> {
        PropertyName::new(&format!("relevo_{}_{}", note.word(), self.database.as_str()))
    }

    /// Reads all notes.
    pub fn notes(&self) -> Result<Notes> {
        let names: Vec<PropertyName> = Note::ALL.iter().map(|note| self.name_of(*note)).collect::<Result<_>>()?;
        let found = self.values(&properties(Keeper::Instance, &names))?;
        let value = |note: Note| -> Result<Option<&str>> {
            let name = self.name_of(note)?;
            Ok(found.iter().find(|(n, _)| n == name.as_str()).map(|(_, value)| value.as_str()))
        };
        Ok(Notes {
            epoch: self.decoded(Note::Epoch.word(), value(Note::Epoch)?)?,
            intent: self.decoded(Note::Intent.word(), value(Note::Intent)?)?,
            // What cannot be believed is no position: a full copy is needed.
            standby: value(Note::Standby)?.map(|words| serde_json::from_str(words).unwrap_or_default()),
            closed: self.decoded(Note::Closed.word(), value(Note::Closed)?)?,
            copied: value(Note::Copied)?.and_then(|words| serde_json::from_str(words).ok()),
            received: value(Note::Received)?.and_then(|words| serde_json::from_str(words).ok()),
        })
    }

    /// Writes a note, or removes it.
    pub fn note<T: Serialize>(&self, note: Note, value: Option<&T>) -> Result<()> {
        let name = self.name_of(note)?;
        match value {
            Some(value) => {
                self.change(note.label(), &set_property(Keeper::Instance, &name, &PropertyValue::new(&encoded(value)?)?))
            }
            None if note == Note::Intent => self.change(Label::IntentRemove, &drop_property(Keeper::Instance, &name)),
            None => self.change(note.label(), &drop_property(Keeper::Instance, &name)),
        }
    }

    /// Removes a note.
    pub fn forget(&self, note: Note) -> Result<()> {
        self.note::<()>(note, None)
    }

    /// What the open database says of itself.
    pub fn inside(&self) -> Result<Inside> {
        let names = [PropertyName::new(EPOCH)?, PropertyName::new(IDENTITY)?];
        let found = self.values(&properties(Keeper::Database(&self.database), &names))?;
        let value = |name: &str| found.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        Ok(Inside { record: self.decoded(EPOCH, value(EPOCH))?, identity: self.decoded(IDENTITY, value(IDENTITY))? })
    }

    /// The flags that main's database had.
    pub fn flags(&self) -> Result<Option<Flags>> {
        let found = self.values(&properties(Keeper::Database(&self.database), &[PropertyName::new(FLAGS)?]))?;
        Ok(found.first().and_then(|(_, value)| serde_json::from_str(value).ok()))
    }

    /// Notes in the database which of its flags a restore elsewhere would drop, where they are others than noted.
    pub fn keep_flags(&self) -> Result<()> {
        let State { trustworthy, broker, .. } = self.must_see()?;
        let flags = Flags { trustworthy, broker };
        if self.flags()? == Some(flags) {
            return Ok(());
        }
        let (name, value) = (PropertyName::new(FLAGS)?, PropertyValue::new(&encoded(&flags)?)?);
        self.ask(&set_property(Keeper::Database(&self.database), &name, &value)).map(drop)
    }

    fn values(&self, statement: &super::statements::Statement) -> Result<Vec<(String, String)>> {
        self.ask(statement)?.iter().map(|row| Ok((row.must_words("name")?, row.words("value")?.unwrap_or_default()))).collect()
    }

    fn decoded<T: DeserializeOwned>(&self, what: &str, words: Option<&str>) -> Result<Option<T>> {
        words.map(serde_json::from_str).transpose().map_err(|error| {
            let instance = &self.access.instance;
            Failure::new(
                Exit::Stuck,
                "record_file",
                text!("la anotación {what} en {instance} no se entiende", "the note {what} on {instance} cannot be understood"),
            )
            .cause(error)
            .hint(text!(
                "una persona debe revisarla; no la borre sin más: vea relevo status en los otros equipos y llame a soporte",
                "a person has to look at it; do not just delete it: see relevo status on the other machines and call support"
            ))
        })
    }
}

/// As it is kept.
pub fn encoded<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Failure::failed("unserialisable", text!("no se pudo anotar", "it could not be noted")).cause(error))
}
