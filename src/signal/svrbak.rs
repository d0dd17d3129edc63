//! SvrBak.txt: the two instances of the store. `key=value` lines, or two bare lines in the order of the vendor's screen:
//! backup first, then main.

use crate::signal::text_file::{Wrong, decode, lines};
use crate::text;

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SvrBak {
    /// Instance of the main server.
    pub main: String,
    /// Instance of the backup server.
    pub backup: String,
}

const MAIN_KEYS: [&str; 4] = ["principal", "main", "primary", "servidor_principal"];
const BACKUP_KEYS: [&str; 4] = ["respaldo", "backup", "bak", "servidor_respaldo"];

/// Reads it.
pub fn parse(bytes: &[u8]) -> Result<SvrBak, Wrong> {
    let text = decode(bytes)?;
    let lines = lines(&text);
    let keyed = lines.iter().filter(|(_, line)| line.contains('=')).count();
    let found = match (lines.len(), keyed) {
        (0, _) => return Err(Wrong::at(0, text!("está vacío", "it is empty"))),
        (_, 0) => bare(&lines)?,
        _ => pairs(&lines)?,
    };
    if same_instance(&found.main, &found.backup) {
        let instance = &found.main;
        return Err(Wrong::at(
            0,
            text!(
                "principal y respaldo son la misma instancia ({instance})",
                "main and backup are the same instance ({instance})"
            ),
        ));
    }
    Ok(found)
}

fn bare(lines: &[(usize, &str)]) -> Result<SvrBak, Wrong> {
    match lines {
        [(_, backup), (_, main)] => Ok(SvrBak { main: (*main).to_owned(), backup: (*backup).to_owned() }),
        [(line, _)] => Err(Wrong::at(
            *line,
            text!("falta la segunda instancia (respaldo, luego principal)", "the second instance is missing (backup, then main)"),
        )),
        [_, _, (line, _), ..] => {
            Err(Wrong::at(*line, text!("sobra un renglón: se esperan dos", "one line too many: two are expected")))
        }
        [] => Err(Wrong::at(0, text!("está vacío", "it is empty"))),
    }
}

fn pairs(lines: &[(usize, &str)]) -> Result<SvrBak, Wrong> {
    let (mut main, mut backup) = (None, None);
    for &(number, line) in lines {
        let Some((key, value)) = line.split_once('=') else {
            return Err(Wrong::at(number, text!("se esperaba clave=valor", "expected key=value")));
        };
        let (key, value) = (key.trim().to_lowercase(), value.trim());
        let place = match key.as_str() {
            key if MAIN_KEYS.contains(&key) => &mut main,
            key if BACKUP_KEYS.contains(&key) => &mut backup,
            _ => {
                return Err(Wrong::at(
                    number,
                    text!("clave desconocida «{key}» (principal, respaldo)", "unknown key \"{key}\" (principal, respaldo)"),
                ));
            }
        };
        if value.is_empty() {
            return Err(Wrong::at(number, text!("falta la instancia", "the instance is missing")));
        }
        if place.replace(value.to_owned()).is_some() {
            return Err(Wrong::at(number, text!("clave repetida «{key}»", "repeated key \"{key}\"")));
        }
    }
    match (main, backup) {
        (Some(main), Some(backup)) => Ok(SvrBak { main, backup }),
        (None, _) => Err(Wrong::at(0, text!("falta principal=", "principal= is missing"))),
        (_, None) => Err(Wrong::at(0, text!("falta respaldo=", "respaldo= is missing"))),
    }
}

/// Writes it, as relevo does.
pub fn render(found: &SvrBak) -> String {
    format!("principal={}\r\nrespaldo={}\r\n", found.main, found.backup)
}

/// Windows does not tell case apart in host, instance and folder names.
pub fn same_instance(a: &str, b: &str) -> bool {
    a.trim_end_matches(['\\', '/']).to_lowercase() == b.trim_end_matches(['\\', '/']).to_lowercase()
}

/// The host of `HOST\INSTANCE`, `HOST,PORT` or `HOST`.
pub fn host(instance: &str) -> &str {
    instance.split(['\\', ',', '/']).next().unwrap_or(instance).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(main: &str, backup: &str) -> SvrBak {
        SvrBak { main: main.into(), backup: backup.into() }
    }

    #[test]
    fn every_form_that_is_accepted() {
        let wanted = both(r"SERVIDOR\SQL", r"CAJA1\SQL");
        for text in [
            "principal=SERVIDOR\\SQL\r\nrespaldo=CAJA1\\SQL\r\n",
            "RESPALDO = CAJA1\\SQL\nPrincipal=SERVIDOR\\SQL",
            "main=SERVIDOR\\SQL\n\nbackup=CAJA1\\SQL\n\u{1a}",
            "CAJA1\\SQL\r\nSERVIDOR\\SQL\r\n",
            "\n  CAJA1\\SQL \n SERVIDOR\\SQL",
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(wanted.clone()), "{text}");
        }
        assert_eq!(parse(render(&wanted).as_bytes()), Ok(wanted));
    }

    #[test]
    fn what_is_refused_and_where() {
        for (text, line) in [
            ("", 0),
            ("CAJA1", 1),
            ("a\nb\nc", 3),
            ("principal=a\nrespaldo=", 2),
            ("principal=a\nprincipal=b\nrespaldo=c", 2),
            ("principal=a\nservidor=b", 2),
            ("principal=a\nb", 2),
            ("principal=a", 0),
            ("respaldo=a", 0),
            ("principal=A\nrespaldo=a", 0),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn the_host_part() {
        assert_eq!(["CAJA1\\SQLEXPRESS", "CAJA1,1433", "CAJA1"].map(host), ["CAJA1"; 3]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn print_then_parse_is_the_same(main in "[A-Z0-9ÁÑ][A-Za-z0-9ñ_,=\\\\/ -]{0,30}[A-Z0-9]", backup in "[a-z][A-Za-z0-9.:=\\\\]{0,30}[a-z]") {
            let wanted = SvrBak { main, backup };
            proptest::prop_assume!(!same_instance(&wanted.main, &wanted.backup));
            proptest::prop_assert_eq!(parse(render(&wanted).as_bytes()), Ok(wanted));
        }
    }
}
