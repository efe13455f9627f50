<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * What differs by platform: how this one is called, and the library's file on it.
 *
 * @internal
 */
final class Platform
{
    private const MACHINES = ['x86_64' => 'x86_64', 'amd64' => 'x86_64', 'aarch64' => 'aarch64', 'arm64' => 'aarch64'];

    /**
     * This process's platform as Rust calls it, such as "x86_64-unknown-linux-gnu".
     */
    public static function current(): string
    {
        return self::named(PHP_OS_FAMILY, php_uname('m'), static fn (): string => (string) @file_get_contents('/proc/self/maps'));
    }

    /**
     * @param \Closure(): string $maps what is mapped into this process: which C library it has, the machine may have both
     */
    public static function named(string $family, string $machine, \Closure $maps): string
    {
        $machine = self::MACHINES[strtolower($machine)] ?? strtolower($machine);
        return $machine . match ($family) {
            'Linux' => '-unknown-linux-' . (preg_match('#/(ld-musl-|libc\.musl-)#', $maps()) ? 'musl' : 'gnu'),
            'Darwin' => '-apple-darwin',
            'Windows' => '-pc-windows-gnu',
            default => '-' . strtolower($family),
        };
    }

    /**
     * The library's file in the package.
     */
    public static function file(string $family = PHP_OS_FAMILY): string
    {
        return match ($family) {
            'Darwin' => 'libflagstore.dylib',
            'Windows' => 'flagstore.dll',
            default => 'libflagstore.so',
        };
    }

    /**
     * What the system's loader is asked for.
     */
    public static function installed(int $abi, string $family = PHP_OS_FAMILY): string
    {
        return $family === 'Linux' ? "libflagstore.so.{$abi}" : self::file($family);
    }
}
