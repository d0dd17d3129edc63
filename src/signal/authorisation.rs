//! The authorisation string mAutPdv: characters count from 1; 7th "1" = mirror authorised, 8th "1" = backup licence.

use serde::Serialize;

/// What the string authorises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Authorised {
    /// The mirror (7th).
    pub mirror: bool,
    /// This machine's licence is a backup licence, SvrBak (8th).
    pub backup: bool,
}

/// Reads it; a shorter string reads as "0".
pub fn parse(string: &str) -> Authorised {
    let nth = |n: usize| string.chars().nth(n - 1) == Some('1');
    Authorised { mirror: nth(7), backup: nth(8) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventh_and_eighth() {
        for (string, mirror, backup) in [
            ("0000001100", true, true),
            ("0000001", true, false),
            ("00000001", false, true),
            ("000000", false, false),
            ("", false, false),
            ("ñññññññ1", false, true),
            ("00000022", false, false),
        ] {
            assert_eq!(parse(string), Authorised { mirror, backup }, "{string}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_string_gives_a_value(string: String) {
            let chars: Vec<char> = string.chars().collect();
            let wanted = Authorised { mirror: chars.get(6) == Some(&'1'), backup: chars.get(7) == Some(&'1') };
            proptest::prop_assert_eq!(parse(&string), wanted);
        }
    }
}
