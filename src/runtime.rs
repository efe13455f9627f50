//! The process's tokio runtime: started at the first operation, built anew after a fork, never dropped.
//!
//! * Its threads are named, have small stacks and have every signal masked that is not the thread's own fault, so
//!   that the host's handlers run on the host's threads. All socket work happens on them, which is why a SIGPIPE
//!   from a broken connection never reaches the host: it stays masked here and the write returns EPIPE.
//! * A forked child has none of its parent's threads. Dropping the inherited runtime would wait for them for
//!   ever, using it would hang: it is leaked, and the child builds its own.
//! * A fork waits until none of its threads is in the middle of something, see [`polls`].

mod clock;
pub mod panics;
mod polls;

use std::cell::Cell;
use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::model::{Code, Error, Result};

pub use clock::{WALL_TICK, boot_now, wall_now};
pub use polls::{contained, outside, whole_across_forks};

/// How much longer than its deadline a caller waits for the answer of a call that ends itself at the deadline.
const GRACE: Duration = Duration::from_millis(90);

/// Stack of our threads. Only what is touched costs memory; a chain of credential sources, unoptimised, has been seen
/// to touch more than half a megabyte.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Threads that drive the I/O. Two keep both halves of a busy host's reads moving; more only adds wake-ups.
const WORKERS: usize = 2;

/// How often this process's ancestry has forked since the library was loaded.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// The runtime of this process, or null before its first operation.
static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(std::ptr::null_mut());

/// Taken while the runtime is built, and across a fork, so that no child inherits a half-built one.
static BUILDING: Mutex<()> = Mutex::new(());

thread_local! {
    /// Whether this thread is one of the runtime's, where waiting for the runtime could wait for ever.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Which process this is, counted in forks. Whatever was made under another number belongs to an ancestor.
pub fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Runs a future on the runtime's threads; its outcome is awaited elsewhere.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    runtime()?.spawn(whole_across_forks(future));
    Ok(())
}

/// Runs a future on the runtime's threads and waits for it. The future ends itself at `deadline`; should the
/// threads be starved beyond that, the wait ends all the same, with an error that says what was attempted.
pub fn block_on<T: Send + 'static>(
    deadline: Instant,
    attempt: impl Display,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    if OURS.get() {
        return Err(Error::new(
            Code::CalledInCallback,
            "a blocking function was called inside a callback of flagstore: use its asynchronous form there",
        ));
    }
    let (sender, receiver) = sync_channel(1);
    spawn(async move {
        // The receiver is gone only if the caller stopped waiting.
        let _ = sender.send(contained(future).await);
    })?;
    let patience = deadline.saturating_duration_since(Instant::now()) + GRACE;
    match receiver.recv_timeout(patience) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => Err(Error::new(
            Code::Timeout,
            "the deadline passed and the library's threads did not answer: the process is starved of CPU, or stopped",
        )
        .during(attempt)),
        Err(RecvTimeoutError::Disconnected) => Err(Error::new(
            Code::Panic,
            "a bug in flagstore ended the call: please report it with the events of the store",
        )
        .during(attempt)),
    }
}

fn runtime() -> Result<&'static Runtime> {
    // SAFETY: the pointer is null or came from Box::into_raw below and is never freed.
    if let Some(runtime) = unsafe { RUNTIME.load(Ordering::Acquire).as_ref() } {
        return Ok(runtime);
    }
    let _building = lock(&BUILDING);
    // SAFETY: as above; another thread may have built it while this one waited.
    if let Some(runtime) = unsafe { RUNTIME.load(Ordering::Acquire).as_ref() } {
        return Ok(runtime);
    }
    // Tokio panics where the system refuses it a thread.
    let built =
        std::panic::catch_unwind(build).unwrap_or_else(|_| Err(not_started("the system refuses another thread")));
    let runtime = Box::leak(Box::new(built?));
    RUNTIME.store(runtime, Ordering::Release);
    Ok(runtime)
}

/// Threads inherit their creator's signal mask, so the mask is set around the building; the workers create the
/// blocking threads and so pass it on.
fn build() -> Result<Runtime> {
    let _masked = MaskedSignals::all();
    // Refused one thread after it has started another, tokio panics and then waits for the other for ever.
    threads_can_start().map_err(|error| not_started(&error.to_string()))?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(5))
        .thread_name("flagstore")
        .thread_stack_size(STACK_BYTES)
        .on_thread_start(|| OURS.set(true))
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| not_started(&error.to_string()))
}

/// Starts as many threads as the runtime will, all at once, and lets them end.
fn threads_can_start() -> std::io::Result<()> {
    let mut started = Vec::with_capacity(WORKERS);
    for _ in 0..WORKERS {
        let (hold, released) = sync_channel::<()>(0);
        let thread = std::thread::Builder::new().name("flagstore".into()).stack_size(STACK_BYTES);
        // It ends when `hold` is dropped, also where the next one is refused.
        started.push((hold, thread.spawn(move || released.recv().is_ok())?));
    }
    for (hold, thread) in started {
        drop(hold);
        let _ = thread.join();
    }
    Ok(())
}

fn not_started(why: &str) -> Error {
    Error::new(
        Code::Runtime,
        format!("the library's threads could not be started ({why}): raise the limits on processes and open files"),
    )
}

/// What keeps the runtime whole across a fork. Held from before the fork until after it, on both sides.
pub struct ForkGuard {
    _building: MutexGuard<'static, ()>,
}

/// Called in the parent before a fork.
pub fn before_fork() -> ForkGuard {
    let building = lock(&BUILDING);
    polls::wait_for_none();
    ForkGuard { _building: building }
}

impl Drop for ForkGuard {
    fn drop(&mut self) {
        polls::go_on();
    }
}

/// Called in the child of a fork: the parent's runtime is forgotten where it lies.
pub fn after_fork_in_child() {
    polls::forget();
    RUNTIME.store(std::ptr::null_mut(), Ordering::Release);
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Returns when no fork is under way.
fn wait_for_fork() {
    drop(lock(&BUILDING));
}

/// A lock whose holder panicked guards nothing that could be half-done here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The calling thread's signal mask, set aside while every signal is blocked.
struct MaskedSignals {
    #[cfg(not(miri))]
    before: libc::sigset_t,
}

impl MaskedSignals {
    #[cfg(not(miri))]
    fn all() -> Self {
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

    #[cfg(miri)]
    fn all() -> Self {
        MaskedSignals {}
    }
}

#[cfg(not(miri))]
impl Drop for MaskedSignals {
    fn drop(&mut self) {
        // SAFETY: `before` was filled by pthread_sigmask on this same thread.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}
