//! Are the arguments of a call what the table says? Used while a script runs and, for literals, by lint.

use serde_json::Value;

use super::{Key, Kind, Primitive};
use crate::error::{Failure, Result};
use crate::script::nearest::nearest;
use crate::script::value::words;
use crate::text;
use crate::text::Text;

/// Checks types of arguments and keys of option maps.
pub(in crate::script) fn arguments(primitive: &Primitive, args: &[Value]) -> Result<()> {
    let name = primitive.full_name();
    for (param, arg) in primitive.params.iter().zip(args) {
        match (param.kind, arg) {
            (Kind::Options(keys), Value::Object(given)) => {
                for (key, value) in given {
                    let known = keys.iter().find(|k| k.name == key).ok_or_else(|| unknown_option(&name, keys, key))?;
                    // `()` for an option means that it is not given.
                    let left_out = value.is_null() && known.default.is_some();
                    if !left_out && !fits(known.kind, value) {
                        return Err(wrong_type(&name, known.name, known.kind));
                    }
                }
                if let Some(missing) = keys.iter().find(|k| k.default.is_none() && !given.contains_key(k.name)) {
                    return Err(missing_option(&name, missing));
                }
            }
            (kind, arg) if fits(kind, arg) => {}
            _ => return Err(wrong_type(&name, param.name, param.kind)),
        }
    }
    Ok(())
}

/// Is `value` of this type?
pub(in crate::script) fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Nothing => value.is_null(),
        Kind::Bool => value.is_boolean(),
        Kind::Int => value.is_i64(),
        Kind::Number => value.is_number(),
        Kind::Text | Kind::Path => value.is_string(),
        Kind::Words => words(value).is_some(),
        Kind::OneOf(these) => value.as_str().is_some_and(|s| these.contains(&s)),
        Kind::List => value.is_array(),
        Kind::Map | Kind::Options(_) => value.is_object(),
        Kind::Any => true,
    }
}

/// The type in words.
pub(in crate::script) fn describe(kind: Kind) -> Text {
    match kind {
        Kind::Nothing => text!("()", "()"),
        Kind::Bool => text!("true o false", "true or false"),
        Kind::Int => text!("un entero", "an integer"),
        Kind::Number => text!("un número", "a number"),
        Kind::Text => text!("un texto", "a string"),
        Kind::Words => text!("un texto o #{{es, en}}", "a string or #{{es, en}}"),
        Kind::Path => text!("una ruta \"raíz:ruta/relativa\"", "a path \"root:relative/path\""),
        Kind::OneOf(these) => {
            let quoted: Vec<String> = these.iter().map(|s| format!("\"{s}\"")).collect();
            Text { es: quoted.join(" o "), en: quoted.join(" or ") }
        }
        Kind::List => text!("un arreglo", "an array"),
        Kind::Map => text!("un mapa", "a map"),
        Kind::Any => text!("cualquier valor", "any value"),
        Kind::Options(_) => text!("un mapa de opciones #{{}}", "an option map #{{}}"),
    }
}

pub(in crate::script) fn unknown_option(name: &str, keys: &[Key], key: &str) -> Failure {
    let failure = Failure::invalid("unknown_option", text!("{name} no tiene la opción {key}", "{name} has no option {key}"));
    let known: Vec<&str> = keys.iter().map(|k| k.name).collect();
    failure.hint(match (nearest(key, known.iter().copied()), known.join(", ")) {
        (Some(near), _) => text!("¿quiso decir {near}?", "did you mean {near}?"),
        (None, list) if list.is_empty() => text!("no acepta opciones", "it takes no options"),
        (None, list) => text!("sus opciones son: {list}", "its options are: {list}"),
    })
}

pub(in crate::script) fn missing_option(name: &str, key: &Key) -> Failure {
    let key = key.name;
    Failure::invalid("missing_option", text!("{name} necesita la opción {key}", "{name} needs the option {key}"))
}

pub(in crate::script) fn wrong_type(name: &str, what: &str, kind: Kind) -> Failure {
    let Text { es, en } = describe(kind);
    Failure::invalid("wrong_type", text!("{name}: {what} debe ser {es}", "{name}: {what} must be {en}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_checked_against_the_table() {
        for (name, args, kind, hint) in [
            ("mirror", json!([{"full": true, "target": null}]), "", ""),
            ("mirror", json!([{"ful": true}]), "unknown_option", "did you mean full?"),
            ("mirror", json!([{"full": 1}]), "wrong_type", ""),
            ("mirror", json!([3]), "wrong_type", ""),
            ("restore", json!([{"full": true}]), "unknown_option", "it takes no options"),
            ("server::probe", json!(["mian"]), "wrong_type", ""),
            ("store::verdict", json!([{}]), "missing_option", ""),
            ("operator::notify", json!([{"es": "a", "en": "b"}]), "", ""),
            ("operator::notify", json!([{"es": "a"}]), "wrong_type", ""),
            ("sleep", json!([0.5]), "", ""),
        ] {
            let result = arguments(super::super::find(name).unwrap(), args.as_array().unwrap());
            let found = result.as_ref().err();
            assert_eq!(found.map_or("", |f| &f.kind), kind, "{name} {args}");
            if !hint.is_empty() {
                assert_eq!(found.unwrap().hint.as_ref().unwrap().en, hint);
            }
        }
    }
}
