<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * An argument or a data set cannot be right, or the store is closed. Nothing was sent.
 */
final class UsageException extends StoreException
{
    /** @internal */
    public const CODES = [-2, -3, -4, -5, -11, -12, -13, -14, -15, -16, -17, -44];
}
