<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * What Store::doctor() found between this process and its flags.
 */
final class Report
{
    /**
     * @param int $problems how many findings have the level "problem": 0 where flags arrive
     * @param int $warnings how many have the level "warning"
     * @param list<Finding> $findings
     */
    public function __construct(
        public readonly int $problems,
        public readonly int $warnings,
        public readonly array $findings,
    ) {
    }
}
