//! A moment, by two clocks: the one that goes on while the machine is suspended, and the one on the wall.
//!
//! What lasts until a moment is over as soon as either clock says so. The first one cannot be set; the second one also
//! sees what a frozen and thawed virtual machine slept through. A wall clock that jumps forward ends things early, and
//! one that jumps back changes nothing.

use std::time::Duration;

use crate::runtime::{WALL_TICK, both_now};

/// When, in nanoseconds of either clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    boot: u64,
    wall: u64,
}

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        let (boot, wall) = both_now();
        Moment { boot, wall }
    }

    /// A time later.
    pub fn after(self, time: Duration) -> Moment {
        let later =
            |clock: u64, time: Duration| clock.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        // Both are read in ticks; the one that nobody sets is to decide where they go alike.
        Moment { boot: later(self.boot, time), wall: later(self.wall, time.saturating_add(WALL_TICK)) }
    }

    /// A time earlier.
    pub fn before(self, time: Duration) -> Moment {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Moment { boot: self.boot.saturating_sub(time), wall: self.wall.saturating_sub(time) }
    }

    /// Whether this moment has come.
    pub fn has_come(self, now: Moment) -> bool {
        now.boot >= self.boot || now.wall >= self.wall
    }

    /// How long ago an earlier moment was, by the clock that says longer.
    pub fn since(self, earlier: Moment) -> Duration {
        let boot = self.boot.saturating_sub(earlier.boot);
        Duration::from_nanos(boot.max(self.wall.saturating_sub(earlier.wall)))
    }

    /// An invented moment of both clocks, in milliseconds.
    #[cfg(test)]
    pub fn at(boot: u64, wall: u64) -> Moment {
        Moment { boot: boot * 1_000_000, wall: wall * 1_000_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_by_whichever_clock_says_so_first() {
        let read = Moment::at(1_000, 500_000);
        let expires = read.after(Duration::from_millis(1_000));
        let tick = u64::try_from(WALL_TICK.as_millis()).expect("milliseconds");
        for (what, now, come) in [
            ("at once", read, false),
            ("just before", Moment::at(1_999, 500_999), false),
            ("just then", Moment::at(2_000, 501_000), true),
            ("the wall clock is a tick ahead", Moment::at(1_999, 500_999 + tick), false),
            ("suspended, with a wall clock that nobody has set yet", Moment::at(9_000, 500_000), true),
            ("frozen: no clock but the wall's went on", Moment::at(1_000, 501_000 + tick), true),
            ("the wall clock was set back", Moment::at(1_999, 100), false),
            ("the wall clock was set back, and the time is over", Moment::at(2_000, 100), true),
        ] {
            assert_eq!(expires.has_come(now), come, "{what}");
        }
    }

    #[test]
    fn an_age_is_what_the_clock_that_saw_more_of_it_says() {
        let read = Moment::at(1_000, 500_000);
        for (now, age) in [
            (read, 0),
            (Moment::at(1_700, 500_700), 700),
            (Moment::at(1_700, 504_000), 4_000),
            (Moment::at(1_700, 100), 700),
        ] {
            assert_eq!(now.since(read), Duration::from_millis(age));
        }
    }

    #[test]
    fn both_clocks_go_on() {
        let before = Moment::now();
        let mut now = before;
        while now.since(before) < 2 * WALL_TICK {
            now = Moment::now();
        }
        assert!(now.boot > before.boot && now.wall > before.wall);
    }
}
