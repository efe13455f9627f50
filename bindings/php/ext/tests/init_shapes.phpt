--TEST--
A data set of another shape is a TypeError, whatever stands in it
--EXTENSIONS--
flagstore
--FILE--
<?php
use Flagstore\Native;

$native = Native::open('{"table":"flags"}');
$reference = 'x';
$shapes = [
    [1],
    ['features'],
    [[]],
    [['features']],
    [[1, []]],
    [['features', 'x']],
    [['features', ['x']]],
    [['features', [[]]]],
    [['features', [['key', '1', false, 'x']]]],
    [['features', [['key', 1, 0, 'x']]]],
    [['features', [['key', 1, false, 1]]]],
    [['features', [['key', 1, false]]]],
    [['features', [['key', 1, false, 'x'], ['key', 1.5, false, &$reference]]]],
    [['features', [['key', 1, false, 'x']]], ['segments', [[]]]],
];
foreach ($shapes as $shape) {
    try {
        $native->init($shape);
    } catch (TypeError $error) {
        echo substr($error->getMessage(), strlen("Flagstore\Native::init(): ")), "\n";
    }
}
?>
--EXPECT--
Argument #1 ($collections) must hold lists of a kind and its items
Argument #1 ($collections) must hold lists of a kind and its items
Argument #1 ($collections) must hold lists of a kind and its items
Argument #1 ($collections) must hold lists of a kind and its items
Argument #1 ($collections) must hold lists of a kind and its items
Argument #1 ($collections) must hold lists of a kind and its items
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
Argument #1 ($collections) must hold items as lists of key, version, deleted, payload
