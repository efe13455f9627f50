<?php

namespace LaunchDarkly\Impl\Integrations;

use LaunchDarkly\Impl\Model\FeatureFlag;
use LaunchDarkly\Impl\Model\Segment;
use LaunchDarkly\Subsystems\FeatureRequester;
use Psr\Cache\CacheItemPoolInterface;
use Psr\Log\LoggerInterface;
use Psr\Log\NullLogger;

class FeatureRequesterBase implements FeatureRequester
{
    const FEATURES_NAMESPACE = 'features';
    const SEGMENTS_NAMESPACE = 'segments';

    protected string $_baseUri;
    protected string $_sdkKey;
    protected array $_options;
    protected ?FeatureRequesterCache $_cache;
    protected LoggerInterface $_logger;

    protected function __construct(string $baseUri, string $sdkKey, array $options)
    {
        [$this->_baseUri, $this->_sdkKey, $this->_options] = [$baseUri, $sdkKey, $options];
        $this->_cache = $this->createCache($options);
        $this->_logger = $options['logger'] ?? new NullLogger();
    }

    protected function readItemString(string $namespace, string $key): ?string
    {
        return null;
    }

    protected function readItemStringList(string $namespace): ?array
    {
        return [];
    }

    protected function createCache(array $options): ?FeatureRequesterCache
    {
        if (($options['cache'] ?? null) instanceof CacheItemPoolInterface) {
            return new Psr6FeatureRequesterCache($options['cache'], $options['cache_ttl'] ?? null);
        }
        $seconds = (int) ($options['apc_expiration'] ?? 0);
        return $seconds > 0 ? new ApcuFeatureRequesterCache($seconds) : null;
    }

    public function getFeature(string $key): ?FeatureFlag
    {
        $json = $this->getJsonItem(self::FEATURES_NAMESPACE, $key);
        return $json && empty($json['deleted']) ? FeatureFlag::decode($json) : null;
    }

    public function getSegment(string $key): ?Segment
    {
        $json = $this->getJsonItem(self::SEGMENTS_NAMESPACE, $key);
        return $json && empty($json['deleted']) ? Segment::decode($json) : null;
    }

    public function getAllFeatures(): ?array
    {
        throw new \LogicException('the adapter has its own');
    }

    protected function getJsonItem(string $namespace, string $key): ?array
    {
        $text = $this->cached("launchdarkly:{$namespace}:{$key}", fn () => $this->readItemString($namespace, $key));
        return $text === null ? null : json_decode($text, true);
    }

    protected function getJsonItemList(string $namespace): array
    {
        $read = fn () => json_encode($this->readItemStringList($namespace));
        $texts = json_decode($this->cached("launchdarkly:{$namespace}:\$all", $read), true);
        return array_map(static fn (string $text) => json_decode($text, true), $texts);
    }

    private function cached(string $key, \Closure $read): ?string
    {
        $text = $this->_cache?->getCachedString($key);
        if ($text === null) {
            $text = $read();
            $this->_cache?->putCachedString($key, $text);
        }
        return $text;
    }
}
