<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * A flag, segment or other item without its key.
 */
final class Item
{
    /**
     * @param int $version decides which of two writes wins: 0 or more
     * @param string|null $item the payload, exactly as it was stored; null for a deleted item
     * @param bool $deleted whether the item was deleted
     * @param bool $stale whether it is an older value, out of a cache or of what the store was told, since DynamoDB could
     *     not be asked
     */
    public function __construct(
        public readonly int $version,
        public readonly ?string $item = null,
        public readonly bool $deleted = false,
        public readonly bool $stale = false,
    ) {
    }
}
