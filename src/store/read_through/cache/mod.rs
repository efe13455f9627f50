//! The cache: time to live with jitter, misses too, bounded, refreshed ahead, and a stand-in for reads that fail.
//!
//! A hit takes the lock of its thread's stripe and clones an `Arc` that is the stripe's own (see `near`): it waits
//! for nobody and copies no payload. What is stored is decided by a write's generation: a read that began before a
//! write of the same store does not overwrite what the write left.

mod near;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use quick_cache::sync::Cache as BoundedMap;
use quick_cache::{Equivalent, Lifecycle, Weighter};

use super::Rows;
use crate::model::options::CacheOptions;
use crate::model::row::Row;
use crate::runtime::lock;
use near::Near;

/// A value is refreshed ahead only if it was asked for this often since it was read.
const HOT_HITS: u32 = 2;
/// After a failed read, stale values are served at least this long without trying again,
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// and at most this long, so that an outage meets fewer requests the longer it lasts.
const MOST_BETWEEN_TRIES: Duration = Duration::from_millis(8_000);
/// Most kinds whose whole list is kept. SDKs have two.
const MOST_LISTS: usize = 8;
/// What an entry costs beside its row: key, map slot, times, and a stripe's copy of each.
const ENTRY_BYTES: u64 = 400;

/// A row with its times, or that there is none.
type KeptRow = Arc<Entry<Option<Arc<Row>>>>;

/// The cached rows and lists of one store.
pub struct Cache {
    options: CacheOptions,
    rows: BoundedMap<Place, KeptRow, Weigh, RandomState, Evicted>,
    near: Near,
    hasher: RandomState,
    lists: RwLock<HashMap<String, Arc<Entry<Rows>>>>,
    generation: AtomicU64,
    random: Mutex<fastrand::Rng>,
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

/// A value with its times.
pub struct Entry<T> {
    /// What was read.
    pub value: T,
    /// When it is too old to be served without asking; `None` for never.
    expires: Option<Instant>,
    /// When a hot value is read again.
    refresh: Option<Instant>,
    /// Until when it may stand in for a read that fails.
    stale_until: Option<Instant>,
    hits: AtomicU32,
    refreshing: AtomicBool,
    /// When a failed read may be tried again, in milliseconds after `expires`.
    failed_until: AtomicU64,
}

/// What the cache has for a place.
pub enum Hit<T> {
    /// A value to serve.
    Fresh(T),
    /// A value to serve, and the asker is the one to read it again in the background.
    Refresh(T),
    /// An expired value whose reading failed just now: serve it as stale.
    Stale(T),
    /// Nothing to serve.
    Miss,
}

/// Which writes a read has seen, so that its result is not stored over a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u64);

impl Cache {
    /// An empty cache, or `None` if the options switch it off.
    pub fn new(options: &CacheOptions) -> Option<Cache> {
        let expected_rows = usize::try_from(options.max_bytes / 2048).unwrap_or(usize::MAX).clamp(16, 1 << 16);
        let hasher = RandomState::default();
        options.enabled().then(|| Cache {
            options: options.clone(),
            rows: BoundedMap::with(expected_rows, options.max_bytes, Weigh, hasher.clone(), Evicted),
            near: Near::new(),
            hasher,
            lists: RwLock::default(),
            generation: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(seed())),
        })
    }

    /// Looks for one row.
    pub fn row(&self, kind: &str, key: &str) -> Hit<Option<Arc<Row>>> {
        let place = PlaceRef { kind, key };
        let hash = self.hasher.hash_one(&place);
        if let Some((hit, touch)) = self.near.find(hash, &place, |entry, row| entry.hit(row)) {
            if touch {
                self.rows.get(&place);
            }
            return hit;
        }
        let Some(entry) = self.rows.get(&place) else { return Hit::Miss };
        let row = self.near.take_in(hash, &place, &entry, || self.rows.peek(&place));
        entry.hit(&row)
    }

    /// Looks for a whole kind.
    pub fn list(&self, kind: &str) -> Hit<Rows> {
        let entry = self.lists.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned();
        entry.map_or(Hit::Miss, |entry| entry.hit(&entry.value))
    }

    /// The value that may stand in for a read of a row that failed just now.
    pub fn stale_row(&self, kind: &str, key: &str) -> Option<Option<Arc<Row>>> {
        let entry = self.rows.get(&PlaceRef { kind, key })?;
        entry.stand_in()
    }

    /// The list that may stand in for a read of a kind that failed just now.
    pub fn stale_list(&self, kind: &str) -> Option<Rows> {
        let entry = self.lists.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()?;
        entry.stand_in()
    }

