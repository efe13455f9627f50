--TEST--
An item is the package's, made without its constructor; another package's class is refused
--EXTENSIONS--
flagstore
--SKIPIF--
<?php require __DIR__ . '/skipif.inc'; ?>
--FILE--
<?php
require __DIR__ . '/endpoint.inc';

$native = opened();
$native->upsert('features', 'flag', 3, false, 'ä');
$native->upsert('features', 'gone', 4, true, null);
$tried = static function (string $key) use ($native): void {
    try {
        $item = $native->get('features', $key);
        var_dump($item == new Flagstore\Item($item->version, $item->item, $item->deleted, $item->stale), $item);
        $item->version = 5;
    } catch (Error $error) {
        echo $error::class, ': ', $error->getMessage(), "\n";
    }
};
$tried('flag');
spl_autoload_register(static function (string $class) use ($native): void {
    // Loading it may use the very store that is asked.
    $native->upsert('features', 'meanwhile', 1, false, 'x');
    require __DIR__ . '/item.inc';
});
$tried('flag');
$tried('gone');
var_dump($native->get('features', 'none'));
?>
--EXPECTF--
Error: there is no class Flagstore\Item as this extension needs it: install versions that match
bool(true)
object(Flagstore\Item)#%d (4) {
  ["version"]=>
  int(3)
  ["item"]=>
  string(2) "ä"
  ["deleted"]=>
  bool(false)
  ["stale"]=>
  bool(false)
}
Error: Cannot modify readonly property Flagstore\Item::$version
bool(true)
object(Flagstore\Item)#%d (4) {
  ["version"]=>
  int(4)
  ["item"]=>
  NULL
  ["deleted"]=>
  bool(true)
  ["stale"]=>
  bool(false)
}
Error: Cannot modify readonly property Flagstore\Item::$version
NULL
