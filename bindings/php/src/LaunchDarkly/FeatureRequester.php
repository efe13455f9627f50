<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

use Flagstore\Item;
use Flagstore\Store;
use Flagstore\StoreException;
use LaunchDarkly\Impl\Integrations\FeatureRequesterBase;
use LaunchDarkly\Impl\Integrations\FeatureRequesterCache;
use LaunchDarkly\Impl\Model\FeatureFlag;
use LaunchDarkly\Impl\Model\Segment;

/**
 * What the SDK asks for flags and segments. Made by DynamoDb::featureRequester().
 *
 * Extends what all database integrations of the SDK extend, so that its caching is the same as theirs.
 *
 * @internal
 */
final class FeatureRequester extends FeatureRequesterBase
{
    /** Of a row that cannot be read, each version is reported once. This many are remembered. */
    private const REPORTS_REMEMBERED = 10_000;

    private readonly Store $store;
    private readonly Options $options;

    /** @var list<array{string, int}> keys and versions of the payloads that the store was just asked for, in their order */
    private array $read = [];

    /** @var array<string, true> */
    private array $reported = [];

    public function __construct(string $baseUri, #[\SensitiveParameter] string $sdkKey, Options $options)
    {
        $this->options = $options;
        parent::__construct($baseUri, $sdkKey, $options->others);
        $this->store = $options->open($this->_logger);
    }

    /**
     * Neither the SDK key nor what the client was configured with.
     */
    public function __debugInfo(): array
    {
        return ['store' => (string) $this->options];
    }

    /**
     * A flag, or null where there is none, or a row that is none, which is reported.
     *
     * @throws StoreException
     */
    public function getFeature(string $key): ?FeatureFlag
    {
        return $this->readable('getFeature', self::FEATURES_NAMESPACE, $key);
    }

    /**
     * A segment, or null where there is none, or a row that is none, which is reported: an exception would go through
     * allFlagsState() to the application.
     *
     * @throws StoreException
     */
    public function getSegment(string $key): ?Segment
    {
        return $this->readable('getSegment', self::SEGMENTS_NAMESPACE, $key);
    }

    /**
     * All flags by key. A row that is no flag is reported and left out, and does not take the others with it.
     *
     * @return array<FeatureFlag>|null null if DynamoDB cannot be asked, which the SDK answers with an invalid state: an
     *     exception would go through to the application
     */
    public function getAllFeatures(): ?array
    {
        $this->read = [];
        try {
            $decoded = $this->getJsonItemList(self::FEATURES_NAMESPACE);
        } catch (StoreException $error) {
            $this->log('error', "the flags cannot be read: {$error->getMessage()}");
            return null;
        }
        $flags = [];
        foreach ($decoded as $place => $json) {
            try {
                $json = self::object($json);
                if (($json['deleted'] ?? false) !== true) {
                    $flag = FeatureFlag::decode($json);
                    $flags[$flag->getKey()] = $flag;
                }
            } catch (\Throwable $error) {
                $this->report(self::FEATURES_NAMESPACE, array_slice($this->read, $place, 1), $error);
            }
        }
        return $flags;
    }

    protected function readItemString(string $namespace, string $key): ?string
    {
        return $this->payloads([$key => $this->store->get($namespace, $key)])[0] ?? null;
    }

    protected function readItemStringList(string $namespace): ?array
    {
        return $this->payloads($this->store->all($namespace));
    }

    protected function getJsonItem(string $namespace, string $key): ?array
    {
        $json = parent::getJsonItem($namespace, $key);
        return $json === null ? null : self::object($json);
    }

    protected function createCache(#[\SensitiveParameter] array $options): ?FeatureRequesterCache
    {
        $cache = parent::createCache($options);
        return $cache === null ? null : new CacheOfOnePlace($cache, $this->options->place());
    }

    /**
     * The payloads of what is there and not deleted. What the SDK's cache has, it does not ask for.
     *
     * @param array<?Item> $items by key
     * @return list<string>
     */
    private function payloads(array $items): array
    {
        $live = array_filter($items, static fn (?Item $item): bool => $item?->item !== null);
        $this->read = [];
        foreach ($live as $key => $item) {
            $this->read[] = [(string) $key, $item->version];
        }
        return array_map(static fn (Item $item): string => $item->item, array_values($live));
    }

    /**
     * What the SDK makes of a row, or null where it cannot.
     */
    private function readable(string $method, string $namespace, string $key): mixed
    {
        $this->read = [];
        $error = null;
        try {
            $model = parent::$method($key);
        } catch (StoreException $failure) {
            throw $failure;
        } catch (\Throwable $error) {
            $model = null;
        }
        if ($model === null) {
            $this->report($namespace, $this->read, $error);
        }
        return $model;
    }

    /**
     * A JSON object that can be written as JSON again: an infinite number, which 1e400 is read as, would fail the application
     * where it writes all flags out.
     */
    private static function object(mixed $json): array
    {
        if (!is_array($json) || array_is_list($json)) {
            throw new \UnexpectedValueException();
        }
        json_encode($json, JSON_THROW_ON_ERROR);
        return $json;
    }

    /**
     * Says that rows are left out, unless it was said of these versions of them. What came out of the SDK's cache was
     * reported when it was read.
     *
     * @param list<array{string, int}> $rows
     */
    private function report(string $namespace, array $rows, ?\Throwable $error): void
    {
        // Not the text of the exception, which may quote the payload.
        $why = $error === null ? 'no JSON' : $error::class;
        foreach ($rows as [$key, $version]) {
            $row = "{$namespace} {$version} {$key}";
            if (isset($this->reported[$row])) {
                continue;
            }
            $this->reported = count($this->reported) < self::REPORTS_REMEMBERED ? $this->reported : [];
            $this->reported[$row] = true;
            $name = json_encode($key);
            $this->log('warning', "the item {$name} in \"{$namespace}\" is left out: the SDK cannot read its version {$version} ({$why})");
        }
    }

    /**
     * A logger that fails changes no result.
     */
    private function log(string $level, string $message): void
    {
        try {
            $this->_logger->$level("flagstore: {$message}");
        } catch (\Throwable) {
        }
    }
}
