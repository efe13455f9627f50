<?php

declare(strict_types=1);

namespace Flagstore\Tests\LaunchDarkly;

use Flagstore\LaunchDarkly\BigSegmentsStore;
use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\Tests\Endpoint;
use Flagstore\Tests\TestCase;

/**
 * Big segments, as the Relay Proxy writes them.
 */
final class BigSegmentsStoreTest extends TestCase
{
    public function testWhatWasNeverWrittenIsStale(): void
    {
        $metadata = $this->segments()->getMetadata();
        self::assertNull($metadata->getLastUpToDate());
        self::assertTrue($metadata->isStale(120));
        self::assertSame([], $this->segments()->getMembership('hash'));
    }

    public function testTheTimeIsInSecondsSoThatItCanBecomeStale(): void
    {
        foreach ([30 => false, 300 => true] as $age => $stale) {
            $synchronized = (time() - $age) * 1000 + 123;
            $name = "{$this->prefix}:big_segments_metadata";
            $row = ['synchronizedOn' => ['N' => (string) $synchronized]];
            Endpoint::local()->put($this->prefix, 'big_segments_metadata', $name, $row);
            $metadata = $this->segments()->getMetadata();
            self::assertSame(intdiv($synchronized, 1000), $metadata->getLastUpToDate());
            self::assertSame($stale, $metadata->isStale(120));
        }
    }

    public function testIncludedWinsOverExcluded(): void
    {
        $sets = ['included' => ['SS' => ['a.g1', 'b.g1']], 'excluded' => ['SS' => ['b.g1', 'c.g1']]];
        Endpoint::local()->put($this->prefix, 'big_segments_user', 'hash', $sets);
        $membership = $this->segments()->getMembership('hash');
        ksort($membership);
        self::assertSame(['a.g1' => true, 'b.g1' => true, 'c.g1' => false], $membership);
    }

    public function testAFailureIsAnException(): void
    {
        $segments = $this->segments(['dynamodb_table' => 'no-such-table']);
        foreach ([fn () => $segments->getMetadata(), fn () => $segments->getMembership('hash')] as $call) {
            self::assertSame('STORE_ERROR_TABLE_NOT_FOUND', self::failure($call)->codeName);
        }
    }

    private function segments(array $options = []): BigSegmentsStore
    {
        return DynamoDb::bigSegmentsStore($options + [
            'dynamodb_table' => Endpoint::TABLE,
            'dynamodb_prefix' => $this->prefix,
            'dynamodb_options' => Endpoint::local()->awsOptions(),
        ]);
    }
}
