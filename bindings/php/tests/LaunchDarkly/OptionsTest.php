<?php

declare(strict_types=1);

namespace Flagstore\Tests\LaunchDarkly;

use Flagstore\LaunchDarkly\AwsOptions;
use Flagstore\LaunchDarkly\DynamoDb;
use Flagstore\LaunchDarkly\InvalidOptionException;
use Flagstore\Tests\Endpoint;
use Flagstore\Tests\RecordingLogger;
use Flagstore\Tests\TestCase;
use Flagstore\Transport;

/**
 * Options of the SDK's own integration: translated, or refused by name.
 */
final class OptionsTest extends TestCase
{
    /**
     * @return iterable<string, array{array<string, mixed>, array<string, mixed>}>
     */
    public static function translated(): iterable
    {
        yield 'none' => [[], []];
        yield 'region' => [['region' => 'eu-west-1', 'version' => 'latest'], ['region' => 'eu-west-1']];
        yield 'endpoint' => [['endpoint' => 'http://e', 'profile' => 'p'], ['endpoint' => 'http://e', 'profile' => 'p']];
        yield 'variants' => [['use_fips_endpoint' => true, 'use_dual_stack_endpoint' => false], ['use_fips' => true, 'use_dual_stack' => false]];
        yield 'credentials' => [
            ['credentials' => ['key' => 'k', 'secret' => 's', 'token' => 't', 'expires' => null]],
            ['access_key_id' => 'k', 'secret_access_key' => 's', 'session_token' => 't'],
        ];
        yield 'credentials as an object' => [
            ['credentials' => new class {
                public function toArray(): array
                {
                    return ['key' => 'k', 'secret' => 's', 'token' => null, 'expires' => null, 'accountId' => null];
                }
            }],
            ['access_key_id' => 'k', 'secret_access_key' => 's', 'session_token' => null],
        ];
        yield 'timeouts' => [
            ['http' => ['connect_timeout' => 0.5, 'timeout' => 3]],
            ['connect_timeout_ms' => 500, 'attempt_timeout_ms' => 3000],
        ];
        yield 'a timeout above that of the call' => [['http' => ['timeout' => 8]], ['attempt_timeout_ms' => 8000, 'timeout_ms' => 8000]];
        yield 'certificates' => [['http' => ['verify' => '/ca.pem']], ['ca_bundle' => '/ca.pem']];
        yield 'checked certificates' => [['http' => ['verify' => true]], []];
        yield 'retries' => [['retries' => 2], ['timeout_ms' => 6000]];
        yield 'no retries' => [['retries' => 0, 'http' => ['timeout' => 1]], ['attempt_timeout_ms' => 1000, 'timeout_ms' => 1000]];
        yield 'attempts' => [
            ['http' => ['timeout' => 0.5], 'retries' => ['mode' => 'adaptive', 'max_attempts' => 4]],
            ['attempt_timeout_ms' => 500, 'timeout_ms' => 2000],
        ];
        yield 'one attempt, and a slow connection' => [
            ['http' => ['connect_timeout' => 3, 'timeout' => 1], 'retries' => 0],
            ['connect_timeout_ms' => 3000, 'attempt_timeout_ms' => 1000, 'timeout_ms' => 3000],
        ];
        yield 'a mode alone' => [['retries' => ['mode' => 'standard']], []];
        yield 'proxy' => [['http' => ['proxy' => 'http://p:3128']], ['proxy' => 'http://p:3128']];
        yield 'null' => [['retries' => null, 'http' => ['proxy' => null]], []];
        yield 'what only silences a warning' => [['suppress_php_deprecation_warning' => true], []];
    }

    /**
     * @dataProvider translated
     */
    public function testWhatCanCrossIsTranslated(array $given, array $expected): void
    {
        self::assertSame($expected, AwsOptions::translated($given));
    }

