<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use Flagstore\Store;
use Flagstore\StoreException;
use Flagstore\Transport;

/**
 * The options of LaunchDarkly's DynamoDB integration, turned into a store.
 *
 * @internal
 */
final class Options
{
    /** Unknown, of another type, out of range, no table. */
    private const OPTION_CODES = [-7, -8, -9, -10];

    /** The options that decide which rows are read. */
    private const PLACE = [
        'table', 'prefix', 'endpoint', 'use_fips', 'use_dual_stack', 'region', 'profile', 'access_key_id', 'session_token',
    ];

    /**
     * @param array<string, mixed> $options
     * @throws \InvalidArgumentException an option is missing, unknown or wrong; the message names it
     */
    public static function open(#[\SensitiveParameter] array $options, ?object $logger): Store
    {
        $transport = $options['flagstore_transport'] ?? null;
        if ($transport !== null && !$transport instanceof Transport) {
            throw new \InvalidArgumentException('flagstore_transport takes a Flagstore\Transport');
        }
        try {
            return Store::open(self::translated($options), $logger, $transport);
        } catch (StoreException $error) {
            if (!in_array($error->getCode(), self::OPTION_CODES, true)) {
                throw $error;
            }
            throw new \InvalidArgumentException($error->getMessage(), $error->getCode(), $error);
        }
    }

    /**
     * What decides which rows are read, as a digest that gives nothing of it away. It tells apart what is cached.
     *
     * Where credentials or a region are not given, the environment decides, or the files of the home folder.
     */
    public static function place(#[\SensitiveParameter] array $options): string
    {
        $store = self::translated($options);
        $place = [];
        foreach (self::PLACE as $name) {
            $place[] = $store[$name] ?? null;
        }
        // Lambda's own say which of its instances this is.
        $decides = static fn (string $name): bool
            => $name === 'HOME' || str_starts_with($name, 'AWS_') && !str_starts_with($name, 'AWS_LAMBDA_');
        $environment = array_filter(getenv(), $decides, ARRAY_FILTER_USE_KEY);
        ksort($environment);
        return substr(hash('sha256', serialize([$place, $environment])), 0, 32);
    }

    private static function translated(#[\SensitiveParameter] array $options): array
    {
        $table = $options['dynamodb_table'] ?? null;
        if (!is_string($table) || $table === '') {
            throw new \InvalidArgumentException('dynamodb_table must be specified: the name or ARN of an existing table');
        }
        if (isset($options['dynamodb_client'])) {
            throw new \InvalidArgumentException(
                'dynamodb_client has no counterpart in flagstore, which does not use the AWS SDK for PHP: leave it out, and'
                . ' pass the region, endpoint and credentials that the client was made with in dynamodb_options'
            );
        }
        return [
            'table' => $table,
            'prefix' => $options['dynamodb_prefix'] ?? '',
            ...($options['flagstore_options'] ?? []) + AwsOptions::translated($options['dynamodb_options'] ?? []),
        ];
    }
}
