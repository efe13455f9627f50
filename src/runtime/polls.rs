//! Which of our threads are at work on a call, so that a fork can wait until none is.
//!
//! What a library below makes once per process, or guards with a lock of the whole process, is made and locked while
//! a future is polled, and never held between two polls. A child forked in the middle of a poll would inherit it
//! half-made or locked by a thread that does not exist there, and wait for it for ever. So a fork waits for the polls
//! that are under way, which take microseconds, and new ones wait for the fork.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::panics::of_panic;
use crate::model::Result;

/// How long a fork waits at most: a poll that takes longer is stuck, and the host must not be.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at a poll that takes longer than a few turns of the scheduler.
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);
/// So many turns are given to other threads before the fork pauses between two looks.
const TURNS: usize = 100;

/// How many of our threads are inside a poll.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
/// How many of our threads are inside a function of the host.
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);
/// How often this process's ancestry has forked since the library was used.
static FORKS: AtomicUsize = AtomicUsize::new(0);
/// Whether a fork waits, or is happening.
static FORKING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread is counted in `UNDER_WAY`.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// A future whose polls a fork waits for.
pub async fn whole_across_forks<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| -> Poll<F::Output> {
        let _counted = Counted::enter();
        future.as_mut().poll(context)
    })
    .await
}

/// A future whose polls a fork waits for, and whose panic is its error. Whoever waits for it always gets an answer, as
/// long as it is polled.
pub async fn contained<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(Some(future));
    std::future::poll_fn(move |context| -> Poll<Result<T>> {
        let _counted = Counted::enter();
        let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
        let polled = catch_unwind(AssertUnwindSafe(|| running.poll(context)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        let outcome = match polled {
            Ok(outcome) => outcome,
            Err(panic) => Poll::Ready(Err(of_panic(panic))),
        };
        // What the future holds may panic as it goes, too; the outcome is there by then.
        let _ = catch_unwind(AssertUnwindSafe(|| future.set(None)));
        outcome
    })
    .await
}

/// Runs a function of the host in the middle of a poll. A fork does not wait for it, since it may wait for what the
/// forking thread holds, or fork itself.
pub fn outside<T>(function: impl FnOnce() -> T) -> T {
    let _back = Outside::leave();
    function()
}

/// Whether this thread is in the middle of a poll, a function of the host aside.
pub fn is_under_way() -> bool {
    COUNTED.try_with(Cell::get).unwrap_or_default()
}

/// How often this process's ancestry has forked since the library was used.
pub fn forks() -> usize {
    FORKS.load(Ordering::Relaxed)
}

/// How many of our threads are inside a poll.
pub fn threads_under_way() -> usize {
    UNDER_WAY.load(Ordering::SeqCst)
}

/// How many of our threads are inside a function of the host.
pub fn threads_outside() -> usize {
    OUTSIDE.load(Ordering::Relaxed)
}

/// A thread inside a function of the host.
struct Outside {
    /// Whether the thread is one of ours, in the middle of a poll.
    ours: bool,
    forks: usize,
}

impl Outside {
    fn leave() -> Self {
        let ours = COUNTED.get();
        if ours {
            OUTSIDE.fetch_add(1, Ordering::Relaxed);
            leave();
        }
        Outside { ours, forks: FORKS.load(Ordering::Relaxed) }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        if !self.ours {
            return;
        }
        if self.forks != FORKS.load(Ordering::Relaxed) {
            // The function forked and this is the child, whose only thread now returns to work that is the parent's, on
            // sockets that are the parent's. The process ends as one does whose last thread returns.
            std::process::exit(0);
        }
        OUTSIDE.fetch_sub(1, Ordering::Relaxed);
        enter();
    }
}

struct Counted {
    /// Whether a poll around this one is counted already.
    inner: bool,
}

impl Counted {
    fn enter() -> Self {
        let inner = COUNTED.get();
        if !inner {
            enter();
        }
        Counted { inner }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.inner {
            leave();
        }
    }
}

fn enter() {
    // Either this sees that a fork waits, or the fork sees this poll: both are one order with `wait_for_none`.
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    while FORKING.load(Ordering::SeqCst) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
        super::wait_for_fork();
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    }
    COUNTED.set(true);
}

