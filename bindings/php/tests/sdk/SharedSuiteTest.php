<?php

declare(strict_types=1);

namespace Flagstore\Tests\Sdk;

use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\Tests\Endpoint;
use Flagstore\Tests\Http;
use LaunchDarkly\SharedTest\DatabaseFeatureRequesterTestBase;

/**
 * The SDK's own tests of database integrations.
 */
final class SharedSuiteTest extends DatabaseFeatureRequesterTestBase
{
    protected function clearExistingData(?string $prefix): void
    {
        $url = Endpoint::local()->url;
        foreach (Http::dynamoDb($url, 'Scan', ['TableName' => Endpoint::TABLE])['Items'] as $row) {
            $key = ['namespace' => $row['namespace'], 'key' => $row['key']];
            Http::dynamoDb($url, 'DeleteItem', ['TableName' => Endpoint::TABLE, 'Key' => $key]);
        }
    }

    protected function makeRequester(?string $prefix)
    {
        return DynamoDb::featureRequester()('', '', [
            'dynamodb_table' => Endpoint::TABLE,
            'dynamodb_options' => Endpoint::local()->awsOptions(),
            'dynamodb_prefix' => $prefix,
        ]);
    }

    protected function putSerializedItem(?string $prefix, string $namespace, string $key, int $version, string $json): void
    {
        $attributes = ['version' => ['N' => (string) $version], 'item' => ['S' => $json]];
        Endpoint::local()->put($prefix, $namespace, $key, $attributes);
    }
}
