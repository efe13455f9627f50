<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Transport;

/**
 * The package that is shipped, installed by Composer into an empty folder and used without the source tree.
 */
final class PackageTest extends TestCase
{
    private static string $folder;

    public static function setUpBeforeClass(): void
    {
        self::$folder = sys_get_temp_dir() . '/flagstore-package-' . getmypid();
        mkdir(self::$folder . '/application', 0o755, true);
    }

    public static function tearDownAfterClass(): void
    {
        Process::run(['rm', '-rf', self::$folder]);
    }

    protected function setUp(): void
    {
        parent::setUp();
        if (Process::run(['which', 'composer'])[0] !== 0) {
            self::markTestSkipped('there is no composer: apt-get install composer');
        }
    }

    public function testTheArchiveIsTheSameEachTimeAndHoldsTheLibrary(): void
    {
        $archives = [];
        foreach (['packages', 'again'] as $folder) {
            [$status, $said] = Process::run([dirname(__DIR__) . '/package', self::$folder . "/{$folder}"]);
            self::assertSame(0, $status, $said);
            $archives[] = hash_file('sha256', trim($said));
        }
        self::assertSame($archives[0], $archives[1]);
        [, $listed] = Process::run(['tar', '-tvzf', trim($said)]);
        self::assertStringNotContainsString(' -> ', $listed, 'it holds links');
        self::assertStringNotContainsString('/tests/', $listed);
        $papers = ['LICENSE', 'THIRD-PARTY-NOTICES', 'flagstore.cdx.json'];
        foreach (['lib/libflagstore.so.1', 'include/flagstore.h', 'src/flagstore_cdef.h', 'ext/config.m4', ...$papers] as $file) {
            self::assertStringContainsString("/{$file}\n", $listed);
        }
    }

    /**
     * @depends testTheArchiveIsTheSameEachTimeAndHoldsTheLibrary
     */
    public function testComposerInstallsIt(): void
    {
        $application = self::$folder . '/application';
        [$archive] = glob(self::$folder . '/packages/*.tar.gz');
        self::assertSame([0, ''], Process::run(['tar', '-xzf', $archive, '-C', self::$folder]));
        $unpacked = self::$folder . '/' . basename($archive, '.tar.gz');
        file_put_contents("{$application}/composer.json", json_encode([
            'repositories' => [
                ['type' => 'path', 'url' => self::$folder . '/flagstore-php-*', 'options' => ['symlink' => false]], ['packagist.org' => false],
            ],
            'require' => ['flagstore/flagstore' => '0.1.0'],
        ]));
        $environment = ['COMPOSER_ALLOW_SUPERUSER' => '1', 'COMPOSER_DISABLE_NETWORK' => '1',
            'COMPOSER_HOME' => self::$folder . '/composer'];
        [$status, $said] = Process::run(['composer', 'install', '--no-interaction', '--quiet'], $environment, 120, $application);
        self::assertSame(0, $status, $said);
        self::assertFileExists("{$application}/vendor/flagstore/flagstore/lib/libflagstore.so.1");
        self::assertTrue(is_executable("{$application}/vendor/bin/flagstore-ffi-header"));
        Process::run(['rm', '-rf', $unpacked]);
    }

    /**
     * @depends testComposerInstallsIt
     * @group ffi
     */
    public function testFfiUsesTheLibraryInThePackage(): void
    {
        $this->assertWorks(['-d', 'extension=ffi', '-d', 'ffi.enable=1'], Transport::Ffi);
    }

    /**
     * @depends testComposerInstallsIt
     * @group extension
     */
    public function testTheExtensionBuildsFromThePackageAndTakesItsLibraryAlong(): void
    {
        $package = self::$folder . '/application/vendor/flagstore/flagstore';
        $installed = self::$folder . '/installed';
        foreach (
            [
                ['phpize'],
                ['./configure', '--quiet', "--with-flagstore={$package}"],
                ['make', '--quiet'],
                ['make', '--quiet', 'install', "INSTALL_ROOT={$installed}"],
            ] as $command
        ) {
            [$status, $said] = Process::run($command, [], 180, "{$package}/ext");
            self::assertSame(0, $status, $said);
        }
        $extension = "{$installed}/" . ini_get('extension_dir') . '/flagstore.so';
        $this->assertWorks(['-d', "extension={$extension}"], Transport::Extension, dirname($extension) . '/libflagstore.so.1');
    }

    /**
     * @param list<string> $options of PHP
     */
    private function assertWorks(array $options, Transport $transport, ?string $library = null): void
    {
        $application = self::$folder . '/application';
        $code = 'require "vendor/autoload.php"; $store = Flagstore\Store::open(json_decode($argv[1], true));'
            . 'echo json_encode([$store->available(), Flagstore\Store::transport()->value]);'
            . 'preg_match_all("#/\S*libflagstore\S*#", file_get_contents("/proc/self/maps"), $maps);'
            . 'echo "\n", implode(" ", array_unique($maps[0]));';
        $command = [PHP_BINARY, '-n', ...$options, '-r', $code, '--', json_encode($this->options())];
        $bare = ['FLAGSTORE_LIBRARY' => null, 'LD_LIBRARY_PATH' => null];
        [$status, $said] = Process::run($command, $bare, 60, $application);
        $library = realpath($library ?? "{$application}/vendor/flagstore/flagstore/lib/libflagstore.so.1");
        self::assertSame([0, "[true,\"{$transport->value}\"]\n{$library}"], [$status, $said]);
    }
}
