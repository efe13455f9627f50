//! Whole kinds in the cache: few, large, each read at once.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;

use super::entry::{Entry, StandIn};
use super::{Look, Mark};
use crate::model::row::Row;
use crate::store::Rows;
use crate::store::read_through::breaker::{self, Breaker};
use crate::store::read_through::moment::Moment;

/// Most kinds whose whole list is kept. SDKs have two.
const MOST: usize = 8;
/// Writes are counted for so many groups of kinds.
const GROUPS: usize = 64;

/// The lists of one store.
pub struct Lists {
    inner: RwLock<Inner>,
    hasher: RandomState,
    /// Most bytes of all lists together.
    max_bytes: u64,
}

struct Inner {
    kept: HashMap<Box<str>, Kept>,
    bytes: u64,
    /// How often each group of kinds was written to.
    marks: [u64; GROUPS],
    /// Counts the lists that were taken in, so that the oldest makes room.
    number: u64,
}

struct Kept {
    entry: Arc<Entry<Rows>>,
    bytes: u64,
    number: u64,
}

impl Inner {
    fn remove(&mut self, kind: &str) {
        if let Some(kept) = self.kept.remove(kind) {
            self.bytes -= kept.bytes;
        }
    }

    fn insert(&mut self, kind: &str, entry: Entry<Rows>) {
        self.remove(kind);
        let bytes = weight(&entry.value);
        self.number += 1;
        self.kept.insert(kind.into(), Kept { entry: Arc::new(entry), bytes, number: self.number });
        self.bytes += bytes;
    }

    /// The oldest lists go until there is room for one of this size.
    fn make_room(&mut self, bytes: u64, max_bytes: u64) {
        while self.kept.len() >= MOST || self.bytes + bytes > max_bytes {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.number).map(|(kind, _)| kind.clone());
            let Some(oldest) = oldest else { return };
            self.remove(&oldest);
        }
    }
}

impl Lists {
    /// None yet.
    pub fn new(max_bytes: u64, hasher: RandomState) -> Lists {
        let inner = Inner { kept: HashMap::new(), bytes: 0, marks: [0; GROUPS], number: 0 };
        Lists { inner: RwLock::new(inner), hasher, max_bytes }
    }

    /// Looks for a kind.
    pub fn look(&self, kind: &str, now: Moment, never_waits: bool, breaker: &Breaker) -> Option<Look<Rows>> {
        let entry = self.entry(kind)?;
        let circuit = || breaker.circuit(breaker::Place::of(kind, None), now);
        Some(Look { verdict: entry.judge(now, never_waits, circuit), value: Arc::clone(&entry.value) })
    }

    /// The list that may stand in for an answer.
    pub fn stand_in(&self, kind: &str, now: Moment) -> Option<StandIn<Rows>> {
        self.entry(kind)?.stand_in(now)
    }

    /// How often the kind was written to.
    pub fn mark(&self, kind: &str) -> Mark {
        Mark(self.read().marks[self.group(kind)])
    }

    /// Keeps a list, unless the kind was written to since. Returns whether it has a place.
    pub fn keep(&self, seen: Mark, kind: &str, entry: Entry<Rows>) -> bool {
        let bytes = weight(&entry.value);
        let mut inner = self.write();
        if Mark(inner.marks[self.group(kind)]) != seen {
            return true;
        }
        inner.remove(kind);
        if bytes > self.max_bytes {
            return false;
        }
        inner.make_room(bytes, self.max_bytes);
        inner.insert(kind, entry);
        true
    }

    /// A row was written: the list that is kept has it from now on, and only stands in.
    pub fn wrote(&self, kind: &str, row: &Row) {
        let mut inner = self.write();
        inner.marks[self.group(kind)] += 1;
        let Some(kept) = inner.kept.get(kind) else { return };
        let mut rows = Vec::clone(&kept.entry.value);
        match rows.binary_search_by(|other| other.key.cmp(&row.key)) {
            Ok(at) if rows[at].version > row.version => {}
            Ok(at) => rows[at] = row.clone(),
            Err(at) => rows.insert(at, row.clone()),
        }
        let entry = kept.entry.patched(Arc::new(rows));
        inner.insert(kind, entry);
        if inner.bytes > self.max_bytes {
            inner.remove(kind);
        }
    }

    /// The kind may have been written to.
    pub fn doubt(&self, kind: &str) {
        let mut inner = self.write();
        inner.marks[self.group(kind)] += 1;
        if let Some(kept) = inner.kept.get(kind) {
            kept.entry.doubt();
        }
    }

    /// Everything may have been written to.
    pub fn doubt_all(&self) {
        let mut inner = self.write();
        inner.marks.iter_mut().for_each(|mark| *mark += 1);
        inner.kept.values().for_each(|kept| kept.entry.doubt());
    }

    /// Everything is void.
    pub fn clear(&self) {
        let mut inner = self.write();
        inner.marks.iter_mut().for_each(|mark| *mark += 1);
        inner.kept.clear();
        inner.bytes = 0;
    }

    /// How many lists are kept.
    pub fn count(&self) -> usize {
        self.read().kept.len()
    }

    /// Bytes of all lists.
    pub fn bytes(&self) -> u64 {
        self.read().bytes
    }

    /// A row of a list, so that its bytes are not kept twice.
    pub fn row(&self, kind: &str, key: &str) -> Option<Row> {
        let rows = Arc::clone(&self.entry(kind)?.value);
        let at = rows.binary_search_by(|row| (*row.key).cmp(key)).ok()?;
        rows.get(at).cloned()
    }

    fn entry(&self, kind: &str) -> Option<Arc<Entry<Rows>>> {
        self.read().kept.get(kind).map(|kept| Arc::clone(&kept.entry))
    }

    fn group(&self, kind: &str) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "the remainder is small")]
        let group = (self.hasher.hash_one(kind) % GROUPS as u64) as usize;
        group
    }

    fn read(&self) -> impl std::ops::Deref<Target = Inner> + '_ {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> impl std::ops::DerefMut<Target = Inner> + '_ {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.memory() as u64).sum()
}
