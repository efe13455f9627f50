<?php

namespace LaunchDarkly\Impl\Integrations;

interface FeatureRequesterCache
{
    public function getCachedString(string $cacheKey): ?string;

    public function putCachedString(string $cacheKey, ?string $data): void;
}
