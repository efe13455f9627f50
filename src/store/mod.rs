//! The store: what `init`, `get`, `all`, `upsert` and `initialized` mean. Knows DynamoDB as a `Table` only.

mod attempt;
pub mod big_segments;
pub mod cache;
pub mod events;
mod flights;
mod host_cache;
pub mod init;
pub mod statistics;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::FutureExt;

use crate::dynamo::{Counters, DynamoTable, Effort, Table, When, Written};
use crate::model::data_set::Collection;
use crate::model::namespace::{Namespaces, check_key};
use crate::model::options::{LogLevel, Options};
use crate::model::row::{Item, RawRow, Row};
use crate::model::{Error, Result, size, tombstone};
use crate::runtime;

use attempt::Attempt;
use big_segments::Membership;
use cache::{Cache, Generation, Hit};
use events::{Event, Events, Logger};
use flights::Flights;
use init::Report;
use statistics::{Statistics, count};

/// All rows of a kind, in the order of their keys.
pub type Rows = Arc<Vec<Row>>;

/// A row that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The row; a tombstone too.
    pub row: Arc<Row>,
    /// Whether it stands in for a read that failed.
    pub stale: bool,
}

/// All rows of a kind that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAll {
    /// The rows.
    pub rows: Rows,
    /// Whether they stand in for a read that failed.
    pub stale: bool,
}

/// What became of an upsert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upserted {
    /// It is stored.
    Written,
    /// The stored row has this version or a newer one.
    NewerExists(Arc<Row>),
    /// It is over DynamoDB's size; the older row stays.
    TooLarge,
}

/// A store. Everything it needs is made when it is opened, and nothing is connected before the first call.
pub struct Store {
    options: Options,
    namespaces: Namespaces,
    table: Arc<dyn Table>,
    counters: Arc<Counters>,
    cache: Option<Cache>,
    row_flights: Flights<(String, String, Generation), Option<Arc<Row>>>,
    list_flights: Flights<(String, Generation), Rows>,
    initialized: AtomicBool,
    statistics: Statistics,
    events: Events,
}

impl Store {
    /// Opens a store on the table that the options name. Costs no I/O.
    pub fn open(options: Options) -> Arc<Store> {
        let counters = Arc::<Counters>::default();
        let table = Arc::new(DynamoTable::new(options.clone(), Arc::clone(&counters)));
        Store::on(options, table, counters)
    }

    /// Opens a store on any table.
    pub(crate) fn on(options: Options, table: Arc<dyn Table>, counters: Arc<Counters>) -> Arc<Store> {
        Arc::new(Store {
            namespaces: options.namespaces(),
            cache: Cache::new(&options.cache),
            row_flights: Flights::new(),
            list_flights: Flights::new(),
            initialized: AtomicBool::new(false),
            statistics: Statistics::default(),
            events: Events::new(options.log_level),
            options,
            table,
            counters,
        })
    }

    /// The same store for a forked child: what it knows, without what it holds.
    pub fn renewed_after_fork(&self) -> Arc<Store> {
        let store = Store::open(self.options.clone());
        store.initialized.store(self.initialized.load(Ordering::Relaxed), Ordering::Relaxed);
        store.events.inherit(&self.events);
        store
    }

    /// What the store was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// One row, a tombstone too. `None` if there is none, or none that can be read.
    pub fn get(self: &Arc<Self>, kind: &str, key: &str) -> Result<Option<Found>> {
        if let Some(found) = self.cached(kind, key) {
            return Ok(found);
        }
        let (store, deadline) = (Arc::clone(self), self.deadline());
        let (owned_kind, owned_key) = (kind.to_owned(), key.to_owned());
        runtime::block_on(deadline, Attempt::Get { kind, key }, async move {
            store.read(&owned_kind, &owned_key, deadline).await
        })
    }

