<?php

declare(strict_types=1);

namespace Flagstore\Tests\LaunchDarkly;

use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\LaunchDarkly\FeatureRequester;
use Flagstore\LaunchDarkly\Options;
use Flagstore\Tests\Endpoint;
use Flagstore\Tests\RecordingLogger;
use Flagstore\Tests\TestCase;
use LaunchDarkly\Impl\Model\FeatureFlag;
use Psr\Cache\CacheItemInterface;
use Psr\Cache\CacheItemPoolInterface;

/**
 * What the SDK gets when it asks for flags and segments. First what every database integration of it has to do.
 */
final class FeatureRequesterTest extends TestCase
{
    /**
     * @return iterable<string, array{?string}>
     */
    public static function prefixes(): iterable
    {
        yield 'a prefix' => ['testprefix'];
        yield 'an empty prefix' => [''];
        yield 'no prefix' => [null];
    }

    /**
     * @dataProvider prefixes
     */
    public function testAFlagIsFoundByItsKey(?string $prefix): void
    {
        $key = $this->flag($prefix, 'foo', 10);
        $flag = self::requester($prefix)->getFeature($key);
        self::assertInstanceOf(FeatureFlag::class, $flag);
        self::assertSame([$key, 10], [$flag->getKey(), $flag->getVersion()]);
    }

    /**
     * @dataProvider prefixes
     */
    public function testASegmentIsFoundByItsKey(?string $prefix): void
    {
        $key = $this->segment($prefix, 'foo', 10);
        self::assertSame(10, self::requester($prefix)->getSegment($key)?->getVersion());
    }

    /**
     * @dataProvider prefixes
     */
    public function testWhatIsMissingIsNull(?string $prefix): void
    {
        self::assertNull(self::requester($prefix)->getFeature('unavailable'));
        self::assertNull(self::requester($prefix)->getSegment('unavailable'));
    }

    /**
     * @dataProvider prefixes
     */
    public function testWhatIsDeletedIsNull(?string $prefix): void
    {
        self::assertNull(self::requester($prefix)->getFeature($this->flag($prefix, 'gone', 10, true)));
        self::assertNull(self::requester($prefix)->getSegment($this->segment($prefix, 'gone', 10, true)));
    }

    /**
     * @dataProvider prefixes
     */
    public function testAllFlagsAreThoseThatAreNotDeleted(?string $prefix): void
    {
        $before = self::requester($prefix)->getAllFeatures();
        $live = [$this->flag($prefix, 'foo', 10), $this->flag($prefix, 'bar', 11)];
        $this->flag($prefix, 'gone', 12, true);
        $added = array_diff_key(self::requester($prefix)->getAllFeatures(), $before);
        self::assertEqualsCanonicalizing($live, array_keys($added));
        self::assertSame([10, 11], [$added[$live[0]]->getVersion(), $added[$live[1]]->getVersion()]);
    }

    public function testAnEmptyTableHasNoFlags(): void
    {
        self::assertSame([], self::requester($this->prefix)->getAllFeatures());
    }

    public function testPrefixesAreIndependent(): void
    {
        $prefixes = [null, "{$this->prefix}-1", "{$this->prefix}-2"];
        foreach ($prefixes as $number => $prefix) {
            $flag = $this->flag($prefix, 'flag', $number + 10);
            $segment = $this->segment($prefix, 'segment', $number + 20);
        }
        foreach ([...$prefixes, ''] as $number => $prefix) {
            $requester = self::requester($prefix);
            self::assertSame($number % 3 + 10, $requester->getFeature($flag)->getVersion());
            self::assertSame($number % 3 + 20, $requester->getSegment($segment)->getVersion());
            self::assertSame($number % 3 + 10, $requester->getAllFeatures()[$flag]->getVersion());
        }
        self::assertCount(1, self::requester("{$this->prefix}-1")->getAllFeatures());
    }

    public function testOptionsOfTheFactoryWinOverThoseOfTheClient(): void
    {
        $key = $this->flag($this->prefix, 'flag', 5);
        $factory = DynamoDb::featureRequester(['dynamodb_prefix' => $this->prefix]);
        $requester = $factory('http://base', 'sdk-key', ['dynamodb_prefix' => 'another'] + self::configuration(null));
        self::assertSame(5, $requester->getFeature($key)->getVersion());
    }

