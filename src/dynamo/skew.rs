//! The service's clock, as far as this machine's differs from it.
//!
//! A signature tells the time, and the service refuses one that is minutes off. Its answer has the right time: the
//! difference is corrected once, remembered for the store's life, and corrected again when the machine's clock is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// A clock that is off by less is right: the service takes signatures for longer, and its answers are under way for a while.
const TOLERANCE: Duration = Duration::from_secs(4 * 60);

/// This machine's clock, corrected.
#[derive(Debug, Default)]
pub struct Clock {
    /// What is to be added to this machine's clock, in milliseconds.
    offset: AtomicI64,
}

impl Clock {
    /// The service's time when this machine's clock says `here`.
    pub fn corrected(&self, here: SystemTime) -> SystemTime {
        match self.offset() {
            0 => here,
            offset => shifted(here, offset),
        }
    }

    /// What is added to this machine's clock, in milliseconds.
    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Takes the time out of the `Date` header of an answer that came when this machine's clock said `here`. Whether the
    /// clock was off and no longer is.
    pub fn learn(&self, date: Option<&str>, here: SystemTime) -> bool {
        let Some(there) = date.and_then(time) else { return false };
        if difference(self.corrected(here), there) <= TOLERANCE {
            return false;
        }
        let offset = match there.duration_since(here) {
            Ok(behind) => milliseconds(behind),
            Err(ahead) => -milliseconds(ahead.duration()),
        };
        self.offset.store(offset, Ordering::Relaxed);
        true
    }
}

fn time(date: &str) -> Option<SystemTime> {
    DateTime::from_str(date, Format::HttpDate).ok()?.try_into().ok()
}

fn difference(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|later| later.duration())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn shifted(time: SystemTime, milliseconds: i64) -> SystemTime {
    let by = Duration::from_millis(milliseconds.unsigned_abs());
    let shifted = if milliseconds < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    shifted.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Fri, 14 Jul 2017 12:00:00 GMT";
    const ONE: &str = "Fri, 14 Jul 2017 13:00:00 GMT";

    fn at(date: &str) -> SystemTime {
        time(date).expect("a date")
    }

    #[test]
    fn a_clock_that_is_off_is_corrected_once_and_again_when_it_is_set() {
        let clock = Clock::default();
        assert_eq!(clock.corrected(at(NOON)), at(NOON));
        // An hour behind, then right after the correction, then set by its owner: an hour ahead if it were still shifted.
        assert!(clock.learn(Some(ONE), at(NOON)));
        assert_eq!(clock.corrected(at(NOON)), at(ONE));
        assert!(!clock.learn(Some(ONE), at(NOON)), "the time is not what was wrong");
        assert!(clock.learn(Some(ONE), at(ONE)));
        assert_eq!(clock.corrected(at(ONE)), at(ONE));
        assert!(clock.learn(Some(NOON), at(ONE)));
        assert_eq!(clock.corrected(at(ONE)), at(NOON));
    }

    #[test]
    fn what_says_no_time_or_nearly_the_same_corrects_nothing() {
        let clock = Clock::default();
        for date in [None, Some(""), Some("yesterday"), Some(NOON)] {
            assert!(!clock.learn(date, at(NOON) + TOLERANCE), "{date:?}");
        }
        assert!(clock.learn(Some(NOON), at(NOON) + TOLERANCE + Duration::from_secs(1)));
    }
}
