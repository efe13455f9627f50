<?php

declare(strict_types=1);

namespace Flagstore\Tests\Sdk;

use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\Tests\Endpoint;
use Flagstore\Tests\RecordingLogger;
use Flagstore\Tests\TestCase;
use LaunchDarkly\LDClient;
use LaunchDarkly\LDContext;
use LaunchDarkly\Types\BigSegmentsConfig;
use Psr\Log\NullLogger;

/**
 * What an application sees of the SDK's client, beyond single evaluations.
 */
final class ClientTest extends TestCase
{
    private const FLAG = ['version' => 1, 'on' => true, 'prerequisites' => [], 'salt' => '', 'targets' => [], 'rules' => [],
        'fallthrough' => ['variation' => 0], 'offVariation' => 1, 'variations' => ['a', 'b'], 'deleted' => false];

    public function testAllFlagsState(): void
    {
        $store = $this->store();
        $store->upsert('features', 'one', 1, json_encode(['key' => 'one'] + self::FLAG));
        Endpoint::local()->put($this->prefix, 'features', 'gone', ['version' => ['N' => '1'], 'item' => ['S' => 'null']]);
        $state = $this->client()->allFlagsState(LDContext::create('user'));
        self::assertTrue($state->isValid());
        self::assertSame(['one' => 'a'], $state->toValuesMap());
    }

    public function testATableThatIsMissingIsNoExceptionForTheApplication(): void
    {
        $logger = new RecordingLogger();
        $client = $this->client(['dynamodb_table' => 'no-such-table', 'logger' => $logger]);
        self::assertFalse($client->allFlagsState(LDContext::create('user'))->isValid());
        self::assertSame('default', $client->variation('one', LDContext::create('user'), 'default'));
        self::assertStringContainsString('no-such-table', $logger->text('error'));
    }

    public function testBigSegmentsDecide(): void
    {
        $rule = ['id' => 'r', 'variation' => 1, 'clauses' => [
            ['attribute' => '', 'op' => 'segmentMatch', 'values' => ['big'], 'negate' => false],
        ]];
        $this->store()->init(['features' => [
            'flag' => new \Flagstore\Item(1, json_encode(['key' => 'flag', 'rules' => [$rule]] + self::FLAG)),
        ], 'segments' => [
            'big' => new \Flagstore\Item(1, json_encode(['key' => 'big', 'version' => 1, 'unbounded' => true, 'generation' => 2,
                'included' => [], 'excluded' => [], 'rules' => [], 'salt' => '', 'deleted' => false])),
        ]]);
        foreach (['HEALTHY' => 0, 'STALE' => 1000] as $status => $age) {
            $name = "{$this->prefix}:big_segments_metadata";
            $synchronized = ['synchronizedOn' => ['N' => (string) ((time() - $age) * 1000)]];
            Endpoint::local()->put($this->prefix, 'big_segments_metadata', $name, $synchronized);
            $hash = base64_encode(hash('sha256', 'member', true));
            Endpoint::local()->put($this->prefix, 'big_segments_user', $hash, ['included' => ['SS' => ['big.g2']]]);
            $client = $this->client(['big_segments' => new BigSegmentsConfig(DynamoDb::bigSegmentsStore($this->settings()))]);
            $detail = $client->variationDetail('flag', LDContext::create('member'), 'default');
            self::assertSame('b', $detail->getValue());
            self::assertSame($status, json_decode(json_encode($detail->getReason()))->bigSegmentsStatus);
            self::assertSame('a', $client->variation('flag', LDContext::create('stranger'), 'default'));
        }
    }

    private function client(array $options = []): LDClient
    {
        return new LDClient('sdk-key', $options + [
            'feature_requester' => DynamoDb::featureRequester(),
            'send_events' => false,
            'logger' => new NullLogger(),
        ] + $this->settings());
    }

    /**
     * @return array<string, mixed>
     */
    private function settings(): array
    {
        return [
            'dynamodb_table' => Endpoint::TABLE,
            'dynamodb_prefix' => $this->prefix,
            'dynamodb_options' => Endpoint::local()->awsOptions(),
        ];
    }
}
