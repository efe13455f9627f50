//! Work that may hang and so runs on neither the I/O threads nor the host's: a thread of its own, and a program of its
//! own process group.

use std::process::{Child, Command};

use std::sync::Mutex;

use tokio::runtime::{Builder, Runtime};

use super::{MaskedSignals, STACK_BYTES, lock};

/// The name of such threads.
const NAME: &str = "flagstore-creds";

/// Runs a job on a thread of its own, which ends with the job. The thread has the same signals masked as the runtime's.
/// A fork does not wait for it, unless it marks its polls with [`super::whole_across_forks`].
pub fn aside(job: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let _masked = MaskedSignals::all();
    std::thread::Builder::new().name(NAME.into()).stack_size(STACK_BYTES).spawn(job).map(drop)
}

/// Lets a program start in a process group of its own, to be ended with all that it starts by [`end_group`].
pub fn in_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

/// Ends a program that was started by [`in_group`] and was not waited for yet, with all that it started.
pub fn end_group(program: &mut Child) {
    #[cfg(all(unix, not(miri)))]
    if let Ok(group) = libc::pid_t::try_from(program.id()) {
        // SAFETY: kill takes no pointers. The group's leader was not waited for, so its number is not another's yet;
        // a host that collects all its children may have done that, and then there is at worst no such group.
        unsafe {
            libc::kill(-group, libc::SIGKILL);
        }
    }
    // Where there are no groups, the program itself; else it is gone already.
    let _ = program.kill();
}

/// Makes runtimes for such threads, each for one job. Made itself on the thread that opens a store, since tokio then looks
/// for a variable of the environment.
pub struct Runtimes(Option<Mutex<Builder>>);

impl Runtimes {
    /// To be called where the environment may be read.
    pub fn new() -> Self {
        let mut builder = Builder::new_current_thread();
        builder.enable_io().enable_time();
        Runtimes(Some(Mutex::new(builder)))
    }

    /// Where no job needs one.
    pub fn none() -> Self {
        Runtimes(None)
    }

    /// A runtime whose work is done on the thread that waits for it.
    pub fn one(&self) -> std::io::Result<Runtime> {
        let builder = self.0.as_ref().ok_or_else(|| std::io::Error::other("none was to be needed"))?;
        lock(builder).build()
    }
}
