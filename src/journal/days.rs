//! Pure: when a run is old. Days are counted on which this store worked, not days between two readings of a clock: one that jumps
//! to 2100 and back is one day more, and drops no young run.

use serde::{Deserialize, Serialize};

/// Days that ended runs are kept.
pub const KEPT: usize = 90;

/// The last days on which the store worked, oldest first: each with the number of the newest run that was there when it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    days: Vec<(String, i64)>,
}

impl Days {
    /// Notes that the store works on this day. `None`: that is known already; else up to which run all are old, if any are.
    pub fn work(&mut self, day: &str, newest: i64) -> Option<Option<i64>> {
        if self.days.iter().any(|(known, _)| known == day) {
            return None;
        }
        self.days.push((day.to_owned(), newest));
        let old = (self.days.len() > KEPT).then(|| self.days.remove(0).1);
        Some(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked(days: &mut Days, range: std::ops::Range<i64>) -> Vec<i64> {
        range.filter_map(|day| days.work(&format!("day {day}"), day * 10).flatten()).collect()
    }

    #[test]
    fn a_run_is_old_after_ninety_days_of_work() {
        let mut days = Days::default();
        assert!(worked(&mut days, 0..90).is_empty());
        assert_eq!(worked(&mut days, 90..93), [0, 10, 20]);
    }

    #[test]
    fn a_clock_that_jumps_ages_nothing() {
        let mut days = Days::default();
        for n in 0..10_000 {
            for day in ["2026-11-24", "2100-01-01", "2026-11-25", "1980-01-01", "2026-11-24"] {
                assert_eq!(days.work(day, n).flatten(), None);
            }
        }
        assert_eq!(days.days.len(), 4);
    }

    proptest::proptest! {
        /// Whatever the clock says: what is dropped had ninety other days after it.
        #[test]
        fn nothing_younger_than_ninety_days_of_work_goes(dates in proptest::collection::vec(0u16..300, 0..600)) {
            let (mut days, mut seen) = (Days::default(), Vec::new());
            for (n, date) in dates.iter().enumerate() {
                let first = !seen.iter().any(|(_, known)| known == date);
                if let Some(Some(old)) = days.work(&date.to_string(), n as i64) {
                    let since: std::collections::BTreeSet<u16> = dates[old as usize..=n].iter().copied().collect();
                    proptest::prop_assert!(since.len() >= KEPT, "{} days since run {}", since.len(), old);
                }
                if first {
                    seen.push((n, *date));
                }
            }
        }
    }
}
