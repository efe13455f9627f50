//! Clocks for ages: one that goes on while the machine is suspended, and the one on the wall.
//!
//! Rust's `Instant` stands still on Linux and macOS while the machine is suspended, so that by it nothing grows old
//! meanwhile. What a hypervisor froze and thawed, such as a Lambda's machine, may find even the clock of the kernel
//! standing still; there the wall clock alone tells.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Both clocks at once, for what is asked often: each up to [`WALL_TICK`] behind, the first one like [`boot_now`] all the same.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
pub fn both_now() -> (u64, u64) {
    // The clock that stands still while the machine is suspended can be had in ticks, for a quarter of the price; the one that
    // goes on cannot. The kernel lets the latter and the wall clock catch up together, so as long as the wall clock is as far
    // ahead as it was, nobody slept.
    let (steady, wall) = (read(libc::CLOCK_MONOTONIC_COARSE), read(libc::CLOCK_REALTIME_COARSE));
    let ahead = wall.wrapping_sub(steady);
    if ahead.abs_diff(AHEAD.load(Ordering::Acquire)) > SLEWED {
        SLEPT.store(boot_now().saturating_sub(read(libc::CLOCK_MONOTONIC)), Ordering::Relaxed);
        AHEAD.store(ahead, Ordering::Release);
    }
    (steady.wrapping_add(SLEPT.load(Ordering::Relaxed)), wall)
}

/// By how much the wall clock was ahead of the steady one when it was last looked how long the machine slept.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
static AHEAD: AtomicU64 = AtomicU64::new(0);
/// How long the machine slept, in nanoseconds.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
static SLEPT: AtomicU64 = AtomicU64::new(0);
/// So far a wall clock that is being put right gently may go before it is looked again: a minute's worth at the least.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
const SLEWED: u64 = 30_000_000;

/// Both clocks at once.
#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(miri))))]
pub fn both_now() -> (u64, u64) {
    (boot_now(), wall_now())
}

/// How far [`wall_now`] may be behind: a tick of the slowest kernels.
pub const WALL_TICK: std::time::Duration = std::time::Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_often_is_a_tick_behind_at_most() {
        let tick = u64::try_from(WALL_TICK.as_nanos()).expect("nanoseconds");
        for _ in 0..1_000 {
            let before = boot_now();
            let (boot, _) = both_now();
            let after = boot_now();
            assert!(boot + tick >= before && boot <= after, "{before} {boot} {after}");
        }
    }
}
