<?php

// As smoke.py; through the extension where it is loaded.

declare(strict_types=1);

require getcwd() . '/vendor/autoload.php';

function expect(string $what, bool $holds): void
{
    if (!$holds) {
        fwrite(STDERR, "not so: $what\n");
        exit(1);
    }
}

const PAYLOAD = '{"key":"flag","version":%d,"salt":"ä漢"}';
[, $endpoint, $prefix] = $argv;
$store = Flagstore\Store::open([
    'table' => 'flags',
    'prefix' => $prefix,
    'endpoint' => $endpoint,
    'region' => 'eu-west-1',
    'access_key_id' => 'local',
    'secret_access_key' => 'local',
]);
expect('not initialized', !$store->initialized());
expect('one row', $store->initJson('{"flags":{"flag":' . sprintf(PAYLOAD, 1) . '}}')->written === 1);
expect('the first version', $store->get('features', 'flag')->item === sprintf(PAYLOAD, 1));
expect('written', $store->upsert('features', 'flag', 2, sprintf(PAYLOAD, 2))->outcome === Flagstore\Outcome::Written);
expect('the second version', $store->get('features', 'flag')->item === sprintf(PAYLOAD, 2));
expect('initialized', $store->initialized());
echo 'used ', $store->library(), "\n";
$store->close();
