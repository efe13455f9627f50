//! Counts of what the store did, as one JSON object.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::events::Events;
use super::read_through::ReadThrough;
use super::read_through::cache::Cache;
use super::told::Told;
use crate::dynamo::Counters;

/// What the cache and the store did. DynamoDB's side is in the counters of `src/dynamo`.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Reads that had to ask DynamoDB.
    pub misses: AtomicU64,
    /// Reads that waited for a request that was already on its way.
    pub coalesced: AtomicU64,
    /// Reads that were served an expired value because asking failed, or was not worth waiting for.
    pub stale: AtomicU64,
    /// Those of them that did not wait at all, since DynamoDB was known to be away.
    pub served_while_away: AtomicU64,
    /// The age of the oldest value that was served as stale, in milliseconds.
    pub oldest_stale: AtomicU64,
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
pub fn to_json(statistics: &Statistics, counters: &Counters, events: &Events, reading: &ReadThrough) -> String {
    let cache = reading.cache();
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    json!({
        "hits": cache.map_or(0, Cache::hits),
        "misses": get(&statistics.misses),
        "coalesced": get(&statistics.coalesced),
        "stale": get(&statistics.stale),
        "served_while_away": get(&statistics.served_while_away),
        "oldest_stale_ms": get(&statistics.oldest_stale),
        "away": u8::from(reading.away()),
        "unwritten": reading.told().map_or(0, Told::unwritten),
        "host_hits": reading.host().map_or(0, |host| get(&host.hits)),
        "host_trouble": reading.host().map_or(0, |host| get(&host.trouble)),
        "refreshes": get(&statistics.refreshes),
        "skipped_rows": get(&statistics.skipped_rows),
        "requests": get(&counters.requests),
        "retries": get(&counters.retries),
        "throttles": get(&counters.throttles),
        "errors": get(&counters.errors),
        "read_units": counters.read_units(),
        "write_units": counters.write_units(),
        "dropped_events": events.dropped(),
        "cached_items": cache.map_or(0, Cache::row_count),
        "cached_lists": cache.map_or(0, Cache::list_count),
        "cached_bytes": cache.map_or(0, Cache::bytes),
        "uncached": cache.map_or(0, Cache::uncached),
    })
    .to_string()
}
