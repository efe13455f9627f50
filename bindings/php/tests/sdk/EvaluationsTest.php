<?php

declare(strict_types=1);

namespace Flagstore\Tests\Sdk;

use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\Tests\Endpoint;
use Flagstore\Tests\TestCase;
use LaunchDarkly\EvaluationDetail;
use LaunchDarkly\Impl\Integrations\FeatureRequesterBase;
use LaunchDarkly\LDClient;
use LaunchDarkly\LDContext;
use Psr\Log\NullLogger;

/**
 * The SDK evaluates every case of tests/data/evaluations.json out of a table, as it does out of memory.
 */
final class EvaluationsTest extends TestCase
{
    /** Where the SDK, version 6.8.2, answers otherwise than the others do, out of memory too: to PHP a list is an array with keys. */
    private const ODD = ['attribute references #14, array index is not supported'];

    public function testEveryEvaluationIsRight(): void
    {
        $text = file_get_contents(Endpoint::repository() . '/tests/data/evaluations.json');
        [$total, $wrong] = [0, []];
        foreach (json_decode($text, false, 512, JSON_THROW_ON_ERROR)->suites as $number => $suite) {
            $prefix = "{$this->prefix}-{$number}";
            $data = ['flags' => $suite->flags, 'segments' => $suite->segments];
            $this->store(['prefix' => $prefix])->initJson(json_encode($data, JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR));
            $client = self::client(DynamoDb::featureRequester([
                'dynamodb_table' => Endpoint::TABLE,
                'dynamodb_prefix' => $prefix,
                'dynamodb_options' => Endpoint::local()->awsOptions(),
            ]));
            $memory = self::client(self::memory($suite));
            foreach ($suite->evaluations as $evaluation) {
                $context = LDContext::fromJson(json_encode(self::context($evaluation->context)));
                $default = json_decode(json_encode($evaluation->default ?? null), true);
                $name = "{$suite->name}, " . ($evaluation->name ?? $evaluation->flagKey);
                $answer = self::text(self::answer($client->variationDetail($evaluation->flagKey, $context, $default)));
                $inMemory = self::text(self::answer($memory->variationDetail($evaluation->flagKey, $context, $default)));
                self::assertSame($inMemory, $answer, $name);
                if (self::text((array) $evaluation->expect + ['variationIndex' => null]) !== $answer) {
                    $wrong[] = $name;
                }
                $total++;
            }
        }
        self::assertSame(720, $total);
        self::assertSame(self::ODD, $wrong);
    }

    private static function client(mixed $requester): LDClient
    {
        return new LDClient('sdk-key', ['feature_requester' => $requester, 'send_events' => false, 'logger' => new NullLogger()]);
    }

    private static function memory(\stdClass $suite): FeatureRequesterBase
    {
        return new class ($suite) extends FeatureRequesterBase {
            public function __construct(private readonly \stdClass $suite)
            {
                parent::__construct('', '', []);
            }

            protected function readItemString(string $namespace, string $key): ?string
            {
                $item = $this->suite->{$namespace === 'features' ? 'flags' : 'segments'}->{$key} ?? null;
                return $item === null ? null : json_encode($item, JSON_PRESERVE_ZERO_FRACTION);
            }
        };
    }

    /**
     * @return array<string, mixed>
     */
    private static function answer(EvaluationDetail $detail): array
    {
        return ['value' => $detail->getValue(), 'variationIndex' => $detail->getVariationIndex(), 'reason' => $detail->getReason()];
    }

    /**
     * As JSON with sorted keys; the SDK makes no difference between an empty object and an empty array.
     */
    private static function text(array $answer): string
    {
        $plain = json_decode(json_encode($answer), true);
        $sort = static function (array &$part) use (&$sort): void {
            ksort($part);
            foreach ($part as &$inner) {
                is_array($inner) && $sort($inner);
            }
        };
        $sort($plain);
        return json_encode($plain);
    }

    /**
     * Users of the time before contexts have no kind, and their own attributes apart; the SDK takes contexts only.
     */
    private static function context(\stdClass $given): \stdClass
    {
        if (isset($given->kind)) {
            return $given;
        }
        $known = array_diff_key((array) $given, ['custom' => null]);
        return (object) (['kind' => 'user'] + $known + (array) ($given->custom ?? []));
    }
}