    /// Which writes have happened.
    pub fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Acquire))
    }

    /// Keeps a row, or that there is none, unless something was written since.
    pub fn keep_row(&self, seen: Generation, kind: &str, key: &str, row: Option<Arc<Row>>) {
        if seen != self.generation() {
            return;
        }
        let place = PlaceRef { kind, key };
        let mut evicted = Vec::new();
        self.rows.insert_with_lifecycle(place.to_owned(), Arc::new(self.entry(row)), &mut evicted);
        for (place, _) in evicted {
            self.near.forget(self.hasher.hash_one(&place));
        }
        if seen == self.generation() {
            self.near.forget(self.hasher.hash_one(&place));
        } else {
            // A write came between the look and the insertion; what it left unknown must stay unknown.
            self.remove(&place);
        }
    }

    /// Keeps a whole kind, unless something was written since or it is larger than the cache.
    pub fn keep_list(&self, seen: Generation, kind: &str, rows: Rows) {
        let bytes: usize = rows.iter().map(Row::memory).sum();
        if bytes as u64 > self.options.max_bytes {
            return;
        }
        let entry = Arc::new(self.entry(rows));
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        if seen != self.generation() {
            return;
        }
        if lists.len() >= MOST_LISTS && !lists.contains_key(kind) {
            lists.clear();
        }
        lists.insert(kind.to_owned(), entry);
    }

    /// A row may have been written: what is known of it is void.
    pub fn forget_row(&self, kind: &str, key: &str) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.remove(&PlaceRef { kind, key });
        self.lists.write().unwrap_or_else(PoisonError::into_inner).remove(kind);
    }

    /// In this order: what a stripe takes in it compares with `rows`.
    fn remove(&self, place: &PlaceRef<'_>) {
        self.rows.remove(place);
        self.near.forget(self.hasher.hash_one(place));
    }

    /// Everything is void.
    pub fn clear(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.rows.clear();
        self.near.clear();
        self.lists.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many rows are kept, lists aside.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of the rows that are kept, lists aside.
    pub fn bytes(&self) -> u64 {
        self.rows.weight()
    }

    fn entry<T>(&self, value: T) -> Entry<T> {
        let now = Instant::now();
        // Up to a tenth shorter, so that what was read together does not expire together across a fleet.
        let ttl = self.options.ttl.map(|ttl| ttl.mul_f64(1.0 - 0.1 * lock(&self.random).f64()));
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        Entry {
            value,
            expires,
            refresh: if self.options.refresh_ahead {
                ttl.and_then(|ttl| now.checked_add(ttl.mul_f64(0.8)))
            } else {
                None
            },
            stale_until: expires.and_then(|expires| expires.checked_add(self.options.stale)),
            hits: AtomicU32::new(0),
            refreshing: AtomicBool::new(false),
            failed_until: AtomicU64::new(0),
        }
    }
}

impl<T: Clone> Entry<T> {
    /// What to do with the value, of which `value` is the asker's copy.
    fn hit(&self, value: &T) -> Hit<T> {
        let Some(expires) = self.expires else { return Hit::Fresh(value.clone()) };
        let now = Instant::now();
        if now >= expires {
            let after = u64::try_from((now - expires).as_millis()).unwrap_or(u64::MAX);
            let waiting = after < self.failed_until.load(Ordering::Relaxed);
            return if waiting && self.may_stand_in(now) { Hit::Stale(value.clone()) } else { Hit::Miss };
        }
        let Some(refresh) = self.refresh else { return Hit::Fresh(value.clone()) };
        if now < refresh {
            // A count of hits need not be exact, and beyond hot it need not be at all.
            let hits = self.hits.load(Ordering::Relaxed);
            if hits < HOT_HITS {
                self.hits.store(hits + 1, Ordering::Relaxed);
            }
        } else if self.hits.load(Ordering::Relaxed) >= HOT_HITS && !self.refreshing.swap(true, Ordering::Relaxed) {
            return Hit::Refresh(value.clone());
        }
        Hit::Fresh(value.clone())
    }

    fn may_stand_in(&self, now: Instant) -> bool {
        self.stale_until.is_none_or(|until| now < until)
    }

    fn stand_in(&self) -> Option<T> {
        let now = Instant::now();
        let expires = self.expires?;
        let after = now.saturating_duration_since(expires);
        // About as long again as the value is wanted already, which doubles from try to try; jittered, so that a fleet
        // does not come back together.
        let pause = after.mul_f64(0.5 + 0.5 * fastrand::f64()).clamp(BETWEEN_TRIES, MOST_BETWEEN_TRIES);
        let until = u64::try_from((after + pause).as_millis()).unwrap_or(u64::MAX);
        self.failed_until.store(until, Ordering::Relaxed);
        self.refreshing.store(false, Ordering::Relaxed);
        self.may_stand_in(now).then(|| self.value.clone())
    }
}

/// A seed that differs between processes, forked ones included: the hasher's keys are the process's, the time is now.
fn seed() -> u64 {
    std::hash::RandomState::new().hash_one((Instant::now(), std::process::id()))
}
