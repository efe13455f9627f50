<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use Flagstore\Store;
use Flagstore\StoreException;
use LaunchDarkly\Subsystems;
use LaunchDarkly\Types\BigSegmentsStoreMetadata;

/**
 * What the SDK asks for big segments. Made by DynamoDb::bigSegmentsStore(). Failures are StoreException, which the SDK logs
 * and turns into the status of the store.
 */
final class BigSegmentsStore implements Subsystems\BigSegmentsStore
{
    private readonly Store $store;

    /**
     * @internal
     */
    public function __construct(private readonly Options $options)
    {
        $this->store = $options->open($options->others['logger'] ?? null);
    }

    public function __debugInfo(): array
    {
        return ['store' => (string) $this->options];
    }

    /**
     * @throws StoreException
     */
    public function getMetadata(): BigSegmentsStoreMetadata
    {
        $milliseconds = $this->store->bigSegmentsMetadata();
        // The SDK compares it with time(), which counts seconds.
        return new BigSegmentsStoreMetadata($milliseconds === null ? null : intdiv($milliseconds, 1000));
    }

    /**
     * @return array<string, bool>
     * @throws StoreException
     */
    public function getMembership(string $contextHash): ?array
    {
        return $this->store->bigSegmentsMembership($contextHash) ?? [];
    }
}
