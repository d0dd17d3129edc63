//! Reads relevo.toml. Every error names the file, the line and the key with its path; nothing is guessed or skipped.

use std::path::Path;

use super::Config;
use crate::error::{Failure, Result};
use crate::nearest::nearest;
use crate::text;
use crate::text::Text;

impl Config {
    /// Reads and checks `dir/relevo.toml`; relative paths in it are relative to `dir`. All errors end with exit 3, except that the
    /// file cannot be read (exit 1).
    pub fn load(dir: &Path) -> Result<Config> {
        let path = dir.join("relevo.toml");
        let bytes = std::fs::read(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                let shown = path.display();
                Failure::invalid("config_missing", text!("no existe {shown}", "{shown} does not exist")).hint(text!(
                    "créelo con relevo init, o indique la carpeta de la sucursal con --store",
                    "create it with relevo init, or name the store's folder with --store"
                ))
            }
            _ => Failure::io(text!("no se pudo leer", "could not read"), &path, &e),
        })?;
        let source = String::from_utf8(bytes).map_err(|e| {
            let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
            let shown = path.display();
            Failure::invalid("config_invalid", text!("{shown}:{line} no está en UTF-8", "{shown}:{line} is not UTF-8"))
                .hint(text!("guarde el archivo con la codificación UTF-8", "save the file with the encoding UTF-8"))
        })?;
        let mut config = parse(source.trim_start_matches('\u{feff}'), &path)?;
        config.check()?;
        config.anchor(dir)?;
        Ok(config)
    }
}

/// The typed file, not yet checked.
fn parse(source: &str, path: &Path) -> Result<Config> {
    let shown = path.display();
    let deserializer = toml::Deserializer::parse(source).map_err(|e| {
        let (line, column) = place(source, e.span().map_or(0, |s| s.start));
        Failure::invalid(
            "config_invalid",
            text!("{shown}:{line}:{column} no es TOML válido", "{shown}:{line}:{column} is not valid TOML"),
        )
        .cause(e.message())
        .hint(text!("corrija esa línea", "correct that line"))
    })?;
    serde_path_to_error::deserialize(deserializer).map_err(|e| {
        let (key, error) = (e.path().to_string(), e.into_inner());
        explain(source, path, &key, &error)
    })
}

/// The failure for a key that is unknown, missing or of the wrong type.
fn explain(source: &str, path: &Path, key: &str, error: &toml::de::Error) -> Failure {
    let (shown, message) = (path.display(), error.message().lines().next().unwrap_or_default());
    let start = error.span().map_or(0, |s| s.start);
    let words = quoted(message);
    let join = |last: &str| match key {
        "" | "." => last.to_owned(),
        _ if key == last || key.ends_with(&format!(".{last}")) => key.to_owned(),
        _ => format!("{key}.{last}"),
    };
    match words.split_first() {
        Some((wrong, known)) if message.starts_with("unknown field") => {
            // An error inside a target only knows where the whole table begins.
            let (line, _) = place(source, start + offset_of(&source[start.min(source.len())..], wrong));
            let key = join(wrong);
            let failure = Failure::invalid(
                "config_invalid",
                text!("{shown}:{line} clave desconocida: {key}", "{shown}:{line} unknown key: {key}"),
            );
            failure.hint(meant(wrong, known))
        }
        Some((missing, _)) if message.starts_with("missing field") => {
            let (line, _) = place(source, start);
            let key = join(missing);
            Failure::invalid(
                "config_invalid",
                text!("{shown}:{line} falta la clave {key}", "{shown}:{line} the key {key} is missing"),
            )
            .hint(text!("agregue {key}", "add {key}"))
        }
        Some((wrong, known)) if message.starts_with("unknown variant") => {
            let (line, _) = place(source, start);
            let failure = Failure::invalid(
                "config_invalid",
                text!("{shown}:{line} {key}: valor desconocido \"{wrong}\"", "{shown}:{line} {key}: unknown value \"{wrong}\""),
            );
            failure.hint(meant(wrong, known))
        }
        _ => {
            let (line, _) = place(source, start);
            Failure::invalid(
                "config_invalid",
                text!("{shown}:{line} valor no válido en {key}", "{shown}:{line} invalid value in {key}"),
            )
            .cause(message)
            .hint(text!("corrija {key}", "correct {key}"))
        }
    }
}

/// What a person probably meant instead of `wrong`.
pub(super) fn meant(wrong: &str, known: &[&str]) -> Text {
    let all = known.join(", ");
    match nearest(wrong, known.iter().copied()) {
        Some(near) => text!("¿quiso decir {near}? (se conocen: {all})", "did you mean {near}? (known: {all})"),
        None => text!("se conocen: {all}", "known: {all}"),
    }
}

/// The words that serde writes between backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// Where the line that sets `key` begins in `source`; 0 where none does.
fn offset_of(source: &str, key: &str) -> usize {
    let mut offset = 0;
    for line in source.split_inclusive('\n') {
        let rest = line.trim_start().trim_start_matches('[').trim_start().strip_prefix(key);
        if rest.is_some_and(|r| r.trim_start().starts_with(['=', '.', ']'])) {
            return offset;
        }
        offset += line.len();
    }
    0
}

