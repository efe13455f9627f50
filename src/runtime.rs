//! The process's tokio runtime: started at the first operation, never dropped, replaced when it is dead.
//!
//! * Its threads are named, have small stacks and have every signal masked that is not the thread's own fault, so
//!   that the host's handlers run on the host's threads. All socket work happens on them, which is why a SIGPIPE
//!   from a broken connection never reaches the host: it stays masked here and the write returns EPIPE. On macOS, where
//!   that signal is the whole process's, mio and socket2 make no socket without SO_NOSIGPIPE.
//! * A forked child has none of its parent's threads. Dropping the inherited runtime would wait for them for
//!   ever, using it would hang: it is leaked, and the child builds its own.
//! * A process that closes all its descriptors has closed the runtime's. It is found dead by the next call, or by its
//!   own threads when they wake, and is leaked as a parent's is: its numbers are the host's by now. What was made with it
//!   is of another [`generation`], and is made anew.
//! * A call has its outcome exactly once, see [`pending`]: a panic is one, and so is the death of the runtime.
//! * A fork waits until none of its threads is in the middle of something, see [`polls`].

mod aside;
mod bell;
mod clock;
#[cfg(all(unix, not(miri)))]
mod descriptors;
#[cfg(not(all(unix, not(miri))))]
#[path = "runtime/no_descriptors.rs"]
mod descriptors;
mod host;
pub mod limits;
pub mod loaded;
pub mod panics;
mod pending;
mod polls;
pub mod programs;
#[cfg(test)]
mod tests;
pub mod threads;

use std::cell::RefCell;
use std::fmt::Display;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::stream::{AbortHandle, Abortable, Aborted};
use tokio::runtime::{Builder, Runtime};

use crate::model::{Code, Error, Result};
use descriptors::Sentinel;
use pending::{Call, Ends, Pending};
use threads::MaskedSignals;

pub use aside::{Runtimes, aside};
pub use bell::Bell;
pub use clock::{WALL_TICK, boot_now, both_now, wall_now};
pub use host::{boot_id, effective_user};
pub use polls::{contained, forks, outside, whole_across_forks};

/// What runs on the runtime's threads.
type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How much longer than its deadline a caller waits for the answer of a call that ends itself at the deadline.
const GRACE: Duration = Duration::from_millis(90);

/// How long a runtime that left a call without an answer may take to run what does nothing. So often the thread that asks
/// waits and is given the processor again: where it is starved, its own turns say more than the time.
const SIGNS_OF_LIFE: (u32, Duration) = (10, Duration::from_millis(50));

/// Stack of our threads. Only what is touched costs memory; a chain of credential sources, unoptimised, has been seen
/// to touch more than half a megabyte.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Threads that drive the I/O. Two keep both halves of a busy host's reads moving; more only adds wake-ups.
const WORKERS: usize = 2;

/// How many runtimes there were, those of the ancestors included.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The runtime of this process, or null before its first operation.
static RUNTIME: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());

/// What the runtime is built with, see [`prepare`]. Locked while one is built or given up, and across a fork, so that no child
/// inherits a half-built one.
static BUILDING: Mutex<Option<Builder>> = Mutex::new(None);

/// Calls whose runtime died, until there is a thread of the library to tell their callbacks on.
static ORPHANS: Mutex<Vec<Arc<dyn Ends>>> = Mutex::new(Vec::new());

/// Whether there may be orphans, so that a call need not take their lock.
static ORPHANED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The runtime that this thread is of, where waiting for a runtime could wait for ever.
    static OURS: RefCell<Option<Arc<Body>>> = const { RefCell::new(None) };
}

/// A runtime, and what tells whether it lives.
struct Engine {
    tokio: Runtime,
    body: Arc<Body>,
}

/// What the threads of a runtime know of it.
struct Body {
    sentinel: Sentinel,
    pending: Pending,
    /// Whether it is dead: nobody looks after calls that are added from then on.
    given_up: AtomicBool,
}

/// Makes what the runtime will be built with. To be called where the environment may be read: tokio looks for a variable in it,
/// and the first operation may be on any thread.
pub fn prepare() {
    lock(&BUILDING).get_or_insert_with(Builder::new_multi_thread);
}

