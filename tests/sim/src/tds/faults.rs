//! Trouble on the wire, ordered by tests as data. Each order is used once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection ends before the request runs.
    LostRequest,
    /// It runs, and the connection ends before its last DONE: the client cannot know what happened.
    LostEnd,
    /// The connection ends after so many packets of the answer.
    CutAfter(usize),
    /// It waits before it runs.
    Delay(Duration),
}

/// Orders not used yet: the next batch whose text contains the first has the second.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<(String, Trouble)>>);

impl Faults {
    /// Orders trouble for the next batch that contains `text`; upper and lower case are different.
    pub fn order(&self, text: &str, trouble: Trouble) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((text.to_owned(), trouble));
    }

    pub(super) fn take(&self, sql: &str) -> Option<Trouble> {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = orders.iter().position(|(text, _)| sql.contains(text))?;
        Some(orders.remove(place).1)
    }
}
