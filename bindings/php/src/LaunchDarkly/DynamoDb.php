<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

/**
 * Stands in for LaunchDarkly\Integrations\DynamoDb, with the same options:
 *
 *     $config = ['feature_requester' => DynamoDb::featureRequester(['dynamodb_table' => 'flags'])];
 *     $client = new LaunchDarkly\LDClient('sdk-key', $config);
 *
 * Same table, same rows, without the AWS SDK for PHP.
 */
final class DynamoDb
{
    /**
     * A factory for the SDK's option "feature_requester".
     *
     * @param array<string, mixed> $options win over those of the same name in the client's configuration:
     *   - dynamodb_table (required): name or ARN of an existing table
     *   - dynamodb_prefix: put before every namespace; null or empty for none
     *   - dynamodb_options: those of the AWS SDK's DynamoDbClient that can cross; any other is refused by name
     *   - apc_expiration, or cache and cache_ttl: the SDK's own caching, by APCu or a PSR-6 pool
     *   - flagstore_options: options of Flagstore\Store, which win over dynamodb_options, such as "cache_ttl_ms" for the
     *     library's cache, which outlives requests
     *   - flagstore_transport: a Flagstore\Transport
     * @return \Closure (string $baseUri, string $sdkKey, array $baseOptions): FeatureRequester; it throws
     *     InvalidArgumentException where an option cannot be right
     */
    public static function featureRequester(#[\SensitiveParameter] array $options = []): \Closure
    {
        return static fn (string $baseUri, string $sdkKey, array $baseOptions): FeatureRequester
            => new FeatureRequester($baseUri, $sdkKey, array_merge($baseOptions, $options));
    }

    /**
     * A store for LaunchDarkly\Types\BigSegmentsConfig.
     *
     * @param array<string, mixed> $options as for featureRequester(); the SDK has a cache of its own for big segments. In
     *     addition "logger", a PSR-3 logger.
     * @throws \InvalidArgumentException an option cannot be right
     */
    public static function bigSegmentsStore(#[\SensitiveParameter] array $options): BigSegmentsStore
    {
        return new BigSegmentsStore($options);
    }
}
