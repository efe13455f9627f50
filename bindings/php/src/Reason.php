<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * How many rows something happened to for one reason, and the first of them.
 */
final class Reason
{
    /**
     * @param list<array{kind: string, key: string}> $keys kind and key of the first ten
     */
    public function __construct(
        public readonly int $count,
        public readonly array $keys,
    ) {
    }
}
