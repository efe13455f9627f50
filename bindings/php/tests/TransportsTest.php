<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Ffi;
use Flagstore\Native;
use Flagstore\Transport;

/**
 * The two ways to the library: what they declare, and what they say where they cannot be used.
 */
final class TransportsTest extends TestCase
{
    private const OPEN = 'require "' . __DIR__ . '/bootstrap.php"; echo Flagstore\Store::open(["table" => "t"], null, $t)'
        . '->statistics()["requests"], " ", Flagstore\Store::transport()->value;';

    public function testBothTransportsHaveTheMethodsOfTheStub(): void
    {
        $stub = self::methodsOf(file_get_contents(dirname(__DIR__) . '/ext/flagstore.stub.php'));
        self::assertCount(17, $stub);
        $class = self::transport() === Transport::Extension ? Native::class : Ffi::class;
        foreach ($stub as $name => $declared) {
            $method = new \ReflectionMethod($class, $name);
            $parameters = array_map(static fn (\ReflectionParameter $parameter): string
                => ($parameter->getAttributes(\SensitiveParameter::class) === [] ? '' : '#[\SensitiveParameter] ')
                . "{$parameter->getType()} \${$parameter->getName()}", $method->getParameters());
            $reflected = ($method->isStatic() ? 'static ' : '') . "({$this->listed($parameters)})";
            if ($name !== '__construct') {
                $reflected .= ': ' . str_replace(['Flagstore\\', 'Ffi'], ['', 'Native'], (string) $method->getReturnType());
                self::assertSame($declared, $reflected, $name);
            }
            self::assertSame($name === '__construct', $method->isPrivate());
        }
    }

    public function testLibraryPackageAndExtensionHaveOneVersion(): void
    {
        $class = self::transport() === Transport::Extension ? Native::class : Ffi::class;
        $package = json_decode(file_get_contents(dirname(__DIR__) . '/composer.json'))->version;
        self::assertSame($package, $class::libraryVersion());
        self::assertContains(phpversion('flagstore'), [$package, false]);
    }

    public function testAForgottenHandleIsClosed(): void
    {
        $class = self::transport() === Transport::Extension ? Native::class : Ffi::class;
        // Beyond the 65,536 that may be open at once.
        for ($number = 0; $number < 66_000; $number++) {
            $handle = $class::open('{"table":"t"}');
        }
        self::assertSame(0, json_decode($handle->statistics())->requests);
    }

    public function testTheTransportCanBeChosen(): void
    {
        self::assertSame('0 ' . self::transport()->value, $this->opened('Flagstore\Transport::' . self::transport()->name));
        $other = self::transport() === Transport::Extension ? Transport::Ffi : Transport::Extension;
        $said = $this->opened("Flagstore\\Transport::{$other->name}");
        self::assertStringContainsString('Flagstore\LibraryException', $said);
        self::assertStringContainsString($other === Transport::Ffi ? '"ffi" is loaded' : '"flagstore" is not loaded', $said);
    }

    public function testWithNeitherTransportTheMessageSaysWhatToDo(): void
    {
        [, $said] = Process::run([PHP_BINARY, '-n', ...self::phpOptions(null), '-r', '$t = null; ' . self::OPEN]);
        self::assertStringContainsString('LibraryException: neither the extension "flagstore" nor the extension "ffi"', $said);
        self::assertStringContainsString('extension=ffi to php.ini', $said);
    }

    public function testWhereFfiIsOffTheExtensionWorksAndFfiSaysWhy(): void
    {
        $off = ['-d', 'ffi.enable=0', '-r', '$t = null; ' . self::OPEN];
        if (self::transport() === Transport::Extension) {
            [$status, $said] = self::php(['-d', 'extension=ffi', ...$off]);
            self::assertSame([0, '0 extension'], [$status, $said]);
        } else {
            [, $said] = self::php($off);
            self::assertStringContainsString('FFI is off here (ffi.enable=0, cli): install the extension', $said);
        }
    }

    public function testAnotherAbiIsRefused(): void
    {
        $folder = sys_get_temp_dir() . '/flagstore-abi-' . getmypid();
        mkdir($folder);
        $stubs = '';
        preg_match_all('/\b(store_\w+)\(/', file_get_contents(dirname(__DIR__) . '/src/flagstore_cdef.h'), $functions);
        foreach (array_diff(array_unique($functions[1]), ['store_abi_version']) as $function) {
            $stubs .= "void {$function}(void) {}\n";
        }
        try {
            foreach (['whole' => $stubs, 'lacking functions' => ''] as $what => $functions) {
                file_put_contents("{$folder}/other.c", "unsigned store_abi_version(void) { return 2; }\n{$functions}");
                $compile = ['gcc', '-shared', '-fPIC', '-Wl,-soname,libflagstore.so.1', '-o', "{$folder}/libflagstore.so.1"];
                self::assertSame([0, ''], Process::run([...$compile, "{$folder}/other.c"]));
                if (self::transport() === Transport::Ffi) {
                    $said = $this->opened('null', ['FLAGSTORE_LIBRARY' => "{$folder}/libflagstore.so.1"]);
                    self::assertStringContainsString('has ABI 2, this package needs ABI 1: install versions that match', $said);
                } elseif ($what === 'whole') {
                    // The library is in it, and no other takes its place.
                    $said = $this->opened('null', ['LD_PRELOAD' => "{$folder}/libflagstore.so.1"]);
                    self::assertSame('0 extension', $said);
                }
            }
        } finally {
            array_map(unlink(...), glob("{$folder}/*"));
            rmdir($folder);
        }
    }

    /**
     * @param array<string, string|null> $environment
     */
    private function opened(string $transport, array $environment = []): string
    {
        return self::php(['-r', "require_once '" . __DIR__ . "/bootstrap.php'; \$t = {$transport}; " . str_replace(
            'require "',
            'require_once "',
            self::OPEN
        )], $environment)[1];
    }

    /**
     * Names and signatures that a stub file declares.
     *
     * @return array<string, string>
     */
    private static function methodsOf(string $stub): array
    {
        preg_match_all('/(public|private) (static )?function (\w+)\((.*)\)(: [?\w]+)? \{\}/', $stub, $found, PREG_SET_ORDER);
        $methods = [];
        foreach ($found as $method) {
            $methods[$method[3]] = "{$method[2]}({$method[4]})" . ($method[5] ?? '');
        }
        return $methods;
    }

    /**
     * @param list<string> $parameters
     */
    private function listed(array $parameters): string
    {
        return implode(', ', $parameters);
    }
}
