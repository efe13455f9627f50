<?php

/**
 * Autoloads the package, the tests, and either the LaunchDarkly SDK that FLAGSTORE_SDK names or what stands in for it.
 */

declare(strict_types=1);

$autoload = static function (string $prefix, string $folder): void {
    spl_autoload_register(static function (string $class) use ($prefix, $folder): void {
        $file = $folder . '/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;
        }
    });
};
$autoload('Flagstore\\Tests\\', __DIR__);
$autoload('Flagstore\\Packaging\\', dirname(__DIR__) . '/packaging');
$autoload('Flagstore\\', dirname(__DIR__) . '/src');
$sdk = getenv('FLAGSTORE_SDK');
if ($sdk !== false && $sdk !== '') {
    require "{$sdk}/vendor/autoload.php";
} else {
    $autoload('LaunchDarkly\\', __DIR__ . '/stand-ins/LaunchDarkly');
    $autoload('Psr\\', __DIR__ . '/stand-ins/Psr');
}
