//! Values of one type made values of another, as CAST and CONVERT do, and as an assignment does.

use super::{
    message::message,
    number,
    text::{code_page_bytes, cut, hex, in_code_page, pad, read_guid, read_hex, swap_guid, units},
    time,
    types::type_text,
};
use crate::wire::{Message, Type, Value};

/// What is stored of a value in a column, variable or parameter of type `to`: as CAST, but text that is cut is an error (2628).
pub fn assign(value: Value, from: Type, to: Type) -> Result<Value, Message> {
    let limit = match to {
        Type::Char(size) | Type::NChar(size) | Type::VarChar(Some(size)) | Type::NVarChar(Some(size)) => Some(usize::from(size)),
        _ => None,
    };
    let too_long = match (&value, limit, to) {
        (Value::Text(text), Some(limit), _) => units(text.trim_end_matches(' ')) > limit,
        (Value::Bytes(bytes), _, Type::VarBinary(Some(size))) => bytes.len() > usize::from(size),
        _ => false,
    };
    if too_long {
        let shown = match &value {
            Value::Text(text) => cut(text, limit.unwrap_or_default()),
            _ => String::new(),
        };
        return Err(message(2628, 16, format!("String or binary data would be truncated. Truncated value: '{shown}'.")));
    }
    convert(value, from, to, 0)
}

/// CAST and CONVERT. What the value is counts more than `from`, which names the type in messages and tells the scale.
pub fn convert(value: Value, from: Type, to: Type, style: i64) -> Result<Value, Message> {
    match to {
        _ if value == Value::Null => Ok(Value::Null),
        Type::Bit | Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt => to_whole(value, from, to),
        Type::Real | Type::Float => to_float(value, from, to),
        Type::Numeric(precision, scale) => to_numeric(value, from, to, precision, scale),
        Type::Money => to_numeric(value, from, to, 19, 4),
        Type::DateTime | Type::DateTime2(_) | Type::Date => to_time(value, from, to, style),
        Type::Guid => to_guid(value, from),
        Type::VarBinary(size) => to_bytes(value, from, size.map(usize::from), style),
        Type::Char(_) | Type::VarChar(_) | Type::NChar(_) | Type::NVarChar(_) => to_text(value, from, to, style),
    }
}

/// The name of a type without its size, as messages write it.
fn name(kind: Type) -> String {
    let text = type_text(kind);
    text.split('(').next().unwrap_or_default().to_owned()
}

fn not_allowed(from: Type, to: Type) -> Message {
    message(529, 16, format!("Explicit conversion from data type {} to {} is not allowed.", name(from), name(to)))
}

fn failed(text: &str, from: Type, to: Type) -> Message {
    message(
        245,
        16,
        format!("Conversion failed when converting the {} value '{text}' to data type {}.", text_name(from), name(to)),
    )
}

fn error_converting(from: Type, to: Type) -> Message {
    message(8114, 16, format!("Error converting data type {} to {}.", text_name(from), name(to)))
}

/// Text that came from a variant is nvarchar.
fn text_name(from: Type) -> String {
    if matches!(from, Type::Char(_) | Type::VarChar(_) | Type::NChar(_) | Type::NVarChar(_)) {
        name(from)
    } else {
        "nvarchar".to_owned()
    }
}

/// The scale of the exact number in a value of this type.
fn scale_of(from: Type) -> u8 {
    number::as_numeric(from).map_or(0, |(_, scale)| scale)
}

