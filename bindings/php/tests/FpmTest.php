<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Item;
use Flagstore\Transport;

/**
 * PHP-FPM: workers keep connections and cache from request to request, survive what happens in production, and leak nothing.
 */
final class FpmTest extends TestCase
{
    private const WORKERS = 3;
    /** 3 MB: beyond the memory_limit of a request that is to run into it, and below twice that, where some PHPs end the process. */
    private const FLAGS = 10;
    private const FAILING_SOON = ['timeout_ms' => 300];

    private Faults $faults;
    /** @var list<string> */
    private array $files = [];

    protected function setUp(): void
    {
        parent::setUp();
        if (Fpm::program() === null) {
            self::markTestSkipped('there is no php-fpm of this version: apt-get install php-fpm');
        }
        $this->faults = new Faults();
        $items = [];
        for ($number = 0; $number < self::FLAGS; $number++) {
            $version = $number + 1;
            $flag = ['key' => "flag-{$number}", 'version' => $version, 'on' => true, 'variations' => [$number], 'salt' => '',
                'prerequisites' => [], 'targets' => [], 'rules' => [], 'fallthrough' => ['variation' => 0],
                'offVariation' => null, 'deleted' => false, 'description' => str_repeat('x', 300_000)];
            $items["flag-{$number}"] = new Item($version, json_encode($flag));
        }
        $this->store()->init(['features' => $items, 'segments' => []]);
    }

    protected function tearDown(): void
    {
        array_map(unlink(...), $this->files);
    }

    public function testARequestReusesConnectionAndCacheOfTheOneBefore(): void
    {
        $fpm = new Fpm(self::settings(), 1);
        foreach ([0 => 20 * 2, 60_000 => 2] as $ttl => $reads) {
            $this->faults->reset();
            $request = $this->evaluation(1, ['cache_ttl_ms' => $ttl]);
            $this->assertRight($fpm->requests(array_fill(0, 20, $request), 1));
            self::assertCount($reads, $this->faults->requests(), "cache_ttl_ms is {$ttl}");
        }
        self::assertSame(2, $this->faults->connections(), 'one for each store');
    }

    public function testWorkersSurviveReloadsFailuresAndFatalErrorsWithoutALeak(): void
    {
        $fpm = new Fpm(self::settings(), self::WORKERS);
        $this->assertRight($fpm->requests(array_fill(0, 600, $this->evaluation())));

        $reloaded = null;
        $reload = static function (int $answers) use ($fpm, &$reloaded): void {
            $reloaded = $answers === 300 ? $fpm->reload() : $reloaded;
        };
        $this->assertRight($fpm->requests(array_fill(0, 600, $this->evaluation()), 6, $reload));
        $reloaded();

        $exhausting = array_fill(0, 15, ['do' => 'exhaust', 'options' => $this->options()]);
        $this->exhaust($fpm, $exhausting);
        $this->assertRight($fpm->requests(array_fill(0, 300, $this->evaluation())));
        $fpm->requests(array_fill(0, 24, $this->evaluation(3, self::FAILING_SOON)));
        $before = $fpm->usage();

        $this->faults->script(['operation' => 'GetItem', 'do' => 'fault']);
        foreach ($fpm->requests(array_fill(0, 24, $this->evaluation(3, self::FAILING_SOON))) as $answer) {
            self::assertContains($answer['error'] ?? 'none', ['STORE_ERROR_SERVICE', 'STORE_ERROR_TIMEOUT']);
        }
        $this->faults->script(['operation' => 'GetItem', 'do' => 'black_hole', 'probability' => 0.5]);
        $fpm->requests(array_fill(0, 24, $this->evaluation(3, self::FAILING_SOON)));
        $this->faults->script();
        $this->exhaust($fpm, [...$exhausting, ...$exhausting, ...$exhausting]);
        $this->assertRight($fpm->requests(array_fill(0, 900, $this->evaluation())));

        $after = $fpm->usage();
        self::assertSame(array_keys($before), array_keys($after), 'a worker died');
        foreach ($after as $pid => [$bytes, $descriptors]) {
            // 15 lists of 3 MB went through each; an arena more is no leak.
            self::assertLessThan(8 * 1024 * 1024, $bytes - $before[$pid][0], 'memory grows');
            self::assertLessThanOrEqual(4, $descriptors - $before[$pid][1], 'descriptors grow');
        }
        self::assertTrue($fpm->quit(), 'a worker did not end');
        self::assertStringNotContainsString('on signal', $fpm->log());
        self::assertStringNotContainsString('SIGKILL', $fpm->log());
    }

