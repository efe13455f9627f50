<?php

/**
 * The store alone.
 */

// IMPORTS

// SHOWN(bindings/php/README.md, 4)

$flag = Store::open(['table' => 'my-table', 'prefix' => 'production'])->get('features', 'my-flag');
assert([$flag->version, $flag->deleted] === [3, true]);

// SHOWN(bindings/php/README.md, 5)
assert($finding->level === 'ok');
