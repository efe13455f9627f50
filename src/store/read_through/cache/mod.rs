//! The cache: time to live with jitter, misses too, bounded, refreshed ahead; what expired stands in for a while.
//!
//! A hit takes the lock of its thread's stripe and clones an `Arc` that is the stripe's own (see `near`): it waits
//! for nobody and copies no payload. What is stored is decided by marks: a read that began before a write of the same
//! row, or of the same kind for a list, does not overwrite what the write left. Rows and lists share one bound.

mod entry;
mod lists;
mod near;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use quick_cache::sync::Cache as BoundedMap;
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, Weighter};

use super::breaker::{self, Breaker};
use super::moment::Moment;
use super::verdict::{Times, Verdict};
use crate::model::options::CacheOptions;
use crate::model::row::Row;
use crate::model::size::MAX_ROW_BYTES;
use crate::runtime::lock;
use crate::store::Rows;
use crate::stripes::Count;
use entry::Entry;
use lists::Lists;
use near::Near;

pub use entry::StandIn;

/// What an entry costs beside its row: key, map slot, times, and a stripe's copy of each.
const ENTRY_BYTES: u64 = 400;
/// The largest row that DynamoDB holds, as it is weighed here: with its names again, and its entry.
const LARGEST: u64 = MAX_ROW_BYTES as u64 + 4_096;
/// Most parts of the map of rows, each with a lock and a share of the bound.
const MOST_SHARDS: u64 = 64;
/// Writes are counted for so many groups of keys.
const GROUPS: usize = 1024;

/// A row with its times, or that there is none.
type KeptRow = Arc<Entry<Option<Arc<Row>>>>;

/// The cached rows and lists of one store.
pub struct Cache {
    options: CacheOptions,
    rows: BoundedMap<Place, KeptRow, Weigh, RandomState, Evicted>,
    near: Near,
    hasher: RandomState,
    lists: Lists,
    /// How often each group of keys was written to; held while a row of the group is stored.
    marks: [Mutex<u64>; GROUPS],
    /// Values that were served, but for those that `near` counts.
    hits: Count,
    uncached: AtomicU64,
    random: Mutex<fastrand::Rng>,
}

/// What the cache has for a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look<T> {
    /// What to do.
    pub verdict: Verdict,
    /// The value.
    pub value: T,
}

/// Which writes a read has seen, so that its answer is not stored over a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark(u64);

impl Mark {
    /// Of a read that no other one joins, where nothing is cached.
    pub fn of_one_read(number: u64) -> Mark {
        Mark(number)
    }
}

/// A kind and a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    kind: Box<str>,
    key: Box<str>,
}

/// A place that is only looked for.
struct PlaceRef<'a> {
    kind: &'a str,
    key: &'a str,
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        PlaceRef { kind: &self.kind, key: &self.key }.hash(state);
    }
}

impl Hash for PlaceRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
        self.kind.hash(state);
    }
}

impl PlaceRef<'_> {
    fn is(&self, place: &Place) -> bool {
        *self.key == *place.key && *self.kind == *place.kind
    }

    fn to_owned(&self) -> Place {
        Place { kind: self.kind.into(), key: self.key.into() }
    }
}

impl Equivalent<Place> for PlaceRef<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        self.is(place)
    }
}

/// Collects what made room, to be forgotten elsewhere once the map's lock is released.
#[derive(Clone)]
struct Evicted;

impl Lifecycle<Place, KeptRow> for Evicted {
    type RequestState = Vec<(Place, KeptRow)>;

