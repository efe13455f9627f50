//! The store: what `init`, `get`, `all`, `upsert` and `initialized` mean. Knows DynamoDB as a `Table` only.

mod again;
mod attempt;
pub mod big_segments;
pub mod calls;
pub mod doctor;
pub mod events;
mod host_cache;
pub mod init;
mod large;
pub mod read_through;
pub mod report;
pub mod statistics;
#[cfg(test)]
pub(in crate::store) mod tests;
mod told;
mod upsert;

use std::sync::Arc;
use std::time::Instant;

use crate::dynamo::{Counters, DynamoTable, Effort, Notices, Table};
use crate::model::namespace::{Namespaces, check_key};
use crate::model::options::{LogLevel, Options};
use crate::model::row::{RawRow, Row};
use crate::model::{Result, codec};

use again::Again;
use attempt::Attempt;
use big_segments::Membership;
use events::{Event, Events, Logger};
use read_through::{ReadThrough, too_late};
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
    reading: ReadThrough,
    statistics: Statistics,
    events: Arc<Events>,
    again: Again,
    /// Of which process it is.
    process: u32,
}

impl Store {
    /// Opens a store on the table that the options name. Costs no I/O.
    pub fn open(options: Options) -> Arc<Store> {
        let options = options.in_this_process();
        let counters = Arc::<Counters>::default();
        let events = Arc::new(Events::new(options.log_level));
        let told = Arc::clone(&events);
        let notices = Notices::to(move |level, text| told.emit(level, || text));
        let table = Arc::new(DynamoTable::new(options.clone(), Arc::clone(&counters), notices));
        Store::with(options, table, counters, events)
    }

    /// Opens a store on any table.
    pub(crate) fn on(options: Options, table: Arc<dyn Table>, counters: Arc<Counters>) -> Arc<Store> {
        let events = Arc::new(Events::new(options.log_level));
        Store::with(options, table, counters, events)
    }

    fn with(options: Options, table: Arc<dyn Table>, counters: Arc<Counters>, events: Arc<Events>) -> Arc<Store> {
        Arc::new(Store {
            namespaces: options.namespaces(),
            reading: ReadThrough::new(&options, &events),
            statistics: Statistics::default(),
            events,
            again: Again::default(),
            process: std::process::id(),
            options,
            table,
            counters,
        })
    }

    /// The same store for a forked child, or for a new runtime: what it knows, without what it holds.
    pub fn renewed_after_fork(&self) -> Arc<Store> {
        let store = Store::open(self.options.clone());
        store.events.inherit(&self.events);
        if let (Some(told), Some(before)) = (store.reading.told(), self.reading.told()) {
            // What a parent could not write is the parent's to write again.
            told.inherit(before, store.process == self.process);
            store.write_again_later();
        }
        store
    }

    /// What the store was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Everything that is counted, as JSON.
    pub fn statistics(&self) -> String {
        statistics::to_json(&self.statistics, &self.counters, &self.events, &self.reading)
    }

    /// Forgets what is cached.
    pub fn clear_cache(&self) {
        self.reading.clear();
    }

    /// The oldest event that was not taken yet.
    pub fn next_event(&self) -> Option<Event> {
        self.events.next()
    }

    /// Hands events to the host's logger.
    pub fn set_logger(&self, logger: Option<Box<Logger>>) {
        self.events.set_logger(logger);
    }

    /// Asks DynamoDB for a row.
    async fn ask_row(&self, kind: &str, key: &str, consistent: bool, effort: Effort<'_>) -> Result<Option<Arc<Row>>> {
        check_key(kind, key)?;
        let namespace = self.namespaces.of(kind)?;
        let raw = self.table.get(&namespace, key, consistent, effort).await;
        let raw = raw.map_err(|error| error.during(Attempt::Get { kind, key }))?;
        Ok(raw.and_then(|raw| self.readable(kind, raw)).map(Arc::new))
    }

    /// Asks DynamoDB for a kind.
    async fn ask_kind(&self, kind: &str, consistent: bool, effort: Effort<'_>) -> Result<Rows> {
        let mut rows = Vec::new();
        self.each_page(kind, consistent, effort, |raw| rows.extend(self.readable(kind, raw))).await?;
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
        let key = raw.key.as_deref().unwrap_or_default();
        match codec::read(&raw) {
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

    /// Whether a data set was stored. Where one is known of, DynamoDB is waited for as softly as for its rows.
    async fn is_initialized(&self, deadline: Instant) -> Result<bool> {
        let known = self.reading.knows_of_a_data_set();
        let patience = if known { deadline.min(Instant::now() + self.options.cache.soft_wait) } else { deadline };
        let asked = tokio::time::timeout_at(patience.into(), self.marker(Effort::until(deadline))).await;
        match asked {
            Ok(Ok(initialised)) => {
                self.reading.saw_marker(initialised);
                Ok(initialised)
            }
            Ok(Err(error)) if !known || !error.code.older_may_stand_in() => Err(error),
            Err(_) if !known => Err(too_late().during(Attempt::Initialized)),
            _ => Ok(true),
        }
    }

    /// Whether the table answers and has what this store was told: what it lacks of that is written first.
    async fn answers(&self, deadline: Instant) -> Result<()> {
        self.write_unwritten(deadline).await?;
        self.marker(Effort::until(deadline)).await?;
        self.report_answer(None);
        Ok(())
    }

    async fn read_metadata(&self, deadline: Instant) -> Result<Option<i64>> {
        let name = self.namespaces.big_segments_metadata();
        let row = self.table.big_segment(&name, &name, self.options.consistent_reads, Effort::until(deadline)).await;
        row.and_then(big_segments::synchronized_on).map_err(|error| error.during(Attempt::BigSegmentsMetadata))
    }

    async fn read_membership(&self, hash: &str, deadline: Instant) -> Result<Option<Membership>> {
        check_key("big_segments_user", hash)?;
        let namespace = self.namespaces.big_segments_user();
        let row =
            self.table.big_segment(&namespace, hash, self.options.consistent_reads, Effort::until(deadline)).await;
        row.map(big_segments::membership).map_err(|error| error.during(Attempt::BigSegmentsMembership))
    }

    /// Whether the row is there that says a full data set was stored.
    async fn marker(&self, effort: Effort<'_>) -> Result<bool> {
        let name = self.namespaces.inited();
        let row = self.table.get(&name, &name, true, effort).await;
        Ok(row.map_err(|error| error.during(Attempt::Initialized))?.is_some())
    }
}
