<?php

/**
 * A script that reads one flag and ends, as cron jobs and command lines do: fresh.php OPTIONS. Says how long that took after PHP
 * had started.
 */

declare(strict_types=1);

$started = hrtime(true);
spl_autoload_register(static function (string $class): void {
    require __DIR__ . '/../../bindings/php/src/' . substr($class, strlen('Flagstore\\')) . '.php';
});
$item = Flagstore\Store::open(json_decode($argv[1], true))->get('features', 'flag-000000')->item;
$flag = json_decode($item, true, flags: JSON_THROW_ON_ERROR);
if ($flag['key'] !== 'flag-000000') {
    throw new RuntimeException('this is another flag');
}
echo json_encode(['seconds' => (hrtime(true) - $started) / 1e9]), "\n";
