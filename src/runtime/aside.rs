//! Work that may hang and so runs on neither the I/O threads nor the host's, but on a thread of its own.

use std::sync::Mutex;

use tokio::runtime::{Builder, Runtime};

use super::{MaskedSignals, STACK_BYTES, lock};

/// Runs a job on a thread of its own and of that name, at most 15 letters, which ends with the job. The thread has the same signals masked as the runtime's.
/// A fork does not wait for it, unless it marks its polls with [`super::whole_across_forks`].
pub fn aside(name: &str, job: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let _masked = MaskedSignals::all();
    std::thread::Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(job).map(drop)
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
