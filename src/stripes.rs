//! State that is kept several times over, so that threads which only read do not write to the same cache line.
//!
//! A lock or a counter that every thread writes to costs each of them a trip to the other processors' caches, which
//! is most of what a read from the cache would cost. Each thread has a stripe; with more threads than stripes some
//! share one, and are still right.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many stripes there are.
pub const STRIPES: usize = 16;

thread_local! {
    /// This thread's stripe; `STRIPES` before its first use.
    static MINE: Cell<usize> = const { Cell::new(STRIPES) };
}

/// One value per stripe.
#[derive(Debug)]
pub struct Striped<T>([Apart<T>; STRIPES]);

/// Keeps neighbours off each other's cache lines, and off the second one that processors fetch along.
#[derive(Debug)]
#[repr(align(128))]
pub struct Apart<T>(pub T);

impl<T> Striped<T> {
    /// Values that are there from the start.
    pub const fn new(values: [Apart<T>; STRIPES]) -> Self {
        Striped(values)
    }

    /// Values made one by one.
    pub fn from_fn(mut make: impl FnMut() -> T) -> Self {
        Striped(std::array::from_fn(|_| Apart(make())))
    }

    /// The value of the calling thread's stripe.
    pub fn mine(&self) -> &T {
        // The remainder tells the compiler that the index is in range.
        &self.0[stripe() % STRIPES].0
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|apart| &apart.0)
    }
}

/// A count to which every thread adds.
#[derive(Debug)]
pub struct Count(Striped<AtomicU64>);

impl Default for Count {
    fn default() -> Self {
        Count(Striped::from_fn(AtomicU64::default))
    }
}

impl Count {
    /// One more.
    pub fn add(&self) {
        self.0.mine().fetch_add(1, Ordering::Relaxed);
    }

    /// The sum.
    pub fn get(&self) -> u64 {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mine = MINE.get();
    if mine < STRIPES {
        return mine;
    }
    let mine = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    MINE.set(mine);
    mine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_stripe_and_a_count_sums_all() {
        let count = Count::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    let first = stripe();
                    for _ in 0..10 {
                        count.add();
                        assert_eq!(stripe(), first);
                    }
                });
            }
        });
        assert_eq!(count.get(), 20 * STRIPES as u64);
    }
}
