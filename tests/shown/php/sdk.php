<?php

/**
 * The SDK's settings with a requester of this library in them. What stands in for the SDK has no client.
 */

namespace LaunchDarkly {
    final class LDClient
    {
        public function __construct(public string $sdkKey, public array $given)
        {
        }
    }
}

namespace LaunchDarkly\Types {
    final class BigSegmentsConfig
    {
        public function __construct(public object $store)
        {
        }
    }
}

namespace {
    // IMPORTS

    $oneLine = static function (): void {
        // SHOWN(README.md, 1)
        assert($requester('', 'sdk-key', [])->getFeature('my-flag') === null);
    };

    $itsOwnReadme = static function (): void {
        // SHOWN(bindings/php/README.md, 1)
        assert($client->given['feature_requester']('', 'sdk-key', [])->getFeature('my-flag') === null);
    };

    $withBigSegments = static function (): void {
        // SHOWN(bindings/php/README.md, 2)
        assert($client->given['feature_requester']('', 'sdk-key', [])->getFeature('my-flag') === null);
        assert(!$client->given['big_segments']->store->getMembership('nobody'));
    };

    $hostCache = static function (): void {
        $settings = ['dynamodb_table' => 'my-table'] + [
            // SHOWN(bindings/php/README.md, 3)
        ];
        assert(DynamoDb::featureRequester($settings)('', 'sdk-key', [])->getFeature('my-flag') === null);
    };

    $oneLine();
    $itsOwnReadme();
    $withBigSegments();
    $hostCache();
}
