//! A descriptor of the host that is written to, so that its event loop wakes.
//!
//! * It is the library's own copy, so the host may close its number when it likes. A process that becomes a daemon closes
//!   the copy too, and then opens something else under its number: what it was is looked at before each write.
//! * Writing never blocks: not into a full pipe either, where the reader has something to wake for anyway.
//! * SIGPIPE never reaches the host: bells are rung on the library's threads, where it is masked. On macOS, where that signal
//!   is the whole process's, the descriptor is told to raise none.

use crate::model::{Code, Error, Result};

/// A descriptor to write to.
#[derive(Debug)]
pub struct Bell {
    #[cfg(all(unix, not(miri)))]
    descriptor: unix::Descriptor,
}

impl Bell {
    /// On a copy of the host's descriptor.
    #[cfg(all(unix, not(miri)))]
    pub fn on(descriptor: i64) -> Result<Self> {
        unix::Descriptor::copy_of(descriptor).map(|descriptor| Bell { descriptor }).map_err(|error| {
            Error::new(
                Code::InvalidHandle,
                format!(
                    "the descriptor {descriptor} cannot be written to ({error}): give the writing end of a pipe, a socket or an eventfd, which is open"
                ),
            )
        })
    }

    /// Where the host's descriptors are not the C library's.
    #[cfg(not(all(unix, not(miri))))]
    pub fn on(descriptor: i64) -> Result<Self> {
        Err(Error::new(
            Code::InvalidHandle,
            format!(
                "the descriptor {descriptor} cannot be written to on this platform: take what is finished with store_completions_next, in a thread"
            ),
        ))
    }

    /// Writes eight bytes, the number one: right for a pipe, a socket and an eventfd. What stands in the way is the host's
    /// business, and loses nothing but the waking.
    pub fn ring(&self) {
        #[cfg(all(unix, not(miri)))]
        self.descriptor.write(&1_u64.to_ne_bytes());
    }
}

#[cfg(all(unix, not(miri)))]
mod unix {
    use std::io;
    use std::os::fd::RawFd;
    use std::sync::Mutex;

    use super::super::descriptors::{Identity, identity};
    use super::super::lock;

    /// Between the look whether there is room and the write nobody else of the library fills it.
    static WRITING: Mutex<()> = Mutex::new(());

    #[derive(Debug)]
    pub struct Descriptor {
        number: RawFd,
        identity: Identity,
        is_socket: bool,
    }

    impl Descriptor {
        pub fn copy_of(number: i64) -> io::Result<Self> {
            let bad = || io::Error::from_raw_os_error(libc::EBADF);
            let theirs = RawFd::try_from(number).map_err(|_| bad())?;
            // SAFETY: questions about a number, whatever it stands for.
            let (flags, number) = unsafe { (libc::fcntl(theirs, libc::F_GETFL), duplicate(theirs)) };
            if number < 0 {
                return Err(io::Error::last_os_error());
            }
            raise_no_signal(number);
            let (identity, is_socket) = identity(number)
                .map_or((None, false), |(identity, mode)| (Some(identity), mode & libc::S_IFMT == libc::S_IFSOCK));
            let copy = Descriptor { number, identity: identity.ok_or_else(bad)?, is_socket };
            if flags & libc::O_ACCMODE == libc::O_RDONLY { Err(bad()) } else { Ok(copy) }
        }

        #[cfg(test)]
        pub fn number(&self) -> RawFd {
            self.number
        }

        fn is_intact(&self) -> bool {
            identity(self.number).is_some_and(|(identity, _)| identity == self.identity)
        }

        pub fn write(&self, bytes: &[u8]) {
            if !self.is_intact() {
                return;
            }
            if self.is_socket {
                // SAFETY: the bytes are live; the number is the library's own.
                unsafe { libc::send(self.number, bytes.as_ptr().cast(), bytes.len(), MSG_NEITHER_WAITS_NOR_KILLS) };
                return;
            }
            let _writing = lock(&WRITING);
            let mut asked = libc::pollfd { fd: self.number, events: libc::POLLOUT, revents: 0 };
            // SAFETY: one live struct, no waiting; then as above.
            unsafe {
                if libc::poll(&raw mut asked, 1, 0) == 1 && asked.revents == libc::POLLOUT {
                    libc::write(self.number, bytes.as_ptr().cast(), bytes.len());
                }
            }
        }
    }

