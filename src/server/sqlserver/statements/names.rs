//! Names, paths and other words that go into a statement: checked once, quoted in one way only. Whatever they say, a name stays one
//! identifier and a text one literal; control characters (NUL too) are refused, since no name of ours has them and tools stop at them.

use std::fmt;

use crate::error::{Failure, Result};
use crate::text;
use crate::text::Text;

/// `[x]`, with `]` doubled.
pub(super) fn identifier(words: &str) -> String {
    format!("[{}]", words.replace(']', "]]"))
}

/// `N'x'`, with `'` doubled.
pub(super) fn literal(words: &str) -> String {
    format!("N'{}'", words.replace('\'', "''"))
}

fn refused(what: &Text, words: &str, why: Text) -> Failure {
    // Escaped: a control character must not reach the person's terminal.
    let shown: String = words.chars().take(80).flat_map(char::escape_debug).collect();
    let Text { es, en } = what;
    Failure::invalid("sql_name", text!("{es} no sirve: «{shown}»", "{en} cannot be used: \"{shown}\"")).hint(why)
}

/// Fails unless `words` can stand in a statement: something, of at most `most` UTF-16 units, without control characters.
pub(super) fn fits(what: &Text, words: &str, most: usize) -> Result<()> {
    if words.is_empty() {
        return Err(refused(what, words, text!("no puede ir vacío", "it must not be empty")));
    }
    if words.chars().any(char::is_control) {
        return Err(refused(what, words, text!("quite los caracteres de control", "take the control characters out")));
    }
    if words.encode_utf16().count() > most {
        return Err(refused(what, words, text!("no más de {most} caracteres", "at most {most} characters")));
    }
    Ok(())
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($most:literal, $es:literal, $en:literal);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Checks the words.
            pub fn new(words: &str) -> Result<Self> {
                fits(&text!($es, $en), words, $most)?;
                Ok($name(words.to_owned()))
            }

            /// As it is.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// `N'…'`.
            pub fn literal(&self) -> String {
                literal(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

words! {
    /// A login, or a database user of the same name.
    LoginName(128, "el nombre del inicio de sesión", "the name of the login");
    /// The logical name of a database file.
    LogicalName(128, "el nombre lógico del archivo", "the logical name of the file");
    /// The name that a backup set carries.
    BackupName(128, "el nombre del respaldo", "the name of the backup");
    /// What a program calls itself (`program_name`).
    ProgramName(128, "el nombre del programa", "the name of the program");
    /// The resource of an application lock.
    LockName(255, "el nombre del bloqueo", "the name of the lock");
    /// The name of an extended property.
    PropertyName(128, "el nombre de la propiedad", "the name of the property");
    /// The value of an extended property: 7,500 bytes at most.
    PropertyValue(3750, "el valor de la propiedad", "the value of the property");
}

impl LoginName {
    /// `[…]`.
    pub fn identifier(&self) -> String {
        identifier(&self.0)
    }
}

/// A user database. The system's own databases cannot be named: nothing here may be sent against them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatabaseName(String);

/// Databases that belong to the instance.
const SYSTEM: [&str; 6] = ["master", "model", "msdb", "tempdb", "mssqlsystemresource", "distribution"];

impl DatabaseName {
    /// Checks the name.
    pub fn new(name: &str) -> Result<Self> {
        let what = text!("el nombre de la base", "the name of the database");
        fits(&what, name, 123)?; // five fewer than the server takes: its log file is called NAME_log
        // The server ignores trailing spaces and, mostly, case.
        if SYSTEM.contains(&name.trim().to_lowercase().as_str()) {
            return Err(refused(&what, name, text!("es una base del sistema", "it is a database of the system")));
        }
        Ok(DatabaseName(name.to_owned()))
    }

    /// How the names of its files begin: the letters and digits of its name, all else `_`. Whatever it is called, this is no path.
    pub fn of_files(&self) -> String {
        self.0.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
    }

    /// As it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `[…]`.
    pub fn identifier(&self) -> String {
        identifier(&self.0)
    }

    /// `N'…'`.
    pub fn literal(&self) -> String {
        literal(&self.0)
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A database that relevo makes for a trial restore and drops afterwards. Its name cannot be that of the store's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScratchName(DatabaseName);

impl ScratchName {
    /// The scratch database beside `database`.
    pub fn of(database: &DatabaseName) -> Result<Self> {
        DatabaseName::new(&format!("{database}_relevo_prueba")).map(ScratchName)
    }

    /// Its name, for the statements that any database takes.
    pub fn database(&self) -> &DatabaseName {
        &self.0
    }
}

/// An absolute path on the computer of the server that runs the statement; its service account opens it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerPath(String);

impl ServerPath {
    /// Checks the path: `X:\…`, `\\server\share\…`, or `/…` where the server runs on Linux.
    pub fn new(path: &str) -> Result<Self> {
        let what = text!("la ruta en el servidor", "the path on the server");
        fits(&what, path, 259)?;
        let bytes = path.as_bytes();
        let drive = bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/');
        // `\\.\` and `\\?\` name devices: a log backup to NUL would break the chain of everybody.
        let share = path.strip_prefix(r"\\").is_some_and(|rest| !rest.starts_with(['.', '?', '\\']) && rest.contains('\\'));
        let unix = path.starts_with('/') && path.len() > 1 && !path.starts_with("//");
        if !(drive || share || unix) {
            return Err(refused(&what, path, text!("escriba la ruta completa", "write the whole path")));
        }
        Ok(ServerPath(path.to_owned()))
    }

    /// A file in this folder. `name` is one name, no path.
    pub fn join(&self, name: &str) -> Result<Self> {
        let separator = if self.0.starts_with('/') { '/' } else { '\\' };
        if name.is_empty() || name.contains(['/', '\\', ':']) || name == ".." || name == "." {
            let what = text!("el nombre del archivo", "the name of the file");
            return Err(refused(&what, name, text!("un nombre, sin carpeta", "a name, without folder")));
        }
        ServerPath::new(&format!("{}{separator}{name}", self.0.trim_end_matches(separator)))
    }

    /// As it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `N'…'`.
    pub fn literal(&self) -> String {
        literal(&self.0)
    }
}

impl fmt::Display for ServerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session (spid) of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(i16);

impl SessionId {
    /// Checks the number.
    pub fn new(number: i64) -> Result<Self> {
        match i16::try_from(number) {
            Ok(id) if id > 0 => Ok(SessionId(id)),
            _ => Err(refused(
                &text!("el número de la sesión", "the number of the session"),
                &number.to_string(),
                text!("va de 1 a 32767", "it goes from 1 to 32767"),
            )),
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A point in time as the server writes it in style 126 (`2026-01-31T10:00:00.123`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTime(String);

impl ServerTime {
    /// Checks the form.
    pub fn new(time: &str) -> Result<Self> {
        let what = text!("la hora del servidor", "the time of the server");
        let form = |(at, c): (usize, char)| match at {
            4 | 7 => c == '-',
            10 => c == 'T',
            13 | 16 => c == ':',
            19 => c == '.',
            _ => c.is_ascii_digit(),
        };
        let long = time.len() == 19 || (21..=23).contains(&time.len());
        if !long || !time.char_indices().all(form) {
            return Err(refused(
                &what,
                time,
                text!("la forma es 2026-01-31T10:00:00.123", "the form is 2026-01-31T10:00:00.123"),
            ));
        }
        Ok(ServerTime(time.to_owned()))
    }

    /// As it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `N'…'`.
    pub fn literal(&self) -> String {
        literal(&self.0)
    }
}

/// Bytes as the server writes them in style 1: `0x…`. Never shown by Debug: hashes of passwords pass through here.
#[derive(Clone, PartialEq, Eq)]
pub struct HexBytes(String);

impl HexBytes {
    /// Checks the form; at most `most` bytes.
    pub fn new(hex: &str, most: usize) -> Result<Self> {
        let digits = hex.strip_prefix("0x").unwrap_or_default();
        let fits = !digits.is_empty() && digits.len().is_multiple_of(2) && digits.len() <= 2 * most;
        if !fits || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            let what = text!("el valor binario", "the binary value");
            return Err(refused(&what, "…", text!("0x y un número par de cifras", "0x and an even number of digits")));
        }
        Ok(HexBytes(format!("0x{}", digits.to_ascii_uppercase())))
    }

    /// `0x…`.
    pub fn literal(&self) -> &str {
        &self.0
    }

    /// The first `n` bytes, to tell versions apart.
    pub fn starts_with(&self, bytes: &[u8]) -> bool {
        let hex: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
        self.0[2..].starts_with(&hex)
    }
}

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x… ({} bytes)", (self.0.len() - 2) / 2)
    }
}