fn to_whole(value: Value, from: Type, to: Type) -> Result<Value, Message> {
    let whole: i128 = match value {
        Value::Int(whole) => i128::from(whole),
        // Numbers are cut off; money is rounded.
        Value::Numeric(unscaled) if from == Type::Money => number::rescale(unscaled, 4, 0).unwrap_or(i128::MAX),
        Value::Numeric(unscaled) => unscaled / number::power(scale_of(from)),
        #[allow(clippy::cast_possible_truncation)] // Saturates, and is out of range then.
        Value::Float(float) => float.trunc() as i128,
        Value::Text(text) => return whole_of_text(&text, from, to),
        Value::Bytes(bytes) => {
            let last = bytes.iter().rev().take(8).rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            #[allow(clippy::cast_possible_wrap)] // The bytes of a negative number.
            let signed = if to == Type::Int { i64::from(last as u32 as i32) } else { last as i64 };
            i128::from(signed)
        }
        Value::Time(ticks) if from == Type::DateTime => i128::from(
            number::rescale(i128::from(ticks), 0, 0).map_or(0, |_| (ticks + time::DAY / 2) / time::DAY - time::DAY_ZERO),
        ),
        _ => return Err(not_allowed(from, to)),
    };
    if to == Type::Bit {
        return Ok(Value::Int(i64::from(whole != 0)));
    }
    in_range(whole, to).map(Value::Int).ok_or_else(|| match to {
        Type::TinyInt | Type::SmallInt => {
            message(220, 16, format!("Arithmetic overflow error for data type {}, value = {whole}.", name(to)))
        }
        _ => number::overflow("expression", &name(to)),
    })
}

fn whole_of_text(text: &str, from: Type, to: Type) -> Result<Value, Message> {
    let trimmed = text.trim();
    if to == Type::Bit && (trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false")) {
        return Ok(Value::Int(i64::from(trimmed.eq_ignore_ascii_case("true"))));
    }
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    let number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !number || (digits.is_empty() && !trimmed.is_empty()) {
        return Err(if to == Type::BigInt { error_converting(from, to) } else { failed(text, from, to) });
    }
    let whole: i128 = if digits.is_empty() { 0 } else { trimmed.parse().unwrap_or(i128::MAX) };
    if to == Type::Bit {
        return Ok(Value::Int(i64::from(whole != 0)));
    }
    in_range(whole, to).map(Value::Int).ok_or_else(|| {
        let from = text_name(from);
        match to {
            Type::TinyInt => message(
                244,
                16,
                format!("The conversion of the {from} value '{text}' overflowed an INT1 column. Use a larger integer column."),
            ),
            Type::SmallInt => message(
                244,
                16,
                format!("The conversion of the {from} value '{text}' overflowed an INT2 column. Use a larger integer column."),
            ),
            Type::Int => message(248, 16, format!("The conversion of the {from} value '{text}' overflowed an int column.")),
            _ => number::overflow("expression", &name(to)),
        }
    })
}

