//! Counts of what the store did, as one JSON object.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::cache::Cache;
use super::events::Events;
use crate::dynamo::Counters;
use crate::stripes::Count;

/// What the cache and the store did. DynamoDB's side is in the counters of `src/dynamo`.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Reads served from the cache.
    pub hits: Count,
    /// Reads that had to ask DynamoDB.
    pub misses: AtomicU64,
    /// Reads that waited for a request that was already on its way.
    pub coalesced: AtomicU64,
    /// Reads that were served an expired value because asking failed.
    pub stale: AtomicU64,
    /// Values read again shortly before they expired.
    pub refreshes: AtomicU64,
    /// Rows that could not be read.
    pub skipped_rows: AtomicU64,
}

/// One more.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Everything that is counted.
pub fn to_json(statistics: &Statistics, counters: &Counters, events: &Events, cache: Option<&Cache>) -> String {
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    json!({
        "hits": statistics.hits.get(),
        "misses": get(&statistics.misses),
        "coalesced": get(&statistics.coalesced),
        "stale": get(&statistics.stale),
        "refreshes": get(&statistics.refreshes),
        "skipped_rows": get(&statistics.skipped_rows),
        "requests": get(&counters.requests),
        "retries": get(&counters.retries),
        "throttles": get(&counters.throttles),
        "errors": get(&counters.errors),
        "read_units": counters.read_units(),
        "write_units": counters.write_units(),
        "dropped_events": events.dropped(),
        "cached_items": cache.map_or(0, Cache::count),
        "cached_bytes": cache.map_or(0, Cache::bytes),
    })
    .to_string()
}
