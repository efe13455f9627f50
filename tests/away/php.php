<?php

// The load of one process, which has one thread: LaunchDarkly's PHP SDK evaluates flags, where FLAGSTORE_SDK names a folder
// whose vendor/autoload.php loads it. Else the adapter for it brings flags, with stand-ins for the few classes that it touches,
// and what it brings is noted as the evaluation that the SDK would make of it. Argument and notes as in python.py; "first" is
// the number of the notes.

declare(strict_types=1);

use Flagstore\LaunchDarkly\DynamoDb;
use LaunchDarkly\LDClient;
use LaunchDarkly\LDContext;

require __DIR__ . '/../../bindings/php/tests/bootstrap.php';

const PAUSE_US = 5_000;

$load = json_decode($argv[1], true);
$options = $load['options'];
$place = ['dynamodb_table' => $options['table'], 'dynamodb_prefix' => $options['prefix']];
unset($options['table'], $options['prefix']);
$factory = DynamoDb::featureRequester($place + ['flagstore_options' => $options]);
$logger = new Psr\Log\NullLogger();
if (getenv('FLAGSTORE_SDK')) {
    $client = new LDClient('sdk-key', ['feature_requester' => $factory, 'send_events' => false, 'logger' => $logger]);
    $context = LDContext::create('somebody');
    $evaluate = fn(string $key): string => $client->variation($key, $context, 'DEFAULT');
} else {
    $requester = $factory('', 'sdk-key', ['logger' => $logger]);
    $evaluate = fn(string $key): string => $requester->getFeature($key)?->getVariations()[0] ?? 'DEFAULT';
}
$notes = fopen("{$load['notes']}/{$load['first']}.txt", 'w');
stream_set_blocking(STDIN, false);
while (!feof(STDIN)) {
    fread(STDIN, 1);
    $begun = hrtime(true);
    try {
        $value = $evaluate('flag' . random_int(0, $load['flags'] - 1));
    } catch (Throwable) {
        $value = 'DEFAULT';
    }
    $took = intdiv(hrtime(true) - $begun, 1000);
    fprintf($notes, "%d %d %s\n", (int) (microtime(true) * 1000), $took, $value);
    usleep(PAUSE_US);
}
