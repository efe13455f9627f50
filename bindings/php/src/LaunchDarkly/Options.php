<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use Flagstore\OptionException;
use Flagstore\Report;
use Flagstore\Store;
use Flagstore\Transport;

/**
 * The options of LaunchDarkly's DynamoDB integration, checked and turned into those of a store. What may be a credential does
 * not show where something that holds them is dumped.
 *
 * @internal
 */
final class Options
{
    private const OWN = [
        'dynamodb_table', 'dynamodb_prefix', 'dynamodb_options', 'dynamodb_client', 'flagstore_options', 'flagstore_transport',
    ];

    /** The options that decide which rows are read. */
    private const PLACE = [
        'table', 'prefix', 'endpoint', 'use_fips', 'use_dual_stack', 'region', 'profile', 'access_key_id', 'session_token',
    ];

    /**
     * @param array<string, mixed> $store options of Flagstore\Store
     * @param array<string, mixed> $others what is left, for the SDK
     */
    private function __construct(
        #[\SensitiveParameter] private readonly array $store,
        private readonly ?Transport $transport,
        #[\SensitiveParameter] public readonly array $others,
    ) {
    }

    /**
     * @param array<string, mixed> $given
     * @throws InvalidOptionException an option is missing, unknown or wrong; the message names it
     */
    public static function of(#[\SensitiveParameter] array $given): self
    {
        foreach ($given as $name => $value) {
            if ($value !== null && preg_match('/^(dynamo|flagstore)/', (string) $name) && !in_array($name, self::OWN, true)) {
                throw new InvalidOptionException("there is no option \"{$name}\": there are " . implode(', ', self::OWN));
            }
        }
        $transport = $given['flagstore_transport'] ?? null;
        if ($transport !== null && !$transport instanceof Transport) {
            throw new InvalidOptionException('flagstore_transport takes a Flagstore\Transport');
        }
        return new self(self::translated($given), $transport, array_diff_key($given, array_flip(self::OWN)));
    }

    /**
     * Opens the store, and says which one it is.
     *
     * @throws InvalidOptionException an option of the store is unknown or wrong; the message names it
     */
    public function open(?object $logger): Store
    {
        $store = self::refusing(fn (): Store => Store::open($this->store, $logger, $this->transport));
        try {
            // Each request says it anew, hence not louder.
            $logger?->debug("flagstore: using {$this}; {$store->library()}");
        } catch (\Throwable) {
            // What a logger makes of it is its own.
        }
        return $store;
    }

    /**
     * What is wrong with what is there for them.
     *
     * @throws InvalidOptionException as for open()
     */
    public function doctor(): Report
    {
        return self::refusing(fn (): Report => Store::doctor($this->store, $this->transport));
    }

    /**
     * What decides which rows are read, as a digest that gives nothing of it away. It tells apart what is cached.
     *
     * Where credentials or a region are not given, the environment decides, or the files of the home folder.
     */
    public function place(): string
    {
        $place = array_map(fn (string $name): mixed => $this->store[$name] ?? null, self::PLACE);
        // Lambda's own say which of its instances this is.
        $decides = static fn (string $name): bool
            => $name === 'HOME' || str_starts_with($name, 'AWS_') && !str_starts_with($name, 'AWS_LAMBDA_');
        $environment = array_filter(getenv(), $decides, ARRAY_FILTER_USE_KEY);
        ksort($environment);
        return substr(hash('sha256', serialize([$place, $environment])), 0, 32);
    }

    /**
     * Which flags these are.
     */
    public function __toString(): string
    {
        $prefix = $this->store['prefix'] === '' ? 'no prefix' : "prefix \"{$this->store['prefix']}\"";
        // Without a name and password in it.
        $endpoint = preg_replace('#//[^/]*@#', '//', (string) ($this->store['endpoint'] ?? ''));
        $endpoint = $endpoint === '' ? "AWS's endpoint" : "endpoint {$endpoint}";
        $region = isset($this->store['region']) ? "region {$this->store['region']}" : 'the region of the environment';
        return "table \"{$this->store['table']}\", {$prefix}, {$endpoint}, {$region}";
    }

    public function __debugInfo(): array
    {
        return ['options' => (string) $this];
    }

    /**
     * What a store makes of the options, refused in the adapter's words.
     *
     * @template T
     * @param \Closure(): T $asks
     * @return T
     */
    private static function refusing(\Closure $asks): mixed
    {
        try {
            return $asks();
        } catch (OptionException $error) {
            throw new InvalidOptionException($error->getMessage(), $error->getCode(), $error);
        }
    }

    private static function translated(#[\SensitiveParameter] array $given): array
    {
        $table = $given['dynamodb_table'] ?? null;
        if (!is_string($table) || $table === '') {
            throw new InvalidOptionException('dynamodb_table must be specified: the name or ARN of an existing table');
        }
        if (isset($given['dynamodb_client'])) {
            throw new InvalidOptionException(
                'dynamodb_client has no counterpart in flagstore, which does not use the AWS SDK for PHP: leave it out, and'
                . ' pass the region, endpoint and credentials that the client was made with in dynamodb_options'
            );
        }
        return [
            'table' => $table,
            'prefix' => $given['dynamodb_prefix'] ?? '',
            ...($given['flagstore_options'] ?? []) + AwsOptions::translated($given['dynamodb_options'] ?? []),
        ];
    }
}
