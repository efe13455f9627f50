//! How old something is that another process read, maybe before the machine was suspended or started anew.
//!
//! The wall clock is the only one that all processes of all times share, and the only one that somebody sets. The boot
//! clock goes on while the machine sleeps and nobody sets it, but it starts anew with each boot. Each bounds the other.

use std::time::Duration;

use crate::runtime::{boot_id, boot_now, wall_now};

/// Names one boot of the machine; all zeros where the system does not say.
pub type BootId = [u8; 16];

/// A moment on both clocks, as another process can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds of Unix time.
    pub wall: u64,
    /// Nanoseconds since the boot, suspended ones included.
    pub boot: u64,
    /// Which boot.
    pub boot_id: BootId,
}

impl Stamp {
    /// Now.
    pub fn now() -> Stamp {
        Stamp { wall: wall_now(), boot: boot_now(), boot_id: boot_id() }
    }

    /// How long ago `then` was: never less than it can have been. `None` if the clocks contradict each other, since what
    /// may be of any age is not to be served.
    pub fn since(&self, then: &Stamp) -> Option<Duration> {
        let by_wall = self.wall.checked_sub(then.wall);
        let same_boot = self.boot_id == then.boot_id && self.boot_id != BootId::default();
        let nanoseconds = match (same_boot, self.boot.checked_sub(then.boot), by_wall) {
            // A wall clock that was set back says nothing; one that was set forward only makes things older.
            (true, Some(by_boot), by_wall) => by_boot.max(by_wall.unwrap_or(0)),
            (true, None, _) | (false, _, None) => return None,
            (false, _, Some(by_wall)) => by_wall,
        };
        Some(Duration::from_nanos(nanoseconds))
    }

    /// Whether this moment is the later of the two; a doubt is a no.
    pub fn is_after(&self, other: &Stamp) -> bool {
        if self.boot_id == other.boot_id && self.boot_id != BootId::default() {
            return self.boot > other.boot;
        }
        self.wall > other.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: u64, boot: u64, boot_id: u8) -> Stamp {
        Stamp { wall: wall * 1_000_000, boot: boot * 1_000_000, boot_id: [boot_id; 16] }
    }

    #[test]
    fn an_age_is_never_less_than_it_can_have_been() {
        let then = at(10_000_000, 5_000, 1);
        for (name, now, wanted) in [
            ("both clocks agree", at(10_002_000, 7_000, 1), Some(2_000)),
            ("the wall clock was set back an hour", at(6_402_000, 7_000, 1), Some(2_000)),
            ("the wall clock was set forward an hour", at(13_602_000, 7_000, 1), Some(3_602_000)),
            ("the machine slept and only the boot clock went on", at(10_000_100, 65_000, 1), Some(60_000)),
            (
                "the machine was restored from a snapshot, which sets the wall clock",
                at(18_000_000, 5_100, 1),
                Some(8_000_000),
            ),
            ("another boot", at(10_060_000, 100, 2), Some(60_000)),
            ("another boot, with a clock that was wrong", at(9_900_000, 100, 2), None),
            ("a boot clock that goes backwards", at(10_002_000, 4_000, 1), None),
            ("no boot clock", Stamp { boot_id: BootId::default(), ..at(10_060_000, 0, 0) }, Some(60_000)),
        ] {
            assert_eq!(now.since(&then).map(|age| age.as_millis()), wanted, "{name}");
        }
    }

    #[test]
    fn of_two_moments_of_a_boot_its_clock_decides() {
        assert!(at(10, 2, 1).is_after(&at(20, 1, 1)), "the wall clock was set back in between");
        assert!(!at(10, 2, 1).is_after(&at(10, 2, 1)));
        assert!(at(20, 1, 2).is_after(&at(10, 9, 1)));
        assert!(!at(10, 1, 2).is_after(&at(20, 9, 1)));
    }
}
