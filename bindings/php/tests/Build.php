<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * Builds the extension into the build folder, anew when its sources, the library or PHP have changed.
 */
final class Build
{
    /** Of PHPUnit and of the tests; built into some PHPs. */
    private const EXTENSIONS = ['posix', 'dom', 'xml', 'xmlwriter', 'simplexml', 'mbstring', 'ctype', 'tokenizer', 'apcu'];

    /**
     * What the tests need of PHP, which starts without the system's php.ini.
     *
     * @return list<string>
     */
    public static function phpOptions(): array
    {
        $options = ['apc.enable_cli=1', 'memory_limit=512M', 'zend.exception_ignore_args=0', 'error_reporting=-1', 'display_errors=1'];
        foreach (self::EXTENSIONS as $name) {
            if (is_file(ini_get('extension_dir') . "/{$name}.so")) {
                $options[] = "extension={$name}";
            }
        }
        return array_merge(...array_map(static fn (string $option): array => ['-d', $option], $options));
    }

    /**
     * The built extension.
     *
     * @throws \RuntimeException it cannot be built; the message has the compiler's
     */
    public function extension(): string
    {
        $built = "{$this->folder()}/modules/flagstore.so";
        if (!is_file($built)) {
            $this->make();
        }
        return $built;
    }

    /**
     * The folder where it is built.
     */
    public function folder(): string
    {
        $parts = [PHP_VERSION, $this->prefix(), hash_file('xxh128', $this->prefix() . '/lib/libflagstore.a')];
        foreach (glob($this->sources() . '/{*,tests/*}', GLOB_BRACE) as $file) {
            $parts[] = is_file($file) ? $file . hash_file('xxh128', $file) : '';
        }
        return self::root() . '/php/ext-' . substr(hash('sha256', implode("\n", $parts)), 0, 12);
    }

    /**
     * Where everything that is built goes.
     */
    public static function root(): string
    {
        return getenv('FLAGSTORE_BUILD') ?: Endpoint::repository() . '/build';
    }

    /**
     * The folder of an installed libflagstore: its lib/ holds what FLAGSTORE_LIBRARY names, and the archive.
     */
    public function prefix(): string
    {
        return dirname($this->library(), 2);
    }

    public function phpunit(): string
    {
        return getenv('PHPUNIT') ?: '/usr/bin/phpunit';
    }

    public function library(): string
    {
        $named = getenv('FLAGSTORE_LIBRARY');
        return $named !== false && $named !== '' ? $named
            : Endpoint::repository() . '/build/stage/shared/lib/libflagstore.so.1';
    }

    private function sources(): string
    {
        return dirname(__DIR__) . '/ext';
    }

    private function make(): void
    {
        $folder = $this->folder();
        foreach (glob(self::root() . '/php/ext-*') as $old) {
            Process::run(['rm', '-rf', $old]);
        }
        Process::run(['mkdir', '-p', dirname($folder)]);
        Process::run(['cp', '-r', $this->sources(), $folder]);
        foreach (
            [
                ['phpize'],
                ['./configure', '--quiet', '--with-flagstore=' . $this->prefix()],
                ['make', '--quiet', 'EXTRA_CFLAGS=-Werror'],
            ] as $command
        ) {
            [$status, $said] = Process::run($command, [], 180, $folder);
            if ($status !== 0) {
                Process::run(['rm', '-rf', $folder]);
                throw new \RuntimeException('the extension cannot be built, ' . implode(' ', $command) . " says:\n{$said}");
            }
        }
    }
}
