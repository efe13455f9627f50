<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\ConfigurationException;
use Flagstore\ExceptionInterface;
use Flagstore\Item;
use Flagstore\OptionException;
use Flagstore\Outcome;
use Flagstore\Reason;
use Flagstore\Store;
use Flagstore\StoreException;
use Flagstore\StoreInterface;
use Flagstore\UnavailableException;
use Flagstore\UsageException;

/**
 * What a store promises, on the local endpoint.
 */
final class StoreTest extends TestCase
{
    private const FLAG = '{"key":"flag","version":1,"name":"ä \u00e4 😀"}';

    public function testWhatIsWrittenComesBackByteForByte(): void
    {
        $store = $this->store();
        foreach ([self::FLAG, 'no JSON at all', "NUL \0 and \n", str_repeat('long ', 20_000)] as $number => $payload) {
            self::assertTrue($store->upsert('features', "flag-{$number}", 1, $payload)->written);
            self::assertEquals(new Item(1, $payload), $store->get('features', "flag-{$number}"));
        }
    }

    public function testKeysTakeAnyCharacters(): void
    {
        $store = $this->store();
        $keys = ["nul \0", '$inited', 'a:b/c "d" \\', '键', ' ', '12', '-1'];
        foreach ($keys as $key) {
            $store->upsert('things', $key, 1, "payload of {$key}");
            self::assertSame("payload of {$key}", $store->get('things', $key)?->item);
        }
        $all = $store->all('things');
        self::assertCount(count($keys), $all);
        foreach ($keys as $key) {
            self::assertSame("payload of {$key}", $all[$key]->item);
        }
    }

    public function testWhatIsNotThereIsNull(): void
    {
        $store = $this->store();
        self::assertNull($store->get('features', 'nothing'));
        self::assertSame([], $store->all('features'));
        self::assertFalse($store->initialized());
    }

    public function testInitReplacesTheDataSetAndMarksTheStore(): void
    {
        $store = $this->store();
        $store->upsert('features', 'leftover', 1, 'x');
        $first = $store->init(['features' => ['12' => new Item(1, 'one'), 'b' => new Item(2, null, true)], 'segments' => []]);
        self::assertSame([2, 0, 1, 0, [], [], [], []], array_values(get_object_vars($first)));
        self::assertTrue($store->initialized());
        $all = $store->all('features');
        ksort($all);
        self::assertEquals(['12' => new Item(1, 'one'), 'b' => new Item(2, null, true)], $all);
        $again = $store->init(['features' => ['12' => new Item(1, 'one'), 'b' => new Item(2, null, true)], 'segments' => []]);
        self::assertSame([0, 2, 0, 0, [], [], [], []], array_values(get_object_vars($again)));
    }

    public function testInitOfNothingDeletesTheKind(): void
    {
        $store = $this->store();
        $store->upsert('features', 'leftover', 1, 'x');
        self::assertSame(1, $store->init(['features' => []])->deleted);
        self::assertSame([], $store->all('features'));
        self::assertTrue($store->initialized());
    }

    public function testInitTakesManyItems(): void
    {
        $items = [];
        for ($number = 0; $number < 500; $number++) {
            $items["flag-{$number}"] = new Item($number, str_repeat("{$number} ", 50));
        }
        $store = $this->store();
        self::assertSame(500, $store->init(['features' => $items])->written);
        $all = $store->all('features');
        self::assertEqualsCanonicalizing(array_keys($items), array_keys($all));
        foreach ($items as $key => $item) {
            self::assertEquals($item, $all[$key]);
        }
    }

    public function testInitJsonTakesWhatAnSdkHasAtHand(): void
    {
        $store = $this->store();
        $flag = '{"key":"flag", "version": 3}';
        $report = $store->initJson('{"path":"/","data":{"flags":{"flag":' . $flag . '},"segments":{}}}');
        self::assertSame(1, $report->written);
        self::assertEquals(new Item(3, $flag), $store->get('features', 'flag'));
    }

    public function testTheReportSaysWhatWasReplacedKeptAndLeftOut(): void
    {
        $store = $this->store();
        $one = static fn (string $key): Reason => new Reason(1, [['kind' => 'features', 'key' => $key]]);
        $store->upsert('features', 'flag', 7, 'seven');
        $first = $store->init(['features' => ['' => new Item(1, 'x'), 'flag' => new Item(6, 'six')]]);
        self::assertEquals(['not_initialised' => $one('flag')], $first->replaced);
        self::assertEquals(['empty_key' => $one('')], $first->leftOut);
        self::assertSame([], $first->kept);
        $second = $store->init(['features' => ['flag' => new Item(5, 'five')]]);
        self::assertEquals(['newer' => $one('flag')], $second->kept);
        self::assertSame([1, [], []], [$second->keptNewer, $second->replaced, $second->leftOut]);
        self::assertSame('six', $store->get('features', 'flag')->item);
    }

