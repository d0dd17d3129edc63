//! FecBak.txt: when the copy that the backup holds was made (fecha del respaldo). What people are shown; nothing decides by it
//! but *clock unsure*.

use jiff::Timestamp;

use crate::signal::text_file::{Wrong, decode, lines};
use crate::text;

/// The instant it names; `None` where it is empty.
pub fn parse(bytes: &[u8]) -> Result<Option<Timestamp>, Wrong> {
    let text = decode(bytes)?;
    match lines(&text).first() {
        None => Ok(None),
        Some((number, line)) => {
            let bad =
                || Wrong::at(*number, text!("«{line}» no es fecha y hora ISO 8601", "\"{line}\" is no ISO 8601 date and time"));
            line.parse().map(Some).map_err(|_| bad())
        }
    }
}

/// Local time with offset, as RFC 3339.
pub fn render(at: &str) -> String {
    format!("{at}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let at = "2026-11-23T10:43:07-06:00";
        assert_eq!(parse(render(at).as_bytes()).unwrap().unwrap(), at.parse::<Timestamp>().unwrap());
        assert_eq!(parse(b"").unwrap(), None);
        assert_eq!(parse(b"ayer").unwrap_err().line, 1);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn print_then_parse_is_the_same(second in -2_000_000_000i64..250_000_000_000) {
            let at = Timestamp::from_second(second).unwrap();
            proptest::prop_assert_eq!(parse(render(&at.to_string()).as_bytes()).unwrap(), Some(at));
        }
    }
}
