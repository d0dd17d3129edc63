//! What a person sees: lines, bars, or one JSON object. The only place that prints.

use std::io::{BufWriter, IsTerminal, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Exit, Failure};
use crate::progress::{Progress, Watch};
use crate::text::{Lang, Text};

/// Lines about progress come at most this often where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Where the rows of a list go, one at a time.
pub type Row<'a> = &'a mut dyn FnMut(&Value);

/// How this invocation speaks.
#[derive(Clone, Copy)]
pub struct Output {
    /// Language of people.
    pub lang: Lang,
    /// One JSON object on standard output.
    pub json: bool,
}

impl Output {
    /// A line on standard output (nothing with `--json`).
    pub fn line(&self, line: impl AsRef<str>) {
        if !self.json {
            let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
        }
    }

    /// A line in the person's language.
    pub fn say(&self, text: &Text) {
        self.line(text.get(self.lang));
    }

    /// One JSON object on standard output.
    pub fn object(&self, value: &Value) {
        let _ = writeln!(std::io::stdout(), "{value}");
    }

    /// The end of a verb: its object with `--json`, else the failure on standard error. Returns the exit code.
    pub fn finish(&self, verb: &str, run: Option<String>, outcome: Result<Value, Failure>) -> u8 {
        self.finish_beside(verb, run, outcome, Value::Null)
    }

    /// The same, with keys that a program also gets when the verb failed.
    pub fn finish_beside(&self, verb: &str, run: Option<String>, outcome: Result<Value, Failure>, beside: Value) -> u8 {
        let (exit, mut object) = match &outcome {
            Ok(_) => (Exit::Ok, json!({ "ok": true, "verb": verb, "run": run, "code": 0 })),
            Err(failure) => {
                let code = failure.exit.code();
                (
                    failure.exit,
                    json!({ "ok": false, "verb": verb, "run": run, "code": code, "error": failure.to_json(self.lang) }),
                )
            }
        };
        if self.json {
            for result in [outcome.as_ref().ok().cloned().unwrap_or_default(), beside] {
                if let (Value::Object(object), Value::Object(result)) = (&mut object, result) {
                    for (key, value) in result {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            self.object(&object);
        } else if let Err(failure) = &outcome {
            self.failure(failure);
        }
        exit.code()
    }

    /// The end of a verb that succeeded, from a struct: what is long is written as it stands, without a second copy in memory. Only with
    /// `--json`.
    pub fn finish_whole<T: Serialize>(&self, verb: &str, run: Option<String>, body: &T) -> u8 {
        #[derive(Serialize)]
        struct Whole<'a, T> {
            ok: bool,
            verb: &'a str,
            run: Option<String>,
            code: u8,
            #[serde(flatten)]
            body: &'a T,
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        let whole = Whole { ok: true, verb, run, code: Exit::Ok.code(), body };
        let _ = serde_json::to_writer(&mut out, &whole).map(|()| writeln!(out).and_then(|()| out.flush()));
        Exit::Ok.code()
    }

    /// The end of a verb that succeeded and whose last key is a list that may be longer than the memory: `each` gives its rows one by
    /// one. Only with `--json`. A row that cannot be given any more leaves the object unfinished, which no program takes for whole.
    pub fn finish_rows(&self, verb: &str, result: Value, key: &str, each: &mut dyn FnMut(Row<'_>) -> Result<(), Failure>) -> u8 {
        let mut object = json!({ "ok": true, "verb": verb, "run": null, "code": 0 });
        if let (Value::Object(object), Value::Object(result)) = (&mut object, result) {
            object.extend(result);
        }
        let head = object.to_string();
        let mut out = BufWriter::new(std::io::stdout().lock());
        let _ = write!(out, "{},{}:[", head.strip_suffix('}').unwrap_or(&head), json!(key));
        let mut comma = "";
        let outcome = each(&mut |row| {
            let _ = write!(out, "{comma}{row}");
            comma = ",";
        });
        match outcome {
            Ok(()) => {
                let _ = writeln!(out, "]}}").and_then(|()| out.flush());
                Exit::Ok.code()
            }
            Err(failure) => {
                drop(out);
                self.failure(&failure);
                failure.exit.code()
            }
        }
    }

    /// A failure on standard error; in a window too where relevo has no terminal that stays.
    pub fn failure(&self, failure: &Failure) {
        let shown = failure.render(self.lang);
        let _ = write!(std::io::stderr(), "{shown}");
        if crate::world::own_console() {
            crate::world::show_window("relevo", &shown);
        }
    }

    /// Keeps the window of a double-clicked icon open until somebody has read it.
    pub fn wait_for_key(&self) {
        let words = match self.lang {
            Lang::Es => "Oprima Entrar para cerrar.",
            Lang::En => "Press Enter to close.",
        };
        let _ = write!(std::io::stderr(), "{words}");
        let _ = std::io::stdin().read_line(&mut String::new());
    }

    /// Bars on a terminal, a line every few seconds elsewhere; both on standard error.
    pub fn watch(&self, stop: Arc<AtomicBool>) -> Watch {
        let screen = Mutex::new(Screen { bar: None, shown: Instant::now(), what: String::new(), done: 0, total: 0 });
        let (lang, terminal) = (self.lang, std::io::stderr().is_terminal());
        Watch::new(
            move |progress| {
                if let Ok(mut screen) = screen.lock() {
                    screen.take(progress, lang, terminal);
                }
            },
            stop,
        )
    }
}

struct Screen {
    bar: Option<ProgressBar>,
    shown: Instant,
    what: String,
    done: u64,
    total: u64,
}

impl Screen {
    fn take(&mut self, progress: Progress, lang: Lang, terminal: bool) {
        match progress {
            Progress::Begin(what, total) => {
                (self.what, self.total, self.done, self.shown) = (what.get(lang).to_owned(), total, 0, Instant::now());
                self.bar = terminal.then(|| bar(total, &self.what));
            }
            Progress::Advance(bytes) => {
                self.done += bytes;
                match &self.bar {
                    Some(bar) => bar.inc(bytes),
                    None if self.shown.elapsed() >= LINE_EVERY => {
                        self.shown = Instant::now();
                        let (what, done, total) = (&self.what, self.done >> 20, self.total >> 20);
                        let _ = writeln!(std::io::stderr(), "  {what}: {done} / {total} MiB");
                    }
                    None => {}
                }
            }
            Progress::End => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
            Progress::Note(text) => {
                let line = format!("  · {}", text.get(lang));
                match &self.bar {
                    Some(bar) => bar.println(line),
                    None => drop(writeln!(std::io::stderr(), "{line}")),
                }
            }
        }
    }
}

fn bar(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  {msg} {wide_bar} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// How long, for people: "12 s", "5 min", "3 h", "2 d".
pub fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
