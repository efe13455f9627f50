//! Queues of finished calls, for hosts whose functions must not be called on threads of the library.
//!
//! A store's handle names a queue by its number; a call looks the queue up when it begins, and what comes of it ends there,
//! exactly once, until somebody takes it. No lock is held while anybody waits but for the queue's own, which waiting
//! releases.
//!
//! A queue is one process's: in a forked child it is empty, and forgets the descriptor that it writes to, since calls, waiters
//! and the reader of that descriptor are the parent's. What it held is leaked there, as everything of a parent's is.

use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::callbacks::StoreResult;
use crate::model::{Code, Error, Result};
use crate::numbers::{self, Kind};
use crate::runtime::{self, Bell, lock};

/// More than any program uses, so that one that forgets to close its queues hears of it.
const MOST_QUEUES: usize = 65_536;

static QUEUES: Mutex<Option<HashMap<u64, Slot>>> = Mutex::new(None);

/// A queue by its number, and after how many forks it was made.
struct Slot {
    queue: Arc<Queue>,
    forks: usize,
}

/// A call that is over.
pub struct Finished {
    /// What the host gave with the call.
    pub user_data: *mut c_void,
    /// Its outcome.
    pub result: Box<StoreResult>,
}

// SAFETY: the library hands the pointer through and never follows it.
unsafe impl Send for Finished {}

/// Calls that are over, in that order.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    finished: VecDeque<Finished>,
    bell: Option<Arc<Bell>>,
    closed: bool,
}

impl Queue {
    /// A call is over. What nobody can take any more is freed.
    pub fn push(&self, finished: Finished) {
        let mut state = lock(&self.state);
        if state.closed {
            drop(state);
            return;
        }
        let rings = if state.finished.is_empty() { state.bell.clone() } else { None };
        state.finished.push_back(finished);
        drop(state);
        self.changed.notify_one();
        if let Some(bell) = rings {
            bell.ring();
        }
    }

    /// The call that was over first, waited for until the deadline; `None` is no deadline. Gives `Ok(None)` at the deadline.
    fn next(&self, number: u64, deadline: Option<Instant>) -> Result<Option<Finished>> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return Err(invalid(number));
            }
            if let Some(finished) = state.finished.pop_front() {
                return Ok(Some(finished));
            }
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Rings from now on; at once, if there is something already.
    fn ring_with(self: &Arc<Self>, bell: Option<Bell>) {
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut state.bell, bell.map(Arc::new));
        let rings = if state.finished.is_empty() { None } else { state.bell.clone() };
        drop(state);
        drop(before);
        if let Some(bell) = rings {
            // On a thread that masks SIGPIPE. Where there is none, what is there was finished by a runtime that is dead.
            let _ = runtime::spawn(async move { bell.ring() });
        }
    }

    fn close(&self) {
        let state = {
            let mut state = lock(&self.state);
            std::mem::replace(&mut *state, State { closed: true, ..State::default() })
        };
        self.changed.notify_all();
        drop(state);
    }
}

/// Opens a queue and returns its number.
pub fn open() -> Result<u64> {
    crate::fork::prepare();
    let mut queues = queues();
    let queues = queues.get_or_insert_with(HashMap::new);
    if queues.len() >= MOST_QUEUES {
        return Err(Error::new(
            Code::TooManyStores,
            format!("{MOST_QUEUES} completion queues are open: close those that are no longer used"),
        ));
    }
    let number = numbers::next(Kind::Queue);
    queues.insert(number, Slot { queue: Arc::default(), forks: runtime::forks() });
    Ok(number)
}

/// The queue of a number.
pub fn get(number: u64) -> Result<Arc<Queue>> {
    let mut queues = queues();
    let slot = queues.as_mut().and_then(|queues| queues.get_mut(&number)).ok_or_else(|| invalid(number))?;
    if slot.forks != runtime::forks() {
        slot.forks = runtime::forks();
        // Its locks may be held by threads that do not exist here.
        std::mem::forget(std::mem::take(&mut slot.queue));
    }
    Ok(Arc::clone(&slot.queue))
}

/// Takes the call that was over first, and waits for it at most so many milliseconds; as long as it takes, if negative.
pub fn next(number: u64, timeout_ms: i64) -> Result<Option<Finished>> {
    let queue = get(number)?;
    if timeout_ms != 0 {
        runtime::may_block()?;
    }
    // One beyond the clock's end is none.
    let deadline = u64::try_from(timeout_ms).map(|most| Instant::now().checked_add(Duration::from_millis(most)));
    queue.next(number, deadline.ok().flatten())
}

/// Has a queue write to a descriptor of the host; to none, if that is -1.
pub fn notify(number: u64, descriptor: i64) -> Result<()> {
    let queue = get(number)?;
    let bell = if descriptor == -1 { None } else { Some(Bell::on(descriptor)?) };
    queue.ring_with(bell);
    Ok(())
}

