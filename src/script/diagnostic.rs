//! What the check of a bundle finds, and how people and programs read it.

use ariadne::{CharSet, Color, Config, IndexType, Label, Report, ReportKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::Bundle;
use crate::error::Failure;
use crate::text;
use crate::text::{Lang, Text};

/// Does it stop the bundle from being used?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Yes.
    Error,
    /// No.
    Warning,
}

/// One finding in one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// File below `scripts/`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Length in characters, at least 1.
    pub len: usize,
    /// Error or warning.
    pub severity: Severity,
    /// Stable code in snake_case.
    pub code: String,
    /// What is wrong.
    pub message: Text,
    /// What to do about it.
    pub hint: Option<Text>,
}

impl Diagnostic {
    /// For `--json`.
    pub fn to_json(&self, lang: Lang) -> Value {
        json!({
            "file": self.file, "line": self.line, "column": self.column, "len": self.len, "severity": self.severity,
            "code": self.code, "message": self.message.get(lang), "hint": self.hint.as_ref().map(|h| h.get(lang)),
        })
    }

    /// The finding with the lines it is about and a caret below them.
    pub fn render(&self, bundle: &Bundle, lang: Lang, color: bool) -> String {
        let (title, tint) = match (self.severity, lang) {
            (Severity::Error, _) => ("error", Color::Red),
            (Severity::Warning, Lang::Es) => ("advertencia", Color::Yellow),
            (Severity::Warning, Lang::En) => ("warning", Color::Yellow),
        };
        let name = format!("scripts/{}", self.file);
        let content = bundle.files.get(&self.file).map_or("", |content| &**content);
        let start = offset(content, self.line, self.column);
        let span = start..(start + self.len).min(content.chars().count()).max(start);
        let chars = if color { CharSet::Unicode } else { CharSet::Ascii };
        let message = self.message.get(lang);
        let report = Report::build(ReportKind::Custom(title, tint), (name.clone(), span.clone()))
            .with_config(Config::default().with_color(color).with_char_set(chars).with_index_type(IndexType::Char))
            .with_code(&self.code)
            .with_message(message)
            .with_label(Label::new((name.clone(), span)).with_message(message).with_color(tint))
            .finish();
        let mut out = Vec::new();
        if report.write(ariadne::sources([(name, content.to_owned())]), &mut out).is_err() {
            // Writing to memory does not fail; should it ever, the plain line says the same.
            out = format!("{title}: scripts/{}:{}:{}: {message}\n", self.file, self.line, self.column).into_bytes();
        }
        let out = String::from_utf8_lossy(&out);
        // ariadne colours a title of one's own even without colour.
        let mut out = if color { out.into_owned() } else { plain(&out) };
        if let Some(hint) = &self.hint {
            let word = if lang == Lang::Es { "sugerencia" } else { "hint" };
            out.push_str(&format!("{word}: {}\n", hint.get(lang)));
        }
        out
    }
}

/// Findings as the failure of a verb that needs a sound bundle; `None` when no finding is an error.
pub fn failure(found: &[Diagnostic]) -> Option<Failure> {
    let errors: Vec<&Diagnostic> = found.iter().filter(|d| d.severity == Severity::Error).collect();
    let count = errors.len();
    let mut failure = Failure::invalid(
        "script_invalid",
        match count {
            0 => return None,
            1 => text!("los scripts tienen un error", "the scripts have an error"),
            _ => text!("los scripts tienen {count} errores", "the scripts have {count} errors"),
        },
    )
    .hint(text!("relevo check los muestra en su lugar", "relevo check shows them in their place"));
    for d in errors {
        failure = failure.cause(format!("scripts/{}:{}:{}: {}: {}", d.file, d.line, d.column, d.code, d.message.en));
    }
    Some(failure)
}

/// The text without escape sequences, which a script might bring along too.
fn plain(coloured: &str) -> String {
    let mut pieces = coloured.split('\u{1b}');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    out.extend(pieces.map(|piece| piece.split_once('m').map_or("", |(_, rest)| rest)));
    out
}

/// Offset in characters of a place; the end of the text where there is no such place.
fn offset(content: &str, line: usize, column: usize) -> usize {
    let before: usize = content.split_inclusive('\n').take(line.saturating_sub(1)).map(|l| l.chars().count()).sum();
    (before + column.saturating_sub(1)).min(content.chars().count())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn sample() -> (Bundle, Diagnostic) {
        let content = "fn run(args) {\n    // ñandú\n    mirror(#{ ful: true })\n}\n";
        let bundle = Bundle::new([("mirror.rhai".to_owned(), Arc::from(content))].into());
        let diagnostic = Diagnostic {
            file: "mirror.rhai".to_owned(),
            line: 3,
            column: 15,
            len: 3,
            severity: Severity::Error,
            code: "unknown_option".to_owned(),
            message: text!("mirror no tiene la opción ful", "mirror has no option ful"),
            hint: Some(text!("¿quiso decir full?", "did you mean full?")),
        };
        (bundle, diagnostic)
    }

    #[test]
    fn rendered_with_its_line_in_both_languages() {
        let (bundle, diagnostic) = sample();
        let es = diagnostic.render(&bundle, Lang::Es, false);
        for part in [
            "error",
            "scripts/mirror.rhai:3:15",
            "mirror(#{ ful: true })",
            "mirror no tiene la opción ful",
            "sugerencia: ¿quiso decir full?",
        ] {
            assert!(es.contains(part), "{part} in\n{es}");
        }
        assert!(!es.contains('\u{1b}'));
        assert!(diagnostic.render(&bundle, Lang::En, true).contains("did you mean full?"));
        assert_eq!(offset(&bundle.files["mirror.rhai"], 3, 15), 42);
    }

    #[test]
    fn a_place_beyond_the_end_is_still_rendered() {
        let (bundle, mut diagnostic) = sample();
        (diagnostic.line, diagnostic.column) = (99, 1);
        assert!(diagnostic.render(&bundle, Lang::En, false).contains("mirror has no option ful"));
        diagnostic.file = "gone.rhai".to_owned();
        assert!(diagnostic.render(&bundle, Lang::En, false).contains("mirror has no option ful"));
    }

    #[test]
    fn warnings_are_no_failure() {
        let (_, mut diagnostic) = sample();
        assert_eq!(failure(std::slice::from_ref(&diagnostic)).unwrap().kind, "script_invalid");
        diagnostic.severity = Severity::Warning;
        assert_eq!(failure(&[diagnostic]), None);
    }
}
