<?php

namespace LaunchDarkly\Impl\Model;

class Segment
{
    private function __construct(private int $version)
    {
    }

    public static function decode(array $segment): Segment
    {
        return new self($segment['version']);
    }

    public function getVersion(): ?int
    {
        return $this->version;
    }
}
