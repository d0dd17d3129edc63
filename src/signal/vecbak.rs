//! VecBak.txt: until when the backup server is authorised (vencimiento). Absent or empty: no limit. It is licence, not safety.

use jiff::civil::Date;

use crate::signal::text_file::{Wrong, decode, lines};
use crate::text;

/// The last day on which it is valid; `None`: no limit.
pub fn parse(bytes: &[u8]) -> Result<Option<Date>, Wrong> {
    let text = decode(bytes)?;
    let lines = lines(&text);
    match lines.as_slice() {
        [] => Ok(None),
        [(number, line)] => date(line).map(Some).ok_or_else(|| {
            Wrong::at(
                *number,
                text!("«{line}» no es una fecha (dd/mm/aaaa o aaaa-mm-dd)", "\"{line}\" is no date (dd/mm/yyyy or yyyy-mm-dd)"),
            )
        }),
        [_, (number, _), ..] => {
            Err(Wrong::at(*number, text!("sobra un renglón: se espera una fecha", "one line too many: one date is expected")))
        }
    }
}

/// Writes it, as relevo does.
pub fn render(date: Date) -> String {
    format!("{:02}/{:02}/{:04}\r\n", date.day(), date.month(), date.year())
}

/// A date as people of the store, or programs, write it.
pub fn date(words: &str) -> Option<Date> {
    let parts: Vec<&str> = words.split('/').collect();
    if let [day, month, year] = parts.as_slice() {
        let sizes = [day.len(), month.len(), year.len()];
        let digits = parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
        if digits && matches!(sizes, [1..=2, 1..=2, 4]) {
            return Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
        }
        return None;
    }
    // A date with a time counts as its day.
    words
        .parse()
        .ok()
        .or_else(|| words.get(..10).filter(|_| words.as_bytes().get(10).is_some_and(|b| b"T ".contains(b)))?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let wanted = Date::new(2026, 12, 31).unwrap();
        for text in ["31/12/2026", "2026-12-31", "2026-12-31T23:59:59", "\u{feff}31/12/2026\r\n\r\n", "2026-12-31T10:00:00-06:00"]
        {
            assert_eq!(parse(text.as_bytes()), Ok(Some(wanted)), "{text}");
        }
        assert_eq!(parse(render(wanted).as_bytes()), Ok(Some(wanted)));
        assert_eq!(parse(b" \r\n"), Ok(None));
    }

    #[test]
    fn what_is_refused_and_where() {
        for (text, line) in [
            ("31/13/2026", 1),
            ("mañana", 1),
            ("12-31-2026", 1),
            ("31/12/26", 1),
            ("2026-12-31\n2027-01-01", 2),
            ("\n31.12.2026", 2),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().line, line, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>, words: String) {
            let _ = (parse(&bytes), date(&words));
        }

        #[test]
        fn print_then_parse_is_the_same(year in 1i16..=9999, day in 1i16..=365) {
            let wanted = Date::new(year, 1, 1).unwrap().saturating_add(jiff::Span::new().days(day - 1));
            proptest::prop_assert_eq!(parse(render(wanted).as_bytes()), Ok(Some(wanted)));
        }
    }
}
