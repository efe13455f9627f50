<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * libflagstore cannot be reached: neither transport is there, or the library is missing, unreadable or of another ABI. The
 * message says what was tried and what to do.
 */
final class LibraryException extends \RuntimeException implements ExceptionInterface
{
}
