<?php

/**
 * What PHP-FPM's workers run: one request of FpmTest. Answers with JSON.
 */

declare(strict_types=1);

use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\Library;
use Flagstore\Store;
use Flagstore\StoreException;
use Flagstore\Transport;

require __DIR__ . '/../bootstrap.php';

$request = json_decode($_SERVER['FLAGSTORE_REQUEST'], true);
$options = $request['options'];
$answer = ['pid' => getmypid(), 'transport' => Store::transport()->value];
try {
    if ($request['do'] === 'exhaust') {
        $store = Store::open($options);
        ini_set('memory_limit', '3M');
        $store->all('features');
    } else {
        $requester = DynamoDb::featureRequester([
            'dynamodb_table' => $options['table'], 'dynamodb_prefix' => $options['prefix'], 'flagstore_options' => $options,
        ])('', 'sdk-key', []);
        foreach ($request['flags'] as $key) {
            $answer['versions'][$key] = $requester->getFeature($key)?->getVersion();
        }
        $answer['missing'] = $requester->getFeature('missing');
        if (Store::transport() === Transport::Ffi) {
            $answer['preloaded'] = (new ReflectionMethod(Library::class, 'preloaded'))->invoke(null) !== null;
        }
    }
} catch (StoreException $error) {
    $answer['error'] = $error->codeName;
}
echo json_encode($answer, JSON_THROW_ON_ERROR);