/// The number as one of a whole type, where it is in its range.
pub(super) fn in_range(whole: i128, kind: Type) -> Option<i64> {
    let (low, high) = match kind {
        Type::Bit => (0, 1),
        Type::TinyInt => (0, 255),
        Type::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    i64::try_from(whole).ok().filter(|whole| (low..=high).contains(whole))
}

fn to_float(value: Value, from: Type, to: Type) -> Result<Value, Message> {
    #[allow(clippy::cast_precision_loss)] // What a float does.
    let float = match value {
        Value::Int(whole) => whole as f64,
        Value::Float(float) => float,
        Value::Numeric(unscaled) => unscaled as f64 / number::power(scale_of(from)) as f64,
        Value::Text(text) => text.trim().parse().map_err(|_| error_converting(from, to))?,
        Value::Time(ticks) if from == Type::DateTime => (ticks - time::DAY_ZERO * time::DAY) as f64 / time::DAY as f64,
        _ => return Err(not_allowed(from, to)),
    };
    #[allow(clippy::cast_possible_truncation)] // What real does.
    let float = if to == Type::Real { f64::from(float as f32) } else { float };
    if float.is_finite() { Ok(Value::Float(float)) } else { Err(number::overflow("expression", &name(to))) }
}

fn to_numeric(value: Value, from: Type, to: Type, precision: u8, scale: u8) -> Result<Value, Message> {
    let (what, number) = match value {
        Value::Int(whole) => (name(from), number::rescale(i128::from(whole), 0, scale)),
        Value::Numeric(unscaled) => (name(from), number::rescale(unscaled, scale_of(from), scale)),
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // Saturates, and is out of range then.
        Value::Float(float) => (name(from), Some((float * number::power(scale) as f64).round() as i128)),
        Value::Text(text) => {
            let plain = if to == Type::Money { text.replace(['$', ','], "") } else { text };
            let Some((unscaled, of_text)) = number::read(&plain) else {
                let incorrect = "Cannot convert a char value to money. The char value has incorrect syntax.";
                return Err(if to == Type::Money { message(235, 16, incorrect) } else { error_converting(from, to) });
            };
            (text_name(from), number::rescale(unscaled, of_text, scale))
        }
        _ => return Err(not_allowed(from, to)),
    };
    let money = to == Type::Money;
    let fits = |unscaled: &i128| if money { i64::try_from(*unscaled).is_ok() } else { number::fits(*unscaled, precision) };
    number.filter(fits).map(Value::Numeric).ok_or_else(|| number::overflow(&what, &name(to)))
}

fn to_time(value: Value, from: Type, to: Type, _style: i64) -> Result<Value, Message> {
    let ticks = match value {
        Value::Time(ticks) => ticks,
        Value::Text(text) => time::read(&text)
            .ok_or_else(|| message(241, 16, "Conversion failed when converting date and/or time from character string."))?,
        Value::Int(days) if to == Type::DateTime => days.saturating_add(time::DAY_ZERO).saturating_mul(time::DAY),
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // Saturates, and is out of range then.
        Value::Float(days) if to == Type::DateTime => {
            ((days * time::DAY as f64) as i64).saturating_add(time::DAY_ZERO * time::DAY)
        }
        _ => return Err(not_allowed(from, to)),
    };
    let out_of_range = || {
        let text = format!(
            "The conversion of a {} data type to a {} data type resulted in an out-of-range value.",
            name(from),
            name(to)
        );
        message(242, 16, text)
    };
    if !time::in_range(ticks) {
        return Err(out_of_range());
    }
    let ticks = match to {
        Type::Date => ticks.div_euclid(time::DAY) * time::DAY,
        Type::DateTime2(scale) => time::round_to_scale(ticks, scale),
        _ => time::round_to_datetime(ticks),
    };
    let right = if to == Type::DateTime { time::in_datetime_range(ticks) } else { time::in_range(ticks) };
    if right { Ok(Value::Time(ticks)) } else { Err(out_of_range()) }
}

fn to_guid(value: Value, from: Type) -> Result<Value, Message> {
    match value {
        Value::Guid(guid) => Ok(Value::Guid(guid)),
        Value::Text(text) => read_guid(&text)
            .map(Value::Guid)
            .ok_or_else(|| message(8169, 16, "Conversion failed when converting from a character string to uniqueidentifier.")),
        Value::Bytes(bytes) => {
            let mut guid = [0; 16];
            for (place, byte) in guid.iter_mut().zip(bytes) {
                *place = byte;
            }
            Ok(Value::Guid(swap_guid(guid)))
        }
        _ => Err(not_allowed(from, Type::Guid)),
    }
}

fn to_bytes(value: Value, from: Type, size: Option<usize>, style: i64) -> Result<Value, Message> {
    let mut bytes = match value {
        Value::Bytes(bytes) => bytes,
        Value::Guid(guid) => swap_guid(guid).to_vec(),
        Value::Text(text) if style == 1 || style == 2 => read_hex(&text, style == 1)
            .ok_or_else(|| message(8114, 16, format!("Error converting data type {} to varbinary.", text_name(from))))?,
        Value::Text(text) if matches!(from, Type::Char(_) | Type::VarChar(_)) => code_page_bytes(&text),
        Value::Text(text) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Value::Int(whole) => {
            let width = match from {
                Type::Bit | Type::TinyInt => 1,
                Type::SmallInt => 2,
                Type::BigInt => 8,
                _ => 4,
            };
            let mut bytes = whole.to_be_bytes()[8 - width..].to_vec();
            // A number keeps its last bytes, everything else its first ones.
            if let Some(size) = size.filter(|size| *size < width) {
                bytes.drain(..width - size);
            }
            bytes
        }
        _ => return Err(not_allowed(from, Type::VarBinary(None))),
    };
    bytes.truncate(size.unwrap_or(usize::MAX));
    Ok(Value::Bytes(bytes))
}

fn to_text(value: Value, from: Type, to: Type, style: i64) -> Result<Value, Message> {
    let mut number = false;
    let text = match value {
        Value::Text(text) => text,
        Value::Int(whole) => {
            number = true;
            whole.to_string()
        }
        Value::Float(float) => {
            number = true;
            float_text(float, style)
        }
        Value::Numeric(unscaled) => {
            number = true;
            // Money shows two digits unless style 2 asks for all.
            match from {
                Type::Money if style != 2 => {
                    number::rescale(unscaled, 4, 2).map_or_else(String::new, |cents| number::text(cents, 2))
                }
                _ => number::text(unscaled, scale_of(from)),
            }
        }
        Value::Time(ticks) => time_text(ticks, from, style)?,
        Value::Guid(guid) => uuid::Uuid::from_bytes(guid).hyphenated().to_string().to_ascii_uppercase(),
        Value::Bytes(bytes) => match style {
            1 => format!("0x{}", hex(&bytes)),
            2 => hex(&bytes),
            _ if matches!(to, Type::NChar(_) | Type::NVarChar(_)) => {
                let units: Vec<u16> =
                    bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0)])).collect();
                String::from_utf16_lossy(&units)
            }
            _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
        Value::Null => return Ok(Value::Null),
    };
    let text = if matches!(to, Type::Char(_) | Type::VarChar(_)) { in_code_page(&text) } else { text };
    let (size, padded) = match to {
        Type::Char(size) | Type::NChar(size) => (Some(size), true),
        Type::VarChar(size) | Type::NVarChar(size) => (size, false),
        _ => (None, false),
    };
    let Some(size) = size.map(usize::from) else { return Ok(Value::Text(text)) };
    if number && units(&text) > size {
        return Err(number::overflow("expression", &name(to)));
    }
    let text = cut(&text, size);
    Ok(Value::Text(if padded { pad(text, size) } else { text }))
}

