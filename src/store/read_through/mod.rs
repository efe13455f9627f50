//! What a read does: fresh, refreshed in the background, stale now, or waited for. This is the one place that knows.
//!
//! A value comes from the cache while it is fresh, else from the host's files while it is fresh there, else from DynamoDB.
//! Where DynamoDB cannot be asked, the newest of what the cache, the host's files and what was told have stands in, and is
//! marked as stale. `verdict` is the rule; `cache` keeps values and their times; `host` has what other processes
//! read; `breaker` knows whether DynamoDB is worth waiting for; `serving` gives what is at hand; `asking` asks, and waits as
//! long as that is worth it; `flights` makes one request of many that ask the same; `floors` knows what this store wrote,
//! so that no replica takes it back; `writes` is what writes leave for reads.
//!
//! Files are read on threads that may wait: what an event loop's thread may call looks at memory only.
//!
//! Without a cache each read asks for itself, and sees what was written before it began; with nothing that could stand in,
//! it waits for its answer.

mod asking;
pub mod breaker;
pub mod cache;
pub mod flights;
mod floors;
mod host;
pub mod moment;
mod question;
mod serving;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod tests;
mod verdict;
mod writes;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::model::options::Options;
use crate::model::row::{Payload, Row};
use crate::model::{Error, Result};

use super::events::Events;
use super::host_cache::Stamp;
use super::told::{Bound, Told};
use super::{Found, FoundAll, Rows, Store};
use breaker::{Breaker, Circuit, Place};
use cache::{Cache, Mark};
use flights::Flights;
use floors::Floors;
use host::Host;
use moment::Moment;
use question::{OneRow, Question, WholeKind};
use verdict::Verdict;

/// What one store knows for its reads.
pub struct ReadThrough {
    cache: Option<Cache>,
    breaker: Arc<Breaker>,
    /// Only where reads may be answered by a replica.
    floors: Option<Floors>,
    rows: Flights<(OneRow, Mark), Option<Arc<Row>>>,
    lists: Flights<(WholeKind, Mark), Rows>,
    soft_wait: Duration,
    /// How long an expired value may stand in.
    stale: Duration,
    /// What init and upsert were given, if that is kept.
    told: Option<Told>,
    /// The host's files, if there are any.
    host: Option<Host>,
    /// Reads that were begun without a cache.
    uncached_reads: AtomicU64,
}

/// An answer, and whether it stands in for one.
struct Served<T> {
    value: T,
    stale: bool,
}

impl From<Served<Option<Arc<Row>>>> for Option<Found> {
    fn from(served: Served<Option<Arc<Row>>>) -> Self {
        served.value.map(|row| Found { row, stale: served.stale })
    }
}

impl From<Served<Rows>> for FoundAll {
    fn from(served: Served<Rows>) -> Self {
        FoundAll { rows: served.value, stale: served.stale }
    }
}

impl ReadThrough {
    /// Nothing is known yet.
    pub fn new(options: &Options, events: &Arc<Events>) -> ReadThrough {
        ReadThrough {
            cache: Cache::new(&options.cache),
            breaker: Breaker::new(),
            floors: (!options.consistent_reads).then(Floors::default),
            rows: Flights::new(),
            lists: Flights::new(),
            soft_wait: options.cache.soft_wait,
            stale: options.cache.stale,
            told: options.keep_told.then(Told::default),
            host: Host::new(options, events),
            uncached_reads: AtomicU64::new(0),
        }
    }

    /// The cache, if there is one.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// What the store was told, if that is kept.
    pub fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// The host's files, if there are any.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// How long what was told stands in.
    fn told_bound(&self, now: Moment) -> Bound {
        Bound::new(self.stale, self.breaker.away_since(), now)
    }

    /// Whether there can be anything to serve but answers.
    fn keeps_values(&self) -> bool {
        self.cache.is_some() || self.told.is_some() || self.host.is_some()
    }

    /// Whether DynamoDB is not worth waiting for.
    pub fn away(&self) -> bool {
        self.breaker.away_since().is_some()
    }

    /// What a question sees of the breaker.
    fn circuit(&self, question: &impl Question, now: Moment) -> Circuit {
        self.breaker.circuit(place(question), now)
    }

