<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * One table, or one prefix of it: what an application asks for, so that its tests can give it something else than a Store.
 *
 * Every call that has to ask DynamoDB blocks, and ends at the deadline that the options set for it. Failures are
 * StoreException.
 *
 * @phpstan-type StoreOptions array{
 *     table?: string, prefix?: string|null, region?: string|null, endpoint?: string|null, profile?: string|null,
 *     access_key_id?: string|null, secret_access_key?: string|null, session_token?: string|null,
 *     ca_bundle?: string|null, extra_ca_bundle?: string|null, proxy?: string|null,
 *     use_fips?: bool|null, use_dual_stack?: bool|null, consistent_reads?: bool|null,
 *     connect_timeout_ms?: int|null, attempt_timeout_ms?: int|null, timeout_ms?: int|null, all_timeout_ms?: int|null,
 *     init_timeout_ms?: int|null, max_connections?: int|null, write_concurrency?: int|null,
 *     init_overwrites_newer?: bool|null, compress_large?: bool|null, cache_ttl_ms?: int|null, cache_max_bytes?: int|null,
 *     cache_refresh_ahead?: bool|null, cache_stale_ms?: int|null, soft_wait_ms?: int|null, keep_told?: bool|null,
 *     cache_dir?: string|null, cache_dir_max_bytes?: int|null, shared?: bool|null, persistent?: bool|null,
 *     log_level?: 'off'|'error'|'warn'|'info'|'debug'|null,
 * }
 */
interface StoreInterface
{
    /**
     * Reads an item, deleted ones included: look at $deleted. Null if there is no row, or one that cannot be read, which an
     * event reports. Blocks for at most "timeout_ms", unless it is cached.
     *
     * @param string $kind such as "features" or "segments", without prefix
     * @throws StoreException
     */
    public function get(string $kind, string $key): ?Item;

    /**
     * Reads all items of a kind, deleted ones included. A row that cannot be read is left out, and an event reports it.
     * Blocks for at most "all_timeout_ms", unless it is cached.
     *
     * @return array<Item> by key; PHP turns keys that are whole numbers into integers
     * @throws StoreException
     */
    public function all(string $kind): array;

    /**
     * Writes one item if there is no row for it, or one with a smaller version, in one request. Blocks for at most
     * "timeout_ms". After a timeout or a broken connection the item may have been written or not; calling again is safe.
     *
     * @param string|null $item the payload; for a deletion it may be null
     * @throws StoreException
     */
    public function upsert(
        string $kind,
        string $key,
        int $version,
        #[\SensitiveParameter] ?string $item,
        bool $deleted = false,
    ): UpsertResult;

    /**
     * Marks an item as deleted by an upsert of a tombstone that every SDK reads.
     *
     * @throws StoreException
     */
    public function delete(string $kind, string $key, int $version): UpsertResult;

    /**
     * Replaces all items of the given kinds, then marks the store as initialised.
     *
     * Writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these kinds that are
     * not given; leaves alone what another writer gave a newer version. Success means that everything is stored; after a
     * failure, calling again goes on where it stopped. Blocks for at most "init_timeout_ms".
     *
     * @param array<array<Item>> $collections items by kind and key
     * @throws StoreException
     */
    public function init(#[\SensitiveParameter] array $collections): InitReport;

    /**
     * init() with JSON as a LaunchDarkly SDK has it: {"flags": {key: item}, "segments": {key: item}}, also inside the
     * {"path": "/", "data": …} of a stream. Each item's text is stored byte for byte; its version is its member "version", and
     * "deleted": true makes it a deletion.
     *
     * @throws StoreException
     */
    public function initJson(#[\SensitiveParameter] string $json): InitReport;

    /**
     * Whether a full data set was ever stored under this prefix. Once true it is answered without I/O, else it blocks for at
     * most "timeout_ms".
     *
     * @throws StoreException
     */
    public function initialized(): bool;

    /**
     * Whether the table answers, by one small read that is never cached. Blocks for at most "timeout_ms". Why it does not is
     * logged at debug level, and any other call tells.
     *
     * @throws StoreException only if the store is closed
     */
    public function available(): bool;

    /**
     * When big segments were last brought up to date, in Unix milliseconds; null if they never were. Blocks for at most
     * "timeout_ms".
     *
     * @throws StoreException
     */
    public function bigSegmentsMetadata(): ?int;

    /**
     * The big segments that name one context, by segment reference ("key.g<generation>"): true where it is included, false
     * where it is excluded. Null if there are none. Blocks for at most "timeout_ms".
     *
     * @param string $contextHash base64 of the SHA-256 of the context's key
     * @return array<string, bool>|null
     * @throws StoreException
     */
    public function bigSegmentsMembership(string $contextHash): ?array;

    /**
     * What the store did since it was opened in this process. Does not block.
     *
     * - Of the cache: "hits", "misses", "coalesced", "stale", "refreshes", and "uncached", answers too large to be kept.
     * - Of DynamoDB: "requests", "retries", "throttles", "errors", and "read_units" and "write_units" consumed.
     * - Of outages: "served_while_away" (of "stale", those that did not wait), "oldest_stale_ms" (the age of the oldest),
     *   "unwritten" (items that are to be written again), and "away", 1 while DynamoDB does not answer, else 0.
     * - Of the host's cache directory: "host_hits", and "host_trouble", what went wrong with its files.
     * - Of rows and events: "skipped_rows", "dropped_events".
     * - What the cache holds now: "cached_items", "cached_lists", "cached_bytes".
     *
     * @return array<string, int|float>
     * @throws StoreException the store is closed
     */
    public function statistics(): array;

    /**
     * Forgets everything that is cached; the next reads ask DynamoDB. Does not block.
     *
     * @throws StoreException the store is closed
     */
    public function clearCache(): void;

    /**
     * Takes the events that were not taken yet, oldest first. Does not block. With a logger, calls have taken them already.
     * All stores with equal options share theirs.
     *
     * @return list<Event>
     * @throws StoreException the store is closed
     */
    public function events(): array;

    /**
     * Closes the store; later calls throw. Calling it again does nothing. Does not block. In a forked child it leaves the
     * parent's store as it is. A store that is forgotten is closed too.
     */
    public function close(): void;
}
