//! Copies of the hot rows' entries for each stripe of threads, so that a hit writes to no memory that other threads
//! write to. The payload's bytes are shared; what is copied is the row around them, whose count of references the
//! hit increments.
//!
//! The entries of the cache behind are what is true: what is removed there is removed here before the call that
//! removed it ends, and what a stripe takes in is compared with it under the stripe's lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use foldhash::fast::FixedState;

use super::{KeptRow, Look, Place, PlaceRef};
use crate::model::row::Row;
use crate::runtime::lock;
use crate::store::read_through::verdict::Verdict;
use crate::stripes::Striped;

/// Most entries of a stripe. What is beyond costs a look at the cache behind.
const MOST: usize = 4096;
/// After so many hits the cache behind is told once, so that what is hot here is not the first to make room there.
const BETWEEN_TOUCHES: u32 = 64;

/// The copies.
pub struct Near(Striped<Mutex<Stripe>>);

#[derive(Default)]
struct Stripe {
    /// By the hash of the place, which is as good as random.
    rows: HashMap<u64, NearRow, FixedState>,
    /// Values served as fresh. Counted here, under the lock that is held anyway.
    hits: u64,
}

struct NearRow {
    place: Place,
    entry: KeptRow,
    row: Option<Arc<Row>>,
    hits: u32,
}

impl Near {
    pub fn new() -> Self {
        Near(Striped::from_fn(Mutex::default))
    }

    /// Looks for a row; `judge` says what to do with its entry. Now and then the cache behind is told by `touch` that the
    /// row is hot.
    #[inline]
    pub fn find(
        &self,
        hash: u64,
        place: &PlaceRef<'_>,
        judge: impl FnOnce(&KeptRow) -> Verdict,
        touch: impl FnOnce(),
    ) -> Option<Look<Option<Arc<Row>>>> {
        let mut stripe = lock(self.0.mine());
        let Stripe { rows, hits } = &mut *stripe;
        let near = rows.get_mut(&hash).filter(|near| place.is(&near.place))?;
        near.hits = near.hits.wrapping_add(1);
        if near.hits % BETWEEN_TOUCHES == 0 {
            touch();
        }
        let verdict = judge(&near.entry);
        *hits += u64::from(verdict == Verdict::Fresh);
        Some(Look { verdict, value: near.row.clone() })
    }

    /// Takes in what the cache behind has, if `current` still gives the same under the stripe's lock. Returns this
    /// stripe's own row.
    pub fn take_in(
        &self,
        hash: u64,
        place: &PlaceRef<'_>,
        entry: &KeptRow,
        current: impl FnOnce() -> Option<KeptRow>,
    ) -> Option<Arc<Row>> {
        let row = entry.value.as_ref().map(|row| Arc::new(Row::clone(row)));
        let mut stripe = lock(self.0.mine());
        if current().is_some_and(|current| Arc::ptr_eq(&current, entry)) {
            if stripe.rows.len() >= MOST {
                stripe.rows.clear();
            }
            let near = NearRow { place: place.to_owned(), entry: Arc::clone(entry), row: row.clone(), hits: 0 };
            stripe.rows.insert(hash, near);
        }
        row
    }

    /// Forgets a row that the cache behind has no longer.
    pub fn forget(&self, hash: u64) {
        for stripe in self.0.iter() {
            let forgotten = lock(stripe).rows.remove(&hash);
            // Freed outside the lock.
            drop(forgotten);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for stripe in self.0.iter() {
            let forgotten = std::mem::take(&mut lock(stripe).rows);
            drop(forgotten);
        }
    }

    /// How many values were served as fresh.
    pub fn hits(&self) -> u64 {
        self.0.iter().map(|stripe| lock(stripe).hits).sum()
    }
}