    /// Whether the store was told of a data set, or the host has seen that there is one. May read a file.
    pub fn knows_of_a_data_set(&self) -> bool {
        let now = Moment::now();
        self.told.as_ref().is_some_and(|told| told.has_data_set(self.told_bound(now)))
            || self.host.as_ref().and_then(|host| host.look(&marker())).is_some_and(|kept| kept.value.is_some())
    }

    /// Whether there is a data set was read, or written: the host's other processes may need to know in an outage.
    pub fn saw_marker(&self, initialised: bool) {
        if let Some(host) = &self.host {
            let row = Row { key: MARKER.into(), version: 0, payload: Payload::Tombstone };
            host.keep(&marker(), &initialised.then(|| Arc::new(row)), Stamp::now());
        }
    }

    /// Forgets what may be served without asking. What was written stays known.
    pub fn clear(&self) {
        if let Some(cache) = &self.cache {
            cache.clear();
        }
        if let Some(host) = &self.host {
            host.with(|host| host.clear());
        }
    }
}

/// What the host's files call the row that says that there is a data set. No kind has this name.
const MARKER: &str = "$inited";

fn marker() -> OneRow {
    OneRow::new(MARKER, MARKER)
}

fn place(question: &impl Question) -> Place {
    let (kind, key) = question.place();
    Place::of(kind, key)
}

impl Store {
    /// What memory has of a row, if that is to be served. Never blocks and reads no file.
    #[inline]
    pub fn cached(self: &Arc<Self>, kind: &str, key: &str) -> Option<Option<Found>> {
        let look = self.reading.cache.as_ref()?.row(kind, key, &self.reading.breaker)?;
        if look.verdict == Verdict::Fresh {
            return Some(look.value.map(|row| Found { row, stale: false }));
        }
        self.act(look, || OneRow::new(kind, key)).map(Into::into)
    }

    /// What memory has of a kind, if that is to be served. Never blocks and reads no file.
    pub fn cached_list(self: &Arc<Self>, kind: &str) -> Option<FoundAll> {
        let look = self.reading.cache.as_ref()?.list(kind, &self.reading.breaker)?;
        self.act(look, || WholeKind::new(kind)).map(Into::into)
    }

    /// What else is to be served of a row without asking DynamoDB. May read a file.
    pub fn at_hand(self: &Arc<Self>, kind: &str, key: &str) -> Option<Option<Found>> {
        self.without_asking(&OneRow::new(kind, key)).map(Into::into)
    }

    /// What else is to be served of a kind without asking DynamoDB. May read a file.
    pub fn list_at_hand(self: &Arc<Self>, kind: &str) -> Option<FoundAll> {
        self.without_asking(&WholeKind::new(kind)).map(Into::into)
    }

    /// A row from DynamoDB, or what stands in for it.
    pub async fn read(self: &Arc<Self>, kind: &str, key: &str, deadline: Instant) -> Result<Option<Found>> {
        self.answer(OneRow::new(kind, key), deadline).await.map(Into::into)
    }

    /// A whole kind from DynamoDB, or what stands in for it.
    pub async fn read_all(self: &Arc<Self>, kind: &str, deadline: Instant) -> Result<FoundAll> {
        self.answer(WholeKind::new(kind), deadline).await.map(Into::into)
    }

    /// What stands in for a read of a row that could not even be begun, or never came back. May read a file.
    pub fn instead_of_row(&self, kind: &str, key: &str, error: Error) -> Result<Option<Found>> {
        self.stand_in(&OneRow::new(kind, key), error).map(Into::into)
    }

    /// What stands in for a read of a kind that could not even be begun, or never came back. May read a file.
    pub fn instead_of_list(&self, kind: &str, error: Error) -> Result<FoundAll> {
        self.stand_in(&WholeKind::new(kind), error).map(Into::into)
    }

    /// Whether something in memory may stand in for a read of a row: now, or also when a soft wait from now is over.
    pub fn stands_in_for_row(&self, kind: &str, key: &str, later: bool) -> bool {
        self.stands_in(&OneRow::new(kind, key), later)
    }

    /// The same for a read of a kind.
    pub fn stands_in_for_list(&self, kind: &str, later: bool) -> bool {
        self.stands_in(&WholeKind::new(kind), later)
    }

    /// How long a read for which something may stand in is worth waiting for.
    pub fn soft_wait(&self) -> Duration {
        self.reading.soft_wait
    }
}