/// Closes a queue. Who waits is woken.
pub fn close(number: u64) -> Result<()> {
    let queue = get(number)?;
    let mut queues = queues();
    let removed = queues.as_mut().and_then(|queues| queues.remove(&number)).ok_or_else(|| invalid(number))?;
    drop(queues);
    drop(removed);
    queue.close();
    Ok(())
}

fn invalid(number: u64) -> Error {
    let what = match numbers::kind_of(number) {
        _ if number == 0 => "zero",
        Some(Kind::Store) => "a store's, not a completion queue's",
        Some(Kind::Call) => "a call's, not a completion queue's",
        Some(Kind::Queue) => "that of a completion queue that was closed",
        None => "not an open completion queue",
    };
    Error::new(
        Code::InvalidHandle,
        format!(
            "the number {number} is {what}: use the one that store_completions_open gave, until store_completions_close"
        ),
    )
}

fn queues() -> MutexGuard<'static, Option<HashMap<u64, Slot>>> {
    lock(&QUEUES)
}

/// The lock of this module, held across a fork.
pub struct Frozen(#[allow(dead_code, reason = "it is held")] MutexGuard<'static, Option<HashMap<u64, Slot>>>);

/// Before a fork, after the lock of the handles.
pub fn freeze() -> Frozen {
    Frozen(queues())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(number: usize) -> Finished {
        let result = Box::new(StoreResult::of_initialized(Ok(true)));
        Finished { user_data: std::ptr::without_provenance_mut(number), result }
    }

    fn taken(number: u64, timeout_ms: i64) -> std::result::Result<Option<usize>, i32> {
        next(number, timeout_ms)
            .map(|taken| taken.map(|taken| taken.user_data.addr()))
            .map_err(|error| error.code.number())
    }

    #[test]
    fn what_is_finished_is_taken_once_in_its_order() {
        let number = open().expect("opened");
        assert_eq!((taken(number, 0), taken(number, 1)), (Ok(None), Ok(None)));
        let queue = get(number).expect("open");
        (1..4).for_each(|each| queue.push(finished(each)));
        let all: Vec<_> = (0..4).map(|_| taken(number, 0)).collect();
        assert_eq!(all, [Ok(Some(1)), Ok(Some(2)), Ok(Some(3)), Ok(None)]);
        assert_eq!(close(number), Ok(()));
    }

    #[test]
    fn several_who_wait_get_one_each_and_who_closes_wakes_the_rest() {
        let number = open().expect("opened");
        let queue = get(number).expect("open");
        let waiting: Vec<_> = (0..5).map(|_| std::thread::spawn(move || taken(number, -1))).collect();
        (1..4).for_each(|each| queue.push(finished(each)));
        // Those that are taken at all are taken before it is closed.
        while !lock(&queue.state).finished.is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(close(number), Ok(()));
        let mut got: Vec<_> = waiting.into_iter().map(|thread| thread.join().expect("it ends")).collect();
        got.sort();
        let closed = Err(Code::InvalidHandle.number());
        assert_eq!(got, [Ok(Some(1)), Ok(Some(2)), Ok(Some(3)), closed, closed]);
    }

    #[test]
    fn a_closed_queue_frees_what_it_holds_and_what_still_comes() {
        let number = open().expect("opened");
        let queue = get(number).expect("open");
        queue.push(finished(1));
        assert_eq!(close(number), Ok(()));
        queue.push(finished(2));
        assert!(lock(&queue.state).finished.is_empty());
        for call in [taken(number, 0), taken(number, -1), taken(0, 0), taken(numbers::next(Kind::Store), 0)] {
            assert_eq!(call, Err(Code::InvalidHandle.number()));
        }
        let error = close(number).expect_err("closed");
        assert!(error.message.contains("was closed"), "{error}");
    }

    #[cfg(all(unix, not(miri)))]
    #[test]
    fn only_what_comes_into_an_empty_queue_is_worth_a_write() {
        use std::io::Read;
        use std::os::fd::AsRawFd;

        let number = open().expect("opened");
        let queue = get(number).expect("open");
        let (mut pipe, into_pipe) = std::io::pipe().expect("a pipe");
        assert_eq!(notify(number, into_pipe.as_raw_fd().into()), Ok(()));
        drop(into_pipe);
        for _ in 0..2 {
            (1..4).for_each(|each| queue.push(finished(each)));
            while taken(number, 0) != Ok(None) {}
        }
        assert_eq!(notify(number, -1), Ok(()));
        queue.push(finished(4));
        assert_eq!(close(number), Ok(()));
        let mut written = Vec::new();
        pipe.read_to_end(&mut written).expect("it was let go");
        assert_eq!(written.len(), 2 * size_of::<u64>());
    }

    #[test]
    fn a_queue_of_the_parent_is_empty_in_a_child() {
        let number = open().expect("opened");
        get(number).expect("open").push(finished(1));
        // As a fork leaves it.
        queues().as_mut().and_then(|queues| queues.get_mut(&number)).expect("open").forks = usize::MAX;
        assert_eq!(taken(number, 0), Ok(None));
        get(number).expect("open").push(finished(2));
        assert_eq!(taken(number, 0), Ok(Some(2)));
        assert_eq!(close(number), Ok(()));
    }
}
