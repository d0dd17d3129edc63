//! Values between scripts and Rust: canonical JSON, converted strictly. What cannot be journaled and read back is refused.

use rhai::{Dynamic, Map};
use serde_json::{Number, Value};

use crate::error::{Failure, Result};
use crate::text;
use crate::text::Text;

/// Values nested deeper than this are refused: conversion recurses.
const MAX_DEPTH: usize = 64;

/// A script's value as JSON. `()` is null, integers are 64 bit, floats finite; keys are sorted. Everything else is refused.
pub fn to_json(value: &Dynamic) -> Result<Value> {
    convert(value, "", 0)
}

fn convert(value: &Dynamic, path: &str, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(refused(path, "un valor anidado en más de 64 niveles", "a value nested more than 64 levels deep"));
    }
    let value = value.flatten_clone();
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = value.as_bool() {
        return Ok(b.into());
    }
    if let Ok(i) = value.as_int() {
        return Ok(i.into());
    }
    if let Ok(f) = value.as_float() {
        return Number::from_f64(f)
            .map(Value::Number)
            .ok_or_else(|| refused(path, "un número que no es finito", "a number that is not finite"));
    }
    if value.is_string() {
        return Ok(Value::String(value.into_string().unwrap_or_default()));
    }
    if value.is_array() {
        let items = value.into_array().unwrap_or_default();
        let items = items.iter().enumerate().map(|(i, item)| convert(item, &format!("{path}[{i}]"), depth + 1));
        return items.collect::<Result<Vec<_>>>().map(Value::Array);
    }
    if value.is_map() {
        let map = value.cast::<Map>();
        let items = map.iter().map(|(key, item)| {
            let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            Ok((key.to_string(), convert(item, &path, depth + 1)?))
        });
        return items.collect::<Result<serde_json::Map<_, _>>>().map(Value::Object);
    }
    let (es, en) = if value.is_fnptr() {
        ("una función", "a function")
    } else if value.is_char() {
        ("un carácter; use un texto (\"a\")", "a character; use a string (\"a\")")
    } else if value.is_blob() {
        ("un blob", "a blob")
    } else if value.is_timestamp() {
        ("un instante; use now()", "a timestamp; use now()")
    } else {
        let name = value.type_name();
        return Err(refused(path, &format!("un valor de tipo {name}"), &format!("a value of type {name}")));
    };
    Err(refused(path, es, en))
}

fn refused(path: &str, es: &str, en: &str) -> Failure {
    let (at_es, at_en) =
        if path.is_empty() { (String::new(), String::new()) } else { (format!(" en {path}"), format!(" at {path}")) };
    Failure::invalid("bad_value", text!("un script no puede pasar {es}{at_es}", "a script cannot pass {en}{at_en}")).hint(text!(
        "se aceptan (), true/false, enteros, decimales, textos, arreglos y mapas",
        "accepted are (), booleans, integers, floats, strings, arrays and maps"
    ))
}

/// JSON as a script's value. Fails for an integer that does not fit 64 bits.
pub fn from_json(value: &Value) -> Result<Dynamic> {
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => i.into(),
            (None, Some(f)) if n.is_f64() => f.into(),
            _ => return Err(refused("", &format!("el entero {n}"), &format!("the integer {n}"))),
        },
        Value::String(s) => s.as_str().into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(from_json).collect::<Result<_>>()?),
        Value::Object(map) => {
            Dynamic::from_map(map.iter().map(|(k, v)| Ok((k.as_str().into(), from_json(v)?))).collect::<Result<Map>>()?)
        }
    })
}

/// Words for people as scripts give them: one string, or `#{es, en}`.
pub fn words(value: &Value) -> Option<Text> {
    match value {
        Value::String(s) => Some(Text::same(s.as_str())),
        Value::Object(map) => match (map.get("es").and_then(Value::as_str), map.get("en").and_then(Value::as_str)) {
            (Some(es), Some(en)) if map.len() == 2 => Some(Text { es: es.to_owned(), en: en.to_owned() }),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(script: &str) -> Dynamic {
        rhai::Engine::new().eval(script).unwrap()
    }

    #[test]
    fn plain_values_survive_both_ways() {
        let json = to_json(&eval(r#"#{ b: true, a: [1, -2.5, 2.0, "ñ", ()], z: #{} }"#)).unwrap();
        assert_eq!(json.to_string(), r#"{"a":[1,-2.5,2.0,"ñ",null],"b":true,"z":{}}"#);
        assert_eq!(to_json(&from_json(&json).unwrap()).unwrap(), json);
    }

    #[test]
    fn what_cannot_be_journaled_is_refused_with_its_place() {
        for (script, says) in [
            ("|x| x", "a function"),
            ("#{ a: [1, 'c'] }", "a character; use a string (\"a\") at a[1]"),
            ("timestamp()", "a timestamp"),
            ("blob(3)", "a blob"),
            ("1..3", "Range"),
            ("#{ a: 0.0 / 0.0 }", "not finite at a"),
        ] {
            let failure = to_json(&eval(script)).unwrap_err();
            assert_eq!(failure.kind, "bad_value");
            assert!(failure.message.en.contains(says), "{script}: {}", failure.message.en);
        }
        assert!(from_json(&serde_json::json!(u64::MAX)).is_err());
    }
}
