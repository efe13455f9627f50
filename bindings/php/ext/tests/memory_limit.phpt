--TEST--
A call that runs into memory_limit ends the script in order
--EXTENSIONS--
flagstore
--SKIPIF--
<?php
require __DIR__ . '/skipif.inc';
if (getenv('USE_ZEND_ALLOC') === '0') {
    die('skip there is no memory_limit under valgrind');
}
?>
--FILE--
<?php
require __DIR__ . '/endpoint.inc';

$native = opened();
for ($number = 0; $number < 60; $number++) {
    $native->upsert('features', "flag-$number", 1, false, str_repeat('x', 100000));
}
register_shutdown_function(static fn () => print("\nover"));
ini_set('memory_limit', '4M');
$native->all('features');
echo 'not reached';
?>
--EXPECTF--
%AAllowed memory size of %d bytes exhausted%A
over