    public function testWhatIsTooLargeIsLeftOutAndReported(): void
    {
        $store = $this->store();
        $report = $store->init(['features' => ['large' => new Item(1, str_repeat('x', 400_001)), 'flag' => new Item(1, 'y')]]);
        self::assertSame(1, $report->written);
        self::assertSame(['features', 'large'], [$report->tooLarge[0]->kind, $report->tooLarge[0]->key]);
        self::assertGreaterThan(400_001, $report->tooLarge[0]->bytes);
        self::assertSame(Outcome::TooLarge, $store->upsert('features', 'large', 1, str_repeat('x', 400_001))->outcome);
        self::assertNull($store->get('features', 'large'));
    }

    public function testAnOlderVersionDoesNotWriteAndShowsWhatIsThere(): void
    {
        $store = $this->store();
        $store->upsert('features', 'flag', 5, 'five');
        $result = $store->upsert('features', 'flag', 4, 'four');
        self::assertFalse($result->written);
        self::assertSame(Outcome::NewerExists, $result->outcome);
        self::assertEquals(new Item(5, 'five'), $result->stored);
        self::assertTrue($store->upsert('features', 'flag', PHP_INT_MAX, 'last')->written);
        self::assertSame(PHP_INT_MAX, $store->get('features', 'flag')->version);
    }

    public function testADeletionReadsAsDeletedAndIsWrittenAsEverySdkReadsIt(): void
    {
        $store = $this->store();
        $store->upsert('features', 'flag', 1, self::FLAG);
        self::assertTrue($store->delete('features', 'flag', 2)->written);
        self::assertEquals(new Item(2, null, true), $store->get('features', 'flag'));
        $row = Endpoint::local()->row($this->prefix, 'features', 'flag');
        self::assertSame('$deleted', json_decode($row['item']['S'])->key);
        self::assertSame([], json_decode($row['item']['S'])->variations);
    }

    /**
     * @return iterable<string, array{array<string, mixed>}>
     */
    public static function tombstones(): iterable
    {
        yield 'null, as Java and .NET write it' => [['item' => ['S' => 'null']]];
        yield 'with its key' => [['item' => ['S' => '{"key":"flag","version":7,"deleted":true}']]];
        yield 'without a key' => [['item' => ['S' => '{"version":7,"deleted":true}']]];
        yield 'no item' => [[]];
    }

    /**
     * @dataProvider tombstones
     */
    public function testEveryFormOfDeletionIsRead(array $attributes): void
    {
        Endpoint::local()->put($this->prefix, 'features', 'flag', ['version' => ['N' => '7']] + $attributes);
        self::assertEquals(new Item(7, null, true), $this->store()->get('features', 'flag'));
        self::assertEquals(['flag' => new Item(7, null, true)], $this->store()->all('features'));
    }

    public function testOneBadRowHidesNoOther(): void
    {
        $store = $this->store(['shared' => false]);
        $store->upsert('features', 'good', 1, 'x');
        Endpoint::local()->put($this->prefix, 'features', 'bad', ['version' => ['N' => '1'], 'item' => ['N' => '5']]);
        self::assertSame(['good'], array_keys($store->all('features')));
        [$event] = $store->events();
        self::assertStringContainsString('"bad"', $event->message);
        self::assertSame(1, $store->statistics()['skipped_rows']);
    }

    public function testBigSegmentsAreRead(): void
    {
        $store = $this->store();
        self::assertNull($store->bigSegmentsMetadata());
        self::assertNull($store->bigSegmentsMembership('hash'));
        $name = "{$this->prefix}:big_segments_metadata";
        Endpoint::local()->put($this->prefix, 'big_segments_metadata', $name, ['synchronizedOn' => ['N' => '1700000000123']]);
        $sets = ['included' => ['SS' => ['a.g1', 'b.g1']], 'excluded' => ['SS' => ['b.g1', 'c.g1']]];
        Endpoint::local()->put($this->prefix, 'big_segments_user', 'hash', $sets);
        self::assertSame(1_700_000_000_123, $store->bigSegmentsMetadata());
        $membership = $store->bigSegmentsMembership('hash');
        ksort($membership);
        self::assertSame(['a.g1' => true, 'b.g1' => true, 'c.g1' => false], $membership);
    }

