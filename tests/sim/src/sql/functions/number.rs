//! Arithmetic: division, numbers with a fixed point, rounding.

use rusqlite::{
    Connection,
    functions::Context,
    types::{Value as Stored, ValueRef},
};

use super::{Answer, integer, is_null, kind, pure, text, value};
use crate::{
    sql::{
        message::message,
        number::{compute, fits, overflow, power, rescale},
        value::bind,
    },
    wire::{Message, Type, Value},
};

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    pure(connection, "ts_divide", 2, divide)?;
    pure(connection, "ts_modulo", 2, modulo)?;
    pure(connection, "ts_numeric", 7, numeric)?;
    pure(connection, "ts_negate", 1, negate)?;
    pure(connection, "ts_round", 4, round)?;
    pure(connection, "ts_floor", 2, |context| to_whole(context, Whole::Down))?;
    pure(connection, "ts_ceiling", 2, |context| to_whole(context, Whole::Up))?;
    pure(connection, "ts_abs", 2, |context| to_whole(context, Whole::Abs))?;
    pure(connection, "ts_sign", 2, |context| to_whole(context, Whole::Sign))?;
    pure(connection, "ts_power", 2, |context| float(context, f64::powf))?;
    pure(connection, "ts_sqrt", 2, |context| float(context, |number, _| number.sqrt()))
}

fn by_zero() -> Message {
    message(8134, 16, "Divide by zero error encountered.")
}

fn divide(context: &Context<'_>) -> Answer {
    match (context.get_raw(0), context.get_raw(1)) {
        (ValueRef::Null, _) | (_, ValueRef::Null) => Ok(Stored::Null),
        (ValueRef::Integer(_), ValueRef::Integer(0)) => Err(by_zero()),
        (ValueRef::Integer(a), ValueRef::Integer(b)) => {
            a.checked_div(b).map(Stored::Integer).ok_or_else(|| overflow("expression", "bigint"))
        }
        _ => match real(context, 1) {
            0.0 => Err(by_zero()),
            by => Ok(Stored::Real(real(context, 0) / by)),
        },
    }
}

fn modulo(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    match integer(context, 1) {
        0 => Err(by_zero()),
        by => Ok(Stored::Integer(integer(context, 0).checked_rem(by).unwrap_or(0))),
    }
}

fn real(context: &Context<'_>, at: usize) -> f64 {
    match context.get_raw(at) {
        #[allow(clippy::cast_precision_loss)] // What a float does.
        ValueRef::Integer(whole) => whole as f64,
        ValueRef::Real(float) => float,
        _ => 0.0,
    }
}

fn unscaled(context: &Context<'_>, at: usize) -> i128 {
    match value(context, at, Type::Numeric(38, 0)) {
        Value::Numeric(unscaled) => unscaled,
        _ => 0,
    }
}

fn small(context: &Context<'_>, at: usize) -> u8 {
    u8::try_from(integer(context, at)).unwrap_or(0)
}

/// (operator, a, its scale, b, its scale, precision, scale)
fn numeric(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let operator = text(context, 0).chars().next().unwrap_or('+');
    let a = (unscaled(context, 1), small(context, 2));
    let b = (unscaled(context, 3), small(context, 4));
    compute(operator, a, b, small(context, 5), small(context, 6)).map(|number| bind(&Value::Numeric(number)))
}

fn negate(context: &Context<'_>) -> Answer {
    if is_null(context) { Ok(Stored::Null) } else { Ok(bind(&Value::Numeric(-unscaled(context, 0)))) }
}

/// (value, type, digits, cut off): ROUND.
fn round(context: &Context<'_>) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let kind = kind(context, 1)?;
    let (digits, cut) = (integer(context, 2).clamp(-38, 38), integer(context, 3) != 0);
    let Some((precision, scale)) = crate::sql::number::as_numeric(kind) else {
        let factor = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
        let shifted = real(context, 0) * factor;
        return Ok(Stored::Real(if cut { shifted.trunc() } else { shifted.round() } / factor));
    };
    let whole = matches!(value(context, 0, kind), Value::Int(_));
    let number = if whole { i128::from(integer(context, 0)) } else { unscaled(context, 0) };
    let dropped = i64::from(scale) - digits;
    let rounded = match u8::try_from(dropped) {
        Ok(dropped) if dropped > 38 => 0,
        Ok(dropped) if dropped > 0 => {
            let unit = power(dropped);
            let kept = if cut { number / unit } else { rescale(number, dropped, 0).unwrap_or(0) };
            kept * unit
        }
        _ => number,
    };
    if !fits(rounded, precision) {
        return Err(overflow("expression", "numeric"));
    }
    if whole { Ok(Stored::Integer(i64::try_from(rounded).unwrap_or(0))) } else { Ok(bind(&Value::Numeric(rounded))) }
}

enum Whole {
    Down,
    Up,
    Abs,
    Sign,
}

/// (value, type): FLOOR, CEILING, ABS, SIGN, at the scale of the type.
fn to_whole(context: &Context<'_>, how: Whole) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let kind = kind(context, 1)?;
    match value(context, 0, kind) {
        Value::Int(number) => Ok(Stored::Integer(match how {
            Whole::Down | Whole::Up => number,
            Whole::Abs => number.checked_abs().ok_or_else(|| overflow("expression", "bigint"))?,
            Whole::Sign => number.signum(),
        })),
        Value::Float(float) => Ok(Stored::Real(match how {
            Whole::Down => float.floor(),
            Whole::Up => float.ceil(),
            Whole::Abs => float.abs(),
            Whole::Sign if float == 0.0 => 0.0,
            Whole::Sign => float.signum(),
        })),
        Value::Numeric(number) => {
            let unit = power(crate::sql::number::as_numeric(kind).map_or(0, |(_, scale)| scale));
            let result = match how {
                Whole::Down => number.div_euclid(unit) * unit,
                Whole::Up => -((-number).div_euclid(unit)) * unit,
                Whole::Abs => number.abs(),
                Whole::Sign => number.signum() * unit,
            };
            Ok(bind(&Value::Numeric(result)))
        }
        _ => Ok(Stored::Null),
    }
}

fn float(context: &Context<'_>, body: fn(f64, f64) -> f64) -> Answer {
    if is_null(context) {
        return Ok(Stored::Null);
    }
    let result = body(real(context, 0), real(context, 1));
    if result.is_finite() {
        return Ok(Stored::Real(result));
    }
    Err(message(3623, 16, "An invalid floating point operation occurred."))
}