/// The generation of the process's runtime: another one after a fork, and after the runtime was replaced. Whatever was
/// made in another generation belongs to an ancestor or to a dead runtime: it is neither used nor dropped.
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Gives up the runtime if its descriptors are gone, so that what is picked next is of a generation that works.
pub fn heal() {
    if let Some(engine) = current()
        && !engine.body.sentinel.is_intact()
    {
        engine.body.give_up();
    }
}

/// Whether what was begun in this generation may be woken.
pub fn is_alive(begun_in: u64) -> bool {
    begun_in == generation() && current().is_none_or(|engine| engine.body.sentinel.is_intact())
}

/// Refuses to go on with what was made in another generation.
pub fn check(made_in: u64) -> Result<()> {
    if made_in == generation() { Ok(()) } else { Err(given_up()) }
}

/// Runs a future on the runtime's threads; nobody waits for its outcome.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    if engine()?.starts(Box::pin(future)) { Ok(()) } else { Err(given_up()) }
}

/// Runs a future on the runtime's threads. `begun` gets the number to [`cancel`] it by, before it begins. `done` gets its
/// outcome there, exactly once: a panic is an outcome, and so are being cancelled and the death of the runtime. After an
/// error `done` is never called.
pub fn spawn_then<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
    begun: impl FnOnce(u64),
    done: impl FnOnce(Result<T>) + Send + 'static,
) -> Result<()> {
    engine()?.run(Box::pin(future), begun, Call::new(done))
}

/// Gives up the future of a call, which drops it where it waits, with all that it holds; that it was cancelled is its
/// outcome then. Nothing happens to a call that is over, or another process's. Any thread; waits for nothing.
pub fn cancel(call: u64) {
    heal();
    if let Some(engine) = current()
        && let Some(future) = engine.body.pending.cancel_of(call)
        // It wakes a thread, see `starts`.
        && catch_unwind(AssertUnwindSafe(|| future.abort())).is_err()
    {
        engine.body.give_up();
    }
    if ORPHANED.load(Ordering::Relaxed) {
        // To tell the callbacks of the calls that are lost.
        let _ = engine();
    }
}

/// Refuses to block a thread of the library.
pub fn may_block() -> Result<()> {
    if ours().is_none() {
        return Ok(());
    }
    Err(Error::new(
        Code::CalledInCallback,
        "a blocking function was called inside a callback of flagstore: use its asynchronous form there",
    ))
}

/// A wait that is shorter than it may be, as long as that makes sense.
pub struct Softly<'a> {
    /// When it is over.
    pub until: Instant,
    /// Asked then: whether there is no use in waiting on.
    pub worth: Box<dyn Fn() -> bool + 'a>,
}

/// Runs a future on the runtime's threads and waits for it, perhaps softly. The future ends itself in time for either; should
/// the threads be starved beyond that, the wait ends all the same, with an error that says what was attempted.
pub fn block_on<T: Send + 'static>(
    deadline: Instant,
    softly: Option<Softly<'_>>,
    attempt: impl Display,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    may_block()?;
    let engine = engine()?;
    let (sender, receiver) = sync_channel(1);
    // The receiver is gone only if the caller stopped waiting.
    engine.run(Box::pin(future), drop, Call::new(move |outcome| drop(sender.send(outcome))))?;
    let wait = |until: Instant| receiver.recv_timeout(until.saturating_duration_since(Instant::now()) + GRACE);
    let outcome = match softly.filter(|softly| softly.until < deadline) {
        None => wait(deadline),
        Some(softly) => wait(softly.until).or_else(|unanswered| match unanswered {
            RecvTimeoutError::Timeout if !(softly.worth)() => wait(deadline),
            unanswered => Err(unanswered),
        }),
    };
    outcome.unwrap_or_else(|unanswered| Err(engine.why(unanswered).during(attempt)))
}

