<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use Flagstore\Item;
use Flagstore\Store;
use Flagstore\StoreException;
use LaunchDarkly\Impl\Integrations\FeatureRequesterBase;
use LaunchDarkly\Impl\Integrations\FeatureRequesterCache;
use LaunchDarkly\Impl\Model\FeatureFlag;

/**
 * What the SDK asks for flags and segments. Made by DynamoDb::featureRequester().
 *
 * Extends what all database integrations of the SDK extend, so that its caching is the same as theirs.
 *
 * @internal
 */
final class FeatureRequester extends FeatureRequesterBase
{
    private readonly Store $store;

    public function __construct(string $baseUri, string $sdkKey, #[\SensitiveParameter] array $options)
    {
        parent::__construct($baseUri, $sdkKey, $options);
        $this->store = Options::open($options, $this->_logger);
    }

    /**
     * All flags by key. A row that is no flag is logged and left out, and does not take the others with it.
     *
     * @return array<FeatureFlag>|null null if DynamoDB cannot be asked, which the SDK answers with an invalid state: an
     *     exception would go through to the application
     */
    public function getAllFeatures(): ?array
    {
        try {
            $decoded = $this->getJsonItemList(self::FEATURES_NAMESPACE);
        } catch (StoreException $error) {
            $this->_logger->error("flagstore: the flags cannot be read: {$error->getMessage()}");
            return null;
        }
        $flags = [];
        foreach ($decoded as $json) {
            if (is_array($json) && ($json['deleted'] ?? false) === true) {
                continue;
            }
            try {
                $flag = FeatureFlag::decode($json);
                $flags[$flag->getKey()] = $flag;
            } catch (\Throwable $error) {
                // Its text may quote the payload.
                $key = is_array($json) && is_string($json['key'] ?? null) ? "the flag \"{$json['key']}\"" : 'a flag';
                $this->_logger->error("flagstore: {$key} is left out: its payload is none (" . $error::class . ')');
            }
        }
        return $flags;
    }

    protected function readItemString(string $namespace, string $key): ?string
    {
        return self::payload($this->store->get($namespace, $key));
    }

    protected function readItemStringList(string $namespace): ?array
    {
        $payloads = array_map(self::payload(...), array_values($this->store->all($namespace)));
        return array_values(array_filter($payloads, static fn (?string $payload): bool => $payload !== null));
    }

    protected function createCache(#[\SensitiveParameter] array $options): ?FeatureRequesterCache
    {
        $cache = parent::createCache($options);
        return $cache === null ? null : new CacheOfOnePlace($cache, Options::place($options));
    }

    private static function payload(?Item $item): ?string
    {
        return $item?->item;
    }
}
