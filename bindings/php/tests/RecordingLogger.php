<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Psr\Log\LoggerInterface;
use Psr\Log\LoggerTrait;

/**
 * Keeps what it is told.
 */
final class RecordingLogger implements LoggerInterface
{
    use LoggerTrait;

    /** @var list<array{string, string}> */
    public array $records = [];

    public function log($level, string|\Stringable $message, array $context = []): void
    {
        $this->records[] = [$level, (string) $message];
    }

    /**
     * The messages of a level, each on its line.
     */
    public function text(string $level): string
    {
        return implode("\n", array_column(array_filter($this->records, static fn (array $r): bool => $r[0] === $level), 1));
    }
}
