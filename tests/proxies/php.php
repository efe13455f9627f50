<?php

// One call of one process, as in python.py.

declare(strict_types=1);

require __DIR__ . '/../../bindings/php/tests/bootstrap.php';

try {
    $store = Flagstore\Store::open(json_decode($argv[1], true));
    echo $store->get('features', 'flag')->item, "\n";
} catch (Flagstore\ExceptionInterface $error) {
    echo $error->getMessage(), "\n";
    exit(1);
}