    impl Drop for Descriptor {
        fn drop(&mut self) {
            if self.is_intact() {
                // SAFETY: it was opened by `copy_of` and is known to nobody else.
                unsafe { libc::close(self.number) };
            }
        }
    }

    /// Above the standard ones, which are to stay the host's, and closed across exec.
    unsafe fn duplicate(number: RawFd) -> RawFd {
        // SAFETY: it makes a number, or fails.
        unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) }
    }

    /// The host's own writes to it fail without a signal from then on as well.
    #[cfg(target_os = "macos")]
    fn raise_no_signal(number: RawFd) {
        let yes: libc::c_int = 1;
        // SAFETY: questions about a number, of which a socket understands the second, whatever else the first.
        unsafe {
            libc::fcntl(number, libc::F_SETNOSIGPIPE, yes);
            let size = size_of_val(&yes) as libc::socklen_t;
            libc::setsockopt(number, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, (&raw const yes).cast(), size);
        }
    }

    /// Where it is masked, it is raised in vain.
    #[cfg(not(target_os = "macos"))]
    fn raise_no_signal(_: RawFd) {}

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    const MSG_NEITHER_WAITS_NOR_KILLS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    /// SIGPIPE is masked where bells are rung.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    const MSG_NEITHER_WAITS_NOR_KILLS: libc::c_int = libc::MSG_DONTWAIT;
}

#[cfg(test)]
#[cfg(all(unix, not(miri)))]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_bell_writes_the_number_one_into_whatever_the_descriptor_is_also_when_the_host_closed_its_own() {
        let (mut pipe, into_pipe) = std::io::pipe().expect("a pipe");
        let (mut socket, into_socket) = UnixStream::pair().expect("sockets");
        for (reader, writer) in
            [(&mut pipe as &mut dyn Read, into_pipe.as_raw_fd()), (&mut socket, into_socket.as_raw_fd())]
        {
            Bell::on(writer.into()).expect("it can be written to").ring();
            let mut bytes = [0; 8];
            reader.read_exact(&mut bytes).expect("it rang");
            assert_eq!(u64::from_ne_bytes(bytes), 1);
        }
        let bell = Bell::on(into_pipe.as_raw_fd().into()).expect("it can be written to");
        drop(into_pipe);
        bell.ring();
        drop(bell);
        let mut rest = Vec::new();
        pipe.read_to_end(&mut rest).expect("the copy is closed with the bell");
        assert_eq!(rest.len(), 8);
    }

    #[test]
    fn a_bell_never_waits_for_room() {
        let (_pipe, into_pipe) = std::io::pipe().expect("a pipe");
        let (_socket, into_socket) = UnixStream::pair().expect("sockets");
        for writer in [into_pipe.as_raw_fd(), into_socket.as_raw_fd()] {
            let bell = Bell::on(writer.into()).expect("it can be written to");
            // More than either holds.
            (0..400_000).for_each(|_| bell.ring());
        }
    }

    #[test]
    fn what_is_not_open_or_only_for_reading_is_refused() {
        let (pipe, _) = std::io::pipe().expect("a pipe");
        for descriptor in [-1, i64::MIN, i64::MAX, 1 << 32, 1 << 20, pipe.as_raw_fd().into()] {
            let error = Bell::on(descriptor).expect_err("it cannot be written to");
            assert_eq!(error.code, Code::InvalidHandle);
            assert!(error.message.contains(&descriptor.to_string()), "{error}");
        }
    }

    #[test]
    fn what_took_the_place_of_the_copy_is_left_alone() {
        let (_pipe, into_pipe) = std::io::pipe().expect("a pipe");
        let bell = Bell::on(into_pipe.as_raw_fd().into()).expect("it can be written to");
        let number = bell.descriptor_number();
        let (mut other, into_other) = std::io::pipe().expect("a pipe");
        // SAFETY: the copy's number is this test's own.
        assert_eq!(unsafe { libc::dup2(into_other.as_raw_fd(), number) }, number);
        bell.ring();
        drop(bell);
        drop(into_other);
        // SAFETY: it was the bell's, which left it open.
        assert_eq!(unsafe { libc::close(number) }, 0, "the bell closed what is not its own");
        let mut rest = Vec::new();
        other.read_to_end(&mut rest).expect("readable");
        assert!(rest.is_empty());
    }

    impl Bell {
        fn descriptor_number(&self) -> std::os::fd::RawFd {
            self.descriptor.number()
        }
    }
}
