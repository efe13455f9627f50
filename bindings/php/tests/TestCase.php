<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Store;
use Flagstore\StoreException;
use Flagstore\Transport;

/**
 * Runs with the transport that FLAGSTORE_TRANSPORT names: `tests/run` runs everything once with each.
 */
abstract class TestCase extends \PHPUnit\Framework\TestCase
{
    private static int $prefixes = 0;
    protected string $prefix;

    protected function setUp(): void
    {
        $this->prefix = 'php-' . getmypid() . '-' . ++self::$prefixes;
        self::assertSame(self::transport(), Store::transport(), 'PHP runs with another transport than the tests');
    }

    protected static function transport(): Transport
    {
        return Transport::from(getenv('FLAGSTORE_TRANSPORT') ?: 'ffi');
    }

    /**
     * A store on the local endpoint, under the test's own prefix.
     *
     * @param array<string, mixed> $options
     */
    protected function store(array $options = [], ?object $logger = null): Store
    {
        return Store::open($options + $this->options(), $logger);
    }

    /**
     * @return array<string, mixed>
     */
    protected function options(): array
    {
        return Endpoint::local()->options() + ['prefix' => $this->prefix];
    }

    protected static function failure(\Closure $call): StoreException
    {
        try {
            $call();
        } catch (StoreException $error) {
            self::assertStringStartsWith('STORE_ERROR_', $error->codeName);
            self::assertLessThan(0, $error->getCode());
            self::assertShowsNoSecret($error);
            return $error;
        }
        self::fail('nothing was thrown');
    }

    /**
     * The names of all options, as the library says them.
     *
     * @return list<string>
     */
    protected static function optionNames(): array
    {
        $error = self::failure(static fn () => Store::open(['table' => Endpoint::TABLE, 'tabel' => 'x']));
        preg_match_all('/\w+/', explode('there are ', $error->getMessage())[1], $names);
        return array_values(array_diff($names[0], ['and']));
    }

    /**
     * Neither the message nor the package's part of the stack trace holds a credential or a payload.
     */
    protected static function assertShowsNoSecret(\Throwable $error): void
    {
        $shown = $error->getMessage();
        foreach ($error->getTrace() as $frame) {
            $class = $frame['class'] ?? '';
            if (str_starts_with($class, 'Flagstore\\') && !str_starts_with($class, __NAMESPACE__)) {
                self::assertArrayHasKey('args', $frame, 'zend.exception_ignore_args hides what is to be looked at');
                $shown .= print_r($frame['args'], true);
            }
        }
        self::assertStringNotContainsString(Endpoint::SECRET, $shown, 'a credential shows');
        self::assertStringNotContainsString('p4yl0ad', $shown, 'a payload shows');
    }

    /**
     * Runs PHP with the transport of the tests, and nothing of the system's php.ini but what is named.
     *
     * @param list<string> $arguments
     * @param array<string, string|null> $environment
     * @return array{int, string}
     */
    protected static function php(array $arguments, array $environment = [], int $seconds = 60): array
    {
        return Process::run([PHP_BINARY, '-n', ...self::phpOptions(self::transport()), ...$arguments], $environment, $seconds);
    }

    /**
     * @return list<string>
     */
    protected static function phpOptions(?Transport $transport): array
    {
        $options = [...Build::phpOptions(), '-d', 'log_errors=0'];
        return match ($transport) {
            Transport::Extension => [...$options, '-d', 'extension=' . getenv('FLAGSTORE_EXTENSION')],
            Transport::Ffi => [...$options, '-d', 'extension=ffi', '-d', 'ffi.enable=1'],
            null => $options,
        };
    }
}
