<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Item;
use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\Store;

/**
 * The Python SDK's own integration and this package share a table, each reading what the other wrote.
 */
final class MixedTableTest extends TestCase
{
    private Endpoint $endpoint;

    protected function setUp(): void
    {
        parent::setUp();
        if (!is_executable(self::python())) {
            self::markTestSkipped('the Python SDK is not there: `make venv` installs it into build/venv');
        }
        $this->endpoint = Endpoint::dynalite() ?? self::markTestSkipped('dynalite needs node and npm');
    }

    public function testWhatPythonWritesPhpReads(): void
    {
        $store = $this->shared();
        self::assertFalse($store->initialized());
        $this->inPython('store.init({SEGMENTS: {"s": {"key": "s", "version": 2, "included": ["ä"]}}, FEATURES: {'
            . '"one": flag("one", 1), "two": flag("two", 2)}})');
        self::assertTrue($store->initialized());
        self::assertSame([1, 2], [$store->get('features', 'one')->version, $store->get('features', 'two')->version]);
        self::assertSame(['ä'], json_decode($store->get('segments', 's')->item)->included);
        self::assertSame([1, 'a'], [$this->requester()->getFeature('one')->getVersion(), $this->variation('one')]);

        $this->inPython('store.upsert(FEATURES, flag("one", 5)); store.delete(FEATURES, "two", 9)');
        self::assertSame(5, $store->get('features', 'one')->version);
        self::assertEquals(new Item(9, null, true), $store->get('features', 'two'));
        self::assertNull($this->requester()->getFeature('two'));
        self::assertSame(['one'], array_keys($this->requester()->getAllFeatures()));
    }

    public function testWhatPhpWritesPythonReads(): void
    {
        $store = $this->shared();
        $flag = static fn (string $key, int $version): Item => new Item($version, json_encode(['key' => $key, 'version' => $version,
            'on' => true, 'fallthrough' => ['variation' => 0], 'variations' => ['ä', 'b'], 'salt' => 's']));
        $store->init(['features' => ['one' => $flag('one', 1), 'two' => $flag('two', 2)], 'segments' => []]);
        $read = 'print(store.initialized, sorted((k, v["version"], v["variations"][0]) for k, v in store.all(FEATURES).items()),'
            . ' store.get(FEATURES, "two") is None)';
        self::assertSame("True [('one', 1, 'ä'), ('two', 2, 'ä')] False\n", $this->inPython($read));
        $store->upsert('features', 'one', 7, $flag('one', 7)->item);
        $store->delete('features', 'two', 8);
        self::assertSame("True [('one', 7, 'ä')] True\n", $this->inPython($read));
    }

    public function testNeitherOverwritesWhatIsNewer(): void
    {
        $store = $this->shared();
        $this->inPython('store.upsert(FEATURES, flag("one", 7)); store.delete(FEATURES, "two", 7)');
        self::assertFalse($store->upsert('features', 'one', 6, '{"key":"one","version":6}')->written);
        $refused = $store->upsert('features', 'two', 6, '{"key":"two","version":6}');
        self::assertEquals(new Item(7, null, true), $refused->stored);
        $store->upsert('features', 'one', 9, '{"key":"one","version":9}');
        $this->inPython('store.upsert(FEATURES, flag("one", 8))');
        self::assertSame(9, $store->get('features', 'one')->version);
    }

    public function testAnInitOnWhatPythonWroteCostsNoWrites(): void
    {
        $this->inPython('store.init({SEGMENTS: {}, FEATURES: {"one": flag("one", 1)}})');
        $item = $this->shared()->get('features', 'one')->item;
        $compact = json_encode(json_decode($item), JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
        self::assertNotSame($item, $compact);
        $store = $this->shared(['shared' => false]);
        $report = $store->initJson('{"flags":{"one":' . $compact . '},"segments":{}}');
        self::assertSame([0, 1], [$report->written, $report->unchanged]);
        self::assertEquals(0, $store->statistics()['write_units']);
    }

    /**
     * Runs Python with "store", the SDK's own, and gives what it prints.
     */
    private function inPython(string $code): string
    {
        $program = <<<'PYTHON'
            import json, sys
            from ldclient.feature_store import CacheConfig
            from ldclient.integrations import DynamoDB
            from ldclient.versioned_data_kind import FEATURES, SEGMENTS

            def flag(key, version):
                return {"key": key, "version": version, "on": True, "fallthrough": {"variation": 0}, "variations": ["a", "ä"],
                        "salt": "", "prerequisites": [], "targets": [], "rules": [], "offVariation": None, "deleted": False}

            url, prefix, table, code = sys.argv[1:]
            options = {"endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "test",
                       "aws_secret_access_key": "test"}
            store = DynamoDB.new_feature_store(table, prefix, options, caching=CacheConfig.disabled())
            exec(code)
            PYTHON;
        $command = [self::python(), '-c', $program, $this->endpoint->url, $this->prefix, Endpoint::TABLE, $code];
        [$status, $said] = Process::run($command, ['PYTHONIOENCODING' => 'utf-8']);
        self::assertSame(0, $status, $said);
        return $said;
    }

    /**
     * @param array<string, mixed> $options
     */
    private function shared(array $options = []): Store
    {
        return Store::open($options + $this->endpoint->options() + ['prefix' => $this->prefix]);
    }

    private function requester(): object
    {
        return DynamoDb::featureRequester()('', '', [
            'dynamodb_table' => Endpoint::TABLE, 'dynamodb_prefix' => $this->prefix,
            'dynamodb_options' => $this->endpoint->awsOptions(),
        ]);
    }

    private function variation(string $key): string
    {
        return json_decode($this->shared()->get('features', $key)->item)->variations[0];
    }

    private static function python(): string
    {
        return (getenv('FLAGSTORE_VENV') ?: Endpoint::repository() . '/build/venv') . '/bin/python';
    }
}
