<?php

namespace LaunchDarkly\Impl\Integrations;

class ApcuFeatureRequesterCache implements FeatureRequesterCache
{
    public function __construct(private int $seconds)
    {
    }

    public function getCachedString(string $cacheKey): ?string
    {
        return apcu_fetch($cacheKey) ?: null;
    }

    public function putCachedString(string $cacheKey, ?string $data): void
    {
        apcu_store($cacheKey, $data, $this->seconds);
    }
}
