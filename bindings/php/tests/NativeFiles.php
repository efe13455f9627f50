<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * Shared libraries that are made by hand, no more than the headers that say which platform they are for.
 */
final class NativeFiles
{
    /** Each platform of a release, and how its file is called. */
    public const ALL = [
        'x86_64-unknown-linux-gnu' => 'libflagstore.so',
        'aarch64-unknown-linux-gnu' => 'libflagstore.so',
        'x86_64-unknown-linux-musl' => 'libflagstore.so',
        'aarch64-unknown-linux-musl' => 'libflagstore.so',
        'x86_64-apple-darwin' => 'libflagstore.dylib',
        'aarch64-apple-darwin' => 'libflagstore.dylib',
        'x86_64-pc-windows-gnu' => 'flagstore.dll',
    ];

    public static function of(string $platform): string
    {
        $arm = str_starts_with($platform, 'aarch64');
        return match (true) {
            str_ends_with($platform, '-gnu') && str_contains($platform, 'linux') => self::elf($arm ? 0xb7 : 0x3e, 'libc.so.6'),
            str_ends_with($platform, '-musl') => self::elf($arm ? 0xb7 : 0x3e, $arm ? 'libc.musl-aarch64.so.1' : 'libc.so'),
            str_ends_with($platform, '-darwin') => "\xcf\xfa\xed\xfe" . pack('V', $arm ? 0x0100000c : 0x01000007),
            default => 'MZ' . str_repeat("\0", 0x3a) . pack('V', 0x40) . "PE\0\0" . pack('v', 0x8664),
        };
    }

    private static function elf(int $machine, string $needed): string
    {
        // Behind the header two segments: what is loaded, at another address than it lies in the file, and what is in it for the linker.
        $address = 0x10000;
        $dynamic = 64 + 2 * 56;
        $texts = $dynamic + 3 * 16;
        $entries = pack('P6', 1, 1, 5, $address + $texts, 0, 0);
        $strings = "\0{$needed}\0";
        $length = $texts + strlen($strings);
        return "\x7fELF\x02\x01\x01" . str_repeat("\0", 9) . pack('vvVPPPVvvvvvv', 3, $machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
            . pack('VVPPPPPP', 1, 4, 0, $address, $address, $length, $length, 4096)
            . pack('VVPPPPPP', 2, 4, $dynamic, $address + $dynamic, $address + $dynamic, 48, 48, 8)
            . $entries . $strings;
    }
}