    fn on_evict(&self, evicted: &mut Self::RequestState, place: Place, entry: KeptRow) {
        evicted.push((place, entry));
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Place, KeptRow> for Weigh {
    fn weight(&self, place: &Place, entry: &KeptRow) -> u64 {
        let row = entry.value.as_ref().map_or(0, |row| row.memory());
        (place.kind.len() + place.key.len() + row) as u64 + ENTRY_BYTES
    }
}

impl Cache {
    /// An empty cache, or `None` if the options switch it off.
    pub fn new(options: &CacheOptions) -> Option<Cache> {
        if !options.enabled() {
            return None;
        }
        let room = Room::of(options.max_bytes);
        let hasher = RandomState::default();
        let map = OptionsBuilder::new()
            .estimated_items_capacity(
                usize::try_from(options.max_bytes / 2048).unwrap_or(usize::MAX).clamp(16, 1 << 16),
            )
            .weight_capacity(options.max_bytes)
            .shards(room.shards)
            .build()
            .ok()?;
        Some(Cache {
            options: options.clone(),
            rows: BoundedMap::with_options(map, Weigh, hasher.clone(), Evicted),
            near: Near::new(),
            lists: Lists::new(room.lists, hasher.clone()),
            hasher,
            marks: std::array::from_fn(|_| Mutex::default()),
            hits: Count::default(),
            uncached: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(seed())),
        })
    }

    /// Looks for one row.
    pub fn row(&self, kind: &str, key: &str, breaker: &Breaker) -> Option<Look<Option<Arc<Row>>>> {
        let (place, now) = (PlaceRef { kind, key }, Moment::now());
        let circuit = || breaker.circuit(breaker::Place::of(kind, Some(key)), now);
        let judge = |entry: &KeptRow| entry.judge(now, self.never_waits(), circuit);
        let hash = self.hasher.hash_one(&place);
        let touch = || drop(self.rows.get(&place));
        if let Some(look) = self.near.find(hash, &place, judge, touch) {
            return Some(if look.verdict == Verdict::Fresh { look } else { self.counted(look) });
        }
        let entry = self.rows.get(&place)?;
        let value = self.near.take_in(hash, &place, &entry, || self.rows.peek(&place));
        Some(self.counted(Look { verdict: judge(&entry), value }))
    }

    /// Looks for a whole kind.
    pub fn list(&self, kind: &str, breaker: &Breaker) -> Option<Look<Rows>> {
        self.lists.look(kind, Moment::now(), self.never_waits(), breaker).map(|look| self.counted(look))
    }

    fn counted<T>(&self, look: Look<T>) -> Look<T> {
        if matches!(look.verdict, Verdict::Fresh | Verdict::Refresh) {
            self.count_hit();
        }
        look
    }

    /// One more value that was served without waiting.
    pub fn count_hit(&self) {
        self.hits.add();
    }

    fn never_waits(&self) -> bool {
        self.options.soft_wait.is_zero()
    }

    /// The value that may stand in for an answer for a row.
    pub fn row_to_stand_in(&self, kind: &str, key: &str, now: Moment) -> Option<StandIn<Option<Arc<Row>>>> {
        self.rows.get(&PlaceRef { kind, key })?.stand_in(now)
    }

    /// The list that may stand in for an answer for a kind.
    pub fn list_to_stand_in(&self, kind: &str, now: Moment) -> Option<StandIn<Rows>> {
        self.lists.stand_in(kind, now)
    }

    /// Which writes of a row have happened.
    pub fn row_mark(&self, kind: &str, key: &str) -> Mark {
        Mark(*self.group(&PlaceRef { kind, key }))
    }

    /// Which writes of a kind have happened.
    pub fn list_mark(&self, kind: &str) -> Mark {
        self.lists.mark(kind)
    }

    /// Keeps a row that was read so long ago, or that there was none, unless it was written since.
    pub fn keep_row(&self, seen: Mark, kind: &str, key: &str, row: Option<Arc<Row>>, age: Duration) {
        let place = PlaceRef { kind, key };
        let row = row.map(|row| self.lists.row(kind, key).filter(|kept| *kept == *row).map_or(row, Arc::new));
        let entry = Entry::read(row, self.times(age));
        let mark = self.group(&place);
        if Mark(*mark) == seen {
            self.insert(&place, entry);
        }
    }

    /// Keeps a whole kind that was read so long ago, unless it was written to since. Returns the same rows, their payloads shared with those that
    /// are kept one by one.
    pub fn keep_list(&self, seen: Mark, kind: &str, mut rows: Rows, age: Duration) -> Rows {
        for row in Arc::make_mut(&mut rows) {
            let kept = self.rows.peek(&PlaceRef { kind, key: &row.key });
            if let Some(kept) = kept.as_ref().and_then(|entry| entry.value.as_deref()).filter(|kept| *kept == row) {
                row.payload = kept.payload.clone();
            }
        }
        if !self.lists.keep(seen, kind, Entry::read(Arc::clone(&rows), self.times(age))) {
            self.uncached.fetch_add(1, Ordering::Relaxed);
        }
        self.fit();
        rows
    }

    /// A row was written, or met in the way of a write: it stands in until it is read.
    pub fn wrote(&self, kind: &str, row: &Arc<Row>) {
        let place = PlaceRef { kind, key: &row.key };
        {
            let mut mark = self.group(&place);
            *mark += 1;
            match self.rows.peek(&place) {
                // Of two writes, the answer to the older one came later.
                Some(kept) if kept.value.as_ref().is_some_and(|kept| kept.version > row.version) => kept.doubt(),
                _ => self.insert(&place, Entry::unread(Some(Arc::clone(row)), self.times(Duration::ZERO))),
            }
        }
        self.lists.wrote(kind, row);
        self.fit();
    }

    /// A row may have been written: what is known of it only stands in from now on.
    pub fn doubt(&self, kind: &str, key: &str) {
        let place = PlaceRef { kind, key };
        {
            let mut mark = self.group(&place);
            *mark += 1;
            if let Some(kept) = self.rows.peek(&place) {
                kept.doubt();
            }
        }
        self.lists.doubt(kind);
    }

    /// Anything may have been written: what is known only stands in from now on.
    pub fn doubt_all(&self) {
        self.marks.iter().for_each(|mark| *lock(mark) += 1);
        self.rows.iter().for_each(|(_, kept)| kept.doubt());
        self.lists.doubt_all();
    }

    /// Everything is void.
    pub fn clear(&self) {
        self.marks.iter().for_each(|mark| *lock(mark) += 1);
        self.rows.clear();
        self.near.clear();
        self.lists.clear();
        self.fit();
    }

    /// How many values were served without waiting.
    pub fn hits(&self) -> u64 {
        self.hits.get() + self.near.hits()
    }

    /// How many answers were not kept, being larger than what the bound leaves for one.
    pub fn uncached(&self) -> u64 {
        self.uncached.load(Ordering::Relaxed)
    }

    /// How many rows are kept, lists aside.
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// How many lists are kept.
    pub fn list_count(&self) -> usize {
        self.lists.count()
    }

    /// Bytes of what is kept. What a row and a list share counts for both.
    pub fn bytes(&self) -> u64 {
        self.rows.weight() + self.lists.bytes()
    }

    /// The mark of a key's group, and with it the right to store rows of the group.
    fn group(&self, place: &PlaceRef<'_>) -> MutexGuard<'_, u64> {
        #[allow(clippy::cast_possible_truncation, reason = "the remainder is small")]
        let group = (self.hasher.hash_one(place) % GROUPS as u64) as usize;
        lock(&self.marks[group])
    }

    /// Called with the group's lock held. In this order: what a stripe takes in it compares with `rows`.
    fn insert(&self, place: &PlaceRef<'_>, entry: Entry<Option<Arc<Row>>>) {
        let mut evicted = Vec::new();
        self.rows.insert_with_lifecycle(place.to_owned(), Arc::new(entry), &mut evicted);
        self.near.forget(self.hasher.hash_one(place));
        for (other, _) in evicted {
            if place.is(&other) {
                self.uncached.fetch_add(1, Ordering::Relaxed);
            } else {
                self.near.forget(self.hasher.hash_one(&other));
            }
        }
    }

    /// Gives the rows what the lists leave of the bound.
    fn fit(&self) {
        let room = self.options.max_bytes.saturating_sub(self.lists.bytes());
        let before = self.rows.capacity();
        if before.abs_diff(room) < MOST_SHARDS {
            return;
        }
        self.rows.set_capacity(room);
        if room < before {
            // What had to go from there is not told, and may not stay here.
            self.near.clear();
        }
    }

    /// The times of a value that is so old already.
    fn times(&self, age: Duration) -> Times {
        let now = Moment::now().before(age);
        // Up to a tenth shorter, so that what was read together does not expire together across a fleet.
        let ttl = self.options.ttl.map(|ttl| ttl.mul_f64(1.0 - 0.1 * lock(&self.random).f64()));
        Times {
            read: now,
            refresh: ttl.filter(|_| self.options.refresh_ahead).map(|ttl| now.after(ttl.mul_f64(0.8))),
            expires: ttl.map(|ttl| now.after(ttl)),
            stands_in_until: ttl.map(|ttl| now.after(ttl.saturating_add(self.options.stale))),
        }
    }
}

/// How the bound is shared out.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    /// Most bytes of all lists.
    lists: u64,
    /// Parts of the map of rows.
    shards: usize,
}

impl Room {
    /// A quarter is the rows' own; the rest is for lists, and the rows' as well as long as no list needs it. Each part of
    /// the rows' map holds several of the largest rows, on a machine with however many processors.
    fn of(max_bytes: u64) -> Room {
        let rows = (max_bytes / 4).max(2 * LARGEST).min(max_bytes);
        let shards = (rows / (4 * LARGEST)).clamp(1, MOST_SHARDS);
        Room { lists: max_bytes - rows, shards: 1 << shards.ilog2() }
    }
}

/// A seed that differs between processes, forked ones included: the hasher's keys are the process's, the time is now.
fn seed() -> u64 {
    std::hash::RandomState::new().hash_one((Instant::now(), std::process::id()))
}
