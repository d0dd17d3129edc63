//! Functions that are built in.

use super::{
    Compiler, Typed,
    expr::explicit,
    kinds::{is_text, is_time, is_whole, length, with_length},
    quote_text,
    scope::written,
    walk::any,
};
use crate::{
    sql::{
        ast::{BinaryOperator, Expr, ObjectName},
        functions::unit,
        message::message,
        types::type_code,
        value::bind,
    },
    wire::{Message, Type, Value},
};

const NAME: Type = Type::NVarChar(Some(128));

/// Functions that the instance answers: their names in T-SQL, how many arguments they take at least and at most, and their types. In
/// SQLite they are called `ts_` and the name in lower case. What is a sql_variant on the real server is nvarchar(4000) here, whatever
/// the function gives back.
pub const INSTANCE_FUNCTIONS: &[(&str, usize, usize, Type)] = &[
    ("APP_NAME", 0, 0, NAME),
    ("APPLOCK_MODE", 3, 3, Type::NVarChar(Some(32))),
    ("APPLOCK_TEST", 4, 4, Type::SmallInt),
    ("COL_LENGTH", 2, 2, Type::SmallInt),
    ("CONNECTIONPROPERTY", 1, 1, Type::NVarChar(Some(4000))),
    ("CURRENT_USER", 0, 0, NAME),
    ("DATABASE_PRINCIPAL_ID", 0, 1, Type::Int),
    ("DATABASEPROPERTYEX", 2, 2, Type::NVarChar(Some(4000))),
    ("DB_ID", 0, 1, Type::SmallInt),
    ("DB_NAME", 0, 1, NAME),
    ("FILE_NAME", 1, 1, NAME),
    ("HAS_DBACCESS", 1, 1, Type::Int),
    ("HAS_PERMS_BY_NAME", 3, 5, Type::Int),
    ("HOST_ID", 0, 0, Type::Char(10)),
    ("HOST_NAME", 0, 0, NAME),
    ("IS_MEMBER", 1, 1, Type::Int),
    ("IS_ROLEMEMBER", 1, 2, Type::Int),
    ("IS_SRVROLEMEMBER", 1, 2, Type::Int),
    ("OBJECT_ID", 1, 2, Type::Int),
    ("OBJECT_NAME", 1, 2, NAME),
    ("ORIGINAL_LOGIN", 0, 0, NAME),
    ("SCHEMA_ID", 0, 1, Type::Int),
    ("SCHEMA_NAME", 0, 1, NAME),
    ("SERVERPROPERTY", 1, 1, Type::NVarChar(Some(4000))),
    ("SESSION_USER", 0, 0, NAME),
    ("SUSER_ID", 0, 1, Type::Int),
    ("SUSER_NAME", 0, 1, NAME),
    ("SUSER_SID", 0, 2, Type::VarBinary(Some(85))),
    ("SUSER_SNAME", 0, 1, NAME),
    ("SYSTEM_USER", 0, 0, NAME),
    ("TYPE_NAME", 1, 1, NAME),
    ("USER", 0, 0, NAME),
    ("USER_ID", 0, 1, Type::Int),
    ("USER_NAME", 0, 1, NAME),
];

/// Functions that answer from the session's last statement or error; [`crate::sql::Catalog::global`] is asked.
const SESSION_FUNCTIONS: [&str; 9] = [
    "ERROR_LINE",
    "ERROR_MESSAGE",
    "ERROR_NUMBER",
    "ERROR_PROCEDURE",
    "ERROR_SEVERITY",
    "ERROR_STATE",
    "ROWCOUNT_BIG",
    "SCOPE_IDENTITY",
    "XACT_STATE",
];

/// Their first argument is a unit and no column.
pub(super) const WITH_UNIT: [&str; 4] = ["DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATEPART"];

const AGGREGATES: [&str; 6] = ["AVG", "COUNT", "COUNT_BIG", "MAX", "MIN", "SUM"];

