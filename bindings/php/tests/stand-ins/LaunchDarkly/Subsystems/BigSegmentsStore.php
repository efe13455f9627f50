<?php

namespace LaunchDarkly\Subsystems;

use LaunchDarkly\Types\BigSegmentsStoreMetadata;

interface BigSegmentsStore
{
    public function getMetadata(): BigSegmentsStoreMetadata;

    public function getMembership(string $contextHash): ?array;
}
