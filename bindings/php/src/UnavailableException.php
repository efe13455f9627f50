<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * DynamoDB could not be asked, or not in time: $retriable is true, and trying again later may help.
 */
final class UnavailableException extends StoreException
{
}
