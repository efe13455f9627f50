<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * What came of an upsert, and the item that stood in its way.
 */
final class UpsertResult
{
    /** Whether the table holds the new item. */
    public readonly bool $written;

    /**
     * @param Item|null $stored with Outcome::NewerExists the item in the table, else null
     */
    public function __construct(public readonly Outcome $outcome, public readonly ?Item $stored = null)
    {
        $this->written = $outcome === Outcome::Written;
    }
}