    /**
     * @return iterable<string, array{array<string, mixed>}>
     */
    public static function tombstones(): iterable
    {
        yield 'null' => [['item' => ['S' => 'null']]];
        yield 'keyless' => [['item' => ['S' => '{"version":7,"deleted":true}']]];
        yield 'keyed' => [['item' => ['S' => '{"key":"x","version":7,"deleted":true}']]];
        yield 'no item' => [[]];
    }

    /**
     * @dataProvider tombstones
     */
    public function testEveryFormOfDeletionIsLeftOut(array $attributes): void
    {
        Endpoint::local()->put($this->prefix, 'features', 'gone', ['version' => ['N' => '7']] + $attributes);
        $key = $this->flag($this->prefix, 'flag', 1);
        $requester = self::requester($this->prefix);
        self::assertNull($requester->getFeature('gone'));
        self::assertSame([$key], array_keys($requester->getAllFeatures()));
    }

    public function testWhatDynamoDbRefusesIsAnExceptionForOneFlagAndAnInvalidStateForAll(): void
    {
        $logger = new RecordingLogger();
        $requester = self::requester($this->prefix, ['dynamodb_table' => 'no-such-table', 'logger' => $logger]);
        foreach ([fn () => $requester->getFeature('flag'), fn () => $requester->getSegment('segment')] as $call) {
            self::assertSame('STORE_ERROR_TABLE_NOT_FOUND', self::failure($call)->codeName);
        }
        self::assertNull($requester->getAllFeatures());
        self::assertStringContainsString('no-such-table', $logger->text('error'));
    }

    public function testTheLibrarysCacheIsAnOption(): void
    {
        $key = $this->flag($this->prefix, 'flag', 1);
        $cached = ['flagstore_options' => ['cache_ttl_ms' => -1]];
        self::assertSame(1, self::requester($this->prefix, $cached)->getFeature($key)->getVersion());
        $this->flag($this->prefix, 'flag', 2);
        self::assertSame(1, self::requester($this->prefix, $cached)->getFeature($key)->getVersion());
        self::assertSame(2, self::requester($this->prefix)->getFeature($key)->getVersion());
    }

    public function testApcuKeepsPlacesApart(): void
    {
        self::assertTrue(apcu_enabled());
        $this->assertCaches(['apc_expiration' => 60]);
    }

    public function testAPsr6PoolKeepsPlacesApart(): void
    {
        $this->assertCaches(['cache' => $pool = self::pool(), 'cache_ttl' => 60]);
        self::assertNotEmpty($pool->items);
        self::assertSame([60], array_values(array_unique(array_column($pool->items, 'seconds'))));
    }

    public function testWhatIsCachedForOneAccountIsNotServedToAnother(): void
    {
        $key = $this->flag($this->prefix, 'flag', 1);
        $caching = ['cache' => $pool = self::pool(), 'cache_ttl' => 60];
        $cached = fn (array $options): int => self::requester($this->prefix, $options + $caching)->getFeature($key)->getVersion();
        $accounts = array_map(
            static fn (string $id): array => ['flagstore_options' => ['access_key_id' => $id, 'secret_access_key' => "p4yl0ad {$id}"]],
            ['first-account', 'second-account', 'third-account'],
        );
        foreach ($accounts as $number => $account) {
            $this->flag($this->prefix, 'flag', $number + 1);
            self::assertSame($number + 1, $cached($account));
        }
        self::assertSame([1, 2, 3], array_map($cached, $accounts));
        self::assertStringNotContainsString('p4yl0ad', implode(' ', array_keys($pool->items)));
        self::assertStringNotContainsString(bin2hex('p4yl0ad'), implode(' ', array_keys($pool->items)));
        self::assertStringNotContainsString('account', implode(' ', array_keys($pool->items)));
    }

    /**
     * @return iterable<string, array{string}>
     */
    public static function ambient(): iterable
    {
        foreach (['AWS_ACCESS_KEY_ID', 'AWS_PROFILE', 'AWS_REGION', 'AWS_ROLE_ARN', 'AWS_CONFIG_FILE', 'HOME'] as $name) {
            yield $name => [$name];
        }
    }

    /**
     * @dataProvider ambient
     */
    public function testWhatIsCachedUnderOneEnvironmentIsNotServedUnderAnother(string $name): void
    {
        $before = getenv($name);
        $places = [];
        try {
            foreach (['one', 'other', 'one'] as $value) {
                putenv("{$name}={$value}");
                $places[] = Options::of(self::configuration($this->prefix))->place();
            }
        } finally {
            putenv($before === false ? $name : "{$name}={$before}");
        }
        self::assertSame($places[0], $places[2]);
        self::assertNotSame($places[0], $places[1]);
    }

