<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

/**
 * Options until the SDK asks for what they are for. Dumping what holds them shows no more than their names.
 *
 * @internal
 */
final class Given
{
    /**
     * @param array<string, mixed> $options
     */
    public function __construct(#[\SensitiveParameter] private readonly array $options)
    {
    }

    /**
     * @param array<string, mixed> $others for what is not given here
     * @throws InvalidOptionException
     */
    public function over(#[\SensitiveParameter] array $others): Options
    {
        return Options::of(array_merge($others, $this->options));
    }

    public function __debugInfo(): array
    {
        return array_keys($this->options);
    }
}
