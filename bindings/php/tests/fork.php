<?php

/**
 * The fork scenarios: `php fork.php NAME TIMES OPTIONS`. Every child has a watchdog, so that one that hangs ends with a signal
 * and fails its scenario.
 */

declare(strict_types=1);

use Flagstore\Item;
use Flagstore\Store;

require __DIR__ . '/bootstrap.php';

const CHILD_SECONDS = 60;
const FLAG = '{"key":"flag","version":1}';

[, $name, $times, $options] = $argv;
(new Scenarios(json_decode($options, true)))->run($name, (int) $times);
echo 'done';

final class Scenarios
{
    public function __construct(private readonly array $options)
    {
    }

    public function run(string $name, int $times): void
    {
        // Before the first fork, so that the library's threads are there to be lost.
        $used = $this->opened();
        $used->init(['features' => ['flag' => new Item(1, FLAG)]]);
        for ($time = 0; $time < $times; $time++) {
            $this->{$name}();
        }
        $this->check($used);
    }

    private function theChildUsesAndCloses(): void
    {
        $store = $this->opened();
        $this->check($store);
        $this->reap($this->fork(function () use ($store): void {
            $this->check($store);
            $store->close();
        }));
        $this->check($store);
    }

    private function theChildExitsWithoutClosing(): void
    {
        $store = $this->opened();
        $this->check($store);
        $this->reap($this->fork(fn () => $this->check($store)), $this->fork(fn () => null));
    }

    private function theChildIsKilled(): void
    {
        $store = $this->opened();
        $child = $this->fork(function () use ($store): void {
            $this->check($store);
            posix_kill(posix_getpid(), SIGKILL);
        });
        pcntl_waitpid($child, $status);
        $this->expect(pcntl_wifsignaled($status) && pcntl_wtermsig($status) === SIGKILL, 'the child was not killed by itself');
        $this->check($store);
    }

    private function theParentClosesFirst(): void
    {
        $store = $this->opened(['shared' => false]);
        $this->check($store);
        [$here, $there] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        $child = $this->fork(function () use ($store, $there): void {
            fread($there, 1);
            $this->check($store);
        });
        $store->close();
        fwrite($here, 'x');
        $this->reap($child);
    }

    private function nested(int $depth = 3): void
    {
        $store = $this->opened();
        $this->check($store);
        if ($depth > 0) {
            $this->reap($this->fork(fn () => $this->nested($depth - 1)));
            $this->check($store);
        }
    }

    private function theChildOpensItsOwn(): void
    {
        $store = $this->opened();
        $this->reap($this->fork(function () use ($store): void {
            $this->check($this->opened());
            $this->check($this->opened(['shared' => false, 'cache_ttl_ms' => -1]));
            $this->check($store);
        }));
    }

    private function siblingsAtTheSameTime(): void
    {
        $store = $this->opened(['cache_ttl_ms' => 60_000]);
        $this->check($store);
        $this->reap(...array_map(fn () => $this->fork(fn () => $this->check($store)), range(1, 4)));
        $this->check($store);
    }

    private function beforeTheFirstUse(): void
    {
        $store = $this->opened(['shared' => false]);
        $this->reap($this->fork(fn () => $this->check($store)));
        $this->check($store);
    }

    private function opened(array $options = []): Store
    {
        return Store::open($options + $this->options);
    }

    private function check(Store $store): void
    {
        $this->expect($store->get('features', 'flag')?->item === FLAG, 'the flag is not there');
        $this->expect($store->get('features', 'nothing-' . getmypid()) === null, 'something is there');
        $this->expect($store->upsert('others', 'of-' . getmypid(), hrtime(true), 'x')->written, 'nothing was written');
    }

    /**
     * Forks; the child ends as PHP does, with its destructors.
     */
    private function fork(Closure $child): int
    {
        $pid = pcntl_fork();
        if ($pid === 0) {
            pcntl_alarm(CHILD_SECONDS);
            $child();
            exit(0);
        }
        return $pid;
    }

    private function reap(int ...$children): void
    {
        foreach ($children as $child) {
            pcntl_waitpid($child, $status);
            $this->expect($status === 0, "a child ended with status {$status}");
        }
    }

    private function expect(bool $holds, string $else): void
    {
        if (!$holds) {
            fwrite(STDERR, "{$else}\n");
            exit(1);
        }
    }
}
