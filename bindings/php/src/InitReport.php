<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * What an init did, in rows.
 */
final class InitReport
{
    /**
     * @param int $keptNewer rows that stayed because they were newer than the data set
     * @param list<TooLarge> $tooLarge items that were left out
     * @param array<string, Reason> $replaced rows written over what a version alone would have kept, by reason
     * @param array<string, Reason> $kept rows that the data set would not have, by reason
     * @param array<string, Reason> $leftOut items that were not taken, by reason; the reasons' names are those of flagstore.h
     */
    public function __construct(
        public readonly int $written,
        public readonly int $unchanged,
        public readonly int $deleted,
        public readonly int $keptNewer,
        public readonly array $tooLarge,
        public readonly array $replaced = [],
        public readonly array $kept = [],
        public readonly array $leftOut = [],
    ) {
    }
}
