<?php

namespace Psr\Log;

class NullLogger implements LoggerInterface
{
    use LoggerTrait;

    public function log($level, string|\Stringable $message, array $context = []): void
    {
    }
}
