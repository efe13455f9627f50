//! Windows has no fork, and Miri none that it could follow: nothing is registered for one.

/// Nothing to register.
pub fn prepare() {}
