<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * A call that failed.
 *
 * The message says what was attempted, what happened and what to do. It never holds a credential or a payload. The code is
 * the number of the C ABI: negative, stable, never reused.
 */
class StoreException extends \RuntimeException implements ExceptionInterface
{
    /**
     * @param string $codeName the name of the code, such as "STORE_ERROR_TIMEOUT"
     * @param bool $retriable whether the same call may succeed later without anyone changing anything
     */
    final public function __construct(
        string $message,
        int $code,
        public readonly string $codeName,
        public readonly bool $retriable = false,
    ) {
        parent::__construct($message, $code);
    }

    /**
     * The exception for an error of the library. A code that this version does not know is a plain StoreException, or an
     * UnavailableException if it is retriable.
     *
     * @internal
     */
    final public static function of(string $message, int $code, string $codeName, bool $retriable): self
    {
        foreach ([UsageException::class, OptionException::class, ConfigurationException::class] as $class) {
            if (in_array($code, $class::CODES, true)) {
                return new $class($message, $code, $codeName, $retriable);
            }
        }
        return $retriable
            ? new UnavailableException($message, $code, $codeName, true)
            : new StoreException($message, $code, $codeName, false);
    }
}
