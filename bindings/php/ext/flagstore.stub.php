<?php

/** @generate-class-entries */

namespace Flagstore;

/**
 * One open handle of libflagstore, closed when the object is freed. Flagstore\Store is what applications use;
 * Flagstore\Ffi has the same methods.
 *
 * An item of a list, or one that stands in the way of another, is a list of version, payload (null if deleted), deleted, stale. Failures are Flagstore\StoreException where
 * that class can be loaded, else RuntimeException.
 *
 * @strict-properties
 * @not-serializable
 */
final class Native
{
    private function __construct() {}

    /** @param string $options a JSON object */
    public static function open(#[\SensitiveParameter] string $options): Native {}

    public static function libraryVersion(): string {}

    /** @return string the report, a JSON object */
    public static function doctor(#[\SensitiveParameter] string $options): string {}

    /** Does nothing the second time. */
    public function close(): void {}

    /** @return Item|null null if there is no such item */
    public function get(string $kind, string $key): ?Item {}

    /** @return array<array{int, ?string, bool, bool}> by key */
    public function all(string $kind): array {}

    /** @return array{int, array{int, ?string, bool, bool}|null} the outcome, and the stored item that is newer */
    public function upsert(string $kind, string $key, int $version, bool $deleted, #[\SensitiveParameter] ?string $item): array {}

    /**
     * @param list<array{string, list<array{string, int, bool, ?string}>}> $collections kinds, each with its items as
     *     key, version, deleted, payload
     * @return string the report, a JSON object
     */
    public function init(#[\SensitiveParameter] array $collections): string {}

    /** @return string the report, a JSON object */
    public function initJson(#[\SensitiveParameter] string $json): string {}

    public function initialized(): bool {}

    /** Throws unless the table answers. */
    public function available(): void {}

    /** @return int|null Unix milliseconds; null if nothing ever wrote big segments */
    public function bigSegmentsMetadata(): ?int {}

    /** @return array<bool>|null by segment reference; null if no big segment names the context */
    public function bigSegmentsMembership(string $hash): ?array {}

    /** @return string a JSON object */
    public function statistics(): string {}

    public function clearCache(): void {}

    /** @return array{int, string}|null level and message; null if there is none */
    public function nextEvent(): ?array {}
}
