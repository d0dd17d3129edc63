//! Bytes of a small text file as lines: UTF-8, UTF-16 with BOM, else Windows-1252, as Mexican tills of any age write them.

use std::path::Path;

use crate::error::Failure;
use crate::text;
use crate::text::Text;

/// A signal file is a few lines; more is something else (bytes).
pub const MOST: usize = 64 << 10;

/// What is wrong, and where: line from 1, 0 for the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Line.
    pub line: usize,
    /// Reason.
    pub reason: Text,
}

impl Wrong {
    /// At a line.
    pub fn at(line: usize, reason: Text) -> Self {
        Wrong { line, reason }
    }

    /// As a failure that names the file.
    pub fn failure(&self, kind: &str, path: &Path) -> Failure {
        let (shown, line, Text { es, en }) = (path.display(), self.line, &self.reason);
        let message = if line == 0 {
            text!("{shown}: {es}", "{shown}: {en}")
        } else {
            text!("{shown}, línea {line}: {es}", "{shown}, line {line}: {en}")
        };
        Failure::invalid(kind, message).hint(text!(
            "corríjalo en el servidor principal con: relevo setup",
            "correct it on the main server with: relevo setup"
        ))
    }
}

/// The text of a file, decoded.
pub fn decode(bytes: &[u8]) -> Result<String, Wrong> {
    let whole = |reason| Err(Wrong::at(0, reason));
    if bytes.len() > MOST {
        return whole(text!("es demasiado grande para un archivo señal", "it is too large for a signal file"));
    }
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => match std::str::from_utf8(rest) {
            Ok(text) => text.to_owned(),
            Err(_) => return whole(text!("dice ser UTF-8 y no lo es", "it claims to be UTF-8 and is not")),
        },
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|b| windows_1252(*b)).collect(), str::to_owned),
    };
    let control = |c: char| c.is_control() && !matches!(c, '\r' | '\n' | '\t' | '\u{1a}');
    if let Some(line) = text.split('\n').position(|line| line.contains(control)) {
        return Err(Wrong::at(line + 1, text!("tiene caracteres que no son texto", "it has characters that are no text")));
    }
    Ok(text)
}

/// Lines with their number from 1: without blank ones, spaces around them, and the Ctrl-Z that DOS editors leave at the end.
pub fn lines(text: &str) -> Vec<(usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_matches(|c: char| c.is_whitespace() || c == '\u{1a}')));
    lines.filter(|(_, line)| !line.is_empty()).collect()
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Wrong> {
    let bad = || Wrong::at(0, text!("dice ser UTF-16 y no lo es", "it claims to be UTF-16 and is not"));
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(bad());
    }
    let units: Vec<u16> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).map_err(|_| bad())
}

/// 0x80-0x9F differ from Latin-1; the five that are unassigned stay controls and are refused as such.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“',
        '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_gives_the_same_text() {
        let words = "respaldo=CAJA_ÑANDÚ";
        let utf16 = |bom: [u8; 2], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            bom.into_iter().chain(words.encode_utf16().flat_map(bytes)).collect()
        };
        let with_bom: Vec<u8> = [0xEF, 0xBB, 0xBF].into_iter().chain(words.bytes()).collect();
        let latin: Vec<u8> = words.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        for bytes in [
            words.as_bytes().to_vec(),
            with_bom,
            utf16([0xFF, 0xFE], u16::to_le_bytes),
            utf16([0xFE, 0xFF], u16::to_be_bytes),
            latin,
        ] {
            assert_eq!(decode(&bytes).unwrap(), words);
        }
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        assert_eq!(decode(b"a\nb\0c").unwrap_err().line, 2);
        assert_eq!(decode(&[0xFF, 0xFE, 0x41]).unwrap_err().line, 0);
        assert_eq!(decode(&vec![b'a'; MOST + 1]).unwrap_err().line, 0);
        assert_eq!(decode(&[0x81]).unwrap_err().line, 1);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            let _ = decode(&bytes).map(|text| lines(&text).len());
        }
    }
}
