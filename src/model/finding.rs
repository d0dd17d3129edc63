//! What a check of the store finds: plain data for `doctor`, `setup`, `status` and plans.

use serde::{Deserialize, Serialize};

use crate::model::Side;
use crate::text::Text;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// It works, with less than it should give.
    Warning,
    /// It does not work, or would do harm.
    Error,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code in snake_case.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// At which server.
    pub side: Side,
    /// What is so.
    pub message: Text,
    /// What to do.
    pub remedy: Text,
}
