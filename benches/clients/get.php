<?php

/**
 * Gets through the PHP binding, by the extension or by FFI, and the least that a cached one can cost by each:
 *
 *     get.php flagstore URL CACHE_TTL_MS
 *     get.php floor extension BYTES
 *     get.php floor FFI BYTES
 *
 * The protocol is that of c/blocks.h, without the time of the processor.
 */

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    require __DIR__ . '/../../bindings/php/src/' . substr($class, strlen('Flagstore\\')) . '.php';
});

[, $what, $first, $second] = $argv;
$calls = $what === 'flagstore' ? flagstore($first, (int) $second) : floor_of($first, (int) $second);
echo "ready\n";
while (($line = fgets(STDIN)) !== false) {
    $count = (int) $line;
    $started = hrtime(true);
    $calls($count);
    printf("{\"calls\":%d,\"wall\":%.9f}\n", $count, (hrtime(true) - $started) / 1e9);
}

function flagstore(string $url, int $ttl): Closure
{
    $store = Flagstore\Store::open([
        'table' => 'flags', 'endpoint' => $url, 'region' => 'us-east-1', 'access_key_id' => 'bench',
        'secret_access_key' => 'bench', 'cache_ttl_ms' => $ttl,
    ]);
    return static function (int $count) use ($store): void {
        for ($made = 0; $made < $count; $made++) {
            $store->get('features', 'flag-000000');
        }
    };
}

/**
 * Into compiled code and back, with a copy of the payload: for an extension that is the emptiest method of it and any function of
 * PHP's own that copies.
 */
function floor_of(string $transport, int $bytes): Closure
{
    if ($transport === 'extension') {
        $payload = str_repeat('x', $bytes + 1);
        return static function (int $count) use ($payload, $bytes): void {
            for ($made = 0; $made < $count; $made++) {
                Flagstore\Native::libraryVersion();
                $copy = substr($payload, 0, $bytes);
            }
        };
    }
    $library = FFI::cdef('uint32_t store_abi_version(void);', getenv('FLAGSTORE_LIBRARY'));
    $payload = FFI::new("char[{$bytes}]", false);
    return static function (int $count) use ($library, $payload, $bytes): void {
        for ($made = 0; $made < $count; $made++) {
            $library->store_abi_version();
            $copy = FFI::string($payload, $bytes);
        }
    };
}