    public function testTheCacheAnswersWithoutAsking(): void
    {
        $store = $this->store(['cache_ttl_ms' => -1]);
        $store->upsert('features', 'flag', 1, 'one');
        self::assertSame('one', $store->get('features', 'flag')->item);
        $this->store()->upsert('features', 'flag', 2, 'two');
        $before = $store->statistics();
        self::assertSame('one', $store->get('features', 'flag')->item);
        self::assertSame($before['requests'], $store->statistics()['requests']);
        self::assertSame($before['hits'] + 1, $store->statistics()['hits']);
        $store->clearCache();
        self::assertSame('two', $store->get('features', 'flag')->item);
    }

    public function testEqualOptionsShareConnectionsAndCacheAlsoAfterClosing(): void
    {
        $options = ['cache_ttl_ms' => -1];
        $first = $this->store($options);
        $first->upsert('features', 'flag', 1, 'one');
        $first->get('features', 'flag');
        $first->close();
        $second = $this->store($options);
        $requests = $second->statistics()['requests'];
        self::assertSame('one', $second->get('features', 'flag')->item);
        self::assertSame($requests, $second->statistics()['requests']);
        self::assertSame(0, $this->store($options + ['shared' => false])->statistics()['requests']);
    }

    public function testNullStandsForAnOptionThatIsNotGiven(): void
    {
        self::assertTrue($this->store(['ca_bundle' => null, 'cache_ttl_ms' => null])->available());
    }

    public function testAClosedStoreSaysSo(): void
    {
        $store = $this->store();
        $store->close();
        $store->close();
        $calls = [
            fn () => $store->get('features', 'flag'), fn () => $store->all('features'), fn () => $store->available(),
            fn () => $store->init([]), fn () => $store->statistics(), fn () => $store->events(),
        ];
        foreach ($calls as $call) {
            $error = self::failure($call);
            self::assertSame('STORE_ERROR_INVALID_HANDLE', $error->codeName);
            self::assertStringContainsString('table "flags" is closed', $error->getMessage());
        }
    }

    public function testAStoreIsNeitherCopiedNorSerialized(): void
    {
        $store = $this->store();
        foreach ([fn () => clone $store, fn () => serialize($store)] as $copy) {
            try {
                $copy();
                self::fail('it was copied');
            } catch (\Error | \LogicException $error) {
                self::assertStringContainsString('Store', $error->getMessage());
            }
        }
    }

    public function testWrongOptionsAreNamed(): void
    {
        $cases = [
            'UNKNOWN_OPTION' => [['tabel' => 'flags'], '"tabel"'],
            'OPTION_TYPE' => [['timeout_ms' => '5'], '"timeout_ms"'],
            'OPTION_VALUE' => [['timeout_ms' => -5], '"timeout_ms"'],
            'EMPTY_TABLE_NAME' => [['table' => ''], 'table'],
        ];
        foreach ($cases as $name => [$options, $named]) {
            $error = self::failure(fn () => $this->store($options));
            self::assertSame("STORE_ERROR_{$name}", $error->codeName);
            self::assertStringContainsString($named, $error->getMessage());
            self::assertFalse($error->retriable);
        }
        self::assertSame('STORE_ERROR_EMPTY_TABLE_NAME', self::failure(fn () => Store::open([]))->codeName);
    }

    /**
     * The project's README is held to the code; this package's to that. UPDATE_README=1 writes its rows anew.
     */
    public function testEveryOptionHasARowInTheReadmeAsTheProjectHasIt(): void
    {
        $path = dirname(__DIR__) . '/README.md';
        $read = static function (string $file): array {
            [$before, $after] = explode("\n## Options\n", (string) file_get_contents($file), 2);
            preg_match('/(?:^\| `.*\|\n)+/m', $after, $table);
            return ["{$before}\n## Options\n", $after, $table[0]];
        };
        $rows = explode("\n", rtrim($read(Endpoint::repository() . '/README.md')[2]));
        $expected = array_map(static function (string $row): string {
            [$name, , $rest] = explode(' | ', $row, 3);
            // The one default that is another here.
            return str_starts_with($name, '| `persistent`')
                ? '| `persistent` | **`true`** | (elsewhere `false`) connections and cache outlive the last handle, and so the request |'
                : "{$name} | {$rest}";
        }, $rows);
        [$before, $after, $table] = $read($path);
        if (getenv('UPDATE_README') !== false) {
            file_put_contents($path, $before . str_replace($table, implode("\n", $expected) . "\n", $after));
            self::markTestSkipped('written anew');
        }
        self::assertSame($expected, explode("\n", rtrim($table)));
        preg_match_all('/`(\w+)`/', $table, $names);
        self::assertSame([], array_diff(self::optionNames(), $names[1]));
    }

