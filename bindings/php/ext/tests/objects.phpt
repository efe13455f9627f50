--TEST--
A handle is made by open() alone, and neither copied nor serialized
--EXTENSIONS--
flagstore
--FILE--
<?php
use Flagstore\Native;

function refused(Closure $call): void
{
    try {
        $call();
        echo "done\n";
    } catch (Throwable $error) {
        echo $error::class, ': ', $error->getMessage(), "\n";
    }
}

$native = Native::open('{"table":"flags"}');
refused(fn () => new Native());
refused(fn () => (new ReflectionClass(Native::class))->newInstanceWithoutConstructor());
refused(fn () => clone $native);
refused(fn () => serialize($native));
refused(fn () => unserialize('O:16:"Flagstore\Native":0:{}'));
refused(fn () => $native->more = 1);
refused(fn () => $native->get('features'));
refused(fn () => $native->get('features', []));
$native->close();
$native->close();
refused(fn () => $native->statistics());
?>
--EXPECTF--
Error: Call to private Flagstore\Native::__construct() from global scope
ReflectionException: Class Flagstore\Native is an internal class marked as final that cannot be instantiated without invoking its constructor
Error: Trying to clone an uncloneable object of class Flagstore\Native
Exception: Serialization of 'Flagstore\Native' is not allowed
Exception: Unserialization of 'Flagstore\Native' is not allowed
Error: Cannot create dynamic property Flagstore\Native::$more
ArgumentCountError: Flagstore\Native::get() expects exactly 2 arguments, 1 given
TypeError: Flagstore\Native::get(): Argument #2 ($key) must be of type string, array given
RuntimeException: STORE_ERROR_INVALID_HANDLE: %s
