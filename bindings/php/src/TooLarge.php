<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * An item that an init left out because it is over DynamoDB's 400 KB.
 */
final class TooLarge
{
    public function __construct(
        public readonly string $kind,
        public readonly string $key,
        public readonly int $bytes,
    ) {
    }
}
