<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * One table, or one prefix of it. StoreInterface documents what it does.
 *
 * A forked child may use, close and exit with stores that its parent opened. A store that is forgotten is closed.
 *
 * @phpstan-import-type StoreOptions from StoreInterface
 */
final class Store implements StoreInterface
{
    private const INVALID_HANDLE = -5;
    private const LEVELS = [1 => 'error', 2 => 'warning', 3 => 'info', 4 => 'debug'];

    /** How often single reads that go well look for events: a look costs as much as a read out of the cache. */
    private const NANOSECONDS_BETWEEN_LOOKS = 100_000_000;

    private bool $delivering = false;
    private int $nextLook = 0;

    private function __construct(
        private Native|Ffi|null $opened,
        private readonly string $table,
        private readonly ?object $logger,
    ) {
    }

    /**
     * Opens a store. Costs no network I/O and needs no table yet.
     *
     * Opening equal options again, also in a later request of the same process, gives the same connections and the same
     * cache, unless "shared" is false.
     *
     * @param StoreOptions $options those of the README's table; only "table" is required, and null stands for not given.
     *     "persistent" is true unless given, so that a worker keeps connections and cache between requests.
     * @param object|null $logger a PSR-3 logger, which gets the store's events after calls (after single reads that went well,
     *     ten times a second at most); one that fails changes the result of no call; without one they wait for events()
     * @param Transport|null $transport null takes the extension if it is loaded, else FFI
     * @throws OptionException an option is unknown or wrong; the message names it
     * @throws LibraryException libflagstore cannot be reached
     */
    public static function open(
        #[\SensitiveParameter] array $options,
        ?object $logger = null,
        ?Transport $transport = null,
    ): Store {
        foreach ($logger === null ? [] : self::LEVELS as $method) {
            if (!is_callable([$logger, $method])) {
                throw new \TypeError(get_debug_type($logger) . " is no PSR-3 logger: it lacks the method {$method}()");
            }
        }
        $text = self::json($options + ['persistent' => true]);
        $opened = self::through($transport)::open($text);
        return new self($opened, $options['table'], $logger);
    }

