<?php

declare(strict_types=1);

namespace Flagstore\Packaging;

/**
 * Which platform a native file is for, as its header says, whatever machine looks at it.
 */
final class NativeFile
{
    private const ELF_MACHINES = [0x3e => 'x86_64', 0xb7 => 'aarch64'];
    private const MACH_MACHINES = [0x01000007 => 'x86_64', 0x0100000c => 'aarch64'];
    private const PE_MACHINES = [0x8664 => 'x86_64', 0xaa64 => 'aarch64'];
    private const PT_LOAD = 1;
    private const PT_DYNAMIC = 2;
    private const DT_NEEDED = 1;
    private const DT_STRTAB = 5;

    private function __construct(private readonly string $bytes)
    {
    }

    /**
     * The platform as Rust calls it, such as "x86_64-unknown-linux-gnu".
     *
     * @throws \UnexpectedValueException it is none that is known here
     */
    public static function platform(string $path): string
    {
        $file = new self((string) file_get_contents($path));
        $platform = match (true) {
            str_starts_with($file->bytes, "\x7fELF\x02\x01") => $file->elf(),
            str_starts_with($file->bytes, "\xcf\xfa\xed\xfe") => self::named(self::MACH_MACHINES, $file->number('V', 4), '-apple-darwin'),
            str_starts_with($file->bytes, 'MZ') => $file->pe(),
            default => null,
        };
        return $platform ?? throw new \UnexpectedValueException("{$path} is no shared library for a platform that is known here");
    }

    private function elf(): ?string
    {
        $needed = $this->needed();
        $libc = match (true) {
            in_array('libc.so.6', $needed, true) => 'gnu',
            // musl's own name, and that of its distributions.
            preg_grep('/^libc\.(so$|musl-)/', $needed) !== [] => 'musl',
            default => null,
        };
        return $libc === null ? null : self::named(self::ELF_MACHINES, $this->number('v', 18), "-unknown-linux-{$libc}");
    }

    private function pe(): ?string
    {
        $header = $this->number('V', 0x3c);
        return substr($this->bytes, $header, 4) === "PE\0\0"
            ? self::named(self::PE_MACHINES, $this->number('v', $header + 4), '-pc-windows-gnu')
            : null;
    }

    /**
     * The libraries that an ELF file asks for.
     *
     * @return list<string>
     */
    private function needed(): array
    {
        $segments = [];
        for ($left = $this->number('v', 56), $at = $this->number('P', 32); $left > 0; $left--, $at += 56) {
            // Type, and where it lies in the file and in memory, and how long it is.
            $segments[] = [$this->number('V', $at), $this->number('P', $at + 8), $this->number('P', $at + 16), $this->number('P', $at + 32)];
        }
        $names = [];
        $texts = 0;
        foreach ($segments as [$type, $offset, , $length]) {
            for ($at = $offset; $type === self::PT_DYNAMIC && $at < $offset + $length; $at += 16) {
                [$tag, $value] = [$this->number('P', $at), $this->number('P', $at + 8)];
                if ($tag === self::DT_NEEDED) {
                    $names[] = $value;
                } elseif ($tag === self::DT_STRTAB) {
                    $texts = $value;
                }
            }
        }
        foreach ($segments as [$type, $offset, $address, $length]) {
            if ($type === self::PT_LOAD && $texts >= $address && $texts < $address + $length) {
                $start = $offset + $texts - $address;
                return array_map(fn (int $name): string => $this->text($start + $name), $names);
            }
        }
        return [];
    }

    private function number(string $format, int $offset): int
    {
        $length = ['v' => 2, 'V' => 4, 'P' => 8][$format];
        $bytes = substr($this->bytes, $offset, $length);
        return strlen($bytes) === $length ? unpack($format, $bytes)[1] : 0;
    }

    private function text(int $offset): string
    {
        $end = strpos($this->bytes, "\0", $offset);
        return $end === false ? '' : substr($this->bytes, $offset, $end - $offset);
    }

    /**
     * @param array<int, string> $machines
     */
    private static function named(array $machines, int $machine, string $rest): ?string
    {
        return isset($machines[$machine]) ? $machines[$machine] . $rest : null;
    }
}
