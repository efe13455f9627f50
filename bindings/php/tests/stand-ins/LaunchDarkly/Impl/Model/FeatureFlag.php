<?php

namespace LaunchDarkly\Impl\Model;

class FeatureFlag
{
    private function __construct(private string $key, private int $version, private array $variations)
    {
    }

    // Like the SDK's, it takes no array without the whole schema.
    public static function decode(array $flag): FeatureFlag
    {
        return new self($flag['key'], $flag['version'], $flag['variations']);
    }

    public function getKey(): string
    {
        return $this->key;
    }

    public function getVersion(): int
    {
        return $this->version;
    }

    public function getVariations(): array
    {
        return $this->variations;
    }
}