    public function testBoundsTakeNumbers(): void
    {
        foreach (['max_connections', 'soft_wait_ms', 'write_concurrency'] as $name) {
            $this->store([$name => 7])->close();
            self::assertStringContainsString($name, self::failure(fn () => $this->store([$name => -1]))->getMessage());
        }
    }

    public function testTheCommentOfStatisticsNamesEach(): void
    {
        $comment = (string) (new \ReflectionMethod(StoreInterface::class, 'statistics'))->getDocComment();
        preg_match_all('/"(\w+)"/', $comment, $named);
        $header = (string) file_get_contents(Endpoint::repository() . '/include/flagstore.h');
        preg_match('/What the store did since.*?Errors:/s', $header, $documented);
        preg_match_all('/`(\w+)`/', $documented[0], $inHeader);
        $names = array_keys($this->store()->statistics());
        self::assertEqualsCanonicalizing($names, array_values(array_unique($named[1])));
        self::assertEqualsCanonicalizing($names, array_values(array_unique(array_diff($inHeader[1], ['store_string_free']))));
    }

    public function testAnOptionThatIsNoJsonScalarIsNamed(): void
    {
        foreach ([[], "\xff", INF, fn () => null] as $value) {
            try {
                $this->store(['prefix' => $value]);
                self::fail('it was taken');
            } catch (\TypeError | \ValueError $error) {
                self::assertStringContainsString('the option "prefix" ', $error->getMessage());
                self::assertShowsNoSecret($error);
            }
        }
    }

    public function testArgumentsThatCannotBeRightAreRefused(): void
    {
        $store = $this->store();
        $cases = [
            'EMPTY_KEY' => fn () => $store->get('features', ''),
            'EMPTY_KIND' => fn () => $store->all(''),
            'KEY_TOO_LONG' => fn () => $store->get('features', str_repeat('k', 1025)),
            'INVALID_UTF8' => fn () => $store->get('features', "\xff"),
            'INVALID_VERSION' => fn () => $store->upsert('features', 'flag', -1, 'p4yl0ad'),
            'EMPTY_ITEM' => fn () => $store->init(['features' => ['flag' => new Item(1, '')]]),
            'INVALID_JSON' => fn () => $store->initJson('{"p4yl0ad'),
        ];
        foreach ($cases as $name => $call) {
            self::assertSame("STORE_ERROR_{$name}", self::failure($call)->codeName);
        }
        $this->expectException(\TypeError::class);
        $store->init(['features' => ['flag' => 'no item']]);
    }

    public function testEventsGoToTheLoggerWithTheirLevel(): void
    {
        $logger = new RecordingLogger();
        $store = $this->store(['shared' => false], $logger);
        $store->init(['features' => ['large' => new Item(1, str_repeat('x', 400_001))]]);
        self::assertStringContainsString('initialised table "flags"', $logger->text('info'));
        self::assertStringContainsString('"large"', $logger->text('error'));
        self::assertSame([], $store->events());
    }

    public function testReadsDeliverTheirEventsAtTheLatestWhenTheStoreCloses(): void
    {
        $logger = new RecordingLogger();
        $store = $this->store(['shared' => false], $logger);
        Endpoint::local()->put($this->prefix, 'features', 'bad', ['version' => ['N' => '1'], 'item' => ['N' => '5']]);
        $store->get('features', 'good');
        $store->get('features', 'bad');
        unset($store);
        self::assertStringContainsString('"bad"', $logger->text('error') . $logger->text('warning'));
    }

    public function testALoggerMayUseTheStore(): void
    {
        $logger = new class {
            public ?Store $store = null;
            public int $calls = 0;

            public function __call(string $level, array $arguments): void
            {
                $this->calls++;
                $this->store?->init(['features' => []]);
            }
        };
        $logger->store = $store = $this->store(['shared' => false], $logger);
        $store->init(['features' => []]);
        self::assertSame(1, $logger->calls);
        $logger->store = null;
    }

    public function testALoggerThatIsNoneIsRefused(): void
    {
        $this->expectException(\TypeError::class);
        $this->expectExceptionMessage('stdClass is no PSR-3 logger: it lacks the method error()');
        $this->store([], new \stdClass());
    }

