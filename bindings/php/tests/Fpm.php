<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * A real PHP-FPM on a socket of its own, spoken to by FastCGI.
 */
final class Fpm
{
    private const REQUEST_SECONDS = 30;

    private const AS_NOBODY = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'];

    private readonly string $folder;
    private readonly Process $master;

    /**
     * @param list<string> $options of PHP, each after a "-d"
     * @param array<string, string> $environment of the master, and so of a preload script
     * @param bool $asRoot whether the master stays root, where this process is
     */
    public function __construct(array $options, private readonly int $workers, array $environment = [], bool $asRoot = true)
    {
        $asRoot = $asRoot && posix_geteuid() === 0;
        $this->folder = sys_get_temp_dir() . '/flagstore-fpm-' . getmypid() . '-' . bin2hex(random_bytes(4));
        mkdir($this->folder, 0o755);
        file_put_contents("{$this->folder}/fpm.conf", implode("\n", [
            '[global]', "error_log = {$this->folder}/log", 'daemonize = no', 'process_control_timeout = 20s',
            '[pool]', "listen = {$this->socket()}", 'listen.backlog = 511', 'pm = static',
            "pm.max_children = {$workers}", 'clear_env = no', 'catch_workers_output = yes',
            // Only read where FPM is started by root.
            ...($asRoot ? ['user = root', 'group = root'] : []),
        ]) . "\n");
        $command = [self::program(), '-n', '-F', '-y', "{$this->folder}/fpm.conf", '-p', $this->folder];
        foreach ([...$options, 'log_errors=1', 'display_errors=0'] as $option) {
            array_push($command, '-d', $option);
        }
        if ($asRoot) {
            $command[] = '-R';
        } elseif (posix_geteuid() === 0) {
            chown($this->folder, 'nobody');
            $command = [...self::AS_NOBODY, ...$command];
        }
        $this->master = new Process($command, $environment, "{$this->folder}/output");
        $this->await(fn (): bool => file_exists($this->socket()) && count($this->pids()) === $workers, 'its workers');
    }

    /**
     * The program of this PHP's version; null where there is none.
     */
    public static function program(): ?string
    {
        $version = PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION;
        foreach (["/usr/sbin/php-fpm{$version}", dirname(PHP_BINARY, 2) . '/sbin/php-fpm'] as $program) {
            if (is_executable($program)) {
                return $program;
            }
        }
        return null;
    }

    /**
     * Why it cannot be run by a user without rights; null if it can.
     */
    public static function whyNotAsUser(): ?string
    {
        if (posix_geteuid() !== 0) {
            return null;
        }
        foreach ([__FILE__, (string) getenv('FLAGSTORE_LIBRARY'), (string) getenv('FLAGSTORE_EXTENSION')] as $file) {
            if (Process::run([...self::AS_NOBODY, 'test', '-r', $file])[0] !== 0) {
                return "the user nobody may not read {$file}";
            }
        }
        return null;
    }

    /**
     * Sends requests, a few at a time, and gives their decoded answers in order.
     *
     * @param list<array<string, mixed>> $requests
     * @param \Closure(int): void|null $each called with the number of answers after each
     * @return list<array<string, mixed>>
     */
    public function requests(array $requests, int $atOnce = 6, ?\Closure $each = null): array
    {
        [$answers, $open, $texts, $deadlines, $next] = [[], [], [], [], 0];
        while (count($answers) < count($requests)) {
            while (count($open) < $atOnce && $next < count($requests)) {
                $open[$next] = $this->sent($requests[$next]);
                $texts[$next] = '';
                $deadlines[$next] = microtime(true) + self::REQUEST_SECONDS;
                $next++;
            }
            [$readable, $none] = [$open, null];
            stream_select($readable, $none, $none, 1);
            foreach ($readable as $number => $stream) {
                $texts[$number] .= fread($stream, 65536);
                if (feof($stream)) {
                    fclose($stream);
                    unset($open[$number]);
                    $answers[$number] = $this->answer($texts[$number]);
                    $each === null || $each(count($answers));
                }
            }
            foreach ($open as $number => $_) {
                if (microtime(true) > $deadlines[$number]) {
                    throw new \RuntimeException('a worker hangs: no answer within ' . self::REQUEST_SECONDS . " s\n" . $this->log());
                }
            }
        }
        ksort($answers);
        return $answers;
    }

