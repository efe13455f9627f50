//! The connections to DynamoDB, and the suspicion that they are dead.
//!
//! What forgets a connection without a word (a NAT gateway, a load balancer that fails over, a machine that was frozen)
//! forgets all of them. So one that does not answer, although others like it once did, makes its siblings suspect: they
//! are left to the calls that are on them, and the next attempt connects anew.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use super::http::{Answer, Request, Sends};

/// A machine whose clock went on for so much longer than it ran was suspended or frozen meanwhile. Clocks that are
/// set, rather than slewed, look the same and cost a few new connections.
const FROZEN: Duration = Duration::from_secs(5);

/// Makes the connections of one generation.
pub type Connect = dyn Fn() -> Arc<dyn Sends> + Send + Sync;

/// The connections in use, and how to get new ones.
pub struct Pool {
    connect: Box<Connect>,
    current: RwLock<Arc<Generation>>,
    opened: Instant,
}

/// Connections that were made since the ones before were suspected.
pub struct Generation {
    client: Arc<dyn Sends>,
    /// Whether any of them ever brought an answer. What never did is not dead, but away.
    answered: AtomicBool,
    /// By how many milliseconds the wall clock was ahead of the running time when the last answer came.
    ahead: AtomicI64,
}

impl Pool {
    /// Connects nothing yet.
    pub fn new(connect: Box<Connect>) -> Self {
        let first = Generation::new(connect());
        Pool { connect, current: RwLock::new(Arc::new(first)), opened: Instant::now() }
    }

    /// The connections to use now.
    pub fn current(&self, now: Instant, wall: SystemTime) -> Arc<Generation> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        if current.answered.load(Ordering::Relaxed) {
            let ahead = self.ahead(now, wall) - current.ahead.load(Ordering::Relaxed);
            if u64::try_from(ahead).is_ok_and(|ahead| Duration::from_millis(ahead) >= FROZEN) {
                self.suspect(&current);
                return Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
            }
        }
        current
    }

    /// One of these brought an answer.
    pub fn answered(&self, by: &Generation, now: Instant, wall: SystemTime) {
        by.ahead.store(self.ahead(now, wall), Ordering::Relaxed);
        by.answered.store(true, Ordering::Relaxed);
    }

    /// One of these brought none. Whether the next attempt takes a new connection.
    pub fn suspect(&self, used: &Arc<Generation>) -> bool {
        if !used.answered.load(Ordering::Relaxed) {
            return false;
        }
        let is_current = Arc::ptr_eq(&self.current.read().unwrap_or_else(PoisonError::into_inner), used);
        if is_current {
            let new = Arc::new(Generation::new((self.connect)()));
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            // Of those whose requests were lost together, the first replaces what all of them used.
            if Arc::ptr_eq(&current, used) {
                *current = new;
            }
        }
        true
    }

    fn ahead(&self, now: Instant, wall: SystemTime) -> i64 {
        let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let wall = wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, milliseconds);
        wall.saturating_sub(milliseconds(now.saturating_duration_since(self.opened)))
    }
}

impl Generation {
    fn new(client: Arc<dyn Sends>) -> Self {
        Generation { client, answered: AtomicBool::new(false), ahead: AtomicI64::new(0) }
    }

    /// Sends a request.
    pub fn send(&self, request: Request) -> Answer {
        self.client.send(request)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::super::http::Failed;
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl Sends for Nobody {
        fn send(&self, _: Request) -> Answer {
            Box::pin(std::future::ready(Err(Failed::Lost("nobody is there".into()))))
        }
    }

    fn pool() -> (Pool, Arc<AtomicU32>) {
        let made = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&made);
        let connect = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Arc::new(Nobody) as Arc<dyn Sends>
        };
        (Pool::new(Box::new(connect)), made)
    }

    fn noon() -> (Instant, SystemTime) {
        (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000))
    }

    #[test]
    fn what_once_answered_and_no_longer_does_is_replaced_once_however_many_notice() {
        let (pool, made) = pool();
        let (now, wall) = noon();
        let first = pool.current(now, wall);
        pool.answered(&first, now, wall);
        let noticing: Vec<_> = (0..32).map(|_| pool.current(now, wall)).collect();
        assert!(noticing.iter().all(|used| pool.suspect(used)), "each may try at once, on a new connection");
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert!(!Arc::ptr_eq(&first, &pool.current(now, wall)));
    }

    #[test]
    fn what_never_answered_is_away_and_not_replaced() {
        let (pool, made) = pool();
        let (now, wall) = noon();
        assert!(!pool.suspect(&pool.current(now, wall)));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_machine_that_was_frozen_connects_anew() {
        let seconds = Duration::from_secs;
        for (ran, passed, generations) in [
            (0, 0, 1),
            (600, 600, 1),
            (600, 604, 1),
            (600, 605, 2),
            (0, 3600, 2),
            // A clock that was set back.
            (600, 0, 1),
        ] {
            let (pool, made) = pool();
            let (now, wall) = noon();
            pool.answered(&pool.current(now, wall), now, wall);
            pool.current(now + seconds(ran), wall + seconds(passed));
            assert_eq!(made.load(Ordering::Relaxed), generations, "ran {ran} s, {passed} s passed");
            pool.current(now + seconds(ran), wall + seconds(passed));
            assert_eq!(made.load(Ordering::Relaxed), generations, "once");
        }
    }
}
