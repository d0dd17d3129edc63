//! Dates and times: 100-nanosecond ticks since 0001-01-01, their texts, and the calendar.

pub(super) const SECOND: i64 = 10_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Ticks of 9999-12-31 at its end, not included.
const END: i64 = 3_652_059 * DAY;
/// Ticks of 1753-01-01, where datetime begins.
const DATETIME_BEGINS: i64 = 639_905 * DAY;
/// Days from 0001-01-01 to 1900-01-01, the day zero of datetime.
pub(super) const DAY_ZERO: i64 = 693_595;

/// A moment, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// Ticks below a second.
    pub(super) ticks: i64,
}

pub(super) fn in_range(ticks: i64) -> bool {
    (0..END).contains(&ticks)
}

pub(super) fn in_datetime_range(ticks: i64) -> bool {
    (DATETIME_BEGINS..END).contains(&ticks)
}

/// To 1/300 of a second, as datetime keeps it.
pub(super) fn round_to_datetime(ticks: i64) -> i64 {
    let (day, rest) = (ticks.div_euclid(DAY), ticks.rem_euclid(DAY));
    let units = (rest * 3 + 50_000) / 100_000;
    // A unit is 3.33 ms; on the wire and in texts it shows as .000, .003, .007.
    let milliseconds = (units * 10 + 1) / 3;
    day * DAY + milliseconds * 10_000
}

/// To `scale` digits below the second.
pub(super) fn round_to_scale(ticks: i64, scale: u8) -> i64 {
    let unit = 10_i64.pow(7 - u32::from(scale.min(7)));
    (ticks + unit / 2) / unit * unit
}

/// Days from 0001-01-01 to this day.
pub(super) fn days_from(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 306
}

pub(super) fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn moment(ticks: i64) -> Moment {
    let (days, rest) = (ticks.div_euclid(DAY), ticks.rem_euclid(DAY));
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted - era * 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Moment {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: rest / (3_600 * SECOND),
        minute: rest / (60 * SECOND) % 60,
        second: rest / SECOND % 60,
        ticks: rest % SECOND,
    }
}

impl Moment {
    /// `None`: no such day or time.
    pub(super) fn to_ticks(self) -> Option<i64> {
        let day = (1..=9999).contains(&self.year) && (1..=12).contains(&self.month) && self.day >= 1;
        let right = day && self.day <= days_in(self.year, self.month) && self.hour < 24 && self.minute < 60 && self.second < 60;
        let seconds = self.hour * 3_600 + self.minute * 60 + self.second;
        right.then(|| days_from(self.year, self.month, self.day) * DAY + seconds * SECOND + self.ticks)
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A text of one of CONVERT's styles. `digits` below the second, for the styles that show them. `None`: a style that is not known.
pub(super) fn text(ticks: i64, style: i64, digits: u8) -> Option<String> {
    let Moment { year, month, day, hour, minute, second, ticks } = moment(ticks);
    let fraction = format!("{ticks:07}");
    let fraction = &fraction[..usize::from(digits.min(7))];
    let dotted = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let half = if hour < 12 { "AM" } else { "PM" };
    let name = MONTHS[usize::try_from(month - 1).unwrap_or_default() % 12];
    Some(match style {
        0 | 100 => format!("{name} {day:>2} {year:04} {twelve:>2}:{minute:02}{half}"),
        1 => format!("{month:02}/{day:02}/{:02}", year % 100),
        3 => format!("{day:02}/{month:02}/{:02}", year % 100),
        101 => format!("{month:02}/{day:02}/{year:04}"),
        102 => format!("{year:04}.{month:02}.{day:02}"),
        103 => format!("{day:02}/{month:02}/{year:04}"),
        104 => format!("{day:02}.{month:02}.{year:04}"),
        105 => format!("{day:02}-{month:02}-{year:04}"),
        8 | 108 => time,
        111 => format!("{year:04}/{month:02}/{day:02}"),
        12 => format!("{:02}{month:02}{day:02}", year % 100),
        112 => format!("{year:04}{month:02}{day:02}"),
        14 | 114 => format!("{time}:{fraction}"),
        20 | 120 => format!("{year:04}-{month:02}-{day:02} {time}"),
        21 | 25 | 121 => format!("{year:04}-{month:02}-{day:02} {time}{dotted}"),
        23 => format!("{year:04}-{month:02}-{day:02}"),
        // A whole second shows no fraction in 126.
        126 | 127 if ticks == 0 => format!("{year:04}-{month:02}-{day:02}T{time}"),
        126 | 127 => format!("{year:04}-{month:02}-{day:02}T{time}{dotted}"),
        _ => return None,
    })
}

/// Reads the texts that mean the same in every language: `yyyymmdd`, `yyyy-mm-dd`, with a time after a blank or a T, perhaps a Z; and
/// a time alone, on day zero.
pub(super) fn read(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(DAY_ZERO * DAY);
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None if text.contains(':') => ("", text),
        None => (text, ""),
    };
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok()).flatten();
    let (year, month, day) = match date.split(['-', '/']).collect::<Vec<_>>().as_slice() {
        [""] => (1900, 1, 1),
        [whole] if whole.len() == 8 => (number(&whole[..4])?, number(&whole[4..6])?, number(&whole[6..])?),
        [year, month, day] if year.len() == 4 => (number(year)?, number(month)?, number(day)?),
        _ => return None,
    };
    let mut moment = Moment { year, month, day, hour: 0, minute: 0, second: 0, ticks: 0 };
    if !time.is_empty() {
        let (clock, half) = match time.get(time.len().saturating_sub(2)..).map(str::to_ascii_uppercase).as_deref() {
            Some("AM") => (time[..time.len() - 2].trim_end(), Some(0)),
            Some("PM") => (time[..time.len() - 2].trim_end(), Some(12)),
            _ => (time, None),
        };
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let parts = clock.split(':').map(number).collect::<Option<Vec<i64>>>()?;
        (moment.hour, moment.minute, moment.second) = match parts.as_slice() {
            [hour, minute] if fraction.is_empty() => (*hour, *minute, 0),
            [hour, minute, second] => (*hour, *minute, *second),
            _ => return None,
        };
        if let Some(half) = half {
            moment.hour = (1..=12).contains(&moment.hour).then_some(moment.hour % 12 + half)?;
        }
        if fraction.len() > 9 {
            return None;
        }
        number(fraction.get(..1).unwrap_or("0"))?;
        moment.ticks = number(&format!("{fraction:0<7}")[..7])?;
    }
    moment.to_ticks()
}

