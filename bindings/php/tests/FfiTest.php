<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Ffi;
use Flagstore\Item;
use Flagstore\Library;
use Flagstore\Places;

/**
 * What FFI alone has to do: declare the functions, find the library, and close what PHP will not.
 *
 * @group ffi
 */
final class FfiTest extends TestCase
{
    public function testTheHeaderIsReadWholeAndHasTheAbiOfThisPackage(): void
    {
        $header = file_get_contents(dirname(__DIR__) . '/src/flagstore_cdef.h');
        self::assertSame(file_get_contents(Endpoint::repository() . '/include/flagstore_cdef.h'), $header);
        $library = \FFI::cdef($header, Library::path());
        self::assertSame(Library::ABI, $library->STORE_ABI_VERSION);
        self::assertSame(Library::ABI, $library->store_abi_version());
        $sources = array_map(static fn (string $class): string
            => file_get_contents((new \ReflectionClass($class))->getFileName()), [Ffi::class, Places::class, Library::class]);
        preg_match_all('/(?:library|probe)->(store_\w+)\(/', implode($sources), $used);
        self::assertGreaterThan(15, count(array_unique($used[1])));
        foreach ($used[1] as $function) {
            self::assertStringContainsString("{$function}(", $header);
        }
    }

    public function testAWrongVariableIsFatal(): void
    {
        $said = self::opened(['FLAGSTORE_LIBRARY' => '/nowhere/libflagstore.so']);
        self::assertStringContainsString('FLAGSTORE_LIBRARY is "/nowhere/libflagstore.so", and there is no such file', $said);
    }

    public function testAFileThatIsNoLibraryIsFatal(): void
    {
        $said = self::opened(['FLAGSTORE_LIBRARY' => __FILE__]);
        self::assertStringContainsString(__FILE__ . ' cannot be used as libflagstore: ', $said);
    }

    public function testWithoutVariableAndCopyTheSystemIsAsked(): void
    {
        $said = self::opened(['FLAGSTORE_LIBRARY' => null]);
        self::assertMatchesRegularExpression('/^0 ffi$|libflagstore was not found for [\w-]+: FLAGSTORE_LIBRARY is not set, .* is not there \(this package has no library\), and the system says: /', $said);
        $folder = dirname(realpath(Library::path()));
        self::assertSame('0 ffi', self::opened(['FLAGSTORE_LIBRARY' => null, 'LD_LIBRARY_PATH' => $folder]));
    }

    public function testAFatalErrorLeavesNoHandleOpen(): void
    {
        // The same process goes on as a worker does, by a server that is PHP's own.
        $code = 'require "' . __DIR__ . '/bootstrap.php"; $s = Flagstore\Store::open(["table" => "t"]);'
            . 'register_shutdown_function(function () { register_shutdown_function(function () { try {'
            . '(new ReflectionProperty("Flagstore\Store", "opened"))->getValue($GLOBALS["s"])->statistics(); echo "open";'
            . '} catch (Flagstore\StoreException $e) { echo "closed"; } }); });'
            . 'ini_set("memory_limit", "8M"); str_repeat("x", 9000000);';
        [, $said] = self::php(['-r', $code]);
        self::assertStringContainsString('Allowed memory size', $said);
        self::assertStringEndsWith('closed', $said);
    }

    /**
     * PHP runs a signal's handler right after the call during which the signal came, before the next line. 388 KB a time, if
     * what the call got were lost then.
     */
    public function testAHandlerThatThrowsLosesNothing(): void
    {
        $store = $this->store();
        $store->init(['features' => ['flag' => new Item(1, str_repeat('x', 388_000))]]);
        $calls = [
            'get' => static fn () => $store->get('features', 'flag'),
            'all' => static fn () => $store->all('features'),
            'upsert' => static fn () => $store->upsert('features', 'flag', 1, '{}'),
        ];
        $interrupted = static function (\Closure $call): bool {
            try {
                self::withSignal(static fn () => throw new \DomainException(), $call);
                return false;
            } catch (\DomainException) {
                return true;
            }
        };
        foreach ($calls as $name => $call) {
            for ($time = 0; $time < 20; $time++) {
                $interrupted($call);
            }
            $before = self::residentKilobytes();
            $times = array_sum(array_map(static fn (): int => (int) $interrupted($call), range(1, 100)));
            self::assertGreaterThan(90, $times, "{$name} was not interrupted");
            // 38 MB, if it were lost.
            self::assertLessThan(12_000, self::residentKilobytes() - $before, "{$name} keeps what it got");
        }
        self::assertSame(1, $store->get('features', 'flag')->version);
    }

    /**
     * What a call got is its own, also where the handler of a signal makes another in the middle of it.
     */
    public function testAHandlerMayUseTheStore(): void
    {
        $store = $this->store();
        $store->init(['features' => ['one' => new Item(1, 'one'), 'two' => new Item(2, 'two')]]);
        $handled = [];
        for ($time = 0; $time < 50; $time++) {
            $read = self::withSignal(
                static function () use ($store, &$handled): void {
                    $handled[] = $store->get('features', 'two')?->item . count($store->all('features'));
                },
                static fn (): array => [$store->get('features', 'one')?->item, array_keys($store->all('features'))]
            );
            self::assertEqualsCanonicalizing(['one', 'two'], $read[1]);
            self::assertSame('one', $read[0]);
        }
        self::assertSame(['two2'], array_unique($handled));
    }

    /**
     * Makes a call in the middle of which a signal comes, or at the latest right after it.
     */
    private static function withSignal(\Closure $handler, \Closure $call): mixed
    {
        static $libc = null;
        $libc ??= \FFI::cdef('unsigned int ualarm(unsigned int after, unsigned int every);');
        pcntl_async_signals(true);
        pcntl_signal(SIGALRM, $handler);
        try {
            $libc->ualarm(300, 0);
            $result = $call();
            usleep(50_000);
            return $result;
        } finally {
            $libc->ualarm(0, 0);
            pcntl_signal(SIGALRM, SIG_IGN);
        }
    }

    private static function residentKilobytes(): int
    {
        preg_match('/^VmRSS:\s+(\d+)/m', (string) file_get_contents('/proc/self/status'), $found);
        return (int) $found[1];
    }

    /**
     * What a script says that opens a store.
     *
     * @param array<string, string|null> $environment
     */
    private static function opened(array $environment): string
    {
        $code = 'require "' . __DIR__ . '/bootstrap.php"; echo Flagstore\Store::open(["table" => "t"])'
            . '->statistics()["requests"], " ", Flagstore\Store::transport()->value;';
        return self::php(['-r', $code], $environment)[1];
    }
}
