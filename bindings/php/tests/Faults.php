<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * tests/faults/endpoint in front of the local endpoint: fails when it is told to, and keeps a log.
 */
final class Faults
{
    public readonly Endpoint $endpoint;
    private readonly Process $process;
    private readonly string $control;

    public function __construct()
    {
        $this->process = new Process([
            Endpoint::repository() . '/tests/faults/endpoint', '--upstream', Endpoint::local()->url, '--exit-with-stdin',
        ]);
        $ready = $this->process->ready();
        $this->endpoint = Endpoint::at($ready['url']);
        $this->control = $ready['control'];
    }

    /**
     * Replaces the rules; none lets every request pass.
     *
     * @param array<string, mixed> ...$rules
     */
    public function script(array ...$rules): void
    {
        Http::post("{$this->control}/script", ['rules' => $rules]);
    }

    /**
     * No rules, and an empty log.
     */
    public function reset(): void
    {
        Http::post("{$this->control}/reset", []);
    }

    /**
     * The requests since the last reset.
     *
     * @return list<array<string, mixed>>
     */
    public function requests(): array
    {
        $log = Http::post("{$this->control}/log", []);
        if ($log['mishaps'] !== []) {
            throw new \RuntimeException('the endpoint failed by itself: ' . json_encode($log['mishaps']));
        }
        return $log['requests'];
    }

    /**
     * How many client connections are open now.
     */
    public function connections(): int
    {
        return Http::post("{$this->control}/counts", [])['connections'];
    }
}