    /**
     * Looks at everything between this process and its flags, says what is wrong and what to do about it.
     *
     * Opens no store. It reads all flags and segments once, and asks for two writes that cannot succeed; nothing is written or
     * cached. Whatever is wrong with table, network or credentials stands in the report. Blocks for at most four times
     * "timeout_ms" and twice "all_timeout_ms".
     *
     * @param StoreOptions $options those of open()
     * @param Transport|null $transport as for open()
     * @throws OptionException an option is unknown or wrong; the message names it
     * @throws UnavailableException not even that could be found out in time
     * @throws LibraryException libflagstore cannot be reached
     */
    public static function doctor(#[\SensitiveParameter] array $options, ?Transport $transport = null): Report
    {
        $found = json_decode(self::through($transport)::doctor(self::json($options)), true, 8, JSON_THROW_ON_ERROR);
        $finding = static fn (array $one): Finding => new Finding($one['check'], $one['level'], $one['found'], $one['remedy']);
        return new Report($found['problems'], $found['warnings'], array_map($finding, $found['findings']));
    }

    /**
     * The transport that open() takes by itself.
     */
    public static function transport(): Transport
    {
        return extension_loaded('flagstore') ? Transport::Extension : Transport::Ffi;
    }

    public function get(string $kind, string $key): ?Item
    {
        $opened = $this->opened ?? throw $this->closed();
        // Not through ask(), which costs as much as a read out of the cache.
        try {
            $found = $opened->get($kind, $key);
        } catch (StoreException $error) {
            $this->deliverEvents();
            throw $error;
        }
        if ($this->logger !== null && hrtime(true) >= $this->nextLook) {
            $this->deliverEvents();
        }
        return $found;
    }

    public function all(string $kind): array
    {
        return array_map(static fn (array $found): Item => new Item(...$found), $this->ask('all', $kind));
    }

    public function upsert(
        string $kind,
        string $key,
        int $version,
        #[\SensitiveParameter] ?string $item,
        bool $deleted = false,
    ): UpsertResult {
        [$outcome, $stored] = $this->ask('upsert', $kind, $key, $version, $deleted, $item);
        return new UpsertResult(Outcome::from($outcome), $stored === null ? null : new Item(...$stored));
    }

    public function delete(string $kind, string $key, int $version): UpsertResult
    {
        return $this->upsert($kind, $key, $version, null, true);
    }

    public function init(#[\SensitiveParameter] array $collections): InitReport
    {
        return self::report($this->ask('init', self::rows($collections)));
    }

    public function initJson(#[\SensitiveParameter] string $json): InitReport
    {
        return self::report($this->ask('initJson', $json));
    }

    public function initialized(): bool
    {
        return $this->ask('initialized');
    }

    public function available(): bool
    {
        try {
            $this->ask('available');
            return true;
        } catch (StoreException $error) {
            if ($this->opened === null) {
                throw $error;
            }
            $this->log('debug', "the table {$this->table} is not available: {$error->getMessage()}");
            return false;
        }
    }

    public function bigSegmentsMetadata(): ?int
    {
        return $this->ask('bigSegmentsMetadata');
    }

    public function bigSegmentsMembership(string $contextHash): ?array
    {
        return $this->ask('bigSegmentsMembership', $contextHash);
    }

    public function statistics(): array
    {
        return json_decode($this->ask('statistics'), true, 8, JSON_THROW_ON_ERROR);
    }

    public function clearCache(): void
    {
        $this->ask('clearCache');
    }

    public function events(): array
    {
        $opened = $this->opened ?? throw $this->closed();
        $events = [];
        while (($event = $opened->nextEvent()) !== null) {
            $events[] = new Event(self::LEVELS[$event[0]] ?? 'info', $event[1]);
        }
        return $events;
    }

    public function close(): void
    {
        if ($this->opened === null) {
            return;
        }
        try {
            $this->deliverEvents();
        } finally {
            $this->opened->close();
            $this->opened = null;
        }
    }

    public function __destruct()
    {
        $this->close();
    }

    private function __clone()
    {
    }

    public function __serialize(): array
    {
        throw new \LogicException('a Store cannot be serialized: open one in each process');
    }

    public function __unserialize(array $data): void
    {
        throw new \LogicException('a Store cannot be serialized: open one in each process');
    }

    /**
     * Which libflagstore this is: its version, and where it is.
     */
    public function library(): string
    {
        return $this->opened instanceof Ffi
            ? 'libflagstore ' . Ffi::libraryVersion() . ', ' . Library::path()
            : 'libflagstore ' . Native::libraryVersion() . ', in the extension';
    }

    private function ask(string $method, #[\SensitiveParameter] mixed ...$arguments): mixed
    {
        $opened = $this->opened ?? throw $this->closed();
        try {
            return $opened->$method(...$arguments);
        } finally {
            $this->deliverEvents();
        }
    }

    /**
     * Where the logger uses the store, what its calls bring is logged after a later call, so that the two do not feed each
     * other without end.
     */
    private function deliverEvents(): void
    {
        if ($this->logger === null || $this->delivering) {
            return;
        }
        $this->delivering = true;
        try {
            foreach ($this->events() as $event) {
                $this->log($event->level, $event->message);
            }
        } catch (StoreException) {
            // At the end of a script PHP may have destroyed what is behind the store before it.
        } finally {
            $this->delivering = false;
            $this->nextLook = hrtime(true) + self::NANOSECONDS_BETWEEN_LOOKS;
        }
    }

    /**
     * What a call did is done, whatever the logger makes of the news.
     */
    private function log(string $level, string $message): void
    {
        try {
            $this->logger?->$level("flagstore: {$message}");
        } catch (\Throwable) {
        }
    }

    private function closed(): StoreException
    {
        return new UsageException(
            "the store of table \"{$this->table}\" is closed: open another one",
            self::INVALID_HANDLE,
            'STORE_ERROR_INVALID_HANDLE'
        );
    }

    /**
     * @return class-string<Native|Ffi>
     * @throws LibraryException
     */
    private static function through(?Transport $transport): string
    {
        $transport ??= self::transport();
        if ($transport === Transport::Extension && !extension_loaded('flagstore')) {
            throw new LibraryException(
                'the extension "flagstore" is not loaded: install it (pie install flagstore/flagstore-ext) and add extension=flagstore'
                . ' to php.ini'
            );
        }
        if ($transport === Transport::Ffi && !extension_loaded('ffi')) {
            throw new LibraryException(
                'neither the extension "flagstore" nor the extension "ffi" is loaded: install the first'
                . ' (pie install flagstore/flagstore-ext), or add extension=ffi to php.ini'
            );
        }
        return match ($transport) {
            Transport::Extension => Native::class,
            Transport::Ffi => Ffi::class,
        };
    }

    private static function json(#[\SensitiveParameter] array $options): string
    {
        $options = array_filter($options, static fn (mixed $value): bool => $value !== null);
        foreach ($options as $name => $value) {
            if (!is_scalar($value)) {
                throw new \TypeError("the option \"{$name}\" takes no " . get_debug_type($value));
            }
            if (json_encode([$name => $value]) === false) {
                throw new \ValueError("the option \"{$name}\" is neither UTF-8 nor a finite number");
            }
        }
        return json_encode($options, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    }

    private static function rows(#[\SensitiveParameter] array $collections): array
    {
        $rows = [];
        foreach ($collections as $kind => $items) {
            $row = static fn (int|string $key, Item $item): array
                => [(string) $key, $item->version, $item->deleted, $item->item];
            $rows[] = [(string) $kind, array_map($row, array_keys($items), array_values($items))];
        }
        return $rows;
    }

    private static function report(string $json): InitReport
    {
        $did = json_decode($json, true, 8, JSON_THROW_ON_ERROR);
        $tooLarge = array_map(static fn (array $item): TooLarge => new TooLarge(...$item), $did['too_large']);
        $numbers = [$did['written'], $did['unchanged'], $did['deleted'], $did['kept_newer']];
        $reasons = static fn (array $rows): array => array_map(static fn (array $reason): Reason => new Reason(...$reason), $rows);
        return new InitReport(...$numbers, ...[$tooLarge, ...array_map($reasons, [$did['replaced'], $did['kept'], $did['left_out']])]);
    }
}
