<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * Everything that this package throws, but for PHP's own TypeError and ValueError, where an argument is of another type.
 *
 * - StoreException: a call that failed
 *   - UsageException: an argument or a data set cannot be right, or the store is closed
 *   - ConfigurationException: the table, the credentials, the region or the clock must change first
 *     - OptionException: an option is unknown or wrong
 *   - UnavailableException: DynamoDB could not be asked, or not in time
 * - LibraryException: libflagstore cannot be reached
 * - LaunchDarkly\InvalidOptionException, an InvalidArgumentException: what the SDK's integration was given
 */
interface ExceptionInterface extends \Throwable
{
}
