<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Ffi;
use Flagstore\Library;

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
        preg_match_all('/\$(?:this->|opened->)?library->(store_\w+)\(/', file_get_contents((new \ReflectionClass(Ffi::class))
            ->getFileName()), $used);
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
        self::assertMatchesRegularExpression('/^0 ffi$|libflagstore was not found: FLAGSTORE_LIBRARY is not set/', $said);
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
