<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * One open handle of libflagstore, through FFI. The same methods as Flagstore\Native, the class of the extension, whose
 * ext/flagstore.stub.php documents them.
 *
 * Memory that the library writes to is made once and lent to call after call: PHP runs one call at a time. What a call
 * got stays there until it is copied and freed, so that after a fatal error, such as running into memory_limit while
 * copying, the shutdown function finds it.
 *
 * @internal
 */
final class Ffi
{
    private const OK = 0;
    private const NOT_FOUND = 1;
    private const NEWER_EXISTS = 2;

    /** What no destructor will close after a fatal error. */
    private static ?\WeakMap $opened = null;

    private int $store = 0;
    private readonly \FFI\CData $error;
    private readonly \FFI\CData $item;
    private readonly \FFI\CData $items;
    private readonly \FFI\CData $membership;
    private readonly \FFI\CData $text;
    private readonly \FFI\CData $number;

    private function __construct(private readonly \FFI $library)
    {
        // Arrays of one, because PHP passes an array as a pointer.
        $this->error = $library->new('store_error[1]');
        $this->item = $library->new('store_item[1]');
        $this->items = $library->new('store_items*[1]');
        $this->membership = $library->new('store_membership*[1]');
        $this->text = $library->new('char*[1]');
        $this->number = $library->new('int32_t[1]');
    }

    public static function open(#[\SensitiveParameter] string $options): Ffi
    {
        $opened = new self(Library::load());
        $store = $opened->library->new('uint64_t[1]');
        $opened->check($opened->library->store_open($options, strlen($options), $store, $opened->error));
        $opened->store = $store[0];
        self::closeAfterFatalErrors($opened);
        return $opened;
    }

    public static function libraryVersion(): string
    {
        return Library::load()->store_version();
    }

    public function close(): void
    {
        $store = $this->store;
        // Zero is never a store, while the number of a closed one comes round again after many thousands.
        $this->store = 0;
        if ($store !== 0) {
            $this->library->store_close($store, null);
        }
    }

    public function __destruct()
    {
        $this->close();
    }

    public function get(string $kind, string $key): ?array
    {
        $code = $this->library->store_get(
            $this->store,
            $kind,
            strlen($kind),
            $key,
            strlen($key),
            $this->item,
            $this->error
        );
        return $this->check($code) === self::NOT_FOUND ? null : $this->takeItem();
    }

    public function all(string $kind): array
    {
        $library = $this->library;
        $this->check($library->store_get_all($this->store, $kind, strlen($kind), $this->items, $this->error));
        $first = $library->new('store_item*[1]');
        $count = $library->new('size_t[1]');
        $this->check($library->store_items_view($this->items[0], $first, $count, $this->error));
        $items = [];
        for ($place = 0, $end = $count[0]; $place < $end; $place++) {
            $item = $first[0][$place];
            $items[\FFI::string($item->key, $item->key_len)] = self::copied($item);
        }
        $library->store_items_free($this->items[0]);
        $this->items[0] = null;
        return $items;
    }

    public function upsert(
        string $kind,
        string $key,
        int $version,
        bool $deleted,
        #[\SensitiveParameter] ?string $item
    ): array {
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
            $this->item,
            $this->error
        );
        return [$code, $this->check($code) === self::NEWER_EXISTS ? $this->takeItem() : null];
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
        $this->check($library->store_init($this->store, $data, count($collections), $this->text, $this->error));
        return $this->takeText();
    }

    public function initJson(#[\SensitiveParameter] string $json): string
    {
        $this->check($this->library->store_init_json($this->store, $json, strlen($json), $this->text, $this->error));
        return $this->takeText();
    }

    public function initialized(): bool
    {
        $this->check($this->library->store_initialized($this->store, $this->number, $this->error));
        return $this->number[0] !== 0;
    }

    public function available(): void
    {
        $this->check($this->library->store_available($this->store, $this->error));
    }

    public function bigSegmentsMetadata(): ?int
    {
        $milliseconds = $this->library->new('int64_t[1]');
        $code = $this->library->store_big_segments_metadata($this->store, $milliseconds, $this->error);
        return $this->check($code) === self::NOT_FOUND ? null : $milliseconds[0];
    }

    public function bigSegmentsMembership(string $hash): ?array
    {
        $library = $this->library;
        $code = $library->store_big_segments_membership(
            $this->store,
            $hash,
            strlen($hash),
            $this->membership,
            $this->error
        );
        if ($this->check($code) === self::NOT_FOUND) {
            return null;
        }
        $segment = $library->new('char*[1]');
        $length = $library->new('size_t[1]');
        $segments = [];
        for ($place = 0, $end = $library->store_membership_count($this->membership[0]); $place < $end; $place++) {
            $library->store_membership_entry($this->membership[0], $place, $segment, $length, $this->number, null);
            $segments[\FFI::string($segment[0], $length[0])] = $this->number[0] !== 0;
        }
        $library->store_membership_free($this->membership[0]);
        $this->membership[0] = null;
        return $segments;
    }

    public function statistics(): string
    {
        $this->check($this->library->store_statistics($this->store, $this->text, $this->error));
        return $this->takeText();
    }

    public function clearCache(): void
    {
        $this->check($this->library->store_clear_cache($this->store, $this->error));
    }

    public function nextEvent(): ?array
    {
        $code = $this->library->store_next_event($this->store, $this->number, $this->text, $this->error);
        return $this->check($code) === self::NOT_FOUND ? null : [$this->number[0], $this->takeText()];
    }

    private function check(int $code): int
    {
        if ($code >= self::OK) {
            return $code;
        }
        $error = $this->error[0];
        $message = \FFI::string($error->message);
        $retriable = $error->retriable !== 0;
        $this->library->store_error_free($this->error);
        throw new StoreException($message, $code, $this->library->store_code_name($code), $retriable);
    }

    private function takeItem(): array
    {
        $item = self::copied($this->item[0]);
        $this->library->store_item_free($this->item);
        return $item;
    }

    private static function copied(\FFI\CData $item): array
    {
        $deleted = $item->deleted !== 0;
        // Straight out of the struct, of which FFI::string() takes a reference: read into a variable first, a "const char *"
        // becomes text up to the next NUL, which lies beyond the payload.
        $payload = $deleted ? null : \FFI::string($item->item, $item->item_len);
        return [$item->version, $payload, $deleted, $item->stale !== 0];
    }

    private function takeText(): string
    {
        $text = \FFI::string($this->text[0]);
        $this->library->store_string_free($this->text[0]);
        $this->text[0] = null;
        return $text;
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
    private static function closeAfterFatalErrors(self $opened): void
    {
        if (self::$opened === null) {
            self::$opened = new \WeakMap();
            register_shutdown_function(static function (): void {
                $fatal = E_ERROR | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR | E_PARSE;
                if (((error_get_last()['type'] ?? 0) & $fatal) !== 0) {
                    foreach (self::$opened as $one => $_) {
                        $one->abandon();
                    }
                }
            });
        }
        self::$opened[$opened] = true;
    }

    private function abandon(): void
    {
        $this->library->store_item_free($this->item);
        $this->library->store_items_free($this->items[0]);
        $this->items[0] = null;
        $this->library->store_membership_free($this->membership[0]);
        $this->membership[0] = null;
        $this->library->store_string_free($this->text[0]);
        $this->text[0] = null;
        $this->library->store_error_free($this->error);
        $this->close();
    }
}
