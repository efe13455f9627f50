//! Descriptors are numbers that the host may close and give to something else.
//!
//! * A process that becomes a daemon closes every descriptor it finds. The runtime's are gone then, or, worse, are the
//!   host's next files. [`Sentinel`] is a descriptor that nobody uses, opened with the runtime's: if it is not what it
//!   was, none of them can be trusted.
//! * What the host opens after that takes the lowest numbers. A thread that waits for I/O may ask for it once more with the
//!   number that it knows, before anyone sees that it is gone. [`leave_room`] has the runtime take higher numbers, where it
//!   then finds nothing.
//! * A process without standard descriptors would have our sockets take their numbers, and then write its log into one
//!   of them. [`occupy_standard`] has `/dev/null` take them instead, as Rust's own programs do when they start. They
//!   stay: whoever closes a number that the host may have taken over meanwhile closes something of the host's. They
//!   close across exec, so that a program started by the host finds what it would have found.

use std::io::{self, PipeReader};
use std::os::fd::{AsRawFd, RawFd};

/// Something of ours in the table of descriptors.
#[derive(Debug)]
pub struct Sentinel {
    pipe: PipeReader,
    identity: Identity,
}

/// What a descriptor stands for: device and inode, which no two open pipes share.
pub type Identity = (libc::dev_t, libc::ino_t);

impl Sentinel {
    /// A pipe, which unlike most things without a name has an inode of its own. Whoever keeps one for a runtime never drops
    /// it: when its time is over, its number may be the host's.
    pub fn new() -> io::Result<Self> {
        let (pipe, _) = io::pipe()?;
        let (identity, _) = identity(pipe.as_raw_fd()).ok_or_else(io::Error::last_os_error)?;
        Ok(Sentinel { pipe, identity })
    }

    /// Whether it is still there, and so what was opened with it.
    pub fn is_intact(&self) -> bool {
        identity(self.pipe.as_raw_fd()).is_some_and(|(identity, _)| identity == self.identity)
    }
}

/// What a number stands for, and its mode.
pub fn identity(number: RawFd) -> Option<(Identity, libc::mode_t)> {
    // SAFETY: `stat` is plain data that fstat fills, for any number.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        (libc::fstat(number, &raw mut status) == 0).then_some(((status.st_dev, status.st_ino), status.st_mode))
    }
}

/// How many numbers are left free below the runtime's.
const ROOM: usize = 32;

/// Takes the lowest free numbers for as long as what it returns is kept. Where there are too few, none: then a runtime
/// matters more than where it lies.
pub fn leave_room() -> Vec<PipeReader> {
    let taken = io::pipe().and_then(|(pipe, _)| (0..ROOM).map(|_| pipe.try_clone()).collect::<io::Result<Vec<_>>>());
    // What is to be opened must fit as well.
    taken.and_then(|taken| io::pipe().and_then(|_| io::pipe()).map(|_| taken)).unwrap_or_default()
}

/// Has `/dev/null` take the standard descriptors that are closed, so that nothing of ours does.
pub fn occupy_standard() {
    for number in 0..3 {
        // SAFETY: a question about a number, whatever it stands for.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
            continue;
        }
        // SAFETY: the path is a literal; the lowest free number is taken, which is this one or another that was closed.
        let taken = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        if taken > 2 {
            // SAFETY: opened just now, and known to nobody; the host had taken the number first.
            unsafe { libc::close(taken) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentinel_knows_itself_from_what_takes_its_place() {
        let sentinel = Sentinel::new().expect("a descriptor");
        assert!(sentinel.is_intact());
        let (other, _) = io::pipe().expect("a pipe");
        let number = sentinel.pipe.as_raw_fd();
        // SAFETY: the sentinel's number is this test's own.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
        assert!(!sentinel.is_intact(), "another pipe is not the sentinel");
        // SAFETY: as above.
        unsafe { libc::close(number) };
        assert!(!sentinel.is_intact(), "nothing is not the sentinel");
        // Its number may be another test's by now.
        std::mem::forget(sentinel);
    }
}
