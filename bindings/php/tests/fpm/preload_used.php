<?php

/**
 * A preload script that opens a store in PHP-FPM's master, and uses it there.
 */

declare(strict_types=1);

require __DIR__ . '/../../preload.php';

$store = Flagstore\Store::open(json_decode(getenv('FLAGSTORE_PRELOAD_OPTIONS'), true));
if ($store->get('features', 'flag-0') === null) {
    throw new RuntimeException('the master read nothing');
}
