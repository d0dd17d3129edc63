//! Types by name: how T-SQL writes them, and a number that carries one through SQLite.

use crate::wire::Type;

/// A type as T-SQL writes it: "nvarchar(40)", "numeric(25,0)", "varbinary(max)".
#[must_use]
pub fn type_text(kind: Type) -> String {
    let length = |length: Option<u16>| length.map_or_else(|| "max".to_owned(), |length| length.to_string());
    match kind {
        Type::Bit => "bit".to_owned(),
        Type::TinyInt => "tinyint".to_owned(),
        Type::SmallInt => "smallint".to_owned(),
        Type::Int => "int".to_owned(),
        Type::BigInt => "bigint".to_owned(),
        Type::Real => "real".to_owned(),
        Type::Float => "float".to_owned(),
        Type::Numeric(precision, scale) => format!("numeric({precision},{scale})"),
        Type::Money => "money".to_owned(),
        Type::DateTime => "datetime".to_owned(),
        Type::DateTime2(scale) => format!("datetime2({scale})"),
        Type::Date => "date".to_owned(),
        Type::Guid => "uniqueidentifier".to_owned(),
        Type::Char(size) => format!("char({size})"),
        Type::NChar(size) => format!("nchar({size})"),
        Type::VarChar(size) => format!("varchar({})", length(size)),
        Type::NVarChar(size) => format!("nvarchar({})", length(size)),
        Type::VarBinary(size) => format!("varbinary({})", length(size)),
    }
}

/// A type that [`type_text`] wrote, or as T-SQL writes it in a definition. `None`: no type that the simulator knows.
#[must_use]
pub fn read_type(text: &str) -> Option<Type> {
    let text = text.trim().to_ascii_lowercase();
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.trim_end().strip_suffix(')')?.split(',').map(|a| a.trim().to_owned()).collect()),
        None => (text.as_str(), Vec::new()),
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    named_type(name, &arguments)
}

/// A type by its name (lower case) and the arguments in parentheses. `None`: unknown, or arguments that it does not take.
pub fn named_type(name: &str, arguments: &[&str]) -> Option<Type> {
    let sized = |limit: u16, otherwise: u16| match arguments {
        [] => Some(Some(otherwise)),
        ["max"] => Some(None),
        [size] => size.parse().ok().filter(|size| (1..=limit).contains(size)).map(Some),
        _ => None,
    };
    let fixed = |limit: u16| sized(limit, 1).flatten();
    let plain = |kind: Type| arguments.is_empty().then_some(kind);
    match name {
        "bit" => plain(Type::Bit),
        "tinyint" => plain(Type::TinyInt),
        "smallint" => plain(Type::SmallInt),
        "int" | "integer" => plain(Type::Int),
        "bigint" => plain(Type::BigInt),
        "real" => plain(Type::Real),
        "float" => match arguments {
            [] => Some(Type::Float),
            [bits] => match bits.parse::<u8>().ok()? {
                1..=24 => Some(Type::Real),
                25..=53 => Some(Type::Float),
                _ => None,
            },
            _ => None,
        },
        "numeric" | "decimal" | "dec" => {
            let precision = arguments.first().map_or(Some(18), |precision| precision.parse::<u8>().ok())?;
            let scale = arguments.get(1).map_or(Some(0), |scale| scale.parse::<u8>().ok())?;
            let right = arguments.len() <= 2 && (1..=38).contains(&precision) && scale <= precision;
            right.then_some(Type::Numeric(precision, scale))
        }
        "money" | "smallmoney" => plain(Type::Money),
        "datetime" | "smalldatetime" => plain(Type::DateTime),
        "datetime2" => match arguments {
            [] => Some(Type::DateTime2(7)),
            [scale] => scale.parse().ok().filter(|scale| *scale <= 7).map(Type::DateTime2),
            _ => None,
        },
        "date" => plain(Type::Date),
        "uniqueidentifier" => plain(Type::Guid),
        "char" | "character" => fixed(8000).map(Type::Char),
        "nchar" => fixed(4000).map(Type::NChar),
        "varchar" => sized(8000, 1).map(Type::VarChar),
        "nvarchar" => sized(4000, 1).map(Type::NVarChar),
        "binary" => fixed(8000).map(|size| Type::VarBinary(Some(size))),
        "varbinary" => sized(8000, 1).map(Type::VarBinary),
        "sysname" => plain(Type::NVarChar(Some(128))),
        "text" => plain(Type::VarChar(None)),
        "ntext" => plain(Type::NVarChar(None)),
        "image" => plain(Type::VarBinary(None)),
        _ => None,
    }
}

