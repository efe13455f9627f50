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
    public function __construct(string $message, int $code, public string $name, public bool $retriable)
    {
        if ($name === 'STORE_ERROR_INVALID_JSON') {
            throw new \DomainException('from the constructor');
        }
        parent::__construct($message, $code);
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
            var_dump($error->retriable, str_contains(print_r($error->getTrace()[0]['args'], true), 'secret'));
        }
    }
}
?>
--EXPECTF--
STORE_ERROR_OPTION_TYPE %s"timeout_ms"%s
bool(false)
bool(false)
STORE_ERROR_EMPTY_KEY %s
bool(false)
bool(false)
STORE_ERROR_INVALID_VERSION %s
bool(false)
bool(false)
 from the constructor
