<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * Something that a store reports besides the results of calls.
 */
final class Event
{
    /**
     * @param string $level a level of PSR-3: "error", "warning", "info" or "debug"
     */
    public function __construct(public readonly string $level, public readonly string $message)
    {
    }
}