fn leave() {
    if COUNTED.replace(false) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Before a fork: lets no poll begin and waits for those that have.
pub fn wait_for_none() {
    FORKING.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let mut turns = 0;
    while UNDER_WAY.load(Ordering::SeqCst) > 0 && begun.elapsed() < PATIENCE {
        turns += 1;
        if turns < TURNS { std::thread::yield_now() } else { std::thread::sleep(BETWEEN_LOOKS) }
    }
}

/// After a fork, in the parent: what waits may go on once the lock of the fork is free.
pub fn go_on() {
    FORKING.store(false, Ordering::SeqCst);
}

/// After a fork, in the child, which has none of the threads that were counted.
pub fn forget() {
    UNDER_WAY.store(0, Ordering::SeqCst);
    OUTSIDE.store(0, Ordering::Relaxed);
    FORKS.fetch_add(1, Ordering::Relaxed);
    let _ = COUNTED.try_with(|counted| counted.set(false));
    FORKING.store(false, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::task::{Context, Waker};

    use super::*;
    use crate::model::Code;

    fn poll_once(future: impl Future<Output = ()>) {
        let mut future = pin!(whole_across_forks(future));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }

    #[test]
    fn a_panic_of_a_future_is_its_error_also_when_it_is_dropped() {
        struct PanicsWhenDropped;
        impl Drop for PanicsWhenDropped {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        super::super::panics::silence();
        let outcome = |future: &mut dyn FnMut() -> Result<u8>, dropped: bool| {
            let mut contained = pin!(contained(async {
                let _held = dropped.then(|| PanicsWhenDropped);
                future()
            }));
            match contained.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => outcome.map_err(|error| error.code),
                Poll::Pending => panic!("nothing to wait for"),
            }
        };
        assert_eq!(outcome(&mut || Ok(1), false), Ok(1));
        assert_eq!(outcome(&mut || panic!("polled"), false), Err(Code::Panic));
        assert_eq!(outcome(&mut || Ok(1), true), Err(Code::Panic));
        assert!(!COUNTED.get());
    }

    /// One test, since the counts are the process's.
    #[test]
    fn a_fork_waits_for_a_poll_but_not_for_the_host_and_polls_wait_for_the_fork() {
        let (inside, is_inside) = channel();
        let (finish, finishes) = channel::<()>();
        let poll = std::thread::spawn(move || {
            poll_once(async {
                outside(|| {
                    inside.send(()).expect("the test waits");
                    finishes.recv().expect("the test lets it go");
                });
                assert!(COUNTED.get(), "the poll goes on after the host's function");
            });
            assert!(!COUNTED.get());
        });
        is_inside.recv().expect("the poll began");
        let begun = Instant::now();
        let fork = super::super::freeze();
        assert!(begun.elapsed() < PATIENCE, "the fork waited for a function of the host");
        finish.send(()).expect("the poll waits");
        std::thread::sleep(Duration::from_millis(20));
        assert!(!poll.is_finished(), "a poll went on during a fork");
        fork.thaw();
        poll.join().expect("the poll ends");

        let (held, is_held) = channel();
        let (ended, has_ended) = channel();
        let poll = std::thread::spawn(move || {
            poll_once(async {
                held.send(()).expect("the test waits");
                std::thread::sleep(Duration::from_millis(30));
                ended.send(Instant::now()).expect("the test waits");
            });
        });
        is_held.recv().expect("the poll began");
        let fork = super::super::freeze();
        let forked = Instant::now();
        fork.thaw();
        assert!(has_ended.recv().expect("the poll ends") <= forked, "the fork did not wait");
        poll.join().expect("the poll ends");
    }
}
