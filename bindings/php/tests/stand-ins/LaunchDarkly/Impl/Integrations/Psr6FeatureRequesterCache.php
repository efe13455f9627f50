<?php

namespace LaunchDarkly\Impl\Integrations;

use Psr\Cache\CacheItemPoolInterface;

class Psr6FeatureRequesterCache implements FeatureRequesterCache
{
    public function __construct(private CacheItemPoolInterface $pool, private ?int $ttl = null)
    {
    }

    public function getCachedString(string $cacheKey): ?string
    {
        return $this->pool->getItem(bin2hex($cacheKey))->get();
    }

    public function putCachedString(string $cacheKey, ?string $data): void
    {
        $this->pool->save($this->pool->getItem(bin2hex($cacheKey))->set($data)->expiresAfter($this->ttl));
    }
}
