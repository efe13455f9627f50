<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Item;
use Flagstore\Store;

/**
 * What goes wrong between the library and DynamoDB: the exception, and what its message tells whom.
 */
final class FaultsTest extends TestCase
{
    private const QUICK = ['timeout_ms' => 700, 'all_timeout_ms' => 700, 'init_timeout_ms' => 700, 'shared' => false];
    private static ?Faults $faults = null;

    public static function tearDownAfterClass(): void
    {
        self::$faults = null;
    }

    protected function setUp(): void
    {
        parent::setUp();
        self::$faults ??= new Faults();
        self::$faults->reset();
    }

    /**
     * @return iterable<string, array{mixed, string, bool}>
     */
    public static function faults(): iterable
    {
        yield 'throttled' => ['throttle', 'THROTTLED', true];
        yield 'fault of the service' => ['fault', 'SERVICE', true];
        yield 'silent' => ['black_hole', 'TIMEOUT', true];
        yield 'silent in the middle' => [['do' => 'black_hole', 'at' => 'body'], 'TIMEOUT', true];
        yield 'slow' => [['do' => 'drip', 'bytes_per_second' => 1], 'TIMEOUT', true];
        yield 'reset' => ['reset', 'CONNECTION', true];
        yield 'cut off' => [['do' => 'close', 'at' => 'body'], 'CONNECTION', true];
        yield 'garbage' => ['garbage', 'UNEXPECTED_RESPONSE', true];
        foreach (
            [
                'ResourceNotFoundException' => 'TABLE_NOT_FOUND',
                'AccessDeniedException' => 'ACCESS_DENIED',
                'UnrecognizedClientException' => 'INVALID_CREDENTIALS',
                'InvalidSignatureException' => 'INVALID_CREDENTIALS',
                'ExpiredTokenException' => 'EXPIRED_CREDENTIALS',
                'ValidationException' => 'REJECTED',
            ] as $type => $name
        ) {
            yield $type => [['do' => 'refuse', 'status' => 400, 'type' => $type, 'message' => 'no'], $name, false];
        }
        yield 'quotes the credentials' => [
            ['do' => 'echo', 'quote' => 'credentials', 'type' => 'AccessDeniedException'], 'ACCESS_DENIED', false,
        ];
        yield 'quotes the request' => [['do' => 'echo', 'quote' => 'body', 'type' => 'ValidationException'], 'REJECTED', false];
    }

    /**
     * @dataProvider faults
     */
    public function testEveryFaultIsToldApartAndHoldsNoSecret(mixed $do, string $name, bool $retriable): void
    {
        $store = $this->behindFaults(self::QUICK);
        self::$faults->script(['do' => $do]);
        $calls = [
            fn () => $store->get('features', 'flag'),
            fn () => $store->upsert('features', 'flag', 1, '{"p4yl0ad":1}'),
        ];
        if (!$retriable) {
            $calls[] = fn () => $store->all('features');
            $calls[] = fn () => $store->init(['features' => ['flag' => new Item(1, '{"p4yl0ad":1}')]]);
        }
        foreach ($calls as $call) {
            $started = microtime(true);
            $error = self::failure($call);
            self::assertSame("STORE_ERROR_{$name}", $error->codeName, $error->getMessage());
            self::assertSame($retriable, $error->retriable);
            self::assertMatchesRegularExpression('/"flags"|127\.0\.0\.1/', $error->getMessage());
            self::assertLessThan(3.0, microtime(true) - $started, 'the deadline is 0.7 s');
        }
        self::assertNotEmpty(self::$faults->requests());
        self::$faults->script();
        self::assertTrue($store->available());
    }

    public function testNothingListeningIsAConnectionError(): void
    {
        $bound = stream_socket_server('tcp://127.0.0.1:0', $code, $message, STREAM_SERVER_BIND);
        $store = $this->store(['endpoint' => 'http://' . stream_socket_get_name($bound, false)] + self::QUICK);
        $error = self::failure(fn () => $store->get('features', 'flag'));
        self::assertContains($error->codeName, ['STORE_ERROR_CONNECTION', 'STORE_ERROR_TIMEOUT']);
        self::assertTrue($error->retriable);
    }

    public function testWritesThatAreThrottledAreRepeatedUntilTheyAreThere(): void
    {
        $store = $this->behindFaults();
        self::$faults->script(['operation' => 'PutItem', 'probability' => 0.3, 'do' => 'throttle']);
        $items = [];
        for ($number = 0; $number < 200; $number++) {
            $items["flag-{$number}"] = new Item(1, "payload {$number}");
        }
        self::assertSame(200, $store->init(['features' => $items])->written);
        self::assertCount(200, $this->store()->all('features'));
        self::assertGreaterThan(20, $store->statistics()['throttles']);
    }

    public function testTheCacheStandsInWhileDynamoDbCannotBeReached(): void
    {
        $store = $this->behindFaults(['cache_ttl_ms' => 1, 'cache_refresh_ahead' => false] + self::QUICK);
        $store->upsert('features', 'flag', 1, 'one');
        $store->get('features', 'flag');
        self::$faults->script(['do' => 'fault']);
        usleep(20_000);
        self::assertEquals(new Item(1, 'one', false, true), $store->get('features', 'flag'));
    }

    public function testEqualOptionsShareOneConnection(): void
    {
        self::$faults = new Faults();
        for ($request = 0; $request < 20; $request++) {
            $store = $this->behindFaults();
            $store->get('features', 'flag');
            unset($store);
        }
        self::assertCount(20, self::$faults->requests());
        self::assertSame(1, self::$faults->connections());
    }

    public function testWithoutRegionOrCredentialsTheMessageSaysWhereToSetThem(): void
    {
        $bare = array_fill_keys(
            ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
            null
        ) + ['AWS_EC2_METADATA_DISABLED' => 'true', 'AWS_CONFIG_FILE' => '/dev/null',
            'AWS_SHARED_CREDENTIALS_FILE' => '/dev/null'];
        foreach (
            [
                'STORE_ERROR_NO_REGION' => "'access_key_id' => 'a', 'secret_access_key' => 'b'",
                'STORE_ERROR_NO_CREDENTIALS' => "'region' => 'us-east-1'",
            ] as $name => $options
        ) {
            $code = 'require "' . __DIR__ . '/bootstrap.php"; try { Flagstore\Store::open(["table" => "flags", '
                . $options . '])->get("features", "flag"); } catch (Flagstore\StoreException $e) { echo $e->codeName, $e->getMessage(); }';
            [, $said] = self::php(['-r', $code], $bare);
            self::assertStringStartsWith($name, $said);
            self::assertMatchesRegularExpression('/region|credentials/', $said);
        }
    }

    /**
     * @param array<string, mixed> $options
     */
    private function behindFaults(array $options = []): Store
    {
        return $this->store($options + self::$faults->endpoint->options());
    }
}
