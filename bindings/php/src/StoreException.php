<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * A call that failed.
 *
 * The message says what was attempted, what happened and what to do. It never holds a credential or a payload. The code is
 * the number of the C ABI: negative, stable, never reused.
 */
final class StoreException extends \RuntimeException
{
    /**
     * @param string $codeName the name of the code, such as "STORE_ERROR_TIMEOUT"
     * @param bool $retriable whether the same call may succeed later without anyone changing anything
     */
    public function __construct(
        string $message,
        int $code,
        public readonly string $codeName,
        public readonly bool $retriable = false,
    ) {
        parent::__construct($message, $code);
    }
}
