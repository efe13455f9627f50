<?php

declare(strict_types=1);

namespace Flagstore\Tests\LaunchDarkly;

use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\LaunchDarkly\FeatureRequester;
use Flagstore\Tests\Endpoint;
use Flagstore\Tests\RecordingLogger;
use Flagstore\Tests\TestCase;
use LaunchDarkly\LDClient;
use LaunchDarkly\LDContext;
use Psr\Log\LoggerInterface;
use Psr\Log\LoggerTrait;
use Psr\Log\NullLogger;

/**
 * Rows that the SDK cannot read, each among others that it can: they hide nobody, fail nothing, and are reported once.
 */
final class UnreadableRowsTest extends TestCase
{
    /**
     * @return iterable<string, array{string, array<string, mixed>}>
     */
    public static function unreadable(): iterable
    {
        foreach (self::data()['unreadable'] as $kind => $rows) {
            foreach ($rows as $row) {
                yield "{$kind}, {$row['name']}" => [$kind, $row];
            }
        }
    }

    /**
     * @dataProvider unreadable
     */
    public function testAnUnreadableRowHidesNoOther(string $kind, array $row): void
    {
        $readable = self::data()['readable'];
        foreach ($readable as $others => $texts) {
            foreach ($texts as $key => $text) {
                $this->put($others, $key, 3, $text);
            }
        }
        $this->put('features', 'using', 1, self::using($row['name']));
        $this->put($kind, $row['name'], $row['version'], self::text($row));

        $logger = new RecordingLogger();
        $requester = $this->requester(['logger' => $logger]);
        $flags = $requester->getAllFeatures();
        self::assertSame([], array_diff(array_keys($readable['features']), array_keys($flags)));
        self::assertNotFalse(json_encode(array_map(static fn (object $flag): array => $flag->getVariations(), $flags)));
        $found = $kind === 'features' ? $requester->getFeature($row['name']) : $requester->getSegment($row['name']);
        self::assertTrue($found === null || !$row['everywhere']);
        if ($kind === 'features') {
            self::assertSame($found !== null, isset($flags[$row['name']]));
        }
        if (class_exists(LDClient::class)) {
            $this->evaluateAll($row['name']);
        }

        $reports = self::reports($logger);
        self::assertCount($found === null ? 1 : 0, $reports);
        foreach ($reports as $report) {
            self::assertStringContainsString("the item \"{$row['name']}\" in \"{$kind}\" is left out", $report);
            self::assertStringContainsString('version 3', $report);
            self::assertStringNotContainsString('"on"', $report);
            self::assertStringNotContainsString('[[', $report);
        }
    }

    public function testEachVersionOfARowIsReportedOnce(): void
    {
        $logger = new RecordingLogger();
        $requester = $this->requester(['logger' => $logger]);
        foreach ([3, 4] as $version) {
            $this->put('features', 'bad', $version, 'p4yl0ad');
            $this->put('segments', 'bad', $version, 'p4yl0ad');
            foreach ([1, 2] as $_) {
                self::assertSame([], $requester->getAllFeatures());
                self::assertNull($requester->getFeature('bad'));
                self::assertNull($requester->getSegment('bad'));
            }
        }
        self::assertCount(4, array_unique(self::reports($logger)));
        self::assertCount(4, self::reports($logger));
        self::assertStringNotContainsString('p4yl0ad', print_r($logger->records, true));
    }

    public function testWhatTheSdkCachedHidesNoOtherEither(): void
    {
        $this->put('features', 'bad', 1, '"p4yl0ad"');
        foreach (self::data()['readable']['features'] as $key => $text) {
            $this->put('features', $key, 3, $text);
        }
        foreach ([1, 0] as $reports) {
            $logger = new RecordingLogger();
            $requester = $this->requester(['logger' => $logger, 'apc_expiration' => 60]);
            self::assertCount(2, $requester->getAllFeatures());
            self::assertNull($requester->getFeature('bad'));
            self::assertCount($reports, self::reports($logger));
        }
    }

    public function testAKeyForgesNoLineOfTheLog(): void
    {
        $this->put('features', "k\nCRITICAL forged \e[2K", 1, 'p4yl0ad');
        $logger = new RecordingLogger();
        self::assertSame([], $this->requester(['logger' => $logger])->getAllFeatures());
        self::assertMatchesRegularExpression('/\A[[:print:]]+\z/', self::reports($logger)[0]);
    }

    public function testALoggerThatFailsHidesNoRow(): void
    {
        $logger = new class implements LoggerInterface {
            use LoggerTrait;

            public function log($level, string|\Stringable $message, array $context = []): void
            {
                throw new \RuntimeException('nobody is there');
            }
        };
        $this->put('features', 'bad', 1, 'p4yl0ad');
        $this->put('features', 'good', 3, self::data()['readable']['features']['a readable flag']);
        self::assertCount(1, $this->requester(['logger' => $logger])->getAllFeatures());
    }

    private function evaluateAll(string $key): void
    {
        $client = new LDClient('sdk-key', $this->configuration() + [
            'feature_requester' => DynamoDb::featureRequester(),
            'send_events' => false,
            'logger' => new NullLogger(),
        ]);
        $user = LDContext::create('u');
        // Of some rows the SDK's evaluator makes warnings, which PHPUnit makes exceptions of.
        $state = @$client->allFlagsState($user);
        self::assertTrue($state->isValid());
        self::assertTrue(json_decode(json_encode($state, JSON_THROW_ON_ERROR), true)['a readable flag']);
        self::assertTrue($client->variation('the last readable flag', $user, 'default'));
        @$client->variation($key, $user, 'default');
        self::assertContains($client->variation('using', $user, 'default'), ['in', 'out']);
    }

    private function put(string $kind, string $key, int $version, string $text): void
    {
        Endpoint::local()->put($this->prefix, $kind, $key, ['version' => ['N' => (string) $version], 'item' => ['S' => $text]]);
    }

    private function requester(array $options): FeatureRequester
    {
        return DynamoDb::featureRequester()('', '', $options + $this->configuration());
    }

    /**
     * @return array<string, mixed>
     */
    private function configuration(): array
    {
        return [
            'dynamodb_table' => Endpoint::TABLE,
            'dynamodb_options' => Endpoint::local()->awsOptions(),
            'dynamodb_prefix' => $this->prefix,
        ];
    }

    /**
     * @return list<string>
     */
    private static function reports(RecordingLogger $logger): array
    {
        return array_values(preg_grep('/is left out/', explode("\n", $logger->text('warning'))));
    }

    private static function text(array $row): string
    {
        $nesting = $row['nesting'] ?? 0;
        return str_replace('<>', str_repeat('[', $nesting) . str_repeat(']', $nesting), $row['item']);
    }

    /**
     * A flag that asks whether a user is in a segment.
     */
    private static function using(string $segment): string
    {
        $clause = ['attribute' => '', 'op' => 'segmentMatch', 'values' => [$segment], 'negate' => false];
        return json_encode([
            'key' => 'using', 'version' => 1, 'on' => true, 'prerequisites' => [], 'salt' => '', 'targets' => [],
            'rules' => [['id' => 'r', 'variation' => 0, 'clauses' => [$clause]]], 'fallthrough' => ['variation' => 1],
            'offVariation' => null, 'variations' => ['in', 'out'], 'deleted' => false,
        ]);
    }

    /**
     * @return array<string, array<string, array<mixed>>>
     */
    private static function data(): array
    {
        static $data = null;
        return $data ??= json_decode(file_get_contents(Endpoint::repository() . '/tests/data/unreadable_rows.json'), true);
    }
}
