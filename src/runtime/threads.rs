//! Threads of our own: named, small, with every signal masked that is not the thread's own fault, so that the host's
//! handlers run on the host's threads.

use std::io;
use std::thread::Builder;

/// Starts a thread. That the system refuses it one is an error like any other.
pub fn start(name: &str, stack_bytes: usize, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let _masked = MaskedSignals::all();
    Builder::new().name(name.to_owned()).stack_size(stack_bytes).spawn(body).map(drop)
}

/// The calling thread's signal mask, set aside while every signal is blocked. Threads inherit their creator's.
pub struct MaskedSignals {
    #[cfg(all(unix, not(miri)))]
    before: libc::sigset_t,
}

impl MaskedSignals {
    /// Until it is dropped.
    #[cfg(all(unix, not(miri)))]
    pub fn all() -> Self {
        // SAFETY: sigset_t is plain data that sigfillset and pthread_sigmask fill; the pointers are to live locals.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            // A fault of our own must end in a core dump with its cause, not be blocked.
            for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT] {
                libc::sigdelset(&raw mut all, fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            MaskedSignals { before }
        }
    }

    /// Nothing: Windows and Miri have no signals.
    #[cfg(not(all(unix, not(miri))))]
    pub fn all() -> Self {
        MaskedSignals {}
    }
}

#[cfg(all(unix, not(miri)))]
impl Drop for MaskedSignals {
    fn drop(&mut self) {
        // SAFETY: `before` was filled by pthread_sigmask on this same thread.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}
