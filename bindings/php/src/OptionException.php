<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * An option is unknown, of the wrong type or out of range; the message names it. Nothing was opened.
 */
final class OptionException extends ConfigurationException
{
    /** @internal */
    public const CODES = [-7, -8, -9, -10];
}