    public function testALoggerThatFailsChangesNoResult(): void
    {
        $logger = new class {
            public function __call(string $level, array $arguments): never
            {
                throw new \RuntimeException('the transport is closed');
            }
        };
        $store = $this->store(['shared' => false, 'log_level' => 'debug'], $logger);
        $large = str_repeat('x', 400_001);
        self::assertSame('large', $store->init(['features' => ['large' => new Item(1, $large)]])->tooLarge[0]->key);
        self::assertSame(Outcome::TooLarge, $store->upsert('features', 'large', 1, $large)->outcome);
        self::assertNull($store->get('features', 'large'));
        self::assertSame('STORE_ERROR_EMPTY_KEY', self::failure(fn () => $store->get('features', ''))->codeName);
        self::assertFalse($this->store(['table' => 'no-such-table'], $logger)->available());
        $store->close();
    }

    public function testAScriptThatEndsInAnExceptionEndsInThatOneOnly(): void
    {
        $code = 'require $argv[1]; $options = ["table" => "flags", "region" => "eu-west-1", "endpoint" => "http://127.0.0.1:1"];'
            . ' $options += ["access_key_id" => "test", "secret_access_key" => "test", "timeout_ms" => 200];'
            . ' $store = Flagstore\Store::open($options, new Flagstore\Tests\RecordingLogger());'
            . ' $store->get("features", "flag");';
        [, $said] = self::php(['-r', $code, '--', __DIR__ . '/bootstrap.php']);
        self::assertSame(1, substr_count($said, 'Uncaught'), $said);
    }

    public function testWhyTheTableIsNotAvailableIsLogged(): void
    {
        $logger = new RecordingLogger();
        self::assertFalse($this->store(['table' => 'no-such-table'], $logger)->available());
        self::assertStringContainsString('no-such-table', $logger->text('debug'));
    }

    /**
     * Every code of the header, by the class that says what can be done about it.
     */
    public function testEveryErrorIsAnExceptionOfItsMeaning(): void
    {
        $header = (string) file_get_contents(Endpoint::repository() . '/include/flagstore_cdef.h');
        preg_match_all('/STORE_ERROR_(\w+) = (-\d+)/', $header, $codes, PREG_SET_ORDER);
        self::assertGreaterThan(30, count($codes));
        $retriable = ['THROTTLED', 'TIMEOUT', 'CONNECTION', 'SERVICE', 'UNEXPECTED_RESPONSE', 'RUNTIME'];
        $plain = [];
        foreach ($codes as [, $name, $code]) {
            $error = StoreException::of('message', (int) $code, "STORE_ERROR_{$name}", in_array($name, $retriable, true));
            self::assertInstanceOf(ExceptionInterface::class, $error);
            self::assertSame(in_array($name, $retriable, true), $error instanceof UnavailableException, $name);
            if ($error::class === StoreException::class) {
                $plain[] = $name;
            }
        }
        self::assertEqualsCanonicalizing(['PANIC', 'TOO_MANY_STORES', 'REJECTED'], $plain);
        $classes = array_map(static fn (\Closure $call): string => self::failure($call)::class, [
            fn () => $this->store(['tabel' => 'flags']),
            fn () => $this->store()->get('features', ''),
            fn () => $this->store(['table' => 'no-such-table'])->get('features', 'flag'),
            fn () => $this->store(['endpoint' => 'http://127.0.0.1:1', 'timeout_ms' => 100])->get('features', 'flag'),
        ]);
        self::assertSame(
            [OptionException::class, UsageException::class, ConfigurationException::class, UnavailableException::class],
            $classes
        );
    }

    public function testTheShapeOfOptionsHasEachOfTheLibrary(): void
    {
        $comment = (string) (new \ReflectionClass(StoreInterface::class))->getDocComment();
        preg_match_all('/(\w+)\?: /', $comment, $names);
        self::assertSame([], array_diff(self::optionNames(), $names[1]));
    }

    public function testAnApplicationsTestsMayGiveItSomethingElse(): void
    {
        $mock = $this->createMock(StoreInterface::class);
        $mock->method('get')->willReturn(new Item(1, 'mocked'));
        self::assertSame('mocked', $mock->get('features', 'flag')->item);
        $public = array_map(static fn (\ReflectionMethod $method): string
            => $method->name, (new \ReflectionClass(Store::class))->getMethods(\ReflectionMethod::IS_PUBLIC));
        $own = ['open', 'doctor', 'transport', 'library', '__destruct', '__serialize', '__unserialize'];
        self::assertEqualsCanonicalizing(get_class_methods(StoreInterface::class), array_diff($public, $own));
    }

    public function testAnExceptionKeepsWhatTheAbiSays(): void
    {
        $error = self::failure(fn () => $this->store(['table' => 'no-such-table'])->get('features', 'flag'));
        self::assertInstanceOf(\RuntimeException::class, $error);
        self::assertSame([-30, 'STORE_ERROR_TABLE_NOT_FOUND', false], [$error->getCode(), $error->codeName, $error->retriable]);
    }
}
