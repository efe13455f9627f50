--TEST--
The package's exception gets message, code, name and whether to try again; traces hide options and payloads
--EXTENSIONS--
flagstore
--INI--
zend.exception_ignore_args=0
--FILE--
<?php
namespace Flagstore;

class StoreException extends \RuntimeException
{
    public string $name;
    public bool $retriable;

    public static function of(string $message, int $code, string $name, bool $retriable): \Exception
    {
        if ($name === 'STORE_ERROR_INVALID_JSON') {
            throw new \DomainException('from the factory');
        }
        $made = new self($message, $code);
        [$made->name, $made->retriable] = [$name, $retriable];
        return $made;
    }
}

$native = Native::open('{"table":"flags","shared":false}');
$calls = [
    fn () => Native::open('{"table":"flags","timeout_ms":"secret"}'),
    fn () => $native->upsert('features', '', 1, false, 'secret'),
    fn () => $native->init([['features', [['key', -1, false, 'secret']]]]),
    fn () => $native->initJson('secret'),
];
foreach ($calls as $call) {
    try {
        $call();
    } catch (\Exception $error) {
        echo $error->name ?? '', ' ', $error->getMessage(), "\n";
        if ($error instanceof StoreException) {
            $arguments = array_column(array_filter($error->getTrace(), fn ($frame) => ($frame['class'] ?? '') === Native::class), 'args');
            var_dump($error->retriable, count($arguments), str_contains(print_r($arguments, true), 'secret'));
        }
    }
}
?>
--EXPECTF--
STORE_ERROR_OPTION_TYPE %s"timeout_ms"%s
bool(false)
int(1)
bool(false)
STORE_ERROR_EMPTY_KEY %s
bool(false)
int(1)
bool(false)
STORE_ERROR_INVALID_VERSION %s
bool(false)
int(1)
bool(false)
 from the factory