/// A type as a number, to be handed to functions in SQLite.
pub fn type_code(kind: Type) -> i64 {
    let size = |size: Option<u16>| i64::from(size.unwrap_or(0));
    let (tag, detail) = match kind {
        Type::Bit => (1, 0),
        Type::TinyInt => (2, 0),
        Type::SmallInt => (3, 0),
        Type::Int => (4, 0),
        Type::BigInt => (5, 0),
        Type::Real => (6, 0),
        Type::Float => (7, 0),
        Type::Numeric(precision, scale) => (8, i64::from(precision) << 8 | i64::from(scale)),
        Type::Money => (9, 0),
        Type::DateTime => (10, 0),
        Type::DateTime2(scale) => (11, i64::from(scale)),
        Type::Date => (12, 0),
        Type::Guid => (13, 0),
        Type::Char(length) => (14, i64::from(length)),
        Type::VarChar(length) => (15, size(length)),
        Type::NChar(length) => (16, i64::from(length)),
        Type::NVarChar(length) => (17, size(length)),
        Type::VarBinary(length) => (18, size(length)),
    };
    tag << 16 | detail
}

/// The type that [`type_code`] made a number of.
pub fn type_of_code(code: i64) -> Option<Type> {
    let detail = u16::try_from(code & 0xFFFF).ok()?;
    let size = (detail != 0).then_some(detail);
    let [high, low] = detail.to_be_bytes();
    Some(match code >> 16 {
        1 => Type::Bit,
        2 => Type::TinyInt,
        3 => Type::SmallInt,
        4 => Type::Int,
        5 => Type::BigInt,
        6 => Type::Real,
        7 => Type::Float,
        8 => Type::Numeric(high, low),
        9 => Type::Money,
        10 => Type::DateTime,
        11 => Type::DateTime2(low),
        12 => Type::Date,
        13 => Type::Guid,
        14 => Type::Char(detail),
        15 => Type::VarChar(size),
        16 => Type::NChar(detail),
        17 => Type::NVarChar(size),
        18 => Type::VarBinary(size),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_back_from_text_and_number() {
        let kinds = [
            Type::Bit,
            Type::TinyInt,
            Type::SmallInt,
            Type::Int,
            Type::BigInt,
            Type::Real,
            Type::Float,
            Type::Numeric(25, 0),
            Type::Money,
            Type::DateTime,
            Type::DateTime2(3),
            Type::Date,
            Type::Guid,
            Type::Char(1),
            Type::NChar(36),
            Type::VarChar(Some(8000)),
            Type::VarChar(None),
            Type::NVarChar(Some(128)),
            Type::NVarChar(None),
            Type::VarBinary(Some(85)),
            Type::VarBinary(None),
        ];
        for kind in kinds {
            assert_eq!(read_type(&type_text(kind)), Some(kind));
            assert_eq!(type_of_code(type_code(kind)), Some(kind));
        }
    }

    #[test]
    fn wrong_types_are_none() {
        for text in
            ["nvarchar(4001)", "int(4)", "numeric(39)", "numeric(5,6)", "datetime2(8)", "geography", "char(max)", "varchar(0)"]
        {
            assert_eq!(read_type(text), None, "{text}");
        }
    }
}
