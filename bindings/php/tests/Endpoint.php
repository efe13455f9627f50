<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * A DynamoDB endpoint on loopback, with the table ready. Each kind is started once, and ends with this process.
 */
final class Endpoint
{
    public const TABLE = 'flags';
    public const SECRET = 'secret-that-must-not-show';

    private static ?Endpoint $local = null;
    private static ?Endpoint $dynalite = null;

    private function __construct(public readonly string $url, private readonly ?Process $process = null)
    {
    }

    /**
     * flagstore-local: the one that FLAGSTORE_LOCAL names, or that of the release build.
     */
    public static function local(): self
    {
        return self::$local ??= self::started([
            getenv('FLAGSTORE_LOCAL') ?: self::repository() . '/target/release/flagstore-local',
            '--exit-with-stdin',
        ]);
    }

    /**
     * npm's dynalite. Null where there is no Node.js or no npm.
     */
    public static function dynalite(): ?self
    {
        foreach (['node', 'npm'] as $program) {
            if (Process::run(['which', $program])[0] !== 0) {
                return null;
            }
        }
        return self::$dynalite ??= self::started([
            self::repository() . '/tests/dynalite/start', '--exit-with-stdin', '--table', self::TABLE,
        ]);
    }

    public static function at(string $url): self
    {
        return new self($url);
    }

    public static function repository(): string
    {
        return dirname(__DIR__, 3);
    }

    /**
     * What Flagstore\Store needs to use it.
     *
     * @return array<string, string>
     */
    public function options(): array
    {
        return [
            'table' => self::TABLE,
            'endpoint' => $this->url,
            'region' => 'us-east-1',
            'access_key_id' => 'test',
            'secret_access_key' => self::SECRET,
        ];
    }

    /**
     * What the AWS SDK for PHP needs to use it.
     *
     * @return array<string, mixed>
     */
    public function awsOptions(): array
    {
        return [
            'endpoint' => $this->url,
            'region' => 'us-east-1',
            'version' => '2012-08-10',
            'credentials' => ['key' => 'test', 'secret' => self::SECRET],
        ];
    }

    /**
     * Writes a row past the library.
     *
     * @param array<string, array<string, mixed>> $attributes typed as DynamoDB types them
     */
    public function put(?string $prefix, string $kind, string $key, array $attributes): void
    {
        $row = self::rowKey($prefix, $kind, $key) + $attributes;
        Http::dynamoDb($this->url, 'PutItem', ['TableName' => self::TABLE, 'Item' => $row]);
    }

    /**
     * A row's attributes as DynamoDB has them, or null.
     *
     * @return array<string, array<string, mixed>>|null
     */
    public function row(?string $prefix, string $kind, string $key): ?array
    {
        return Http::dynamoDb($this->url, 'GetItem', [
            'TableName' => self::TABLE, 'Key' => self::rowKey($prefix, $kind, $key), 'ConsistentRead' => true,
        ])['Item'] ?? null;
    }

    private static function rowKey(?string $prefix, string $kind, string $key): array
    {
        $namespace = $prefix === null || $prefix === '' ? $kind : "{$prefix}:{$kind}";
        return ['namespace' => ['S' => $namespace], 'key' => ['S' => $key]];
    }

    private static function started(array $command): self
    {
        $process = new Process($command);
        return new self($process->ready()['url'], $process);
    }
}
