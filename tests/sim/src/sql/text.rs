//! Text: its length in UTF-16, the code page of varchar, how it compares, LIKE, and the texts of bytes and GUIDs.

use std::cmp::Ordering;

/// Characters as T-SQL counts them: UTF-16 code units.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The first `limit` units; a character of two units is not cut apart.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let mut left = limit;
    text.chars().take_while(|next| left.checked_sub(next.len_utf16()).map(|rest| left = rest).is_some()).collect()
}

/// Blanks up to `size` units.
pub(super) fn pad(mut text: String, size: usize) -> String {
    let missing = size.saturating_sub(units(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// What windows-1252 has at 0x80 to 0x9F.
const HIGH: &str = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ";
const HIGH_BYTES: [u8; 27] = [
    0x80, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8E, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
    0x99, 0x9A, 0x9B, 0x9C, 0x9E, 0x9F,
];

fn code_page_byte(character: char) -> Option<u8> {
    match u8::try_from(character) {
        Ok(byte) => Some(byte),
        Err(_) => HIGH.chars().position(|high| high == character).map(|place| HIGH_BYTES[place]),
    }
}

/// The text as varchar keeps it: what is not in the code page becomes a question mark.
pub(super) fn in_code_page(text: &str) -> String {
    text.chars().map(|next| if code_page_byte(next).is_some() { next } else { '?' }).collect()
}

pub(super) fn code_page_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|next| code_page_byte(next).unwrap_or(b'?')).collect()
}

/// How texts compare: case does not count, nor do blanks at the end.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let fold = |text: &str| text.trim_end_matches(' ').chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    if a.is_ascii() && b.is_ascii() {
        let plain = |text: &'_ str| text.trim_end_matches(' ').len();
        let (a, b) = (&a.as_bytes()[..plain(a)], &b.as_bytes()[..plain(b)]);
        return a.iter().map(u8::to_ascii_lowercase).cmp(b.iter().map(u8::to_ascii_lowercase));
    }
    fold(a).cmp(&fold(b))
}

/// The same where case counts.
pub(super) fn compare_exactly(a: &str, b: &str) -> Ordering {
    a.trim_end_matches(' ').cmp(b.trim_end_matches(' '))
}

/// A piece of a LIKE pattern.
enum Piece {
    Any,
    One,
    Set { negated: bool, ranges: Vec<(char, char)> },
    Exactly(char),
}

/// LIKE: % _ [a-f] [^a-f], whatever the case. Blanks at the end of the pattern count.
pub(super) fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let escape = escape.and_then(|escape| escape.to_lowercase().next());
    let pieces = pieces(&lower(pattern), escape);
    let text = lower(text);
    // The usual two pointers: the last % is tried with one character more each time.
    let (mut at, mut piece, mut retry) = (0, 0, None);
    while at < text.len() {
        match pieces.get(piece) {
            Some(Piece::Any) => {
                retry = Some((piece, at));
                piece += 1;
            }
            Some(other) if matches_one(other, text[at]) => {
                at += 1;
                piece += 1;
            }
            _ => match retry {
                Some((any, from)) => {
                    retry = Some((any, from + 1));
                    piece = any + 1;
                    at = from + 1;
                }
                // `x   ` is like `x`: blanks that the pattern does not ask for.
                None => return piece == pieces.len() && text[at..].iter().all(|rest| *rest == ' '),
            },
        }
    }
    pieces[piece..].iter().all(|rest| matches!(rest, Piece::Any))
}

fn matches_one(piece: &Piece, character: char) -> bool {
    match piece {
        Piece::Any => false,
        Piece::One => true,
        Piece::Exactly(wanted) => *wanted == character,
        Piece::Set { negated, ranges } => *negated != ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)),
    }
}

fn pieces(pattern: &[char], escape: Option<char>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(next) = pattern.get(at) {
        at += 1;
        pieces.push(match next {
            escaped if Some(*escaped) == escape && at < pattern.len() => {
                at += 1;
                Piece::Exactly(pattern[at - 1])
            }
            '%' => Piece::Any,
            '_' => Piece::One,
            '[' => match set(&pattern[at..]) {
                Some((set, length)) => {
                    at += length;
                    set
                }
                None => Piece::Exactly('['),
            },
            other => Piece::Exactly(*other),
        });
    }
    pieces
}

/// What stands between brackets, and how long it is with the closing one.
fn set(rest: &[char]) -> Option<(Piece, usize)> {
    let negated = rest.first() == Some(&'^');
    let start = usize::from(negated);
    // A closing bracket that comes first is a member.
    let end = (start + 1..rest.len()).find(|place| rest[*place] == ']')?;
    let (mut ranges, mut at) = (Vec::new(), start);
    while at < end {
        if at + 2 < end && rest[at + 1] == '-' {
            ranges.push((rest[at], rest[at + 2]));
            at += 3;
        } else {
            ranges.push((rest[at], rest[at]));
            at += 1;
        }
    }
    Some((Piece::Set { negated, ranges }, end + 1))
}

/// "0AFF"
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Reads "0AFF", or "0x0AFF" where a prefix is wanted.
pub(super) fn read_hex(text: &str, prefixed: bool) -> Option<Vec<u8>> {
    let digits = if prefixed { text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))? } else { text };
    if digits.len() % 2 == 1 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

/// Reads a GUID, with or without braces.
pub(super) fn read_guid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim_end();
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    if inner.len() != 36 {
        return None;
    }
    uuid::Uuid::try_parse(inner).ok().map(uuid::Uuid::into_bytes)
}

/// Between the order of a GUID's text and that of its bytes: the first three groups are little-endian.
pub(super) fn swap_guid(guid: [u8; 16]) -> [u8; 16] {
    let mut swapped = guid;
    swapped[..4].reverse();
    swapped[4..6].reverse();
    swapped[6..8].reverse();
    swapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_blanks_at_the_end_do_not_count() {
        for (a, b, expected) in [
            ("abc", "ABC  ", Ordering::Equal),
            ("Ñandú", "ñANDÚ", Ordering::Equal),
            ("a", "b", Ordering::Less),
            ("a ", "a b", Ordering::Less),
            ("é", "e", Ordering::Greater),
        ] {
            assert_eq!(compare(a, b), expected, "{a} {b}");
        }
        assert_eq!(compare_exactly("a", "A "), Ordering::Greater);
    }

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("BDPdv_2026.trn", "bdpdv[_]%.TRN", true),
            ("BDPdvx2026.trn", "bdpdv[_]%.TRN", false),
            ("abc", "a_c", true),
            ("abc", "a__c", false),
            ("a5", "a[0-9]", true),
            ("ax", "a[^0-9]", true),
            ("a5", "a[^0-9]", false),
            ("", "%", true),
            ("aXbXc", "%x%x%", true),
            ("aXb", "%x%x%", false),
            ("x   ", "x", true),
            ("x", "x ", false),
            ("[", "[", true),
            ("100%", "100!%", true),
            ("1000", "100!%", false),
        ] {
            assert_eq!(like(text, pattern, Some('!')), expected, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn lengths_are_units() {
        assert_eq!(units("a🛒"), 3);
        assert_eq!(cut("a🛒b", 2), "a");
        assert_eq!(cut("a🛒b", 3), "a🛒");
        assert_eq!(in_code_page("€ñ漢"), "€ñ?");
        assert_eq!(code_page_bytes("€ñ"), [0x80, 0xF1]);
        assert_eq!(HIGH.chars().count(), HIGH_BYTES.len());
    }
}
