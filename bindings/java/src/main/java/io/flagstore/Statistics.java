package io.flagstore;

import java.util.Map;

/**
 * What a store did since it was opened in this process, and what it holds now.
 *
 * @param hits reads that the cache answered
 * @param misses reads that had to ask DynamoDB
 * @param coalesced reads that waited for another one's request
 * @param refreshes values that were read again shortly before they expired
 * @param stale reads for which an older value stood in
 * @param servedWhileAway of these, those that did not wait, since DynamoDB was known to be away
 * @param oldestStaleMs the age of the oldest value that stood in, in milliseconds
 * @param away 1 while DynamoDB does not answer, else 0
 * @param requests requests to DynamoDB
 * @param retries of these, repetitions
 * @param throttles of these, throttled ones
 * @param errors of these, failed ones
 * @param readUnits read capacity that was consumed
 * @param writeUnits write capacity that was consumed
 * @param skippedRows rows that could not be read
 * @param droppedEvents events that nobody took in time
 * @param cachedItems items in the cache now
 * @param cachedLists lists in the cache now
 * @param cachedBytes bytes in the cache now
 * @param uncached answers that were too large to be kept
 * @param unwritten items that are still to be written, see {@link FlagStoreBuilder#keepTold}
 * @param hostHits values out of the host's directory, see {@link FlagStoreBuilder#cacheDir}
 * @param hostTrouble what went wrong with its files
 */
public record Statistics(
        long hits,
        long misses,
        long coalesced,
        long refreshes,
        long stale,
        long servedWhileAway,
        long oldestStaleMs,
        long away,
        long requests,
        long retries,
        long throttles,
        long errors,
        double readUnits,
        double writeUnits,
        long skippedRows,
        long droppedEvents,
        long cachedItems,
        long cachedLists,
        long cachedBytes,
        long uncached,
        long unwritten,
        long hostHits,
        long hostTrouble) {
    static Statistics of(String json) {
        Map<?, ?> counts = (Map<?, ?>) Json.read(json);
        return new Statistics(
                count(counts, "hits").longValue(),
                count(counts, "misses").longValue(),
                count(counts, "coalesced").longValue(),
                count(counts, "refreshes").longValue(),
                count(counts, "stale").longValue(),
                count(counts, "served_while_away").longValue(),
                count(counts, "oldest_stale_ms").longValue(),
                count(counts, "away").longValue(),
                count(counts, "requests").longValue(),
                count(counts, "retries").longValue(),
                count(counts, "throttles").longValue(),
                count(counts, "errors").longValue(),
                count(counts, "read_units").doubleValue(),
                count(counts, "write_units").doubleValue(),
                count(counts, "skipped_rows").longValue(),
                count(counts, "dropped_events").longValue(),
                count(counts, "cached_items").longValue(),
                count(counts, "cached_lists").longValue(),
                count(counts, "cached_bytes").longValue(),
                count(counts, "uncached").longValue(),
                count(counts, "unwritten").longValue(),
                count(counts, "host_hits").longValue(),
                count(counts, "host_trouble").longValue());
    }

    /** Zero for what an older library does not count. */
    private static Number count(Map<?, ?> counts, String name) {
        return counts.get(name) instanceof Number number ? number : 0L;
    }
}
