<?php

// The load of one process, which has one thread: the adapter for the LaunchDarkly PHP SDK brings flags, and what it brings is
// noted as the evaluation that the SDK would make of it. Argument and notes as in python.py; "first" is the number of the
// notes. Where the SDK cannot be had, its few classes that the adapter touches are stand-ins.

declare(strict_types=1);

use Flagstore\LaunchDarkly\DynamoDb;

require __DIR__ . '/../../bindings/php/tests/bootstrap.php';

const PAUSE_US = 5_000;

$load = json_decode($argv[1], true);
$options = $load['options'];
$place = ['dynamodb_table' => $options['table'], 'dynamodb_prefix' => $options['prefix']];
unset($options['table'], $options['prefix']);
$factory = DynamoDb::featureRequester($place + ['flagstore_options' => $options]);
$requester = $factory('', 'sdk-key', ['logger' => new Psr\Log\NullLogger()]);
$notes = fopen("{$load['notes']}/{$load['first']}.txt", 'w');
stream_set_blocking(STDIN, false);
while (!feof(STDIN)) {
    fread(STDIN, 1);
    $begun = hrtime(true);
    try {
        $flag = $requester->getFeature('flag' . random_int(0, $load['flags'] - 1));
        $value = $flag === null ? 'DEFAULT' : $flag->getVariations()[0];
    } catch (Throwable) {
        $value = 'DEFAULT';
    }
    $took = intdiv(hrtime(true) - $begun, 1000);
    fprintf($notes, "%d %d %s\n", (int) (microtime(true) * 1000), $took, $value);
    usleep(PAUSE_US);
}
