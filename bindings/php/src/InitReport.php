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
     */
    public function __construct(
        public readonly int $written,
        public readonly int $unchanged,
        public readonly int $deleted,
        public readonly int $keptNewer,
        public readonly array $tooLarge,
    ) {
    }
}