    /**
     * @return iterable<string, array{string, string, bool}>
     */
    public static function preloading(): iterable
    {
        yield 'the package' => ['preload.php', false, false];
        yield 'the package, by root for another user' => ['preload.php', true, false];
        yield 'a script that uses the store in the master' => ['tests/fpm/preload_used.php', false, false];
        yield 'a script that uses the store, by root for another user' => ['tests/fpm/preload_used.php', true, false];
        yield 'the package, by root for another user, and the header' => ['preload.php', true, true];
    }

    /**
     * @dataProvider preloading
     */
    public function testPreloadingWorks(string $script, bool $byRoot, bool $header): void
    {
        // PHP preloads in a process of that user, which has to reach the files.
        $why = $byRoot && posix_geteuid() !== 0 ? 'only root can preload for another user' : Fpm::whyNotAsUser();
        if ($why !== null) {
            self::markTestSkipped($why);
        }
        $settings = array_diff(self::settings(), ['ffi.enable=1']);
        $settings[] = 'ffi.enable=preload';
        $settings[] = 'opcache.preload=' . dirname(__DIR__) . "/{$script}";
        if ($byRoot) {
            $settings[] = 'opcache.preload_user=nobody';
        }
        if ($header) {
            $this->files[] = $file = sys_get_temp_dir() . '/flagstore-' . getmypid() . '.h';
            [$status, $text] = self::php([dirname(__DIR__) . '/bin/flagstore-ffi-header']);
            self::assertSame(0, $status, $text);
            file_put_contents($file, $text);
            $settings[] = "ffi.preload={$file}";
        }
        $options = json_encode($this->evaluation()['options']);
        $fpm = new Fpm($settings, self::WORKERS, ['FLAGSTORE_PRELOAD_OPTIONS' => $options], $byRoot);
        $answers = $fpm->requests(array_fill(0, 60, $this->evaluation()));
        $this->assertRight($answers);
        if (self::transport() === Transport::Ffi) {
            self::assertSame(!$byRoot || $header, $answers[0]['preloaded'], 'PHP refuses FFI::load() with preload_user');
        }
        $fpm->reload()();
        $this->assertRight($fpm->requests(array_fill(0, 60, $this->evaluation())));
        self::assertTrue($fpm->quit(), 'a worker did not end');
        self::assertStringNotContainsString('on signal', $fpm->log());
        self::assertStringNotContainsString('Warning', $fpm->log());
    }

    /**
     * @group ffi
     */
    public function testWithFfiForPreloadedCodeAloneAndNothingPreloadedTheErrorSaysSo(): void
    {
        $fpm = new Fpm([...array_diff(self::settings(), ['ffi.enable=1']), 'ffi.enable=preload'], 1);
        [$answer] = $fpm->requests([$this->evaluation()]);
        self::assertStringContainsString('FFI is off here (ffi.enable=preload, fpm-fcgi)', $answer['fatal'] ?? '');
    }

    /**
     * @return list<string>
     */
    private static function settings(): array
    {
        $settings = ['zend_extension=opcache', 'opcache.enable=1', 'memory_limit=256M'];
        return match (self::transport()) {
            Transport::Extension => [...$settings, 'extension=' . getenv('FLAGSTORE_EXTENSION')],
            Transport::Ffi => [...$settings, 'extension=ffi', 'ffi.enable=1'],
        };
    }

    /**
     * @param array<string, mixed> $options
     * @return array<string, mixed>
     */
    private function evaluation(int $flags = 3, array $options = []): array
    {
        $keys = array_map(static fn (int $number): string => "flag-{$number}", range(0, $flags - 1));
        $options += $this->faults->endpoint->options() + ['prefix' => $this->prefix];
        return ['do' => 'evaluate', 'flags' => $keys, 'options' => $options];
    }

    /**
     * @param list<array<string, mixed>> $answers
     */
    private function assertRight(array $answers): void
    {
        foreach ($answers as $answer) {
            self::assertArrayHasKey('versions', $answer, json_encode($answer));
            foreach ($answer['versions'] as $key => $version) {
                self::assertSame((int) substr($key, 5) + 1, $version);
            }
            self::assertNull($answer['missing']);
            self::assertSame(self::transport()->value, $answer['transport']);
        }
    }

    /**
     * @param list<array<string, mixed>> $requests
     */
    private function exhaust(Fpm $fpm, array $requests): void
    {
        foreach ($fpm->requests($requests) as $answer) {
            self::assertStringContainsString('Allowed memory size', $answer['fatal'] ?? json_encode($answer));
        }
    }
}
