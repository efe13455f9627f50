//! What the system lets this process have.

/// How many descriptors the process may have open, as the limit is now.
#[cfg(all(unix, not(miri)))]
pub fn open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes one rlimit, to the live local it is given.
    let told = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if told == 0 { limit.rlim_cur } else { u64::MAX }
}

/// Windows bounds a process's sockets by its memory; Miri has none.
#[cfg(not(all(unix, not(miri))))]
pub fn open_files() -> u64 {
    u64::MAX
}
