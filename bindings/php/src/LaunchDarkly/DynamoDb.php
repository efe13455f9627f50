<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use Flagstore\Report;

/**
 * Stands in for LaunchDarkly\Integrations\DynamoDb, with the same options:
 *
 *     $config = ['feature_requester' => DynamoDb::featureRequester(['dynamodb_table' => 'flags'])];
 *     $client = new LaunchDarkly\LDClient('sdk-key', $config);
 *
 * Same table, same rows, without the AWS SDK for PHP.
 *
 * @phpstan-import-type StoreOptions from \Flagstore\StoreInterface
 * @phpstan-type AwsOptions array{
 *     region?: string, endpoint?: string, profile?: string, version?: string,
 *     credentials?: array{key: string, secret: string, token?: string|null}|object,
 *     use_fips_endpoint?: bool, use_dual_stack_endpoint?: bool, suppress_php_deprecation_warning?: bool,
 *     retries?: int|array{mode?: string, max_attempts?: int},
 *     http?: array{connect_timeout?: int|float, timeout?: int|float, verify?: bool|string, proxy?: string},
 * }
 * @phpstan-type IntegrationOptions array{
 *     dynamodb_table?: string, dynamodb_prefix?: string|null, dynamodb_options?: AwsOptions,
 *     flagstore_options?: StoreOptions, flagstore_transport?: \Flagstore\Transport|null,
 *     apc_expiration?: int, cache?: \Psr\Cache\CacheItemPoolInterface|null, cache_ttl?: int|null,
 *     logger?: \Psr\Log\LoggerInterface|null,
 * }
 */
final class DynamoDb
{
    /**
     * A factory for the SDK's option "feature_requester".
     *
     * @param IntegrationOptions $options win over those of the same name in the client's configuration:
     *   - dynamodb_table (required): name or ARN of an existing table
     *   - dynamodb_prefix: put before every namespace; null or empty for none
     *   - dynamodb_options: those of the AWS SDK's DynamoDbClient that can cross; any other is refused by name
     *   - apc_expiration, or cache and cache_ttl: the SDK's own caching, by APCu or a PSR-6 pool
     *   - flagstore_options: options of Flagstore\Store, which win over dynamodb_options, such as "cache_ttl_ms" for the
     *     library's cache, which outlives requests
     *   - flagstore_transport: a Flagstore\Transport
     * @return \Closure (string $baseUri, string $sdkKey, array $baseOptions): FeatureRequester; it throws
     *     InvalidOptionException where an option cannot be right
     */
    public static function featureRequester(#[\SensitiveParameter] array $options = []): \Closure
    {
        $given = new Given($options);
        return static fn (
            string $baseUri,
            #[\SensitiveParameter] string $sdkKey,
            #[\SensitiveParameter] array $baseOptions
        ): FeatureRequester => new FeatureRequester($baseUri, $sdkKey, $given->over($baseOptions));
    }

    /**
     * A store for LaunchDarkly\Types\BigSegmentsConfig.
     *
     * @param IntegrationOptions $options as for featureRequester(); the SDK has a cache of its own for big segments. In
     *     addition "logger", a PSR-3 logger.
     * @throws InvalidOptionException an option cannot be right
     */
    public static function bigSegmentsStore(#[\SensitiveParameter] array $options): BigSegmentsStore
    {
        return new BigSegmentsStore(Options::of($options));
    }

    /**
     * Says what is wrong between this process and its flags, and what to do about it, as Store::doctor() does.
     *
     * @param IntegrationOptions $options as for featureRequester(); caches and the logger are not looked at
     * @throws InvalidOptionException an option cannot be right
     * @throws \Flagstore\UnavailableException not even that could be found out in time
     */
    public static function doctor(#[\SensitiveParameter] array $options): Report
    {
        return Options::of($options)->doctor();
    }
}
