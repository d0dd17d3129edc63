//! Numbers with a fixed point: texts, scales, and the four operations with T-SQL's rules for precision.

use super::message::message;
use crate::wire::{Message, Type};

/// 10 to the power of `scale`, which is at most 38.
pub(super) fn power(scale: u8) -> i128 {
    10_i128.pow(u32::from(scale.min(38)))
}

/// 8115
pub(super) fn overflow(what: &str, kind: &str) -> Message {
    message(8115, 16, format!("Arithmetic overflow error converting {what} to data type {kind}."))
}

/// Does the number have at most `precision` digits?
pub(super) fn fits(unscaled: i128, precision: u8) -> bool {
    unscaled.unsigned_abs() < power(precision).unsigned_abs()
}

/// The number at another scale, rounded half away from zero.
pub(super) fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return unscaled.checked_mul(power(to - from));
    }
    Some(divide_rounded(unscaled, power(from - to)))
}

fn divide_rounded(number: i128, by: i128) -> i128 {
    let (quotient, rest) = (number / by, number % by);
    let up = rest.unsigned_abs() * 2 >= by.unsigned_abs();
    if up { quotient + if (number < 0) == (by < 0) { 1 } else { -1 } } else { quotient }
}

/// "-12.50"
pub(super) fn text(unscaled: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Reads "-12.5" as an unscaled number and its scale. `None`: no number, or too many digits.
pub(super) fn read(text: &str) -> Option<(i128, u8)> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
        return None;
    }
    let unscaled: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= 38)?;
    fits(unscaled, 38).then_some((if negative { -unscaled } else { unscaled }, scale))
}

/// The type of a number as written: as many digits as it shows.
pub(super) fn type_of(text: &str) -> Option<Type> {
    let (unscaled, scale) = read(text)?;
    let digits = if unscaled == 0 { 1 } else { u8::try_from(unscaled.unsigned_abs().to_string().len()).ok()? };
    Some(Type::Numeric(digits.max(scale).min(38), scale))
}

/// Precision and scale of any exact type.
pub(super) fn as_numeric(kind: Type) -> Option<(u8, u8)> {
    Some(match kind {
        Type::Bit => (1, 0),
        Type::TinyInt => (3, 0),
        Type::SmallInt => (5, 0),
        Type::Int => (10, 0),
        Type::BigInt => (19, 0),
        Type::Money => (19, 4),
        Type::Numeric(precision, scale) => (precision, scale),
        _ => return None,
    })
}

/// The type of `a operator b`.
pub(super) fn result_type(operator: char, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> Type {
    let (i1, i2) = (p1 - s1, p2 - s2);
    let (whole, scale) = match operator {
        '*' => (i1 + i2 + 1, s1 + s2),
        '/' => (i1 + s2, (s1 + p2 + 1).max(6)),
        '%' => (i1.min(i2), s1.max(s2)),
        _ => (i1.max(i2) + 1, s1.max(s2)),
    };
    if whole + scale <= 38 {
        return Type::Numeric((whole + scale).max(1), scale);
    }
    // Too many digits: those below the point give way, down to 6 for products and quotients.
    let kept = match operator {
        '*' | '/' => scale.min((38_u8.saturating_sub(whole)).max(6)),
        _ => scale.min(38_u8.saturating_sub(whole)),
    };
    Type::Numeric(38, kept)
}

/// Computes `a operator b` for a result of this precision and scale.
pub(super) fn compute(
    operator: char,
    (a, s1): (i128, u8),
    (b, s2): (i128, u8),
    precision: u8,
    scale: u8,
) -> Result<i128, Message> {
    if matches!(operator, '/' | '%') && b == 0 {
        return Err(message(8134, 16, "Divide by zero error encountered."));
    }
    let common = s1.max(s2);
    let aligned = || Some((rescale(a, s1, common)?, rescale(b, s2, common)?));
    let result = match operator {
        '*' => a.checked_mul(b).and_then(|product| rescale(product, s1 + s2, scale)),
        '/' => divide((a, s1), (b, s2), scale),
        '%' => aligned().and_then(|(a, b)| rescale(a % b, common, scale)),
        '-' => aligned().and_then(|(a, b)| rescale(a.checked_sub(b)?, common, scale)),
        _ => aligned().and_then(|(a, b)| rescale(a.checked_add(b)?, common, scale)),
    };
    result.filter(|number| fits(*number, precision)).ok_or_else(|| overflow("expression", "numeric"))
}

/// Digit by digit, since the dividend at the wanted scale may not fit in 128 bits. What is below the last digit is cut off.
fn divide((a, s1): (i128, u8), (b, s2): (i128, u8), scale: u8) -> Option<i128> {
    let negative = (a < 0) != (b < 0);
    let (mut rest, by) = (a.unsigned_abs(), b.unsigned_abs());
    let mut quotient = rest / by;
    rest %= by;
    // a/10^s1 : b/10^s2 at `scale` is a/b * 10^(scale + s2 - s1).
    let steps = i32::from(scale) + i32::from(s2) - i32::from(s1);
    for _ in 0..steps {
        rest = rest.checked_mul(10)?;
        quotient = quotient.checked_mul(10)?.checked_add(rest / by)?;
        rest %= by;
    }
    for _ in steps..0 {
        quotient /= 10;
    }
    let quotient = i128::try_from(quotient).ok()?;
    Some(if negative { -quotient } else { quotient })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for (written, unscaled, scale) in [("12.50", 1250, 2), ("-0.05", -5, 2), ("7", 7, 0), (".5", 5, 1)] {
            assert_eq!(read(written), Some((unscaled, scale)));
        }
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(1250, 2), "12.50");
        assert_eq!(read("37000000012300001"), Some((37_000_000_012_300_001, 0)));
        for wrong in ["", ".", "1e5", "1,5", "x", "--1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(type_of("12.50"), Some(Type::Numeric(4, 2)));
        assert_eq!(type_of("0.05"), Some(Type::Numeric(2, 2)));
    }

    #[test]
    fn types_of_results_are_as_documented() {
        assert_eq!(result_type('+', (12, 2), (5, 1)), Type::Numeric(13, 2));
        assert_eq!(result_type('*', (12, 2), (5, 1)), Type::Numeric(18, 3));
        assert_eq!(result_type('/', (12, 2), (5, 1)), Type::Numeric(19, 8));
        assert_eq!(result_type('*', (30, 10), (30, 10)), Type::Numeric(38, 6));
    }

    #[test]
    fn operations_are_exact() {
        assert_eq!(compute('+', (150, 2), (25, 1), 10, 2).unwrap(), 400);
        assert_eq!(compute('/', (100, 2), (3, 0), 19, 8).unwrap(), 33_333_333);
        assert_eq!(compute('/', (-100, 2), (3, 0), 19, 8).unwrap(), -33_333_333);
        assert_eq!(compute('%', (105, 1), (3, 0), 10, 1).unwrap(), 15);
        assert_eq!(compute('/', (1, 0), (0, 0), 10, 1).unwrap_err().number, 8134);
        assert_eq!(compute('*', (power(30), 0), (power(30), 0), 38, 0).unwrap_err().number, 8115);
        assert_eq!(rescale(125, 2, 1), Some(13));
        assert_eq!(rescale(-125, 2, 1), Some(-13));
        assert_eq!(rescale(124, 2, 1), Some(12));
    }
}