impl Compiler<'_> {
    pub(super) fn function(&mut self, name: &ObjectName, given: &[Expr], star: bool, distinct: bool) -> Result<Typed, Message> {
        if !name.schema.is_empty() {
            let text = format!(
                "Cannot find either column \"{}\" or the user-defined function or aggregate \"{}\", or the name is ambiguous.",
                name.schema,
                written(name)
            );
            return Err(message(4121, 16, text));
        }
        let word = name.name.as_str();
        if AGGREGATES.contains(&word) {
            return self.aggregate(word, given, star, distinct);
        }
        if WITH_UNIT.contains(&word) {
            return self.dated(word, given);
        }
        let arguments = given.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>, _>>()?;
        if let Some((_, least, most, kind)) = INSTANCE_FUNCTIONS.iter().find(|(known, ..)| *known == word) {
            count(word, &arguments, *least, *most)?;
            return self.instance(word, &arguments, *kind);
        }
        if SESSION_FUNCTIONS.contains(&word) {
            count(word, &arguments, 0, 0)?;
            let asked = format!("{word}()");
            let found = self.context.catalog.global(&asked);
            return self.bind_named(&asked, found, || unknown(word));
        }
        let constant = arguments.iter().all(|argument| argument.constant);
        let found = match self.clock(word, &arguments)? {
            Some(found) => Some(found),
            None => match self.conditional(word, &arguments)? {
                Some(found) => Some(found),
                None => self.of_text(word, &arguments)?,
            },
        };
        let typed = match found {
            Some(found) => found,
            None => self.of_numbers(word, &arguments)?.ok_or_else(|| unknown(word))?,
        };
        Ok(Typed { constant: constant && typed.constant, ..typed })
    }

    /// A function of the instance. A statement that goes into the log has its answer instead, where the arguments are constants.
    fn instance(&mut self, word: &str, arguments: &[Typed], kind: Type) -> Result<Typed, Message> {
        let list = arguments.iter().map(|argument| argument.sql.as_str()).collect::<Vec<_>>().join(", ");
        let sql = format!("ts_{}({list})", word.to_ascii_lowercase());
        let constant = arguments.iter().all(|argument| argument.constant);
        if !(self.changes && constant) {
            return Ok(Typed { constant, ..Typed::new(sql, kind) });
        }
        let answer = self.one(&format!("SELECT {sql}"), kind)?;
        Ok(Typed::new(self.bind(bind(&answer)), kind))
    }

    fn clock(&mut self, word: &str, arguments: &[Typed]) -> Result<Option<Typed>, Message> {
        let clock = self.context.clock;
        let (ticks, kind) = match word {
            "GETDATE" | "CURRENT_TIMESTAMP" => (clock.local, Type::DateTime),
            "GETUTCDATE" => (clock.utc, Type::DateTime),
            "SYSDATETIME" => (clock.local, Type::DateTime2(7)),
            "SYSUTCDATETIME" => (clock.utc, Type::DateTime2(7)),
            "NEWID" | "NEWSEQUENTIALID" => {
                count(word, arguments, 0, 0)?;
                let seed = self.bind(bind(&Value::Guid(uuid::Uuid::new_v4().into_bytes())));
                return Ok(Some(Typed { constant: false, ..Typed::new(format!("ts_newid({seed})"), Type::Guid) }));
            }
            _ => return Ok(None),
        };
        count(word, arguments, 0, 0)?;
        let ticks = if kind == Type::DateTime { crate::sql::time::round_to_datetime(ticks) } else { ticks };
        Ok(Some(Typed::new(self.bind(bind(&Value::Time(ticks))), kind)))
    }

    fn conditional(&mut self, word: &str, arguments: &[Typed]) -> Result<Option<Typed>, Message> {
        Ok(Some(match word {
            "COALESCE" => {
                count(word, arguments, 2, usize::MAX)?;
                let Some(kind) = self.common_of(arguments) else {
                    let text = "At least one of the arguments to COALESCE must be an expression that is not the NULL constant.";
                    return Err(message(4127, 16, text));
                };
                let all = arguments.iter().map(|argument| self.implicit(argument, kind)).collect::<Result<Vec<_>, _>>()?;
                Typed::new(format!("coalesce({})", all.join(", ")), kind)
            }
            "ISNULL" => {
                count(word, arguments, 2, 2)?;
                let kind = arguments[0].kind.or(arguments[1].kind).unwrap_or(Type::Int);
                let (a, b) = (self.implicit(&arguments[0], kind)?, self.implicit(&arguments[1], kind)?);
                Typed::new(format!("coalesce({a}, {b})"), kind)
            }
            "NULLIF" => {
                count(word, arguments, 2, 2)?;
                let equal = self.comparison(BinaryOperator::Equal, &arguments[0], &arguments[1])?;
                Typed { sql: format!("(CASE WHEN {equal} THEN NULL ELSE {} END)", arguments[0].sql), ..arguments[0].clone() }
            }
            "ISNUMERIC" | "ISDATE" => {
                count(word, arguments, 1, 1)?;
                let to = if word == "ISDATE" { Type::DateTime } else { Type::Float };
                let tried = explicit(&arguments[0], to, 0, true);
                Typed::new(format!("({} IS NOT NULL)", tried.sql), Type::Int)
            }
            _ => return Ok(None),
        }))
    }

    /// Functions of text: every argument is made text, positions are made whole.
    fn of_text(&mut self, word: &str, arguments: &[Typed]) -> Result<Option<Typed>, Message> {
        let (least, most) = match word {
            "LEN" | "DATALENGTH" | "UPPER" | "LOWER" | "LTRIM" | "RTRIM" | "TRIM" | "REVERSE" | "CHAR" | "NCHAR" | "ASCII"
            | "UNICODE" | "SPACE" => (1, 1),
            "LEFT" | "RIGHT" | "REPLICATE" | "PARSENAME" => (2, 2),
            "QUOTENAME" => (1, 2),
            "CHARINDEX" => (2, 3),
            "SUBSTRING" | "REPLACE" => (3, 3),
            "STUFF" => (4, 4),
            "CONCAT" => (2, 254),
            _ => return Ok(None),
        };
        count(word, arguments, least, most)?;
        let bytes = matches!(arguments[0].kind, Some(Type::VarBinary(_)));
        if word == "CONCAT" {
            let pairs = arguments.iter().map(|argument| format!("{}, {}", argument.sql, type_code(argument.or_int())));
            let sql = format!("ts_concat({})", pairs.collect::<Vec<_>>().join(", "));
            return Ok(Some(Typed::new(sql, concat_kind(arguments))));
        }
        if word == "DATALENGTH" || (word == "LEN" && bytes) {
            let sql = format!("ts_datalength({}, {})", arguments[0].sql, type_code(arguments[0].or_int()));
            return Ok(Some(Typed::new(sql, Type::Int)));
        }
        let mut parts = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            parts.push(if is_position(word, at) {
                self.implicit(argument, Type::BigInt)?
            } else if bytes || argument.kind.is_none_or(is_text) {
                argument.sql.clone()
            } else {
                self.implicit(argument, Type::NVarChar(None))?
            });
        }
        // What was no text has become one.
        let first = arguments[0].kind.filter(|kind| is_text(*kind) || bytes).unwrap_or(Type::NVarChar(None));
        let unlimited = length(first) == Some(None);
        let widest =
            if unlimited { None } else { Some(if matches!(first, Type::VarChar(_) | Type::Char(_)) { 8000 } else { 4000 }) };
        let (function, kind) = match word {
            "LEN" => ("ts_len", Type::Int),
            "CHARINDEX" => {
                parts.resize(3, "1".to_owned());
                ("ts_charindex", Type::Int)
            }
            "ASCII" => ("ts_ascii", Type::Int),
            "UNICODE" => ("ts_unicode", Type::Int),
            "CHAR" => ("ts_char", Type::Char(1)),
            "NCHAR" => ("ts_nchar", Type::NChar(1)),
            "SPACE" => {
                parts.insert(0, "' '".to_owned());
                ("ts_replicate", Type::VarChar(Some(8000)))
            }
            "QUOTENAME" => {
                parts.resize(2, "'['".to_owned());
                ("ts_quotename", Type::NVarChar(Some(258)))
            }
            "PARSENAME" => ("ts_parsename", NAME),
            "UPPER" => ("ts_upper", first),
            "LOWER" => ("ts_lower", first),
            "LTRIM" => ("ts_ltrim", with_length(first, length(first).flatten())),
            "RTRIM" => ("ts_rtrim", with_length(first, length(first).flatten())),
            "TRIM" => ("ts_trim", with_length(first, length(first).flatten())),
            "REVERSE" => ("ts_reverse", first),
            "LEFT" => ("ts_left", with_length(first, length(first).flatten())),
            "RIGHT" => ("ts_right", with_length(first, length(first).flatten())),
            "SUBSTRING" => ("ts_substring", with_length(first, length(first).flatten())),
            "REPLACE" => ("ts_replace", with_length(first, widest)),
            "REPLICATE" => ("ts_replicate", with_length(first, widest)),
            _ => ("ts_stuff", with_length(first, widest)),
        };
        Ok(Some(Typed { exact: arguments[0].exact, ..Typed::new(format!("{function}({})", parts.join(", ")), kind) }))
    }

    fn of_numbers(&mut self, word: &str, arguments: &[Typed]) -> Result<Option<Typed>, Message> {
        let (least, most) = match word {
            "ABS" | "FLOOR" | "CEILING" | "SIGN" | "SQRT" | "YEAR" | "MONTH" | "DAY" => (1, 1),
            "ROUND" => (2, 3),
            "POWER" => (2, 2),
            "EOMONTH" => (1, 2),
            _ => return Ok(None),
        };
        count(word, arguments, least, most)?;
        if matches!(word, "YEAR" | "MONTH" | "DAY") {
            let time = self.as_time(&arguments[0])?.0;
            return Ok(Some(Typed::new(format!("ts_datepart('{}', {time})", word.to_ascii_lowercase()), Type::Int)));
        }
        if word == "EOMONTH" {
            let time = self.as_time(&arguments[0])?.0;
            let months = arguments.get(1).map_or_else(|| Ok("0".to_owned()), |months| self.implicit(months, Type::Int))?;
            return Ok(Some(Typed::new(format!("ts_eomonth({time}, {months})"), Type::Date)));
        }
        // Text and bit count as float; tinyint and smallint stay as small as they are no longer.
        let kind = match arguments[0].or_int() {
            kind if is_text(kind) || kind == Type::Bit => Type::Float,
            Type::TinyInt | Type::SmallInt => Type::Int,
            Type::Real => Type::Float,
            kind => kind,
        };
        let value = self.implicit(&arguments[0], kind)?;
        let code = type_code(kind);
        Ok(Some(match word {
            "ROUND" => {
                let digits = self.implicit(&arguments[1], Type::Int)?;
                let cut = arguments.get(2).map_or_else(|| Ok("0".to_owned()), |cut| self.implicit(cut, Type::Int))?;
                Typed::new(format!("ts_round({value}, {code}, {digits}, {cut})"), kind)
            }
            "POWER" | "SQRT" => {
                let float = |typed: &Typed| self.implicit(typed, Type::Float);
                let power = arguments.get(1).map_or_else(|| Ok("0".to_owned()), float)?;
                let sql = format!("ts_{}({}, {power})", if word == "SQRT" { "sqrt" } else { "power" }, float(&arguments[0])?);
                let result = Typed::new(sql, Type::Float);
                if word == "SQRT" { result } else { explicit(&result, kind, 0, false) }
            }
            _ => {
                let typed = Typed::new(format!("ts_{}({value}, {code})", word.to_ascii_lowercase()), kind);
                match (word, kind) {
                    ("FLOOR" | "CEILING", Type::Numeric(precision, _)) => explicit(&typed, Type::Numeric(precision, 0), 0, false),
                    _ => typed,
                }
            }
        }))
    }

    /// The argument as a time; text is read as datetime.
    fn as_time(&self, typed: &Typed) -> Result<(String, Type), Message> {
        let kind = typed.kind.filter(|kind| is_time(*kind)).unwrap_or(Type::DateTime);
        Ok((self.implicit(typed, kind)?, kind))
    }

    /// DATEADD and its kin, whose first argument is a unit.
    fn dated(&mut self, word: &str, given: &[Expr]) -> Result<Typed, Message> {
        let name = match given.first() {
            Some(Expr::Column(parts)) => parts.first().map_or("", String::as_str),
            _ => "",
        };
        let Some(unit) = unit(name) else {
            return Err(message(155, 15, format!("'{name}' is not a recognized {} option.", word.to_ascii_lowercase())));
        };
        let wanted = if word == "DATEPART" { 2 } else { 3 };
        if given.len() != wanted {
            return Err(message(174, 15, format!("The {} function requires {wanted} argument(s).", word.to_ascii_lowercase())));
        }
        let arguments = given[1..].iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>, _>>()?;
        let constant = arguments.iter().all(|argument| argument.constant);
        let typed = match word {
            "DATEPART" => Typed::new(format!("ts_datepart('{unit}', {})", self.as_time(&arguments[0])?.0), Type::Int),
            "DATEADD" => {
                let (time, kind) = self.as_time(&arguments[1])?;
                let number = self.implicit(&arguments[0], Type::Int)?;
                Typed::new(format!("ts_dateadd('{unit}', {number}, {time})"), kind)
            }
            _ => {
                let kind = if word == "DATEDIFF" { Type::Int } else { Type::BigInt };
                let (from, to) = (self.as_time(&arguments[0])?.0, self.as_time(&arguments[1])?.0);
                Typed::new(self.in_range(&format!("ts_datediff('{unit}', {from}, {to})"), kind), kind)
            }
        };
        Ok(Typed { constant, ..typed })
    }

    fn aggregate(&mut self, word: &str, given: &[Expr], star: bool, distinct: bool) -> Result<Typed, Message> {
        if star {
            let kind = if word == "COUNT" { Type::Int } else { Type::BigInt };
            return Ok(Typed { constant: false, ..Typed::new("count(*)".to_owned(), kind) });
        }
        let [argument] = given else {
            return Err(message(174, 15, format!("The {word} function requires 1 argument(s).")));
        };
        if has_aggregate(argument) || matches!(argument, Expr::Subquery(_)) {
            let text = "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.";
            return Err(message(130, 15, text));
        }
        // Within an aggregate any column may stand.
        let groups = self.groups.take();
        let argument = self.expr(argument);
        self.groups = groups;
        let argument = argument?;
        let kind = argument.or_int();
        let word_distinct = if distinct { "DISTINCT " } else { "" };
        let (sql, kind) = match word {
            "COUNT" => (format!("count({word_distinct}{})", argument.collated()), Type::Int),
            "COUNT_BIG" => (format!("count({word_distinct}{})", argument.collated()), Type::BigInt),
            "MIN" | "MAX" if kind == Type::Bit => return Err(invalid(kind, word)),
            "MIN" | "MAX" => (format!("{}({})", word.to_ascii_lowercase(), argument.collated()), kind),
            _ => {
                let (from, result) = match kind {
                    Type::TinyInt | Type::SmallInt | Type::Int => (Type::BigInt, Type::Int),
                    Type::BigInt => (Type::BigInt, Type::BigInt),
                    Type::Real | Type::Float => (Type::Float, Type::Float),
                    Type::Money => (Type::Money, Type::Money),
                    Type::Numeric(_, scale) if word == "SUM" => (Type::Numeric(38, scale), Type::Numeric(38, scale)),
                    Type::Numeric(_, scale) => (Type::Numeric(38, scale.max(6)), Type::Numeric(38, scale.max(6))),
                    other => return Err(invalid(other, word)),
                };
                let value = self.implicit(&argument, from)?;
                let sql = format!("ts_{}({word_distinct}{value})", word.to_ascii_lowercase());
                (if is_whole(result) { self.in_range(&sql, result) } else { sql }, result)
            }
        };
        Ok(Typed { constant: false, ..Typed::new(sql, kind) })
    }
}