    /// [`Store::get`] without blocking.
    pub fn get_then(
        self: &Arc<Self>,
        kind: String,
        key: String,
        done: impl FnOnce(Result<Option<Found>>) + Send + 'static,
    ) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::spawn(async move {
            done(match store.cached(&kind, &key) {
                Some(found) => Ok(found),
                None => store.read(&kind, &key, deadline).await,
            });
        })
    }

    /// All rows of a kind, tombstones too.
    pub fn all(self: &Arc<Self>, kind: &str) -> Result<FoundAll> {
        if let Some(found) = self.cached_list(kind) {
            return Ok(found);
        }
        let (store, deadline, owned) = (Arc::clone(self), self.all_deadline(), kind.to_owned());
        runtime::block_on(deadline, Attempt::All { kind }, async move { store.read_all(&owned, deadline).await })
    }

    /// [`Store::all`] without blocking.
    pub fn all_then(
        self: &Arc<Self>,
        kind: String,
        done: impl FnOnce(Result<FoundAll>) + Send + 'static,
    ) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.all_deadline());
        runtime::spawn(async move {
            done(match store.cached_list(&kind) {
                Some(found) => Ok(found),
                None => store.read_all(&kind, deadline).await,
            });
        })
    }

    /// Writes an item if the stored one is older or missing.
    pub fn upsert(self: &Arc<Self>, kind: &str, item: &Item) -> Result<Upserted> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        let (owned_kind, owned_item) = (kind.to_owned(), item.clone());
        runtime::block_on(deadline, Attempt::Upsert { kind, key: &item.key }, async move {
            store.write(&owned_kind, &owned_item, deadline).await
        })
    }

    /// [`Store::upsert`] without blocking.
    pub fn upsert_then(
        self: &Arc<Self>,
        kind: String,
        item: Item,
        done: impl FnOnce(Result<Upserted>) + Send + 'static,
    ) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::spawn(async move { done(store.write(&kind, &item, deadline).await) })
    }

    /// Replaces the data set of the given kinds, then marks the store as initialised.
    pub fn init(self: &Arc<Self>, data: Vec<Collection>) -> Result<Report> {
        let (store, deadline) = (Arc::clone(self), Instant::now() + self.options.init_timeout);
        runtime::block_on(deadline, Attempt::Init, async move { store.replace(data, deadline).await })
    }

    /// [`Store::init`] without blocking.
    pub fn init_then(
        self: &Arc<Self>,
        data: Vec<Collection>,
        done: impl FnOnce(Result<Report>) + Send + 'static,
    ) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), Instant::now() + self.options.init_timeout);
        runtime::spawn(async move { done(store.replace(data, deadline).await) })
    }

    /// Whether a data set was ever stored. Once true it stays true.
    pub fn initialized(self: &Arc<Self>) -> Result<bool> {
        if self.initialized.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::block_on(deadline, Attempt::Initialized, async move { store.is_initialized(deadline).await })
    }

    /// [`Store::initialized`] without blocking.
    pub fn initialized_then(self: &Arc<Self>, done: impl FnOnce(Result<bool>) + Send + 'static) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::spawn(async move { done(store.is_initialized(deadline).await) })
    }

    /// Whether the table answers; the error says why not.
    pub fn available(self: &Arc<Self>) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::block_on(deadline, Attempt::Initialized, async move { store.answers(deadline).await })
    }

    /// [`Store::available`] without blocking.
    pub fn available_then(self: &Arc<Self>, done: impl FnOnce(Result<()>) + Send + 'static) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::spawn(async move { done(store.answers(deadline).await) })
    }

    /// When the big segments were last brought up to date, in milliseconds of Unix time.
    pub fn big_segments_metadata(self: &Arc<Self>) -> Result<Option<i64>> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::block_on(deadline, Attempt::BigSegmentsMetadata, async move { store.read_metadata(deadline).await })
    }

    /// [`Store::big_segments_metadata`] without blocking.
    pub fn big_segments_metadata_then(
        self: &Arc<Self>,
        done: impl FnOnce(Result<Option<i64>>) + Send + 'static,
    ) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::spawn(async move { done(store.read_metadata(deadline).await) })
    }

    /// The big segments that name a context, by the hash of its key.
    pub fn big_segments_membership(self: &Arc<Self>, hash: &str) -> Result<Option<Membership>> {
        let (store, deadline, hash) = (Arc::clone(self), self.deadline(), hash.to_owned());
        runtime::block_on(deadline, Attempt::BigSegmentsMembership, async move {
            store.read_membership(&hash, deadline).await
        })
    }

    /// [`Store::big_segments_membership`] without blocking.
    pub fn big_segments_membership_then(
        self: &Arc<Self>,
        hash: String,
        done: impl FnOnce(Result<Option<Membership>>) + Send + 'static,
    ) -> Result<()> {
        let (store, deadline) = (Arc::clone(self), self.deadline());
        runtime::spawn(async move { done(store.read_membership(&hash, deadline).await) })
    }

    /// Everything that is counted, as JSON.
    pub fn statistics(&self) -> String {
        statistics::to_json(&self.statistics, &self.counters, &self.events, self.cache.as_ref())
    }

    /// Forgets what is cached.
    pub fn clear_cache(&self) {
        if let Some(cache) = &self.cache {
            cache.clear();
        }
    }

    /// The oldest event that was not taken yet.
    pub fn next_event(&self) -> Option<Event> {
        self.events.next()
    }

    /// Hands events to the host's logger.
    pub fn set_logger(&self, logger: Option<Box<Logger>>) {
        self.events.set_logger(logger);
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.options.timeout
    }

    fn all_deadline(&self) -> Instant {
        Instant::now() + self.options.all_timeout
    }

    /// What the cache has of a row, if that is to be served. Never blocks.
    pub fn cached(self: &Arc<Self>, kind: &str, key: &str) -> Option<Option<Found>> {
        let cache = self.cache.as_ref()?;
        let (row, stale) = match cache.row(kind, key) {
            Hit::Miss => return None,
            Hit::Fresh(row) => (row, false),
            Hit::Stale(row) => (row, true),
            Hit::Refresh(row) => {
                let (store, kind, key) = (Arc::clone(self), kind.to_owned(), key.to_owned());
                self.refresh(async move { store.fetch(kind, key, store.deadline()).await.map(|_| ()) });
                (row, false)
            }
        };
        self.count_hit(stale);
        Some(row.map(|row| Found { row, stale }))
    }

    fn cached_list(self: &Arc<Self>, kind: &str) -> Option<FoundAll> {
        let cache = self.cache.as_ref()?;
        let (rows, stale) = match cache.list(kind) {
            Hit::Miss => return None,
            Hit::Fresh(rows) => (rows, false),
            Hit::Stale(rows) => (rows, true),
            Hit::Refresh(rows) => {
                let (store, kind) = (Arc::clone(self), kind.to_owned());
                self.refresh(async move { store.fetch_all(kind, store.all_deadline()).await.map(|_| ()) });
                (rows, false)
            }
        };
        self.count_hit(stale);
        Some(FoundAll { rows, stale })
    }

    fn count_hit(&self, stale: bool) {
        self.statistics.hits.add();
        if stale {
            count(&self.statistics.stale);
        }
    }

    fn count_miss(&self) {
        if self.cache.is_some() {
            count(&self.statistics.misses);
        }
    }

    /// Reads a hot value again in the background. If that fails, the value is read by whoever misses it next.
    fn refresh(&self, reading: impl Future<Output = Result<()>> + Send + 'static) {
        count(&self.statistics.refreshes);
        // No thread to do it on is no reason to fail a call that has its value.
        let _ = runtime::spawn(async move {
            let _ = reading.await;
        });
    }

    /// Reads one row past the cache's fresh values, and serves a stale one if that fails.
    async fn read(self: &Arc<Self>, kind: &str, key: &str, deadline: Instant) -> Result<Option<Found>> {
        self.count_miss();
        let found = |row: Option<Arc<Row>>, stale| row.map(|row| Found { row, stale });
        match self.fetch(kind.to_owned(), key.to_owned(), deadline).await {
            Ok(row) => Ok(found(row, false)),
            Err(error) => match self.stand_in(&error, |cache| cache.stale_row(kind, key)) {
                Some(row) => Ok(found(row, true)),
                None => Err(error),
            },
        }
    }

    async fn read_all(self: &Arc<Self>, kind: &str, deadline: Instant) -> Result<FoundAll> {
        self.count_miss();
        match self.fetch_all(kind.to_owned(), deadline).await {
            Ok(rows) => Ok(FoundAll { rows, stale: false }),
            Err(error) => match self.stand_in(&error, |cache| cache.stale_list(kind)) {
                Some(rows) => Ok(FoundAll { rows, stale: true }),
                None => Err(error),
            },
        }
    }

    /// What the cache still has, if the failure is one that may pass.
    fn stand_in<T>(&self, error: &Error, stale: impl FnOnce(&Cache) -> Option<T>) -> Option<T> {
        let value = self.cache.as_ref().filter(|_| error.code.retriable()).and_then(stale)?;
        count(&self.statistics.stale);
        self.events.emit(LogLevel::Warn, || format!("serving a stale value from the cache: {error}"));
        Some(value)
    }

    /// Asks DynamoDB for a row. With a cache, concurrent asks for the same row are one request; without one, every
    /// ask must see what was written before it began, so it makes its own.
    async fn fetch(self: &Arc<Self>, kind: String, key: String, deadline: Instant) -> Result<Option<Arc<Row>>> {
        let Some(cache) = &self.cache else { return self.ask(&kind, &key, deadline).await };
        let seen = cache.generation();
        let place = (kind, key, seen);
        let (flight, joined) = self.row_flights.join(&place, || {
            let (store, place) = (Arc::clone(self), place.clone());
            async move {
                let (kind, key, seen) = &place;
                let outcome = store.ask(kind, key, deadline).await;
                if let (Ok(row), Some(cache)) = (&outcome, &store.cache) {
                    cache.keep_row(*seen, kind, key, row.clone());
                }
                store.row_flights.landed(&place);
                outcome
            }
            .boxed()
        });
        if joined {
            count(&self.statistics.coalesced);
        }
        flight.await
    }

    async fn fetch_all(self: &Arc<Self>, kind: String, deadline: Instant) -> Result<Rows> {
        let Some(cache) = &self.cache else { return self.ask_all(&kind, deadline).await };
        let seen = cache.generation();
        let place = (kind, seen);
        let (flight, joined) = self.list_flights.join(&place, || {
            let (store, place) = (Arc::clone(self), place.clone());
            async move {
                let (kind, seen) = &place;
                let outcome = store.ask_all(kind, deadline).await;
                if let (Ok(rows), Some(cache)) = (&outcome, &store.cache) {
                    cache.keep_list(*seen, kind, Arc::clone(rows));
                }
                store.list_flights.landed(&place);
                outcome
            }
            .boxed()
        });
        if joined {
            count(&self.statistics.coalesced);
        }
        flight.await
    }

    async fn ask(&self, kind: &str, key: &str, deadline: Instant) -> Result<Option<Arc<Row>>> {
        check_key(kind, key)?;
        let namespace = self.namespaces.of(kind)?;
        let raw = self.table.get(&namespace, key, self.options.consistent_reads, Effort::until(deadline)).await;
        let raw = raw.map_err(|error| error.during(Attempt::Get { kind, key }))?;
        Ok(raw.and_then(|raw| self.readable(kind, raw)).map(Arc::new))
    }

    async fn ask_all(&self, kind: &str, deadline: Instant) -> Result<Rows> {
        let mut rows = Vec::new();
        let effort = Effort::until(deadline);
        self.each_page(kind, self.options.consistent_reads, effort, |raw| rows.extend(self.readable(kind, raw)))
            .await?;
        Ok(Arc::new(rows))
    }

    /// Hands every row of a kind to `take`, page after page.
    async fn each_page(
        &self,
        kind: &str,
        consistent: bool,
        effort: Effort<'_>,
        mut take: impl FnMut(RawRow),
    ) -> Result<()> {
        let namespace = self.namespaces.of(kind)?;
        let mut after = None;
        loop {
            let page = self.table.page(&namespace, after, consistent, effort).await;
            let page = page.map_err(|error| error.during(Attempt::All { kind }))?;
            page.rows.into_iter().for_each(&mut take);
            match page.next {
                None => return Ok(()),
                next => after = next,
            }
        }
    }

    /// A row's meaning; one that has none is reported and left out, so that it never hides the others.
    fn readable(&self, kind: &str, raw: RawRow) -> Option<Row> {
        let key = raw.key.clone().unwrap_or_default();
        match tombstone::read(raw) {
            Ok(row) => Some(row),
            Err(reason) => {
                count(&self.statistics.skipped_rows);
                self.events.emit(LogLevel::Error, || {
                    format!(
                        "the row \"{key}\" of kind \"{kind}\" in table \"{}\" was left out: {reason}",
                        self.options.table
                    )
                });
                None
            }
        }
    }

    async fn write(&self, kind: &str, item: &Item, deadline: Instant) -> Result<Upserted> {
        let namespace = self.namespaces.of(kind)?;
        let row = tombstone::new_row(kind, item)?;
        if let Some(bytes) = size::too_large(&self.namespaces, kind, &row)? {
            self.report_too_large(kind, &row.key, bytes);
            return Ok(Upserted::TooLarge);
        }
        let outcome = self.table.put(&namespace, &row, When::Newer, Effort::until(deadline)).await;
        if let Some(cache) = &self.cache {
            cache.forget_row(kind, &row.key);
        }
        match outcome.map_err(|error| error.during(Attempt::Upsert { kind, key: &row.key }))? {
            Written::Done => Ok(Upserted::Written),
            Written::Conflict(stored) => {
                // Endpoints that do not return the row on a failed condition need a second request.
                let stored = match stored {
                    Some(raw) => self.readable(kind, raw).map(Arc::new),
                    None => self.ask(kind, &row.key, deadline).await?,
                };
                Ok(Upserted::NewerExists(stored.unwrap_or_else(|| Arc::new(row.as_read()))))
            }
        }
    }

    fn report_too_large(&self, kind: &str, key: &str, bytes: usize) {
        let namespace = self.namespaces.of(kind).unwrap_or_default();
        self.events.emit(LogLevel::Error, || {
            format!(
                "The item \"{key}\" in \"{namespace}\" was too large to store in DynamoDB and was dropped: {bytes} bytes, the limit is {}; an older row stays as it was",
                size::MAX_ROW_BYTES
            )
        });
    }

    async fn is_initialized(&self, deadline: Instant) -> Result<bool> {
        if self.initialized.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let initialized = self.marker(Effort::until(deadline)).await?;
        if initialized {
            self.initialized.store(true, Ordering::Relaxed);
        }
        Ok(initialized)
    }

    async fn answers(&self, deadline: Instant) -> Result<()> {
        self.marker(Effort::until(deadline)).await.map(|_| ())
    }

    async fn read_metadata(&self, deadline: Instant) -> Result<Option<i64>> {
        let name = self.namespaces.big_segments_metadata();
        let row = self.table.big_segment(&name, &name, Effort::until(deadline)).await;
        row.and_then(big_segments::synchronized_on).map_err(|error| error.during(Attempt::BigSegmentsMetadata))
    }

    async fn read_membership(&self, hash: &str, deadline: Instant) -> Result<Option<Membership>> {
        check_key("big_segments_user", hash)?;
        let namespace = self.namespaces.big_segments_user();
        let row = self.table.big_segment(&namespace, hash, Effort::until(deadline)).await;
        row.map(big_segments::membership).map_err(|error| error.during(Attempt::BigSegmentsMembership))
    }

    /// Whether the row is there that says a full data set was stored.
    async fn marker(&self, effort: Effort<'_>) -> Result<bool> {
        let name = self.namespaces.inited();
        let row = self.table.get(&name, &name, true, effort).await;
        Ok(row.map_err(|error| error.during(Attempt::Initialized))?.is_some())
    }
}
