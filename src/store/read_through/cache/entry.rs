//! A value in the cache, with its times and what became of it since.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::store::read_through::breaker::Circuit;
use crate::store::read_through::moment::Moment;
use crate::store::read_through::verdict::{Standing, Times, Verdict, verdict};

/// A value is refreshed ahead only if it was asked for this often since it was read.
const HOT_HITS: u32 = 2;

/// A value with its times.
pub struct Entry<T> {
    /// What was read.
    pub value: T,
    times: Times,
    hits: AtomicU32,
    refreshing: AtomicBool,
    /// Set when a write may have left another value.
    doubted: AtomicBool,
}

/// A value that stands in, and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn<T> {
    /// The value.
    pub value: T,
    /// How long ago it was read.
    pub age: Duration,
}

impl<T> Entry<T> {
    /// A value that was read.
    pub fn read(value: T, times: Times) -> Entry<T> {
        let (hits, refreshing, doubted) = (AtomicU32::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Entry { value, times, hits, refreshing, doubted }
    }

    /// A value that nobody has read back yet: it only stands in.
    pub fn unread(value: T, times: Times) -> Entry<T> {
        Entry { doubted: AtomicBool::new(true), ..Entry::read(value, times) }
    }

    /// The same, with what a write made of the value.
    pub fn patched(&self, value: T) -> Entry<T> {
        Entry::unread(value, self.times)
    }

    /// What to do with the value.
    #[inline]
    pub fn judge(&self, now: Moment, never_waits: bool, circuit: impl FnOnce() -> Circuit) -> Verdict {
        // A count of hits need not be exact, and beyond hot it need not be at all.
        let hits = self.hits.load(Ordering::Relaxed);
        let standing = Standing { hot: hits >= HOT_HITS, doubted: self.doubted.load(Ordering::Relaxed) };
        match verdict(&self.times, standing, now, never_waits, circuit) {
            Verdict::Fresh => {
                if !standing.hot && !self.times.refresh_due(now) {
                    self.hits.store(hits + 1, Ordering::Relaxed);
                }
                Verdict::Fresh
            }
            // One refresh of a value is enough; should it fail, whoever finds the value expired asks.
            Verdict::Refresh if self.refreshing.swap(true, Ordering::Relaxed) => Verdict::Fresh,
            other => other,
        }
    }

    /// From now on the value only stands in.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }
}

impl<T: Clone> Entry<T> {
    /// The value, if it may stand in.
    pub fn stand_in(&self, now: Moment) -> Option<StandIn<T>> {
        self.times.may_stand_in(now).then(|| StandIn { value: self.value.clone(), age: now.since(self.times.read) })
    }
}
