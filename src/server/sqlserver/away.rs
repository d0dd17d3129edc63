//! An instance that does not answer is remembered for a while: a verb looks many times, and must not wait for a dead computer each time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::error::Failure;

/// At least so long; a computer that refuses at once may be back soon.
const LEAST: Duration = Duration::from_millis(500);

/// What is remembered.
#[derive(Default)]
pub struct Away(Mutex<Option<(Instant, Duration, Failure)>>);

impl Away {
    /// Why it is not worth asking now.
    pub fn why(&self) -> Option<Failure> {
        let known = self.0.lock().ok()?;
        known.as_ref().filter(|(since, how_long, _)| since.elapsed() < *how_long).map(|(.., failure)| failure.clone())
    }

    /// It did not answer, and that took so long to learn. Twice that time nobody asks again, so that all looks of a verb together wait
    /// about as long as one.
    pub fn remember(&self, took: Duration, failure: &Failure) {
        if let Ok(mut known) = self.0.lock() {
            *known = Some((Instant::now(), LEAST.max(took * 2), failure.clone()));
        }
    }

    /// The next question goes out whatever was remembered.
    pub fn forget(&self) {
        if let Ok(mut known) = self.0.lock() {
            *known = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn as_long_as_it_took_twice_over() {
        let (away, failure) = (Away::default(), Failure::failed("sql_unreachable", Text::same("x")));
        assert!(away.why().is_none());
        away.remember(Duration::ZERO, &failure);
        assert_eq!(away.why(), Some(failure.clone()));
        away.forget();
        assert!(away.why().is_none());
        let past = Instant::now().checked_sub(Duration::from_secs(7)).unwrap();
        for (took, known) in [(0, false), (3, false), (4, true), (5, true)] {
            away.remember(Duration::from_secs(took), &failure);
            away.0.lock().unwrap().as_mut().unwrap().0 = past;
            assert_eq!(away.why().is_some(), known, "{took} s");
        }
    }
}
