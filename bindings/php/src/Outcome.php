<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * What came of an upsert.
 */
enum Outcome: int
{
    /** The table holds the new item. */
    case Written = 0;
    /** The table held this version or a newer one, which stays. */
    case NewerExists = 2;
    /** The item is over DynamoDB's 400 KB; the older row, if any, stays. */
    case TooLarge = 3;
}
