<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * Memory that the library writes the results of one call to, empty between calls. What is freed was taken out before, so
 * that nothing is freed twice wherever a signal's handler throws.
 *
 * @internal
 */
final class Places
{
    /** @var array<int, list<\FFI\CData>> all memory: after a fatal error PHP frees objects without their destructors */
    private static array $all = [];

    // Arrays of one, because PHP passes an array as a pointer.
    public readonly \FFI\CData $error;
    public readonly \FFI\CData $item;
    public readonly \FFI\CData $items;
    public readonly \FFI\CData $membership;
    public readonly \FFI\CData $text;
    public readonly \FFI\CData $number;

    public function __construct(private readonly \FFI $library)
    {
        $this->error = $library->new('store_error[1]');
        $this->item = $library->new('store_item[1]');
        $this->items = $library->new('store_items*[1]');
        $this->membership = $library->new('store_membership*[1]');
        $this->text = $library->new('char*[1]');
        $this->number = $library->new('int32_t[1]');
        self::$all[spl_object_id($this)] = [$this->item, $this->error, $this->text, $this->items, $this->membership];
    }

    /**
     * @return int the code, if the call went well
     * @throws StoreException it did not
     */
    public function check(int $code): int
    {
        if ($code >= 0) {
            return $code;
        }
        $error = $this->error[0];
        throw StoreException::of(
            \FFI::string($error->message),
            $code,
            $this->library->store_code_name($code),
            $error->retriable !== 0
        );
    }

    /**
     * Gives back to the library what is held. Without calls of PHP's own functions, at which a signal's handler may throw
     * before anything is freed; what a call holds is one of these.
     */
    public function free(): void
    {
        // These two are cleared by what frees them.
        if ($this->item[0]->owner !== null) {
            $this->library->store_item_free($this->item);
        }
        if ($this->error[0]->message !== null) {
            $this->library->store_error_free($this->error);
        }
        if (($text = $this->text[0]) !== null) {
            $this->text[0] = null;
            $this->library->store_string_free($text);
        }
        if (($items = $this->items[0]) !== null) {
            $this->items[0] = null;
            $this->library->store_items_free($items);
        }
        if (($membership = $this->membership[0]) !== null) {
            $this->membership[0] = null;
            $this->library->store_membership_free($membership);
        }
    }

    public function __destruct()
    {
        $this->free();
        unset(self::$all[spl_object_id($this)]);
    }

    /**
     * Frees what calls had got when a fatal error, such as running into memory_limit while copying, ended them.
     */
    public static function freeAll(\FFI $library): void
    {
        foreach (self::$all as [$item, $error, $text, $items, $membership]) {
            $library->store_item_free($item);
            $library->store_error_free($error);
            $library->store_string_free($text[0]);
            $library->store_items_free($items[0]);
            $library->store_membership_free($membership[0]);
        }
        self::$all = [];
    }
}
