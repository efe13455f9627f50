<?php

namespace LaunchDarkly\Subsystems;

use LaunchDarkly\Impl\Model\FeatureFlag;
use LaunchDarkly\Impl\Model\Segment;

interface FeatureRequester
{
    public function getFeature(string $key): ?FeatureFlag;

    public function getSegment(string $key): ?Segment;

    public function getAllFeatures(): ?array;
}