/// Line and column of a byte, both from 1; the column counts characters.
fn place(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset.min(source.len())).unwrap_or(source);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use crate::model::Role;

    fn load(toml: &str) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("relevo.toml"), toml).unwrap();
        Config::load(dir.path())
    }

    #[test]
    fn a_missing_file_points_to_init() {
        let failure = Config::load(tempfile::tempdir().unwrap().path()).unwrap_err();
        assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Invalid, "config_missing"));
        assert!(failure.hint.unwrap().es.contains("relevo init"));
    }

    #[test]
    fn errors_name_line_key_and_the_nearest_right_one() {
        let good = Config::template(Role::Backup);
        let line = |toml: &str, part: &str| 1 + toml.lines().position(|l| l.contains(part)).unwrap();
        let cases = [
            ("keep_chains = ", "keep_chain = ", "mirror.keep_chain", "keep_chains"),
            ("[promote]", "[promot]", "promot", "promote"),
            ("kind = \"dir\"", "kind = \"dir\"\npatj = \"x\"", "targets.espejo.patj", "path"),
            ("kind = \"dir\"", "kind = \"dirr\"", "targets.espejo", "dir"),
            ("role = \"backup\"", "role = \"backp\"", "machine.role", "backup"),
            ("interval = \"5m\"", "interval = 5", "mirror.interval", "mirror.interval"),
            ("interval = \"5m\"", "interval = \"cinco\"", "mirror.interval", "mirror.interval"),
            ("id = \"0001\"", "id = 1", "store.id", "store.id"),
            ("id = \"0001\"", "", "store.id", "store.id"),
            ("engine = \"embedded\"", "engine = \"embeded\"", "servers.main.engine", "embedded"),
        ];
        for (right, wrong, key, hint) in cases {
            assert!(good.contains(right), "{right}");
            let toml = good.replacen(right, wrong, 1);
            let failure = load(&toml).unwrap_err();
            assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Invalid, "config_invalid"), "{wrong}");
            assert!(failure.message.es.contains(key) && failure.message.en.contains(key), "{wrong}: {failure:?}");
            let shown = failure.hint.unwrap().en;
            assert!(shown.contains(hint), "{wrong}: {shown}");
            if key.ends_with("keep_chain") || key.ends_with("patj") || key.ends_with("role") {
                let at = line(&toml, wrong.lines().last().unwrap());
                assert!(failure.message.en.contains(&format!("relevo.toml:{at} ")), "{wrong}: {}", failure.message.en);
            }
        }
    }

    proptest::proptest! {
        /// A settings file that somebody's editor, or the disk, has spoiled: settings or a failure with exit 3 that names the file.
        #[test]
        fn any_text_gives_settings_or_a_failure(
            at in 0.0..1.0f64, cut in 0usize..40, words in "(\\PC{0,12}|[\\[\\]{}='\"\\n.#0-9a-z]{0,30}|ñ`x`\\n)", any: Vec<u8>,
        ) {
            let good = Config::template(Role::Backup);
            let mut chars: Vec<char> = good.chars().collect();
            let from = ((chars.len() as f64) * at) as usize;
            let to = (from + cut).min(chars.len());
            chars.splice(from..to, words.chars());
            let spoiled: String = chars.into_iter().collect();
            for bytes in [spoiled.into_bytes(), any] {
                let dir = tempfile::tempdir().unwrap();
                std::fs::write(dir.path().join("relevo.toml"), &bytes).unwrap();
                if let Err(failure) = Config::load(dir.path()) {
                    proptest::prop_assert_eq!(failure.exit, Exit::Invalid, "{:?}", failure);
                }
            }
        }

        #[test]
        fn any_words_are_a_time_or_none(words in "([0-9]{1,25}(h|m|s|ms|us|d|w| )?){1,3}|\\PC{0,10}") {
            let toml = Config::template(Role::Backup).replacen("interval = \"5m\"", &format!("interval = {words:?}"), 1);
            if let Ok(config) = load(&toml) {
                // Nothing that is added to a moment runs over its end.
                let _ = (std::time::Instant::now() + config.mirror.interval, config.max_age());
            }
        }
    }

    #[test]
    fn a_time_longer_than_a_life_is_refused() {
        for key in ["probe_for", "lock_wait", "max_age"] {
            let toml = Config::template(Role::Backup).replacen("[promote]", &format!("[promote]\n{key} = \"99999999999h\""), 1);
            let failure = load(&toml.replace(&format!("\n{key} = \"1"), "\n# ")).unwrap_err();
            assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Invalid, "config_invalid"), "{key}");
        }
    }

    #[test]
    fn a_syntax_error_has_line_and_column() {
        let failure = load("[store]\nid = \n").unwrap_err();
        assert_eq!(failure.kind, "config_invalid");
        assert!(failure.message.en.contains("relevo.toml:2:"), "{}", failure.message.en);
    }
}
