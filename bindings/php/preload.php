<?php

/**
 * For the setting opcache.preload, or to be required by the application's own preload script: compiles this package once,
 * which also is what lets it use FFI with ffi.enable=preload, and loads libflagstore for all requests.
 */

declare(strict_types=1);

namespace Flagstore;

foreach (
    [
        'ExceptionInterface', 'LibraryException', 'StoreException', 'UsageException', 'ConfigurationException', 'OptionException',
        'UnavailableException', 'Event', 'Finding', 'Report', 'Reason', 'InitReport', 'Item', 'Outcome', 'TooLarge', 'Transport', 'UpsertResult',
        'Platform', 'Library', 'Places', 'Ffi', 'StoreInterface', 'Store',
    ] as $class
) {
    require_once __DIR__ . "/src/{$class}.php";
}

if (extension_loaded('ffi') && !extension_loaded('flagstore')) {
    Library::preload();
}