    /**
     * @param array<string, mixed> $caching
     */
    private function assertCaches(array $caching): void
    {
        $other = "{$this->prefix}-other";
        $key = $this->flag($this->prefix, 'flag', 1);
        $this->flag($other, 'flag', 7);
        foreach ([1, 2] as $version) {
            $this->flag($this->prefix, 'flag', $version);
            self::assertSame(1, self::requester($this->prefix, $caching)->getFeature($key)->getVersion());
            self::assertSame(1, self::requester($this->prefix, $caching)->getAllFeatures()[$key]->getVersion());
            self::assertSame(7, self::requester($other, $caching)->getFeature($key)->getVersion());
            self::assertSame(7, self::requester($other, $caching)->getAllFeatures()[$key]->getVersion());
        }
    }

    /**
     * @param array<string, mixed> $options
     */
    private static function requester(?string $prefix, array $options = []): FeatureRequester
    {
        return DynamoDb::featureRequester()('', '', $options + self::configuration($prefix));
    }

    /**
     * @return array<string, mixed>
     */
    private static function configuration(?string $prefix): array
    {
        return [
            'dynamodb_table' => Endpoint::TABLE,
            'dynamodb_options' => Endpoint::local()->awsOptions(),
            'dynamodb_prefix' => $prefix,
        ];
    }

    /**
     * Writes a flag whose key is the test's own, since tests share what has no prefix.
     */
    private function flag(?string $prefix, string $name, int $version, bool $deleted = false): string
    {
        $key = "{$name}-of-{$this->prefix}";
        return self::put($prefix, 'features', $key, $version, [
            'key' => $key, 'version' => $version, 'on' => true, 'prerequisites' => [], 'salt' => '', 'targets' => [],
            'rules' => [], 'fallthrough' => ['variation' => 0], 'offVariation' => null, 'variations' => [true, false],
            'deleted' => $deleted,
        ]);
    }

    private function segment(?string $prefix, string $name, int $version, bool $deleted = false): string
    {
        $key = "{$name}-of-{$this->prefix}";
        return self::put($prefix, 'segments', $key, $version, [
            'key' => $key, 'version' => $version, 'included' => [], 'excluded' => [], 'rules' => [], 'salt' => '',
            'deleted' => $deleted,
        ]);
    }

    private static function put(?string $prefix, string $kind, string $key, int $version, array $item): string
    {
        $row = ['version' => ['N' => (string) $version], 'item' => ['S' => json_encode($item)]];
        Endpoint::local()->put($prefix, $kind, $key, $row);
        return $key;
    }

    private static function pool(): CacheItemPoolInterface
    {
        return new class implements CacheItemPoolInterface {
            /** @var array<string, CacheItemInterface> */
            public array $items = [];

            public function getItem(string $key): CacheItemInterface
            {
                return $this->items[$key] ?? new class ($key) implements CacheItemInterface {
                    public ?int $seconds = null;
                    private mixed $value = null;

                    public function __construct(private string $key)
                    {
                    }

                    public function getKey(): string
                    {
                        return $this->key;
                    }

                    public function get(): mixed
                    {
                        return $this->value;
                    }

                    public function isHit(): bool
                    {
                        return $this->value !== null;
                    }

                    public function set(mixed $value): static
                    {
                        $this->value = $value;
                        return $this;
                    }

                    public function expiresAt(?\DateTimeInterface $expiration): static
                    {
                        return $this;
                    }

                    public function expiresAfter(int|\DateInterval|null $time): static
                    {
                        $this->seconds = $time;
                        return $this;
                    }
                };
            }

            public function getItems(array $keys = []): iterable
            {
                return array_map($this->getItem(...), $keys);
            }

            public function hasItem(string $key): bool
            {
                return isset($this->items[$key]);
            }

            public function clear(): bool
            {
                $this->items = [];
                return true;
            }

            public function deleteItem(string $key): bool
            {
                return $this->deleteItems([$key]);
            }

            public function deleteItems(array $keys): bool
            {
                $this->items = array_diff_key($this->items, array_flip($keys));
                return true;
            }

            public function save(CacheItemInterface $item): bool
            {
                $this->items[$item->getKey()] = $item;
                return true;
            }

            public function saveDeferred(CacheItemInterface $item): bool
            {
                return $this->save($item);
            }

            public function commit(): bool
            {
                return true;
            }
        };
    }
}
