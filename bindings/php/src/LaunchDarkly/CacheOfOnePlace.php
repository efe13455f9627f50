<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use LaunchDarkly\Impl\Integrations\FeatureRequesterCache;

/**
 * Keeps apart what the SDK caches under the same keys for every table and prefix: APCu is one for all applications of a
 * PHP-FPM pool.
 *
 * @internal
 */
final class CacheOfOnePlace implements FeatureRequesterCache
{
    public function __construct(private readonly FeatureRequesterCache $cache, private readonly string $place)
    {
    }

    public function getCachedString(string $cacheKey): ?string
    {
        return $this->cache->getCachedString("{$cacheKey}:{$this->place}");
    }

    public function putCachedString(string $cacheKey, ?string $data): void
    {
        $this->cache->putCachedString("{$cacheKey}:{$this->place}", $data);
    }
}
