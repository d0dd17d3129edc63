//! Messages of the parser and the compiler, with Microsoft's numbers and texts.

use crate::wire::Message;

/// A message of this number and class.
#[must_use]
pub fn message(number: u32, class: u8, text: impl Into<String>) -> Message {
    Message { number, state: 1, class, text: text.into(), line: 1 }
}

/// 102
pub(super) fn near(token: &str) -> Message {
    message(102, 15, format!("Incorrect syntax near '{token}'."))
}

/// 156
pub(super) fn near_keyword(token: &str) -> Message {
    message(156, 15, format!("Incorrect syntax near the keyword '{token}'."))
}

/// 137
pub(super) fn undeclared(variable: &str) -> Message {
    Message { state: 2, ..message(137, 15, format!("Must declare the scalar variable \"{variable}\".")) }
}

/// 3031
pub(super) fn conflict(option: &str, others: &str) -> Message {
    let text = format!(
        "Option '{option}' conflicts with option(s) '{others}'. Remove the conflicting option and reissue the statement."
    );
    message(3031, 16, text)
}

/// 3032
pub(super) fn unsupported_option(option: &str) -> Message {
    let text = format!(
        "One or more of the options ({option}) are not supported for this statement. Review the documentation for supported options."
    );
    message(3032, 16, text)
}