/// Arguments that are positions or lengths.
fn is_position(word: &str, at: usize) -> bool {
    match word {
        "CHAR" | "NCHAR" | "SPACE" => true,
        "LEFT" | "RIGHT" | "REPLICATE" | "PARSENAME" => at == 1,
        "SUBSTRING" => at >= 1,
        "CHARINDEX" => at == 2,
        "STUFF" => at == 1 || at == 2,
        _ => false,
    }
}

fn concat_kind(arguments: &[Typed]) -> Type {
    let national = arguments.iter().any(|argument| matches!(argument.kind, Some(Type::NVarChar(_) | Type::NChar(_))));
    let unlimited = arguments.iter().any(|argument| argument.kind.and_then(length) == Some(None));
    match (national, unlimited) {
        (true, true) => Type::NVarChar(None),
        (true, false) => Type::NVarChar(Some(4000)),
        (false, true) => Type::VarChar(None),
        (false, false) => Type::VarChar(Some(8000)),
    }
}

fn count(word: &str, arguments: &[Typed], least: usize, most: usize) -> Result<(), Message> {
    if (least..=most).contains(&arguments.len()) {
        return Ok(());
    }
    let name = word.to_ascii_lowercase();
    if least == most {
        return Err(message(174, 15, format!("The {name} function requires {least} argument(s).")));
    }
    Err(message(189, 15, format!("The {name} function requires {least} to {most} arguments.")))
}

fn unknown(word: &str) -> Message {
    message(195, 15, format!("{} is not a recognized built-in function name.", quote_text(word)))
}

fn invalid(kind: Type, word: &str) -> Message {
    let text =
        format!("Operand data type {} is invalid for {} operator.", crate::sql::type_text(kind), word.to_ascii_lowercase());
    message(8117, 16, text)
}

/// Does an aggregate stand in it, outside subqueries?
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    any(
        expr,
        &|part| matches!(part, Expr::Function { name, .. } if name.schema.is_empty() && AGGREGATES.contains(&name.name.as_str())),
    )
}
