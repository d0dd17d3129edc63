//! Errors of the server's operating system, out of the texts that carry them. The words are localized, the number stands before the
//! parenthesis: "Operating system error 5(Access is denied.)", "Error del sistema operativo 5(Acceso denegado.)".

use super::Class;
use crate::text::Text;

/// A row of the table.
#[derive(Debug)]
pub(super) struct Entry {
    numbers: &'static [u32],
    /// What it means for the work.
    pub(super) class: Class,
    /// Stable code of the failure.
    pub(super) kind: &'static str,
    message: (&'static str, &'static str),
    remedy: (&'static str, &'static str),
}

impl Entry {
    pub(super) fn message(&self) -> Text {
        Text { es: self.message.0.to_owned(), en: self.message.1.to_owned() }
    }

    pub(super) fn remedy(&self) -> Text {
        Text { es: self.remedy.0.to_owned(), en: self.remedy.1.to_owned() }
    }
}

/// The row for a number of Windows (Linux servers translate theirs to the same).
pub(super) fn entry(number: u32) -> Option<&'static Entry> {
    SYSTEM.iter().find(|entry| entry.numbers.contains(&number))
}

const SYSTEM: [Entry; 7] = [
    Entry {
        numbers: &[2, 3, 15, 123, 161, 206],
        class: Class::Permission,
        kind: "sql_path_missing",
        message: (
            "esa carpeta o archivo no existe en la computadora del servidor",
            "that folder or file does not exist on the server's computer",
        ),
        remedy: ("la ruta es la del servidor: revise que exista allí", "the path is the server's: check that it exists there"),
    },
    Entry {
        numbers: &[5, 19, 1326, 1314, 1385],
        class: Class::Permission,
        kind: "sql_access_denied",
        message: (
            "la cuenta de servicio de SQL Server no tiene permiso para ese archivo",
            "SQL Server's service account has no right to that file",
        ),
        remedy: (
            "dé a la cuenta de servicio permiso de lectura y escritura en la carpeta; use carpetas locales",
            "give the service account the right to read and write in the folder; use local folders",
        ),
    },
    Entry {
        numbers: &[32, 33],
        class: Class::Transient,
        kind: "sql_file_busy",
        message: ("otro programa tiene abierto ese archivo", "another program has that file open"),
        remedy: (
            "suele ser el antivirus: excluya las carpetas de la base y de las copias",
            "often it is the virus scanner: exclude the folders of the database and of the copies",
        ),
    },
    Entry {
        numbers: &[39, 112],
        class: Class::Disk,
        kind: "sql_disk_full",
        message: ("el disco del servidor está lleno", "the server's disk is full"),
        remedy: ("libere espacio", "free space"),
    },
    Entry {
        numbers: &[53, 55, 59, 64, 67, 121, 1231, 1236],
        class: Class::Disk,
        kind: "sql_network_path",
        message: ("la carpeta de red no responde o se cortó", "the network folder does not answer or was cut"),
        remedy: ("use una carpeta local del servidor; revise la red", "use a local folder of the server; check the network"),
    },
    Entry {
        numbers: &[38],
        class: Class::Media,
        kind: "sql_truncated_backup",
        message: ("el archivo del respaldo está incompleto", "the file of the backup is incomplete"),
        remedy: ("se copia de nuevo; si sigue, se hace otro", "it is copied again; if that does not help another one is taken"),
    },
    Entry {
        numbers: &[21, 23, 27, 483, 1117],
        class: Class::Fatal,
        kind: "sql_disk_broken",
        message: ("el disco del servidor falla", "the server's disk fails"),
        remedy: ("cambie ese disco", "replace that disk"),
    },
];

/// The number of the operating-system error in a message.
pub fn os_error(text: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    // "error 5(…", "error del sistema operativo 5(…", "error '5(…", "error: 5".
    let named = lower.match_indices("error").find_map(|(at, word)| {
        let rest = lower[at + word.len()..].trim_start();
        let rest = rest.strip_prefix("del sistema operativo").unwrap_or(rest);
        number(rest.trim_start_matches([' ', ':', '\'', '"', '\u{a0}']))
    });
    named.or_else(|| before_parenthesis(&without_paths(text)))
}

fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The first number that stands right before a parenthesis.
fn before_parenthesis(text: &str) -> Option<u32> {
    text.match_indices('(').find_map(|(at, _)| {
        let before = &text[..at];
        let start = before
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |found| found + before[found..].chars().next().map_or(1, char::len_utf8));
        before[start..].parse().ok()
    })
}

/// The text without quoted paths: `C:\Copia 2(1)\x` has a number before a parenthesis too.
fn without_paths(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(open) = rest.find(['\'', '"']) {
        let quote = &rest[open..=open];
        let Some(length) = rest[open + 1..].find(quote) else { break };
        let inside = &rest[open + 1..open + 1 + length];
        kept.push_str(&rest[..open]);
        if !inside.contains(['\\', '/']) {
            kept.push_str(inside);
        }
        rest = &rest[open + length + 2..];
    }
    kept + rest
}
