<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * A program that runs beside the tests, and ends with them.
 */
final class Process
{
    private const START_SECONDS = 60;

    /** @var resource|null */
    private $process;
    /** @var array<int, resource> */
    private array $pipes;
    public readonly int $pid;

    /**
     * @param list<string> $command
     * @param array<string, string> $environment beside this process's own
     */
    public function __construct(array $command, array $environment = [], ?string $output = null)
    {
        $streams = [['pipe', 'r'], $output === null ? ['pipe', 'w'] : ['file', $output, 'a'], ['redirect', 1]];
        if ($output === null) {
            $streams[2] = ['file', 'php://stderr', 'w'];
        }
        $process = proc_open($command, $streams, $pipes, null, $environment + getenv());
        if ($process === false) {
            throw new \RuntimeException("{$command[0]} cannot be started");
        }
        $this->process = $process;
        $this->pipes = $pipes;
        $this->pid = proc_get_status($process)['pid'];
    }

    /**
     * Runs a program to its end.
     *
     * @param list<string> $command
     * @param array<string, string|null> $environment changes to this process's own; null removes
     * @return array{int, string} exit status and output; a program that was killed has its signal's number as -n
     */
    public static function run(array $command, array $environment = [], int $seconds = 60, ?string $folder = null): array
    {
        $all = array_filter($environment + getenv(), static fn (?string $value): bool => $value !== null);
        $output = tempnam(sys_get_temp_dir(), 'flagstore-test');
        // The watchdog of coreutils, which kills what does not listen.
        $process = proc_open(
            ['timeout', '--kill-after=5', (string) $seconds, ...$command],
            [['file', '/dev/null', 'r'], ['file', $output, 'w'], ['redirect', 1]],
            $pipes,
            $folder,
            $all
        );
        $status = proc_close($process);
        $said = file_get_contents($output);
        unlink($output);
        return [$status, $status === 124 ? "{$said}\n{$command[0]} did not end within {$seconds} s" : $said];
    }

    /**
     * The line of JSON that the endpoints print when they are ready.
     *
     * @return array<string, mixed>
     */
    public function ready(): array
    {
        stream_set_blocking($this->pipes[1], false);
        $line = '';
        $deadline = microtime(true) + self::START_SECONDS;
        while (!str_ends_with($line, "\n") && microtime(true) < $deadline) {
            [$read, $none] = [[$this->pipes[1]], null];
            if (stream_select($read, $none, $none, 1) === 1) {
                $got = fgets($this->pipes[1]);
                if ($got === false && feof($this->pipes[1])) {
                    break;
                }
                $line .= $got;
            }
        }
        return json_decode($line, true) ?? throw new \RuntimeException("the endpoint did not start: {$line}");
    }

    public function running(): bool
    {
        return $this->process !== null && proc_get_status($this->process)['running'];
    }

    public function signal(int $signal): void
    {
        posix_kill($this->pid, $signal);
    }

    /**
     * Waits until it has ended by itself.
     */
    public function ended(float $seconds): bool
    {
        $deadline = microtime(true) + $seconds;
        while ($this->running() && microtime(true) < $deadline) {
            usleep(5_000);
        }
        return !$this->running();
    }

    public function __destruct()
    {
        // The endpoints end with their standard input.
        fclose($this->pipes[0]);
        if (!$this->ended(20)) {
            $this->signal(SIGKILL);
        }
        proc_close($this->process);
    }
}
