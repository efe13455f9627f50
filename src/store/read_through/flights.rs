//! Reads on their way: whoever misses the same thing meanwhile waits for the same answer.
//!
//! A flight is polled by those who wait for it and dropped when nobody does. However it ends, by an answer, a panic,
//! or abandoned, it takes itself off the list, so that the next one to ask starts anew. A flight of
//! a runtime that is gone is joined by nobody, nor is one whose time is over.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::model::{Code, Error, Result};
use crate::runtime::{contained, generation, lock};

/// A read that ends itself at its deadline is given this much longer to say so in its own words.
pub const GRACE: Duration = Duration::from_millis(30);

/// The reads of one kind that are on their way.
pub struct Flights<K: Eq + Hash, T: Clone>(Arc<Mutex<Listed<K, T>>>);

struct Listed<K, T: Clone> {
    flights: HashMap<K, Underway<T>>,
    started: u64,
}

struct Underway<T: Clone> {
    number: u64,
    /// Of which runtime it is; what waits for one that is gone is never woken.
    generation: u64,
    ends: Instant,
    flight: WeakShared<BoxFuture<'static, Result<T>>>,
}

impl<T: Clone> Underway<T> {
    fn can_end(&self, now: Instant) -> bool {
        self.generation == generation() && now < self.ends + GRACE
    }
}

/// A read that several wait for.
pub struct Flight<T: Clone> {
    /// What comes of it.
    pub outcome: Shared<BoxFuture<'static, Result<T>>>,
    /// When it is given up.
    pub ends: Instant,
    /// Whether somebody else had started it.
    pub joined: bool,
}

impl<K: Eq + Hash + Clone + Send + 'static, T: Clone + Send + Sync + 'static> Flights<K, T> {
    /// None yet.
    pub fn new() -> Self {
        Flights(Arc::new(Mutex::new(Listed { flights: HashMap::new(), started: 0 })))
    }

    /// Joins the read of this key, or starts one that takes `time` at most.
    pub fn join<F>(&self, key: &K, time: Duration, start: impl FnOnce(Instant) -> F) -> Flight<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let now = Instant::now();
        let mut listed = lock(&self.0);
        if let Some(underway) = listed.flights.get(key).filter(|underway| underway.can_end(now))
            && let Some(outcome) = underway.flight.upgrade()
        {
            return Flight { outcome, ends: underway.ends, joined: true };
        }
        listed.started += 1;
        let (number, ends) = (listed.started, now + time);
        let landing = Landing { listed: Arc::clone(&self.0), key: key.clone(), number };
        let read = start(ends);
        let flight = async move {
            let outcome = ended(ends, read).await;
            drop(landing);
            outcome
        };
        let outcome = flight.boxed().shared();
        if let Some(flight) = outcome.downgrade() {
            listed.flights.insert(key.clone(), Underway { number, generation: generation(), ends, flight });
        }
        Flight { outcome, ends, joined: false }
    }

    #[cfg(test)]
    fn listed(&self) -> usize {
        lock(&self.0).flights.len()
    }
}

/// Takes a flight off the list when it is dropped, in the middle or at its end.
struct Landing<K: Eq + Hash, T: Clone> {
    listed: Arc<Mutex<Listed<K, T>>>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, T: Clone> Drop for Landing<K, T> {
    fn drop(&mut self) {
        let mut listed = lock(&self.listed);
        // One whose time had run out has been replaced.
        if listed.flights.get(&self.key).is_some_and(|underway| underway.number == self.number) {
            listed.flights.remove(&self.key);
        }
    }
}

/// A read that ends, whatever happens to it.
async fn ended<T>(ends: Instant, read: impl Future<Output = Result<T>>) -> Result<T> {
    let in_time = tokio::time::timeout_at((ends + GRACE).into(), contained(read)).await;
    in_time.unwrap_or_else(|_| Err(too_late()))
}

/// A read that did not end itself at its deadline.
pub fn too_late() -> Error {
    Error::new(
        Code::Timeout,
        "there was no answer before the deadline: check the endpoint and the network, or raise the timeouts",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::sync::oneshot;

    type Reads = Flights<&'static str, u32>;

    const LONG: Duration = Duration::from_secs(60);

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn who_asks_meanwhile_joins_and_who_asks_afterwards_starts_anew() {
        run(async {
            let reads = Reads::new();
            let (answer, answered) = oneshot::channel();
            let first = reads.join(&"a", LONG, |_| async { Ok(answered.await.expect("an answer")) });
            let second = reads.join(&"a", LONG, |_| std::future::ready(Ok(8)));
            let other = reads.join(&"b", LONG, |_| std::future::ready(Ok(9)));
            assert_eq!((first.joined, second.joined, other.joined), (false, true, false));
            answer.send(7).expect("awaited");
            assert_eq!((first.outcome.await, second.outcome.await, other.outcome.await), (Ok(7), Ok(7), Ok(9)));
            assert_eq!(reads.listed(), 0);
            assert!(!reads.join(&"a", LONG, |_| std::future::ready(Ok(8))).joined);
        });
    }

    #[test]
    fn a_panic_is_an_answer_to_all_who_wait_and_poisons_nobody_else() {
        run(async {
            let reads = Reads::new();
            let first = reads.join(&"a", LONG, |_| async { panic!("planted") });
            let second = reads.join(&"a", LONG, |_| std::future::ready(Ok(8)));
            for outcome in [first.outcome.await, second.outcome.await] {
                assert_eq!(outcome.expect_err("it panicked").code, Code::Panic);
            }
            let third = reads.join(&"a", LONG, |_| std::future::ready(Ok(8)));
            assert!(!third.joined);
            assert_eq!(third.outcome.await, Ok(8));
        });
    }

    #[test]
    fn who_leaves_takes_the_read_along_only_if_nobody_else_waits_for_it() {
        run(async {
            let reads = Reads::new();
            let (answer, answered) = oneshot::channel();
            let first = reads.join(&"a", LONG, |_| async { Ok(answered.await.expect("an answer")) });
            let second = reads.join(&"a", LONG, |_| std::future::ready(Ok(8)));
            drop(first);
            answer.send(7).expect("awaited");
            assert_eq!(second.outcome.await, Ok(7));

            let abandoned = reads.join(&"a", LONG, |_| std::future::pending());
            assert!(abandoned.outcome.clone().now_or_never().is_none());
            drop(abandoned);
            assert_eq!(reads.listed(), 0);
            let unpolled = reads.join(&"a", LONG, |_| std::future::pending());
            drop(unpolled);
            assert_eq!(reads.listed(), 0);
        });
    }

    #[test]
    fn a_read_ends_at_its_time_and_one_whose_time_is_over_is_not_joined() {
        run(async {
            let reads = Reads::new();
            let silent = reads.join(&"a", Duration::from_millis(1), |_| std::future::pending());
            let outcome = silent.outcome.await;
            assert_eq!(outcome.expect_err("nobody answered").code, Code::Timeout);

            // Nobody polls this one any more, though it is still held: as on threads that are no more.
            let stuck = reads.join(&"a", Duration::ZERO, |_| std::future::pending());
            while Instant::now() < stuck.ends + GRACE {
                std::thread::yield_now();
            }
            let next = reads.join(&"a", LONG, |_| std::future::ready(Ok(8)));
            assert!(!next.joined);
            drop(stuck);
            assert_eq!(reads.listed(), 1, "the one that was replaced takes off only itself");
            assert_eq!(next.outcome.await, Ok(8));
        });
    }
}