fn time_text(ticks: i64, from: Type, style: i64) -> Result<String, Message> {
    let (digits, usual) = match from {
        Type::Date => (0, 23),
        Type::DateTime2(scale) => (scale, 121),
        _ => (3, 0),
    };
    let style = match (from, style) {
        (_, 0) => usual,
        // A date shows no time, whatever the style.
        (Type::Date, 20 | 21 | 120 | 121 | 126 | 127) => 23,
        (_, style) => style,
    };
    time::text(ticks, style, digits).ok_or_else(|| {
        message(
            281,
            16,
            format!("{style} is not a valid style number when converting from {} to a character string.", name(from)),
        )
    })
}

/// Style 0 shows six digits, 3 all of them.
fn float_text(float: f64, style: i64) -> String {
    if style == 3 {
        return format!("{float:?}");
    }
    let digits = if style == 0 { 5 } else { 15 };
    let scientific = format!("{float:.digits$e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let shown = i32::try_from(digits).unwrap_or(0);
    if style == 0 && (-5..=shown).contains(&exponent) {
        let places = usize::try_from(shown - exponent).unwrap_or(0);
        let plain = format!("{float:.places$}");
        return if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.').to_owned() } else { plain };
    }
    let mantissa = if style == 0 { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    format!("{mantissa}e{}{:03}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
