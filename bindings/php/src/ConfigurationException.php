<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * The options, the table, the credentials, the region or the clock must change before a call can succeed.
 */
class ConfigurationException extends StoreException
{
    /** @internal */
    public const CODES = [-30, -31, -32, -33, -34, -35, -36, -37];
}
