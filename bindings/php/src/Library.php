<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * Finds libflagstore for FFI, declares its functions and checks its ABI.
 *
 * @internal
 */
final class Library
{
    public const ABI = 1;
    public const VARIABLE = 'FLAGSTORE_LIBRARY';
    public const SCOPE = 'flagstore';

    /** Kept for the length of a request: parsing the declarations costs more than most calls. */
    private static ?\FFI $loaded = null;

    /**
     * The library: the one that was preloaded, else the first of these that is there: the file that FLAGSTORE_LIBRARY
     * names, the copy inside the package, the system's. If that cannot be used, the others are not tried.
     *
     * @throws LibraryException
     */
    public static function load(): \FFI
    {
        return self::$loaded ??= self::preloaded() ?? self::declared();
    }

    /**
     * The file to load: a path, or a name for the system's loader to find.
     *
     * @throws LibraryException FLAGSTORE_LIBRARY names no file
     */
    public static function path(): string
    {
        $named = getenv(self::VARIABLE);
        if ($named !== false && $named !== '') {
            $path = realpath($named);
            if ($path === false || !is_file($path)) {
                throw new LibraryException(
                    self::VARIABLE . " is \"{$named}\", and there is no such file: correct it or unset it"
                );
            }
            return $path;
        }
        return realpath(self::packaged()) ?: Platform::installed(self::ABI);
    }

    /**
     * The copy inside the package, for this platform; it may not be there.
     */
    private static function packaged(): string
    {
        return dirname(__DIR__) . '/lib/' . Platform::current() . '/' . Platform::file();
    }

    /**
     * A header for FFI::load(), and for the setting ffi.preload.
     *
     * @throws LibraryException
     */
    public static function header(): string
    {
        return '#define FFI_SCOPE "' . self::SCOPE . "\"\n"
            . '#define FFI_LIB "' . self::path() . "\"\n"
            . self::declarations();
    }

    /**
     * Loads the library for all requests to come: to be called while opcache preloads. Where opcache.preload_user is set, PHP
     * refuses that (it preloads in a process that ends), and each request declares the functions anew, unless ffi.preload did.
     *
     * @throws LibraryException
     */
    public static function preload(): void
    {
        $declared = self::declared();
        unset($declared);
        $file = tempnam(sys_get_temp_dir(), 'flagstore');
        if ($file === false || file_put_contents($file, self::header()) === false) {
            return;
        }
        try {
            \FFI::load($file);
        } catch (\FFI\Exception) {
        } finally {
            unlink($file);
        }
    }

    private static function preloaded(): ?\FFI
    {
        try {
            $library = \FFI::scope(self::SCOPE);
        } catch (\FFI\Exception) {
            return null;
        }
        self::checkAbi($library->store_abi_version(), 'the preloaded library');
        return $library;
    }

    private static function declared(): \FFI
    {
        $path = self::path();
        try {
            $library = \FFI::cdef(self::declarations(), $path);
        } catch (\FFI\Exception $error) {
            throw self::unusable($path, $error);
        }
        self::checkAbi($library->store_abi_version(), $path);
        return $library;
    }

    private static function declarations(): string
    {
        return file_get_contents(__DIR__ . '/flagstore_cdef.h');
    }

    private static function checkAbi(int $abi, string $path): void
    {
        if ($abi !== self::ABI) {
            throw new LibraryException(
                "{$path} has ABI {$abi}, this package needs ABI " . self::ABI . ': install versions that match'
            );
        }
    }

    private static function unusable(string $path, \FFI\Exception $error): LibraryException
    {
        if (str_contains($error->getMessage(), 'ffi.enable')) {
            return new LibraryException(
                'FFI is off here (ffi.enable=' . ini_get('ffi.enable') . ', ' . PHP_SAPI . '): install the extension'
                . ' "flagstore", or preload this package with opcache.preload, or set ffi.enable=1'
            );
        }
        // A library of another ABI may lack a function, which is then not what has to be said.
        try {
            $probe = \FFI::cdef('uint32_t store_abi_version(void);', $path);
            self::checkAbi($probe->store_abi_version(), $path);
        } catch (\FFI\Exception) {
        }
        if ($path !== Platform::installed(self::ABI)) {
            return new LibraryException("{$path} cannot be used as libflagstore: {$error->getMessage()}");
        }
        $platform = Platform::current();
        $others = array_map(basename(...), glob(dirname(__DIR__) . '/lib/*', GLOB_ONLYDIR) ?: []);
        return new LibraryException(
            "libflagstore was not found for {$platform}: " . self::VARIABLE . ' is not set, ' . self::packaged() . ' is not there ('
            . ($others === [] ? 'this package has no library' : 'this package has ' . implode(', ', $others))
            . "), and the system says: {$error->getMessage()}"
        );
    }
}