    /**
     * Has it reload, as `systemctl reload` does.
     *
     * @return \Closure(): void waits until all workers are new ones; not to be called while answers are waited for
     */
    public function reload(): \Closure
    {
        $old = $this->pids();
        $this->master->signal(SIGUSR2);
        return fn () => $this->await(
            fn (): bool => count($this->pids()) === $this->workers && array_intersect($old, $this->pids()) === [],
            'new workers'
        );
    }

    /**
     * Ends it in order, by SIGQUIT.
     *
     * @return bool whether master and workers ended by themselves
     */
    public function quit(): bool
    {
        $pids = $this->pids();
        $this->master->signal(SIGQUIT);
        return $this->master->ended(20) && array_filter($pids, static fn (int $pid): bool => posix_kill($pid, 0)) === [];
    }

    /**
     * What it wrote about itself and its workers.
     */
    public function log(): string
    {
        return file_get_contents("{$this->folder}/log") . file_get_contents("{$this->folder}/output");
    }

    /**
     * Resident memory in bytes and open descriptors of each worker.
     *
     * @return array<int, array{int, int}> by process
     */
    public function usage(): array
    {
        $usage = [];
        foreach ($this->pids() as $pid) {
            // Anonymous memory: what is mapped from files and shared with others comes and goes.
            preg_match('/^RssAnon:\s+(\d+) kB/m', file_get_contents("/proc/{$pid}/status"), $resident);
            $usage[$pid] = [(int) $resident[1] * 1024, count(scandir("/proc/{$pid}/fd"))];
        }
        return $usage;
    }

    /**
     * @return list<int>
     */
    public function pids(): array
    {
        $children = @file_get_contents("/proc/{$this->master->pid}/task/{$this->master->pid}/children");
        return array_map('intval', preg_split('/ /', trim((string) $children), -1, PREG_SPLIT_NO_EMPTY));
    }

    public function __destruct()
    {
        $this->quit();
        array_map(unlink(...), glob("{$this->folder}/*"));
        @rmdir($this->folder);
    }

    private function socket(): string
    {
        return "{$this->folder}/socket";
    }

    private function await(\Closure $condition, string $what): void
    {
        $deadline = microtime(true) + 20;
        while (!$condition()) {
            if (microtime(true) > $deadline || !$this->master->running()) {
                throw new \RuntimeException("PHP-FPM did not get {$what}:\n{$this->log()}");
            }
            usleep(10_000);
        }
    }

    /**
     * @param array<string, mixed> $request
     * @return resource
     */
    private function sent(array $request)
    {
        $stream = stream_socket_client("unix://{$this->socket()}", $code, $message, 10);
        if ($stream === false) {
            throw new \RuntimeException("PHP-FPM takes no connection: {$message}\n{$this->log()}");
        }
        $parameters = '';
        foreach (
            [
                'REQUEST_METHOD' => 'GET', 'SCRIPT_FILENAME' => __DIR__ . '/fpm/worker.php',
                'FLAGSTORE_REQUEST' => json_encode($request),
            ] as $name => $value
        ) {
            $parameters .= self::length($name) . self::length($value) . $name . $value;
        }
        fwrite($stream, self::record(1, pack('nCx5', 1, 0)) . self::record(4, $parameters) . self::record(4, '') . self::record(5, ''));
        stream_set_blocking($stream, false);
        return $stream;
    }

    private static function record(int $type, string $content): string
    {
        return pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content;
    }

    private static function length(string $text): string
    {
        return strlen($text) < 128 ? chr(strlen($text)) : pack('N', strlen($text) | 0x80000000);
    }

    /**
     * @return array<string, mixed>
     */
    private function answer(string $records): array
    {
        [$output, $errors] = ['', ''];
        for ($at = 0; $at + 8 <= strlen($records); $at += 8 + $length + $padding) {
            ['type' => $type, 'length' => $length, 'padding' => $padding] = unpack('x/Ctype/x2/nlength/Cpadding', $records, $at);
            match ($type) {
                6 => $output .= substr($records, $at + 8, $length),
                7 => $errors .= substr($records, $at + 8, $length),
                default => null,
            };
        }
        $body = explode("\r\n\r\n", $output, 2)[1] ?? '';
        return json_decode($body, true) ?? ['fatal' => $errors . $output];
    }
}