impl Engine {
    /// The future is boxed before it comes here: what an init keeps while it waits is kilobytes, and each layer would copy
    /// them over the stack of a caller that may have little; and the layers are compiled once for all kinds of calls.
    fn run<T: Send + 'static>(
        &self,
        future: Work<Result<T>>,
        begun: impl FnOnce(u64),
        call: Arc<Call<T>>,
    ) -> Result<()> {
        let (body, ends) = (Arc::clone(&self.body), Arc::<Call<T>>::clone(&call));
        let (cancel, cancels) = AbortHandle::new_pair();
        let number = body.pending.add(ends, cancel);
        let mine = Arc::clone(&call);
        let running = Box::pin(async move {
            let running = Running { call: mine, body, number };
            let future = Abortable::new(future, cancels).map(|ended| ended.unwrap_or_else(|Aborted| Err(cancelled())));
            let outcome = contained(future).await;
            running.call.end(outcome);
        });
        // Before it can end: who is told of the end may look for the number.
        begun(number);
        // Between being picked and being used it may have died: then either who gave it up found the call, or this does.
        if self.starts(running) && !self.body.given_up.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.body.pending.remove(number);
        // It may have had its outcome all the same.
        if call.recall() { Err(given_up()) } else { Ok(()) }
    }

    /// Waking a thread panics where the descriptor to do it with is gone, and then so is the runtime.
    fn starts(&self, future: Work<()>) -> bool {
        let started = catch_unwind(AssertUnwindSafe(|| self.tokio.spawn(whole_across_forks(future)))).is_ok();
        if !started {
            self.body.give_up();
        }
        started
    }

    /// Why a call had no answer.
    fn why(&self, unanswered: RecvTimeoutError) -> Error {
        if unanswered == RecvTimeoutError::Disconnected {
            return given_up();
        }
        if !self.body.sentinel.is_intact() || (polls::threads_outside() == 0 && !self.shows_life()) {
            self.body.give_up();
            // To tell the callbacks of the calls that are lost.
            let _ = engine();
            return given_up();
        }
        let why = if polls::threads_outside() >= WORKERS {
            "are inside functions of the host: a callback or logger must not block"
        } else {
            "did not answer: the process is starved of CPU, or stopped"
        };
        Error::new(Code::Timeout, format!("the deadline passed and the library's threads {why}"))
    }

    /// Whether a thread of the runtime runs something that does nothing, or is in the middle of something that takes long.
    fn shows_life(&self) -> bool {
        let (sender, receiver) = sync_channel(1);
        let sign = async move {
            let _ = sender.send(());
        };
        if catch_unwind(AssertUnwindSafe(|| self.tokio.spawn(sign))).is_err() {
            return false;
        }
        let (turns, turn) = SIGNS_OF_LIFE;
        (0..turns).any(|_| receiver.recv_timeout(turn).is_ok() || polls::threads_under_way() > 0)
    }
}

/// A call whose future is being polled. However that ends, the call has an outcome.
struct Running<T> {
    call: Arc<Call<T>>,
    body: Arc<Body>,
    number: u64,
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.body.pending.remove(self.number);
        self.call.end(Err(given_up()));
    }
}

impl Body {
    /// The runtime is dead: it is forgotten where it lies, and its calls become orphans.
    fn give_up(&self) {
        let _building = lock(&BUILDING);
        let engine = RUNTIME.load(Ordering::Acquire);
        // SAFETY: the pointer is null or came from Box::into_raw below and is never freed.
        if unsafe { engine.as_ref() }.is_some_and(|engine| std::ptr::eq(&raw const *engine.body, self)) {
            RUNTIME.store(std::ptr::null_mut(), Ordering::Release);
            GENERATION.fetch_add(1, Ordering::Relaxed);
        }
        self.given_up.store(true, Ordering::SeqCst);
        let mut orphans = lock(&ORPHANS);
        orphans.extend(self.pending.take());
        ORPHANED.store(!orphans.is_empty(), Ordering::SeqCst);
    }

    /// What the runtime's threads do before they run something and before they wait: where the descriptors are the host's,
    /// they touch none again. This thread tells the callbacks that nothing comes any more, and then does nothing, for ever.
    fn stop_if_dead(&self) {
        if !self.sentinel.is_intact() {
            self.stop();
        }
    }

    fn stop(&self) -> ! {
        self.give_up();
        tell_orphans();
        loop {
            std::thread::park();
        }
    }
}

/// Tokio's driver of I/O panicked on this thread: a number that it needs is gone, or is something else. Where a future is
/// polled, or on a thread of the host, the panic goes its way and is contained. A thread of the runtime that waits for I/O
/// would unwind through tokio, or end the process where that is built with debug assertions; it stops here.
fn driver_panicked() {
    if !polls::is_under_way()
        && let Some(body) = ours()
    {
        body.stop();
    }
}

fn ours() -> Option<Arc<Body>> {
    OURS.try_with(|ours| ours.borrow().clone()).ok().flatten()
}

