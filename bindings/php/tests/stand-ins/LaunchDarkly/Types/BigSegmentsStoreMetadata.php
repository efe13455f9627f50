<?php

namespace LaunchDarkly\Types;

class BigSegmentsStoreMetadata
{
    public function __construct(private ?int $lastUpToDate)
    {
    }

    public function getLastUpToDate(): ?int
    {
        return $this->lastUpToDate;
    }

    public function isStale(int $staleAfter): bool
    {
        // In seconds, as the SDK counts.
        return $this->lastUpToDate === null || $this->lastUpToDate + $staleAfter <= time();
    }
}
