<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * One open handle of libflagstore, through FFI. The same methods as Flagstore\Native, the class of the extension, whose
 * ext/flagstore.stub.php documents them.
 *
 * @internal
 */
final class Ffi
{
    private const NOT_FOUND = 1;
    private const NEWER_EXISTS = 2;

    /** @var array<int, true>|null handles that are open, which no destructor closes after a fatal error */
    private static ?array $opened = null;

    private int $store = 0;

    /** Whether the handlers of signals, which wait while a call is in progress, are to run by themselves again. */
    private bool $handles = false;

    /** Spare memory for the results of a call: making it costs as much as a read out of the cache. */
    private ?Places $spare = null;

    private function __construct(private readonly \FFI $library)
    {
    }

    public static function open(#[\SensitiveParameter] string $options): Ffi
    {
        $opened = new self(Library::load());
        $store = $opened->library->new('uint64_t[1]');
        $places = $opened->places();
        try {
            $places->check($opened->library->store_open($options, strlen($options), $store, $places->error));
        } finally {
            // Also where a signal's handler threw.
            $opened->hold($store[0]);
            $opened->free($places);
        }
        return $opened;
    }

    public static function libraryVersion(): string
    {
        $asked = new self(Library::load());
        try {
            $asked->hush();
            return $asked->library->store_version();
        } finally {
            $asked->listen();
        }
    }

    public static function doctor(#[\SensitiveParameter] string $options): string
    {
        $asked = new self(Library::load());
        return $asked->text(static fn (\FFI\CData $text, \FFI\CData $error): int
            => $asked->library->store_doctor($options, strlen($options), $text, $error));
    }

    public function close(): void
    {
        $store = $this->store;
        // Zero is never a store, while the number of a closed one comes round again after many thousands.
        $this->store = 0;
        if ($store === 0) {
            return;
        }
        try {
            $this->hush();
            $this->library->store_close($store, null);
            unset(self::$opened[$store]);
        } finally {
            $this->listen();
        }
    }

    public function __destruct()
    {
        $this->close();
    }

    public function get(string $kind, string $key): ?Item
    {
        $places = $this->places();
        try {
            $code = $this->library->store_get(
                $this->store,
                $kind,
                strlen($kind),
                $key,
                strlen($key),
                $places->item,
                $places->error
            );
            return $places->check($code) === self::NOT_FOUND ? null : new Item(...self::copied($places->item[0]));
        } finally {
            $this->free($places);
        }
    }

    public function all(string $kind): array
    {
        $library = $this->library;
        $places = $this->places();
        try {
            $places->check($library->store_get_all($this->store, $kind, strlen($kind), $places->items, $places->error));
            $first = $library->new('store_item*[1]');
            $count = $library->new('size_t[1]');
            $places->check($library->store_items_view($places->items[0], $first, $count, $places->error));
            $items = [];
            for ($place = 0, $end = $count[0]; $place < $end; $place++) {
                $item = $first[0][$place];
                $items[\FFI::string($item->key, $item->key_len)] = self::copied($item);
            }
            return $items;
        } finally {
            $this->free($places);
        }
    }

    public function upsert(
        string $kind,
        string $key,
        int $version,
        bool $deleted,
        #[\SensitiveParameter] ?string $item
    ): array {
        $places = $this->places();
        try {
            $code = $this->library->store_upsert(
                $this->store,
                $kind,
                strlen($kind),
                $key,
                strlen($key),
                $version,
                (int) $deleted,
                $item,
                $item === null ? 0 : strlen($item),
                $places->item,
                $places->error
            );
            return [$code, $places->check($code) === self::NEWER_EXISTS ? self::copied($places->item[0]) : null];
        } finally {
            $this->free($places);
        }
    }

    public function init(#[\SensitiveParameter] array $collections): string
    {
        $library = $this->library;
        // One block for all texts, into which the structs point: FFI cannot point into PHP's strings.
        $texts = $library->new('char[' . (self::textLength($collections) + 1) . ']');
        $used = 0;
        $place = static function (string $text) use ($texts, &$used): \FFI\CData {
            $start = $texts + $used;
            if ($text !== '') {
                \FFI::memcpy($start, $text, strlen($text));
            }
            $used += strlen($text);
            return $start;
        };
        $data = $library->new('store_collection[' . max(1, count($collections)) . ']');
        // Held until the call is over: a pointer in a struct keeps nothing alive.
        $held = [];
        foreach ($collections as $number => [$kind, $rows]) {
            $items = $library->new('store_item[' . max(1, count($rows)) . ']');
            foreach ($rows as $row => [$key, $version, $deleted, $payload]) {
                $item = $items[$row];
                $item->key = $place($key);
                $item->key_len = strlen($key);
                $item->item = $payload === null ? null : $place($payload);
                $item->item_len = $payload === null ? 0 : strlen($payload);
                $item->version = $version;
                $item->deleted = (int) $deleted;
            }
            $data[$number]->kind = $place($kind);
            $data[$number]->kind_len = strlen($kind);
            $data[$number]->items = $library->cast('store_item*', $items);
            $data[$number]->items_len = count($rows);
            $held[] = $items;
        }
        return $this->text(fn (\FFI\CData $text, \FFI\CData $error): int
            => $library->store_init($this->store, $data, count($collections), $text, $error));
    }

    public function initJson(#[\SensitiveParameter] string $json): string
    {
        return $this->text(fn (\FFI\CData $text, \FFI\CData $error): int
            => $this->library->store_init_json($this->store, $json, strlen($json), $text, $error));
    }

    public function initialized(): bool
    {
        $places = $this->places();
        try {
            $places->check($this->library->store_initialized($this->store, $places->number, $places->error));
            return $places->number[0] !== 0;
        } finally {
            $this->free($places);
        }
    }

    public function available(): void
    {
        $places = $this->places();
        try {
            $places->check($this->library->store_available($this->store, $places->error));
        } finally {
            $this->free($places);
        }
    }

    public function bigSegmentsMetadata(): ?int
    {
        $places = $this->places();
        try {
            $milliseconds = $this->library->new('int64_t[1]');
            $code = $this->library->store_big_segments_metadata($this->store, $milliseconds, $places->error);
            return $places->check($code) === self::NOT_FOUND ? null : $milliseconds[0];
        } finally {
            $this->free($places);
        }
    }

    public function bigSegmentsMembership(string $hash): ?array
    {
        $library = $this->library;
        $places = $this->places();
        try {
            $code = $library->store_big_segments_membership(
                $this->store,
                $hash,
                strlen($hash),
                $places->membership,
                $places->error
            );
            if ($places->check($code) === self::NOT_FOUND) {
                return null;
            }
            $membership = $places->membership[0];
            $segment = $library->new('char*[1]');
            $length = $library->new('size_t[1]');
            $segments = [];
            for ($place = 0, $end = $library->store_membership_count($membership); $place < $end; $place++) {
                $library->store_membership_entry($membership, $place, $segment, $length, $places->number, null);
                $segments[\FFI::string($segment[0], $length[0])] = $places->number[0] !== 0;
            }
            return $segments;
        } finally {
            $this->free($places);
        }
    }

    public function statistics(): string
    {
        return $this->text(fn (\FFI\CData $text, \FFI\CData $error): int
            => $this->library->store_statistics($this->store, $text, $error));
    }

    public function clearCache(): void
    {
        $places = $this->places();
        try {
            $places->check($this->library->store_clear_cache($this->store, $places->error));
        } finally {
            $this->free($places);
        }
    }

    public function nextEvent(): ?array
    {
        $places = $this->places();
        try {
            $code = $this->library->store_next_event($this->store, $places->number, $places->text, $places->error);
            return $places->check($code) === self::NOT_FOUND ? null : [$places->number[0], \FFI::string($places->text[0])];
        } finally {
            $this->free($places);
        }
    }

    /**
     * Has the handlers of signals wait until listen(). Since 8.4 PHP runs them between a C function's end and that of its
     * frame, which is one without a function by then: a handler that throws, or looks at the stack, crashes the process.
     */
    private function hush(): void
    {
        if (function_exists('pcntl_async_signals') && pcntl_async_signals()) {
            pcntl_async_signals(false);
            $this->handles = true;
        }
    }

    /**
     * Runs the handlers of the signals that came meanwhile, which may use this store and throw.
     */
    private function listen(): void
    {
        if ($this->handles) {
            $this->handles = false;
            pcntl_async_signals(true);
            pcntl_signal_dispatch();
        }
    }

    /**
     * Where a call puts its results. A signal's handler may run before and after a call, use this store and throw: so what a
     * call got belongs to it alone, and it is freed wherever the call ends.
     */
    private function places(): Places
    {
        $this->hush();
        $places = $this->spare ?? new Places($this->library);
        $this->spare = null;
        return $places;
    }

    private function free(Places $places): void
    {
        $places->free();
        $this->spare = $places;
        $this->listen();
    }

    private function text(#[\SensitiveParameter] \Closure $call): string
    {
        $places = $this->places();
        try {
            $places->check($call($places->text, $places->error));
            return \FFI::string($places->text[0]);
        } finally {
            $this->free($places);
        }
    }

    private static function copied(\FFI\CData $item): array
    {
        $deleted = $item->deleted !== 0;
        // Straight out of the struct, of which FFI::string() takes a reference: read into a variable first, a "const char *"
        // becomes text up to the next NUL, which lies beyond the payload.
        $payload = $deleted ? null : \FFI::string($item->item, $item->item_len);
        return [$item->version, $payload, $deleted, $item->stale !== 0];
    }

    private static function textLength(array $collections): int
    {
        $length = 0;
        foreach ($collections as [$kind, $rows]) {
            $length += strlen($kind);
            foreach ($rows as [$key, , , $payload]) {
                $length += strlen($key) + strlen($payload ?? '');
            }
        }
        return $length;
    }

    /**
     * PHP calls no destructor after a fatal error, and a worker goes on with its next request.
     */
    private function hold(int $store): void
    {
        $this->store = $store;
        if (self::$opened === null) {
            self::$opened = [];
            $library = $this->library;
            register_shutdown_function(static function () use ($library): void {
                $fatal = E_ERROR | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR | E_PARSE;
                if (((error_get_last()['type'] ?? 0) & $fatal) !== 0) {
                    Places::freeAll($library);
                    foreach (self::$opened as $store => $_) {
                        $library->store_close($store, null);
                    }
                    self::$opened = [];
                }
            });
        }
        if ($store !== 0) {
            self::$opened[$store] = true;
        }
    }
}
