//! Copies of the hot rows' entries for each stripe of threads, so that a hit writes to no memory that other threads
//! write to. The payload's bytes are shared; what is copied is the row around them, whose count of references the
//! hit increments.
//!
//! The entries of the cache behind are what is true: what is removed there is removed here before the call that
//! removed it ends, and what a stripe takes in is compared with it under the stripe's lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use foldhash::fast::FixedState;

use super::{KeptRow, Place, PlaceRef};
use crate::model::row::Row;
use crate::runtime::lock;
use crate::stripes::Striped;

/// Most entries of a stripe. What is beyond costs a look at the cache behind.
const MOST: usize = 4096;
/// After so many hits the cache behind is told once, so that what is hot here is not the first to make room there.
const BETWEEN_TOUCHES: u32 = 64;

/// The copies.
pub struct Near(Striped<Mutex<Rows>>);

/// By the hash of the place, which is as good as random.
type Rows = HashMap<u64, NearRow, FixedState>;

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

    /// Looks for a row; `look` gets its entry, with the times, and this stripe's own row. The second result is
    /// whether the cache behind should be told that the row is hot.
    pub fn find<T>(
        &self,
        hash: u64,
        place: &PlaceRef<'_>,
        look: impl FnOnce(&KeptRow, &Option<Arc<Row>>) -> T,
    ) -> Option<(T, bool)> {
        let mut rows = lock(self.0.mine());
        let near = rows.get_mut(&hash).filter(|near| place.is(&near.place))?;
        near.hits = near.hits.wrapping_add(1);
        Some((look(&near.entry, &near.row), near.hits % BETWEEN_TOUCHES == 0))
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
        let mut rows = lock(self.0.mine());
        if current().is_some_and(|current| Arc::ptr_eq(&current, entry)) {
            if rows.len() >= MOST {
                rows.clear();
            }
            let near = NearRow { place: place.to_owned(), entry: Arc::clone(entry), row: row.clone(), hits: 0 };
            rows.insert(hash, near);
        }
        row
    }

    /// Forgets a row that the cache behind has no longer.
    pub fn forget(&self, hash: u64) {
        for rows in self.0.iter() {
            let forgotten = lock(rows).remove(&hash);
            // Freed outside the lock.
            drop(forgotten);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for rows in self.0.iter() {
            let forgotten = std::mem::take(&mut *lock(rows));
            drop(forgotten);
        }
    }
}
