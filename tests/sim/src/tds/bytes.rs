//! Reading and writing the pieces that TDS is made of. Whatever a client sends is read with bounds: bad bytes are an error, never a panic.

/// What the client sent is no TDS; says what was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Reads a message from its front.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed(what))?;
        self.0 = rest;
        Ok(taken)
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array(what)?))
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Text of one byte of length, counted in characters.
    pub fn short_text(&mut self, what: &'static str) -> Result<String, Malformed> {
        let count = usize::from(self.u8(what)?);
        utf16(self.take(count * 2, what)?)
    }
}

/// Text of UTF-16LE bytes. Halves of surrogates become U+FFFD, as clients send what users typed.
pub fn utf16(bytes: &[u8]) -> Result<String, Malformed> {
    if !bytes.len().is_multiple_of(2) {
        return Err(Malformed("text in UTF-16"));
    }
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// UTF-16LE bytes of a text.
pub fn to_utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The longest beginning of `text` of at most `units` UTF-16 units.
fn cut(text: &str, units: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.len_utf16();
        used > units
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// B_VARCHAR: one byte of length in characters. Longer texts are cut: names of the protocol are never so long.
pub fn put_short_text(out: &mut Vec<u8>, text: &str) {
    let bytes = to_utf16(cut(text, 255));
    out.push((bytes.len() / 2) as u8);
    out.extend(bytes);
}

/// US_VARCHAR: two bytes of length in characters. SQL Server cuts its messages at 2,047 characters.
pub fn put_message_text(out: &mut Vec<u8>, text: &str) {
    let bytes = to_utf16(cut(text, 2047));
    out.extend((bytes.len() as u16 / 2).to_le_bytes());
    out.extend(bytes);
}

/// What Windows-1252 has from 0x80 to 0x9F; the rest is Latin-1. The five places it leaves free map to themselves.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”',
    '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Text of the bytes of a char or varchar.
pub fn from_code_page(bytes: &[u8]) -> String {
    let character = |byte: &u8| match *byte {
        0x80..=0x9F => WINDOWS_1252[usize::from(*byte - 0x80)],
        byte => char::from(byte),
    };
    bytes.iter().map(character).collect()
}

/// Bytes of a char or varchar; `?` for what the code page lacks, as the server does.
pub fn to_code_page(text: &str) -> Vec<u8> {
    let byte = |c: char| match WINDOWS_1252.iter().position(|known| *known == c) {
        Some(place) => 0x80 + place as u8,
        None => u8::try_from(u32::from(c)).ok().filter(|byte| !(0x80..=0x9F).contains(byte)).unwrap_or(b'?'),
    };
    text.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_page_goes_both_ways() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(to_code_page(&from_code_page(&all)), all);
        assert_eq!(to_code_page("ñ€日"), [0xF1, 0x80, b'?']);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let mut out = Vec::new();
        put_short_text(&mut out, &"😀".repeat(200));
        assert_eq!((out[0], out.len()), (254, 1 + 254 * 2));
        assert_eq!(utf16(&out[1..]).unwrap(), "😀".repeat(127));
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut reader = Reader::new(&[3, b'a', 0]);
        assert_eq!(reader.short_text("name"), Err(Malformed("name")));
        assert_eq!(utf16(&[1]), Err(Malformed("text in UTF-16")));
    }
}
