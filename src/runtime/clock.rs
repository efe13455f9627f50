//! Clocks for ages: one that goes on while the machine is suspended, and the one on the wall.
//!
//! Rust's `Instant` stands still on Linux and macOS while the machine is suspended, so that by it nothing grows old
//! meanwhile. What a hypervisor froze and thawed, such as a Lambda's machine, may find even the clock of the kernel
//! standing still; there the wall clock alone tells.

/// Nanoseconds since some moment before this process, suspended ones included.
#[cfg(all(unix, not(miri)))]
pub fn boot_now() -> u64 {
    // macOS's monotonic clock goes on in its sleep.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    read(CLOCK)
}

/// Nanoseconds of Unix time, up to [`WALL_TICK`] ago. Someone may set it, in either direction.
#[cfg(all(unix, not(miri)))]
pub fn wall_now() -> u64 {
    // A quarter of the price of the exact one, which a cached read would notice.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_REALTIME_COARSE;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_REALTIME;
    read(CLOCK)
}

#[cfg(all(unix, not(miri)))]
#[allow(
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "both clocks count up from zero; the fields' types differ by platform"
)]
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live local, which the call fills. These clocks are always there; were one not, the
    // time would stay zero, and what is measured by the other one would still end.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Windows' `Instant` goes on in its sleep; Miri has neither of the clocks above.
#[cfg(not(all(unix, not(miri))))]
pub fn boot_now() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds of Unix time. Someone may set it, in either direction.
#[cfg(not(any(unix, miri)))]
pub fn wall_now() -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Miri's isolation has no wall clock.
#[cfg(miri)]
pub fn wall_now() -> u64 {
    boot_now()
}

/// How far [`wall_now`] may be behind: a tick of the slowest kernels.
pub const WALL_TICK: std::time::Duration = std::time::Duration::from_millis(10);