    /**
     * @return iterable<string, array{array<string, mixed>, string}>
     */
    public static function refused(): iterable
    {
        yield 'retries' => [['retries' => -1], '"retries" of dynamodb_options takes a number of 0 or more, or an array'];
        yield 'retries of another kind' => [['retries' => 'many'], '"retries" of dynamodb_options takes a number of 0 or more, or an array'];
        yield 'unknown of retries' => [['retries' => ['attempts' => 3]], '"retries" of dynamodb_options takes'];
        yield 'no attempt' => [['retries' => ['max_attempts' => 0]], '"retries" of dynamodb_options takes'];
        yield 'scheme' => [['scheme' => 'http'], '"scheme" of dynamodb_options is decided by the endpoint'];
        yield 'handler' => [['http_handler' => fn () => null], '"http_handler" of dynamodb_options has no counterpart'];
        yield 'proxies' => [['http' => ['proxy' => ['https' => 'http://p']]], '"http.proxy" of dynamodb_options takes the URL of the one proxy'];
        yield 'unknown' => [['regoin' => 'x'], '"regoin" of dynamodb_options has no counterpart in flagstore: leave it out'];
        yield 'unknown of http' => [['http' => ['stream' => true]], '"http.stream" of dynamodb_options has no counterpart'];
        yield 'http' => [['http' => 5], '"http" of dynamodb_options takes an array, not int'];
        yield 'no limit' => [['http' => ['timeout' => 0]], '"http.timeout" of dynamodb_options takes a number of seconds above 0'];
        yield 'unchecked' => [['http' => ['verify' => false]], '"http.verify" of dynamodb_options is false, and certificates are always checked'];
        yield 'a provider' => [['credentials' => fn () => null], '"credentials" of dynamodb_options takes an array with key, secret'];
        yield 'anonymous' => [['credentials' => false], '"credentials" of dynamodb_options takes an array'];
        yield 'expiring' => [
            ['credentials' => ['key' => 'k', 'secret' => Endpoint::SECRET, 'expires' => 1]],
            '"credentials.expires" of dynamodb_options has no counterpart: credentials that are given here do not change',
        ];
    }

    /**
     * @dataProvider refused
     */
    public function testWhatCannotCrossIsRefusedByNameWithARemedy(array $given, string $message): void
    {
        $this->assertRefused(['dynamodb_options' => $given], $message);
    }

    public function testDefaultsAreTheLibrarys(): void
    {
        $readme = (string) file_get_contents(Endpoint::repository() . '/README.md');
        foreach (['DEFAULT_TIMEOUT_MS' => 'timeout_ms', 'DEFAULT_ATTEMPT_TIMEOUT_MS' => 'attempt_timeout_ms'] as $constant => $option) {
            $value = (new \ReflectionClassConstant(AwsOptions::class, $constant))->getValue();
            self::assertStringContainsString("| `{$option}` | ms | " . number_format($value) . ' |', $readme);
        }
    }

    public function testAnOptionOfThisIntegrationThatIsUnknownIsNamed(): void
    {
        $this->assertRefused(['dynamodb_tabel' => 'x'], 'there is no option "dynamodb_tabel": there are dynamodb_table, dynamodb_prefix');
        $this->assertRefused(['dynamo_client' => 'x'], 'there is no option "dynamo_client"');
        $this->assertRefused(['flagstore_cache' => 5], 'there is no option "flagstore_cache"');
        self::assertNotNull(DynamoDb::featureRequester(['dynamodb_table' => 'flags', 'dynamodb_tabel' => null])('', '', ['other' => 1]));
    }

    public function testWhatIsRefusedIsOneOfThisPackagesExceptions(): void
    {
        $this->expectException(\Flagstore\ExceptionInterface::class);
        DynamoDb::bigSegmentsStore([]);
    }

    public function testTheDoctorTakesTheSameOptions(): void
    {
        $this->store()->init(['features' => []]);
        $options = [
            'dynamodb_table' => 'flags', 'dynamodb_prefix' => $this->options()['prefix'], 'apc_expiration' => 30,
            'dynamodb_options' => Endpoint::local()->awsOptions(), 'flagstore_options' => ['timeout_ms' => 10_000],
            'logger' => new RecordingLogger(),
        ];
        $report = DynamoDb::doctor($options);
        self::assertSame(0, $report->problems, print_r($report, true));
        self::assertStringNotContainsString(Endpoint::SECRET, print_r($report, true));
        $missing = DynamoDb::doctor(['dynamodb_table' => 'no-such-table'] + $options);
        self::assertSame(1, $missing->problems);
        foreach ([['flagstore_options' => ['tabel' => 'x']], ['dynamodb_options' => ['regoin' => 'x']]] as $wrong) {
            try {
                DynamoDb::doctor($wrong + $options);
                self::fail('nothing was thrown');
            } catch (InvalidOptionException $refused) {
                self::assertMatchesRegularExpression('/tabel|regoin/', $refused->getMessage());
            }
        }
    }