/// Ends the calls whose runtime died. On a thread of the library, as callbacks are promised.
fn tell_orphans() {
    let orphans = std::mem::take(&mut *lock(&ORPHANS));
    for call in orphans {
        call.fail(given_up());
    }
}

/// What somebody wanted.
fn cancelled() -> Error {
    Error::new(Code::Cancelled, "the call was cancelled")
}

/// A failure that is the host's, and passes.
fn given_up() -> Error {
    Error::new(
        Code::Runtime,
        "the library's threads ended under the call, because the process closed their descriptors: call again, and leave descriptors open that are not yours",
    )
}

fn current() -> Option<&'static Engine> {
    // SAFETY: the pointer is null or came from Box::leak below and is never freed.
    unsafe { RUNTIME.load(Ordering::Acquire).as_ref() }
}

/// A runtime whose descriptors are its own.
fn engine() -> Result<&'static Engine> {
    descriptors::occupy_standard();
    heal();
    let engine = match current() {
        Some(engine) => engine,
        None => built()?,
    };
    if ORPHANED.load(Ordering::Relaxed) && ORPHANED.swap(false, Ordering::SeqCst) {
        engine.starts(Box::pin(async { tell_orphans() }));
    }
    Ok(engine)
}

fn built() -> Result<&'static Engine> {
    let mut building = lock(&BUILDING);
    // Another thread may have built it while this one waited.
    if let Some(engine) = current() {
        return Ok(engine);
    }
    // Tokio panics where the system refuses it a thread.
    let built = catch_unwind(AssertUnwindSafe(|| build(building.get_or_insert_with(Builder::new_multi_thread))));
    let built = built.unwrap_or_else(|_| Err(not_started("the system refuses another thread")));
    let engine = Box::leak(Box::new(built?));
    RUNTIME.store(engine, Ordering::Release);
    Ok(engine)
}

/// Threads inherit their creator's signal mask, so the mask is set around the building; the workers create the
/// blocking threads and so pass it on.
fn build(builder: &mut Builder) -> Result<Engine> {
    let _masked = MaskedSignals::all();
    // Refused one thread after it has started another, tokio panics and then waits for the other for ever.
    threads_can_start().map_err(|error| not_started(&error.to_string()))?;
    let _room = descriptors::leave_room();
    let sentinel = Sentinel::new().map_err(|error| not_started(&error.to_string()))?;
    let body = Arc::new(Body { sentinel, pending: Pending::default(), given_up: AtomicBool::new(false) });
    let (ours, before, after) = (Arc::clone(&body), Arc::clone(&body), Arc::clone(&body));
    let tokio = builder
        .worker_threads(WORKERS)
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(5))
        .thread_name("flagstore")
        .thread_stack_size(STACK_BYTES)
        .on_thread_start(move || OURS.set(Some(Arc::clone(&ours))))
        .on_thread_park(move || before.stop_if_dead())
        .on_thread_unpark(move || after.stop_if_dead())
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| not_started(&error.to_string()))?;
    Ok(Engine { tokio, body })
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
pub struct Frozen {
    _building: MutexGuard<'static, Option<Builder>>,
    orphans: MutexGuard<'static, Vec<Arc<dyn Ends>>>,
}

/// Before a fork: nothing is built, and nothing of ours is in the middle of a poll.
pub fn freeze() -> Frozen {
    let building = lock(&BUILDING);
    polls::wait_for_none();
    Frozen { _building: building, orphans: lock(&ORPHANS) }
}

impl Frozen {
    /// After the fork, in the parent.
    pub fn thaw(self) {
        polls::go_on();
    }

    /// After the fork, in the child. Calls that wait for their outcome are the parent's.
    pub fn renew(mut self) {
        std::mem::forget(std::mem::take(&mut *self.orphans));
        ORPHANED.store(false, Ordering::SeqCst);
        forget();
    }
}

/// After a fork, in the child: the parent's runtime is forgotten where it lies, and the one thread that there is does what
/// the host wants, also where it was the library's and ran a callback.
pub fn forget() {
    polls::forget();
    std::mem::forget(OURS.try_with(RefCell::take));
    RUNTIME.store(std::ptr::null_mut(), Ordering::Release);
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Returns when no fork is under way.
fn wait_for_fork() {
    drop(lock(&BUILDING));
}

/// A lock whose holder panicked guards nothing that could be half-done here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
