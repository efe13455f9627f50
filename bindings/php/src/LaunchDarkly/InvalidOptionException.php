<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use Flagstore\ExceptionInterface;

/**
 * An option of the integration is missing, unknown or wrong; the message names it and says what to do.
 *
 * An InvalidArgumentException, as the SDK's own integration throws.
 */
final class InvalidOptionException extends \InvalidArgumentException implements ExceptionInterface
{
}