    public function testDumpsShowNoSecret(): void
    {
        $options = [
            'dynamodb_table' => 'flags', 'dynamodb_prefix' => 'production',
            'dynamodb_options' => Endpoint::local()->awsOptions(),
            'flagstore_options' => ['session_token' => 'token-' . Endpoint::SECRET],
        ];
        $factory = DynamoDb::featureRequester($options);
        $requester = $factory('', 'sdk-' . Endpoint::SECRET, ['logger' => new RecordingLogger()]);
        foreach ([$factory, $requester, DynamoDb::bigSegmentsStore($options)] as $object) {
            ob_start();
            var_dump($object);
            $shown = ob_get_clean() . print_r($object, true);
            self::assertStringNotContainsString(Endpoint::SECRET, $shown);
        }
        self::assertStringContainsString('table "flags", prefix "production"', print_r($requester, true));
    }

    public function testWhichFlagsTheseAreIsLogged(): void
    {
        $logger = new RecordingLogger();
        $endpoint = str_replace('//', '//user:' . Endpoint::SECRET . '@', Endpoint::local()->url);
        $options = ['dynamodb_table' => 'flags', 'dynamodb_options' => ['endpoint' => $endpoint] + Endpoint::local()->awsOptions()];
        DynamoDb::featureRequester($options)('', '', ['logger' => $logger]);
        $place = Endpoint::local()->url;
        self::assertMatchesRegularExpression(
            "#^flagstore: using table \"flags\", no prefix, endpoint {$place}, region us-east-1; libflagstore [\d.]+, .+$#",
            $logger->text('debug')
        );
    }

    public function testTheTableIsRequired(): void
    {
        $this->assertRefused(['dynamodb_table' => null], 'dynamodb_table must be specified');
        $this->assertRefused(['dynamodb_table' => ''], 'dynamodb_table must be specified');
    }

    public function testAClientOfTheAwsSdkIsRefusedWithWhatToDo(): void
    {
        $this->assertRefused(
            ['dynamodb_client' => new \stdClass()],
            'leave it out, and pass the region, endpoint and credentials that the client was made with in dynamodb_options'
        );
    }

    public function testAnOptionOfTheStoreThatIsUnknownIsNamed(): void
    {
        $this->assertRefused(['flagstore_options' => ['cache_ttl' => 5]], '"cache_ttl"');
    }

    public function testTheTransportIsAnOption(): void
    {
        $this->assertRefused(['flagstore_transport' => 'ffi'], 'flagstore_transport takes a Flagstore\Transport');
        $options = ['dynamodb_table' => 'flags', 'flagstore_transport' => self::transport()];
        self::assertNotNull(DynamoDb::featureRequester($options)('', '', []));
        $this->expectException(\Flagstore\LibraryException::class);
        $other = self::transport() === Transport::Ffi ? Transport::Extension : Transport::Ffi;
        DynamoDb::bigSegmentsStore(['flagstore_transport' => $other] + $options);
    }

    public function testOptionsOfTheStoreWin(): void
    {
        $options = [
            'dynamodb_table' => 'flags',
            'dynamodb_options' => ['endpoint' => 'http://127.0.0.1:1'] + Endpoint::local()->awsOptions(),
            'flagstore_options' => ['endpoint' => Endpoint::local()->url],
        ];
        self::assertNull(DynamoDb::featureRequester($options)('', '', [])->getFeature('missing'));
    }

    private function assertRefused(array $options, string $message): void
    {
        foreach (
            [
                fn () => DynamoDb::featureRequester($options)('', '', ['dynamodb_table' => 'flags']),
                fn () => DynamoDb::bigSegmentsStore($options + ['dynamodb_table' => 'flags']),
            ] as $call
        ) {
            try {
                $call();
                self::fail('it was taken');
            } catch (\InvalidArgumentException $error) {
                self::assertStringContainsString($message, $error->getMessage());
                self::assertShowsNoSecret($error);
            }
        }
    }
}
