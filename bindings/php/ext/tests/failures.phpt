--TEST--
Failures are the package's exception where it can be loaded
--EXTENSIONS--
flagstore
--FILE--
<?php
use Flagstore\Native;

function failing(): void
{
    for ($times = 0; $times < 3; $times++) {
        try {
            Native::open('{"tabel":"flags"}');
        } catch (Throwable $error) {
        }
    }
    echo $error::class, ' ', $error->getCode(), ' ', $error->getMessage(), "\n";
}

failing();
$loaders = [
    'a loader that throws' => fn () => throw new LogicException('from the loader'),
    'a class that is no exception' => fn () => eval('namespace Flagstore; class StoreException { function __construct() {} }'),
];
foreach ($loaders as $what => $loader) {
    echo "$what: ";
    spl_autoload_register($loader);
    failing();
    spl_autoload_unregister($loader);
}
?>
--EXPECTF--
RuntimeException -7 STORE_ERROR_UNKNOWN_OPTION: %s"tabel"%s
a loader that throws: LogicException 0 from the loader
a class that is no exception: RuntimeException -7 STORE_ERROR_UNKNOWN_OPTION: %s"tabel"%s
