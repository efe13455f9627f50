//! Where sockets are no small numbers that a host closes by counting, as on Windows and under Miri, there is nothing to guard.

use std::io;

/// Nothing of ours can be taken away.
#[derive(Debug)]
pub struct Sentinel;

impl Sentinel {
    /// Never fails.
    #[allow(clippy::unnecessary_wraps, reason = "that of descriptors can")]
    pub fn new() -> io::Result<Self> {
        Ok(Sentinel)
    }

    /// Always.
    #[allow(clippy::unused_self, reason = "that of descriptors looks at itself")]
    pub fn is_intact(&self) -> bool {
        true
    }
}

/// No number is better than another.
pub struct Room;

/// Nothing opens in anything's place.
pub fn leave_room() -> Room {
    Room
}

/// What writes to a standard stream does not find it by its number.
pub fn occupy_standard() {}