/// Adds months, and keeps to the end of a shorter one.
pub(super) fn add_months(ticks: i64, months: i64) -> Option<i64> {
    let mut moment = moment(ticks);
    let total = (moment.year * 12 + moment.month - 1).checked_add(months)?;
    (moment.year, moment.month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    moment.day = moment.day.min(days_in(moment.year, moment.month));
    moment.to_ticks()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for text_of in [
            "2026-11-24 12:26:41.1234567",
            "0001-01-01 00:00:00.0000000",
            "9999-12-31 23:59:59.9999999",
            "2024-02-29 01:02:03.0000000",
        ] {
            let ticks = read(text_of).unwrap();
            assert_eq!(text(ticks, 121, 7).unwrap(), text_of);
        }
        assert_eq!(read("1753-01-01"), Some(DATETIME_BEGINS));
        assert_eq!(read("1900-01-01"), Some(DAY_ZERO * DAY));
        assert_eq!(read("20261124 3:05 PM"), read("2026-11-24T15:05:00Z"));
        for wrong in [
            "2026-02-29",
            "2026-13-01",
            "x",
            "24/11/2026",
            "2026-11-24 25:00",
            "2026-11-24 1:2:3.x",
            "2026-11-24 1",
            "é",
            "13:00 PM",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn styles_are_as_documented() {
        let ticks = read("2026-01-04 09:05:06.123").unwrap();
        let cases = [
            (0, "Jan  4 2026  9:05AM"),
            (103, "04/01/2026"),
            (112, "20260104"),
            (120, "2026-01-04 09:05:06"),
            (121, "2026-01-04 09:05:06.123"),
            (126, "2026-01-04T09:05:06.123"),
        ];
        for (style, expected) in cases {
            assert_eq!(text(ticks, style, 3).unwrap(), expected);
        }
        assert_eq!(text(ticks, 999, 3), None);
    }

    #[test]
    fn datetime_ends_in_0_3_or_7() {
        for (given, kept) in
            [("00", "000"), ("001", "000"), ("002", "003"), ("004", "003"), ("005", "007"), ("008", "007"), ("009", "010")]
        {
            let ticks = round_to_datetime(read(&format!("2026-01-01 00:00:00.{given}")).unwrap());
            assert_eq!(text(ticks, 121, 3).unwrap(), format!("2026-01-01 00:00:00.{kept}"));
        }
        let next = round_to_datetime(read("2026-01-01 23:59:59.999").unwrap());
        assert_eq!(text(next, 121, 3).unwrap(), "2026-01-02 00:00:00.000");
    }

    #[test]
    fn months_keep_to_their_end() {
        assert_eq!(add_months(read("2026-01-31").unwrap(), 1), read("2026-02-28"));
        assert_eq!(add_months(read("2026-01-31").unwrap(), -2), read("2025-11-30"));
    }
}
