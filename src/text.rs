//! What people read, in Spanish and English at once: a message cannot be written in one language only.

use serde::{Deserialize, Serialize};

/// The language that people are spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Spanish, the language of the shops.
    Es,
    /// English.
    En,
}

/// One message in both languages. Build it with [`text!`](crate::text!).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Spanish.
    pub es: String,
    /// English.
    pub en: String,
}

impl Text {
    /// The words for `lang`.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Es => &self.es,
            Lang::En => &self.en,
        }
    }

    /// The same message with `@` replaced by other words, each language by its own.
    #[must_use]
    pub fn fill(self, words: &Text) -> Text {
        Text { es: self.es.replacen('@', &words.es, 1), en: self.en.replacen('@', &words.en, 1) }
    }

    /// The same words in both languages: names, paths, messages of the operating system.
    pub fn same(words: impl Into<String>) -> Self {
        let words = words.into();
        Text { es: words.clone(), en: words }
    }
}

/// `text!("español {x}", "English {x}")`: both languages, with the captures of `format!`.
#[macro_export]
macro_rules! text {
    ($es:literal, $en:literal $(, $($arg:tt)*)?) => {
        $crate::text::Text { es: format!($es $(, $($arg)*)?), en: format!($en $(, $($arg)*)?) }
    };
}
